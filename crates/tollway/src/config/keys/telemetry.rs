//! What is told to a collector of telemetry.

use super::Preset::{Unset, Value};
use super::{GIB, KIB, Key, Kind};
use crate::config::settings::Config;
use crate::config::telemetry::{Protocol, UserIds, base};

pub(super) static KEYS: &[Key<Config>] = &[
    Key {
        path: "telemetry.otlp.endpoint",
        preset: Unset("`OTEL_EXPORTER_OTLP_ENDPOINT`, else nothing is exported"),
        example: "http://127.0.0.1:4318",
        doc: "The collector that gets a trace of each generation, by OpenTelemetry's protocol over HTTP; `/v1/traces` is added.",
        kind: Kind::Text {
            allowed: "an `http://` or `https://` URL without user, password and query",
            set: |c, v| base(v).map(|v| c.telemetry.otlp.endpoint = Some(v)).is_some(),
        },
    },
    Key {
        path: "telemetry.otlp.protocol",
        preset: Value("http/protobuf"),
        example: "http/json",
        doc: "How spans are written.",
        kind: Kind::Choice {
            allowed: &Protocol::NAMES,
            set: |c, v| c.telemetry.otlp.protocol = Protocol::named(v).unwrap_or_default(),
        },
    },
    Key {
        path: "telemetry.otlp.headers",
        preset: Value("{}"),
        example: r#"{ authorization = "Bearer example" }"#,
        doc: "Headers that are sent along, such as the collector's key. Better in the variable than in the file.",
        kind: Kind::Headers(|c, v| c.telemetry.otlp.headers = v),
    },
    Key {
        path: "telemetry.otlp.compression",
        preset: Value("none"),
        example: "gzip",
        doc: "How what is sent is packed.",
        kind: Kind::Choice { allowed: &["none", "gzip"], set: |c, v| c.telemetry.otlp.gzip = v == "gzip" },
    },
    Key {
        path: "telemetry.otlp.timeout_ms",
        preset: Value("10000"),
        example: "5000",
        doc: "How long one request to the collector may take.",
        kind: Kind::Number { min: 100, max: 60_000, set: |c, v| c.telemetry.otlp.timeout_ms = v },
    },
    Key {
        path: "telemetry.otlp.sample_per_mille",
        preset: Value("1000"),
        example: "50",
        doc: "How many of a thousand traces are exported. The id of the trace decides, so other programs that sample by it keep \
              the same ones.",
        kind: Kind::Number { min: 0, max: 1000, set: |c, v| c.telemetry.otlp.sample_per_mille = v },
    },
    Key {
        path: "telemetry.otlp.follow_parent",
        preset: Value("true"),
        example: "false",
        doc: "Whether calls whose `traceparent` says that the caller doesn't record the trace are left out.",
        kind: Kind::Flag(|c, v| c.telemetry.otlp.follow_parent = v),
    },
    Key {
        path: "telemetry.otlp.service_name",
        preset: Unset("`OTEL_SERVICE_NAME`, else `brand.slug`"),
        example: "llm-gateway",
        doc: "`service.name` of every span.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |c, v| {
                let good = !v.trim().is_empty() && v.chars().count() <= 200 && !v.contains(char::is_control);
                if good {
                    c.telemetry.otlp.service_name = Some(v.trim().to_owned());
                }
                good
            },
        },
    },
    Key {
        path: "telemetry.otlp.resource_attributes",
        preset: Value("{}"),
        example: r#"{ "deployment.environment.name" = "production" }"#,
        doc: "Further attributes of the resource that every span belongs to.",
        kind: Kind::Texts {
            allowed: "a table of names and texts such as `\"deployment.environment.name\" = \"production\"`",
            set: |c, v| {
                let good = v.keys().all(|name| !name.is_empty());
                if good {
                    c.telemetry.otlp.resource_attributes = v.clone();
                }
                good
            },
        },
    },
    Key {
        path: "telemetry.otlp.user_ids",
        preset: Value("off"),
        example: "hashed",
        doc: "What becomes of the ids of callers' own users: `off`, they are left out; `hashed`, a hash that only this node can make.",
        kind: Kind::Choice {
            allowed: &UserIds::NAMES,
            set: |c, v| c.telemetry.otlp.user_ids = UserIds::named(v),
        },
    },
    Key {
        path: "telemetry.otlp.caller_labels",
        preset: Value("false"),
        example: "true",
        doc: "Whether spans carry what callers write freely: the app's title and address, and the dimensions of `X-Tollway-Meta-*`.",
        kind: Kind::Flag(|c, v| c.telemetry.otlp.caller_labels = v),
    },
    Key {
        path: "telemetry.otlp.interval_ms",
        preset: Value("1000"),
        example: "200",
        doc: "How often new records are looked for.",
        kind: Kind::Number { min: 10, max: 60_000, set: |c, v| c.telemetry.otlp.interval_ms = v },
    },
    Key {
        path: "telemetry.otlp.batch_generations_max",
        preset: Value("256"),
        example: "64",
        doc: "The most generations of one request to the collector.",
        kind: Kind::Number {
            min: 1,
            max: 2048,
            set: |c, v| c.telemetry.otlp.batch_generations_max = usize::try_from(v).unwrap_or(1),
        },
    },
    Key {
        path: "telemetry.otlp.backlog_bytes_max",
        preset: Value("1 GiB"),
        example: "64 MiB",
        doc: "How much of the journal is kept for a collector that is down, beside the files still written to; beyond it the oldest \
              file goes, and what it held is counted in `tollway_telemetry_lost_total`.",
        kind: Kind::Bytes {
            min: 64 * KIB,
            max: 1024 * GIB,
            set: |c, v| c.telemetry.otlp.backlog_bytes_max = v,
        },
    },
];
