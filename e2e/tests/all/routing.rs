//! Which provider serves a call, and what is said about why: the `provider` object, variants, live figures, sessions that stay,
//! and the dry run.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask, ask_stream};

/// Three providers of one model at these prices.
async fn three(ups: &[FakeUpstream; 3]) -> TestApp {
    for up in ups {
        up.answer_with(|request| {
            let tokens = Tokens::new(20, 8);
            if request.wants_stream() {
                Script::chat_stream(&["a", "b", "c"], tokens)
            } else {
                Script::chat("abc", tokens)
            }
        });
    }
    let [cheap, fair, dear] = ups;
    TestApp::builder()
        .lab(Lab::at("cheap", cheap).model("lab/m", "1", "1"))
        .lab(Lab::at("fair", fair).model("lab/m", "2", "2"))
        .lab(Lab::at("dear", dear).model("lab/m", "4", "4"))
        .start()
        .await
}

fn ups() -> [FakeUpstream; 3] {
    [FakeUpstream::start(), FakeUpstream::start(), FakeUpstream::start()]
}

fn with(mut body: Value, more: Value) -> Value {
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

async fn served_by(app: &TestApp, body: &Value) -> String {
    let reply = app.owner().chat_request(body).send().await.expect(200);
    let endpoint = reply.header("x-tollway-endpoint").expect("an endpoint");
    endpoint.split('/').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn load_spreads_by_price_and_wishes_end_it() {
    let ups = ups();
    let app = three(&ups).await;
    for _ in 0..120 {
        served_by(&app, &ask("lab/m")).await;
    }
    let [cheap, fair, dear] = [0, 1, 2].map(|at: usize| ups[at].request_count());
    // 16 : 4 : 1 of 21; each bound is missed once in many thousand runs.
    assert!(cheap > 65 && fair > 5 && dear < 25, "{cheap} {fair} {dear}");
    assert_eq!(cheap + fair + dear, 120);
    let rows = [
        (json!({"provider": {"sort": "price"}}), "cheap"),
        (json!({"provider": {"order": ["dear"]}}), "dear"),
        (json!({"provider": {"only": ["fair"]}}), "fair"),
        (json!({"provider": {"ignore": ["cheap", "fair"]}}), "dear"),
        (json!({"provider": {"max_price": {"prompt": "1.5"}}}), "cheap"),
        (json!({"model": "lab/m:floor"}), "cheap"),
        (json!({"model": "lab/m@dear"}), "dear"),
    ];
    for (more, expect) in rows {
        for _ in 0..5 {
            assert_eq!(served_by(&app, &with(ask("lab/m"), more.clone())).await, expect, "{more}");
        }
    }
}

#[tokio::test]
async fn a_filter_that_leaves_nothing_is_named_with_what_there_would_be() {
    let ups = ups();
    let app = three(&ups).await;
    let rows = [
        (json!({"max_price": {"prompt": "0.5"}}), "Filter by Max Price", "raise `provider.max_price`"),
        (json!({"zdr": true}), "Filter by Retention", "`provider.zdr`"),
        (json!({"data_collection": "deny"}), "Filter by Training", "`provider.data_collection`"),
        (json!({"quantizations": ["fp8"]}), "Filter by Quantization", "`provider.quantizations`"),
        (json!({"region": "eu"}), "Filter by Region", "`provider.region`"),
    ];
    for (provider, step, remedy) in rows {
        let body = with(ask("lab/m"), json!({ "provider": provider }));
        let error = app.owner().chat_request(&body).send().await.expect(404).json()["error"].clone();
        assert_eq!(
            (&error["type"], &error["metadata"]["failed_routing_step"]),
            (&json!("no_endpoints"), &json!(step))
        );
        assert_eq!(error["metadata"]["without_failed_step"].as_array().map(Vec::len), Some(3), "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(remedy) && message.contains("and 2 more"), "{message}");
    }
    let odd = with(ask("lab/m"), json!({"provider": {"sort": "best"}}));
    let error = app.owner().chat_request(&odd).send().await.expect(400);
    assert!(error.text().contains("price, throughput, latency or exacto"), "{}", error.text());
}

#[tokio::test]
async fn what_was_measured_orders_is_shown_and_survives_a_restart() {
    let ups = ups();
    let mut app = three(&ups).await;
    ups[0].answer_with(|_| Script::stream().delay(120).finish(&["late"], Tokens::new(9, 1)));
    for provider in ["cheap", "fair", "dear"] {
        for _ in 0..6 {
            let body = with(ask_stream("lab/m"), json!({"provider": {"only": [provider]}}));
            app.owner().chat_request(&body).send().await.expect(200);
        }
    }
    let quick =
        with(ask_stream("lab/m"), json!({"provider": {"preferred_max_latency": 0.1, "sort": "price"}}));
    testkit::eventually("the slow one to come late", || async {
        (served_by(&app, &quick).await == "fair").then_some(())
    })
    .await;
    let by_latency = with(ask("lab/m"), json!({"provider": {"sort": "latency"}}));
    let plan = app.owner().post("/v1/route", &by_latency).await.expect(200).json();
    assert_eq!(plan["data"]["plan"][2]["provider"], "cheap", "{plan}");
    let shown = |text: &Value| {
        let rows = text["data"]["endpoints"].as_array().cloned().unwrap_or_default();
        let row = rows.into_iter().find(|row| row["id"] == "cheap/m").expect("the endpoint");
        (
            row["latency_last_30m"]["p50"].as_f64(),
            row["samples_last_30m"].as_u64(),
            row["uptime_last_30m"].as_f64(),
        )
    };
    let (p50, samples, uptime) =
        shown(&app.owner().get("/v1/models/lab/m/endpoints").await.expect(200).json());
    assert!(
        p50.is_some_and(|ms| ms > 100.0) && samples >= Some(6) && uptime == Some(100.0),
        "{p50:?} {samples:?} {uptime:?}"
    );
    app.sigterm();
    app.exited().await;
    app.restart().await;
    let after = shown(&app.owner().get("/v1/models/lab/m/endpoints").await.expect(200).json());
    assert_eq!(after, (p50, samples, uptime), "it survives a restart");
}

#[tokio::test]
async fn a_session_stays_where_it_was_served() {
    let ups = ups();
    let app = three(&ups).await;
    let talk = |more: Value| with(with(ask("lab/m"), json!({"session_id": "talk-1"})), more);
    let first = served_by(&app, &talk(json!({"provider": {"only": ["dear"]}}))).await;
    assert_eq!(first, "dear");
    for _ in 0..10 {
        assert_eq!(served_by(&app, &talk(json!({}))).await, "dear");
    }
    assert_eq!(
        served_by(&app, &talk(json!({"provider": {"order": ["cheap"]}}))).await,
        "dear",
        "order keeps it"
    );
    assert_eq!(
        served_by(&app, &talk(json!({"provider": {"ignore": ["dear"], "sort": "price"}}))).await,
        "cheap"
    );
    let plan = app.owner().post("/v1/route", &talk(json!({}))).await.expect(200).json();
    assert_eq!(plan["data"]["sticky"], "hit", "{plan}");
    let gone = talk(json!({"provider": {"ignore": ["cheap"]}}));
    let plan = app.owner().post("/v1/route", &gone).await.expect(200).json();
    assert_eq!(plan["data"]["sticky"], "left: a filter rules the endpoint out", "{plan}");
}

#[tokio::test]
async fn the_dry_run_tells_the_plan_and_calls_nobody() {
    let ups = ups();
    let app = three(&ups).await;
    let body = with(ask("lab/m"), json!({"max_tokens": 100}));
    let ask = || async { app.owner().post("/v1/route", &body).await.expect(200).json()["data"].clone() };
    let data = ask().await;
    assert_eq!(data, ask().await, "the same request decides the same");
    assert_eq!(data["plan"].as_array().map(Vec::len), Some(3), "{data}");
    let odds: f64 =
        data["plan"].as_array().into_iter().flatten().filter_map(|s| s["propensity"].as_f64()).sum();
    assert!((odds - 1.0).abs() < 1e-9);
    for step in data["plan"].as_array().into_iter().flatten() {
        let usd = |key: &str| {
            step[key].as_str().and_then(|text| text.parse::<types::Money>().ok()).expect("an amount")
        };
        assert!(usd("expected_cost_usd") <= usd("worst_case_cost_usd"), "{step}");
        assert!(
            step["reason"].as_str().is_some_and(|reason| reason.contains("cheaper ones more often")),
            "{step}"
        );
    }
    assert_eq!((&data["model"], &data["endpoint"]), (&json!("lab/m"), &data["plan"][0]["endpoint"]));
    assert!(data["summary"].as_str().is_some_and(|text| text.ends_with("0 were left out.")), "{data}");
    assert_eq!(ups.iter().map(FakeUpstream::request_count).sum::<usize>(), 0);
    let seeded = app.owner().post("/v1/route?seed=7", &body).await.expect(200).json();
    assert_eq!(seeded["data"]["seed"], "7");
    app.owner().post("/v1/route?seed=x", &body).await.expect(400);
    app.owner().post("/v1/route", &json!({"model": "lab/nothing", "messages": [{}]})).await.expect(404);
}

#[tokio::test]
async fn auto_tells_the_task_and_the_dial_goes_from_quality_to_cost() {
    let ups = ups();
    let app = three(&ups).await;
    let code = json!({"model": "tollway/auto", "messages": [
        {"role": "user", "content": "Write a Python function that checks whether a string is a palindrome, with unit tests."}
    ]});
    let reply = app.owner().chat_request(&code).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-task"), Some("code"));
    assert_eq!(reply.header("x-tollway-cost-quality-applied"), Some("0.3"));
    let confidence: f64 =
        reply.header("x-tollway-task-confidence").and_then(|c| c.parse().ok()).expect("a confidence");
    assert!((0.35..=1.0).contains(&confidence));
    assert_eq!(reply.header("x-tollway-model"), Some("lab/m"));
    let record = app.owner().generation(&reply.generation_id()).await;
    assert_eq!(
        (&record["routing"]["task"], &record["routing"]["dial"]),
        (&json!("code"), &json!("0.3")),
        "{record}"
    );
    assert!(record["routing"]["seed"].as_str().is_some_and(|seed| seed.parse::<u64>().is_ok()), "{record}");
    let mut last = None;
    for dial in ["0", "0.25", "0.5", "0.75", "1"] {
        let request =
            app.owner().request("POST", "/v1/route").json(&code).header("x-tollway-cost-quality", dial);
        let data = request.send().await.expect(200).json()["data"].clone();
        assert_eq!(data["dial"].as_f64().map(|d| d.to_string()).as_deref(), Some(dial), "{data}");
        assert!(data["plan"][0]["quality"].as_f64().is_some_and(|q| (0.0..=1.0).contains(&q)), "{data}");
        let cost: types::Money =
            data["expected_cost_usd"].as_str().and_then(|text| text.parse().ok()).expect("an amount");
        assert!(last.is_none_or(|before| cost <= before), "{dial}: {cost} after {last:?}");
        last = Some(cost);
    }
    let tools = with(
        code.clone(),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}),
    );
    let data = app.owner().post("/v1/route", &tools).await.json();
    assert!(data.to_string().contains("tool_use") || data["error"]["type"] == "no_endpoints", "{data}");
    let request = app.owner().chat_request(&code).header("x-tollway-preference", "cost");
    let reply = request.send().await.expect(200);
    assert_eq!(reply.header("x-tollway-cost-quality-applied"), Some("0.85"));
    app.owner().chat_request(&code).header("x-tollway-cost-quality", "1.5").send().await.expect(400);
}

#[tokio::test]
async fn lists_of_models_bound_what_a_virtual_model_chooses() {
    let up = FakeUpstream::start();
    up.always(Script::chat("abc", Tokens::new(20, 8)));
    let app = TestApp::builder()
        .lab(Lab::at("lab", &up).model("lab/small", "1", "1").model("lab/large", "5", "5"))
        .lab(Lab::at("other", &up).model("other/m", "1", "1"))
        .start()
        .await;
    let rows = [
        (json!({"allowed_models": ["lab/l*"]}), "lab/large"),
        (
            json!({"plugins": [{"id": "auto-router", "allowed_models": ["lab/*"], "excluded_models": ["*small"]}]}),
            "lab/large",
        ),
        (json!({"plugins": [{"id": "auto-router", "pin_model": "other/m"}]}), "other/m"),
        (json!({"allowed_models": ["lab/*"], "cost_quality_tradeoff": 10}), "lab/small"),
    ];
    for (wish, expect) in rows {
        let reply =
            app.owner().chat_request(&with(ask("openrouter/auto"), wish.clone())).send().await.expect(200);
        assert_eq!(reply.header("x-tollway-model"), Some(expect), "{wish}");
        assert_eq!(reply.json().get("warnings"), None, "{wish}");
    }
    let nothing = with(ask("tollway/auto"), json!({"allowed_models": ["nobody/*"]}));
    let refused = app.owner().chat_request(&nothing).send().await.expect(404);
    assert!(refused.text().contains("Filter by Allowed Models"), "{}", refused.text());
    let sent = up.requests()[0].json();
    assert!(sent.get("allowed_models").is_none() && sent.get("plugins").is_none(), "{sent}");
}

#[tokio::test]
async fn endpoints_that_call_tools_badly_come_late() {
    let ups = [FakeUpstream::start(), FakeUpstream::start()];
    let [clumsy, able] = &ups;
    let tokens = Tokens::new(20, 8);
    clumsy.answer_with(move |request| match request.wants_stream() {
        true => Script::tool_call_stream("f", ("{\"a\":", "oops"), tokens),
        false => Script::tool_call("f", "{\"a\":", tokens),
    });
    able.answer_with(move |request| match request.wants_stream() {
        true => Script::tool_call_stream("f", ("{\"a\":", "1}"), tokens),
        false => Script::tool_call("f", "{\"a\":1}", tokens),
    });
    let app = TestApp::builder()
        .lab(Lab::at("clumsy", clumsy).model("lab/m", "1", "1"))
        .lab(Lab::at("able", able).model("lab/m", "900", "900"))
        .start()
        .await;
    let tools =
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
    for number in 0..24 {
        let body = if number % 2 == 0 { ask("lab/m") } else { ask_stream("lab/m") };
        for only in ["clumsy", "able"] {
            served_by(&app, &with(with(body.clone(), tools.clone()), json!({"provider": {"only": [only]}})))
                .await;
        }
    }
    let asked = with(ask("lab/m"), tools.clone());
    testkit::eventually("the order to follow the figures", || async {
        (served_by(&app, &asked).await == "able").then_some(())
    })
    .await;
    assert_eq!(served_by(&app, &with(ask("lab/m:exacto"), tools)).await, "able");
    let shown = app.anonymous().get("/v1/models/lab/m/endpoints").await.json();
    let rows = shown["data"]["endpoints"].as_array().expect("endpoints");
    let of =
        |slug: &str| rows.iter().find(|row| row["name"].as_str().is_some_and(|name| name.starts_with(slug)));
    let rate = |slug: &str| of(slug).map(|row| row["tool_call_success_last_30m"].clone());
    assert_eq!((rate("clumsy"), rate("able")), (Some(json!(0.0)), Some(json!(100.0))), "{shown}");
}

#[tokio::test]
async fn a_bound_on_cost_is_a_filter_and_refuses_when_nothing_fits() {
    let up = FakeUpstream::start();
    up.always(Script::chat("abc", Tokens::new(20, 8)));
    let app = TestApp::builder()
        .lab(Lab::at("lab", &up).model("lab/dear", "1", "500").model("lab/cheap", "1", "2"))
        .start()
        .await;
    let asked = with(ask("tollway/auto"), json!({"max_tokens": 1000, "allowed_models": ["lab/*"]}));
    let bounded =
        |body: &Value, max: &str| app.owner().chat_request(body).header("x-tollway-max-cost-usd", max).send();
    // 1,000 tokens at $500 and at $2 per million are $0.50 and $0.002.
    let reply = bounded(&asked, "0.01").await.expect(200);
    assert_eq!(reply.header("x-tollway-model"), Some("lab/cheap"));
    let before = up.request_count();
    let refused = bounded(&asked, "0.001").await.expect(402);
    assert!(
        refused.text().contains("max_cost_exceeded") && refused.text().contains("0.002"),
        "{}",
        refused.text()
    );
    let named = with(asked, json!({"model": "lab/dear"}));
    bounded(&named, "0.01").await.expect(402);
    bounded(&named, "0.6").await.expect(200);
    assert_eq!(up.request_count(), before + 1, "what is refused is never sent");
}
