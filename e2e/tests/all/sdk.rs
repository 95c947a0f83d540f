//! The official SDKs, as their users run them.

use std::process::Command;

use testkit::app::OWNER_KEY;
use testkit::{FakeUpstream, Recorded, Script, TestApp, Tokens};

use e2e::programs::{file, node_dir, run, variable};

/// The provider that the client programs expect.
fn answer(request: &Recorded) -> Script {
    let (body, tokens) = (request.json(), Tokens::new(12, 3));
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
    let app = TestApp::with(&upstream).await;
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
