//! The console's pages of what is ruled, over the real binary: somebody signs in by the form, acts by forms, and the effect is seen over
//! the API.

use serde_json::{Value, json};
use testkit::{Actor, Reply, Request, TestApp};
use url::form_urlencoded::Serializer;

use crate::byok::{MINE, OURS, Shop, key_of};

const PASSWORD: &str = "plum kettle orbit sandal";

/// A browser in which somebody is signed in.
pub(crate) struct Browser {
    actor: Actor,
    cookie: String,
}

fn encoded(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn form(actor: &Actor, path: &str, fields: &[(&str, &str)]) -> Request {
    actor
        .request("POST", path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(encoded(fields))
}

impl Browser {
    /// The owner claims the server by the form, and is signed in.
    pub(crate) async fn owner(app: &TestApp) -> Browser {
        let token = app.cli(&["users", "owner-token"]).await["token"].clone();
        let token = token.as_str().expect("a token").to_owned();
        let fields = [("token", token.as_str()), ("email", "ops@example.com"), ("password", PASSWORD)];
        form(&app.anonymous(), "/accept", &fields).send().await.expect(303);
        let fields = [("email", "ops@example.com"), ("password", PASSWORD), ("next", "/console/keys")];
        let reply = form(&app.anonymous(), "/sign-in", &fields).send().await.expect(303);
        assert_eq!(reply.header("location"), Some("/console/keys"));
        let cookie =
            reply.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a session");
        Browser { actor: app.anonymous(), cookie: cookie.to_owned() }
    }

    /// The page at a path.
    pub(crate) async fn see(&self, path: &str) -> String {
        let request = self.actor.request("GET", path).header("cookie", &self.cookie);
        let reply = request.header("sec-fetch-site", "cross-site").send().await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        reply.text()
    }

    /// Sends a form.
    pub(crate) async fn fill(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        form(&self.actor, path, fields).header("cookie", &self.cookie).send().await
    }

    /// Sends a form that has to lead to this address.
    async fn done(&self, path: &str, fields: &[(&str, &str)], to: &str) {
        let reply = self.fill(path, fields).await.expect(303);
        assert_eq!(reply.header("location"), Some(to), "{}", reply.text());
    }

    async fn api(&self, method: &str, path: &str, body: &Value) -> Reply {
        let request = self.actor.request(method, path).header("cookie", &self.cookie);
        request.header("sec-fetch-site", "same-origin").json(body).send().await
    }
}

/// What stands between two texts.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split(after).next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_capped_stopped_and_revoked() {
    let app = TestApp::builder().start().await;
    let owner = Browser::owner(&app).await;
    let fields = [
        ("name", "web <b>shop</b>"),
        ("limit", "25"),
        ("limit_reset", "monthly"),
        ("explore", "yes"),
        ("hedge", "yes"),
    ];
    let page = owner.fill("/console/keys/new", &fields).await.expect(201).text();
    let text = between(&page, "data-copy=\"the key\">", "<");
    let caller = app.with_key(text);
    let id = caller.chat("sandbox/echo").await.expect(200).generation_id();
    caller.generation(&id).await;
    let list = owner.see("/console/keys").await;
    assert!(list.contains("of $25.00") && !list.contains("<b>shop") && list.contains("today"), "{list}");
    let own = owner.api("GET", "/v1/keys", &Value::Null).await.json();
    let keys = own["data"].as_array().expect("keys").clone();
    let key = keys.iter().find(|key| key["name"] == "web <b>shop</b>").expect("the key");
    let (path, hash) = (
        format!("/console/keys/{}", key["id"].as_str().expect("an id")),
        key["hash"].as_str().expect("a hash"),
    );
    assert!(owner.see(&path).await.contains("sandbox/echo"));

    // Capped: what is left does not cover a call.
    let fields = [("act", "save"), ("name", "web"), ("limit", "0.000000001"), ("limit_reset", "monthly")];
    owner.done(&path, &fields, &format!("{path}?done=saved")).await;
    assert_eq!(caller.chat("sandbox/echo").await.status, 402);
    owner
        .done(&path, &[("act", "save"), ("name", "web"), ("limit", "")], &format!("{path}?done=saved"))
        .await;
    caller.chat("sandbox/echo").await.expect(200);

    // A runaway is stopped from the list, and brought back.
    owner.done("/console/keys", &[("act", "stop"), ("key", hash)], "/console/keys?done=stopped").await;
    assert_eq!(caller.chat("sandbox/echo").await.status, 401);
    owner.done("/console/keys", &[("act", "start"), ("key", hash)], "/console/keys?done=started").await;
    caller.chat("sandbox/echo").await.expect(200);

    // Another text, at once.
    let page = owner.fill(&path, &[("act", "rotate"), ("grace_s", "0")]).await.expect(201).text();
    let renewed = app.with_key(between(&page, "data-copy=\"the key\">", "<"));
    assert_eq!(caller.chat("sandbox/echo").await.status, 401);
    renewed.chat("sandbox/echo").await.expect(200);
    owner.fill(&path, &[("act", "revoke"), ("name", "other")]).await.expect(400);
    owner.done(&path, &[("act", "revoke"), ("name", "web")], "/console/keys?done=revoked").await;
    assert_eq!(renewed.chat("sandbox/echo").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_tried_replayed_and_saved() {
    let app = TestApp::builder().start().await;
    let owner = Browser::owner(&app).await;
    let id = app.owner().chat("sandbox/echo").await.expect(200).generation_id();
    app.owner().generation(&id).await;
    let policy = r#"{"models": ["sandbox/echo"]}"#;
    let fields = [("act", "try"), ("policy", policy), ("prompt", "Hello"), ("name", "careful")];
    let page = owner.fill("/console/policies/new", &fields).await.expect(200).text();
    assert!(page.contains("1. sandbox/echo") || page.contains("1. sandbox/sandbox/echo"), "{page}");
    let none = owner.api("GET", "/v1/policies", &Value::Null).await.json();
    assert_eq!(none["data"], json!([]), "a dry run writes nothing");
    let fields = [("act", "replay"), ("policy", policy), ("since", "24h")];
    let page = owner.fill("/console/policies/new", &fields).await.expect(200).text();
    assert!(page.contains("Concludes nothing") && page.contains("What happened"), "{page}");
    let fields = [("act", "save"), ("policy", policy), ("name", "careful")];
    owner.done("/console/policies/new", &fields, "/console/policies/careful?done=saved").await;
    app.owner().chat("policy/careful").await.expect(200);
    // Somebody else was quicker.
    owner
        .api("PUT", "/v1/policies/careful", &json!({"models": ["sandbox/echo"], "dial": 0.5}))
        .await
        .expect(200);
    let fields = [("act", "save"), ("policy", policy), ("version", "1")];
    let page = owner.fill("/console/policies/careful", &fields).await.expect(412).text();
    assert!(page.contains("role=\"alert\""));
    let wrong = [("act", "try"), ("policy", r#"{"models": []}"#)];
    owner.fill("/console/policies/careful", &wrong).await.expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_build_asks_for_a_plan_without_a_key() {
    let app = TestApp::builder().start().await;
    let owner = Browser::owner(&app).await;
    let asked =
        json!({"policy": {"models": ["sandbox/echo"]}, "messages": [{"role": "user", "content": "Hi"}]});
    let plan = owner.api("POST", "/v1/route", &asked).await.expect(200).json();
    assert_eq!((&plan["data"]["model"], &plan["data"]["policy"]), (&json!("sandbox/echo"), &json!("sent")));
    let (manager, _) = app.new_key(&["--management"]).await;
    manager.post("/v1/route", &asked).await.expect(200);
    let (viewer, _) = app.new_key(&["--management", "--role", "viewer"]).await;
    assert!(viewer.post("/v1/route", &asked).await.expect(403).text().contains("role_insufficient"));
    let wrong = json!({"policy": {"models": "x"}, "messages": [{"role": "user", "content": "Hi"}]});
    app.owner().post("/v1/route", &wrong).await.expect(400);
    // A page of another site can't ask with the cookie.
    let request = owner.actor.request("POST", "/v1/route").header("cookie", &owner.cookie);
    assert_eq!(request.header("sec-fetch-site", "cross-site").json(&asked).send().await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guardrails_and_presets_hold_as_they_were_typed() {
    let app = TestApp::builder().start().await;
    let owner = Browser::owner(&app).await;
    let fields = [
        ("act", "save"),
        ("version", "0"),
        ("email", "block"),
        ("pattern_0", "EMP-\\d{6}"),
        ("name_0", "employee"),
        ("of_0", "block"),
    ];
    owner.done("/console/guardrails", &fields, "/console/guardrails?done=saved").await;
    assert!(owner.see("/console/guardrails").await.contains("EMP-\\d{6}"));
    let say = |text: &str| json!({"model": "sandbox/echo", "messages": [{"role": "user", "content": text}]});
    for text in ["write to ada@example.com", "EMP-123456"] {
        let refused = app.owner().chat_request(&say(text)).send().await.expect(403);
        assert!(refused.text().contains("guardrail_blocked"), "{}", refused.text());
    }
    app.owner().chat_request(&say("hello")).send().await.expect(200);
    owner
        .done(
            "/console/guardrails",
            &[("act", "delete"), ("version", "1")],
            "/console/guardrails?done=deleted",
        )
        .await;
    app.owner().chat_request(&say("write to ada@example.com")).send().await.expect(200);

    let fields = [
        ("slug", "support"),
        ("name", "Support"),
        ("status", "active"),
        ("config", r#"{"model": "sandbox/echo"}"#),
    ];
    owner.done("/console/presets/new", &fields, "/console/presets/support?done=saved").await;
    app.owner().chat("@preset/support").await.expect(200);
    let fields = [
        ("act", "save"),
        ("version", "1"),
        ("status", "disabled"),
        ("config", r#"{"model": "sandbox/echo"}"#),
    ];
    owner.done("/console/presets/support", &fields, "/console/presets/support?done=saved").await;
    assert_ne!(app.owner().chat("@preset/support").await.status, 200);

    let fields = [("act", "save"), ("version", "0"), ("models", "mistralai/*")];
    owner.done("/console/approved-models", &fields, "/console/approved-models?done=saved").await;
    assert_eq!(app.owner().chat("sandbox/echo").await.status, 403);
    owner
        .done(
            "/console/approved-models",
            &[("act", "delete"), ("version", "1")],
            "/console/approved-models?done=deleted",
        )
        .await;
    app.owner().chat("sandbox/echo").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_key_is_brought_and_pays_for_a_call() {
    let shop = Shop::open().await;
    let owner = Browser::owner(&shop.app).await;
    let call = || async {
        let id = shop.app.owner().chat("lab/cent").await.expect(200).generation_id();
        shop.app.owner().generation(&id).await;
        shop.upstream.requests().iter().rev().find(|request| request.method() == "POST").map(key_of)
    };
    assert_eq!(call().await.as_deref(), Some(OURS));
    let fields = [("act", "add"), ("provider", "lab"), ("key", MINE), ("name", "team")];
    owner.done("/console/provider-keys", &fields, "/console/provider-keys?done=added").await;
    assert_eq!(call().await.as_deref(), Some(MINE));
    let page = testkit::eventually("the call beside its key", || async {
        let page = owner.see("/console/provider-keys").await;
        page.contains("$0.01").then_some(page)
    });
    assert!(!page.await.contains(MINE));
    let fields = [("act", "strategy"), ("kind", "provider"), ("of", "lab"), ("strategy", "ours")];
    owner.done("/console/provider-keys", &fields, "/console/provider-keys?done=strategy").await;
    assert_eq!(call().await.as_deref(), Some(OURS));
    let refused = [("act", "add"), ("provider", "lab"), ("key", "sk-bad-1111111111"), ("name", "bad")];
    let page = owner.fill("/console/provider-keys", &refused).await.expect(400).text();
    assert!(page.contains("role=\"alert\"") && !page.contains("sk-bad-1111111111"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_vouchers_members_and_projects_are_ruled_by_forms() {
    let app = TestApp::builder().start().await;
    let owner = Browser::owner(&app).await;
    let fields = [
        ("kind", "account"),
        ("amount_usd", "0.000000001"),
        ("period", "day"),
        ("thresholds", "50%, 100"),
        ("hard", "yes"),
    ];
    owner.done("/console/budgets", &fields, "/console/budgets?done=made").await;
    let refused = app.owner().chat("sandbox/echo").await.expect(402);
    assert!(refused.text().contains("budget_exceeded"));
    let budgets = owner.api("GET", "/v1/budgets", &Value::Null).await.json();
    assert_eq!(budgets["data"][0]["thresholds"], json!([50, 100]));
    let path = format!("/console/budgets/{}", budgets["data"][0]["id"].as_str().expect("an id"));
    owner.done(&path, &[("act", "delete")], "/console/budgets?done=deleted").await;
    app.owner().chat("sandbox/echo").await.expect(200);

    let made = app.cli(&["vouchers", "create", "--amount", "5"]).await;
    let code = made["codes"][0].as_str().expect("a code").to_owned();
    owner
        .done("/console/credits", &[("act", "redeem"), ("code", &code)], "/console/credits?done=redeemed")
        .await;
    let page = owner.see("/console/credits").await;
    assert!(page.contains("$5.00") && page.contains("Closing balance") && !page.contains(&code), "{page}");
    assert!(page.contains("Cards are not taken here"));

    owner
        .done("/console/projects", &[("slug", "web"), ("name", "Shop")], "/console/projects?done=made")
        .await;
    owner
        .done(
            "/console/members",
            &[("act", "program"), ("name", "ci"), ("role", "developer")],
            "/console/members?done=made",
        )
        .await;
    let invite = [("act", "invite"), ("email", "bob@example.com"), ("role", "viewer")];
    owner.done("/console/members", &invite, "/console/members?done=invited").await;
    let page = owner.see("/console/members").await;
    assert!(page.contains("bob@example.com") && page.contains("ci"), "{page}");
    let mail = crate::people::mailed(&app, "bob@example.com").await;
    form(&app.anonymous(), "/accept", &[("token", &mail), ("password", PASSWORD)]).send().await.expect(303);
    let page = owner.see("/console/members").await;
    assert!(page.contains("Nobody is asked in right now"), "{page}");
    for path in [
        "/console/account",
        "/console/settings",
        "/console/webhooks",
        "/console/privacy",
        "/console/invoices",
        "/console/presets",
        "/console/policies",
        "/console/access-lists/new",
        "/console/groups/new",
    ] {
        assert!(owner.see(path).await.contains("<h1>"), "{path}");
    }
    owner
        .done("/console/privacy", &[("act", "save"), ("keep_days", "30")], "/console/privacy?done=saved")
        .await;
    owner
        .done("/console/settings", &[("act", "make"), ("new", "Engines")], "/console/settings?done=made")
        .await;
    assert!(owner.see("/console/settings").await.contains("<h1>Engines</h1>"));
}
