//! A purse: what one account, or one key with a spend limit, may still spend on this node.
//!
//! - `available = limit - spent - held`. A purse without a limit counts what is spent and held, and refuses nothing.
//! - A hold is taken only where `available` stays at zero or above. Only a change of the limit can push it below (a
//!   correction, a lowered limit); then no hold succeeds until enough came back.
//! - `held` is the sum of the outstanding holds, `holds` their number; both are zero when nothing runs.
//! - A lock of a few nanoseconds guards the four numbers together, never across a wait. With single atomics a refusal
//!   could not tell "spent" from "held by a call that may give some back", and callers wait on exactly that difference.
//! - A purse of a [`Period`] begins anew with the first hold of the next span; what is still held then counts in both. A charge
//!   counts in the span of the day on which its call began.
//! - `on_release` runs after each hold that ended and each change of the limit, outside of the lock: whoever waits looks
//!   again.

use std::fmt;
use std::sync::Arc;

use types::Money;

use crate::period::{Days, Period};
use crate::sync::{Mutex, MutexGuard};

/// Called when something may have become available.
pub type OnRelease = Box<dyn Fn() + Send + Sync>;

/// Called after a charge, outside of the lock.
pub type OnSpent = Box<dyn Fn(&Spent) + Send + Sync>;

/// A charge as a purse saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// What was spent before it.
    pub before: Money,
    /// What was spent after it.
    pub after: Money,
    /// The days that both count.
    pub days: Days,
}

/// What one account or one key may still spend. Amounts in nano-dollars.
pub struct Purse {
    scope: Arc<str>,
    period: Period,
    state: Mutex<State>,
    on_release: Option<OnRelease>,
    on_spent: Option<OnSpent>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) days: Days,
    pub(crate) limit: Option<i64>,
    // 128 bits: a purse without a limit must add up too, however large the holds.
    pub(crate) spent: i128,
    pub(crate) held: i128,
    pub(crate) holds: u32,
    pub(crate) dropped: u64,
}

/// The numbers of a purse at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurseSnapshot {
    /// What may be spent in all; `None`: no limit.
    pub limit: Option<Money>,
    /// What was spent.
    pub spent: Money,
    /// What outstanding holds keep.
    pub held: Money,
    /// `limit - spent - held`; `None`: no limit.
    pub available: Option<Money>,
    /// Outstanding holds.
    pub holds: u32,
    /// Holds that were dropped without settle or void: each is a bug of a caller.
    pub dropped: u64,
    /// Over what span the limit counts.
    pub period: Period,
    /// The present span.
    pub days: Days,
}

/// Why a hold was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{scope}: {needed} needed, {available} left of {limit} ({spent} spent, {held} held)")]
pub struct Refusal {
    /// The scope of the purse that refused: `account`, `key`, `budget:bud_7 (project:web)`.
    pub scope: Arc<str>,
    /// Over what span its limit counts.
    pub period: Period,
    /// The day, since 1970, at whose beginning it counts anew; `None`: never.
    pub resets: Option<i64>,
    /// Its position in the set.
    pub index: usize,
    /// Its limit.
    pub limit: Money,
    /// What was spent.
    pub spent: Money,
    /// What other calls hold.
    pub held: Money,
    /// What is left; may be below zero.
    pub available: Money,
    /// What was asked for, or for [`crate::HoldSet::try_hold_up_to`] the least that would have done.
    pub needed: Money,
    /// Other calls hold money in it and may give some back: waiting for `on_release` can help.
    pub outstanding: bool,
}

impl Purse {
    /// A purse with `spent` already spent of `limit`. `scope` says in refusals what it stands for.
    pub fn new(
        scope: impl Into<Arc<str>>,
        limit: Option<Money>,
        spent: Money,
        on_release: Option<OnRelease>,
    ) -> Purse {
        let state = State {
            days: Period::Total.days(0),
            limit: limit.map(Money::nanos),
            spent: i128::from(spent.nanos()),
            held: 0,
            holds: 0,
            dropped: 0,
        };
        let state = Mutex::new(state);
        Purse { scope: scope.into(), period: Period::Total, state, on_release, on_spent: None }
    }

    /// The same, counting over the span of `period` that `day` lies in, and over those after it.
    #[must_use]
    pub fn over(mut self, period: Period, day: i64) -> Purse {
        self.period = period;
        self.state.get_mut().days = period.days(day);
        self
    }

    /// The same, telling somebody of every charge.
    #[must_use]
    pub fn telling(mut self, on_spent: OnSpent) -> Purse {
        self.on_spent = Some(on_spent);
        self
    }

    /// What it stands for.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Begins the span that a day lies in, where the present one is over by then.
    pub fn roll(&self, day: i64) {
        self.roll_in(&mut self.lock(), day);
    }

    pub(crate) fn roll_in(&self, state: &mut State, day: i64) {
        if day >= state.days.1 {
            state.days = self.period.days(day);
            state.spent = 0;
        }
    }

    pub(crate) fn told(&self, spent: &Spent) {
        if let Some(call) = &self.on_spent {
            call(spent);
        }
    }

    pub(crate) fn is_told(&self) -> bool {
        self.on_spent.is_some()
    }

    /// Raises the limit, or lowers it for a correction; no effect where there is none.
    pub fn credit(&self, delta: Money) {
        {
            let mut state = self.lock();
            state.limit = state.limit.map(|limit| limit.saturating_add(delta.nanos()));
        }
        self.released();
    }

    /// Replaces the limit; outstanding holds and what was spent stay.
    pub fn set_limit(&self, limit: Option<Money>) {
        self.lock().limit = limit.map(Money::nanos);
        self.released();
    }

    /// Counts what was spent without a hold: on another node, or before a restart.
    pub fn note_spent(&self, delta: Money) {
        {
            let mut state = self.lock();
            state.spent += i128::from(delta.nanos());
        }
        self.released();
    }

    /// The numbers at this instant, consistent with each other.
    pub fn snapshot(&self) -> PurseSnapshot {
        let state = *self.lock();
        PurseSnapshot {
            limit: state.limit.map(Money::from_nanos),
            spent: clamped(state.spent),
            held: clamped(state.held),
            available: state.available().map(Money::from_nanos),
            holds: state.holds,
            dropped: state.dropped,
            period: self.period,
            days: state.days,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn released(&self) {
        if let Some(call) = &self.on_release {
            call();
        }
    }

    pub(crate) fn refusal(&self, state: &State, index: usize, needed: i64, own: u32) -> Refusal {
        Refusal {
            scope: Arc::clone(&self.scope),
            period: self.period,
            resets: (self.period != Period::Total).then_some(state.days.1),
            index,
            limit: Money::from_nanos(state.limit.unwrap_or(i64::MAX)),
            spent: clamped(state.spent),
            held: clamped(state.held),
            available: Money::from_nanos(state.available().unwrap_or(i64::MAX)),
            needed: Money::from_nanos(needed),
            outstanding: state.holds > own,
        }
    }
}

impl State {
    /// `None`: no limit.
    pub(crate) fn available(&self) -> Option<i64> {
        self.limit.map(|limit| clamped(i128::from(limit) - self.spent - self.held).nanos())
    }

    /// What a hold can take: never below zero.
    pub(crate) fn obtainable(&self) -> i64 {
        self.available().unwrap_or(i64::MAX).max(0)
    }
}

pub(crate) fn clamped(nanos: i128) -> Money {
    Money::from_nanos(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purse")
            .field("scope", &self.scope)
            .field("state", &*self.lock())
            .finish_non_exhaustive()
    }
}
