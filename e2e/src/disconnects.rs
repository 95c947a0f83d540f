//! The matrix of disconnects: eight phases of a streamed call in which its caller leaves, the rules that a provider can have, and
//! whether the provider reports usage, reports zeros, or reports nothing. What is charged has to be what the rule says, to the
//! nano-dollar; and the record has to hold the evidence.
//!
//! - What is known to the provider's last word is charged as reported, zeros too. What is not is an estimate of the prompt and of
//!   what the caller had got by then, by the tokenizer that the gateway names.
//! - A caller who leaves before the request is at a provider pays nothing, and no provider is called.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::{Value, json};
use testkit::upstream::{Phase as Exchange, chunk_body};
use testkit::{Actor, FakeUpstream, Gate, Lab, Script, TestApp, Tokens, ask_stream};
use types::Money;
use wire::call::{Call, PathSays};
use wire::hub::Dialect;
use wire::tally;

use crate::amount;

/// What the provider reports.
const REPORTED: Tokens = Tokens { prompt: 21, completion: 34, cached: 0, reasoning: 0 };
/// Nano-dollars per token, in and out: $1 and $2 per million.
const PRICES: (i64, i64) = (1_000, 2_000);
/// What the model says.
const WORDS: [&str; 12] = [
    "alpha", " bravo", " delta", " hotel", " india", " julia", " lemon", " metro", " ocean", " piano",
    " river", " tango",
];
/// After how many words somebody leaves in the middle.
const HALF: usize = 5;
/// How far `drain_capped` reads here, tokens of four bytes: fewer than what comes after the middle.
const CAP_TOKENS: u64 = 6;
/// Shows a caller that all before it has been taken in.
const MARK: &str = ": all of it";
/// Trials at once.
const AT_ONCE: usize = 25;

/// When the caller leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each says it")]
pub enum Phase {
    BeforeSend,
    BeforeHeaders,
    BeforeFirstToken,
    AfterFirstToken,
    MidStream,
    BeforeUsage,
    AfterUsage,
    AfterEnd,
}

/// What the provider's rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the rule of the same name")]
pub enum Rule {
    Cancel,
    Drain,
    DrainCapped,
}

/// What the provider says was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each says it")]
pub enum Report {
    Present,
    Zero,
    Absent,
}

const PHASES: [Phase; 8] = [
    Phase::BeforeSend,
    Phase::BeforeHeaders,
    Phase::BeforeFirstToken,
    Phase::AfterFirstToken,
    Phase::MidStream,
    Phase::BeforeUsage,
    Phase::AfterUsage,
    Phase::AfterEnd,
];
const RULES: [Rule; 3] = [Rule::Cancel, Rule::Drain, Rule::DrainCapped];
const REPORTS: [Report; 3] = [Report::Present, Report::Zero, Report::Absent];

impl Rule {
    fn name(self) -> &'static str {
        match self {
            Rule::Cancel => "cancel",
            Rule::Drain => "drain",
            Rule::DrainCapped => "drain_capped",
        }
    }

    /// The provider of the kit that has it.
    fn provider(self) -> &'static str {
        match self {
            Rule::Cancel => "cancels",
            Rule::Drain => "drains",
            Rule::DrainCapped => "caps",
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
struct Cell {
    phase: Phase,
    rule: Rule,
    report: Report,
}

impl Cell {
    /// How many words the caller has when it leaves.
    fn heard(self) -> usize {
        match self.phase {
            Phase::BeforeSend | Phase::BeforeHeaders | Phase::BeforeFirstToken => 0,
            Phase::AfterFirstToken => 1,
            Phase::MidStream => HALF,
            Phase::BeforeUsage | Phase::AfterUsage | Phase::AfterEnd => WORDS.len(),
        }
    }

    /// Reading on ends at the cap.
    fn is_capped(self) -> bool {
        self.rule == Rule::DrainCapped && self.phase < Phase::BeforeUsage && self.phase != Phase::BeforeSend
    }

    /// The gateway has read the provider to its last word.
    fn knows_all(self) -> bool {
        match self.phase {
            Phase::BeforeSend => false,
            Phase::AfterUsage | Phase::AfterEnd => true,
            _ => self.rule != Rule::Cancel && !self.is_capped(),
        }
    }

    /// What it has to cost.
    fn charge(self) -> Money {
        if self.phase == Phase::BeforeSend {
            return Money::ZERO;
        }
        let tokens = match (self.knows_all(), self.report) {
            (true, Report::Present) => (REPORTED.prompt, REPORTED.completion),
            (true, Report::Zero) => (0, 0),
            _ => (prompt_tokens(&self.body()), self.heard_tokens()),
        };
        Money::from_nanos(tokens.0 as i64 * PRICES.0 + tokens.1 as i64 * PRICES.1)
    }

    fn heard_tokens(self) -> u64 {
        match self.heard() {
            0 => 0,
            heard => tally::count(&WORDS.iter().take(heard).copied().collect::<String>()),
        }
    }

    /// The model that is asked. Before it is sent, it stays with a provider that never greets.
    fn body(self) -> Value {
        let far = if self.phase == Phase::BeforeSend { "-far" } else { "" };
        ask_stream(&format!("{}{far}/tiny", self.rule.provider()))
    }

    /// What the provider does; it stops at the gate.
    fn script(self, gate: &Gate) -> Script {
        let word = |script: Script, word: &&str| script.event(&chunk_body(json!({ "content": word }), None));
        let role = chunk_body(json!({ "role": "assistant", "content": "" }), None);
        let (first, rest) = WORDS.split_at(self.heard());
        let mut script = Script::new();
        if self.phase == Phase::BeforeHeaders {
            script = script.wait_for(gate);
        }
        let headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
        script = script.head(200, &headers);
        if self.phase == Phase::BeforeFirstToken {
            script = script.wait_for(gate);
        }
        script = first.iter().fold(script.event(&role), word);
        if matches!(self.phase, Phase::AfterFirstToken | Phase::MidStream | Phase::BeforeUsage) {
            script = script.chunk(format!("{MARK}\n\n")).wait_for(gate);
        }
        script = rest.iter().fold(script, word);
        if self.is_capped() {
            return script.hang();
        }
        script = script.event(&chunk_body(json!({}), Some("stop")));
        script = match self.report {
            Report::Present => script.event(&usage(REPORTED)),
            Report::Zero => script.event(&usage(Tokens::new(0, 0))),
            Report::Absent => script,
        };
        if self.phase == Phase::AfterUsage {
            script = script.chunk(format!("{MARK}\n\n")).wait_for(gate);
        }
        script.done()
    }
}

fn usage(tokens: Tokens) -> Value {
    json!({ "id": "chatcmpl-lab", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "tiny",
        "choices": [], "usage": tokens.json() })
}

/// What the gateway counts a request as where nobody reports it.
#[expect(clippy::expect_used, reason = "a test kit fails by panicking")]
fn prompt_tokens(body: &Value) -> u64 {
    let bytes = Bytes::from(body.to_string());
    let says = PathSays { model: None, stream: false, memory: None };
    let call = Call::scan(Dialect::Chat, &bytes, &says).expect("a request of the kit");
    tally::Request::of(&bytes, call.asked()).tokens()
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Calls made.
    pub trials: usize,
    /// Cells of the matrix.
    pub cells: usize,
    /// What is not as the rule says.
    pub problems: Vec<String>,
}

/// The kit: three providers, each with a twin whose connection never comes about.
struct Kit {
    upstream: FakeUpstream,
    app: TestApp,
    owner: Actor,
    /// Connections to the twins.
    knocked: Arc<AtomicUsize>,
}

/// Goes through the matrix, `count` calls in each cell. `progress` hears of each cell.
pub async fn run(count: usize, mut progress: impl FnMut(&str)) -> Outcome {
    let kit = Kit::start().await;
    let mut outcome = Outcome::default();
    for phase in PHASES {
        for rule in RULES {
            for report in REPORTS {
                let cell = Cell { phase, rule, report };
                let mut left = count;
                while left > 0 {
                    let now = left.min(AT_ONCE);
                    outcome.problems.extend(kit.batch(cell, now).await);
                    outcome.trials += now;
                    left -= now;
                }
                outcome.cells += 1;
                progress(&format!("{cell:?}"));
            }
        }
    }
    let verified = kit.app.cli(&["ledger", "verify"]).await;
    if verified.get("ok") == Some(&json!(false)) {
        outcome.problems.push(format!("the ledger doesn't verify: {verified}"));
    }
    outcome
}

impl Kit {
    async fn start() -> Kit {
        let upstream = FakeUpstream::start();
        let knocked = Arc::new(AtomicUsize::new(0));
        let far = silent(&knocked);
        let mut builder = TestApp::builder()
            .set("upstream.drain_tokens_max", &CAP_TOKENS.to_string())
            .set("journal.fold_interval_ms", "5");
        for rule in RULES {
            let (slug, named) = (rule.provider(), format!("\"{}\"", rule.name()));
            let twin = format!("{slug}-far");
            let near = Lab::at(slug, &upstream).model(&format!("{slug}/tiny"), "1", "2");
            let far = Lab::at_url(&twin, &far).model(&format!("{twin}/tiny"), "1", "2");
            builder = builder.lab(near.set("on_disconnect", &named)).lab(far.set("on_disconnect", &named));
        }
        let app = builder.start().await;
        let owner = app.owner();
        Kit { upstream, app, owner, knocked }
    }

    /// Callers of one cell, all at once.
    async fn batch(&self, cell: Cell, count: usize) -> Vec<String> {
        let before = used(&self.owner).await;
        let (asked, knocked) = (self.upstream.request_count(), self.knocked.load(Ordering::Relaxed));
        let gate = Gate::new();
        self.upstream.always(cell.script(&gate));
        let ids = match cell.phase {
            Phase::BeforeSend | Phase::BeforeHeaders | Phase::BeforeFirstToken => {
                let mut lines = Vec::new();
                for _ in 0..count {
                    lines.push(self.owner.chat_request(&cell.body()).send_only().await);
                }
                if cell.phase == Phase::BeforeSend {
                    testkit::eventually("the connections", || async {
                        (self.knocked.load(Ordering::Relaxed) >= knocked + count).then_some(())
                    })
                    .await;
                } else {
                    drop(self.upstream.request(asked + count - 1).await);
                }
                drop(lines);
                Vec::new()
            }
            _ => self.listen(cell, count).await,
        };
        self.end(cell, count, asked, &gate).await;
        let mut problems = self.records(cell, &ids).await;
        let charged = used(&self.owner).await.saturating_sub(before);
        let due: Money = (0..count).map(|_| cell.charge()).sum();
        if charged != due {
            problems.push(format!("{cell:?} x {count}: charged {charged}, due {due}"));
        }
        if cell.phase == Phase::BeforeSend && self.upstream.request_count() != asked {
            problems.push(format!("{cell:?}: a provider was called for who had left"));
        }
        problems
    }

    /// Reads as far as the phase says, leaves, and gives the ids.
    async fn listen(&self, cell: Cell, count: usize) -> Vec<String> {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..count {
            let (owner, body) = (self.owner.clone(), cell.body());
            callers.spawn(async move {
                let mut answer = owner.chat_request(&body).open().await;
                let id = answer.header("x-generation-id").unwrap_or_default().to_owned();
                let until = if cell.phase == Phase::AfterEnd { "data: [DONE]" } else { MARK };
                let mut heard = String::new();
                let reading = async {
                    while !heard.contains(until) {
                        let Ok(Some(piece)) = answer.piece().await else { break };
                        heard.push_str(&String::from_utf8_lossy(&piece));
                    }
                };
                testkit::within("what was said so far", reading).await;
                id
            });
        }
        callers.join_all().await
    }

    /// Lets the provider go on once the gateway knows that the callers are gone, and waits until all is booked.
    async fn end(&self, cell: Cell, count: usize, asked: usize, gate: &Gate) {
        let at_provider = !matches!(cell.phase, Phase::BeforeSend | Phase::AfterEnd);
        if at_provider && cell.rule != Rule::Cancel {
            let expect = count.to_string();
            testkit::eventually("the gateway to see that the callers are gone", || async {
                (self.app.metric("tollway_reading_on").await.as_ref() == Some(&expect)).then_some(())
            })
            .await;
            gate.open();
        }
        if at_provider {
            let left = cell.rule == Rule::Cancel || cell.is_capped();
            let expect = if left { Exchange::CallerLeft } else { Exchange::Played };
            for number in asked..asked + count {
                let over = self.upstream.request(number).await.over().await;
                assert_eq!(over, expect, "{cell:?}");
            }
        }
        testkit::eventually("nothing to be read on", || async {
            (self.app.metric("tollway_reading_on").await.as_deref() == Some("0")).then_some(())
        })
        .await;
        self.app.settled().await;
    }

    /// Whether the records of the calls say what happened.
    async fn records(&self, cell: Cell, ids: &[String]) -> Vec<String> {
        let mut problems = Vec::new();
        for id in ids {
            let record = self.owner.generation(id).await;
            let at = |pointer: &str| record.pointer(pointer).cloned().unwrap_or_default();
            let mut expect = |what: &str, is: Value, should: Value| {
                if is != should {
                    problems.push(format!("{cell:?} {id}: {what} is {is}, not {should}"));
                }
            };
            let cost = amount::text_field(&record, "total_cost").map(|cost| cost.to_string());
            expect("total_cost", json!(cost), json!(Some(cell.charge().to_string())));
            let whole = cell.phase == Phase::AfterEnd;
            expect("status", at("/status"), json!(if whole { "ok" } else { "cancelled" }));
            let reported = cell.knows_all() && cell.report != Report::Absent;
            expect(
                "usage_source",
                at("/usage_source"),
                json!(if reported { "provider" } else { "estimated" }),
            );
            if whole {
                expect("on_disconnect", at("/on_disconnect"), Value::Null);
                continue;
            }
            expect("rule", at("/on_disconnect/rule"), json!(cell.rule.name()));
            expect("usage_arrived", at("/on_disconnect/usage_arrived"), json!(reported));
            expect("delivered_tokens", at("/on_disconnect/delivered_tokens"), json!(cell.heard_tokens()));
            let read_to = match cell.rule {
                Rule::Cancel => Value::Null,
                _ if cell.is_capped() => json!("tokens"),
                _ => json!("end"),
            };
            expect("read_to", at("/on_disconnect/read_to"), read_to);
            if at("/on_disconnect/delivered_bytes").as_u64().unwrap_or(0) == 0 {
                problems.push(format!("{cell:?} {id}: bytes were delivered: {record}"));
            }
        }
        problems
    }
}

/// What the owner was charged so far.
async fn used(owner: &Actor) -> Money {
    let credits = owner.get("/v1/credits").await.json();
    credits.get("data").and_then(|data| amount::text_field(data, "metered_usd")).unwrap_or_default()
}

/// An address of a provider that takes connections and never says a word, so that TLS never comes about.
#[expect(clippy::expect_used, reason = "a test kit fails by panicking")]
fn silent(knocked: &Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind the loopback");
    let address = listener.local_addr().expect("a local address");
    let knocked = Arc::clone(knocked);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            knocked.fetch_add(1, Ordering::Relaxed);
            held.push(stream);
        }
    });
    format!("https://{address}/v1")
}
