//! The response cache: the same question again is answered again, for nothing, and for nobody else.

mod breakpoints;

use serde_json::{Value, json};
use store::Store;
use testkit::upstream::Phase;
use testkit::{Actor, FakeUpstream, Gate, Lab, Reply, Request, Script, TestApp, Tokens, ask, ask_stream};
use types::{AccountId, Clock, SystemClock};

use crate::dialects::{path, request};

const TOKENS: Tokens = Tokens { prompt: 1000, completion: 7, cached: 0, reasoning: 0 };

/// A request that opts in.
fn cached(caller: &Actor, body: &Value) -> Request {
    caller.chat_request(body).header("x-tollway-cache", "true")
}

fn status(reply: &Reply) -> &str {
    reply.header("x-tollway-cache-status").unwrap_or_default()
}

/// Someone of another account.
async fn stranger(app: &TestApp) -> Actor {
    let url = format!("sqlite:{}", app.data_dir().join("tollway.db").display());
    let store = Store::open(&url).await.expect("the store opens");
    let other = AccountId::new("acct_other");
    store.ensure_account(&other, "Other", SystemClock.now()).await.expect("an account is made");
    app.new_key(&["--account", "acct_other"]).await.0
}

#[tokio::test]
async fn the_same_again_costs_nothing_and_says_so() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("hello", TOKENS));
    let app = TestApp::with(&upstream).await;
    let first = cached(&app.owner(), &ask("lab/tiny")).send().await.expect(200);
    assert_eq!((status(&first), first.header("x-tollway-cache-ttl")), ("MISS", Some("300")));
    assert_eq!(first.header("x-tollway-cost-usd"), Some("0.001014"));
    let again = cached(&app.owner(), &ask("lab/tiny")).send().await.expect(200);
    assert_eq!((status(&again), upstream.request_count()), ("HIT", 1));
    let id = again.generation_id();
    assert_ne!(id, first.generation_id());
    assert_eq!(again.header("x-tollway-cache-source-id"), Some(first.generation_id().as_str()));
    assert_eq!(again.header("x-tollway-cache-age"), Some("0"));
    assert_eq!(again.header("x-tollway-cache-ttl"), Some("300"));
    for name in ["cost-usd", "input-cost-usd", "output-cost-usd"] {
        assert_eq!(again.header(&format!("x-tollway-{name}")), Some("0"), "{name}");
    }
    for name in ["x-tollway-endpoint", "x-tollway-model", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    let (mut old, mut new) = (first.json(), again.json());
    assert_eq!((&new["id"], &new["usage"]["cost"]), (&json!(id), &json!(0)));
    assert_eq!((&new["usage"]["total_tokens"], &new["usage"]["prompt_tokens"]), (&json!(0), &json!(0)));
    for body in [&mut old, &mut new] {
        body["id"].take();
        body["usage"].take();
    }
    assert_eq!(old, new, "everything else is the first answer");
    let record = app.owner().generation(&id).await;
    assert_eq!((&record["status"], &record["total_cost"]), (&json!("ok"), &json!("0")), "{record}");
    assert_eq!(record["cache_source_id"], json!(first.generation_id()));
    assert_eq!((&record["endpoint"], &record["attempts"]), (&json!("lab/tiny"), &json!([])));
    assert!(record["formula"].as_str().is_some_and(|text| text.contains("response cache")), "{record}");
    let source = app.owner().generation(&first.generation_id()).await;
    assert_eq!((&source["total_cost"], &source["cache_source_id"]), (&json!("0.001014"), &Value::Null));
    app.settled().await;
    let verified = app.cli(&["ledger", "verify"]).await;
    assert_eq!(verified["ok"], true, "{verified}");
    let activity = app.metric("tollway_charged_nano_usd_total").await;
    assert_eq!(activity.as_deref(), Some("1014000"), "one call was paid for");
}

/// A stream of the upstream's own dialect that says "Hello there" and reports 11 and 7 tokens.
pub(crate) fn stream_of(protocol: &str) -> Script {
    let event =
        |script: Script, name: &str, data: &Value| script.chunk(format!("event: {name}\ndata: {data}\n\n"));
    let named = |list: &[Value]| {
        list.iter()
            .fold(Script::stream(), |s, data| event(s, data["type"].as_str().unwrap_or_default(), data))
    };
    match protocol {
        "anthropic" => named(&[
            json!({"type": "message_start", "message": {"id": "msg_up", "type": "message", "role": "assistant", "model": "m",
                "content": [], "usage": {"input_tokens": 11, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "there"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
            json!({"type": "message_stop"}),
        ])
        .end(),
        "gemini" => {
            let part = |text: &str| {
                json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}],
                    "usageMetadata": {"promptTokenCount": 11}, "responseId": "up", "modelVersion": "m"})
            };
            let mut last = part("there");
            last["candidates"][0]["finishReason"] = json!("STOP");
            last["usageMetadata"] =
                json!({"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18});
            Script::stream().event(&part("Hello ")).event(&last).end()
        }
        "openai-responses" => {
            let whole = json!({"id": "resp_up", "object": "response", "status": "completed", "model": "m",
                "output": [{"type": "message", "id": "msg_up", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "Hello there", "annotations": []}]}],
                "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}});
            let delta = |at: u8, text: &str| {
                json!({"type": "response.output_text.delta", "sequence_number": at, "item_id": "msg_up",
                    "output_index": 0, "content_index": 0, "delta": text})
            };
            named(&[
                json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_up", "model": "m", "output": []}}),
                delta(1, "Hello "),
                delta(2, "there"),
                json!({"type": "response.completed", "sequence_number": 3, "response": whole}),
            ])
            .end()
        }
        _ => Script::chat_stream(&["Hello ", "there"], Tokens::new(11, 7)),
    }
}

/// What stays the same when a stream is told again: everything but ids, times, usage and cost.
fn lasting(text: &str, id: &str) -> String {
    let tail = id.rsplit('-').next().unwrap_or_default();
    let mut shown = String::new();
    for line in text.lines() {
        let Some(mut data) = line.strip_prefix("data: ").and_then(|l| serde_json::from_str(l).ok()) else {
            shown.push_str(&format!("{line}\n"));
            continue;
        };
        forget(&mut data);
        let data = data.to_string().replace(id, "ID").replace(tail, "TAIL");
        shown.push_str(&format!("data: {data}\n"));
    }
    shown
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["usage", "usageMetadata", "created", "created_at", "completed_at"] {
                map.remove(key);
            }
            map.values_mut().for_each(forget);
        }
        Value::Array(list) => list.iter_mut().for_each(forget),
        _ => (),
    }
}

/// Every count of tokens in a text.
fn counts(text: &str) -> Vec<u64> {
    let mut found = Vec::new();
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
        for place in ["/usage", "/message/usage", "/response/usage", "/usageMetadata"] {
            let usage = value.pointer(place).and_then(Value::as_object);
            found.extend(usage.into_iter().flat_map(|map| map.values().filter_map(Value::as_u64)));
        }
    }
    found
}

#[tokio::test]
async fn streams_are_told_again_in_every_dialect() {
    for protocol in ["openai", "anthropic", "gemini", "openai-responses"] {
        let upstream = FakeUpstream::start();
        upstream.always(stream_of(protocol));
        let lab = Lab::at("lab", &upstream).set("protocol", &format!("\"{protocol}\""));
        let app = TestApp::builder().lab(lab.model("lab/m", "1", "2")).start().await;
        for (done, way_in) in
            ["chat", "completions", "responses", "messages", "gemini"].into_iter().enumerate()
        {
            let body = request(way_in, "lab/m", "text", "hello", true);
            let ask = || {
                let request = app.owner().request("POST", &path(way_in, "lab/m", true)).json(&body);
                request.header("x-openrouter-cache", "true").header("x-tollway-metadata", "enabled")
            };
            let first = ask().send().await.expect(200);
            let again = ask().send().await.expect(200);
            let what = format!("{way_in} to {protocol}:\n{}\n{}", first.text(), again.text());
            assert_eq!((status(&first), status(&again)), ("MISS", "HIT"), "{what}");
            assert_eq!(upstream.request_count(), done + 1, "{what}");
            let (old, new) = (first.generation_id(), again.generation_id());
            let plan = |text: &str| text.replace("\"tollway\":", "\"usage\":");
            assert_eq!(lasting(&plan(&first.text()), &old), lasting(&plan(&again.text()), &new), "{what}");
            let source = again.header("x-tollway-cache-source-id");
            assert_eq!(source, Some(old.as_str()));
            assert!(again.text().contains(&new) && again.text().contains("Hello "), "{what}");
            let told = again.text().replace(&format!("\"cache_source_id\":\"{old}\""), "");
            assert!(
                !told.contains(&old),
                "the first id is nowhere but where it is told as the source: {what}"
            );
            assert!(again.text().contains("\"cost\":0"), "{what}");
            assert!(counts(&again.text()).iter().all(|count| *count == 0), "{what}");
            assert_ne!(counts(&first.text()).iter().sum::<u64>(), 0, "{what}");
            assert_eq!(again.header("content-type"), first.header("content-type"));
            let record = app.owner().generation(&new).await;
            assert_eq!((&record["total_cost"], &record["streamed"]), (&json!("0"), &json!(true)), "{record}");
        }
    }
}

#[tokio::test]
async fn whole_answers_are_told_again_in_every_dialect_and_kept_anew() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::tool_call("get_weather", "{\"city\":\"Bern\"}", Tokens::new(11, 7)));
    let app = TestApp::with(&upstream).await;
    for way_in in ["completions", "responses", "messages", "gemini"] {
        let mut body = request(way_in, "lab/tiny", "tools", "weather", false);
        body.as_object_mut().and_then(|map| map.remove("store"));
        let ask = || {
            let request = app.owner().request("POST", &path(way_in, "lab/tiny", false)).json(&body);
            request.header("x-tollway-cache", "true")
        };
        let (first, again) = (ask().send().await.expect(200), ask().send().await.expect(200));
        assert_eq!((status(&first), status(&again)), ("MISS", "HIT"), "{way_in}");
        assert!(again.text().contains(&again.generation_id()), "{way_in}: {}", again.text());
        assert!(!again.text().contains(&first.generation_id()), "{way_in}: {}", again.text());
        assert_eq!(again.header("x-tollway-cost-usd"), Some("0"), "{way_in}");
        if way_in == "responses" {
            let kept = app.owner().get(&format!("/v1/responses/{}", again.generation_id())).await.expect(200);
            assert_eq!(kept.json()["id"], json!(again.generation_id()));
            let mut next = body.clone();
            next["previous_response_id"] = json!(again.generation_id());
            next["input"] = json!([{"type": "function_call_output", "call_id": "call_1", "output": "sunny"}]);
            let request = app.owner().request("POST", "/v1/responses").json(&next);
            let reply = request.header("x-tollway-cache", "true").send().await.expect(200);
            assert_eq!(status(&reply), "BYPASS", "a conversation that is kept here is not in the request");
        }
    }
}

#[tokio::test]
async fn embeddings_are_kept_and_other_tasks_are_not() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream)
        .maker("lab/vectors", "embeddings", &[("input_usd_per_mtok", "1"), ("output_usd_per_mtok", "0")])
        .maker("lab/rank", "rerank", &[("search_usd", "0.002")]);
    let app = TestApp::builder().lab(lab).start().await;
    upstream.push(Script::json(
        200,
        &json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
            "model": "tiny", "usage": {"prompt_tokens": 5, "total_tokens": 5}}),
    ));
    let body = json!({"model": "lab/vectors", "input": "hello"});
    let ask = |path: &str, body: &Value| {
        app.owner().request("POST", path).json(body).header("x-tollway-cache", "true")
    };
    let first = ask("/v1/embeddings", &body).send().await.expect(200);
    let again = ask("/v1/embeddings", &body).send().await.expect(200);
    assert_eq!((status(&first), status(&again)), ("MISS", "HIT"));
    assert_eq!(again.json()["data"], first.json()["data"]);
    assert_eq!(again.json()["usage"]["prompt_tokens"], 0);
    let body = json!({"model": "lab/rank", "query": "q", "documents": ["a"]});
    for _ in 0..2 {
        upstream.push(Script::json(
            200,
            &json!({"results": [{"index": 0, "relevance_score": 0.5}], "usage": {"total_tokens": 3}}),
        ));
        let reply = ask("/v1/rerank", &body).send().await.expect(200);
        assert_eq!(status(&reply), "BYPASS");
    }
}

#[tokio::test]
async fn who_asks_something_else_or_is_someone_else_gets_nothing_of_it() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let other = stranger(&app).await;
    let (same_account, _) = app.new_key(&[]).await;
    cached(&app.owner(), &ask("lab/tiny")).send().await.expect(200);
    let hit = cached(&same_account, &ask("lab/tiny")).send().await.expect(200);
    assert_eq!((status(&hit), upstream.request_count()), ("HIT", 1), "another key of the same account");
    let mut warmer = ask("lab/tiny");
    warmer["temperature"] = json!(0.5);
    let spaced = app.owner().request("POST", "/v1/chat/completions").header("x-tollway-cache", "true");
    let spaced = spaced.body(format!("{} ", ask("lab/tiny")));
    let rows = [
        ("another account", cached(&other, &ask("lab/tiny"))),
        ("another body", cached(&app.owner(), &warmer)),
        ("one more space", spaced),
        ("a stream", cached(&app.owner(), &ask_stream("lab/tiny"))),
        ("another cap", cached(&app.owner(), &ask("lab/tiny")).header("x-tollway-max-cost-usd", "5")),
        ("another wish", cached(&app.owner(), &ask("lab/tiny")).header("x-tollway-preference", "cost")),
        (
            "another patience",
            cached(&app.owner(), &ask("lab/tiny")).header("x-tollway-max-latency-ms", "9000"),
        ),
    ];
    for (number, (name, request)) in rows.into_iter().enumerate() {
        let reply = request.send().await.expect(200);
        assert_eq!((status(&reply), upstream.request_count()), ("MISS", number + 2), "{name}");
    }
    let plain = app.owner().chat("lab/tiny").await.expect(200);
    assert_eq!((plain.header("x-tollway-cache-status"), upstream.request_count()), (None, 9), "not opted in");
    let off = app.owner().chat_request(&ask("lab/tiny")).header("x-tollway-cache", "false");
    assert_eq!(off.send().await.expect(200).header("x-tollway-cache-status"), None);
    assert_eq!(upstream.request_count(), 10);
}

#[tokio::test]
async fn an_answer_stands_for_its_time_and_is_made_anew_on_request() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let short = || cached(&app.owner(), &ask("lab/tiny")).header("x-tollway-cache-ttl", "1");
    let first = short().send().await.expect(200);
    assert_eq!((status(&first), first.header("x-tollway-cache-ttl")), ("MISS", Some("1")));
    let anew = testkit::eventually("an answer to expire", || async {
        let reply = short().send().await.expect(200);
        (status(&reply) == "MISS").then_some(reply)
    })
    .await;
    assert_eq!(upstream.request_count(), 2);
    let long = || cached(&app.owner(), &ask("lab/tiny"));
    let cleared = long().header("x-tollway-cache-clear", "true").send().await.expect(200);
    assert_eq!((status(&cleared), upstream.request_count()), ("MISS", 3));
    assert_ne!(cleared.generation_id(), anew.generation_id());
    let hit = long().send().await.expect(200);
    assert_eq!(hit.header("x-tollway-cache-source-id"), Some(cleared.generation_id().as_str()));
    let only = app.owner().chat_request(&ask("lab/tiny")).header("x-tollway-cache-clear", "true");
    assert_eq!(status(&only.send().await.expect(200)), "BYPASS");
    assert_eq!(status(&long().send().await.expect(200)), "MISS", "it was forgotten, and not made anew");
}

#[tokio::test]
async fn what_is_not_whole_is_not_kept() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let rows = [
        ("an error", false, Script::error(400, "not like this", None), 400),
        ("a stream that broke off", true, Script::close_mid_stream(&["some", " words"]), 200),
        ("an error within a stream", true, Script::error_event_mid_stream(&["some"]), 200),
    ];
    for (number, (name, streamed, script, expect)) in rows.into_iter().enumerate() {
        upstream.push(script);
        let mut body = if streamed { ask_stream("lab/tiny") } else { ask("lab/tiny") };
        body["seed"] = json!(number);
        let failed = cached(&app.owner(), &body).send().await;
        assert_eq!(failed.status, expect, "{name}: {}", failed.text());
        let before = upstream.request_count();
        assert_eq!(status(&cached(&app.owner(), &body).send().await.expect(200)), "MISS", "{name}");
        assert_eq!(status(&cached(&app.owner(), &body).send().await.expect(200)), "HIT", "{name}");
        assert_eq!(upstream.request_count(), before + 1, "{name}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_kept_and_the_oldest_gives_way() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(|request| {
        let large = request.json()["seed"] == 1;
        let text = if large { "x".repeat(3_000) } else { "x".to_owned() };
        match request.wants_stream() {
            true => Script::chat_stream(&[&text], TOKENS),
            false => Script::chat(&text, TOKENS),
        }
    });
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let builder = TestApp::builder().set("cache.entry_bytes_max", "\"2 KiB\"").set("cache.entries_max", "2");
    let app = builder.lab(lab).start().await;
    let asks = |stream: bool, seed: u8| {
        let mut body = if stream { ask_stream("lab/tiny") } else { ask("lab/tiny") };
        body["seed"] = json!(seed);
        cached(&app.owner(), &body)
    };
    for stream in [false, true] {
        for expect in ["MISS", "MISS"] {
            assert_eq!(status(&asks(stream, 1).send().await.expect(200)), expect);
        }
    }
    for (seed, expect) in [(2, "MISS"), (3, "MISS"), (2, "HIT"), (4, "MISS"), (2, "HIT"), (3, "MISS")] {
        assert_eq!(status(&asks(false, seed).send().await.expect(200)), expect, "{seed}");
    }
    assert_eq!(app.metric("tollway_cache_entries").await.as_deref(), Some("2"));
    assert_eq!(app.metric("tollway_cache_hits_total").await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_at_once_one_is_a_call() {
    for streamed in [false, true] {
        let (upstream, gate) = (FakeUpstream::start(), Gate::new());
        let script = match streamed {
            true => Script::words(&["he"]).wait_for(&gate).finish(&["llo"], TOKENS),
            false => {
                let body = testkit::upstream::chat_body("hello", TOKENS).to_string();
                let length = body.len().to_string();
                Script::new().head(200, &[("content-length", &length)]).wait_for(&gate).chunk(body)
            }
        };
        upstream.always(script);
        let app = TestApp::builder().lab(Lab::at("lab", &upstream).model("lab/tiny", "1", "2")).prepaid();
        let app = app.start().await;
        app.cli(&["credits", "grant", "0.01"]).await;
        let body = if streamed { ask_stream("lab/tiny") } else { ask("lab/tiny") };
        testkit::eventually("the credit to be seen", || async {
            (app.owner().get("/v1/credits").await.json()["data"]["total_credits"] != json!(0)).then_some(())
        })
        .await;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..20 {
            calls.spawn(cached(&app.owner(), &body).send());
        }
        in_flight(&app, 20).await;
        gate.open();
        let replies = calls.join_all().await;
        let hits = replies.iter().filter(|reply| reply.status == 200 && status(reply) == "HIT").count();
        assert_eq!((hits, upstream.request_count()), (19, 1));
        for reply in &replies {
            assert!(reply.text().contains("llo") && reply.text().contains(&reply.generation_id()));
        }
        app.settled().await;
        let charged = app.metric("tollway_charged_nano_usd_total").await;
        assert_eq!(charged.as_deref(), Some("1014000"));
        assert_eq!(app.cli(&["ledger", "verify"]).await["ok"], true);
    }
}

/// Waits until so many calls are in flight.
async fn in_flight(app: &TestApp, count: u32) {
    let wanted = count.to_string();
    testkit::eventually(&format!("{count} calls in flight"), || async {
        (app.metric("tollway_in_flight").await == Some(wanted.clone())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn when_the_one_who_asks_leaves_another_takes_over() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    upstream.push(Script::hang_mid_stream(&["some"]));
    let body = ask_stream("lab/tiny");
    let leader = cached(&app.owner(), &body).send_only().await;
    let call = upstream.request(0).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..5 {
        waiting.spawn(cached(&app.owner(), &body).send());
    }
    in_flight(&app, 6).await;
    assert_eq!(upstream.request_count(), 1, "they wait");
    drop(leader);
    assert_eq!(call.over().await, Phase::CallerLeft);
    let replies = waiting.join_all().await;
    let mut found: Vec<&str> = replies.iter().map(status).collect();
    found.sort_unstable();
    assert_eq!((found, upstream.request_count()), (vec!["HIT", "HIT", "HIT", "HIT", "MISS"], 2));
    // When the leader fails, each of those who wait is told by its own call, one after another.
    upstream.always(Script::error(400, "not like this", None));
    let body = ask("lab/tiny");
    let mut failing = tokio::task::JoinSet::new();
    for _ in 0..4 {
        failing.spawn(cached(&app.owner(), &body).send());
    }
    assert!(failing.join_all().await.iter().all(|reply| reply.status == 400));
}

#[tokio::test]
async fn who_has_waited_long_enough_goes_alone() {
    let (upstream, gate) = (FakeUpstream::start(), Gate::new());
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let app = TestApp::builder().set("cache.wait_ms_max", "50").lab(lab).start().await;
    upstream.push(Script::words(&["slow"]).wait_for(&gate).finish(&[], TOKENS));
    let body = ask_stream("lab/tiny");
    let leader = cached(&app.owner(), &body).open().await;
    let alone = cached(&app.owner(), &body).send().await.expect(200);
    assert_eq!((status(&alone), upstream.request_count()), ("MISS", 2));
    let hit = cached(&app.owner(), &body).send().await.expect(200);
    assert_eq!(hit.header("x-tollway-cache-source-id"), Some(alone.generation_id().as_str()));
    gate.open();
    leader.rest().await;
}

#[tokio::test]
async fn an_empty_purse_still_gets_what_costs_nothing() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("hello", TOKENS));
    let app = TestApp::builder().lab(Lab::at("lab", &upstream).model("lab/tiny", "1", "2")).prepaid();
    let app = app.start().await;
    // A little less than one call costs: the rest is written off, and nothing is left.
    app.cli(&["credits", "grant", "0.001"]).await;
    let first = testkit::eventually("the credit to be seen", || async {
        let reply = cached(&app.owner(), &ask("lab/tiny")).send().await;
        (reply.status == 200).then_some(reply)
    })
    .await;
    assert_eq!((status(&first), first.header("x-tollway-cost-usd")), ("MISS", Some("0.001")));
    let hit = cached(&app.owner(), &ask("lab/tiny")).send().await.expect(200);
    assert_eq!((status(&hit), hit.header("x-tollway-cost-usd")), ("HIT", Some("0")));
    assert_eq!(app.owner().chat("lab/tiny").await.status, 402, "who asks a provider has to pay");
    app.settled().await;
    assert_eq!(app.cli(&["ledger", "verify"]).await["ok"], true);
}

#[tokio::test]
async fn an_operator_can_turn_it_off() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "1", "2");
    let app = TestApp::builder().set("cache.bytes_max", "0").lab(lab).start().await;
    for count in 1..=2 {
        let reply = cached(&app.owner(), &ask("lab/tiny")).send().await.expect(200);
        assert_eq!((status(&reply), upstream.request_count()), ("BYPASS", count));
    }
}
