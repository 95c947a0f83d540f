//! `auto_cache`: breakpoints of the provider's own prompt cache, as the provider sees them.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp};

/// Longer than the shortest piece that is cached.
fn long(what: &str) -> String {
    format!("{what} ").repeat(1_500)
}

fn said() -> Value {
    json!({"id": "msg_up", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 20, "output_tokens": 3}})
}

fn conversed() -> Value {
    json!({"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}})
}

async fn app(upstream: &FakeUpstream, protocol: &str, answer: &Value) -> TestApp {
    upstream.always(Script::json(200, answer));
    let lab = Lab::at("lab", upstream).set("protocol", &format!("\"{protocol}\""));
    let lab = lab.model("lab/claude-sonnet-4-5", "1", "2").known_there_as("claude-sonnet-4-5");
    TestApp::builder().lab(lab).start().await
}

/// A conversation of three long pieces and a short question.
fn chat() -> Value {
    json!({"model": "lab/claude-sonnet-4-5",
        "tools": [{"type": "function", "function": {"name": "f", "description": long("tool"), "parameters": {"type": "object"}}}],
        "messages": [{"role": "system", "content": long("rule")}, {"role": "user", "content": long("asked")},
            {"role": "assistant", "content": "answered"}, {"role": "user", "content": "and now?"}]})
}

/// Where a request that was sent has breakpoints.
fn marks(sent: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match key.as_str() {
                        "cache_control" | "cachePoint" => found.push(at.to_owned()),
                        _ => walk(value, &format!("{at}/{key}"), found),
                    }
                }
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(nth, value)| walk(value, &format!("{at}/{nth}"), found));
            }
            _ => (),
        }
    }
    let mut found = Vec::new();
    walk(sent, "", &mut found);
    found.sort_unstable();
    found
}

#[tokio::test]
async fn long_and_stable_pieces_of_a_translated_request_are_marked() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, "anthropic", &said()).await;
    let all = ["/messages/1/content/0", "/system/0", "/tools/0"].as_slice();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = chat();
        change(&mut body);
        body
    };
    let rows = [
        ("nothing asked", chat(), None, &[][..]),
        ("header", chat(), Some("true"), all),
        ("body", with(&|b| b["auto_cache"] = json!(true)), None, all),
        ("Requesty", with(&|b| b["requesty"] = json!({"auto_cache": true})), None, all),
        ("the body goes first", with(&|b| b["auto_cache"] = json!(false)), Some("true"), &[]),
        (
            "short rules",
            with(&|b| b["messages"][0]["content"] = json!("be kind")),
            Some("true"),
            &[all[0], all[2]],
        ),
        (
            "one of the caller's own",
            with(&|b| {
                let mark = json!({"type": "ephemeral"});
                b["messages"][3]["content"] = json!([{"type": "text", "text": "now", "cache_control": mark}]);
            }),
            Some("true"),
            &["/messages/2/content/0"],
        ),
    ];
    for (name, body, header, expect) in rows {
        let mut request = app.owner().chat_request(&body);
        if let Some(value) = header {
            request = request.header("x-tollway-auto-cache", value);
        }
        let reply = request.send().await.expect(200);
        assert_eq!(reply.json().get("warnings"), None, "{name}");
        let sent = upstream.requests().last().expect("a request").json();
        assert_eq!(marks(&sent), expect, "{name}");
        assert!(sent.get("auto_cache").is_none() && sent.get("requesty").is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_callers_own_bytes_get_marks_and_nothing_else() {
    let upstream = FakeUpstream::start();
    let app = app(&upstream, "anthropic", &said()).await;
    let (rule, asked) = (long("rule"), long("asked"));
    let body = format!(
        r#"{{"model":"lab/claude-sonnet-4-5", "max_tokens":9,"system":"{rule}","odd":1.50,
        "messages":[{{"role":"user","content":[{{"type":"text","text":"{asked}"}} ]}},{{"role":"assistant","content":"h\u00e9"}}, {{"role":"user","content":"q"}}]EXTRA}}"#
    );
    let ask = async |extra: &str| {
        let request = app.owner().request("POST", "/v1/messages").body(body.replace("EXTRA", extra));
        let reply = request.header("content-type", "application/json").send().await.expect(200);
        let sent = upstream.requests().last().expect("a request").clone();
        (reply.json(), String::from_utf8_lossy(sent.body()).into_owned())
    };
    let plain = body.replace("EXTRA", "").replace("lab/claude", "claude");
    assert_eq!(ask("").await.1, plain);
    assert_eq!(ask(r#","auto_cache":false,"requesty":{"auto_cache":false}"#).await.1, plain);
    let mark = r#","cache_control":{"type":"ephemeral"}"#;
    let marked = plain
        .replace(&format!(r#""{rule}""#), &format!(r#"[{{"type":"text","text":"{rule}"{mark}}}]"#))
        .replace(r#""h\u00e9""#, &format!(r#"[{{"type":"text","text":"h\u00e9"{mark}}}]"#));
    assert_eq!(ask(r#","auto_cache":true"#).await.1, marked);
    let (reply, sent) = ask(r#","requesty":{"auto_cache":true,"tags":["a"]}"#).await;
    assert_eq!(sent, marked);
    assert_eq!(reply["warnings"][0]["pointer"], "/requesty/tags", "what is not served is said");
    let wrong = app.owner().request("POST", "/v1/messages").body(body.replace("EXTRA", r#","auto_cache":1"#));
    let refused = wrong.send().await.expect(400).json();
    assert!(
        refused["error"]["message"].as_str().is_some_and(|m| m.contains("`auto_cache` must be")),
        "{refused}"
    );
}

#[tokio::test]
async fn bedrock_gets_cache_points_for_claude_and_for_nobody_else() {
    let upstream = FakeUpstream::start();
    upstream.always(Script::json(200, &conversed()));
    let lab = |slug: &str, name: &str| {
        let lab = Lab::at(slug, &upstream).set("protocol", "\"bedrock\"");
        lab.model(&format!("{slug}/m"), "1", "2").known_there_as(name)
    };
    let claude = lab("near", "us.anthropic.claude-sonnet-4-5-v1:0");
    let app = TestApp::builder().lab(claude).lab(lab("far", "meta.llama-v1:0")).start().await;
    let points = ["/messages/1/content/1", "/system/1", "/toolConfig/tools/1"].as_slice();
    for (model, expect) in [("near/m", points), ("far/m", &[])] {
        let mut body = chat();
        body["model"] = json!(model);
        let request = app.owner().chat_request(&body).header("x-openrouter-auto-cache", "true");
        let reply = request.send().await.expect(200);
        assert_eq!(reply.json().get("warnings"), None, "{model}");
        assert_eq!(marks(&upstream.requests().last().expect("a request").json()), expect, "{model}");
    }
}

#[tokio::test]
async fn who_caches_by_itself_is_asked_as_before() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let mut body = chat();
    body["model"] = json!("lab/tiny");
    app.owner().chat_request(&body).send().await.expect(200);
    body["auto_cache"] = json!(true);
    body["requesty"] = json!({"auto_cache": true});
    let reply = app.owner().chat_request(&body).send().await.expect(200);
    assert_eq!(reply.json().get("warnings"), None);
    let sent: Vec<_> = upstream.requests().iter().map(|request| request.body().clone()).collect();
    assert_eq!(sent[0], sent[1], "byte by byte");
}
