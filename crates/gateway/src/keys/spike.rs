//! Notices a key that spends many times what it usually does.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger::Spent;
use parking_lot::Mutex;
use types::{Clock, Money};

use super::KeyRules;
use crate::alerts::{Event, Signals};

/// The last hour is counted in so many parts.
const PARTS: usize = 12;
const PART_US: i64 = 3_600_000_000 / PARTS as i64;
/// Below this an hour is never a spike, whatever is usual.
const FLOOR: Money = Money::from_usd(1);
/// How much a past hour counts in what is usual.
const HOUR_WEIGHT: i128 = 24;

#[derive(Debug, Default)]
struct State {
    parts: [i64; PARTS],
    /// Number of the newest part, since 1970.
    newest: i64,
    /// What an hour usually costs, nano-dollars.
    usual: i128,
    told: bool,
}

impl State {
    /// Goes on to a part; whole parts that passed leave the hour and count as usual.
    fn go_on(&mut self, part: i64) {
        let passed = part.saturating_sub(self.newest).max(0);
        for step in 1..=passed.min(PARTS as i64 * 48) {
            let slot = slot(self.newest.saturating_add(step));
            if let Some(old) = self.parts.get_mut(slot) {
                // A part that leaves is worth a twelfth of an hour of the average.
                let gone = i128::from(std::mem::take(old)) * PARTS as i128;
                self.usual += (gone - self.usual) / (HOUR_WEIGHT * PARTS as i128);
            }
        }
        self.newest = self.newest.max(part);
        if passed > 0 {
            self.told = false;
        }
    }

    fn add(&mut self, amount: Money) -> (Money, Money) {
        if let Some(newest) = self.parts.get_mut(slot(self.newest)) {
            *newest = newest.saturating_add(amount.nanos());
        }
        let hour = self.parts.iter().fold(0i64, |sum, part| sum.saturating_add(*part));
        (Money::from_nanos(hour), Money::from_nanos(i64::try_from(self.usual).unwrap_or(i64::MAX)))
    }
}

fn slot(part: i64) -> usize {
    usize::try_from(part.rem_euclid(PARTS as i64)).unwrap_or(0)
}

/// Watches the charges of a key, as long as its rules ask for it. `usual`: what an hour cost on average lately.
pub(super) fn watch(
    rules: Arc<ArcSwap<KeyRules>>,
    usual: Money,
    clock: Arc<dyn Clock>,
    signals: Signals,
) -> impl Fn(&Spent) + Send + Sync + 'static {
    let newest = clock.now().0.div_euclid(PART_US);
    let state = Mutex::new(State { usual: i128::from(usual.nanos()), newest, ..State::default() });
    move |spent: &Spent| {
        let rules = rules.load();
        let times = i64::from(rules.limits.freeze_at_times_usual);
        if times == 0 {
            return;
        }
        let mut state = state.lock();
        state.go_on(clock.now().0.div_euclid(PART_US));
        let (hour, usual) = state.add(spent.after.saturating_sub(spent.before));
        let bound = usual.nanos().max(0).saturating_mul(times).max(FLOOR.nanos());
        if hour.nanos() > bound && !state.told {
            state.told = true;
            let (account, key, name) = (rules.account.clone(), rules.id.clone(), rules.name.clone());
            signals.tell(Event::Spike { account, key, name, hour, usual });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_slides_and_the_usual_follows_slowly() {
        let mut state = State { newest: 1_000, ..State::default() };
        for part in 1_000..1_000 + 24 * PARTS as i64 * 10 {
            state.go_on(part);
            state.add(Money::from_nanos(100_000_000));
        }
        let usual = state.usual as f64 / 1e9;
        assert!((1.1..=1.2).contains(&usual), "an hour of twelve dimes: {usual}");
        let (hour, _) = state.add(Money::from_usd(20));
        assert_eq!(hour, Money::from_nanos(21_200_000_000));
        state.go_on(state.newest + PARTS as i64);
        assert_eq!(state.add(Money::ZERO).0, Money::ZERO, "an hour later nothing is left");
    }
}
