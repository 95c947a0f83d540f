use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::api::{FakeApi, visit};

fn key(name: &str, hash: &str, holder: &str, tags: &[&str]) -> Value {
    json!({"hash": hash, "name": name, "holder": holder, "tags": tags})
}

/// The API as the page needs it, for this role.
fn api(role: &str) -> FakeApi {
    let keys = json!({"data": [
        key("Playground", "old", "usr_1", &["playground"]),
        key("Playground", "of-bob", "usr_2", &["playground"]),
        key("Playground", "own-of-that-name", "usr_1", &[]),
        key("web shop", "other", "usr_1", &["playground"]),
        key("Playground", "new", "usr_1", &["playground"]),
    ]});
    let made = json!({"key": "sk-tw-v1-new", "data": key("Playground", "new", "usr_1", &["playground"])});
    FakeApi::signed_in(role, false)
        .answering("GET /v1/policies", 200, json!({"data": [{"name": "careful"}]}))
        .answering("GET /v1/presets", 200, json!({"data": [{"slug": "support", "name": "Support"}]}))
        .answering("GET /v1/keys", 200, keys)
        .answering("POST /v1/keys", 201, made)
        .answering("DELETE /v1/keys/old", 200, json!({"deleted": true}))
        .answering("DELETE /v1/keys/new", 200, json!({"deleted": true}))
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_there_and_back() {
    let answer = visit(&Arc::new(FakeApi::nobody()), "/chat", None).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/sign-in?next=%2Fchat"));
}

#[tokio::test]
async fn every_name_that_is_answered_can_be_chosen() {
    let page = visit(&Arc::new(api("developer")), "/chat", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    for id in ["tollway/auto", "tollway/free", "policy/careful", "@preset/support", "mistralai/small-4"] {
        page.holds(&format!("<option value=\"{id}\">"));
    }
    // Of a provider that is off.
    page.lacks("<option value=\"acme/bare\">");
    page.holds("<option value=\"mistral\">");
    page.holds("<script type=\"module\" src=\"/assets/chat.js?v=");
    page.holds("<noscript>");
    page.holds("data-owner=\"usr_1\"");
    page.holds("http://127.0.0.1:8080/v1/chat/completions");
    // The call that its form makes.
    page.holds("&#34;tags&#34;:[&#34;playground&#34;]");
    page.lacks("made-key");
}

#[tokio::test]
async fn a_key_is_made_and_the_former_one_ends() {
    let api = Arc::new(api("developer"));
    let page = visit(&api, "/chat/key", Some("limit=%242.50")).await;
    assert_eq!(page.status, 200);
    page.holds(">sk-tw-v1-new</code>");
    page.holds("spends at most $2.50");
    let sent = api.sent("POST /v1/keys");
    let body: Value = serde_json::from_str(&sent[0]).unwrap();
    let expect = json!({
        "name": "Playground", "limit": "2.50", "tags": ["playground"], "expires_at": "2026-07-04T00:00:00Z",
    });
    assert_eq!((sent.len(), body), (1, expect));
    let ended = |hash: &str| api.sent(&format!("DELETE /v1/keys/{hash}")).len();
    assert_eq!(ended("old"), 1);
    for kept in ["new", "of-bob", "own-of-that-name", "other"] {
        assert_eq!(ended(kept), 0, "{kept}");
    }
}

#[tokio::test]
async fn a_key_can_be_ended_from_here() {
    let api = Arc::new(api("developer"));
    let answer = visit(&api, "/chat/key", Some("act=end")).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/chat?done=ended"));
    assert_eq!((api.sent("DELETE /v1/keys/old").len(), api.sent("DELETE /v1/keys/new").len()), (1, 1));
    assert!(api.sent("POST /v1/keys").is_empty());
    visit(&api, "/chat?done=ended", None).await.holds("The playground&#39;s key is revoked.");
    assert_eq!(visit(&api, "/chat/key", None).await.header("location"), "/chat");
}

#[tokio::test]
async fn a_refusal_stands_beside_what_was_typed() {
    let refused = json!({"error": {"type": "invalid_request", "message": "`limit` is no <b>amount</b>"}});
    let api = Arc::new(api("developer").answering("POST /v1/keys", 400, refused));
    let page = visit(&api, "/chat/key", Some("limit=a%22%3Elot")).await;
    assert_eq!(page.status, 400);
    page.holds("<code>limit</code> is no &#60;b&#62;amount&#60;/b&#62;.");
    page.holds("value=\"a&#34;&#62;lot\"");
    page.lacks("made-key");
}

#[tokio::test]
async fn who_makes_no_keys_may_paste_one() {
    let page = visit(&Arc::new(api("viewer")), "/chat", None).await;
    page.lacks("Make a key");
    page.holds("Your role makes no keys");
    page.holds("id=\"own-key\"");
}

#[tokio::test]
async fn names_of_others_are_text() {
    let hostile = "x\"><img src=x onerror=alert(1)>";
    let rules = json!({"data": [{"name": hostile, "slug": hostile}]});
    let api = api("owner").answering("GET /v1/policies", 200, rules.clone()).answering(
        "GET /v1/presets",
        200,
        rules,
    );
    let page = visit(&Arc::new(api), "/chat", None).await;
    page.lacks("<img src=x");
    page.holds("policy/x&#34;&#62;&#60;img");
}
