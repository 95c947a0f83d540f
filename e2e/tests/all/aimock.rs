//! A provider that nobody here wrote: `@copilotkit/aimock` from npm.

use std::path::Path;
use std::process::Command;

use e2e::amount;
use serde_json::{Value, json};
use testkit::sse::{self, Event};
use testkit::{Client, Lab, TestApp, ask, ask_stream};
use types::Money;

use e2e::programs::{Server, node_dir};

const FIXTURES: &str = r#"{"fixtures":[
  {"match":{"userMessage":"weather"},"response":{"toolCalls":[{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}]}},
  {"match":{"userMessage":"overload"},"response":{"error":{"message":"Overloaded","type":"overloaded_error"},"status":529}},
  {"match":{"userMessage":"hello"},"response":{"content":"Hello from a mock, in a few words.",
    "usage":{"prompt_tokens":11,"completion_tokens":9,"total_tokens":20}}}]}"#;

/// Starts it on a free port and waits until it answers.
async fn mock(folder: &Path) -> (Server, String) {
    let fixtures = folder.join("fixtures.json");
    std::fs::write(&fixtures, FIXTURES).expect("write the fixtures");
    let addr = testkit::upstream::refused_addr();
    let mut command = Command::new(node_dir().join("node_modules/.bin/llmock"));
    command.args(["-p", &addr.port().to_string(), "-f"]).arg(&fixtures);
    let log = folder.join("mock.log");
    let mut server = Server::start(command, &log);
    testkit::eventually("aimock to answer", || {
        assert!(server.is_running(), "aimock ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
        async move { Client::new(addr).get("/v1/models").try_send().await.ok() }
    })
    .await;
    (server, format!("http://{addr}/v1"))
}

fn say(mut body: Value, text: &str) -> Value {
    body["messages"][0]["content"] = json!(text);
    body
}

#[tokio::test]
async fn aimock_answers_through_the_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, url) = mock(folder.path()).await;
    let app = TestApp::builder().lab(Lab::at_url("mock", &url).model("lab/mock", "1", "2")).start().await;
    let owner = app.owner();

    let plain = owner.chat_request(&say(ask("lab/mock"), "hello")).send().await.expect(200);
    let body = plain.json();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello from a mock, in a few words.");
    let cost = amount::cost_in(&plain.text()).expect("a cost");
    let tokens = |name: &str| body["usage"][name].as_i64().unwrap_or_default();
    let expected = tokens("prompt_tokens") * 1_000 + tokens("completion_tokens") * 2_000;
    assert_eq!(cost, Money::from_nanos(expected), "{body}");

    let streamed = owner.chat_request(&say(ask_stream("lab/mock"), "hello")).send().await.expect(200);
    assert_eq!(sse::text(&streamed.events()), "Hello from a mock, in a few words.");
    assert_eq!(streamed.events().last(), Some(&Event::Done));
    assert!(amount::cost_in(&streamed.text()).is_some(), "{}", streamed.text());

    let mut tools = say(ask("lab/mock"), "weather");
    tools["tools"] = json!([{ "type": "function", "function": { "name": "get_weather", "parameters": { "type": "object" } } }]);
    let called = owner.chat_request(&tools).send().await.expect(200).json();
    let arguments = called["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str();
    assert_eq!(arguments, Some("{\"city\":\"Paris\"}"), "{called}");

    let refused = owner.chat_request(&say(ask("lab/mock"), "overload")).send().await;
    assert!(refused.status >= 500, "{}", refused.text());
}
