//! Money under pressure: balances, spend limits, expiry and revocation hold while many call at once.

use std::collections::BTreeMap;

use e2e::amount;
use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Reply, Script, TestApp, Tokens, ask, ask_stream};
use types::Money;

/// Ten tokens of output at $1,000 per million: one cent each call, and its input is free.
const OUTPUT_TOKENS: u64 = 10;

async fn cent_app(upstream: &FakeUpstream, prepaid: bool) -> TestApp {
    upstream.answer_with(|request| {
        let tokens = Tokens::new(20, OUTPUT_TOKENS);
        if request.wants_stream() {
            Script::chat_stream(&["a", "b"], tokens)
        } else {
            Script::chat("ab", tokens)
        }
    });
    let builder = TestApp::builder().lab(Lab::at("lab", upstream).model("lab/cent", "0", "1000"));
    if prepaid { builder.prepaid().start().await } else { builder.start().await }
}

fn cent(stream: bool) -> Value {
    let mut body = if stream { ask_stream("lab/cent") } else { ask("lab/cent") };
    body["max_tokens"] = json!(OUTPUT_TOKENS);
    body
}

/// Sends `count` calls at once, every second one streamed, and counts the answers by status.
async fn at_once(caller: &Actor, count: usize) -> (BTreeMap<u16, usize>, Vec<Reply>) {
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..count {
        let request = caller.chat_request(&cent(number % 2 == 1));
        calls.spawn(request.send());
    }
    let replies = calls.join_all().await;
    let mut counts = BTreeMap::new();
    for reply in &replies {
        *counts.entry(reply.status).or_default() += 1;
    }
    (counts, replies)
}

/// Every refusal is a 402 that says what is left, as an amount.
fn assert_refusals_explain(replies: &[Reply]) {
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["code"]), (402, &json!(402)), "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains('$') || message.contains("USD"), "what is left is said: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_affordable_calls_pass_on_a_balance() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, true).await;
    app.cli(&["credits", "grant", "0.37"]).await;
    let owner = app.owner();
    let (first, rest) = (37, 500 - 37);
    let granted = testkit::eventually("the grant to be seen", || async {
        (credits(&owner).await.0 > Money::ZERO).then_some(())
    });
    granted.await;
    let (counts, replies) = at_once(&owner, 500).await;
    assert_eq!(counts, BTreeMap::from([(200, first), (402, rest)]));
    assert_refusals_explain(&replies);
    assert_eq!(upstream.request_count(), first, "a refusal calls nobody");
    app.settled().await;
    let (total, used) = credits(&owner).await;
    assert_eq!((total, used), (Money::from_nanos(370_000_000), Money::from_nanos(370_000_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_affordable_calls_pass_under_a_spend_limit() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, false).await;
    let (caller, id) = app.new_key(&["--spend-limit", "0.05"]).await;
    let (counts, replies) = at_once(&caller, 100).await;
    assert_eq!(counts, BTreeMap::from([(200, 5), (402, 95)]), "key {id}");
    assert_refusals_explain(&replies);
    app.settled().await;
    let key = caller.get("/v1/key").await.expect(200).json();
    assert_eq!(key["data"]["limit_remaining"].as_f64(), Some(0.0), "{key}");
    app.owner().chat_request(&cent(false)).send().await.expect(200);
}

/// Dollars granted and dollars used, exactly; the numbers of OpenRouter's shape agree with them.
async fn credits(caller: &Actor) -> (Money, Money) {
    let reply = caller.get("/v1/credits").await.expect(200);
    let (text, data) = (reply.text(), &reply.json()["data"]);
    let exact = |name: &str| amount::text_field(data, name).unwrap_or_else(|| panic!("no {name}: {text}"));
    let number = |name: &str| -> Money {
        let (_, rest) =
            text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name}: {text}"));
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        rest[..end].trim().parse().unwrap_or_else(|_| panic!("{name} is no plain decimal: {}", &rest[..end]))
    };
    let (granted, used) = (exact("granted_usd"), exact("used_usd"));
    assert_eq!((number("total_credits"), number("total_usage")), (granted, used), "{text}");
    (granted, used)
}

#[tokio::test]
async fn a_grant_is_seen_while_the_server_runs() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, true).await;
    let refused = app.owner().chat_request(&cent(false)).send().await.expect(402);
    assert_refusals_explain(&[refused]);
    assert_eq!(upstream.request_count(), 0);
    app.cli(&["credits", "grant", "1.00", "--id", "first-top-up"]).await;
    app.cli(&["credits", "grant", "1.00", "--id", "first-top-up"]).await;
    let owner = app.owner();
    testkit::eventually("the grant to count", || async {
        (owner.chat_request(&cent(false)).send().await.status == 200).then_some(())
    })
    .await;
    app.settled().await;
    assert_eq!(credits(&owner).await, (Money::from_usd(1), Money::from_nanos(10_000_000)), "granted once");
}

#[tokio::test]
async fn a_revoked_key_stops_and_an_expired_one_too() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, false).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(10);
    let rows = [("revoked", None), ("expired", Some(soon.to_string()))];
    for (name, expires) in rows {
        let arguments: Vec<&str> = expires.iter().flat_map(|at| ["--expires", at.as_str()]).collect();
        let (caller, id) = app.new_key(&arguments).await;
        if expires.is_none() {
            app.cli(&["keys", "revoke", &id]).await;
        }
        let reply = testkit::eventually(name, || async {
            let reply = caller.chat_request(&cent(false)).send().await;
            (reply.status != 200).then_some(reply)
        })
        .await;
        let error = reply.expect(401).json();
        let message = error["error"]["message"].as_str().unwrap_or_default().to_lowercase();
        assert!(message.contains(name), "it says why: {error}");
    }
}

#[tokio::test]
async fn an_unknown_price_is_refused_and_never_free() {
    let upstream = FakeUpstream::start();
    for prepaid in [false, true] {
        let lab = Lab::at("lab", &upstream).model_without_price("lab/unpriced").model("lab/free", "0", "0");
        let builder = TestApp::builder().lab(lab);
        let app = if prepaid { builder.prepaid().start().await } else { builder.start().await };
        let reply = app.owner().chat("lab/unpriced").await;
        assert!((400..500).contains(&reply.status), "{}", reply.text());
        assert!(reply.text().to_lowercase().contains("price"), "it says why: {}", reply.text());
        assert_eq!(upstream.request_count(), usize::from(prepaid), "nobody is called");
        app.owner().chat("lab/free").await.expect(200);
    }
}

#[tokio::test]
async fn what_could_cost_more_than_the_caller_allows_is_refused() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, false).await;
    let open_ended = ask("lab/cent");
    // A cent with ten tokens of output; $2.048 when the model says all that it may.
    let rows = [
        (cent(false), "0.01", true),
        (cent(false), "0.009999", false),
        (cent(true), "0.005", false),
        (open_ended.clone(), "2.048", true),
        (open_ended, "1.50", false),
    ];
    for (body, allowed, passes) in rows {
        let before = upstream.request_count();
        let reply = app.owner().chat_request(&body).header("x-tollway-max-cost-usd", allowed).send().await;
        assert_eq!(reply.status == 200, passes, "{allowed}: {} {}", reply.status, reply.text());
        assert_eq!(upstream.request_count() - before, usize::from(passes), "{allowed}");
    }
}

#[tokio::test]
async fn management_keys_and_api_keys_keep_apart() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, false).await;
    let (manager, _) = app.new_key(&["--management"]).await;
    let reply = manager.chat_request(&cent(false)).send().await;
    assert!(reply.status == 401 || reply.status == 403, "{}", reply.text());
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn a_stream_ends_honestly_when_the_money_does() {
    let upstream = FakeUpstream::start();
    let app = TestApp::builder()
        .lab(Lab::at("lab", &upstream).model("lab/cent", "0", "1000"))
        .prepaid()
        .start()
        .await;
    app.cli(&["credits", "grant", "2"]).await;
    let owner = app.owner();
    testkit::eventually("the grant", || async { (credits(&owner).await.0 > Money::ZERO).then_some(()) })
        .await;
    let word = "word ".repeat(20);
    let words: Vec<&str> = vec![word.as_str(); 400];
    upstream.push(Script::chat_stream(&words, Tokens::new(10, 8000)));
    let mut body = ask_stream("lab/cent");
    body["max_tokens"] = json!(100_000);
    let reply = owner.chat_request(&body).send().await;
    if reply.status == 200 {
        let events = reply.events();
        assert!(!events.contains(&testkit::sse::Event::Done), "the stream did not end well");
        assert!(reply.text().contains("\"error\""), "and says so");
    } else {
        assert_eq!(reply.status, 402, "{}", reply.text());
    }
    app.settled().await;
    let (total, used) = credits(&owner).await;
    assert!(used <= total, "the balance never goes below zero: {used} of {total}");
}
