//! What is charged when callers leave, and who is admitted to the last money. Both run the real binary; the runs themselves are in `e2e`.

use anyhow::Result;
use e2e::databases::Schema;
use e2e::{admission, disconnects};
use tokio::runtime::{Builder, Runtime};

use crate::postgres::Postgres;
use crate::sh;

fn ready() -> Result<Runtime> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway"]))?;
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// True when every call was charged as its rule says, to the nano-dollar.
pub(super) fn disconnects(count: usize) -> Result<bool> {
    let outcome = ready()?.block_on(disconnects::run(count, |cell| println!("{cell}")));
    println!("{} calls in {} cells, {} problems", outcome.trials, outcome.cells, outcome.problems.len());
    outcome.problems.iter().for_each(|problem| println!("{problem}"));
    Ok(outcome.problems.is_empty())
}

/// True when in every round exactly those were admitted whom the money was for.
pub(super) fn admission(rounds: usize, on: Option<&str>) -> Result<bool> {
    let runtime = ready()?;
    let postgres = Postgres::start()?;
    let progress = |round: usize| {
        if round.is_multiple_of(50) {
            println!("{round} rounds");
        }
    };
    let mut is_good = true;
    let wanted = |name: &str| on.is_none_or(|only| name.eq_ignore_ascii_case(only));
    let databases = [("SQLite", None), ("Postgres", Some(postgres.url()))];
    for (name, server) in databases.into_iter().filter(|(name, _)| wanted(name)) {
        let report = runtime.block_on(async {
            let schema = match &server {
                Some(url) => Some(Schema::on(url, "admission").await),
                None => None,
            };
            admission::run(rounds, schema.as_ref().map(|schema| schema.url.as_str()), progress).await
        });
        println!("{name}: {report:#?}");
        is_good &= report.problems.is_empty();
    }
    Ok(is_good)
}
