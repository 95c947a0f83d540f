//! What proves a model's calls to its maker comes back to it, though the caller's history has lost it; and a stream is told
//! of an answer that came whole.

use serde_json::{Value, json};
use testkit::sse::{self, Event};
use testkit::{Actor, FakeUpstream, Lab, Script, TestApp};

fn thinking() -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "content": [{"type": "thinking", "thinking": "Which city?", "signature": "c2ln"},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Bern"}}],
        "usage": {"input_tokens": 12, "output_tokens": 9}})
}

fn said(text: &str) -> Value {
    json!({"id": "msg_2", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 20, "output_tokens": 3}})
}

fn signed() -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [
        {"functionCall": {"name": "get_weather", "args": {"city": "Bern"}}, "thoughtSignature": "c2ln"}]},
        "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 9}})
}

fn spoken(text: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 3}})
}

async fn app(upstream: &FakeUpstream, protocol: &str) -> TestApp {
    let lab = Lab::at("lab", upstream).set("protocol", &format!("\"{protocol}\"")).model("lab/m", "1", "2");
    TestApp::builder().lab(lab).start().await
}

/// Calls the tool and answers it, as clients do that keep nothing but what OpenAI's own SDK keeps.
async fn two_turns(owner: &Actor) -> Value {
    let tool =
        json!({"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}});
    let mut messages = vec![json!({"role": "user", "content": "q"})];
    let ask = |messages: &[Value]| json!({"model": "lab/m", "messages": messages, "tools": [tool], "max_tokens": 4000, "reasoning": {"max_tokens": 2000}});
    let first = owner.chat_request(&ask(&messages)).send().await.expect(200).json();
    let calls = first["choices"][0]["message"]["tool_calls"].clone();
    let id = calls[0]["id"].as_str().expect("a call").to_owned();
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
    messages.push(json!({"role": "tool", "tool_call_id": id, "content": "sunny"}));
    owner.chat_request(&ask(&messages)).send().await.expect(200).json()
}

#[tokio::test]
async fn thinking_goes_back_before_its_call() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, "anthropic").await;
    upstream.push(Script::json(200, &thinking()));
    upstream.push(Script::json(200, &said("Sunny.")));
    let answer = two_turns(&app.owner()).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "Sunny.");
    let sent = upstream.requests()[1].json();
    let turn = &sent["messages"][1]["content"];
    assert_eq!(
        turn[0],
        json!({"type": "thinking", "thinking": "Which city?", "signature": "c2ln"}),
        "{sent}"
    );
    assert_eq!(turn[1]["id"], "toolu_1");
}

#[tokio::test]
async fn a_signature_goes_back_on_its_call() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, "gemini").await;
    upstream.push(Script::json(200, &signed()));
    upstream.push(Script::json(200, &spoken("Sunny.")));
    two_turns(&app.owner()).await;
    let sent = upstream.requests()[1].json();
    let part = &sent["contents"][1]["parts"][0];
    assert_eq!(
        (&part["functionCall"]["name"], &part["thoughtSignature"]),
        (&json!("get_weather"), &json!("c2ln"))
    );
}

#[tokio::test]
async fn an_answer_that_came_whole_is_streamed_all_the_same() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, "anthropic").await;
    upstream.push(Script::json(200, &thinking()));
    let ask = json!({"model": "lab/m", "messages": [{"role": "user", "content": "q"}], "stream": true});
    let reply = app.owner().chat_request(&ask).send().await.expect(200);
    let events = reply.events();
    assert_eq!(events.last(), Some(&Event::Done));
    let text = reply.text();
    assert!(text.contains("\\\"Bern\\\"") && text.contains("\"cost\":0.00003,"), "{text}");
    assert_eq!(sse::text(&events), "");
}
