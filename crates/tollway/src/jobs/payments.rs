//! Every few seconds: what each account has used this month, for its discount, and automatic top-ups that are due.

use std::sync::Arc;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::jobs::Job;
use gateway::payments::{auto, month_began};
use store::StoreError;
use tokio::sync::watch;

/// Reads the discounts, so that the first call has its own, and starts the job.
pub(crate) async fn begin(gateway: &Arc<Gateway>, every: Duration, stopping: watch::Receiver<bool>) {
    // What can't be read now is read by the job.
    let _ = discounts(gateway).await;
    tokio::spawn(run(Arc::clone(gateway), every, stopping));
}

/// Reads the use of the month, where a discount goes by it.
async fn discounts(gateway: &Gateway) -> Result<(), StoreError> {
    let fees = &gateway.settings.fees;
    if fees.discount.is_empty() {
        return Ok(());
    }
    let used = gateway.store.charged_since(month_began(gateway.clock.now())).await.inspect_err(
        |error| tracing::warn!(%error, "the month's use can't be read; discounts stay as they are"),
    )?;
    gateway.discounts.take(fees, used);
    Ok(())
}

/// The job.
async fn run(gateway: Arc<Gateway>, every: Duration, mut stopping: watch::Receiver<bool>) {
    gateway.jobs.starts(Job::Payments, every);
    while !super::pause(&mut stopping, every).await {
        let run = gateway.begin_job(Job::Payments);
        let read = discounts(&gateway).await;
        let paid = auto::pass(&gateway).await;
        if let Err(error) = &paid {
            tracing::warn!(%error, "automatic top-ups wait: the store doesn't answer");
        }
        run.over(read.and(paid));
    }
}
