use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

/// A key of Ada's that has spent most of its limit, with a name that would like to run.
fn key() -> Value {
    json!({
        "hash": "ab12", "id": "key_1", "name": "web <script>alert(1)</script>", "label": "sk-tw-…f3", "project": "shop",
        "holder": "usr_1", "role": null, "disabled": false, "frozen": null, "limit_usd": "25",
        "limit_remaining_usd": "3.5", "usage_usd": "120.25", "held_usd": "0.5", "is_management_key": false,
        "created_at": "2026-06-01T00:00:00Z", "expires_at": null, "old_text_until": null, "limit_reset": "monthly",
        "tags": ["\"><img src=x>"], "allowed_models": ["mistralai/*"], "allowed_providers": [], "allowed_ips": [],
        "regions": ["eu"], "requests_per_minute": 60, "zero_retention": true, "explore": true, "hedge": false,
        "public_stats": false, "freeze_at_times_usual": 0, "guardrails": {"kinds": {"secrets": "block"}},
    })
}

fn use_of(key: &str) -> Value {
    let row = |date: &str, model: &str, spent: f64, count: u64| {
        json!({"date": date, "key": key, "model": model, "total_usage": spent, "request_count": count,
               "error_count": 1})
    };
    json!({"data": {"data": [row("2026-07-01", "acme/<b>x</b>", 1.5, 30), row("2026-07-02", "acme/x", 0.25, 4)]}})
}

fn api(role: &str) -> FakeApi {
    FakeApi::signed_in(role, false)
        .answering("GET /v1/keys", 200, json!({"data": [key()]}))
        .answering("GET /v1/keys/key_1", 200, json!({"data": key()}))
        .answering("GET /v1/keys/ab12", 200, json!({"data": key()}))
        .answering("POST /v1/analytics/query", 200, use_of("key_1"))
}

#[tokio::test]
async fn the_list_says_what_each_spends_and_how_it_is_stopped() {
    let page = visit(&Arc::new(api("developer")), "/console/keys", None).await;
    assert_eq!(page.status, 200);
    page.holds("$21.00 of $25.00").holds("a month").holds("$1.75").holds("yesterday").holds("Stop");
    page.holds("To cap a key").holds("To stop a runaway").holds("GET /v1/keys");
    page.lacks("<script>alert").lacks("<img src=x");
}

#[tokio::test]
async fn an_empty_list_teaches() {
    let none = api("viewer").answering("GET /v1/keys", 200, json!({"data": []}));
    let page = visit(&Arc::new(none), "/console/keys", None).await;
    page.holds("No key yet").lacks("href=\"/console/keys/new\"");
}

#[tokio::test]
async fn use_that_cannot_be_read_takes_no_page_away() {
    let down = api("owner").answering("POST /v1/analytics/query", 503, json!({"error": {}}));
    let down = Arc::new(down);
    visit(&down, "/console/keys", None).await.holds("$21.00 of $25.00").holds("unknown");
    visit(&down, "/console/keys/key_1", None).await.holds("can't be read right now");
}

#[tokio::test]
async fn who_only_looks_changes_nothing() {
    let page = visit(&Arc::new(api("viewer")), "/console/keys", None).await;
    page.lacks("value=\"stop\"").lacks("New key");
    let page = visit(&Arc::new(api("viewer")), "/console/keys/key_1", None).await;
    page.holds("Only its holder").lacks("value=\"revoke\"");
}

#[tokio::test]
async fn a_key_is_stopped_and_started() {
    let api = Arc::new(api("owner").answering("PATCH /v1/keys/ab12", 200, json!({"data": key()})));
    let done = visit(&api, "/console/keys", Some("key=ab12&act=stop")).await;
    assert_eq!((done.status, done.header("location")), (303, "/console/keys?done=stopped"));
    visit(&api, "/console/keys", Some("key=ab12&act=start")).await;
    assert_eq!(api.sent("PATCH /v1/keys/ab12"), [r#"{"disabled":true}"#, r#"{"disabled":false}"#]);
    visit(&api, "/console/keys?done=stopped", None).await.holds("The key is stopped");
}

#[tokio::test]
async fn a_new_key_says_only_what_was_filled_and_is_shown_once() {
    let made =
        json!({"data": {"id": "key_9", "name": "ci", "is_management_key": false}, "key": "sk-tw-v1-once"});
    let api = Arc::new(api("owner").answering("POST /v1/keys", 201, made));
    visit(&api, "/console/keys/new", None).await.holds("POST /v1/keys").holds("value=\"yes\" checked");
    let form = "name=ci&limit=25&limit_reset=monthly&expires_at=2030-01-31T12%3A00&allowed_models=mistralai%2F*%0D%0Aa%2Fb\
                &requests_per_minute=60&explore=yes&tags=a%2C+b&holder=organization";
    let page = visit(&api, "/console/keys/new", Some(form)).await;
    assert_eq!((page.status, page.header("cache-control")), (201, "no-store"));
    page.holds("sk-tw-v1-once").holds("shown this once");
    let sent: Value = serde_json::from_str(&api.sent("POST /v1/keys")[0]).unwrap();
    assert_eq!(
        sent,
        json!({"name": "ci", "limit": "25", "limit_reset": "monthly", "expires_at": "2030-01-31T12:00:00Z",
               "tags": ["a", "b"], "allowed_models": ["mistralai/*", "a/b"], "requests_per_minute": 60, "hedge": false,
               "holder": null})
    );
}

#[tokio::test]
async fn what_was_refused_is_said_with_all_that_was_typed() {
    let why = json!({"error": {"type": "invalid_request", "message": "`limit` is no <i>amount</i>"}});
    let api = Arc::new(api("owner").answering("POST /v1/keys", 400, why));
    let page = visit(&api, "/console/keys/new", Some("name=%3Cb%3Eci&limit=much&unlimited=yes")).await;
    assert_eq!(page.status, 400);
    page.holds("role=\"alert\"").holds("value=\"&#60;b&#62;ci\"").holds("value=\"much\"").lacks("<i>amount");
    let page = visit(&api, "/console/keys/new", Some("name=ci&guardrails=%7Bx")).await;
    page.holds("The guardrails are no JSON");
    assert_eq!(api.sent("POST /v1/keys").len(), 1, "what is no JSON is not sent");
}

#[tokio::test]
async fn a_key_shows_its_use_and_fills_its_form() {
    let page = visit(&Arc::new(api("owner")), "/console/keys/key_1", None).await;
    page.holds("$21.00").holds("of $25.00 a month").holds("chart-bar").holds("acme/&#60;b&#62;x");
    page.holds("value=\"monthly\" selected").holds("name=\"zero_retention\" value=\"yes\" checked");
    page.holds("name=\"hedge\" value=\"yes\">")
        .holds("&#34;secrets&#34;: &#34;block&#34;")
        .lacks("<script>alert");
    page.holds("PATCH /v1/keys/ab12").holds("POST /v1/keys/ab12/rotate");
}

#[tokio::test]
async fn an_edit_takes_bounds_away_too() {
    let api = Arc::new(api("owner").answering("PATCH /v1/keys/key_1", 200, json!({"data": key()})));
    let done = visit(&api, "/console/keys/key_1", Some("act=save&name=web&hedge=yes&explore=yes")).await;
    assert_eq!((done.status, done.header("location")), (303, "/console/keys/key_1?done=saved"));
    let sent: Value = serde_json::from_str(&api.sent("PATCH /v1/keys/key_1")[0]).unwrap();
    for taken in ["limit", "limit_reset", "expires_at", "requests_per_minute", "guardrails", "public_stats"] {
        assert_eq!(sent[taken], Value::Null, "{taken}");
    }
    assert_eq!((&sent["zero_retention"], &sent["allowed_models"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn a_rotation_shows_the_new_text_and_a_revocation_asks_for_the_name() {
    let made = json!({"data": {"id": "key_1", "name": "web", "old_text_until": "2026-07-04T12:00:00Z"}, "key": "sk-2"});
    let api = api("owner").answering("POST /v1/keys/key_1/rotate", 200, made).answering(
        "DELETE /v1/keys/key_1",
        200,
        json!({"deleted": true}),
    );
    let api = Arc::new(api);
    let page = visit(&api, "/console/keys/key_1", Some("act=rotate&grace_s=86400")).await;
    page.holds("sk-2").holds("taken until 4 Jul 2026, 12:00 UTC");
    let page = visit(&api, "/console/keys/key_1", Some("act=revoke&name=other")).await;
    assert_eq!(page.status, 400);
    assert!(api.sent("DELETE /v1/keys/key_1").is_empty());
    let name = "web+%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
    let done = visit(&api, "/console/keys/key_1", Some(&format!("act=revoke&name={name}"))).await;
    assert_eq!((done.status, done.header("location")), (303, "/console/keys?done=revoked"));
    assert_eq!(api.sent("DELETE /v1/keys/key_1").len(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_there_is_said_so() {
    let why = json!({"error": {"type": "not_found", "message": "the account has no such key"}});
    let api = api("owner").answering("GET /v1/keys/nobody", 404, why);
    let page = visit(&Arc::new(api), "/console/keys/nobody", None).await;
    assert_eq!(page.status, 404);
    page.holds("The account has no such key.");
}

#[tokio::test]
async fn a_key_leads_to_what_it_did() {
    let api = Arc::new(api("owner"));
    let page = visit(&api, "/console/keys/key_1", None).await;
    page.holds("href=\"/console/logs?key=ab12\"").holds("href=\"/console?key=key_1\"");
    page.holds("href=\"/console/budgets?kind=key&amp;of=key_1\"");
    page.holds("href=\"/console/logs?key=ab12&#38;model=acme%2Fx\"").lacks("<b>x");
    visit(&api, "/console/keys", None).await.holds("href=\"/console/logs?key=ab12\"");
}
