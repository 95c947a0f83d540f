//! Holds: money set aside before an attempt, settled or voided exactly once.
//!
//! - A hold takes the same amount from every purse of its set, or from none: the purses are locked together, in one order
//!   for all sets, checked, and only then changed. No other call ever sees half a hold.
//! - A hold grows while tokens arrive. Growing is refused like holding, and leaves the hold as it was.
//! - Settling consumes the hold. It charges what was used, first out of the hold and then out of what is available; what
//!   can't be had is written off, so that no limited purse goes below zero. The rest goes back.
//! - A hold that is dropped unsettled is voided and counted (`PurseSnapshot::dropped`): nothing leaks, and tests see it.
//! - Negative amounts count as zero.

use std::sync::Arc;

use crate::purse::{Spent, State, clamped};
use crate::sync::MutexGuard;
use crate::{Purse, Refusal};
use smallvec::SmallVec;
use types::Money;

/// One guard for each purse, in the order of locking.
type Locked<'a> = SmallVec<[MutexGuard<'a, State>; 8]>;

/// The purses that one call has to satisfy together: the key's, its budgets', the account's. Cloning is cheap; keep one per
/// key.
#[derive(Clone, Debug)]
pub struct HoldSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    purses: Vec<Arc<Purse>>,
    /// Indexes of `purses` in the order of their addresses: the order of locking.
    order: Vec<usize>,
    /// For each purse, its place in `order`.
    place: Vec<usize>,
}

/// Money set aside in every purse of a set.
#[derive(Debug)]
#[must_use = "a hold that is dropped is voided"]
pub struct Hold {
    set: HoldSet,
    amount: i64,
    /// Days since 1970, of the beginning of the call.
    day: i64,
    open: bool,
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was taken from every purse.
    pub charged: Money,
    /// What could not be taken.
    pub written_off: Money,
}

impl HoldSet {
    /// A set of purses; one that is named twice counts once. In a refusal the first purse that can't be satisfied is named, so
    /// put the narrowest first.
    pub fn new(purses: impl IntoIterator<Item = Arc<Purse>>) -> HoldSet {
        let mut unique: Vec<Arc<Purse>> = Vec::new();
        for purse in purses {
            if !unique.iter().any(|known| Arc::ptr_eq(known, &purse)) {
                unique.push(purse);
            }
        }
        let mut order: Vec<usize> = (0..unique.len()).collect();
        order.sort_by_key(|index| unique.get(*index).map(Arc::as_ptr));
        let mut place: Vec<usize> = (0..unique.len()).collect();
        place.sort_by_key(|at| order.get(*at).copied());
        HoldSet(Arc::new(Inner { purses: unique, order, place }))
    }

    /// The same purses with others before them.
    #[must_use]
    pub fn and_before(&self, narrower: impl IntoIterator<Item = Arc<Purse>>) -> HoldSet {
        HoldSet::new(narrower.into_iter().chain(self.purses().iter().map(Arc::clone)))
    }

    /// The same purses with another in the place of one.
    #[must_use]
    pub fn with_instead(&self, of: &Arc<Purse>, other: Arc<Purse>) -> HoldSet {
        let place =
            |purse: &Arc<Purse>| if Arc::ptr_eq(purse, of) { Arc::clone(&other) } else { Arc::clone(purse) };
        HoldSet::new(self.purses().iter().map(place))
    }

    /// The purses, in the order of [`Refusal::index`].
    pub fn purses(&self) -> &[Arc<Purse>] {
        &self.0.purses
    }

    /// Holds `amount`, or nothing.
    pub fn try_hold(&self, amount: Money) -> Result<Hold, Refusal> {
        let amount = amount.nanos().max(0);
        self.try_hold_up_to(Money::from_nanos(amount), Money::from_nanos(amount))
    }

    /// Holds `want` where it can be had. Else, when no other call holds money in a purse that falls short, holds all that
    /// is available as long as that is `min` or more. Else refuses; `outstanding` says whether to wait and try again.
    pub fn try_hold_up_to(&self, min: Money, want: Money) -> Result<Hold, Refusal> {
        self.try_hold_on(i64::MIN, min, want)
    }

    /// The same for a call that began on `day`, in days since 1970: purses whose span is over by then begin the next.
    pub fn try_hold_on(&self, day: i64, min: Money, want: Money) -> Result<Hold, Refusal> {
        let min = min.nanos().max(0);
        let want = want.nanos().max(min);
        let mut locked = self.lock();
        for (purse, state) in self.0.in_order().zip(&mut locked) {
            purse.roll_in(state, day);
        }
        // A purse that lacks even the minimum and waits for nobody decides; then one that is worth a wait.
        let refusal = self
            .refusal(&locked, min, 0, |state| state.obtainable() < min && state.holds == 0)
            .or_else(|| self.refusal(&locked, min, 0, |state| state.obtainable() < want && state.holds > 0));
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let amount = least(&locked).min(want);
        for state in &mut locked {
            state.held += i128::from(amount);
            state.holds = state.holds.saturating_add(1);
        }
        drop(locked);
        Ok(Hold { set: self.clone(), amount, day, open: true })
    }

    fn lock(&self) -> Locked<'_> {
        self.0.in_order().map(|purse| purse.lock()).collect()
    }

    /// A refusal by the first purse that fails the test; `own` of its holds are the caller's.
    fn refusal(
        &self,
        locked: &Locked<'_>,
        needed: i64,
        own: u32,
        fails: impl Fn(&State) -> bool,
    ) -> Option<Refusal> {
        let states = self.0.place.iter().filter_map(|at| locked.get(*at));
        let mut pairs = self.0.purses.iter().zip(states).enumerate();
        let (index, (purse, state)) = pairs.find(|(_, (_, state))| fails(state))?;
        Some(purse.refusal(state, index, needed, own))
    }

    fn released(&self) {
        self.0.purses.iter().for_each(|purse| purse.released());
    }
}

impl Inner {
    fn in_order(&self) -> impl Iterator<Item = &Purse> {
        self.order.iter().filter_map(|index| self.purses.get(*index)).map(|purse| &**purse)
    }
}

/// What can be had from every purse at once.
fn least(locked: &Locked<'_>) -> i64 {
    locked.iter().map(|state| state.obtainable()).min().unwrap_or(i64::MAX)
}

impl Hold {
    /// What is held.
    pub fn amount(&self) -> Money {
        Money::from_nanos(self.amount)
    }

    /// Holds `by` more in every purse, or leaves the hold as it is. The hold itself does not count as `outstanding`.
    pub fn grow(&mut self, by: Money) -> Result<(), Refusal> {
        // No hold is larger than 64 bits hold.
        let by = by.nanos().clamp(0, i64::MAX - self.amount);
        let mut locked = self.set.lock();
        if let Some(refusal) = self.set.refusal(&locked, by, 1, |state| state.obtainable() < by) {
            return Err(refusal);
        }
        for state in &mut locked {
            state.held += i128::from(by);
        }
        drop(locked);
        self.amount += by;
        Ok(())
    }

    /// Ends the hold with a charge of `actual`, as far as it can be had.
    pub fn settle(mut self, actual: Money) -> Settled {
        let actual = actual.nanos().max(0);
        let charged = self.end(actual, false);
        Settled { charged: Money::from_nanos(charged), written_off: Money::from_nanos(actual - charged) }
    }

    /// Ends the hold without a charge.
    pub fn void(mut self) {
        self.end(0, false);
    }

    /// Returns what was charged.
    fn end(&mut self, actual: i64, dropped: bool) -> i64 {
        self.open = false;
        let mut locked = self.set.lock();
        let charged = actual.min(self.amount.saturating_add(least(&locked)));
        let mut told: SmallVec<[(&Purse, Spent); 4]> = SmallVec::new();
        for (purse, state) in self.set.0.in_order().zip(&mut locked) {
            state.held -= i128::from(self.amount);
            state.holds = state.holds.saturating_sub(1);
            state.dropped += u64::from(dropped);
            // A span that has begun meanwhile has nothing to do with this call.
            if self.day >= state.days.0 || self.day == i64::MIN {
                let before = state.spent;
                state.spent += i128::from(charged);
                if charged != 0 && purse.is_told() {
                    let (before, after) = (clamped(before), clamped(state.spent));
                    told.push((purse, Spent { before, after, days: state.days }));
                }
            }
        }
        drop(locked);
        told.iter().for_each(|(purse, spent)| purse.told(spent));
        self.set.released();
        charged
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.open {
            self.end(0, true);
        }
    }
}
