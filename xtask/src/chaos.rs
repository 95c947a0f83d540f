//! The crash loop at full count. The loop itself is in `e2e`, whose test run takes a sample of it.

use anyhow::Result;
use e2e::chaos::Options;

use crate::sh;

#[derive(clap::Args)]
pub struct Args {
    /// How often the process is killed
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Where the variation starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// True when every answer that a client received whole was booked exactly once.
pub fn run(args: &Args) -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    let options = Options { kills: args.count, seed: args.seed, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let progress = |kill: usize| {
        if kill.is_multiple_of(10) {
            println!("killed {kill} times");
        }
    };
    let report = runtime.block_on(e2e::chaos::run(options, progress));
    println!("{report:#?}");
    Ok(report.problems.is_empty())
}
