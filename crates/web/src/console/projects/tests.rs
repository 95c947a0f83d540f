use std::sync::Arc;

use serde_json::json;

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let project = |slug: &str, archived: Option<&str>| json!({"slug": slug, "name": format!("<b>{slug}</b>"), "created_at": "2026-06-01T00:00:00Z", "archived_at": archived});
    let rows = json!({"data": {"data": [{"project": "web", "total_usage": 2.5, "request_count": 12}]}});
    FakeApi::signed_in(role, false)
        .answering(
            "GET /v1/organization/projects",
            200,
            json!({"data": [project("old", Some("2026-06-30T00:00:00Z")), project("web", None)]}),
        )
        .answering("POST /v1/analytics/query", 200, rows)
}

#[tokio::test]
async fn each_says_what_it_spent() {
    let page = visit(&Arc::new(api("owner")), "/console/projects", None).await;
    page.holds("$2.50").holds("put away").holds("$0.00").lacks("<b>web");
    assert!(
        page.text.find("&#60;b&#62;web") < page.text.find("&#60;b&#62;old"),
        "what is put away comes last"
    );
    visit(&Arc::new(api("viewer")), "/console/projects", None).await.lacks("New project");
    let none = api("owner").answering("GET /v1/organization/projects", 200, json!({"data": []}));
    visit(&Arc::new(none), "/console/projects", None).await.holds("No project yet");
}

#[tokio::test]
async fn one_is_made_named_and_put_away() {
    let api = api("owner").answering("PUT /v1/organization/projects/web", 200, json!({"data": {}}));
    let api = Arc::new(api);
    for (form, word) in [
        ("act=make&slug=web&name=Shop", "made"),
        ("act=save&slug=web&name=Web", "saved"),
        ("act=archive&slug=web&name=Web", "archived"),
        ("act=back&slug=web", "back"),
    ] {
        let done = visit(&api, "/console/projects", Some(form)).await;
        assert_eq!(done.header("location"), format!("/console/projects?done={word}"));
    }
    let sent = api.sent("PUT /v1/organization/projects/web");
    assert_eq!(
        sent,
        [r#"{"name":"Shop"}"#, r#"{"name":"Web"}"#, r#"{"archived":true}"#, r#"{"archived":false}"#]
    );
}
