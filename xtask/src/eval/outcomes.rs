//! The router beside simpler ones, on outcomes that somebody measured: what each model made of each prompt, and at what cost.
//!
//! - *AIQ*: the mean quality over the range of costs from the cheapest model's to the dearest's, of the best mixes of what a
//!   router reaches and the cheapest model.
//! - *APGR*: the same over the costs from the cheapest to the best model, as a share of the way from the one's quality to the
//!   other's. A mix of just those two has 0.5.
//! - *Cost at 98 %*: the least spend for 98 % of the best model's quality, in percent of its cost.

mod read;
mod routers;
mod sample;

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use routing::zero::{self, Point};
use serde_json::{Value, json};

use super::SEED;
use crate::sh;
use routers::{KNOTS, Measured};

/// Points of the printed curve.
const COSTS: usize = 12;
/// Points at which two curves are compared.
const FINE: usize = 201;
/// The share of the best model's quality that a saving is told at.
const NEARLY: f64 = 0.98;
/// AIQ by which ours may be below the zero router on prompts that neither learned from: what chance does to two routers as good.
const CHANCE: f64 = 0.0005;

#[derive(clap::Args)]
pub struct Args {
    /// Outcomes as JSON lines or CSV
    #[arg(required_unless_present = "sample", conflicts_with = "sample")]
    file: Option<PathBuf>,
    /// Runs on made-up outcomes instead: our own prompts, models drawn from the seed
    #[arg(long)]
    sample: bool,
    /// Where the random numbers of the sample start
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What is said of a router.
struct Score {
    name: &'static str,
    aiq: f64,
    apgr: Option<f64>,
    cost_at_98: Option<f64>,
    /// Its hull, with the cheapest model.
    hull: Vec<Point>,
}

/// The costs between which routers are compared, and what the best model has.
struct Range {
    cheapest: Point,
    best: Point,
    dearest_cost: f64,
}

/// True when ours is not below the zero router that learned from the same prompts.
pub fn run(args: &Args) -> Result<bool> {
    let snapshot =
        catalog::load_dir(&sh::root().join("catalog")).map_err(|problems| anyhow!("{problems:?}"))?;
    let outcomes = match &args.file {
        Some(path) => read::file(path)?,
        None => sample::outcomes(&snapshot, args.seed)?,
    };
    let measured = routers::measure(&outcomes, &snapshot);
    ensure!(
        measured.measured > 0 && measured.taught > 0,
        "there is nothing to measure on, or nothing to learn from"
    );
    let hull = zero::hull(&measured.singles);
    let at = |place: Option<&usize>| place.map(|at| measured.singles[*at]).context("no model has outcomes");
    let range = Range {
        cheapest: at(hull.first())?,
        best: at(hull.last())?,
        dearest_cost: measured.singles.iter().map(|point| point.cost).fold(0.0, f64::max),
    };
    let scores: Vec<Score> =
        measured.curves.iter().map(|curve| range.score(curve.name, &curve.points)).collect();
    let named = |name: &str| scores.iter().find(|score| score.name == name).context("a router is missing");
    let (ours, zero) = (named("ours")?, named("zero router, learned")?);
    let gain = ours.aiq - zero.aiq;
    let beside = |cost: f64| quality_at(&ours.hull, cost) - quality_at(&zero.hull, cost);
    let least = range.costs(FINE).into_iter().map(beside).fold(f64::INFINITY, f64::min);
    let rest = Told { args, outcomes: &outcomes, measured: &measured, range: &range, gain, least };
    if args.json {
        println!("{:#}", rest.json(&scores))
    } else {
        rest.print(&scores)
    }
    Ok(gain >= -CHANCE)
}

impl Range {
    fn score(&self, name: &'static str, points: &[Point]) -> Score {
        let all: Vec<Point> = points.iter().copied().chain([self.cheapest]).collect();
        let hull: Vec<Point> = zero::hull(&all).into_iter().map(|at| all[at]).collect();
        let mean = |to: f64| area(&hull, self.cheapest.cost, to) / (to - self.cheapest.cost).max(1e-300);
        let rise = self.best.quality - self.cheapest.quality;
        let apgr = (rise > 0.0).then(|| (mean(self.best.cost) - self.cheapest.quality) / rise);
        let cost_at_98 = cost_of(&hull, NEARLY * self.best.quality).map(|cost| 100.0 * cost / self.best.cost);
        Score { name, aiq: mean(self.dearest_cost), apgr, cost_at_98, hull }
    }

    /// Costs to tell qualities at: evenly from the cheapest to the best model, in their logarithm.
    fn costs(&self, count: usize) -> Vec<f64> {
        let (from, to) = (self.cheapest.cost.max(1e-12), self.best.cost.max(1e-12));
        (0..count).map(|at| from * (to / from).powf(at as f64 / (count - 1) as f64)).collect()
    }
}

/// The quality of the best mix at this cost: a hull's, level after its end.
fn quality_at(hull: &[Point], cost: f64) -> f64 {
    let all: Vec<usize> = (0..hull.len()).collect();
    zero::mix(hull, &all, cost).map_or(f64::NAN, |mix| mix.of(|at| hull[at].quality))
}

/// Under a hull between two costs: it is straight between its points.
fn area(hull: &[Point], from: f64, to: f64) -> f64 {
    let inner = hull.iter().map(|point| point.cost).filter(|cost| (from..to).contains(cost));
    let mut costs: Vec<f64> = [from, to].into_iter().chain(inner).collect();
    costs.sort_unstable_by(f64::total_cmp);
    let part =
        |pair: &[f64]| (pair[1] - pair[0]) * (quality_at(hull, pair[0]) + quality_at(hull, pair[1])) / 2.0;
    costs.windows(2).map(part).sum()
}

fn cost_of(hull: &[Point], quality: f64) -> Option<f64> {
    if hull.first().is_some_and(|first| first.quality >= quality) {
        return hull.first().map(|first| first.cost);
    }
    hull.windows(2).find(|pair| pair[1].quality >= quality).map(|pair| {
        let share = (quality - pair[0].quality) / (pair[1].quality - pair[0].quality);
        pair[0].cost + share * (pair[1].cost - pair[0].cost)
    })
}

/// What is printed beside the scores.
struct Told<'a> {
    args: &'a Args,
    outcomes: &'a read::Outcomes,
    measured: &'a Measured,
    range: &'a Range,
    /// Of AIQ, and the least of quality at any cost: ours beside the zero router.
    gain: f64,
    least: f64,
}

impl Told<'_> {
    fn source(&self) -> String {
        match &self.args.file {
            Some(path) => path.display().to_string(),
            None => format!("made-up outcomes, seed {}", self.args.seed),
        }
    }

    fn print(&self, scores: &[Score]) {
        let Told { outcomes, measured, .. } = self;
        println!(
            "{}: {} prompts ({} left out), {} models; measured on {}, learned from {} at a time",
            self.source(),
            outcomes.prompts.len(),
            outcomes.left_out,
            outcomes.models.len(),
            measured.measured,
            measured.taught
        );
        println!("\n{:<46} {:>9} {:>13}", "model alone", "quality", "cost, dollars");
        for (model, point) in outcomes.models.iter().zip(&measured.singles) {
            println!("{model:<46} {:>9.4} {:>13.6}", point.quality, point.cost);
        }
        let shown = ["zero router, learned", "ours", "ours, label known", "oracle"];
        let shown: Vec<&Score> = scores.iter().filter(|score| shown.contains(&score.name)).collect();
        print!("\n{:>13}", "cost, dollars");
        shown.iter().for_each(|score| print!(" {:>21}", score.name));
        println!();
        for cost in self.range.costs(COSTS) {
            print!("{cost:>13.6}");
            shown.iter().for_each(|score| print!(" {:>21.4}", quality_at(&score.hull, cost)));
            println!();
        }
        println!("\n{:<26} {:>8} {:>8} {:>13}", "router", "AIQ", "APGR", "cost at 98 %");
        let number =
            |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
        for score in scores {
            let (apgr, cost) = (number(score.apgr, 4), number(score.cost_at_98, 1));
            println!("{:<26} {:>8.4} {:>8} {:>13}", score.name, score.aiq, apgr, cost);
        }
        let met = if self.gain >= -CHANCE { "met" } else { "MISSED" };
        println!(
            "\nthe learned choice is better beyond doubt at {:.0} % of {KNOTS} places of the dial; at no cost its quality is less than \
             {:+.4} beside the zero router's, and its AIQ is {:+.4} (goal: at least {:+.4}): {met}",
            100.0 * measured.open,
            self.least,
            self.gain,
            -CHANCE
        );
    }

    fn json(&self, scores: &[Score]) -> Value {
        let point = |point: &Point| json!({"cost": point.cost, "quality": point.quality});
        let singles = self.outcomes.models.iter().zip(&self.measured.singles);
        let at = |score: &Score, cost: f64| point(&Point { cost, quality: quality_at(&score.hull, cost) });
        json!({
            "source": self.source(),
            "seed": self.args.seed,
            "prompts": self.outcomes.prompts.len(),
            "left_out": self.outcomes.left_out,
            "models": singles.map(|(name, p)| json!({"name": name, "alone": point(p)})).collect::<Vec<_>>(),
            "measured_on": self.measured.measured,
            "learned_from": self.measured.taught,
            "better_beyond_doubt_share": self.measured.open,
            "gain_over_zero_aiq": self.gain,
            "least_gain_over_zero_at_any_cost": self.least,
            "routers": scores.iter().map(|score| json!({
                "name": score.name,
                "aiq": score.aiq,
                "apgr": score.apgr,
                "cost_at_98_percent": score.cost_at_98,
                "curve": self.range.costs(COSTS).into_iter().map(|cost| at(score, cost)).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(pairs: &[(f64, f64)]) -> Vec<Point> {
        pairs.iter().map(|(cost, quality)| Point { cost: *cost, quality: *quality }).collect()
    }

    #[test]
    fn scores_are_those_that_geometry_gives() {
        let range = Range {
            cheapest: Point { cost: 1.0, quality: 0.5 },
            best: Point { cost: 3.0, quality: 0.9 },
            dearest_cost: 5.0,
        };
        let score = |pairs: &[(f64, f64)]| range.score("", &points(pairs));
        let line = score(&[(3.0, 0.9)]);
        assert!((line.aiq - (0.7 * 2.0 + 0.9 * 2.0) / 4.0).abs() < 1e-12, "{}", line.aiq);
        assert!((line.apgr.unwrap() - 0.5).abs() < 1e-12);
        assert!((line.cost_at_98.unwrap() - 100.0 * (1.0 + 2.0 * 0.382 / 0.4) / 3.0).abs() < 1e-9);
        let above = score(&[(2.0, 0.9), (3.0, 0.9)]);
        assert!((above.apgr.unwrap() - 0.75).abs() < 1e-12 && above.aiq > line.aiq);
        let below = score(&[(4.0, 0.6)]);
        assert_eq!(below.cost_at_98, None);
        assert!(below.apgr.unwrap() < 0.5, "what is below the cheapest's own mix is no better for it");
    }
}
