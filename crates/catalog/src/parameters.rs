//! Which request parameters an endpoint takes, by OpenRouter's names.
//!
//! What its file lists holds. Where nothing is listed: what the protocol can carry, less what the provider is known to
//! refuse, with tools, schemas and reasoning where the model is said to have them. For an endpoint of the configuration
//! they are taken for granted unless the model is said not to have them: the operator knows the server.

use crate::endpoint::Endpoint;
use crate::provider::Protocol;
use crate::snapshot::Snapshot;

const OPENAI: &[&str] = &[
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
];
const MISTRAL: &[&str] = &[
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "response_format",
];
const ANTHROPIC: &[&str] = &["temperature", "top_p", "top_k", "max_tokens", "stop"];
const GEMINI: &[&str] = &[
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "response_format",
];
const BEDROCK: &[&str] = &["temperature", "top_p", "max_tokens", "stop"];

const fn base(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Openai
        | Protocol::OpenaiResponses
        | Protocol::Azure
        | Protocol::Ollama
        | Protocol::Sandbox => OPENAI,
        Protocol::Mistral => MISTRAL,
        Protocol::Anthropic | Protocol::VertexAnthropic => ANTHROPIC,
        Protocol::Gemini | Protocol::Vertex | Protocol::Cohere => GEMINI,
        Protocol::Bedrock => BEDROCK,
    }
}

impl Endpoint {
    /// The request parameters it takes. Empty for models that do not converse.
    pub fn supported_parameters<'s>(&'s self, snapshot: &'s Snapshot) -> Vec<&'s str> {
        if let Some(claim) = &self.facts.supported_parameters {
            return claim.value.iter().map(String::as_str).collect();
        }
        let (Some(model), Some(provider)) = (self.model_in(snapshot), self.provider_in(snapshot)) else {
            return Vec::new();
        };
        if !model.is_chat() {
            return Vec::new();
        }
        let has = |fact: Option<bool>| fact.unwrap_or(self.from_config);
        let mut list = base(provider.protocol).to_vec();
        if model.facts.temperature.as_ref().is_some_and(|claim| !claim.value) {
            list.retain(|name| !matches!(*name, "temperature" | "top_p"));
        }
        if has(self.tool_call(snapshot)) {
            list.extend(["tools", "tool_choice"]);
        }
        if has(self.structured_output(snapshot)) {
            list.retain(|name| *name != "response_format");
            list.extend(["response_format", "structured_outputs"]);
        }
        if has(model.reasoning()) {
            list.extend(["reasoning", "include_reasoning"]);
            if self.facts.reasoning_efforts.as_ref().is_some_and(|claim| !claim.value.is_empty()) {
                list.push("reasoning_effort");
            }
        }
        list.retain(|name| !provider.quirks.unsupported_parameters.iter().any(|refused| refused == name));
        list
    }
}

impl Snapshot {
    /// The parameters that at least one endpoint of the model takes, sorted.
    pub fn model_parameters(&self, model: usize) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.model_endpoints(model).flat_map(|endpoint| endpoint.supported_parameters(self)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
