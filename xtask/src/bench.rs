//! `cargo xtask bench`: what Tollway adds, beside a direct connection and plain nginx in the same run.
//!
//! The proxy under test has core 0 for itself; the provider and the client share core 1. All proxies are up the whole
//! time, and rounds go round-robin over them, so that what the machine does meanwhile hits all alike. Each figure is
//! the median of its rounds. Tollway does its whole work: key, limits, prepaid hold, metering, journal. Its CPU time counts
//! until everything is booked, which it does after calls where both want the core. `--pages` measures the site instead, `--console` the
//! console.

mod console;
mod line;
pub mod load;
mod pages;
mod process;
mod report;
mod section;
pub mod servers;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::sh;
use load::{Outcome, Shape};
use report::Figures;
use servers::{Setup, Target};

#[derive(clap::Args)]
pub struct Args {
    /// Writes all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Short runs: to see that it works, not to quote
    #[arg(long)]
    quick: bool,
    /// Writes docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Fails when a goal is missed
    #[arg(long)]
    check: bool,
    /// Measures the pages of the site instead
    #[arg(long, group = "site")]
    pages: bool,
    /// Measures the pages of the console instead, in a folder that `eval insight --dir` has filled
    #[arg(long, group = "site", requires = "dir")]
    console: bool,
    /// That folder; what is in it stays, and a server's own files are added
    #[arg(long, requires = "console")]
    dir: Option<PathBuf>,
    /// With the debug build, only of pages: to see that it works, not to quote
    #[arg(long, requires = "site", conflicts_with = "write")]
    debug: bool,
}

/// How much is measured.
struct Effort {
    rounds: usize,
    latency_requests: u64,
    throughput_ms: u64,
    streams: u64,
    starts: usize,
}

const FULL: Effort =
    Effort { rounds: 3, latency_requests: 5_000, throughput_ms: 2_500, streams: 500, starts: 5 };
const QUICK: Effort = Effort { rounds: 1, latency_requests: 500, throughput_ms: 500, streams: 50, starts: 1 };

/// Concurrencies of the throughput runs.
pub const CONCURRENCIES: [usize; 4] = [1, 8, 32, 128];

/// Measures, prints the table; false when `--check` was asked for and a goal is missed.
pub fn run(args: &Args) -> Result<bool> {
    ensure!(std::thread::available_parallelism()?.get() >= 2, "the measurement needs two cores");
    if args.pages {
        return pages::run(args);
    }
    if args.console {
        return console::run(args);
    }
    let effort = if args.quick { QUICK } else { FULL };
    let mut build = sh::cargo();
    build.args(["build", "--release", "--locked", "--bins"]);
    sh::run(build.args(["--package", "tollway", "--package", "tollway-testkit", "--package", "xtask"]))?;
    let mut setup = Setup::start(effort.starts)?;
    let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); Target::ALL.len()];
    for target in Target::ALL {
        measure(&setup, target, &Effort { latency_requests: 300, throughput_ms: 200, streams: 10, ..QUICK })?;
    }
    let mut governed = Vec::new();
    for round in 1..=effort.rounds {
        for (at, target) in Target::ALL.into_iter().enumerate() {
            println!("round {round} of {}: {}", effort.rounds, target.name());
            rounds[at].push(measure(&setup, target, &effort)?);
        }
        governed.push(governance(&setup, &effort)?);
    }
    setup.measure_loaded();
    let report = report::Report::new(&rounds, &governed, &setup.facts);
    println!("\n{}", report.table());
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    if args.write {
        let page = sh::root().join("docs/benchmarks.md");
        let old = fs::read_to_string(&page).unwrap_or_default();
        let rest = section::kept(&old);
        let between = if rest.is_empty() { "" } else { "\n" };
        fs::write(&page, format!("{}{between}{rest}", report.page()))?;
    }
    Ok(!args.check || report.goals_met())
}

/// Requests per second at 32 connections with the plain key and with the one under budgets, in turns.
fn governance(setup: &Setup, effort: &Effort) -> Result<(f64, f64)> {
    let rate = |key: &str| {
        let (outcome, _) =
            load_with(setup, Target::Tollway, Shape::Plain, (key, 32), None, effort.throughput_ms)?;
        anyhow::Ok(outcome.requests as f64 / outcome.seconds)
    };
    Ok((rate(&setup.key)?, rate(&setup.governed_key)?))
}

/// One round of everything against one target.
fn measure(setup: &Setup, target: Target, effort: &Effort) -> Result<Figures> {
    let (one, _) = load(setup, target, Shape::Plain, 1, Some(effort.latency_requests), 0)?;
    let mut figures = Figures { p50_us: one.p50_us, p99_us: one.p99_us, ..Figures::default() };
    for (at, connections) in CONCURRENCIES.into_iter().enumerate() {
        let (outcome, cpu) = load(setup, target, Shape::Plain, connections, None, effort.throughput_ms)?;
        figures.requests_per_s[at] = outcome.requests as f64 / outcome.seconds;
        match connections {
            1 => figures.cpu_us_one = cpu,
            32 => figures.cpu_us = cpu,
            _ => {}
        }
    }
    let (streams, _) = load(setup, target, Shape::Stream, 1, Some(effort.streams), 0)?;
    figures.first_byte_us = streams.first_byte_p50_us;
    (_, figures.stream_cpu_us) = load(setup, target, Shape::Stream, 8, None, effort.throughput_ms)?;
    let (large, cpu) = load(setup, target, Shape::Large, 8, None, effort.throughput_ms)?;
    figures.large_cpu_us = cpu;
    figures.large_requests_per_s = large.requests as f64 / large.seconds;
    Ok(figures)
}

/// One run of the load generator on core 1, and the CPU time per request of the target meanwhile, microseconds.
fn load(
    setup: &Setup,
    target: Target,
    shape: Shape,
    connections: usize,
    count: Option<u64>,
    duration_ms: u64,
) -> Result<(Outcome, f64)> {
    load_with(setup, target, shape, (&setup.key, connections), count, duration_ms)
}

fn load_with(
    setup: &Setup,
    target: Target,
    shape: Shape,
    (key, connections): (&str, usize),
    count: Option<u64>,
    duration_ms: u64,
) -> Result<(Outcome, f64)> {
    let mut command = Command::new("taskset");
    command.args(["-c", "1"]).arg(setup.release.join("xtask")).arg("load");
    command.args(["--port", &setup.port(target, shape).to_string(), "--key", key, "--shape", shape.name()]);
    command.args(["--connections", &connections.to_string(), "--duration-ms", &duration_ms.to_string()]);
    if let Some(count) = count {
        command.args(["--count", &count.to_string()]);
    }
    let before = setup.cpu_us(target);
    let text = sh::capture(&mut command)
        .with_context(|| format!("{} {} c={connections}", target.name(), shape.name()))?;
    setup.settle();
    let used = setup.cpu_us(target) - before;
    let outcome: Outcome = serde_json::from_str(&text).context("reading what the load generator said")?;
    let per_request = used as f64 / (outcome.requests.max(1) as f64);
    Ok((outcome, per_request))
}
