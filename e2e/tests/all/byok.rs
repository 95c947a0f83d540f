//! Provider keys that accounts bring along: kept sealed, tried in the order that was asked for, paid for by a fee of their own.

mod canary;
mod money;

use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::app::Actor;
use testkit::{FakeUpstream, Lab, Recorded, Reply, Script, TestApp, Tokens, ask};

/// The operator's key of every lab.
pub(crate) const OURS: &str = "sk-lab-secret-0123456789";
/// A key of the account's own.
pub(crate) const MINE: &str = "sk-mine-aaaaaaaaaaaaaaaa";
/// Another one.
const SECOND: &str = "sk-mine-bbbbbbbbbbbbbbbb";

/// Two providers of the same model at one upstream, the second one switched off, and a manager.
pub(crate) struct Shop {
    pub(crate) upstream: FakeUpstream,
    pub(crate) app: TestApp,
    pub(crate) manager: Actor,
}

/// The key that a request came with.
pub(crate) fn key_of(request: &Recorded) -> String {
    request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned()
}

/// Ten tokens of output; a key that begins with `sk-bad` is refused, with its text in the error.
pub(crate) fn answer(request: &Recorded) -> Script {
    let key = key_of(request);
    if key.starts_with("sk-bad") {
        let message = format!("Incorrect API key provided: {key}.");
        return Script::json(
            401,
            &json!({"error": {"message": message, "type": "invalid_request_error", "code": key}}),
        );
    }
    match (request.method(), request.wants_stream()) {
        ("GET", _) => Script::json(200, &json!({"object": "list", "data": []})),
        (_, true) => Script::chat_stream(&["a", "b"], Tokens::new(20, 10)),
        (_, false) => Script::chat("ab", Tokens::new(20, 10)),
    }
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        Shop::with(|builder| builder).await
    }

    pub(crate) async fn with(
        configure: impl FnOnce(testkit::app::AppBuilder) -> testkit::app::AppBuilder,
    ) -> Shop {
        let upstream = FakeUpstream::start();
        upstream.answer_with(answer);
        // Output at $1,000 per million: a call's ten tokens are one cent at list price.
        let lab = Lab::at("lab", &upstream).model("lab/cent", "0", "1000");
        let off = Lab::at("shut", &upstream).set("enabled", "false").model("shut/cent", "0", "1000");
        let app = configure(TestApp::builder()).lab(lab).lab(off).start().await;
        let (manager, _) = app.new_key(&["--management"]).await;
        Shop { upstream, app, manager }
    }

    pub(crate) async fn bring(&self, body: &Value) -> Value {
        self.manager.post("/v1/byok", body).await.expect(201).json()["data"].take()
    }

    /// Which keys the calls since then came with; what was asked of other paths is left out.
    fn keys_since(&self, start: usize) -> Vec<String> {
        let requests = self.upstream.requests();
        requests.iter().skip(start).filter(|request| request.method() == "POST").map(key_of).collect()
    }

    async fn strategy(&self, body: Value) {
        put(&self.manager, "/v1/byok/strategy", &body).await.expect(200);
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.app.data_dir().join(name);
        std::fs::write(&path, text).expect("write a file");
        path.to_string_lossy().into_owned()
    }
}

pub(crate) async fn put(actor: &Actor, path: &str, body: &Value) -> Reply {
    actor.request("PUT", path).json(body).send().await
}

async fn patch(actor: &Actor, id: &str, body: &Value) -> Reply {
    actor.request("PATCH", &format!("/v1/byok/{id}")).json(body).send().await
}

#[tokio::test]
async fn a_key_is_brought_shown_edited_and_taken_away() {
    let shop = Shop::open().await;
    let manager = &shop.manager;
    let made = shop.bring(&json!({"provider": "lab", "key": MINE, "name": "team"})).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    assert_eq!((&made["label"], &made["tested"]), (&json!("sk...aaaa"), &json!("ok")), "{made}");
    assert_eq!(
        (&made["disabled"], &made["is_fallback"], &made["sort_order"]),
        (&json!(false), &json!(false), &json!(0))
    );
    let listed = manager.get("/api/v1/byok").await.expect(200).json();
    assert_eq!((&listed["total_count"], &listed["data"][0]["id"]), (&json!(1), &made["id"]));
    let edit = json!({"name": null, "disabled": true, "allowed_models": ["lab/*"], "sort_order": 3});
    let edited = patch(manager, &id, &edit).await.expect(200).json()["data"].take();
    assert_eq!(
        (&edited["name"], &edited["disabled"], &edited["allowed_models"]),
        (&Value::Null, &json!(true), &json!(["lab/*"]))
    );
    let rotated = patch(manager, &id, &json!({"key": SECOND, "disabled": false})).await.expect(200).json();
    assert_eq!(rotated["data"]["label"], "sk...bbbb");
    shop.app.owner().chat("lab/cent").await.expect(200);
    assert_eq!(shop.keys_since(0), [SECOND]);
    manager.request("DELETE", &format!("/v1/byok/{id}")).send().await.expect(200);
    manager.get(&format!("/v1/byok/{id}")).await.expect(404);
    shop.app.owner().chat("lab/cent").await.expect(200);
    assert_eq!(shop.keys_since(0), [SECOND, OURS]);
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_a_refused_key_is_kept_by_force_only() {
    let shop = Shop::open().await;
    let manager = &shop.manager;
    let rows = [
        (json!({"key": MINE}), "provider"),
        (json!({"provider": "lab"}), "key"),
        (json!({"provider": "nobody", "key": MINE}), "catalog"),
        (json!({"provider": "sandbox", "key": MINE}), "sandbox"),
        (json!({"provider": "lab", "key": MINE, "odd": 1}), "odd"),
        (json!({"provider": "lab", "key": MINE, "allowed_api_key_hashes": []}), "allowed_api_key_hashes"),
        (json!({"provider": "lab", "key": MINE, "base_url": "http://127.0.0.1:9/v1"}), "base_url"),
        (json!({"provider": "lab", "key": {"secret": MINE}}), "one text"),
        (json!({"provider": "lab", "key": format!("{MINE}\n{MINE}")}), "line end"),
    ];
    for (body, words) in rows {
        let refused = manager.post("/v1/byok", &body).await.expect(400);
        assert!(
            refused.text().contains(words) && !refused.text().contains(MINE),
            "{body}: {}",
            refused.text()
        );
    }
    let bad = json!({"provider": "lab", "key": "sk-bad-cccccccccccccccc"});
    let refused = manager.post("/v1/byok", &bad).await.expect(400);
    assert_eq!(refused.json()["error"]["type"], "provider_key_refused");
    assert_eq!(manager.get("/v1/byok").await.json()["total_count"], 0, "nothing was kept");
    let forced = manager.post("/v1/byok?force=true", &bad).await.expect(201).json();
    assert_eq!(forced["data"]["tested"], "refused");
    for path in ["/v1/byok", "/v1/byok/strategy", "/v1/byok/settings"] {
        shop.app.owner().get(path).await.expect(403);
        shop.app.anonymous().get(path).await.expect(401);
    }
    let id = forced["data"]["id"].as_str().expect("an id").to_owned();
    let moved = patch(manager, &id, &json!({"base_url": "https://api.example.com/v1"})).await.expect(400);
    assert!(moved.text().contains("send `key` along"), "{}", moved.text());
    for body in [
        json!({"lab": "best"}),
        json!({"nobody": "mine"}),
        json!({}),
        json!({"model": "a/b", "strategy": "mine"}),
    ] {
        put(manager, "/v1/byok/strategy", &body).await.expect(400);
    }
}

#[tokio::test]
async fn each_strategy_uses_the_keys_that_it_names() {
    let shop = Shop::open().await;
    let owner = shop.app.owner();
    shop.bring(&json!({"provider": "lab", "key": MINE})).await;
    let rows = [
        (json!({"provider": "lab", "strategy": "ours"}), OURS),
        (json!({"provider": "lab", "strategy": "mine"}), MINE),
        (json!({"lab": "ours_then_mine"}), OURS),
        (json!({"lab": "mine_then_ours"}), MINE),
        (json!({"lab": null}), MINE),
        (json!({"model": "lab/cent", "strategy": "ours"}), OURS),
        (json!({"lab": "ours", "lab/cent": "mine"}), MINE),
    ];
    for (body, key) in rows {
        shop.strategy(body.clone()).await;
        let start = shop.upstream.request_count();
        let reply = owner.chat("lab/cent").await.expect(200);
        assert_eq!(shop.keys_since(start), [key], "{body}");
        let plan = owner.post("/v1/route", &ask("lab/cent")).await.expect(200).json()["data"]["plan"].take();
        let whose = if key == MINE { "mine" } else { "ours" };
        assert_eq!(plan[0]["key"]["whose"], whose, "{body}: {plan}");
        let record = owner.generation(&reply.generation_id()).await;
        assert_eq!(record["is_byok"], key == MINE, "{record}");
    }
    let shown = shop.manager.get("/v1/byok/strategy").await.expect(200).json();
    assert_eq!(
        (&shown["data"]["providers"]["lab"], &shown["data"]["models"]["lab/cent"]),
        (&json!("ours"), &json!("mine"))
    );
}

#[tokio::test]
async fn one_kind_stands_behind_the_other_where_the_strategy_says_so() {
    let shop = Shop::open().await;
    let owner = shop.app.owner();
    shop.manager
        .post("/v1/byok?force=true", &json!({"provider": "lab", "key": "sk-bad-cccccccccccccccc"}))
        .await
        .expect(201);
    let reply = owner.chat("lab/cent").await.expect(200);
    assert_eq!(shop.keys_since(0), ["sk-bad-cccccccccccccccc", OURS]);
    let record = owner.generation(&reply.generation_id()).await;
    assert_eq!((&record["is_byok"], &record["paid_by"]), (&json!(false), &json!("usage")), "{record}");
    assert!(
        record["attempts"][0]["byok_key"].is_string() && record["attempts"][1]["byok_key"].is_null(),
        "{record}"
    );
    let start = shop.upstream.request_count();
    shop.strategy(json!({"lab": "mine"})).await;
    let refused = owner.chat("lab/cent").await;
    assert!(refused.status >= 400, "{}", refused.text());
    assert!(!shop.keys_since(start).contains(&OURS.to_owned()), "never the operator's key instead");
}

#[tokio::test]
async fn what_befalls_an_own_key_befalls_nobody_else() {
    let shop = Shop::open().await;
    let (owner, manager) = (shop.app.owner(), &shop.manager);
    // An own key for the owner's key alone; the other key of ours has the operator's.
    let hash = owner.get("/v1/key").await.json()["data"]["hash"].clone();
    let bad = json!({"provider": "lab", "key": "sk-bad-cccccccccccccccc", "allowed_api_key_hashes": [hash]});
    manager.post("/v1/byok?force=true", &bad).await.expect(201);
    shop.strategy(json!({"lab": "mine"})).await;
    for _ in 0..12 {
        assert!(owner.chat("lab/cent").await.status >= 400);
    }
    shop.strategy(json!({"lab": "mine_then_ours"})).await;
    let (other, _) = shop.app.new_key(&[]).await;
    let start = shop.upstream.request_count();
    let reply = other.chat("lab/cent").await.expect(200);
    assert_eq!(shop.keys_since(start), [OURS]);
    assert_eq!(other.generation(&reply.generation_id()).await["attempts"].as_array().map(Vec::len), Some(1));
    // A provider that limits one account's key limits nobody else.
    let limited = |request: &Recorded| match key_of(request).as_str() {
        MINE => Script::plain(429, &[("retry-after", "60")], "slow down"),
        _ => answer(request),
    };
    shop.upstream.answer_with(limited);
    let own = json!({"provider": "lab", "key": MINE, "sort_order": -1, "allowed_api_key_hashes": [hash]});
    manager.post("/v1/byok", &own).await.expect(201);
    for _ in 0..3 {
        owner.chat("lab/cent").await.expect(200);
    }
    let start = shop.upstream.request_count();
    other.chat("lab/cent").await.expect(200);
    assert_eq!(shop.keys_since(start), [OURS]);
}

#[tokio::test]
async fn a_provider_that_is_switched_off_is_reached_with_an_own_key() {
    let shop = Shop::open().await;
    let owner = shop.app.owner();
    owner.chat("shut/cent").await.expect(404);
    shop.bring(&json!({"provider": "shut", "key": MINE, "allowed_models": ["shut/cent"]})).await;
    owner.chat("shut/cent").await.expect(200);
    assert_eq!(shop.keys_since(0), [MINE]);
    shop.strategy(json!({"shut": "ours"})).await;
    owner.chat("shut/cent").await.expect(404);
    shop.strategy(json!({"shut": "mine"})).await;
    // Streams go the same way, and data policies are asked first.
    let body = owner.stream("shut/cent").await.rest().await;
    assert!(body.text().contains("[DONE]"), "{}", body.text());
    let mut strict = ask("shut/cent");
    strict["provider"] = json!({"zdr": true});
    let refused = owner.chat_request(&strict).send().await.expect(404);
    assert_eq!(refused.json()["error"]["metadata"]["failed_routing_step"], "Filter by Retention");
}

#[tokio::test]
async fn an_address_of_its_own_is_called_where_the_operator_allows_private_ones() {
    let other = FakeUpstream::start();
    other.answer_with(answer);
    let shop = Shop::with(|builder| builder.set("byok.private_base_urls", "true")).await;
    shop.bring(&json!({"provider": "lab", "key": MINE, "base_url": other.base_url()})).await;
    shop.app.owner().chat("lab/cent").await.expect(200);
    assert!(
        other.requests().iter().all(|request| key_of(request) == MINE),
        "the operator's key stays at home"
    );
    assert_eq!((other.request_count(), shop.upstream.request_count()), (2, 0));
}

#[tokio::test]
async fn the_command_line_adds_lists_and_removes_beside_a_running_server() {
    let shop = Shop::open().await;
    let owner = shop.app.owner();
    let file = shop.file("key", &format!("{MINE}\n"));
    let made = shop.app.cli(&["byok", "add", "lab", "--file", &file, "--name", "by hand"]).await;
    assert_eq!((&made["label"], &made["tested"]), (&json!("sk...aaaa"), &json!("ok")), "{made}");
    let started = tokio::time::Instant::now();
    testkit::eventually("the key to be used", || async {
        owner.chat("lab/cent").await.expect(200);
        shop.keys_since(0).contains(&MINE.to_owned()).then_some(())
    })
    .await;
    assert!(started.elapsed() < std::time::Duration::from_secs(3), "{:?}", started.elapsed());
    let listed = shop.app.cli(&["byok", "list"]).await;
    assert_eq!(listed["keys"][0]["name"], "by hand");
    let id = made["id"].as_str().expect("an id");
    shop.app.cli(&["byok", "remove", id]).await;
    testkit::eventually("the key to be gone", || async {
        let start = shop.upstream.request_count();
        owner.chat("lab/cent").await.expect(200);
        (shop.keys_since(start) == [OURS]).then_some(())
    })
    .await;
    let bad = shop.file("bad", "sk-bad-cccccccccccccccc");
    let refused = shop.app.cli_raw(&["byok", "add", "lab", "--file", &bad]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
}

#[tokio::test]
async fn keys_are_sealed_anew_while_the_server_runs_and_a_lost_master_key_is_an_error_of_its_row() {
    let mut shop = Shop::open().await;
    let owner = shop.app.owner();
    shop.bring(&json!({"provider": "lab", "key": MINE})).await;
    shop.strategy(json!({"lab": "mine"})).await;
    owner.chat("lab/cent").await.expect(200);
    let rotated = shop.app.cli(&["byok", "rotate", "--new-key"]).await;
    assert_eq!(rotated["sealed"], 1, "{rotated}");
    for _ in 0..10 {
        owner.chat("lab/cent").await.expect(200);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(shop.app.cli(&["byok", "rotate"]).await["sealed"], 0, "all are under the newest");
    shop.app.restart().await;
    owner_of(&shop).chat("lab/cent").await.expect(200);
    // The file is lost: a new one is made, which opens nothing that there is.
    shop.app.kill9();
    std::fs::remove_file(shop.app.data_dir().join("byok-master.keys")).expect("the master keys");
    shop.app.restart().await;
    let start = shop.upstream.request_count();
    let refused = owner_of(&shop).chat("lab/cent").await;
    assert!(refused.status >= 500 && refused.text().contains("master key"), "{}", refused.text());
    assert_eq!(shop.upstream.request_count(), start);
    let failed = shop.app.cli_raw(&["byok", "rotate"]).await;
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(failed.status.code() == Some(1) && told.contains("enter the provider key again"), "{told}");
    let manager = shop.app.with_key(shop.manager.key().expect("a key"));
    let id =
        manager.get("/v1/byok").await.expect(200).json()["data"][0]["id"].as_str().expect("an id").to_owned();
    patch(&manager, &id, &json!({"key": MINE})).await.expect(200);
    owner_of(&shop).chat("lab/cent").await.expect(200);
}

/// The owner at the present address: a restart takes another port.
fn owner_of(shop: &Shop) -> Actor {
    shop.app.owner()
}
