use std::sync::Arc;

use serde_json::{Value, json};

use crate::safe::tests::{hostile, runs_nothing};
use crate::testing::api::{FakeApi, visit};

fn reported(text: &str) -> Value {
    json!({
        "id": "rat_1", "model": "acme/bare", "name": text, "stars": 1, "comment": text,
        "created_at": "2026-07-02T10:00:00Z", "edited_at": null,
        "author": {"id": "usr_9", "email": "eve@example.com"},
        "hidden": {"at": "2026-07-03T10:00:00Z", "by": "reports", "why": ""},
        "reports": [
            {"reason": text, "reporter": "usr_2", "created_at": "2026-07-03T10:00:00Z", "resolved_at": null},
            {"reason": "", "reporter": null, "created_at": "2026-07-03T09:00:00Z", "resolved_at": null},
            {"reason": "old", "reporter": "usr_3", "created_at": "2026-07-02T11:00:00Z", "resolved_at": "2026-07-02T12:00:00Z"},
        ],
    })
}

fn operator(data: Value) -> FakeApi {
    let queue = json!({"data": data, "next": "17.rat_1"});
    FakeApi::signed_in("owner", true).answering("GET /v1/moderation", 200, queue)
}

#[tokio::test]
async fn what_was_reported_stands_with_who_said_what() {
    let api = Arc::new(operator(json!([reported("buy *this*")])));
    let page = visit(&api, "/console/moderation", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    for text in [
        "buy <em>this</em>",
        "eve@example.com",
        "usr_2",
        "somebody who was erased",
        "2 reports",
        "1 report was looked at before",
        "Hidden by reports since 3 Jul 2026.",
        "href=\"/console/moderation?queue=reported&#38;after=17.rat_1\"",
        "GET /v1/moderation",
        "POST /v1/moderation/rat_1",
        "<a href=\"/console/moderation\" aria-current=\"page\">Moderation</a>",
    ] {
        page.holds(text);
    }
    page.lacks("<li>old");
    visit(&Arc::new(operator(json!([]))), "/console/moderation?queue=hidden", None)
        .await
        .holds("Nothing is hidden.");
    assert!(api.asked().contains(&String::from("GET /v1/moderation?queue=reported")));
}

#[tokio::test]
async fn each_decision_is_one_call() {
    for (form, sent, word) in [
        ("id=rat_1&queue=reported&why=+spam+&action=hide", json!({"action": "hide", "why": "spam"}), "hide"),
        ("id=rat_1&queue=hidden&action=show", json!({"action": "show"}), "show"),
        ("id=rat_1&action=dismiss", json!({"action": "dismiss"}), "dismiss"),
        ("id=rat_1&action=delete", json!({"action": "delete"}), "delete"),
    ] {
        let what = "POST /v1/moderation/rat_1";
        let api = Arc::new(operator(json!([])).answering(what, 200, json!({"data": {}})));
        let done = visit(&api, "/console/moderation", Some(form)).await;
        let queue = if form.contains("hidden") { "hidden" } else { "reported" };
        let to = format!("/console/moderation?queue={queue}&done={word}");
        assert_eq!((done.status, done.header("location")), (303, to.as_str()));
        let body: Value = serde_json::from_str(&api.sent(what)[0]).unwrap();
        assert_eq!(body, sent);
    }
    let refused = json!({"error": {"type": "invalid_request", "message": "`why` says why, in a few words"}});
    let api = operator(json!([reported("x")])).answering("POST /v1/moderation/rat_1", 400, refused);
    let again = visit(&Arc::new(api), "/console/moderation", Some("id=rat_1&action=hide&why=")).await;
    assert_eq!(again.status, 400);
    again.holds("Say why: the author reads it.");
    let api = Arc::new(operator(json!([])));
    visit(&api, "/console/moderation", Some("id=..%2F..%2Fv1&action=hide")).await;
    assert!(api.asked().contains(&String::from("POST /v1/moderation/none")), "an id is an id");
}

#[tokio::test]
async fn who_runs_nothing_here_finds_nothing_here() {
    let refused = json!({"error": {"type": "wrong_key_kind", "message": "this is the operator's"}});
    let api = Arc::new(FakeApi::signed_in("owner", false).answering("GET /v1/moderation", 403, refused));
    let page = visit(&api, "/console/moderation", None).await;
    assert_eq!(page.status, 403);
    page.holds("Not yours to see");
    page.lacks(">Moderation</a>");
}

#[tokio::test]
async fn hostile_words_run_nothing() {
    let plain = visit(&Arc::new(operator(json!([reported("plain")]))), "/console/moderation", None).await;
    for text in hostile() {
        let api = Arc::new(operator(json!([reported(&text)])));
        let page = visit(&api, "/console/moderation", None).await;
        runs_nothing(&page.text, &plain.text, &text);
    }
}
