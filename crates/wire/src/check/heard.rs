//! Hears an answer beside the code that carries it: text and calls, as its caller gets them.

use std::sync::Arc;

use super::{Checks, HEARD_BYTES_MAX, Verdict};
use crate::call::dispatch::{read_answer, stream_reader};
use crate::hub::{
    CallError, Carry, ChunkError, Dialect, Event, Finish, Ident, Plain, Seen, Settlement, StreamReader, Undo,
};
use crate::messages;

/// A call of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Called {
    index: u32,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// What was heard of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    text: String,
    calls: Vec<Called>,
    bytes: usize,
    /// A refusal, or moderated.
    refusal: bool,
    /// Something that is no text: an image, sound, a free-form call.
    other: bool,
    /// It met a limit of tokens.
    cut: bool,
    /// There was more than is held, or something that could not be read.
    unheard: bool,
}

impl Transcript {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn calls(&self) -> &[Called] {
        &self.calls
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.refusal
    }

    pub(super) fn was_cut(&self) -> bool {
        self.cut
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.calls.is_empty() && !self.other
    }

    fn of(events: Vec<Event>, undo: &mut Undo) -> Transcript {
        let mut heard = Transcript::default();
        events.into_iter().for_each(|event| heard.raw(event, undo));
        heard
    }

    /// Takes in an event as the provider's dialect has it.
    fn raw(&mut self, event: Event, undo: &mut Undo) {
        if matches!(event, Event::Finish { .. }) {
            undo.release().iter().for_each(|held| self.take(held));
        }
        if let Some(event) = undo.event(event) {
            self.take(&event);
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Text(more) if self.has_room(more) => self.text.push_str(more),
            Event::Refusal(_) => self.refusal = true,
            Event::ToolCall(start) if start.custom => self.other = true,
            Event::ToolCall(start) => {
                let (index, name) = (start.index, start.name.clone());
                self.calls.push(Called { index, name, arguments: String::new() });
            }
            Event::ToolArguments { index, json } if self.has_room(json) => {
                let call = self.calls.iter_mut().rev().find(|call| call.index == *index);
                call.into_iter().for_each(|call| call.arguments.push_str(json));
            }
            Event::Image(_) | Event::Audio(_) => self.other = true,
            Event::Finish { reason, .. } => {
                self.refusal |= *reason == Finish::ContentFilter;
                self.cut = *reason == Finish::Length;
            }
            _ => (),
        }
    }

    fn has_room(&mut self, more: &str) -> bool {
        self.bytes = self.bytes.saturating_add(more.len());
        self.unheard |= self.bytes > HEARD_BYTES_MAX;
        !self.unheard
    }

    fn verdict(&self, checks: &Checks) -> Option<Verdict> {
        (!self.unheard).then(|| checks.judge(self))
    }
}

/// A stream that is heard.
#[derive(Debug)]
struct Heard {
    inner: Box<dyn Carry>,
    /// Reads the provider's frames once more; `None`: the answer came whole and was heard.
    reader: Option<Box<dyn StreamReader>>,
    undo: Undo,
    events: Vec<Event>,
    transcript: Transcript,
    checks: Arc<Checks>,
}

/// Hears a stream of a provider that speaks `from`; `undo` as for who carries it.
pub fn hear(checks: &Arc<Checks>, from: Dialect, undo: Undo, carry: Box<dyn Carry>) -> Box<dyn Carry> {
    Box::new(Heard {
        inner: carry,
        reader: Some(stream_reader(from)),
        undo,
        events: Vec::new(),
        transcript: Transcript::default(),
        checks: Arc::clone(checks),
    })
}

/// Hears an answer that came whole, on its way to a caller of streams.
pub fn hear_whole(
    checks: &Arc<Checks>,
    from: Dialect,
    mut undo: Undo,
    body: &[u8],
    carry: Box<dyn Carry>,
) -> Box<dyn Carry> {
    let transcript = whole(from, &mut undo, body);
    let checks = Arc::clone(checks);
    Box::new(Heard { inner: carry, reader: None, undo, events: Vec::new(), transcript, checks })
}

/// Hears a whole answer.
pub fn hear_plain(
    checks: &Arc<Checks>,
    from: Dialect,
    mut undo: Undo,
    body: &[u8],
    plain: Box<dyn Plain>,
) -> Box<dyn Plain> {
    let verdict = whole(from, &mut undo, body).verdict(checks);
    Box::new(Judged { inner: plain, verdict })
}

fn whole(from: Dialect, undo: &mut Undo, body: &[u8]) -> Transcript {
    match read_answer(from, body) {
        Ok(events) => Transcript::of(events, undo),
        Err(_) => Transcript { unheard: true, ..Transcript::default() },
    }
}

impl Heard {
    fn pass(&mut self) {
        for event in std::mem::take(&mut self.events) {
            self.transcript.raw(event, &mut self.undo);
        }
    }
}

impl Carry for Heard {
    fn seen(&self) -> &Seen {
        self.inner.seen()
    }

    fn is_complete(&self) -> bool {
        self.inner.is_complete()
    }

    fn frame(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        self.inner.frame(name, data, out)?;
        if let Some(reader) = self.reader.as_mut().filter(|_| !self.transcript.unheard) {
            let unwrapped = messages::unwrapped(name, data);
            let (name, data) = unwrapped.as_deref().map_or((name, data), |inner| ("", inner));
            self.transcript.unheard |= reader.frame(name, data, &mut self.events).is_err();
            self.pass();
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.inner.end(out);
        if let Some(reader) = &mut self.reader {
            reader.end(&mut self.events);
            self.pass();
        }
    }

    fn refused(&self) -> Option<String> {
        self.inner.refused()
    }

    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        self.inner.comment(text, out);
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.inner.keep_alive(out);
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.inner.last(settlement, out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        self.inner.fail(error, settlement, out);
    }

    fn verdict(&self) -> Option<Verdict> {
        self.transcript.verdict(&self.checks)
    }
}

/// A whole answer that was heard.
#[derive(Debug)]
struct Judged {
    inner: Box<dyn Plain>,
    verdict: Option<Verdict>,
}

impl Plain for Judged {
    fn seen(&self) -> &Seen {
        self.inner.seen()
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        self.inner.render(body, ident, settlement)
    }

    fn content_type(&self) -> &str {
        self.inner.content_type()
    }

    fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }
}
