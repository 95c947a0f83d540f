//! Which models a key may call: what its organization approves, access lists and groups, live over the API.

use serde_json::{Value, json};
use testkit::{Actor, Reply, TestApp};

use crate::people::newcomer;

/// Two models that answer without any provider.
const ECHO: &str = "sandbox/echo";
const JSON: &str = "sandbox/json";

fn text(reply: &Reply, pointer: &str) -> String {
    let body = reply.json();
    body.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {body}"))
        .to_owned()
}

async fn put(actor: &Actor, path: &str, body: &Value) -> Reply {
    actor.request("PUT", path).json(body).send().await
}

/// What of the two a key may call, by calling; and the same by what it is told.
async fn may(key: &Actor) -> Vec<&'static str> {
    let told = key.get("/v1/access").await.expect(200).json();
    let listed = key.get("/v1/models").await.expect(200).json();
    let count = key.get("/v1/models/count").await.expect(200).json();
    assert_eq!(count["data"]["count"], json!(listed["data"].as_array().map(Vec::len)));
    let gemini = key.get("/v1beta/models").await.expect(200).text();
    let anthropic =
        key.request("GET", "/v1/models").header("anthropic-version", "2023-06-01").send().await.text();
    let mut called = Vec::new();
    for model in [ECHO, JSON] {
        let reply = key.chat(model).await;
        let may = told["data"]["models"].as_array().is_some_and(|all| all.contains(&json!(model)));
        let shown = listed["data"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == model));
        assert_eq!((shown, reply.status == 200), (may, may), "{model}: {}", reply.text());
        assert_eq!((gemini.contains(model), anthropic.contains(model)), (may, may), "{model}");
        if may {
            called.push(model);
        } else {
            assert_eq!((reply.status, text(&reply, "/error/type")), (403, "key_rule".to_owned()));
        }
    }
    called
}

#[tokio::test]
async fn keys_call_what_their_lists_their_groups_and_their_organization_leave() {
    let app = TestApp::builder().set("people.sign_up", "\"open\"").start().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let me = text(&ada.get("/v1/auth/me").await, "/data/user/id");
    let made = ada.post("/v1/keys", &json!({"name": "ada's"})).await.expect(201);
    let (key, hash) = (app.with_key(&text(&made, "/key")), text(&made, "/data/hash"));
    assert_eq!(may(&key).await, [ECHO, JSON]);

    // A group's lists bound its members' keys, all together.
    let list = |name: &str, model: &str| json!({"name": name, "models": [model]});
    ada.post("/v1/access-lists", &list("echoes", ECHO)).await.expect(201);
    ada.post("/v1/access-lists", &list("echoes", JSON)).await.expect(409);
    ada.post("/v1/access-lists", &list("texts", JSON)).await.expect(201);
    ada.post("/v1/groups", &json!({"name": "one", "members": [me], "access_lists": ["echoes"]}))
        .await
        .expect(201);
    assert_eq!(may(&key).await, [ECHO]);
    put(&ada, "/v1/groups/two", &json!({"members": [me], "access_lists": ["texts"]})).await.expect(201);
    assert_eq!(may(&key).await, [ECHO, JSON]);
    let why = key.get("/v1/access").await.json();
    assert_eq!(
        (&why["data"]["decided_by"], &why["data"]["names"]),
        (&json!("groups"), &json!(["one", "two"]))
    );

    // The key's own list takes their place.
    let edit = |lists: Value| {
        ada.request("PATCH", &format!("/v1/keys/{hash}")).json(&json!({"access_lists": lists}))
    };
    edit(json!(["texts"])).send().await.expect(200);
    assert_eq!(may(&key).await, [JSON]);
    edit(json!(["nothing"])).send().await.expect(400);

    // What is not approved is left out, whoever lists it.
    put(&ada, "/v1/approved-models", &json!({"models": [ECHO]})).await.expect(201);
    assert_eq!(may(&key).await, Vec::<&str>::new());
    edit(json!([])).send().await.expect(200);
    assert_eq!(may(&key).await, [ECHO]);

    // A virtual model chooses among what is left; where nothing is, it says whose rule it was.
    let auto = key.chat("tollway/auto").await.expect(200).json();
    assert_eq!(auto["model"], ECHO, "{auto}");
    put(&ada, "/v1/approved-models", &json!({"models": ["openai/gpt-5"]})).await.expect(200);
    let none = key.chat("tollway/auto").await;
    assert_eq!((none.status, text(&none, "/error/type")), (403, "key_rule".to_owned()), "{}", none.text());
    // A bound on data is one too.
    put(&ada, "/v1/approved-models", &json!({"providers": ["mistral"]})).await.expect(200);
    let refused = key.chat(ECHO).await;
    assert_eq!(
        (refused.status, text(&refused, "/error/type")),
        (403, "key_rule".to_owned()),
        "{}",
        refused.text()
    );
    ada.request("DELETE", "/v1/approved-models").send().await.expect(200);
    assert_eq!(may(&key).await, [ECHO, JSON]);
    let versions = ada.get("/v1/approved-models/versions").await.expect(200).json();
    assert_eq!(versions["total_count"], 4, "{versions}");

    // A list in use stays, and says by whom it is used.
    let kept = ada.request("DELETE", "/v1/access-lists/texts").send().await;
    assert_eq!((kept.status, text(&kept, "/error/type")), (400, "invalid_access".to_owned()));
    assert!(kept.text().contains("group `two`"), "{}", kept.text());
    put(&ada, "/v1/groups/two", &json!({"members": [me], "access_lists": []})).await.expect(200);
    ada.request("DELETE", "/v1/access-lists/texts").send().await.expect(200);
}

#[tokio::test]
async fn who_does_not_govern_reads_the_rules_and_widens_nothing() {
    let app = TestApp::builder().start().await;
    let bob = app
        .cli(&["users", "invite", "bob@example.com", "--account", "acct_owner", "--role", "developer"])
        .await;
    let accept = json!({"token": bob["token"], "password": "plum kettle orbit sandal"});
    let accepted = app.anonymous().post("/v1/auth/accept", &accept).await.expect(201);
    let bob = app.with_key(&text(&accepted, "/data/token"));
    let bob_id = text(&accepted, "/data/user/id");
    let (manager, _) = app.new_key(&["--management"]).await;
    put(&manager, "/v1/access-lists/all", &json!({"models": ["*"]})).await.expect(201);
    put(&manager, "/v1/access-lists/echoes", &json!({"models": [ECHO]})).await.expect(201);
    put(&manager, "/v1/groups/few", &json!({"members": [bob_id], "access_lists": ["echoes"]}))
        .await
        .expect(201);

    bob.get("/v1/access-lists").await.expect(200);
    assert_eq!(text(&bob.get("/v1/groups/few").await, "/data/group/members/0"), bob_id);
    put(&bob, "/v1/access-lists/echoes", &json!({"models": ["*"]})).await.expect(403);
    bob.request("DELETE", "/v1/groups/few").send().await.expect(403);
    bob.post("/v1/keys", &json!({"name": "wide", "access_lists": ["all"]})).await.expect(403);
    let made = bob.post("/v1/keys", &json!({"name": "b", "allowed_models": ["*"]})).await.expect(201);
    let key = app.with_key(&text(&made, "/key"));
    assert_eq!(may(&key).await, [ECHO], "its own `allowed_models` only narrow");
    let hash = text(&made, "/data/hash");
    bob.request("PATCH", &format!("/v1/keys/{hash}"))
        .json(&json!({"access_lists": ["all"]}))
        .send()
        .await
        .expect(403);

    // One who is nobody here is in no group; what is wrong is told.
    let odd = put(&manager, "/v1/groups/few", &json!({"members": ["usr_none"]})).await;
    assert_eq!(
        (odd.status, text(&odd, "/error/metadata/path")),
        (400, "members[0]".to_owned()),
        "{}",
        odd.text()
    );
    let odd = put(&manager, "/v1/groups/few", &json!({"members": [], "access_lists": ["gone"]})).await;
    assert_eq!((odd.status, text(&odd, "/error/metadata/path")), (400, "access_lists[0]".to_owned()));
    let odd = put(&manager, "/v1/approved-models", &json!({"models": ["sandbox/echoo"]})).await;
    assert!(odd.status == 400 && odd.text().contains("did you mean `sandbox/echo`"), "{}", odd.text());

    // A cached answer of a model that one key may call is none for another.
    let wide = manager.post("/v1/keys", &json!({"name": "w", "allowed_models": [JSON]})).await.expect(201);
    let wide = app.with_key(&text(&wide, "/key"));
    put(&manager, "/v1/policies/both", &json!({"models": [JSON, ECHO]})).await.expect(201);
    let ask = |actor: &Actor| {
        let asked = testkit::ask("policy/both");
        actor.request("POST", "/v1/chat/completions").json(&asked).header("x-tollway-cache", "true")
    };
    let first = ask(&wide).send().await.expect(200).json();
    assert_eq!(first["model"], JSON, "{first}");
    let second = ask(&key).send().await.expect(200).json();
    assert_eq!(second["model"], ECHO, "{second}");
}
