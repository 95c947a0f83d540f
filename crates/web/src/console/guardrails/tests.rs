use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str, version: u64, rules: Value) -> FakeApi {
    let set = json!({"object": "guardrails", "version": version, "updated_at": "2026-07-01T10:00:00Z", "guardrails": rules});
    FakeApi::signed_in(role, false).answering("GET /v1/guardrails", 200, json!({"data": set}))
}

#[tokio::test]
async fn the_fields_say_what_holds() {
    let rules = json!({"kinds": {"secrets": "block", "email": {"action": "mask", "direction": "input"}},
                       "patterns": [{"name": "<b>emp</b>", "pattern": "EMP-\\d{6}"}], "allow": ["@example.com"]});
    let page = visit(&Arc::new(api("owner", 3, rules)), "/console/guardrails", None).await;
    page.holds("version 3")
        .holds("value=\"block\" selected")
        .holds("EMP-\\d{6}")
        .holds("@example.com")
        .lacks("<b>emp");
    page.holds("name=\"version\" value=\"3\"").holds("PUT /v1/guardrails");
    visit(&Arc::new(api("owner", 0, json!({}))), "/console/guardrails", None)
        .await
        .holds("Nothing is watched yet");
    let more = json!({"content_filters": [{"label": "x", "pattern": "y"}]});
    visit(&Arc::new(api("owner", 1, more.clone())), "/console/guardrails", None)
        .await
        .holds("say more than the fields can");
    visit(&Arc::new(api("viewer", 1, more)), "/console/guardrails", None)
        .await
        .lacks("value=\"save\"")
        .holds("content_filters");
}

#[tokio::test]
async fn fields_and_json_are_written_over_the_version_that_was_seen() {
    let api = api("owner", 3, json!({})).answering("PUT /v1/guardrails", 200, json!({"data": {}})).answering(
        "DELETE /v1/guardrails",
        200,
        json!({"deleted": true}),
    );
    let api = Arc::new(api);
    let form = "act=save&version=3&secrets=block&email=mask&email_direction=input&pattern_1=x%2B&name_1=ex&of_1=flag&allow=a%0D%0Ab";
    let done = visit(&api, "/console/guardrails", Some(form)).await;
    assert_eq!(done.header("location"), "/console/guardrails?done=saved");
    let sent: Value = serde_json::from_str(&api.sent("PUT /v1/guardrails")[0]).unwrap();
    assert_eq!(
        sent,
        json!({"kinds": {"email": {"action": "mask", "direction": "input"}, "secrets": "block"},
               "patterns": [{"action": "flag", "pattern": "x+", "name": "ex"}], "allow": ["a", "b"]})
    );
    visit(&api, "/console/guardrails", Some("act=json&version=3&json=%7B%22kinds%22%3A%7B%7D%7D")).await;
    assert_eq!(api.sent("PUT /v1/guardrails")[1], r#"{"kinds":{}}"#);
    let page = visit(&api, "/console/guardrails", Some("act=json&json=%7Bx")).await;
    page.holds("is no JSON").holds("{x");
    let done = visit(&api, "/console/guardrails", Some("act=delete&version=3")).await;
    assert_eq!(done.header("location"), "/console/guardrails?done=deleted");
    assert_eq!(api.versions(), ["\"3\"", "\"3\"", "\"3\""]);
}

#[tokio::test]
async fn who_was_slower_is_told_and_loses_nothing() {
    let why = json!({"error": {"type": "version_mismatch", "message": "version 4 is in force"}});
    let api = Arc::new(api("owner", 4, json!({})).answering("PUT /v1/guardrails", 412, why));
    let page = visit(&api, "/console/guardrails", Some("act=save&version=3&jwt=block&allow=mine")).await;
    assert_eq!(page.status, 412);
    page.holds("Version 4 is in force.").holds("mine").holds("name=\"version\" value=\"3\"");
}
