//! Which endpoint answers soonest, as far as is known: drawn, so that what is little known is tried now and then.
//!
//! The time to the first token and the time of the rest are taken as log-normal, from the median and the 90th percentile of the
//! last minutes. What is drawn is where the median may truly lie: close to the measured one after many samples, wide after few.
//! An endpoint of which nothing is known is taken to be quick, with much doubt ([`UNKNOWN_MS`], [`UNKNOWN_SPREAD`]).

use crate::health::{Figures, Quantiles};
use crate::plan::Facts;
use crate::random::Random;

/// What an unknown endpoint is taken to need to its first token, milliseconds.
const UNKNOWN_MS: f64 = 400.0;
/// How fast an unknown endpoint is taken to write, tokens per second.
const UNKNOWN_SPEED: f64 = 80.0;
/// The doubt about what is unknown, as the deviation of a logarithm.
const UNKNOWN_SPREAD: f64 = 0.8;
/// Output tokens that are expected where the caller set no cap below.
const OUTPUT_TOKENS: u64 = 300;
/// The 90th percentile of the normal distribution.
const Z90: f64 = 1.281_551_6;

/// A draw of how long the whole answer takes, milliseconds.
pub(crate) fn draw(seed: u64, endpoint: u32, figures: &Figures, facts: &Facts) -> f64 {
    let mut random = Random::new(seed ^ (u64::from(endpoint) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let first = median(figures.ttft_ms, UNKNOWN_MS, figures.samples, &mut random);
    let speed = median(figures.tokens_per_s, UNKNOWN_SPEED, figures.samples, &mut random);
    let tokens = facts.max_tokens.unwrap_or(OUTPUT_TOKENS).min(OUTPUT_TOKENS);
    first + tokens as f64 / speed.max(0.1) * 1_000.0
}

fn median(known: Option<Quantiles>, unknown: f64, samples: u64, random: &mut Random) -> f64 {
    let (middle, spread) = match known {
        Some(q) if q.p50 > 0.0 => {
            let deviation = ((q.p90.max(q.p50) / q.p50).ln() / Z90).max(0.05);
            (q.p50, deviation / (samples.max(1) as f64).sqrt())
        }
        _ => (unknown, UNKNOWN_SPREAD),
    };
    middle * (normal(random) * spread).exp()
}

/// A draw from the normal distribution (Box and Muller).
fn normal(random: &mut Random) -> f64 {
    let (one, two) = (random.unit().max(1e-12), random.unit());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(ttft: f64, speed: f64, samples: u64) -> Figures {
        let q = |middle: f64| {
            Some(Quantiles {
                p50: middle,
                p75: middle * 1.2,
                p90: middle * 1.5,
                p95: middle * 1.7,
                p99: middle * 2.0,
            })
        };
        Figures { ttft_ms: q(ttft), tokens_per_s: q(speed), samples, ..Figures::default() }
    }

    fn wins(a: &Figures, b: &Figures) -> usize {
        let facts = Facts::default();
        (0..1_000).filter(|seed| draw(*seed, 1, a, &facts) < draw(*seed, 2, b, &facts)).count()
    }

    #[test]
    fn what_is_quicker_wins_nearly_always_and_what_is_unknown_now_and_then() {
        assert!(wins(&figures(300.0, 100.0, 200), &figures(900.0, 50.0, 200)) > 990);
        let tried = wins(&Figures::default(), &figures(300.0, 100.0, 200));
        assert!((20..600).contains(&tried), "{tried}");
        // A slow one with few samples is given more of a chance than one with many.
        let (few, many) = (figures(500.0, 80.0, 5), figures(500.0, 80.0, 500));
        let best = figures(400.0, 90.0, 500);
        assert!(wins(&few, &best) > wins(&many, &best));
    }
}
