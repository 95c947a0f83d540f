//! `[providers.<slug>]` and `[[providers.<slug>.models]]`.

use super::Preset::Unset;
use super::{Key, Kind};
use crate::config::settings::{ModelConfig, ProviderConfig};
use types::{ExposeSecret, SecretString};

const TIMEOUT_MS_MAX: u64 = 24 * 3_600_000;
const MODALITIES_IN: &[&str] = &["text", "image", "file", "audio", "video"];
const MODALITIES_OUT: &[&str] = &["text", "embeddings", "image", "audio", "video", "rerank", "transcription"];

pub(super) static KEYS: &[Key<ProviderConfig>] = &[
    Key {
        path: "providers.<slug>.api_key",
        preset: Unset("`api_key_env`, else the provider's usual variables, such as `MISTRAL_API_KEY`"),
        example: "none",
        doc: "The key to call the provider with.",
        kind: Kind::Secret {
            allowed: "text without spaces and control characters",
            set: |p, v| graphic(v).map(|v| p.api_key = Some(v)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.api_keys",
        preset: Unset("the one `api_key`"),
        example: "first,second",
        doc: "Several keys that calls take in turn. One that the provider refuses, or that is busy, rests and leaves its \
              calls to the others.",
        kind: Kind::Secrets {
            allowed: "a list of texts without spaces and control characters",
            set: |p, v| {
                let all = v.len();
                p.api_keys = v.into_iter().filter_map(graphic).collect();
                p.api_keys.len() == all && all > 0
            },
        },
    },
    Key {
        path: "providers.<slug>.api_key_env",
        preset: Unset("the provider's usual variables"),
        example: "LAB_KEY",
        doc: "The variable that holds the key. It must be set, unless the provider is switched off.",
        kind: Kind::Text {
            allowed: "the name of an environment variable",
            set: |p, v| {
                let good = !v.is_empty() && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if good {
                    p.api_key_env = Some(v.to_owned());
                }
                good
            },
        },
    },
    Key {
        path: "providers.<slug>.base_url",
        preset: Unset("the catalog's"),
        example: "http://127.0.0.1:8000/v1",
        doc: "Where its API is. `${NAME}` is filled from the environment.",
        kind: Kind::Text {
            allowed: "an `http://` or `https://` URL without user, password, query and fragment",
            set: |p, v| base_url(v).map(|url| p.base_url = Some(url)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.protocol",
        preset: Unset("the catalog's; a provider that no catalog knows needs it"),
        example: "openai",
        doc: "The dialect it speaks.",
        kind: Kind::Choice {
            allowed: &[
                "openai",
                "anthropic",
                "gemini",
                "cohere",
                "mistral",
                "bedrock",
                "azure",
                "vertex",
                "vertex-anthropic",
                "openai-responses",
                "ollama",
                "sandbox",
            ],
            set: |p, v| p.protocol = v.parse().ok(),
        },
    },
    Key {
        path: "providers.<slug>.enabled",
        preset: Unset("on when it has a key, or needs none and is named in the configuration"),
        example: "false",
        doc: "Switches it on or off.",
        kind: Kind::Flag(|p, v| p.enabled = Some(v)),
    },
    Key {
        path: "providers.<slug>.name",
        preset: Unset("the catalog's, else the slug"),
        example: "The lab",
        doc: "The name that answers and pages show.",
        kind: Kind::Text {
            allowed: "1 to 60 characters without control characters",
            set: |p, v| name(v).map(|name| p.name = Some(name)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.timeout_connect_ms",
        preset: Unset("`upstream.connect_timeout_ms`"),
        example: "2000",
        doc: "As `upstream.connect_timeout_ms`, for this provider.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |p, v| p.timeout_connect_ms = Some(v) },
    },
    Key {
        path: "providers.<slug>.timeout_first_byte_ms",
        preset: Unset("`upstream.first_byte_timeout_ms`"),
        example: "20000",
        doc: "As `upstream.first_byte_timeout_ms`, for this provider.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |p, v| p.timeout_first_byte_ms = Some(v) },
    },
    Key {
        path: "providers.<slug>.timeout_stall_ms",
        preset: Unset("`upstream.stall_timeout_ms`"),
        example: "10000",
        doc: "As `upstream.stall_timeout_ms`, for this provider.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |p, v| p.timeout_stall_ms = Some(v) },
    },
    Key {
        path: "providers.<slug>.on_disconnect",
        preset: Unset("the catalog's: `drain_capped` where it is known to go on and charge, else `cancel`"),
        example: "drain",
        doc: "When a client leaves: `cancel` the provider's work, `drain` the answer to learn its exact usage, for at most \
              `upstream.drain_ms_max`, or `drain_capped`: for so many tokens and bytes only.",
        kind: Kind::Choice {
            allowed: &["cancel", "drain", "drain_capped"],
            set: |p, v| p.on_disconnect = catalog::OnDisconnect::from_name(v),
        },
    },
    Key {
        path: "providers.<slug>.extra_headers",
        preset: Unset("none"),
        example: r#"{ "X-Team" = "blue" }"#,
        doc: "Headers that every request to it carries.",
        kind: Kind::Headers(|p, v| p.extra_headers = v),
    },
    Key {
        path: "providers.<slug>.aws_access_key_id",
        preset: Unset("`AWS_ACCESS_KEY_ID`"),
        example: "AKIAEXAMPLE",
        doc: "Bedrock: who signs requests, where there is no `api_key`.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |p, v| plain(v, 200).map(|text| p.cloud.aws_access_key_id = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.aws_secret_access_key",
        preset: Unset("`AWS_SECRET_ACCESS_KEY`"),
        example: "secret",
        doc: "Bedrock: what requests are signed with.",
        kind: Kind::Secret {
            allowed: "text without spaces and control characters",
            set: |p, v| graphic(v).map(|v| p.cloud.aws_secret_access_key = Some(v)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.aws_session_token",
        preset: Unset("`AWS_SESSION_TOKEN`"),
        example: "secret",
        doc: "Bedrock: for keys that expire.",
        kind: Kind::Secret {
            allowed: "text without spaces and control characters",
            set: |p, v| graphic(v).map(|v| p.cloud.aws_session_token = Some(v)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.aws_region",
        preset: Unset("`AWS_REGION`"),
        example: "eu-central-1",
        doc: "Bedrock: the region that requests are signed for.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |p, v| plain(v, 200).map(|text| p.cloud.aws_region = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.google_credentials_file",
        preset: Unset("`GOOGLE_APPLICATION_CREDENTIALS`"),
        example: "/etc/tollway/vertex.json",
        doc: "Vertex AI: the JSON file of the service account that calls.",
        kind: Kind::Text {
            allowed: "a path",
            set: |p, v| plain(v, 4096).map(|text| p.cloud.google_credentials_file = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.azure_tenant_id",
        preset: Unset("`AZURE_TENANT_ID`"),
        example: "contoso",
        doc: "Azure: the Entra tenant, where there is no `api_key`.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |p, v| plain(v, 200).map(|text| p.cloud.azure_tenant_id = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.azure_client_id",
        preset: Unset("`AZURE_CLIENT_ID`"),
        example: "b3f1",
        doc: "Azure: the application that signs in.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |p, v| plain(v, 200).map(|text| p.cloud.azure_client_id = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.azure_client_secret",
        preset: Unset("`AZURE_CLIENT_SECRET`"),
        example: "secret",
        doc: "Azure: the application's secret.",
        kind: Kind::Secret {
            allowed: "text without spaces and control characters",
            set: |p, v| graphic(v).map(|v| p.cloud.azure_client_secret = Some(v)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.azure_authority_url",
        preset: Unset("`AZURE_AUTHORITY_HOST`"),
        example: "https://login.microsoftonline.us",
        doc: "Azure: where tokens are given, `https://login.microsoftonline.com` by default.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |p, v| plain(v, 200).map(|text| p.cloud.azure_authority_url = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.azure_api_version",
        preset: Unset("`AZURE_API_VERSION`"),
        example: "2025-04-01-preview",
        doc: "Azure: sent as `api-version`; needed for base URLs that end in `/openai`.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |p, v| plain(v, 200).map(|text| p.cloud.azure_api_version = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.models",
        preset: Unset("those of the catalog"),
        example: r#"[{ id = "lab/tiny" }]"#,
        doc: "Models that it serves beside those of the catalog.",
        kind: Kind::Models(|p, v| p.models = v),
    },
];

pub(super) static MODEL_KEYS: &[Key<ModelConfig>] = &[
    Key {
        path: "providers.<slug>.models[].id",
        preset: Unset("required"),
        example: "lab/tiny",
        doc: "What callers ask for. The id of a model that the catalog knows adds an endpoint to it.",
        kind: Kind::Text {
            allowed: "`<author>/<model>` in letters, digits, `.`, `_` and `-`",
            set: |m, v| {
                let good = is_model_id(v);
                if good {
                    v.clone_into(&mut m.id);
                }
                good
            },
        },
    },
    Key {
        path: "providers.<slug>.models[].provider_model_id",
        preset: Unset("the part of `id` after the slash"),
        example: "tiny-q4",
        doc: "What the provider calls it.",
        kind: Kind::Text {
            allowed: "1 to 200 characters without control characters",
            set: |m, v| plain(v, 200).map(|text| m.provider_model_id = Some(text)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.models[].name",
        preset: Unset("the id"),
        example: "Tiny",
        doc: "The name that pages show.",
        kind: Kind::Text {
            allowed: "1 to 60 characters without control characters",
            set: |m, v| name(v).map(|name| m.name = Some(name)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.models[].context_tokens",
        preset: Unset("unknown"),
        example: "8192",
        doc: "How many tokens prompt and answer may have together.",
        kind: Kind::Number { min: 1, max: 1_000_000_000, set: |m, v| m.context_tokens = Some(v) },
    },
    Key {
        path: "providers.<slug>.models[].max_output_tokens",
        preset: Unset("unknown"),
        example: "2048",
        doc: "How many tokens an answer may have.",
        kind: Kind::Number { min: 1, max: 1_000_000_000, set: |m, v| m.max_output_tokens = Some(v) },
    },
    Key {
        path: "providers.<slug>.models[].input_modalities",
        preset: Unset("`[\"text\"]`"),
        example: "text, image",
        doc: "What it reads.",
        kind: Kind::List {
            allowed: "a list of text, image, file, audio, video",
            set: |m, v| among(v, MODALITIES_IN).map(|list| m.input_modalities = Some(list)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.models[].output_modalities",
        preset: Unset("`[\"text\"]`"),
        example: "embeddings",
        doc: "What it makes.",
        kind: Kind::List {
            allowed: "a list of text, embeddings, image, audio, video, rerank, transcription",
            set: |m, v| among(v, MODALITIES_OUT).map(|list| m.output_modalities = Some(list)).is_some(),
        },
    },
    Key {
        path: "providers.<slug>.models[].supported_parameters",
        preset: Unset("what the protocol supports"),
        example: "tools, temperature",
        doc: "The request parameters that it takes.",
        kind: Kind::List {
            allowed: "a list of parameter names",
            set: |m, v| {
                let good = v.iter().all(|name| {
                    !name.is_empty()
                        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                });
                if good {
                    m.supported_parameters = Some(v.to_vec());
                }
                good
            },
        },
    },
    Key {
        path: "providers.<slug>.models[].price",
        preset: Unset("unknown, so not usable: a call is never free by accident"),
        example: r#"{ input_usd_per_mtok = "0.15", output_usd_per_mtok = "0.60" }"#,
        doc: "What a call costs, with the keys of the catalog's price sheets. `\"0\"` is free.",
        kind: Kind::Prices(|m, v| m.price = Some(v)),
    },
];

fn graphic(secret: SecretString) -> Option<SecretString> {
    let text = secret.expose_secret();
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    good.then_some(secret)
}

fn base_url(text: &str) -> Option<String> {
    // The placeholders are filled when the provider is wired; here only the shape around them is checked. A digit
    // may stand for a host as well as for a port.
    let mut shape = text.to_owned();
    while let Some((before, after)) = shape.split_once("${") {
        let (_, tail) = after.split_once('}')?;
        shape = format!("{before}1{tail}");
    }
    let url = url::Url::parse(&shape).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let good =
        matches!(url.scheme(), "http" | "https") && url.has_host() && plain && url.fragment().is_none();
    let clean = !text.contains(char::is_whitespace) && !text.contains('\0');
    (good && clean).then(|| text.trim_end_matches('/').to_owned())
}

fn is_model_id(text: &str) -> bool {
    let part = |part: &str| {
        let inner = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        inner && part.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.len() <= 200 && text.split_once('/').is_some_and(|(author, model)| part(author) && part(model))
}

fn name(text: &str) -> Option<String> {
    plain(text, 60)
}

fn plain(text: &str, chars_max: usize) -> Option<String> {
    let good =
        !text.trim().is_empty() && text.chars().count() <= chars_max && !text.contains(char::is_control);
    good.then(|| text.to_owned())
}

fn among(items: &[String], allowed: &[&str]) -> Option<Vec<String>> {
    let good = !items.is_empty() && items.iter().all(|item| allowed.contains(&item.as_str()));
    good.then(|| items.to_vec())
}
