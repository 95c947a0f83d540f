use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let policy = json!({"strategy": "balance", "models": [{"model": "acme/x", "weight": 9}, "acme/<b>y</b>"], "rules": [{}]});
    let told = json!({"id": "policy/careful", "object": "policy", "name": "careful", "version": 3,
                      "created_at": "2026-06-01T10:00:00Z", "updated_at": "2026-07-01T10:00:00Z", "updated_by": "ses_1", "policy": policy});
    let version = json!({"version": 3, "created_at": "2026-07-01T10:00:00Z", "created_by": "ses_1", "deleted": false, "policy": policy});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/policies", 200, json!({"data": [told], "total_count": 1}))
        .answering("GET /v1/policies/careful", 200, json!({"data": told}))
        .answering("GET /v1/policies/careful/versions", 200, json!({"data": [version]}))
}

fn plan() -> Value {
    json!({"data": {"requested_model": "policy/sent", "policy": "sent night", "task": "tool_use", "task_confidence": 0.82,
        "summary": "a/x goes first", "plan": [{"endpoint": "a/<b>x</b>", "reason": "cheapest", "expected_cost_usd": "0.00012",
        "latency_ms": 440.0, "propensity": 0.9}], "rejected": [{"endpoint": "b/y", "step": "Filter"}],
        "routing_funnel": [{"step": "Filter by Region", "endpoint_count": 12, "reason": "eu"}]},
        "warnings": [{"code": "x", "message": "`foo` had no effect"}]})
}

fn replay() -> Value {
    let side = |cost: &str| json!({"cost_usd": cost, "expected_quality": 0.7, "first_token_ms": 400.0, "first_token_known": 1.0, "failed": 1});
    let usd = |mean: &str| json!({"mean": mean, "low": "0.0008", "high": "0.0012"});
    json!({"data": {"under": "the policy", "since": "2026-06-26T12:00:00Z", "complete": false, "incomplete_because": "too many records",
        "records": 210, "without_facts": 10, "without_plan": 0, "requests": 200, "conclusive": false, "why_not": "support is thin",
        "happened": side("2"), "other": side("1.5"), "answered": null,
        "cost_per_request_usd": {"happened": usd("0.001"), "doubly_robust": usd("0.0009")},
        "shifts": [{"from": "a/x", "to": "b/y", "requests": 40, "happened_cost_usd": "1", "other_cost_usd": "0.5"}]}})
}

#[tokio::test]
async fn list_and_editor_show_what_holds() {
    let page = visit(&Arc::new(api("developer")), "/console/policies", None).await;
    page.holds("shares the traffic").holds("acme/x and acme/&#60;b&#62;y").lacks("<b>y");
    let page = visit(&Arc::new(api("developer")), "/console/policies/careful", None).await;
    page.holds("Dry run")
        .holds("Replay")
        .holds("Version 3")
        .holds("POST /v1/route")
        .holds("POST /v1/replay")
        .lacks("<b>y");
    visit(&Arc::new(api("billing")), "/console/policies/careful", None).await.lacks("value=\"try\"");
    let page = visit(&Arc::new(api("owner")), "/console/policies/new?from=balance", None).await;
    page.holds("&#34;weight&#34;: 90").holds("tollway/auto");
}

#[tokio::test]
async fn a_dry_run_tries_what_is_typed_and_changes_nothing() {
    let api = Arc::new(api("developer").answering("POST /v1/route", 200, plan()));
    let form = "act=try&version=3&policy=%7B%22models%22%3A%5B%22acme%2Fx%22%5D%7D&prompt=Hi+there&tools=yes";
    let page = visit(&api, "/console/policies/careful", Some(form)).await;
    assert_eq!(page.status, 200);
    page.holds("a/x goes first.")
        .holds("The rule <b>night</b> decided.")
        .holds("tool use")
        .holds("82%")
        .holds("$0.00012")
        .holds("440 ms")
        .holds("Filter by Region");
    page.holds("<code>foo</code> had no effect.").holds("1 left out").holds("Hi there").lacks("<b>x");
    let sent: Value = serde_json::from_str(&api.sent("POST /v1/route")[0]).unwrap();
    assert_eq!(
        (&sent["policy"], &sent["messages"][0]["content"]),
        (&json!({"models": ["acme/x"]}), &json!("Hi there"))
    );
    assert!(sent["tools"].is_array() && api.sent("PUT /v1/policies/careful").is_empty());
}

#[tokio::test]
async fn a_replay_compares_and_says_how_far_it_can() {
    let api = Arc::new(api("developer").answering("POST /v1/replay", 200, replay()));
    let page =
        visit(&api, "/console/policies/new", Some("act=replay&since=24h&policy=%7B%22models%22%3A%5B%5D%7D"))
            .await;
    page.holds("200 requests")
        .holds("210 records read, 10 without facts")
        .holds("Concludes nothing")
        .holds("Too many records.");
    page.holds("Support is thin.")
        .holds("$2.00")
        .holds("$1.50")
        .holds("$0.0009 ($0.0008 to $0.0012)")
        .holds("$0.50");
    assert_eq!(api.sent("POST /v1/replay"), [r#"{"policy":{"models":[]},"since":"24h"}"#]);
}

#[tokio::test]
async fn it_is_saved_over_the_version_that_was_seen() {
    let api = api("owner")
        .answering("PUT /v1/policies/careful", 200, json!({"data": {}}))
        .answering("POST /v1/policies", 201, json!({"data": {}}))
        .answering("DELETE /v1/policies/careful", 200, json!({"deleted": true}));
    let api = Arc::new(api);
    let done = visit(
        &api,
        "/console/policies/careful",
        Some("act=save&version=3&policy=%7B%22models%22%3A%5B%5D%7D"),
    )
    .await;
    assert_eq!(done.header("location"), "/console/policies/careful?done=saved");
    let done =
        visit(&api, "/console/policies/new", Some("act=save&name=new1&policy=%7B%22models%22%3A%5B%5D%7D"))
            .await;
    assert_eq!(done.header("location"), "/console/policies/new1?done=saved");
    assert_eq!(api.sent("POST /v1/policies"), [r#"{"models":[],"name":"new1"}"#]);
    let done = visit(&api, "/console/policies/careful", Some("act=delete&version=3")).await;
    assert_eq!(done.header("location"), "/console/policies?done=deleted");
    assert_eq!(api.versions(), ["\"3\"", "\"3\""]);
}

#[tokio::test]
async fn what_was_refused_is_said_beside_what_was_typed() {
    let why = json!({"error": {"type": "invalid_policy", "message": "models/0: nobody knows `x`"}});
    let api = api("owner").answering("PUT /v1/policies/careful", 400, why.clone()).answering(
        "POST /v1/route",
        400,
        why,
    );
    let api = Arc::new(api);
    for act in ["save", "try"] {
        let form = format!("act={act}&policy=%7B%22models%22%3A%5B%22x%22%5D%7D&prompt=%3Cp%3E");
        let page = visit(&api, "/console/policies/careful", Some(&form)).await;
        assert_eq!(page.status, 400);
        page.holds("models/0: nobody knows <code>x</code>.")
            .holds("{&#34;models&#34;:[&#34;x&#34;]}")
            .holds("&#60;p&#62;");
    }
    let page = visit(&api, "/console/policies/careful", Some("act=save&policy=%7B")).await;
    page.holds("The policy is no JSON");
}
