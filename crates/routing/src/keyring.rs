//! Which of a provider's several keys a call goes out with.
//!
//! - Keys are taken in turn, resting ones left out.
//! - A key that the provider refuses (unknown, revoked, out of credit) rests [`REFUSED_FIRST_US`], doubled each time in a
//!   row up to [`REFUSED_MAX_US`]. One that is busy (429) rests as long as the provider asks, [`BUSY_DEFAULT_US`] where it
//!   doesn't say, [`BUSY_MAX_US`] at most. An answer ends all of it.
//! - What befalls a key befalls it alone: its siblings go on, and while one of them may be used, the endpoint's own breaker
//!   hears nothing of it.
//! - When all rest, the call goes out with the key whose rest ends first: a provider that is asked tells more than we know.

use types::Timestamp;

/// The first rest of a refused key, microseconds.
pub const REFUSED_FIRST_US: i64 = 30_000_000;
/// The longest rest of a refused key, microseconds.
pub const REFUSED_MAX_US: i64 = 900_000_000;
/// The rest of a busy key that isn't told how long, microseconds.
pub const BUSY_DEFAULT_US: i64 = 2_000_000;
/// The longest rest of a busy key, microseconds.
pub const BUSY_MAX_US: i64 = 300_000_000;

/// How a call went, as far as its key is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReport {
    /// The provider took it.
    Taken,
    /// The provider refused it.
    Refused,
    /// Too many calls with it; the provider's `Retry-After` in microseconds if it sent one.
    Busy(Option<i64>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    rests_until: Timestamp,
    refused: u32,
}

/// The state of a provider's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<Key>,
    turn: usize,
}

impl Keyring {
    /// A ring of `count` keys, all of them fresh.
    pub fn new(count: usize) -> Keyring {
        Keyring { keys: vec![Key::default(); count], turn: 0 }
    }

    /// The key for the next call; `None` where there are none.
    pub fn take(&mut self, now: Timestamp) -> Option<usize> {
        let count = self.keys.len();
        let order = (0..count).map(|step| (self.turn + step) % count);
        let rest = |index: &usize| self.keys.get(*index).map_or(Timestamp(0), |key| key.rests_until.max(now));
        // The first among equals, so those that don't rest are taken in turn.
        let chosen = order.min_by_key(rest)?;
        self.turn = (chosen + 1) % count;
        Some(chosen)
    }

    /// Whether a key may be used now.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.keys.iter().any(|key| key.rests_until <= now)
    }

    /// Takes in how a call with a key went.
    pub fn report(&mut self, index: usize, report: KeyReport, now: Timestamp) {
        let Some(key) = self.keys.get_mut(index) else { return };
        let rest = match report {
            KeyReport::Taken => {
                *key = Key::default();
                return;
            }
            KeyReport::Busy(asked) => asked.unwrap_or(BUSY_DEFAULT_US).clamp(0, BUSY_MAX_US),
            KeyReport::Refused => {
                let rest = REFUSED_FIRST_US.saturating_mul(1 << key.refused.min(16)).min(REFUSED_MAX_US);
                key.refused += 1;
                rest
            }
        };
        key.rests_until = key.rests_until.max(Timestamp(now.0.saturating_add(rest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn taken(ring: &mut Keyring, count: usize, now: Timestamp) -> Vec<usize> {
        (0..count).filter_map(|_| ring.take(now)).collect()
    }

    #[test]
    fn keys_are_taken_in_turn() {
        assert_eq!(taken(&mut Keyring::new(3), 7, at(0)), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(taken(&mut Keyring::new(1), 2, at(0)), [0, 0]);
        assert_eq!(Keyring::new(0).take(at(0)), None);
    }

    #[test]
    fn a_refused_key_rests_longer_each_time_and_its_siblings_go_on() {
        let mut ring = Keyring::new(3);
        ring.report(1, KeyReport::Refused, at(0));
        assert_eq!(taken(&mut ring, 4, at(29)), [0, 2, 0, 2]);
        assert!(taken(&mut ring, 3, at(30)).contains(&1));
        ring.report(1, KeyReport::Refused, at(30));
        assert!(!taken(&mut ring, 3, at(89)).contains(&1));
        (0..40).for_each(|_| ring.report(1, KeyReport::Refused, at(100)));
        assert!(taken(&mut ring, 3, at(1_000)).contains(&1), "at most a quarter of an hour");
        ring.report(1, KeyReport::Taken, at(1_000));
        ring.report(1, KeyReport::Refused, at(1_000));
        assert!(taken(&mut ring, 3, at(1_030)).contains(&1), "an answer forgives what was");
    }

    #[test]
    fn a_busy_key_rests_as_it_is_told_and_when_all_rest_the_soonest_goes() {
        let mut ring = Keyring::new(2);
        ring.report(0, KeyReport::Busy(Some(9_000_000)), at(0));
        ring.report(1, KeyReport::Busy(None), at(0));
        assert!(!ring.is_ready(at(1)));
        assert_eq!(taken(&mut ring, 3, at(1)), [1, 1, 1]);
        assert!(ring.is_ready(at(2)));
        ring.report(0, KeyReport::Busy(Some(i64::MAX)), at(9));
        assert_eq!(taken(&mut ring, 2, at(9 + BUSY_MAX_US / 1_000_000)), [0, 1]);
    }
}
