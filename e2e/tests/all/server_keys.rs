//! Provider keys of the whole server: entered by its operator while it runs, in force at once, sealed, and gone when taken away.

use serde_json::{Value, json};
use testkit::{Actor, FakeUpstream, Recorded, Reply, Script, TestApp, Tokens};

use crate::people::{PASSWORD, newcomer};

const KEY: &str = "gsk-entered-0123456789";
const MODEL: &str = "openai/gpt-oss-120b@groq";

fn key_of(request: &Recorded) -> String {
    request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned()
}

/// Knows one key, and refuses every other.
fn answer(request: &Recorded) -> Script {
    match (key_of(request) == KEY, request.method()) {
        (false, _) => Script::error(401, "no such key", None),
        (true, "GET") => Script::json(200, &json!({"object": "list", "data": []})),
        (true, _) => Script::chat("from groq", Tokens::new(20, 10)),
    }
}

async fn put(actor: &Actor, path: &str, body: &Value) -> Reply {
    actor.request("PUT", path).json(body).send().await
}

/// The session of the one who claimed the server.
async fn claimed(app: &TestApp) -> String {
    let token = app.cli(&["users", "owner-token"]).await["token"].as_str().expect("a token").to_owned();
    let claim = json!({"token": token, "email": "owner@example.com", "password": PASSWORD});
    let reply = app.anonymous().post("/v1/auth/accept", &claim).await.expect(201).json();
    reply["data"]["token"].as_str().expect("a session").to_owned()
}

#[tokio::test]
async fn a_key_that_the_operator_enters_serves_at_once_and_survives_a_restart() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(answer);
    let mut app = TestApp::builder()
        .set("people.sign_up", "\"open\"")
        .set("providers.groq.base_url", &format!("\"{}\"", upstream.base_url()))
        .start()
        .await;
    let session = claimed(&app).await;
    let operator = app.with_key(&session);
    let path = "/v1/server/provider-keys/groq";
    assert_ne!(app.owner().chat(MODEL).await.status, 200, "it is off without a key");

    let refused = put(&operator, path, &json!({"key": "gsk-wrong"})).await.expect(400).json();
    assert_eq!(refused["error"]["type"], "provider_key_refused", "{refused}");
    assert_ne!(app.owner().chat(MODEL).await.status, 200);

    let kept = put(&operator, path, &json!({"key": KEY})).await.expect(200).json()["data"].take();
    assert_eq!((&kept["is_on"], &kept["tested"]), (&json!(true), &json!(true)), "{kept}");
    let said = app.owner().chat(MODEL).await.expect(200).text();
    assert!(said.contains("from groq"), "{said}");
    assert_eq!(upstream.requests().last().map(key_of).as_deref(), Some(KEY));

    // It is told to nobody, and lies nowhere in the open.
    let listed = operator.get("/v1/server/provider-keys").await.expect(200).text();
    assert!(listed.contains("\"groq\"") && !listed.contains(KEY), "{listed}");
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    ada.get("/v1/server/provider-keys").await.expect(403);
    put(&ada, path, &json!({"key": KEY})).await.expect(403);
    app.owner().get("/v1/server/provider-keys").await.expect(403);
    assert!(!app.log().contains(KEY) && !app.stdout().contains(KEY));
    let acts = operator.get("/v1/audit").await.expect(200).text();
    assert!(acts.contains("PUT /v1/server/provider-keys/{provider}") && !acts.contains(KEY), "{acts}");
    for entry in std::fs::read_dir(app.data_dir()).expect("the data folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "{:?}", entry.path());
    }

    app.restart().await;
    app.owner().chat(MODEL).await.expect(200);
    // With another master key it goes on.
    app.cli(&["byok", "rotate", "--new-key"]).await;
    app.restart().await;
    app.owner().chat(MODEL).await.expect(200);

    // A start listens elsewhere; sessions live on.
    let operator = app.with_key(&session);
    operator.request("DELETE", path).send().await.expect(200);
    assert_ne!(app.owner().chat(MODEL).await.status, 200, "it is off again");
    operator.request("DELETE", path).send().await.expect(404);
}

#[tokio::test]
async fn what_is_no_plain_key_of_a_known_provider_is_refused() {
    let app = TestApp::builder().start().await;
    let operator = app.with_key(&claimed(&app).await);
    let rows = [
        ("nobody", json!({"key": "x"})),
        ("amazon-bedrock", json!({"key": "x"})),
        ("sandbox", json!({"key": "x"})),
        ("groq", json!({"key": ""})),
        ("groq", json!({"key": "two words"})),
        ("groq", json!({"key": "{\"json\": 1}"})),
        ("groq", json!({})),
    ];
    for (provider, body) in rows {
        let reply = put(&operator, &format!("/v1/server/provider-keys/{provider}"), &body).await;
        assert_eq!(reply.status, 400, "{provider} {body}: {}", reply.text());
    }
    assert_eq!(operator.get("/v1/server/provider-keys").await.json()["data"], json!([]));
}
