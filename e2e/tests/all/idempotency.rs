//! `Idempotency-Key`: one upstream call, one charge, the same answer; whatever happens in between.

use e2e::amount;
use serde_json::{Value, json};
use testkit::upstream::Phase;
use testkit::{Actor, FakeUpstream, Gate, Lab, Reply, Request, Script, TestApp, Tokens, ask, ask_stream};
use types::Money;

fn keyed(caller: &Actor, path: &str, key: &str, body: &Value) -> Request {
    caller.request("POST", path).json(body).header("idempotency-key", key)
}

async fn chat(caller: &Actor, key: &str, body: &Value) -> Reply {
    keyed(caller, "/v1/chat/completions", key, body).send().await
}

fn is_again(reply: &Reply) -> bool {
    reply.header("idempotency-replayed") == Some("true")
}

/// What an answer is, apart from what the connection adds.
fn face(reply: &Reply) -> (u16, String, Vec<(String, String)>, Vec<u8>) {
    let own = ["content-length", "transfer-encoding", "connection", "date", "idempotency-replayed"];
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| !own.contains(&name.as_str()));
    headers.sort();
    (reply.status, reply.generation_id(), headers, reply.body.clone())
}

async fn metered(app: &TestApp) -> Option<Money> {
    app.settled().await;
    amount::text_field(&app.owner().get("/v1/credits").await.json()["data"], "metered_usd")
}

fn kind(reply: &Reply) -> (u16, String) {
    let error = &reply.json()["error"];
    (reply.status, error["type"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_path_gives_the_same_answer_for_one_call_and_one_charge() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let vectors = Lab::at("vec", &upstream).maker("lab/vec", "embeddings", &[("input_usd_per_mtok", "1")]);
    let app = TestApp::builder().lab(lab).lab(vectors).start().await;
    let text = json!([{ "role": "user", "content": "Say hello." }]);
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Say hello." }] }] });
    let embedded = json!({ "object": "list", "data": [{ "object": "embedding", "index": 0, "embedding": [0.5] }],
        "model": "tiny", "usage": { "prompt_tokens": 4, "total_tokens": 4 } });
    let rows = [
        ("/v1/chat/completions", ask("lab/tiny")),
        ("/v1/chat/completions", ask_stream("lab/tiny")),
        ("/v1/completions", json!({ "model": "lab/tiny", "prompt": "Say hello." })),
        ("/v1/responses", json!({ "model": "lab/tiny", "input": "Say hello." })),
        ("/v1/responses", json!({ "model": "lab/tiny", "input": "Say hello.", "stream": true })),
        ("/v1/messages", json!({ "model": "lab/tiny", "max_tokens": 9, "messages": text })),
        ("/v1/messages", json!({ "model": "lab/tiny", "max_tokens": 9, "messages": text, "stream": true })),
        ("/v1beta/models/lab%2Ftiny:generateContent", gemini.clone()),
        ("/v1beta/models/lab%2Ftiny:streamGenerateContent?alt=sse", gemini),
        ("/v1/embeddings", json!({ "model": "lab/vec", "input": "hello" })),
    ];
    for (number, (path, body)) in rows.iter().enumerate() {
        if path.ends_with("embeddings") {
            upstream.push(Script::json(200, &embedded));
        }
        let key = format!("key-{number}");
        let first = keyed(&app.owner(), path, &key, body).send().await.expect(200);
        assert!(first.whole && !is_again(&first), "{path}");
        let charged = metered(&app).await;
        for again in [path.to_string(), format!("/api{path}")] {
            let second = keyed(&app.owner(), &again, &key, body).send().await;
            assert!(second.whole && is_again(&second), "{path}: {}", second.text());
            assert_eq!(face(&second), face(&first), "{path}");
        }
        assert_eq!(upstream.request_count(), number + 1, "{path}: one upstream call");
        assert_eq!(metered(&app).await, charged, "{path}: one charge");
    }
    assert_eq!(app.metric("tollway_idempotency_replays_total").await.as_deref(), Some("20"));
    let other = keyed(&app.owner(), "/v1/chat/completions", "another", &rows[0].1).send().await.expect(200);
    assert!(!is_again(&other) && upstream.request_count() == rows.len() + 1);
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let owner = app.owner();
    chat(&owner, "k", &ask("lab/tiny")).await.expect(200);
    let refused = chat(&owner, "k", &ask_stream("lab/tiny")).await;
    assert_eq!(kind(&refused), (422, "idempotency_mismatch".to_owned()));
    let refused = keyed(&owner, "/v1/completions", "k", &ask("lab/tiny")).send().await;
    assert_eq!(kind(&refused), (422, "idempotency_mismatch".to_owned()));
    // Anthropic's clients read it in their own envelope.
    let refused = keyed(&owner, "/v1/messages", "k", &ask("lab/tiny")).send().await;
    assert_eq!((refused.status, &refused.json()["type"]), (422, &json!("error")));
    for bad in ["", &"x".repeat(256)] {
        let refused = chat(&owner, bad, &ask("lab/tiny")).await;
        assert_eq!(kind(&refused), (400, "invalid_header".to_owned()), "{bad}");
    }
    let stranger = app.with_key("sk-tw-nobody-knows-this-key");
    assert_eq!(chat(&stranger, "k", &ask("lab/tiny")).await.status, 401);
    assert_eq!(upstream.request_count(), 1);
    // Another key of the same account is the same account.
    let (other, _) = app.new_key(&[]).await;
    assert!(is_again(&chat(&other, "k", &ask("lab/tiny")).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_at_once_are_one_call() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    for (number, body) in [ask("lab/tiny"), ask_stream("lab/tiny")].into_iter().enumerate() {
        let gate = Gate::new();
        let tokens = Tokens::new(12, 3);
        upstream.push(match number {
            0 => {
                let headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
                let whole = testkit::upstream::chat_body("hello", tokens).to_string();
                Script::new().wait_for(&gate).head(200, &headers).chunk(whole).end()
            }
            _ => Script::words(&["hel"]).wait_for(&gate).finish(&["lo"], tokens),
        });
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (owner, body) = (app.owner(), body.clone());
            callers.spawn(async move { chat(&owner, &format!("k{number}"), &body).await });
        }
        upstream.request(number).await;
        gate.open();
        let replies = callers.join_all().await;
        let faces: Vec<_> = replies.iter().map(face).collect();
        assert!(faces.iter().all(|other| *other == faces[0]), "all get the same");
        assert_eq!((faces[0].0, replies.iter().filter(|reply| !is_again(reply)).count()), (200, 1));
        assert_eq!(upstream.request_count(), number + 1);
    }
    assert_eq!(metered(&app).await, Some(Money::from_nanos(2 * 18_000)));
}

#[tokio::test]
async fn who_can_not_wait_is_told_so() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let app = TestApp::builder().lab(lab).set("idempotency.wait_ms_max", "0").start().await;
    let gate = Gate::new();
    upstream.push(Script::words(&["hel"]).wait_for(&gate).finish(&["lo"], Tokens::new(12, 3)));
    let first = keyed(&app.owner(), "/v1/chat/completions", "k", &ask_stream("lab/tiny")).open().await;
    let id = first.header("x-generation-id").map(str::to_owned);
    let second = chat(&app.owner(), "k", &ask_stream("lab/tiny")).await;
    assert_eq!(kind(&second), (409, "idempotency_in_flight".to_owned()));
    assert_eq!(second.header("retry-after"), Some("1"));
    assert_eq!(second.json()["error"]["metadata"]["generation_id"].as_str(), id.as_deref());
    gate.open();
    let whole = first.rest().await;
    let third = chat(&app.owner(), "k", &ask_stream("lab/tiny")).await;
    assert!(is_again(&third) && third.body == whole.body);
}

#[tokio::test]
async fn what_failed_and_cost_nothing_is_made_again_and_what_cost_something_is_kept() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let owner = app.owner();
    upstream.push(Script::error(400, "no", None));
    assert_eq!(chat(&owner, "a", &ask("lab/tiny")).await.status, 400);
    let again = chat(&owner, "a", &ask("lab/tiny")).await.expect(200);
    assert!(!is_again(&again) && upstream.request_count() == 2);
    assert_eq!(chat(&owner, "b", &ask("nobody/knows")).await.status, 404);
    assert_eq!(chat(&owner, "b", &ask("nobody/knows")).await.status, 404);

    upstream.push(Script::reset_mid_stream(&["some", " words"]));
    let broken = chat(&owner, "c", &ask_stream("lab/tiny")).await.expect(200);
    assert!(
        broken.text().contains("stream_broken") && !broken.text().contains("[DONE]"),
        "{}",
        broken.text()
    );
    let again = chat(&owner, "c", &ask_stream("lab/tiny")).await;
    assert!(is_again(&again) && again.body == broken.body, "delivered words were paid: {}", again.text());
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn a_call_whose_caller_leaves_is_there_for_the_next_one() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let owner = app.owner();
    for (number, mid_stream) in [true, false].into_iter().enumerate() {
        let key = format!("k{number}");
        let gate = Gate::new();
        let body = ask_stream("lab/tiny");
        if mid_stream {
            upstream.push(Script::words(&["hel"]).wait_for(&gate).finish(&["lo"], Tokens::new(12, 3)));
            let mut first = keyed(&owner, "/v1/chat/completions", &key, &body).open().await;
            first.event().await.expect("a first word");
            drop(first);
        } else {
            let role = testkit::upstream::chunk_body(json!({ "content": "hel" }), None);
            let headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
            upstream.push(
                Script::new()
                    .wait_for(&gate)
                    .head(200, &headers)
                    .event(&role)
                    .finish(&["lo"], Tokens::new(12, 3)),
            );
            let line = keyed(&owner, "/v1/chat/completions", &key, &body).send_only().await;
            upstream.request(number).await;
            drop(line);
        }
        testkit::eventually("the call to go on", || async {
            (app.metric("tollway_reading_on").await.as_deref() == Some("1")).then_some(())
        })
        .await;
        // The next one comes while it still is under way.
        let waiting = tokio::spawn({
            let (owner, body, key) = (owner.clone(), body.clone(), key.clone());
            async move { chat(&owner, &key, &body).await }
        });
        gate.open();
        let second = testkit::within("the answer", waiting).await.expect("no panic");
        assert!(is_again(&second) && second.status == 200, "{}", second.text());
        assert_eq!(testkit::sse::text(&second.events()), "hello");
        assert_eq!(upstream.request(number).await.over().await, Phase::Played);
        let record = owner.generation(&second.generation_id()).await;
        assert_eq!(
            (&record["status"], &record["total_cost"]),
            (&json!("ok"), &json!("0.000018")),
            "{record}"
        );
        assert_eq!(record["on_disconnect"]["rule"], "keep", "{record}");
    }
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn who_leaves_before_a_provider_was_reached_leaves_nothing_behind() {
    // It takes connections and never greets, so that the request never leaves.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind the loopback");
    let address = silent.local_addr().expect("an address");
    let lab = Lab::at_url("lab", &format!("https://{address}/v1")).model("lab/tiny", "1", "2");
    let app = TestApp::builder().lab(lab.set("timeout_connect_ms", "2000")).start().await;
    let line = keyed(&app.owner(), "/v1/chat/completions", "k", &ask("lab/tiny")).send_only().await;
    let _held = testkit::within("a connection", silent.accept()).await.expect("accept");
    drop(line);
    app.settled().await;
    assert_eq!(app.metric("tollway_reading_on").await.as_deref(), Some("0"));
    let again = chat(&app.owner(), "k", &ask("lab/tiny")).await;
    assert_eq!(kind(&again), (504, "provider_timeout".to_owned()), "it is tried again, and not unknown");
    assert_eq!(metered(&app).await, Some(Money::ZERO));
}

#[tokio::test]
async fn an_answer_too_large_to_keep_is_said_and_never_made_twice() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let mut app = TestApp::builder().lab(lab).set("idempotency.answer_bytes_max", "\"2 KiB\"").start().await;
    let long = "word ".repeat(2_000);
    upstream.always(Script::chat(&long, Tokens::new(12, 2_000)));
    let plain = chat(&app.owner(), "a", &ask("lab/tiny")).await.expect(200);
    upstream.always(Script::chat_stream(&[&long, "end"], Tokens::new(12, 2_000)));
    let stream = chat(&app.owner(), "b", &ask_stream("lab/tiny")).await.expect(200);
    assert!(plain.text().contains(&long) && stream.text().contains("[DONE]"), "the first has it whole");
    for restarted in [false, true] {
        if restarted {
            app.settled().await;
            app.restart().await;
        }
        for (key, body, id) in [
            ("a", ask("lab/tiny"), plain.generation_id()),
            ("b", ask_stream("lab/tiny"), stream.generation_id()),
        ] {
            let refused = chat(&app.owner(), key, &body).await;
            assert_eq!(kind(&refused), (409, "answer_not_kept".to_owned()));
            assert_eq!(refused.json()["error"]["metadata"]["generation_id"], id);
            assert_eq!(refused.generation_id(), id);
            assert_eq!(refused.header("x-should-retry"), Some("false"));
        }
    }
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn answers_and_lost_calls_are_remembered_over_a_crash() {
    let upstream = FakeUpstream::start();
    let mut app = TestApp::with(&upstream).await;
    let stream = chat(&app.owner(), "whole", &ask_stream("lab/tiny")).await.expect(200);
    upstream.push(Script::hang_mid_stream(&["some"]));
    let mut half = keyed(&app.owner(), "/v1/chat/completions", "half", &ask_stream("lab/tiny")).open().await;
    half.event().await.expect("a word");
    let lost = half.header("x-generation-id").expect("an id").to_owned();
    app.kill9();
    drop(half);
    app.restart().await;
    let again = chat(&app.owner(), "whole", &ask_stream("lab/tiny")).await;
    assert!(is_again(&again) && face(&again) == face(&stream));
    let unknown = chat(&app.owner(), "half", &ask_stream("lab/tiny")).await;
    assert_eq!(kind(&unknown), (409, "outcome_unknown".to_owned()));
    assert_eq!(unknown.json()["error"]["metadata"]["generation_id"], lost);
    let mismatch = chat(&app.owner(), "half", &ask("lab/tiny")).await;
    assert_eq!(mismatch.status, 422);
    assert_eq!(upstream.request_count(), 2, "never a second call");
}

#[tokio::test]
async fn a_server_that_stops_ends_the_calls_that_are_owed() {
    let upstream = FakeUpstream::start();
    let mut app = TestApp::with(&upstream).await;
    let gate = Gate::new();
    upstream.push(Script::words(&["hel"]).wait_for(&gate).finish(&["lo"], Tokens::new(12, 3)));
    let mut first = keyed(&app.owner(), "/v1/chat/completions", "k", &ask_stream("lab/tiny")).open().await;
    first.event().await.expect("a first word");
    drop(first);
    testkit::eventually("the call to go on", || async {
        (app.metric("tollway_reading_on").await.as_deref() == Some("1")).then_some(())
    })
    .await;
    app.sigterm();
    gate.open();
    assert!(app.exited().await.success());
    app.restart().await;
    let again = chat(&app.owner(), "k", &ask_stream("lab/tiny")).await;
    assert!(is_again(&again) && testkit::sse::text(&again.events()) == "hello", "{}", again.text());
}
