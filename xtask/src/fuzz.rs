//! Fuzzing on the stable toolchain: libFuzzer needs no sanitizer to find panics and overflows.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::{sh, tools};

#[derive(clap::Args)]
pub struct Args {
    /// Per target
    #[arg(long, default_value_t = 300)]
    seconds: u32,
    /// Only these; default: all
    targets: Vec<String>,
}

/// True when no target found anything.
pub fn run(args: &Args) -> Result<bool> {
    let known = targets()?;
    for name in &args.targets {
        ensure!(known.contains(name), "no target {name}; there are: {}", known.join(", "));
    }
    let chosen = if args.targets.is_empty() { &known } else { &args.targets };
    let mut is_clean = true;
    for target in chosen {
        is_clean &= fuzz(target, args.seconds)?;
    }
    Ok(is_clean)
}

/// Targets that run at once.
const AT_ONCE: usize = 2;

/// Runs every target for so long; how many were clean, and how many were not. What a clean one said is left out.
pub fn all(seconds: u32) -> Result<(u64, u64)> {
    sh::run(cargo_fuzz()?.args(["build", "--sanitizer", "none"]))?;
    let targets = targets()?;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut clean = Vec::new();
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            clean.push(quietly(target, seconds)?);
        }
        Ok(clean)
    };
    let runs: Vec<Result<Vec<bool>>> = thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|run| run.join().unwrap_or_else(|_| bail!("a run broke off"))).collect()
    });
    let clean: Vec<bool> = runs.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let passed = clean.iter().filter(|is_clean| **is_clean).count();
    Ok((u64::try_from(passed)?, u64::try_from(targets.len() - passed)?))
}

fn quietly(target: &str, seconds: u32) -> Result<bool> {
    let output = command(target, seconds)?.stdin(Stdio::null()).output().context("starting cargo-fuzz")?;
    let is_clean = output.status.success();
    println!("--> {target}, {seconds} s: {}", if is_clean { "clean" } else { "FOUND SOMETHING" });
    if !is_clean {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(is_clean)
}

fn targets() -> Result<Vec<String>> {
    let list = sh::capture(cargo_fuzz()?.arg("list"))?;
    let targets: Vec<String> = list.lines().map(str::to_owned).collect();
    ensure!(!targets.is_empty(), "fuzz/ has no target");
    Ok(targets)
}

fn fuzz(target: &str, seconds: u32) -> Result<bool> {
    println!("--> {target}, {seconds} s");
    let (status, _) = sh::tee(&mut command(target, seconds)?)?;
    Ok(status.success())
}

fn command(target: &str, seconds: u32) -> Result<Command> {
    let corpus = sh::root().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&corpus).context("making the corpus folder")?;
    let mut command = cargo_fuzz()?;
    command.args(["run", "--sanitizer", "none", target]).arg(&corpus);
    // What people wrote by hand is a starting point, and is only read.
    let seeds = sh::root().join("fuzz/seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let limit = format!("-max_total_time={seconds}");
    command.args([
        "--",
        &limit,
        "-rss_limit_mb=2048",
        "-timeout=5",
        "-max_len=65536",
        "-print_final_stats=0",
        "-verbosity=0",
    ]);
    Ok(command)
}

fn cargo_fuzz() -> Result<Command> {
    let mut command = Command::new(tools::cargo_fuzz()?);
    // cargo-fuzz is a cargo subcommand and expects its name; its coverage flags are unstable ones.
    sh::from_root(&mut command);
    command.arg("fuzz").env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}
