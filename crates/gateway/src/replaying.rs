//! Replay: what recorded requests would have met under another policy or model. `POST /v1/replay` and `tollway replay` share it.
//!
//! [`Tally`] decides record by record once more and adds up, [`read`] brings the records out of the store page by page, [`Told`]
//! is what can be said. The estimators themselves are `routing::replay`.

mod again;
mod tally;
mod told;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ledger::{GenerationRecord, RequestFacts};
use routing::name::Names;
use routing::plan::Plan;
use routing::policy::Policy;
use store::{Store, StoreError};
use tokio::time::Instant;
use types::{AccountId, GenerationId, Timestamp};

use self::again::Other;
use crate::world::World;

pub use tally::{Shift, Tally};
pub use told::{Figures, Told, usd};

/// What requests are decided by instead.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The policy.
    pub policy: Policy,
    /// The dial of virtual models; `None`: the policy's, else the model's own.
    pub dial: Option<f64>,
    /// What chance is drawn from; `None`: each record's own seed.
    pub seed: Option<u64>,
    /// Names of keys by their ids: rules may go by either.
    pub key_names: HashMap<String, String>,
}

/// Which records.
#[derive(Clone, Debug)]
pub struct Records {
    /// Of this account, newest first; `None`: of all, oldest first.
    pub account: Option<AccountId>,
    /// From when on.
    pub since: Timestamp,
}

/// How much may be read, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most records.
    pub records_max: u64,
    /// The longest that it takes; the page that is under way is finished.
    pub time_max: Duration,
}

impl Bounds {
    /// Whoever waits at a terminal can stop it.
    pub const NONE: Bounds = Bounds { records_max: u64::MAX, time_max: Duration::MAX };
}

/// Why not all records were read that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// [`Bounds::records_max`] is reached.
    Records(u64),
    /// [`Bounds::time_max`] is over.
    Time(Duration),
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The records can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Deciding panicked, or the runtime ends.
    #[error("the replay broke off")]
    Broken,
}

/// Reads records page by page into a tally. Each page is decided on a thread of its own, so that whatever else runs on the runtime
/// goes on. `each` is told after every page how many were read.
///
/// # Errors
/// See [`Unread`].
pub async fn read(
    store: &Store,
    records: &Records,
    bounds: Bounds,
    mut tally: Tally,
    mut each: impl FnMut(u64) + Send,
) -> Result<(Tally, Option<Cut>), Unread> {
    let began = Instant::now();
    let mut last: Option<(Timestamp, GenerationId)> = None;
    loop {
        let behind = last.as_ref().map(|(at, id)| (*at, id));
        let mut page = match &records.account {
            Some(account) => store.generations_of(account, records.since, behind).await?,
            None => store.generations_since(records.since, behind.map(|(_, id)| id)).await?,
        };
        let Some(end) = page.last() else { return Ok((tally, None)) };
        last = Some((end.created, end.id));
        let room = usize::try_from(bounds.records_max.saturating_sub(tally.read())).unwrap_or(usize::MAX);
        let cut = page.len() > room;
        page.truncate(room);
        tally = tokio::task::spawn_blocking(move || take(tally, &page)).await.map_err(|_| Unread::Broken)?;
        each(tally.read());
        if cut {
            return Ok((tally, Some(Cut::Records(bounds.records_max))));
        }
        if began.elapsed() > bounds.time_max {
            return Ok((tally, Some(Cut::Time(bounds.time_max))));
        }
    }
}

/// Decides one recorded request once more: the plan, and the chance of each of its steps to come first.
///
/// # Errors
/// A model of the policy that nobody knows; a policy of which nothing is served here.
pub(crate) fn once(
    world: Arc<World>,
    names: &Names,
    terms: Terms,
    record: &GenerationRecord,
    facts: &RequestFacts,
) -> Result<(Plan, Vec<f64>), String> {
    let again = Other::new(world, names, terms)?.decide(record, facts);
    Ok((again.plan, again.chances))
}

fn take(mut tally: Tally, page: &[GenerationRecord]) -> Tally {
    page.iter().for_each(|record| tally.take(record));
    tally
}
