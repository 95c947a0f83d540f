//! What runs beside the calls, on the control runtime. Each job is one file; all stop when `stopping` turns true.

pub(crate) mod alerts;
pub(crate) mod catalog_news;
pub(crate) mod contents;
pub(crate) mod expire;
pub(crate) mod fold;
pub(crate) mod mails;
pub(crate) mod pages;
pub(crate) mod payments;
pub(crate) mod poll;
pub(crate) mod ratings;
pub(crate) mod reload;
pub(crate) mod telemetry;
pub(crate) mod vitals;

use std::time::Duration;

use tokio::sync::watch;

/// Sleeps, or returns true at once when everything is to stop.
pub(crate) async fn pause(stopping: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => false,
        stopped = stopping.wait_for(|stop| *stop) => stopped.is_ok(),
    }
}
