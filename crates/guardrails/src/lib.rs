//! Guardrails: finds personal data, secrets, card numbers, patterns of one's own and attempts to turn a model against its
//! instructions, and says what is to become of them. No socket, no clock, no model: values in, values out.
//!
//! - [`Rules`] is what somebody wrote: an action per kind, for requests, answers or both. Several hold together: the stricter
//!   action wins, kind by kind.
//! - [`Compiled`] is what they come to. [`Compiled::scan`] finds, [`Compiled::mask`] puts placeholders in.
//! - [`Stream`] does the same to a text that comes in pieces, [`JsonStream`] and [`mask_json`] to JSON.
//!
//! A text is read once from left to right. At each place each kind that can begin there is tried; what is found is stepped
//! over, so findings never overlap and what comes later never changes what came before. A try that reads to the end of what is
//! there so far is made again when there is more: that is all that a stream holds back ([`HELD_BYTES_MAX`] at most).

mod compiled;
mod detect;
mod injection;
mod json;
mod kind;
mod lexer;
mod own;
mod rules;
pub mod score;
mod stream;
mod tally;

pub use compiled::{Compiled, Finding, Place, What};
pub use json::{JsonStream, escape, mask_json};
pub use kind::{Action, Kind};
pub use rules::{Direction, Pattern, Rule, RuleError, Rules, Scope};
pub use stream::{Blocked, Stream};
pub use tally::{Count, Tally};

/// Most bytes that a stream holds back: a whole private key.
pub const HELD_BYTES_MAX: usize = 8 * 1024;
