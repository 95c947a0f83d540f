//! The crash loops at full count: kills at any moment, and (`--points`) deaths at each named point, on both databases, plain and
//! streamed. The loops themselves are in `e2e`, whose test run takes a sample of them.

use anyhow::Result;
use e2e::chaos::Options;
use e2e::databases::Schema;
use e2e::{points, top_ups};

use crate::postgres::Postgres;
use crate::sh;

#[derive(clap::Args)]
pub struct Args {
    /// How often the process is killed; with --points, at each point, of each kind, on each database
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// At each named point instead of at any moment
    #[arg(long)]
    points: bool,
    /// With --points: on one of the two databases only
    #[arg(long, value_parser = ["sqlite", "postgres"])]
    on: Option<String>,
    /// Where the variation starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// True when every answer that a client received whole was booked exactly once.
pub fn run(args: &Args) -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    if args.points {
        return run_points(args);
    }
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

/// True when at no point a charge was lost or doubled.
fn run_points(args: &Args) -> Result<bool> {
    let postgres = Postgres::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let options = points::Options { count: args.count, seed: args.seed };
    let mut is_good = true;
    let wanted = |name: &str| args.on.as_ref().is_none_or(|only| name.eq_ignore_ascii_case(only));
    let databases = [("SQLite", None), ("Postgres", Some(postgres.url()))];
    for (database, server) in databases.into_iter().filter(|(name, _)| wanted(name)) {
        for (kind, streamed) in [("plain", false), ("stream", true)] {
            let progress = |point: &str, number: usize| {
                if number == args.count {
                    println!("{database}, {kind}: died {number} times at {point}");
                }
            };
            let report = runtime.block_on(async {
                let schema = match &server {
                    Some(url) => Some(Schema::on(url, &format!("points_{kind}")).await),
                    None => None,
                };
                let url = schema.as_ref().map(|schema| schema.url.as_str());
                points::run(options, streamed, url, progress).await
            });
            println!("{database}, {kind}: {report:#?}");
            is_good &= report.problems.is_empty();
        }
        let progress = |point: &str, number: usize| {
            if number == args.count {
                println!("{database}, payments: died {number} times at {point}");
            }
        };
        let report = runtime.block_on(async {
            let schema = match &server {
                Some(url) => Some(Schema::on(url, "points_payments").await),
                None => None,
            };
            top_ups::run(options, schema.as_ref().map(|schema| schema.url.as_str()), progress).await
        });
        println!("{database}, payments: {report:#?}");
        is_good &= report.problems.is_empty();
    }
    Ok(is_good)
}
