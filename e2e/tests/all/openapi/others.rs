//! Answers that an operation's example does not bring about: other forms, and errors that only some operations have.

use serde_json::{Value, json};
use testkit::{Actor, Reply};

use super::prepare::{PASSWORD, text};
use super::{Document, Shop, factors, open};
use crate::people::mailed;

/// The page of an app that can be come back to.
const PAGE: &str = "/auth?callback_url=https%3A%2F%2Fapp.example%2Fcb";

async fn answered(actor: &Actor, form: &'static str) -> Reply {
    let request = actor.request("POST", PAGE).header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await
}

/// An operation, what it answered, the status that was wanted, and the type of the error, where it is JSON.
type Row = (&'static str, Reply, u16, &'static str);

/// Of apps, which anybody can ask for.
async fn of_apps(shop: &Shop) -> Vec<Row> {
    let anybody = shop.app.anonymous();
    let code = json!({ "code": "ac_0000" });
    vec![
        ("GET /auth", anybody.get(PAGE).await, 200, ""),
        ("GET /auth", anybody.get("/auth").await, 400, ""),
        ("POST /auth", answered(&anybody, "answer=no").await, 303, ""),
        ("POST /auth", answered(&shop.team.founder, "answer=yes&limit=2.50").await, 303, ""),
        ("POST /auth", answered(&shop.team.founder, "answer=yes&limit=many").await, 400, ""),
        ("POST /auth", answered(&anybody, "answer=yes").await, 401, ""),
        ("POST /v1/auth/keys", anybody.post("/v1/auth/keys", &code).await, 403, "app_code_invalid"),
    ]
}

/// Of who has a second factor, and of who brings what was mailed to somebody else.
async fn of_people(shop: &Shop) -> Vec<Row> {
    let (app, anybody) = (&shop.app, shop.app.anonymous());
    let (person, code) = factors::person(app, "DELETE /v1/auth/totp").await.expect("a person");
    let email = text(&person.get("/v1/auth/me").await.expect(200).json(), "/data/user/email");
    let sign_in = |code: Value| json!({ "email": email, "password": PASSWORD, "code": code });
    let (bare, wrong) = (sign_in(Value::Null), sign_in(json!("000000")));
    let right = sign_in(code.first().expect("a code").1.clone());
    let path = "/v1/auth/sign-in";
    let mut rows = vec![
        ("POST /v1/auth/sign-in", anybody.post(path, &bare).await, 401, "second_factor_required"),
        ("POST /v1/auth/sign-in", anybody.post(path, &wrong).await, 401, "second_factor_wrong"),
        ("POST /v1/auth/sign-in", anybody.post(path, &right).await, 200, ""),
    ];
    let again = person.post("/v1/auth/totp", &json!({ "password": PASSWORD })).await;
    rows.push(("POST /v1/auth/totp", again, 409, "already_exists"));
    let asked = json!({ "email": "other@example.com", "role": "viewer" });
    shop.team.founder.post("/v1/organization/invitations", &asked).await.expect(201);
    let token = json!({ "token": mailed(app, "other@example.com").await });
    let taken = person.post("/v1/auth/accept", &token).await;
    rows.push(("POST /v1/auth/accept", taken, 403, "invitation_of_another"));
    anybody.post("/v1/auth/reset", &json!({ "email": email })).await.expect(202);
    let chosen = json!({ "token": mailed(app, &email).await, "password": PASSWORD });
    let changed = anybody.post("/v1/auth/reset/confirm", &chosen).await;
    assert_eq!(changed.json()["data"]["second_factor"], true, "{}", changed.text());
    rows.push(("POST /v1/auth/reset/confirm", changed, 200, ""));
    rows
}

/// Of guardrails that there are not, that are none, and that block.
async fn of_guardrails(shop: &Shop) -> Vec<Row> {
    let manager = &shop.manager;
    let write = |kinds: Value| manager.request("PUT", "/v1/guardrails").json(&json!({ "kinds": kinds }));
    let mut asked = testkit::ask("sandbox/echo");
    asked["messages"] = json!([{ "role": "user", "content": "I am jane@elsewhere.example.com" }]);
    let none = manager.request("DELETE", "/v1/guardrails").send().await;
    let odd = write(json!({ "colour": "mask" })).send().await;
    write(json!({ "email": "block" })).send().await.expect(201);
    let blocked = shop.app.owner().post("/v1/chat/completions", &asked).await;
    vec![
        ("DELETE /v1/guardrails", none, 404, "not_found"),
        ("PUT /v1/guardrails", odd, 400, "invalid_guardrails"),
        ("POST /v1/chat/completions", blocked, 403, "guardrail_blocked"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_answers_are_told_too() {
    let shop = open().await;
    let document = Document::of(&shop.app).await;
    let operations = document.operations();
    let rows = [of_apps(&shop).await, of_people(&shop).await, of_guardrails(&shop).await];
    for (name, reply, status, kind) in rows.into_iter().flatten() {
        let operation = operations.iter().find(|one| one.name() == name).expect("an operation");
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert_eq!(document.judge(operation, &reply), Vec::<String>::new(), "{name} {status}");
        if !kind.is_empty() {
            assert_eq!(reply.json()["error"]["type"], kind, "{name}");
            let told = operation.told["responses"][status.to_string()]["description"].as_str();
            assert!(told.is_some_and(|told| told.contains(&format!("`{kind}`"))), "{name}: {told:?}");
        }
    }
}
