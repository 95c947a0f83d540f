//! A provider's answer in the OpenAI dialect, whole or in chunks, as events. Takes every variety seen in the field: content in
//! lists (Mistral), reasoning under three names, calls without index or with their name on every chunk, arguments as
//! objects, the older `function_call`, usage anywhere.

use crate::hub::{
    AnswerError, ChunkError, Citation, Event, Finish, Seal, SealFormat, StreamReader, ToolStart,
};
use crate::json::Kind;
use crate::node::Node;
use crate::{provider_error, usage};

/// Reads a whole answer: as a stream of one chunk.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let node = Node::parse(body)?;
    if node.get("error").is_some() {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let choices = node.get("choices").map(Node::elements).unwrap_or_default();
    if choices.is_empty() {
        return Err(AnswerError::Empty);
    }
    let mut reader = Reader::default();
    let mut events = Vec::new();
    reader.chunk(node, &mut events);
    reader.end(&mut events);
    Ok(events)
}

/// Reads a stream of chunks.
#[derive(Debug, Default)]
pub struct Reader {
    calls: Vec<Call>,
    id_told: bool,
    sources_told: bool,
    finished: bool,
    done: bool,
}

/// A call under way.
#[derive(Debug)]
struct Call {
    /// The provider's index; absent in some dialects.
    index: Option<u64>,
    id: String,
    /// Arguments that came before the name.
    early: String,
    started: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, _name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        let node = Node::parse(data)?;
        if node.get("error").is_some() {
            return Err(ChunkError::Provider(provider_error::read(200, data)));
        }
        self.chunk(node, events);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.done || self.finished
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Reader {
    fn chunk(&mut self, node: Node<'_>, events: &mut Vec<Event>) {
        let mut sources = None;
        let mut used = None;
        for (key, value) in node.members() {
            match &*key {
                "id" if !self.id_told => {
                    if let Some(id) = value.string().filter(|id| !id.is_empty()) {
                        self.id_told = true;
                        events.push(Event::Id(id.into_owned()));
                    }
                }
                "choices" => {
                    let other = |choice: &Node<'_>| choice.get("index").and_then(Node::u64) > Some(0);
                    for choice in value.elements().into_iter().filter(|choice| !other(choice)) {
                        self.choice(choice, events);
                    }
                }
                "usage" => used = usage::read(value.raw()).or(used),
                "x_groq" => used = used.or(value.get("usage").and_then(|u| usage::read(u.raw()))),
                "citations" => sources = Some(value),
                _ => (),
            }
        }
        if let Some(sources) = sources.filter(|_| self.finished && !self.sources_told) {
            self.sources_told = true;
            for url in sources.elements().into_iter().filter_map(Node::string) {
                events.push(Event::Citation(Citation { url: url.into_owned(), ..Citation::default() }));
            }
        }
        events.extend(used.map(Event::Usage));
    }

    fn choice(&mut self, choice: Node<'_>, events: &mut Vec<Event>) {
        if let Some(said) = choice.get("delta").or_else(|| choice.get("message")) {
            self.said(said, events);
        }
        if let Some(logprobs) = choice.get("logprobs").filter(|node| node.kind() == Kind::Object) {
            events.push(Event::Logprobs(logprobs.value()));
        }
        if let Some(text) = choice.get_string("text").filter(|text| !text.is_empty()) {
            events.push(Event::Text(text.into_owned()));
        }
        let Some(reason) = choice.get_string("finish_reason").filter(|reason| !reason.is_empty()) else {
            return;
        };
        self.finished = true;
        let native = choice.get_string("native_finish_reason").unwrap_or_else(|| reason.clone());
        let stop = choice.get_string("stop_reason").map(std::borrow::Cow::into_owned);
        events.push(Event::Finish { reason: Finish::read(&reason), native: native.into_owned(), stop });
    }

    /// A message or a delta, in the order in which a model speaks: reasoning, text, calls.
    fn said(&mut self, said: Node<'_>, events: &mut Vec<Event>) {
        let text = |key: &str| said.get_string(key).filter(|text| !text.is_empty());
        let details = said.get("reasoning_details").map(Node::elements).unwrap_or_default();
        let before = events.len();
        details.into_iter().for_each(|detail| reasoning_detail(detail, events));
        let readable = events.iter().skip(before).any(|event| matches!(event, Event::Reasoning { .. }));
        if !readable && let Some(text) = text("reasoning").or_else(|| text("reasoning_content")) {
            // Readable first: what seals it ends it.
            events.insert(before, Event::Reasoning { text: text.into_owned(), summary: false });
        }
        if let Some(content) = said.get("content") {
            content_events(content, events);
        }
        if let Some(refusal) = text("refusal") {
            events.push(Event::Refusal(refusal.into_owned()));
        }
        let calls = said.get("tool_calls").map(Node::elements).unwrap_or_default();
        // llama-cpp-python tells every call twice: in the new form and in the old one.
        if calls.is_empty()
            && let Some(old) = said.get("function_call")
        {
            self.old_call(old, events);
        }
        let many = calls.len();
        for (position, call) in calls.into_iter().enumerate() {
            self.call(call, position, many, events);
        }
        for image in said.get("images").map(Node::elements).unwrap_or_default() {
            let url = image.get("image_url").and_then(|i| i.get_string("url").or_else(|| i.string()));
            events.extend(url.map(|url| Event::Image(url.into_owned())));
        }
        if let Some(audio) = said.get("audio").filter(|node| node.kind() == Kind::Object) {
            events.push(Event::Audio(audio.value()));
        }
        for annotation in said.get("annotations").map(Node::elements).unwrap_or_default() {
            events.extend(citation(annotation).map(Event::Citation));
        }
    }

    fn old_call(&mut self, old: Node<'_>, events: &mut Vec<Event>) {
        let at = self.place(Some(0), None);
        let name = old.get_string("name").unwrap_or_default();
        self.more(at, &name, "", false, None, old.get("arguments"), events);
    }

    fn call(&mut self, call: Node<'_>, position: usize, many: usize, events: &mut Vec<Event>) {
        let id = call.get_string("id").unwrap_or_default();
        let index = call.get("index").and_then(Node::u64);
        // Without an index several calls of one chunk are told apart by their position, later chunks by their id.
        let new_id = !id.is_empty() && self.calls.iter().all(|known| known.id != id);
        let index = match index {
            Some(index) => Some(index),
            None if many > 1 && !new_id && id.is_empty() => Some(position as u64),
            None => None,
        };
        let at = self.place(index, (!id.is_empty()).then_some(&*id));
        let custom = call.get("custom");
        let function = custom.or_else(|| call.get("function"));
        let name = function.and_then(|f| f.get_string("name")).unwrap_or_default();
        let arguments = function.and_then(|f| f.get(if custom.is_some() { "input" } else { "arguments" }));
        let seal = call
            .get("extra_content")
            .and_then(|extra| extra.get("google")?.get_string("thought_signature"))
            .map(|data| Seal {
                format: SealFormat::Gemini,
                data: data.into_owned(),
                signature: true,
                id: None,
            });
        self.more(at, &name, &id, custom.is_some(), seal, arguments, events);
    }

    /// Where a call stands in our list; a new one when nobody knows it.
    fn place(&mut self, index: Option<u64>, id: Option<&str>) -> usize {
        let found = match (index, id) {
            (Some(index), _) => self.calls.iter().position(|call| call.index == Some(index)),
            (None, Some(id)) => self.calls.iter().position(|call| call.id == id),
            (None, None) => self.calls.len().checked_sub(1),
        };
        found.unwrap_or_else(|| {
            let id = id.unwrap_or_default().to_owned();
            self.calls.push(Call { index, id, early: String::new(), started: false });
            self.calls.len() - 1
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one fragment of a call")]
    fn more(
        &mut self,
        at: usize,
        name: &str,
        id: &str,
        custom: bool,
        seal: Option<Seal>,
        arguments: Option<Node<'_>>,
        events: &mut Vec<Event>,
    ) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        // A name that comes again is the same name, not more of it.
        if !call.started && !name.is_empty() {
            call.started = true;
            let id = call.id.clone();
            events.push(Event::ToolCall(ToolStart { index, id, name: name.to_owned(), custom, seal }));
            if !call.early.is_empty() {
                events.push(Event::ToolArguments { index, json: std::mem::take(&mut call.early) });
            }
        }
        let json = match arguments {
            Some(node) => node.string().map_or_else(
                || String::from_utf8_lossy(node.raw()).into_owned(),
                std::borrow::Cow::into_owned,
            ),
            None => return,
        };
        if json.is_empty() {
            return;
        }
        if call.started {
            events.push(Event::ToolArguments { index, json });
        } else {
            call.early.push_str(&json);
        }
    }
}

/// Text, or a list of parts.
fn content_events(content: Node<'_>, events: &mut Vec<Event>) {
    if let Some(text) = content.string() {
        if !text.is_empty() {
            events.push(Event::Text(text.into_owned()));
        }
        return;
    }
    for part in content.elements() {
        let text = |key: &str| part.get_string(key).filter(|text| !text.is_empty());
        match part.get_string("type").as_deref() {
            Some("thinking") => {
                let inner = part.get("thinking");
                let texts = inner.map(Node::elements).unwrap_or_default();
                let whole: String = match inner.and_then(Node::string) {
                    Some(text) => text.into_owned(),
                    None => texts.into_iter().filter_map(|t| t.get_string("text")).collect(),
                };
                if !whole.is_empty() {
                    events.push(Event::Reasoning { text: whole, summary: false });
                }
            }
            Some("refusal") => {
                events.extend(text("refusal").map(|text| Event::Refusal(text.into_owned())));
            }
            Some("image_url") => {
                let url = part.get("image_url").and_then(|i| i.get_string("url").or_else(|| i.string()));
                events.extend(url.map(|url| Event::Image(url.into_owned())));
            }
            _ => events.extend(text("text").map(|text| Event::Text(text.into_owned()))),
        }
    }
}

fn reasoning_detail(detail: Node<'_>, events: &mut Vec<Event>) {
    let text = |key: &str| detail.get_string(key).filter(|text| !text.is_empty());
    let format = SealFormat::read(&text("format").unwrap_or_default());
    let id = text("id").map(std::borrow::Cow::into_owned);
    if let Some(summary) = text("summary") {
        events.push(Event::Reasoning { text: summary.into_owned(), summary: true });
    }
    if let Some(text) = text("text") {
        events.push(Event::Reasoning { text: text.into_owned(), summary: false });
    }
    if let Some(data) = text("signature") {
        let data = data.into_owned();
        events.push(Event::Sealed(Seal { format, data, signature: true, id }));
    } else if let Some(data) = text("data") {
        let data = data.into_owned();
        events.push(Event::Sealed(Seal { format, data, signature: false, id }));
    }
}

fn citation(annotation: Node<'_>) -> Option<Citation> {
    let inner = annotation.get("url_citation").unwrap_or(annotation);
    let url = inner.get_string("url")?.into_owned();
    let text = |key: &str| inner.get_string(key).unwrap_or_default().into_owned();
    let number = |key: &str| inner.get(key).and_then(Node::u64);
    let span = number("start_index").zip(number("end_index"));
    Some(Citation { url, title: text("title"), quote: text("content"), span })
}
