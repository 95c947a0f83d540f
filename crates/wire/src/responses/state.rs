//! What a caller wants kept, and how a kept conversation goes on: as items spliced before the request's own.

use std::borrow::Cow;

use super::request_in::field;
use crate::hub::RequestError;
use crate::json;
use crate::node::Node;
use crate::splice::Splice;
use crate::writer::Writer;

/// The part of a request that needs a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stateful<'b> {
    /// The response that this one goes on from.
    pub previous_response_id: Option<Cow<'b, str>>,
    /// Whether this response is to be kept; it is unless the caller says no.
    pub store: bool,
    /// `model`.
    pub model: Option<Cow<'b, str>>,
    /// `preset`.
    pub preset: Option<Cow<'b, str>>,
}

/// Reads it.
pub fn stateful(body: &[u8]) -> Result<Stateful<'_>, RequestError> {
    let mut told = Stateful { previous_response_id: None, store: true, model: None, preset: None };
    for (key, value) in Node::parse(body)?.members() {
        match &*key {
            "store" => told.store = value.bool().ok_or_else(|| field("store", "must be true or false"))?,
            "previous_response_id" => {
                let id =
                    value.string().ok_or_else(|| field("previous_response_id", "must be a response's id"))?;
                told.previous_response_id = Some(id);
            }
            "model" => told.model = value.string(),
            "preset" => told.preset = value.string().filter(|name| !name.is_empty()),
            _ => (),
        }
    }
    Ok(told)
}

/// The request's own input as a JSON array of items; a text becomes a message.
pub fn input_items(body: &[u8]) -> Vec<u8> {
    let input = Node::parse(body).ok().and_then(|node| node.get("input"));
    let Some(input) = input else { return b"[]".to_vec() };
    let Some(text) = input.string() else { return input.raw().to_vec() };
    let mut w = Writer::with_capacity(text.len() + 100);
    w.begin_array().begin_object().field("type", "message").field("role", "user");
    w.key("content").begin_array().begin_object().field("type", "input_text").field("text", &text);
    w.end_object().end_array().end_object().end_array();
    w.finish()
}

/// The items that a response put out, as a JSON array.
pub fn output_items(response: &[u8]) -> Vec<u8> {
    let output = Node::parse(response).ok().and_then(|node| node.get("output"));
    output.map_or_else(|| b"[]".to_vec(), |output| output.raw().to_vec())
}

/// A body whose input is `history` (JSON arrays in order) and then its own, without `previous_response_id`.
pub fn with_history(body: &[u8], history: &[Vec<u8>]) -> Result<Vec<u8>, RequestError> {
    let members = json::object(body)?;
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let own = input_items(body);
    let mut whole = Vec::with_capacity(history.iter().map(Vec::len).sum::<usize>() + own.len());
    whole.push(b'[');
    for list in history.iter().chain(std::iter::once(&own)) {
        let items =
            list.strip_prefix(b"[").and_then(|l| l.strip_suffix(b"]")).unwrap_or_default().trim_ascii();
        if !items.is_empty() {
            if whole.len() > 1 {
                whole.push(b',');
            }
            whole.extend_from_slice(items);
        }
    }
    whole.push(b']');
    let mut splice = Splice::new();
    match json::find(body, &members, "input") {
        Some(member) => splice.replace(member.value.clone(), whole),
        None => splice.append("input", &whole),
    }
    if let Some(member) = json::find(body, &members, "previous_response_id") {
        splice.remove(member);
    }
    let mut out = Vec::with_capacity(body.len() * 2);
    splice.apply(body, start..end, &members, &mut out);
    Ok(out)
}

/// What a response repeats of its request: JSON members without braces, every one that clients insist on.
pub fn echo(body: &[u8]) -> String {
    let node = Node::parse(body).ok();
    let given = |key: &str| node.and_then(|node| node.get(key)).map(Node::raw);
    let members: [(&str, &str); 22] = [
        ("background", "false"),
        ("frequency_penalty", "0.0"),
        ("instructions", "null"),
        ("max_output_tokens", "null"),
        ("max_tool_calls", "null"),
        ("metadata", "{}"),
        ("parallel_tool_calls", "true"),
        ("presence_penalty", "0.0"),
        ("previous_response_id", "null"),
        ("prompt_cache_key", "null"),
        ("reasoning", "{\"effort\":null,\"summary\":null}"),
        ("safety_identifier", "null"),
        ("service_tier", "\"auto\""),
        ("store", "true"),
        ("temperature", "1.0"),
        ("text", "{\"format\":{\"type\":\"text\"}}"),
        ("tool_choice", "\"auto\""),
        ("tools", "[]"),
        ("top_logprobs", "0"),
        ("top_p", "1.0"),
        ("truncation", "\"disabled\""),
        ("user", "null"),
    ];
    let mut out = String::new();
    for (key, default) in members {
        let value = given(key).map_or(Cow::Borrowed(default), String::from_utf8_lossy);
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&format!("\"{key}\":{value}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_stands_before_the_requests_own_items() {
        let body = br#"{"model":"m","input":"and?","previous_response_id":"r1","x":1.0}"#;
        let kept = stateful(body).unwrap();
        assert_eq!((kept.previous_response_id.as_deref(), kept.store), (Some("r1"), true));
        let history =
            [br#"[{"role":"user","content":"Q"}]"#.to_vec(), b"[]".to_vec(), b"[{\"a\":1}]".to_vec()];
        let out = String::from_utf8(with_history(body, &history).unwrap()).unwrap();
        assert_eq!(
            out,
            r#"{"model":"m","input":[{"role":"user","content":"Q"},{"a":1},{"type":"message","role":"user","content":[{"type":"input_text","text":"and?"}]}],"x":1.0}"#
        );
        let echoed: serde_json::Value = serde_json::from_str(&format!("{{{}}}", echo(body))).unwrap();
        assert_eq!(
            (&echoed["previous_response_id"], &echoed["tools"]),
            (&"r1".into(), &serde_json::json!([]))
        );
        assert!(stateful(br#"{"store":"no"}"#).is_err());
    }
}
