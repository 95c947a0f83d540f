//! `[telemetry.otlp]`, and the standard variables of OpenTelemetry that fill what it leaves open.
//!
//! - A key of ours, in the file or as `TOLLWAY_TELEMETRY__OTLP__*`, goes before a standard variable, and one for traces
//!   (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) before one for everything (`OTEL_EXPORTER_OTLP_ENDPOINT`).
//! - The standard variables are often set for every program of a machine: one that can't be used never keeps the gateway from
//!   starting. It switches the export off, and the log says why.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use types::{ExposeSecret, SecretString};

use super::Environment;
use super::keys::money::url;
use super::layers::Layers;

/// `[telemetry]`
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// `[telemetry.otlp]`
    pub otlp: Otlp,
}

/// `[telemetry.otlp]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Otlp {
    /// Without `/v1/traces`.
    pub endpoint: Option<String>,
    /// Where traces go; filled from `endpoint` or the standard variables. None: nowhere.
    pub traces_url: Option<String>,
    /// Why a standard variable can't be used.
    pub unusable: Option<String>,
    pub protocol: Protocol,
    pub headers: BTreeMap<String, SecretString>,
    pub gzip: bool,
    pub timeout_ms: u64,
    pub sample_per_mille: u64,
    pub follow_parent: bool,
    pub service_name: Option<String>,
    pub resource_attributes: BTreeMap<String, String>,
    pub user_ids: UserIds,
    pub caller_labels: bool,
    pub interval_ms: u64,
    pub batch_generations_max: usize,
    pub backlog_bytes_max: u64,
}

/// How spans are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Protocol buffers over HTTP.
    #[default]
    Protobuf,
    /// JSON over HTTP.
    Json,
}

impl Protocol {
    /// Every name.
    pub const NAMES: [&str; 2] = ["http/protobuf", "http/json"];

    /// From the name.
    pub fn named(name: &str) -> Option<Protocol> {
        match name {
            "http/protobuf" => Some(Protocol::Protobuf),
            "http/json" => Some(Protocol::Json),
            _ => None,
        }
    }
}

/// What becomes of the ids of callers' own users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserIds {
    /// They are left out.
    #[default]
    Off,
    /// As a hash with a secret of this node.
    Hashed,
}

impl UserIds {
    /// Every name.
    pub const NAMES: [&str; 2] = ["off", "hashed"];

    /// From the name.
    pub fn named(name: &str) -> UserIds {
        if name == "hashed" { UserIds::Hashed } else { UserIds::Off }
    }
}

/// The standard variables that are read.
pub(crate) const STANDARD: [(&str, &str); 10] = [
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "where traces go, as it stands"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "`endpoint`"),
    (
        "OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL",
        "`protocol`; with `grpc` nothing is exported, and the log says so",
    ),
    ("OTEL_EXPORTER_OTLP_[TRACES_]HEADERS", "`headers`, as `name=value,name=value` with percent escapes"),
    ("OTEL_EXPORTER_OTLP_[TRACES_]COMPRESSION", "`compression`"),
    ("OTEL_EXPORTER_OTLP_[TRACES_]TIMEOUT", "`timeout_ms`"),
    ("OTEL_SERVICE_NAME", "`service_name`"),
    ("OTEL_RESOURCE_ATTRIBUTES", "`resource_attributes`, as `name=value,name=value` with percent escapes"),
    ("OTEL_TRACES_EXPORTER", "anything but `otlp`: the variables above are not read"),
    ("OTEL_SDK_DISABLED", "`true`: the variables above are not read"),
];

impl Otlp {
    /// Fills what no key of ours says.
    pub(super) fn complete(&mut self, layers: &Layers, env: &Environment) {
        self.traces_url = self.endpoint.as_ref().map(|base| format!("{base}/v1/traces"));
        let get = |name: &str| env.get(name).map(str::trim).filter(|value| !value.is_empty());
        let off = get("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || get("OTEL_TRACES_EXPORTER").is_some_and(|v| v != "otlp");
        if off {
            return;
        }
        if let Err(why) = self.read_standard(layers, &get) {
            self.unusable = Some(why);
            self.traces_url = None;
        }
    }

    fn read_standard<'e>(
        &mut self,
        layers: &Layers,
        get: &dyn Fn(&str) -> Option<&'e str>,
    ) -> Result<(), String> {
        let is_open = |key: &str| !layers.plain.contains_key(&format!("telemetry.otlp.{key}"));
        if self.traces_url.is_none() {
            self.traces_url = standard_url(get)?;
        }
        if self.traces_url.is_none() {
            return Ok(());
        }
        let of_traces = |what: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
            names.into_iter().find_map(|name| get(&name).map(|value| (name, value)))
        };
        if let Some((name, value)) = of_traces("PROTOCOL").filter(|_| is_open("protocol")) {
            let allowed = || format!("{name} is `{value}`; allowed: {}", Protocol::NAMES.join(", "));
            self.protocol = Protocol::named(value).ok_or_else(allowed)?;
        }
        if let Some((name, value)) = of_traces("HEADERS").filter(|_| is_open("headers")) {
            let pairs = pairs(value).filter(|pairs| pairs.iter().all(|(name, value)| is_header(name, value)));
            let pairs = pairs.ok_or_else(|| format!("{name} (value hidden) is no list of `name=value`"))?;
            self.headers = pairs.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
        }
        if let Some((name, value)) = of_traces("COMPRESSION").filter(|_| is_open("compression")) {
            self.gzip = match value {
                "gzip" => true,
                "none" => false,
                _ => return Err(format!("{name} is `{value}`; allowed: gzip, none")),
            };
        }
        if let Some((name, value)) = of_traces("TIMEOUT").filter(|_| is_open("timeout_ms")) {
            let good = value.parse().ok().filter(|ms| (100..=60_000).contains(ms));
            self.timeout_ms = good.ok_or_else(|| format!("{name} is `{value}`; allowed: 100 to 60000"))?;
        }
        if let Some(value) = get("OTEL_RESOURCE_ATTRIBUTES").filter(|_| is_open("resource_attributes")) {
            let why = || "OTEL_RESOURCE_ATTRIBUTES is no list of `name=value`".to_owned();
            self.resource_attributes = pairs(value).ok_or_else(why)?;
        }
        if let Some(name) = get("OTEL_SERVICE_NAME").filter(|_| is_open("service_name")) {
            self.service_name = Some(name.to_owned());
        }
        Ok(())
    }
}

/// An address that a path can be added to.
pub(super) fn base(text: &str) -> Option<String> {
    url(text).filter(|url| !url.contains(['?', '#']))
}

fn standard_url<'e>(get: &dyn Fn(&str) -> Option<&'e str>) -> Result<Option<String>, String> {
    let no_url = |name: &str| format!("{name} (value hidden) is no http or https address");
    let name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    if let Some(value) = get(name) {
        return url(value).map(Some).ok_or_else(|| no_url(name));
    }
    let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let Some(value) = get(name) else { return Ok(None) };
    let base = base(value).ok_or_else(|| no_url(name))?;
    Ok(Some(format!("{base}/v1/traces")))
}

/// `name=value,name=value`, with percent escapes, as W3C Baggage has it without properties.
fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let plain = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(|t| t.into_owned());
        Some((plain(name).filter(|name| !name.is_empty())?, plain(value)?))
    };
    parts.map(pair).collect()
}

fn is_header(name: &str, value: &str) -> bool {
    http::HeaderName::try_from(name).is_ok() && http::HeaderValue::from_str(value).is_ok()
}

/// The headers that spans are sent with.
pub(crate) fn headers(otlp: &Otlp) -> Vec<(http::HeaderName, http::HeaderValue)> {
    let read = otlp.headers.iter().filter_map(|(name, value)| {
        let mut text = http::HeaderValue::from_str(value.expose_secret()).ok()?;
        text.set_sensitive(true);
        Some((http::HeaderName::try_from(name.as_str()).ok()?, text))
    });
    read.collect()
}
