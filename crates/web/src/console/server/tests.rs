use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn row(value: &str, charged: &str, margin: &str, share: f64) -> Value {
    json!({"value": value, "requests": 12, "failed": 1, "charged_usd": charged, "provider_cost_usd": "1.5",
           "margin_usd": margin, "margin_share": share})
}

fn api() -> FakeApi {
    let person = |id: &str, name: &str, is_operator: bool, disabled: Value| {
        json!({"id": id, "email": format!("{id}@example.com"), "name": name, "organization": "acct_1", "is_operator": is_operator,
               "created_at": "2026-07-01T00:00:00Z", "disabled_at": disabled})
    };
    let users = json!({"data": [
        person("usr_1", "Ada", true, Value::Null),
        person("usr_2", "<script>alert(1)</script>", false, Value::Null),
        person("usr_3", "Gone", false, json!("2026-07-02T00:00:00Z")),
    ]});
    let organizations = json!({"data": [{"id": "acct_1", "name": "Night <b>Owls</b>", "personal": false, "members": 3, "keys": 2,
        "balance_usd": "5", "metered_usd": "0.25", "created_at": "2026-07-01T00:00:00Z"}]});
    let margin = json!({"data": {"from": "a", "to": "b", "rows": [row("acme/large", "2", "0.5", 0.25), row("", "1", "-0.5", -0.5)],
        "total": row("", "3", "0", 0.0)}});
    let attempts = |answered: u64, failed: u64| json!({"answered": answered, "failed": failed, "busy": 7});
    let provider = |id: &str, is_on: bool, recent: Value| {
        json!({"id": id, "name": id, "is_on": is_on, "why": "MISTRAL_API_KEY <i>", "base_url": "https://x.example", "keys": 1,
               "endpoints": 9, "resting": [], "recent": recent, "day": attempts(90, 10), "ttft_p50_ms": 412.0})
    };
    let providers = json!({"data": [
        provider("mistral", true, attempts(99, 1)), provider("groq", true, attempts(5, 5)), provider("venice", false, attempts(0, 0)),
    ], "minutes": 30});
    FakeApi::signed_in("owner", true)
        .answering("GET /v1/server/users", 200, users)
        .answering("GET /v1/server/organizations", 200, organizations)
        .answering("GET /v1/server/margin", 200, margin)
        .answering("GET /v1/server/providers", 200, providers)
        .answering("PATCH /v1/server/users/usr_2", 200, json!({"data": {}}))
}

#[tokio::test]
async fn people_are_let_in_no_more_by_a_call() {
    let api = Arc::new(api());
    let page = visit(&api, "/console/server/people", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    page.holds("&#60;script&#62;");
    page.lacks("<script>alert");
    page.holds("Out since 2 Jul 2026");
    page.holds("Night &#60;b&#62;Owls");
    page.holds("value=\"usr_2\"");
    page.lacks("value=\"usr_1\"");
    let out = visit(&api, "/console/server/people", Some("user=usr_2&do=out")).await;
    assert_eq!((out.status, out.header("location")), (303, "/console/server/people?done=out"));
    assert_eq!(api.sent("PATCH /v1/server/users/usr_2"), [r#"{"disabled":true}"#]);
    let nobody = visit(&api, "/console/server/people", Some("user=usr_9&do=out")).await;
    assert_eq!(nobody.status, 404);
    nobody.holds("role=\"alert\"");
}

#[tokio::test]
async fn a_loss_is_seen() {
    let page = visit(&Arc::new(api()), "/console/server/margin?period=7d", None).await;
    assert_eq!(page.status, 200);
    page.holds("acme/large");
    page.holds("25.0%");
    page.holds("-$0.50");
    page.holds(">Loss<");
    page.holds("by=organization&#38;from=2026-06-27&#38;to=2026-07-03");
}

#[tokio::test]
async fn a_provider_that_fails_is_seen() {
    let page = visit(&Arc::new(api()), "/console/server/providers", None).await;
    assert_eq!(page.status, 200);
    page.holds("Failing");
    page.holds("Well");
    page.holds("99%");
    page.holds("What each one waits for");
    page.lacks("KEY <i>");
}

#[tokio::test]
async fn the_side_leads_to_them_only_who_runs_the_server() {
    let acts = json!({"data": [], "next": null});
    let with = |is_operator| {
        FakeApi::signed_in("owner", is_operator)
            .answering("GET /v1/organization/audit", 200, acts.clone())
            .answering("GET /v1/keys", 200, json!({"data": []}))
    };
    visit(&Arc::new(with(true)), "/console/audit", None).await.holds("/console/server/margin");
    visit(&Arc::new(with(false)), "/console/audit", None).await.lacks("/console/server/");
}
