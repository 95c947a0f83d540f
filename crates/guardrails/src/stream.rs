//! A text that comes in pieces.

use std::sync::Arc;

use crate::HELD_BYTES_MAX;
use crate::compiled::{Compiled, Finding, Place};
use crate::kind::Action;
use crate::lexer::{BEHIND_BYTES, Step, Window};
use crate::tally::Tally;

/// Something was found that calls for an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a guardrail blocks it")]
pub struct Blocked;

/// Masks a text as its pieces come: what leaves is, put together, what [`Compiled::mask`] makes of the whole, however it was cut.
#[derive(Debug)]
pub struct Stream {
    rules: Arc<Compiled>,
    place: Place,
    /// What was let go last, as far as a finding may look back, and what is held.
    text: String,
    /// Where what is held begins.
    held: usize,
}

impl Stream {
    /// Begins.
    pub fn new(rules: Arc<Compiled>, place: Place) -> Stream {
        Stream { rules, place, text: String::new(), held: 0 }
    }

    /// The next piece: puts what may leave behind `out`.
    pub fn push(&mut self, piece: &str, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        self.text.push_str(piece);
        self.read(false, out, tally)
    }

    /// The text is over: what was held back.
    pub fn finish(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        let ended = self.read(true, out, tally);
        self.text.clear();
        self.held = 0;
        ended
    }

    /// Bytes that are held back.
    pub fn held_bytes(&self) -> usize {
        self.text.len() - self.held
    }

    fn read(&mut self, last: bool, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        let rules = Arc::clone(&self.rules);
        let lexer = rules.lexer(self.place);
        if lexer.is_idle() {
            out.push_str(self.text.get(self.held..).unwrap_or_default());
            self.text.clear();
            self.held = 0;
            return Ok(());
        }
        loop {
            let window = if last { Window::whole(&self.text) } else { Window::part(&self.text) };
            match lexer.next(&window, self.held) {
                Step::Found(what, hit) => {
                    self.leave(hit.start, out);
                    let found = self.text.get(hit.start..hit.end).unwrap_or_default();
                    let action = rules.judge(what, found, self.place);
                    match action {
                        Action::Off | Action::Flag => out.push_str(found),
                        Action::Mask | Action::Block => out.push_str(rules.placeholder(what)),
                    }
                    self.held = hit.end;
                    if action != Action::Off {
                        tally.add(&rules, self.place, &Finding { what, action, span: hit.start..hit.end });
                    }
                    if action == Action::Block {
                        return Err(Blocked);
                    }
                }
                Step::Held(at) => {
                    self.leave(at, out);
                    break;
                }
                Step::End => {
                    self.leave(self.text.len(), out);
                    break;
                }
            }
        }
        debug_assert!(self.held_bytes() <= HELD_BYTES_MAX, "every try is bounded");
        self.trim();
        Ok(())
    }

    fn leave(&mut self, up_to: usize, out: &mut String) {
        out.push_str(self.text.get(self.held..up_to).unwrap_or_default());
        self.held = up_to;
    }

    /// Forgets what no finding looks back to.
    fn trim(&mut self) {
        let mut from = self.held.saturating_sub(BEHIND_BYTES);
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        // Not for every few bytes: what is behind moves to the front each time.
        if from > 4 * BEHIND_BYTES {
            self.text.drain(..from);
            self.held -= from;
        }
    }
}
