//! The catalog site as a whole, over the real binary: every page is fetched, what pages say is compared, and what they print is
//! run.

mod cards;
mod crawl;
mod facts;
mod page;
mod recipes;
mod shape;
mod snippets;

use std::io::Read as _;
use std::sync::Arc;

use testkit::{Actor, TestApp};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests under way at once.
const CONCURRENCY: usize = 8;

/// An answer, unpacked.
pub(crate) struct Fetched {
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) media_type: String,
    pub(crate) allows_any_origin: bool,
    /// Of the body as it crossed the wire.
    pub(crate) wire_bytes: usize,
    pub(crate) text: String,
}

/// Asks as a browser does: packed answers are taken.
pub(crate) async fn fetch(actor: &Actor, path: &str) -> Fetched {
    let reply = actor.request("GET", path).header("accept-encoding", "gzip").send().await;
    let header = |name: &str| reply.header(name).map(str::to_owned);
    let text = match reply.header("content-encoding") {
        Some("gzip") => {
            let mut text = String::new();
            flate2::read::GzDecoder::new(reply.body.as_slice()).read_to_string(&mut text).expect("gzip");
            text
        }
        Some(other) => panic!("{path} is packed by {other}"),
        None => reply.text(),
    };
    Fetched {
        path: path.to_owned(),
        status: reply.status,
        location: header("location"),
        media_type: header("content-type").unwrap_or_default(),
        allows_any_origin: reply.header("access-control-allow-origin") == Some("*"),
        wire_bytes: reply.body.len(),
        text,
    }
}

/// Fetches all of them, several at once, and makes something of each.
pub(crate) async fn each<T, F>(app: &TestApp, paths: impl IntoIterator<Item = String>, make: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(Fetched) -> T + Clone + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONCURRENCY));
    let mut running = JoinSet::new();
    for path in paths {
        let (actor, make, places) = (app.anonymous(), make.clone(), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire().await.expect("a place");
            let answer = fetch(&actor, &path).await;
            make(answer)
        });
    }
    running.join_all().await
}

/// Panics with all that was found, the first hundred lines of it.
#[track_caller]
pub(crate) fn none_of(mut faults: Vec<String>, what: &str) {
    faults.sort_unstable();
    faults.dedup();
    let shown: Vec<&str> = faults.iter().take(100).map(String::as_str).collect();
    assert!(faults.is_empty(), "{what}: {} faults\n{}", faults.len(), shown.join("\n"));
}
