//! Looks at what an answer says on its way to the caller, and may change it or end it. What it looks for is the gateway's
//! business.

use super::Event;

/// Begins a [`Sieve`] for each answer that is told.
pub trait Screen: std::fmt::Debug + Send + Sync {
    /// A new one.
    fn sieve(&self) -> Box<dyn Sieve>;
}

/// Looks at the events of one answer.
pub trait Sieve: std::fmt::Debug + Send {
    /// Takes an event and gives what may pass now: that event, nothing yet, or what was held back before it.
    fn event(&mut self, event: Event, pass: &mut Vec<Event>);

    /// Nothing more will come: gives what was held back.
    fn end(&mut self, pass: &mut Vec<Event>);

    /// The answer must not go on: what a person is told.
    fn refusal(&self) -> Option<String>;
}
