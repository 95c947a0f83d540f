//! An answer of any provider as Anthropic's stream: blocks strictly one after another, one `message_delta` with all usage at
//! the end, `message_stop` only after success.

use serde_json::{Value, json};

use super::answer_out::{citation, stop_reason, tail};
use super::error::object;
use super::usage::write_usage;
use crate::hub::{CallError, Event, Finish, Ident, SealFormat, Settlement, StreamWriter, ToolStart};
use crate::writer::Writer as Json;

/// Writes the stream.
#[derive(Debug)]
pub struct Writer {
    ident: Ident,
    begun: bool,
    next_index: u64,
    open: Open,
    /// Calls that began while another was open: blocks can't interleave.
    waiting: Vec<Waiting>,
    finish: Option<(Finish, Option<String>)>,
}

/// The block that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    /// The call's own index.
    Call(u32),
}

#[derive(Debug)]
struct Waiting {
    start: ToolStart,
    arguments: String,
}

impl Writer {
    /// A writer that names its message after `ident`.
    pub fn new(ident: Ident) -> Writer {
        Writer { ident, begun: false, next_index: 0, open: Open::Nothing, waiting: Vec::new(), finish: None }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let mut w = Json::with_capacity(400);
        w.begin_object().field("type", "message_start").key("message").begin_object();
        w.field("id", &self.ident.id).field("type", "message").field("role", "assistant");
        w.field_raw("model", self.ident.model.as_bytes());
        w.field_raw("provider", self.ident.provider.as_bytes());
        w.field_raw("content", b"[]").field_raw("stop_reason", b"null").field_raw("stop_sequence", b"null");
        w.field_raw(
            "usage",
            br#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#,
        );
        w.end_object().end_object();
        send("message_start", &w.finish(), out);
    }

    fn start(&mut self, kind: Open, block: &Value, out: &mut Vec<u8>) {
        self.close(out);
        self.begin(out);
        self.open = kind;
        let event = json!({"type": "content_block_start", "index": self.next_index, "content_block": block});
        send("content_block_start", event.to_string().as_bytes(), out);
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        let event = json!({"type": "content_block_delta", "index": self.next_index, "delta": delta});
        send("content_block_delta", event.to_string().as_bytes(), out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open == Open::Nothing {
            return;
        }
        self.open = Open::Nothing;
        let event = json!({"type": "content_block_stop", "index": self.next_index});
        send("content_block_stop", event.to_string().as_bytes(), out);
        self.next_index += 1;
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.flush(out);
        if self.open != Open::Text {
            self.start(Open::Text, &json!({"type": "text", "text": ""}), out);
        }
        self.delta(&json!({"type": "text_delta", "text": text}), out);
    }

    fn call(&mut self, start: &ToolStart, out: &mut Vec<u8>) {
        let block = json!({"type": "tool_use", "id": start.id, "name": start.name, "input": {}});
        self.start(Open::Call(start.index), &block, out);
        self.delta(&json!({"type": "input_json_delta", "partial_json": ""}), out);
    }

    fn arguments(&mut self, index: u32, json: &str, out: &mut Vec<u8>) {
        if self.open == Open::Call(index) {
            self.delta(&json!({"type": "input_json_delta", "partial_json": json}), out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|w| w.start.index == index) {
            waiting.arguments.push_str(json);
        }
    }

    /// Calls that waited have their turn when something else comes.
    fn flush(&mut self, out: &mut Vec<u8>) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.call(&waiting.start, out);
            if !waiting.arguments.is_empty() {
                self.arguments(waiting.start.index, &waiting.arguments, out);
            }
        }
    }

    fn reasoning(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Reasoning { text, .. } => {
                if self.open != Open::Thinking {
                    let block = json!({"type": "thinking", "thinking": "", "signature": ""});
                    self.start(Open::Thinking, &block, out);
                }
                self.delta(&json!({"type": "thinking_delta", "thinking": text}), out);
            }
            Event::Sealed(seal) if seal.format == SealFormat::Anthropic && seal.signature => {
                if self.open != Open::Thinking {
                    let block = json!({"type": "thinking", "thinking": "", "signature": ""});
                    self.start(Open::Thinking, &block, out);
                }
                self.delta(&json!({"type": "signature_delta", "signature": seal.data}), out);
                self.close(out);
            }
            Event::Sealed(seal) if seal.format == SealFormat::Anthropic => {
                self.start(Open::Thinking, &json!({"type": "redacted_thinking", "data": seal.data}), out);
                self.close(out);
            }
            // Another family's seal: no client of this dialect could give it back.
            _ => (),
        }
    }
}

fn send(name: &str, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

/// What Anthropic sends while nothing is said.
pub(super) const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

impl StreamWriter for Writer {
    fn keep_alive(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PING);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Id(_) => (),
            Event::Text(text) | Event::Refusal(text) => self.text(text, out),
            Event::Reasoning { .. } | Event::Sealed(_) => {
                self.flush(out);
                self.reasoning(event, out);
            }
            Event::ToolCall(start) => match self.open {
                Open::Call(_) => {
                    self.waiting.push(Waiting { start: start.clone(), arguments: String::new() });
                }
                _ => self.call(start, out),
            },
            Event::ToolArguments { index, json } => self.arguments(*index, json, out),
            Event::Citation(found) => {
                self.flush(out);
                if self.open != Open::Text {
                    self.start(Open::Text, &json!({"type": "text", "text": ""}), out);
                }
                self.delta(&json!({"type": "citations_delta", "citation": citation(found)}), out);
            }
            Event::Image(url) if !url.starts_with("data:") => self.text(&format!("![image]({url})"), out),
            Event::Finish { reason, stop, .. } => self.finish = Some((*reason, stop.clone())),
            Event::Image(_) | Event::Audio(_) | Event::Logprobs(_) | Event::Usage(_) => (),
        }
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.begin(out);
        self.flush(out);
        self.close(out);
        let (reason, stop) = self.finish.take().unwrap_or((Finish::Stop, None));
        let mut w = Json::with_capacity(600);
        w.begin_object().field("type", "message_delta").key("delta").begin_object();
        w.field("stop_reason", stop_reason(reason, stop.as_deref())).field_json("stop_sequence", &stop);
        w.end_object().field_raw("usage", &write_usage(settlement));
        tail(settlement, &mut w);
        w.end_object();
        send("message_delta", &w.finish(), out);
        send("message_stop", br#"{"type":"message_stop"}"#, out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        let mut w = Json::with_capacity(600);
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
    use crate::hub::{Assembly, StreamReader};
    use crate::messages::{Reader, read_answer, write_answer};
    use crate::sse::{Decoder, Item};
    use types::{Money, Usage, UsageSource};

    fn settlement() -> Settlement {
        Settlement {
            usage: Usage { input: 9, cache_read: 2, output: 10, ..Usage::default() },
            source: UsageSource::Provider,
            cost: Money::from_nanos(7_350),
            input_cost: Money::from_nanos(1_350),
            output_cost: Money::from_nanos(6_000),
            own_key_cost: None,
            warnings: Vec::new(),
            metadata: None,
        }
    }

    fn ident() -> Ident {
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"Lab\"".into(), ..Ident::default() }
    }

    fn call(index: u32) -> Event {
        let (id, name) = (format!("c{index}"), String::from("f"));
        Event::ToolCall(ToolStart { index, id, name, custom: false, seal: None })
    }

    /// What our own reader makes of what we write is what was to be written, streamed and whole.
    #[test]
    fn interleaved_calls_become_blocks_one_after_another() {
        let arguments = |index, json: &str| Event::ToolArguments { index, json: json.into() };
        let events = [
            Event::Reasoning { text: "hm".into(), summary: false },
            Event::Text("a".into()),
            call(0),
            call(1),
            arguments(0, "{\"x\""),
            arguments(1, "{\"y\":2}"),
            arguments(0, ":1}"),
            Event::Finish { reason: Finish::ToolCalls, native: "x".into(), stop: None },
        ];
        let mut out = Vec::new();
        let mut writer = Writer::new(ident());
        events.iter().for_each(|event| writer.event(event, &mut out));
        writer.last(&settlement(), &mut out);
        let mut reader = Reader::default();
        let mut read = Vec::new();
        let mut names = Vec::new();
        let mut on = |item: Item<'_>| {
            if let Item::Event { name, data } = item {
                names.push(String::from_utf8_lossy(name).into_owned());
                reader.frame("", data, &mut read).unwrap();
            }
            std::ops::ControlFlow::Continue(())
        };
        Decoder::new(10_000).feed(&out, &mut on).unwrap();
        assert_eq!(names.first().map(String::as_str), Some("message_start"));
        assert_eq!(names.last().map(String::as_str), Some("message_stop"));
        let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
        assert_eq!((count("content_block_start"), count("content_block_stop")), (4, 4));
        let plain = read_answer(&write_answer(&events, &ident(), &settlement())).unwrap();
        let (streamed, plain) = (Assembly::of(&read), Assembly::of(&plain));
        let text = |whole: &Assembly| format!("{:?}", whole.pieces).replace("\\\"x\\\":1", "\\\"x\\\":1");
        assert_eq!(text(&streamed), text(&plain));
        assert_eq!(streamed.usage, plain.usage);
        assert_eq!(streamed.usage.unwrap().input_total(), 11);
    }

    #[test]
    fn a_failed_stream_has_no_stop() {
        let mut out = Vec::new();
        let error =
            CallError { status: 502, kind: "stream_broken", message: "x".into(), object: "{}".into() };
        Writer::new(ident()).fail(&error, &settlement(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("event: error\n") && text.contains("\"cost\":0.00000735"));
        assert!(!text.contains("message_stop"));
    }
}
