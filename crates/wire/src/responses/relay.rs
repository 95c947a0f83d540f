//! Responses in and Responses out: bytes kept, but for the response's id and model, and our cost in the last event.

use std::ops::Range;

use super::usage::{cost_fields, read_usage, write_usage};
use crate::extensions::is_ours;
use crate::hub::{
    AnswerError, CallError, Carry, ChunkError, Finish, Ident, Outgoing, Plain, RequestError, Seen,
    Settlement, StreamWriter, Target,
};
use crate::json::{self, Member};
use crate::node::Node;
use crate::provider_error;
use crate::splice::Splice;
use crate::writer::Writer;

/// The request as the provider gets it. Conversations are kept here, never there.
pub fn splice_request(body: &[u8], target: &Target<'_>, _stream: bool) -> Result<Outgoing, RequestError> {
    let members = json::object(body)?;
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let mut splice = Splice::new();
    let (mut has_model, mut has_store) = (false, false);
    for member in &members {
        match std::str::from_utf8(json::slice(body, &member.key)).unwrap_or_default() {
            "model" => {
                has_model = true;
                splice.replace(member.value.clone(), json::quote(target.model));
            }
            "store" => {
                has_store = true;
                splice.replace(member.value.clone(), *b"false");
            }
            key if is_ours(key) || key == "previous_response_id" => splice.remove(member),
            _ => (),
        }
    }
    if !has_model {
        splice.append("model", json::quote(target.model).as_bytes());
    }
    if !has_store {
        splice.append("store", b"false");
    }
    let mut out = Vec::with_capacity(body.len() + 128);
    splice.apply(body, start..end, &members, &mut out);
    Ok(Outgoing { body: out, ..Outgoing::default() })
}

/// A scanned whole response.
#[derive(Debug)]
pub struct Answer {
    span: Range<usize>,
    seen: Seen,
}

/// Scans a provider's 200 body.
pub fn scan(body: &[u8]) -> Result<Answer, AnswerError> {
    let node = Node::parse(body)?;
    if node.get("error").is_some() || node.get_string("status").as_deref() == Some("failed") {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let output = node.get("output").ok_or(AnswerError::Empty)?;
    let mut seen = Seen { chunks: 1, done: true, ..Seen::default() };
    note(&mut seen, node);
    // Only an estimate needs it, and it costs a pass over the answer.
    if seen.usage.is_none() {
        seen.said.json(output.raw());
    }
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    Ok(Answer { span: start..end, seen })
}

/// Whether an event holds a response that failed, whatever the event is called.
pub(super) fn has_failed(event: Node<'_>) -> bool {
    event.get("response").and_then(|response| response.get_string("status")).as_deref() == Some("failed")
}

/// What a response object says.
fn note(seen: &mut Seen, response: Node<'_>) {
    seen.usage = response.get("usage").and_then(read_usage);
    seen.upstream_id = response.get_string("id").map(|id| id.chars().take(200).collect());
    let why = response.get("incomplete_details").and_then(|details| details.get_string("reason"));
    let calls = || {
        let items = response.get("output").map(Node::elements).unwrap_or_default();
        items.into_iter().any(|item| item.get_string("type").is_some_and(|kind| kind.ends_with("_call")))
    };
    let reason = match why.as_deref() {
        Some("content_filter") => Finish::ContentFilter,
        Some(_) => Finish::Length,
        None if calls() => Finish::ToolCalls,
        None => Finish::Stop,
    };
    seen.finish_reason = Some(reason.name().to_owned());
}

/// The provider's response object with our names, usage and cost.
fn ours(response: &[u8], ident: &Ident, settlement: Option<&Settlement>) -> Vec<u8> {
    let members = json::members(response, &(0..response.len()));
    let mut splice = Splice::new();
    let id = json::quote(&ident.id);
    let mut set = |key: &str, value: &[u8]| match find(response, &members, key) {
        Some(member) => splice.replace(member.value.clone(), value),
        None => splice.append(key, value),
    };
    set("id", id.as_bytes());
    set("model", ident.model.as_bytes());
    set("provider", ident.provider.as_bytes());
    if let Some(settlement) = settlement {
        let usage = find(response, &members, "usage").map(|m| json::slice(response, &m.value));
        set("usage", &with_cost(usage, settlement));
        if !settlement.warnings.is_empty() {
            set("warnings", crate::warnings_json(&settlement.warnings).as_bytes());
        }
        if let Some((key, metadata)) = &settlement.metadata {
            set(key, metadata.as_bytes());
        }
    }
    let mut out = Vec::with_capacity(response.len() + 400);
    splice.apply(response, 0..response.len(), &members, &mut out);
    out
}

fn find<'m>(text: &[u8], members: &'m [Member], key: &str) -> Option<&'m Member> {
    json::find(text, members, key)
}

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

impl Plain for Answer {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        ours(json::slice(body, &self.span), ident, Some(settlement))
    }
}

/// Relays a stream. The event that holds the whole response waits for the settlement.
#[derive(Debug)]
pub struct Relay {
    ident: Ident,
    seen: Seen,
    next_sequence: u64,
    last: Option<(String, Vec<u8>)>,
}

impl Relay {
    /// A relay that names its response after `ident`.
    pub fn new(ident: Ident) -> Relay {
        Relay { ident, seen: Seen::default(), next_sequence: 0, last: None }
    }

    /// An event that holds a response object, with ours in its place.
    fn whole(&self, data: &[u8], settlement: Option<&Settlement>) -> Vec<u8> {
        let node = Node::at(data, &(0..data.len()));
        let mut w = Writer::with_capacity(data.len() + 400);
        w.begin_object();
        for (key, value) in node.members() {
            if key == "response" {
                w.field_raw("response", &ours(value.raw(), &self.ident, settlement));
            } else {
                w.field_raw(&key, value.raw());
            }
        }
        w.end_object();
        w.finish()
    }
}

fn send(name: &str, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

impl Carry for Relay {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn is_complete(&self) -> bool {
        self.seen.done
    }

    fn frame(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let node = Node::parse(data)?;
        self.seen.chunks += 1;
        if let Some(sequence) = node.get("sequence_number").and_then(Node::u64) {
            self.next_sequence = sequence + 1;
        }
        let kind = node.get_string("type").unwrap_or_else(|| name.into()).into_owned();
        match kind.as_str() {
            kind if matches!(kind, "error" | "response.failed") || has_failed(node) => {
                let inner = node.get("response").unwrap_or(node);
                return Err(ChunkError::Provider(provider_error::read(200, inner.raw())));
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = node.get("response") {
                    note(&mut self.seen, response);
                }
                self.seen.done = true;
                self.last = Some((kind, data.to_vec()));
            }
            _ if node.get("response").is_some() => send(&kind, &self.whole(data, None), out),
            _ => {
                if let Some(delta) = node.get("delta") {
                    self.seen.said.json(delta.raw());
                }
                if kind == "response.function_call_arguments.done" {
                    let index = node.get("output_index").and_then(Node::u64).unwrap_or(0);
                    self.seen.calls.piece(index, &node.get_string("arguments").unwrap_or_default());
                }
                send(&kind, data, out);
            }
        }
        Ok(())
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        if let Some((kind, data)) = self.last.take() {
            send(&kind, &self.whole(&data, Some(settlement)), out);
        }
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        // Written as for any other caller of this dialect, numbered on from what was relayed.
        let mut writer = super::Writer::going_on(self.ident.clone(), self.next_sequence);
        writer.fail(error, settlement, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Money, Usage, UsageSource};

    #[test]
    fn events_keep_their_bytes_and_the_last_has_our_cost() {
        let ident = Ident {
            id: "gen-1".into(),
            model: "\"a/b\"".into(),
            provider: "\"P\"".into(),
            ..Ident::default()
        };
        let settlement = Settlement {
            usage: Usage { input: 5, output: 6, ..Usage::default() },
            source: UsageSource::Provider,
            cost: Money::from_nanos(9),
            input_cost: Money::from_nanos(4),
            output_cost: Money::from_nanos(5),
            own_key_cost: None,
            warnings: Vec::new(),
            metadata: None,
        };
        let mut relay = Relay::new(ident);
        let mut out = Vec::new();
        for data in [
            r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"gpt","odd":1.50}}"#,
            r#"{"type":"response.new_event","sequence_number":1,"x":[1]}"#,
            r#"{"type":"response.completed","sequence_number":2,"response":{"id":"resp_1","model":"gpt","output":[{"type":"function_call"}],"usage":{"input_tokens":5,"output_tokens":6}}}"#,
        ] {
            relay.frame("", data.as_bytes(), &mut out).unwrap();
        }
        assert_eq!(relay.seen.finish_reason.as_deref(), Some("tool_calls"));
        relay.last(&settlement, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains(r#""response":{"id":"gen-1","model":"a/b","odd":1.50,"provider":"P"}"#),
            "{text}"
        );
        assert!(text.contains("event: response.new_event\ndata: {\"type\":\"response.new_event\",\"sequence_number\":1,\"x\":[1]}"));
        assert!(text.contains(r#""cost":0.000000009"#));
        let body = br#"{"id":"r","output":[],"usage":{"input_tokens":5,"output_tokens":6}}"#;
        assert_eq!(scan(body).unwrap().seen.usage.unwrap().output, 6);
        assert!(scan(br#"{"status":"failed","error":{"message":"x"}}"#).is_err());
    }
}
