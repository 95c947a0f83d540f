//! What became of attempts, by hour and endpoint.
//!
//! An attempt is *answered* when its answer began and did not break off on the provider's side. It *failed* when the provider could
//! not be reached, gave nothing in time, answered with a server's error, broke off, or refused what we came with (our key, or a model
//! that it no longer has). It was *busy* when told to wait (429): that is neither. What the request itself was at fault for, what
//! another attempt outran, and what its caller left before an answer began is not counted at all.

use std::collections::BTreeMap;

use ledger::{Attempt, GenerationRecord, Status};

use crate::db::{Tx, Value, decode_row};
use crate::insight::hour;
use crate::{Store, StoreError};

/// Longest name of an endpoint, bytes.
const ENDPOINT_BYTES_MAX: usize = 256;
/// Most rows of an answer.
const ROWS_MAX: i64 = 200_000;

/// What became of some attempts at an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// An answer began and was not broken off.
    pub answered: i64,
    /// No connection.
    pub unreachable: i64,
    /// Nothing came in time.
    pub timed_out: i64,
    /// A server's error.
    pub errors: i64,
    /// The answer broke off, or made no sense.
    pub broken: i64,
    /// The provider refused our key, or has no such model.
    pub refused: i64,
    /// Told to wait; neither answered nor failed.
    pub busy: i64,
    /// Sum of the times to the first byte of streams, microseconds.
    pub ttft_us: i64,
    /// How many of them there were.
    pub ttft_count: i64,
}

impl Tally {
    /// How many numbers it has.
    pub(crate) const COUNT: usize = 9;

    /// Those that failed.
    pub fn failed(&self) -> i64 {
        self.unreachable + self.timed_out + self.errors + self.broken + self.refused
    }

    /// Those that say something of the endpoint.
    pub fn counted(&self) -> i64 {
        self.answered + self.failed()
    }

    /// Adds others.
    pub fn add(&mut self, other: &Tally) {
        let mut sums = self.numbers();
        sums.iter_mut().zip(other.numbers()).for_each(|(sum, number)| *sum = sum.saturating_add(number));
        *self = Tally::from(sums);
    }

    pub(crate) const fn numbers(&self) -> [i64; Tally::COUNT] {
        let Tally { answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count } =
            *self;
        [answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count]
    }

    pub(crate) const fn from(numbers: [i64; Tally::COUNT]) -> Tally {
        let [answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count] = numbers;
        Tally { answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count }
    }

    /// Of one attempt; `None`: it says nothing. `ending`: how its generation ended, where it is the attempt that answered.
    fn of(attempt: &Attempt, ending: Option<Status>, streamed: bool) -> Option<Tally> {
        let mut tally = Tally::default();
        let slot = match (attempt.outcome.as_str(), attempt.status) {
            ("ok", _) if ending == Some(Status::Truncated) => &mut tally.broken,
            ("ok" | "escalated", _) => {
                let first = attempt.first_byte_us.filter(|_| streamed);
                if let Some(us) =
                    first.and_then(|us| us.checked_sub(attempt.started_us)).filter(|us| *us >= 0)
                {
                    (tally.ttft_us, tally.ttft_count) = (us, 1);
                }
                &mut tally.answered
            }
            ("hedge_lost" | "untranslatable" | "parameter_lost" | "own_key_unusable", _) => return None,
            (code, 0) if code.starts_with("timeout") => &mut tally.timed_out,
            ("connect_failed" | "connection_broken" | "no_address", 0) => &mut tally.unreachable,
            ("answer_broken" | "answer_cut" | "stream_broken", _) => &mut tally.broken,
            ("no_credentials", _) | (_, 401 | 402 | 404) => &mut tally.refused,
            (_, 429) => &mut tally.busy,
            (_, 408 | 504) => &mut tally.timed_out,
            (_, 500..=599) => &mut tally.errors,
            _ => return None,
        };
        *slot = 1;
        Some(tally)
    }
}

/// Rows to be added, by endpoint and hour.
#[derive(Default)]
pub(crate) struct Hours(pub(crate) BTreeMap<(String, i64), Tally>);

impl Hours {
    /// Counts the attempts of a generation.
    pub(crate) fn count(&mut self, record: &GenerationRecord) {
        let answering = record.attempts.iter().rposition(|attempt| attempt.outcome == "ok");
        for (at, attempt) in record.attempts.iter().enumerate() {
            let ending = (answering == Some(at)).then_some(record.status);
            let is_told = attempt.byok_key.is_none()
                && !attempt.endpoint.is_empty()
                && attempt.endpoint.len() <= ENDPOINT_BYTES_MAX;
            if let Some(tally) = Tally::of(attempt, ending, record.streamed).filter(|_| is_told) {
                let name = attempt.endpoint.replace('\0', "\u{fffd}");
                self.0.entry((name, hour(record))).or_default().add(&tally);
            }
        }
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        let rows = self.0.into_iter().map(|((endpoint, hour), tally)| {
            let group = [Value::from(endpoint), Value::Int(hour)];
            group.into_iter().chain(tally.numbers().map(Value::Int)).collect()
        });
        let rows: Vec<Vec<Value<'_>>> = rows.collect();
        tx.put(
            "INSERT INTO endpoint_hours (endpoint, hour, answered, unreachable, timed_out, errors, broken, refused, busy,
                ttft_us, ttft_count)",
            &rows,
            "ON CONFLICT (endpoint, hour) DO UPDATE SET answered = endpoint_hours.answered + excluded.answered,
                unreachable = endpoint_hours.unreachable + excluded.unreachable,
                timed_out = endpoint_hours.timed_out + excluded.timed_out,
                errors = endpoint_hours.errors + excluded.errors, broken = endpoint_hours.broken + excluded.broken,
                refused = endpoint_hours.refused + excluded.refused, busy = endpoint_hours.busy + excluded.busy,
                ttft_us = endpoint_hours.ttft_us + excluded.ttft_us,
                ttft_count = endpoint_hours.ttft_count + excluded.ttft_count",
        )
        .await
        .map(drop)
    }
}

/// What became of attempts at an endpoint in one hour or day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    /// `provider/name`.
    pub endpoint: String,
    /// The hour or day since 1970.
    pub at: i64,
    /// What became of them.
    pub tally: Tally,
}

decode_row!(EndpointRow, |row| {
    let mut numbers = [0i64; Tally::COUNT];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = row.try_get(2 + at)?;
    }
    Ok(EndpointRow { endpoint: row.try_get(0)?, at: row.try_get(1)?, tally: Tally::from(numbers) })
});

impl Store {
    /// What became of attempts from a day on, by endpoint and day (since 1970, UTC), in that order.
    pub async fn attempts_by_day(&self, from_day: i64) -> Result<Vec<EndpointRow>, StoreError> {
        let sql = "SELECT endpoint, hour / 24, CAST(SUM(answered) AS BIGINT), CAST(SUM(unreachable) AS BIGINT),
                CAST(SUM(timed_out) AS BIGINT), CAST(SUM(errors) AS BIGINT), CAST(SUM(broken) AS BIGINT),
                CAST(SUM(refused) AS BIGINT), CAST(SUM(busy) AS BIGINT), CAST(SUM(ttft_us) AS BIGINT),
                CAST(SUM(ttft_count) AS BIGINT)
            FROM endpoint_hours WHERE hour >= $1 GROUP BY endpoint, hour / 24 ORDER BY endpoint, hour / 24 LIMIT $2";
        self.db.fetch(sql, &[from_day.saturating_mul(24).into(), ROWS_MAX.into()]).await
    }

    /// The same by hour.
    pub async fn attempts_by_hour(&self, from_hour: i64) -> Result<Vec<EndpointRow>, StoreError> {
        let sql = "SELECT endpoint, hour, answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count
            FROM endpoint_hours WHERE hour >= $1 ORDER BY endpoint, hour LIMIT $2";
        self.db.fetch(sql, &[from_hour.into(), ROWS_MAX.into()]).await
    }

    /// The hours in which at least so many attempts failed, and at least so many of a hundred that were answered or failed.
    pub async fn failing_hours(
        &self,
        from_hour: i64,
        failed_min: i64,
        percent_min: i64,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        let sql = "SELECT endpoint, hour, answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count
            FROM endpoint_hours WHERE hour >= $1 AND unreachable + timed_out + errors + broken + refused >= $2
            AND (unreachable + timed_out + errors + broken + refused) * 100
                >= $3 * (answered + unreachable + timed_out + errors + broken + refused)
            ORDER BY endpoint, hour LIMIT $4";
        let values = [from_hour.into(), failed_min.into(), percent_min.into(), ROWS_MAX.into()];
        self.db.fetch(sql, &values).await
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Attempt, Status};

    use super::Tally;

    #[test]
    fn an_attempt_counts_for_what_its_endpoint_did() {
        let answered = Tally { answered: 1, ..Tally::default() };
        let timed = Tally { ttft_us: 250, ttft_count: 1, ..answered };
        let rows: [(&str, u16, Option<Status>, Option<Tally>); 17] = [
            ("ok", 200, Some(Status::Ok), Some(timed)),
            ("ok", 200, Some(Status::Cancelled), Some(timed)),
            ("ok", 200, Some(Status::Truncated), Some(Tally { broken: 1, ..Tally::default() })),
            ("escalated", 200, None, Some(timed)),
            ("hedge_lost", 200, None, None),
            ("timeout_first_byte", 0, None, Some(Tally { timed_out: 1, ..Tally::default() })),
            ("connect_failed", 0, None, Some(Tally { unreachable: 1, ..Tally::default() })),
            ("stream_broken", 0, None, Some(Tally { broken: 1, ..Tally::default() })),
            ("http_503", 503, None, Some(Tally { errors: 1, ..Tally::default() })),
            ("overloaded_error", 529, None, Some(Tally { errors: 1, ..Tally::default() })),
            ("rate_limit_exceeded", 429, None, Some(Tally { busy: 1, ..Tally::default() })),
            ("invalid_api_key", 401, None, Some(Tally { refused: 1, ..Tally::default() })),
            ("model_not_found", 404, None, Some(Tally { refused: 1, ..Tally::default() })),
            ("parameter_lost", 404, None, None),
            ("context_length_exceeded", 400, None, None),
            ("content_filter", 403, None, None),
            ("abandoned", 0, None, None),
        ];
        for (outcome, status, ending, expect) in rows {
            let attempt = Attempt {
                outcome: outcome.to_owned(),
                status,
                started_us: 100,
                first_byte_us: Some(350),
                ..Attempt::default()
            };
            assert_eq!(Tally::of(&attempt, ending, true), expect, "{outcome} {status} {ending:?}");
        }
    }
}
