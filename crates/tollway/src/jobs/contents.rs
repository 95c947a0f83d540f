//! Writes prompts and answers where they are to be kept, and forgets them again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::contents::sweep::sweep;
use gateway::contents::{self, Heard};
use gateway::jobs::Job;
use tokio::sync::{mpsc, watch};

/// Most calls of one transaction.
const BATCH: usize = 32;
/// How often what has expired is deleted; reads ignore it, so this only frees its room.
const EVERY: Duration = Duration::from_secs(60);

/// The job that writes. What waits when everything stops is written still.
pub(crate) async fn write(
    gateway: Arc<Gateway>,
    mut queue: mpsc::Receiver<Heard>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut lost = 0;
    gateway.jobs.starts(Job::Contents, Duration::ZERO);
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        let count = tokio::select! {
            biased;
            count = queue.recv_many(&mut batch, BATCH) => count,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        if count == 0 {
            return;
        }
        let run = gateway.begin_job(Job::Contents);
        let sealed: Vec<_> =
            batch.into_iter().filter_map(|heard| contents::sealed(&gateway, heard)).collect();
        let written = gateway.store.put_contents(&sealed).await;
        if let Err(error) = &written {
            tracing::warn!(%error, calls = count, "prompts and answers that were to be kept could not be written");
        }
        run.over(written.map(drop));
        let now = gateway.contents.lost.load(Ordering::Relaxed);
        if now > lost {
            tracing::warn!(
                calls = now - lost,
                "more calls than can be written; their prompts and answers are not kept"
            );
            lost = now;
        }
    }
}

/// The job that forgets.
pub(crate) async fn forget(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    gateway.jobs.starts(Job::Forget, EVERY);
    loop {
        let run = gateway.begin_job(Job::Forget);
        let swept = sweep(&gateway.store, gateway.clock.now()).await;
        match &swept {
            Ok(0) => (),
            Ok(calls) => tracing::info!(calls, "prompts and answers were deleted"),
            Err(error) => {
                tracing::warn!(%error, "prompts and answers could not be deleted; they are tried again")
            }
        }
        run.over(swept.map(drop));
        if super::pause(&mut stopping, EVERY).await {
            return;
        }
    }
}
