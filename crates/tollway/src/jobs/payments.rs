//! Every few seconds: what each account has used this month, for its discount, and automatic top-ups that are due.

use std::sync::Arc;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::payments::{auto, month_began};
use tokio::sync::watch;

/// Reads the discounts, so that the first call has its own, and starts the job.
pub(crate) async fn begin(gateway: &Arc<Gateway>, every: Duration, stopping: watch::Receiver<bool>) {
    discounts(gateway).await;
    tokio::spawn(run(Arc::clone(gateway), every, stopping));
}

/// Reads the use of the month, where a discount goes by it.
async fn discounts(gateway: &Gateway) {
    let fees = &gateway.settings.fees;
    if fees.discount.is_empty() {
        return;
    }
    match gateway.store.charged_since(month_began(gateway.clock.now())).await {
        Ok(used) => gateway.discounts.take(fees, used),
        Err(error) => tracing::warn!(%error, "the month's use can't be read; discounts stay as they are"),
    }
}

/// The job.
async fn run(gateway: Arc<Gateway>, every: Duration, mut stopping: watch::Receiver<bool>) {
    while !super::pause(&mut stopping, every).await {
        discounts(&gateway).await;
        if let Err(error) = auto::pass(&gateway).await {
            tracing::warn!(%error, "automatic top-ups wait: the store doesn't answer");
        }
    }
}
