//! Keys, budgets and alerts over the API: what a key may do, and who is told.

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Reply, Script, TestApp, Tokens, ask};

struct Office {
    app: TestApp,
    upstream: FakeUpstream,
    manager: Actor,
}

/// One cent a call: ten tokens of output at $1,000 per million.
async fn office() -> Office {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("ab", Tokens::new(20, 10)));
    let builder = TestApp::builder()
        .lab(Lab::at("lab", &upstream).model("lab/cent", "0", "1000").model("lab/other", "0", "1000"))
        .set("upstream.fetch_private", "true");
    let app = builder.start().await;
    let made = app.cli(&["keys", "create", "--name", "manager", "--management"]).await;
    let manager = app.with_key(made["key"].as_str().expect("a key"));
    testkit::eventually("the management key to be known", || async {
        (manager.get("/v1/keys").await.status == 200).then_some(())
    })
    .await;
    Office { app, upstream, manager }
}

fn cent() -> Value {
    let mut body = ask("lab/cent");
    body["max_tokens"] = json!(10);
    body
}

impl Office {
    async fn key(&self, body: &Value) -> (Actor, Value) {
        let made = self.manager.post("/v1/keys", body).await.expect(201).json();
        let actor = self.app.with_key(made["key"].as_str().expect("a text"));
        known(&actor).await;
        (actor, made["data"].clone())
    }

    async fn edit(&self, key: &Value, body: &Value) -> Reply {
        let path = format!("/v1/keys/{}", key["hash"].as_str().expect("a hash"));
        self.manager.request("PATCH", &path).json(body).send().await
    }
}

async fn known(actor: &Actor) {
    testkit::eventually("the key to be known", || async {
        (actor.get("/v1/key").await.status != 401).then_some(())
    })
    .await;
}

async fn becomes(actor: &Actor, body: &Value, status: u16) -> Reply {
    testkit::eventually("the change to act", || async {
        let reply = actor.chat_request(body).send().await;
        (reply.status == status).then_some(reply)
    })
    .await
}

#[tokio::test]
async fn what_was_written_is_known_at_once() {
    let office = office().await;
    for number in 0..5 {
        let made =
            office.manager.post("/v1/keys", &json!({"name": number.to_string()})).await.expect(201).json();
        let actor = office.app.with_key(made["key"].as_str().expect("a text"));
        actor.chat_request(&cent()).send().await.expect(200);
        let subject = format!("key:{}", made["data"]["id"].as_str().expect("an id"));
        let budget = json!({"subject": subject, "amount_usd": "0.01", "period": "day"});
        office.manager.post("/v1/budgets", &budget).await.expect(201);
        let all = office.manager.get("/v1/budgets").await.expect(200).json();
        assert!(
            all["data"].as_array().is_some_and(|all| all.iter().any(|one| one["subject"] == *subject)),
            "{all}"
        );
        let hash = made["data"]["hash"].as_str().expect("a hash");
        office.manager.request("DELETE", &format!("/v1/keys/{hash}")).send().await.expect(200);
        actor.chat_request(&cent()).send().await.expect(401);
    }
}

#[tokio::test]
async fn a_key_lives_through_the_api() {
    let office = office().await;
    let (key, made) = office.key(&json!({"name": "ci", "limit": 0.02, "limit_reset": "daily"})).await;
    assert_eq!(
        (&made["limit"], &made["limit_reset"], &made["limit_remaining"]),
        (&json!(0.02), &json!("daily"), &json!(0.02))
    );
    key.chat_request(&cent()).send().await.expect(200);
    key.chat_request(&cent()).send().await.expect(200);
    let refused = key.chat_request(&cent()).send().await.expect(402).json();
    assert_eq!(refused["error"]["type"], "key_limit_exceeded");
    assert!(
        refused["error"]["metadata"]["resets_at"].as_str().is_some_and(|at| at.ends_with("T00:00:00Z")),
        "{refused}"
    );
    office.edit(&made, &json!({"limit": "5", "name": "ci 2"})).await.expect(200);
    becomes(&key, &cent(), 200).await;
    let shown =
        office.manager.get(&format!("/v1/keys/{}", made["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&shown["data"]["name"], &shown["data"]["usage_usd"]), (&json!("ci 2"), &json!("0.03")));
    office.app.settled().await;
    let own = key.get("/v1/key").await.expect(200).json();
    assert_eq!(
        (&own["data"]["usage_daily"], &own["data"]["usage_monthly"]),
        (&json!(0.03), &json!(0.03)),
        "{own}"
    );
    let rows = office.manager.get("/v1/keys").await.expect(200).json();
    let row = rows["data"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == "ci 2"));
    assert_eq!(
        row.map(|row| (&row["usage_daily"], &row["usage_weekly"], &row["usage_monthly"])),
        Some((&json!(0.03), &json!(0.03), &json!(0.03))),
        "{rows}"
    );
    // Switched off and on, rotated with grace, revoked.
    office.edit(&made, &json!({"disabled": true})).await.expect(200);
    becomes(&key, &cent(), 401).await;
    assert_eq!(
        office.manager.get("/v1/keys").await.json()["data"]
            .as_array()
            .map(|keys| keys.iter().filter(|k| k["name"] == "ci 2").count()),
        Some(0)
    );
    office.edit(&made, &json!({"disabled": false})).await.expect(200);
    becomes(&key, &cent(), 200).await;
    let rotate = format!("/v1/keys/{}/rotate", made["id"].as_str().unwrap());
    let rotated = office.manager.post(&rotate, &json!({"grace_s": 600})).await.expect(200).json();
    let new = office.app.with_key(rotated["key"].as_str().unwrap());
    known(&new).await;
    assert_eq!(
        (new.get("/v1/key").await.status, key.get("/v1/key").await.status),
        (200, 200),
        "both texts for a while"
    );
    let rotated = office.manager.post(&rotate, &json!({"grace_s": 0})).await.expect(200).json();
    known(&office.app.with_key(rotated["key"].as_str().unwrap())).await;
    let refused = new.get("/v1/key").await.expect(401).json();
    assert_eq!(refused["error"]["type"], "key_rotated");
    let path = format!("/v1/keys/{}", rotated["data"]["hash"].as_str().unwrap());
    assert_eq!(
        office.manager.request("DELETE", &path).send().await.expect(200).json(),
        json!({"deleted": true})
    );
    becomes(&office.app.with_key(rotated["key"].as_str().unwrap()), &cent(), 401).await;
}

#[tokio::test]
async fn new_keys_carry_a_cap_and_bad_ones_are_refused() {
    let office = office().await;
    let (_, made) = office.key(&json!({"name": "plain"})).await;
    assert_eq!((&made["limit"], &made["limit_reset"]), (&json!(100), &json!("monthly")));
    let (_, made) = office.key(&json!({"name": "free", "limit": null})).await;
    assert_eq!(made["limit"], Value::Null);
    let rows = [
        (json!({}), "`name` is missing"),
        (json!({"name": "x", "limit": -1}), "`limit` is not an amount"),
        (json!({"name": "x", "limit": "1.0000000001"}), "`limit` is not an amount"),
        (json!({"name": "x", "limit_reset": "hourly"}), "daily, weekly, monthly"),
        (json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}), "an instant to come"),
        (json!({"name": "x", "allowed_ips": ["ten"]}), "`ten` is no address"),
        (json!({"name": "x", "allowd_models": ["a"]}), "unknown field `allowd_models`"),
        (json!({"name": "x", "default_dial": 2}), "from 0 (quality) to 1 (cost)"),
        (json!({"name": "x", "project": "A b"}), "`project`"),
    ];
    for (body, told) in rows {
        let error = office.manager.post("/v1/keys", &body).await.expect(400).json();
        let message = error["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(told) && message.contains("nothing was changed"), "{body}: {message}");
    }
    for (method, path) in [
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("GET", "/v1/budgets"),
        ("GET", "/v1/webhooks"),
        ("GET", "/v1/alerts"),
    ] {
        let refused =
            office.app.owner().request(method, path).json(&json!({})).send().await.expect(403).json();
        assert_eq!(refused["error"]["type"], "wrong_key_kind", "{method} {path}");
    }
    office.manager.get("/v1/keys/key_nobody").await.expect(404);
}

#[tokio::test]
async fn a_keys_rules_bound_what_it_may_call() {
    let office = office().await;
    let (key, made) = office
        .key(&json!({"name": "bound", "allowed_models": ["lab/c*"], "allowed_ips": ["127.0.0.0/8"], "tokens_per_minute": 1000}))
        .await;
    key.chat_request(&cent()).send().await.expect(200);
    let refused = key.chat("lab/other").await.expect(403).json();
    assert_eq!(refused["error"]["type"], "key_rule");
    assert!(
        refused["error"]["message"].as_str().is_some_and(|m| m.contains("lab/other") && m.contains("lab/c*"))
    );
    let auto = key.chat("tollway/auto").await.expect(200);
    assert_eq!(auto.header("x-tollway-model"), Some("lab/cent"), "chosen among what it may call");
    let mut large = cent();
    large["max_tokens"] = json!(900);
    key.chat_request(&large).send().await.expect(200);
    // What was taken for the answer and not used came back.
    key.chat_request(&large).send().await.expect(200);
    office.edit(&made, &json!({"tokens_per_minute": 10})).await.expect(200);
    let refused = becomes(&key, &cent(), 429).await;
    assert_eq!(refused.json()["error"]["type"], "tokens_limited");
    assert!(refused.header("retry-after").is_some());
    office
        .edit(&made, &json!({"tokens_per_minute": null, "allowed_ips": ["203.0.113.0/24"]}))
        .await
        .expect(200);
    let refused = becomes(&key, &cent(), 403).await.json();
    assert!(refused["error"]["message"].as_str().is_some_and(|m| m.contains("127.0.0.1")), "{refused}");
    // Nobody's own word on its address counts.
    let lied = key
        .chat_request(&cent())
        .header("x-forwarded-for", "203.0.113.9")
        .header("tollway-client-address", "203.0.113.9");
    lied.send().await.expect(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_of_every_level_hold_under_concurrency_and_name_themselves() {
    let office = office().await;
    let robot = office.manager.post("/v1/organization/service-accounts", &json!({"name": "robot"})).await;
    let robot = robot.expect(201).json()["data"]["id"].as_str().unwrap().to_owned();
    let key = json!({"name": "k", "project": "web", "tags": ["blue"], "holder": robot});
    let (key, made) = office.key(&key).await;
    let id = made["id"].as_str().unwrap();
    for subject in [
        "account".to_owned(),
        "project:web".into(),
        format!("member:{robot}"),
        format!("key:{id}"),
        "tag:blue".into(),
        "tag:team=x".into(),
        "user:*".into(),
    ] {
        let body = json!({"subject": subject, "amount_usd": "0.05", "period": "day"});
        let budget = office.manager.post("/v1/budgets", &body).await.expect(201).json();
        office.manager.post("/v1/budgets", &body).await.expect(409);
        let budget_id = budget["data"]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/budgets/{budget_id}");
        let known = testkit::eventually("the budget to be known", || async {
            let all = office.manager.get("/v1/budgets").await.json();
            all["data"].as_array()?.iter().find(|b| b["id"] == budget["data"]["id"]).cloned()
        })
        .await;
        assert_eq!(office.manager.get(&path).await.expect(200).json()["data"], known);
        // Budgets count what was spent before them where that is known: the key's, the project's, the tag's.
        let spent = office.manager.get("/v1/budgets").await.json()["data"][0]["spent_usd"].clone();
        let spent: f64 = spent.as_str().map_or(0.0, |text| text.parse().unwrap());
        let amount = format!("{:.2}", spent + 0.05);
        office.manager.request("PATCH", &path).json(&json!({"amount_usd": amount})).send().await.expect(200);
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let mut calls = tokio::task::JoinSet::new();
        let mut body = cent();
        body["user"] = json!("alice");
        for _ in 0..30 {
            calls.spawn(key.chat_request(&body).header("x-tollway-meta-team", "x").send());
        }
        let replies = calls.join_all().await;
        let passed = replies.iter().filter(|reply| reply.status == 200).count();
        let refused = replies.iter().find(|reply| reply.status == 402).expect("a refusal").json();
        assert_eq!(passed, 5, "{subject}: {refused}");
        assert_eq!(refused["error"]["type"], "budget_exceeded", "{refused}");
        let named = if subject == "user:*" { "user:alice" } else { subject.as_str() };
        assert_eq!(refused["error"]["metadata"]["scope"], format!("budget:{budget_id} ({named})"));
        office.manager.request("DELETE", &path).send().await.expect(200);
        becomes(&key, &body, 200).await;
        office.app.settled().await;
    }
    testkit::eventually("a mail", || async { office.app.log().contains(" % of the budget ").then_some(()) })
        .await;
}

#[tokio::test]
async fn what_was_spent_is_remembered_over_a_restart() {
    let mut office = office().await;
    let (key, _) =
        office.key(&json!({"name": "k", "limit": "0.05", "limit_reset": "monthly", "project": "web"})).await;
    let budget = json!({"subject": "project:web", "amount_usd": "0.03", "period": "week"});
    office.manager.post("/v1/budgets", &budget).await.expect(201);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    key.chat_request(&cent()).send().await.expect(200);
    key.chat_request(&cent()).send().await.expect(200);
    office.app.restart().await;
    let key = office.app.with_key(key.key().expect("a text"));
    key.chat_request(&cent()).send().await.expect(200);
    let refused = key.chat_request(&cent()).send().await.expect(402).json();
    assert_eq!(refused["error"]["type"], "budget_exceeded", "{refused}");
    let own = key.get("/v1/key").await.expect(200).json();
    assert_eq!(own["data"]["limit_remaining_usd"], "0.02");
    assert_eq!(office.upstream.request_count(), 3);
}

#[tokio::test]
async fn owners_are_told_once_by_a_signed_notice() {
    let office = office().await;
    let receiver = FakeUpstream::start();
    receiver.always(Script::error(500, "not now", None));
    let url = format!("{}/hook", receiver.base_url());
    let hook = office
        .manager
        .post("/v1/webhooks", &json!({"url": url, "kinds": ["budget.threshold"]}))
        .await
        .expect(201)
        .json();
    assert!(hook["data"]["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    let (key, _) = office.key(&json!({"name": "k", "limit": "0.05"})).await;
    let budget = json!({"subject": "account", "amount_usd": "0.04", "period": "month", "hard": false, "thresholds": [50, 100]});
    office.manager.post("/v1/budgets", &budget).await.expect(201);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    for _ in 0..5 {
        key.chat_request(&cent()).send().await.expect(200);
    }
    let alerts = testkit::eventually("alerts to be written down", || async {
        let alerts = office.manager.get("/v1/alerts").await.json();
        (alerts["data"].as_array().map(Vec::len) == Some(4)).then_some(alerts)
    })
    .await;
    let mut kinds: Vec<(&str, u64)> = alerts["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["type"].as_str().unwrap(), a["data"]["percent"].as_u64().unwrap()))
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [("budget.threshold", 50), ("budget.threshold", 100), ("key.threshold", 80), ("key.threshold", 100)]
    );
    testkit::eventually("both notices to arrive", || async { (receiver.request_count() >= 2).then_some(()) })
        .await;
    receiver.always(Script::error(200, "taken", None));
    let notice = receiver.request(0).await;
    let told = notice.json();
    assert_eq!((&told["type"], &told["data"]["subject"]), (&json!("budget.threshold"), &json!("account")));
    assert!(notice.header("webhook-signature").is_some_and(|signature| signature.starts_with("v1,")));
    // A delivery that was refused comes again, with the same id.
    testkit::eventually("a second try", || async { (receiver.request_count() >= 4).then_some(()) }).await;
}

#[tokio::test]
async fn a_key_that_spends_many_times_the_usual_is_frozen() {
    let office = office().await;
    let (key, made) = office.key(&json!({"name": "k", "limit": null, "freeze_at_times_usual": 5})).await;
    let mut body = cent();
    body["max_tokens"] = json!(10);
    // A dollar in an hour is never a spike; two are, where nothing is usual.
    office.upstream.always(Script::chat("ab", Tokens::new(20, 600)));
    body["max_tokens"] = json!(600);
    key.chat_request(&body).send().await.expect(200);
    key.chat_request(&body).send().await.expect(200);
    let refused = becomes(&key, &body, 403).await.json();
    assert_eq!(refused["error"]["type"], "key_frozen", "{refused}");
    let alerts = office.manager.get("/v1/alerts").await.json();
    assert_eq!(alerts["data"][0]["type"], "key.frozen", "{alerts}");
    office.edit(&made, &json!({"disabled": false})).await.expect(200);
    becomes(&key, &body, 200).await;
}
