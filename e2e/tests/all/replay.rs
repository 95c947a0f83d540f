//! `tollway route` and `tollway replay` on the command line, beside a server with traffic.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask};

/// A model that is cheap and one that is dear, the latter at two providers.
async fn labs(cheap: &FakeUpstream, dear: &FakeUpstream) -> TestApp {
    for up in [cheap, dear] {
        up.answer_with(|_| Script::chat("hello", Tokens::new(1_000, 100)));
    }
    TestApp::builder()
        .lab(Lab::at("cheap", cheap).model("lab/small", "1", "1"))
        .lab(Lab::at("dear", dear).model("lab/big", "4", "4"))
        .lab(Lab::at("other", dear).model("lab/big", "5", "5"))
        .start()
        .await
}

fn text(output: &std::process::Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Runs a command and gives its exit code, standard output and standard error.
async fn shell(app: &TestApp, words: &[&str]) -> (Option<i32>, String, String) {
    let output = app.cli_raw(words).await;
    let (out, err) = text(&output);
    (output.status.code(), out, err)
}

fn url(app: &TestApp) -> [String; 2] {
    ["--url".to_owned(), app.url()]
}

#[tokio::test]
async fn route_shows_the_plan_and_says_what_to_do_when_it_can_t() {
    let (cheap, dear) = (FakeUpstream::start(), FakeUpstream::start());
    let app = labs(&cheap, &dear).await;
    let [flag, url] = url(&app);
    let owner = app.owner();
    let key = owner.key().expect("a key");
    let here = [flag.as_str(), url.as_str(), "--key", key];
    let with = |words: &[&'static str]| [&["route"], words, &here[..]].concat();

    let (code, out, err) = shell(&app, &with(&["--model", "lab/big", "Say hello."])).await;
    assert_eq!(code, Some(0), "{err}");
    for part in ["rank", "propensity", "dear/big", "other/big", "Initial Endpoints", "goes first ("] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let words = with(&["--dial", "1", "Write a function that reverses a list.", "--json"]);
    let (code, out, err) = shell(&app, &words).await;
    assert_eq!(code, Some(0), "{err}");
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(answer["data"]["requested_model"], "tollway/auto", "{answer}");
    assert_eq!(
        (&answer["data"]["endpoint"], answer["data"]["dial"].as_f64()),
        (&json!("cheap/small"), Some(1.0))
    );

    let file = app.data_dir().join("request.json");
    std::fs::write(&file, ask("lab/small").to_string()).expect("a file");
    let path = file.to_string_lossy().into_owned();
    let words = [&["route", "--file", path.as_str(), "--json"], &here[..]].concat();
    let (_, out, err) = shell(&app, &words).await;
    assert!(out.contains("cheap/small"), "{out}{err}");

    let nowhere = ["route", "hello", "--url", "http://127.0.0.1:1", "--key", key];
    let rows: [(&[&str], i32, &str); 4] = [
        (&nowhere, 1, "start it with `tollway serve`"),
        (&["route", "hello", &flag, &url], 2, "write --key KEY or set TOLLWAY_API_KEY"),
        (&["route", "hello", &flag, &url, "--key", "sk-tw-nobody"], 2, "refuses the key of --key"),
        (&["route", "hello", "--model", "lab/none", &flag, &url, "--key", key], 2, "lab/none"),
    ];
    for (words, expect, part) in rows {
        let (code, out, err) = shell(&app, words).await;
        assert!(code == Some(expect) && err.contains(part), "{words:?}: {code:?} {out}{err}");
    }
    assert_eq!(cheap.request_count() + dear.request_count(), 0);
}

#[tokio::test]
async fn replay_tells_what_another_model_would_have_cost() {
    let (cheap, dear) = (FakeUpstream::start(), FakeUpstream::start());
    let app = labs(&cheap, &dear).await;
    for _ in 0..20 {
        app.owner().chat("lab/big").await.expect(200);
    }
    let code = json!({"model": "tollway/auto", "messages": [
        {"role": "user", "content": "Write a Python function that checks whether a string is a palindrome."}
    ]});
    let request = app.owner().chat_request(&code).header("x-tollway-cost-quality", "1");
    let judged = request.send().await.expect(200).generation_id();
    app.owner().generation(&judged).await;
    app.settled().await;

    let url = format!("sqlite:{}", app.data_dir().join("tollway.db").display());
    let store = store::Store::open(&url).await.expect("the store");
    let records = store.generations_since(types::Timestamp(0), None).await.expect("records");
    store.close().await;
    assert_eq!(records.len(), 21);
    for record in &records {
        let facts = record.facts.as_ref().expect("facts");
        assert!(facts.input_tokens > 0 && !facts.streamed, "{facts:?}");
        assert_eq!(facts.shares.is_some(), record.routed.is_some(), "only a virtual model is classified for");
        let chances: f64 = facts.planned.iter().filter_map(|step| step.propensity.parse::<f64>().ok()).sum();
        assert!((chances - 1.0).abs() < 1e-3, "{facts:?}");
        let kept = serde_json::to_string(facts).expect("JSON");
        assert!(!kept.contains("palindrome") && !kept.contains("hello"), "{kept}");
    }

    let told = app.cli(&["replay", "--model", "lab/small", "--since", "1h"]).await;
    assert_eq!(
        (&told["requests"], &told["records"], &told["without_plan"]),
        (&json!(21), &json!(21), &json!(0))
    );
    let usd =
        |value: &Value| value.as_str().and_then(|text| text.parse::<types::Money>().ok()).expect("an amount");
    // 21 times 1,100 tokens at a dollar for a million.
    assert_eq!(usd(&told["other"]["cost_usd"]), types::Money::from_nanos(21 * 1_100_000));
    let happened: types::Money = records.iter().map(|record| record.cost.total).sum();
    assert_eq!(usd(&told["happened"]["cost_usd"]), happened);
    assert_eq!(told["answered"]["happened"]["mean"], json!(1.0), "{told}");
    assert_eq!(told["answered"]["conclusive"], json!(false), "{told}");
    let shift = &told["shifts"][0];
    assert_eq!(
        (&shift["from"], &shift["to"], &shift["requests"]),
        (&json!("lab/big"), &json!("lab/small"), &json!(20))
    );

    let (code, out, err) = shell(&app, &["replay", "--model", "tollway/auto", "--dial", "1"]).await;
    assert!(code == Some(0) && err.contains("21 records read"), "{err}");
    for part in ["21 requests since", "support is thin", "doubly robust", "the largest shifts between models"]
    {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[tokio::test]
async fn a_policy_that_does_the_same_is_told_to_do_the_same() {
    let (cheap, dear) = (FakeUpstream::start(), FakeUpstream::start());
    let app = labs(&cheap, &dear).await;
    for _ in 0..210 {
        app.owner().chat("lab/big").await.expect(200);
    }
    app.settled().await;
    let write = |name: &str, policy: &str| {
        let path = app.data_dir().join(name);
        std::fs::write(&path, policy).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let same = write("same.json", r#"{"models": ["lab/big"]}"#);
    let told = app.cli(&["replay", "--policy", &same]).await;
    let answered = &told["answered"];
    assert_eq!(answered["conclusive"], json!(true), "{told}");
    assert!(answered["effective_sample_size"].as_f64().is_some_and(|size| size > 209.0), "{told}");
    assert!(
        answered["doubly_robust"]["mean"].as_f64().is_some_and(|mean| (mean - 1.0).abs() < 1e-6),
        "{told}"
    );
    assert_eq!(told["shifts"], json!([]), "{told}");

    let rows: [(&str, &str); 4] = [
        (r#"{"models": ["lab/none"]}"#, "models[0]: no model is called `lab/none`"),
        (r#"{"models": []}"#, "name at least one model"),
        ("{", "is no JSON"),
        (r#"{"models": ["lab/big"], "strategy": "best"}"#, "must be fallback, balance, latency or cost"),
    ];
    for (policy, part) in rows {
        let bad = write("bad.json", policy);
        let (code, _, err) = shell(&app, &["replay", "--policy", &bad]).await;
        assert!(code == Some(2) && err.contains(part), "{policy}: {code:?} {err}");
    }
    let (code, _, err) = shell(&app, &["replay"]).await;
    assert!(code == Some(2) && err.contains("--policy"), "{err}");
}

#[tokio::test]
async fn the_api_replays_what_the_command_does_and_only_the_accounts_own() {
    let (cheap, dear) = (FakeUpstream::start(), FakeUpstream::start());
    let app = labs(&cheap, &dear).await;
    let (manager, _) = app.new_key(&["--management"]).await;
    for _ in 0..210 {
        app.owner().chat("lab/big").await.expect(200);
    }
    app.settled().await;
    let replay = async |body: Value| {
        let told = manager.post("/v1/replay", &body).await.expect(200).json();
        told["data"].clone()
    };
    let told = replay(json!({"models": ["lab/small"], "since": "1h"})).await;
    let command = app.cli(&["replay", "--model", "lab/small", "--since", "1h"]).await;
    // One reads the newest first: the sums are the same, what comes of halves of the records need not be.
    for part in ["records", "requests", "without_plan", "happened", "other", "shifts", "under", "complete"] {
        assert_eq!(told[part], command[part], "{part}");
    }
    assert_eq!((&told["records"], &told["complete"]), (&json!(210), &json!(true)), "{told}");
    assert_eq!((&told["conclusive"], &told["happened"]["failed"]), (&json!(false), &json!(0)), "{told}");
    assert!(told["why_not"].as_str().is_some_and(|why| why.contains("support is thin")), "{told}");

    let put = manager.request("PUT", "/v1/policies/same").json(&json!({"models": ["lab/big"]})).send().await;
    assert_eq!(put.status, 201, "{}", put.text());
    for policy in [json!("policy/same"), json!({"models": ["lab/big"]})] {
        let told = replay(json!({"policy": policy, "seed": "7"})).await;
        let again = replay(json!({"policy": policy, "seed": 7})).await;
        assert_eq!((&told["conclusive"], &told["shifts"]), (&json!(true), &json!([])), "{told}");
        assert_eq!(told["answered"], again["answered"], "the same seed draws the same");
    }

    let url = format!("sqlite:{}", app.data_dir().join("tollway.db").display());
    let store = store::Store::open(&url).await.expect("the store");
    let other = types::AccountId::new("acct_other");
    store.ensure_account(&other, "Other", types::Timestamp(0)).await.expect("an account is made");
    store.close().await;
    let (stranger, _) = app.new_key(&["--account", "acct_other", "--management"]).await;
    testkit::eventually("the other account to see none of it", || async {
        let reply = stranger.post("/v1/replay", &json!({"models": ["lab/small"]})).await;
        (reply.status == 200 && reply.json()["data"]["records"] == json!(0)).then_some(())
    })
    .await;
    app.owner().post("/v1/replay", &json!({"models": ["lab/small"]})).await.expect(403);
    app.anonymous().post("/v1/replay", &json!({"models": ["lab/small"]})).await.expect(401);

    let body = json!({"models": ["lab/small"]});
    let post = || manager.post("/v1/replay", &body);
    let at_once: [_; 4] = tokio::join!(post(), post(), post(), post()).into();
    assert!(at_once.iter().any(|reply| reply.status == 200));
    let refused = at_once.iter().find(|reply| reply.status == 429).expect("one at a time");
    assert!(refused.text().contains("replay_busy") && refused.header("retry-after").is_some());
}

#[tokio::test]
async fn what_can_t_be_replayed_is_refused_and_what_is_read_is_bounded() {
    let (cheap, dear) = (FakeUpstream::start(), FakeUpstream::start());
    for up in [&cheap, &dear] {
        up.answer_with(|_| Script::chat("hello", Tokens::new(1_000, 100)));
    }
    let app = TestApp::builder()
        .lab(Lab::at("cheap", &cheap).model("lab/small", "1", "1"))
        .env("TOLLWAY_LIMITS__REPLAY_RECORDS_MAX", "5")
        .start()
        .await;
    let (manager, _) = app.new_key(&["--management"]).await;
    let rows = [
        (json!({}), "`policy` or `models` is missing"),
        (json!({"models": ["lab/small"], "policy": "policy/x"}), "exclude each other"),
        (json!({"models": ["lab/none"]}), "models[0]: no model is called `lab/none`"),
        (json!({"models": []}), "name at least one model"),
        (
            json!({"policy": {"models": ["lab/small"], "strategy": "best"}}),
            "must be fallback, balance, latency or cost",
        ),
        (json!({"policy": 7}), "`policy` must be a policy as an object"),
        (json!({"models": ["openai/gpt-5-mini"]}), "no model of it has an endpoint that is switched on"),
        (json!({"models": ["lab/small"], "since": "soon"}), "`since`"),
        (json!({"models": ["lab/small"], "dial": 2}), "`dial` must be"),
        (json!({"models": ["lab/small"], "seed": -1}), "`seed` must be"),
        (json!({"model": "lab/small"}), "unknown field `model`"),
    ];
    for (body, expect) in rows {
        let reply = manager.post("/v1/replay", &body).await.expect(400);
        assert!(reply.text().contains(expect), "{body}: {}", reply.text());
    }
    manager.post("/v1/replay", &json!({"policy": "policy/none"})).await.expect(404);
    let empty = manager.post("/v1/replay", &json!({"models": ["lab/small"]})).await.expect(200).json();
    assert!(
        empty["data"]["why_not"].as_str().is_some_and(|why| why.contains("nothing to replay")),
        "{empty}"
    );

    for _ in 0..7 {
        app.owner().chat("lab/small").await.expect(200);
    }
    app.settled().await;
    let told = manager.post("/v1/replay", &json!({"models": ["lab/small"]})).await.expect(200).json();
    let data = &told["data"];
    assert_eq!((&data["records"], &data["complete"]), (&json!(5), &json!(false)), "{told}");
    let why = data["incomplete_because"].as_str().unwrap_or_default();
    assert!(why.contains("5 records were read") && why.contains("limits.replay_records_max"), "{told}");
}
