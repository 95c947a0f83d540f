//! Every route by every kind of caller, from the one table: who may not come is refused before anything else, who may is not, and
//! nobody gets a 500.

use gateway::auth::Access;
use gateway::router::ROUTES;
use serde_json::json;
use testkit::{Actor, TestApp};

/// Somebody who calls.
struct Caller {
    name: &'static str,
    actor: Actor,
    /// To what they may come.
    may: fn(Access) -> bool,
}

/// A session that was begun just now: some routes end it.
async fn session(app: &TestApp, password: &str) -> Actor {
    let asked = json!({"email": "ops@example.com", "password": password});
    let reply = app.anonymous().post("/v1/auth/sign-in", &asked).await.expect(200).json();
    app.with_key(reply["data"]["token"].as_str().expect("a token"))
}

#[tokio::test]
async fn every_route_asks_for_the_caller_that_its_table_says() {
    let app = TestApp::builder().start().await;
    let password = "plum kettle orbit sandal";
    let token = app.cli(&["users", "owner-token"]).await["token"].clone();
    let claim = json!({"token": token, "email": "ops@example.com", "password": password});
    app.anonymous().post("/v1/auth/accept", &claim).await.expect(201);
    let (manager, _) = app.new_key(&["--management"]).await;
    let public = |access| access == Access::Public;
    let with_key = |access| matches!(access, Access::Public | Access::AnyKey | Access::ApiKey);
    let with_manager =
        |access| matches!(access, Access::Public | Access::AnyKey | Access::ManagementKey | Access::Operator);
    let with_session = |access| access != Access::ApiKey;
    // Who runs nothing here has their own account, and sees nothing of the server.
    let tenant_manager = |access| matches!(access, Access::Public | Access::AnyKey | Access::ManagementKey);
    let invited = app.cli(&["users", "invite", "tenant@example.com"]).await["token"].clone();
    let accept = json!({"token": invited, "password": password});
    let other = app.anonymous().post("/v1/auth/accept", &accept).await.expect(201).json();
    let other = app.with_key(other["data"]["token"].as_str().expect("a token"));
    let made = other.post("/v1/keys", &json!({"name": "m", "management": true})).await.expect(201).json();
    let other_manager = app.with_key(made["key"].as_str().expect("a key"));
    let (mut tried, mut visitor) = (0, session(&app, password).await);
    for route in ROUTES {
        let path = route.path.replace("{author}", "mistralai").replace("{slug}", "mistral-small-2603");
        let path = path.replace("{model}", "none:generateContent");
        let path = path.split('/').map(|part| if part.starts_with('{') { "none" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        let callers = [
            Caller { name: "nobody", actor: app.anonymous(), may: public },
            Caller { name: "a wrong key", actor: app.with_key("sk-tw-v1-wrong"), may: public },
            Caller { name: "a wrong session", actor: app.with_key("st_wrong"), may: public },
            Caller { name: "an API key", actor: app.owner(), may: with_key },
            Caller { name: "a management key", actor: manager.clone(), may: with_manager },
            Caller { name: "a tenant's management key", actor: other_manager.clone(), may: tenant_manager },
            Caller { name: "a session", actor: visitor.clone(), may: with_session },
        ];
        for caller in callers {
            let request = caller.actor.request(route.method, &path);
            let request = if route.method == "GET" { request } else { request.json(&json!({})) };
            let reply = request.send().await;
            let what =
                format!("{} {path} by {}: {} {}", route.method, caller.name, reply.status, reply.text());
            assert!(reply.status < 500, "{what}");
            // Each dialect words a refusal in its own way.
            let says = |text: &str| reply.text().contains(text);
            let refused = match reply.status {
                401 => !says("invalid_credentials"),
                403 => says("wrong_key_kind") || says("can't call models") || says("needs a management key"),
                _ => false,
            };
            assert_eq!(refused, !(caller.may)(route.access), "{what}");
            tried += 1;
        }
        if route.access != Access::Session {
            let reply = other.request(route.method, &path).json(&json!({})).send().await;
            let refused =
                matches!(reply.status, 401 | 403) && reply.text().contains("this is the operator's");
            assert_eq!(refused, route.access == Access::Operator, "{path}: {}", reply.text());
        } else {
            visitor = session(&app, password).await;
        }
    }
    assert!(tried > 6 * 80, "{tried}");
}
