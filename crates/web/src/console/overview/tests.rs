use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn told(rows: Value) -> Value {
    json!({"data": {"data": rows, "metadata": {"truncated": false}, "warnings": []}})
}

fn totals(spend: f64, requests: u64) -> Value {
    told(json!([{
        "total_usage": spend, "request_count": requests, "tokens_total": 1_500_000, "tokens_prompt": 1_000_000,
        "tokens_completion": 500_000, "cached_tokens": 250_000, "cache_hit_rate": 0.25, "error_count": 3,
        "error_rate": 0.03, "p95_ttft": 812.5,
    }]))
}

fn row(by: &str, value: &str, spend: f64, requests: u64) -> Value {
    let mut row = json!({"total_usage": spend, "request_count": requests, "tokens_total": 10, "error_count": 1, "error_rate": 0.1});
    row[by] = json!(value);
    row
}

/// An organization with use. The span before has half of it.
fn busy() -> FakeApi {
    let keys = json!({"data": [
        {"id": "key_1", "hash": "aa11", "name": "Web <script>alert(1)</script>"},
        {"id": "key_2", "hash": "bb22", "name": "Batch"},
    ]});
    let models = [row("model", "acme/large", 9.0, 60), row("model", "acme/small", 1.0, 40)];
    FakeApi::signed_in("owner", false)
        .answering("PUT /v1/auth/organization", 200, json!({"data": {}}))
        .answering("GET /v1/keys", 200, keys)
        .answering(
            "GET /v1/organization/members",
            200,
            json!({"data": [{"id": "usr_1", "name": "Ada", "email": "a@b.c"}]}),
        )
        .answering("GET /v1/organization/service-accounts", 200, json!({"data": []}))
        .answering("GET /v1/analytics/query", 200, totals(5.0, 50))
        .answering("GET /v1/analytics/query?from=2026-06-04", 200, totals(10.0, 100))
        .answering("GET /v1/analytics/query?dimensions=model", 200, told(json!(models)))
        .answering(
            "GET /v1/analytics/query?dimensions=key",
            200,
            told(json!([row("key", "key_1", 10.0, 100)])),
        )
        .answering(
            "GET /v1/analytics/query?dimensions=provider",
            200,
            told(json!([row("provider", "acme", 10.0, 100)])),
        )
        .answering(
            "GET /v1/analytics/query?dimensions=member",
            200,
            told(json!([row("member", "usr_1", 10.0, 100)])),
        )
        .answering(
            "GET /v1/analytics/query?dimensions=tag",
            200,
            told(json!([row("tag", "<i>blue", 0.0, 0)])),
        )
        .answering(
            "GET /v1/analytics/query?granularity=day",
            200,
            told(json!([
                {"date": "2026-07-02", "model": "acme/large", "total_usage": 9.0},
                {"date": "2026-07-03", "model": "acme/small", "total_usage": 1.0},
            ])),
        )
}

#[tokio::test]
async fn six_numbers_say_what_changed() {
    let page = visit(&Arc::new(busy()), "/console", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    page.holds("Night &#60;b&#62;Owls");
    page.holds(">$10.00<");
    page.holds("+100%");
    page.holds("1M in, 500K out");
    page.holds("the 30 days before");
    page.holds("4 Jun 2026 to 3 Jul 2026, 30 days in UTC; today is not over");
    // The number leads to its chart.
    page.holds("href=\"/console?metric=tokens\"");
}

#[tokio::test]
async fn rows_are_filters_and_tables_are_files() {
    let page = visit(&Arc::new(busy()), "/console", None).await;
    page.holds("href=\"/console?model=acme%2Flarge\"");
    page.holds(">90%<");
    page.holds("href=\"/console?member=usr_1\"");
    page.holds("dimensions=provider&#38;from=2026-06-04&#38;to=2026-07-03&#38;order_by=total_usage&#38;limit=10000&#38;format=csv");
    page.holds("Web &#60;script&#62;");
    page.lacks("<script>alert");
    page.holds("GET /v1/analytics/query</figcaption>");
    page.lacks("GET /v1/auth/me</figcaption>");
}

#[tokio::test]
async fn what_the_page_is_of_is_in_its_address() {
    let api = Arc::new(busy());
    let page = visit(&api, "/console?period=yesterday&key=key_2&metric=requests&by=provider", None).await;
    page.holds("2 Jul 2026 in UTC");
    page.holds("Key: <b>Batch</b>");
    page.holds("href=\"/console?period=yesterday&#38;metric=requests&#38;by=provider\"");
    assert!(
        api.asked().iter().any(|line| line.contains("granularity=hour") && line.contains("key=key_2")),
        "{:?}",
        api.asked()
    );
    // What is not counted together is not asked together.
    let asked = Arc::new(busy());
    let page = visit(&asked, "/console?tag=blue&model=acme%2Flarge", None).await;
    assert!(!asked.asked().iter().any(|line| line.contains("model=acme")), "{:?}", asked.asked());
    page.holds("Use of one tag is not kept apart by model; the log is.");
}

#[tokio::test]
async fn a_span_that_is_none_is_told() {
    let page = visit(&Arc::new(busy()), "/console?from=2026-07-05&to=2026-07-01", None).await;
    page.holds("The span ends before it begins.");
    page.holds("value=\"2026-06-04\"");
}

#[tokio::test]
async fn every_number_has_a_chart() {
    for metric in ["spend", "requests", "tokens", "cache", "errors", "ttft"] {
        let page = visit(&Arc::new(busy()), &format!("/console?metric={metric}"), None).await;
        assert_eq!(page.status, 200, "{metric}");
        assert_eq!(page.text.matches("<h1").count(), 1, "{metric}");
    }
    let chart = visit(&Arc::new(busy()), "/console", None).await;
    chart.holds("acme/large</li>");
    chart.holds("3 Jul");
}

#[tokio::test]
async fn who_never_called_is_shown_how() {
    let empty = told(json!([]));
    let api = FakeApi::signed_in("owner", false)
        .answering("GET /v1/keys", 200, json!({"data": []}))
        .answering("GET /v1/analytics/query", 200, empty);
    let page = visit(&Arc::new(api), "/console", None).await;
    assert_eq!(page.status, 200);
    page.holds("No calls yet");
    page.holds("sandbox/echo");
    page.lacks("<table");
    page.lacks("NaN");
}

#[tokio::test]
async fn another_organization_is_chosen_by_a_call() {
    let api = Arc::new(busy());
    let switched = visit(&api, "/console/organization", Some("organization=acct_2")).await;
    assert_eq!((switched.status, switched.header("location")), (303, "/console?done=switched"));
    assert_eq!(api.sent("PUT /v1/auth/organization"), [r#"{"organization":"acct_2"}"#]);
    visit(&api, "/console?done=switched", None).await.holds("You work in another organization now.");
    visit(&api, "/console?done=%3Cb%3E", None).await.lacks("<b>");
    let not_theirs = busy().answering("PUT /v1/auth/organization", 404, json!({}));
    let refused = visit(&Arc::new(not_theirs), "/console/organization", Some("organization=x")).await;
    assert_eq!(refused.status, 404);
    refused.holds("role=\"alert\"");
}
