//! The routers that are compared, each as a curve of mean quality over mean cost.
//!
//! - Ours learns from one part of the prompts and is measured on another: the file's own split, else five folds by a hash of the
//!   prompt, each measured by what the other four taught.
//! - What it learns: [`Table`] from the classifier's mixture over kinds of work, with the catalog's prior where it knows the
//!   model; and a mean cost for each kind of work and model, shrunk to the model's own.
//! - The dial stands at each of [`KNOTS`] places, with the utility of [`routing::guide`].
//! - At each place the learned choice is held against the zero router at the same cost, on the training part alone and by folds
//!   within it. Where the lower bound of its gain is above zero it may be deployed. What is deployed for a spend is the best mix of
//!   two: of such places, taken at that lower bound, and of single models. With no such place that is the zero router.

use catalog::Snapshot;
use routing::classify::features::View;
use routing::classify::{self, LABELS, Label};
use routing::guide;
use routing::learn::{PRIOR_STRENGTH, Table};
use routing::quality::{Abilities, ROWS, Work};
use routing::zero::{self, Point};
use types::Timestamp;

use super::read::{Outcome, Outcomes, Prompt};

/// Places of the dial, from quality to cost.
pub const KNOTS: usize = 101;
/// Parts that the prompts are cut into where the file has no split, and the training part for the gate.
const FOLDS: u64 = 5;
/// All outcomes are of one moment.
const AT: Timestamp = Timestamp(0);

/// A router's points: what it made of the measured prompts at each of its settings.
pub struct Curve {
    pub name: &'static str,
    pub points: Vec<Point>,
}

/// Everything that was measured.
pub struct Measured {
    /// Each model alone, on the measured prompts.
    pub singles: Vec<Point>,
    pub curves: Vec<Curve>,
    /// How many prompts were measured on, and how many taught each time.
    pub measured: usize,
    pub taught: usize,
    /// The share of dial places at which the learned choice was better beyond doubt.
    pub open: f64,
}

struct Data<'a> {
    outcomes: &'a Outcomes,
    works: Vec<Work>,
    priors: Vec<Option<[f64; ROWS]>>,
}

/// What was learned from some prompts.
struct Learned {
    table: Table,
    priors: Vec<[f64; ROWS]>,
    /// By model: cost and weight at each kind of work.
    costs: Vec<[(f64, f64); ROWS]>,
    /// The mean outcome of each model.
    points: Vec<Point>,
}

/// Compares all routers.
pub fn measure(outcomes: &Outcomes, snapshot: &Snapshot) -> Measured {
    let abilities = Abilities::of(snapshot);
    let priors = |model: &String| snapshot.resolve(model).map(|at| abilities.rows(at));
    let judged =
        |prompt: &Prompt| Work::judged(&classify::judge(&View { last: &prompt.text, ..View::default() }));
    let works = outcomes.prompts.iter().map(judged).collect();
    let mut data = Data { outcomes, works, priors: outcomes.models.iter().map(priors).collect() };
    let folds = folds(&outcomes.prompts);
    let measured: Vec<usize> = folds.iter().flat_map(|(_, measured)| measured.iter().copied()).collect();
    let singles: Vec<Point> = (0..outcomes.models.len())
        .map(|model| mean(measured.iter().map(|at| data.outcome(*at, model))))
        .collect();
    let mut curves = plain(&data, &singles, &measured);
    let ours = data.learned(&folds);
    curves.extend(
        [("zero router, learned", ours.zero), ("ours", ours.gated), ("ours, no gate", ours.free)].map(curve),
    );
    let labels: Option<Vec<Work>> = outcomes.prompts.iter().map(known_label).collect();
    if let Some(labels) = labels {
        data.works = labels;
        curves.push(curve(("ours, label known", data.learned(&folds).gated)));
    }
    let taught = folds.first().map_or(0, |(train, _)| train.len());
    Measured { singles, curves, measured: measured.len(), taught, open: ours.open }
}

fn curve((name, points): (&'static str, Vec<Point>)) -> Curve {
    Curve { name, points }
}

/// The work of a prompt whose task is one of our labels.
fn known_label(prompt: &Prompt) -> Option<Work> {
    let task = prompt.task.as_deref()?;
    let label = Label::ALL.into_iter().find(|label| label.name() == task)?;
    let mut shares = [0.0; LABELS];
    shares[label as usize] = 1.0;
    Some(Work::Mixture(shares))
}

/// What to learn from and what to measure on, as places of prompts.
fn folds(prompts: &[Prompt]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let split = |is_measured: &dyn Fn(usize) -> bool| -> (Vec<usize>, Vec<usize>) {
        (0..prompts.len()).partition(|at| !is_measured(*at))
    };
    if prompts.iter().any(|prompt| prompt.is_test.is_some()) {
        return vec![split(&|at| prompts[at].is_test == Some(true))];
    }
    (0..FOLDS).map(|fold| split(&|at| hash(&prompts[at].text) % FOLDS == fold)).collect()
}

/// The same text is always in the same fold.
fn hash(text: &str) -> u64 {
    let mixed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mixed >> 20
}

fn mean(outcomes: impl Iterator<Item = Outcome>) -> Point {
    let (mut sum, mut count) = (Point::default(), 0_u32);
    for outcome in outcomes {
        sum.cost += outcome.cost;
        sum.quality += outcome.quality;
        count += 1;
    }
    let count = f64::from(count.max(1));
    Point { cost: sum.cost / count, quality: sum.quality / count }
}

/// Routers that need no learning, or know what no router can.
fn plain(data: &Data<'_>, singles: &[Point], measured: &[usize]) -> Vec<Curve> {
    let models = singles.len() as f64;
    let random = Point {
        cost: singles.iter().map(|point| point.cost).sum::<f64>() / models,
        quality: singles.iter().map(|point| point.quality).sum::<f64>() / models,
    };
    let hull = zero::hull(singles);
    let at = |place: Option<&usize>| place.map(|at| singles[*at]).into_iter().collect();
    let afterwards = hull.iter().map(|at| singles[*at]).collect();
    [
        ("random", vec![random]),
        ("cheapest", at(hull.first())),
        ("best single", at(hull.last())),
        ("zero router, afterwards", afterwards),
        ("oracle", oracle(data, measured)),
    ]
    .map(curve)
    .into()
}

/// What could be had by knowing every outcome before: the best of each prompt at each price of quality.
fn oracle(data: &Data<'_>, measured: &[usize]) -> Vec<Point> {
    let models = data.outcomes.models.len();
    let prices = (0..=60).map(|step| if step == 0 { 0.0 } else { 10_f64.powf(f64::from(step) / 6.0 - 4.0) });
    let best = |at: usize, price: f64| {
        let worth = |outcome: &Outcome| outcome.quality - price * outcome.cost;
        let all = (0..models).map(|model| data.outcome(at, model));
        all.max_by(|a, b| worth(a).total_cmp(&worth(b)).then(b.cost.total_cmp(&a.cost)))
    };
    prices.map(|price| mean(measured.iter().filter_map(|at| best(*at, price)))).collect()
}

/// Sums over the measured prompts, at each setting.
struct Sums {
    zero: Vec<Point>,
    gated: Vec<Point>,
    free: Vec<Point>,
    open: f64,
}

impl Data<'_> {
    fn outcome(&self, prompt: usize, model: usize) -> Outcome {
        self.outcomes.prompts[prompt].outcomes[model]
    }

    /// What is learned and deployed in each fold, measured on its other part; means over all of them.
    fn learned(&self, folds: &[(Vec<usize>, Vec<usize>)]) -> Sums {
        let nothing = || vec![Point::default(); KNOTS];
        let mut sums = Sums { zero: nothing(), gated: nothing(), free: nothing(), open: 0.0 };
        let count: usize = folds.iter().map(|(_, measured)| measured.len()).sum();
        for (taught, measured) in folds {
            let learned = self.fit(taught);
            let gates = self.gates(&learned, taught);
            let choices = self.choices(&learned, measured);
            let single = |model| mean(measured.iter().map(|at| self.outcome(*at, model)));
            let singles: Vec<Point> = (0..learned.points.len()).map(single).collect();
            let free: Vec<Point> = (0..KNOTS)
                .map(|knot| {
                    let chosen = measured.iter().zip(&choices);
                    mean(chosen.map(|(at, models)| self.outcome(*at, usize::from(models[knot]))))
                })
                .collect();
            // Members of the deployed mixes: as they are expected to be, and as they were.
            let open = gates.iter().zip(&free).filter_map(|(gate, was)| Some(((*gate)?, *was)));
            let (expected, were): (Vec<Point>, Vec<Point>) =
                learned.points.iter().copied().zip(singles.iter().copied()).chain(open).unzip();
            let share = measured.len() as f64 / count.max(1) as f64;
            add(&mut sums.free, &free, share);
            add(&mut sums.zero, &spends(&learned.points, &singles), share);
            add(&mut sums.gated, &spends(&expected, &were), share);
            sums.open += share * gates.iter().flatten().count() as f64 / KNOTS as f64;
        }
        sums
    }

    fn fit(&self, taught: &[usize]) -> Learned {
        let models = self.outcomes.models.len();
        let points: Vec<Point> =
            (0..models).map(|model| mean(taught.iter().map(|at| self.outcome(*at, model)))).collect();
        let overall = points.iter().map(|point| point.quality).sum::<f64>() / models as f64;
        let mut table = Table::default();
        let mut costs: Vec<[(f64, f64); ROWS]> =
            points.iter().map(|point| [(PRIOR_STRENGTH * point.cost, PRIOR_STRENGTH); ROWS]).collect();
        for at in taught {
            for (model, name) in self.outcomes.models.iter().enumerate() {
                let outcome = self.outcome(*at, model);
                table.observe(&self.works[*at], name, outcome.quality, 1.0, AT);
                for ((sum, weight), share) in costs[model].iter_mut().zip(self.works[*at].shares()) {
                    *sum += share * outcome.cost;
                    *weight += share;
                }
            }
        }
        let priors = self.priors.iter().map(|known| known.unwrap_or([overall; ROWS])).collect();
        Learned { table, priors, costs, points }
    }

    /// The model for each of these prompts at each place of the dial.
    fn choices(&self, learned: &Learned, prompts: &[usize]) -> Vec<[u16; KNOTS]> {
        prompts.iter().map(|at| choice(&self.estimates(learned, *at))).collect()
    }

    fn estimates(&self, learned: &Learned, prompt: usize) -> Vec<Point> {
        let work = &self.works[prompt];
        let models = self.outcomes.models.iter().enumerate();
        models
            .map(|(model, name)| {
                let quality = learned.table.quality(work, name, &learned.priors[model], AT).mean;
                let rows = learned.costs[model].iter().zip(work.shares());
                Point { quality, cost: rows.map(|((sum, weight), share)| share * sum / weight).sum() }
            })
            .collect()
    }

    /// What the learned choice is at least at each place of the dial, at what cost; `None` where it may be no better than the
    /// zero router.
    fn gates(&self, learned: &Learned, taught: &[usize]) -> Vec<Option<Point>> {
        let mut order = Vec::with_capacity(taught.len());
        let mut choices = Vec::with_capacity(taught.len());
        for fold in 0..FOLDS {
            let is_left_out = |at: &usize| (hash(&self.outcomes.prompts[*at].text) / FOLDS) % FOLDS == fold;
            let (left_out, inner): (Vec<usize>, Vec<usize>) = taught.iter().partition(|at| is_left_out(at));
            choices.extend(self.choices(&self.fit(&inner), &left_out));
            order.extend(left_out);
        }
        let hull = zero::hull(&learned.points);
        let at_knot = |knot: usize| {
            let chosen = |at: usize| self.outcome(order[at], usize::from(choices[at][knot]));
            let cost = mean((0..order.len()).map(chosen)).cost;
            let mix = zero::mix(&learned.points, &hull, cost)?;
            let gains = (0..order.len()).map(|at| {
                let zero = |model: usize| self.outcome(order[at], model);
                let dearer = chosen(at).cost - mix.of(|model| zero(model).cost);
                chosen(at).quality - mix.of(|model| zero(model).quality) - mix.slope * dearer
            });
            let gains: Vec<f64> = gains.collect();
            let bound = zero::lower_bound(&gains).filter(|bound| *bound > 0.0)?;
            Some(Point { cost, quality: mix.of(|model| learned.points[model].quality) + bound })
        };
        (0..KNOTS).map(at_knot).collect()
    }
}

fn add(sums: &mut [Point], points: &[Point], share: f64) {
    for (sum, point) in sums.iter_mut().zip(points) {
        sum.cost += share * point.cost;
        sum.quality += share * point.quality;
    }
}

/// The best mixes of what is expected, at spends from the cheapest to the best of it, as they were.
fn spends(expected: &[Point], were: &[Point]) -> Vec<Point> {
    let hull = zero::hull(expected);
    let end = |at: Option<&usize>| at.map_or(0.0, |at| expected[*at].cost);
    let (least, most) = (end(hull.first()), end(hull.last()));
    let spend = |knot: usize| {
        // Evenly in the logarithm, so that the cheap end is not stepped over; from the cheapest itself.
        let along = 1.0 - knot as f64 / (KNOTS - 1) as f64;
        let cost = if knot == 0 { 0.0 } else { most * (least / most).max(1e-5).powf(along) };
        let mix = zero::mix(expected, &hull, cost)?;
        Some(Point { cost: mix.of(|at| were[at].cost), quality: mix.of(|at| were[at].quality) })
    };
    (0..KNOTS).filter_map(spend).collect()
}

/// The model at each place of the dial, as [`routing::guide`] has it.
fn choice(estimates: &[Point]) -> [u16; KNOTS] {
    let better = |a: &&Point, b: &&Point| a.quality.total_cmp(&b.quality).then(b.cost.total_cmp(&a.cost));
    let reference = estimates.iter().max_by(better).map_or(1.0, |best| best.cost).max(1e-12);
    std::array::from_fn(|knot| {
        let dial = knot as f64 / (KNOTS - 1) as f64;
        let worth = |point: &Point| match dial < 1.0 {
            true => guide::utility(point.quality, point.cost / reference, dial),
            false => -point.cost,
        };
        let best = estimates
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| worth(a).total_cmp(&worth(b)).then(b.cost.total_cmp(&a.cost)));
        best.and_then(|(at, _)| u16::try_from(at).ok()).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests;
