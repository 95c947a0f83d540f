use std::sync::Arc;

use serde_json::json;

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let webhook = json!({"id": "wh_1", "url": "https://example.com/<b>x", "kinds": [], "disabled": false,
                         "created_at": "2026-06-01T00:00:00Z", "secret": "whsec_abc"});
    FakeApi::signed_in(role, false).answering("GET /v1/webhooks", 200, json!({"data": [webhook]}))
}

#[tokio::test]
async fn who_only_looks_sees_no_secret() {
    visit(&Arc::new(api("owner")), "/console/webhooks", None)
        .await
        .holds("whsec_abc")
        .holds("everything")
        .lacks("<b>x");
    visit(&Arc::new(api("viewer")), "/console/webhooks", None)
        .await
        .lacks("whsec_abc")
        .lacks("Make the webhook");
}

#[tokio::test]
async fn one_is_made_and_taken_away() {
    let api = api("admin").answering("POST /v1/webhooks", 201, json!({"data": {}})).answering(
        "DELETE /v1/webhooks/wh_1",
        200,
        json!({"deleted": true}),
    );
    let api = Arc::new(api);
    let form = "act=make&url=https%3A%2F%2Fa.example&kinds=key.frozen&kinds=budget.threshold";
    let done = visit(&api, "/console/webhooks", Some(form)).await;
    assert_eq!(done.header("location"), "/console/webhooks?done=made");
    visit(&api, "/console/webhooks", Some("act=make&url=https%3A%2F%2Fa.example")).await;
    assert_eq!(
        api.sent("POST /v1/webhooks"),
        [
            r#"{"url":"https://a.example","kinds":["key.frozen","budget.threshold"]}"#,
            r#"{"url":"https://a.example"}"#
        ]
    );
    let done = visit(&api, "/console/webhooks", Some("act=delete&id=wh_1")).await;
    assert_eq!(done.header("location"), "/console/webhooks?done=deleted");
}

#[tokio::test]
async fn what_was_refused_keeps_what_was_ticked() {
    let why = json!({"error": {"type": "invalid_request", "message": "not on the public internet"}});
    let api = Arc::new(api("owner").answering("POST /v1/webhooks", 400, why));
    let page =
        visit(&api, "/console/webhooks", Some("act=make&url=http%3A%2F%2F10.0.0.1&kinds=key.frozen")).await;
    page.holds("Not on the public internet.")
        .holds("value=\"key.frozen\" checked")
        .holds("value=\"http://10.0.0.1\"");
}
