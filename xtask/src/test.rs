//! `cargo xtask test`: every check there is, one after the other, in one target folder and one profile. Nothing is skipped:
//! a part that can't run is a failure that says why.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::postgres::Postgres;
use crate::{docs, eval, fuzz, opinions, screens, sh, style, tools};

/// Usages priced in the test run; `xtask eval prices` prices twenty times as many.
const PRICES_SAMPLE: u32 = 500;
/// Operations on the books in the test run; `xtask eval ledger` makes fifty times as many.
const LEDGER_SAMPLE: u64 = 20_000;
/// Generations behind the dashboards in the test run; `xtask eval insight` makes ten million.
const INSIGHT_SAMPLE: u64 = 20_000;
/// Seconds per fuzz target; `xtask fuzz` runs longer.
const FUZZ_SECONDS: u32 = 5;

#[derive(clap::Args)]
pub struct Args {
    /// Also against llama.cpp's server, built once and kept
    #[arg(long)]
    with_llama: bool,
    /// Also with coding agents as clients: Claude Code and Codex, 800 MB, installed once
    #[arg(long)]
    with_agents: bool,
    /// Only these steps, by name
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
}

/// What a step found.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn of(all_is_well: bool) -> Tally {
        Tally { passed: u64::from(all_is_well), failed: u64::from(!all_is_well) }
    }
}

struct Run {
    with_llama: bool,
    with_agents: bool,
}

type Step = (&'static str, fn(&Run) -> Result<Tally>);

const STEPS: [Step; 20] = [
    ("tools", tools_step),
    ("fmt", |_| {
        sh::run(sh::cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
        status(sh::cargo().args(["fmt", "--all", "--check"]))
    }),
    ("style", |_| style::check().map(|(passed, failed)| Tally { passed, failed })),
    ("build", |_| status(sh::cargo().args(["build", "--workspace", "--all-targets", "--locked"]))),
    ("clippy", clippy_step),
    ("catalog", |_| {
        status(Command::new(tollway_bin()).args(["catalog", "check"]).arg(sh::root().join("catalog")))
    }),
    ("docs", |_| {
        let stale = docs::stale(&tollway_bin(), false)?;
        ensure!(stale.is_empty(), "stale: {}; run `cargo xtask docs`", stale.join(", "));
        Ok(Tally::of(true))
    }),
    ("unit", unit_step),
    ("threads", |_| {
        // Holds under a scheduler that decides which thread goes on: every interleaving of two, very many of more.
        let package = ["--package", "tollway-ledger", "--features", "shuttle", "--test", "interleavings"];
        status(sh::cargo().args(["test", "--locked"]).args(package))
    }),
    ("outside", outside_step),
    ("doctest", doctest_step),
    ("ledger", |_| eval::ledger::run(LEDGER_SAMPLE, eval::SEED).map(Tally::of)),
    ("insight", |_| eval::insight::sample(INSIGHT_SAMPLE).map(Tally::of)),
    ("api", |_| eval::api::sample().map(Tally::of)),
    ("prices", |_| eval::prices(PRICES_SAMPLE, eval::SEED).map(Tally::of)),
    ("screens", |_| screens::take(&screens::Programs::built(), true).map(Tally::of)),
    ("browser", |_| screens::browse(&screens::Programs::built()).map(Tally::of)),
    ("opinions", |_| opinions::run().map(Tally::of)),
    ("journeys", |_| screens::journeys(&screens::Programs::built()).map(Tally::of)),
    ("fuzz", |_| fuzz::all(FUZZ_SECONDS).map(|(passed, failed)| Tally { passed, failed })),
];

/// Runs the steps; true when nothing failed.
pub fn run(args: &Args) -> Result<bool> {
    for name in &args.only {
        let known: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        ensure!(known.contains(&name.as_str()), "no step {name}; there are: {}", known.join(", "));
    }
    let run = Run { with_llama: args.with_llama, with_agents: args.with_agents };
    let mut total = Tally::default();
    let mut report = Vec::new();
    for (name, step) in
        STEPS.iter().filter(|(name, _)| args.only.is_empty() || args.only.iter().any(|n| n == name))
    {
        println!("\n==> {name}");
        let start = Instant::now();
        let tally = step(&run).unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Tally { passed: 0, failed: 1 }
        });
        total.passed += tally.passed;
        total.failed += tally.failed;
        let line = format!(
            "{} {name:<8} {:>5} passed {:>3} failed {:>7.1} s",
            if tally.failed == 0 { "ok  " } else { "FAIL" },
            tally.passed,
            tally.failed,
            start.elapsed().as_secs_f32()
        );
        println!("{line}");
        report.push(line);
        sh::check_interrupted()?;
    }
    println!("\n{}\n\n{} passed, {} failed", report.join("\n"), total.passed, total.failed);
    Ok(total.failed == 0)
}

fn tollway_bin() -> PathBuf {
    sh::target_dir().join("debug/tollway")
}

fn status(command: &mut Command) -> Result<Tally> {
    sh::run(command).map(|()| Tally::of(true))
}

/// Installs what is missing, each by itself, so that one that can't be had does not hide another.
fn tools_step(_: &Run) -> Result<Tally> {
    type Tool = (&'static str, fn() -> Result<PathBuf>);
    const TOOLS: [Tool; 7] = [
        ("cargo-nextest", tools::nextest),
        ("Postgres", tools::postgres_bin),
        ("Python packages", tools::python),
        ("schemathesis", tools::schemathesis),
        ("Node packages", tools::node_dir),
        ("Chromium", tools::chromium),
        ("cargo-fuzz", tools::cargo_fuzz),
    ];
    let mut tally = Tally::default();
    for (name, tool) in TOOLS {
        match tool() {
            Ok(_) => tally.passed += 1,
            Err(error) => {
                println!("{name} can't be had: {error:#}");
                tally.failed += 1;
            }
        }
    }
    Ok(tally)
}

fn clippy_step(_: &Run) -> Result<Tally> {
    status(sh::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// All tests that cargo knows, integration and end-to-end included, on both databases.
fn unit_step(_: &Run) -> Result<Tally> {
    let postgres = Postgres::start()?;
    let mut nextest = Command::new(tools::nextest()?);
    sh::from_root(&mut nextest);
    nextest.args(["nextest", "run", "--workspace", "--locked", "--color", "never"]);
    nextest.arg("--config-file").arg(sh::root().join("xtask/nextest.toml"));
    nextest.env("TOLLWAY_TEST_POSTGRES_URL", postgres.url()).env("TOLLWAY_TEST_REQUIRE_POSTGRES", "1");
    nextest.env("TOLLWAY_BIN", tollway_bin());
    // A tool that can't be had fails the tests that need it, by name, and no others.
    if let (Ok(python), Ok(node)) = (tools::python(), tools::node_bin()) {
        nextest.env("TOLLWAY_E2E_PYTHON", python).env("PATH", tools::path_with(&[&node])?);
    }
    if let Ok(dir) = tools::node_dir() {
        nextest.env("TOLLWAY_E2E_NODE_DIR", dir);
    }
    let (status, lines) = sh::tee(&mut nextest)?;
    let tally = lines.iter().rev().find_map(|line| nextest_tally(line)).unwrap_or_default();
    Ok(at_least_one_failure_unless(status.success(), tally))
}

/// Tests against large programs, each on request. What is left out is said.
fn outside_step(run: &Run) -> Result<Tally> {
    let mut nextest = Command::new(tools::nextest()?);
    sh::from_root(&mut nextest);
    nextest.args([
        "nextest",
        "run",
        "--locked",
        "--package",
        "e2e",
        "--features",
        "outside",
        "--test",
        "outside",
    ]);
    nextest.args(["--color", "never"]).env("TOLLWAY_BIN", tollway_bin());
    let mut wanted = Vec::new();
    match run.with_llama {
        true => wanted.push("llama::"),
        false => println!("left out: llama.cpp's server; --with-llama runs it"),
    }
    match run.with_agents {
        true => wanted.push("agents::"),
        false => println!("left out: Claude Code and Codex as clients; --with-agents runs them"),
    }
    if wanted.is_empty() {
        return Ok(Tally::default());
    }
    if run.with_llama {
        nextest.env("TOLLWAY_E2E_LLAMA", llama()?);
    }
    if run.with_agents {
        nextest.env("TOLLWAY_E2E_AGENTS", tools::agents()?);
    }
    let (status, lines) = sh::tee(nextest.args(&wanted))?;
    let passed = lines.iter().rev().find_map(|line| nextest_tally(line)).map_or(0, |tally| tally.passed);
    Ok(at_least_one_failure_unless(status.success(), Tally { passed, failed: 0 }))
}

/// Builds llama.cpp's server and a tiny model once.
fn llama() -> Result<PathBuf> {
    let dir = tools::cache_dir()?.join("llama");
    let mut build = Command::new("bash");
    build
        .current_dir(sh::root())
        .arg("e2e/llama/build.sh")
        .arg(&dir)
        .env("TOLLWAY_E2E_PYTHON", tools::python()?);
    sh::run(&mut build)?;
    Ok(dir)
}

fn doctest_step(_: &Run) -> Result<Tally> {
    let (status, lines) =
        sh::tee(sh::cargo().args(["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]))?;
    let tallies = lines.iter().filter_map(|line| line.strip_prefix("test result: "));
    let tally = tallies.fold(Tally::default(), |sum, line| Tally {
        passed: sum.passed + count_before(line, "passed"),
        failed: sum.failed + count_before(line, "failed"),
    });
    Ok(at_least_one_failure_unless(status.success(), tally))
}

/// A run that broke before it could count is a failure all the same.
fn at_least_one_failure_unless(is_success: bool, tally: Tally) -> Tally {
    Tally { failed: if is_success { tally.failed } else { tally.failed.max(1) }, ..tally }
}

/// Reads nextest's last line: `Summary [ 1.2s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
/// A test that was left out counts as failed.
fn nextest_tally(line: &str) -> Option<Tally> {
    let counts = line.trim().strip_prefix("Summary [")?;
    let failed =
        ["failed", "timed out", "exec failed", "skipped"].map(|word| count_before(counts, word)).iter().sum();
    Some(Tally { passed: count_before(counts, "passed"), failed })
}

/// The number right before the word, 0 when it is not there.
fn count_before(line: &str, word: &str) -> u64 {
    let parts = line.split([',', ':', ';', '.', '(', ')']).map(str::trim);
    let number = |part: &str| part.strip_suffix(word)?.trim().parse::<u64>().ok();
    parts.filter_map(number).next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Tally, at_least_one_failure_unless, count_before, nextest_tally};

    #[test]
    fn summaries_are_read() {
        let rows = [
            ("     Summary [   1.234s] 12 tests run: 12 passed, 0 skipped", 12, 0),
            (
                "     Summary [   1.234s] 12 tests run: 10 passed (1 slow, 1 flaky), 1 failed, 1 timed out, 3 skipped",
                10,
                5,
            ),
            ("     Summary [   1.234s] 3/12 tests run: 2 passed, 1 exec failed, 0 skipped", 2, 1),
        ];
        for (line, passed, failed) in rows {
            assert_eq!(nextest_tally(line), Some(Tally { passed, failed }), "{line}");
        }
        assert_eq!(nextest_tally("        PASS [   0.1s] a test that passed"), None);
        let doc = "ok. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!((count_before(doc, "passed"), count_before(doc, "failed")), (3, 1));
    }

    #[test]
    fn a_broken_run_is_a_failure() {
        let none = Tally::default();
        assert_eq!(at_least_one_failure_unless(false, none).failed, 1);
        assert_eq!(at_least_one_failure_unless(false, Tally { passed: 1, failed: 2 }).failed, 2);
        assert_eq!(at_least_one_failure_unless(true, none).failed, 0);
    }
}
