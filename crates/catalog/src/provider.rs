//! Providers: who serves models, over which protocol, and how its dialect differs from the plain one.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::facts::facts;
use crate::named::named;

named! {
    /// The wire format and the conventions around it: paths, authentication, signing.
    Protocol {
        /// OpenAI Chat Completions.
        Openai = "openai",
        /// OpenAI Responses, where a provider has nothing else.
        OpenaiResponses = "openai-responses",
        /// Mistral's variety of it.
        Mistral = "mistral",
        /// Anthropic Messages.
        Anthropic = "anthropic",
        /// Google Gemini.
        Gemini = "gemini",
        /// Gemini on Vertex AI.
        Vertex = "vertex",
        /// Claude on Vertex AI.
        VertexAnthropic = "vertex-anthropic",
        /// Amazon Bedrock Converse.
        Bedrock = "bedrock",
        /// OpenAI on Azure.
        Azure = "azure",
        /// Cohere v2.
        Cohere = "cohere",
        /// Ollama's own.
        Ollama = "ollama",
        /// Answered inside this program.
        Sandbox = "sandbox",
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a protocol")]
pub struct UnknownProtocol(String);

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Protocol, UnknownProtocol> {
        Protocol::from_name(text).ok_or_else(|| UnknownProtocol(text.chars().take(40).collect()))
    }
}

named! {
    /// The only name under which a provider takes the output limit.
    MaxTokensName {
        /// The older name.
        MaxTokens = "max_tokens",
        /// The newer name.
        MaxCompletionTokens = "max_completion_tokens",
    }
}

named! {
    /// When a provider reports usage in streams.
    #[derive(Default)]
    StreamUsage {
        /// When `stream_options.include_usage` asks for it.
        #[default]
        OnRequest = "on_request",
        /// Without being asked.
        Always = "always",
        /// Never; `stream_options` is not sent.
        Never = "never",
    }
}

named! {
    /// Which tool-call ids a provider takes.
    #[derive(Default)]
    ToolCallIds {
        /// Any text.
        #[default]
        Any = "any",
        /// Nine letters or digits; others are rewritten reversibly.
        Alphanumeric9 = "alphanumeric-9",
    }
}

named! {
    /// Where a provider's errors keep their text.
    #[derive(Default)]
    ErrorShape {
        /// `error.message`.
        #[default]
        Openai = "openai",
        /// `detail` or `message` at the top.
        Detail = "detail",
        /// `error` is the text itself.
        String = "string",
    }
}

named! {
    /// What becomes of a call when the caller has left.
    #[derive(Default)]
    OnDisconnect {
        /// It is cancelled; what was delivered is billed.
        #[default]
        Cancel = "cancel",
        /// It is read to its end for the usage, for a while.
        Drain = "drain",
        /// The same, for so many tokens and bytes only.
        DrainCapped = "drain_capped",
    }
}

/// How a provider's dialect differs from its protocol's plain form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quirks {
    /// The only name it takes for the output limit; `None`: as the caller wrote it.
    pub max_tokens_name: Option<MaxTokensName>,
    /// Parameters that are dropped with a warning.
    pub unsupported_parameters: Vec<String>,
    /// When it reports usage in streams.
    pub stream_usage: StreamUsage,
    /// Which tool-call ids it takes.
    pub tool_call_ids: ToolCallIds,
    /// Roles by the name it knows them under.
    pub rename_roles: BTreeMap<String, String>,
    /// Parameters by the name it knows them under.
    pub rename_parameters: BTreeMap<String, String>,
    /// It refuses unknown fields.
    pub strict_parameters: bool,
    /// Where its errors keep their text.
    pub error_shape: ErrorShape,
    /// What becomes of a call when the caller has left. Where the file doesn't say: `drain_capped` for a provider that is known to
    /// go on and charge, else `cancel`.
    pub on_disconnect: OnDisconnect,
    /// The header that carries the key; `None`: `authorization` with `Bearer`. Another header carries the bare key.
    pub auth_header: Option<String>,
    /// It works without a key.
    pub auth_optional: bool,
    /// It serves OpenAI Responses beside its protocol; callers of that dialect are sent there.
    pub responses: bool,
}

facts! {
    /// What is known of a provider. Absent is unknown.
    ProviderFacts {
        /// Where the company sits, ISO 3166 two letters.
        headquarters: String = COUNTRY,
        /// Where it computes, ISO 3166 two letters each.
        datacenters: Vec<String> = COUNTRIES,
        /// How long it keeps prompts; 0: not at all.
        retention_days: u64 = COUNT,
        /// Whether it trains on prompts.
        trains_on_data: bool = BOOL,
        /// Whether it stops working, and charging, when a stream's caller closes the connection.
        cancel_stops_billing: bool = BOOL,
        /// Its privacy policy.
        privacy_url: String = URL,
        /// Its terms.
        terms_url: String = URL,
        /// Its status page.
        status_url: String = URL,
    }
}

/// Who serves models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The folder's name: `mistral`.
    pub id: Arc<str>,
    /// Its name for people.
    pub name: Arc<str>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where, as the catalog has it; without a slash at the end. `${NAME}` is filled from the environment. `None`: the operator must
    /// say.
    pub base_url: Option<String>,
    /// Where calls go instead, because the configuration says so. Often an address of an inner network: nothing that is published has it.
    pub configured_base_url: Option<String>,
    /// Environment variables that hold its key, first found first used.
    pub api_key_env: Vec<String>,
    /// Its documentation.
    pub docs: Option<String>,
    /// What is known of it.
    pub facts: ProviderFacts,
    /// How its dialect differs.
    pub quirks: Quirks,
    /// Source of what carries none of its own.
    #[serde(with = "crate::codec::shared")]
    pub source: Arc<str>,
    /// Date of what carries none of its own.
    #[serde(with = "crate::codec::shared")]
    pub as_of: Arc<str>,
    /// True for a provider that only the configuration knows.
    pub from_config: bool,
}

impl Provider {
    /// Where calls go, before `${NAME}` is filled in.
    pub fn address(&self) -> Option<&str> {
        self.configured_base_url.as_deref().or(self.base_url.as_deref())
    }
}
