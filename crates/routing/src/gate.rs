//! Where what was learned may take a prior's place: only where it surely beats the zero router ([`crate::zero`]).
//!
//! For each model and each kind of work, from what was observed there:
//!
//! - The *zero router* is the best mix of two other models at what an answer of this one costs: fixed models, each at its mean of
//!   prior and rewards ([`crate::learn::PRIOR_STRENGTH`]), chosen without looking at the prompt.
//! - The *gain* of the model is its value less that of the mix, where value is quality less lambda times cost and lambda is what
//!   quality costs there: the slope of the hull. Within the hull both cost the same and lambda drops out; what is cheaper than
//!   everything else has what it saves counted.
//! - Rewards that speak for the model, more than its prior does, count where the lower bound of its gain is above 0: choosing it is
//!   better than the mix. Rewards that speak against it count where the upper bound is below 0: the mix is better than choosing it.
//!   Bounds are [`crate::zero::DOUBT`] deviations away. Else its prior holds.
//! - Before that, what was learned must differ from the prior by more than [`SURE`] of its deviations.
//! - Only rewards at that kind of work open the gate there. What they are taken to say, once it is open, is
//!   [`Table::quality`], which hears the other kinds too.
//! - Where no kind of work is known, all rewards count together as one more kind.
//!
//! The dial plays no part, so that turning it up still never raises what the first choice costs. All of it is made anew when rewards
//! or the catalog change, and once a minute because rewards fade; a decision only looks it up.

use catalog::{Endpoint, Snapshot, Status};
use types::{Timestamp, Usage};

use crate::classify::{LABELS, Label};
use crate::filters::is_sandbox;
use crate::learn::{Estimate, PRIOR_STRENGTH, Table};
use crate::quality::{Abilities, ROWS, Work};
use crate::zero::{self, DOUBT, Point};

/// How many deviations from the prior what was learned must be before it counts: nineteen in twenty, on one side.
pub const SURE: f64 = 1.645;
/// The kinds of work, and one for when none is known.
pub const KINDS: usize = ROWS + 1;
/// The prompt at whose length models are compared, tokens.
const INPUT_TOKENS: u64 = 1_000;

/// Whether what was learned counts, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// There are no rewards.
    #[default]
    Unseen,
    /// It may be no different from the prior.
    Unsure,
    /// It speaks for the model, which may be no better than a mix of two others.
    NotBetter,
    /// It speaks against the model, which may be no worse than a mix of two others.
    NotWorse,
    /// The model is surely better than any such mix.
    Better,
    /// The model is surely worse than the best such mix.
    Worse,
}

impl Verdict {
    /// Whether what was learned takes the prior's place.
    pub const fn counts(self) -> bool {
        matches!(self, Verdict::Better | Verdict::Worse)
    }

    /// For people.
    pub const fn why(self) -> &'static str {
        match self {
            Verdict::Unseen => "no reward at this kind of work, so the prior holds",
            Verdict::Unsure => "not surely different from the prior, so the prior holds",
            Verdict::NotBetter => {
                "not surely better than a mix of two other models at the same cost, so the prior holds"
            }
            Verdict::NotWorse => {
                "not surely worse than a mix of two other models at the same cost, so the prior holds"
            }
            Verdict::Better => "surely better than any mix of two other models at the same cost",
            Verdict::Worse => "surely worse than a mix of two other models at the same cost",
        }
    }
}

/// What is known of a model at a kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Its quality before anyone rated it.
    pub prior: f64,
    /// Its quality by rewards and prior together.
    pub learned: f64,
    /// The weight of its rewards there.
    pub rewards: f64,
    /// Which of the two holds.
    pub verdict: Verdict,
}

impl Seen {
    /// The quality that holds.
    pub const fn quality(&self) -> f64 {
        if self.verdict.counts() { self.learned } else { self.prior }
    }
}

/// What is known of a model by kind of work: the labels in their order, tools, and all together.
pub type Row = [Seen; KINDS];

/// What was learned of a catalog's models, and whether it counts. By position in the catalog that it was made for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
    models: Vec<Option<Box<Row>>>,
}

/// Makes a gate.
struct Maker<'a> {
    table: &'a Table,
    abilities: &'a Abilities,
    now: Timestamp,
    /// By model: the cost of an answer, nano-dollars; NaN where nothing serves it.
    costs: Vec<[f64; KINDS]>,
}

impl Gate {
    /// From all rewards. `served`: whether calls may go to an endpoint.
    pub fn of(
        table: &Table,
        snapshot: &Snapshot,
        abilities: &Abilities,
        served: &dyn Fn(usize, &Endpoint) -> bool,
        now: Timestamp,
    ) -> Gate {
        let rated: Vec<usize> = match table.is_empty() {
            true => Vec::new(),
            false => (0..snapshot.models.len()).filter(|at| table.knows(id(snapshot, *at))).collect(),
        };
        if rated.is_empty() {
            return Gate::default();
        }
        let costs = (0..snapshot.models.len()).map(|at| costs(snapshot, at, served, now)).collect();
        let maker = Maker { table, abilities, now, costs };
        let mut models: Vec<Option<Box<Row>>> = vec![None; snapshot.models.len()];
        for (kind, work) in works().iter().enumerate() {
            let mut points = maker.points(snapshot, kind);
            let hull = zero::hull(&points);
            for at in &rated {
                let seen = maker.seen((kind, work), id(snapshot, *at), *at, (&mut points, &hull));
                let row = models.get_mut(*at).map(|row| row.get_or_insert_default());
                if let Some(place) = row.and_then(|row| row.get_mut(kind)) {
                    *place = seen;
                }
            }
        }
        Gate { models }
    }

    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// What is known of a model; `None`: nobody rated it.
    pub fn row(&self, model: usize) -> Option<&Row> {
        self.models.get(model)?.as_deref()
    }

    /// The quality that holds for a model at some work; `None`: nobody rated it, its prior holds.
    pub fn quality(&self, model: usize, work: &Work) -> Option<f64> {
        self.row(model).map(|row| kinds(work).map(|(kind, share)| share * held(row, kind)).sum())
    }

    /// What rewards and prior make of a model together, whether it counts or not.
    pub fn learned(&self, model: usize, work: &Work) -> Option<f64> {
        let of = |row: &Row, kind: usize| row.get(kind).map_or(0.0, |seen| seen.learned);
        self.row(model).map(|row| kinds(work).map(|(kind, share)| share * of(row, kind)).sum())
    }
}

fn held(row: &Row, kind: usize) -> f64 {
    row.get(kind).map_or(0.0, Seen::quality)
}

/// The kinds of some work with their shares. Where all count alike no kind is known.
pub fn kinds(work: &Work) -> impl Iterator<Item = (usize, f64)> {
    let mut shares = [0.0; KINDS];
    match work {
        Work::Mixture(even) if even.windows(2).all(|pair| pair.first() == pair.last()) => {
            shares.iter_mut().skip(ROWS).for_each(|share| *share = 1.0);
        }
        work => shares.iter_mut().zip(work.shares()).for_each(|(share, of)| *share = of),
    }
    shares.into_iter().enumerate().filter(|(_, share)| *share > 0.0)
}

/// The name of a kind.
pub fn name(kind: usize) -> &'static str {
    match kind {
        LABELS => "tool_use",
        ROWS => "unknown",
        label => Label::ALL.get(label).map_or("unknown", |label| label.name()),
    }
}

/// The work of each kind alone.
fn works() -> [Work; KINDS] {
    std::array::from_fn(|kind| match kind {
        LABELS => Work::Tools,
        ROWS => Work::Mixture([1.0 / LABELS as f32; LABELS]),
        label => Work::Mixture(std::array::from_fn(|at| f32::from(u8::from(at == label)))),
    })
}

fn id(snapshot: &Snapshot, model: usize) -> &str {
    snapshot.models.get(model).map_or("", |model| &*model.id)
}

/// What the cheapest offer of a model takes for an answer of each kind; NaN where there is none.
fn costs(
    snapshot: &Snapshot,
    model: usize,
    served: &dyn Fn(usize, &Endpoint) -> bool,
    now: Timestamp,
) -> [f64; KINDS] {
    let talks = snapshot.models.get(model).is_some_and(|model| model.is_chat());
    let serves = |at: &u32| {
        let at = *at as usize;
        let endpoint = snapshot.endpoints.get(at)?;
        let fits = talks && endpoint.status == Status::Live && !is_sandbox(snapshot, endpoint);
        (fits && served(at, endpoint)).then_some(endpoint)
    };
    let offers: Vec<&Endpoint> = snapshot.endpoints_of(model).iter().filter_map(serves).collect();
    works().map(|work| {
        let output = work.output_tokens(INPUT_TOKENS).max(1);
        let usage = Usage { input: INPUT_TOKENS, output, requests: 1, ..Usage::default() };
        let able = |endpoint: &&&Endpoint| work != Work::Tools || endpoint.tool_call(snapshot) == Some(true);
        let known = offers.iter().filter(able).filter_map(|endpoint| endpoint.price.total(&usage, now).ok());
        known.map(|total| total.nanos() as f64).min_by(f64::total_cmp).unwrap_or(f64::NAN)
    })
}

impl Maker<'_> {
    /// Every model that is served as a fixed choice at a kind of work.
    fn points(&self, snapshot: &Snapshot, kind: usize) -> Vec<Point> {
        let all = self.costs.iter().enumerate();
        all.map(|(at, costs)| Point {
            cost: costs.get(kind).copied().unwrap_or(f64::NAN),
            quality: self.observed(kind, id(snapshot, at), at).0.mean,
        })
        .collect()
    }

    /// Quality by the prior and the rewards at one kind of work alone, the prior, and the weight of the rewards.
    fn observed(&self, kind: usize, id: &str, model: usize) -> (Estimate, f64, f64) {
        let rows = self.abilities.rows(model);
        let prior = match kind {
            ROWS => rows.iter().take(LABELS).sum::<f64>() / LABELS as f64,
            kind => rows.get(kind).copied().unwrap_or_default(),
        };
        let cells = self.table.rewards(id, self.now);
        let (sum, rewards) = match kind {
            ROWS => cells.iter().take(LABELS).fold((0.0, 0.0), |all, cell| (all.0 + cell.0, all.1 + cell.1)),
            kind => cells.get(kind).copied().unwrap_or_default(),
        };
        let weight = PRIOR_STRENGTH + rewards;
        let mean = (PRIOR_STRENGTH * prior + sum) / weight;
        let sd = (mean * (1.0 - mean) / (weight + 1.0)).max(0.0).sqrt();
        (Estimate { mean, sd }, prior, rewards)
    }

    fn seen(
        &self,
        (kind, work): (usize, &Work),
        id: &str,
        model: usize,
        (points, hull): (&mut [Point], &[usize]),
    ) -> Seen {
        let (here, prior, rewards) = self.observed(kind, id, model);
        let told = self.table.quality(work, id, &self.abilities.rows(model), self.now);
        let seen = |verdict| Seen { prior, learned: told.mean, rewards, verdict };
        if rewards <= 0.0 {
            return seen(Verdict::Unseen);
        }
        if (told.mean - prior).abs() <= SURE * told.sd {
            return seen(Verdict::Unsure);
        }
        let cost = points.get(model).map_or(f64::NAN, |point| point.cost);
        let bound = DOUBT * here.sd;
        seen(match gain_over_others(points, hull, model) {
            // Where nothing else is served there is nothing to choose.
            None => Verdict::Unsure,
            Some(_) if !cost.is_finite() => Verdict::Unsure,
            Some(gain) if told.mean >= prior && gain - bound > 0.0 => Verdict::Better,
            Some(_) if told.mean >= prior => Verdict::NotBetter,
            Some(gain) if gain + bound < 0.0 => Verdict::Worse,
            Some(_) => Verdict::NotWorse,
        })
    }
}

/// The value of a model less that of the best mix of two others at its cost; `None`: there is no other.
fn gain_over_others(points: &mut [Point], hull: &[usize], model: usize) -> Option<f64> {
    let own = *points.get(model)?;
    let mix = match hull.contains(&model) {
        false => zero::mix(points, hull, own.cost),
        true => {
            // The hull without it.
            points.get_mut(model)?.cost = f64::NAN;
            let others = zero::hull(points);
            let mix = zero::mix(points, &others, own.cost);
            points.get_mut(model)?.cost = own.cost;
            mix
        }
    }?;
    let of = |value: fn(&Point) -> f64| mix.of(|at| points.get(at).map_or(f64::NAN, value));
    let saved = of(|point| point.cost) - own.cost;
    Some(own.quality - of(|point| point.quality) + mix.slope * saved)
}

#[cfg(test)]
mod tests;
