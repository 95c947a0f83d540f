//! How endpoints did over months, out of recorded attempts: shares of answers by day, and incidents.
//!
//! - An attempt is answered or failed; what was told to wait (429), what the request was at fault for and what its caller left is
//!   neither. Where nothing was tried, nothing is said.
//! - An hour of an endpoint is bad when at least [`FAILED_MIN`] attempts failed and at least [`FAILED_PERCENT_MIN`] of a hundred. Bad
//!   hours of one provider that follow each other, or with one hour between, are one incident. It is over once an hour has passed
//!   without one.

use std::collections::{BTreeMap, BTreeSet};

use routing::health::Uptime;
use types::Timestamp;

use crate::chart::Cell;
use crate::format::{self, Shown};

/// A bad hour has at least so many failed attempts.
pub const FAILED_MIN: u64 = 5;
/// And so many of a hundred that were answered or failed.
pub const FAILED_PERCENT_MIN: u64 = 20;
/// From so many of a hundred on it is an outage.
const OUTAGE_PERCENT_MIN: u64 = 95;
/// How far back it is shown, days.
pub const DAYS: i64 = 90;
/// Fewer attempts than this color no day.
const SAMPLES_MIN: u64 = 5;
const HOUR_S: i64 = 3_600;

/// What became of some attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempted {
    /// An answer began and was not broken off.
    pub answered: u64,
    /// No connection.
    pub unreachable: u64,
    /// Nothing came in time.
    pub timed_out: u64,
    /// A server's error.
    pub errors: u64,
    /// The answer broke off, or made no sense.
    pub broken: u64,
    /// The provider refused the key, or has no such model.
    pub refused: u64,
    /// Told to wait.
    pub busy: u64,
    /// Sum of the times to the first byte of streams, microseconds.
    pub ttft_us: u64,
    /// How many of them there were.
    pub ttft_count: u64,
}

impl Attempted {
    /// Those that failed.
    pub fn failed(&self) -> u64 {
        self.unreachable + self.timed_out + self.errors + self.broken + self.refused
    }

    /// Answers and failures.
    pub fn uptime(&self) -> Uptime {
        Uptime { answered: self.answered, failed: self.failed(), busy: self.busy }
    }

    pub(crate) fn add(&mut self, other: &Attempted) {
        self.answered += other.answered;
        self.unreachable += other.unreachable;
        self.timed_out += other.timed_out;
        self.errors += other.errors;
        self.broken += other.broken;
        self.refused += other.refused;
        self.busy += other.busy;
        self.ttft_us += other.ttft_us;
        self.ttft_count += other.ttft_count;
    }

    /// How it failed, most often first: `server errors (12), timed out (3)`.
    pub(crate) fn kinds(&self) -> String {
        let mut kinds = [
            (self.unreachable, "no connection"),
            (self.timed_out, "timed out"),
            (self.errors, "server errors"),
            (self.broken, "broke off"),
            (self.refused, "refused"),
        ];
        kinds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let told = kinds.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> =
            told.map(|(count, name)| format!("{name} ({})", format::count(*count))).collect();
        told.join(", ")
    }
}

/// What became of attempts at an endpoint in one hour or day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointTime {
    /// `provider/name`.
    pub endpoint: String,
    /// The hour or day since 1970, UTC.
    pub at: i64,
    /// What became of them.
    pub attempted: Attempted,
}

/// What is known of attempts, of all endpoints, in the order of endpoints (by their bytes) and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// By day, the last [`DAYS`].
    pub days: Vec<EndpointTime>,
    /// By hour, the last 24.
    pub hours: Vec<EndpointTime>,
    /// The bad hours of the last [`DAYS`] days.
    pub bad: Vec<EndpointTime>,
}

/// The rows of one endpoint among those of all, which are in the order of endpoints.
pub(crate) fn of_endpoint<'a>(rows: &'a [EndpointTime], endpoint: &str) -> &'a [EndpointTime] {
    let from = rows.partition_point(|row| *row.endpoint < *endpoint);
    let rest = rows.get(from..).unwrap_or_default();
    rest.get(..rest.partition_point(|row| row.endpoint == endpoint)).unwrap_or_default()
}

/// Days of one endpoint, oldest first, today last; `None`: nothing was tried.
pub(crate) fn days_of(attempts: &Attempts, endpoint: &str, days: i64, today: i64) -> Vec<Option<Uptime>> {
    let mut all = vec![None; usize::try_from(days.clamp(0, DAYS)).unwrap_or_default()];
    let first = today - days.clamp(0, DAYS) + 1;
    for row in of_endpoint(&attempts.days, endpoint) {
        if let Some(slot) = usize::try_from(row.at - first).ok().and_then(|slot| all.get_mut(slot)) {
            *slot = Some(row.attempted.uptime());
        }
    }
    all
}

/// Answers and failures together.
pub(crate) fn sum(days: &[Option<Uptime>]) -> Uptime {
    days.iter().flatten().fold(Uptime::default(), |sum, day| Uptime {
        answered: sum.answered + day.answered,
        failed: sum.failed + day.failed,
        busy: sum.busy + day.busy,
    })
}

/// The color of a slot of time.
pub(crate) fn cell(of: Option<Uptime>) -> Cell {
    let Some(Uptime { answered, failed, .. }) = of else { return Cell::None };
    let all = answered + failed;
    match () {
        () if all == 0 => Cell::None,
        () if failed * 100 < all => Cell::Good,
        () if all < SAMPLES_MIN || failed * 10 < all => Cell::Some,
        () => Cell::Bad,
    }
}

/// The share of answers with its samples in the title; unknown where nothing was tried.
pub(crate) fn share(of: Uptime) -> Shown {
    let all = of.answered + of.failed;
    let shown = format::percent(of.answered, all);
    if all == 0 {
        return shown;
    }
    Shown::both(
        shown.short,
        format!("{} of {} attempts were answered", format::count(of.answered), format::count(all)),
    )
}

/// A time in which much failed at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    /// `mistral-2026-07-03T12`: stays the same while it goes on.
    pub(crate) id: String,
    pub(crate) provider: String,
    /// In their order.
    pub(crate) endpoints: Vec<String>,
    pub(crate) from: Timestamp,
    /// The end of its last bad hour.
    pub(crate) until: Timestamp,
    pub(crate) is_over: bool,
    pub(crate) is_outage: bool,
    /// Of its bad hours.
    pub(crate) attempted: Attempted,
}

impl Incident {
    /// How it is called.
    pub(crate) fn title(&self, provider: &str) -> String {
        format!("{provider}: {}", if self.is_outage { "outage" } else { "many failures" })
    }

    /// What happened, in a sentence.
    pub(crate) fn text(&self) -> String {
        let all = self.attempted.answered + self.attempted.failed();
        format!(
            "{} of {} attempts failed: {}.",
            format::count(self.attempted.failed()),
            format::count(all),
            self.attempted.kinds()
        )
    }

    /// The end of its first bad hour.
    pub(crate) fn first_until(&self) -> Timestamp {
        Timestamp::from_seconds(self.from.seconds() + HOUR_S)
    }

    /// When it last changed: while it goes on, when its last bad hour began; then, when the hour without one had passed.
    pub(crate) fn changed(&self) -> Timestamp {
        let hour = if self.is_over { HOUR_S } else { -HOUR_S };
        Timestamp::from_seconds(self.until.seconds() + hour)
    }
}

/// The incidents, newest first.
pub(crate) fn incidents(bad: &[EndpointTime], now: Timestamp) -> Vec<Incident> {
    let mut hours: BTreeMap<(&str, i64), Vec<&EndpointTime>> = BTreeMap::new();
    for row in bad {
        let provider = row.endpoint.split('/').next().unwrap_or_default();
        hours.entry((provider, row.at)).or_default().push(row);
    }
    let mut all: Vec<(String, i64, i64, BTreeSet<String>, Attempted)> = Vec::new();
    for ((provider, hour), rows) in hours {
        let goes_on = all.last().is_some_and(|last| last.0 == provider && hour - last.2 <= 2);
        if !goes_on {
            all.push((provider.to_owned(), hour, hour, BTreeSet::new(), Attempted::default()));
        }
        if let Some((_, _, last, endpoints, attempted)) = all.last_mut() {
            *last = hour;
            for row in rows {
                endpoints.insert(row.endpoint.clone());
                attempted.add(&row.attempted);
            }
        }
    }
    let this_hour = now.seconds().div_euclid(HOUR_S);
    let incident =
        |(provider, first, last, endpoints, attempted): (String, i64, i64, BTreeSet<String>, Attempted)| {
            let share = attempted.failed() * 100;
            let from = Timestamp::from_seconds(first * HOUR_S);
            let hour = format::rfc3339(from).get(..13).unwrap_or_default().to_owned();
            Incident {
                id: format!("{provider}-{hour}"),
                endpoints: endpoints.into_iter().collect(),
                from,
                until: Timestamp::from_seconds((last + 1) * HOUR_S),
                is_over: this_hour - last > 1,
                is_outage: share >= OUTAGE_PERCENT_MIN * (attempted.answered + attempted.failed()),
                attempted,
                provider,
            }
        };
    let mut incidents: Vec<Incident> = all.into_iter().map(incident).collect();
    incidents.sort_by(|one, other| other.from.cmp(&one.from).then_with(|| one.provider.cmp(&other.provider)));
    incidents
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_783_080_000);
    const HOUR: i64 = 1_783_080_000 / HOUR_S;

    fn bad(endpoint: &str, at: i64, answered: u64, errors: u64) -> EndpointTime {
        let attempted = Attempted { answered, errors, ..Attempted::default() };
        EndpointTime { endpoint: endpoint.to_owned(), at, attempted }
    }

    #[test]
    fn bad_hours_near_each_other_are_one_incident() {
        let rows = [
            bad("mistral/small", HOUR - 40, 10, 10),
            bad("mistral/small", HOUR - 38, 0, 20),
            bad("mistral/large", HOUR - 39, 0, 5),
            bad("mistral/small", HOUR - 35, 0, 5),
            bad("venice/small", HOUR - 1, 0, 7),
        ];
        let found = incidents(&rows, NOW);
        let hours = |of: &Incident| (of.until.seconds() - of.from.seconds()) / HOUR_S;
        let told: Vec<_> =
            found.iter().map(|i| (i.provider.as_str(), hours(i), i.is_over, i.is_outage)).collect();
        assert_eq!(
            told,
            [("venice", 1, false, true), ("mistral", 1, true, true), ("mistral", 3, true, false)]
        );
        assert_eq!(found[2].endpoints, ["mistral/large", "mistral/small"]);
        assert_eq!(found[2].text(), "35 of 45 attempts failed: server errors (35).");
        assert_eq!(found[0].id, "venice-2026-07-03T11");
        assert_eq!(incidents(&[], NOW), []);
    }

    #[test]
    fn a_day_without_attempts_has_no_color() {
        let day = |answered, failed| Some(Uptime { answered, failed, busy: 3 });
        let rows = [
            (None, Cell::None),
            (day(0, 0), Cell::None),
            (day(1, 0), Cell::Good),
            (day(100, 1), Cell::Good),
            (day(99, 1), Cell::Some),
            (day(1, 2), Cell::Some),
            (day(9, 1), Cell::Bad),
            (day(0, 5), Cell::Bad),
        ];
        for (of, expect) in rows {
            assert_eq!(cell(of), expect, "{of:?}");
        }
        assert!(!share(Uptime::default()).is_known);
        assert_eq!(
            share(Uptime { answered: 99, failed: 1, busy: 0 }).exact,
            "99 of 100 attempts were answered"
        );
    }

    #[test]
    fn days_are_told_from_the_oldest_to_today() {
        let attempts = Attempts {
            days: vec![bad("a/b", 98, 5, 1), bad("a/b", 100, 7, 0), bad("a/c", 99, 1, 1)],
            ..Attempts::default()
        };
        let days = days_of(&attempts, "a/b", 3, 100);
        assert_eq!(
            days,
            [
                Some(Uptime { answered: 5, failed: 1, busy: 0 }),
                None,
                Some(Uptime { answered: 7, failed: 0, busy: 0 })
            ]
        );
        assert_eq!(sum(&days), Uptime { answered: 12, failed: 1, busy: 0 });
    }
}
