//! `tollway replay`: what recorded requests would have met under another policy or model.

mod again;
mod report;
mod tally;

use std::io::Write;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gateway::world::World;
use ledger::GenerationRecord;
use routing::policy::{Link, Policy, Route, StickyBy, Strategy};
use store::Store;
use types::{GenerationId, SystemClock, Timestamp};

use self::again::Other;
use self::report::Told;
use self::tally::Tally;
use super::args::Replay;
use super::{Context, Failure, keys, load};
use crate::config::Config;
use crate::jobs::vitals;
use crate::wire_up;

/// Pages between two lines about the progress.
const PAGES_PER_LINE: usize = 20;

pub(super) async fn replay(context: &mut Context<'_>, args: &Replay) -> Result<(), Failure> {
    let (policy, under) = policy(args)?;
    let loaded = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
    let (config, catalog) = (loaded.config, loaded.catalog);
    let settings = wire_up::settings(&config)?;
    let world = wire_up::world(&config, catalog, context.env, None, &settings, Arc::new(SystemClock))?;
    restore(&world, &config);
    let mut other = Other::new(&world, &settings, policy, args.dial)?;
    let since = args.since.instant_before(context.clock.now());
    let (_, store) = keys::open(context).await?;
    let rows = store.list_keys(None).await.map_err(|e| keys::failed(&e))?;
    other.key_names = rows.into_iter().map(|row| (row.key.id.to_string(), row.key.name)).collect();
    let mut tally = Tally::new(&other);
    read(&store, since, |record| tally.take(record)).await?;
    store.close().await;
    let told = Told::of(tally, under, since);
    context.out.answer(&told.human(), &told.json())
}

/// The policy of the file, or one that asks for one model; and how answers call it.
fn policy(args: &Replay) -> Result<(Policy, String), Failure> {
    if let Some(path) = &args.policy {
        let bad = |what: String| Failure::BadInput(format!("--policy {}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| bad(format!("can't be read: {error}")))?;
        let policy = Policy::read(&text).map_err(|error| bad(error.to_string()))?;
        return Ok((policy, path.display().to_string()));
    }
    let model = args.model.clone().unwrap_or_default();
    if model.starts_with("policy/") {
        let why =
            format!("--model {model} is a policy; write its JSON into a file and name that with --policy");
        return Err(Failure::BadInput(why));
    }
    let route = Route {
        strategy: Strategy::Fallback,
        models: vec![Link { model: model.clone(), retries: None, weight: 1 }],
        sticky_by: StickyBy::default(),
        dial: None,
        escalate_to: None,
    };
    Ok((Policy { description: String::new(), rules: Vec::new(), otherwise: route }, model))
}

/// Puts the figures in place that a server wrote down, as they stood when it did.
fn restore(world: &World, config: &Config) {
    let file = config.server.data_dir.join("health.json");
    let written = std::fs::metadata(file).and_then(|meta| meta.modified()).ok();
    let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    if let Some(micros) = written.and_then(|since| i64::try_from(since.as_micros()).ok()) {
        vitals::restore(world, &config.server.data_dir, Timestamp(micros));
    }
}

/// Reads the records page by page, and says how far it is.
async fn read(
    store: &Store,
    since: Timestamp,
    mut take: impl FnMut(&GenerationRecord),
) -> Result<(), Failure> {
    let mut last: Option<GenerationId> = None;
    let mut count: usize = 0;
    for page in 1_usize.. {
        let records = store.generations_since(since, last.as_ref()).await.map_err(|e| keys::failed(&e))?;
        count += records.len();
        let Some(end) = records.last() else { break };
        last = Some(end.id);
        records.iter().for_each(&mut take);
        if page.is_multiple_of(PAGES_PER_LINE) {
            progress(count);
        }
    }
    progress(count);
    Ok(())
}

fn progress(count: usize) {
    // Whoever closed standard error doesn't want to know.
    let _ = writeln!(std::io::stderr(), "{count} records read");
}
