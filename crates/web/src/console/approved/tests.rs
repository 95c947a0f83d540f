use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str, version: u64) -> FakeApi {
    let approval = json!({"models": ["mistralai/*"], "regions": ["eu"], "no_training": true});
    let told = json!({"version": version, "updated_at": "2026-07-01T10:00:00Z", "approval": if version == 0 { json!({}) } else { approval },
                      "model_ids": ["mistralai/a"], "waiting": ["mistralai/<b>new</b>"]});
    let list = json!({"name": "coding", "version": 2, "access_list": {"description": "<i>code</i>", "models": ["a/b"], "auto_approve": true},
                      "model_ids": null, "waiting": []});
    let group =
        json!({"name": "eng", "version": 1, "group": {"members": ["usr_1"], "access_lists": ["coding"]}});
    let person = json!({"id": "usr_1", "email": "ada@example.com", "name": "<b>Ada</b>", "role": "owner"});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/approved-models", 200, json!({"data": told}))
        .answering("GET /v1/approved-models/versions", 200, json!({"data": []}))
        .answering("GET /v1/access-lists", 200, json!({"data": [list]}))
        .answering("GET /v1/access-lists/coding", 200, json!({"data": list}))
        .answering("GET /v1/access-lists/coding/versions", 200, json!({"data": []}))
        .answering("GET /v1/groups", 200, json!({"data": [group]}))
        .answering("GET /v1/groups/eng", 200, json!({"data": group}))
        .answering("GET /v1/organization/members", 200, json!({"data": [person]}))
        .answering("GET /v1/organization/service-accounts", 200, json!({"data": []}))
        .answering(
            "GET /v1/access",
            200,
            json!({"data": {"key": "key_1", "decided_by": "groups", "names": ["eng"],
                   "model_count": 1, "models": ["a/b"]}}),
        )
}

#[tokio::test]
async fn it_says_what_is_approved_and_what_waits() {
    let page = visit(&Arc::new(api("owner", 2)), "/console/approved-models?key=key_1", None).await;
    page.holds("1 model approved")
        .holds("mistralai/&#60;b&#62;new")
        .holds("the groups that its holder is in: eng");
    page.holds("1 holder, with coding").lacks("<b>new").lacks("<i>code");
    visit(&Arc::new(api("viewer", 0)), "/console/approved-models", None)
        .await
        .holds("everything may be called")
        .lacks("value=\"save\"");
}

#[tokio::test]
async fn it_is_written_over_the_version_that_was_seen() {
    let api = api("owner", 2).answering("PUT /v1/approved-models", 200, json!({"data": {}})).answering(
        "DELETE /v1/approved-models",
        200,
        json!({"deleted": true}),
    );
    let api = Arc::new(api);
    let form =
        "act=save&version=2&models=a%2F*%0D%0Ab%2Fc&providers=mistral%2C+openai&regions=&no_training=yes";
    let done = visit(&api, "/console/approved-models", Some(form)).await;
    assert_eq!(done.header("location"), "/console/approved-models?done=saved");
    // Nothing was written yet: there is nothing to write over, and no list of models is every model.
    visit(&api, "/console/approved-models", Some("act=save&version=0")).await;
    visit(&api, "/console/approved-models", Some("act=delete&version=2")).await;
    let sent: Vec<Value> =
        api.sent("PUT /v1/approved-models").iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(
        sent[0],
        json!({"providers": ["mistral", "openai"], "regions": [], "auto_approve": false, "no_training": true,
               "zero_retention": false, "models": ["a/*", "b/c"]})
    );
    assert_eq!(sent[1].get("models"), None);
    assert_eq!(api.versions(), ["\"2\"", "\"2\""]);
}

#[tokio::test]
async fn lists_are_made_written_and_taken_away() {
    let why = json!({"error": {"type": "rule_in_use", "message": "a key has it"}});
    let api = api("admin", 2)
        .answering("POST /v1/access-lists", 201, json!({"data": {}}))
        .answering("PUT /v1/access-lists/coding", 200, json!({"data": {}}))
        .answering("DELETE /v1/access-lists/coding", 409, why);
    let api = Arc::new(api);
    visit(&api, "/console/access-lists/new", None).await.holds("Make the list");
    visit(&api, "/console/access-lists/coding", None).await.holds("a/b").lacks("<i>code");
    let done = visit(&api, "/console/access-lists/new", Some("name=small&models=a%2Fb")).await;
    assert_eq!(done.header("location"), "/console/access-lists/small?done=saved");
    visit(&api, "/console/access-lists/coding", Some("act=save&version=2&models=a%2Fb&auto_approve=yes"))
        .await;
    assert_eq!(
        api.sent("PUT /v1/access-lists/coding"),
        [r#"{"description":"","models":["a/b"],"auto_approve":true}"#]
    );
    let page = visit(&api, "/console/access-lists/coding", Some("act=delete&version=2")).await;
    assert_eq!(page.status, 409);
    page.holds("A key has it.");
}

#[tokio::test]
async fn groups_are_made_of_ticks() {
    let api = api("owner", 2)
        .answering("POST /v1/groups", 201, json!({"data": {}}))
        .answering("PUT /v1/groups/eng", 200, json!({"data": {}}))
        .answering("DELETE /v1/groups/eng", 200, json!({"deleted": true}));
    let api = Arc::new(api);
    let page = visit(&api, "/console/groups/eng", None).await;
    page.holds("value=\"usr_1\" checked").holds("value=\"coding\" checked").lacks("<b>Ada");
    visit(&api, "/console/groups/new", Some("name=ops&members=usr_1&access_lists=coding")).await;
    assert_eq!(
        api.sent("POST /v1/groups"),
        [r#"{"description":"","members":["usr_1"],"access_lists":["coding"],"name":"ops"}"#]
    );
    let done = visit(&api, "/console/groups/eng", Some("act=delete&version=1")).await;
    assert_eq!(done.header("location"), "/console/approved-models?done=group-deleted");
}
