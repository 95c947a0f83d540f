//! Samples of the crash loops; `cargo xtask chaos` runs the full counts.

use e2e::chaos::{self, Options};
use e2e::databases::Schema;
use e2e::{points, top_ups};
use testkit::{FakeUpstream, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_crashes_lose_nothing_and_charge_nothing_twice() {
    let report = chaos::run(Options { kills: 10, ..Options::default() }, |_| {}).await;
    assert!(report.problems.is_empty(), "{report:#?}");
    assert!(report.whole_plain > 0 && report.whole_streams > 0, "both kinds were under way: {report:#?}");
}

/// Deaths at each point in the test run; `cargo xtask chaos --points` makes fifty of each.
const SAMPLE: points::Options = points::Options { count: 2, seed: 7 };

async fn die_everywhere(streamed: bool, store_url: Option<&str>) {
    let report = points::run(SAMPLE, streamed, store_url, |_, _| {}).await;
    assert!(report.problems.is_empty(), "{report:#?}");
    assert!(report.whole > 0 && report.told_again > 0, "{report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_calls_survive_a_death_at_every_point() {
    die_everywhere(false, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_survive_a_death_at_every_point() {
    die_everywhere(true, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_plain_calls_survive_a_death_at_every_point() {
    if let Some(schema) = Schema::fresh("points_plain").await {
        die_everywhere(false, Some(&schema.url)).await;
        schema.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_streams_survive_a_death_at_every_point() {
    if let Some(schema) = Schema::fresh("points_streams").await {
        die_everywhere(true, Some(&schema.url)).await;
        schema.remove().await;
    }
}

async fn die_at_payments(store_url: Option<&str>) {
    let report = top_ups::run(SAMPLE, store_url, |_, _| {}).await;
    assert!(report.problems.is_empty(), "{report:#?}");
    assert!(report.automatic > 0 && report.unanswered > 0, "both kinds were under way: {report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_survive_a_death_at_every_point() {
    die_at_payments(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_payments_survive_a_death_at_every_point() {
    if let Some(schema) = Schema::fresh("points_payments").await {
        die_at_payments(Some(&schema.url)).await;
        schema.remove().await;
    }
}

#[tokio::test]
async fn a_point_that_is_none_refuses_to_start() {
    let upstream = FakeUpstream::start();
    let mut app = TestApp::with(&upstream).await;
    app.kill9();
    let output = app.cli_with(&["serve"], &[("TOLLWAY_CRASH_AT", "nowhere:1")]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("TOLLWAY_CRASH_AT"), "{said}");
    assert!(said.contains("settle:3") && said.contains("mid_stream"), "{said}");
}
