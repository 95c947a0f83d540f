//! Forgets what was kept for a time only: responses whose retention is over, answers of `Idempotency-Key`, sessions and tokens that
//! ended; and what accounts that were erased left in their records.

use std::sync::Arc;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::jobs::Job;
use tokio::sync::watch;

/// How often the store is swept; reads ignore what has expired, so this only frees its room.
const EVERY: Duration = Duration::from_secs(600);

/// The job. The first sweep is at once.
pub(crate) async fn run(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    gateway.jobs.starts(Job::Expire, EVERY);
    loop {
        let run = gateway.begin_job(Job::Expire);
        gateway.idempotency.sweep(gateway.clock.now());
        let responses = gateway.store.expire_responses(gateway.clock.now()).await;
        match &responses {
            Ok(0) => (),
            Ok(responses) => tracing::info!(responses, "kept responses have expired"),
            Err(error) => {
                tracing::warn!(%error, "expired responses could not be deleted; they are tried again")
            }
        }
        let now = gateway.clock.now();
        while let Ok(1..) = gateway.store.empty_records(now).await {}
        let people = gateway.store.expire_people(now).await;
        if let Err(error) = &people {
            tracing::warn!(%error, "sessions and tokens that ended could not be deleted; they are tried again");
        }
        run.over(responses.map(drop).and(people.map(drop)));
        if super::pause(&mut stopping, EVERY).await {
            return;
        }
    }
}
