//! What a provider says when it refuses or fails, in any of the shapes seen in the field, and what that means.
//!
//! The class decides what happens next: whether another endpoint may help, and what the caller is told. A provider's own 401
//! is our trouble, never the caller's.

use crate::json;

/// What an error of a provider means for the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The request itself is at fault; no other endpoint will do better.
    InvalidRequest,
    /// The prompt is too long for this endpoint; a larger one may do.
    ContextLength,
    /// The provider's moderation refused it.
    ContentPolicy,
    /// Our key for the provider is refused, or its account has no money.
    ProviderAuth,
    /// The provider doesn't have the model.
    NotFound,
    /// Too many requests; wait or go elsewhere.
    RateLimit,
    /// The provider is overloaded or broken.
    Unavailable,
    /// The request can't be put into the provider's dialect; it never left.
    Untranslatable,
}

impl Class {
    /// Whether the next endpoint of the plan may help.
    pub const fn may_fall_back(self) -> bool {
        !matches!(self, Class::InvalidRequest | Class::ContentPolicy)
    }

    /// From the status and, where it tells more, the text.
    pub fn of(status: u16, text: &str) -> Class {
        let says = |needle: &str| {
            text.as_bytes().windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle.as_bytes()))
        };
        let too_long = says("context_length")
            || says("maximum context length")
            || says("too long")
            || says("context window");
        match status {
            400 | 413 | 422 if too_long => Class::ContextLength,
            400 if says("api key") || says("api_key") => Class::ProviderAuth,
            400 if says("content_filter") || says("content_policy") || says("moderation") => {
                Class::ContentPolicy
            }
            401 | 402 | 403 | 407 => Class::ProviderAuth,
            404 | 410 => Class::NotFound,
            408 | 409 | 425 | 498 | 499 => Class::Unavailable,
            429 => Class::RateLimit,
            400..=499 => Class::InvalidRequest,
            _ => Class::Unavailable,
        }
    }
}

/// An error as a provider told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// The HTTP status, or the status inside a body or stream that began as a 200; 502 when it names none.
    pub status: u16,
    /// What it means.
    pub class: Class,
    /// The provider's words, cut at [`MESSAGE_BYTES_MAX`].
    pub message: String,
    /// The provider's own code, such as `rate_limit_exceeded` or `3280`.
    pub code: Option<String>,
}

/// Longest provider message that is kept.
pub const MESSAGE_BYTES_MAX: usize = 2048;

/// Reads an error body: OpenAI's object, an `error` string, `detail` text or list, a bare `message`, an array of these, or
/// anything else as text.
pub fn read(status: u16, body: &[u8]) -> ProviderError {
    let tree: serde_json::Value = serde_json::from_slice(body).unwrap_or(serde_json::Value::Null);
    let tree = tree.get(0).cloned().unwrap_or(tree);
    let error = tree.get("error").filter(|e| !e.is_null()).unwrap_or(&tree);
    let message = text_of(error)
        .or_else(|| tree.get("detail").and_then(text_of))
        .or_else(|| tree.get("message").and_then(text_of))
        .unwrap_or_else(|| match status {
            // An answer, not an error's text: what the model wrote stays out of messages.
            200..300 => String::from("the provider reported a failure without a reason"),
            _ => plain_text(body),
        });
    let code = [error.get("code"), error.get("type"), tree.get("code")]
        .into_iter()
        .flatten()
        .find_map(|code| code.as_str().map(str::to_owned).or_else(|| code.as_u64().map(|n| n.to_string())));
    let inner = [error.get("code"), error.get("status"), error.get("http_status")]
        .into_iter()
        .flatten()
        .find_map(|n| n.as_u64().or_else(|| n.as_str()?.parse().ok()))
        .and_then(|n| u16::try_from(n).ok())
        .filter(|n| (400..600).contains(n));
    let status = if (400..600).contains(&status) { status } else { inner.unwrap_or(502) };
    let told = format!("{} {}", code.as_deref().unwrap_or_default(), message);
    let class = match Class::of(status, &told) {
        // In-band errors often name no status, only a kind.
        Class::Unavailable if told.contains("rate_limit") => Class::RateLimit,
        class => class,
    };
    ProviderError { status, class, message: cut(&message), code }
}

/// Whether a scanned 200 body or chunk carries an error instead of an answer.
pub fn carries_error(text: &[u8], members: &[json::Member]) -> bool {
    json::find(text, members, "error")
        .is_some_and(|m| json::Kind::of(json::slice(text, &m.value)) != json::Kind::Null)
}

fn text_of(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Object(map) => map.get("message").or_else(|| map.get("msg")).and_then(text_of),
        serde_json::Value::Array(list) => {
            let texts: Vec<String> = list.iter().filter_map(text_of).take(5).collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        }
        _ => None,
    }
}

fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..body.len().min(MESSAGE_BYTES_MAX)).unwrap_or_default());
    match text.trim() {
        "" => String::from("the provider gave no reason"),
        html if html.starts_with('<') => {
            String::from("the provider answered with a web page instead of JSON")
        }
        text => text.to_owned(),
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MESSAGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_shape_seen_in_the_field() {
        let rows: [(u16, &str, Class, &str); 12] = [
            (
                404,
                r#"{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}"#,
                Class::NotFound,
                "no such model",
            ),
            (
                400,
                r#"{"error":"Incorrect API key provided","code":"invalid-argument"}"#,
                Class::ProviderAuth,
                "Incorrect API key provided",
            ),
            (401, r#"{"detail":"Invalid API Key"}"#, Class::ProviderAuth, "Invalid API Key"),
            (
                422,
                r#"{"detail":[{"type":"extra_forbidden","loc":["body"],"msg":"Extra inputs"}]}"#,
                Class::InvalidRequest,
                "Extra inputs",
            ),
            (
                400,
                r#"{"object":"error","message":"bad call","type":"invalid_function_call","code":"3280"}"#,
                Class::InvalidRequest,
                "bad call",
            ),
            (
                400,
                r#"{"error":{"message":"maximum context length is 8192 tokens"}}"#,
                Class::ContextLength,
                "maximum context length is 8192 tokens",
            ),
            (429, r#"[{"error":{"message":"slow down"}}]"#, Class::RateLimit, "slow down"),
            (200, r#"{"error":{"message":"overloaded","code":529}}"#, Class::Unavailable, "overloaded"),
            (200, r#"{"error":{"message":"limit","type":"rate_limit_error"}}"#, Class::RateLimit, "limit"),
            (
                502,
                "<html>bad gateway</html>",
                Class::Unavailable,
                "the provider answered with a web page instead of JSON",
            ),
            (500, "", Class::Unavailable, "the provider gave no reason"),
            (
                400,
                r#"{"error":{"message":"flagged","code":"content_filter"}}"#,
                Class::ContentPolicy,
                "flagged",
            ),
        ];
        for (status, body, class, message) in rows {
            let error = read(status, body.as_bytes());
            assert_eq!((error.class, error.message.as_str()), (class, message), "{status} {body}");
            assert!((400..600).contains(&error.status));
        }
    }

    #[test]
    fn long_and_odd_bodies_are_cut() {
        let body = "\u{e9}".repeat(5000);
        assert!(read(500, body.as_bytes()).message.len() <= MESSAGE_BYTES_MAX);
        assert_eq!(read(500, &[0xff, 0xfe]).status, 500);
    }
}
