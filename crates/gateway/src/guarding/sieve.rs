//! A stream on its way through the guardrails.
//!
//! - Text, refusals, reasoning and the arguments of each call are texts of their own. One that may be the beginning of something is
//!   held until that is decided, 8 KB at most; the rest leaves at once.
//! - What is held leaves when something of another kind comes: blocks of an answer stand in their order.
//! - Arguments stay JSON: only what stands inside values is masked.
//! - The tokens' probabilities tell the text once more, token by token; they are left out.

use std::sync::Arc;

use guardrails::{Compiled, JsonStream, Place, Stream, Tally};
use wire::hub::{Event, Screen, Sieve};

use super::Found;

/// Begins a sieve for each answer.
#[derive(Debug)]
pub(super) struct Gauze {
    pub(super) rules: Arc<Compiled>,
    pub(super) found: Found,
}

impl Screen for Gauze {
    fn sieve(&self) -> Box<dyn Sieve> {
        Box::new(Mesh {
            rules: Arc::clone(&self.rules),
            found: Arc::clone(&self.found),
            open: None,
            calls: Vec::new(),
            blocked: false,
        })
    }
}

/// Which text is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Text,
    Refusal,
    Reasoning { summary: bool },
}

impl Channel {
    fn event(self, text: String) -> Event {
        match self {
            Channel::Text => Event::Text(text),
            Channel::Refusal => Event::Refusal(text),
            Channel::Reasoning { summary } => Event::Reasoning { text, summary },
        }
    }
}

/// The arguments of a call.
#[derive(Debug)]
enum Arguments {
    Json(Box<JsonStream>),
    Free(Stream),
}

#[derive(Debug)]
struct Mesh {
    rules: Arc<Compiled>,
    found: Found,
    open: Option<(Channel, Stream)>,
    calls: Vec<(u32, Arguments)>,
    blocked: bool,
}

impl Mesh {
    /// Takes more of a text.
    fn text(&mut self, channel: Channel, text: &str, pass: &mut Vec<Event>) {
        if self.open.as_ref().is_some_and(|(open, _)| *open != channel) {
            self.close(pass);
        }
        let new = || (channel, Stream::new(Arc::clone(&self.rules), Place::Answer));
        let (_, stream) = self.open.get_or_insert_with(new);
        let (mut out, mut tally) = (String::new(), self.found.lock());
        self.blocked |= stream.push(text, &mut out, &mut tally).is_err();
        drop(tally);
        self.tell(channel.event(out), pass);
    }

    /// Lets go what is held of a text.
    fn close(&mut self, pass: &mut Vec<Event>) {
        let Some((channel, mut stream)) = self.open.take() else { return };
        let (mut out, mut tally) = (String::new(), self.found.lock());
        self.blocked |= stream.finish(&mut out, &mut tally).is_err();
        drop(tally);
        self.tell(channel.event(out), pass);
    }

    /// Lets go what is held of all calls.
    fn close_calls(&mut self, pass: &mut Vec<Event>) {
        for (index, mut arguments) in std::mem::take(&mut self.calls) {
            let mut out = String::new();
            let mut tally = self.found.lock();
            let ended = match &mut arguments {
                Arguments::Json(json) => json.finish(&mut out, &mut tally),
                Arguments::Free(text) => text.finish(&mut out, &mut tally),
            };
            drop(tally);
            self.blocked |= ended.is_err();
            self.tell(Event::ToolArguments { index, json: out }, pass);
        }
    }

    fn arguments(&mut self, index: u32, piece: &str, pass: &mut Vec<Event>) {
        let mut out = String::new();
        let found = Arc::clone(&self.found);
        let mut tally = found.lock();
        let ended = match self.call(index) {
            Some(Arguments::Json(json)) => json.push(piece, &mut out, &mut tally),
            Some(Arguments::Free(text)) => text.push(piece, &mut out, &mut tally),
            None => Ok(()),
        };
        drop(tally);
        self.blocked |= ended.is_err();
        self.tell(Event::ToolArguments { index, json: out }, pass);
    }

    /// The arguments under an index; of a call that nobody announced they are JSON.
    fn call(&mut self, index: u32) -> Option<&mut Arguments> {
        if !self.calls.iter().any(|(known, _)| *known == index) {
            self.begin(index, false);
        }
        self.calls.iter_mut().find(|(known, _)| *known == index).map(|(_, arguments)| arguments)
    }

    fn begin(&mut self, index: u32, free: bool) {
        let rules = Arc::clone(&self.rules);
        let arguments = match free {
            true => Arguments::Free(Stream::new(rules, Place::Answer)),
            false => Arguments::Json(Box::new(JsonStream::new(rules, Place::Answer))),
        };
        self.calls.push((index, arguments));
    }

    /// Lets an event go that says something. Nothing of a text that is blocked leaves with the finding.
    fn tell(&self, event: Event, pass: &mut Vec<Event>) {
        let empty = match &event {
            Event::Text(text) | Event::Refusal(text) | Event::Reasoning { text, .. } => text.is_empty(),
            Event::ToolArguments { json, .. } => json.is_empty(),
            _ => false,
        };
        if !empty {
            pass.push(event);
        }
    }

    fn masked(&self, text: &mut String) {
        let mut tally = Tally::default();
        let masked = self.rules.mask(text, Place::Answer, &mut tally).into_owned();
        self.found.lock().merge(&tally);
        *text = masked;
    }
}

impl Sieve for Mesh {
    fn event(&mut self, event: Event, pass: &mut Vec<Event>) {
        if self.blocked {
            return;
        }
        match event {
            Event::Text(text) => self.text(Channel::Text, &text, pass),
            Event::Refusal(text) => self.text(Channel::Refusal, &text, pass),
            Event::Reasoning { text, summary } => self.text(Channel::Reasoning { summary }, &text, pass),
            Event::ToolArguments { index, json } => self.arguments(index, &json, pass),
            Event::ToolCall(start) => {
                self.close(pass);
                self.begin(start.index, start.custom);
                pass.push(Event::ToolCall(start));
            }
            Event::Citation(mut citation) => {
                self.masked(&mut citation.title);
                self.masked(&mut citation.quote);
                pass.push(Event::Citation(citation));
            }
            Event::Logprobs(_) => (),
            Event::Id(_) | Event::Usage(_) => pass.push(event),
            Event::Finish { .. } => {
                self.end(pass);
                if !self.blocked {
                    pass.push(event);
                }
            }
            Event::Sealed(_) | Event::Image(_) | Event::Audio(_) => {
                self.close(pass);
                pass.push(event);
            }
        }
    }

    fn end(&mut self, pass: &mut Vec<Event>) {
        if self.blocked {
            return;
        }
        self.close(pass);
        if !self.blocked {
            self.close_calls(pass);
        }
    }

    fn refusal(&self) -> Option<String> {
        self.blocked.then(|| self.found.lock().blocked().join(", "))
    }
}
