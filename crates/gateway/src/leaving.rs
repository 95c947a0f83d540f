//! What is written down of a caller who left, and who pays for an answer that says nothing.

use ledger::{Departure, Status};
use tokio::time::Instant;
use types::Usage;
use wire::tally::{self, Tally};

use crate::settle::Outcome;

/// The rule of a call whose answer is owed under an `Idempotency-Key`: it goes on, and is billed like any other.
pub(crate) const KEPT: &str = "keep";
/// What an answer is called that costs its caller nothing because it says nothing.
pub(crate) const EMPTY_ANSWER: &str = "empty_answer";

/// How a caller left.
#[derive(Debug, Default)]
pub struct Leaving {
    /// When; `None`: just now.
    pub at: Option<Instant>,
    /// Bytes of the answer that had been handed over.
    pub bytes: u64,
    /// What it says of them.
    pub said: Tally,
    /// What ended the reading on.
    pub read_to: Option<&'static str>,
}

impl Leaving {
    /// For the record of a call that began at `started`.
    pub(crate) fn evidence(&self, started: Instant, usage: Option<&Usage>) -> Departure {
        let left = self.at.unwrap_or_else(Instant::now).saturating_duration_since(started);
        // Half a second of loading is not worth a number that nothing is billed by.
        let tokens = match self.said.bytes() {
            0 => 0,
            bytes if !tally::is_loaded() => bytes.div_ceil(crate::care::BYTES_PER_TOKEN),
            _ => self.said.tokens(),
        };
        Departure {
            left_us: i64::try_from(left.as_micros()).unwrap_or(i64::MAX),
            bytes: self.bytes,
            tokens,
            usage_arrived: usage.is_some(),
            read_to: self.read_to.map(str::to_owned),
        }
    }
}

/// Whether a conversation's answer says nothing: no text, no call, and no output that the provider reports. Its caller doesn't pay
/// for it; what the provider takes is the operator's.
pub(crate) fn says_nothing(outcome: &Outcome, usage: &Usage) -> bool {
    let ended = matches!(outcome.status, Status::Ok | Status::Truncated);
    let made = usage.output_total() + usage.images + usage.audio_seconds + usage.characters;
    ended && made == 0 && outcome.said.bytes() == 0 && !outcome.calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_nothing_says_nothing() {
        let text = || {
            let mut said = Tally::default();
            said.text("x");
            said
        };
        let output = |output| Usage { input: 10, output, ..Usage::default() };
        let rows = [
            (Status::Ok, Tally::default(), false, 0, true),
            (Status::Truncated, Tally::default(), false, 0, true),
            (Status::Cancelled, Tally::default(), false, 0, false),
            (Status::Failed, Tally::default(), false, 0, false),
            (Status::Ok, text(), false, 0, false),
            (Status::Ok, Tally::default(), true, 0, false),
            (Status::Ok, Tally::default(), false, 1, false),
        ];
        for (status, said, calls, reported, expect) in rows {
            let outcome = Outcome { status, said, calls, ..Outcome::default() };
            assert_eq!(says_nothing(&outcome, &output(reported)), expect, "{outcome:?} {reported}");
        }
    }
}
