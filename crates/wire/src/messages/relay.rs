//! Messages in and Messages out: bytes kept, but for our id, model and cost. Blocks and events that no table knows go through.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer_out::tail;
use super::error::object;
use super::stream_out::PING;
use super::usage::{Told, cost_fields, write_usage};
use crate::hub::{AnswerError, CallError, Carry, ChunkError, Finish, Ident, Plain, Seen, Settlement};
use crate::json::{self, Member};
use crate::node::Node;
use crate::provider_error;
use crate::splice::Splice;
use crate::tally::Tally;
use crate::writer::Writer;

/// A scanned whole answer.
#[derive(Debug)]
pub struct Answer {
    span: Range<usize>,
    members: Vec<Member>,
    seen: Seen,
}

/// Scans a provider's 200 body.
pub fn scan(body: &[u8]) -> Result<Answer, AnswerError> {
    let members = json::object(body)?;
    let node = Node::parse(body)?;
    if node.get("error").is_some() {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let content = node.get("content").ok_or(AnswerError::Empty)?;
    let mut told = Told::default();
    told.take(node.get("usage").unwrap_or(node));
    let mut said = Tally::default();
    let usage = told.usage();
    // Only an estimate needs it, and it costs a pass over the answer.
    if usage.is_none() {
        said.json(content.raw());
    }
    let seen = Seen {
        usage,
        finish_reason: finish(node.get_string("stop_reason").as_deref()),
        upstream_id: node.get_string("id").map(|id| id.chars().take(200).collect()),
        said,
        chunks: 1,
        done: true,
        ..Seen::default()
    };
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    Ok(Answer { span: start..end, members, seen })
}

fn finish(native: Option<&str>) -> Option<String> {
    let reason = match native? {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        other => Finish::read(other),
    };
    Some(reason.name().to_owned())
}

impl Plain for Answer {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        let mut splice = Splice::new();
        name(&mut splice, body, &self.members, ident);
        let usage = json::find(body, &self.members, "usage");
        let value = with_cost(usage.map(|m| json::slice(body, &m.value)), settlement);
        match usage {
            Some(member) => splice.replace(member.value.clone(), value),
            None => splice.append("usage", &value),
        }
        if !settlement.warnings.is_empty() {
            splice.append("warnings", crate::warnings_json(&settlement.warnings).as_bytes());
        }
        if let Some((key, metadata)) = &settlement.metadata {
            splice.append(key, metadata.as_bytes());
        }
        let mut out = Vec::with_capacity(body.len() + 400);
        splice.apply(body, self.span.clone(), &self.members, &mut out);
        out
    }
}

/// Our id and model, and the provider's name.
fn name(splice: &mut Splice, text: &[u8], members: &[Member], ident: &Ident) {
    let id = json::quote(&ident.id);
    for (key, value) in [("id", &id), ("model", &ident.model), ("provider", &ident.provider)] {
        match json::find(text, members, key) {
            Some(member) => splice.replace(member.value.clone(), value.as_bytes()),
            None => splice.append(key, value.as_bytes()),
        }
    }
}

/// The provider's usage object with our cost in it; ours where it has none.
fn with_cost(usage: Option<&[u8]>, settlement: &Settlement) -> Vec<u8> {
    let own = settlement.source == types::UsageSource::Provider;
    let Some(usage) = usage.filter(|usage| own && usage.starts_with(b"{")) else {
        return write_usage(settlement);
    };
    let mut w = Writer::with_capacity(usage.len() + 200);
    w.begin_object();
    for (key, value) in Node::at(usage, &(0..usage.len())).members() {
        if !matches!(&*key, "cost" | "cost_details" | "is_byok") {
            w.field_raw(&key, value.raw());
        }
    }
    cost_fields(settlement, &mut w);
    w.end_object();
    w.finish()
}

/// Relays a stream. The last `message_delta` and `message_stop` wait for the settlement.
#[derive(Debug)]
pub struct Relay {
    ident: Ident,
    seen: Seen,
    told: Told,
    last: Option<Vec<u8>>,
}

impl Relay {
    /// A relay that names its message after `ident`.
    pub fn new(ident: Ident) -> Relay {
        Relay { ident, seen: Seen::default(), told: Told::default(), last: None }
    }
}

fn send(name: &str, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

impl Relay {
    fn start(&mut self, node: Node<'_>, data: &[u8], out: &mut Vec<u8>) {
        let Some(message) = node.get("message") else { return send("message_start", data, out) };
        self.told.take(message.get("usage").unwrap_or(message));
        self.seen.upstream_id = message.get_string("id").map(|id| id.chars().take(200).collect());
        let inner = message.raw();
        let members = json::members(inner, &(0..inner.len()));
        let mut splice = Splice::new();
        name(&mut splice, inner, &members, &self.ident);
        let mut renamed = Vec::with_capacity(inner.len() + 100);
        splice.apply(inner, 0..inner.len(), &members, &mut renamed);
        let mut w = Writer::with_capacity(data.len() + 100);
        w.begin_object();
        for (key, value) in node.members() {
            w.field_raw(&key, if key == "message" { &renamed } else { value.raw() });
        }
        w.end_object();
        send("message_start", &w.finish(), out);
    }
}

/// The event within a frame of Bedrock, which wraps each; `None`: it is none of those.
pub(crate) fn unwrapped(name: &str, data: &[u8]) -> Option<Vec<u8>> {
    let text = (name == "chunk").then(|| Node::parse(data).ok()?.get_string("bytes"))??;
    STANDARD.decode(text.as_bytes()).ok()
}

impl Carry for Relay {
    fn keep_alive(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PING);
    }

    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn is_complete(&self) -> bool {
        self.seen.done || self.seen.finish_reason.is_some()
    }

    fn frame(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        if let Some(kind) = name.strip_prefix("exception:") {
            return Err(ChunkError::Provider(provider_error::exception(kind, data)));
        }
        if let Some(event) = unwrapped(name, data) {
            return self.frame("", &event, out);
        }
        let node = Node::parse(data)?;
        self.seen.chunks += 1;
        let kind = node.get_string("type").unwrap_or_else(|| name.into());
        match &*kind {
            "error" => return Err(ChunkError::Provider(provider_error::read(200, data))),
            "message_start" => self.start(node, data, out),
            "message_delta" => {
                self.told.take(node.get("usage").unwrap_or(node));
                self.seen.usage = self.told.usage();
                let reason = node.get("delta").and_then(|delta| delta.get_string("stop_reason"));
                self.seen.finish_reason = finish(reason.as_deref()).or(self.seen.finish_reason.take());
                if let Some(before) = self.last.replace(data.to_vec()) {
                    send("message_delta", &before, out);
                }
            }
            "message_stop" => self.seen.done = true,
            "content_block_delta" => {
                let delta = node.get("delta");
                for key in ["text", "thinking", "partial_json"] {
                    if let Some(piece) = delta.and_then(|delta| delta.get(key)) {
                        self.seen.said.json(piece.raw());
                    }
                }
                if let Some(piece) = delta.and_then(|delta| delta.get_string("partial_json")) {
                    self.seen.calls.piece(node.get("index").and_then(Node::u64).unwrap_or(0), &piece);
                }
                send("content_block_delta", data, out);
            }
            other => send(other, data, out),
        }
        Ok(())
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        let base = self.last.take().unwrap_or_else(|| {
            br#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}"#.to_vec()
        });
        let node = Node::at(&base, &(0..base.len()));
        let mut w = Writer::with_capacity(base.len() + 400);
        w.begin_object();
        for (key, value) in node.members() {
            if key != "usage" {
                w.field_raw(&key, value.raw());
            }
        }
        w.field_raw("usage", &with_cost(node.get("usage").map(Node::raw), settlement));
        tail(settlement, &mut w);
        w.end_object();
        send("message_delta", &w.finish(), out);
        send("message_stop", br#"{"type":"message_stop"}"#, out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        let mut w = Writer::with_capacity(600);
        w.begin_object().field("type", "error").field_raw("error", object(error).as_bytes());
        w.field("request_id", &self.ident.id).field_raw("usage", &write_usage(settlement));
        tail(settlement, &mut w);
        w.end_object();
        send("error", &w.finish(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Money, Usage, UsageSource};

    fn settlement() -> Settlement {
        Settlement {
            usage: Usage { input: 9, output: 20, ..Usage::default() },
            source: UsageSource::Provider,
            cost: Money::from_nanos(5),
            input_cost: Money::from_nanos(2),
            output_cost: Money::from_nanos(3),
            own_key_cost: None,
            warnings: Vec::new(),
            metadata: None,
        }
    }

    fn ident() -> Ident {
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"P\"".into(), ..Ident::default() }
    }

    #[test]
    fn unknown_events_and_blocks_go_through_and_cost_comes_last() {
        let mut relay = Relay::new(ident());
        let mut out = Vec::new();
        for data in [
            r#"{"type":"message_start","message":{"id":"msg_1","model":"claude","new":{"x":1},"usage":{"input_tokens":9,"output_tokens":1}}}"#,
            r#"{"type":"brand_new_event","x":[1]}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"h\u00e9"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":20,"iterations":[1]}}"#,
            r#"{"type":"message_stop"}"#,
        ] {
            relay.frame("", data.as_bytes(), &mut out).unwrap();
        }
        assert!(relay.seen.done && relay.seen.usage.unwrap().output == 20);
        relay.last(&settlement(), &mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(r#""id":"gen-1","model":"a/b","new":{"x":1}"#), "{out}");
        assert!(out.contains("event: brand_new_event\ndata: {\"type\":\"brand_new_event\",\"x\":[1]}\n\n"));
        assert!(out.contains(r#""text":"h\u00e9""#));
        assert!(out.contains(r#""iterations":[1],"cost":0.000000005"#));
        assert!(out.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    }

    #[test]
    fn a_whole_answer_keeps_its_bytes() {
        let body = br#"{"id":"msg_1","model":"c","content":[{"type":"text","text":"x"}],"stop_reason":"max_tokens","usage":{"input_tokens":9,"output_tokens":20},"odd":1.50}"#;
        let answer = scan(body).unwrap();
        assert_eq!(answer.seen.finish_reason.as_deref(), Some("length"));
        let out = String::from_utf8(answer.render(body, &ident(), &settlement())).unwrap();
        assert!(
            out.starts_with(r#"{"id":"gen-1","model":"a/b","content":[{"type":"text","text":"x"}]"#),
            "{out}"
        );
        assert!(out.contains(r#""odd":1.50"#) && out.contains(r#""cost":0.000000005"#));
        assert!(scan(br#"{"type":"error","error":{"message":"x"}}"#).is_err());
    }
}
