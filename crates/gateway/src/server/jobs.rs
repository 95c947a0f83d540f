//! `GET /v1/server/jobs`: the background jobs of this node, and how they go.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::request::Parts;
use serde_json::{Value, json};
use types::Timestamp;

use super::Answer;
use crate::app::{Gateway, Worker};
use crate::desk::Desk;
use crate::jobs::{Job, Rhythm, Seen};
use crate::key::rfc3339;
use crate::router;

const MICROS_PER_MS: i64 = 1_000;

/// `GET /v1/server/jobs`.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    // How many notices wait is all that the store is asked for; without it the rest is told all the same.
    let state = desk.store(|gateway| async move { gateway.store.state().await }).await;
    let notices = state.ok().map(|state| state.notices_waiting.unsigned_abs());
    let gateway = desk.gateway();
    let shown: Vec<Value> = Job::ALL
        .iter()
        .map(|job| object(*job, &gateway.jobs.seen(*job), waiting(gateway, *job, notices)))
        .collect();
    let since = rfc3339(gateway.node.started);
    Ok(router::json(json!({ "data": shown, "since": since }).to_string()))
}

/// How much waits for a job, and what; `None`: nothing waits for it, or nobody knows how much.
fn waiting(gateway: &Gateway, job: Job, notices: Option<u64>) -> Option<(u64, &'static str)> {
    let metrics = &gateway.metrics;
    Some(match job {
        Job::Fold => (metrics.journal_unfolded.load(Ordering::Relaxed).max(0).unsigned_abs(), "records"),
        Job::Alerts => (gateway.keys.load().alerts_waiting() as u64, "alerts"),
        Job::Webhooks => (notices?, "notices"),
        Job::Mails => (gateway.payments.mailer.waiting() as u64, "mails"),
        Job::Contents => (gateway.contents.waiting() as u64, "calls"),
        Job::Telemetry => (metrics.telemetry.waiting_bytes.load(Ordering::Relaxed), "bytes"),
        _ => return None,
    })
}

fn object(job: Job, seen: &Seen, waiting: Option<(u64, &str)>) -> Value {
    let every = seen.every;
    let micros = |every: std::time::Duration| i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
    // When something changes, nobody knows; and what runs now has no next run yet.
    let next = (job.rhythm() == Rhythm::Regular && !seen.is_running)
        .then(|| Some(Timestamp(seen.ended?.micros().saturating_add(micros(every?)))))
        .flatten();
    let outcome = seen.ended.map(|_| if seen.has_failed { "failed" } else { "done" });
    json!({
        "name": job.name(),
        "about": job.about(),
        "rhythm": job.rhythm().name(),
        "is_on": every.is_some(),
        "every_ms": every.filter(|_| job.rhythm() != Rhythm::Queue).map(|every| micros(every) / MICROS_PER_MS),
        "is_running": seen.is_running,
        "begun_at": seen.begun.map(rfc3339),
        "ended_at": seen.ended.map(rfc3339),
        "took_ms": seen.ended.map(|_| seen.took_us / MICROS_PER_MS),
        "outcome": outcome,
        "runs": seen.runs,
        "failures": seen.failures,
        "last_failure_at": seen.failure.as_ref().map(|(at, _)| rfc3339(*at)),
        "last_failure": seen.failure.as_ref().map(|(_, why)| why),
        "next_at": next.map(rfc3339),
        "waiting": waiting.map(|(count, _)| count),
        "waiting_of": waiting.map(|(_, of)| of),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_has_not_run_says_nothing_of_a_run() {
        let fresh =
            object(Job::Expire, &Seen { every: Some(Duration::from_secs(600)), ..Seen::default() }, None);
        for unknown in ["begun_at", "ended_at", "took_ms", "outcome", "next_at", "last_failure", "waiting"] {
            assert_eq!(fresh[unknown], Value::Null, "{unknown}");
        }
        assert_eq!((&fresh["every_ms"], &fresh["runs"]), (&json!(600_000), &json!(0)));
        let at = Timestamp::from_seconds(1_783_080_000);
        let ran = Seen {
            every: Some(Duration::from_secs(600)),
            begun: Some(at),
            ended: Some(at),
            took_us: 1_500,
            runs: 1,
            ..Seen::default()
        };
        let told = object(Job::Expire, &ran, Some((3, "records")));
        assert_eq!((&told["next_at"], &told["took_ms"]), (&json!("2026-07-03T12:10:00Z"), &json!(1)));
        assert_eq!((&told["waiting"], &told["waiting_of"]), (&json!(3), &json!("records")));
        assert_eq!(
            object(Job::Reload, &ran, None)["next_at"],
            Value::Null,
            "nobody knows when a file changes"
        );
        assert_eq!(object(Job::Telemetry, &Seen::default(), None)["is_on"], false);
    }
}
