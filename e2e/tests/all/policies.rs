//! Policies at work: chains with retries, weights that keep together what belongs together, cost and latency, rules, and edits that
//! act on the next request.

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp, Tokens, ask};

struct Place {
    app: TestApp,
    ups: [FakeUpstream; 2],
    manager: Actor,
}

/// Two models of one provider each, and a key that may write policies.
async fn place() -> Place {
    let ups = [FakeUpstream::start(), FakeUpstream::start()];
    for up in &ups {
        up.always(Script::chat("abc", Tokens::new(20, 8)));
    }
    let [one, two] = &ups;
    let app = TestApp::builder()
        .lab(Lab::at("one", one).model("one/m", "1", "1"))
        .lab(Lab::at("two", two).model("two/m", "2", "2"))
        .start()
        .await;
    let made = app.cli(&["keys", "create", "--name", "manager", "--management"]).await;
    let manager = app.with_key(made["key"].as_str().expect("a key"));
    testkit::eventually("the management key to be known", || async {
        (manager.get("/v1/policies").await.status == 200).then_some(())
    })
    .await;
    Place { app, ups, manager }
}

impl Place {
    async fn put(&self, name: &str, policy: &Value) {
        let reply = self.manager.request("PUT", &format!("/v1/policies/{name}")).json(policy).send().await;
        assert!(matches!(reply.status, 200 | 201), "{} {}", reply.status, reply.text());
    }

    async fn served_by(&self, body: &Value) -> String {
        let reply = self.app.owner().chat_request(body).send().await.expect(200);
        reply.header("x-tollway-endpoint").expect("an endpoint").to_owned()
    }
}

#[tokio::test]
async fn a_chain_tries_again_as_often_as_it_says_and_goes_on() {
    let place = place().await;
    let [one, two] = &place.ups;
    place.put("careful", &json!({"models": [{"model": "one/m", "retries": 2}, "two/m"]})).await;
    // Two failures, then an answer: the same model serves, after two pauses.
    (0..2).for_each(|_| one.push(Script::error(500, "broken", None)));
    let reply = place.app.owner().chat_request(&ask("policy/careful")).send().await.expect(200);
    assert_eq!((reply.header("x-tollway-endpoint"), one.request_count()), (Some("one/m"), 3));
    let told = place.app.owner().generation(reply.header("x-generation-id").expect("an id")).await;
    assert_eq!((&told["policy"], &told["model"]), (&json!("careful@1"), &json!("one/m")), "{told}");
    assert_eq!(told["attempts"].as_array().map(Vec::len), Some(3));
    let starts: Vec<f64> = told["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .filter_map(|a| a["started_ms"].as_f64())
        .collect();
    assert!(
        starts[1] - starts[0] >= 440.0 && starts[2] - starts[1] >= 880.0,
        "half a second, then one: {starts:?}"
    );
    // Three failures: the next model.
    (0..3).for_each(|_| one.push(Script::error(429, "busy", Some(0))));
    assert_eq!(place.served_by(&ask("policy/careful")).await, "two/m");
    assert_eq!((one.request_count(), two.request_count()), (6, 1));
}

#[tokio::test]
async fn weights_hold_and_what_belongs_together_stays_together() {
    let place = place().await;
    let weighted = json!({"strategy": "balance", "models": [{"model": "one/m", "weight": 80}, {"model": "two/m", "weight": 20}]});
    place.put("canary", &weighted).await;
    for _ in 0..100 {
        place.served_by(&ask("policy/canary")).await;
    }
    let [one, two] = [0, 1].map(|at: usize| place.ups[at].request_count());
    // Each bound is missed once in some thousand runs.
    assert!(one + two == 100 && (60..=95).contains(&one), "{one} {two}");
    for user in ["ann", "bob", "cyd", "dan", "eve"] {
        let mut body = ask("policy/canary");
        body["user"] = json!(user);
        let first = place.served_by(&body).await;
        for _ in 0..5 {
            assert_eq!(place.served_by(&body).await, first, "{user}");
        }
    }
}

#[tokio::test]
async fn cost_latency_and_rules_choose_and_an_edit_acts_on_the_next_request() {
    let place = place().await;
    place.put("p", &json!({"strategy": "cost", "models": ["two/m", "one/m"]})).await;
    assert_eq!(place.served_by(&ask("policy/p")).await, "one/m");
    place.put("p", &json!({"models": ["two/m", "one/m"]})).await;
    assert_eq!(place.served_by(&ask("policy/p")).await, "two/m");
    let ruled = json!({"models": ["two/m"], "rules": [
        {"name": "blue team", "when": {"tags": {"team": "blue"}}, "models": ["one/m"]},
        {"name": "code", "when": {"task": ["code"]}, "models": ["one/m"]}]});
    place.put("p", &ruled).await;
    assert_eq!(place.served_by(&ask("policy/p")).await, "two/m");
    let tagged = place
        .app
        .owner()
        .chat_request(&ask("policy/p"))
        .header("x-tollway-meta-team", "blue")
        .send()
        .await
        .expect(200);
    assert_eq!(tagged.header("x-tollway-endpoint"), Some("one/m"));
    let told = place.app.owner().generation(tagged.header("x-generation-id").expect("an id")).await;
    assert_eq!(told["policy"], "p@3 blue team", "{told}");
    let mut code = ask("policy/p");
    code["messages"] = json!([{"role": "user", "content": "Write a Python function that returns the n-th Fibonacci number."}]);
    assert_eq!(place.served_by(&code).await, "one/m");
    place.put("p", &json!({"strategy": "latency", "models": ["one/m", "two/m"]})).await;
    place.served_by(&ask("policy/p")).await;
    let plan =
        place.app.owner().request("POST", "/v1/route").json(&ask("policy/p")).send().await.expect(200).json();
    assert_eq!(plan["data"]["policy"], "p@4", "{plan}");
    assert_eq!(plan["data"]["plan"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn bad_policies_are_refused_and_unknown_ones_are_named() {
    let place = place().await;
    let put = |policy: Value| place.manager.request("PUT", "/v1/policies/p").json(&policy).send();
    let rows = [
        (json!({}), "models"),
        (json!({"models": ["policy/x"]}), "models[0]"),
        (json!({"models": ["one/m"], "retry": 3}), "retry"),
        (json!({"models": ["no/such-model"]}), "no/such-model"),
    ];
    for (policy, expect) in rows {
        let reply = put(policy.clone()).await.expect(400);
        assert!(reply.text().contains(expect), "{policy}: {}", reply.text());
    }
    place.put("careful", &json!({"models": ["one/m"]})).await;
    let reply = place.app.owner().chat_request(&ask("policy/carefull")).send().await.expect(404);
    assert!(reply.text().contains("did you mean `careful`"), "{}", reply.text());
}

#[tokio::test]
async fn a_policy_switches_the_response_cache() {
    let place = place().await;
    let tools = json!({"tools": true});
    let mut policy = json!({"models": ["one/m"], "cache": {"enabled": true, "ttl_s": 60}, "rules": [
        {"name": "fresh", "when": tools, "models": ["one/m"], "cache": {"enabled": false}}
    ]});
    place.put("kept", &policy).await;
    let owner = place.app.owner();
    let mut asked = ask("policy/kept");
    let status = async |request: testkit::Request| {
        let reply = request.send().await.expect(200);
        let told = |name: &str| reply.header(name).map(str::to_owned);
        (told("x-tollway-cache-status"), told("x-tollway-cache-ttl"))
    };
    let some = |status: &str, ttl: &str| (Some(status.to_owned()), Some(ttl.to_owned()));
    assert_eq!(status(owner.chat_request(&asked)).await, some("MISS", "60"));
    assert_eq!(status(owner.chat_request(&asked)).await, some("HIT", "60"));
    let off = owner.chat_request(&asked).header("x-tollway-cache", "false");
    assert_eq!(status(off).await, (None, None), "the header goes first");
    let shorter = owner.chat_request(&asked).header("x-tollway-cache-ttl", "9");
    assert_eq!(status(shorter).await.0.as_deref(), Some("HIT"), "it is not as old as that");

    // Another version of the policy finds nothing of the one before.
    policy["description"] = json!("edited");
    place.put("kept", &policy).await;
    assert_eq!(status(owner.chat_request(&asked)).await, some("MISS", "60"));
    // A preset in front of it is asked after it.
    let preset = json!({"config": {"model": "policy/kept", "cache_enabled": true, "cache_ttl_seconds": 7}});
    let made = place.manager.request("PUT", "/v1/presets/before").json(&preset).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    let mut filled = ask("@preset/before");
    assert_eq!(
        status(owner.chat_request(&filled)).await,
        some("HIT", "60"),
        "filled up, it is the same request"
    );
    filled["temperature"] = json!(0.5);
    assert_eq!(status(owner.chat_request(&filled)).await, some("MISS", "60"));

    asked["tools"] =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let insists = owner.chat_request(&asked).header("x-tollway-cache", "true");
    assert_eq!(status(insists).await, (None, None), "a rule that says no holds against the header");
    let bad = json!({"models": ["one/m"], "cache": {"ttl_s": 0}});
    let refused = place.manager.request("PUT", "/v1/policies/bad").json(&bad).send().await.expect(400);
    assert!(refused.text().contains("cache.ttl_s"), "{}", refused.text());
}
