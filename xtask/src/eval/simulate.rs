//! Promises of the router that only time can show, on a virtual clock: hedging under heavy tails and in a brown-out, a provider
//! that becomes slow or fails, one that nobody has seen, one that recovers. The same seed gives the same figures everywhere.

mod engine;
mod misled;
mod world;

pub use world::normal;

use anyhow::Result;
use routing::wishes::Sort;

use engine::{Outcome, Traffic};
use misled::Rewards;
use world::{MODEL, Mood, Offer, Weather, World};

/// When something changes, seconds after the start; before that nothing counts.
const CHANGE: f64 = 600.0;
/// A provider whose times are told apart by their median only.
const PLAIN: Offer =
    Offer { slug: "a", price: ("1", "4"), median_ms: 400.0, sigma: 0.45, tail: (0.03, 1_500.0, 1.3) };

/// One promise and what came of it.
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Told, not promised.
    None,
}

impl Row {
    fn new(what: impl Into<String>, value: f64, unit: &'static str, goal: Goal) -> Row {
        Row { what: what.into(), value, unit, goal }
    }

    fn is_met(&self) -> bool {
        match self.goal {
            Goal::AtLeast(least) => self.value >= least,
            Goal::AtMost(most) => self.value <= most,
            Goal::None => true,
        }
    }

    fn print(&self) {
        let met = if self.is_met() { "met" } else { "MISSED" };
        let goal = match self.goal {
            Goal::AtLeast(least) => format!("goal >= {least} {}: {met}", self.unit),
            Goal::AtMost(most) => format!("goal <= {most} {}: {met}", self.unit),
            Goal::None => String::new(),
        };
        println!("{:<74} {:>9.2} {:<6} {goal}", self.what, self.value, self.unit);
    }
}

/// Prints every promise; true when all are met.
pub fn run(seed: u64) -> Result<bool> {
    let mut rows = tails(seed)?;
    rows.extend(brown_out(seed)?);
    rows.extend(swaps(seed)?);
    rows.extend(newcomer(seed)?);
    rows.extend(recovery(seed)?);
    rows.extend(misled_rows(seed)?);
    println!("seed {seed}, virtual time");
    rows.iter().for_each(Row::print);
    Ok(rows.iter().all(Row::is_met))
}

/// What is learned from rewards that say nothing, the contrary, and the truth.
fn misled_rows(seed: u64) -> Result<Vec<Row>> {
    let cases = [
        ("10 thrown coins", Rewards::Noise, 10),
        ("50 thrown coins", Rewards::Noise, 50),
        ("5 contrary rewards", Rewards::Contrary, 5),
        ("1000 honest rewards", Rewards::Honest, 1_000),
    ];
    let mut rows = Vec::new();
    for (said, rewards, count) in cases {
        let beyond = misled::measure(seed, rewards, count)?;
        let what = format!("{said} a model and kind: quality beyond the zero router");
        rows.push(Row::new(format!("{what}, ungated"), 100.0 * beyond.trusting, "points", Goal::None));
        rows.push(Row::new(what, 100.0 * beyond.ours, "points", Goal::AtLeast(0.0)));
        if rewards == Rewards::Honest {
            let what = format!("{said} a model and kind: utility beyond the prior's");
            rows.push(Row::new(what, 100.0 * beyond.utility, "points", Goal::AtLeast(0.0)));
        }
    }
    Ok(rows)
}

/// Four independent providers at about the same price.
fn four() -> [Offer; 4] {
    [
        PLAIN,
        Offer { slug: "b", price: ("1.05", "4.2"), median_ms: 450.0, ..PLAIN },
        Offer { slug: "c", price: ("1.1", "4.4"), median_ms: 380.0, ..PLAIN },
        Offer { slug: "d", price: ("1.15", "4.6"), median_ms: 500.0, ..PLAIN },
    ]
}

fn simulate(offers: &[Offer], weather: Weather, traffic: &Traffic) -> Result<Outcome> {
    engine::run(&mut World::new(offers, weather)?, traffic)
}

fn traffic(seed: u64, per_second: f64, seconds: f64) -> Traffic {
    Traffic { seed, per_second, seconds, asked: MODEL, sort: None, hedging: false }
}

/// Milliseconds that so many of a hundred don't exceed, of the calls after [`CHANGE`].
fn percentile(outcome: &Outcome, percent: f64) -> f64 {
    let late = outcome.calls.iter().filter(|call| call.at >= CHANGE);
    let mut times: Vec<i64> = late.filter_map(|call| call.ttft_us).collect();
    times.sort_unstable();
    let at = (times.len() as f64 * percent / 100.0) as usize;
    times.get(at).map_or(f64::NAN, |us| *us as f64 / 1_000.0)
}

fn tails(seed: u64) -> Result<Vec<Row>> {
    let long = four().map(|offer| Offer { price: (offer.price.0, "0.5"), ..offer });
    let cases = [
        ("drawn by price", four(), None),
        ("sort latency", four(), Some(Sort::Latency)),
        ("mostly prompt", long, None),
    ];
    let mut rows = Vec::new();
    for (what, offers, sort) in cases {
        let calm = || -> Weather { Box::new(|_, _| Mood::Well) };
        let alone = Traffic { sort, ..traffic(seed, 20.0, 2_400.0) };
        let plain = simulate(&offers, calm(), &alone)?;
        let hedged = simulate(&offers, calm(), &Traffic { hedging: true, ..alone })?;
        for percent in [50.0, 99.0, 99.9] {
            let (before, after) = (percentile(&plain, percent), percentile(&hedged, percent));
            let goal = if percent == 99.0 { Goal::AtLeast(40.0) } else { Goal::None };
            let what =
                format!("hedging, {what}: first token p{percent} {before:.0} -> {after:.0} ms, less by");
            rows.push(Row::new(what, 100.0 * (1.0 - after / before), "%", goal));
        }
        let share = |part: f64, whole: f64| 100.0 * part / whole;
        let counts = hedged.counts;
        let requests = share(counts.fired as f64, counts.asked as f64);
        let spend = share(counts.wasted.nanos() as f64, hedged.paid.nanos() as f64);
        let won = share(counts.won as f64, counts.fired as f64);
        rows.push(Row::new("  extra requests", requests, "%", Goal::AtMost(5.0)));
        rows.push(Row::new("  extra spend", spend, "%", Goal::AtMost(2.0)));
        rows.push(Row::new("  hedges that won", won, "%", Goal::None));
    }
    Ok(rows)
}

/// All providers are slow for two minutes.
fn brown_out(seed: u64) -> Result<Vec<Row>> {
    let end = CHANGE + 120.0;
    let slow = move |_: &str, at: f64| {
        if (CHANGE..end).contains(&at) { Mood::Slow(6.0) } else { Mood::Well }
    };
    let hedging = Traffic { hedging: true, ..traffic(seed, 20.0, 1_800.0) };
    let outcome = simulate(&four(), Box::new(slow), &hedging)?;
    let fired = |from: f64, to: f64| outcome.fired.iter().filter(|at| (from..to).contains(*at)).count();
    let last = outcome.fired.iter().rfind(|at| (CHANGE..end).contains(*at));
    Ok(vec![
        Row::new(
            "brown-out: hedges per second, before",
            fired(300.0, CHANGE) as f64 / 300.0,
            "1/s",
            Goal::None,
        ),
        Row::new(
            "  the last hedge fired so long after it began",
            last.map_or(0.0, |at| at - CHANGE),
            "s",
            Goal::AtMost(10.0),
        ),
        Row::new(
            "  hedges from the 10th second to its end",
            fired(CHANGE + 10.0, end) as f64,
            "",
            Goal::AtMost(0.0),
        ),
        Row::new(
            "  hedges per second, 5 to 15 minutes after it",
            fired(end + 300.0, end + 900.0) as f64 / 600.0,
            "1/s",
            Goal::AtLeast(0.2),
        ),
    ])
}

/// The share of calls in these seconds whose first attempt went to this offer, in percent.
fn share(outcome: &Outcome, offer: usize, from: f64, to: f64) -> f64 {
    let within: Vec<_> = outcome.calls.iter().filter(|call| (from..to).contains(&call.at)).collect();
    let there = within.iter().filter(|call| call.first == Some(offer)).count();
    100.0 * there as f64 / within.len().max(1) as f64
}

/// Seconds after `from` from which on, for ten seconds, at least `percent` of calls go to this offer.
fn reached(outcome: &Outcome, offer: usize, from: f64, percent: f64) -> f64 {
    let after = (0..600).map(f64::from);
    let mut after = after.filter(|s| share(outcome, offer, from + s, from + s + 10.0) >= percent);
    after.next().unwrap_or(f64::INFINITY)
}

/// Two providers of the model: `a` is quick and `b` is not, until `a` is worse; and back.
fn swaps(seed: u64) -> Result<Vec<Row>> {
    let offers = [PLAIN, Offer { slug: "b", price: ("1.1", "4.4"), median_ms: 900.0, ..PLAIN }];
    let back = CHANGE + 600.0;
    let mut rows = Vec::new();
    let cases = [
        ("sort latency", MODEL, Some(Sort::Latency), Mood::Slow(8.0)),
        ("tollway/fast", "tollway/fast", None, Mood::Slow(8.0)),
        ("default choice", MODEL, None, Mood::Failing),
    ];
    for (what, asked, sort, mood) in cases {
        let weather = move |slug: &str, at: f64| {
            if slug == "a" && (CHANGE..back).contains(&at) { mood } else { Mood::Well }
        };
        let asking = Traffic { asked, sort, ..traffic(seed, 5.0, 2_400.0) };
        let outcome = simulate(&offers, Box::new(weather), &asking)?;
        let became = if mood == Mood::Failing { "fails" } else { "becomes slow" };
        let before = share(&outcome, 0, CHANGE - 300.0, CHANGE);
        rows.push(Row::new(
            format!("{what}: share of {before:.0} % at `a`, which {became}; moved within a minute"),
            share(&outcome, 1, CHANGE + 60.0, CHANGE + 120.0),
            "%",
            Goal::AtLeast(95.0),
        ));
        let moved = reached(&outcome, 1, CHANGE, 95.0);
        rows.push(Row::new("  95 % moved after", moved, "s", Goal::AtMost(60.0)));
        let stayed = share(&outcome, 1, CHANGE + 60.0, back);
        rows.push(Row::new("  moved until it is over, ten minutes later", stayed, "%", Goal::AtLeast(95.0)));
        let home = reached(&outcome, 0, back, 0.8 * before);
        rows.push(Row::new("  at `a` again, once it is well, after", home, "s", Goal::None));
        let unanswered = outcome.calls.iter().filter(|call| call.served.is_none()).count();
        rows.push(Row::new("  calls that nobody answered", unanswered as f64, "", Goal::AtMost(0.0)));
    }
    Ok(rows)
}

/// A third provider, the quickest, is switched on later.
fn newcomer(seed: u64) -> Result<Vec<Row>> {
    let offers = [
        PLAIN,
        Offer { slug: "b", median_ms: 900.0, ..PLAIN },
        Offer { slug: "c", price: ("1.2", "4.8"), median_ms: 150.0, ..PLAIN },
    ];
    let mut rows = Vec::new();
    let cases = [
        ("default choice", MODEL, None),
        ("sort latency", MODEL, Some(Sort::Latency)),
        ("tollway/fast", "tollway/fast", None),
    ];
    for (what, asked, sort) in cases {
        let weather = |slug: &str, at: f64| if slug == "c" && at < CHANGE { Mood::Off } else { Mood::Well };
        let asking = Traffic { asked, sort, ..traffic(seed, 5.0, 1_200.0) };
        let outcome = simulate(&offers, Box::new(weather), &asking)?;
        let tried = outcome.calls.iter().find(|call| call.first == Some(2));
        let after = tried.map_or(f64::INFINITY, |call| call.at - CHANGE);
        rows.push(Row::new(
            format!("{what}: an endpoint never seen before is tried after"),
            after,
            "s",
            Goal::AtMost(60.0),
        ));
        if asked != MODEL || sort.is_some() {
            let found = reached(&outcome, 2, CHANGE, 90.0);
            rows.push(Row::new("  the quickest of all, it has 90 % after", found, "s", Goal::AtMost(120.0)));
        }
    }
    Ok(rows)
}

/// A provider that fails for a minute, beside another and alone.
fn recovery(seed: u64) -> Result<Vec<Row>> {
    let offers = [PLAIN, Offer { slug: "b", price: ("1.1", "4.4"), ..PLAIN }];
    let mut rows = Vec::new();
    for (what, count, minutes) in [("beside another", 2, 1.0), ("alone", 1, 1.0), ("alone", 1, 10.0)] {
        let end = CHANGE + 60.0 * minutes;
        let weather = move |slug: &str, at: f64| {
            if slug == "a" && (CHANGE..end).contains(&at) { Mood::Failing } else { Mood::Well }
        };
        let outcome = simulate(&offers[..count], Box::new(weather), &traffic(seed, 5.0, end + 600.0))?;
        let first = outcome.calls.iter().find(|call| call.at >= end && call.served == Some(0));
        let after = first.map_or(f64::INFINITY, |call| call.at - end);
        let goal = if minutes > 1.0 { Goal::AtMost(300.0) } else { Goal::AtMost(60.0) };
        let what = format!("breaker, {what}: after {minutes} min of failures it answers again after");
        rows.push(Row::new(what, after, "s", goal));
        if count > 1 {
            let before = share(&outcome, 0, 300.0, CHANGE);
            let back = reached(&outcome, 0, end, 0.8 * before);
            rows.push(Row::new("  it has its share of calls again after", back, "s", Goal::AtMost(60.0)));
        }
    }
    Ok(rows)
}
