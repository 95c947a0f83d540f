use std::sync::Arc;

use serde_json::json;

use crate::testing::api::{FakeApi, visit};

fn api(role: &str, personal: bool) -> FakeApi {
    let own = json!({"id": "acct_1", "name": "Night <b>Owls</b>", "personal": personal, "role": role,
                     "created_at": "2026-06-01T00:00:00Z"});
    FakeApi::signed_in(role, false).answering("GET /v1/organization", 200, json!({"data": own}))
}

#[tokio::test]
async fn what_is_offered_goes_by_role_and_kind() {
    let page = visit(&Arc::new(api("owner", false)), "/console/settings", None).await;
    page.holds("End the organization")
        .holds("/v1/organization/export")
        .holds("PATCH /v1/organization")
        .lacks("<b>Owls");
    visit(&Arc::new(api("viewer", false)), "/console/settings", None)
        .await
        .lacks("value=\"end\"")
        .holds("value=\"leave\"");
    visit(&Arc::new(api("owner", true)), "/console/settings", None)
        .await
        .lacks("value=\"end\"")
        .lacks("value=\"leave\"");
}

#[tokio::test]
async fn a_new_one_is_worked_in_at_once() {
    let api = api("viewer", false)
        .answering("POST /v1/organizations", 201, json!({"data": {"id": "acct_9"}}))
        .answering("PUT /v1/auth/organization", 200, json!({"data": {}}));
    let api = Arc::new(api);
    let done = visit(&api, "/console/settings", Some("act=make&new=Engines")).await;
    assert_eq!(done.header("location"), "/console/settings?done=made");
    assert_eq!(api.sent("POST /v1/organizations"), [r#"{"name":"Engines"}"#]);
    assert_eq!(api.sent("PUT /v1/auth/organization"), [r#"{"organization":"acct_9"}"#]);
}

#[tokio::test]
async fn its_end_asks_for_the_name() {
    let api = Arc::new(api("owner", false).answering("DELETE /v1/organization", 200, json!({"data": {}})));
    let page = visit(&api, "/console/settings", Some("act=end&named=Owls")).await;
    assert_eq!(page.status, 400);
    assert!(api.sent("DELETE /v1/organization").is_empty());
    let named = "act=end&forfeit=yes&named=Night+%3Cb%3EOwls%3C%2Fb%3E";
    let done = visit(&api, "/console/settings", Some(named)).await;
    assert_eq!(done.header("location"), "/console?done=switched");
}

#[tokio::test]
async fn a_name_and_a_leave_are_calls() {
    let why = json!({"error": {"type": "invalid_request", "message": "the last owner can't leave"}});
    let api = api("owner", false).answering("PATCH /v1/organization", 200, json!({"data": {}})).answering(
        "POST /v1/organization/leave",
        409,
        why,
    );
    let api = Arc::new(api);
    let done = visit(&api, "/console/settings", Some("act=rename&name=Owls")).await;
    assert_eq!(done.header("location"), "/console/settings?done=renamed");
    let page = visit(&api, "/console/settings", Some("act=leave")).await;
    assert_eq!(page.status, 409);
    page.holds("The last owner can&#39;t leave.");
}
