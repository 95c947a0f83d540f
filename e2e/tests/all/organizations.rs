//! Organizations: who belongs to them, what each role may do, what ends with a member, and the log of it all.

use serde_json::{Value, json};
use testkit::{Actor, Reply, TestApp};

use crate::people::{PASSWORD, mailed, newcomer, sign_in};

fn text(reply: &Reply, pointer: &str) -> String {
    let body = reply.json();
    let found = body.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {body}")).to_owned()
}

/// Ada's team, in which her session works, and Bob, who joined it as a developer.
async fn team(app: &TestApp) -> (Actor, Actor, String) {
    let (ada, _) = newcomer(app, "ada@example.com").await;
    let team =
        text(&ada.post("/v1/organizations", &json!({"name": "Engines"})).await.expect(201), "/data/id");
    ada.request("PUT", "/v1/auth/organization").json(&json!({"organization": team})).send().await.expect(200);
    let (bob, _) = newcomer(app, "bob@example.com").await;
    invite(app, &ada, &bob, "bob@example.com", "developer").await;
    bob.request("PUT", "/v1/auth/organization").json(&json!({"organization": team})).send().await.expect(200);
    (ada, bob, team)
}

async fn invite(app: &TestApp, by: &Actor, whom: &Actor, email: &str, role: &str) {
    let asked = json!({"email": email, "role": role});
    let made = by.post("/v1/organization/invitations", &asked).await.expect(201);
    let id = text(&made, "/data/id");
    testkit::eventually("the invitation", || async {
        app.log().contains("You are invited to Engines").then_some(())
    })
    .await;
    let token = mailed(app, email).await;
    assert!(!made.text().contains(&token), "who invites reads no mail of others");
    whom.post("/v1/auth/accept", &json!({"token": token})).await.expect(200);
    whom.post("/v1/auth/accept", &json!({"token": token})).await.expect(400);
    by.request("DELETE", &format!("/v1/organization/invitations/{id}")).send().await.expect(404);
}

async fn open() -> TestApp {
    TestApp::builder().set("people.sign_up", "\"open\"").start().await
}

#[tokio::test]
async fn a_team_shares_keys_and_each_role_does_its_part() {
    let app = open().await;
    let (ada, bob, team) = team(&app).await;
    let mine = bob.get("/v1/organizations").await.expect(200).json();
    let roles: Vec<_> =
        mine["data"].as_array().expect("a list").iter().map(|one| one["role"].clone()).collect();
    assert_eq!(roles, [json!("owner"), json!("developer")], "{mine}");
    assert_eq!(text(&bob.get("/v1/auth/me").await, "/data/organization/id"), team);

    // A developer makes keys, holds them, and leaves those of others alone.
    let adas = ada.post("/v1/keys", &json!({"name": "ada's"})).await.expect(201);
    let bobs = bob.post("/v1/keys", &json!({"name": "bob's", "project": "web"})).await.expect(201);
    assert_eq!(bob.get("/v1/keys").await.json()["data"].as_array().map(Vec::len), Some(2), "they are shared");
    let (adas_hash, bobs_hash) = (text(&adas, "/data/hash"), text(&bobs, "/data/hash"));
    let refused =
        bob.request("PATCH", &format!("/v1/keys/{adas_hash}")).json(&json!({"name": "x"})).send().await;
    assert_eq!((refused.status, text(&refused, "/error/type")), (403, "role_insufficient".to_owned()));
    bob.request("PATCH", &format!("/v1/keys/{bobs_hash}"))
        .json(&json!({"name": "x"}))
        .send()
        .await
        .expect(200);
    bob.post("/v1/budgets", &json!({"subject": "account", "amount_usd": "1"})).await.expect(403);
    bob.get("/v1/organization/audit").await.expect(403);
    let management = json!({"name": "m", "management": true, "role": "admin"});
    bob.post("/v1/keys", &management).await.expect(403);
    let own = bob.post("/v1/keys", &json!({"name": "m", "management": true})).await.expect(201);
    assert_eq!(text(&own, "/data/role"), "developer", "nobody gives more than they have");
    let projects = ada.get("/v1/organization/projects").await.expect(200).json();
    assert_eq!(projects["data"][0]["slug"], "web", "{projects}");

    // In their own organization they see nothing of the team's.
    let own = bob
        .request("GET", "/v1/keys")
        .header("x-tollway-organization", &text(&bob.get("/v1/auth/me").await, "/data/user/account"));
    assert_eq!(own.send().await.expect(200).json()["data"], json!([]));
    let foreign = text(&ada.get("/v1/auth/me").await, "/data/user/account");
    for id in [foreign.as_str(), "acct_owner", "acct_none", ""] {
        let other = bob.request("GET", "/v1/keys").header("x-tollway-organization", id).send().await;
        assert_eq!(
            (other.status, text(&other, "/error/type")),
            (404, "organization_unknown".to_owned()),
            "{id}"
        );
    }

    // What bob holds ends with him; what a service account holds does not.
    let robot = ada.post("/v1/organization/service-accounts", &json!({"name": "nightly"})).await.expect(201);
    let robot = text(&robot, "/data/id");
    let kept = ada.post("/v1/keys", &json!({"name": "n", "holder": robot})).await.expect(201);
    ada.post("/v1/keys", &json!({"name": "n", "holder": "usr_none"})).await.expect(400);
    bob.post("/v1/keys", &json!({"name": "n", "holder": robot})).await.expect(403);
    let members = ada.get("/v1/organization/members").await.expect(200).json();
    let bob_id = members["data"][1]["id"].as_str().expect("an id").to_owned();
    let (bobs, kept) = (app.with_key(&text(&bobs, "/key")), app.with_key(&text(&kept, "/key")));
    bobs.chat("sandbox/echo").await.expect(200);
    let by_member = json!({"metrics": ["request_count"], "dimensions": ["member"]});
    let counted = testkit::eventually("his use to be told apart", || async {
        let told = ada.post("/v1/analytics/query", &by_member).await.expect(200).json();
        (!told.to_string().contains("\"data\":[]")).then_some(told)
    })
    .await;
    assert!(counted.to_string().contains(&bob_id), "{counted}");
    ada.request("DELETE", &format!("/v1/organization/members/{bob_id}")).send().await.expect(200);
    bobs.chat("sandbox/echo").await.expect(401);
    kept.chat("sandbox/echo").await.expect(200);
    bob.get("/v1/organization/members").await.expect(200);
    assert_ne!(text(&bob.get("/v1/auth/me").await, "/data/organization/id"), team, "back in his own");
    let path = format!("/v1/organization/service-accounts/{robot}");
    let changed = ada.patch(&path, &json!({"name": "nightly import"})).await.expect(200);
    assert_eq!(
        (text(&changed, "/data/name"), text(&changed, "/data/role")),
        ("nightly import".into(), "developer".into())
    );
    kept.chat("sandbox/echo").await.expect(200);
    ada.request("DELETE", &path).send().await.expect(200);
    kept.chat("sandbox/echo").await.expect(401);
}

/// Who may only look makes no calls either, until they may again.
#[tokio::test]
async fn keys_of_who_may_only_look_make_no_calls() {
    let app = open().await;
    let (ada, bob, _) = team(&app).await;
    let key = bob.post("/v1/keys", &json!({"name": "bob's"})).await.expect(201);
    let caller = app.with_key(&text(&key, "/key"));
    caller.chat("sandbox/echo").await.expect(200);
    let members = ada.get("/v1/organization/members").await.expect(200).json();
    let path = format!("/v1/organization/members/{}", members["data"][1]["id"].as_str().expect("an id"));
    for (role, status) in [("viewer", 401), ("billing", 401), ("developer", 200)] {
        ada.patch(&path, &json!({ "role": role })).await.expect(200);
        testkit::eventually("the node to hear of it", || async {
            (caller.chat("sandbox/echo").await.status == status).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_account_and_what_it_holds_are_lowered_together() {
    let app = open().await;
    let (ada, bob, _) = team(&app).await;
    let robot = ada.post("/v1/organization/service-accounts", &json!({"name": "r", "role": "admin"})).await;
    let robot = text(&robot.expect(201), "/data/id");
    let path = format!("/v1/organization/service-accounts/{robot}");
    let body = json!({"name": "m", "holder": robot, "management": true});
    let manager = app.with_key(&text(&ada.post("/v1/keys", &body).await.expect(201), "/key"));
    manager.get("/v1/organization/invitations").await.expect(200);
    ada.patch(&path, &json!({})).await.expect(400);
    ada.patch(&path, &json!({"role": "king"})).await.expect(400);
    ada.patch(&path, &json!({"name": ""})).await.expect(400);
    ada.patch("/v1/organization/service-accounts/sa_0000000000000000", &json!({"name": "x"}))
        .await
        .expect(404);
    bob.patch(&path, &json!({"role": "owner"})).await.expect(403);
    let changed = ada.patch(&path, &json!({"role": "viewer"})).await.expect(200);
    assert_eq!((text(&changed, "/data/name"), text(&changed, "/data/role")), ("r".into(), "viewer".into()));
    manager.get("/v1/organization/invitations").await.expect(403);
    manager.get("/v1/organization/members").await.expect(200);
}

#[tokio::test]
async fn people_give_themselves_another_name() {
    let app = open().await;
    let (ada, _, _) = team(&app).await;
    ada.patch("/v1/auth/me", &json!({"name": " "})).await.expect(400);
    ada.patch("/v1/auth/me", &json!({"name": "Ada", "email": "x@example.com"})).await.expect(400);
    let told = ada.patch("/v1/auth/me", &json!({"name": " Ada Lovelace "})).await.expect(200);
    assert_eq!(text(&told, "/data/name"), "Ada Lovelace");
    assert_eq!(text(&ada.get("/v1/auth/me").await, "/data/user/name"), "Ada Lovelace");
    assert!(ada.get("/v1/organization/members").await.json().to_string().contains("Ada Lovelace"));
}

#[tokio::test]
async fn an_organization_keeps_an_owner_and_ends_when_they_say_so() {
    let app = open().await;
    let (ada, bob, team) = team(&app).await;
    let members = ada.get("/v1/organization/members").await.json();
    let of = |at: usize| members["data"][at]["id"].as_str().expect("an id").to_owned();
    let (ada_id, bob_id) = (of(0), of(1));
    let path = |id: &str| format!("/v1/organization/members/{id}");
    ada.request("DELETE", &path(&ada_id)).send().await.expect(400);
    ada.post("/v1/organization/leave", &json!({})).await.expect(400);
    let admin = json!({"role": "admin"});
    ada.request("PATCH", &path(&bob_id)).json(&admin).send().await.expect(200);
    // An admin neither makes owners nor unmakes them.
    let owner = json!({"role": "owner"});
    let refused = bob.request("PATCH", &path(&bob_id)).json(&owner).send().await;
    assert_eq!((refused.status, text(&refused, "/error/type")), (403, "role_insufficient".to_owned()));
    bob.request("PATCH", &path(&ada_id)).json(&admin).send().await.expect(403);
    bob.request("DELETE", &path(&ada_id)).send().await.expect(403);
    bob.request("DELETE", "/v1/organization").send().await.expect(403);
    bob.post("/v1/organization/invitations", &json!({"email": "eve@example.com", "role": "owner"}))
        .await
        .expect(403);
    ada.request("PATCH", "/v1/organization").json(&json!({"name": "Looms"})).send().await.expect(200);
    assert_eq!(text(&bob.get("/v1/organization").await, "/data/name"), "Looms");

    let key = text(&ada.post("/v1/keys", &json!({"name": "k"})).await.expect(201), "/key");
    app.cli(&["credits", "grant", "2", "--account", &team]).await;
    let left = ada.request("DELETE", "/v1/organization").send().await;
    assert!(left.status == 409 && left.text().contains("2"), "{}", left.text());
    ada.request("DELETE", "/v1/organization?forfeit_balance=true").send().await.expect(200);
    app.with_key(&key).chat("sandbox/echo").await.expect(401);
    for one in [&ada, &bob] {
        let own = one.get("/v1/organizations").await.expect(200).json();
        assert_eq!(own["data"].as_array().map(Vec::len), Some(1), "{own}");
    }
    // Nobody ends their own, or the server's.
    ada.request("DELETE", "/v1/organization").send().await.expect(400);
    app.settled().await;
    let books = app.cli(&["ledger", "verify"]).await;
    assert_eq!(books["problems"], json!([]), "{books}");
}

#[tokio::test]
async fn an_invitation_lets_a_newcomer_in_and_nobody_else() {
    let app = TestApp::builder().start().await;
    let token = app.cli(&["users", "owner-token"]).await["token"].clone();
    let claim = json!({"token": token, "email": "ops@example.com", "password": PASSWORD});
    let owner = app.anonymous().post("/v1/auth/accept", &claim).await.expect(201);
    let owner = app.with_key(&text(&owner, "/data/token"));
    owner
        .post("/v1/organization/invitations", &json!({"email": "eve@example.com", "role": "viewer"}))
        .await
        .expect(201);
    let token = mailed(&app, "eve@example.com").await;
    owner.post("/v1/auth/accept", &json!({"token": token})).await.expect(403);
    app.anonymous().post("/v1/auth/accept", &json!({"token": token})).await.expect(422);
    let eve = json!({"token": token, "password": PASSWORD, "name": "Eve"});
    let reply = app.anonymous().post("/v1/auth/accept", &eve).await.expect(201);
    app.anonymous().post("/v1/auth/accept", &eve).await.expect(400);
    assert_eq!(text(&reply, "/data/user/email"), "eve@example.com", "the address that the mail went to");
    let eve = app.with_key(&text(&reply, "/data/token"));
    let me = eve.get("/v1/auth/me").await.expect(200);
    assert_eq!(text(&me, "/data/organization/id"), "acct_owner", "she works where she was asked in");
    assert_eq!(text(&me, "/data/organization/role"), "viewer");
    eve.post("/v1/keys", &json!({"name": "k"})).await.expect(403);
    eve.get("/metrics").await.expect(403);
    eve.get("/v1/audit").await.expect(403);
    eve.request("PUT", "/v1/auth/organization").json(&json!({"organization": null})).send().await.expect(200);
    eve.post("/v1/keys", &json!({"name": "k"})).await.expect(201);
}

#[tokio::test]
async fn every_act_is_in_the_log_without_secrets() {
    let app = open().await;
    let (ada, bob, team) = team(&app).await;
    let made = ada.post("/v1/keys", &json!({"name": "web", "limit": "5.00"})).await.expect(201);
    let key = text(&made, "/data/hash");
    ada.request("PATCH", &format!("/v1/keys/{key}"))
        .json(&json!({"disabled": true}))
        .send()
        .await
        .expect(200);
    bob.post("/v1/budgets", &json!({"subject": "account", "amount_usd": "1"})).await.expect(403);
    sign_in(&app, "ada@example.com", "wrong wrong wrong").await.expect(401);
    sign_in(&app, "ada@example.com", PASSWORD).await.expect(200);
    let log = ada.get("/v1/organization/audit").await.expect(200).json();
    let acts: Vec<String> = log["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|act| format!("{} {}", act["action"].as_str().unwrap_or("-"), act["status"]))
        .collect();
    let expected = ["POST /v1/budgets 403", "PATCH /v1/keys/{hash} 200", "POST /v1/keys 201"];
    assert_eq!(acts[..3], expected, "what was refused as well: {log}");
    let addresses = log["data"].as_array().expect("a list").iter().map(|act| &act["address"]);
    assert!(addresses.clone().all(|address| address == "127.0.0.1"), "{log}");
    assert!(acts.iter().any(|act| act == "POST /v1/organization/invitations 201"), "{acts:?}");
    let newest = &log["data"][1];
    assert_eq!((&newest["object"], &newest["detail"]["disabled"]), (&json!(key), &json!(true)), "{newest}");
    assert_eq!(newest["organization"], json!(team));
    assert_eq!(log["data"][2]["object"], json!(key), "what was made is named");
    for secret in [PASSWORD, "mt_", "st_", "sk-tw", "bob@example.com"] {
        assert!(!log.to_string().contains(secret), "{secret}: {log}");
    }
    // The server's own log has all of them, the command line's too, and holds.
    app.cli(&["credits", "grant", "1", "--account", &team]).await;
    let all = app.cli(&["audit", "list", "--count", "100"]).await;
    let actions: Vec<&str> =
        all["acts"].as_array().expect("a list").iter().filter_map(|act| act["action"].as_str()).collect();
    assert_eq!(actions[0], "credits grant");
    assert_eq!(actions.iter().filter(|action| **action == "POST /v1/auth/sign-in").count(), 1, "{actions:?}");
    let report = app.cli(&["audit", "verify"]).await;
    assert_eq!((&report["problems"], report["acts"].as_u64()), (&json!([]), Some(actions.len() as u64)));
    let head = report["head"].as_str().expect("a head").to_owned();
    app.cli(&["audit", "verify", "--head", &head]).await;
}
