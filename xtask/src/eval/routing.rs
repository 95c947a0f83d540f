//! How long a routing decision takes, and whether the dial keeps its promise.
//!
//! The decision is the product's own, over the real catalog with the providers of [`ON`] switched on: the classifier on a prompt of
//! 2 KB, filters, qualities, costs, order.

use std::time::Instant;

use anyhow::{Context, Result};
use catalog::Snapshot;
use routing::classify::features::View;
use routing::classify::{self, LABELS};
use routing::guide::Guide;
use routing::name::{Names, Target};
use routing::plan::{Conditions, Facts, Plan, Question, plan};
use routing::quality::{Abilities, Work};
use routing::random::Random;
use routing::shortlist::Shortlist;
use routing::wishes::Wishes;
use types::Money;

use crate::sh;

/// Microseconds at the median and at the 99th percentile.
const GOALS: (f64, f64) = (60.0, 250.0);
const DECISIONS: usize = 20_000;
/// Providers that are switched on: some forty chat models.
const ON: [&str; 3] = ["openai/", "anthropic/", "mistral/"];
const SEED: u64 = 20_261_121;

/// As a node knows its endpoints: with what no request changes worked out before.
struct Node<'s>(&'s Snapshot, Option<&'s Shortlist>);

impl Conditions for Node<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.0.endpoints.get(endpoint).is_some_and(|e| ON.iter().any(|slug| e.id.starts_with(slug)))
    }

    fn shortlist(&self) -> Option<&Shortlist> {
        self.1
    }

    fn healthy(&self, _: usize) -> bool {
        true
    }
}

struct Bench<'s> {
    snapshot: &'s Snapshot,
    abilities: &'s Abilities,
    auto: Vec<Target>,
    shortlist: Shortlist,
}

impl Bench<'_> {
    fn decide(&self, work: Work, dial: f64, facts: &Facts) -> Plan {
        let guide = Guide { abilities: self.abilities, learned: None, work, dial: Some(dial), fast: false };
        plan(&Question {
            snapshot: self.snapshot,
            conditions: &Node(self.snapshot, Some(&self.shortlist)),
            targets: &self.auto,
            retries: &[],
            facts,
            wishes: &Wishes { allow_fallbacks: true, ..Wishes::default() },
            sticky: None,
            guide: Some(&guide),
            seed: SEED,
            explore: 0.0,
            attempts_max: 6,
        })
    }

    fn cost(&self, work: Work, dial: f64, facts: &Facts) -> Option<Money> {
        self.decide(work, dial, facts).steps.first().map(|step| step.expected)
    }
}

/// Builds with optimizations and measures there.
pub fn run(pairs: u64) -> Result<bool> {
    let mut build = sh::cargo();
    build.args(["build", "--release", "--locked", "--bins", "--package", "xtask"]);
    sh::run(&mut build)?;
    let mut measure = std::process::Command::new(sh::target_dir().join("release/xtask"));
    sh::from_root(&mut measure);
    measure.args(["eval", "routing", "--measure", "--pairs", &pairs.to_string()]);
    Ok(measure.status().context("measuring")?.success())
}

/// Prints the figures; true when every goal is met.
pub fn measure(pairs: u64) -> Result<bool> {
    let snapshot =
        catalog::load_dir(&sh::root().join("catalog")).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let abilities = Abilities::of(&snapshot);
    let names = Names { brand: "tollway".into(), accept_peer_slugs: true };
    let auto = vec![names.resolve(&snapshot, "tollway/auto")?];
    let shortlist = Shortlist::of(&snapshot, &Node(&snapshot, None));
    let bench = Bench { snapshot: &snapshot, abilities: &abilities, auto, shortlist };
    let text =
        "The council met on Monday to discuss the bridge, its cost and the detour for the buses. ".repeat(23);
    let prompt = format!("Summarize the minutes below in three sentences.\n{text}");
    let facts = Facts { input_tokens: prompt.len() as u64 / 4, ..Facts::default() };
    let judged = times(|| {
        std::hint::black_box(classify::judge(&View { last: &prompt, ..View::default() }));
    });
    let work = Work::Mixture(classify::judge(&View { last: &prompt, ..View::default() }).shares);
    let decided = times(|| drop(bench.decide(work, 0.3, &facts)));
    let chosen = bench.decide(work, 0.3, &facts);
    let candidates = chosen.funnel.last().map_or(0, |line| line.endpoint_count);
    let whole = (judged.0 + decided.0, judged.1 + decided.1);
    println!(
        "prompt of {} bytes, {candidates} candidates, {DECISIONS} decisions, microseconds",
        prompt.len()
    );
    println!("classifier  p50 {:6.1}  p99 {:6.1}", judged.0, judged.1);
    println!("decision    p50 {:6.1}  p99 {:6.1}", decided.0, decided.1);
    println!("together    p50 {:6.1}  p99 {:6.1}  (goals {} and {})", whole.0, whole.1, GOALS.0, GOALS.1);
    let broken = violations(&bench, pairs);
    println!("dial: {broken} of {pairs} random pairs (seed {SEED}) cost more at the higher dial (goal 0)");
    Ok(whole.0 <= GOALS.0 && whole.1 <= GOALS.1 && broken == 0)
}

/// The median and the 99th percentile, microseconds.
fn times(mut once: impl FnMut()) -> (f64, f64) {
    (0..1_000).for_each(|_| once());
    let mut times: Vec<u64> = (0..DECISIONS)
        .map(|_| {
            let start = Instant::now();
            once();
            u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect();
    times.sort_unstable();
    let at =
        |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default() as f64 / 1_000.0;
    (at(50), at(99))
}

/// Pairs of dials at random mixtures of work and lengths where the higher one costs more.
fn violations(bench: &Bench<'_>, pairs: u64) -> u64 {
    let mut random = Random::new(SEED);
    let mut broken = 0;
    for _ in 0..pairs {
        let mut shares = [0.0_f32; LABELS];
        shares.iter_mut().for_each(|share| *share = random.unit().powi(3) as f32);
        let sum: f32 = shares.iter().sum();
        let work = Work::Mixture(shares.map(|share| share / sum));
        let facts = Facts { input_tokens: (random.unit() * 30_000.0) as u64, ..Facts::default() };
        let (one, other) = (random.unit(), random.unit());
        let low = bench.cost(work, one.min(other), &facts);
        let high = bench.cost(work, one.max(other), &facts);
        broken += u64::from(high > low);
    }
    broken
}
