//! Every route by every kind of caller and every role, from the one table: who may not come is refused before anything else, who
//! may is not, and nobody gets a 500.

use gateway::auth::Access;
use gateway::router::{ROUTES, Route};
use serde_json::json;
use testkit::{Actor, TestApp};
use types::Role;

/// Somebody who calls.
struct Caller {
    name: &'static str,
    actor: Actor,
    /// To what they may come.
    may: Box<dyn Fn(Access) -> bool>,
}

impl Caller {
    fn new(name: &'static str, actor: Actor, may: impl Fn(Access) -> bool + 'static) -> Caller {
        Caller { name, actor, may: Box::new(may) }
    }
}

/// A member of the operator's organization for each role but the owner's, who works in it.
async fn members(app: &TestApp, owner: &Actor, password: &str) -> Vec<(Role, Actor)> {
    let mut members = Vec::new();
    for role in [Role::Admin, Role::Developer, Role::Billing, Role::Viewer] {
        let email = format!("{role}@example.com");
        let invited =
            app.cli(&["users", "invite", &email, "--account", "acct_owner", "--role", role.name()]).await;
        let accept = json!({"token": invited["token"], "password": password});
        let reply = app.anonymous().post("/v1/auth/accept", &accept).await.expect(201).json();
        members.push((role, app.with_key(reply["data"]["token"].as_str().expect("a token"))));
    }
    let listed = owner.get("/v1/organization/members").await.expect(200).json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(5), "{listed}");
    members
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
    let with_key =
        |access| matches!(access, Access::Public | Access::AnyKey | Access::ApiKey | Access::Decide(_));
    let manages = |role: Role, access| match access {
        Access::Public | Access::AnyKey => true,
        Access::Manage(right) | Access::Decide(right) => role.may(right),
        _ => false,
    };
    let with_manager = move |access| manages(Role::Admin, access) || access == Access::Operator;
    let with_session = |access| access != Access::ApiKey;
    let (billing, _) = app.new_key(&["--management", "--role", "billing"]).await;
    let members = members(&app, &session(&app, password).await, password).await;
    // Who runs nothing here has their own account, and sees nothing of the server.
    let tenant_manager = move |access| manages(Role::Admin, access);
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
        let mut callers = vec![
            Caller::new("nobody", app.anonymous(), public),
            Caller::new("a wrong key", app.with_key("sk-tw-v1-wrong"), public),
            Caller::new("a wrong session", app.with_key("st_wrong"), public),
            Caller::new("an API key", app.owner(), with_key),
            Caller::new("a management key", manager.clone(), with_manager),
            Caller::new("billing's management key", billing.clone(), move |a| manages(Role::Billing, a)),
            Caller::new("a tenant's management key", other_manager.clone(), tenant_manager),
            Caller::new("a session", visitor.clone(), with_session),
        ];
        // What is one's own was tried; some of it ends the session.
        for (role, actor) in members.iter().filter(|_| route.access != Access::Session) {
            let role = *role;
            callers.push(Caller::new(role.name(), actor.clone(), move |access| manages(role, access)));
        }
        for caller in callers {
            let request = caller.actor.request(route.method, &path);
            let request = if route.method == "GET" { request } else { request.json(&json!({})) };
            let reply = request.send().await;
            let what =
                format!("{} {path} by {}: {} {}", route.method, caller.name, reply.status, reply.text());
            assert!(reply.status < 500, "{what}");
            // Each dialect words a refusal in its own way.
            let says = |text| reply.text().contains(text);
            let refused = match reply.status {
                401 => !says("invalid_credentials"),
                403 => ["wrong_key_kind", "can't call models", "needs a management key", "role_insufficient"]
                    .into_iter()
                    .any(says),
                _ => false,
            };
            assert_eq!(refused, !(caller.may)(route.access), "{what}");
            tried += 1;
        }
        if route.access == Access::Session {
            visitor = session(&app, password).await;
        } else {
            tenant_is_no_operator(&other, route, &path).await;
        }
    }
    assert!(tried > 10 * 100, "{tried}");
}

async fn tenant_is_no_operator(tenant: &Actor, route: &Route, path: &str) {
    let reply = tenant.request(route.method, path).json(&json!({})).send().await;
    let refused = matches!(reply.status, 401 | 403) && reply.text().contains("this is the operator's");
    assert_eq!(refused, route.access == Access::Operator, "{path}: {}", reply.text());
}
