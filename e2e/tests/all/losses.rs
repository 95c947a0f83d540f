//! What can't be carried over is said, by JSON pointer and by a count, and can be made a reason to go elsewhere.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens};

fn claude() -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 3, "output_tokens": 1}})
}

/// A request with two fields that Anthropic's dialect has no place for.
fn ask(stream: bool) -> Value {
    json!({"model": "lab/m", "stream": stream, "seed": 7, "frequency_penalty": 0.5,
        "messages": [{"role": "user", "content": "q"}]})
}

fn pointers(warnings: &Value) -> Vec<&str> {
    let all = warnings.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut pointers: Vec<&str> = all.iter().filter_map(|w| w["pointer"].as_str()).collect();
    pointers.sort_unstable();
    pointers
}

#[tokio::test]
async fn losses_are_listed_in_answers_and_in_streams() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::json(200, &claude()));
    let lab = Lab::at("lab", &upstream).set("protocol", "\"anthropic\"").model("lab/m", "1", "2");
    let app = TestApp::builder().lab(lab).start().await;
    let owner = app.owner();
    let reply = owner.chat_request(&ask(false)).send().await.expect(200);
    let body = reply.json();
    assert_eq!(pointers(&body["warnings"]), ["/frequency_penalty", "/seed"], "{body}");
    assert_eq!(reply.header("x-tollway-translation"), Some("2"));
    let sent = upstream.requests()[0].json();
    assert!(sent.get("seed").is_none() && sent.get("frequency_penalty").is_none(), "{sent}");
    let reply = owner.chat_request(&ask(true)).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-translation"), Some("2"));
    let events = reply.events();
    let last = events.iter().rev().find_map(|event| event.json()).expect("a last chunk");
    assert_eq!(pointers(&last["warnings"]), ["/frequency_penalty", "/seed"], "{last}");
    let mut strict = ask(false);
    strict["provider"] = json!({"require_parameters": true});
    let refused = owner.chat_request(&strict).send().await.expect(404);
    assert!(refused.text().contains("require_parameters"), "{}", refused.text());
    assert_eq!(upstream.request_count(), 2, "nothing was sent");
}

#[tokio::test]
async fn a_loss_is_a_reason_to_go_elsewhere() {
    let (narrow, wide) = (FakeUpstream::start(), FakeUpstream::start());
    wide.always(Script::chat("Hello", Tokens::new(3, 1)));
    let app = TestApp::builder()
        .lab(Lab::at("narrow", &narrow).set("protocol", "\"anthropic\"").model("lab/m", "1", "2"))
        .lab(Lab::at("wide", &wide).model("lab/m", "900", "900"))
        .start()
        .await;
    let mut body = ask(false);
    body["provider"] = json!({"require_parameters": true});
    let reply = app.owner().chat_request(&body).send().await.expect(200);
    assert_eq!(reply.header("x-tollway-endpoint"), Some("wide/m"));
    assert_eq!((narrow.request_count(), wide.requests()[0].json()["seed"].as_u64()), (0, Some(7)));
    // Nothing is said of a loss on the way to an endpoint that did not answer.
    narrow.push(Script::error(500, "broken", None));
    let reply = app.owner().chat_request(&ask(false)).send().await.expect(200);
    assert_eq!((narrow.request_count(), reply.header("x-tollway-endpoint")), (1, Some("wide/m")));
    assert_eq!((reply.json().get("warnings"), reply.header("x-tollway-translation")), (None, None));
}

#[tokio::test]
async fn fields_that_are_not_served_are_told_in_every_dialect() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::chat("Hello", Tokens::new(3, 1)));
    let app = TestApp::builder().lab(Lab::at("lab", &upstream).model("lab/m", "1", "2")).start().await;
    let chat = json!({"model": "lab/m", "messages": [{"role": "user", "content": "q"}],
        "transforms": ["middle-out"], "max_tool_calls": 2, "trace": {"trace_id": "t-1"}, "route": "fallback"});
    let reply = app.owner().chat_request(&chat).send().await.expect(200);
    assert_eq!(pointers(&reply.json()["warnings"]), ["/max_tool_calls", "/transforms"]);
    let sent = upstream.requests()[0].json();
    for ours in ["transforms", "max_tool_calls", "trace", "route"] {
        assert!(sent.get(ours).is_none(), "{ours}: {sent}");
    }
    let record = app.owner().generation(reply.header("x-generation-id").expect("an id")).await;
    assert_eq!(record["dimensions"]["trace.trace_id"], "t-1", "{record}");
    let messages = json!({"model": "lab/m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}], "transforms": ["middle-out"]});
    let reply = app.owner().request("POST", "/v1/messages").json(&messages).send().await.expect(200);
    assert_eq!(pointers(&reply.json()["warnings"]), ["/transforms"], "{}", reply.text());
}

#[tokio::test]
async fn who_asks_sees_what_each_provider_was_sent() {
    let (broken, well) = (FakeUpstream::start(), FakeUpstream::start());
    broken.always(Script::error(500, "broken", None));
    well.always(Script::chat_stream(&["Hel", "lo"], Tokens::new(3, 2)));
    let app = TestApp::builder()
        .lab(Lab::at("broken", &broken).model("lab/m", "1", "2"))
        .lab(Lab::at("well", &well).model("lab/m", "9", "9"))
        .start()
        .await;
    let body = json!({"model": "lab/m", "stream": true, "messages": [{"role": "user", "content": "two\nlines"}],
        "debug": {"echo_upstream_body": true}, "provider": {"order": ["broken", "well"]}});
    let reply = app.owner().chat_request(&body).send().await.expect(200);
    let events = reply.events();
    let chunks: Vec<&Value> = events.iter().filter_map(|event| event.json()).collect();
    let shown: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["debug"]["echo_upstream_body"]).take(2).collect();
    assert_eq!(shown[0], &broken.requests()[0].json(), "what failed was sent the same");
    assert_eq!(shown[1], &well.requests()[0].json());
    assert_eq!(chunks[0]["choices"], json!([]));
    assert!(chunks[2].get("debug").is_none() && chunks[2]["choices"][0].is_object(), "{}", chunks[2]);
}

#[tokio::test]
async fn reasoning_can_be_hidden_on_every_path() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::json(
        200,
        &json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "42", "reasoning_content": "six times seven"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}}),
    ));
    let app = TestApp::builder().lab(Lab::at("lab", &upstream).model("lab/m", "1", "2")).start().await;
    let ask = |extra: Value| {
        let mut body = json!({"model": "lab/m", "messages": [{"role": "user", "content": "q"}]});
        body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
        app.owner().chat_request(&body)
    };
    assert!(ask(json!({})).send().await.expect(200).text().contains("six times seven"));
    for hidden in
        [json!({"include_reasoning": false}), json!({"reasoning": {"effort": "low", "exclude": true}})]
    {
        let reply = ask(hidden).send().await.expect(200);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "42");
        assert!(!reply.text().contains("six times seven"), "{}", reply.text());
    }
    assert_eq!(upstream.requests()[2].json()["reasoning_effort"], "low");
}
