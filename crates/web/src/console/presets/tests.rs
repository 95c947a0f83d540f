use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let version = json!({"id": "support@2", "preset_id": "support", "version": 2, "config": {"model": "acme/<b>x"},
                         "system_prompt": "Be </textarea><script>alert(1)</script>", "creator_id": "ses_1",
                         "created_at": "2026-07-01T10:00:00Z", "updated_at": "2026-07-01T10:00:00Z", "deleted": false});
    let preset = json!({"id": "support", "slug": "support", "name": "Support", "description": "Answers <i>all</i>",
                        "status": "disabled", "updated_at": "2026-07-01T10:00:00Z", "designated_version": version});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/presets", 200, json!({"data": [preset], "total_count": 1}))
        .answering("GET /v1/presets/support", 200, json!({"data": preset}))
        .answering("GET /v1/presets/support/versions", 200, json!({"data": [version]}))
}

#[tokio::test]
async fn list_and_page_show_what_holds() {
    let page = visit(&Arc::new(api("developer")), "/console/presets", None).await;
    page.holds("@preset/support")
        .holds("disabled")
        .holds("acme/&#60;b&#62;x")
        .holds("New preset")
        .lacks("<i>all");
    let page = visit(&Arc::new(api("developer")), "/console/presets/support", None).await;
    page.holds("value=\"disabled\" selected")
        .holds("Version 2")
        .holds("name=\"version\" value=\"2\"")
        .lacks("<script>alert");
    visit(&Arc::new(api("viewer")), "/console/presets/support", None).await.lacks("value=\"save\"");
    let none = api("owner").answering("GET /v1/presets", 200, json!({"data": [], "total_count": 0}));
    visit(&Arc::new(none), "/console/presets", None).await.holds("No preset yet");
}

#[tokio::test]
async fn one_is_made_and_written_over_the_version_that_was_seen() {
    let api = api("owner")
        .answering("POST /v1/presets", 201, json!({"data": {}}))
        .answering("PUT /v1/presets/support", 200, json!({"data": {}}))
        .answering("DELETE /v1/presets/support", 200, json!({"deleted": true}));
    let api = Arc::new(api);
    visit(&api, "/console/presets/new", None).await.holds("tollway/auto");
    let form =
        "slug=support&name=S&status=active&system_prompt=Be+kind.&config=%7B%22temperature%22%3A0.2%7D";
    let done = visit(&api, "/console/presets/new", Some(form)).await;
    assert_eq!(done.header("location"), "/console/presets/support?done=saved");
    let sent: Value = serde_json::from_str(&api.sent("POST /v1/presets")[0]).unwrap();
    assert_eq!(
        sent,
        json!({"name": "S", "status": "active", "system_prompt": "Be kind.", "config": {"temperature": 0.2}, "slug": "support"})
    );
    visit(&api, "/console/presets/support", Some("act=save&version=2&config=%7B%7D")).await;
    let done = visit(&api, "/console/presets/support", Some("act=delete&version=2")).await;
    assert_eq!(done.header("location"), "/console/presets?done=deleted");
    assert_eq!(api.versions(), ["\"2\"", "\"2\""]);
}

#[tokio::test]
async fn warnings_and_refusals_are_said() {
    let warned = json!({"data": {}, "warnings": ["`foo` is <b>not</b> known"]});
    let warned = Arc::new(api("owner").answering("PUT /v1/presets/support", 200, warned));
    let page = visit(&warned, "/console/presets/support", Some("act=save&config=%7B%7D")).await;
    page.holds("Written, but: <code>foo</code> is &#60;b&#62;not");
    let page = visit(&warned, "/console/presets/support", Some("act=save&config=%7B&name=%3Cx")).await;
    assert_eq!(page.status, 400);
    page.holds("is no JSON").holds("value=\"&#60;x\"");
}
