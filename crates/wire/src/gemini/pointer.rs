//! Where the caller's dialect keeps what the hub has under one name.

use crate::hub::Dialect;

/// The JSON pointer in the caller's body of a setting that the hub names as OpenAI Chat does.
pub(super) fn pointer(origin: Dialect, name: &str) -> String {
    let known = match (origin, name) {
        (Dialect::Messages, "reasoning") => "/thinking",
        (Dialect::Messages, "stop") => "/stop_sequences",
        (Dialect::Messages, "response_format") => "/output_config/format",
        (Dialect::Messages, "user") => "/metadata/user_id",
        (Dialect::Messages, "parallel_tool_calls") => "/tool_choice/disable_parallel_tool_use",
        (Dialect::Messages | Dialect::Responses, "web_search") => "/tools",
        (Dialect::Responses, "response_format") => "/text/format",
        (Dialect::Responses, "verbosity") => "/text/verbosity",
        (Dialect::Responses, "logprobs") => "/include",
        (Dialect::Responses, "max_tokens") => "/max_output_tokens",
        (Dialect::Chat, "web_search") => "/web_search_options",
        (Dialect::Gemini, "reasoning") => "/generationConfig/thinkingConfig",
        (Dialect::Gemini, "response_format") => "/generationConfig/responseSchema",
        (Dialect::Gemini, "web_search") => "/tools",
        (Dialect::Gemini, "n") => "/generationConfig/candidateCount",
        (Dialect::Gemini, "stop") => "/generationConfig/stopSequences",
        (Dialect::Gemini, "max_tokens") => "/generationConfig/maxOutputTokens",
        (Dialect::Gemini, name) => return format!("/generationConfig/{}", super::keys::camel(name)),
        (_, name) => return format!("/{name}"),
    };
    known.to_owned()
}
