//! How long a routing decision takes, and whether the dial keeps its promise.
//!
//! The decision is the product's own, over the real catalog with the providers of [`ON`] switched on: the classifier on a prompt of
//! 2 KB, filters, qualities, costs, order. Once with [`CANDIDATES`] of their offers, as the goal has it, and once with all. The
//! classifier judges the same prompt again and again, and then one after another of many: what it looks up is then further away.

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
/// Candidates that the goal is set for.
const CANDIDATES: usize = 40;
/// Bytes of a prompt.
const PROMPT_BYTES: usize = 2_048;
/// Providers that are switched on.
const ON: [&str; 3] = ["openai/", "anthropic/", "mistral/"];
const SEED: u64 = 20_261_121;

/// As a node knows its endpoints: which are switched on, and what no request changes, worked out before.
struct Node<'s>(&'s [bool], Option<&'s Shortlist>);

impl Conditions for Node<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.0.get(endpoint).copied().unwrap_or_default()
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
    auto: &'s [Target],
    on: Vec<bool>,
    shortlist: Shortlist,
}

impl<'s> Bench<'s> {
    fn new(snapshot: &'s Snapshot, abilities: &'s Abilities, auto: &'s [Target], on: Vec<bool>) -> Bench<'s> {
        let shortlist = Shortlist::of(snapshot, &Node(&on, None));
        Bench { snapshot, abilities, auto, on, shortlist }
    }

    /// The same with so many of its candidates, spread over all of them.
    fn with(&self, candidates: usize) -> Bench<'s> {
        let plan = self.plan(Work::Tools, 0.3, &Facts::default(), usize::MAX);
        let mut all: Vec<u32> = plan.steps.iter().map(|step| step.endpoint).collect();
        all.sort_unstable();
        let mut on = vec![false; self.on.len()];
        let chosen = (0..candidates).filter_map(|at| all.get(at * all.len() / candidates.max(1)));
        for endpoint in chosen {
            on[*endpoint as usize] = true;
        }
        Bench::new(self.snapshot, self.abilities, self.auto, on)
    }

    fn decide(&self, work: Work, dial: f64, facts: &Facts) -> Plan {
        self.plan(work, dial, facts, 6)
    }

    fn plan(&self, work: Work, dial: f64, facts: &Facts, attempts_max: usize) -> Plan {
        let guide = Guide { abilities: self.abilities, learned: None, work, dial: Some(dial), fast: false };
        plan(&Question {
            snapshot: self.snapshot,
            conditions: &Node(&self.on, Some(&self.shortlist)),
            targets: self.auto,
            retries: &[],
            facts,
            wishes: &Wishes { allow_fallbacks: true, ..Wishes::default() },
            sticky: None,
            guide: Some(&guide),
            seed: SEED,
            explore: 0.0,
            attempts_max,
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
    let auto = [names.resolve(&snapshot, "tollway/auto")?];
    let is_on = |endpoint: &catalog::Endpoint| ON.iter().any(|slug| endpoint.id.starts_with(slug));
    let all = Bench::new(&snapshot, &abilities, &auto, snapshot.endpoints.iter().map(is_on).collect());
    let some = all.with(CANDIDATES);
    let text =
        "The council met on Monday to discuss the bridge, its cost and the detour for the buses. ".repeat(23);
    let prompt = format!("Summarize the minutes below in three sentences.\n{text}");
    let facts = Facts { input_tokens: prompt.len() as u64 / 4, ..Facts::default() };
    println!("prompts of {} bytes, {DECISIONS} decisions, microseconds", prompt.len());
    let judge = |last: &str| {
        std::hint::black_box(classify::judge(&View { last, ..View::default() }));
    };
    let judged = row("classifier, one prompt", times(|| judge(&prompt)));
    let others = prompts()?;
    let mut other = others.iter().cycle();
    let name = format!("classifier, {} prompts in turn", others.len());
    let in_turn = row(&name, times(|| other.next().into_iter().for_each(|other| judge(other))));
    let work = Work::Mixture(classify::judge(&View { last: &prompt, ..View::default() }).shares);
    let mut met = true;
    for bench in [&some, &all] {
        let candidates = bench.decide(work, 0.3, &facts).funnel.last().map_or(0, |line| line.endpoint_count);
        let name = format!("decision, {candidates} candidates");
        let decided = row(&name, times(|| drop(bench.decide(work, 0.3, &facts))));
        for (kind, judged) in [("", judged), (", prompts in turn", in_turn)] {
            let whole = (judged.0 + decided.0, judged.1 + decided.1);
            row(&format!("  together{kind} (goals {} and {})", GOALS.0, GOALS.1), whole);
            met &= whole.0 <= GOALS.0 && whole.1 <= GOALS.1;
        }
    }
    let broken = violations(&all, pairs);
    println!("dial: {broken} of {pairs} random pairs (seed {SEED}) cost more at the higher dial (goal 0)");
    Ok(met && broken == 0)
}

/// Prints a median and a 99th percentile.
fn row(name: &str, times: (f64, f64)) -> (f64, f64) {
    println!("{name:46} p50 {:6.1}  p99 {:6.1}", times.0, times.1);
    times
}

/// Prompts of [`PROMPT_BYTES`] and a little more, made of those for training, one after another.
fn prompts() -> Result<Vec<String>> {
    let mut all = vec![String::new()];
    for (text, ..) in crate::train::messages()? {
        match all.last_mut().filter(|last| last.len() < PROMPT_BYTES) {
            Some(last) => last.extend([text.as_str(), "\n"]),
            None => all.push(text),
        }
    }
    all.retain(|prompt| prompt.len() >= PROMPT_BYTES);
    Ok(all)
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
