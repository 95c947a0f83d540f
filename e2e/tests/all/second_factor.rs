//! A second factor beside the password: set up with an authenticator, asked for at sign-in, each code once, recovery codes for who has
//! lost it, and no way around it by mail.

use serde_json::{Value, json};
use testkit::{Actor, Reply, TestApp};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use types::{Clock, SystemClock};

use crate::people::{PASSWORD, mailed, newcomer};

const MAIL: &str = "ada@example.com";

pub(crate) fn authenticator(secret: &str) -> Totp {
    let secret = Secret::try_from_base32(secret).expect("base32");
    Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret).build().expect("an authenticator")
}

fn now() -> u64 {
    u64::try_from(SystemClock.now().seconds()).expect("after 1970")
}

async fn sign_in(app: &TestApp, code: Option<&str>) -> Reply {
    let mut body = json!({"email": MAIL, "password": PASSWORD});
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    app.anonymous().post("/v1/auth/sign-in", &body).await
}

fn kind(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    (reply.status, body["error"]["type"].as_str().unwrap_or_default().to_owned())
}

/// Ada with a second factor in force since a step ago, so that the codes of now and the next step are good.
async fn set_up(app: &TestApp) -> (Actor, Totp, Vec<String>) {
    let (ada, _) = newcomer(app, MAIL).await;
    ada.post("/v1/auth/totp", &json!({"password": "wrong wrong wrong"})).await.expect(401);
    let begun = ada.post("/v1/auth/totp", &json!({"password": PASSWORD})).await.expect(200).json();
    assert!(
        begun["data"]["url"].as_str().is_some_and(|url| url.starts_with("otpauth://totp/Tollway:")),
        "{begun}"
    );
    let totp = authenticator(begun["data"]["secret"].as_str().expect("a secret"));
    assert_eq!(kind(&sign_in(app, None).await).0, 200, "it is not in force yet");
    ada.post("/v1/auth/totp/confirm", &json!({"code": "000000"})).await.expect(401);
    let before = totp.generate(now() - 30).to_string();
    let confirmed = ada.post("/v1/auth/totp/confirm", &json!({"code": before})).await.expect(200).json();
    let codes: Vec<String> =
        serde_json::from_value(confirmed["data"]["recovery_codes"].clone()).expect("codes");
    assert_eq!(codes.len(), 10);
    (ada, totp, codes)
}

#[tokio::test]
async fn a_code_is_asked_for_and_good_once() {
    let app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, totp, codes) = set_up(&app).await;
    ada.post("/v1/auth/totp", &json!({"password": PASSWORD})).await.expect(409);
    assert_eq!(kind(&sign_in(&app, None).await), (401, "second_factor_required".to_owned()));
    let wrong = json!({"email": MAIL, "password": "wrong wrong wrong", "code": codes[0]});
    let wrong = app.anonymous().post("/v1/auth/sign-in", &wrong).await;
    assert_eq!(kind(&wrong), (401, "invalid_credentials".to_owned()), "the password goes first");
    let code = totp.generate(now()).to_string();
    sign_in(&app, Some(&code)).await.expect(200);
    assert_eq!(kind(&sign_in(&app, Some(&code)).await), (401, "second_factor_wrong".to_owned()), "once");
    let next = totp.generate(now() + 30).to_string();
    sign_in(&app, Some(&next)).await.expect(200);
    // Who has lost it.
    sign_in(&app, Some(&codes[0].to_uppercase())).await.expect(200);
    assert_eq!(kind(&sign_in(&app, Some(&codes[0])).await).0, 401, "once, too");
    let state = ada.get("/v1/auth/totp").await.expect(200).json();
    assert_eq!(state["data"], json!({"enabled": true, "recovery_codes_left": 9}));
    let renewed = json!({"password": PASSWORD, "code": codes[1]});
    let renewed = ada.post("/v1/auth/totp/recovery-codes", &renewed).await.expect(200).json();
    assert_eq!(kind(&sign_in(&app, Some(&codes[2])).await).0, 401, "the earlier ones are gone");
    let fresh = renewed["data"]["recovery_codes"][0].as_str().expect("a code").to_owned();
    let end = |code: Value| ada.request("DELETE", "/v1/auth/totp").json(&code);
    end(json!({"password": PASSWORD})).send().await.expect(401);
    end(json!({"password": PASSWORD, "code": fresh})).send().await.expect(200);
    sign_in(&app, None).await.expect(200);
    for secret in [code.as_str(), &codes[0], PASSWORD] {
        assert!(!app.log().contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn the_mail_alone_is_no_way_in() {
    let app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, _, codes) = set_up(&app).await;
    app.anonymous().post("/v1/auth/reset", &json!({"email": MAIL})).await.expect(202);
    testkit::eventually("the mail", || async { app.log().contains("another password for").then_some(()) })
        .await;
    let token = mailed(&app, MAIL).await;
    let reset = json!({"token": token, "password": PASSWORD});
    let reply = app.anonymous().post("/v1/auth/reset/confirm", &reset).await.expect(200).json();
    assert_eq!(reply["data"], json!({"changed": true, "second_factor": true}));
    ada.get("/v1/auth/me").await.expect(401);
    assert_eq!(kind(&sign_in(&app, None).await), (401, "second_factor_required".to_owned()));
    sign_in(&app, Some(&codes[3])).await.expect(200);
}
