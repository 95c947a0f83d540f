//! Whose identity it is: who comes in as somebody new, who is known again, who is linked and by what, and that nobody takes an account
//! by an address that only stands in a profile.

use serde_json::{Value, json};
use testkit::{Actor, AppBuilder, FakeIssuer, Reply, TestApp};
use types::{Clock, SystemClock};

use super::{BEGIN, Browser, CALLBACK, issuer, kind, person, refusal, signed_in};
use crate::people::{PASSWORD, mailed, newcomer, sign_in};
use crate::second_factor::authenticator;

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map_or_else(|| panic!("no {pointer} in {value}"), str::to_owned)
}

fn open(issuer: &FakeIssuer) -> AppBuilder {
    issuer.app().set("people.sign_up", "\"open\"")
}

async fn me(actor: &Actor) -> Value {
    actor.get("/v1/auth/me").await.expect(200).json()["data"]["user"].clone()
}

#[tokio::test]
async fn somebody_new_comes_in_and_is_known_again_whatever_their_address_is_by_then() {
    let issuer = issuer();
    let app = open(&issuer)
        .set("sign_in.main.create", "true")
        .set("credits.trial_usd", "\"1.50\"")
        .set("billing.mode", "\"prepaid\"")
        .start()
        .await;
    let reply = Browser::new(&app).sign_in(&issuer, &person("1", "Ada@Example.com")).await.expect(201);
    let ada = signed_in(&app, &reply);
    let told = me(&ada).await;
    assert_eq!((&told["email"], &told["name"]), (&json!("ada@example.com"), &json!("Ada Lovelace")));
    assert_eq!(ada.get("/v1/credits").await.expect(200).json()["data"]["balance_usd"], "1.5");
    assert_eq!(told["is_operator"], false);
    // The address belongs to somebody else at the issuer by now, and hers is another one, unproven.
    let moved = json!({"sub": "1", "email": "moved@example.com", "email_verified": false});
    let reply = Browser::new(&app).sign_in(&issuer, &moved).await.expect(200);
    assert_eq!(me(&signed_in(&app, &reply)).await["id"], told["id"]);
    let heir = Browser::new(&app).sign_in(&issuer, &person("2", "ada@example.com")).await;
    assert_eq!(kind(&heir), refusal(403, "identity_unknown"));
    let listed = ada.get("/v1/auth/identities").await.expect(200).json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    let one = &listed["data"][0];
    assert_eq!(
        (&one["issuer"], &one["subject"], &one["email"]),
        (&json!("main"), &json!("1"), &json!("moved@example.com"))
    );
    // Who was shut out stays out; the operator's word goes before the issuer's.
    app.cli(&["users", "disable", "ada@example.com"]).await;
    ada.get("/v1/auth/me").await.expect(401);
    let shut = Browser::new(&app).sign_in(&issuer, &moved).await;
    assert_eq!(kind(&shut), refusal(403, "identity_unknown"));
    // What is done is written down, by whom.
    let log = app.cli(&["audit", "list"]).await.to_string();
    assert!(log.contains("GET /v1/auth/oidc/{issuer}/callback"), "{log}");
    assert_eq!(app.cli(&["audit", "verify"]).await["problems"], json!([]));
}

#[tokio::test]
async fn who_may_come_in_as_somebody_new() {
    // Mode, whether it may make people, domains, who is invited: who gets in.
    let rows: [(&str, &str, &str, bool); 8] = [
        ("open", "false", "[]", false),
        ("open", "true", "[]", true),
        ("open", "true", "[\"example.com\"]", true),
        ("open", "true", "[\"example.org\", \"ple.com\", \"sub.example.com\"]", false),
        ("invitation", "true", "[]", false),
        ("invitation", "true", "[\"EXAMPLE.com\"]", true),
        ("invitation", "false", "[\"example.com\"]", false),
        ("closed", "true", "[\"example.com\"]", false),
    ];
    for (mode, create, domains, comes) in rows {
        let issuer = issuer();
        let builder = issuer.app().set("people.sign_up", &format!("{mode:?}"));
        let builder = builder.set("sign_in.main.create", create).set("sign_in.main.domains", domains);
        let app = builder.start().await;
        let reply = Browser::new(&app).sign_in(&issuer, &person("1", "ada@example.com")).await;
        let what = format!("{mode} {create} {domains}: {}", reply.text());
        assert_eq!(reply.status, if comes { 201 } else { 403 }, "{what}");
        assert!(comes || kind(&reply).1 == "identity_unknown", "{what}");
        // Without a proven address nobody does, ever.
        for claims in [
            json!({"sub": "2", "email": "eve@example.com"}),
            json!({"sub": "2", "email": "eve@example.com", "email_verified": "true"}),
            json!({"sub": "2", "email": "eve@example.com", "email_verified": 1}),
            json!({"sub": "2", "email": "eve@@example.com", "email_verified": true}),
            json!({"sub": "2", "email": null}),
        ] {
            let reply = Browser::new(&app).sign_in(&issuer, &claims).await;
            assert_eq!(kind(&reply), refusal(403, "email_unproven"), "{what} {claims}");
        }
    }
}

#[tokio::test]
async fn whoever_is_invited_comes_in_where_the_invitation_says() {
    let issuer = issuer();
    let app = issuer.app().set("sign_in.main.create", "true").start().await;
    let invited =
        app.cli(&["users", "invite", "eve@example.com", "--account", "acct_owner", "--role", "viewer"]).await;
    let reply = Browser::new(&app).sign_in(&issuer, &person("1", "eve@example.com")).await.expect(201);
    let eve = signed_in(&app, &reply);
    let at = eve.get("/v1/auth/me").await.json()["data"]["organization"].clone();
    assert_eq!(at, json!({"id": "acct_owner", "role": "viewer"}));
    let token = json!({"token": invited["token"], "password": PASSWORD});
    app.anonymous().post("/v1/auth/accept", &token).await.expect(400);
    // A claim of the server names nobody, and is not taken so.
    app.cli(&["users", "owner-token"]).await;
    let reply = Browser::new(&app).sign_in(&issuer, &person("2", "mallory@example.com")).await;
    assert_eq!(kind(&reply), refusal(403, "identity_unknown"));
}

#[tokio::test]
async fn an_address_alone_opens_no_account() {
    // Linking by address is off: nobody comes in by it, and nobody learns whose it is.
    let issuer = issuer();
    let app = open(&issuer).start().await;
    newcomer(&app, "ada@example.com").await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        for verified in [true, false] {
            let claims = json!({"sub": email, "email": email, "email_verified": verified});
            answers.push(Browser::new(&app).sign_in(&issuer, &claims).await.text());
        }
    }
    assert_eq!((&answers[0], &answers[1]), (&answers[2], &answers[3]), "known or not: the same");
    assert!(answers[0].contains("identity_unknown") && answers[1].contains("email_unproven"), "{answers:?}");
}

#[tokio::test]
async fn an_address_links_only_where_the_operator_says_so_and_only_when_it_is_proven() {
    let issuer = issuer();
    let app = open(&issuer)
        .set("sign_in.main.link_by_email", "true")
        .set("sign_in.main.domains", "[\"example.com\"]")
        .start()
        .await;
    let (_, ada) = newcomer(&app, "ada@example.com").await;
    newcomer(&app, "bob@example.org").await;
    let token = app.cli(&["users", "owner-token"]).await["token"].clone();
    let claim = json!({"token": token, "email": "ops@example.com", "password": PASSWORD});
    app.anonymous().post("/v1/auth/accept", &claim).await.expect(201);
    for (claims, says) in [
        (json!({"sub": "1", "email": "ada@example.com", "email_verified": false}), "email_unproven"),
        (json!({"sub": "1", "email": "ada@example.com", "email_verified": "true"}), "email_unproven"),
        (json!({"sub": "1", "email": "ada@example.com"}), "email_unproven"),
        (person("2", "bob@example.org"), "identity_unknown"),
        (person("3", "ops@example.com"), "identity_unknown"),
    ] {
        let mut browser = Browser::new(&app);
        let reply = browser.sign_in(&issuer, &claims).await;
        assert_eq!(kind(&reply), refusal(403, says), "{claims}");
        assert!(!browser.has_session());
    }
    let reply = Browser::new(&app).sign_in(&issuer, &person("1", "ada@example.com")).await.expect(200);
    assert_eq!(me(&signed_in(&app, &reply)).await["id"], ada["id"]);
    testkit::eventually("the mail about it", || async {
        app.log()
            .lines()
            .any(|line| line.contains("Another way to sign in") && line.contains("ada@example.com"))
            .then_some(())
    })
    .await;
    // From then on by the identity, not by the address.
    let reply = Browser::new(&app).sign_in(&issuer, &json!({"sub": "1", "email": null})).await.expect(200);
    assert_eq!(me(&signed_in(&app, &reply)).await["id"], ada["id"]);
    let second = Browser::new(&app).sign_in(&issuer, &person("4", "ada@example.com")).await.expect(200);
    let listed = signed_in(&app, &second).get("/v1/auth/identities").await.expect(200).json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2), "{listed}");
}

/// Begins linking with a session, and comes back with the browser that got the cookie.
async fn link(app: &TestApp, issuer: &FakeIssuer, who: &Actor, body: &Value, person: &Value) -> Reply {
    let mut browser = Browser::new(app);
    let begun = who.post("/v1/auth/identities", body).await;
    if begun.status != 200 {
        return begun;
    }
    browser.keep(&begun);
    let back = issuer.authorize(&text(&begun.json(), "/data/url"), person);
    browser.get(&back).await
}

#[tokio::test]
async fn who_is_signed_in_links_an_identity_and_takes_it_away() {
    let issuer = issuer();
    let app = open(&issuer).start().await;
    let (ada, user) = newcomer(&app, "ada@example.com").await;
    let (bob, _) = newcomer(&app, "bob@example.com").await;
    let body = json!({"issuer": "main", "password": PASSWORD});
    let elsewhere = json!({"sub": "1", "email": "ada@elsewhere.example", "email_verified": false});
    let wrong = json!({"issuer": "main", "password": "wrong wrong wrong"});
    assert_eq!(
        kind(&link(&app, &issuer, &ada, &wrong, &elsewhere).await),
        refusal(401, "invalid_credentials")
    );
    assert_eq!(kind(&ada.post("/v1/auth/identities", &json!({"issuer": "main"})).await).0, 401);
    assert_eq!(
        kind(&ada.post("/v1/auth/identities", &json!({"issuer": "x"})).await),
        refusal(404, "issuer_unknown")
    );
    let away = json!({"issuer": "main", "password": PASSWORD, "return_to": "//evil.example"});
    ada.post("/v1/auth/identities", &away).await.expect(400);

    let linked = link(&app, &issuer, &ada, &body, &elsewhere).await.expect(200).json();
    let id = text(&linked, "/data/id");
    assert_eq!(linked["data"]["email"], "ada@elsewhere.example");
    link(&app, &issuer, &ada, &body, &elsewhere).await.expect(200);
    assert_eq!(kind(&link(&app, &issuer, &bob, &body, &elsewhere).await), refusal(409, "identity_taken"));
    let reply = Browser::new(&app).sign_in(&issuer, &elsewhere).await.expect(200);
    assert_eq!(me(&signed_in(&app, &reply)).await["id"], user["id"]);

    // A session that ended on the way links nothing; nor does a browser that did not ask.
    let begun = bob.post("/v1/auth/identities", &body).await.expect(200);
    let back = issuer.authorize(&text(&begun.json(), "/data/url"), &person("9", "bob@example.com"));
    assert_eq!(kind(&Browser::new(&app).get(&back).await), refusal(400, "sign_in_invalid"));
    let begun = bob.post("/v1/auth/identities", &body).await.expect(200);
    let mut browser = Browser::new(&app);
    browser.keep(&begun);
    let back = issuer.authorize(&text(&begun.json(), "/data/url"), &person("9", "bob@example.com"));
    bob.post("/v1/auth/sign-out", &json!({})).await.expect(200);
    assert_eq!(kind(&browser.get(&back).await), refusal(401, "session_invalid"));

    // What is somebody else's is not there; the export has one's own.
    let path = format!("/v1/auth/identities/{id}");
    let session = sign_in(&app, "bob@example.com", PASSWORD).await.expect(200).json();
    let bob = app.with_key(&text(&session, "/data/token"));
    let proof = json!({"password": PASSWORD});
    bob.request("DELETE", &path).json(&proof).send().await.expect(404);
    let export = ada.get("/v1/auth/me/export").await.expect(200).text();
    assert!(export.contains("ada@elsewhere.example") && export.contains(&id), "{export}");
    assert_eq!(ada.request("DELETE", &path).send().await.status, 401, "the password is asked for");
    ada.request("DELETE", &path).json(&proof).send().await.expect(200);
    assert_eq!(ada.get("/v1/auth/identities").await.json()["data"], json!([]));
    assert_eq!(Browser::new(&app).sign_in(&issuer, &elsewhere).await.status, 403);
}

#[tokio::test]
async fn who_has_no_password_keeps_the_last_way_in() {
    let issuer = issuer();
    let app = open(&issuer).set("sign_in.main.create", "true").start().await;
    let ada = person("1", "ada@example.com");
    let reply = Browser::new(&app).sign_in(&issuer, &ada).await.expect(201);
    let session = signed_in(&app, &reply);
    let id = text(&session.get("/v1/auth/identities").await.json(), "/data/0/id");
    let path = format!("/v1/auth/identities/{id}");
    assert_eq!(kind(&session.request("DELETE", &path).send().await), refusal(409, "last_way_in"));
    Browser::new(&app).sign_in(&issuer, &ada).await.expect(200);
    // A session that has only begun stands for the password that is not there.
    let second =
        link(&app, &issuer, &session, &json!({"issuer": "main"}), &json!({"sub": "2", "email": null}))
            .await
            .expect(200);
    assert_eq!(second.json()["data"]["email"], Value::Null);
    session.request("DELETE", &path).send().await.expect(200);
    assert_eq!(
        Browser::new(&app).sign_in(&issuer, &ada).await.status,
        403,
        "the address is known, and links nothing"
    );
    // A password by mail is a way in as well.
    assert_eq!(sign_in(&app, "ada@example.com", "").await.status, 401);
    app.anonymous().post("/v1/auth/reset", &json!({"email": "ada@example.com"})).await.expect(202);
    let token = mailed(&app, "ada@example.com").await;
    let chosen = json!({"token": token, "password": PASSWORD});
    let reply = app.anonymous().post("/v1/auth/reset/confirm", &chosen).await.expect(200);
    let session = signed_in(&app, &reply);
    let left = text(&session.get("/v1/auth/identities").await.json(), "/data/0/id");
    let proof = json!({"password": PASSWORD});
    session.request("DELETE", &format!("/v1/auth/identities/{left}")).json(&proof).send().await.expect(200);
    // Who comes with nothing but an identity can go, too.
    let reply = Browser::new(&app).sign_in(&issuer, &person("7", "gone@example.com")).await.expect(201);
    signed_in(&app, &reply).request("DELETE", "/v1/auth/me").json(&json!({})).send().await.expect(200);
    Browser::new(&app).sign_in(&issuer, &person("7", "gone@example.com")).await.expect(201);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_however_its_person_comes_in() {
    let issuer = issuer();
    let app = open(&issuer).set("sign_in.main.create", "true").start().await;
    let ada = person("1", "ada@example.com");
    let reply = Browser::new(&app).sign_in(&issuer, &ada).await.expect(201);
    let session = signed_in(&app, &reply);
    // Without a password, by who has only signed in.
    let begun = session.post("/v1/auth/totp", &json!({})).await.expect(200).json();
    let totp = authenticator(&text(&begun, "/data/secret"));
    let now = || u64::try_from(SystemClock.now().seconds()).expect("after 1970");
    let code = json!({"code": totp.generate(now() - 30).to_string()});
    let confirmed = session.post("/v1/auth/totp/confirm", &code).await.expect(200).json();

    let mut browser = Browser::new(&app);
    let reply = browser.sign_in(&issuer, &ada).await;
    assert_eq!(kind(&reply), refusal(401, "second_factor_required"));
    assert!(!browser.has_session());
    let wrong = browser.send("POST", CALLBACK, None, Some("code=000000")).await;
    assert_eq!(kind(&wrong), refusal(401, "second_factor_wrong"));
    // Nobody else's browser, and no code that was not asked for.
    let stranger = Browser::new(&app).send("POST", CALLBACK, None, Some("code=000000")).await;
    assert_eq!(kind(&stranger), refusal(400, "sign_in_invalid"));
    let recovery = text(&confirmed, "/data/recovery_codes/0");
    let form = format!("code={recovery}");
    let reply = browser.send("POST", CALLBACK, None, Some(&form)).await.expect(200);
    signed_in(&app, &reply).get("/v1/auth/me").await.expect(200);
    let again = browser.send("POST", CALLBACK, None, Some(&form)).await;
    assert_eq!(kind(&again), refusal(400, "sign_in_invalid"), "it is taken");

    // As a person sees it: a page that asks, again after a mistake, and then the place they came from.
    let mut browser = Browser::new(&app);
    let away = browser.get(&format!("{BEGIN}?return_to=%2Fconsole")).await.expect(303);
    let back = issuer.authorize(away.header("location").expect("a location"), &ada);
    let html = Some("text/html");
    let page = browser.send("GET", &back, html, None).await.expect(401).text();
    assert!(
        page.contains("<form method=\"post\"") && page.contains(&format!("action=\"{CALLBACK}\"")),
        "{page}"
    );
    let page = browser.send("POST", CALLBACK, html, Some("code=000000")).await.expect(401).text();
    assert!(page.contains("role=\"alert\"") && page.contains("<form"), "{page}");
    let code = format!("code={}", totp.generate(now()));
    let reply = browser.send("POST", CALLBACK, html, Some(&code)).await.expect(303);
    assert_eq!(reply.header("location"), Some("/console"));
    assert!(browser.has_session());

    // Guessing is slowed down as at a password, for the person, from wherever.
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let mut browser = Browser::new(&app);
        browser.sign_in(&issuer, &ada).await.expect(401);
        statuses.push(browser.send("POST", CALLBACK, None, Some("code=000000")).await.status);
    }
    assert!(statuses[0] == 401 && statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn what_the_token_does_not_say_is_asked_for_and_taken_of_the_same_person_only() {
    let issuer = issuer();
    let app = open(&issuer).set("sign_in.main.create", "true").start().await;
    let bare = json!({"sub": "1"});
    assert_eq!(kind(&Browser::new(&app).sign_in(&issuer, &bare).await), refusal(502, "issuer_failing"));
    issuer.tells(Some(json!({"sub": "2", "email": "eve@example.com", "email_verified": true})));
    assert_eq!(kind(&Browser::new(&app).sign_in(&issuer, &bare).await), refusal(401, "id_token_refused"));
    issuer.tells(Some(json!({"sub": "1", "email": "ada@example.com", "email_verified": false})));
    assert_eq!(kind(&Browser::new(&app).sign_in(&issuer, &bare).await), refusal(403, "email_unproven"));
    issuer.tells(Some(json!({"sub": "1", "email": "ada@example.com", "email_verified": true})));
    let reply = Browser::new(&app).sign_in(&issuer, &bare).await.expect(201);
    assert_eq!(me(&signed_in(&app, &reply)).await["email"], "ada@example.com");
    // A secret in the form, for who takes it nowhere else.
    let (asked, reply) = (issuer.asked("/token"), issuer.server.requests());
    assert!(reply.iter().all(|request| !String::from_utf8_lossy(request.body()).contains("client_secret")));
    let other = self::issuer();
    other.says("token_endpoint_auth_methods_supported", json!(["client_secret_post"]));
    let app = open(&other).set("sign_in.main.create", "true").start().await;
    Browser::new(&app).sign_in(&other, &person("1", "ada@example.com")).await.expect(201);
    let sent = other.server.requests();
    assert!(
        sent.iter()
            .any(|request| String::from_utf8_lossy(request.body()).contains("client_secret=canary%3Asecret"))
    );
    assert!(asked >= 4);
}
