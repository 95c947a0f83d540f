//! An answer of any provider as the stream of Responses: every event numbered, items opened and closed, and the whole response
//! in the last event.

use serde_json::{Value, json};

use super::answer_out::{
    annotation, call, call_kind, image, item_id, message, namespaces, object, reasoning, status,
};
use crate::hub::{CallError, Citation, Event, Finish, Ident, Seal, Settlement, StreamWriter, ToolStart};

/// Writes the stream.
#[derive(Debug)]
pub struct Writer {
    ident: Ident,
    namespaces: Vec<String>,
    sequence: u64,
    begun: bool,
    items: Vec<Item>,
    finish: Finish,
}

/// An item under way or closed; its place is its `output_index`.
#[derive(Debug)]
struct Item {
    id: String,
    what: What,
    closed: Option<Value>,
}

#[derive(Debug)]
enum What {
    Text { text: String, citations: Vec<Citation>, logprobs: Vec<Value> },
    Refusal(String),
    Reasoning { text: String, summary: bool, seal: Option<Seal> },
    Call { start: ToolStart, arguments: String },
    Whole,
}

impl Writer {
    /// A writer that names its response after `ident`.
    pub fn new(ident: Ident) -> Writer {
        let namespaces = namespaces(&ident);
        Writer { ident, namespaces, sequence: 0, begun: false, items: Vec::new(), finish: Finish::Stop }
    }

    /// A writer for the end of a stream that was relayed so far; `sequence` is the number of its next event.
    pub(super) fn going_on(ident: Ident, sequence: u64) -> Writer {
        Writer { sequence, begun: sequence > 0, ..Writer::new(ident) }
    }

    fn send(&mut self, kind: &str, fields: Value, out: &mut Vec<u8>) {
        let mut event = fields;
        if let Some(map) = event.as_object_mut() {
            map.insert("type".to_owned(), kind.into());
            map.insert("sequence_number".to_owned(), self.sequence.into());
        }
        self.sequence += 1;
        frame(kind, event.to_string().as_bytes(), out);
    }

    /// An event that holds the response object.
    fn whole(&mut self, kind: &str, response: &[u8], out: &mut Vec<u8>) {
        let mut data =
            format!("{{\"type\":\"{kind}\",\"sequence_number\":{},\"response\":", self.sequence).into_bytes();
        self.sequence += 1;
        data.extend_from_slice(response);
        data.push(b'}');
        frame(kind, &data, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = object(&self.ident, &("in_progress", None), &[], None, None);
        self.whole("response.created", &response, out);
        self.whole("response.in_progress", &response, out);
    }

    /// Opens an item and answers its place.
    fn open(&mut self, kind: &str, what: What, out: &mut Vec<u8>) -> usize {
        self.begin(out);
        let at = self.items.len();
        let id = item_id(kind, &self.ident, at);
        let item = match &what {
            What::Text { .. } | What::Refusal(_) => {
                json!({"type": "message", "id": id, "status": "in_progress", "role": "assistant", "content": []})
            }
            What::Reasoning { .. } | What::Whole => {
                json!({"type": "reasoning", "id": id, "status": "in_progress", "summary": [], "content": [], "encrypted_content": null})
            }
            What::Call { start, .. } => {
                let mut item = call(&id, &start.id, &start.name, "", start.custom, &self.namespaces);
                if let Some(map) = item.as_object_mut() {
                    map.insert("status".to_owned(), "in_progress".into());
                    map.insert(if start.custom { "input" } else { "arguments" }.to_owned(), "".into());
                }
                item
            }
        };
        let part = match &what {
            What::Text { .. } => {
                Some(json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []}))
            }
            What::Refusal(_) => Some(json!({"type": "refusal", "refusal": ""})),
            _ => None,
        };
        let summary = matches!(&what, What::Reasoning { summary: true, .. });
        self.send("response.output_item.added", json!({"output_index": at, "item": item}), out);
        if let Some(part) = part {
            let fields = json!({"item_id": id, "output_index": at, "content_index": 0, "part": part});
            self.send("response.content_part.added", fields, out);
        }
        if summary {
            let part = json!({"type": "summary_text", "text": ""});
            let fields = json!({"item_id": id, "output_index": at, "summary_index": 0, "part": part});
            self.send("response.reasoning_summary_part.added", fields, out);
        }
        self.items.push(Item { id, what, closed: None });
        at
    }

    /// The place of the last item when it is open and of the wanted kind; else what is open closes.
    fn last_open(&mut self, wanted: fn(&What) -> bool, out: &mut Vec<u8>) -> Option<usize> {
        let at = self.items.len().checked_sub(1)?;
        let fits = self.items.get(at).is_some_and(|item| item.closed.is_none() && wanted(&item.what));
        if fits {
            return Some(at);
        }
        self.close_all(out);
        None
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        for at in 0..self.items.len() {
            if self.items.get(at).is_some_and(|item| item.closed.is_none()) {
                self.close(at, out);
            }
        }
    }

    fn close(&mut self, at: usize, out: &mut Vec<u8>) {
        let Some(item) = self.items.get_mut(at) else { return };
        let id = item.id.clone();
        let what = std::mem::replace(&mut item.what, What::Whole);
        let whole = match what {
            What::Text { text, citations, logprobs } => {
                let whole = message(&id, &text, &citations, Some(Value::Array(logprobs.clone())));
                let part = whole.pointer("/content/0").cloned().unwrap_or_default();
                let place =
                    |more: Value| with(json!({"item_id": id, "output_index": at, "content_index": 0}), more);
                self.send(
                    "response.output_text.done",
                    place(json!({"text": text, "logprobs": logprobs})),
                    out,
                );
                self.send("response.content_part.done", place(json!({ "part": part })), out);
                whole
            }
            What::Refusal(text) => {
                let part = json!({"type": "refusal", "refusal": text});
                let place =
                    |more: Value| with(json!({"item_id": id, "output_index": at, "content_index": 0}), more);
                self.send("response.refusal.done", place(json!({ "refusal": text })), out);
                self.send("response.content_part.done", place(json!({ "part": part })), out);
                json!({"type": "message", "id": id, "status": "completed", "role": "assistant", "content": [part]})
            }
            What::Reasoning { text, summary, seal } => {
                self.close_reasoning(&id, at, &text, summary, out);
                reasoning(&id, &text, summary, seal.as_ref(), "")
            }
            What::Call { start, arguments } => {
                let whole = call(&id, &start.id, &start.name, &arguments, start.custom, &self.namespaces);
                let place = json!({"item_id": id, "output_index": at});
                if start.custom {
                    let fields = with(place, json!({ "input": arguments }));
                    self.send("response.custom_tool_call_input.done", fields, out);
                } else {
                    let told = whole.get("arguments").cloned().unwrap_or_default();
                    let fields = with(place, json!({"arguments": told, "name": start.name}));
                    self.send("response.function_call_arguments.done", fields, out);
                }
                whole
            }
            What::Whole => return,
        };
        self.send("response.output_item.done", json!({"output_index": at, "item": whole}), out);
        if let Some(item) = self.items.get_mut(at) {
            item.closed = Some(whole);
        }
    }

    fn close_reasoning(&mut self, id: &str, at: usize, text: &str, summary: bool, out: &mut Vec<u8>) {
        if summary {
            let place = json!({"item_id": id, "output_index": at, "summary_index": 0});
            let part = json!({"type": "summary_text", "text": text});
            let done = with(place.clone(), json!({ "text": text }));
            self.send("response.reasoning_summary_text.done", done, out);
            self.send("response.reasoning_summary_part.done", with(place, json!({ "part": part })), out);
        } else if !text.is_empty() {
            let place = json!({"item_id": id, "output_index": at, "content_index": 0});
            self.send("response.reasoning_text.done", with(place, json!({ "text": text })), out);
        }
    }

    fn text(&mut self, more: &str, out: &mut Vec<u8>) {
        let open = self.last_open(|what| matches!(what, What::Text { .. }), out);
        let at = match open {
            Some(at) => at,
            None => {
                let what = What::Text { text: String::new(), citations: Vec::new(), logprobs: Vec::new() };
                self.open("msg", what, out)
            }
        };
        if let Some(Item { what: What::Text { text, .. }, .. }) = self.items.get_mut(at) {
            text.push_str(more);
        }
        let id = self.items.get(at).map(|item| item.id.clone());
        let fields =
            json!({"item_id": id, "output_index": at, "content_index": 0, "delta": more, "logprobs": []});
        self.send("response.output_text.delta", fields, out);
    }

    fn refusal(&mut self, more: &str, out: &mut Vec<u8>) {
        let open = self.last_open(|what| matches!(what, What::Refusal(_)), out);
        let at = open.unwrap_or_else(|| self.open("msg", What::Refusal(String::new()), out));
        if let Some(Item { what: What::Refusal(text), .. }) = self.items.get_mut(at) {
            text.push_str(more);
        }
        let id = self.items.get(at).map(|item| item.id.clone());
        let fields = json!({"item_id": id, "output_index": at, "content_index": 0, "delta": more});
        self.send("response.refusal.delta", fields, out);
    }

    fn reasoning(&mut self, more: &str, summary: bool, out: &mut Vec<u8>) {
        let open = match summary {
            true => self.last_open(|w| matches!(w, What::Reasoning { summary: true, .. }), out),
            false => self.last_open(|w| matches!(w, What::Reasoning { summary: false, .. }), out),
        };
        let what = What::Reasoning { text: String::new(), summary, seal: None };
        let at = open.unwrap_or_else(|| self.open("rs", what, out));
        if let Some(Item { what: What::Reasoning { text, .. }, .. }) = self.items.get_mut(at) {
            text.push_str(more);
        }
        let id = self.items.get(at).map(|item| item.id.clone());
        let (kind, index) = match summary {
            true => ("response.reasoning_summary_text.delta", "summary_index"),
            false => ("response.reasoning_text.delta", "content_index"),
        };
        self.send(kind, json!({"item_id": id, "output_index": at, index: 0, "delta": more}), out);
    }

    fn sealed(&mut self, new: &Seal, out: &mut Vec<u8>) {
        let open = self.last_open(|what| matches!(what, What::Reasoning { seal: None, .. }), out);
        let what = What::Reasoning { text: String::new(), summary: false, seal: None };
        let at = open.unwrap_or_else(|| self.open("rs", what, out));
        if let Some(Item { what: What::Reasoning { seal, .. }, .. }) = self.items.get_mut(at) {
            *seal = Some(new.clone());
        }
        self.close(at, out);
    }

    fn call(&mut self, start: &ToolStart, out: &mut Vec<u8>) {
        // Calls may be open side by side; anything else closes first.
        self.last_open(|what| matches!(what, What::Call { .. }), out);
        if let Some(seal) = &start.seal {
            self.close_all(out);
            self.begin(out);
            let at = self.items.len();
            let id = item_id("rs", &self.ident, at);
            let whole = reasoning(&id, "", false, Some(seal), &start.id);
            self.send("response.output_item.added", json!({"output_index": at, "item": whole}), out);
            self.send("response.output_item.done", json!({"output_index": at, "item": whole}), out);
            self.items.push(Item { id, what: What::Whole, closed: Some(whole) });
        }
        let what = What::Call { start: start.clone(), arguments: String::new() };
        self.open(call_kind(start.custom), what, out);
    }

    fn arguments(&mut self, index: u32, more: &str, out: &mut Vec<u8>) {
        let found = self.items.iter_mut().enumerate().rev().find_map(|(at, item)| match &mut item.what {
            What::Call { start, arguments } if start.index == index => {
                arguments.push_str(more);
                Some((at, item.id.clone(), start.custom))
            }
            _ => None,
        });
        let Some((at, id, custom)) = found else { return };
        let kind = match custom {
            true => "response.custom_tool_call_input.delta",
            false => "response.function_call_arguments.delta",
        };
        self.send(kind, json!({"item_id": id, "output_index": at, "delta": more}), out);
    }

    fn citation(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let Some(at) = self.items.len().checked_sub(1) else { return };
        let Some(Item { id, what: What::Text { citations, .. }, .. }) = self.items.get_mut(at) else {
            return;
        };
        let nth = citations.len();
        citations.push(citation.clone());
        let fields = json!({
            "item_id": id, "output_index": at, "content_index": 0, "annotation_index": nth,
            "annotation": annotation(citation),
        });
        self.send("response.output_text.annotation.added", fields, out);
    }

    fn output(&self) -> Vec<Value> {
        self.items.iter().filter_map(|item| item.closed.clone()).collect()
    }
}

fn with(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

fn frame(kind: &str, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Id(_) | Event::Usage(_) | Event::Audio(_) => (),
            Event::Text(text) => self.text(text, out),
            Event::Refusal(text) => self.refusal(text, out),
            Event::Reasoning { text, summary } => self.reasoning(text, *summary, out),
            Event::Sealed(seal) => self.sealed(seal, out),
            Event::ToolCall(start) => self.call(start, out),
            Event::ToolArguments { index, json } => self.arguments(*index, json, out),
            Event::Citation(found) => self.citation(found, out),
            Event::Image(url) => {
                self.close_all(out);
                self.begin(out);
                let at = self.items.len();
                let id = item_id("ig", &self.ident, at);
                let Some(whole) = image(&id, url) else { return };
                self.send("response.output_item.added", json!({"output_index": at, "item": whole}), out);
                self.send("response.output_item.done", json!({"output_index": at, "item": whole}), out);
                self.items.push(Item { id, what: What::Whole, closed: Some(whole) });
            }
            Event::Logprobs(more) => {
                let list = more.get("content").and_then(Value::as_array).cloned().unwrap_or_default();
                if let Some(Item { what: What::Text { logprobs, .. }, .. }) = self.items.last_mut() {
                    logprobs.extend(list);
                }
            }
            Event::Finish { reason, .. } => self.finish = *reason,
        }
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.begin(out);
        self.close_all(out);
        let status = status(self.finish);
        let kind = match status.0 {
            "incomplete" => "response.incomplete",
            "failed" => "response.failed",
            _ => "response.completed",
        };
        let response = object(&self.ident, &status, &self.output(), None, Some(settlement));
        self.whole(kind, &response, out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        self.begin(out);
        let told = json!({"code": error.kind, "message": error.message});
        let items = self.output();
        let response = object(&self.ident, &("failed", None), &items, Some(&told), Some(settlement));
        self.whole("response.failed", &response, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Assembly, SealFormat, StreamReader};
    use crate::responses::{Reader, read_answer, write_answer};
    use crate::sse::{Decoder, Item as Sse};
    use types::{Money, Usage, UsageSource};

    fn settlement() -> Settlement {
        Settlement {
            usage: Usage { input: 9, cache_read: 2, output: 10, reasoning: 3, ..Usage::default() },
            source: UsageSource::Provider,
            cost: Money::from_nanos(7),
            input_cost: Money::from_nanos(3),
            output_cost: Money::from_nanos(4),
            own_key_cost: None,
            warnings: Vec::new(),
            metadata: None,
        }
    }

    #[test]
    fn every_event_is_numbered_and_the_last_holds_the_whole() {
        let start = |index, name: &str| {
            let (id, name) = (format!("call_{index}"), name.to_owned());
            Event::ToolCall(ToolStart { index, id, name, custom: false, seal: None })
        };
        let arguments = |index, json: &str| Event::ToolArguments { index, json: json.into() };
        let seal = Seal { format: SealFormat::Responses, data: "E".into(), signature: false, id: None };
        let events = [
            Event::Reasoning { text: "hm".into(), summary: true },
            Event::Sealed(seal),
            Event::Text("He".into()),
            Event::Text("llo".into()),
            Event::Citation(Citation { url: "https://x".into(), ..Citation::default() }),
            start(0, "f"),
            start(1, "ns__g"),
            arguments(1, "{\"b\":2}"),
            arguments(0, "{\"a\":1}"),
            Event::Finish { reason: Finish::ToolCalls, native: "tool_calls".into(), stop: None },
        ];
        let echo = "\"tools\":[{\"type\":\"namespace\",\"name\":\"ns\"}]";
        let ident = Ident {
            id: "gen-1".into(),
            model: "\"a/b\"".into(),
            provider: "\"P\"".into(),
            echo: Some(echo.into()),
            ..Ident::default()
        };
        let mut writer = Writer::new(ident.clone());
        let mut out = Vec::new();
        events.iter().for_each(|event| writer.event(event, &mut out));
        writer.last(&settlement(), &mut out);
        let (mut reader, mut read, mut numbers, mut last) = (Reader::default(), Vec::new(), 0, Value::Null);
        let mut on = |item: Sse<'_>| {
            if let Sse::Event { name, data } = item {
                let event: Value = serde_json::from_slice(data).unwrap();
                assert_eq!(event["sequence_number"], numbers);
                assert_eq!(event["type"], String::from_utf8_lossy(name).as_ref());
                numbers += 1;
                reader.frame("", data, &mut read).unwrap();
                last = event;
            }
            std::ops::ControlFlow::Continue(())
        };
        Decoder::new(100_000).feed(&out, &mut on).unwrap();
        assert_eq!(last["type"], "response.completed");
        let whole: Value = serde_json::from_slice(&write_answer(&events, &ident, &settlement())).unwrap();
        assert_eq!(last["response"]["output"], whole["output"]);
        assert_eq!(whole["output"][3]["namespace"], "ns");
        assert_eq!(whole["usage"]["output_tokens_details"]["reasoning_tokens"], 3);
        assert_eq!((&whole["output_text"], &whole["status"]), (&"Hello".into(), &"completed".into()));
        let plain = Assembly::of(&read_answer(whole.to_string().as_bytes()).unwrap());
        let streamed = Assembly::of(&read);
        assert_eq!(streamed.pieces, plain.pieces);
        assert_eq!((streamed.finish, streamed.usage), (plain.finish, plain.usage));
        assert_eq!(streamed.usage.unwrap().input_total(), 11);
    }

    #[test]
    fn a_failed_stream_is_not_completed() {
        let mut out = Vec::new();
        let error =
            CallError { status: 502, kind: "stream_broken", message: "x".into(), object: "{}".into() };
        Writer::new(Ident::default()).fail(&error, &settlement(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("event: response.failed\n") && !text.contains("response.completed"));
    }
}
