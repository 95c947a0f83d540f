use std::sync::Arc;

use serde_json::json;

use crate::testing::api::{FakeApi, visit};

fn api(enabled: bool) -> FakeApi {
    let session = json!({"id": "ses_1", "current": true, "created_at": "2026-07-01T10:00:00Z", "seen_at": "2026-07-03T11:00:00Z",
                         "expires_at": "2026-07-08T10:00:00Z", "address": "10.0.0.1", "agent": "<b>Firefox</b>"});
    let identity = json!({"id": "idt_1", "issuer": "corp", "issuer_url": "https://corp.example", "subject": "1",
                          "email": "ada@corp.example", "created_at": "2026-06-01T10:00:00Z", "used_at": "2026-06-01T10:00:00Z"});
    FakeApi::signed_in("owner", true)
        .answering("GET /v1/auth/sessions", 200, json!({"data": [session]}))
        .answering("GET /v1/auth/totp", 200, json!({"data": {"enabled": enabled, "recovery_codes_left": 7}}))
        .answering("GET /v1/auth/identities", 200, json!({"data": [identity]}))
}

#[tokio::test]
async fn it_shows_sessions_identities_and_the_second_factor() {
    let page = visit(&Arc::new(api(true)), "/console/account", None).await;
    page.holds("10.0.0.1")
        .holds("this one")
        .holds("7 recovery codes left")
        .holds("ada@corp.example")
        .holds("Link Corp");
    page.holds("runs this server").holds("/v1/auth/me/export").lacks("<b>Firefox");
    visit(&Arc::new(api(false)), "/console/account", None)
        .await
        .holds("Set it up")
        .lacks("recovery codes left");
}

#[tokio::test]
async fn a_password_is_changed_and_shown_nowhere() {
    let api =
        Arc::new(api(false).answering("POST /v1/auth/password", 200, json!({"data": {"changed": true}})));
    let form = "act=password&current=old+secret&password=new+secret";
    let done = visit(&api, "/console/account", Some(form)).await;
    assert_eq!((done.status, done.header("location")), (303, "/console/account?done=password"));
    assert_eq!(api.sent("POST /v1/auth/password"), [r#"{"current":"old secret","password":"new secret"}"#]);
    let wrong = json!({"error": {"type": "invalid_credentials", "message": "no"}});
    let refused = Arc::new(self::api(false).answering("POST /v1/auth/password", 401, wrong));
    let page = visit(&refused, "/console/account", Some(form)).await;
    page.holds("The password is wrong.").lacks("old secret").lacks("new secret");
}

#[tokio::test]
async fn a_second_factor_is_read_confirmed_and_its_codes_are_shown_once() {
    let secret = json!({"data": {"secret": "JBSWY3DP", "url": "otpauth://totp/T:ada?secret=JBSWY3DP"}});
    let codes = json!({"data": {"enabled": true, "recovery_codes": ["aaaa-bbbb", "cccc-dddd"]}});
    let wrong = json!({"error": {"type": "second_factor_invalid", "message": "this code is wrong"}});
    let begun = Arc::new(api(false).answering("POST /v1/auth/totp", 200, secret).answering(
        "POST /v1/auth/totp/confirm",
        401,
        wrong,
    ));
    let page = visit(&begun, "/console/account", Some("act=factor-begin&password=p")).await;
    page.holds("<svg class=\"qr\"").holds("JBSWY3DP").lacks("/v1/auth/totp</figcaption>");
    assert_eq!(begun.sent("POST /v1/auth/totp"), [r#"{"password":"p"}"#]);
    let again =
        "act=factor-confirm&code=1&secret=JBSWY3DP&url=otpauth%3A%2F%2Ftotp%2FT%3Aada%3Fsecret%3DJBSWY3DP";
    let page = visit(&begun, "/console/account", Some(again)).await;
    page.holds("This code is wrong.").holds("<svg class=\"qr\"").holds("value=\"JBSWY3DP\"");
    let right = Arc::new(api(false).answering("POST /v1/auth/totp/confirm", 200, codes));
    let page = visit(&right, "/console/account", Some("act=factor-confirm&code=123456")).await;
    page.holds("aaaa-bbbb").holds("cccc-dddd").lacks("The same over the API");
}

#[tokio::test]
async fn sessions_end_one_by_one_and_all() {
    let api = api(false).answering("DELETE /v1/auth/sessions", 200, json!({"data": {"ended": 2}})).answering(
        "DELETE /v1/auth/sessions/ses_1",
        200,
        json!({"data": {"ended": 1}}),
    );
    let api = Arc::new(api);
    let one = visit(&api, "/console/account", Some("act=end&id=ses_1")).await;
    assert_eq!(one.header("location"), "/console/account?done=ended");
    let all = visit(&api, "/console/account", Some("act=end-all")).await;
    assert_eq!(all.header("location"), "/sign-in?done=signed-out");
}

#[tokio::test]
async fn an_identity_is_linked_by_a_link_and_no_redirect() {
    let url = json!({"data": {"url": "https://corp.example/authorize?x=1&y=2"}});
    let api = Arc::new(api(false).answering("POST /v1/auth/identities", 200, url));
    let page = visit(&api, "/console/account", Some("act=link&issuer=corp&password=p")).await;
    assert_eq!(page.status, 200);
    page.holds("href=\"https://corp.example/authorize?x=1&#38;y=2\"");
}

#[tokio::test]
async fn erasing_asks_for_the_address() {
    let api = Arc::new(api(false).answering("DELETE /v1/auth/me", 200, json!({"data": {"erased": true}})));
    let page = visit(&api, "/console/account", Some("act=erase&email=bob%40example.com&password=p")).await;
    assert_eq!(page.status, 400);
    assert!(api.sent("DELETE /v1/auth/me").is_empty());
    let gone =
        visit(&api, "/console/account", Some("act=erase&email=ada%40example.com&password=p&forfeit=yes"))
            .await;
    assert_eq!(gone.header("location"), "/sign-in?done=signed-out");
    assert_eq!(api.sent("DELETE /v1/auth/me"), [r#"{"password":"p","forfeit_balance":true}"#]);
}
