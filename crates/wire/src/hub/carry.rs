//! Carries an answer from a provider's dialect to the caller's, frame by frame or whole.

use std::sync::Arc;

use types::Usage;

use crate::check::Verdict;
use crate::tally::Tally;

use super::{
    AnswerError, CallError, Calls, ChunkError, Event, Finish, Ident, Screen, SealedCall, Settlement, Sieve,
    ToolStart, Watch,
};

/// What was seen of an answer on its way through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What the provider says was used.
    pub usage: Option<Usage>,
    /// Why it stopped, in OpenAI's word.
    pub finish_reason: Option<String>,
    /// The provider's own id.
    pub upstream_id: Option<String>,
    /// What the model wrote so far: text, reasoning, arguments of calls.
    pub said: Tally,
    /// Frames that said something.
    pub chunks: u64,
    /// The provider said that it is done; nothing after it counts.
    pub done: bool,
    /// The calls of tools that it makes.
    pub calls: Calls,
    /// Indices of free-form calls, whose arguments are no JSON.
    pub free: Vec<u32>,
    /// Calls with what proves them, for callers whose history loses it.
    pub sealed: Vec<SealedCall>,
}

/// A stream on its way from a provider to a caller.
pub trait Carry: std::fmt::Debug + Send {
    /// What was seen so far.
    fn seen(&self) -> &Seen;

    /// True when the provider said all it had to say; a body that ends before that was cut off.
    fn is_complete(&self) -> bool;

    /// Takes one frame and writes what the caller gets for it: whole events, or nothing.
    fn frame(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError>;

    /// The provider's body has ended.
    fn end(&mut self, _out: &mut Vec<u8>) {}

    /// The answer must not go on: why, for a person. Asked after [`Carry::end`], which can't fail.
    fn refused(&self) -> Option<String> {
        None
    }

    /// Passes a provider's comment on.
    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        comment(text, out);
    }

    /// Shows that the answer is still on its way.
    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.comment(KEEP_ALIVE, out);
    }

    /// Writes the end of a complete answer: usage, cost, the success marker of the caller's dialect.
    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>);

    /// Writes the one event that ends an answer that failed; no success marker follows.
    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>);

    /// What is to be said of the answer once it is over; `None`: nobody heard it ([`crate::check`]).
    fn verdict(&self) -> Option<Verdict> {
        None
    }
}

/// Reads a provider's stream.
pub trait StreamReader: std::fmt::Debug + Send {
    /// Takes one frame. `name` is the event's name (SSE `event:`, `:event-type` on Bedrock), empty where there is none.
    fn frame(&mut self, name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError>;

    /// The body has ended: what was held back.
    fn end(&mut self, _events: &mut Vec<Event>) {}

    /// True when the provider said all it had to say.
    fn is_complete(&self) -> bool;

    /// True when nothing more is to be read.
    fn is_done(&self) -> bool;
}

/// What a keep-alive comment says.
const KEEP_ALIVE: &[u8] = b" keep-alive";

/// Writes a comment of server-sent events.
fn comment(text: &[u8], out: &mut Vec<u8>) {
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\n\n");
}

/// Writes a stream in the caller's dialect.
pub trait StreamWriter: std::fmt::Debug + Send {
    /// See [`Carry::comment`].
    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        comment(text, out);
    }

    /// See [`Carry::keep_alive`].
    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.comment(KEEP_ALIVE, out);
    }

    /// Writes what an event becomes; the stream's own beginning before the first.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// See [`Carry::last`].
    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>);

    /// See [`Carry::fail`].
    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>);
}

/// What must be undone in an answer because of what was done to its request.
#[derive(Clone, Debug, Default)]
pub struct Undo {
    /// The generation's id: what ids of calls are made from where the provider gives none.
    pub seed: String,
    /// Calls of this tool are the answer's text.
    pub json_tool: Option<&'static str>,
    /// Names of tools as they were sent, and as the caller knows them.
    pub renamed_tools: Vec<(String, String)>,
    /// The caller doesn't want to see reasoning.
    pub hide_reasoning: bool,
    /// Free-form tools that were sent as functions with one text, `input`: their calls become free-form again.
    pub custom_tools: Vec<String>,
    /// Looks at what the answer says; then a stream of the caller's own dialect is taken apart like any other.
    pub screen: Option<Arc<dyn Screen>>,
    json_calls: Vec<u32>,
    other_calls: bool,
    /// Free-form calls under way: their index and their arguments so far.
    free: Vec<(u32, String)>,
}

impl Undo {
    /// Rewrites one event; `None`: the caller doesn't get it.
    pub fn event(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Reasoning { .. } if self.hide_reasoning => None,
            Event::ToolCall(start) => self.call(start),
            Event::ToolArguments { index, json } if self.json_calls.contains(&index) => {
                Some(Event::Text(json))
            }
            Event::ToolArguments { index, json } if self.free.iter().any(|(at, _)| *at == index) => {
                if let Some((_, held)) = self.free.iter_mut().find(|(at, _)| *at == index) {
                    held.push_str(&json);
                }
                None
            }
            Event::Finish { reason: Finish::ToolCalls, native, stop }
                if !self.json_calls.is_empty() && !self.other_calls =>
            {
                Some(Event::Finish { reason: Finish::Stop, native, stop })
            }
            // Several providers say "stop" though they wait for results.
            Event::Finish { reason: Finish::Stop, native, stop } if self.other_calls => {
                Some(Event::Finish { reason: Finish::ToolCalls, native, stop })
            }
            event => Some(event),
        }
    }

    /// What was held back of free-form calls, once nothing more is to come for them: before the reason why it stopped.
    pub fn release(&mut self) -> Vec<Event> {
        let texts = std::mem::take(&mut self.free).into_iter().map(|(index, held)| {
            let tree: serde_json::Value = serde_json::from_str(&held).unwrap_or_default();
            let text = tree.get("input").and_then(serde_json::Value::as_str).map(str::to_owned);
            Event::ToolArguments { index, json: text.unwrap_or(held) }
        });
        texts.filter(|event| !matches!(event, Event::ToolArguments { json, .. } if json.is_empty())).collect()
    }

    fn call(&mut self, mut start: ToolStart) -> Option<Event> {
        if self.json_tool == Some(start.name.as_str()) {
            self.json_calls.push(start.index);
            return None;
        }
        self.other_calls = true;
        if let Some((_, name)) = self.renamed_tools.iter().find(|(sent, _)| *sent == start.name) {
            start.name.clone_from(name);
        }
        if !start.custom && self.custom_tools.contains(&start.name) {
            start.custom = true;
            self.free.push((start.index, String::new()));
        }
        if start.id.is_empty() {
            let tail: String = self.seed.chars().filter(char::is_ascii_alphanumeric).collect();
            let tail = tail.get(tail.len().saturating_sub(20)..).unwrap_or_default();
            start.id = format!("call_{tail}{:04}", start.index);
        }
        Some(Event::ToolCall(start))
    }
}

/// Notes in `seen` what an event says.
fn note(seen: &mut Seen, event: &Event) {
    match event {
        Event::Id(id) => seen.upstream_id = Some(id.chars().take(200).collect()),
        Event::Text(text) | Event::Refusal(text) | Event::Reasoning { text, .. } => {
            seen.said.text(text);
        }
        Event::ToolCall(start) => {
            seen.said.text(&start.name);
            if start.custom {
                // Free text is good whatever it is.
                seen.free.push(start.index);
            } else {
                seen.calls.begin(u64::from(start.index));
            }
        }
        Event::ToolArguments { index, json } => {
            seen.said.text(json);
            if !seen.free.contains(index) {
                seen.calls.piece(u64::from(*index), json);
            }
        }
        Event::Finish { reason, .. } => seen.finish_reason = Some(reason.name().to_owned()),
        Event::Usage(usage) => seen.usage = Some(*usage),
        Event::Image(_) | Event::Audio(_) => seen.said.media(),
        Event::Sealed(_) | Event::Citation(_) | Event::Logprobs(_) => (),
    }
}

/// A stream between two dialects.
#[derive(Debug)]
pub struct Bridge {
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    undo: Undo,
    seen: Seen,
    watch: Watch,
    events: Vec<Event>,
    sieve: Option<Box<dyn Sieve>>,
    /// What the sieve lets through.
    sifted: Vec<Event>,
}

impl Bridge {
    /// A bridge from what `reader` reads to what `writer` writes.
    pub fn new(reader: Box<dyn StreamReader>, writer: Box<dyn StreamWriter>, undo: Undo) -> Bridge {
        let sieve = undo.screen.as_ref().map(|screen| screen.sieve());
        Bridge {
            reader,
            writer,
            undo,
            seen: Seen::default(),
            watch: Watch::default(),
            events: Vec::new(),
            sieve,
            sifted: Vec::new(),
        }
    }

    fn pass(&mut self, out: &mut Vec<u8>) {
        for event in std::mem::take(&mut self.events) {
            note(&mut self.seen, &event);
            if matches!(event, Event::Finish { .. }) {
                for held in self.undo.release() {
                    self.sift(held, out);
                }
            }
            if let Some(event) = self.undo.event(event) {
                self.sift(event, out);
            }
        }
        self.seen.done = self.reader.is_done();
        if self.seen.done {
            self.sifted_whole(out);
        }
    }

    /// Lets an event through, as far as the sieve does.
    fn sift(&mut self, event: Event, out: &mut Vec<u8>) {
        match &mut self.sieve {
            None => self.write(&event, out),
            Some(sieve) => {
                sieve.event(event, &mut self.sifted);
                self.write_sifted(out);
            }
        }
    }

    /// What the sieve still holds, where nothing more comes.
    fn sifted_whole(&mut self, out: &mut Vec<u8>) {
        if let Some(sieve) = &mut self.sieve {
            sieve.end(&mut self.sifted);
            self.write_sifted(out);
        }
    }

    fn write_sifted(&mut self, out: &mut Vec<u8>) {
        for event in std::mem::take(&mut self.sifted) {
            self.write(&event, out);
        }
    }

    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.seen.sealed.extend(self.watch.event(event));
        if let Event::Finish { reason, .. } = event {
            self.seen.finish_reason = Some(reason.name().to_owned());
        }
        self.writer.event(event, out);
    }

    fn refusal(&self) -> Result<(), ChunkError> {
        match self.sieve.as_ref().and_then(|sieve| sieve.refusal()) {
            Some(why) => Err(ChunkError::Refused(why)),
            None => Ok(()),
        }
    }
}

impl Carry for Bridge {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn is_complete(&self) -> bool {
        self.reader.is_complete()
    }

    fn frame(&mut self, name: &str, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkError> {
        let result = self.reader.frame(name, data, &mut self.events);
        self.seen.chunks += 1;
        self.pass(out);
        result.and_then(|()| self.refusal())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.reader.end(&mut self.events);
        self.pass(out);
        self.sifted_whole(out);
    }

    fn refused(&self) -> Option<String> {
        self.sieve.as_ref().and_then(|sieve| sieve.refusal())
    }

    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        self.writer.comment(text, out);
    }

    fn keep_alive(&self, out: &mut Vec<u8>) {
        self.writer.keep_alive(out);
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.writer.last(settlement, out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        self.writer.fail(error, settlement, out);
    }
}

/// A whole answer between a provider and a caller.
pub trait Plain: std::fmt::Debug + Send {
    /// What it says.
    fn seen(&self) -> &Seen;

    /// Writes the caller's answer. `body` is the provider's, as it was read.
    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8>;

    /// The media type of what is rendered.
    fn content_type(&self) -> &str {
        "application/json"
    }

    /// See [`Carry::verdict`].
    fn verdict(&self) -> Option<Verdict> {
        None
    }
}

/// Writes a whole answer in the caller's dialect.
pub type WriteAnswer = fn(&[Event], &Ident, &Settlement) -> Vec<u8>;

/// A whole answer between two dialects.
#[derive(Debug)]
pub struct Translated {
    events: Vec<Event>,
    seen: Seen,
    write: WriteAnswer,
}

impl Translated {
    /// Takes a provider's answer as events. An answer that says nothing at all is none.
    pub fn new(events: Vec<Event>, mut undo: Undo, write: WriteAnswer) -> Result<Translated, AnswerError> {
        let says = |event: &Event| !matches!(event, Event::Id(_) | Event::Usage(_));
        if !events.iter().any(says) {
            return Err(AnswerError::Empty);
        }
        let mut seen = Seen { done: true, ..Seen::default() };
        events.iter().for_each(|event| note(&mut seen, event));
        let mut kept = Vec::with_capacity(events.len());
        for event in events {
            if matches!(event, Event::Finish { .. }) {
                kept.append(&mut undo.release());
            }
            kept.extend(undo.event(event));
        }
        let (events, mut watch) = (kept, Watch::default());
        for event in &events {
            seen.sealed.extend(watch.event(event));
            if let Event::Finish { reason, .. } = event {
                seen.finish_reason = Some(reason.name().to_owned());
            }
        }
        Ok(Translated { events, seen, write })
    }

    /// The answer, as the caller gets it.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// A whole answer on its way to a caller who asked for a stream: some providers don't stream every model.
#[derive(Debug)]
pub struct Replay {
    writer: Box<dyn StreamWriter>,
    seen: Seen,
}

impl Replay {
    /// Writes all events of the answer but its end.
    pub fn new(answer: Translated, mut writer: Box<dyn StreamWriter>, out: &mut Vec<u8>) -> Replay {
        answer.events.iter().for_each(|event| writer.event(event, out));
        Replay { writer, seen: answer.seen }
    }
}

impl Carry for Replay {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn frame(&mut self, _: &str, _: &[u8], _: &mut Vec<u8>) -> Result<(), ChunkError> {
        Ok(())
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.writer.last(settlement, out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        self.writer.fail(error, settlement, out);
    }
}

impl Plain for Translated {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, _body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        (self.write)(&self.events, ident, settlement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_to_the_request_is_undone_in_the_answer() {
        let start = |index, name: &str| {
            let (id, name) = (String::new(), name.to_owned());
            Event::ToolCall(ToolStart { index, id, name, custom: false, seal: None })
        };
        let arguments = |index, json: &str| Event::ToolArguments { index, json: json.to_owned() };
        let finish = || Event::Finish { reason: Finish::Stop, native: "stop".to_owned(), stop: None };
        let mut undo = Undo { seed: "gen-1-abc".to_owned(), ..Undo::default() };
        undo.custom_tools = vec!["patch".to_owned()];
        undo.renamed_tools = vec![("a_b".to_owned(), "a.b".to_owned())];
        let events = vec![
            start(0, "patch"),
            arguments(0, "{\"input\":\"*** "),
            arguments(0, "x\"}"),
            start(1, "a_b"),
            arguments(1, "{}"),
            finish(),
        ];
        let seen = Translated::new(events, undo, |_, _, _| Vec::new()).unwrap();
        let whole = super::super::Assembly::of(seen.events());
        let shown = format!("{:?}", whole.pieces);
        assert!(shown.contains("arguments: \"*** x\", custom: true"), "{shown}");
        assert!(shown.contains("name: \"a.b\"") && shown.contains("id: \"call_gen1abc0001\""), "{shown}");
        assert_eq!(seen.seen().finish_reason.as_deref(), Some("tool_calls"));

        let undo = Undo { json_tool: Some("json"), ..Undo::default() };
        let tool = Event::Finish { reason: Finish::ToolCalls, native: "tool_use".to_owned(), stop: None };
        let events = vec![start(0, "json"), arguments(0, "{\"a\":1}"), tool];
        let seen = Translated::new(events, undo, |_, _, _| Vec::new()).unwrap();
        assert_eq!(super::super::Assembly::of(seen.events()).all_text(), "{\"a\":1}");
        assert_eq!(seen.seen().finish_reason.as_deref(), Some("stop"));
    }
}
