//! `tollway replay`: what recorded requests would have met under another policy or model.

mod report;

use std::io::Write;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gateway::replaying::{self, Bounds, Records, Tally, Terms, Told, Unread};
use gateway::world::World;
use routing::policy::{CacheRule, Link, Policy, Route, StickyBy, Strategy};
use types::{SystemClock, Timestamp};

use self::report::Report;
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
    let records = Records { account: None, since: args.since.instant_before(context.clock.now()) };
    let (_, store) = keys::open(context).await?;
    let rows = store.list_keys(None).await.map_err(|e| keys::failed(&e))?;
    let key_names = rows.into_iter().map(|row| (row.key.id.to_string(), row.key.name)).collect();
    let terms = Terms { policy, dial: args.dial, seed: args.seed, key_names };
    let tally = Tally::new(Arc::new(world), &settings.names, terms).map_err(Failure::BadInput)?;
    let mut pages: usize = 0;
    let each = |count| {
        pages += 1;
        if pages.is_multiple_of(PAGES_PER_LINE) {
            progress(count);
        }
    };
    let read = replaying::read(&store, &records, Bounds::NONE, tally, each).await;
    let read = read.map_err(|error| match error {
        Unread::Store(error) => keys::failed(&error),
        Unread::Broken => Failure::Failed(error.to_string()),
    })?;
    progress(read.0.read());
    store.close().await;
    let told = Told::of(read, under, &records);
    context.out.answer(&Report(&told).human(), &told.json())
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
        cache: CacheRule::default(),
        escalate_to: None,
    };
    Ok((Policy { description: String::new(), rules: Vec::new(), otherwise: route, guardrails: None }, model))
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

fn progress(count: u64) {
    // Whoever closed standard error doesn't want to know.
    let _ = writeln!(std::io::stderr(), "{count} records read");
}
