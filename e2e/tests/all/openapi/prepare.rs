//! What must be there before an operation can be called: a table of preparations.

use std::collections::BTreeMap;

use e2e::webhooks::{FakeStripe, order, session, tell};
use serde_json::{Value, json};
use testkit::{Actor, FakeIssuer, FakeUpstream, TestApp};

use super::team::{Team, come_in};
use super::{factors, identities};
use crate::people::mailed;

/// Everybody's.
pub(super) const PASSWORD: &str = "plum kettle orbit sandal";
/// Where nobody listens, on this machine.
const NOWHERE: &str = "http://127.0.0.1:9/hooks";
/// Made from the verifier of the example (RFC 7636, appendix B).
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server with everything switched on, and who calls it.
pub(super) struct Shop {
    pub(super) app: TestApp,
    pub(super) manager: Actor,
    pub(super) team: Team,
    pub(super) issuer: FakeIssuer,
    _others: (FakeStripe, FakeUpstream),
}

/// What an operation is called with.
#[derive(Default)]
pub(super) struct Prepared {
    /// Of the path and the query.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) body: Option<Value>,
    /// Who calls it, where it takes somebody of a team.
    pub(super) caller: Option<Actor>,
}

impl Shop {
    pub(super) async fn open(app: TestApp, issuer: FakeIssuer, others: (FakeStripe, FakeUpstream)) -> Shop {
        app.cli(&["credits", "grant", "100"]).await;
        let token = app.cli(&["users", "owner-token"]).await["token"].clone();
        let claim = json!({ "token": token, "email": "ops@example.com", "password": PASSWORD });
        app.anonymous().post("/v1/auth/accept", &claim).await.expect(201);
        let (manager, _) = app.new_key(&["--management"]).await;
        testkit::eventually("the credit to be spendable", || async {
            let credits = manager.get("/v1/credits").await.json();
            (credits["data"]["balance_usd"] == "100").then_some(())
        })
        .await;
        let team = Team::with_everything(&app).await;
        Shop { app, manager, team, issuer, _others: others }
    }

    /// Something that people are told.
    async fn announcement(&self) -> String {
        let asked = json!({ "text": "We move tonight." });
        text(&self.manager.post("/v1/server/announcements", &asked).await.expect(201).json(), "/data/id")
    }

    /// A rating by somebody new.
    async fn rating(&self, number: usize) -> String {
        let (person, _) = come_in(&self.app, &format!("rater{number}@example.com"), &[]).await;
        rate(&person).await
    }

    /// Who runs the server, in a new session.
    pub(super) async fn visitor(&self, password: &str) -> Actor {
        let asked = json!({ "email": "ops@example.com", "password": password });
        let reply = self.app.anonymous().post("/v1/auth/sign-in", &asked).await.expect(200).json();
        self.app.with_key(reply["data"]["token"].as_str().expect("a token"))
    }

    /// Makes what the operation needs; `example` is its body, of which only what must be new is replaced.
    pub(super) async fn prepare(&self, name: &str, example: Option<&Value>) -> Prepared {
        let mut prepared = Prepared { body: example.cloned(), ..Prepared::default() };
        let path = name.split(' ').nth(1).unwrap_or_default();
        if path == "/v1/auth/identities/{id}" {
            let (person, id) = identities::linked(self).await;
            prepared.parameters.insert("id".to_owned(), id);
            prepared.caller = Some(person);
            return prepared;
        }
        if let Some((parameter, value)) = self.object(name, path).await {
            prepared.parameters.insert(parameter.to_owned(), value);
        }
        let (caller, fields) = match factors::person(&self.app, name).await {
            Some((person, fields)) => (Some(person), fields),
            None => (self.team.caller(&self.app, name).await, self.fields(name).await),
        };
        for (field, value) in fields {
            if let Some(body) = &mut prepared.body {
                body[field] = value;
            }
        }
        prepared.caller = caller;
        prepared
    }

    /// The object that a path or a query names.
    async fn object(&self, name: &str, path: &str) -> Option<(&'static str, String)> {
        let manager = &self.manager;
        Some(match path {
            "/v1/responses/{id}" | "/v1/responses/{id}/input_items" => {
                let asked = json!({ "model": "sandbox/echo", "input": "Hello" });
                let made = self.app.owner().post("/v1/responses", &asked).await.expect(200);
                ("id", text(&made.json(), "/id"))
            }
            "/v1/keys/{hash}" | "/v1/keys/{hash}/rotate" => {
                let made = manager.post("/v1/keys", &json!({ "name": "x" })).await.expect(201);
                ("hash", text(&made.json(), "/data/hash"))
            }
            "/v1/budgets/{id}" => {
                let asked = json!({ "subject": format!("project:{}", name.len()), "amount_usd": "9" });
                let made = manager.post("/v1/budgets", &asked).await.expect(201);
                ("id", text(&made.json(), "/data/id"))
            }
            "/v1/webhooks/{id}" => {
                let made = manager.post("/v1/webhooks", &json!({ "url": NOWHERE })).await.expect(201);
                ("id", text(&made.json(), "/data/id"))
            }
            "/v1/byok/{id}" => {
                let asked = json!({ "provider": "lab", "key": "sk-mine-aaaaaaaaaaaaaaaa" });
                let made = manager.post("/v1/byok", &asked).await.expect(201);
                ("id", text(&made.json(), "/data/id"))
            }
            "/v1/server/provider-keys/{provider}" => {
                let asked = json!({ "key": "sk-entered-aaaaaaaaaaaa" });
                let put = manager.request("PUT", "/v1/server/provider-keys/lab").json(&asked);
                put.send().await.expect(200);
                ("provider", String::from("lab"))
            }
            "/v1/credits/orders/{id}" => ("id", order(manager).await),
            "/v1/invoices/{id}" => ("id", self.invoice().await),
            "/v1/generation" | "/v1/generation/plan" => ("id", self.generation().await),
            "/v1/generation/content" => ("id", self.kept().await),
            "/v1/traces/{id}" => ("id", self.trace().await),
            // Further back than hours are told, and not so far that the example grows old.
            "/v1/manage/apikey/{id}/usage" | "/v1/manage/org/usage" => {
                let start = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 20);
                ("start", start.to_string().chars().take(10).collect())
            }
            "/auth" => ("code_challenge", CHALLENGE.to_owned()),
            "/v1/auth/sessions/{id}" => ("id", self.session().await),
            "/v1/server/announcements/{id}" => ("id", self.announcement().await),
            "/v1/ratings/{id}/report" | "/v1/moderation/{id}" => ("id", self.rating(path.len()).await),
            path if path.starts_with("/v1/policies/{name}") => {
                self.put("/v1/policies/careful", &json!({ "models": ["sandbox/echo"] })).await;
                ("name", String::from("careful"))
            }
            path if path.starts_with("/v1/presets/{slug}") => {
                self.put("/v1/presets/support", &json!({ "config": { "model": "sandbox/echo" } })).await;
                ("slug", String::from("support"))
            }
            path if path.starts_with("/v1/access-lists/{name}") => {
                self.put("/v1/access-lists/coding", &json!({ "models": ["sandbox/*"] })).await;
                ("name", String::from("coding"))
            }
            path if path.starts_with("/v1/groups/{name}") => {
                self.put("/v1/groups/engineers", &json!({ "members": [] })).await;
                ("name", String::from("engineers"))
            }
            path => return self.team.object(&self.app, name, path).await,
        })
    }

    /// Fields of the example that can't be written down once and for all.
    async fn fields(&self, name: &str) -> Vec<(&'static str, Value)> {
        let token = |text: String| vec![("token", json!(text))];
        match name {
            "POST /v1/feedback" | "POST /v1/generation/feedback" => {
                vec![("id", json!(self.generation().await))]
            }
            "POST /v1/webhooks" => vec![("url", json!(NOWHERE))],
            "POST /v1/byok" => vec![("provider", json!("lab"))],
            "POST /v1/credits/redeem" => {
                let made = self.app.cli(&["vouchers", "create", "--amount", "5"]).await;
                vec![("code", made["codes"][0].clone())]
            }
            "POST /v1/auth/verify" => {
                let asked = json!({ "email": "new@example.com", "password": PASSWORD });
                self.app.anonymous().post("/v1/auth/sign-up", &asked).await.expect(202);
                token(mailed(&self.app, "new@example.com").await)
            }
            "GET /v1/guardrails" | "DELETE /v1/guardrails" => {
                self.put("/v1/guardrails", &json!({ "kinds": { "email": "flag" } })).await;
                Vec::new()
            }
            "GET /v1/approved-models" | "DELETE /v1/approved-models" | "GET /v1/approved-models/versions" => {
                self.put("/v1/approved-models", &json!({ "models": ["sandbox/*"] })).await;
                Vec::new()
            }
            "POST /v1/auth/keys" => {
                let asked = json!({ "code_challenge": CHALLENGE });
                let made = self.team.founder.post("/v1/auth/keys/code", &asked).await.expect(200);
                vec![("code", made.json()["data"]["id"].clone())]
            }
            "PUT /v1/auth/organization" => vec![self.team.chosen()],
            "POST /v1/auth/accept" => {
                let made = self.app.cli(&["users", "invite", "guest@example.com"]).await;
                vec![("token", made["token"].clone())]
            }
            "DELETE /v1/models/{author}/{slug}/ratings" => {
                rate(&self.visitor(PASSWORD).await).await;
                Vec::new()
            }
            "POST /v1/auth/sign-in" => {
                come_in(&self.app, "ada@example.com", &[]).await;
                Vec::new()
            }
            "POST /v1/auth/reset/confirm" => {
                come_in(&self.app, "eve@example.com", &[]).await;
                let asked = json!({ "email": "eve@example.com" });
                self.app.anonymous().post("/v1/auth/reset", &asked).await.expect(202);
                token(mailed(&self.app, "eve@example.com").await)
            }
            _ => Vec::new(),
        }
    }

    /// Undoes what the next call could stumble over.
    pub(super) async fn tidy(&self, name: &str, caller: &Actor) {
        if name == "POST /v1/auth/password" {
            let back = json!({ "current": "violet gravel teapot north", "password": PASSWORD });
            caller.post("/v1/auth/password", &back).await.expect(200);
        }
        if matches!(name, "GET /v1/guardrails" | "PUT /v1/guardrails") {
            caller.request("DELETE", "/v1/guardrails").send().await.expect(200);
        }
        if name.contains(" /v1/approved-models") && !name.starts_with("DELETE") {
            self.manager.request("DELETE", "/v1/approved-models").send().await.expect(200);
        }
    }

    async fn put(&self, path: &str, body: &Value) {
        let reply = self.manager.request("PUT", path).json(body).send().await;
        assert!(matches!(reply.status, 200 | 201), "{path}: {}", reply.text());
    }

    /// A generation whose record can be read.
    async fn generation(&self) -> String {
        let id = self.app.owner().chat("sandbox/echo").await.expect(200).generation_id();
        self.app.owner().generation(&id).await;
        id
    }

    /// A generation whose prompt and answer are kept.
    async fn kept(&self) -> String {
        self.put("/v1/account/privacy", &json!({ "keep_days": 30 })).await;
        let asked =
            json!({ "name": "kept", "logging": true, "guardrails": { "kinds": { "email": "flag" } } });
        let made = self.manager.post("/v1/keys", &asked).await.expect(201).json();
        let key = self.app.with_key(&text(&made, "/key"));
        testkit::eventually("the key to be known", || async {
            (key.get("/v1/key").await.status == 200).then_some(())
        })
        .await;
        let id = key.chat("sandbox/echo").await.expect(200).generation_id();
        let path = format!("/v1/generation/content?id={id}");
        testkit::eventually("the texts to be kept", || async {
            (self.manager.get(&path).await.status == 200).then_some(())
        })
        .await;
        id
    }

    /// The name of a trace that has a call.
    async fn trace(&self) -> String {
        let name = "ticket-17";
        let mut asked = testkit::ask("sandbox/echo");
        asked["trace"] = json!({ "trace_id": name });
        let made = self.app.owner().post("/v1/chat/completions", &asked).await.expect(200);
        self.app.owner().generation(&made.generation_id()).await;
        name.to_owned()
    }

    /// The invoice of an order that was paid.
    async fn invoice(&self) -> String {
        let paid = order(&self.manager).await;
        let event = session(&paid, 2_625);
        assert_eq!(tell(&self.app, "evt_paid", "checkout.session.completed", event).await, "credited");
        text(&self.manager.get("/v1/invoices").await.expect(200).json(), "/data/0/id")
    }

    /// A session that can be ended.
    async fn session(&self) -> String {
        let me = self.visitor(PASSWORD).await.get("/v1/auth/me").await.expect(200);
        text(&me.json(), "/data/session/id")
    }
}

pub(super) fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map_or_else(|| panic!("no {pointer} in {value}"), str::to_owned)
}

/// Has somebody rate a model; the rating's id.
async fn rate(person: &Actor) -> String {
    let asked = json!({ "stars": 4, "name": "Somebody" });
    let path = "/v1/models/mistralai/mistral-small-2603/ratings";
    text(&person.request("PUT", path).json(&asked).send().await.json(), "/data/id")
}
