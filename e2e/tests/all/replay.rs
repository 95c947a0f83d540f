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
