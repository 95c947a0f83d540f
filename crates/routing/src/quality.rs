//! How good a model is likely to be at a kind of work, before anyone has rated it here.
//!
//! - A model's *ability* is one number, in standard deviations of the catalog: the mean of its published benchmarks, each
//!   normalized over the models that have it, drawn towards a guess with the weight of [`GUESS_WEIGHT`] benchmarks.
//! - The guess is a line over the price and the day of release, fitted on the models that have benchmarks: what costs more and
//!   is newer tends to be better. So a model has a prior on the day it appears.
//! - The published benchmarks are mostly of code and agents. Each kind of work has a floor and a reach of its own
//!   ([`FLOOR_AND_REACH`]): nearly all models rewrite well, few reason well. These are priors of ours, stated here.
//! - A quality is the expected share of good answers, 0 to 1.

use std::collections::HashMap;

use catalog::{Endpoint, Model, Snapshot};
use types::PriceKind;

use crate::classify::{CONFIDENCE_MIN, Judgement, LABELS};

/// Benchmarks that the guess counts as much as.
pub const GUESS_WEIGHT: f64 = 1.5;
/// Models that a benchmark needs to be normalized.
const MODELS_MIN: usize = 3;
/// What the worst model does and how much the best one does beyond, by kind of work.
const FLOOR_AND_REACH: [(f64, f64); LABELS] = [
    (0.35, 0.60), // reasoning
    (0.35, 0.60), // code
    (0.60, 0.34), // creative
    (0.74, 0.22), // rewrite
    (0.70, 0.26), // chat
    (0.68, 0.28), // extraction
    (0.74, 0.22), // summarize
    (0.68, 0.28), // translation
];
/// Tool use goes by ability as code does.
const TOOLS: (f64, f64) = (0.35, 0.60);

/// Kinds of work that a quality is told for: the labels in their order, then tool use.
pub const ROWS: usize = LABELS + 1;

/// The abilities of a catalog's models, by position: their quality at each kind of work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Abilities(Vec<[f64; ROWS]>);

impl Abilities {
    /// Of a catalog.
    pub fn of(snapshot: &Snapshot) -> Abilities {
        let measured = measured(snapshot);
        let traits: Vec<Option<[f64; 3]>> =
            (0..snapshot.models.len()).map(|at| trait_row(snapshot, at)).collect();
        let known = measured.iter().zip(&traits).filter_map(|((sum, count), row)| {
            (*count > 0).then_some(())?;
            Some((row.as_ref().copied()?, sum / f64::from(*count)))
        });
        let line = fit(&known.collect::<Vec<_>>());
        let blend = |((sum, count), row): ((f64, u32), &Option<[f64; 3]>)| {
            let guess = row.map_or(-0.5, |row| row.iter().zip(line).map(|(x, w)| x * w).sum::<f64>());
            (sum + guess.clamp(-2.0, 2.0) * GUESS_WEIGHT) / (f64::from(count) + GUESS_WEIGHT)
        };
        Abilities(measured.into_iter().zip(&traits).map(blend).map(rows).collect())
    }

    /// The quality of a model at a mixture of work.
    pub fn quality(&self, model: usize, work: &Work) -> f64 {
        self.quality_at(model, &work.shares())
    }

    /// The same, where the work's shares are known.
    pub(crate) fn quality_at(&self, model: usize, shares: &[f64; ROWS]) -> f64 {
        self.rows(model).iter().zip(shares).map(|(quality, share)| share * quality).sum()
    }

    /// The quality of a model at each kind of work.
    pub fn rows(&self, model: usize) -> [f64; ROWS] {
        self.0.get(model).copied().unwrap_or_else(|| rows(-0.5))
    }
}

/// The quality at each kind of work that goes with an ability.
fn rows(ability: f64) -> [f64; ROWS] {
    let lift = logistic(1.7 * ability);
    let mut rows = [0.0; ROWS];
    for (row, (floor, reach)) in rows.iter_mut().zip(FLOOR_AND_REACH.into_iter().chain([TOOLS])) {
        *row = floor + reach * lift;
    }
    rows
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// Tools are to be called.
    Tools,
    /// How likely each label is, in their order.
    Mixture([f32; LABELS]),
}

impl Work {
    /// What a prompt that was judged so asks for. When no label is likely, all count alike.
    pub fn judged(judgement: &Judgement) -> Work {
        match judgement.best().1 >= CONFIDENCE_MIN {
            true => Work::Mixture(judgement.shares),
            false => Work::Mixture([1.0 / LABELS as f32; LABELS]),
        }
    }

    /// How much of it is of each kind; they sum to 1.
    pub fn shares(&self) -> [f64; ROWS] {
        let mut rows = [0.0; ROWS];
        match self {
            Work::Tools => rows.iter_mut().skip(LABELS).for_each(|row| *row = 1.0),
            Work::Mixture(shares) => {
                rows.iter_mut().zip(shares).for_each(|(row, share)| *row = f64::from(*share));
            }
        }
        rows
    }

    /// Likely output tokens, where the caller sets no bound: by label, for so long a prompt.
    pub fn output_tokens(&self, input: u64) -> u64 {
        let as_long = input.clamp(50, 4_000);
        let by_label = [1_200, 900, 700, as_long, 350, 200, (as_long / 4).clamp(120, 600), as_long];
        match self {
            Work::Tools => 300,
            Work::Mixture(shares) => {
                let tokens: f64 = shares
                    .iter()
                    .zip(by_label)
                    .map(|(share, tokens)| f64::from(*share) * tokens as f64)
                    .sum();
                tokens.round() as u64
            }
        }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The sum of each model's normalized benchmarks, and their number.
fn measured(snapshot: &Snapshot) -> Vec<(f64, u32)> {
    let mut results: HashMap<(&str, &str), Vec<(usize, f64)>> = HashMap::new();
    for (at, model) in snapshot.models.iter().enumerate() {
        for benchmark in &model.benchmarks {
            if let Ok(score) = benchmark.score.parse::<f64>() {
                let name = (benchmark.name.as_str(), benchmark.metric.as_deref().unwrap_or_default());
                results.entry(name).or_default().push((at, score));
            }
        }
    }
    let mut names: Vec<_> = results.into_iter().filter(|(_, rows)| rows.len() >= MODELS_MIN).collect();
    // Sums of floats depend on their order.
    names.sort_by_key(|(name, _)| *name);
    let mut sums = vec![(0.0, 0); snapshot.models.len()];
    for (_, rows) in names {
        let count = rows.len() as f64;
        let mean = rows.iter().map(|(_, score)| score).sum::<f64>() / count;
        let spread = (rows.iter().map(|(_, score)| (score - mean).powi(2)).sum::<f64>() / count).sqrt();
        for (at, score) in rows {
            if let Some((sum, count)) = sums.get_mut(at).filter(|_| spread > 1e-9) {
                *sum += (score - mean) / spread;
                *count += 1;
            }
        }
    }
    sums
}

/// One, the logarithm of its price, and its release in years after 2024; `None` where no price is known.
fn trait_row(snapshot: &Snapshot, at: usize) -> Option<[f64; 3]> {
    let price = snapshot.model_endpoints(at).filter_map(blended).min_by(f64::total_cmp)?;
    let year = snapshot
        .models
        .get(at)
        .and_then(Model::released_day)
        .map_or(0.5, |day| (day as f64 - 19_723.0) / 365.25);
    Some([1.0, price.max(0.01).ln(), year.clamp(-2.0, 4.0)])
}

/// Dollars per million tokens, three of input for each of output.
fn blended(endpoint: &Endpoint) -> Option<f64> {
    let rate = |kind| endpoint.price.quote(kind).and_then(|quote| quote.rate());
    let (input, output) = (rate(PriceKind::Input)?, rate(PriceKind::Output)?);
    Some((3.0 * input.nanos_per_million() as f64 + output.nanos_per_million() as f64) / 4e9)
}

/// Least squares with a little pull to zero, so that few or equal rows still give an answer.
fn fit(rows: &[([f64; 3], f64)]) -> [f64; 3] {
    let mut sums = [[0.0; 4]; 3];
    for (row, aim) in rows {
        for (sum, x) in sums.iter_mut().zip(row) {
            for (cell, y) in sum.iter_mut().zip(row.iter().chain([aim])) {
                *cell += x * y;
            }
        }
    }
    for (at, sum) in sums.iter_mut().enumerate() {
        if let Some(cell) = sum.get_mut(at) {
            *cell += 1.0;
        }
    }
    solve(sums)
}

/// Gauss elimination of three equations; the diagonal is never zero here.
fn solve(mut rows: [[f64; 4]; 3]) -> [f64; 3] {
    for pivot in 0..3 {
        let [first, second, third] = rows;
        let own = [first, second, third].get(pivot).copied().unwrap_or_default();
        let lead = own.get(pivot).copied().unwrap_or(1.0);
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = if at == pivot { 0.0 } else { row.get(pivot).copied().unwrap_or(0.0) / lead };
            for (cell, other) in row.iter_mut().zip(own) {
                *cell = if at == pivot { *cell / lead } else { *cell - factor * other };
            }
        }
    }
    rows.map(|row| row.last().copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn catalog() -> Snapshot {
        catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap()
    }

    #[test]
    fn equations_are_solved() {
        let rows: Vec<_> = (0..400)
            .map(|n| {
                let (x, y) = (f64::from(n % 20) / 10.0, f64::from(n / 20) / 10.0);
                ([1.0, x, y], 0.5 + 2.0 * x - 1.0 * y)
            })
            .collect();
        for (found, expect) in fit(&rows).into_iter().zip([0.5, 2.0, -1.0]) {
            assert!((found - expect).abs() < 0.05, "{found} {expect}");
        }
        assert!(fit(&[]).iter().all(|weight| weight.abs() < 1e-9));
    }

    #[test]
    fn every_model_has_a_prior_and_the_best_measured_lead() {
        let snapshot = catalog();
        let abilities = Abilities::of(&snapshot);
        let code = {
            let mut shares = [0.0; LABELS];
            shares[1] = 1.0;
            Work::Mixture(shares)
        };
        let quality = |id: &str| {
            let at = snapshot.models.iter().position(|model| &*model.id == id).unwrap();
            abilities.quality(at, &code)
        };
        for at in 0..snapshot.models.len() {
            let quality = abilities.quality(at, &code);
            assert!((0.3..1.0).contains(&quality), "{}: {quality}", snapshot.models[at].id);
        }
        let (strong, weak) =
            (quality("anthropic/claude-opus-4-6"), quality("meta-llama/llama-3.1-8b-instruct"));
        assert!(strong > weak + 0.15, "{strong} {weak}");
        assert_eq!(abilities, Abilities::of(&snapshot), "the same catalog gives the same abilities");
    }
}
