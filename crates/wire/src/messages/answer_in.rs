//! A provider's answer in Anthropic's dialect, whole or streamed, as events.

use super::usage::Told;
use crate::hub::{
    AnswerError, ChunkError, Citation, Event, Finish, Seal, SealFormat, StreamReader, ToolStart,
};
use crate::node::Node;
use crate::provider_error;

/// Reads a whole answer.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let node = Node::parse(body)?;
    if node.get("error").is_some() {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let content = node.get("content").ok_or(AnswerError::Empty)?;
    let mut reader = Reader::default();
    let mut events = Vec::new();
    events.extend(node.get_string("id").map(|id| Event::Id(id.into_owned())));
    for (at, block) in content.elements().into_iter().enumerate() {
        reader.start(at as u64, block, &mut events);
        reader.rest_of(block, at as u64, &mut events);
        reader.stop(at as u64, &mut events);
    }
    reader.told.take(node.get("usage").unwrap_or(node));
    reader.stopped(node, &mut events);
    events.extend(reader.told.usage().map(Event::Usage));
    Ok(events)
}

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    blocks: Vec<Open>,
    calls: u32,
    told: Told,
    begun: bool,
    finished: bool,
    done: bool,
}

/// A block under way.
#[derive(Debug)]
struct Open {
    index: u64,
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Text,
    Thinking,
    /// Its call, and whether arguments came.
    Call(u32, bool),
    /// Of a tool that the provider runs, or unknown: not told.
    Other,
}

impl StreamReader for Reader {
    fn frame(&mut self, name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        let node = Node::parse(data)?;
        let kind = node.get_string("type");
        let index = node.get("index").and_then(Node::u64).unwrap_or(0);
        match kind.as_deref().unwrap_or(name) {
            "error" => return Err(ChunkError::Provider(provider_error::read(200, data))),
            "message_start" => {
                let message = node.get("message").unwrap_or(node);
                self.told.take(message.get("usage").unwrap_or(message));
                // A broken relay tells it twice.
                if !std::mem::replace(&mut self.begun, true) {
                    events.extend(message.get_string("id").map(|id| Event::Id(id.into_owned())));
                }
            }
            "content_block_start" => {
                if let Some(block) = node.get("content_block") {
                    self.start(index, block, events);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = node.get("delta") {
                    self.delta(index, delta, events);
                }
            }
            "content_block_stop" => self.stop(index, events),
            "message_delta" => {
                if let Some(usage) = node.get("usage") {
                    self.told.take(usage);
                }
                self.stopped(node.get("delta").unwrap_or(node), events);
                events.extend(self.told.usage().map(Event::Usage));
            }
            "message_stop" => self.done = true,
            _ => (),
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        if !self.finished {
            events.extend(self.told.usage().map(Event::Usage));
        }
    }

    fn is_complete(&self) -> bool {
        self.done || self.finished
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Reader {
    fn start(&mut self, index: u64, block: Node<'_>, events: &mut Vec<Event>) {
        let text = |key: &str| block.get_string(key).filter(|text| !text.is_empty());
        let kind = match block.get_string("type").as_deref() {
            Some("text") => {
                events.extend(text("text").map(|text| Event::Text(text.into_owned())));
                Kind::Text
            }
            Some("thinking") => {
                events.extend(
                    text("thinking").map(|t| Event::Reasoning { text: t.into_owned(), summary: false }),
                );
                events.extend(text("signature").map(|data| sealed(&data, true)));
                Kind::Thinking
            }
            Some("redacted_thinking") => {
                events.extend(text("data").map(|data| sealed(&data, false)));
                Kind::Thinking
            }
            Some("tool_use") => {
                let call = self.calls;
                self.calls += 1;
                events.push(Event::ToolCall(ToolStart {
                    index: call,
                    id: block.get_string("id").unwrap_or_default().into_owned(),
                    name: block.get_string("name").unwrap_or_default().into_owned(),
                    custom: false,
                    seal: None,
                }));
                Kind::Call(call, false)
            }
            Some("web_search_tool_result") => {
                for found in block.get("content").map(Node::elements).unwrap_or_default() {
                    events.extend(source(found).map(Event::Citation));
                }
                Kind::Other
            }
            _ => Kind::Other,
        };
        self.blocks.retain(|open| open.index != index);
        self.blocks.push(Open { index, kind });
    }

    /// What a whole block holds beside its start: the input of a call, the citations of a text.
    fn rest_of(&mut self, block: Node<'_>, index: u64, events: &mut Vec<Event>) {
        if let Some(input) = block.get("input")
            && let Some(Open { kind: Kind::Call(call, told), .. }) = self.open(index)
        {
            *told = true;
            let json = input.string().map_or_else(
                || String::from_utf8_lossy(input.raw()).into_owned(),
                std::borrow::Cow::into_owned,
            );
            let index = *call;
            events.push(Event::ToolArguments { index, json });
        }
        for citation in block.get("citations").map(Node::elements).unwrap_or_default() {
            events.extend(source(citation).map(Event::Citation));
        }
    }

    fn open(&mut self, index: u64) -> Option<&mut Open> {
        self.blocks.iter_mut().find(|open| open.index == index)
    }

    fn delta(&mut self, index: u64, delta: Node<'_>, events: &mut Vec<Event>) {
        let text = |key: &str| delta.get_string(key).filter(|text| !text.is_empty());
        match delta.get_string("type").as_deref() {
            Some("text_delta") => events.extend(text("text").map(|t| Event::Text(t.into_owned()))),
            Some("thinking_delta") => events
                .extend(text("thinking").map(|t| Event::Reasoning { text: t.into_owned(), summary: false })),
            Some("signature_delta") => events.extend(text("signature").map(|data| sealed(&data, true))),
            Some("citations_delta") => {
                events.extend(delta.get("citation").and_then(source).map(Event::Citation));
            }
            Some("input_json_delta") => {
                if let (Some(json), Some(Open { kind: Kind::Call(call, told), .. })) =
                    (text("partial_json"), self.open(index))
                {
                    *told = true;
                    events.push(Event::ToolArguments { index: *call, json: json.into_owned() });
                }
            }
            _ => (),
        }
    }

    fn stop(&mut self, index: u64, events: &mut Vec<Event>) {
        if let Some(Open { kind: Kind::Call(call, false), .. }) = self.open(index) {
            // A tool without arguments has no delta that says anything.
            events.push(Event::ToolArguments { index: *call, json: String::from("{}") });
        }
        self.blocks.retain(|open| open.index != index);
    }

    fn stopped(&mut self, node: Node<'_>, events: &mut Vec<Event>) {
        let Some(native) = node.get_string("stop_reason") else { return };
        self.finished = true;
        let reason = match &*native {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::ToolCalls,
            "refusal" => Finish::ContentFilter,
            other => Finish::read(other),
        };
        let stop = node.get_string("stop_sequence").map(std::borrow::Cow::into_owned);
        events.push(Event::Finish { reason, native: native.into_owned(), stop });
    }
}

fn sealed(data: &str, signature: bool) -> Event {
    let (format, data) = (SealFormat::Anthropic, data.to_owned());
    Event::Sealed(Seal { format, data, signature, id: None })
}

fn source(node: Node<'_>) -> Option<Citation> {
    let text = |key: &str| node.get_string(key).unwrap_or_default().into_owned();
    let title = node.get_string("title").or_else(|| node.get_string("document_title")).unwrap_or_default();
    let citation =
        Citation { url: text("url"), title: title.into_owned(), quote: text("cited_text"), span: None };
    (citation != Citation::default()).then_some(citation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Assembly, Piece};

    const STREAM: [&str; 14] = [
        r#"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":9,"cache_read_input_tokens":2,"output_tokens":1}}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    const WHOLE: &str = r#"{"id":"msg_1","type":"message","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"Hi","citations":null},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":9,"cache_read_input_tokens":2,"output_tokens":20}}"#;

    #[test]
    fn a_stream_and_a_whole_answer_say_the_same() {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for frame in STREAM {
            reader.frame("", frame.as_bytes(), &mut events).unwrap();
        }
        assert!(reader.is_done() && reader.is_complete());
        let (streamed, plain) =
            (Assembly::of(&events), Assembly::of(&read_answer(WHOLE.as_bytes()).unwrap()));
        assert_eq!(streamed.pieces, plain.pieces);
        assert_eq!((&streamed.finish, streamed.usage), (&plain.finish, plain.usage));
        assert!(matches!(&streamed.pieces[2], Piece::ToolCall { arguments, .. } if arguments == "{}"));
        assert_eq!(streamed.usage.unwrap().input_total(), 11);
        assert_eq!(streamed.finish.unwrap().0, Finish::ToolCalls);
    }

    #[test]
    fn an_error_in_the_stream_is_an_error() {
        let error = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let got = Reader::default().frame("error", error, &mut Vec::new());
        assert!(matches!(got, Err(ChunkError::Provider(e)) if e.message == "Overloaded"));
        assert!(read_answer(error).is_err() && read_answer(b"{}").is_err());
    }
}
