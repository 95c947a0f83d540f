//! A plain chat answer: what reaches the provider, what reaches the caller, and what it costs.

use e2e::amount;
use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens, ask};
use types::Money;

/// A body as no serializer would write it. The gaps are where the gateway writes.
const ODD_BODY: [&str; 4] = [
    "{ \"id\" : ",
    ",\"object\":\"chat.completion\",\n \"created\":1760000000, \"model\":",
    ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"caf\\u00e9 \\ud83c\\udf4f \
     \u{1f34e}\",\"x\":[1.50e+2,-0]},\"finish_reason\":\"stop\"}],\"x_unknown\":{\"a\":null,\"a\":2},\"usage\":{",
    "\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15",
];

#[tokio::test]
async fn every_other_byte_is_the_providers_own() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let [start, middle, choices, usage] = ODD_BODY;
    let body = format!("{start}\"chatcmpl-9\"{middle}\"tiny-0.1\"{choices}{usage}}}}}");
    upstream.push(Script::plain(200, &[("content-type", "application/json")], body));
    let reply = app.owner().chat("lab/tiny").await.expect(200);
    let text = reply.text();
    let mut rest = text.as_str();
    for part in ODD_BODY {
        let at = rest.find(part).unwrap_or_else(|| panic!("changed: {part}\nin: {text}"));
        rest = &rest[at + part.len()..];
    }
    let json = reply.json();
    assert_eq!(json["id"], json!(reply.generation_id()));
    assert_eq!(json["model"], "lab/tiny");
    assert!(json["provider"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("lab")), "{text}");
}

#[tokio::test]
async fn the_provider_gets_the_callers_body_and_nothing_of_ours() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let mut body = ask("lab/tiny");
    body["unknown_field"] = json!({ "kept": [1, null] });
    body["temperature"] = json!(0.25);
    body["provider"] = json!({ "allow_fallbacks": false });
    let request =
        app.owner().chat_request(&body).header("x-tollway-meta-team", "blue").header("cookie", "a=b");
    request.header("x-requesty-team", "blue").send().await.expect(200);
    let seen = upstream.request(0).await;
    assert_eq!(seen.path(), "/v1/chat/completions");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-lab-secret-0123456789"));
    for (name, value) in seen.headers() {
        let ours = name.starts_with("x-tollway") || name.starts_with("x-requesty") || name == "cookie";
        assert!(!ours && !value.contains(testkit::app::OWNER_KEY), "leaked: {name}: {value}");
    }
    let seen = seen.json();
    assert_eq!(seen["model"], "tiny");
    assert_eq!(seen["messages"], body["messages"]);
    assert_eq!(seen["unknown_field"], body["unknown_field"]);
    assert_eq!(seen["temperature"], body["temperature"]);
    assert_eq!(seen.get("provider"), None, "routing preferences stay here");
}

#[tokio::test]
async fn header_body_and_record_agree_to_the_last_digit() {
    let upstream = FakeUpstream::start();
    let lab = Lab::at("lab", &upstream).model("lab/tiny", "0.15", "0.60");
    let app = TestApp::builder().lab(lab.price("cache_read_usd_per_mtok", "0.0153")).start().await;
    let tokens = Tokens { prompt: 1003, completion: 7, cached: 3, reasoning: 4 };
    // 1000 x 0.15 + 3 x 0.0153 (45.9 nano-dollars, rounded up) + 7 x 0.60
    let expected = Money::from_nanos(150_000 + 46 + 4_200);
    upstream.push(Script::chat("hi", tokens));
    let reply = app.owner().chat("lab/tiny").await.expect(200);
    let header = |name: &str| -> Money {
        let value = reply.header(name).unwrap_or_else(|| panic!("no {name} among {:?}", reply.headers));
        value.parse().unwrap_or_else(|_| panic!("{name} is no plain decimal: {value}"))
    };
    assert_eq!(header("x-tollway-cost-usd"), expected);
    assert_eq!(header("x-tollway-input-cost-usd"), Money::from_nanos(150_046));
    assert_eq!(header("x-tollway-output-cost-usd"), Money::from_nanos(4_200));
    assert_eq!(amount::cost_in(&reply.text()), Some(expected));
    let record = app.owner().generation(&reply.generation_id()).await;
    assert_eq!(amount::text_field(&record, "total_cost"), Some(expected));
    let lines = record["cost_lines"].as_array().expect("cost lines");
    let sum: Money = lines.iter().filter_map(|line| amount::text_field(line, "amount_usd")).sum();
    assert_eq!(sum, expected, "the lines add up");
    assert_eq!((&record["status"], &record["streamed"]), (&json!("ok"), &json!(false)));
    let usage = &record["usage"];
    let buckets = ["input", "cache_read", "output", "reasoning"].map(|name| usage[name].as_u64());
    assert_eq!(buckets, [Some(1000), Some(3), Some(3), Some(4)], "{usage}");
}

#[tokio::test]
async fn both_mounts_and_every_name_of_the_answer_agree() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    for path in ["/v1/chat/completions", "/api/v1/chat/completions"] {
        let reply = app.owner().post(path, &ask("lab/tiny")).await.expect(200);
        assert_eq!(reply.header("x-tollway-endpoint"), Some("lab/tiny"), "{:?}", reply.headers);
        assert_eq!(reply.header("x-tollway-model"), Some("lab/tiny"));
        assert!(reply.generation_id().starts_with("gen-"));
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "Hello from here");
    }
    let error = app.owner().get("/v1/generation?id=gen-1760000000-aaaaaaaaaaaaaaaaaaaa").await.expect(404);
    assert_eq!(error.json()["error"]["code"], 404);
}

#[tokio::test]
async fn a_tool_call_passes_as_it_is() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let arguments = "{\"city\":\"Z\u{fc}rich\"}";
    upstream.push(Script::tool_call("get_weather", arguments, Tokens::new(20, 9)));
    let mut body = ask("lab/tiny");
    body["tools"] = json!([{ "type": "function", "function": { "name": "get_weather", "parameters": {
        "type": "object", "properties": { "city": { "type": "string" } } } } }]);
    let reply = app.owner().chat_request(&body).send().await.expect(200).json();
    let call = &reply["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["arguments"]), (&json!("call_1"), &json!(arguments)));
    assert_eq!(upstream.request(0).await.json()["tools"], body["tools"]);
}

#[tokio::test]
async fn the_sandbox_answers_without_any_provider() {
    let app = TestApp::builder().start().await;
    let reply = app.owner().chat("sandbox/echo").await.expect(200);
    let said = reply.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_lowercase();
    assert!(said.contains("simulated") || said.contains("sandbox"), "it says what it is: {said}");
    let auto = app.owner().chat("tollway/auto").await.expect(200);
    let endpoint = auto.header("x-tollway-endpoint").unwrap_or_default();
    assert!(endpoint.starts_with("sandbox/"), "{endpoint}");
}

#[tokio::test]
async fn auto_prefers_what_is_switched_on_over_the_sandbox() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    for name in ["tollway/auto", "openrouter/auto"] {
        let reply = app.owner().chat(name).await.expect(200);
        assert_eq!(reply.header("x-tollway-endpoint"), Some("lab/tiny"), "{name}");
        assert_eq!(reply.json()["model"], "lab/tiny");
    }
}

#[tokio::test]
async fn the_callers_own_books_can_be_read() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let reply = app.owner().chat("lab/tiny").await.expect(200);
    app.owner().generation(&reply.generation_id()).await;
    let key = app.owner().get("/v1/key").await.expect(200).json();
    assert!(key["data"]["label"].is_string() && key.to_string().len() < 4096, "{key}");
    assert!(!key.to_string().contains(testkit::app::OWNER_KEY), "a key's text is never shown");
    // 12 tokens at $1 and 3 at $2 per million.
    assert_eq!(amount::text_field(&key["data"], "usage_usd"), Some(Money::from_nanos(18_000)), "{key}");
    let shown = app.owner().get("/v1/key").await.text();
    assert!(shown.contains("\"usage\":0.000018,"), "numbers are plain decimals too: {shown}");
    let credits = app.owner().get("/v1/credits").await.expect(200).json();
    assert!(credits["data"].get("total_usage").is_some(), "{credits}");
    let activity = app.owner().get("/v1/activity").await.expect(200).json();
    let rows = activity["data"].as_array().map_or(0, Vec::len);
    assert_eq!(rows, 1, "one model on one day: {activity}");
    let (stranger, _) = app.new_key(&[]).await;
    let own = stranger.get(&format!("/v1/generation?id={}", reply.generation_id())).await;
    assert!(own.status == 200 || own.status == 404, "{}", own.text());
    let open = app.anonymous().get(&format!("/v1/generation?id={}", reply.generation_id())).await;
    assert_eq!(open.status, 401);
    let _: Value = open.json();
}
