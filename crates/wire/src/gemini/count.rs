//! Counting tokens: `:countTokens`.

use super::{is_ours, keys, resource};
use crate::hub::{Flavor, Outgoing, RequestError, Target};
use crate::node::Node;
use crate::writer::Writer;

/// The path of a count below the version.
pub fn count_path(model: &str) -> String {
    format!("{}:countTokens", resource(model))
}

/// The provider's `:countTokens` body for a generation's body, or for a caller's own `:countTokens` body. AI Studio counts
/// system instruction and tools only inside `generateContentRequest`; Vertex takes them beside `contents`.
pub fn count_request(body: &[u8], target: &Target<'_>) -> Result<Outgoing, RequestError> {
    let whole = Node::parse(body)?;
    let inner = keys::get(whole, "generateContentRequest").unwrap_or(whole);
    let vertex = target.flavor == Flavor::Vertex;
    let mut w = Writer::with_capacity(body.len() + 128);
    w.begin_object();
    if !vertex {
        w.key("generateContentRequest").begin_object().field("model", &resource(target.model));
    }
    for field in keys::fields(inner) {
        let counts = matches!(&*field.name, "contents" | "systemInstruction" | "tools");
        if counts || (!vertex && !is_ours(&field.key)) {
            w.field_raw(&field.name, field.value.raw());
        }
    }
    if !vertex {
        w.end_object();
    }
    w.end_object();
    Ok(Outgoing { body: w.finish(), ..Outgoing::default() })
}

/// The tokens that a provider counted.
pub fn read_count(body: &[u8]) -> Option<u64> {
    keys::number(Node::parse(body).ok()?.get("totalTokens")?)
}

/// The answer to a caller's `:countTokens`.
pub fn write_count(tokens: u64) -> String {
    format!("{{\"totalTokens\":{tokens}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Fetched;
    use crate::openai_chat::Adapt;

    #[test]
    fn counts_go_there_and_back() {
        let (adapt, fetched) = (Adapt::default(), Fetched::new());
        let target = |flavor| Target {
            model: "m",
            max_output_tokens: None,
            flavor,
            adapt: &adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched: &fetched,
        };
        let body = br#"{"contents":[1],"system_instruction":{"a":1},"generationConfig":{},"provider":{}}"#;
        let count = |flavor| String::from_utf8(count_request(body, &target(flavor)).unwrap().body).unwrap();
        assert_eq!(
            count(Flavor::Direct),
            r#"{"generateContentRequest":{"model":"models/m","contents":[1],"systemInstruction":{"a":1},"generationConfig":{}}}"#
        );
        assert_eq!(count(Flavor::Vertex), r#"{"contents":[1],"systemInstruction":{"a":1}}"#);
        let again = count_request(count(Flavor::Direct).as_bytes(), &target(Flavor::Direct)).unwrap();
        assert_eq!(String::from_utf8(again.body).unwrap(), count(Flavor::Direct));
        assert_eq!(read_count(write_count(7).as_bytes()), Some(7));
        assert_eq!(read_count(br#"{"totalTokens":"8","x":1}"#), Some(8));
        assert_eq!(read_count(b"[]"), None);
    }
}
