//! What a provider says when it refuses or fails, in any of the shapes seen in the field, and what that means.
//!
//! The class decides what happens next: whether another endpoint may help, and what the caller is told. A provider's own 401
//! is our trouble, never the caller's.

use std::time::Duration;

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
            400 if says("ServiceQuotaExceeded") => Class::RateLimit,
            400 if says("content_filter") || says("content_policy") || says("moderation") => {
                Class::ContentPolicy
            }
            401 | 402 | 403 | 407 => Class::ProviderAuth,
            404 | 410 => Class::NotFound,
            408 | 409 | 424 | 425 | 498 | 499 => Class::Unavailable,
            // No money left at the provider: waiting does not help.
            429 if says("insufficient_quota") || says("exceeded your current quota") => Class::ProviderAuth,
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
    /// How long the provider asks to be left alone, where it says so in words or in the body (Gemini, OpenAI).
    pub retry_after: Option<Duration>,
}

/// Longest provider message that is kept.
pub const MESSAGE_BYTES_MAX: usize = 2048;

/// Reads an error body: OpenAI's object, an `error` string, `detail` text or list, a bare `message`, an array of these, or
/// anything else as text.
pub fn read(status: u16, body: &[u8]) -> ProviderError {
    read_named(status, body, None)
}

/// An exception in the middle of an event stream of AWS.
pub fn exception(kind: &str, data: &[u8]) -> ProviderError {
    let mut error = read(200, data);
    let (status, class) = match kind {
        "throttlingException" => (429, Class::RateLimit),
        "validationException" => (400, Class::InvalidRequest),
        _ => (503, Class::Unavailable),
    };
    error.status = status;
    error.class = class;
    error.code.get_or_insert_with(|| kind.to_owned());
    error
}

/// As [`read`], with the name of the error where a header tells it (`x-amzn-errortype` on Bedrock).
pub fn read_named(status: u16, body: &[u8], name: Option<&str>) -> ProviderError {
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
    // `ValidationException:http://internal...`
    let code = name.and_then(|name| name.split(':').next()).map(str::to_owned).or(code);
    let inner = [error.get("code"), error.get("status"), error.get("http_status")]
        .into_iter()
        .flatten()
        .find_map(|n| n.as_u64().or_else(|| n.as_str()?.parse().ok()))
        .and_then(|n| u16::try_from(n).ok())
        .filter(|n| (400..600).contains(n))
        .or_else(|| status_of(code.as_deref()?));
    let status = if (400..600).contains(&status) { status } else { inner.unwrap_or(502) };
    let told = format!("{} {}", code.as_deref().unwrap_or_default(), message);
    let class = match Class::of(status, &told) {
        // In-band errors often name no status, only a kind.
        Class::Unavailable if told.contains("rate_limit") => Class::RateLimit,
        class => class,
    };
    let retry_after = retry_delay(error, &message);
    ProviderError { status, class, message: cut(&message), code, retry_after }
}

/// The status of an error that is known by its name only, inside a stream or a 200.
fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

/// `details[].retryDelay` (Google), `retry_after` in seconds, or "try again in 1.5s" in words (OpenAI).
fn retry_delay(error: &serde_json::Value, message: &str) -> Option<Duration> {
    let details = error.get("details").and_then(serde_json::Value::as_array).into_iter().flatten();
    let told = details.filter_map(|detail| detail.get("retryDelay")?.as_str()).find_map(duration);
    let seconds = || error.get("retry_after").and_then(serde_json::Value::as_f64);
    let seconds = || seconds().and_then(|s| Duration::try_from_secs_f64(s).ok());
    let words = || {
        let (_, rest) = message.split_once("try again in ")?;
        duration(rest.split_whitespace().next()?.trim_end_matches(['.', ',']))
    };
    told.or_else(seconds).or_else(words)
}

/// `34.4s`, `20ms`, `6m0s`, `1h2m`.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut whole) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        whole += Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()?;
        rest = next;
    }
    Some(whole)
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
    fn how_long_to_wait_is_found_in_bodies_and_in_words() {
        let google = r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}"#;
        let rows = [
            (google, Some(34_400)),
            (
                r#"{"error":{"message":"Rate limit reached. Please try again in 6m0.5s. Visit"}}"#,
                Some(360_500),
            ),
            (r#"{"error":{"message":"Please try again in 20ms."}}"#, Some(20)),
            (r#"{"error":{"message":"slow down","retry_after":1.5}}"#, Some(1_500)),
            (r#"{"error":{"message":"try again in a moment"}}"#, None),
            (r#"{"error":{"message":"try again in 99999999999999999999h"}}"#, None),
        ];
        for (body, expect) in rows {
            let error = read(429, body.as_bytes());
            assert_eq!(error.retry_after.map(|d| d.as_millis()), expect, "{body}");
            assert_eq!(error.class, Class::RateLimit, "{body}");
        }
    }

    #[test]
    fn names_tell_what_a_status_does_not() {
        let stream = br#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#;
        assert_eq!((read(200, stream).status, read(200, stream).class), (400, Class::InvalidRequest));
        let aws =
            read_named(400, br#"{"message":"too much"}"#, Some("ServiceQuotaExceededException:http://x"));
        assert_eq!(
            (aws.class, aws.code.as_deref()),
            (Class::RateLimit, Some("ServiceQuotaExceededException"))
        );
        let poor = br#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
        assert_eq!(read(429, poor).class, Class::ProviderAuth);
        assert_eq!(read(424, b"{}").class, Class::Unavailable);
    }

    #[test]
    fn long_and_odd_bodies_are_cut() {
        let body = "\u{e9}".repeat(5000);
        assert!(read(500, body.as_bytes()).message.len() <= MESSAGE_BYTES_MAX);
        assert_eq!(read(500, &[0xff, 0xfe]).status, 500);
    }
}
