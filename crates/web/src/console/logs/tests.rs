use std::sync::Arc;

use serde_json::{Value, json};

use crate::safe::payloads::PAYLOADS;
use crate::testing::api::{FakeApi, send, visit};

const ID: &str = "gen-1767225600-AAAAAAAAAAAAAAAAAAAA";

fn listed(text: &str) -> Value {
    json!({
        "id": ID, "created_at": "2026-07-03T10:04:09.5Z", "key": "key_1", "model": "acme/large", "requested_model": text,
        "provider": "acme", "status": "failed", "error": "provider_timeout", "tokens_prompt": 1_200, "tokens_completion": 34,
        "charged_usd": "0.00012", "ttft_ms": 812.5, "duration_ms": 2_000.0, "attempts": 2, "session_id": text, "trace_id": null,
    })
}

fn api(text: &str) -> FakeApi {
    let keys = json!({"data": [{"id": "key_1", "hash": "aa11", "name": text}]});
    let totals = json!({"requests": 1, "failed": 1, "tokens_prompt": 1_200, "tokens_completion": 34, "charged_usd": "0.00012",
                        "first_at": "2026-07-03T10:04:09Z", "span_ms": 12.0});
    FakeApi::signed_in("developer", false)
        .answering("GET /v1/keys", 200, keys)
        .answering("GET /v1/generations", 200, json!({"data": [listed(text)], "next_cursor": "5.x"}))
        .answering("GET /v1/generations?session_id=", 200, json!({"data": [listed(text)], "next_cursor": null, "totals": totals}))
        .answering("GET /v1/traces/t1", 200, json!({"data": {"id": "t1", "totals": totals, "generations": [listed(text)], "truncated": false}}))
        .answering("GET /v1/generation", 200, json!({"data": record(text)}))
        .answering("GET /v1/generation/plan", 200, json!({"data": plan(text)}))
        .answering("POST /v1/feedback", 200, json!({"data": {}}))
}

fn record(text: &str) -> Value {
    let mut record = json!({
        "id": ID, "created_at": "2026-07-03T10:04:09Z", "key": "key_1", "model": "acme/large", "requested_model": text,
        "provider": "acme", "api_type": "openai_chat", "status": "ok", "http_status": 200, "finish_reason": "stop",
        "native_finish_reason": text, "streamed": true, "tokens_prompt": 1_200, "tokens_completion": 34,
        "usage": {"input": 1_200, "output": 34, "searches": 0}, "usage_rule": "as the provider counted", "ttft_ms": 812.5,
        "duration_ms": 2_000.0, "total_cost": "0.00018", "cost_usd": "0.0002", "written_off": "0", "price_version": "pv-1",
        "formula": "input: 1200 x 0.15 USD / 1,000,000 = 0.00018 USD", "paid_by": "usage", "balance": "metered",
        "attempts": [
            {"endpoint": "slow/large", "status": 429, "started_ms": 1.0, "first_byte_ms": null, "ended_ms": 9.0, "outcome": "rate_limited", "byok_key": null},
            {"endpoint": "acme/large", "status": 200, "started_ms": 10.0, "first_byte_ms": 800.0, "ended_ms": 1_990.0, "outcome": "ok", "byok_key": "byok_1"},
        ],
    });
    let more = json!({
        "cost_lines": [{"bucket": "cache_read", "units": 1_200, "price_usd_per_mtok": "0.15", "amount_usd": "0.00018", "formula": "1200 x 0.15 USD"}],
        "corrections": [{"created_at": "2026-07-03T11:00:00Z", "price_version": "pv-2", "charged_usd": "-0.00002"}],
        "receipt": "eyJ.sig.x", "app": {"title": text, "referer": null}, "session_id": text, "trace_id": "t1", "user": text, "tags": [text],
        "routing": {"task": "code", "task_confidence": "0.91", "dial": "0.4"}, "policy": text, "preset_id": null,
        "dimensions": {"team": text}, "cache_source_id": null, "warnings": [{"code": "dropped", "message": text}],
        "guardrails": [{"direction": "input", "kind": text, "action": "mask", "count": 2}], "error": null,
        "feedback": {"rating": "up", "comment": text},
    });
    if let (Value::Object(record), Value::Object(more)) = (&mut record, more) {
        record.extend(more);
    }
    record
}

fn plan(text: &str) -> Value {
    json!({
        "facts": {"input_tokens": 1_200, "max_tokens": 200, "tools": true, "image": false, "audio": false, "file": false,
                  "structured_output": true, "streamed": true},
        "planned": [{"endpoint": "acme/large", "propensity": 0.95, "quality": 0.8}],
        "again": {
            "plan": [{"endpoint": "acme/large", "reason": "the cheapest that is good enough", "expected_cost_usd": "0.0002", "latency_ms": 800.0, "samples": 12}],
            "rejected": [{"endpoint": "far/large", "step": text, "reason": "not in the EU"}],
            "without": "prices are those of now",
        },
        "why_not_again": null,
    })
}

#[tokio::test]
async fn a_line_says_where_it_went_and_leads_on() {
    let api = Arc::new(api("acme/auto"));
    let page = visit(&api, "/console/logs?model=acme%2Flarge&status=failed&x=1", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    assert!(
        api.asked().iter().any(|line| line == "GET /v1/generations?model=acme%2Flarge&status=failed"),
        "{:?}",
        api.asked()
    );
    page.holds(&format!("href=\"/console/logs/{ID}\""));
    page.holds("10:04:09");
    page.holds("asked for acme/auto");
    page.holds("provider timeout");
    page.holds("2 attempts");
    page.holds("href=\"/console/sessions/acme%2Fauto\"");
    page.holds("cursor=5.x");
    page.holds("<option value=\"failed\" selected>");
    page.holds("/assets/tail.js");
    page.holds("/v1/exports/generations?format=focus");
    // What is older does not follow what comes in.
    let older = visit(&api, "/console/logs?cursor=5.x", None).await;
    older.lacks("/assets/tail.js");
    older.holds("Back to the newest");
}

#[tokio::test]
async fn the_script_gets_rows_alone() {
    let rows = send(&Arc::new(api("a")), "/console/logs", None, &[("x-part", "log")]).await;
    assert!(rows.text.trim_start().starts_with("<tr id=\"gen-"), "{}", rows.text);
    assert_eq!((rows.header("vary"), rows.header("cache-control")), ("x-part", "no-store"));
    rows.lacks("<html");
}

#[tokio::test]
async fn what_can_not_be_looked_for_is_told_beside_the_form() {
    let refused =
        json!({"error": {"type": "invalid_request", "message": "`min_cost_usd` is bounded by dollars"}});
    let api = api("a").answering("GET /v1/generations?min_cost_usd=", 400, refused);
    let page = visit(&Arc::new(api), "/console/logs?min_cost_usd=lots", None).await;
    assert_eq!(page.status, 400);
    page.holds("is bounded by dollars.");
    page.holds("value=\"lots\"");
}

#[tokio::test]
async fn a_generation_is_told_from_request_to_receipt() {
    let page = visit(&Arc::new(api("acme/auto")), &format!("/console/logs/{ID}"), None).await;
    assert_eq!(page.status, 200);
    let at = |text: &str| page.text.find(text).unwrap_or_else(|| panic!("no {text} in {}", page.text));
    let order = [
        "<h3>Received",
        "<h3>Planned",
        "<h3>Attempt 1: slow/large",
        "<h3>Attempt 2: acme/large",
        "<h3>First token to the caller",
        "<h3>Answered",
        "<h3>Settled",
        "id=\"receipt\"",
    ];
    let places: Vec<usize> = order.iter().map(|text| at(text)).collect();
    assert!(places.is_sorted(), "{places:?}");
    page.holds("the cheapest that is good enough");
    page.holds("1 fit, 1 left out");
    page.holds("far/large");
    page.holds("rate limited");
    page.holds("your own provider key");
    page.holds("code, 91% sure");
    page.holds("tollway receipt verify receipt.txt --key keys.json");
    page.holds("Nothing of them is kept");
    page.holds("aria-pressed=\"true\">Good");
    page.holds("GET /v1/generation/plan</figcaption>");
    page.holds("POST /v1/feedback</figcaption>");
}

#[tokio::test]
async fn what_is_kept_is_shown_and_what_is_said_is_sent() {
    let content = json!({"data": {"expires_at": "2026-08-01T00:00:00Z", "request": "<b>hi", "request_is_cut": true, "answer": "ho", "answer_is_cut": false}});
    let api = Arc::new(api("a").answering("GET /v1/generation/content", 200, content));
    let path = format!("/console/logs/{ID}");
    let page = visit(&api, &path, None).await;
    page.holds("&#60;b&#62;hi");
    page.holds("cut at 64 KiB");
    let said = visit(&api, &path, Some("rating=down&comment=wrong")).await;
    assert_eq!((said.status, said.header("location")), (303, format!("{path}?done=said").as_str()));
    let sent: Value = serde_json::from_str(&api.sent("POST /v1/feedback")[0]).unwrap();
    assert_eq!(sent, json!({"id": ID, "rating": "down", "comment": "wrong"}));
    visit(&api, &format!("{path}?done=said"), None).await.holds("What you said of this answer is kept.");
}

#[tokio::test]
async fn calls_that_belong_together_are_shown_together() {
    let api = Arc::new(api("s/1"));
    let trace = visit(&api, "/console/traces/t1", None).await;
    trace.holds("<h1>Trace</h1>");
    trace.holds("$0.00012");
    let session = visit(&api, "/console/sessions/s%2F1", None).await;
    session.holds("<h1>Session</h1>");
    assert!(api.asked().iter().any(|line| line.contains("session_id=s%2F1")), "{:?}", api.asked());
    let gone = visit(&api, "/console/traces/none", None).await;
    assert_eq!(gone.status, 404);
}

/// How many elements and attributes a page has.
async fn shape(text: &str, path: &str) -> (usize, usize) {
    let page = visit(&Arc::new(api(text)), path, None).await;
    assert_eq!(page.status, 200, "{text} in {path}: {}", page.text);
    assert!(!page.text.contains("href=\"javascript:"), "{text} in {path}");
    // Backticks become code, which does nothing.
    let text = page.text.replace("<code>", "").replace("</code>", "");
    (text.matches('<').count(), text.matches("=\"").count())
}

#[tokio::test]
async fn names_of_every_class_add_no_element_and_no_attribute() {
    for path in ["/console/logs", &format!("/console/logs/{ID}"), "/console/traces/t1", "/console/sessions/s"]
    {
        let plain = shape("plain", path).await;
        for payload in PAYLOADS.lines().filter(|line| !line.trim().is_empty()) {
            assert_eq!(shape(payload, path).await, plain, "{payload} in {path}");
        }
    }
}
