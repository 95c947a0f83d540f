//! What is charged when a caller leaves, and for answers that say nothing. The matrix at full count is `cargo xtask eval disconnects`.

use e2e::{admission, amount, disconnects};
use serde_json::{Value, json};
use testkit::upstream::{Phase, chunk_body};
use testkit::{FakeUpstream, Gate, Lab, Script, TestApp, Tokens, ask};
use types::Money;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_what_the_rule_says_wherever_a_caller_leaves() {
    let outcome = disconnects::run(3, |_| {}).await;
    assert!(outcome.problems.is_empty(), "{:#?}", outcome.problems);
    assert_eq!((outcome.cells, outcome.trials), (72, 216));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_256_callers_exactly_those_are_admitted_whom_the_money_is_for() {
    let report = admission::run(20, None, |_| {}).await;
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
    assert_eq!(report.rounds, 20);
}

async fn draining(upstream: &FakeUpstream, rule: &str, settings: &[(&str, &str)]) -> TestApp {
    let lab =
        Lab::at("lab", upstream).model("lab/tiny", "1", "2").set("on_disconnect", &format!("\"{rule}\""));
    let builder = TestApp::builder().lab(lab);
    settings.iter().fold(builder, |builder, (key, value)| builder.set(key, value)).start().await
}

async fn reading_on(app: &TestApp, count: &str) {
    testkit::eventually("calls to be read on", || async {
        (app.metric("tollway_reading_on").await.as_deref() == Some(count)).then_some(())
    })
    .await;
}

async fn metered(app: &TestApp) -> Option<Money> {
    app.settled().await;
    amount::text_field(&app.owner().get("/v1/credits").await.json()["data"], "metered_usd")
}

#[tokio::test]
async fn a_plain_answer_is_read_on_to_its_usage_and_nothing_else_is_tried() {
    let upstream = FakeUpstream::start();
    let app = draining(&upstream, "drain", &[]).await;
    let gate = Gate::new();
    let body = testkit::upstream::chat_body("hello", Tokens::new(10, 7)).to_string();
    let headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
    upstream.push(Script::new().wait_for(&gate).head(200, &headers).chunk(body).end());
    let line = app.owner().chat_request(&ask("lab/tiny")).send_only().await;
    upstream.request(0).await;
    drop(line);
    reading_on(&app, "1").await;
    gate.open();
    assert_eq!(upstream.request(0).await.over().await, Phase::Played);
    assert_eq!(metered(&app).await, Some(Money::from_nanos(24_000)));

    // A provider that fails meanwhile costs nothing, and nobody else is asked.
    let gate = Gate::new();
    upstream.push(Script::new().wait_for(&gate).raw(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    ));
    let line = app.owner().chat_request(&ask("lab/tiny")).send_only().await;
    upstream.request(1).await;
    drop(line);
    reading_on(&app, "1").await;
    gate.open();
    reading_on(&app, "0").await;
    assert_eq!(metered(&app).await, Some(Money::from_nanos(24_000)));
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn reading_on_ends_in_time_and_by_bytes() {
    let upstream = FakeUpstream::start();
    let long = "x".repeat(10_000);
    let words = |script: Script, text: &str| script.event(&chunk_body(json!({ "content": text }), None));
    let rows = [
        ("drain", ("upstream.drain_ms_max", "150"), "time"),
        ("drain_capped", ("upstream.drain_ms_max", "150"), "time"),
        ("drain_capped", ("upstream.drain_bytes_max", "4096"), "bytes"),
    ];
    for (number, (rule, setting, expect)) in rows.into_iter().enumerate() {
        let app = draining(&upstream, rule, &[setting]).await;
        let gate = Gate::new();
        let mut script = words(Script::words(&[]), "hello").wait_for(&gate);
        if expect == "bytes" {
            script = words(script, &long);
        }
        upstream.push(script.hang());
        let mut body = app.owner().stream("lab/tiny").await;
        let id = body.header("x-generation-id").expect("an id").to_owned();
        let mut heard = String::new();
        while !heard.contains("hello") {
            heard.push_str(&testkit::sse::text(&[body.event().await.expect("a word")]));
        }
        drop(body);
        reading_on(&app, "1").await;
        gate.open();
        assert_eq!(upstream.request(number).await.over().await, Phase::CallerLeft);
        let record = app.owner().generation(&id).await;
        let left = &record["on_disconnect"];
        assert_eq!((&left["read_to"], &left["delivered_tokens"]), (&json!(expect), &json!(1)), "{record}");
        assert_eq!(record["usage"]["output"], 1, "what was read after it left is not billed: {record}");
    }
}

#[tokio::test]
async fn an_answer_that_says_nothing_costs_its_caller_nothing() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let owner = app.owner();
    let nothing = Tokens::new(20, 0);
    let cases: [(&str, Script, &str); 5] = [
        ("a stream without a word", Script::chat_stream(&[], nothing), "0"),
        ("a plain answer without a word", Script::chat("", nothing), "0"),
        ("nobody counts, and nothing was said", Script::stream_without_usage(&[]), "0"),
        ("a call of a tool", Script::tool_call("look", "{}", nothing), "0.00002"),
        ("tokens that the provider reports", Script::chat("", Tokens::new(20, 5)), "0.00003"),
    ];
    for (name, script, expect) in cases {
        let streamed = script.body_bytes() > 0 && name.contains("stream") || name.contains("nobody");
        upstream.push(script);
        let body = if streamed { testkit::ask_stream("lab/tiny") } else { ask("lab/tiny") };
        let reply = owner.chat_request(&body).send().await.expect(200);
        let record = owner.generation(&reply.generation_id()).await;
        assert_eq!(record["total_cost"], expect, "{name}: {record}");
        let waived = expect == "0";
        assert_eq!(record["waived"] == "empty_answer", waived, "{name}: {record}");
        if waived {
            let spent = record["attempts"][0]["cost_usd"].as_str().unwrap_or_default();
            assert_ne!(spent, "0", "{name}: the operator's cost is on the record: {record}");
            assert_eq!(record["written_off"].as_str(), Some(spent), "{name}: {record}");
        }
    }
    app.settled().await;
    let verified = app.cli(&["ledger", "verify"]).await;
    assert_ne!(verified["ok"], false, "{verified}");
}

#[tokio::test]
async fn failed_attempts_cost_nothing() {
    let (bad, good) = (FakeUpstream::start(), FakeUpstream::start());
    let lab = |slug, upstream: &FakeUpstream| Lab::at(slug, upstream).model("lab/tiny", "1", "2");
    let app = TestApp::builder().lab(lab("bad", &bad)).lab(lab("good", &good)).start().await;
    let mut body = ask("lab/tiny");
    body["provider"] = json!({ "order": ["bad", "good"] });
    let failures = [
        Script::error(500, "broken", None),
        Script::truncated_json(),
        Script::error_inside_200(),
        Script::reset_before_headers(),
    ];
    for script in failures {
        bad.push(script);
        good.push(Script::chat("hello", Tokens::new(10, 5)));
        let reply = app.owner().chat_request(&body).send().await.expect(200);
        let record = app.owner().generation(&reply.generation_id()).await;
        assert_eq!(record["total_cost"], "0.00002", "{record}");
        let attempts = record["attempts"].as_array().cloned().unwrap_or_default();
        let costs: Vec<&Value> = attempts.iter().map(|attempt| &attempt["cost_usd"]).collect();
        assert_eq!(costs, [&json!("0"), &json!("0.00002")], "{record}");
        // So that its breaker doesn't keep it out of the next round.
        good.always(Script::chat("hello", Tokens::new(10, 5)));
    }
    let before = metered(&app).await;
    bad.always(Script::error(400, "no", None));
    good.always(Script::error(400, "no", None));
    let refused = app.owner().chat_request(&body).send().await;
    assert!(refused.status >= 400, "{}", refused.text());
    assert_eq!(metered(&app).await, before, "who gets nothing pays nothing");
}
