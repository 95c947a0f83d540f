//! Google's answers as events. A stream's frames are whole answers one after another, so that both are read by one machine.
//!
//! - Parts mix: thoughts, text, calls, images. Calls are whole, without ids, and counted through the stream.
//! - "STOP" stands also where calls wait for results. Late frames may follow the one with a reason to stop: it is told
//!   when the body ends.
//! - A blocked prompt has no candidates at all; a candidate may have no parts.

use serde_json::json;

use super::{grounding, seal, usage};
use crate::hub::{AnswerError, ChunkError, Citation, Event, Finish, Seal, StreamReader, ToolStart};
use crate::json;
use crate::node::Node;
use crate::provider_error;

/// Reads a provider's 200 body; also the array of answers that a stream without `alt=sse` is.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let mut reader = Reader::default();
    let mut events = Vec::new();
    each(body, &mut |node| reader.answer(node, &mut events)).map_err(|error| match error {
        ChunkError::Json(error) => AnswerError::Json(error),
        ChunkError::Provider(error) => AnswerError::Provider(error),
        // Who reads refuses nothing.
        ChunkError::Refused(_) => AnswerError::Empty,
    })?;
    if !reader.has_candidate && reader.finish.is_none() {
        return Err(AnswerError::Empty);
    }
    // A whole answer is complete even where it doesn't say why it stopped.
    reader.finish.get_or_insert_with(|| (Finish::Stop, "FINISH_REASON_UNSPECIFIED".to_owned()));
    reader.end(&mut events);
    Ok(events)
}

/// Calls `on` with an answer, or with each of an array of them. An error instead of an answer ends it.
fn each(body: &[u8], on: &mut dyn FnMut(Node<'_>)) -> Result<(), ChunkError> {
    let body = body.trim_ascii();
    let mut take = |node: Node<'_>| match node.get("error") {
        Some(_) => Err(ChunkError::Provider(provider_error::read(200, node.raw()))),
        None => {
            on(node);
            Ok(())
        }
    };
    if !body.starts_with(b"[") {
        return take(Node::parse(body).map_err(ChunkError::Json)?);
    }
    let whole = [b"{\"all\":", body, b"}"].concat();
    let all = Node::parse(&whole).map_err(|error| {
        // The scan saw a wrapper around it.
        ChunkError::Json(json::ScanError { at: error.at.saturating_sub(7), ..error })
    })?;
    all.get("all").map(Node::elements).unwrap_or_default().into_iter().try_for_each(take)
}

/// Reads a provider's stream, frame by frame.
#[derive(Debug, Default)]
pub struct Reader {
    calls: u32,
    named: bool,
    has_candidate: bool,
    finish: Option<(Finish, String)>,
    /// All visible text so far: Google counts places in it in bytes.
    text: String,
    citations: Vec<Citation>,
    searches: u64,
    usage: Option<types::Usage>,
}

impl StreamReader for Reader {
    fn frame(&mut self, _name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        let data = data.trim_ascii();
        // Relays of other makes end with OpenAI's mark.
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        each(data, &mut |node| self.answer(node, events))
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        events.extend(std::mem::take(&mut self.citations).into_iter().map(Event::Citation));
        if let Some(usage) = self.usage.filter(|_| self.searches > 0) {
            events.push(Event::Usage(types::Usage { searches: self.searches, ..usage }));
        }
        if let Some((reason, native)) = self.finish.clone() {
            let reason = if reason == Finish::Stop && self.calls > 0 { Finish::ToolCalls } else { reason };
            events.push(Event::Finish { reason, native, stop: None });
        }
    }

    fn is_complete(&self) -> bool {
        self.finish.is_some()
    }

    fn is_done(&self) -> bool {
        false
    }
}

impl Reader {
    fn answer(&mut self, node: Node<'_>, events: &mut Vec<Event>) {
        for (key, value) in node.members() {
            match &*key {
                "responseId" if !self.named => {
                    if let Some(id) = value.string().filter(|id| !id.is_empty()) {
                        self.named = true;
                        events.push(Event::Id(id.into_owned()));
                    }
                }
                "candidates" => {
                    let first = |one: &Node<'_>| one.get("index").is_none_or(|at| at.u64() == Some(0));
                    if let Some(candidate) = value.elements().into_iter().find(first) {
                        self.has_candidate = true;
                        self.candidate(candidate, events);
                    }
                }
                "promptFeedback" => {
                    let reason = value.get_string("blockReason");
                    if let Some(reason) = reason.filter(|reason| !reason.ends_with("UNSPECIFIED")) {
                        self.finish = Some((Finish::ContentFilter, reason.into_owned()));
                    }
                }
                "usageMetadata" => {
                    if let Some(usage) = usage::read_usage(value) {
                        self.usage = Some(usage);
                        events.push(Event::Usage(usage));
                    }
                }
                _ => (),
            }
        }
    }

    fn candidate(&mut self, candidate: Node<'_>, events: &mut Vec<Event>) {
        for (key, value) in candidate.members() {
            match &*key {
                "content" => {
                    for part in value.get("parts").map(Node::elements).unwrap_or_default() {
                        self.part(part, events);
                    }
                }
                "logprobsResult" => {
                    events.extend(seal::logprobs_in(&value.value()).map(Event::Logprobs));
                }
                _ => (),
            }
        }
        // After the content, wherever they stand.
        for (key, value) in candidate.members() {
            match &*key {
                "finishReason" => self.finish = finish(value).or_else(|| self.finish.take()),
                "groundingMetadata" => {
                    let queries = value.get("webSearchQueries").map_or(0, |list| list.elements().len());
                    self.searches = self.searches.max(queries as u64);
                    let found = grounding::read(value, &self.text);
                    if !found.is_empty() {
                        self.citations = found;
                    }
                }
                "citationMetadata" => {
                    for one in grounding::recited(value, &self.text) {
                        if !self.citations.contains(&one) {
                            self.citations.push(one);
                        }
                    }
                }
                _ => (),
            }
        }
    }

    fn part(&mut self, part: Node<'_>, events: &mut Vec<Event>) {
        let (mut text, mut call, mut inline, mut file) = (None, None, None, None);
        let (mut thought, mut signature) = (false, None);
        for (key, value) in part.members() {
            match &*key {
                "text" => text = value.string(),
                "thought" => thought = value.bool().unwrap_or(false),
                "thoughtSignature" => signature = value.string().filter(|text| !text.is_empty()),
                "functionCall" => call = Some(value),
                "inlineData" => inline = Some(value),
                "fileData" => file = Some(value),
                _ => (),
            }
        }
        let sealed = signature.map(|text| seal::read(&text, thought));
        if let Some(call) = call {
            return self.call(call, sealed, events);
        }
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            if thought {
                events.push(Event::Reasoning { text: text.into_owned(), summary: false });
            } else {
                self.text.push_str(&text);
                events.push(Event::Text(text.into_owned()));
            }
        }
        // Images among the thoughts are drafts.
        if !thought {
            events.extend(inline.and_then(media));
            let image =
                |file: &Node<'_>| file.get_string("mimeType").is_some_and(|kind| kind.starts_with("image/"));
            let uri = file.filter(image).and_then(|file| file.get_string("fileUri"));
            events.extend(uri.map(|uri| Event::Image(uri.into_owned())));
        }
        events.extend(sealed.map(Event::Sealed));
    }

    fn call(&mut self, call: Node<'_>, sealed: Option<Seal>, events: &mut Vec<Event>) {
        let index = self.calls;
        self.calls += 1;
        events.push(Event::ToolCall(ToolStart {
            index,
            id: call.get_string("id").unwrap_or_default().into_owned(),
            name: call.get_string("name").unwrap_or_default().into_owned(),
            custom: false,
            seal: sealed,
        }));
        let arguments = call.get("args").and_then(|args| match args.string() {
            Some(text) => Some(text.into_owned()),
            None => String::from_utf8(args.raw().to_vec()).ok(),
        });
        let json = arguments.filter(|text| !text.is_empty()).unwrap_or_else(|| "{}".to_owned());
        events.push(Event::ToolArguments { index, json });
    }
}

fn media(inline: Node<'_>) -> Option<Event> {
    let kind = inline.get_string("mimeType")?;
    let data = inline.get_string("data")?;
    match kind.split('/').next()? {
        "image" => Some(Event::Image(format!("data:{kind};base64,{data}"))),
        "audio" => Some(Event::Audio(json!({"data": data}))),
        _ => None,
    }
}

/// What a `finishReason` means, with its name; `None` where it says nothing. Some hosts send Vertex's numbers.
pub(super) fn finish(node: Node<'_>) -> Option<(Finish, String)> {
    let word = match node.number() {
        Some(number) => match number {
            "1" => "STOP",
            "2" => "MAX_TOKENS",
            "3" => "SAFETY",
            "4" => "RECITATION",
            "5" => "OTHER",
            "6" => "BLOCKLIST",
            "7" => "PROHIBITED_CONTENT",
            "8" => "SPII",
            "9" => "MALFORMED_FUNCTION_CALL",
            "10" => "MODEL_ARMOR",
            _ => return None,
        }
        .to_owned(),
        None => node.string()?.chars().take(64).collect(),
    };
    let reason = match word.as_str() {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "FUNCTION_CALL" | "TOOL_CALL" | "TOOL_CALLS" => Finish::ToolCalls,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
        | "MODEL_ARMOR" | "ESCALATION" => Finish::ContentFilter,
        image if image.starts_with("IMAGE_") => Finish::ContentFilter,
        // MALFORMED_*, UNEXPECTED_TOOL_CALL, MISSING_THOUGHT_SIGNATURE, TOO_MANY_TOOL_CALLS, OTHER, and what comes yet.
        _ => Finish::Error,
    };
    Some((reason, word))
}

#[cfg(test)]
pub(super) mod tests;
