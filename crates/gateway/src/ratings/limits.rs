//! How much one person may rate and report: so many a minute, so many a day.
//!
//! - Counted on this node, in memory: a restart forgets it.
//! - What was refused counts for nothing, so that waiting helps.
//! - Bounded: who was met longest ago is forgotten when there are too many.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use types::Timestamp;

use crate::error::GatewayError;

const DAY_S: i64 = 86_400;
/// People of one generation; two are kept.
const ENTRIES_MAX: usize = 20_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Rating,
    Report,
}

impl Kind {
    /// How many within how many seconds, and how that is said.
    const fn spans(self) -> &'static [(usize, i64, &'static str)] {
        match self {
            Kind::Rating => &[
                (5, 60, "one person rates at most 5 times a minute"),
                (30, DAY_S, "one person rates at most 30 times a day"),
            ],
            Kind::Report => &[(20, DAY_S, "one person reports at most 20 ratings a day")],
        }
    }
}

type Seen = HashMap<(Kind, String), VecDeque<i64>>;

/// Who did what of late.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<(Seen, Seen)>);

impl Limits {
    /// Counts one more, or refuses it.
    pub(super) fn count(&self, kind: Kind, user: &str, now: Timestamp) -> Result<(), GatewayError> {
        let mut held = self.0.lock();
        let (fresh, older) = &mut *held;
        let key = (kind, user.to_owned());
        let mut times = fresh.remove(&key).or_else(|| older.remove(&key)).unwrap_or_default();
        let now = now.seconds();
        while times.front().is_some_and(|at| now - at >= DAY_S) {
            times.pop_front();
        }
        let wait = |(most, span, why): &(usize, i64, &'static str)| {
            // The one that has to be out of the span before another fits in.
            let first = times.len().checked_sub(*most).and_then(|at| times.get(at))?;
            let left = u64::try_from(first + span - now).ok().filter(|left| *left > 0)?;
            Some((Duration::from_secs(left), *why))
        };
        let refused = kind.spans().iter().filter_map(wait).max();
        if refused.is_none() {
            times.push_back(now);
        }
        if fresh.len() >= ENTRIES_MAX {
            *older = std::mem::take(fresh);
        }
        fresh.insert(key, times);
        refused.map_or(Ok(()), |(wait, why)| Err(GatewayError::RatingsLimited { why, retry_after: wait }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(limits: &Limits, kind: Kind, user: &str, at: i64) -> Option<u64> {
        let refused = limits.count(kind, user, Timestamp::from_seconds(at)).err()?;
        refused.retry_after().map(|wait| wait.as_secs())
    }

    #[test]
    fn five_a_minute_and_thirty_a_day() {
        let limits = Limits::default();
        for n in 0..5 {
            assert_eq!(wait(&limits, Kind::Rating, "ada", n), None);
        }
        assert_eq!(wait(&limits, Kind::Rating, "ada", 10), Some(50), "until the first is a minute old");
        assert_eq!(wait(&limits, Kind::Rating, "bob", 10), None, "somebody else");
        assert_eq!(wait(&limits, Kind::Report, "ada", 10), None, "something else");
        assert_eq!(wait(&limits, Kind::Rating, "ada", 60), None);
        let mut made = 6;
        let mut at = 100;
        while wait(&limits, Kind::Rating, "ada", at).is_none() {
            (made, at) = (made + 1, at + 60);
        }
        assert_eq!(made, 30);
        let left = wait(&limits, Kind::Rating, "ada", at).unwrap();
        assert_eq!(at + i64::try_from(left).unwrap(), DAY_S, "until the first is a day old");
        assert_eq!(wait(&limits, Kind::Rating, "ada", DAY_S), None);
    }

    #[test]
    fn twenty_reports_a_day() {
        let limits = Limits::default();
        let told = (0..50).filter(|n| wait(&limits, Kind::Report, "ada", *n).is_none()).count();
        assert_eq!(told, 20);
        assert_eq!(wait(&limits, Kind::Report, "ada", DAY_S + 60), None);
    }

    #[test]
    fn memory_is_bounded() {
        let limits = Limits::default();
        for n in 0..3 * ENTRIES_MAX {
            assert_eq!(wait(&limits, Kind::Rating, &n.to_string(), 0), None);
        }
        let held = limits.0.lock();
        assert!(held.0.len() + held.1.len() <= 2 * ENTRIES_MAX);
    }
}
