//! How good models turned out to be here: what their answers were worth, by kind of work.
//!
//! - A *reward* is from 0 to 1 and comes with a weight: how much it says. It counts for each kind of work as far as the prompt
//!   was likely of that kind.
//! - The quality of a model at a kind of work is the mean of its rewards and of a prior that weighs as much as
//!   [`PRIOR_STRENGTH`] of them: with no reward it is the prior, with many it is what was seen.
//! - What a model does better or worse than its prior at most kinds of work it likely does at the others too: the prior is moved
//!   by that, as far as several kinds agree. One kind alone, however often seen, moves the others by at most a third.
//! - Rewards fade: half of the weight is gone after [`HALF_LIFE_US`]. Providers change models under the same name.
//! - [`MODELS_MAX`] models are kept; one more takes the place of the one of which least is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::quality::{ROWS, Work};

/// Rewards that a prior weighs as much as.
pub const PRIOR_STRENGTH: f64 = 25.0;
/// After so long half of a reward's weight is gone, microseconds: 30 days.
pub const HALF_LIFE_US: i64 = 30 * 86_400_000_000;
/// Most models of a table.
pub const MODELS_MAX: usize = 4_096;
/// The most that one reward may weigh.
pub const WEIGHT_MAX: f64 = 100.0;
/// Kinds of work that must agree for their mean to count as much as the belief that the prior is right.
const AGREEING: f64 = 2.0;

/// Rewards of one model at one kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cell {
    /// Of rewards times their weights.
    sum: f64,
    weight: f64,
}

/// Rewards of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Row {
    /// Up to when its weights have faded.
    at: Timestamp,
    cells: [Cell; ROWS],
}

impl Row {
    fn weight(&self, now: Timestamp) -> f64 {
        kept(now.0.saturating_sub(self.at.0)) * self.cells.iter().map(|cell| cell.weight).sum::<f64>()
    }
}

/// The share of its weight that a reward has left after so long.
fn kept(us: i64) -> f64 {
    (-(us.max(0) as f64) / HALF_LIFE_US as f64).exp2()
}

/// A quality and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The expected reward, 0 to 1.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
}

/// What is known of models, by their id. Written to a file and read from it as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Box<str>, Row>", into = "BTreeMap<Box<str>, Row>")]
pub struct Table {
    models: BTreeMap<Box<str>, Row>,
}

impl Table {
    /// Takes in what an answer was worth. A reward or weight that is no number is left out, others are held to their range.
    pub fn observe(&mut self, work: &Work, model: &str, reward: f64, weight: f64, at: Timestamp) {
        if !(reward.is_finite() && weight.is_finite() && weight > 0.0) {
            return;
        }
        if !self.models.contains_key(model) {
            self.make_room(MODELS_MAX - 1, at);
            self.models.insert(model.into(), Row { at, ..Row::default() });
        }
        let Some(row) = self.models.get_mut(model) else { return };
        let fade = kept(at.0.saturating_sub(row.at.0));
        let weight = weight.min(WEIGHT_MAX) * kept(row.at.0.saturating_sub(at.0));
        row.at = row.at.max(at);
        for (cell, share) in row.cells.iter_mut().zip(work.shares()) {
            let weight = weight * share;
            cell.sum = cell.sum * fade + reward.clamp(0.0, 1.0) * weight;
            cell.weight = cell.weight * fade + weight;
        }
    }

    /// Leaves at most `most` models, those of which more is known.
    fn make_room(&mut self, most: usize, now: Timestamp) {
        while self.models.len() > most {
            let least = self
                .models
                .iter()
                .min_by(|a, b| a.1.weight(now).total_cmp(&b.1.weight(now)))
                .map(|(id, _)| id.clone());
            let Some(least) = least else { return };
            self.models.remove(&least);
        }
    }

    /// The quality of a model at some work; `priors` are those at each kind of work, as [`crate::quality::Abilities::rows`]
    /// gives them.
    pub fn quality(&self, work: &Work, model: &str, priors: &[f64; ROWS], now: Timestamp) -> Estimate {
        let row = self.models.get(model).copied().unwrap_or_default();
        let fade = kept(now.0.saturating_sub(row.at.0));
        let cells = row.cells.map(|cell| Cell { sum: cell.sum * fade, weight: cell.weight * fade });
        let (mut moved, mut agreeing) = (0.0, AGREEING);
        for (cell, prior) in cells.iter().zip(priors) {
            // The residual's mean times its trust, which is at most 1: what one kind of work says of the others.
            moved += (cell.sum - cell.weight * prior) / (PRIOR_STRENGTH + cell.weight);
            agreeing += cell.weight / (PRIOR_STRENGTH + cell.weight);
        }
        let (mut mean, mut variance) = (0.0, 0.0);
        for ((cell, prior), share) in cells.iter().zip(priors).zip(work.shares()) {
            let prior = (prior + moved / agreeing).clamp(0.0, 1.0);
            let weight = PRIOR_STRENGTH + cell.weight;
            let here = (PRIOR_STRENGTH * prior + cell.sum) / weight;
            mean += share * here;
            variance += share * share * here * (1.0 - here) / (weight + 1.0);
        }
        Estimate { mean, sd: variance.max(0.0).sqrt() }
    }

    /// How much is known of a model at some work: the weight of its rewards.
    pub fn weight(&self, work: &Work, model: &str, now: Timestamp) -> f64 {
        let Some(row) = self.models.get(model) else { return 0.0 };
        let there: f64 = row.cells.iter().zip(work.shares()).map(|(cell, share)| cell.weight * share).sum();
        there * kept(now.0.saturating_sub(row.at.0))
    }

    /// The sum and the weight of a model's rewards at each kind of work, as far as they have not faded.
    pub(crate) fn rewards(&self, model: &str, now: Timestamp) -> [(f64, f64); ROWS] {
        let row = self.models.get(model).copied().unwrap_or_default();
        let fade = kept(now.0.saturating_sub(row.at.0));
        row.cells.map(|cell| (cell.sum * fade, cell.weight * fade))
    }

    /// Whether a model has rewards.
    pub(crate) fn knows(&self, model: &str) -> bool {
        self.models.contains_key(model)
    }

    /// How many models have rewards.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether there is no reward.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl From<Table> for BTreeMap<Box<str>, Row> {
    fn from(table: Table) -> Self {
        table.models
    }
}

/// A file may have been edited: what can't be is set right, and no more is kept than fits.
impl From<BTreeMap<Box<str>, Row>> for Table {
    fn from(mut models: BTreeMap<Box<str>, Row>) -> Table {
        for cell in models.values_mut().flat_map(|row| &mut row.cells) {
            cell.weight = if cell.weight.is_finite() { cell.weight.max(0.0) } else { 0.0 };
            cell.sum = if cell.sum.is_finite() { cell.sum.clamp(0.0, cell.weight) } else { 0.0 };
        }
        let now = models.values().map(|row| row.at).max().unwrap_or_default();
        let mut table = Table { models };
        table.make_room(MODELS_MAX, now);
        table
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::classify::{LABELS, Label};

    const PRIORS: [f64; ROWS] = [0.6; ROWS];

    fn day(day: i64) -> Timestamp {
        Timestamp(day * 86_400_000_000)
    }

    fn only(label: Label) -> Work {
        let mut shares = [0.0; LABELS];
        shares[label as usize] = 1.0;
        Work::Mixture(shares)
    }

    fn rewarded(work: &Work, reward: f64, times: usize) -> Table {
        let mut table = Table::default();
        (0..times).for_each(|_| table.observe(work, "m", reward, 1.0, day(0)));
        table
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn it_goes_from_the_prior_to_what_was_seen() {
        let code = only(Label::Code);
        let of = |times| rewarded(&code, 1.0, times).quality(&code, "m", &PRIORS, day(0));
        assert!(close(of(0).mean, 0.6));
        let rows = [(5, 0.6, 0.75), (25, 0.8, 0.86), (500, 0.97, 0.99)];
        for (times, least, most) in rows {
            let mean = of(times).mean;
            assert!((least..most).contains(&mean), "{times}: {mean}");
        }
        assert!(of(500).sd < of(25).sd && of(25).sd < of(0).sd);
        assert!(close(of(25).mean, Table::default().quality(&code, "m", &[of(25).mean; ROWS], day(0)).mean));
    }

    #[test]
    fn other_work_is_moved_as_far_as_several_kinds_agree() {
        let (code, chat) = (only(Label::Code), only(Label::Chat));
        let one = rewarded(&code, 0.0, 10_000).quality(&chat, "m", &PRIORS, day(0)).mean;
        assert!(close((one * 1_000.0).round(), 400.0), "a third of the way from 0.6 to 0: {one}");
        let mut several = rewarded(&code, 0.0, 10_000);
        for label in [Label::Reasoning, Label::Rewrite, Label::Summarize] {
            (0..10_000).for_each(|_| several.observe(&only(label), "m", 0.0, 1.0, day(0)));
        }
        let several = several.quality(&chat, "m", &PRIORS, day(0)).mean;
        assert!(several < 0.21, "{several}");
        let other = rewarded(&code, 0.0, 10_000).quality(&chat, "n", &PRIORS, day(0)).mean;
        assert!(close(other, 0.6), "another model is not moved");
    }

    #[test]
    fn a_reward_counts_for_each_kind_as_far_as_the_prompt_was_of_it() {
        let mut shares = [0.0; LABELS];
        (shares[Label::Code as usize], shares[Label::Chat as usize]) = (0.75, 0.25);
        let table = rewarded(&Work::Mixture(shares), 1.0, 100);
        let weight = |work: &Work| table.weight(work, "m", day(0));
        assert!(close(weight(&only(Label::Code)), 75.0) && close(weight(&only(Label::Chat)), 25.0));
        assert!(close(weight(&Work::Tools), 0.0));
        let tools = rewarded(&Work::Tools, 1.0, 3);
        assert!(close(tools.weight(&Work::Tools, "m", day(0)), 3.0));
    }

    #[test]
    fn half_of_it_is_gone_after_a_month_in_whichever_order_it_came() {
        let code = only(Label::Code);
        let mut table = rewarded(&code, 1.0, 8);
        assert!(close(table.weight(&code, "m", day(30)), 4.0));
        table.observe(&code, "m", 0.0, 1.0, day(60));
        assert!(close(table.weight(&code, "m", day(60)), 3.0));
        let mut late = Table::default();
        late.observe(&code, "m", 0.0, 1.0, day(60));
        (0..8).for_each(|_| late.observe(&code, "m", 1.0, 1.0, day(0)));
        let (a, b) =
            (table.quality(&code, "m", &PRIORS, day(60)), late.quality(&code, "m", &PRIORS, day(60)));
        assert!(close(a.mean, b.mean) && close(a.sd, b.sd), "{a:?} {b:?}");
    }

    #[test]
    fn it_is_bounded_and_keeps_of_what_most_is_known() {
        let mut table = rewarded(&Work::Tools, 1.0, 2);
        for n in 0..MODELS_MAX + 10 {
            table.observe(&Work::Tools, &format!("n{n}"), 1.0, 1.0, day(0));
        }
        assert_eq!(table.len(), MODELS_MAX);
        assert!(table.weight(&Work::Tools, "m", day(0)) > 1.0);
    }

    #[test]
    fn it_survives_its_file_and_a_file_that_was_edited() {
        let mut table = rewarded(&only(Label::Code), 0.7, 9);
        table.observe(&Work::Tools, "n", 0.2, 0.5, day(3));
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
        let edited =
            text.replace("\"weight\":9.0", "\"weight\":-9.0").replace("\"sum\":0.1", "\"sum\":1e300");
        assert_ne!(edited, text);
        let read: Table = serde_json::from_str(&edited).unwrap();
        for model in ["m", "n"] {
            let mean = read.quality(&only(Label::Code), model, &PRIORS, day(3)).mean;
            assert!((0.0..=1.0).contains(&mean), "{mean}");
        }
    }

    proptest! {
        /// Whatever is observed, a quality is one.
        #[test]
        fn a_quality_is_from_0_to_1(
            seen in prop::collection::vec((any::<f64>(), any::<f64>(), -400_i64..400, 0_usize..ROWS), 0..40),
            priors in prop::array::uniform9(0.0..1.0_f64),
            now in -400_i64..400,
        ) {
            let mut table = Table::default();
            let work = |row: usize| if row == LABELS { Work::Tools } else { only(Label::ALL[row]) };
            for (reward, weight, at, row) in seen {
                table.observe(&work(row), "m", reward, weight, day(at));
            }
            for row in 0..ROWS {
                let estimate = table.quality(&work(row), "m", &priors, day(now));
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&estimate.mean), "{:?}", estimate);
                prop_assert!(estimate.sd.is_finite() && estimate.sd <= 0.5, "{:?}", estimate);
            }
        }
    }
}
