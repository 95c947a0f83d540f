//! An answer of any provider as an Anthropic message.

use serde_json::{Value, json};

use super::blocks_out::input;
use super::usage::write_usage;
use crate::hub::{Assembly, Citation, Event, Finish, Ident, Piece, Seal, SealFormat, Settlement};
use crate::warnings_json;
use crate::writer::Writer;

/// Writes a whole message.
pub fn write_answer(events: &[Event], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
    let whole = Assembly::of(events);
    let mut w = Writer::with_capacity(1024);
    w.begin_object().field("id", &ident.id).field("type", "message").field("role", "assistant");
    w.field_raw("model", ident.model.as_bytes()).field_raw("provider", ident.provider.as_bytes());
    w.key("content").begin_array();
    for piece in &whole.pieces {
        if let Some(block) = block(piece) {
            w.json(&block);
        }
    }
    w.end_array();
    let (reason, _) = whole.finish.clone().unwrap_or((Finish::Stop, String::new()));
    w.field("stop_reason", stop_reason(reason, whole.stop.as_deref()));
    w.field_json("stop_sequence", &whole.stop);
    w.field_raw("usage", &write_usage(settlement));
    tail(settlement, &mut w);
    w.end_object();
    w.finish()
}

/// `warnings` and the brand's metadata.
pub(super) fn tail(settlement: &Settlement, w: &mut Writer) {
    if !settlement.warnings.is_empty() {
        w.field_raw("warnings", warnings_json(&settlement.warnings).as_bytes());
    }
    if let Some((key, metadata)) = &settlement.metadata {
        w.field_raw(key, metadata.as_bytes());
    }
}

/// Anthropic's word for why it stopped.
pub(super) const fn stop_reason(reason: Finish, stop: Option<&str>) -> &'static str {
    match reason {
        Finish::Stop if stop.is_some() => "stop_sequence",
        Finish::Stop | Finish::Error => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
    }
}

fn block(piece: &Piece) -> Option<Value> {
    Some(match piece {
        Piece::Text { text, citations, .. } => {
            let cited: Vec<Value> = citations.iter().map(citation).collect();
            if cited.is_empty() {
                // Never `null`: clients refuse it.
                json!({"type": "text", "text": text})
            } else {
                json!({"type": "text", "text": text, "citations": cited})
            }
        }
        Piece::Refusal(text) => json!({"type": "text", "text": text}),
        Piece::Reasoning { text, seal, .. } => thinking(text, seal.as_ref())?,
        Piece::ToolCall { id, name, arguments, custom, .. } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": input(arguments, *custom)})
        }
        // The dialect has no images in answers: an address is better than nothing.
        Piece::Image(url) if !url.starts_with("data:") => {
            json!({"type": "text", "text": format!("![image]({url})")})
        }
        Piece::Image(_) | Piece::Audio(_) => return None,
    })
}

/// Readable reasoning, signed where its maker was Claude.
fn thinking(text: &str, seal: Option<&Seal>) -> Option<Value> {
    let own = seal.filter(|seal| seal.format == SealFormat::Anthropic);
    match own {
        Some(seal) if !seal.signature => Some(json!({"type": "redacted_thinking", "data": seal.data})),
        own if !text.is_empty() || own.is_some() => {
            let signature = own.map_or("", |seal| seal.data.as_str());
            Some(json!({"type": "thinking", "thinking": text, "signature": signature}))
        }
        _ => None,
    }
}

/// A source in Anthropic's form.
pub(super) fn citation(citation: &Citation) -> Value {
    json!({
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote,
        "encrypted_index": "",
    })
}
