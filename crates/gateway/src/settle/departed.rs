//! The evidence for what was charged after the caller had left.

use ledger::Status;
use wire::tally::Tally;

use super::{Inner, Outcome};
use crate::leaving::{KEPT, Leaving};

impl Inner {
    /// Writes down that its caller left, if it did.
    pub(super) fn evidence(&mut self, outcome: &Outcome) {
        let cancelled = outcome.status == Status::Cancelled;
        let at = self.sent.care().and_then(|care| care.left());
        let leaving = self.leaving.take().or_else(|| {
            (cancelled || at.is_some()).then(|| Leaving {
                at,
                said: if cancelled { outcome.said.clone() } else { Tally::default() },
                ..Leaving::default()
            })
        });
        let Some(leaving) = leaving else { return };
        let owed = self.sent.care().is_some_and(|care| care.owes());
        let rule = if owed && !cancelled { KEPT } else { self.on_disconnect.name() };
        self.record.on_disconnect = Some(rule.to_owned());
        self.record.departure = Some(leaving.evidence(self.started, outcome.usage.as_ref()));
    }
}
