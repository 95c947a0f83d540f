use std::sync::Arc;

use serde_json::json;

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let person = |id: &str, name: &str, role: &str| json!({"id": id, "email": format!("{id}@example.com"), "name": name, "role": role, "since": "2026-06-01T00:00:00Z"});
    let program =
        json!({"id": "sa_1", "name": "<i>ci</i>", "role": "developer", "created_at": "2026-06-01T00:00:00Z"});
    let invitation = json!({"id": "inv_1", "email": "new@example.com", "role": "viewer", "invited_by": "usr_1",
                            "created_at": "2026-07-01T00:00:00Z", "expires_at": "2026-07-08T00:00:00Z"});
    let people = json!({"data": [person("usr_1", "Ada", role), person("usr_2", "<b>Bob</b>", "developer")]});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/organization/members", 200, people)
        .answering("GET /v1/organization/service-accounts", 200, json!({"data": [program]}))
        .answering("GET /v1/organization/invitations", 200, json!({"data": [invitation]}))
}

#[tokio::test]
async fn who_governs_sees_everybody_and_what_may_be_done() {
    let page = visit(&Arc::new(api("admin")), "/console/members", None).await;
    page.holds("&#60;b&#62;Bob")
        .holds("new@example.com")
        .holds("value=\"end-program\"")
        .holds("Remove &#60;b&#62;Bob");
    // Nobody gives a role that goes further than their own.
    page.lacks("<option value=\"owner\"").lacks("<b>Bob").lacks("<i>ci");
    visit(&Arc::new(api("owner")), "/console/members", None).await.holds("<option value=\"owner\"");
}

#[tokio::test]
async fn who_looks_changes_nothing_and_asks_for_no_invitations() {
    let api = Arc::new(api("viewer"));
    let page = visit(&api, "/console/members", None).await;
    page.holds("developer").lacks("<form class=\"panel\"").lacks("value=\"remove\"");
    assert!(api.sent("GET /v1/organization/invitations").is_empty());
}

#[tokio::test]
async fn each_act_is_a_call() {
    let done = || json!({"data": {}});
    let api = api("owner")
        .answering("POST /v1/organization/invitations", 201, done())
        .answering("DELETE /v1/organization/invitations/inv_1", 200, done())
        .answering("PATCH /v1/organization/members/usr_2", 200, done())
        .answering("DELETE /v1/organization/members/usr_2", 200, done())
        .answering("POST /v1/organization/service-accounts", 201, done())
        .answering("DELETE /v1/organization/service-accounts/sa_1", 200, done());
    let api = Arc::new(api);
    let rows = [
        (
            "act=invite&email=x%40example.com&role=viewer",
            "invited",
            "POST /v1/organization/invitations",
            r#"{"email":"x@example.com","role":"viewer"}"#,
        ),
        ("act=uninvite&id=inv_1", "uninvited", "DELETE /v1/organization/invitations/inv_1", ""),
        (
            "act=role&id=usr_2&role=admin",
            "role",
            "PATCH /v1/organization/members/usr_2",
            r#"{"role":"admin"}"#,
        ),
        ("act=remove&id=usr_2", "removed", "DELETE /v1/organization/members/usr_2", ""),
        (
            "act=program&name=ci&role=developer",
            "made",
            "POST /v1/organization/service-accounts",
            r#"{"name":"ci","role":"developer"}"#,
        ),
        ("act=end-program&id=sa_1", "ended", "DELETE /v1/organization/service-accounts/sa_1", ""),
    ];
    for (form, word, call, body) in rows {
        let answer = visit(&api, "/console/members", Some(form)).await;
        assert_eq!(answer.header("location"), format!("/console/members?done={word}"));
        assert_eq!(api.sent(call), [body], "{call}");
    }
}

#[tokio::test]
async fn what_was_refused_is_said_beside_what_was_typed() {
    let why = json!({"error": {"type": "invalid_request", "message": "`email` is no address"}});
    let api = api("owner").answering("POST /v1/organization/invitations", 400, why);
    let page = visit(&Arc::new(api), "/console/members", Some("act=invite&email=nobody&role=viewer")).await;
    assert_eq!(page.status, 400);
    page.holds("<code>email</code> is no address.").holds("value=\"nobody\"");
}
