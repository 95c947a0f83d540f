//! An answer of any provider as a chat completion, in OpenRouter's shape.

use serde_json::{Value, json};

use super::response::own_usage_with_cost;
use crate::hub::{Assembly, Citation, Event, Finish, Ident, Piece, Seal, Settlement};
use crate::warnings_json;
use crate::writer::Writer;

/// Writes a whole completion.
pub fn write_answer(events: &[Event], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
    let whole = Assembly::of(events);
    let (finish, native) =
        whole.finish.clone().unwrap_or_else(|| (Finish::Stop, Finish::Stop.name().to_owned()));
    let mut w = Writer::with_capacity(1024);
    w.begin_object().field("id", &ident.id).field("object", "chat.completion");
    w.field_json("created", &ident.created);
    w.field_raw("model", ident.model.as_bytes()).field_raw("provider", ident.provider.as_bytes());
    w.key("choices").begin_array().begin_object().field_json("index", &0);
    w.key("message");
    message(&whole, &mut w);
    w.field("finish_reason", finish.name()).field("native_finish_reason", &native);
    let logprobs = whole.pieces.iter().find_map(|piece| match piece {
        Piece::Text { logprobs, .. } => logprobs.as_ref(),
        _ => None,
    });
    w.field_json("logprobs", &logprobs).end_object().end_array();
    w.field_raw("system_fingerprint", b"null");
    w.field_raw("usage", &own_usage_with_cost(settlement));
    tail(settlement, &mut w);
    w.end_object();
    w.finish()
}

/// `warnings` and the brand's metadata.
pub(crate) fn tail(settlement: &Settlement, w: &mut Writer) {
    if !settlement.warnings.is_empty() {
        w.field_raw("warnings", warnings_json(&settlement.warnings).as_bytes());
    }
    if let Some((key, metadata)) = &settlement.metadata {
        w.field_raw(key, metadata.as_bytes());
    }
}

fn message(whole: &Assembly, w: &mut Writer) {
    let text = whole.all_text();
    let has_text = whole.pieces.iter().any(|piece| matches!(piece, Piece::Text { .. }));
    w.begin_object().field("role", "assistant");
    w.field_json("content", &has_text.then_some(text));
    let refusal: String = whole
        .pieces
        .iter()
        .filter_map(|piece| if let Piece::Refusal(text) = piece { Some(text.as_str()) } else { None })
        .collect();
    w.field_json("refusal", &(!refusal.is_empty()).then_some(refusal));
    reasoning(whole, w);
    let calls: Vec<Value> = whole.pieces.iter().filter_map(call).collect();
    if !calls.is_empty() {
        w.field_json("tool_calls", &calls);
    }
    let citations: Vec<Value> = whole
        .pieces
        .iter()
        .flat_map(|piece| if let Piece::Text { citations, .. } = piece { citations.as_slice() } else { &[] })
        .map(annotation)
        .collect();
    if !citations.is_empty() {
        w.field_json("annotations", &citations);
    }
    let images: Vec<Value> = whole
        .pieces
        .iter()
        .filter_map(|piece| if let Piece::Image(url) = piece { Some(image(url)) } else { None })
        .collect();
    if !images.is_empty() {
        w.field_json("images", &images);
    }
    if let Some(audio) = audio(whole) {
        w.field_json("audio", &audio);
    }
    w.end_object();
}

fn reasoning(whole: &Assembly, w: &mut Writer) {
    let mut readable = String::new();
    let mut details = Vec::new();
    for piece in &whole.pieces {
        match piece {
            Piece::Reasoning { text, summary, seal } => {
                readable.push_str(text);
                details.extend(detail(text, *summary, seal.as_ref(), details.len()));
            }
            Piece::ToolCall { id, seal: Some(seal), .. } => {
                details.push(sealed_call(id, seal, details.len()));
            }
            _ => (),
        }
    }
    if !readable.is_empty() {
        w.field("reasoning", &readable);
    }
    if !details.is_empty() {
        w.field_json("reasoning_details", &details);
    }
}

/// A piece of reasoning as OpenRouter tells it: readable text with its signature, and what is encrypted apart.
pub(super) fn detail(text: &str, summary: bool, seal: Option<&Seal>, index: usize) -> Vec<Value> {
    let format = seal.map_or("unknown", |seal| seal.format.name());
    let id = seal.and_then(|seal| seal.id.clone());
    let mut all = Vec::new();
    let signature = seal.filter(|seal| seal.signature).map(|seal| seal.data.as_str());
    if summary {
        all.push(
            json!({"type": "reasoning.summary", "summary": text, "format": format, "id": id, "index": index}),
        );
    } else if !text.is_empty() || signature.is_some() {
        let mut piece =
            json!({"type": "reasoning.text", "text": text, "format": format, "id": id, "index": index});
        if let (Some(signature), Some(map)) = (signature, piece.as_object_mut()) {
            map.insert("signature".to_owned(), signature.into());
        }
        all.push(piece);
    }
    if let Some(seal) = seal.filter(|seal| !seal.signature) {
        let index = index + all.len();
        all.push(json!({"type": "reasoning.encrypted", "data": seal.data, "format": format, "id": id, "index": index}));
    }
    all
}

/// The seal of a call: `id` is the call's.
pub(super) fn sealed_call(id: &str, seal: &Seal, index: usize) -> Value {
    json!({"type": "reasoning.encrypted", "data": seal.data, "format": seal.format.name(), "id": id, "index": index})
}

fn call(piece: &Piece) -> Option<Value> {
    let Piece::ToolCall { id, name, arguments, custom, .. } = piece else { return None };
    Some(if *custom {
        json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}})
    } else {
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    })
}

/// A source as an annotation.
pub(super) fn annotation(citation: &Citation) -> Value {
    let (start, end) = citation.span.unwrap_or((0, 0));
    json!({"type": "url_citation", "url_citation": {
        "url": citation.url, "title": citation.title, "content": citation.quote, "start_index": start, "end_index": end,
    }})
}

/// An image as a part.
pub(super) fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

/// Fragments of `audio` joined: texts of data and transcript append, the rest holds once.
fn audio(whole: &Assembly) -> Option<Value> {
    let fragments = whole.pieces.iter().find_map(|piece| match piece {
        Piece::Audio(fragments) => Some(fragments),
        _ => None,
    })?;
    let mut joined = serde_json::Map::new();
    for (key, value) in fragments.iter().filter_map(Value::as_object).flatten() {
        match (joined.get_mut(key), value) {
            (Some(Value::String(held)), Value::String(more))
                if matches!(key.as_str(), "data" | "transcript") =>
            {
                held.push_str(more);
            }
            _ => drop(joined.insert(key.clone(), value.clone())),
        }
    }
    Some(Value::Object(joined))
}
