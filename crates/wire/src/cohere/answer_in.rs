//! A Cohere answer, whole or streamed, as events.

use types::Usage;

use crate::hub::{AnswerError, ChunkError, Citation, Event, Finish, StreamReader, ToolStart};
use crate::node::Node;
use crate::provider_error;

/// Reads a whole answer.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let node = Node::parse(body)?;
    let Some(message) = node.get("message").filter(|message| message.string().is_none()) else {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    };
    let mut reader = Reader::default();
    let mut events = Vec::new();
    events.extend(node.get_string("id").map(|id| Event::Id(id.into_owned())));
    let plan = message.get_string("tool_plan").filter(|text| !text.is_empty());
    events.extend(plan.map(|text| Event::Reasoning { text: text.into_owned(), summary: false }));
    for part in message.get("content").map(Node::elements).unwrap_or_default() {
        say(part, &mut events);
    }
    for citation in message.get("citations").map(Node::elements).unwrap_or_default() {
        cite(citation, &mut events);
    }
    for call in message.get("tool_calls").map(Node::elements).unwrap_or_default() {
        reader.call(call, &mut events);
        reader.end_call(&mut events);
    }
    reader.over(node, &mut events);
    Ok(events)
}

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    calls: u32,
    /// The open call has had arguments.
    told: bool,
    finished: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let node = Node::parse(data)?;
        let kind = node.get_string("type").unwrap_or_else(|| name.into());
        let message = node.get("delta").and_then(|delta| delta.get("message"));
        match &*kind {
            "message-start" => events.extend(node.get_string("id").map(|id| Event::Id(id.into_owned()))),
            "content-start" | "content-delta" => {
                if let Some(content) = message.and_then(|message| message.get("content")) {
                    say(content, events);
                }
            }
            "tool-plan-delta" => {
                let plan = message.and_then(|message| message.get_string("tool_plan"));
                let plan = plan.filter(|text| !text.is_empty());
                events.extend(plan.map(|text| Event::Reasoning { text: text.into_owned(), summary: false }));
            }
            // In streams this is one object, not a list.
            "tool-call-start" => {
                if let Some(call) = message.and_then(|message| message.get("tool_calls")) {
                    self.call(call, events);
                }
            }
            "tool-call-delta" => {
                let function = message.and_then(|m| m.get("tool_calls")?.get("function"));
                let more = function.and_then(|function| function.get_string("arguments"));
                self.arguments(more.as_deref().unwrap_or_default(), events);
            }
            "tool-call-end" => self.end_call(events),
            "citation-start" => {
                if let Some(citation) = message.and_then(|message| message.get("citations")) {
                    cite(citation, events);
                }
            }
            "message-end" => self.over(node.get("delta").unwrap_or(node), events),
            "error" => return Err(ChunkError::Provider(provider_error::read(200, data))),
            _ => (),
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.finished
    }

    fn is_done(&self) -> bool {
        self.finished
    }
}

impl Reader {
    fn call(&mut self, call: Node<'_>, events: &mut Vec<Event>) {
        let Some(function) = call.get("function") else { return };
        let index = self.calls;
        self.calls += 1;
        self.told = false;
        let id = call.get_string("id").unwrap_or_default().into_owned();
        let name = function.get_string("name").unwrap_or_default().into_owned();
        events.push(Event::ToolCall(ToolStart { index, id, name, custom: false, seal: None }));
        self.arguments(function.get_string("arguments").as_deref().unwrap_or_default(), events);
    }

    fn arguments(&mut self, more: &str, events: &mut Vec<Event>) {
        // A tool without arguments says `null`.
        if more.is_empty() || more == "null" || self.calls == 0 {
            return;
        }
        self.told = true;
        events.push(Event::ToolArguments { index: self.calls - 1, json: more.to_owned() });
    }

    fn end_call(&mut self, events: &mut Vec<Event>) {
        if self.calls > 0 && !std::mem::replace(&mut self.told, true) {
            events.push(Event::ToolArguments { index: self.calls - 1, json: String::from("{}") });
        }
    }

    fn over(&mut self, node: Node<'_>, events: &mut Vec<Event>) {
        self.finished = true;
        let native = node.get_string("finish_reason").unwrap_or_else(|| "COMPLETE".into()).into_owned();
        let reason = match native.as_str() {
            "MAX_TOKENS" | "ERROR_LIMIT" => Finish::Length,
            "TOOL_CALL" => Finish::ToolCalls,
            "ERROR_TOXIC" => Finish::ContentFilter,
            "ERROR" | "TIMEOUT" => Finish::Error,
            other => Finish::read(&other.to_ascii_lowercase()),
        };
        events.push(Event::Finish { reason, native, stop: None });
        events.extend(node.get("usage").and_then(read_usage).map(Event::Usage));
    }
}

fn say(part: Node<'_>, events: &mut Vec<Event>) {
    let text = |key: &str| part.get_string(key).filter(|text| !text.is_empty());
    if let Some(text) = text("thinking") {
        events.push(Event::Reasoning { text: text.into_owned(), summary: false });
    }
    events.extend(text("text").map(|text| Event::Text(text.into_owned())));
}

fn cite(node: Node<'_>, events: &mut Vec<Event>) {
    let number = |key: &str| node.get(key).and_then(Node::u64);
    let source = node.get("sources").map(Node::elements).unwrap_or_default().into_iter().next();
    let document = source.and_then(|source| source.get("document"));
    let text = |node: Option<Node<'_>>, key: &str| {
        node.and_then(|node| node.get_string(key)).unwrap_or_default().into_owned()
    };
    events.push(Event::Citation(Citation {
        url: text(document, "url"),
        title: text(document, "title"),
        quote: text(Some(node), "text"),
        span: number("start").zip(number("end")),
    }));
}

/// Reads the counts. What is billed (`billed_units`) counts, not what the template adds (`tokens`): that is what the prices are
/// for. What was cached is part of it.
pub fn read_usage(node: Node<'_>) -> Option<Usage> {
    let count = |within: &str, key: &str| {
        let number = node.get(within)?.get(key)?;
        number.u64().or_else(|| number.number()?.split('.').next()?.parse().ok())
    };
    let input = count("billed_units", "input_tokens").or_else(|| count("tokens", "input_tokens"));
    let output = count("billed_units", "output_tokens").or_else(|| count("tokens", "output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let input = input.unwrap_or(0);
    let cached = node.get("cached_tokens").and_then(Node::u64).unwrap_or(0).min(input);
    Some(Usage {
        input: input - cached,
        cache_read: cached,
        output: output.unwrap_or(0),
        requests: 1,
        searches: count("billed_units", "search_units").unwrap_or(0),
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Assembly;

    #[test]
    fn a_stream_and_a_whole_answer_say_the_same() {
        let frames = [
            r#"{"type":"message-start","id":"m1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
            r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#,
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}"#,
            r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":1}"}}}}}"#,
            r#"{"type":"tool-call-end","index":0}"#,
            r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"g_1","function":{"name":"g","arguments":"null"}}}}}"#,
            r#"{"type":"tool-call-end","index":1}"#,
            r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":7,"output_tokens":3.0},"tokens":{"input_tokens":69,"output_tokens":9},"cached_tokens":2}}}"#,
        ];
        let whole = r#"{"id":"m1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will","content":[{"type":"text","text":"Hi"}],"tool_calls":[{"id":"f_1","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"g_1","function":{"name":"g","arguments":"null"}}]},"usage":{"billed_units":{"input_tokens":7,"output_tokens":3},"cached_tokens":2}}"#;
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for data in frames {
            reader.frame("", data.as_bytes(), &mut events).unwrap();
        }
        let (streamed, plain) =
            (Assembly::of(&events), Assembly::of(&read_answer(whole.as_bytes()).unwrap()));
        assert_eq!(streamed.pieces, plain.pieces);
        assert_eq!((&streamed.finish, streamed.usage), (&plain.finish, plain.usage));
        let usage = streamed.usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (5, 2, 3));
        assert!(read_answer(br#"{"id":"x","message":"no such model"}"#).is_err());
    }
}
