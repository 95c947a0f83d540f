//! `/console/server/jobs`: background jobs, when each ran last, how that went, and what waits.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use types::Timestamp;

use super::JOBS;
use crate::console::amount;
use crate::console::frame::Frame;
use crate::console::signed::Signed;
use crate::format::{self, Shown};
use crate::shell::{self, Failed};

#[derive(Deserialize)]
struct Told {
    data: Vec<Job>,
    since: String,
}

#[derive(Deserialize)]
struct Job {
    name: String,
    about: String,
    rhythm: String,
    is_on: bool,
    every_ms: Option<u32>,
    is_running: bool,
    ended_at: Option<String>,
    took_ms: Option<u32>,
    outcome: Option<String>,
    runs: u64,
    failures: u64,
    last_failure_at: Option<String>,
    last_failure: Option<String>,
    next_at: Option<String>,
    waiting: Option<u64>,
    waiting_of: Option<String>,
}

/// A job for people.
struct Line {
    name: String,
    about: String,
    class: &'static str,
    outcome: &'static str,
    /// How long ago its last run ended, and how long it took.
    last: Option<(Shown, Shown)>,
    runs: Shown,
    /// When it failed last, and why.
    failure: Option<(Shown, String)>,
    failures: u64,
    rhythm: String,
    next: Option<Shown>,
    waiting: Option<String>,
}

#[derive(Template)]
#[template(path = "console/server_jobs.html")]
struct Page {
    shell: Frame,
    since: Shown,
    failing: Vec<String>,
    lines: Vec<Line>,
    off: Vec<(String, String)>,
}

/// `GET /console/server/jobs`.
pub(crate) async fn jobs(signed: Signed) -> Result<Response, Failed> {
    let reply = signed.calls.call(Method::GET, "/v1/server/jobs", None).await;
    let told: Told = reply.read().map_err(|refused| signed.failed(&refused))?;
    let (on, off): (Vec<Job>, Vec<Job>) = told.data.into_iter().partition(|job| job.is_on);
    let is_failing = |job: &&Job| job.outcome.as_deref() == Some("failed");
    let page = Page {
        shell: Frame::of(&signed, "Jobs", JOBS),
        since: amount::instant(&told.since),
        failing: on.iter().filter(is_failing).map(|job| job.name.clone()).collect(),
        lines: on.into_iter().map(|job| line(job, signed.visit.now)).collect(),
        off: off.into_iter().map(|job| (job.name, job.about)).collect(),
    };
    Ok(shell::private(shell::page(StatusCode::OK, &page)))
}

fn line(job: Job, now: Timestamp) -> Line {
    let (class, outcome) = match (job.outcome.as_deref(), job.is_running) {
        (Some("failed"), _) => ("bad", "Failed"),
        (_, true) => ("good", "Running"),
        (Some(_), _) => ("good", "Done"),
        (None, _) => ("quiet", "Not run yet"),
    };
    let every = job.every_ms.map(|ms| format::milliseconds(f64::from(ms)).short).unwrap_or_default();
    let last = job.ended_at.as_deref().map(|at| {
        let took = job.took_ms.map_or_else(Shown::unknown, |ms| match ms {
            0 => Shown::same("under 1 ms"),
            ms => format::milliseconds(f64::from(ms)),
        });
        (ago(at, now), took)
    });
    Line {
        class,
        outcome,
        last,
        rhythm: match job.rhythm.as_str() {
            "regular" => format!("every {every}"),
            "on_change" => String::from("when something changed"),
            _ => String::from("as soon as something waits"),
        },
        next: job.next_at.as_deref().map(|at| soon(at, now)),
        waiting: job.waiting.map(|count| waiting(count, job.waiting_of.as_deref().unwrap_or_default())),
        failure: job
            .last_failure
            .map(|why| (job.last_failure_at.as_deref().map_or_else(Shown::unknown, amount::instant), why)),
        failures: job.failures,
        runs: format::short(job.runs),
        name: job.name.replace('_', " "),
        about: job.about,
    }
}

/// How long ago an instant of the API was.
fn ago(at: &str, now: Timestamp) -> Shown {
    let passed = amount::at(at).map(|at| now.seconds().saturating_sub(at.seconds()));
    let words = passed.map(|passed| match u64::try_from(passed) {
        Ok(1..) => format!("{} ago", format::duration(passed.unsigned_abs())),
        _ => String::from("just now"),
    });
    words.map_or_else(Shown::unknown, |words| Shown::both(words, at))
}

/// How long until one.
fn soon(at: &str, now: Timestamp) -> Shown {
    let left = amount::at(at).map(|at| at.seconds().saturating_sub(now.seconds()));
    let words = left.map(|left| match u64::try_from(left) {
        Ok(1..) => format!("in {}", format::duration(left.unsigned_abs())),
        _ => String::from("now"),
    });
    words.map_or_else(Shown::unknown, |words| Shown::both(words, at))
}

fn waiting(count: u64, of: &str) -> String {
    match of {
        "bytes" => format::bytes(count).short,
        of => format!("{} {}", format::count(count), if count == 1 { of.trim_end_matches('s') } else { of }),
    }
}
