//! Apps obtain a key for a person (PKCE): over the page on which the person allows it, and over the API.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::{Actor, Reply, TestApp};

use crate::people::{PASSWORD, newcomer};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

async fn exchange(app: &TestApp, code: &str, verifier: Option<&str>) -> Reply {
    let mut body = json!({"code": code});
    if let Some(verifier) = verifier {
        body["code_verifier"] = json!(verifier);
    }
    app.anonymous().post("/v1/auth/keys", &body).await
}

async fn answered(actor: &Actor, path: &str, form: &str) -> Reply {
    let request = actor.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
    request.body(form.to_owned()).send().await
}

fn code_of(reply: &Reply) -> String {
    let to = reply.header("location").expect("a way back").to_owned();
    let (_, code) = to.split_once("code=").expect("a code");
    code.to_owned()
}

#[tokio::test]
async fn a_person_allows_an_app_on_the_page_and_chooses_its_limit() {
    let app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, user) = newcomer(&app, "ada@example.com").await;
    let path = format!(
        "/auth?callback_url=http%3A%2F%2Flocalhost%3A3000%2Fcb%3Fx%3D1&code_challenge={}&code_challenge_method=S256",
        challenge()
    );
    let page = app.anonymous().get(&path).await.expect(200);
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(
        policy.contains("form-action 'self' http://localhost:3000")
            && policy.contains("frame-ancestors 'none'")
    );
    assert!(page.text().contains("localhost asks for a key") && page.text().contains("type=\"password\""));
    for bad in ["/auth", "/auth?callback_url=http://evil.example", "/auth?code_challenge=short"] {
        app.anonymous().get(bad).await.expect(400);
    }
    // Not signed in: address and password stand on the page itself.
    let fields = "email=ada%40example.com&password=";
    let wrong = answered(&app.anonymous(), &path, &format!("answer=yes&{fields}nope")).await;
    assert!(wrong.status == 401 && wrong.text().contains("wrong") && wrong.header("location").is_none());
    let right = PASSWORD.replace(' ', "+");
    let form = format!("answer=yes&{fields}{right}&label=My+app&limit=2.50&reset=daily&days=30");
    let reply = answered(&app.anonymous(), &path, &form).await.expect(303);
    assert!(
        reply.header("location").is_some_and(|to| to.starts_with("http://localhost:3000/cb?x=1&code=ac_"))
    );
    let code = code_of(&reply);
    let refused = exchange(&app, &code, Some("another-verifier-another-verifier-another-v")).await;
    assert_eq!((refused.status, refused.json()["error"]["type"].clone()), (403, json!("app_code_invalid")));
    exchange(&app, &code, Some(VERIFIER)).await.expect(403);

    let reply = answered(&app.anonymous(), &path, &form).await.expect(303);
    let code = code_of(&reply);
    let got = exchange(&app, &code, Some(VERIFIER)).await.expect(200).json();
    exchange(&app, &code, Some(VERIFIER)).await.expect(403);
    assert_eq!(got["user_id"], user["id"]);
    let key = app.with_key(got["key"].as_str().expect("a key"));
    key.chat("sandbox/echo").await.expect(200);
    let own = ada.get("/v1/keys").await.expect(200).json()["data"][0].clone();
    assert_eq!(
        (&own["name"], &own["limit_usd"], &own["limit_reset"], &own["holder"]),
        (&json!("My app"), &json!("2.5"), &json!("daily"), &user["id"])
    );
    assert!(own["expires_at"].is_string());
    let log = ada.get("/v1/organization/audit").await.expect(200).json();
    assert!(log["data"].to_string().contains("POST /v1/auth/keys"), "{log}");

    let no = answered(&app.anonymous(), &path, "answer=no").await.expect(303);
    assert_eq!(no.header("location"), Some("http://localhost:3000/cb?x=1&error=access_denied"));
    // Without a way back the code is shown.
    let shown = format!("/auth?code_challenge={}", challenge());
    let reply = answered(&app.anonymous(), &shown, &form).await.expect(200);
    assert!(reply.text().contains("<code>ac_"), "{}", reply.text());
}

#[tokio::test]
async fn who_is_signed_in_makes_a_code_over_the_api() {
    let app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, user) = newcomer(&app, "ada@example.com").await;
    let asked = |more: Value| {
        let mut body = json!({"callback_url": "https://app.example/cb", "code_challenge": challenge()});
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    };
    for bad in [
        json!({"callback_url": "http://app.example/cb"}),
        json!({"code_challenge": "short"}),
        json!({"code_challenge_method": "S512"}),
        json!({"limit": "-1"}),
        json!({"usage_limit_type": "hourly"}),
        json!({"expires_at": "2001-01-01T00:00:00Z"}),
        json!({"callback_url": null, "code_challenge": null}),
    ] {
        ada.post("/v1/auth/keys/code", &asked(bad)).await.expect(400);
    }
    let (robot, _) = app.new_key(&["--management"]).await;
    robot.post("/v1/auth/keys/code", &asked(json!({}))).await.expect(400);
    let more = json!({"limit": 3, "usage_limit_type": "weekly", "key_label": "cli"});
    let made = ada.post("/v1/auth/keys/code", &asked(more)).await.expect(200).json();
    assert_eq!(made["data"]["app_id"], "app.example");
    let code = made["data"]["id"].as_str().expect("a code");
    let got = exchange(&app, code, Some(VERIFIER)).await.expect(200).json();
    assert_eq!(got["user_id"], user["id"]);
    // Ten at once bring the same code: one gets a key.
    let made = ada.post("/v1/auth/keys/code", &asked(json!({}))).await.expect(200).json();
    let code = made["data"]["id"].as_str().expect("a code").to_owned();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (anybody, body) = (app.anonymous(), json!({"code": code, "code_verifier": VERIFIER}));
        tries.spawn(async move { anybody.post("/v1/auth/keys", &body).await.status });
    }
    let all = tries.join_all().await;
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 1, "{all:?}");
}
