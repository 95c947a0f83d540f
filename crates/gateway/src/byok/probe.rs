//! Asking a provider whether a key is good, with a call that costs nothing: the list of its models.
//!
//! A refusal is 401 or 403 (400 of Google, which says so of bad keys). Any other failure says nothing about the key: some
//! servers have no such call, others are down. Bedrock and Vertex have no free call at the address that serves models.

use std::time::Duration;

use catalog::Protocol;
use http::uri::PathAndQuery;

use super::settings::Tested;
use crate::upstream::{self, get};
use crate::world::Target;

/// How long the provider may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the provider said, and for `not_tested` why.
pub(crate) async fn ask(target: &Target) -> (Tested, String) {
    let Some(path) = list_of_models(target) else {
        return (Tested::NotTested, String::from("the provider has no free call to ask with"));
    };
    let proof = match tokio::time::timeout(TIMEOUT, upstream::prove(target, &path, &[], &[])).await {
        Ok(Ok(proof)) => proof,
        Ok(Err(error)) => return (Tested::NotTested, error.to_string()),
        Err(_) => return (Tested::NotTested, String::from("nobody gave a token in time")),
    };
    let refused =
        |status| matches!(status, 401 | 403) || (status == 400 && target.protocol == Protocol::Gemini);
    match get::status(target, path, &proof, TIMEOUT).await {
        Ok(200..=299) => (Tested::Ok, String::new()),
        Ok(status) if refused(status) => (Tested::Refused, format!("the provider answered {status}")),
        Ok(status) => (Tested::NotTested, format!("the provider answered {status}")),
        Err(error) => (Tested::NotTested, error.to_string()),
    }
}

/// Where the models are listed.
fn list_of_models(target: &Target) -> Option<PathAndQuery> {
    let base = target.base_path.as_str();
    let path = match target.protocol {
        Protocol::Openai
        | Protocol::OpenaiResponses
        | Protocol::Mistral
        | Protocol::Azure
        | Protocol::Anthropic
        | Protocol::Gemini => format!("{base}/models"),
        Protocol::Cohere => format!("{}/v1/models", base.strip_suffix("/v2").unwrap_or(base)),
        Protocol::Ollama => format!("{base}/api/tags"),
        Protocol::Bedrock | Protocol::Vertex | Protocol::VertexAnthropic | Protocol::Sandbox => return None,
    };
    let query = target.base_query.as_deref().map_or_else(String::new, |query| format!("?{query}"));
    format!("{path}{query}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_with_a_free_call_is_asked_at_its_own_address() {
        let rows = [
            (Protocol::Openai, "https://a.example.com/v1", Some("/v1/models")),
            (
                Protocol::Azure,
                "https://a.example.com/openai?api-version=1",
                Some("/openai/models?api-version=1"),
            ),
            (Protocol::Anthropic, "https://a.example.com/v1", Some("/v1/models")),
            (Protocol::Cohere, "https://a.example.com/v2", Some("/v1/models")),
            (Protocol::Ollama, "https://a.example.com", Some("/api/tags")),
            (Protocol::Bedrock, "https://a.example.com", None),
        ];
        for (protocol, base, path) in rows {
            let target = Target { protocol, ..Target::of_url(base).unwrap() };
            assert_eq!(list_of_models(&target).map(|path| path.to_string()).as_deref(), path, "{protocol:?}");
        }
    }
}
