//! An answer that is set aside for that of a better model: what it cost goes to its attempt and is the operator's, unless the
//! better model fails and the answer is taken up again.

use catalog::{Endpoint, OnDisconnect, Snapshot};
use ledger::{Attempt, Escalated, Status, Warning};
use types::Money;
use wire::hub::Seen;

use super::{Flight, Outcome};

/// The outcome of an attempt whose answer was set aside.
const SET_ASIDE: &str = "escalated";

/// What is needed to take an answer up again.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Which attempt made it.
    attempt: usize,
    /// What was lost on its way.
    warnings: Vec<Warning>,
    on_disconnect: OnDisconnect,
}

/// The attempt that is answering: the last that went well, else the last of which nothing is known to cost anything.
pub(super) fn answering(attempts: &mut [Attempt]) -> Option<&mut Attempt> {
    let well = attempts.iter().rposition(|attempt| attempt.outcome == "ok");
    let last = || attempts.len().checked_sub(1);
    let at = well.or_else(last)?;
    attempts.get_mut(at).filter(|attempt| attempt.outcome != SET_ASIDE)
}

impl Flight {
    /// What the answer of the present attempt would cost its caller.
    pub(crate) fn worth(&self, seen: &Seen) -> Money {
        let Some(inner) = &self.0 else { return Money::ZERO };
        let outcome =
            Outcome { status: Status::Ok, usage: seen.usage, said: seen.said.clone(), ..Outcome::default() };
        inner.cost(&inner.used(&outcome).0).total
    }

    /// What it costs fills the budget of answers that are set aside.
    pub(crate) fn earns_escalations(&mut self) {
        if let Some(inner) = &mut self.0 {
            inner.earns_escalations = true;
        }
    }

    /// Sets the answer of the present attempt aside, at this cost.
    pub(crate) fn set_aside(&mut self, cost: Money) -> Option<Aside> {
        let inner = self.0.as_mut()?;
        let record = &mut inner.record;
        let attempt = record.attempts.iter().rposition(|attempt| attempt.outcome == "ok")?;
        if let Some(made) = record.attempts.get_mut(attempt) {
            made.outcome = SET_ASIDE.to_owned();
            // What an own key pays is the provider's bill to its owner.
            made.cost = if inner.payer.is_own() { Money::ZERO } else { cost };
        }
        let own = inner.own_warnings.unwrap_or_default();
        let warnings = record.warnings.get(own..).unwrap_or_default().to_vec();
        inner.sent.set(false);
        Some(Aside { attempt, warnings, on_disconnect: inner.on_disconnect })
    }

    /// Takes an answer up again that was set aside.
    pub(crate) fn take_up(&mut self, aside: Aside, snapshot: &Snapshot, endpoint: &Endpoint) {
        self.aim(snapshot, endpoint);
        let Some(inner) = &mut self.0 else { return };
        inner.sent.set(true);
        inner.on_disconnect = aside.on_disconnect;
        inner.record.warnings.extend(aside.warnings);
        if let Some(made) = inner.record.attempts.get_mut(aside.attempt) {
            made.outcome = String::from("ok");
            made.cost = Money::ZERO;
        }
    }

    /// Writes down that a better model answers.
    pub(crate) fn escalated(&mut self, escalated: Escalated) {
        if let Some(inner) = &mut self.0 {
            inner.record.escalated = Some(escalated);
        }
    }
}
