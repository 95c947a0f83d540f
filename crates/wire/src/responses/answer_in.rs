//! A provider's response, whole or streamed, as events.

use super::relay::has_failed;
use super::usage::read_usage;
use crate::hub::{
    AnswerError, ChunkError, Citation, Event, Finish, Seal, SealFormat, StreamReader, ToolStart,
};
use crate::node::Node;
use crate::provider_error;

/// Reads a whole response.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let node = Node::parse(body)?;
    if node.get("error").is_some() || node.get_string("status").as_deref() == Some("failed") {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let output = node.get("output").ok_or(AnswerError::Empty)?;
    let mut reader = Reader::default();
    let mut events = Vec::new();
    events.extend(node.get_string("id").map(|id| Event::Id(id.into_owned())));
    for (at, item) in output.elements().into_iter().enumerate() {
        reader.item(at as u64, item, &mut events);
    }
    reader.over(node, &mut events);
    Ok(events)
}

/// Reads a stream. Deltas are taken as they come; of items that had none, the whole is taken when it is done.
#[derive(Debug, Default)]
pub struct Reader {
    id_told: bool,
    /// Items that deltas spoke of, by `output_index`.
    told: Vec<u64>,
    /// `output_index` of each call, in order.
    calls: Vec<u64>,
    finished: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        let node = Node::parse(data)?;
        let kind = node.get_string("type");
        let kind = kind.as_deref().unwrap_or(name);
        let index = node.get("output_index").and_then(Node::u64).unwrap_or(0);
        let delta = || node.get_string("delta").filter(|text| !text.is_empty()).map(|text| text.into_owned());
        match kind {
            kind if matches!(kind, "error" | "response.failed") || has_failed(node) => {
                let inner = node.get("response").unwrap_or(node);
                return Err(ChunkError::Provider(provider_error::read(200, inner.raw())));
            }
            "response.created" => {
                let id = node.get("response").and_then(|response| response.get_string("id"));
                if let Some(id) = id.filter(|_| !std::mem::replace(&mut self.id_told, true)) {
                    events.push(Event::Id(id.into_owned()));
                }
            }
            "response.output_item.added" => {
                if let Some(item) = node.get("item") {
                    self.begin_call(index, item, events);
                }
            }
            "response.output_text.delta" => self.say(index, delta().map(Event::Text), events),
            "response.refusal.delta" => self.say(index, delta().map(Event::Refusal), events),
            "response.reasoning_text.delta" => {
                let event = delta().map(|text| Event::Reasoning { text, summary: false });
                self.say(index, event, events);
            }
            "response.reasoning_summary_text.delta" => {
                let event = delta().map(|text| Event::Reasoning { text, summary: true });
                self.say(index, event, events);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                let call = self.call_at(index);
                let event = delta().zip(call).map(|(json, index)| Event::ToolArguments { index, json });
                self.say(index, event, events);
            }
            "response.output_text.annotation.added" => {
                let found = node.get("annotation").and_then(citation).map(Event::Citation);
                self.say(index, found, events);
            }
            "response.output_item.done" => {
                if let Some(item) = node.get("item") {
                    self.done(index, item, events);
                }
            }
            "response.completed" | "response.incomplete" => {
                self.over(node.get("response").unwrap_or(node), events);
            }
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
    fn say(&mut self, index: u64, event: Option<Event>, events: &mut Vec<Event>) {
        let Some(event) = event else { return };
        if !self.told.contains(&index) {
            self.told.push(index);
        }
        events.push(event);
    }

    fn call_at(&self, index: u64) -> Option<u32> {
        self.calls.iter().position(|at| *at == index).and_then(|at| u32::try_from(at).ok())
    }

    fn begin_call(&mut self, index: u64, item: Node<'_>, events: &mut Vec<Event>) {
        let kind = item.get_string("type");
        let custom = kind.as_deref() == Some("custom_tool_call");
        if !(custom || kind.as_deref() == Some("function_call")) || self.calls.contains(&index) {
            return;
        }
        let text = |key: &str| item.get_string(key).unwrap_or_default().into_owned();
        let name = match item.get_string("namespace").filter(|ns| !ns.is_empty()) {
            Some(namespace) => format!("{namespace}__{}", text("name")),
            None => text("name"),
        };
        let at = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.push(index);
        events.push(Event::ToolCall(ToolStart { index: at, id: text("call_id"), name, custom, seal: None }));
    }

    /// An item is whole: what its deltas did not say.
    fn done(&mut self, index: u64, item: Node<'_>, events: &mut Vec<Event>) {
        if !self.told.contains(&index) {
            return self.item(index, item, events);
        }
        if item.get_string("type").as_deref() == Some("reasoning") {
            events.extend(sealed(item).map(Event::Sealed));
        }
    }

    /// All of an item.
    fn item(&mut self, index: u64, item: Node<'_>, events: &mut Vec<Event>) {
        let text = |key: &str| item.get_string(key).filter(|text| !text.is_empty());
        match item.get_string("type").as_deref() {
            Some("message") => {
                for part in item.get("content").map(Node::elements).unwrap_or_default() {
                    content(part, events);
                }
            }
            Some("reasoning") => {
                for (key, summary) in [("content", false), ("summary", true)] {
                    for part in item.get(key).map(Node::elements).unwrap_or_default() {
                        let text = part.get_string("text").filter(|text| !text.is_empty());
                        events.extend(text.map(|text| Event::Reasoning { text: text.into_owned(), summary }));
                    }
                }
                events.extend(sealed(item).map(Event::Sealed));
            }
            Some("function_call" | "custom_tool_call") => {
                self.begin_call(index, item, events);
                let json = text("arguments").or_else(|| text("input")).map(std::borrow::Cow::into_owned);
                let call = self.call_at(index);
                events.extend(json.zip(call).map(|(json, index)| Event::ToolArguments { index, json }));
            }
            Some("image_generation_call") => {
                let url = text("result").map(|data| format!("data:image/png;base64,{data}"));
                events.extend(url.map(Event::Image));
            }
            _ => (),
        }
    }

    fn over(&mut self, response: Node<'_>, events: &mut Vec<Event>) {
        self.finished = true;
        let why = response.get("incomplete_details").and_then(|details| details.get_string("reason"));
        let status = response.get_string("status").unwrap_or_else(|| "completed".into());
        let reason = match why.as_deref() {
            Some("content_filter") => Finish::ContentFilter,
            Some(_) => Finish::Length,
            None if status == "incomplete" => Finish::Length,
            None if !self.calls.is_empty() => Finish::ToolCalls,
            None => Finish::Stop,
        };
        let native = why.unwrap_or(status).into_owned();
        events.push(Event::Finish { reason, native, stop: None });
        events.extend(response.get("usage").and_then(read_usage).map(Event::Usage));
    }
}

fn content(part: Node<'_>, events: &mut Vec<Event>) {
    if let Some(text) = part.get_string("refusal") {
        events.push(Event::Refusal(text.into_owned()));
    }
    if let Some(text) = part.get_string("text").filter(|text| !text.is_empty()) {
        events.push(Event::Text(text.into_owned()));
    }
    for annotation in part.get("annotations").map(Node::elements).unwrap_or_default() {
        events.extend(citation(annotation).map(Event::Citation));
    }
    let logprobs = part.get("logprobs").filter(|list| !list.elements().is_empty());
    events.extend(logprobs.map(|list| Event::Logprobs(serde_json::json!({ "content": list.value() }))));
}

fn citation(annotation: Node<'_>) -> Option<Citation> {
    let number = |key: &str| annotation.get(key).and_then(Node::u64);
    Some(Citation {
        url: annotation.get_string("url")?.into_owned(),
        title: annotation.get_string("title").unwrap_or_default().into_owned(),
        quote: String::new(),
        span: number("start_index").zip(number("end_index")),
    })
}

fn sealed(item: Node<'_>) -> Option<Seal> {
    let data = item.get_string("encrypted_content").filter(|text| !text.is_empty())?.into_owned();
    let id = item.get_string("id").map(std::borrow::Cow::into_owned);
    Some(Seal { format: SealFormat::Responses, data, signature: false, id })
}
