//! An answer of any provider as a response object.

use serde_json::{Value, json};

use super::seal;
use super::usage::write_usage;
use crate::hub::{Assembly, Citation, Event, Finish, Ident, Piece, Seal, Settlement};
use crate::warnings_json;
use crate::writer::Writer;

/// Writes a whole response.
pub fn write_answer(events: &[Event], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
    let whole = Assembly::of(events);
    let namespaces = namespaces(ident);
    let items = items(&whole, ident, &namespaces);
    let finish = whole.finish.as_ref().map_or(Finish::Stop, |(reason, _)| *reason);
    object(ident, &status(finish), &items, None, Some(settlement))
}

/// The status that a reason makes, and why it is incomplete.
pub(super) fn status(finish: Finish) -> (&'static str, Option<&'static str>) {
    match finish {
        Finish::Length => ("incomplete", Some("max_output_tokens")),
        Finish::ContentFilter => ("incomplete", Some("content_filter")),
        Finish::Error => ("failed", None),
        Finish::Stop | Finish::ToolCalls => ("completed", None),
    }
}

/// The response object. Without a settlement it has no usage yet.
pub(super) fn object(
    ident: &Ident,
    status: &(&'static str, Option<&'static str>),
    items: &[Value],
    error: Option<&Value>,
    settlement: Option<&Settlement>,
) -> Vec<u8> {
    let done = settlement.is_some();
    let mut w = Writer::with_capacity(2048);
    w.begin_object().field("id", &ident.id).field("object", "response");
    w.field_json("created_at", &ident.created);
    w.field_json("completed_at", &(done && status.0 == "completed").then_some(ident.created));
    w.field("status", status.0).field_json("error", &error);
    w.field_json("incomplete_details", &status.1.map(|reason| json!({ "reason": reason })));
    w.field_raw("model", ident.model.as_bytes()).field_raw("provider", ident.provider.as_bytes());
    w.field_json("output", items);
    let text: String = items
        .iter()
        .filter(|item| item.get("type").and_then(Value::as_str) == Some("message"))
        .flat_map(|item| item.get("content").and_then(Value::as_array).into_iter().flatten())
        .filter_map(|part| part.get("text").and_then(Value::as_str))
        .collect();
    if done {
        w.field("output_text", &text);
    }
    let mut out = w.finish();
    if let Some(echo) = ident.echo.as_deref().filter(|echo| !echo.is_empty()) {
        out.push(b',');
        out.extend_from_slice(echo.as_bytes());
    }
    let mut w = Writer::default();
    w.begin_object();
    match settlement {
        None => drop(w.field_raw("usage", b"null")),
        Some(settlement) => {
            w.field_raw("usage", &write_usage(settlement));
            if !settlement.warnings.is_empty() {
                w.field_raw("warnings", warnings_json(&settlement.warnings).as_bytes());
            }
            if let Some((key, metadata)) = &settlement.metadata {
                w.field_raw(key, metadata.as_bytes());
            }
        }
    }
    w.end_object();
    out.push(b',');
    out.extend_from_slice(w.finish().get(1..).unwrap_or_default());
    out
}

/// Names of the caller's tool namespaces, out of what the answer repeats.
pub(super) fn namespaces(ident: &Ident) -> Vec<String> {
    let Some(echo) = ident.echo.as_deref().filter(|echo| echo.contains("\"namespace\"")) else {
        return Vec::new();
    };
    let tree: Value = serde_json::from_str(&format!("{{{echo}}}")).unwrap_or_default();
    let tools = tree.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools
        .filter(|tool| tool.get("type").and_then(Value::as_str) == Some("namespace"))
        .filter_map(|tool| tool.get("name")?.as_str().map(str::to_owned))
        .collect()
}

/// An id of an item: its kind, the generation, and its place.
pub(super) fn item_id(kind: &str, ident: &Ident, at: usize) -> String {
    let tail: String = ident.id.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail = tail.get(tail.len().saturating_sub(20)..).unwrap_or_default();
    format!("{kind}_{tail}{at:03}")
}

fn items(whole: &Assembly, ident: &Ident, namespaces: &[String]) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    for piece in &whole.pieces {
        let at = items.len();
        match piece {
            Piece::Text { text, citations, logprobs } => {
                let logprobs = logprobs.as_ref().and_then(|l| l.get("content")).cloned();
                items.push(message(&item_id("msg", ident, at), text, citations, logprobs));
            }
            Piece::Refusal(text) => items.push(json!({
                "type": "message", "id": item_id("msg", ident, at), "status": "completed", "role": "assistant",
                "content": [{"type": "refusal", "refusal": text}],
            })),
            Piece::Reasoning { text, summary, seal } => {
                items.push(reasoning(&item_id("rs", ident, at), text, *summary, seal.as_ref(), ""));
            }
            Piece::ToolCall { id, name, arguments, custom, seal } => {
                if let Some(seal) = seal {
                    items.push(reasoning(&item_id("rs", ident, at), "", false, Some(seal), id));
                }
                let at = items.len();
                items.push(call(&item_id(call_kind(*custom), ident, at), id, name, arguments, *custom, namespaces));
            }
            Piece::Image(url) => items.extend(image(&item_id("ig", ident, at), url)),
            Piece::Audio(_) => (),
        }
    }
    items
}

/// The beginning of a call's id.
pub(super) const fn call_kind(custom: bool) -> &'static str {
    if custom { "ctc" } else { "fc" }
}

/// A message with one text.
pub(super) fn message(id: &str, text: &str, citations: &[Citation], logprobs: Option<Value>) -> Value {
    let annotations: Vec<Value> = citations.iter().map(annotation).collect();
    let logprobs = logprobs.unwrap_or_else(|| json!([]));
    let part = json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs});
    json!({"type": "message", "id": id, "status": "completed", "role": "assistant", "content": [part]})
}

/// A source in this dialect.
pub(super) fn annotation(citation: &Citation) -> Value {
    let (start, end) = citation.span.unwrap_or((0, 0));
    json!({
        "type": "url_citation", "url": citation.url, "title": citation.title, "start_index": start, "end_index": end,
    })
}

/// A piece of reasoning; `call_id` where its seal belongs to a call.
pub(super) fn reasoning(id: &str, text: &str, summary: bool, seal: Option<&Seal>, call_id: &str) -> Value {
    let told = (!text.is_empty()).then_some(text);
    let summaries: Vec<Value> = told
        .filter(|_| summary)
        .map(|text| json!({"type": "summary_text", "text": text}))
        .into_iter()
        .collect();
    let content: Vec<Value> = told
        .filter(|_| !summary)
        .map(|text| json!({"type": "reasoning_text", "text": text}))
        .into_iter()
        .collect();
    json!({
        "type": "reasoning", "id": id, "status": "completed", "summary": summaries, "content": content,
        "encrypted_content": seal.map(|seal| seal::wrap(seal, call_id)),
    })
}

/// A call. The namespace that stands in its name is told apart again.
pub(super) fn call(
    id: &str,
    call_id: &str,
    name: &str,
    arguments: &str,
    custom: bool,
    namespaces: &[String],
) -> Value {
    let split =
        namespaces.iter().find_map(|ns| Some((ns, name.strip_prefix(ns.as_str())?.strip_prefix("__")?)));
    let (namespace, name) = split.map_or((None, name), |(ns, name)| (Some(ns), name));
    let mut item = match custom {
        true => json!({
            "type": "custom_tool_call", "id": id, "status": "completed", "call_id": call_id, "name": name,
            "input": arguments,
        }),
        false => {
            let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
            json!({
                "type": "function_call", "id": id, "status": "completed", "call_id": call_id, "name": name,
                "arguments": arguments,
            })
        }
    };
    if let (Some(namespace), Some(map)) = (namespace, item.as_object_mut()) {
        map.insert("namespace".to_owned(), namespace.as_str().into());
    }
    item
}

/// An image: its base64, where it has one.
pub(super) fn image(id: &str, url: &str) -> Option<Value> {
    let data = url.split_once(";base64,").map_or(url, |(_, data)| data);
    (!data.is_empty())
        .then(|| json!({"type": "image_generation_call", "id": id, "status": "completed", "result": data}))
}
