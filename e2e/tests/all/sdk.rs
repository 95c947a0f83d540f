//! The official SDKs, as their users run them.

use std::process::Command;

use serde_json::json;
use testkit::app::OWNER_KEY;
use testkit::{FakeUpstream, Lab, Recorded, Script, TestApp, Tokens};

use e2e::programs::{file, node_dir, run, variable};

/// The provider that the client programs expect.
fn answer(request: &Recorded) -> Script {
    let (body, tokens) = (request.json(), Tokens::new(12, 3));
    if request.path().ends_with("/embeddings") {
        let data = json!([{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]);
        return Script::json(
            200,
            &json!({"object": "list", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}),
        );
    }
    if request.path().ends_with("/rerank") {
        return Script::json(200, &json!({"results": [{"index": 1, "relevance_score": 0.9}]}));
    }
    if body["messages"][0]["content"] == "fail" {
        return Script::error(400, "you asked for it", None);
    }
    match (body.get("tools").is_some(), request.wants_stream()) {
        (true, true) => Script::tool_call_stream("get_weather", ("{\"city\":", "\"Bern\"}"), tokens),
        (true, false) => Script::tool_call("get_weather", "{\"city\":\"Bern\"}", tokens),
        (false, true) => Script::chat_stream(&["Hello", " from", " here"], tokens),
        (false, false) => Script::chat("Hello from here", tokens),
    }
}

async fn check(mut command: Command, checks: usize) {
    let upstream = FakeUpstream::start();
    upstream.answer_with(answer);
    let lab = Lab::at("lab", &upstream)
        .model("lab/tiny", "1", "2")
        .maker("lab/embed", "embeddings", &[("input_usd_per_mtok", "1")])
        .maker("lab/rank", "rerank", &[("search_usd", "0.002")]);
    let app = TestApp::builder().lab(lab).start().await;
    command.env("BASE_URL", format!("{}/v1", app.url())).env("API_KEY", OWNER_KEY);
    let said = run(command).await;
    assert_eq!(said.matches("ok ").count(), checks, "{said}");
}

#[tokio::test]
async fn openai_for_python() {
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/openai_python.py"));
    check(command, 8).await;
}

#[tokio::test]
async fn openai_for_node() {
    let mut command = Command::new("node");
    command.arg(file("clients/openai_node.mjs")).env("NODE_DIR", node_dir());
    check(command, 7).await;
}

#[tokio::test]
async fn responses_of_openai_for_python() {
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/responses_python.py"));
    check(command, 6).await;
}

#[tokio::test]
async fn anthropic_for_python() {
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/anthropic_python.py"));
    check(command, 8).await;
}

#[tokio::test]
async fn google_genai_for_python() {
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/gemini_python.py"));
    check(command, 6).await;
}

#[tokio::test]
async fn anthropic_vercel_and_openrouter_for_node() {
    let mut command = Command::new("node");
    command.arg(file("clients/more_node.mjs")).env("NODE_DIR", node_dir());
    check(command, 4).await;
}

#[tokio::test]
async fn mistral_and_cohere_for_python() {
    let mut command = Command::new(variable("TOLLWAY_E2E_PYTHON"));
    command.arg(file("clients/more_python.py"));
    check(command, 4).await;
}
