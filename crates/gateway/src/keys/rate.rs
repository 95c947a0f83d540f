//! So many per minute, by GCRA: one number, the instant when the bucket is full again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use types::Timestamp;

/// A bucket of a minute's worth that fills steadily.
#[derive(Debug, Default)]
pub(crate) struct Rate(AtomicI64);

const MINUTE_NS: i64 = 60_000_000_000;

fn interval_ns(per_minute: u32, amount: u64) -> i64 {
    let ns = i128::from(amount) * i128::from(MINUTE_NS) / i128::from(per_minute.max(1));
    i64::try_from(ns).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

impl Rate {
    /// Takes `amount`; `Err` says how long to wait. What is more than a minute's worth passes when the bucket is full.
    pub(crate) fn take(&self, per_minute: u32, amount: u64, now: Timestamp) -> Result<(), Duration> {
        let step = interval_ns(per_minute, amount);
        let now = now.0.saturating_mul(1_000);
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let next = seen.max(now).saturating_add(step);
            let wait = next.saturating_sub(now).saturating_sub(MINUTE_NS.max(step));
            if wait > 0 {
                return Err(Duration::from_nanos(wait.unsigned_abs()));
            }
            match self.0.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    /// Puts right what was taken once it is known how much it was: gives the rest back, or takes more without asking.
    pub(crate) fn correct(&self, per_minute: u32, taken: u64, actual: u64, now: Timestamp) {
        let now = now.0.saturating_mul(1_000);
        let by = interval_ns(per_minute, actual).saturating_sub(interval_ns(per_minute, taken));
        let fix = |seen: i64| Some(if by > 0 { seen.max(now) } else { seen }.saturating_add(by));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + s)
    }

    #[test]
    fn a_minutes_worth_passes_then_one_per_interval() {
        let rate = Rate::default();
        assert!((0..3).all(|_| rate.take(3, 1, at(0)).is_ok()));
        assert_eq!(rate.take(3, 1, at(0)), Err(Duration::from_secs(20)));
        assert!(rate.take(3, 1, at(20)).is_ok());
        assert!(rate.take(3, 1, at(20)).is_err());
    }

    #[test]
    fn tokens_are_put_right_afterwards() {
        let rate = Rate::default();
        rate.take(1_000, 600, at(0)).unwrap();
        assert_eq!(rate.take(1_000, 600, at(0)), Err(Duration::from_secs(12)));
        rate.correct(1_000, 600, 100, at(1));
        rate.take(1_000, 600, at(1)).unwrap();
        rate.correct(1_000, 600, 2_000, at(1));
        assert!(rate.take(1_000, 1, at(60)).is_err(), "more was used than there was");
        // More than a minute's worth passes once nothing else was used for a while.
        let rate = Rate::default();
        rate.take(1_000, 5_000, at(0)).unwrap();
        assert_eq!(rate.take(1_000, 1, at(240)), Err(Duration::from_millis(60)));
    }
}
