use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn api(role: &str) -> FakeApi {
    let key = json!({"id": "byk_1", "provider": "mistral", "name": "<b>team</b>", "label": "…x9", "disabled": false,
        "is_fallback": true, "sort_order": 2, "allowed_models": ["mistralai/*"], "allowed_api_key_hashes": null, "base_url": null,
        "tested": "not_tested", "tested_at": null, "test_note": "no <i>answer</i>", "created_at": "2026-06-01T00:00:00Z",
        "created_by": "ses_1", "requests": 4, "usage_usd": "10", "fees_usd": "0.5"});
    let credits = json!({"data": {"byok": {"fee_percent": "5", "balance_usd": "3"}}});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/byok", 200, json!({"data": [key], "total_count": 1}))
        .answering("GET /v1/byok/byk_1", 200, json!({"data": key}))
        .answering(
            "GET /v1/byok/strategy",
            200,
            json!({"data": {"providers": {}, "models": {"acme/x": "mine"}, "default": "mine_then_ours"}}),
        )
        .answering("GET /v1/byok/settings", 200, json!({"data": {"on_empty": "credits"}}))
        .answering("GET /v1/credits", 200, credits)
}

#[tokio::test]
async fn keys_strategies_and_the_balance_are_shown() {
    let page = visit(&Arc::new(api("owner")), "/console/provider-keys", None).await;
    page.holds("Not tested").holds("behind this server").holds("5 % of its list price").holds("acme/x");
    page.holds("value=\"mine\" selected").holds("value=\"credits\" selected").holds("POST /v1/byok");
    page.lacks("<b>team").lacks("<i>answer");
    visit(&Arc::new(api("viewer")), "/console/provider-keys", None)
        .await
        .lacks("Test and keep it")
        .lacks("value=\"strategy\"");
}

#[tokio::test]
async fn a_key_is_tested_kept_and_shown_nowhere() {
    let api = Arc::new(api("owner").answering("POST /v1/byok", 201, json!({"data": {}})));
    let form = "act=add&provider=mistral&key=sk-secret-1&name=team&allowed_models=mistralai%2F*&is_fallback=yes&sort_order=1";
    let done = visit(&api, "/console/provider-keys", Some(form)).await;
    assert_eq!(done.header("location"), "/console/provider-keys?done=added");
    visit(
        &api,
        "/console/provider-keys",
        Some("act=add&provider=azure&key=%7B%22api_key%22%3A%22a%22%7D&force=yes"),
    )
    .await;
    let sent: Vec<Value> =
        api.sent("POST /v1/byok").iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(
        sent[0],
        json!({"name": "team", "is_fallback": true, "sort_order": 1, "allowed_models": ["mistralai/*"], "provider": "mistral",
               "key": "sk-secret-1"})
    );
    assert_eq!(sent[1]["key"], json!({"api_key": "a"}));
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_shown_again() {
    let why = json!({"error": {"type": "provider_key_refused", "message": "the provider refuses it"}});
    let api = Arc::new(api("owner").answering("POST /v1/byok", 400, why));
    let page =
        visit(&api, "/console/provider-keys", Some("act=add&provider=mistral&name=n&key=sk-secret-2")).await;
    page.holds("The provider refuses it.").holds("value=\"n\"").lacks("sk-secret-2");
}

#[tokio::test]
async fn whose_key_goes_first_and_the_balance_are_calls() {
    let done = || json!({"data": {}});
    let api = api("owner")
        .answering("PUT /v1/byok/strategy", 200, done())
        .answering("PUT /v1/byok/settings", 200, done())
        .answering("POST /v1/byok/balance", 200, done());
    let api = Arc::new(api);
    visit(&api, "/console/provider-keys", Some("act=strategy&kind=provider&of=mistral&strategy=mine")).await;
    visit(&api, "/console/provider-keys", Some("act=strategy&kind=model&of=acme%2Fx&strategy=")).await;
    visit(&api, "/console/provider-keys", Some("act=settings&on_empty=refuse")).await;
    let moved = visit(&api, "/console/provider-keys", Some("act=move&amount=5")).await;
    assert_eq!(moved.header("location"), "/console/provider-keys?done=moved");
    assert_eq!(
        api.sent("PUT /v1/byok/strategy"),
        [r#"{"provider":"mistral","strategy":"mine"}"#, r#"{"model":"acme/x","strategy":null}"#]
    );
    assert_eq!(api.sent("PUT /v1/byok/settings"), [r#"{"on_empty":"refuse"}"#]);
    assert_eq!(api.sent("POST /v1/byok/balance"), [r#"{"from":"credits","amount_usd":"5"}"#]);
}

#[tokio::test]
async fn one_is_edited_replaced_switched_and_removed() {
    let done = || json!({"data": {}});
    let api = api("admin").answering("PATCH /v1/byok/byk_1", 200, done()).answering(
        "DELETE /v1/byok/byk_1",
        200,
        done(),
    );
    let api = Arc::new(api);
    visit(&api, "/console/provider-keys/byk_1", None)
        .await
        .holds("mistralai/*")
        .holds("Switch off")
        .lacks("<b>team");
    for form in
        ["act=save&name=&allowed_models=&sort_order=3", "act=off", "act=replace&key=sk-3", "act=remove"]
    {
        let answer = visit(&api, "/console/provider-keys/byk_1", Some(form)).await;
        assert_eq!(answer.status, 303, "{form}");
    }
    assert_eq!(
        api.sent("PATCH /v1/byok/byk_1"),
        [
            r#"{"name":null,"is_fallback":false,"sort_order":3,"allowed_models":null,"allowed_api_key_hashes":null}"#,
            r#"{"disabled":true}"#,
            r#"{"key":"sk-3"}"#,
        ]
    );
    assert_eq!(api.sent("DELETE /v1/byok/byk_1").len(), 1);
}
