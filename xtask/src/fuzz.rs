//! Fuzzing on the stable toolchain: libFuzzer needs no sanitizer to find panics and overflows.

use std::process::Command;

use anyhow::{Context, Result, ensure};

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

/// Runs every target for so long; how many were clean, and how many were not.
pub fn all(seconds: u32) -> Result<(u64, u64)> {
    let (mut passed, mut failed) = (0, 0);
    for target in targets()? {
        if fuzz(&target, seconds)? {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    Ok((passed, failed))
}

fn targets() -> Result<Vec<String>> {
    let list = sh::capture(cargo_fuzz()?.arg("list"))?;
    let targets: Vec<String> = list.lines().map(str::to_owned).collect();
    ensure!(!targets.is_empty(), "fuzz/ has no target");
    Ok(targets)
}

fn fuzz(target: &str, seconds: u32) -> Result<bool> {
    println!("--> {target}, {seconds} s");
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
    let (status, _) = sh::tee(&mut command)?;
    Ok(status.success())
}

fn cargo_fuzz() -> Result<Command> {
    let mut command = Command::new(tools::cargo_fuzz()?);
    // cargo-fuzz is a cargo subcommand and expects its name; its coverage flags are unstable ones.
    sh::from_root(&mut command);
    command.arg("fuzz").env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}
