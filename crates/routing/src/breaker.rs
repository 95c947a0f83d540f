//! When an endpoint is left alone for a while.
//!
//! - *Closed*: calls pass. [`FAILURES_TO_OPEN`] failures in a row open it.
//! - *Open*: no call passes for [`OPEN_FIRST_US`], doubled each time it opens again without a success between, up to
//!   [`OPEN_MAX_US`].
//! - *Half-open*: after that one call passes as a probe. Its success closes the breaker, its failure opens it again. A probe that
//!   is never reported (its caller left) counts as lost after [`PROBE_LOST_US`], and the next call may probe.
//! - A 429 cools the endpoint down for as long as the provider asks ([`COOL_DEFAULT_US`] when it doesn't say, at most
//!   [`COOL_MAX_US`]) and trips nothing: the endpoint is healthy, only busy.
//! - A caller that leaves and a request that is itself at fault are not reported here: they say nothing about the endpoint.
//! - Cold start is closed: an endpoint that nobody has tried is tried.

use types::Timestamp;

/// Failures in a row that open a closed breaker.
pub const FAILURES_TO_OPEN: u32 = 5;
/// How long it stays open at first, microseconds.
pub const OPEN_FIRST_US: i64 = 10_000_000;
/// How long it stays open at most, microseconds.
pub const OPEN_MAX_US: i64 = 300_000_000;
/// When an unreported probe counts as lost, microseconds.
pub const PROBE_LOST_US: i64 = 60_000_000;
/// The cool-down after a 429 that doesn't say how long, microseconds.
pub const COOL_DEFAULT_US: i64 = 2_000_000;
/// The longest cool-down, microseconds.
pub const COOL_MAX_US: i64 = 300_000_000;

/// What a finished attempt says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It answered.
    Success,
    /// It failed: refused, broke, was silent too long.
    Failure,
    /// 429, with the provider's `Retry-After` in microseconds if it sent one.
    Busy(Option<i64>),
}

/// Whether a call may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Pass,
    /// It may, as the probe of a half-open breaker.
    Probe,
    /// Not before this instant.
    Wait(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp, for_us: i64 },
    HalfOpen { probe_since: Timestamp, for_us: i64 },
}

/// The state of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    cool_until: Timestamp,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker { state: State::Closed { failures: 0 }, cool_until: Timestamp(0) }
    }
}

impl Breaker {
    /// Whether a call would pass now, without taking the probe.
    pub fn peek(&self, now: Timestamp) -> Verdict {
        if now < self.cool_until {
            return Verdict::Wait(self.cool_until);
        }
        match self.state {
            State::Closed { .. } => Verdict::Pass,
            State::Open { until, .. } if now < until => Verdict::Wait(until),
            State::Open { .. } => Verdict::Probe,
            State::HalfOpen { probe_since, .. } => {
                let lost = Timestamp(probe_since.0.saturating_add(PROBE_LOST_US));
                if now < lost { Verdict::Wait(lost) } else { Verdict::Probe }
            }
        }
    }

    /// Asks to pass; takes the probe when that is the verdict.
    pub fn enter(&mut self, now: Timestamp) -> Verdict {
        let verdict = self.peek(now);
        if verdict == Verdict::Probe {
            let for_us = match self.state {
                State::Open { for_us, .. } | State::HalfOpen { for_us, .. } => for_us,
                State::Closed { .. } => OPEN_FIRST_US,
            };
            self.state = State::HalfOpen { probe_since: now, for_us };
        }
        verdict
    }

    /// Whether it rests because it was told to, and not because it failed.
    pub fn is_cooling(&self, now: Timestamp) -> bool {
        now < self.cool_until
    }

    /// Takes in how an attempt ended.
    pub fn report(&mut self, report: Report, now: Timestamp) {
        match report {
            Report::Success => self.state = State::Closed { failures: 0 },
            Report::Busy(asked) => {
                let cool = asked.unwrap_or(COOL_DEFAULT_US).clamp(0, COOL_MAX_US);
                self.cool_until = self.cool_until.max(Timestamp(now.0.saturating_add(cool)));
                // A busy probe has answered; whether it is healthy the next call will tell.
                if let State::HalfOpen { for_us, .. } = self.state {
                    self.state = State::Open { until: self.cool_until, for_us };
                }
            }
            Report::Failure => {
                self.state = match self.state {
                    State::Closed { failures } if failures + 1 < FAILURES_TO_OPEN => {
                        State::Closed { failures: failures + 1 }
                    }
                    State::Closed { .. } => open(now, OPEN_FIRST_US),
                    State::HalfOpen { for_us, .. } => open(now, for_us.saturating_mul(2).min(OPEN_MAX_US)),
                    // Calls that began before it opened don't prolong it.
                    State::Open { .. } => self.state,
                }
            }
        }
    }
}

fn open(now: Timestamp, for_us: i64) -> State {
    State::Open { until: Timestamp(now.0.saturating_add(for_us)), for_us }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES_TO_OPEN).for_each(|_| breaker.report(Report::Failure, after(0)));
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            (1..FAILURES_TO_OPEN).for_each(|_| breaker.report(Report::Failure, after(0)));
            assert_eq!(breaker.peek(after(0)), Verdict::Pass);
            breaker.report(Report::Success, after(0));
        }
        assert_eq!(opened().peek(after(9)), Verdict::Wait(after(10)));
    }

    #[test]
    fn one_probe_closes_or_doubles() {
        let mut breaker = opened();
        assert_eq!(breaker.enter(after(10)), Verdict::Probe);
        assert_eq!(breaker.enter(after(10)), Verdict::Wait(after(70)));
        breaker.report(Report::Failure, after(11));
        assert_eq!(breaker.peek(after(12)), Verdict::Wait(after(31)));
        assert_eq!(breaker.enter(after(31)), Verdict::Probe);
        breaker.report(Report::Success, after(31));
        assert_eq!(breaker.peek(after(31)), Verdict::Pass);
    }

    #[test]
    fn a_lost_probe_frees_the_next() {
        let mut breaker = opened();
        assert_eq!(breaker.enter(after(10)), Verdict::Probe);
        assert_eq!(breaker.enter(after(70)), Verdict::Probe);
    }

    #[test]
    fn a_busy_endpoint_cools_down_and_trips_nothing() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            breaker.report(Report::Busy(Some(3_000_000)), after(0));
        }
        assert_eq!(breaker.peek(after(2)), Verdict::Wait(after(3)));
        assert_eq!(breaker.peek(after(3)), Verdict::Pass);
        breaker.report(Report::Busy(Some(i64::MAX)), after(3));
        assert_eq!(breaker.peek(after(4)), Verdict::Wait(Timestamp(after(3).0 + COOL_MAX_US)));
    }
}
