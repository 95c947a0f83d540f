//! Rewards that mislead: they say nothing of the models, or the contrary of what is true. What the router then chooses must be no worse
//! than the zero router, which knows none of them: the best mix of two fixed models at the same expected cost.
//!
//! The truth is the prior, moved by chance for each model and kind of work. Rewards are given to every model that is served, so many
//! at each kind. Quality is told at the truth, over all kinds of work and places of the dial.

use anyhow::{Result, anyhow};
use catalog::{Endpoint, Snapshot};
use routing::gate::Gate;
use routing::guide::{self, Guide};
use routing::learn::Table;
use routing::name::{Names, Target};
use routing::plan::{Conditions, Facts, Question, plan};
use routing::quality::{Abilities, ROWS, Work};
use routing::random::Random;
use routing::wishes::Wishes;
use routing::zero::{self, Point};
use types::{Timestamp, Usage};

use super::world::normal;
use crate::sh;

/// Providers that are switched on.
const ON: [&str; 3] = ["openai/", "anthropic/", "mistral/"];
/// How far an ability may be from its prior, as a standard deviation.
const SURPRISE: f64 = 0.02;
/// Places of the dial that are looked at.
const DIALS: [f64; 5] = [0.0, 0.2, 0.4, 0.6, 0.8];
/// Made-up histories.
const RUNS: u64 = 6;
const AT: Timestamp = Timestamp(0);
const INPUT_TOKENS: u64 = 1_000;

/// What rewards say of a model whose answers are good with this chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rewards {
    /// A coin is thrown.
    Noise,
    /// Good answers are called bad.
    Contrary,
    /// The truth.
    Honest,
}

/// Mean quality beyond the zero router's at the same cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beyond {
    /// Of the router as it serves.
    pub ours: f64,
    /// Of one that takes every reward at its word.
    pub trusting: f64,
    /// Of the prior alone.
    pub prior: f64,
    /// The true utility at the dial that the router as it serves has beyond the prior alone.
    pub utility: f64,
    /// The same of the one that trusts.
    pub trusting_utility: f64,
}

struct Node<'s>(&'s Snapshot);

impl Conditions for Node<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.0.endpoints.get(endpoint).is_some_and(is_on)
    }

    fn healthy(&self, _: usize) -> bool {
        true
    }
}

fn is_on(endpoint: &Endpoint) -> bool {
    ON.iter().any(|slug| endpoint.id.starts_with(slug))
}

struct Setup {
    snapshot: Snapshot,
    abilities: Abilities,
    auto: Vec<Target>,
    /// Models that can be chosen for each kind, with an endpoint's cost.
    choices: Vec<Vec<(usize, f64)>>,
}

/// Each kind of work alone.
fn works() -> [Work; ROWS] {
    std::array::from_fn(|kind| match kind + 1 {
        ROWS => Work::Tools,
        _ => Work::Mixture(std::array::from_fn(|at| f32::from(u8::from(at == kind)))),
    })
}

fn facts(work: &Work) -> Facts {
    Facts { input_tokens: INPUT_TOKENS, tools: *work == Work::Tools, ..Facts::default() }
}

/// `rewards` of `count` answers of each model at each kind, over some made-up histories.
pub fn measure(seed: u64, rewards: Rewards, count: u32) -> Result<Beyond> {
    let setup = Setup::new()?;
    let mut sum = Beyond::default();
    for run in 0..RUNS {
        let one = setup.history(seed.wrapping_add(run), rewards, count);
        sum.ours += one.ours / RUNS as f64;
        sum.trusting += one.trusting / RUNS as f64;
        sum.prior += one.prior / RUNS as f64;
        sum.utility += one.utility / RUNS as f64;
        sum.trusting_utility += one.trusting_utility / RUNS as f64;
    }
    Ok(sum)
}

impl Setup {
    fn new() -> Result<Setup> {
        let snapshot =
            catalog::load_dir(&sh::root().join("catalog")).map_err(|problems| anyhow!("{problems:?}"))?;
        let abilities = Abilities::of(&snapshot);
        let names = Names { brand: "tollway".into(), accept_peer_slugs: true };
        let auto = vec![names.resolve(&snapshot, "tollway/auto")?];
        let mut setup = Setup { snapshot, abilities, auto, choices: Vec::new() };
        setup.choices = works().iter().map(|work| setup.choices(work)).collect();
        Ok(setup)
    }

    /// The models among which a virtual model chooses for some work: those of its plan, at their cheapest.
    fn choices(&self, work: &Work) -> Vec<(usize, f64)> {
        let mut choices: Vec<(usize, f64)> = Vec::new();
        for step in self.plan(*work, 1.0, None, usize::MAX) {
            if !choices.iter().any(|(model, _)| *model == step.0) {
                choices.push(step);
            }
        }
        choices
    }

    /// Models and costs in the order of the plan.
    fn plan(&self, work: Work, dial: f64, learned: Option<&Gate>, attempts_max: usize) -> Vec<(usize, f64)> {
        let guide = Guide { abilities: &self.abilities, learned, work, dial: Some(dial), fast: false };
        let plan = plan(&Question {
            snapshot: &self.snapshot,
            conditions: &Node(&self.snapshot),
            targets: &self.auto,
            retries: &[],
            facts: &facts(&work),
            wishes: &Wishes { allow_fallbacks: true, ..Wishes::default() },
            sticky: None,
            guide: Some(&guide),
            seed: 1,
            explore: 0.0,
            attempts_max,
        });
        let of = |step: &routing::plan::Step| {
            let endpoint = &self.snapshot.endpoints[step.endpoint as usize];
            let output = work.output_tokens(INPUT_TOKENS);
            let usage = Usage { input: INPUT_TOKENS, output, requests: 1, ..Usage::default() };
            let cost = endpoint.price.cost(&usage, AT).map_or(f64::NAN, |cost| cost.total.nanos() as f64);
            (endpoint.model, cost)
        };
        plan.steps.iter().map(of).collect()
    }

    fn history(&self, seed: u64, rewards: Rewards, count: u32) -> Beyond {
        let mut random = Random::new(seed);
        let truth: Vec<[f64; ROWS]> = (0..self.snapshot.models.len())
            .map(|at| {
                self.abilities.rows(at).map(|row| (row + SURPRISE * normal(&mut random)).clamp(0.02, 0.98))
            })
            .collect();
        let mut table = Table::default();
        for (kind, work) in works().iter().enumerate() {
            for (model, _) in &self.choices[kind] {
                let good = truth[*model][kind];
                for _ in 0..count {
                    let chance = match rewards {
                        Rewards::Noise => 0.5,
                        Rewards::Contrary => 1.0 - good,
                        Rewards::Honest => good,
                    };
                    let reward = f64::from(u8::from(random.unit() < chance));
                    table.observe(work, &self.snapshot.models[*model].id, reward, 1.0, AT);
                }
            }
        }
        let gate = Gate::of(&table, &self.snapshot, &self.abilities, &|_, endpoint| is_on(endpoint), AT);
        let utility = |choose: &dyn Fn(usize, f64) -> (usize, f64)| self.utility(&truth, choose);
        let prior = utility(&|kind, dial| self.first(kind, dial, None));
        Beyond {
            utility: utility(&|kind, dial| self.first(kind, dial, Some(&gate))) - prior,
            trusting_utility: utility(&|kind, dial| self.trusting(&table, kind, dial)) - prior,
            ours: self.beyond(&truth, |kind, dial| self.first(kind, dial, Some(&gate))),
            prior: self.beyond(&truth, |kind, dial| self.first(kind, dial, None)),
            trusting: self.beyond(&truth, |kind, dial| self.trusting(&table, kind, dial)),
        }
    }

    fn first(&self, kind: usize, dial: f64, gate: Option<&Gate>) -> (usize, f64) {
        self.plan(works()[kind], dial, gate, 1).first().copied().unwrap_or((0, f64::NAN))
    }

    /// The choice by what was learned, whatever it is worth.
    fn trusting(&self, table: &Table, kind: usize, dial: f64) -> (usize, f64) {
        let work = works()[kind];
        let rated = self.choices[kind].iter().map(|(model, cost)| {
            let (id, rows) = (&self.snapshot.models[*model].id, self.abilities.rows(*model));
            (*model, *cost, table.quality(&work, id, &rows, AT).mean)
        });
        let rated: Vec<(usize, f64, f64)> = rated.collect();
        let best = rated.iter().max_by(|a, b| a.2.total_cmp(&b.2)).map_or(1.0, |best| best.1);
        let worth = |one: &(usize, f64, f64)| guide::utility(one.2, one.1 / best, dial);
        let chosen = rated.iter().max_by(|a, b| worth(a).total_cmp(&worth(b)));
        chosen.map_or((0, f64::NAN), |(model, cost, _)| (*model, *cost))
    }

    /// The mean true utility of choices over kinds of work and places of the dial, but for a constant.
    fn utility(&self, truth: &[[f64; ROWS]], choose: &dyn Fn(usize, f64) -> (usize, f64)) -> f64 {
        let at = |dial: f64| {
            let of = |kind: usize| {
                let (model, cost) = choose(kind, dial);
                guide::utility(truth[model][kind], cost / 1e6, dial)
            };
            (0..ROWS).map(of).sum::<f64>() / ROWS as f64
        };
        DIALS.iter().map(|dial| at(*dial)).sum::<f64>() / DIALS.len() as f64
    }

    /// How much better choices are than the zero router's at their mean cost, for each place of the dial; the mean.
    fn beyond(&self, truth: &[[f64; ROWS]], choose: impl Fn(usize, f64) -> (usize, f64)) -> f64 {
        // The models that can be chosen for all kinds of work, each alone: what the zero router mixes.
        let fixed: Vec<Point> = (0..truth.len())
            .filter_map(|model| {
                let cost_at = |kind: &Vec<(usize, f64)>| Some(kind.iter().find(|one| one.0 == model)?.1);
                let costs: Vec<f64> = self.choices.iter().map(cost_at).collect::<Option<_>>()?;
                let quality = truth[model].iter().sum::<f64>() / ROWS as f64;
                Some(Point { cost: costs.iter().sum::<f64>() / ROWS as f64, quality })
            })
            .collect();
        let hull = zero::hull(&fixed);
        let gain = |dial: f64| {
            let mut mean = Point::default();
            for (kind, (model, cost)) in (0..ROWS).map(|kind| (kind, choose(kind, dial))) {
                mean.cost += cost / ROWS as f64;
                mean.quality += truth[model][kind] / ROWS as f64;
            }
            let mix = zero::mix(&fixed, &hull, mean.cost)?;
            Some(mean.quality - mix.of(|at| fixed[at].quality))
        };
        DIALS.iter().filter_map(|dial| gain(*dial)).sum::<f64>() / DIALS.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::SEED;

    #[test]
    fn rewards_that_mislead_don_t_pull_the_router_below_the_zero_router() {
        for (rewards, count) in [(Rewards::Noise, 50), (Rewards::Contrary, 5)] {
            let beyond = measure(SEED, rewards, count).unwrap();
            assert!(beyond.ours >= 0.0, "{rewards:?} {count}: {beyond:?}");
            assert!(beyond.trusting < -0.05, "who trusts them does: {rewards:?} {count}: {beyond:?}");
        }
    }

    #[test]
    fn honest_rewards_are_used() {
        let beyond = measure(SEED, Rewards::Honest, 1_000).unwrap();
        assert!(beyond.utility > 0.001 && beyond.ours > 0.0, "{beyond:?}");
    }
}
