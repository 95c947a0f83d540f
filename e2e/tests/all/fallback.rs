//! Providers that fail: before the first byte the next endpoint answers, after it nobody else does.

use serde_json::json;
use testkit::sse::{self, Event};
use testkit::upstream::refused_addr;
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask, ask_stream};

/// Two endpoints for each of `models`; that of `near` is cheaper, so it is tried first.
async fn two_labs(near: &FakeUpstream, far: &FakeUpstream, models: &[String]) -> TestApp {
    let near = Lab::at("near", near).set("timeout_first_byte_ms", "400").set("timeout_stall_ms", "400");
    let far = Lab::at("far", far);
    let (near, far) = models
        .iter()
        .fold((near, far), |(near, far), id| (near.model(id, "1", "1"), far.model(id, "1000", "1000")));
    TestApp::builder().lab(near).lab(far).start().await
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("lab/tiny-{number}")).collect()
}

#[tokio::test]
async fn before_the_first_byte_the_next_endpoint_answers() {
    let rows = [
        ("429", false, Script::error(429, "slow down", Some(30))),
        ("429 without a time", true, Script::error(429, "slow down", None)),
        ("500", false, Script::error(500, "oops", None)),
        ("502 with HTML", true, Script::html(502)),
        ("503", true, Script::error(503, "overloaded", Some(30))),
        ("529", false, Script::error(529, "overloaded", None)),
        ("our key is dead", false, Script::error(401, "bad key", None)),
        ("our account is empty", false, Script::error(402, "no money", None)),
        ("unknown there", false, Script::error(404, "no such model", None)),
        ("error inside 200", false, Script::error_inside_200()),
        ("error event first", true, Script::error_event_first()),
        ("truncated JSON", false, Script::truncated_json()),
        ("malformed SSE first", true, Script::malformed_sse()),
        ("short body", false, Script::wrong_content_length()),
        ("empty choices", false, Script::empty_choices()),
        ("hang before headers", true, Script::hang_before_headers()),
        ("hang before headers, plain", false, Script::hang_before_headers()),
        ("hang after headers", true, Script::hang_after_headers()),
        ("reset", true, Script::reset_before_headers()),
        ("not HTTP", false, Script::not_http()),
        ("half a body", false, Script::hang_mid_body()),
    ];
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let names = names(rows.len());
    let app = two_labs(&near, &far, &names).await;
    for ((name, streamed, script), model) in rows.into_iter().zip(&names) {
        // The near one may be tried again before it is left: it fails each time.
        near.always(script);
        let body = if streamed { ask_stream(model) } else { ask(model) };
        let (asked, answered) = (near.request_count(), far.request_count());
        let reply = app.owner().chat_request(&body).send().await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert!(near.request_count() > asked, "{name}: the cheaper one is tried first");
        assert_eq!(far.request_count(), answered + 1, "{name}");
        assert!(reply.header("x-tollway-endpoint").is_some_and(|e| e.starts_with("far/")), "{name}");
        let chain = reply.header("x-tollway-fallback-chain").unwrap_or_default();
        assert!(chain.contains("near/") && chain.contains("far/"), "{name}: {chain}");
        assert!(reply.header("x-tollway-fallback-reason").is_some(), "{name}");
        let record = app.owner().generation(&reply.generation_id()).await;
        let attempts = record["attempts"].as_array().expect("attempts");
        assert!(attempts.len() >= 2, "{name}: {record}");
        assert_eq!(attempts[0]["cost_usd"], "0", "{name}: a failed attempt costs the caller nothing");
    }
}

/// A provider of three keys that refuses one and finds one busy.
async fn three_keys(upstream: &FakeUpstream) -> TestApp {
    upstream.answer_with(|request| match request.header("authorization") {
        Some("Bearer dead") => Script::error(401, "this key was revoked", None),
        Some("Bearer busy") => Script::error(429, "slow down", Some(60)),
        _ => Script::chat("hello", Tokens::new(3, 1)),
    });
    let lab = Lab::at("lab", upstream).without_key().set("api_keys", "[\"dead\", \"busy\", \"good\"]");
    TestApp::builder().lab(lab.model("lab/tiny", "1", "1")).start().await
}

#[tokio::test]
async fn a_key_that_is_refused_or_busy_leaves_its_calls_to_its_siblings() {
    let upstream = FakeUpstream::start();
    let app = three_keys(&upstream).await;
    for _ in 0..20 {
        app.owner().chat("lab/tiny").await.expect(200);
    }
    let sent: Vec<String> =
        upstream.requests().iter().filter_map(|r| r.header("authorization").map(str::to_owned)).collect();
    // Workers share the keys; a call that was under way when a key was first refused may have met the same.
    let count = |key: &str| sent.iter().filter(|sent| sent.ends_with(key)).count();
    assert_eq!((count("dead"), count("busy"), count("good")), (1, 1, 20), "{sent:?}");
    let log = app.log();
    assert!(!log.contains("dead") && !log.contains("Bearer"), "keys stay out of the log: {log}");
}

#[tokio::test]
async fn the_record_tells_each_key_that_was_tried() {
    let upstream = FakeUpstream::start();
    let app = three_keys(&upstream).await;
    let reply = app.owner().chat("lab/tiny").await.expect(200);
    let record = app.owner().generation(&reply.generation_id()).await;
    let statuses: Vec<_> =
        record["attempts"].as_array().unwrap().iter().map(|a| a["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(401), Some(429), Some(200)], "{record}");
}

#[tokio::test]
async fn when_every_key_is_dead_the_next_provider_answers() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    near.always(Script::error(401, "this key was revoked", None));
    let lab = Lab::at("near", &near).without_key().set("api_keys", "[\"first\", \"second\"]");
    let app = TestApp::builder()
        .lab(lab.model("lab/tiny", "1", "1"))
        .lab(Lab::at("far", &far).model("lab/tiny", "1000", "1000"))
        .start()
        .await;
    let reply = app.owner().chat("lab/tiny").await.expect(200);
    assert!(reply.header("x-tollway-endpoint").is_some_and(|e| e.starts_with("far/")));
    assert_eq!(near.request_count(), 2, "each key once");
}

#[tokio::test]
async fn a_refused_connection_falls_back_and_alone_is_an_honest_error() {
    let far = FakeUpstream::start();
    let dead = format!("http://{}/v1", refused_addr());
    let near = Lab::at_url("near", &dead).model("lab/both", "1", "1").model("lab/alone", "1", "1");
    let app = TestApp::builder()
        .lab(near)
        .lab(Lab::at("far", &far).model("lab/both", "1000", "1000"))
        .start()
        .await;
    let reply = app.owner().chat("lab/both").await.expect(200);
    assert!(reply.header("x-tollway-endpoint").is_some_and(|e| e.starts_with("far/")));
    let alone = app.owner().chat("lab/alone").await;
    assert!(alone.status == 502 || alone.status == 503, "{}", alone.text());
    assert_eq!(alone.json()["error"]["code"], alone.status);
}

#[tokio::test]
async fn what_the_last_endpoint_says_reaches_the_caller_as_an_error_of_ours() {
    let upstream = FakeUpstream::start();
    let rows = [
        ("a bad request is the caller's", Script::error(400, "messages too odd", None), vec![400]),
        ("a dead key is not the caller's", Script::error(401, "bad key", None), vec![502, 503]),
        ("a limit", Script::error(429, "slow down", Some(30)), vec![429, 503]),
        ("a failure", Script::error(500, "oops", None), vec![502, 503]),
        ("no answer in time", Script::hang_before_headers(), vec![504, 502, 503]),
    ];
    let names = names(rows.len());
    let lab = Lab::at("lab", &upstream).set("timeout_first_byte_ms", "400");
    let lab = names.iter().fold(lab, |lab, id| lab.model(id, "1", "1"));
    let app = TestApp::builder().lab(lab).start().await;
    for ((name, script, allowed), model) in rows.into_iter().zip(&names) {
        upstream.always(script);
        for body in [ask(model), ask_stream(model)] {
            let reply = app.owner().chat_request(&body).send().await;
            assert!(allowed.contains(&reply.status), "{name}: {} {}", reply.status, reply.text());
            let error = &reply.json()["error"];
            assert_eq!(error["code"], reply.status, "{name}");
            assert!(error["type"].is_string() && error["message"].is_string(), "{name}: {error}");
            assert!(!reply.text().contains("sk-lab-secret"), "{name}");
            if reply.status == 429 {
                assert_eq!(reply.header("retry-after"), Some("30"), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_bad_request_is_not_tried_elsewhere() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let names = names(1);
    let app = two_labs(&near, &far, &names).await;
    near.always(Script::error(400, "the temperature is too hot", None));
    let reply = app.owner().chat(&names[0]).await.expect(400);
    assert!(reply.text().contains("too hot"), "the provider's words are kept: {}", reply.text());
    assert_eq!((near.request_count(), far.request_count()), (1, 0));
}

#[tokio::test]
async fn after_the_first_byte_a_dying_stream_ends_with_one_error_and_no_done() {
    let rows = [
        ("reset", Script::reset_mid_stream(&["said", " so far"])),
        ("close", Script::close_mid_stream(&["said", " so far"])),
        ("end without a finish", Script::words(&["said", " so far"]).end()),
        ("stall", Script::hang_mid_stream(&["said", " so far"])),
        ("error event", Script::error_event_mid_stream(&["said", " so far"])),
        ("no JSON", Script::words(&["said", " so far"]).chunk("data: <html>\n\n").end()),
    ];
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let names = names(rows.len());
    let app = two_labs(&near, &far, &names).await;
    for ((name, script), model) in rows.into_iter().zip(&names) {
        near.push(script);
        let reply = app.owner().stream(model).await.rest().await.expect(200);
        let events = reply.events();
        assert_eq!(sse::text(&events), "said so far", "{name}: {}", reply.text());
        assert!(!events.contains(&Event::Done), "{name}: {}", reply.text());
        let errors = events.iter().filter_map(Event::json).filter(|chunk| chunk.get("error").is_some());
        assert_eq!(errors.count(), 1, "{name}: {}", reply.text());
        let last = events.last().and_then(Event::json).expect("a last event");
        assert!(last["error"]["code"].is_u64() && last["error"]["message"].is_string(), "{name}: {last}");
        assert_eq!(far.request_count(), 0, "{name}: nobody else is asked after the first byte");
        let record = app.owner().generation(&reply.generation_id()).await;
        assert_ne!(record["status"], "ok", "{name}: {record}");
    }
}

#[tokio::test]
async fn keep_alives_are_no_progress() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let names = names(1);
    let app = two_labs(&near, &far, &names).await;
    let mut script = Script::words(&["said"]);
    for _ in 0..200 {
        script = script.delay(50).chunk(": still here\n\n");
    }
    near.push(script.hang());
    let reply = app.owner().stream(&names[0]).await.rest().await.expect(200);
    let events = reply.events();
    assert!(!events.contains(&Event::Done), "{}", reply.text());
    assert!(
        events.iter().filter_map(Event::json).any(|chunk| chunk.get("error").is_some()),
        "{}",
        reply.text()
    );
    assert_eq!(near.request(0).await.over().await, testkit::upstream::Phase::CallerLeft);
}

#[tokio::test]
async fn a_breaker_opens_and_closes_again() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let names = names(1);
    let app = two_labs(&near, &far, &names).await;
    near.always(Script::error(500, "oops", None));
    let owner = app.owner();
    let mut body = ask(&names[0]);
    // Without the wish one failure would be enough to come late.
    body["provider"] = json!({"order": ["near"]});
    let body = &body;
    testkit::eventually("an open breaker", || async {
        let before = near.request_count();
        owner.chat_request(body).send().await.expect(200);
        (near.request_count() == before).then_some(())
    })
    .await;
    near.always(Script::chat("well again", Tokens::new(3, 2)));
    testkit::eventually("a probe that closes it", || async {
        let reply = owner.chat_request(body).send().await.expect(200);
        reply.header("x-tollway-endpoint").is_some_and(|e| e.starts_with("near/")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_busy_endpoint_is_asked_again_when_it_is_the_only_one() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    upstream.push(Script::error(429, "slow down", Some(1)));
    let reply = app.owner().chat("lab/tiny").await.expect(200);
    assert_eq!(upstream.request_count(), 2);
    let record = app.owner().generation(&reply.generation_id()).await;
    let starts: Vec<f64> = record["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .filter_map(|a| a["started_ms"].as_f64())
        .collect();
    assert!(starts.len() == 2 && starts[1] >= 1000.0, "not before the time that it asked for: {record}");
}

#[tokio::test]
async fn callers_choose_among_models_and_providers() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let names = names(3);
    let app = two_labs(&near, &far, &names).await;
    let rows = [
        ("order", json!({ "order": ["far"] }), 200, "far/"),
        ("only", json!({ "only": ["far"] }), 200, "far/"),
        ("ignore", json!({ "ignore": ["near"] }), 200, "far/"),
        ("cheapest by default", json!({}), 200, "near/"),
        ("nobody left", json!({ "only": ["nobody"] }), 404, ""),
    ];
    for (name, provider, status, endpoint) in rows {
        let mut body = ask(&names[0]);
        body["provider"] = provider;
        let reply = app.owner().chat_request(&body).send().await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert!(reply.header("x-tollway-endpoint").unwrap_or_default().starts_with(endpoint), "{name}");
    }
    near.always(Script::error(500, "oops", None));
    let mut body = ask(&names[1]);
    body["provider"] = json!({ "order": ["near"], "allow_fallbacks": false });
    let alone = app.owner().chat_request(&body).send().await;
    assert!(alone.status >= 500, "{}", alone.text());
    let mut body = ask("lab/nobody-has-it");
    body["models"] = json!(["lab/nobody-has-it", names[2]]);
    near.always(Script::chat("second choice", Tokens::new(3, 2)));
    let reply = app.owner().chat_request(&body).send().await;
    assert!(reply.status == 200 || reply.status == 404, "{}", reply.text());
}

#[tokio::test]
async fn the_second_model_answers_when_the_first_can_not() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    let app = TestApp::builder()
        .lab(Lab::at("near", &near).model("lab/first", "1", "1"))
        .lab(Lab::at("far", &far).model("lab/second", "1", "1"))
        .start()
        .await;
    near.always(Script::error(503, "overloaded", None));
    let mut body = ask("lab/first");
    body["models"] = json!(["lab/first", "lab/second"]);
    let reply = app.owner().chat_request(&body).send().await.expect(200);
    assert_eq!(reply.json()["model"], "lab/second", "the answer says who gave it");
}

#[tokio::test]
async fn at_most_half_of_a_models_endpoints_are_left_alone() {
    let (near, far) = (FakeUpstream::start(), FakeUpstream::start());
    for up in [&near, &far] {
        up.always(Script::error(500, "oops", None));
    }
    let app = two_labs(&near, &far, &names(1)).await;
    let asked = ask("lab/tiny-0");
    // Both have failed so often that their breakers are open.
    testkit::eventually("open breakers", || async {
        app.owner().chat_request(&asked).send().await.expect(502);
        let (before, _) = (near.request_count(), far.request_count());
        app.owner().chat_request(&asked).send().await.expect(502);
        (near.request_count() == before).then_some(())
    })
    .await;
    let before = far.request_count();
    app.owner().chat_request(&asked).send().await.expect(502);
    assert!(far.request_count() > before, "one of two is tried all the same");
    far.always(Script::chat("back", Tokens::new(3, 1)));
    let reply = app.owner().chat_request(&asked).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-endpoint"), Some("far/tiny-0"), "and serves as soon as it can");
}
