//! A team, and who belongs to it: the callers of what is an organization's.

use serde_json::{Value, json};
use testkit::{Actor, TestApp};

use super::prepare::{PASSWORD, text};

/// An organization of several, in which its owner's session works.
pub(super) struct Team {
    pub(super) founder: Actor,
    id: String,
}

impl Team {
    /// One that has something of everything, so that no list is empty.
    pub(super) async fn with_everything(app: &TestApp) -> Team {
        let team = Team::open(app, "founder@example.com").await;
        let founder = &team.founder;
        let waiting = json!({ "email": "waiting@example.com", "role": "viewer" });
        founder.post("/v1/organization/invitations", &waiting).await.expect(201);
        founder.post("/v1/organization/service-accounts", &json!({ "name": "nightly" })).await.expect(201);
        let old = json!({ "archived": true });
        founder.request("PUT", "/v1/organization/projects/old").json(&old).send().await.expect(200);
        founder.post("/v1/keys", &json!({ "name": "web" })).await.expect(201);
        team
    }

    async fn open(app: &TestApp, email: &str) -> Team {
        let (founder, _) = come_in(app, email, &[]).await;
        let made = founder.post("/v1/organizations", &json!({ "name": "Engines" })).await.expect(201);
        let id = text(&made.json(), "/data/id");
        let chosen = json!({ "organization": id });
        founder.request("PUT", "/v1/auth/organization").json(&chosen).send().await.expect(200);
        Team { founder, id }
    }

    /// Somebody new who may look, and their id.
    pub(super) async fn viewer(&self, app: &TestApp, email: &str) -> (Actor, String) {
        come_in(app, email, &["--account", &self.id, "--role", "viewer"]).await
    }

    /// Whom an operation wants as its caller, where that is somebody of a team.
    pub(super) async fn caller(&self, app: &TestApp, name: &str) -> Option<Actor> {
        Some(match name {
            "DELETE /v1/organization" => Team::open(app, "last@example.com").await.founder,
            "POST /v1/organization/leave" => self.viewer(app, "guest-who-leaves@example.com").await.0,
            "DELETE /v1/auth/me" => come_in(app, "gone@example.com", &[]).await.0,
            "PUT /v1/auth/organization" | "POST /auth" | "POST /v1/auth/keys/code" => self.founder.clone(),
            name if name.contains(" /v1/organization") => self.founder.clone(),
            _ => return None,
        })
    }

    /// The object of the team that a path names.
    pub(super) async fn object(
        &self,
        app: &TestApp,
        name: &str,
        path: &str,
    ) -> Option<(&'static str, String)> {
        let made = match path {
            "/v1/organization/members/{user}" => {
                let method = name.split(' ').next().unwrap_or_default().to_lowercase();
                return Some(("user", self.viewer(app, &format!("{method}@example.com")).await.1));
            }
            "/v1/server/users/{id}" => return Some(("id", self.viewer(app, "let-out@example.com").await.1)),
            "/v1/organization/invitations/{id}" => {
                let asked = json!({ "email": "nobody@example.com", "role": "viewer" });
                self.founder.post("/v1/organization/invitations", &asked).await
            }
            "/v1/organization/service-accounts/{id}" => {
                self.founder.post("/v1/organization/service-accounts", &json!({ "name": "x" })).await
            }
            _ => return None,
        };
        Some(("id", text(&made.expect(201).json(), "/data/id")))
    }

    /// The field of an example that names the team.
    pub(super) fn chosen(&self) -> (&'static str, Value) {
        ("organization", json!(self.id))
    }
}

/// Somebody new, whom the operator invites on these terms, and their id.
pub(super) async fn come_in(app: &TestApp, email: &str, terms: &[&str]) -> (Actor, String) {
    let words: Vec<&str> = ["users", "invite", email].iter().chain(terms).copied().collect();
    let accept = json!({ "token": app.cli(&words).await["token"], "password": PASSWORD });
    let came = app.anonymous().post("/v1/auth/accept", &accept).await.expect(201).json();
    (app.with_key(&text(&came, "/data/token")), text(&came, "/data/user/id"))
}
