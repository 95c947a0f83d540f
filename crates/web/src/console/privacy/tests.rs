use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str, days: u64, zero: Option<&str>) -> FakeApi {
    let kept = json!({"keep_days": days, "zero_retention": zero.is_some(), "zero_retention_since": zero});
    FakeApi::signed_in(role, false).answering("GET /v1/account/privacy", 200, json!({"data": kept}))
}

#[tokio::test]
async fn it_says_what_is_kept_and_who_may_change_it() {
    visit(&Arc::new(api("owner", 0, None)), "/console/privacy", None)
        .await
        .holds("Not kept")
        .holds("irrevocable");
    visit(&Arc::new(api("admin", 30, None)), "/console/privacy", None)
        .await
        .holds("Kept 30 days")
        .lacks("irrevocable");
    visit(&Arc::new(api("viewer", 30, None)), "/console/privacy", None).await.lacks("name=\"keep_days\"");
    let never = api("owner", 0, Some("2026-07-01T00:00:00Z"));
    visit(&Arc::new(never), "/console/privacy", None)
        .await
        .holds("Never kept")
        .holds("1 Jul 2026")
        .lacks("name=\"keep_days\"");
}

#[tokio::test]
async fn days_are_a_number_and_the_end_asks_for_its_word() {
    let api = Arc::new(api("owner", 0, None).answering("PUT /v1/account/privacy", 200, json!({"data": {}})));
    let done = visit(&api, "/console/privacy", Some("act=save&keep_days=30")).await;
    assert_eq!(done.header("location"), "/console/privacy?done=saved");
    let done = visit(&api, "/console/privacy", Some("act=never&confirm=irrevocable")).await;
    assert_eq!(done.header("location"), "/console/privacy?done=never");
    visit(&api, "/console/privacy", Some("act=save&keep_days=many")).await;
    let sent: Vec<Value> =
        api.sent("PUT /v1/account/privacy").iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(
        sent,
        [
            json!({"keep_days": 30}),
            json!({"zero_retention": true, "confirm": "irrevocable"}),
            json!({"keep_days": "many"})
        ]
    );
}
