//! What another policy would have made of requests that were recorded, and how sure that is.
//!
//! - Each request is one [`Outcome`]: what was tried first, with the chance that it had ([`Outcome::logged`]), the chance that the
//!   other policy gives it ([`Outcome::target`]), what came of it, and what a model of the world expects of either.
//! - The *direct method* trusts the model alone. *SNIPS* trusts the record alone: it weighs each reward by how much likelier the
//!   other policy was to try the same, and divides by the sum of weights. *Doubly robust* takes the model and corrects it by the
//!   weighted surprise: it is right when either of the two is. Weights are cut at [`WEIGHT_MAX`].
//! - Intervals hold the truth 95 times of 100, as far as the mean of many is normal.
//! - The *effective sample size* says how many requests of equal weight would tell as much. *Overlap* is how much of what the other
//!   policy would do the record could have tried at all. Below [`EFFECTIVE_MIN`] or [`OVERLAP_MIN`] nothing may be concluded: the
//!   figures then show the model's opinion, not what happened.

/// No request counts more than this many times.
pub const WEIGHT_MAX: f64 = 20.0;
/// The effective sample size below which nothing is concluded.
pub const EFFECTIVE_MIN: f64 = 200.0;
/// The overlap below which nothing is concluded.
pub const OVERLAP_MIN: f64 = 0.05;
/// Standard errors to either side that hold the truth 95 times of 100.
const SIDES: f64 = 1.96;
/// A chance is kept to the millionth: what happened had at least that.
const CHANCE_MIN: f64 = 1e-6;

/// One request that was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The chance, when it happened, of what was tried first.
    pub logged: f64,
    /// The chance that the other policy gives the same.
    pub target: f64,
    /// How much of what the other policy may try first had a chance when it happened, 0 to 1.
    pub covered: f64,
    /// What came of it.
    pub reward: f64,
    /// What the model expects of what was tried.
    pub model_logged: f64,
    /// What the model expects under the other policy: the mean over what it may try first.
    pub model_target: f64,
}

impl Outcome {
    fn weight(&self) -> f64 {
        (self.target / self.logged.max(CHANCE_MIN)).clamp(0.0, WEIGHT_MAX)
    }
}

/// Shifts the model so that its mean over what was tried is what came of it: a prior knows better which of two is good than how
/// often either answers. Each half of the requests takes the shift of the other, so that none is judged by what it taught.
pub fn calibrate(outcomes: &mut [Outcome]) {
    let surprise = |half: usize| {
        let (sum, count) = outcomes
            .iter()
            .skip(half)
            .step_by(2)
            .fold((0.0, 0.0), |(sum, count), o| (sum + o.reward - o.model_logged, count + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    };
    let shifts = [surprise(1), surprise(0)];
    for (outcome, shift) in outcomes.iter_mut().zip(shifts.into_iter().cycle()) {
        outcome.model_logged += shift;
        outcome.model_target += shift;
    }
}

/// A mean, and what holds the truth 95 times of 100.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    fn around(mean: f64, error: f64) -> Interval {
        Interval { mean, low: mean - SIDES * error, high: mean + SIDES * error }
    }
}

/// What can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimates {
    /// What happened: the mean reward of the record.
    pub happened: Interval,
    /// Direct method: the model alone. Its interval knows nothing of the model's own error.
    pub direct: Interval,
    /// Self-normalized weights: the record alone.
    pub snips: Interval,
    /// Doubly robust.
    pub robust: Interval,
    /// So many requests of equal weight would tell as much.
    pub effective: f64,
    /// How much of what the other policy would do had a chance, 0 to 1.
    pub overlap: f64,
}

impl Estimates {
    /// From every request of the record; `None`: there is none.
    pub fn of(outcomes: &[Outcome]) -> Option<Estimates> {
        if outcomes.is_empty() {
            return None;
        }
        let mean = |value: &dyn Fn(&Outcome) -> f64| average(outcomes, value);
        let corrected = |o: &Outcome| o.model_target + o.weight() * (o.reward - o.model_logged);
        let weights: f64 = outcomes.iter().map(Outcome::weight).sum();
        let squares: f64 = outcomes.iter().map(|o| o.weight().powi(2)).sum();
        Some(Estimates {
            happened: mean(&|o| o.reward),
            direct: mean(&|o| o.model_target),
            snips: snips(outcomes, weights),
            robust: mean(&corrected),
            effective: if squares > 0.0 { weights * weights / squares } else { 0.0 },
            overlap: mean(&|o| o.covered).mean,
        })
    }

    /// Why nothing may be concluded; `None`: something may.
    pub fn thin(&self) -> Option<String> {
        if self.overlap < OVERLAP_MIN {
            return Some(format!(
                "support is thin: {:.1} % of what it would try first had a chance in the record; at least {:.0} % are needed",
                self.overlap * 100.0,
                OVERLAP_MIN * 100.0
            ));
        }
        (self.effective < EFFECTIVE_MIN).then(|| {
            format!(
                "support is thin: the record tells as much as {:.0} requests that were made its way; at least {EFFECTIVE_MIN:.0} are needed",
                self.effective.floor()
            )
        })
    }
}

fn average(outcomes: &[Outcome], value: &dyn Fn(&Outcome) -> f64) -> Interval {
    let count = outcomes.len() as f64;
    let mean = outcomes.iter().map(value).sum::<f64>() / count;
    let spread = outcomes.iter().map(|o| (value(o) - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Interval::around(mean, (spread / count).sqrt())
}

fn snips(outcomes: &[Outcome], weights: f64) -> Interval {
    if weights <= 0.0 {
        return Interval::default();
    }
    let mean = outcomes.iter().map(|o| o.weight() * o.reward).sum::<f64>() / weights;
    // The delta method: the error of a ratio of two sums.
    let squares: f64 = outcomes.iter().map(|o| (o.weight() * (o.reward - mean)).powi(2)).sum();
    Interval::around(mean, squares.sqrt() / weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const ARMS: usize = 4;
    const REQUESTS: usize = 2_000;

    /// One simulated record of requests of which every arm's reward is known, and the true mean under the target policy.
    ///
    /// The model of the world is wrong by `bias` for every second arm. The logging policy leans to the arm that the model likes least, so
    /// that a mean that is not weighed is off.
    fn simulate(seed: u64, bias: f64, least: f64) -> (Vec<Outcome>, f64) {
        let mut random = Random::new(seed);
        let mut truth = 0.0;
        let outcomes = (0..REQUESTS).map(|_| {
            let hard = random.unit();
            let chance: [f64; ARMS] =
                std::array::from_fn(|arm| 0.98 - 0.25 * hard * (1.0 - arm as f64 / 4.0));
            let rewards = chance.map(|chance| f64::from(u8::from(random.unit() < chance)));
            let model: [f64; ARMS] = std::array::from_fn(|arm| chance[arm] + bias * (arm % 2) as f64);
            let lean = if hard > 0.5 { 0 } else { 2 };
            let logging: [f64; ARMS] = std::array::from_fn(|arm| {
                least + (1.0 - ARMS as f64 * least) * f64::from(u8::from(arm == lean))
            });
            let favourite = if hard > 0.3 { 3 } else { 1 };
            let target: [f64; ARMS] = std::array::from_fn(|arm| if arm == favourite { 0.7 } else { 0.1 });
            let mut left = random.unit();
            let arm = logging.iter().position(|chance| {
                left -= chance;
                left < 0.0
            });
            let arm = arm.unwrap_or(ARMS - 1);
            let mean =
                |of: &[f64; ARMS]| of.iter().zip(&target).map(|(value, share)| value * share).sum::<f64>();
            truth += mean(&chance) / REQUESTS as f64;
            Outcome {
                logged: logging[arm],
                target: target[arm],
                covered: 1.0,
                reward: rewards[arm],
                model_logged: model[arm],
                model_target: mean(&model),
            }
        });
        (outcomes.collect(), truth)
    }

    /// Mean error, mean absolute error and coverage over many runs.
    fn judged(bias: f64, least: f64, pick: impl Fn(&Estimates) -> Interval) -> (f64, f64, f64) {
        const RUNS: u64 = 300;
        let (mut error, mut off, mut covered) = (0.0, 0.0, 0.0);
        for run in 0..RUNS {
            let (outcomes, truth) = simulate(run * 7_919 + 1, bias, least);
            let told = pick(&Estimates::of(&outcomes).unwrap());
            error += (told.mean - truth) / RUNS as f64;
            off += (told.mean - truth).abs() / RUNS as f64;
            covered += f64::from(u8::from(told.low <= truth && truth <= told.high)) / RUNS as f64;
        }
        (error, off, covered)
    }

    #[test]
    fn doubly_robust_meets_the_truth_whether_the_model_is_right_or_not() {
        for bias in [0.0, -0.1, 0.1] {
            let (error, off, covered) = judged(bias, 0.2, |told| told.robust);
            assert!(error.abs() <= 0.002 && off <= 0.01, "bias {bias}: {error} {off}");
            assert!(covered >= 0.9, "bias {bias}: {covered}");
        }
        let (error, off, covered) = judged(0.1, 0.2, |told| told.snips);
        assert!(error.abs() <= 0.002 && off <= 0.012 && covered >= 0.9, "{error} {off} {covered}");
        let (error, ..) = judged(0.1, 0.2, |told| told.direct);
        assert!(error > 0.05, "a wrong model misleads who trusts it alone: {error}");
        let (error, ..) = judged(0.1, 0.2, |told| told.happened);
        assert!(error < -0.02, "what happened is not what the other policy would have made: {error}");
    }

    #[test]
    fn the_same_policy_gives_what_happened() {
        let outcomes: Vec<Outcome> = (0..500)
            .map(|n| Outcome {
                logged: 0.5,
                target: 0.5,
                covered: 1.0,
                reward: f64::from(u8::from(n % 10 != 0)),
                model_logged: 0.4,
                model_target: 0.4,
            })
            .collect();
        let told = Estimates::of(&outcomes).unwrap();
        for interval in [told.happened, told.snips, told.robust] {
            assert!((interval.mean - 0.9).abs() < 1e-9, "{interval:?}");
            assert!(interval.low > 0.85 && interval.high < 0.95, "{interval:?}");
        }
        assert!((told.effective - 500.0).abs() < 1e-6 && told.thin().is_none(), "{told:?}");
        assert_eq!(Estimates::of(&[]), None);
    }

    #[test]
    fn a_model_that_is_off_by_the_same_everywhere_is_set_right() {
        let (mut outcomes, truth) = simulate(11, 0.0, 0.2);
        for outcome in &mut outcomes {
            outcome.model_logged -= 0.3;
            outcome.model_target -= 0.3;
        }
        let before = Estimates::of(&outcomes).unwrap();
        calibrate(&mut outcomes);
        let after = Estimates::of(&outcomes).unwrap();
        assert!((before.direct.mean - truth).abs() > 0.25 && (after.direct.mean - truth).abs() < 0.02);
        assert!(after.robust.high - after.robust.low < before.robust.high - before.robust.low);
        let mut none: Vec<Outcome> = Vec::new();
        calibrate(&mut none);
    }

    #[test]
    fn thin_support_is_said_and_no_weight_is_endless() {
        let one =
            |logged, target, covered| Outcome { logged, target, covered, reward: 1.0, ..Outcome::default() };
        let rows = [
            (vec![one(1.0, 1.0, 1.0); 199], Some("199 requests")),
            (vec![one(1.0, 1.0, 1.0); 200], None),
            (vec![one(1.0, 1.0, 0.04); 900], Some("4.0 % of what it would try first")),
            (vec![one(1.0, 0.0, 0.5); 900], Some("0 requests")),
        ];
        for (outcomes, expect) in rows {
            let told = Estimates::of(&outcomes).unwrap();
            let thin = told.thin();
            assert_eq!(thin.is_some(), expect.is_some(), "{told:?}");
            assert!(thin.unwrap_or_default().contains(expect.unwrap_or_default()), "{told:?}");
        }
        assert!((one(0.0, 1.0, 1.0).weight() - WEIGHT_MAX).abs() < 1e-9);
        let lone = Estimates::of(&[one(1.0, 1.0, 1.0)]).unwrap();
        assert!(lone.robust.low.is_finite() && lone.robust.high.is_finite(), "{lone:?}");
    }
}
