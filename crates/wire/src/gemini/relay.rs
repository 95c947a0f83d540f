//! Gemini to Gemini: bytes stay what they are but for `responseId`, `modelVersion` and the cost.
//!
//! The last frame tells the cost, and which is the last is known only when the body ends: from the first frame with a reason to
//! stop on, one frame is held back.

use std::ops::Range;

use types::UsageSource;

use super::framing::Framing;
use super::{answer_in, stream_out, usage};
use crate::hub::{AnswerError, CallError, Carry, ChunkError, Finish, Ident, Plain, Seen, Settlement};
use crate::json::{self, Kind, Member};
use crate::node::Node;
use crate::provider_error;
use crate::splice::Splice;
use crate::warnings_json;
use crate::writer::Writer;

/// A scanned plain answer.
#[derive(Debug)]
pub struct Answer {
    span: Range<usize>,
    members: Vec<Member>,
    seen: Seen,
}

impl Plain for Answer {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        let mut splice = Splice::new();
        name(&mut splice, body, &self.members, ident);
        tell(&mut splice, body, &self.members, settlement);
        let mut out = Vec::with_capacity(body.len() + 400);
        splice.apply(body, self.span.clone(), &self.members, &mut out);
        out
    }
}

/// Scans a provider's 200 body.
pub fn scan(body: &[u8]) -> Result<Answer, AnswerError> {
    if body.trim_ascii_start().starts_with(b"[") {
        // An error of a stream, or a stream that nobody asked for.
        answer_in::read_answer(body)?;
        return Err(AnswerError::Empty);
    }
    let members = json::object(body)?;
    if provider_error::carries_error(body, &members) {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let mut watch = Watch::default();
    watch.look(body, &members);
    if !watch.has_candidate && watch.seen.finish_reason.is_none() {
        return Err(AnswerError::Empty);
    }
    watch.seen.done = true;
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    Ok(Answer { span: start..end, members, seen: watch.seen })
}

/// Notes what goes by.
#[derive(Debug, Default)]
struct Watch {
    seen: Seen,
    calls: bool,
    has_candidate: bool,
    searches: u64,
}

impl Watch {
    fn look(&mut self, text: &[u8], members: &[Member]) {
        self.seen.chunks += 1;
        let mut finish = None;
        for member in members {
            let node = Node::at(text, &member.value);
            match json::slice(text, &member.key) {
                b"candidates" => {
                    for candidate in node.elements() {
                        self.has_candidate = true;
                        let first = candidate.get("index").is_none_or(|at| at.u64() == Some(0));
                        finish = self.candidate(candidate).filter(|_| first).or(finish);
                    }
                }
                b"promptFeedback" => {
                    let reason = node.get_string("blockReason");
                    if reason.is_some_and(|reason| !reason.ends_with("UNSPECIFIED")) {
                        finish = Some(Finish::ContentFilter);
                    }
                }
                b"usageMetadata" => self.seen.usage = usage::read_usage(node).or(self.seen.usage),
                b"responseId" if self.seen.upstream_id.is_none() => {
                    self.seen.upstream_id = node.string().map(|id| id.chars().take(128).collect());
                }
                _ => (),
            }
        }
        if let Some(usage) = self.seen.usage.as_mut() {
            usage.searches = self.searches;
        }
        if let Some(finish) = finish {
            let finish = if finish == Finish::Stop && self.calls { Finish::ToolCalls } else { finish };
            self.seen.finish_reason = Some(finish.name().to_owned());
        }
    }

    fn candidate(&mut self, candidate: Node<'_>) -> Option<Finish> {
        let mut finish = None;
        for (key, value) in candidate.members() {
            match &*key {
                "content" => {
                    for part in value.get("parts").map(Node::elements).unwrap_or_default() {
                        self.part(part);
                    }
                }
                "finishReason" => finish = answer_in::finish(value).map(|(finish, _)| finish),
                "groundingMetadata" => {
                    let queries = value.get("webSearchQueries").map_or(0, |list| list.elements().len());
                    self.searches = self.searches.max(queries as u64);
                }
                _ => (),
            }
        }
        finish
    }

    fn part(&mut self, part: Node<'_>) {
        for (key, value) in part.members() {
            match &*key {
                "text" | "executableCode" | "codeExecutionResult" => self.seen.said.json(value.raw()),
                "functionCall" => {
                    self.calls = true;
                    self.seen.said.json(value.raw());
                }
                "inlineData" => self.seen.said.media(),
                _ => (),
            }
        }
    }
}

/// A stream on its way through.
#[derive(Debug)]
pub struct Relay {
    ident: Ident,
    framing: Framing,
    watch: Watch,
    held: Option<Vec<u8>>,
}

impl Relay {
    /// A relay to a caller of server-sent events (`alt=sse`).
    pub fn new(ident: Ident) -> Relay {
        Relay { ident, framing: Framing::SSE, watch: Watch::default(), held: None }
    }

    /// A relay to a caller of one JSON array. The provider's stream is server-sent events all the same.
    pub fn array(ident: Ident) -> Relay {
        Relay { framing: Framing::ARRAY, ..Relay::new(ident) }
    }

    fn pass(&mut self, data: &[u8], settlement: Option<&Settlement>, out: &mut Vec<u8>) {
        let members = json::object(data).unwrap_or_default();
        let mut splice = Splice::new();
        name(&mut splice, data, &members, &self.ident);
        if let Some(settlement) = settlement {
            tell(&mut splice, data, &members, settlement);
        }
        self.framing.open(out);
        splice.apply(data, 0..data.len(), &members, out);
        self.framing.close(out);
    }
}

impl Carry for Relay {
    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        self.framing.comment(text, out);
    }

    fn seen(&self) -> &Seen {
        &self.watch.seen
    }

    fn is_complete(&self) -> bool {
        self.watch.seen.finish_reason.is_some()
    }

    fn frame(&mut self, _name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        if data.starts_with(b"[") && memchr::memmem::find(data, b"\"error\"").is_some() {
            return Err(ChunkError::Provider(provider_error::read(200, data)));
        }
        let members = json::object(data)?;
        if provider_error::carries_error(data, &members) {
            return Err(ChunkError::Provider(provider_error::read(200, data)));
        }
        self.watch.look(data, &members);
        if let Some(held) = self.held.take() {
            self.pass(&held, None, out);
        }
        if self.watch.seen.finish_reason.is_some() {
            self.held = Some(data.to_vec());
        } else {
            self.pass(data, None, out);
        }
        Ok(())
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        let held = self.held.take().unwrap_or_else(|| b"{}".to_vec());
        self.pass(&held, Some(settlement), out);
        self.framing.end(out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        stream_out::failed(&mut self.framing, &self.ident, error, settlement, out);
    }
}

fn name(splice: &mut Splice, text: &[u8], members: &[Member], ident: &Ident) {
    set(splice, text, members, "modelVersion", ident.model.as_bytes());
    set(splice, text, members, "responseId", json::quote(&ident.id).as_bytes());
}

/// Puts a value in the place of a member's, or adds the member; one that comes twice is made one.
fn set(splice: &mut Splice, text: &[u8], members: &[Member], key: &str, value: &[u8]) {
    let mut same = members.iter().filter(|m| json::slice(text, &m.key) == key.as_bytes());
    match same.next() {
        Some(first) => splice.replace(first.value.clone(), value),
        None => splice.append(key, value),
    }
    same.for_each(|again| splice.remove(again));
}

/// Splices usage with its cost, warnings and metadata.
fn tell(splice: &mut Splice, text: &[u8], members: &[Member], settlement: &Settlement) {
    let told = json::find(text, members, "usageMetadata").map(|m| json::slice(text, &m.value));
    let told =
        told.filter(|value| Kind::of(value) == Kind::Object && settlement.source == UsageSource::Provider);
    let value = match told {
        Some(object) => with_cost(object, settlement),
        None => {
            let mut w = Writer::default();
            usage::write(&mut w, settlement);
            w.finish()
        }
    };
    set(splice, text, members, "usageMetadata", &value);
    if !settlement.warnings.is_empty() {
        set(splice, text, members, "warnings", warnings_json(&settlement.warnings).as_bytes());
    }
    if let Some((key, metadata)) = &settlement.metadata {
        set(splice, text, members, key, metadata.as_bytes());
    }
}

fn with_cost(usage: &[u8], settlement: &Settlement) -> Vec<u8> {
    let span = 0..usage.len();
    let members = json::members(usage, &span);
    let mut splice = Splice::new();
    set(&mut splice, usage, &members, "cost", settlement.cost.to_string().as_bytes());
    let mut out = Vec::with_capacity(usage.len() + 40);
    splice.apply(usage, span, &members, &mut out);
    out
}

#[cfg(test)]
mod tests;
