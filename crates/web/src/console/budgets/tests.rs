use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let budget = json!({
        "id": "bdg_1", "name": "<b>All</b>", "subject": "key:key_1", "period": "month", "amount_usd": "200", "hard": true,
        "thresholds": [50, 100], "spent_usd": "190", "held_usd": "0", "left_usd": "10",
        "resets_at": "2026-08-01T00:00:00Z",
    });
    let users = json!({"id": "bdg_2", "subject": "user:*", "period": "day", "amount_usd": "1", "hard": false, "thresholds": [100]});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/budgets", 200, json!({"data": [budget, users]}))
        .answering("GET /v1/budgets/bdg_1", 200, json!({"data": budget}))
        .answering("GET /v1/keys", 200, json!({"data": [{"id": "key_1", "name": "web <i>"}]}))
}

#[tokio::test]
async fn each_says_whom_it_bounds_and_what_is_left() {
    let page = visit(&Arc::new(api("viewer")), "/console/budgets", None).await;
    page.holds("$190.00 of $200.00")
        .holds("class=\"meter is-bad\"")
        .holds("Key web &#60;i&#62;")
        .holds("1 Aug 2026");
    page.holds("Each user")
        .holds("for each, a day")
        .holds("50, 100 %")
        .lacks("<b>All")
        .lacks("Make the budget");
}

#[tokio::test]
async fn an_empty_list_teaches() {
    let api = api("owner").answering("GET /v1/budgets", 200, json!({"data": []}));
    visit(&Arc::new(api), "/console/budgets?kind=key&of=key_1", None)
        .await
        .holds("No budget yet")
        .holds("value=\"key\" selected")
        .holds("value=\"key_1\"");
}

#[tokio::test]
async fn one_is_made_of_what_was_typed() {
    let api = Arc::new(api("owner").answering("POST /v1/budgets", 201, json!({"data": {}})));
    let form = "kind=project&of=web&amount_usd=20.50&period=week&thresholds=50%25%2C+80&hard=yes";
    let done = visit(&api, "/console/budgets", Some(form)).await;
    assert_eq!((done.status, done.header("location")), (303, "/console/budgets?done=made"));
    visit(&api, "/console/budgets", Some("kind=users&amount_usd=1&period=day&thresholds=")).await;
    let sent: Vec<Value> =
        api.sent("POST /v1/budgets").iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(
        sent[0],
        json!({"amount_usd": "20.50", "hard": true, "thresholds": [50, 80], "subject": "project:web", "period": "week"})
    );
    assert_eq!((&sent[1]["subject"], &sent[1]["hard"]), (&json!("user:*"), &json!(false)));
}

#[tokio::test]
async fn what_was_refused_is_said_beside_what_was_typed() {
    let why = json!({"error": {"type": "invalid_request", "message": "`amount_usd` is no amount"}});
    let api = api("owner").answering("POST /v1/budgets", 400, why);
    let page = visit(&Arc::new(api), "/console/budgets", Some("kind=tag&of=blue&amount_usd=x")).await;
    assert_eq!(page.status, 400);
    page.holds("role=\"alert\"").holds("value=\"x\"").holds("value=\"blue\"");
}

#[tokio::test]
async fn one_is_edited_and_taken_away() {
    let api = api("admin").answering("PATCH /v1/budgets/bdg_1", 200, json!({"data": {}})).answering(
        "DELETE /v1/budgets/bdg_1",
        200,
        json!({"deleted": true}),
    );
    let api = Arc::new(api);
    visit(&api, "/console/budgets/bdg_1", None)
        .await
        .holds("value=\"200\"")
        .holds("DELETE /v1/budgets/bdg_1");
    let done = visit(&api, "/console/budgets/bdg_1", Some("act=save&amount_usd=300&name=All")).await;
    assert_eq!(done.header("location"), "/console/budgets?done=saved");
    assert_eq!(
        api.sent("PATCH /v1/budgets/bdg_1"),
        [r#"{"name":"All","amount_usd":"300","hard":false,"thresholds":[]}"#]
    );
    let done = visit(&api, "/console/budgets/bdg_1", Some("act=delete")).await;
    assert_eq!(done.header("location"), "/console/budgets?done=deleted");
    assert_eq!(visit(&api, "/console/budgets/bdg_9", None).await.status, 404);
}
