//! A sample of the crash loop; `cargo xtask chaos` runs the full count.

use e2e::chaos::{self, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_crashes_lose_nothing_and_charge_nothing_twice() {
    let report = chaos::run(Options { kills: 10, ..Options::default() }, |_| {}).await;
    assert!(report.problems.is_empty(), "{report:#?}");
    assert!(report.whole_plain > 0 && report.whole_streams > 0, "both kinds were under way: {report:#?}");
}
