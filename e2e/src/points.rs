//! The crash loop over named points: the gateway told to die where it hurts most, with callers at work, and then compared with what the
//! callers received. The build under test must have its points (debug builds do).
//!
//! - Every second caller comes with an `Idempotency-Key`, and comes again after the crash with the same key and body.
//! - Whatever an answer said was received whole is in the books once ([`crate::chaos`] has the rules).
//! - Of a key the provider sees at most one request; whoever had the answer whole gets the same bytes again; who had not gets the
//!   answer, or an honest 409 with the generation's id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, TestApp, ask, ask_stream};
use types::Money;

use crate::chaos::{self, COST_EACH, Received};

/// Where a plain call can die; a stream besides in its middle.
const POINTS: [&str; 10] =
    ["hold", "pledged", "send", "first_byte", "mid_stream", "settle", "booked", "kept", "fold", "folded"];
/// Callers at once; half of them with keys.
const CALLERS: usize = 6;
/// Turns at which a point kills, at most; the job that folds comes by more seldom than calls do.
const TURN_MAX: u64 = 12;
const FOLD_TURN_MAX: u64 = 3;
/// A start folds what the last life left, which passes its points once per segment.
const TURNS_OF_A_START: u64 = 3;
/// A pause after each call where the job that folds is to die: it gives way to calls.
const FOLD_PAUSE: Duration = Duration::from_millis(10);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Crashes at each point.
    pub count: usize,
    /// Where the variation starts.
    pub seed: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Crashes, by point.
    pub crashes: BTreeMap<&'static str, usize>,
    /// Answers received whole.
    pub whole: usize,
    /// Calls made again with their key.
    pub came_again: usize,
    /// Of those, answers told again.
    pub told_again: usize,
    /// Of those, 409 `outcome_unknown`.
    pub unknown: usize,
    /// What breaks a rule.
    pub problems: Vec<String>,
}

/// What a caller with a key had when the process died.
#[derive(Clone, Debug)]
struct Keyed {
    key: String,
    /// The whole answer, as it came.
    answer: Option<Vec<u8>>,
}

/// Runs all points for plain calls or streams, on one database: `None`, SQLite, else where it is.
pub async fn run(
    options: Options,
    streamed: bool,
    store_url: Option<&str>,
    mut progress: impl FnMut(&str, usize),
) -> Report {
    let upstream = chaos::words(2);
    let mut app = start(&upstream, store_url).await;
    let received = Arc::new(Mutex::new(Received::default()));
    let mut report = Report::default();
    let mut random = options.seed;
    for point in POINTS.into_iter().filter(|point| streamed || *point != "mid_stream") {
        for number in 0..options.count {
            random = chaos::scramble(random);
            let turn = match point.starts_with("fold") {
                true => TURNS_OF_A_START + 1 + random % FOLD_TURN_MAX,
                false => 1 + random % TURN_MAX,
            };
            let keyed = crash(&mut app, &received, streamed, &format!("{point}:{turn}"), &mut report).await;
            again(&app, streamed, &keyed, &mut report).await;
            *report.crashes.entry(point).or_default() += 1;
            progress(point, number + 1);
        }
        if let Some(problem) = verify(&app, Some(COST_EACH)).await {
            report.problems.push(format!("after {point}: {problem}"));
        }
    }
    report.problems.extend(one_request_per_key(&upstream));
    let received = std::mem::take(&mut *received.lock());
    report.whole = received.plain.len() + received.streams.len();
    let seen = chaos::Report { upstream_requests: upstream.request_count(), ..chaos::Report::default() };
    report.problems.extend(chaos::check(&app, &received, &seen, chaos::Options::default()).await);
    report
}

async fn start(upstream: &FakeUpstream, store_url: Option<&str>) -> TestApp {
    let lab = Lab::at("lab", upstream).model("lab/tiny", "1", "2");
    let mut builder = TestApp::builder().prepaid().lab(lab).set("journal.fold_interval_ms", "10");
    if let Some(url) = store_url {
        builder = builder.set("store.url", &format!("{url:?}"));
    }
    let app = builder.start().await;
    app.cli(&["credits", "grant", "1000"]).await;
    app
}

/// One life: from a start that is told where to die, to the start after it. Gives what callers with keys had.
async fn crash(
    app: &mut TestApp,
    received: &Arc<Mutex<Received>>,
    streamed: bool,
    at: &str,
    report: &mut Report,
) -> Vec<Keyed> {
    app.restart_with(&[("TOLLWAY_CRASH_AT", at)]).await;
    let pause = if at.starts_with("fold") { FOLD_PAUSE } else { Duration::ZERO };
    let keyed = Arc::new(Mutex::new(Vec::new()));
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        let (owner, received, keyed) = (app.owner(), Arc::clone(received), Arc::clone(&keyed));
        let life = format!("{at} {} {number}", app.pid());
        callers.spawn(async move {
            for turn in 0_u64.. {
                if received.lock().stop {
                    return;
                }
                tokio::time::sleep(pause).await;
                match number % 2 {
                    0 => chaos::ask_once(&owner, streamed, &received).await,
                    _ => ask_keyed(&owner, streamed, format!("{life} {turn}"), &received, &keyed).await,
                }
            }
        });
    }
    let status = app.exited().await;
    received.lock().stop = true;
    callers.join_all().await;
    received.lock().stop = false;
    if status.success() {
        report.problems.push(format!("{at}: the process ended by itself"));
    }
    app.restart().await;
    std::mem::take(&mut *keyed.lock())
}

fn body(streamed: bool, key: &str) -> Value {
    let mut body = if streamed { ask_stream("lab/tiny") } else { ask("lab/tiny") };
    if let Some(content) = body.pointer_mut("/messages/0/content") {
        *content = json!(key);
    }
    body
}

async fn ask_keyed(
    owner: &Actor,
    streamed: bool,
    key: String,
    received: &Mutex<Received>,
    keyed: &Mutex<Vec<Keyed>>,
) {
    let request = owner.chat_request(&body(streamed, &key)).header("idempotency-key", &key);
    let reply = request.try_send().await.ok().filter(|reply| reply.whole && reply.status == 200);
    let whole = reply.filter(|reply| !streamed || reply.events().last() == Some(&testkit::sse::Event::Done));
    match &whole {
        Some(reply) => {
            let id = reply.generation_id();
            let mut received = received.lock();
            let book = if streamed { &mut received.streams } else { &mut received.plain };
            book.insert(id, crate::amount::cost_in(&reply.text()).unwrap_or(Money::ZERO));
        }
        None => tokio::time::sleep(Duration::from_millis(1)).await,
    }
    keyed.lock().push(Keyed { key, answer: whole.map(|reply| reply.body) });
}

/// All who had a key come again.
async fn again(app: &TestApp, streamed: bool, keyed: &[Keyed], report: &mut Report) {
    let owner = app.owner();
    for before in keyed {
        let request = owner.chat_request(&body(streamed, &before.key)).header("idempotency-key", &before.key);
        let reply = request.send().await;
        report.came_again += 1;
        let error = if reply.status == 409 { reply.json() } else { Value::Null };
        let named = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let told_again = reply.header("idempotency-replayed") == Some("true");
        report.told_again += usize::from(told_again);
        let wrong = match (&before.answer, reply.status) {
            (Some(answer), 200) if told_again && *answer == reply.body => None,
            (Some(_), _) => Some("had its answer whole and gets another one"),
            (None, 200) if reply.text().contains("\"cost\":") => None,
            (None, 409) if named("/error/type").as_deref() == Some("outcome_unknown") => {
                report.unknown += 1;
                let id = named("/error/metadata/generation_id");
                id.is_none().then_some("is not told which generation it was")
            }
            _ => Some("gets neither its answer nor an honest 409"),
        };
        if let Some(wrong) = wrong {
            report.problems.push(format!("{} {wrong}: {} {}", before.key, reply.status, reply.text()));
        }
    }
}

/// Keys for which the provider was called more than once.
fn one_request_per_key(upstream: &FakeUpstream) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for request in upstream.requests() {
        let said = request.json().pointer("/messages/0/content").and_then(Value::as_str).map(str::to_owned);
        *seen.entry(said.unwrap_or_default()).or_default() += 1;
    }
    let twice = seen.into_iter().filter(|(key, count)| key.contains(':') && *count > 1);
    twice.map(|(key, count)| format!("{key}: the provider was called {count} times")).collect()
}

/// What is wrong with the books or the holds, if anything; with what each call costs, also with what was charged.
pub(crate) async fn verify(app: &TestApp, cost_each: Option<Money>) -> Option<String> {
    app.settled().await;
    let verified = app.cli(&["ledger", "verify"]).await;
    let is_good = verified.get("ok") != Some(&json!(false))
        && verified.get("problems").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let credits = app.owner().get("/v1/credits").await.json();
    let data = credits.get("data").cloned().unwrap_or(Value::Null);
    let held = data.get("held_usd").and_then(Value::as_str).unwrap_or_default().to_owned();
    let used = crate::amount::text_field(&data, "used_usd").unwrap_or_default();
    if !is_good {
        return Some(format!("the ledger doesn't verify: {verified}"));
    }
    if cost_each.is_some_and(|cost| used.nanos() % cost.nanos() != 0) {
        return Some(format!("{used} was charged, which is no number of whole answers"));
    }
    (held.parse() != Ok(Money::ZERO)).then(|| format!("{held} is still held"))
}
