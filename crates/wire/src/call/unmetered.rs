//! A provider's frame that is told once more, from a cache: nothing was used, so every count of tokens in it is 0.

use std::borrow::Cow;

use serde_json::Value;

use crate::json::Kind;
use crate::node::Node;
use crate::splice::Splice;

/// Where dialects tell what was used, before the end of a stream tells it once more in our words.
const PLACES: [&[&str]; 4] = [&["usage"], &["message", "usage"], &["response", "usage"], &["usageMetadata"]];

/// The frame with its counts set to 0; every other byte stays what it was.
pub fn unmetered(data: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(data, b"\"usage").is_none() {
        return Cow::Borrowed(data);
    }
    let Ok(node) = Node::parse(data) else { return Cow::Borrowed(data) };
    let mut splice = Splice::new();
    for place in PLACES {
        let found = place.iter().try_fold(node, |node, key| node.get(key));
        if let Some(usage) = found.filter(|usage| usage.kind() == Kind::Object) {
            splice.replace(usage.span(), zeroed(usage.value()).to_string());
        }
    }
    if splice.is_empty() {
        return Cow::Borrowed(data);
    }
    let mut out = Vec::with_capacity(data.len());
    splice.apply(data, node.span(), &[], &mut out);
    Cow::Owned(out)
}

fn zeroed(value: Value) -> Value {
    match value {
        Value::Number(_) => 0.into(),
        Value::Array(list) => list.into_iter().map(zeroed).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, zeroed(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_zero_and_everything_else_stays() {
        let rows = [
            (
                r#"{"type":"message_start","message":{"id":"m","odd":1.50,"usage":{"input_tokens":9,"tier":"x"}}}"#,
                r#"{"type":"message_start","message":{"id":"m","odd":1.50,"usage":{"input_tokens":0,"tier":"x"}}}"#,
            ),
            (
                r#"{"candidates":[{"index":0}],"usageMetadata":{"promptTokenCount":9,"details":[{"tokenCount":9}]}}"#,
                r#"{"candidates":[{"index":0}],"usageMetadata":{"promptTokenCount":0,"details":[{"tokenCount":0}]}}"#,
            ),
            (
                r#"{"choices":[{"delta":{"content":"usage 5"}}]}"#,
                r#"{"choices":[{"delta":{"content":"usage 5"}}]}"#,
            ),
            (r#"{"usage":null,"n":1}"#, r#"{"usage":null,"n":1}"#),
            ("[DONE]", "[DONE]"),
        ];
        for (data, expect) in rows {
            assert_eq!(String::from_utf8_lossy(&unmetered(data.as_bytes())), expect);
        }
    }
}
