//! What a request's headers ask for. A header of ours with a bad value is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use ledger::{App, TraceParent};
use routing::wishes::Sort;
use types::Money;
use wire::Warning;
use wire::asked::Escalate;

use crate::cache::Wanted;
use crate::error::GatewayError;
use crate::settings::Brand;

/// Most free dimensions of one request.
const DIMENSIONS_MAX: usize = 16;
/// Longest text that is kept of a header.
const TEXT_CHARS_MAX: usize = 256;

/// What a header that switches something takes.
const FLAG: &str = "true or false";
/// The longest time that can be asked for an answer to stand in the response cache, seconds.
pub const TTL_S_MAX: u32 = 86_400;

/// `X-Tollway-Preference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// What begins soonest.
    Latency,
    /// What costs least.
    Cost,
    /// What answers best.
    Quality,
    /// As `auto` stands by itself.
    Balanced,
}

impl Preference {
    /// By its name, in any case.
    fn from_name(name: &str) -> Option<Preference> {
        Some(match name.to_ascii_lowercase().as_str() {
            "latency" => Preference::Latency,
            "cost" => Preference::Cost,
            "quality" => Preference::Quality,
            "balanced" => Preference::Balanced,
            _ => return None,
        })
    }

    /// What it orders the endpoints of one model by; `None`: it chooses among models only.
    pub const fn sort(self) -> Option<Sort> {
        match self {
            Preference::Latency => Some(Sort::Latency),
            Preference::Cost => Some(Sort::Price),
            Preference::Quality | Preference::Balanced => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Preference::Latency => "latency",
            Preference::Cost => "cost",
            Preference::Quality => "quality",
            Preference::Balanced => "balanced",
        }
    }
}

/// What the headers ask for.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// Refuse what could cost more.
    pub max_cost: Option<Money>,
    /// Leave an endpoint that has not begun to answer within this time.
    pub max_latency: Option<Duration>,
    /// What virtual models choose by.
    pub preference: Option<Preference>,
    /// The dial of virtual models, 0 (quality) to 1 (cost).
    pub cost_quality: Option<f64>,
    /// What is asked of the response cache.
    pub cache: Wanted,
    /// Whether breakpoints of the prompt cache are to be placed.
    pub auto_cache: Option<bool>,
    /// Whether a better model is asked where this one's answer is found wanting.
    pub escalate: Option<Escalate>,
    /// Put plan and timings into the body.
    pub metadata: bool,
    /// The calling application.
    pub app: Option<App>,
    /// Groups requests.
    pub session_id: Option<String>,
    /// The caller's place in a trace of its own.
    pub traceparent: Option<TraceParent>,
    /// Free dimensions for analytics.
    pub dimensions: BTreeMap<String, String>,
    /// What of the headers could not be taken.
    pub warnings: Vec<Warning>,
}

/// Reads them.
pub fn read(headers: &HeaderMap, brand: &Brand) -> Result<Hints, GatewayError> {
    let mut hints = Hints::default();
    for (name, value) in headers {
        match name.as_str() {
            "http-referer" | "referer" => hints.app.get_or_insert_default().referer = text(value),
            "x-title" | "x-openrouter-title" => hints.app.get_or_insert_default().title = text(value),
            "x-session-id" => hints.session_id = text(value),
            "traceparent" => hints.traceparent = TraceParent::parse(value.as_bytes()),
            other if other.starts_with("x-") => hints.extension(name, value, brand)?,
            _ => (),
        }
    }
    Ok(hints)
}

impl Hints {
    fn extension(
        &mut self,
        name: &HeaderName,
        value: &HeaderValue,
        brand: &Brand,
    ) -> Result<(), GatewayError> {
        if let Some(dimension) = name.as_str().strip_prefix("x-requesty-") {
            self.dimension(dimension, value);
            return Ok(());
        }
        let rest =
            brand.request_prefixes.iter().find_map(|prefix| name.as_str().strip_prefix(prefix.as_str()));
        let Some(rest) = rest else { return Ok(()) };
        let told = value.to_str().unwrap_or_default().trim();
        let refuse = |allowed: &'static str| GatewayError::InvalidHeader {
            name: name.to_string(),
            value: told.chars().take(60).collect(),
            allowed,
        };
        match rest {
            "preference" => {
                let preference = Preference::from_name(told);
                self.preference =
                    Some(preference.ok_or_else(|| refuse("latency, cost, quality or balanced"))?);
            }
            "cost-quality" => {
                let dial = told.parse().ok().filter(|dial| (0.0..=1.0).contains(dial));
                let dial = dial.ok_or_else(|| refuse("a decimal from 0.0 (quality) to 1.0 (cost)"))?;
                self.cost_quality = Some(dial);
            }
            "max-cost-usd" => {
                let max: Money = told.parse().map_err(|_| refuse("plain decimal dollars such as 0.05"))?;
                self.max_cost = Some(max).filter(|max| !max.is_negative());
                self.max_cost.ok_or_else(|| refuse("plain decimal dollars such as 0.05"))?;
            }
            "max-latency-ms" => {
                let millis = told.parse().ok().filter(|ms| *ms > 0_u64);
                self.max_latency =
                    Some(Duration::from_millis(millis.ok_or_else(|| refuse("whole milliseconds above 0"))?));
            }
            "metadata" => self.metadata = told.eq_ignore_ascii_case("enabled"),
            "cache" => self.cache.enabled = Some(flag(told).ok_or_else(|| refuse(FLAG))?),
            "cache-clear" => self.cache.clear = flag(told).ok_or_else(|| refuse(FLAG))?,
            "auto-cache" => self.auto_cache = Some(flag(told).ok_or_else(|| refuse(FLAG))?),
            "escalate" => {
                let told = Escalate::read(told);
                self.escalate = Some(told.ok_or_else(|| refuse("true, false or the name of a model"))?);
            }
            "cache-ttl" => {
                let seconds = told.parse().ok().filter(|seconds| (1..=TTL_S_MAX).contains(seconds));
                self.cache.ttl_s = Some(seconds.ok_or_else(|| refuse("whole seconds from 1 to 86400"))?);
            }
            _ => {
                if let Some(dimension) = rest.strip_prefix("meta-") {
                    self.dimension(dimension, value);
                }
            }
        }
        Ok(())
    }

    fn dimension(&mut self, name: &str, value: &HeaderValue) {
        if self.dimensions.len() >= DIMENSIONS_MAX {
            let message = format!("more than {DIMENSIONS_MAX} dimensions; `{name}` was left out");
            self.warnings.push(Warning { code: "dimension_dropped", pointer: String::new(), message });
            return;
        }
        if let Some(value) = text(value) {
            self.dimensions.insert(name.chars().take(64).collect(), value);
        }
    }
}

fn flag(told: &str) -> Option<bool> {
    match told {
        told if told.eq_ignore_ascii_case("true") => Some(true),
        told if told.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn text(value: &HeaderValue) -> Option<String> {
    let text = String::from_utf8_lossy(value.as_bytes());
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(name: &'static str, value: &'static str) -> Result<Hints, GatewayError> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        read(&headers, &Brand::new("Tollway", "tollway", "X-Tollway", "sk-tw").unwrap())
    }

    #[test]
    fn bad_values_are_refused_with_what_is_allowed() {
        let rows = [
            ("x-tollway-preference", "best", "latency, cost, quality or balanced"),
            ("x-gammainfra-cost-quality", "1.5", "a decimal from 0.0 (quality) to 1.0 (cost)"),
            ("x-tollway-max-cost-usd", "-1", "plain decimal dollars such as 0.05"),
            ("x-openrouter-max-latency-ms", "0", "whole milliseconds above 0"),
            ("x-openrouter-cache", "yes", "true or false"),
            ("x-tollway-cache-clear", "1", "true or false"),
            ("x-tollway-auto-cache", "", "true or false"),
            ("x-tollway-escalate", "", "true, false or the name of a model"),
            ("x-openrouter-cache-ttl", "0", "whole seconds from 1 to 86400"),
            ("x-tollway-cache-ttl", "86401", "whole seconds from 1 to 86400"),
        ];
        for (name, value, expect) in rows {
            match read_one(name, value) {
                Err(GatewayError::InvalidHeader { allowed, .. }) => assert_eq!(allowed, expect),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        assert_eq!(read_one("x-openrouter-cache", "True").unwrap().cache.enabled, Some(true));
        assert_eq!(read_one("x-tollway-cache-ttl", "60").unwrap().cache.ttl_s, Some(60));
        assert_eq!(read_one("x-tollway-auto-cache", "false").unwrap().auto_cache, Some(false));
        let escalate = |value| read_one("x-tollway-escalate", value).unwrap().escalate;
        assert_eq!(escalate("True"), Some(Escalate::Next));
        assert_eq!(escalate("a/b"), Some(Escalate::To(String::from("a/b"))));
        assert_eq!(
            read_one("x-tollway-max-cost-usd", "0.05").unwrap().max_cost,
            Some("0.05".parse().unwrap())
        );
        assert!(read_one("x-tollway-metadata", "Enabled").unwrap().metadata);
        assert_eq!(read_one("x-requesty-team", "blue").unwrap().dimensions["team"], "blue");
        assert_eq!(read_one("x-tollway-meta-job", "7").unwrap().dimensions["job"], "7");
        assert_eq!(read_one("x-title", "My app").unwrap().app.unwrap().title.as_deref(), Some("My app"));
        assert!(read_one("x-forwarded-for", "1.2.3.4").unwrap().warnings.is_empty());
        let traced =
            read_one("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert!(traced.traceparent.is_some());
        assert_eq!(read_one("traceparent", "nonsense").unwrap().traceparent, None);
    }
}
