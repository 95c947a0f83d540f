//! How loaded an endpoint is: peak-EWMA.
//!
//! - The time of each call moves the average: up at once, down slowly (half of what was is gone after [`HALF_LIFE_US`]).
//! - The load is that average times the calls under way and one more, so that a slow endpoint with few calls and a quick one
//!   with many compare.
//! - An endpoint that nobody has tried has no load: it gets tried.

use types::Timestamp;

/// After so long half of an old time is forgotten, microseconds.
pub const HALF_LIFE_US: i64 = 10_000_000;

/// The average of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeakEwma {
    us: f64,
    at: Timestamp,
}

impl PeakEwma {
    /// Takes in how long a call took to begin, microseconds.
    pub fn observe(&mut self, us: u64, now: Timestamp) {
        let (new, old) = (us as f64, self.value(now));
        self.us = if new > old || self.us <= 0.0 {
            new
        } else {
            let kept = decay(now.0.saturating_sub(self.at.0));
            self.us * kept + new * (1.0 - kept)
        };
        self.at = now;
    }

    /// The average now: what nobody confirms fades.
    fn value(&self, now: Timestamp) -> f64 {
        self.us * decay(now.0.saturating_sub(self.at.0))
    }

    /// The load with so many calls under way.
    pub fn load(&self, under_way: u32, now: Timestamp) -> f64 {
        self.value(now) * (f64::from(under_way) + 1.0)
    }
}

fn decay(us: i64) -> f64 {
    (-(us.max(0) as f64) / HALF_LIFE_US as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_at_once_and_forgets_slowly() {
        let at = |s: i64| Timestamp(s * 1_000_000);
        let mut ewma = PeakEwma::default();
        assert_eq!(ewma.load(9, at(0)).to_bits(), 0.0_f64.to_bits(), "nobody has tried it");
        ewma.observe(100_000, at(0));
        ewma.observe(900_000, at(1));
        assert!((ewma.load(0, at(1)) - 900_000.0).abs() < 1.0);
        ewma.observe(100_000, at(11));
        let load = ewma.load(0, at(11));
        assert!(load > 400_000.0 && load < 600_000.0, "{load}");
        assert!(ewma.load(3, at(11)) > load * 3.9);
    }
}
