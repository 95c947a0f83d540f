//! Presets at work: in every dialect, with the request going first, and in the record.

use serde_json::{Value, json};

use super::{Shop, put};

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}})
}

fn support() -> Value {
    json!({"name": "Support", "system_prompt": "Be brief.", "config": {
        "model": "lab/one", "temperature": 0.25, "max_tokens": 77, "stop": ["HALT"], "tools": [tool("look_up")]}})
}

fn names(request: &Value) -> Vec<String> {
    let tools = request["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().filter_map(|tool| tool["function"]["name"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_preset_is_named_in_three_ways() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/presets/support", &support()).await.expect(201);
    let owner = shop.app.owner();
    let messages = json!([{"role": "user", "content": "q"}]);
    let rows = [
        (json!({"model": "@preset/support", "messages": messages}), "lab/one", "@preset/support"),
        (json!({"preset": "support", "messages": messages}), "lab/one", "lab/one"),
        (json!({"model": "lab/two", "preset": "support", "messages": messages}), "lab/two", "lab/two"),
        (
            json!({"model": "lab/two@preset/support", "messages": messages}),
            "lab/two",
            "lab/two@preset/support",
        ),
    ];
    for (body, model, asked) in rows {
        let reply = owner.chat_request(&body).send().await.expect(200);
        assert_eq!(reply.header("x-tollway-model"), Some(model), "{body}");
        let sent = shop.last_request();
        assert_eq!(
            (&sent["temperature"], &sent["messages"][0]),
            (&json!(0.25), &json!({"role": "system", "content": "Be brief."}))
        );
        assert!(
            sent.get("preset").is_none() && reply.json().get("warnings").is_none(),
            "{sent} {}",
            reply.text()
        );
        let record = owner.generation(reply.header("x-generation-id").expect("an id")).await;
        assert_eq!((&record["preset_id"], &record["requested_model"]), (&json!("support@1"), &json!(asked)));
    }
    let edited = json!({"config": {"model": "lab/two", "temperature": 1.5}});
    put(&shop.manager, "/v1/presets/support", &edited).await.expect(200);
    let reply = owner.chat("@preset/support").await.expect(200);
    let sent = shop.last_request();
    assert_eq!(
        (&sent["temperature"], names(&sent), reply.header("x-tollway-model")),
        (&json!(1.5), vec![], Some("lab/two"))
    );
    let record = owner.generation(reply.header("x-generation-id").expect("an id")).await;
    assert_eq!(record["preset_id"], "support@2");
}

#[tokio::test]
async fn every_dialect_is_filled_up_and_the_request_goes_first() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/presets/support", &support()).await.expect(201);
    let owner = shop.app.owner();
    let gemini = "/v1beta/models/@preset/support:generateContent";
    let rows = [
        (
            "/v1/chat/completions",
            json!({"model": "@preset/support", "messages": [{"role": "user", "content": "q"}]}),
        ),
        ("/v1/responses", json!({"model": "@preset/support", "input": "q"})),
        ("/v1/messages", json!({"model": "@preset/support", "messages": [{"role": "user", "content": "q"}]})),
        (gemini, json!({"contents": [{"role": "user", "parts": [{"text": "q"}]}]})),
        ("/v1/completions", json!({"model": "@preset/support", "prompt": "q"})),
    ];
    for (path, body) in rows {
        let reply = owner.post(path, &body).await.expect(200);
        let sent = shop.last_request();
        assert_eq!((&sent["temperature"], &sent["max_tokens"]), (&json!(0.25), &json!(77)), "{path}: {sent}");
        let text = path == "/v1/completions";
        assert_eq!(names(&sent).len(), usize::from(!text), "{path}: {sent}");
        let first = &sent["messages"][0];
        assert_eq!(
            (first["role"] == "system", first["content"] == "Be brief."),
            (!text, !text),
            "{path}: {sent}"
        );
        let stops = path != "/v1/responses";
        assert_eq!(sent.get("stop").is_some(), stops, "{path}: {sent}");
        let told = reply.text().contains("preset `support`");
        assert_eq!(told, text || !stops, "{path}: {}", reply.text());
    }
    let rows = [
        (
            "/v1/chat/completions",
            json!({"model": "@preset/support", "temperature": 1, "max_tokens": 5, "tools": [tool("own")],
            "messages": [{"role": "system", "content": "Own."}, {"role": "user", "content": "q"}]}),
        ),
        (
            "/v1/responses",
            json!({"model": "@preset/support", "temperature": 1, "max_output_tokens": 5, "instructions": "Own.",
            "tools": [{"type": "function", "name": "own", "parameters": {"type": "object"}}], "input": "q"}),
        ),
        (
            "/v1/messages",
            json!({"model": "@preset/support", "temperature": 1, "max_tokens": 5, "system": "Own.",
            "tools": [{"name": "own", "input_schema": {"type": "object"}}], "messages": [{"role": "user", "content": "q"}]}),
        ),
        (
            gemini,
            json!({"generationConfig": {"temperature": 1, "maxOutputTokens": 5}, "systemInstruction": {"parts": [{"text": "Own."}]},
            "tools": [{"functionDeclarations": [{"name": "own"}]}], "contents": [{"role": "user", "parts": [{"text": "q"}]}]}),
        ),
    ];
    for (path, body) in rows {
        owner.post(path, &body).await.expect(200);
        let sent = shop.last_request();
        assert_eq!((&sent["temperature"], &sent["max_tokens"]), (&json!(1), &json!(5)), "{path}: {sent}");
        assert_eq!(names(&sent), ["own", "look_up"], "{path}: {sent}");
        assert!(
            !sent.to_string().contains("Be brief.") && sent.to_string().contains("Own."),
            "{path}: {sent}"
        );
    }
}

#[tokio::test]
async fn a_preset_that_cannot_be_used_is_refused() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/presets/support", &support()).await.expect(201);
    let owner = shop.app.owner();
    let unknown = owner.chat("@preset/suport").await.expect(404).json();
    assert_eq!(
        (&unknown["error"]["type"], &unknown["error"]["metadata"]["suggestions"]),
        (&json!("preset_not_found"), &json!(["support"]))
    );
    let ask = |body: Value| owner.chat_request(&body);
    let messages = json!([{"role": "user", "content": "q"}]);
    let two = ask(json!({"model": "@preset/support", "preset": "other", "messages": messages}))
        .send()
        .await
        .expect(400);
    assert!(two.text().contains("name one of them"), "{}", two.text());
    let among = ask(json!({"model": "lab/one", "models": ["@preset/support"], "messages": messages}))
        .send()
        .await
        .expect(400);
    assert!(among.text().contains("not among other models"), "{}", among.text());
    let nameless = ask(json!({"preset": 5, "messages": messages})).send().await.expect(400);
    assert!(nameless.text().contains("`preset`"), "{}", nameless.text());
    let vectors =
        owner.post("/v1/embeddings", &json!({"model": "@preset/support", "input": "q"})).await.expect(400);
    assert!(vectors.text().contains("presets are for conversations"), "{}", vectors.text());
    put(&shop.manager, "/v1/presets/support", &json!({"status": "disabled", "config": {"model": "lab/one"}}))
        .await
        .expect(200);
    let disabled = owner.chat("@preset/support").await.expect(400);
    assert!(disabled.text().contains("is disabled"), "{}", disabled.text());
    put(&shop.manager, "/v1/presets/support", &json!({"config": {"seed": 1}})).await.expect(200);
    let without = owner.chat("@preset/support").await.expect(400);
    assert!(without.text().contains("`model` is missing"), "{}", without.text());
    assert_eq!(shop.upstream.request_count(), 0);
}

#[tokio::test]
async fn a_policy_a_plan_and_a_count_go_through_presets() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/policies/chain", &super::chain("lab/two")).await.expect(201);
    let body =
        json!({"system_prompt": "word ".repeat(400), "config": {"model": "policy/chain", "max_tokens": 50}});
    put(&shop.manager, "/v1/presets/routed", &body).await.expect(201);
    let owner = shop.app.owner();
    let reply = owner.chat("@preset/routed").await.expect(200);
    assert_eq!(reply.header("x-tollway-model"), Some("lab/two"));
    let record = owner.generation(reply.header("x-generation-id").expect("an id")).await;
    assert_eq!((&record["preset_id"], &record["policy"]), (&json!("routed@1"), &json!("chain@1")));
    let plan = owner.post("/v1/route", &testkit::app::ask("@preset/routed")).await.expect(200).json();
    assert_eq!(
        (&plan["data"]["model"], &plan["data"]["preset"]),
        (&json!("lab/two"), &json!("routed@1")),
        "{plan}"
    );
    let messages = json!([{"role": "user", "content": "q"}]);
    let mut counts = Vec::new();
    for model in ["@preset/routed", "lab/two"] {
        let body = json!({"model": model, "messages": messages});
        let counted = owner.post("/v1/messages/count_tokens", &body).await.expect(200).json();
        counts.push(counted["input_tokens"].as_u64().expect("a count"));
    }
    let (with, without) = (counts[0], counts[1]);
    assert!(with > without + 300, "{with} {without}");
}

#[tokio::test]
async fn a_conversation_that_goes_on_keeps_the_presets_words_out_of_its_history() {
    let shop = Shop::open().await;
    put(&shop.manager, "/v1/presets/support", &support()).await.expect(201);
    let owner = shop.app.owner();
    let first =
        owner.post("/v1/responses", &json!({"preset": "support", "input": "one"})).await.expect(200).json();
    assert_eq!(
        (&first["temperature"], &first["instructions"]),
        (&json!(0.25), &json!("Be brief.")),
        "{first}"
    );
    let next = json!({"preset": "support", "input": "two", "previous_response_id": first["id"]});
    owner.post("/v1/responses", &next).await.expect(200);
    let sent = shop.last_request();
    let said: Vec<_> =
        sent["messages"].as_array().expect("messages").iter().map(|m| m["role"].clone()).collect();
    assert_eq!(said, ["system", "user", "assistant", "user"], "{sent}");
}

#[tokio::test]
async fn a_preset_is_made_from_a_request_and_rules_the_cache() {
    let shop = Shop::open().await;
    let (owner, manager) = (shop.app.owner(), &shop.manager);
    let body = json!({"model": "lab/one", "max_tokens": 60, "system": "Be brief.", "messages": [{"role": "user", "content": "left out"}],
        "stop_sequences": ["HALT"], "stream": true});
    let made = manager.post("/v1/presets/made/messages", &body).await.expect(200).json();
    let version = &made["data"]["designated_version"];
    assert_eq!(version["config"], json!({"model": "lab/one", "max_tokens": 60, "stop": ["HALT"]}));
    assert_eq!((&version["system_prompt"], &made["data"]["slug"]), (&json!("Be brief."), &json!("made")));
    put(manager, "/v1/presets/made", &json!({"name": "Made", "config": {}})).await.expect(200);
    let chat = json!({"model": "lab/one", "seed": 3, "messages": [], "cache_enabled": true, "cache_ttl_seconds": 60});
    let next = manager.post("/v1/presets/made/chat/completions", &chat).await.expect(200).json();
    assert_eq!(
        (&next["data"]["designated_version"]["version"], &next["data"]["name"]),
        (&json!(3), &json!("Made"))
    );
    let status = |reply: &testkit::http::Reply| reply.header("x-tollway-cache-status").map(str::to_owned);
    let (miss, hit) =
        (owner.chat("@preset/made").await.expect(200), owner.chat("@preset/made").await.expect(200));
    assert_eq!((status(&miss).as_deref(), status(&hit).as_deref()), (Some("MISS"), Some("HIT")));
    let record = owner.generation(hit.header("x-generation-id").expect("an id")).await;
    assert_eq!(
        (&record["preset_id"], &record["requested_model"]),
        (&json!("made@3"), &json!("@preset/made"))
    );
    assert_eq!(status(&owner.chat("lab/one").await.expect(200)), None);
    let versions = owner.get("/v1/presets/made/versions").await.expect(200).json();
    assert_eq!(
        (versions["total_count"].as_u64(), &versions["data"][2]["config"]["stop"]),
        (Some(3), &json!(["HALT"]))
    );
}
