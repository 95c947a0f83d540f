//! Whose key pays the provider, and what is held of the account's money for it.

use ledger::{Fee, GenerationRecord, Hold, HoldSet};
use routing::plan::Step;
use types::Money;

use super::Flight;
use crate::byok::Payer;

impl Flight {
    /// Whether what is held serves for this attempt.
    pub(crate) fn is_paid(&self, step: &Step) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.payer.pays(step))
    }

    /// Gives back what is held; nothing may be sent until somebody pays again.
    pub(crate) fn let_go(&mut self, set: &HoldSet) {
        let Some(inner) = &mut self.0 else { return };
        // Nothing can always be held.
        if let Ok(nothing) = set.try_hold(Money::ZERO) {
            std::mem::replace(&mut inner.hold, nothing).void();
            inner.payer = Payer::Nobody;
        }
    }

    /// From here on another one pays.
    pub(crate) fn pay(&mut self, payer: Payer, hold: Hold) {
        let Some(inner) = &mut self.0 else { return hold.void() };
        std::mem::replace(&mut inner.hold, hold).void();
        inner.payer = payer;
    }

    /// From here on another of the own keys pays its provider; the fee is held already.
    pub(crate) fn with_own(&mut self, key: &str) {
        if let Some(inner) = &mut self.0
            && let Payer::Own(paying) = &mut inner.payer
        {
            key.clone_into(&mut paying.key);
        }
    }
}

/// Writes down an own key that paid; what comes back is what we owe the provider.
pub(super) fn paid(record: &mut GenerationRecord, payer: Payer, list: Money, due: Money) -> Money {
    match payer {
        Payer::Own(paying) => {
            record.fee = Some(Fee { rate: paying.rate, due, from: paying.from });
            record.byok_key = Some(paying.key);
            Money::ZERO
        }
        Payer::Account | Payer::Nobody => list,
    }
}
