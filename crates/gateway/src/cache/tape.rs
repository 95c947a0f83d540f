//! A provider's answer as it came, to be told once more: what is kept is the provider's side of it, so that every telling
//! writes its own id, time, usage and cost, in the caller's dialect, by the code that wrote the first.

use std::sync::Arc;

use bytes::Bytes;
use wire::call::Call;
use wire::hub::{AnswerError, Dialect, Ident, Plain, Undo};

use crate::guarding::Guard;
use crate::leg::Leg;

/// An answer of a provider.
#[derive(Debug)]
pub struct Tape {
    from: Dialect,
    /// The provider speaks the caller's dialect: bytes are relayed.
    bytes: bool,
    undo: Undo,
    what: What,
}

#[derive(Debug)]
enum What {
    /// It came whole.
    Whole(Bytes),
    /// It came as a stream: names and data of its frames one after another, and where each ends.
    Frames { text: Vec<u8>, ends: Vec<(usize, usize)>, bytes_max: usize },
}

/// An answer that is told again.
pub(crate) enum Telling {
    /// To a caller who takes it whole.
    Plain(Bytes, Box<dyn Plain>),
    /// To a caller of streams.
    Stream(Box<Leg>),
}

impl Tape {
    /// Begins one of a stream.
    pub(crate) fn of_frames(from: Dialect, bytes: bool, undo: Undo, bytes_max: usize) -> Tape {
        Tape { from, bytes, undo, what: What::Frames { text: Vec::new(), ends: Vec::new(), bytes_max } }
    }

    /// One of an answer that came whole; `None`: it is too large.
    pub(crate) fn of_whole(
        from: Dialect,
        bytes: bool,
        undo: Undo,
        body: &Bytes,
        bytes_max: usize,
    ) -> Option<Tape> {
        // A copy, so that no larger buffer is kept for it.
        let body = (body.len() <= bytes_max).then(|| Bytes::copy_from_slice(body))?;
        Some(Tape { from, bytes, undo, what: What::Whole(body) })
    }

    /// Takes one frame; false when it is too large now.
    pub(crate) fn take(&mut self, name: &str, data: &[u8]) -> bool {
        let What::Frames { text, ends, bytes_max } = &mut self.what else { return true };
        text.extend_from_slice(name.as_bytes());
        let name_ends = text.len();
        text.extend_from_slice(data);
        ends.push((name_ends, text.len()));
        text.len() + ends.len() * size_of::<(usize, usize)>() <= *bytes_max
    }

    /// Its size in memory.
    pub(crate) fn bytes(&self) -> usize {
        match &self.what {
            What::Whole(body) => body.len(),
            What::Frames { text, ends, .. } => text.capacity() + size_of_val(ends.as_slice()),
        }
    }

    fn frame(&self, at: usize) -> Option<(&str, &[u8])> {
        let What::Frames { text, ends, .. } = &self.what else { return None };
        let (name_ends, ends_at) = *ends.get(at)?;
        let begins = at.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |(_, end)| *end);
        let name = std::str::from_utf8(text.get(begins..name_ends)?).unwrap_or_default();
        Some((name, text.get(name_ends..ends_at)?))
    }
}

/// Tells an answer to a caller who asked the same as the first one.
pub(crate) fn tell(
    tape: &Arc<Tape>,
    call: &Call<'_>,
    ident: Ident,
    guard: Option<&Guard>,
) -> Result<Telling, AnswerError> {
    let mut undo = tape.undo.clone();
    undo.seed.clone_from(&ident.id);
    Ok(match &tape.what {
        What::Whole(body) if call.asked().stream => {
            let (carry, out) = call.replay(tape.from, body, ident, undo)?;
            Telling::Stream(Box::new(Leg::whole(carry, out)))
        }
        What::Whole(body) => Telling::Plain(body.clone(), call.plain(tape.from, tape.bytes, body, undo)?),
        What::Frames { .. } => {
            // What is kept is what the provider said: it is looked through each time.
            let found = guard.filter(|guard| guard.hears()).map(|guard| guard.screen(&mut undo));
            let carry = call.carry(tape.from, tape.bytes, ident, undo);
            let mut leg = Leg::again(Player { tape: Arc::clone(tape), next: 0 }, carry);
            leg.found = found;
            Telling::Stream(Box::new(leg))
        }
    })
}

/// Plays the frames of a tape, one at a time.
#[derive(Debug)]
pub struct Player {
    tape: Arc<Tape>,
    next: usize,
}

impl Player {
    /// Gives the next frame to `take`, with every count of tokens in it 0: telling an answer again uses nothing. False: that
    /// was all.
    pub(crate) fn play(&mut self, take: impl FnOnce(&str, &[u8])) -> bool {
        let Some((name, data)) = self.tape.frame(self.next) else { return false };
        self.next += 1;
        match self.tape.bytes {
            true => take(name, &wire::call::unmetered(data)),
            false => take(name, data),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_went_in_until_there_is_no_room() {
        let mut tape = Tape::of_frames(Dialect::Chat, false, Undo::default(), 100);
        assert!(tape.take("message_start", b"{}") && tape.take("", b"[DONE]"));
        assert!(!tape.take("", &[b'x'; 50]), "{}", tape.bytes());
        let mut player = Player { tape: Arc::new(tape), next: 0 };
        let mut heard = Vec::new();
        while player.play(|name, data| heard.push(format!("{name}:{}", String::from_utf8_lossy(data)))) {}
        assert_eq!(heard, ["message_start:{}".to_owned(), ":[DONE]".into(), format!(":{}", "x".repeat(50))]);
        let body = Bytes::from_static(b"{\"a\":1}");
        assert!(Tape::of_whole(Dialect::Chat, true, Undo::default(), &body, 6).is_none());
        assert_eq!(Tape::of_whole(Dialect::Chat, true, Undo::default(), &body, 7).unwrap().bytes(), 7);
    }
}
