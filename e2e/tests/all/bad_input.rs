//! What callers get wrong: each gets its status and an error that says what to do, and the process lives.

use std::io::Write as _;

use serde_json::json;
use testkit::{FakeUpstream, Reply, TestApp, ask};

/// An error of ours: a status that agrees with the body, a stable type, and a sentence.
fn assert_error(name: &str, reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{name}: {}", reply.text());
    let error = &reply.json()["error"];
    assert_eq!(error["code"], status, "{name}: {error}");
    assert!(error["type"].as_str().is_some_and(|t| !t.is_empty()), "{name}: {error}");
    assert!(error["message"].as_str().is_some_and(|m| m.len() > 10), "{name}: {error}");
}

async fn post_raw(app: &TestApp, body: impl Into<Vec<u8>>) -> Reply {
    let request = app.owner().request("POST", "/v1/chat/completions");
    request.header("content-type", "application/json").body(body.into()).send().await
}

#[tokio::test]
async fn bodies_that_make_no_sense() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let with = |fields: &str| {
        format!("{{\"model\":\"lab/tiny\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]{fields}}}")
    };
    let rows: Vec<(&str, String, &str)> = vec![
        ("empty", String::new(), ""),
        ("cut", "{\"model\":\"lab/tiny\",\"messages\":[".to_owned(), ""),
        ("no object", "[1,2]".to_owned(), ""),
        ("text after the end", with("") + "x", ""),
        ("two commas", "{\"model\":\"lab/tiny\",,\"messages\":[]}".to_owned(), ""),
        ("NaN", with(",\"temperature\":NaN"), ""),
        ("raw control character", with(",\"user\":\"a\u{0}b\""), ""),
        ("no model", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}".to_owned(), "model"),
        (
            "model is a number",
            "{\"model\":5,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}".to_owned(),
            "model",
        ),
        (
            "model is null",
            "{\"model\":null,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}".to_owned(),
            "model",
        ),
        ("no messages", "{\"model\":\"lab/tiny\"}".to_owned(), "messages"),
        ("messages are text", "{\"model\":\"lab/tiny\",\"messages\":\"hi\"}".to_owned(), "messages"),
        ("no message", "{\"model\":\"lab/tiny\",\"messages\":[]}".to_owned(), "messages"),
        ("stream is text", with(",\"stream\":\"yes\""), "stream"),
        ("max_tokens is text", with(",\"max_tokens\":\"ten\""), "max_tokens"),
        ("max_tokens is negative", with(",\"max_tokens\":-1"), "max_tokens"),
        ("max_tokens is a fraction", with(",\"max_tokens\":1.5"), "max_tokens"),
        ("max_tokens is huge", with(",\"max_tokens\":99999999999999999999999"), "max_tokens"),
        ("models is text", with(",\"models\":\"lab/tiny\""), "models"),
        ("provider is text", with(",\"provider\":\"lab\""), "provider"),
    ];
    let mut wrong = Vec::new();
    for (name, body, word) in rows {
        let reply = post_raw(&app, body).await;
        if reply.status != 400 || !reply.text().contains(word) {
            wrong.push(format!("{name} (400, `{word}`): {} {}", reply.status, reply.text()));
        } else {
            assert_error(name, &reply, 400);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut not_utf8 = with(",\"user\":\"").into_bytes();
    not_utf8.truncate(not_utf8.len() - 1);
    not_utf8.extend_from_slice(b"\xff\xfe\"}");
    assert_error("not UTF-8", &post_raw(&app, not_utf8).await, 400);
    assert_eq!(upstream.request_count(), 0, "none of them is anybody's request");
    app.owner().chat("lab/tiny").await.expect(200);
}

#[tokio::test]
async fn odd_bodies_that_are_fine() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let message = |content: &str| {
        format!("{{\"model\":\"lab/tiny\",\"messages\":[{{\"role\":\"user\",\"content\":\"{content}\"}}]}}")
    };
    let nul = post_raw(&app, message("a\\u0000b")).await.expect(200);
    assert!(nul.whole);
    assert!(String::from_utf8_lossy(upstream.request(0).await.body()).contains("a\\u0000b"));
    let lone = post_raw(&app, message("\\ud800 x \\udc00")).await;
    assert!(lone.status == 200 || lone.status == 400, "{}", lone.text());
    let spaced = message("x").replace(':', " :\n\t ");
    post_raw(&app, spaced).await.expect(200);
    let escaped = message("x").replace("\"model\"", "\"mod\\u0065l\"");
    let reply = post_raw(&app, escaped).await;
    assert!(reply.status == 200 || reply.status == 400, "{}", reply.text());
    let plain = app.owner().request("POST", "/v1/chat/completions").header("content-type", "text/plain");
    plain.body(message("x")).send().await.expect(200);
}

#[tokio::test]
async fn large_and_deep_bodies() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let mut many = ask("lab/tiny");
    many["messages"] = (0..100_000).map(|n| json!({ "role": "user", "content": format!("{n}") })).collect();
    let reply = app.owner().chat_request(&many).send().await.expect(200);
    assert!(reply.whole);
    assert_eq!(upstream.request(0).await.json()["messages"], many["messages"]);

    let mut fits = ask("lab/tiny");
    fits["messages"][0]["content"] = json!("x".repeat(19 << 20));
    let reply = app.owner().chat_request(&fits).send().await;
    assert!(reply.status == 200 || reply.status == 400, "19 MiB pass the body bound: {}", reply.text());
    let mut large = ask("lab/tiny");
    large["messages"][0]["content"] = json!("x".repeat(25 << 20));
    assert_error("25 MiB", &app.owner().chat_request(&large).send().await, 413);

    let deep = format!(
        "{{\"model\":\"lab/tiny\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}],\"x\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let reply = post_raw(&app, deep).await;
    assert!(reply.status == 200 || reply.status == 400, "{}", reply.text());
    let long = json!({ "model": "m".repeat(64 * 1024), "messages": [{ "role": "user", "content": "x" }] });
    let reply = app.owner().chat_request(&long).send().await;
    assert!(reply.status == 404 || reply.status == 400, "{}", reply.text());
    assert!(reply.body.len() < 8 * 1024, "a long name is not sent back whole");
}

#[tokio::test]
async fn unknown_models_get_suggestions() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    for name in ["lab/tinny", "mistralai/mistral-smal-2603", "", "/", "../../etc/passwd", "a b", "\u{1f34f}"]
    {
        let reply = app.owner().chat(name).await;
        assert!(reply.status == 404 || (reply.status == 400 && name.is_empty()), "{name}: {}", reply.text());
        if reply.status == 404 {
            assert_error(name, &reply, 404);
            assert_eq!(reply.json()["error"]["type"], "model_not_found", "{name}");
        }
    }
    let reply = app.owner().chat("lab/tinny").await;
    assert!(reply.text().contains("lab/tiny"), "{}", reply.text());
}

#[tokio::test]
async fn keys_that_open_nothing() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let random = "sk-tw-v1-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let long = "x".repeat(5000);
    let rows: [(&str, Option<String>); 8] = [
        ("none", None),
        ("empty", Some(String::new())),
        ("no key", Some("Bearer".to_owned())),
        ("another scheme", Some("Basic dXNlcjpwYXNz".to_owned())),
        ("unknown", Some("Bearer sk-somebody-elses-0123456789".to_owned())),
        ("wrong checksum", Some(format!("Bearer {random}"))),
        ("long", Some(format!("Bearer {long}"))),
        ("not ASCII", Some("Bearer sk-\u{e9}\u{1f34f}".to_owned())),
    ];
    for (name, value) in rows {
        let request = app.anonymous().chat_request(&ask("lab/tiny"));
        let request = if let Some(value) = &value { request.header("authorization", value) } else { request };
        let reply = request.send().await;
        assert_error(name, &reply, 401);
        assert!(
            !reply.text().contains(random) && !reply.text().contains(&long),
            "{name}: keys are not repeated"
        );
    }
    assert_eq!(upstream.request_count(), 0);
}

#[tokio::test]
async fn paths_methods_and_parameters() {
    let app = TestApp::builder().start().await;
    let owner = app.owner();
    let rows: [(&str, &str, &[u16]); 10] = [
        ("GET", "/v1/nowhere", &[404]),
        ("GET", "/v1/chat/completions", &[405]),
        ("DELETE", "/v1/models", &[405]),
        ("GET", "/v1/models/nobody/nothing", &[404]),
        ("GET", "/v1/models/nobody/nothing/endpoints", &[404]),
        ("GET", "/v1/generation", &[400]),
        ("GET", "/v1/generation?id=nonsense", &[400, 404]),
        ("GET", "/v1/models?limit=-1", &[400]),
        ("GET", "/v1/models?sort=colour", &[400]),
        ("GET", "/v1/models/%00/%ff", &[400, 404]),
    ];
    for (method, path, allowed) in rows {
        let reply = owner.request(method, path).send().await;
        assert!(allowed.contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.text());
        assert_error(path, &reply, reply.status);
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(ask("sandbox/echo").to_string().as_bytes()).expect("pack");
    let packed = packed.finish().expect("pack");
    let request =
        owner.request("POST", "/v1/chat/completions").header("content-encoding", "gzip").body(packed);
    let reply = request.send().await;
    assert!(reply.status == 415 || reply.status == 400, "{}", reply.text());
    assert_error("a compressed body", &reply, reply.status);
}

#[tokio::test]
async fn known_headers_with_bad_values() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let rows = [
        ("x-tollway-preference", "speed", 400),
        ("x-tollway-cost-quality", "1.5", 400),
        ("x-tollway-cost-quality", "NaN", 400),
        ("x-tollway-max-cost-usd", "cheap", 400),
        ("x-tollway-max-cost-usd", "-1", 400),
        ("x-tollway-max-latency-ms", "soon", 400),
        ("x-tollway-cache", "on", 400),
        ("x-openrouter-cache-ttl", "86401", 400),
        ("x-tollway-cache-clear", "now", 400),
        ("x-tollway-auto-cache", "1", 400),
        ("idempotency-key", "", 400),
    ];
    for (name, value, status) in rows {
        let reply = app.owner().chat_request(&ask("lab/tiny")).header(name, value).send().await;
        assert_error(&format!("{name}: {value}"), &reply, status);
    }
    assert_eq!(upstream.request_count(), 0);
}
