//! `:thinking` and `:online` fill a request up as if it had asked itself, in every dialect, and its own word goes before.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask};

/// A model that reasons by the catalog, and one that doesn't.
async fn place() -> (TestApp, FakeUpstream) {
    let up = FakeUpstream::start();
    up.always(Script::chat("Hello.", Tokens::new(20, 8)));
    let lab =
        Lab::at("lab", &up).model("deepseek/deepseek-r1", "1", "2").model("openai/gpt-4.1-nano", "1", "2");
    (TestApp::builder().lab(lab).start().await, up)
}

#[tokio::test]
async fn thinking_is_switched_on_at_models_that_reason() {
    let (app, up) = place().await;
    let owner = app.owner();
    let messages = json!([{"role": "user", "content": "Why?"}]);
    let rows = [
        (
            "/v1/chat/completions",
            json!({"model": "deepseek/deepseek-r1:thinking", "messages": messages}),
            "medium",
        ),
        (
            "/v1/chat/completions",
            json!({"model": "deepseek/deepseek-r1:thinking", "messages": messages, "reasoning": {"effort": "high"}}),
            "high",
        ),
        (
            "/v1/messages",
            json!({"model": "deepseek/deepseek-r1:thinking", "messages": messages, "max_tokens": 8000}),
            "medium",
        ),
        ("/v1/responses", json!({"model": "deepseek/deepseek-r1:thinking", "input": "Why?"}), "medium"),
    ];
    for (number, (path, body, effort)) in rows.into_iter().enumerate() {
        let reply = owner.request("POST", path).json(&body).send().await.expect(200);
        assert!(!reply.text().contains("not_served_yet"), "{}", reply.text());
        let sent = up.request(number).await.json();
        assert_eq!(sent["reasoning_effort"], effort, "{path}: {sent}");
        let told = owner.generation(reply.header("x-generation-id").expect("an id")).await;
        let model = (&told["model"], &told["requested_model"]);
        assert_eq!(model, (&json!("deepseek/deepseek-r1"), &json!("deepseek/deepseek-r1:thinking")));
    }
    let reply = owner.chat_request(&ask("openai/gpt-4.1-nano:thinking")).send().await.expect(404);
    assert!(reply.text().contains("Filter by Reasoning"), "{}", reply.text());
}

#[tokio::test]
async fn online_searches_the_web_and_fallbacks_are_told_what_has_no_effect() {
    let (app, up) = place().await;
    let owner = app.owner();
    owner.chat_request(&ask("openai/gpt-4.1-nano:online")).send().await.expect(200);
    assert_eq!(up.request(0).await.json()["web_search_options"], json!({}));
    let responses = json!({"model": "openai/gpt-4.1-nano:online", "input": "News?"});
    owner.request("POST", "/v1/responses").json(&responses).send().await.expect(200);
    assert_eq!(up.request(1).await.json()["web_search_options"], json!({}));
    let mut body = ask("openai/gpt-4.1-nano");
    body["models"] = json!(["deepseek/deepseek-r1:online"]);
    let reply = owner.chat_request(&body).send().await.expect(200);
    assert!(reply.text().contains("`:online` changes the request only"), "{}", reply.text());
    assert_eq!(up.request(2).await.json()["web_search_options"], Value::Null);
    let route = owner.post("/v1/route", &ask("deepseek/deepseek-r1:thinking")).await.expect(200).json();
    assert_eq!((&route["warnings"], &route["data"]["preset"]), (&json!([]), &Value::Null), "{route}");
}
