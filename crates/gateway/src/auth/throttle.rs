//! Tries that failed, by address and by where they came from: after a few, each further one has to wait, longer each time.
//!
//! - A try counts as failed until it succeeds, so that many at once are not let in together.
//! - Nobody is locked out for good: the longest wait is a quarter of an hour, for a place a minute, and an hour of quiet forgets
//!   everything.
//! - Bounded: what was met longest ago is forgotten when there is too much of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use types::{KeyHash, Timestamp};

/// Tries that cost nothing, for one person's address.
const FREE_BY_EMAIL: u32 = 5;
/// The same for a place that many people may share.
const FREE_BY_PLACE: u32 = 20;
const WAIT_MAX_S: i64 = 900;
/// So long only: others are there who did nothing.
const WAIT_MAX_AT_PLACE_S: i64 = 60;
const FORGOTTEN_AFTER_S: i64 = 3_600;
/// Entries of one generation; two are kept.
const ENTRIES_MAX: usize = 20_000;

#[derive(Clone, Copy, Debug)]
struct Tries {
    failed: u32,
    /// The last of them.
    last: Timestamp,
}

#[derive(Debug, Default)]
struct Held {
    now: HashMap<KeyHash, Tries>,
    before: HashMap<KeyHash, Tries>,
}

/// What was tried.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Held>);

/// Whose tries are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    email: Option<KeyHash>,
    place: Option<KeyHash>,
}

impl Who {
    /// An address, in lower case, and where the request came from: of IPv6 the network that one customer has.
    pub(crate) fn new(email: &str, place: Option<IpAddr>) -> Who {
        Who { email: Some(KeyHash::of(&format!("email {email}"))), ..Who::at(place) }
    }

    /// Only where the request came from: it names nobody.
    pub(crate) fn at(place: Option<IpAddr>) -> Who {
        let place = place.map(|ip| match ip.to_canonical() {
            IpAddr::V4(v4) => format!("place {v4}"),
            IpAddr::V6(v6) => format!("place {:x}", u128::from(v6) >> 64),
        });
        Who { email: None, place: place.map(|place| KeyHash::of(&place)) }
    }
}

impl Throttle {
    /// Counts a try; `Err`: it has to wait, and was not counted.
    pub(crate) fn begin(&self, who: &Who, now: Timestamp) -> Result<(), Duration> {
        let mut held = self.0.lock();
        let keys = || {
            [(who.email, FREE_BY_EMAIL, WAIT_MAX_S), (who.place, FREE_BY_PLACE, WAIT_MAX_AT_PLACE_S)]
                .into_iter()
        };
        let wait = keys().filter_map(|(key, free, longest)| held.wait(&key?, (free, longest), now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        keys().filter_map(|(key, ..)| key).for_each(|key| held.count(key, now));
        Ok(())
    }

    /// The try succeeded: its person's are forgotten, and it takes nothing from its place.
    pub(crate) fn succeeded(&self, who: &Who) {
        let mut held = self.0.lock();
        if let Some(email) = &who.email {
            held.now.remove(email);
            held.before.remove(email);
        }
        if let Some(tries) = who.place.and_then(|place| held.now.get_mut(&place)) {
            tries.failed = tries.failed.saturating_sub(1);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let held = self.0.lock();
        held.now.len() + held.before.len()
    }
}

impl Held {
    fn of(&self, key: &KeyHash, now: Timestamp) -> Option<Tries> {
        let tries = self.now.get(key).or_else(|| self.before.get(key)).copied();
        tries.filter(|tries| now.seconds() - tries.last.seconds() < FORGOTTEN_AFTER_S)
    }

    fn wait(&self, key: &KeyHash, (free, longest): (u32, i64), now: Timestamp) -> Option<Duration> {
        let tries = self.of(key, now)?;
        let beyond = tries.failed.checked_sub(free)?;
        let wait = 1_i64.checked_shl(beyond.min(30)).unwrap_or(longest).min(longest);
        let left = tries.last.seconds() + wait - now.seconds();
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_secs)
    }

    fn count(&mut self, key: KeyHash, now: Timestamp) {
        let failed = self.of(&key, now).map_or(0, |tries| tries.failed).saturating_add(1);
        if self.now.len() >= ENTRIES_MAX {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(key, Tries { failed, last: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn waits_grow_and_end() {
        let throttle = Throttle::default();
        let who = Who::new("ada@example.com", "192.0.2.7".parse().ok());
        for _ in 0..FREE_BY_EMAIL {
            assert_eq!(throttle.begin(&who, at(0)), Ok(()));
        }
        assert_eq!(throttle.begin(&who, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.begin(&who, at(1)), Ok(()));
        assert_eq!(throttle.begin(&who, at(2)), Err(Duration::from_secs(1)), "two seconds now");
        let mut now = 3;
        let mut longest = 0;
        for _ in 0..40 {
            let wait = throttle.begin(&who, at(now)).err().map_or(0, |wait| wait.as_secs());
            longest = longest.max(wait);
            now += i64::try_from(wait).unwrap();
        }
        assert_eq!(longest, 900);
        assert_eq!(throttle.begin(&who, at(now + FORGOTTEN_AFTER_S)), Ok(()), "an hour of quiet");
        throttle.succeeded(&who);
        assert!((0..FREE_BY_EMAIL).all(|_| throttle.begin(&who, at(now + 9_000)).is_ok()));
    }

    #[test]
    fn one_place_can_t_try_many_people_and_one_network_is_one_place() {
        let throttle = Throttle::default();
        let place = |n: u16| format!("2001:db8::{n:x}").parse().ok();
        let tries = (0..100)
            .filter(|n| throttle.begin(&Who::new(&format!("{n}@example.com"), place(*n)), at(0)).is_ok());
        assert_eq!(tries.count(), FREE_BY_PLACE as usize);
        assert_eq!(throttle.begin(&Who::new("x@example.com", "2001:db8:1::1".parse().ok()), at(0)), Ok(()));
    }

    #[test]
    fn whoever_succeeds_takes_nothing_from_the_place() {
        let throttle = Throttle::default();
        for n in 0..100 {
            let who = Who::new(&format!("{n}@example.com"), "192.0.2.7".parse().ok());
            assert_eq!(throttle.begin(&who, at(0)), Ok(()));
            throttle.succeeded(&who);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..100_000_u32 {
            let _ = throttle.begin(&Who::new(&format!("{n}@example.com"), None), at(0));
        }
        assert!(throttle.len() <= 2 * ENTRIES_MAX);
    }
}
