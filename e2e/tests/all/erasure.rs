//! Erasing people: everything of theirs is given out before, nothing that says who they were is found after, and the books add up.

use std::path::Path;

use serde_json::{Value, json};
use testkit::TestApp;

use crate::people::{PASSWORD, newcomer, sign_in};

/// The caller's own trace.
const TRACE: &str = "ca11ab1eca11ab1eca11ab1eca11ab1e";

/// Files of a folder in which a text stands.
pub(crate) fn found(dir: &Path, text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(found(&path, text));
        } else if std::fs::read(&path).is_ok_and(|bytes| holds(&bytes, text.as_bytes())) {
            all.push(path.display().to_string());
        }
    }
    all
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn nothing_of_who_is_erased_is_found_and_the_books_add_up() {
    let mut app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, user) = newcomer(&app, "canary-mail@example.com").await;
    let key =
        ada.post("/v1/keys", &json!({"name": "canary-key", "project": "canary-project"})).await.expect(201);
    let key_text = key.json()["key"].as_str().expect("a key").to_owned();
    let key = app.with_key(&key_text);
    let chat = json!({"model": "sandbox/echo", "user": "canary-user", "messages": [{"role": "user", "content": "hi"}]});
    let call = key.request("POST", "/v1/chat/completions").json(&chat);
    let call = call.header("x-session-id", "canary-session").header("x-title", "canary-app");
    let call = call.header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"));
    call.header("x-tollway-meta-team", "canary-team").send().await.expect(200);
    let kept = json!({"model": "sandbox/echo", "input": "canary-prompt"});
    key.post("/v1/responses", &kept).await.expect(200);
    ada.request("PUT", "/v1/presets/canary-preset")
        .json(&json!({"system_prompt": "canary-system"}))
        .send()
        .await;
    ada.request("PUT", "/v1/account/billing")
        .json(&json!({"name": "canary-name", "country": "DE", "address": "canary-street"}))
        .send()
        .await;
    ada.post(
        "/v1/budgets",
        &json!({"name": "canary-budget", "subject": "user:canary-user", "amount_usd": "9"}),
    )
    .await;
    app.settled().await;

    let export = ada.get("/v1/auth/me/export").await.expect(200);
    for part in ["canary-mail", "canary-key", "canary-project", "canary-prompt", "canary-budget"] {
        assert!(export.text().contains(part), "{part}: {}", export.text());
    }
    assert!(!export.text().contains("argon2") && !export.text().contains(&key_text), "no secret goes out");

    ada.request("DELETE", "/v1/auth/me")
        .json(&json!({"password": "wrong wrong wrong"}))
        .send()
        .await
        .expect(401);
    ada.request("DELETE", "/v1/auth/me").json(&json!({"password": PASSWORD})).send().await.expect(200);
    ada.get("/v1/auth/me").await.expect(401);
    key.chat("sandbox/echo").await.expect(401);
    sign_in(&app, "canary-mail@example.com", PASSWORD).await.expect(401);
    let account = user["account"].as_str().expect("an account").to_owned();
    testkit::eventually("the records are emptied", || async {
        let listed = app.cli(&["orgs", "export", &account]).await;
        (!listed.to_string().contains("canary")).then_some(())
    })
    .await;
    let books = app.cli(&["ledger", "verify"]).await;
    assert_eq!(books["problems"], json!([]), "{books}");
    let log = app.cli(&["audit", "verify"]).await;
    assert_eq!(log["problems"], json!([]), "{log}");
    // Who comes again with the address is somebody new.
    let (_, again) = newcomer(&app, "canary-mail@example.com").await;
    assert_ne!(again["id"], user["id"]);
    app.cli(&["users", "erase", "canary-mail@example.com"]).await;

    // At rest: the journal's files go when they are booked and the server starts again.
    app.sigterm();
    app.exited().await;
    app.restart().await;
    app.settled().await;
    app.sigterm();
    app.exited().await;
    assert_eq!(found(&app.data_dir(), "canary"), Vec::<String>::new());
    assert_eq!(found(&app.data_dir(), TRACE), Vec::<String>::new());
}

#[tokio::test]
async fn who_is_needed_stays() {
    let app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let made = ada.post("/v1/organizations", &json!({"name": "Engines"})).await.expect(201).json();
    let refused = ada.request("DELETE", "/v1/auth/me").json(&json!({"password": PASSWORD})).send().await;
    assert!(refused.status == 400 && refused.text().contains("Engines"), "{}", refused.text());
    let team = made["data"]["id"].as_str().expect("an id");
    app.cli(&["orgs", "end", team]).await;
    let own =
        ada.get("/v1/auth/me").await.json()["data"]["user"]["account"].as_str().expect("an id").to_owned();
    app.cli(&["credits", "grant", "3", "--account", &own]).await;
    let refused = ada.request("DELETE", "/v1/auth/me").json(&json!({"password": PASSWORD})).send().await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    let gone = json!({"password": PASSWORD, "forfeit_balance": true});
    ada.request("DELETE", "/v1/auth/me").json(&gone).send().await.expect(200);
    let token = app.cli(&["users", "owner-token"]).await["token"].clone();
    let claim = json!({"token": token, "email": "ops@example.com", "password": PASSWORD});
    let owner = app.anonymous().post("/v1/auth/accept", &claim).await.expect(201).json();
    let owner = app.with_key(owner["data"]["token"].as_str().expect("a token"));
    owner.request("DELETE", "/v1/auth/me").json(&json!({"password": PASSWORD})).send().await.expect(400);
    let left: Vec<Value> = app.cli(&["users", "list"]).await["users"].as_array().expect("a list").clone();
    assert_eq!(left.len(), 1, "{left:?}");
}
