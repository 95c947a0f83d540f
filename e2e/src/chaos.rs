//! The crash loop: callers at work, the gateway killed with SIGKILL again and again, and the books compared with what
//! the callers received.
//!
//! Rules, checked after the last restart:
//! - every answer that a caller received whole is in the books, once, with the cost that the answer said;
//! - the account was charged for at least those answers, and for at most as many as the provider was asked for;
//! - the charge is the sum of the activity that the gateway itself reports;
//! - no hold is open, no journal record is unread, and the ledger verifies;
//! - a restart is quick ([`Options::restart_ms_max`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp, Tokens, ask, ask_stream};
use tokio::time::Instant;
use types::Money;

use crate::amount;

/// Tokens in and out of every answer: at $1 and $2 per million it costs 60,000 nano-dollars.
const TOKENS: Tokens = Tokens { prompt: 20, completion: 20, cached: 0, reasoning: 0 };
pub(crate) const COST_EACH: Money = Money::from_nanos(60_000);

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often to kill.
    pub kills: usize,
    /// Callers at once; every second one streams.
    pub callers: usize,
    /// Whole answers between two kills vary up to this many.
    pub answers_between_max: u64,
    /// The longest restart that is fine, milliseconds.
    pub restart_ms_max: u128,
    /// Where the variation starts.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { kills: 200, callers: 8, answers_between_max: 150, restart_ms_max: 2_000, seed: 1 }
    }
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Kills made.
    pub kills: usize,
    /// Plain answers received whole.
    pub whole_plain: usize,
    /// Streams received whole, `[DONE]` included.
    pub whole_streams: usize,
    /// Answers that broke off or never came.
    pub broken: usize,
    /// Requests that reached the provider.
    pub upstream_requests: usize,
    /// The longest time from start to ready, milliseconds.
    pub restart_ms_worst: u128,
    /// Everything that breaks a rule; empty when all is well.
    pub problems: Vec<String>,
}

/// What callers received whole, by generation id.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) plain: BTreeMap<String, Money>,
    pub(crate) streams: BTreeMap<String, Money>,
    pub(crate) broken: usize,
    pub(crate) stop: bool,
}

/// A provider that says three words. Streams pause for so many milliseconds, so that kills fall into the middle of them too.
pub(crate) fn words(pause: u64) -> FakeUpstream {
    let upstream = FakeUpstream::start();
    upstream.answer_with(move |request| {
        if request.wants_stream() {
            Script::words(&["one"]).delay(pause).finish(&[" two", " three"], TOKENS)
        } else {
            Script::chat("one two three", TOKENS)
        }
    });
    upstream
}

/// Runs the loop. `progress` hears the number of each kill.
pub async fn run(options: Options, mut progress: impl FnMut(usize)) -> Report {
    let upstream = words(3);
    let mut app = start(&upstream).await;
    let received = Arc::new(Mutex::new(Received::default()));
    let mut report = Report::default();
    let mut random = options.seed;
    for kill in 1..=options.kills {
        let callers = callers(&app, options.callers, &received);
        random = scramble(random);
        let goal = whole_answers(&received) + 1 + random % options.answers_between_max.max(1);
        let busy = async {
            while whole_answers(&received) < goal {
                tokio::time::sleep(Duration::from_micros(random % 997)).await;
            }
        };
        testkit::within("answers between two kills", busy).await;
        app.kill9();
        received.lock().stop = true;
        callers.join_all().await;
        received.lock().stop = false;
        let started = Instant::now();
        app.restart().await;
        report.restart_ms_worst = report.restart_ms_worst.max(started.elapsed().as_millis());
        report.kills = kill;
        progress(kill);
    }
    report.upstream_requests = upstream.request_count();
    let received = std::mem::take(&mut *received.lock());
    report.whole_plain = received.plain.len();
    report.whole_streams = received.streams.len();
    report.broken = received.broken;
    report.problems = check(&app, &received, &report, options).await;
    report
}

/// Fixed addresses make no difference to a test, so the books are the ones of a prepaid account with plenty in it.
async fn start(upstream: &FakeUpstream) -> TestApp {
    let lab = Lab::at("lab", upstream).model("lab/tiny", "1", "2");
    let app = TestApp::builder().prepaid().lab(lab).start().await;
    app.cli(&["credits", "grant", "1000"]).await;
    let owner = app.owner();
    testkit::eventually("the grant to be seen", || async {
        (owner.chat("lab/tiny").await.status == 200).then_some(())
    })
    .await;
    app
}

fn whole_answers(received: &Mutex<Received>) -> u64 {
    let received = received.lock();
    (received.plain.len() + received.streams.len()) as u64
}

/// Callers who ask until they are told to stop.
fn callers(app: &TestApp, count: usize, received: &Arc<Mutex<Received>>) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let (owner, received) = (app.owner(), Arc::clone(received));
        tasks.spawn(async move {
            while !received.lock().stop {
                ask_once(&owner, number % 2 == 1, &received).await;
            }
        });
    }
    tasks
}

pub(crate) async fn ask_once(owner: &Actor, streamed: bool, received: &Mutex<Received>) {
    let body = if streamed { ask_stream("lab/tiny") } else { ask("lab/tiny") };
    let Ok(reply) = owner.chat_request(&body).try_send().await else {
        received.lock().broken += 1;
        // Between the kill and the stop sign nobody listens: don't spin.
        return tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let ended = !streamed || reply.events().last() == Some(&testkit::sse::Event::Done);
    let id = reply.header("x-generation-id").map(str::to_owned);
    let cost = amount::cost_in(&reply.text());
    let mut received = received.lock();
    match (id, cost) {
        (Some(id), Some(cost)) if reply.whole && ended && reply.status == 200 => {
            let book = if streamed { &mut received.streams } else { &mut received.plain };
            book.insert(id, cost);
        }
        _ => received.broken += 1,
    }
}

pub(crate) async fn check(
    app: &TestApp,
    received: &Received,
    report: &Report,
    options: Options,
) -> Vec<String> {
    let mut problems = Vec::new();
    app.settled().await;
    let owner = app.owner();
    for (id, cost) in received.plain.iter().chain(&received.streams) {
        if *cost != COST_EACH {
            problems.push(format!("{id}: the answer said {cost}, not {COST_EACH}"));
        }
        let reply = owner.get(&format!("/v1/generation?id={id}")).await;
        if reply.status != 200 {
            problems.push(format!("{id} was received whole and is not in the books: {}", reply.status));
            continue;
        }
        let booked = reply.json().get("data").and_then(|record| amount::text_field(record, "total_cost"));
        if booked != Some(*cost) {
            problems.push(format!("{id}: the books say {booked:?}, the answer said {cost}"));
        }
    }
    let verified = app.cli(&["ledger", "verify"]).await;
    let faults = verified.get("problems").and_then(|list| list.as_array()).map_or(0, Vec::len);
    if faults > 0 || verified.get("ok") == Some(&json!(false)) {
        problems.push(format!("the ledger doesn't verify: {verified}"));
    }
    let used = used(&owner).await;
    let whole = (received.plain.len() + received.streams.len()) as i64;
    let least = Money::from_nanos(COST_EACH.nanos() * whole);
    let most = Money::from_nanos(COST_EACH.nanos() * report.upstream_requests as i64);
    if !used.is_some_and(|used| used >= least && used <= most) {
        problems.push(format!("charged {used:?}, which is not between {least} and {most}"));
    }
    if report.restart_ms_worst > options.restart_ms_max {
        problems.push(format!("a restart took {} ms", report.restart_ms_worst));
    }
    problems
}

/// What the owner was charged, exactly.
pub(crate) async fn used(owner: &Actor) -> Option<Money> {
    let credits = owner.get("/v1/credits").await.json();
    amount::text_field(credits.get("data")?, "used_usd")
}

/// A step of a well-mixed sequence (xorshift); repeatable from its seed.
pub(crate) fn scramble(mut state: u64) -> u64 {
    state |= 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^ (state << 17)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_varies() {
        let mut state = 1;
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            state = scramble(state);
            seen.insert(state % 150);
        }
        assert!(seen.len() > 40, "{}", seen.len());
    }
}
