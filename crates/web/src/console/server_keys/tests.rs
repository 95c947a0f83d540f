use std::sync::Arc;

use serde_json::{Value, json};

use super::PATH;
use crate::testing::api::{FakeApi, visit};

fn api() -> FakeApi {
    let entered = json!({"data": [{
        "provider": "mistral", "name": "Mistral <i>", "is_on": true, "why": "key entered by the operator",
        "changed_at": "2026-07-03T11:00:00Z", "changed_by": "usr_1",
    }]});
    FakeApi::signed_in("owner", true).answering("GET /v1/server/provider-keys", 200, entered)
}

#[tokio::test]
async fn keys_are_listed_and_can_be_pasted() {
    let page = visit(&Arc::new(api()), PATH, None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    page.holds("Mistral &#60;i&#62;");
    page.holds("key entered by the operator");
    page.holds("<option value=\"mistral\" selected>");
    page.holds(">Provider keys</a>");
    page.holds("PUT /v1/server/provider-keys/mistral");
    page.lacks("Keep it even if");
    let none = api().answering("GET /v1/server/provider-keys", 200, json!({"data": []}));
    visit(&Arc::new(none), PATH, None).await.holds("No key was entered here yet.");
}

#[tokio::test]
async fn a_key_is_sent_on_and_shown_nowhere() {
    let api = Arc::new(api().answering("PUT /v1/server/provider-keys/groq", 200, json!({"data": {}})));
    let answer = visit(&api, PATH, Some("provider=groq&key=gsk-secret")).await;
    assert_eq!((answer.status, answer.header("location")), (303, &*format!("{PATH}?done=kept")));
    let sent: Value = serde_json::from_str(&api.sent("PUT /v1/server/provider-keys/groq")[0]).unwrap();
    assert_eq!(sent, json!({"key": "gsk-secret"}));
    visit(&api, &format!("{PATH}?done=kept"), None).await.lacks("gsk-secret");
}

#[tokio::test]
async fn a_key_that_is_refused_can_be_kept_all_the_same() {
    let refused = json!({"error": {"type": "provider_key_refused", "message": "Groq refused the key"}});
    let api = Arc::new(api().answering("PUT /v1/server/provider-keys/groq", 400, refused));
    let page = visit(&api, PATH, Some("provider=groq&key=gsk-secret")).await;
    assert_eq!(page.status, 400);
    page.holds("Groq refused the key.");
    page.holds("name=\"force\"");
    page.lacks("gsk-secret");
    visit(&api, PATH, Some("provider=groq&key=k&force=yes")).await;
    assert!(api.asked().contains(&String::from("PUT /v1/server/provider-keys/groq?force=true")));
}

#[tokio::test]
async fn a_key_is_taken_away_and_no_path_is_made_up() {
    let api =
        Arc::new(api().answering("DELETE /v1/server/provider-keys/mistral", 200, json!({"deleted": true})));
    let answer = visit(&api, PATH, Some("act=remove&provider=mistral")).await;
    assert_eq!((answer.status, answer.header("location")), (303, &*format!("{PATH}?done=gone")));
    for hostile in ["", "..%2F..%2Fkeys", "a%3Fb", "a%20b", "a%2Fb"] {
        let page = visit(&api, PATH, Some(&format!("act=remove&provider={hostile}"))).await;
        assert_eq!(page.status, 400, "{hostile}");
        page.holds("Choose a provider.");
    }
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let refused = json!({"error": {"type": "forbidden", "message": "only who runs this server may"}});
    let others = FakeApi::signed_in("owner", false).answering("GET /v1/server/provider-keys", 403, refused);
    let page = visit(&Arc::new(others), PATH, None).await;
    assert_eq!(page.status, 403);
    page.holds("Only who runs this server may.");
}
