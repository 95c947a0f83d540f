//! The race for the last money: so many callers at once for so few calls that the account can pay.
//!
//! Exactly as many as the money is for are admitted, all others are told so at once; when all is over, the balance is not below zero,
//! and at least 99 % of the money was of use.

use serde_json::json;
use testkit::{FakeUpstream, Gate, Lab, Script, TestApp, Tokens, ask};
use types::Money;

use crate::amount;

/// Callers at once.
pub const CALLERS: usize = 256;
/// Tokens of each answer, at $1,000 per million: one cent each.
const OUTPUT_TOKENS: u64 = 10;
const CENT: Money = Money::from_nanos(10_000_000);
/// What is added to the money of each round: less than a call, and less than a hundredth of the money.
const SPARE: Money = Money::from_nanos(9_999);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Rounds.
    pub rounds: usize,
    /// Calls admitted in all.
    pub admitted: usize,
    /// What breaks a rule.
    pub problems: Vec<String>,
}

/// Runs the rounds on one database: `None`, SQLite in the app's folder, else where it is. `progress` hears the number of each.
pub async fn run(rounds: usize, store_url: Option<&str>, mut progress: impl FnMut(usize)) -> Report {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/cent", "0", "1000");
    let mut builder = TestApp::builder().prepaid().lab(lab).set("limits.hold_wait_ms_max", "0");
    builder = builder.set("journal.fold_interval_ms", "5");
    if let Some(url) = store_url {
        builder = builder.set("store.url", &format!("{url:?}"));
    }
    let app = builder.start().await;
    let mut report = Report::default();
    let mut random = 1;
    for round in 1..=rounds {
        random = crate::chaos::scramble(random);
        let affordable = 1 + (random % 200) as usize;
        let problem = one(&upstream, &app, affordable, &mut report).await.err();
        report
            .problems
            .extend(problem.map(|problem| format!("round {round}, {affordable} calls: {problem}")));
        report.rounds = round;
        progress(round);
    }
    let verified = app.cli(&["ledger", "verify"]).await;
    if verified.get("ok") == Some(&json!(false)) {
        report.problems.push(format!("the ledger doesn't verify: {verified}"));
    }
    report
}

async fn one(
    upstream: &FakeUpstream,
    app: &TestApp,
    affordable: usize,
    report: &mut Report,
) -> Result<(), String> {
    let owner = app.owner();
    let left = balance(&owner).await;
    let money = (0..affordable).map(|_| CENT).sum::<Money>().saturating_add(SPARE);
    app.cli(&["credits", "grant", &money.saturating_sub(left).to_string()]).await;
    testkit::eventually("the grant to be seen", || async { (balance(&owner).await == money).then_some(()) })
        .await;

    // Nobody is answered, and nothing settled, before everybody was let in or refused.
    let gate = Gate::new();
    let headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
    let body = testkit::upstream::chat_body("ab", Tokens::new(20, OUTPUT_TOKENS)).to_string();
    upstream.always(Script::new().wait_for(&gate).head(200, &headers).chunk(body).end());
    let before = upstream.request_count();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (owner, mut body) = (owner.clone(), ask("lab/cent"));
        if let Some(fields) = body.as_object_mut() {
            fields.insert("max_tokens".to_owned(), json!(OUTPUT_TOKENS));
        }
        callers.spawn(async move { owner.chat_request(&body).send().await });
    }
    let (mut refused, mut admitted) = (0, 0);
    while refused < CALLERS - affordable {
        match callers.join_next().await {
            Some(Ok(reply)) if reply.status == 402 => refused += 1,
            Some(Ok(reply)) => {
                return Err(format!("{} while the gate is shut: {}", reply.status, reply.text()));
            }
            _ => return Err(format!("only {refused} were refused")),
        }
    }
    drop(upstream.request(before + affordable - 1).await);
    gate.open();
    while let Some(reply) = callers.join_next().await {
        match reply {
            Ok(reply) if reply.status == 200 => admitted += 1,
            Ok(reply) => return Err(format!("{}: {}", reply.status, reply.text())),
            Err(error) => return Err(error.to_string()),
        }
    }
    app.settled().await;
    report.admitted += admitted;
    let rest = balance(&owner).await;
    match admitted == affordable && upstream.request_count() == before + affordable && rest == SPARE {
        true => Ok(()),
        false => Err(format!("{admitted} admitted, {} sent, {rest} left", upstream.request_count() - before)),
    }
}

async fn balance(owner: &testkit::Actor) -> Money {
    let credits = owner.get("/v1/credits").await.json();
    credits.get("data").and_then(|data| amount::text_field(data, "balance_usd")).unwrap_or_default()
}
