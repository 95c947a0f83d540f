//! A Converse answer, whole or streamed, as events.

use types::Usage;

use crate::hub::{AnswerError, ChunkError, Event, Finish, Seal, SealFormat, StreamReader, ToolStart};
use crate::node::Node;
use crate::provider_error;

/// Reads a whole answer.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let node = Node::parse(body)?;
    let content = node.get("output").and_then(|output| output.get("message")?.get("content"));
    let Some(content) = content else {
        if node.get("message").is_some() || node.get("__type").is_some() {
            return Err(AnswerError::Provider(provider_error::read(200, body)));
        }
        return Err(AnswerError::Empty);
    };
    let mut events = Vec::new();
    let mut calls = 0;
    for block in content.elements() {
        if let Some(text) = block.get_string("text").filter(|text| !text.is_empty()) {
            events.push(Event::Text(text.into_owned()));
        } else if let Some(call) = block.get("toolUse") {
            let text = |key: &str| call.get_string(key).unwrap_or_default().into_owned();
            let (index, id, name) = (calls, text("toolUseId"), text("name"));
            events.push(Event::ToolCall(ToolStart { index, id, name, custom: false, seal: None }));
            let input =
                call.get("input").map_or_else(|| String::from("{}"), |input| input.value().to_string());
            events.push(Event::ToolArguments { index: calls, json: input });
            calls += 1;
        } else if let Some(reasoning) = block.get("reasoningContent") {
            read_reasoning(reasoning.get("reasoningText").unwrap_or(reasoning), &mut events);
        }
    }
    events.extend(node.get_string("stopReason").map(|native| finish(&native)));
    events.extend(node.get("usage").and_then(read_usage).map(Event::Usage));
    Ok(events)
}

/// Reads a stream. A frame's name is its event type; of an exception `exception:<type>`.
#[derive(Debug, Default)]
pub struct Reader {
    /// Blocks that are calls: their index and whether arguments came.
    calls: Vec<(u64, bool)>,
    stopped: bool,
    done: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        if let Some(kind) = name.strip_prefix("exception:") {
            return Err(ChunkError::Provider(provider_error::exception(kind, data)));
        }
        let node = Node::parse(data)?;
        let index = node.get("contentBlockIndex").and_then(Node::u64).unwrap_or(0);
        match name {
            "contentBlockStart" => {
                if let Some(call) = node.get("start").and_then(|start| start.get("toolUse")) {
                    let text = |key: &str| call.get_string(key).unwrap_or_default().into_owned();
                    let at = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
                    self.calls.push((index, false));
                    let (id, name) = (text("toolUseId"), text("name"));
                    events.push(Event::ToolCall(ToolStart {
                        index: at,
                        id,
                        name,
                        custom: false,
                        seal: None,
                    }));
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = node.get("delta") {
                    self.delta(index, delta, events);
                }
            }
            "contentBlockStop" => {
                if let Some(at) = self.call_at(index)
                    && let Some((_, told @ false)) = self.calls.get_mut(at)
                {
                    *told = true;
                    let index = u32::try_from(at).unwrap_or(u32::MAX);
                    events.push(Event::ToolArguments { index, json: String::from("{}") });
                }
            }
            "messageStop" => {
                self.stopped = true;
                events.extend(node.get_string("stopReason").map(|native| finish(&native)));
            }
            // Comes after the stop, and ends the stream.
            "metadata" => {
                self.done = true;
                events.extend(node.get("usage").and_then(read_usage).map(Event::Usage));
            }
            _ => (),
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.stopped
    }

    fn is_done(&self) -> bool {
        self.stopped && self.done
    }
}

impl Reader {
    fn call_at(&self, index: u64) -> Option<usize> {
        self.calls.iter().position(|(at, _)| *at == index)
    }

    fn delta(&mut self, index: u64, delta: Node<'_>, events: &mut Vec<Event>) {
        if let Some(text) = delta.get_string("text").filter(|text| !text.is_empty()) {
            events.push(Event::Text(text.into_owned()));
        }
        if let Some(input) = delta.get("toolUse").and_then(|call| call.get_string("input"))
            && let Some(at) = self.call_at(index)
            && !input.is_empty()
        {
            if let Some((_, told)) = self.calls.get_mut(at) {
                *told = true;
            }
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            events.push(Event::ToolArguments { index, json: input.into_owned() });
        }
        if let Some(reasoning) = delta.get("reasoningContent") {
            read_reasoning(reasoning, events);
        }
    }
}

/// Reasoning of Claude's, hosted here: its seals are Anthropic's.
fn read_reasoning(node: Node<'_>, events: &mut Vec<Event>) {
    let text = |key: &str| node.get_string(key).filter(|text| !text.is_empty());
    let seal = |data: std::borrow::Cow<'_, str>, signature: bool| {
        let (format, data) = (SealFormat::Anthropic, data.into_owned());
        Event::Sealed(Seal { format, data, signature, id: None })
    };
    if let Some(text) = text("text") {
        events.push(Event::Reasoning { text: text.into_owned(), summary: false });
    }
    events.extend(text("signature").map(|data| seal(data, true)));
    events.extend(text("redactedContent").map(|data| seal(data, false)));
}

fn finish(native: &str) -> Event {
    let reason = match native {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => Finish::Error,
        other => Finish::read(other),
    };
    Event::Finish { reason, native: native.to_owned(), stop: None }
}

/// Reads the counts: what was cached stands outside `inputTokens`.
pub fn read_usage(node: Node<'_>) -> Option<Usage> {
    let count = |key: &str| node.get(key).and_then(Node::u64);
    let (input, output) = (count("inputTokens"), count("outputTokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let written = count("cacheWriteInputTokens").or_else(|| count("cacheWriteInputTokenCount")).unwrap_or(0);
    let hour: u64 = node
        .get("cacheDetails")
        .map(Node::elements)
        .unwrap_or_default()
        .into_iter()
        .filter(|detail| detail.get_string("ttl").as_deref() == Some("1h"))
        .filter_map(|detail| detail.get("inputTokens").and_then(Node::u64))
        .fold(0, u64::saturating_add);
    let hour = hour.min(written);
    Some(Usage {
        input: input.unwrap_or(0),
        cache_read: count("cacheReadInputTokens").or_else(|| count("cacheReadInputTokenCount")).unwrap_or(0),
        cache_write: written - hour,
        cache_write_1h: hour,
        output: output.unwrap_or(0),
        requests: 1,
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Assembly;
    use crate::provider_error::Class;

    #[test]
    fn a_stream_and_a_whole_answer_say_the_same() {
        let frames = [
            ("messageStart", r#"{"role":"assistant","p":"abc"}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"sig"}}}"#,
            ),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"Hi"},"p":"x"}"#),
            (
                "contentBlockStart",
                r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#,
            ),
            ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":"}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
            ("messageStop", r#"{"stopReason":"tool_use"}"#),
            (
                "metadata",
                r#"{"usage":{"inputTokens":5,"outputTokens":6,"cacheReadInputTokens":7,"totalTokens":18}}"#,
            ),
        ];
        let whole = r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"text":"Hi"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":5,"outputTokens":6,"cacheReadInputTokens":7,"totalTokens":18}}"#;
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for (name, data) in frames {
            assert!(!reader.is_done());
            reader.frame(name, data.as_bytes(), &mut events).unwrap();
        }
        assert!(reader.is_done());
        let (streamed, plain) =
            (Assembly::of(&events), Assembly::of(&read_answer(whole.as_bytes()).unwrap()));
        assert_eq!(streamed.pieces, plain.pieces);
        assert_eq!((&streamed.finish, streamed.usage), (&plain.finish, plain.usage));
        assert_eq!(streamed.usage.map(|u| u.input_total() + u.output_total()), Some(18));
        let error = reader.frame("exception:throttlingException", br#"{"message":"slow"}"#, &mut events);
        assert!(
            matches!(error, Err(ChunkError::Provider(e)) if e.class == Class::RateLimit && e.status == 429)
        );
        assert!(read_answer(br#"{"message":"no"}"#).is_err());
    }
}
