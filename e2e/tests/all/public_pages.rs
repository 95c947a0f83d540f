//! What pages show of everybody's use: rankings, apps and status, out of real calls.

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp, Tokens, ask};

/// A place whose first provider always fails and whose second answers.
async fn office() -> (TestApp, FakeUpstream, FakeUpstream) {
    let (bad, good) = (FakeUpstream::start(), FakeUpstream::start());
    bad.always(Script::json(503, &json!({"error": {"message": "overloaded"}})));
    good.always(Script::chat("ab", Tokens::new(20, 10)));
    let app = TestApp::builder()
        .lab(Lab::at("bad", &bad).model("lab/m", "1", "3"))
        .lab(Lab::at("good", &good).model("lab/m", "2", "4"))
        .env("TOLLWAY_SITE__RANKINGS_REQUESTS_MIN", "3")
        .start()
        .await;
    (app, bad, good)
}

/// A call that the failing provider gets first.
async fn call(actor: &Actor, title: &str) {
    let mut body = ask("lab/m");
    body["provider"] = json!({"order": ["bad", "good"]});
    let reply = actor.chat_request(&body).header("x-title", title).send().await.expect(200);
    let id = reply.generation_id();
    actor.generation(&id).await;
}

async fn json(app: &TestApp, path: &str) -> Value {
    app.anonymous().get(path).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_ranked_but_those_of_a_key_that_stays_out() {
    let (app, _bad, _good) = office().await;
    let (manager, _) = app.new_key(&["--management"]).await;
    let made =
        manager.post("/v1/keys", &json!({"name": "quiet", "public_stats": false})).await.expect(201).json();
    assert_eq!(made["data"]["public_stats"], false);
    let quiet = app.with_key(made["key"].as_str().expect("a key"));
    for _ in 0..3 {
        call(&app.owner(), "Night Owl").await;
        call(&quiet, "Secret plan").await;
    }
    let rankings = json(&app, "/rankings.json").await;
    assert_eq!(rankings["data"][0]["id"], "lab/m", "{rankings}");
    assert_eq!((&rankings["total"]["requests"], &rankings["total"]["tokens"]), (&json!(3), &json!(90)));
    assert_eq!(rankings["total"].get("spend_usd"), None);
    let apps = json(&app, "/apps.json").await;
    assert_eq!(
        (apps["data"].as_array().map(Vec::len), &apps["data"][0]["slug"]),
        (Some(1), &json!("night-owl"))
    );
    assert_eq!(apps["other"], Value::Null);
    app.anonymous().get("/apps/secret-plan").await.expect(404);
    let page = app.anonymous().get("/apps/night-owl").await.expect(200).text();
    assert!(page.contains("lab/m") && !page.contains("Secret"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_tells_what_became_of_attempts() {
    let (app, _bad, _good) = office().await;
    for _ in 0..3 {
        call(&app.owner(), "Night Owl").await;
    }
    let status = json(&app, "/status.json").await;
    let of = |name: &str| {
        let all = status["endpoints"].as_array().expect("endpoints");
        all.iter().find(|one| one["endpoint"].as_str().is_some_and(|id| id.starts_with(name))).cloned()
    };
    let (bad, good) = (of("bad/").expect("tried"), of("good/").expect("tried"));
    assert_eq!((&good["last_24_h"]["answered"], &good["last_24_h"]["failed"]), (&json!(3), &json!(0)));
    assert_eq!(bad["last_24_h"]["answered"], 0);
    assert!(bad["last_24_h"]["failed"].as_u64().is_some_and(|failed| failed > 0), "{status}");
    assert_eq!(status["gateway"]["ready"], true);
    let feed = app.anonymous().get("/status.atom").await.expect(200).text();
    assert!(feed.starts_with("<?xml"), "{feed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rankings_can_be_kept_to_whoever_runs_the_place() {
    let app = TestApp::builder().env("TOLLWAY_SITE__RANKINGS", "off").start().await;
    for path in ["/rankings", "/rankings.json", "/apps", "/apps.json"] {
        app.anonymous().get(path).await.expect(403);
    }
    app.anonymous().get("/status").await.expect(200);
}
