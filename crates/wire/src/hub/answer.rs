//! An answer, streamed or whole, as a list of events, and their fold into blocks.

use serde_json::Value;
use types::Usage;

/// Something that happened in an answer. Texts are increments: neighbours of one kind belong to one block.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The provider's own id of the answer.
    Id(String),
    /// More text.
    Text(String),
    /// More of a refusal.
    Refusal(String),
    /// More reasoning that can be read.
    Reasoning {
        /// The increment.
        text: String,
        /// It is a summary rather than the reasoning itself.
        summary: bool,
    },
    /// Proves the reasoning just before it, and ends it; alone where the reasoning can't be read at all.
    Sealed(Seal),
    /// A call begins. Its arguments follow under the same index; calls may interleave.
    ToolCall(ToolStart),
    /// More of a call's arguments, as JSON text.
    ToolArguments {
        /// As in [`ToolStart::index`].
        index: u32,
        /// The increment.
        json: String,
    },
    /// Where the text just before it comes from.
    Citation(Citation),
    /// An image that the model made: an address or a `data:` URL.
    Image(String),
    /// A fragment of OpenAI's `audio` object.
    Audio(Value),
    /// OpenAI's `logprobs` object of the text just before it.
    Logprobs(Value),
    /// Why it stopped. May come more than once; the last one holds.
    Finish {
        /// What it means.
        reason: Finish,
        /// In the provider's own word.
        native: String,
        /// The stop text that was met, where the provider says.
        stop: Option<String>,
    },
    /// All that was used so far. The last report holds.
    Usage(Usage),
}

/// Why an answer stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was complete, or met a stop text.
    Stop,
    /// It met a limit of tokens.
    Length,
    /// It waits for the results of calls.
    ToolCalls,
    /// It was moderated, or the model refused.
    ContentFilter,
    /// The model failed.
    Error,
}

impl Finish {
    /// OpenAI's word for it, which records keep.
    pub const fn name(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
            Finish::ContentFilter => "content_filter",
            Finish::Error => "error",
        }
    }

    /// Reads OpenAI's word, its older and its imitators' ones too.
    pub fn read(name: &str) -> Finish {
        match name {
            "length" | "model_length" | "max_tokens" => Finish::Length,
            "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
            "content_filter" | "safety" => Finish::ContentFilter,
            "error" => Finish::Error,
            _ => Finish::Stop,
        }
    }
}

/// The beginning of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolStart {
    /// Counts the calls of the answer from 0.
    pub index: u32,
    /// The provider's id; empty where it gives none ([`Bridge`](super::Bridge) makes one).
    pub id: String,
    /// The tool.
    pub name: String,
    /// A free-form tool: its arguments are no JSON.
    pub custom: bool,
    /// What proves the call to whoever made it.
    pub seal: Option<Seal>,
}

/// Opaque reasoning: valid only at the family that made it, to be given back as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Who made it.
    pub format: SealFormat,
    /// The opaque text.
    pub data: String,
    /// True: a signature of the readable reasoning beside it. False: the reasoning itself, encrypted.
    pub signature: bool,
    /// The provider's id of the reasoning (`rs_...`), where it has one.
    pub id: Option<String>,
}

/// Who made a seal, in the names of OpenRouter's `reasoning_details[].format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealFormat {
    /// `anthropic-claude-v1`
    Anthropic,
    /// `google-gemini-v1`
    Gemini,
    /// `openai-responses-v1`
    Responses,
    /// Any other; carried along for callers, never sent to a provider of another family.
    Other(String),
}

impl SealFormat {
    /// As it is written.
    pub fn name(&self) -> &str {
        match self {
            SealFormat::Anthropic => "anthropic-claude-v1",
            SealFormat::Gemini => "google-gemini-v1",
            SealFormat::Responses => "openai-responses-v1",
            SealFormat::Other(name) => name,
        }
    }

    /// Reads a name.
    pub fn read(name: &str) -> SealFormat {
        match name {
            "anthropic-claude-v1" => SealFormat::Anthropic,
            "google-gemini-v1" => SealFormat::Gemini,
            "openai-responses-v1" => SealFormat::Responses,
            other => SealFormat::Other(other.to_owned()),
        }
    }
}

/// A source of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// Its address; empty for a document of the request.
    pub url: String,
    /// Its title.
    pub title: String,
    /// The words cited, where the provider says.
    pub quote: String,
    /// Where in the text, in characters, where the provider says.
    pub span: Option<(u64, u64)>,
}

/// A whole block of an answer.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the events of the same name")]
pub enum Piece {
    /// Text with its sources.
    Text { text: String, citations: Vec<Citation>, logprobs: Option<Value> },
    /// A refusal.
    Refusal(String),
    /// Reasoning; `text` is empty where it can't be read.
    Reasoning { text: String, summary: bool, seal: Option<Seal> },
    /// A call with all its arguments.
    ToolCall { id: String, name: String, arguments: String, custom: bool, seal: Option<Seal> },
    /// An image.
    Image(String),
    /// Fragments of OpenAI's `audio`, in order.
    Audio(Vec<Value>),
}

/// Folds events into a whole answer.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    /// Blocks in the order in which they began.
    pub pieces: Vec<Piece>,
    /// Why it stopped.
    pub finish: Option<(Finish, String)>,
    /// The stop text that was met.
    pub stop: Option<String>,
    /// What was used.
    pub usage: Option<Usage>,
    /// The provider's own id.
    pub upstream_id: Option<String>,
    /// Position in `pieces` by index of the call.
    calls: Vec<(u32, usize)>,
}

impl Assembly {
    /// Folds all of `events`.
    pub fn of(events: &[Event]) -> Assembly {
        let mut whole = Assembly::default();
        events.iter().for_each(|event| whole.take(event));
        whole
    }

    /// Takes in one event.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Id(id) => self.upstream_id = Some(id.clone()),
            Event::Text(more) => self.text(more),
            Event::Refusal(more) => match self.pieces.last_mut() {
                Some(Piece::Refusal(text)) => text.push_str(more),
                _ => self.pieces.push(Piece::Refusal(more.clone())),
            },
            Event::Reasoning { text: more, summary } => match self.pieces.last_mut() {
                Some(Piece::Reasoning { text, summary: same, seal: None }) if same == summary => {
                    text.push_str(more);
                }
                _ => self.pieces.push(Piece::Reasoning { text: more.clone(), summary: *summary, seal: None }),
            },
            Event::Sealed(new) => match self.pieces.last_mut() {
                Some(Piece::Reasoning { seal: seal @ None, .. }) => *seal = Some(new.clone()),
                _ => self.pieces.push(Piece::Reasoning {
                    text: String::new(),
                    summary: false,
                    seal: Some(new.clone()),
                }),
            },
            Event::ToolCall(start) => {
                self.calls.push((start.index, self.pieces.len()));
                self.pieces.push(Piece::ToolCall {
                    id: start.id.clone(),
                    name: start.name.clone(),
                    arguments: String::new(),
                    custom: start.custom,
                    seal: start.seal.clone(),
                });
            }
            Event::ToolArguments { index, json } => self.arguments(*index, json),
            Event::Citation(citation) => match self.pieces.last_mut() {
                Some(Piece::Text { citations, .. }) => citations.push(citation.clone()),
                _ => self.pieces.push(Piece::Text {
                    text: String::new(),
                    citations: vec![citation.clone()],
                    logprobs: None,
                }),
            },
            Event::Image(url) => self.pieces.push(Piece::Image(url.clone())),
            Event::Audio(fragment) => match self.pieces.last_mut() {
                Some(Piece::Audio(fragments)) => fragments.push(fragment.clone()),
                _ => self.pieces.push(Piece::Audio(vec![fragment.clone()])),
            },
            Event::Logprobs(more) => self.logprobs(more),
            Event::Finish { reason, native, stop } => {
                self.finish = Some((*reason, native.clone()));
                self.stop.clone_from(stop);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }

    fn text(&mut self, more: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text { text, .. }) => text.push_str(more),
            _ => {
                self.pieces.push(Piece::Text { text: more.to_owned(), citations: Vec::new(), logprobs: None })
            }
        }
    }

    fn arguments(&mut self, index: u32, json: &str) {
        let at = self.calls.iter().rev().find(|(of, _)| *of == index).map(|(_, at)| *at);
        if let Some(Piece::ToolCall { arguments, .. }) = at.and_then(|at| self.pieces.get_mut(at)) {
            arguments.push_str(json);
        }
    }

    /// Streams tell log-probabilities in parts: the lists join.
    fn logprobs(&mut self, more: &Value) {
        let last = self.pieces.iter_mut().rev().find_map(|piece| match piece {
            Piece::Text { logprobs, .. } => Some(logprobs),
            _ => None,
        });
        let Some(last) = last else { return };
        let Some(Value::Object(all)) = last else {
            *last = Some(more.clone());
            return;
        };
        for (name, list) in more.as_object().into_iter().flatten() {
            match (all.get_mut(name).and_then(Value::as_array_mut), list.as_array()) {
                (Some(all), Some(more)) => all.extend(more.iter().cloned()),
                (None, Some(_)) => drop(all.insert(name.clone(), list.clone())),
                _ => (),
            }
        }
    }

    /// All visible text.
    pub fn all_text(&self) -> String {
        self.pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// True when a call was made.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    fn call(index: u32, name: &str) -> Event {
        let name = name.to_owned();
        Event::ToolCall(ToolStart { index, id: format!("c{index}"), name, custom: false, seal: None })
    }

    #[test]
    fn increments_become_blocks_and_interleaved_calls_stay_apart() {
        let seal = Seal { format: SealFormat::Anthropic, data: "s".into(), signature: true, id: None };
        let arguments = |index, json: &str| Event::ToolArguments { index, json: json.into() };
        let whole = Assembly::of(&[
            Event::Reasoning { text: "h".into(), summary: false },
            Event::Reasoning { text: "m".into(), summary: false },
            Event::Sealed(seal.clone()),
            text("a"),
            text("b"),
            call(0, "f"),
            call(1, "g"),
            arguments(0, "{\"x\""),
            arguments(1, "{}"),
            arguments(0, ":1}"),
            Event::Finish { reason: Finish::ToolCalls, native: "tool_use".into(), stop: None },
        ]);
        assert_eq!(whole.pieces.len(), 4);
        assert_eq!(whole.pieces[0], Piece::Reasoning { text: "hm".into(), summary: false, seal: Some(seal) });
        assert_eq!(whole.all_text(), "ab");
        assert!(matches!(&whole.pieces[2], Piece::ToolCall { arguments, .. } if arguments == "{\"x\":1}"));
        assert!(matches!(&whole.pieces[3], Piece::ToolCall { arguments, .. } if arguments == "{}"));
        assert!(whole.has_calls());
    }
}
