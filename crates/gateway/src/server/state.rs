//! `GET /v1/server/state`: how journal, store and process are on this node.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use http::request::Parts;
use serde_json::{Value, json};
use store::{Backend, StoreState};

use super::Answer;
use crate::app::{Gateway, Worker};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::health;
use crate::jobs::Job;
use crate::journal::JournalState;
use crate::key::rfc3339;
use crate::node::{self, Disk};
use crate::router;

/// `GET /v1/server/state`. A store that doesn't answer is told, with all that is known without it.
pub(super) async fn show(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    let asked = desk
        .store(|gateway| async move { Ok((gateway.store.state().await?, gateway.store.segments().await?)) });
    let (store, folded) = match asked.await {
        Ok((store, segments)) => (Some(store), segments.into_iter().collect::<HashMap<_, _>>()),
        Err(_) => (None, HashMap::new()),
    };
    let gateway = Arc::clone(desk.gateway());
    // Files are looked at on a thread that may wait for the disk.
    let look = desk.gateway().control.spawn_blocking(move || {
        let journal = gateway.journal.state(&folded).ok();
        (journal, node::disk(&gateway.node.data_dir), node::memory_bytes())
    });
    let (journal, disk, memory) = look.await.map_err(|_| GatewayError::Internal)?;
    let gateway = desk.gateway();
    let body = json!({
        "process": process(gateway, memory, desk.now().seconds()),
        "failing": health::failing(gateway),
        "journal": journal.as_ref().map(|state| journal_object(gateway, state, store.is_some())),
        "store": store_object(gateway, store.as_ref()),
        "disk": disk.map(disk_object),
    });
    Ok(router::json(json!({ "data": body }).to_string()))
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn gauge(gauge: &AtomicI64) -> i64 {
    gauge.load(Ordering::Relaxed).max(0)
}

fn process(gateway: &Gateway, memory: Option<u64>, now_s: i64) -> Value {
    let (metrics, node) = (&gateway.metrics, &gateway.node);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": rfc3339(node.started),
        "uptime_s": now_s.saturating_sub(node.started.seconds()).max(0),
        "workers": node.workers,
        "memory_bytes": memory,
        "in_flight": gauge(&metrics.in_flight),
        "holds_open": gauge(&metrics.holds_open),
        "hold_waiters": gauge(&metrics.hold_waiters),
        "panics": count(&metrics.panics),
        "keys": gateway.keys.load().len(),
    })
}

fn journal_object(gateway: &Gateway, state: &JournalState, is_folded_known: bool) -> Value {
    let fold = gateway.jobs.seen(Job::Fold);
    json!({
        "is_well": !gateway.journal.is_unwell(),
        "segments": state.segments,
        "bytes": state.bytes,
        // Without the store nobody knows how far segments are folded.
        "unfolded_bytes": is_folded_known.then_some(state.unfolded_bytes),
        "unfolded_records": gauge(&gateway.metrics.journal_unfolded),
        "backlog_bytes_max": gateway.node.backlog_bytes_max,
        "waiting_bytes": state.waiting_bytes,
        "folded_at": fold.ended.filter(|_| !fold.has_failed).map(rfc3339),
        "synced_at": state.synced.map(rfc3339),
        "sync": if state.sync_always { "always" } else { "each_second" },
        "errors": count(&gateway.metrics.journal_errors),
        "last_error_at": state.refused.as_ref().map(|(at, _)| rfc3339(*at)),
        "last_error": state.refused.as_ref().map(|(_, why)| why),
    })
}

fn store_object(gateway: &Gateway, state: Option<&StoreState>) -> Value {
    let connections = gateway.store.connections();
    json!({
        "kind": match gateway.store.backend() {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgres",
        },
        "answers": state.is_some() && gateway.store_answers.load(Ordering::Relaxed),
        "bytes": state.map(|state| state.bytes),
        "schema": state.map(|state| state.schema),
        "connections": {"open": connections.open, "idle": connections.idle, "max": connections.max},
        "entry": state.map(|state| state.entry),
        "entry_hash": state.map(|state| &state.entry_hash),
        "records_refused": state.map(|state| state.refused),
    })
}

fn disk_object(disk: Disk) -> Value {
    json!({"free_bytes": disk.free, "total_bytes": disk.total})
}
