//! An answer of any provider as chat completion chunks, in OpenRouter's shape.

use serde_json::{Value, json};

use super::answer_out::{annotation, detail, image, sealed_call, tail};
use super::response::own_usage_with_cost;
use crate::hub::{CallError, Event, Finish, Ident, Settlement, StreamWriter};
use crate::writer::Writer as Json;

/// Writes chunks. The reason why it stopped is told when the answer is known to be whole.
#[derive(Debug)]
pub struct Writer {
    ident: Ident,
    begun: bool,
    /// Counts pieces of reasoning; grows when a piece ends.
    reasoning_index: usize,
    reasoning_open: bool,
    finish: Option<(Finish, String)>,
    /// Indices of free-form calls, whose text has another place.
    custom: Vec<u32>,
}

impl Writer {
    /// A writer that names its chunks after `ident`.
    pub fn new(ident: Ident) -> Writer {
        Writer {
            ident,
            begun: false,
            reasoning_index: 0,
            reasoning_open: false,
            finish: None,
            custom: Vec::new(),
        }
    }

    fn head(&self, w: &mut Json) {
        head(&self.ident, w);
    }

    fn delta(&mut self, delta: Value, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        let mut delta = delta;
        if !std::mem::replace(&mut self.begun, true)
            && let Some(map) = delta.as_object_mut()
        {
            map.insert("role".to_owned(), "assistant".into());
            map.entry("content").or_insert_with(|| "".into());
        }
        let mut w = Json::with_capacity(256);
        self.head(&mut w);
        w.key("choices").begin_array().begin_object().field_json("index", &0).field_json("delta", &delta);
        w.field_raw("finish_reason", b"null").field_raw("native_finish_reason", b"null");
        w.field_json("logprobs", &logprobs).end_object().end_array().end_object();
        event(w, out);
    }

    /// A piece of reasoning that something else follows is over.
    fn close_reasoning(&mut self) {
        if std::mem::take(&mut self.reasoning_open) {
            self.reasoning_index += 1;
        }
    }

    fn finish_chunk(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.delta(json!({}), None, out);
        }
        let (reason, native) =
            self.finish.take().unwrap_or_else(|| (Finish::Stop, Finish::Stop.name().to_owned()));
        let mut w = Json::with_capacity(256);
        self.head(&mut w);
        w.key("choices").begin_array().begin_object().field_json("index", &0).field_raw("delta", b"{}");
        w.field("finish_reason", reason.name()).field("native_finish_reason", &native);
        w.field_raw("logprobs", b"null").end_object().end_array().end_object();
        event(w, out);
    }
}

fn head(ident: &Ident, w: &mut Json) {
    w.begin_object().field("id", &ident.id).field("object", "chat.completion.chunk");
    w.field_json("created", &ident.created);
    w.field_raw("model", ident.model.as_bytes());
    w.field_raw("provider", ident.provider.as_bytes());
}

/// The chunk that shows a caller what its provider is sent (`debug.echo_upstream_body`).
pub fn body_chunk(ident: &Ident, body: &[u8]) -> Vec<u8> {
    // A caller's own line breaks would end the event.
    let line: Vec<u8> =
        body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    let mut w = Json::with_capacity(256 + body.len());
    head(ident, &mut w);
    w.field_raw("choices", b"[]").key("debug").begin_object();
    w.field_raw("echo_upstream_body", &line).end_object().end_object();
    let mut out = Vec::with_capacity(body.len() + 256);
    event(w, &mut out);
    out
}

fn event(w: Json, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&w.finish());
    out.extend_from_slice(b"\n\n");
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !matches!(event, Event::Reasoning { .. } | Event::Sealed(_) | Event::Id(_) | Event::Usage(_)) {
            self.close_reasoning();
        }
        match event {
            Event::Text(text) => self.delta(json!({ "content": text }), None, out),
            Event::Refusal(text) => self.delta(json!({ "refusal": text }), None, out),
            Event::Reasoning { text, summary } => {
                self.reasoning_open = true;
                let details = detail(text, *summary, None, self.reasoning_index);
                self.delta(json!({"reasoning": text, "reasoning_details": details}), None, out);
            }
            Event::Sealed(seal) => {
                let details = detail("", false, Some(seal), self.reasoning_index);
                self.reasoning_open = true;
                self.delta(json!({ "reasoning_details": details }), None, out);
                self.close_reasoning();
            }
            Event::ToolCall(start) => {
                let (index, id, name) = (start.index, &start.id, &start.name);
                if start.custom {
                    self.custom.push(index);
                }
                let call = match start.custom {
                    true => {
                        json!({"index": index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}})
                    }
                    false => {
                        json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}})
                    }
                };
                let mut delta = json!({ "tool_calls": [call] });
                if let (Some(seal), Some(map)) = (&start.seal, delta.as_object_mut()) {
                    let sealed = sealed_call(id, seal, self.reasoning_index);
                    self.reasoning_index += 1;
                    map.insert("reasoning_details".to_owned(), json!([sealed]));
                }
                self.delta(delta, None, out);
            }
            Event::ToolArguments { index, json } => {
                let call = match self.custom.contains(index) {
                    true => json!({"index": index, "custom": {"input": json}}),
                    false => json!({"index": index, "function": {"arguments": json}}),
                };
                self.delta(json!({ "tool_calls": [call] }), None, out);
            }
            Event::Citation(citation) => {
                self.delta(json!({ "annotations": [annotation(citation)] }), None, out);
            }
            Event::Image(url) => self.delta(json!({ "images": [image(url)] }), None, out),
            Event::Audio(fragment) => self.delta(json!({ "audio": fragment }), None, out),
            Event::Logprobs(logprobs) => self.delta(json!({}), Some(logprobs), out),
            Event::Finish { reason, native, .. } => self.finish = Some((*reason, native.clone())),
            Event::Id(_) | Event::Usage(_) => (),
        }
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.finish_chunk(out);
        let mut w = Json::with_capacity(512);
        self.head(&mut w);
        w.field_raw("choices", b"[]").field_raw("usage", &own_usage_with_cost(settlement));
        tail(settlement, &mut w);
        w.end_object();
        event(w, out);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        let mut w = Json::with_capacity(512);
        self.head(&mut w);
        w.field_raw("choices", br#"[{"index":0,"delta":{"content":""},"finish_reason":"error"}]"#);
        w.field_raw("usage", &own_usage_with_cost(settlement));
        tail(settlement, &mut w);
        w.field_raw("error", error.object.as_bytes()).end_object();
        event(w, out);
    }
}
