//! Where a provider serves what: the path of each call, by protocol.

use std::fmt::Write;

use catalog::Protocol;
use wire::hub::Dialect;

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An answer to a conversation, in the dialect that the provider is spoken to in.
    Generate {
        /// As a stream.
        stream: bool,
    },
    /// How many tokens a request has.
    CountTokens,
    /// Vectors of texts.
    Embeddings,
    /// Documents by relevance.
    Rerank,
    /// Images from a text.
    Images,
    /// Speech from a text.
    Speech,
    /// Text from speech.
    Transcriptions,
}

/// The path of an operation below a provider's base path, with the base URL's own query where it has one.
pub fn path(
    protocol: Protocol,
    dialect: Dialect,
    base_path: &str,
    base_query: Option<&str>,
    model: &str,
    operation: Operation,
) -> String {
    let base = base_path.trim_end_matches('/');
    let (mut path, own_query) = match protocol {
        Protocol::Openai
        | Protocol::OpenaiResponses
        | Protocol::Mistral
        | Protocol::Sandbox
        | Protocol::Azure => (openai(protocol, dialect, base, model, operation), None),
        Protocol::Anthropic => (format!("{base}/messages{}", counting(operation, "/count_tokens")), None),
        Protocol::Gemini => google(base, "models", model, operation),
        Protocol::Vertex if dialect == Dialect::Messages => (vertex_anthropic(base, model, operation), None),
        Protocol::Vertex => vertex(base, model, operation),
        Protocol::VertexAnthropic => (vertex_anthropic(base, model, operation), None),
        Protocol::Bedrock => (bedrock(base, dialect, model, operation), None),
        Protocol::Cohere => (cohere(base, operation), None),
        Protocol::Ollama => (ollama(base, operation), None),
    };
    let mut separator = '?';
    for query in [own_query, base_query].into_iter().flatten() {
        let _ = write!(path, "{separator}{query}");
        separator = '&';
    }
    path
}

fn counting(operation: Operation, suffix: &'static str) -> &'static str {
    if operation == Operation::CountTokens { suffix } else { "" }
}

fn openai(protocol: Protocol, dialect: Dialect, base: &str, model: &str, operation: Operation) -> String {
    let leaf = match operation {
        Operation::Generate { .. } if dialect == Dialect::Responses => "responses",
        Operation::Generate { .. } => "chat/completions",
        Operation::CountTokens => "responses/input_tokens",
        Operation::Embeddings => "embeddings",
        Operation::Rerank => "rerank",
        Operation::Images => "images/generations",
        Operation::Speech => "audio/speech",
        Operation::Transcriptions => "audio/transcriptions",
    };
    // Azure's older addresses name the deployment; the newer ones end in `/openai/v1` and don't.
    if protocol == Protocol::Azure && base.ends_with("/openai") {
        return format!("{base}/deployments/{}/{leaf}", encoded(model));
    }
    format!("{base}/{leaf}")
}

fn google(base: &str, below: &str, model: &str, operation: Operation) -> (String, Option<&'static str>) {
    let model = encoded(model.strip_prefix("models/").unwrap_or(model));
    let (verb, query) = match operation {
        Operation::Generate { stream: true } => ("streamGenerateContent", Some("alt=sse")),
        Operation::CountTokens => ("countTokens", None),
        Operation::Embeddings => ("batchEmbedContents", None),
        _ => ("generateContent", None),
    };
    (format!("{base}/{below}/{model}:{verb}"), query)
}

/// Models of others stand under their publisher: `meta/llama-3.3-70b-instruct-maas`.
fn vertex(base: &str, model: &str, operation: Operation) -> (String, Option<&'static str>) {
    let (publisher, model) = model.split_once('/').unwrap_or(("google", model));
    let below = format!("publishers/{}/models", encoded(publisher));
    match operation {
        Operation::Embeddings => (format!("{base}/{below}/{}:predict", encoded(model)), None),
        _ => google(base, &below, model, operation),
    }
}

fn vertex_anthropic(base: &str, model: &str, operation: Operation) -> String {
    let (model, verb) = match operation {
        Operation::CountTokens => (String::from("count-tokens"), "rawPredict"),
        Operation::Generate { stream: true } => (encoded(model), "streamRawPredict"),
        _ => (encoded(model), "rawPredict"),
    };
    format!("{base}/publishers/anthropic/models/{model}:{verb}")
}

fn bedrock(base: &str, dialect: Dialect, model: &str, operation: Operation) -> String {
    let verb = match operation {
        // Claude takes its own dialect there too.
        Operation::Generate { stream: true } if dialect == Dialect::Messages => "invoke-with-response-stream",
        Operation::Generate { .. } if dialect == Dialect::Messages => "invoke",
        Operation::Generate { stream: true } => "converse-stream",
        Operation::CountTokens => "count-tokens",
        _ => "converse",
    };
    format!("{base}/model/{}/{verb}", encoded(model))
}

fn cohere(base: &str, operation: Operation) -> String {
    let base = base.strip_suffix("/v2").unwrap_or(base);
    let leaf = match operation {
        Operation::Embeddings => "v2/embed",
        Operation::Rerank => "v2/rerank",
        Operation::CountTokens => "v1/tokenize",
        _ => "v2/chat",
    };
    format!("{base}/{leaf}")
}

fn ollama(base: &str, operation: Operation) -> String {
    match operation {
        Operation::Embeddings => format!("{base}/api/embed"),
        _ => format!("{base}/api/chat"),
    }
}

/// One segment of a path: everything but letters, digits and `-._~` escaped, and `@`, which Vertex has in its ids, kept.
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                out.push(char::from(byte))
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_on_vertex_stand_under_their_publisher() {
        let at = |dialect, model, stream| {
            path(Protocol::Vertex, dialect, "/v1/p", None, model, Operation::Generate { stream })
        };
        let llama = "/v1/p/publishers/meta/models/llama-maas:streamGenerateContent?alt=sse";
        assert_eq!(at(Dialect::Gemini, "meta/llama-maas", true), llama);
        let claude = "/v1/p/publishers/anthropic/models/claude@2025:rawPredict";
        assert_eq!(at(Dialect::Messages, "claude@2025", false), claude);
    }

    #[test]
    fn every_protocol_has_its_own_addresses() {
        use Operation::{CountTokens, Embeddings, Generate, Rerank};
        let (plain, stream) = (Generate { stream: false }, Generate { stream: true });
        let chat = Dialect::Chat;
        let rows = [
            (Protocol::Openai, chat, "/v1", "m", stream, "/v1/chat/completions"),
            (Protocol::Openai, Dialect::Responses, "/v1", "m", stream, "/v1/responses"),
            (
                Protocol::Azure,
                chat,
                "/openai",
                "my dep",
                plain,
                "/openai/deployments/my%20dep/chat/completions",
            ),
            (Protocol::Azure, chat, "/openai/v1", "d", plain, "/openai/v1/chat/completions"),
            (Protocol::Anthropic, Dialect::Messages, "/v1", "m", CountTokens, "/v1/messages/count_tokens"),
            (
                Protocol::Gemini,
                Dialect::Gemini,
                "/v1beta",
                "g",
                stream,
                "/v1beta/models/g:streamGenerateContent?alt=sse",
            ),
            (
                Protocol::Vertex,
                Dialect::Gemini,
                "/v1/p",
                "g",
                plain,
                "/v1/p/publishers/google/models/g:generateContent",
            ),
            (
                Protocol::VertexAnthropic,
                Dialect::Messages,
                "/v1/p",
                "claude@2025",
                stream,
                "/v1/p/publishers/anthropic/models/claude@2025:streamRawPredict",
            ),
            (
                Protocol::Bedrock,
                Dialect::Converse,
                "",
                "us.anthropic.claude-v1:0",
                stream,
                "/model/us.anthropic.claude-v1%3A0/converse-stream",
            ),
            (Protocol::Bedrock, Dialect::Messages, "", "claude", plain, "/model/claude/invoke"),
            (Protocol::Cohere, Dialect::Cohere, "", "c", plain, "/v2/chat"),
            (Protocol::Cohere, Dialect::Cohere, "/v2", "c", Rerank, "/v2/rerank"),
            (Protocol::Ollama, Dialect::Ollama, "", "l", Embeddings, "/api/embed"),
        ];
        for (protocol, dialect, base, model, operation, expect) in rows {
            assert_eq!(path(protocol, dialect, base, None, model, operation), expect);
        }
        let dated = path(Protocol::Azure, chat, "/openai", Some("api-version=1"), "d", plain);
        assert_eq!(dated, "/openai/deployments/d/chat/completions?api-version=1");
    }
}
