//! People: they come in by mail, by invitation or by claiming the server; they sign in, forget passwords, and are signed out.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{Actor, Reply, TestApp};

pub(crate) const PASSWORD: &str = "plum kettle orbit sandal";
const OTHER: &str = "violet gravel teapot north";

fn field(reply: &Reply, pointer: &str) -> String {
    let text = reply.json();
    text.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {text}"))
        .to_owned()
}

async fn open(more: &[(&str, &str)]) -> TestApp {
    let mut builder = TestApp::builder().set("people.sign_up", "\"open\"");
    for (path, value) in more {
        builder = builder.set(path, value);
    }
    builder.start().await
}

async fn post(app: &TestApp, path: &str, body: Value) -> Reply {
    app.anonymous().post(path, &body).await
}

/// The last token that was mailed to somebody.
pub(crate) async fn mailed(app: &TestApp, to: &str) -> String {
    testkit::eventually("a mail", || async {
        let log = app.log();
        let last = log.lines().rfind(|line| line.contains(" mail: ") && line.contains(to))?;
        let at = last.find("mt_")?;
        Some(last[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect())
    })
    .await
}

/// Signs up, proves the address, and gives who is signed in.
pub(crate) async fn newcomer(app: &TestApp, email: &str) -> (Actor, Value) {
    let mails = || app.log().lines().filter(|line| line.contains(" mail: ") && line.contains(email)).count();
    let before = mails();
    post(app, "/v1/auth/sign-up", json!({"email": email, "password": PASSWORD})).await.expect(202);
    testkit::eventually("one mail more", || async { (mails() > before).then_some(()) }).await;
    let token = mailed(app, email).await;
    let reply = post(app, "/v1/auth/verify", json!({"token": token})).await.expect(201);
    (app.with_key(&field(&reply, "/data/token")), reply.json()["data"]["user"].clone())
}

pub(crate) async fn sign_in(app: &TestApp, email: &str, password: &str) -> Reply {
    post(app, "/v1/auth/sign-in", json!({"email": email, "password": password})).await
}

#[tokio::test]
async fn whoever_started_the_server_claims_it_once() {
    let app = TestApp::builder().first_start().start().await;
    let printed = testkit::eventually("the greeting", || async {
        Some(app.stdout()).filter(|printed| printed.contains("/v1/auth/accept"))
    })
    .await;
    let at = printed.find("mt_").expect("a token");
    let token: String =
        printed[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    assert!(!app.log().contains(&token), "the token never enters the log");
    let claim = json!({"token": token, "email": "Owner@Example.com", "password": PASSWORD});
    let weak = json!({"token": token, "email": "owner@example.com", "password": "password1234"});
    post(&app, "/v1/auth/accept", weak).await.expect(422);
    let reply = post(&app, "/v1/auth/accept", claim.clone()).await.expect(201);
    post(&app, "/v1/auth/accept", claim).await.expect(400);
    let owner = app.with_key(&field(&reply, "/data/token"));
    let me = owner.get("/v1/auth/me").await.expect(200).json()["data"]["user"].clone();
    assert_eq!(
        (&me["email"], &me["is_operator"], &me["account"]),
        (&json!("owner@example.com"), &json!(true), &json!("acct_owner"))
    );
    // What a management key may do, a session may, too; call models it may not.
    let made = owner.post("/v1/keys", &json!({"name": "by hand"})).await.expect(201);
    app.with_key(&field(&made, "/key")).chat("sandbox/echo").await.expect(200);
    let listed = owner.get("/v1/keys").await.expect(200).json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2), "sessions are no keys: {listed}");
    owner.get("/v1/credits").await.expect(200);
    let refused = owner.chat("sandbox/echo").await;
    assert_eq!((refused.status, refused.text().contains("session")), (401, false), "{}", refused.text());
    // Out of everything, whichever organization the request names.
    let leaving = owner.request("POST", "/v1/auth/sign-out").header("x-tollway-organization", "acct_none");
    leaving.send().await.expect(200);
    let over = owner.get("/v1/auth/me").await.expect(401);
    assert_eq!(field(&over, "/error/type"), "session_invalid");
    owner.get("/v1/keys").await.expect(401);
    sign_in(&app, "OWNER@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_newcomer_proves_the_address_and_begins_with_a_trial() {
    let app = open(&[("credits.trial_usd", "\"1.50\""), ("billing.mode", "\"prepaid\"")]).await;
    let asked = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let first = post(&app, "/v1/auth/sign-up", asked.clone()).await.expect(202);
    let token = mailed(&app, "ada@example.com").await;
    sign_in(&app, "ada@example.com", PASSWORD).await.expect(401);
    post(&app, "/v1/auth/verify", json!({"token": "mt_nobody"})).await.expect(400);
    let reply = post(&app, "/v1/auth/verify", json!({"token": token})).await.expect(201);
    post(&app, "/v1/auth/verify", json!({"token": token})).await.expect(400);
    let ada = app.with_key(&field(&reply, "/data/token"));
    let credits = ada.get("/v1/credits").await.expect(200).json();
    assert_eq!(credits["data"]["balance_usd"], "1.5", "{credits}");
    let key = field(&ada.post("/v1/keys", &json!({"name": "mine"})).await.expect(201), "/key");
    app.with_key(&key).chat("sandbox/echo").await.expect(200);

    // Nobody learns that the address is known, but who reads its mail.
    let again = post(&app, "/v1/auth/sign-up", asked).await.expect(202);
    assert_eq!(first.json(), again.json());
    testkit::eventually("the mail to who is known", || async {
        app.log().contains("signed up before").then_some(())
    })
    .await;

    let (bob, user) = newcomer(&app, "bob@example.com").await;
    assert_ne!(user["account"], reply.json()["data"]["user"]["account"]);
    assert_eq!(bob.get("/v1/keys").await.expect(200).json()["data"], json!([]), "each has their own");
    let hash = ada.get("/v1/keys").await.json()["data"][0]["hash"].as_str().unwrap_or_default().to_owned();
    bob.get(&format!("/v1/keys/{hash}")).await.expect(404);
    app.settled().await;
    let books = app.cli(&["ledger", "verify"]).await;
    assert_eq!(books["ok"], true, "{books}");
}

#[tokio::test]
async fn bad_sign_ups_are_refused_and_say_why() {
    let app = open(&[]).await;
    for (email, password, status, kind) in [
        ("ada", PASSWORD, 422, "email_invalid"),
        ("ada@example.com\r\nBcc: x@example.com", PASSWORD, 422, "email_invalid"),
        ("ada@example.com", "short", 422, "password_weak"),
        ("ada@example.com", "ada@example.com1", 422, "password_weak"),
        ("ada@example.com", "passwordpassword", 422, "password_weak"),
    ] {
        let reply = post(&app, "/v1/auth/sign-up", json!({"email": email, "password": password})).await;
        assert_eq!((reply.status, field(&reply, "/error/type").as_str()), (status, kind), "{}", reply.text());
    }
    let unknown = json!({"email": "ada@example.com", "password": PASSWORD, "is_operator": true});
    post(&app, "/v1/auth/sign-up", unknown).await.expect(400);
    for mode in ["invitation", "closed"] {
        let app = TestApp::builder().set("people.sign_up", &format!("{mode:?}")).start().await;
        let asked = json!({"email": "ada@example.com", "password": PASSWORD});
        let reply = post(&app, "/v1/auth/sign-up", asked).await.expect(403);
        assert_eq!(field(&reply, "/error/type"), "sign_up_closed");
    }
}

#[tokio::test]
async fn the_operator_invites_and_shuts_out() {
    let app = TestApp::builder().start().await;
    let invited = app.cli(&["users", "invite", "Eve@example.com"]).await;
    let token = invited["token"].as_str().expect("a token");
    let accept = json!({"token": token, "password": PASSWORD, "email": "mallory@example.com", "name": "Eve"});
    let reply = post(&app, "/v1/auth/accept", accept).await.expect(201);
    assert_eq!(field(&reply, "/data/user/email"), "eve@example.com", "the invited address counts");
    let eve = app.with_key(&field(&reply, "/data/token"));
    let again = app.cli_raw(&["users", "invite", "eve@example.com"]).await;
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("there already"));
    let listed = app.cli(&["users", "list"]).await;
    assert_eq!(listed["users"][0]["name"], "Eve", "{listed}");
    assert!(!listed.to_string().contains("argon2"), "{listed}");
    let key = |management: bool| json!({"name": "eve's", "limit": null, "management": management});
    let (calling, managing) = (
        app.with_key(&field(&eve.post("/v1/keys", &key(false)).await.expect(201), "/key")),
        app.with_key(&field(&eve.post("/v1/keys", &key(true)).await.expect(201), "/key")),
    );
    calling.get("/v1/key").await.expect(200);
    app.cli(&["users", "disable", "eve@example.com"]).await;
    eve.get("/v1/auth/me").await.expect(401);
    sign_in(&app, "eve@example.com", PASSWORD).await.expect(401);
    testkit::eventually("her keys are refused", || async {
        (calling.get("/v1/key").await.status == 401).then_some(())
    })
    .await;
    managing.post("/v1/keys", &key(false)).await.expect(401);
    app.cli(&["users", "enable", "eve@example.com"]).await;
    sign_in(&app, "eve@example.com", PASSWORD).await.expect(200);
    testkit::eventually("her keys are let in again", || async {
        (calling.get("/v1/key").await.status == 200).then_some(())
    })
    .await;
    managing.get("/v1/keys").await.expect(200);
    assert!(!app.cli_raw(&["users", "disable", "nobody@example.com"]).await.status.success());
}

#[tokio::test]
async fn who_forgot_a_password_chooses_another_and_all_sessions_end() {
    let app = open(&[]).await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    let second =
        app.with_key(&field(&sign_in(&app, "ada@example.com", PASSWORD).await.expect(200), "/data/token"));
    let listed = second.get("/v1/auth/sessions").await.expect(200).json()["data"].clone();
    let current: Vec<bool> =
        listed.as_array().expect("a list").iter().map(|s| s["current"] == json!(true)).collect();
    assert_eq!(current.iter().filter(|current| **current).count(), 1, "{listed}");
    assert_eq!(current.len(), 2);

    let asked = post(&app, "/v1/auth/reset", json!({"email": "ada@example.com"})).await.expect(202);
    let unknown = post(&app, "/v1/auth/reset", json!({"email": "nobody@example.com"})).await.expect(202);
    assert_eq!(asked.json()["data"]["mailed_to"], "ada@example.com");
    assert_eq!(unknown.json()["data"]["mailed_to"], "nobody@example.com");
    let token = testkit::eventually("the mail", || async {
        let log = app.log();
        let line = log.lines().rfind(|line| line.contains("Another password"))?;
        let at = line.find("mt_")?;
        Some(
            line[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
                .collect::<String>(),
        )
    })
    .await;
    assert!(!app.log().contains("nobody@example.com"), "who is unknown gets no mail");
    post(&app, "/v1/auth/verify", json!({"token": token})).await.expect(400);
    let chosen = json!({"token": token, "password": OTHER});
    let reply = post(&app, "/v1/auth/reset/confirm", chosen.clone()).await.expect(200);
    post(&app, "/v1/auth/reset/confirm", chosen).await.expect(400);
    ada.get("/v1/auth/me").await.expect(401);
    second.get("/v1/auth/me").await.expect(401);
    sign_in(&app, "ada@example.com", PASSWORD).await.expect(401);
    let third = app.with_key(&field(&reply, "/data/token"));

    // Who knows the present one changes it; the session that asks goes on.
    let fourth =
        app.with_key(&field(&sign_in(&app, "ada@example.com", OTHER).await.expect(200), "/data/token"));
    let change = |current: &str, new: &str| json!({"current": current, "password": new});
    third.post("/v1/auth/password", &change(PASSWORD, PASSWORD)).await.expect(401);
    third.post("/v1/auth/password", &change(OTHER, PASSWORD)).await.expect(200);
    third.get("/v1/auth/me").await.expect(200);
    fourth.get("/v1/auth/me").await.expect(401);
    let own = field(&third.get("/v1/auth/me").await, "/data/session/id");
    third.request("DELETE", "/v1/auth/sessions/ses_other").send().await.expect(404);
    third.request("DELETE", &format!("/v1/auth/sessions/{own}")).send().await.expect(200);
    third.get("/v1/auth/me").await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down_and_tells_nothing() {
    let app = open(&[]).await;
    newcomer(&app, "ada@example.com").await;
    let mut answers = [BTreeSet::new(), BTreeSet::new()];
    for (email, seen) in ["ada@example.com", "nobody@example.com"].into_iter().zip(&mut answers) {
        for _ in 0..7 {
            let reply = sign_in(&app, email, "wrong wrong wrong").await;
            let wait = reply.header("retry-after").is_some();
            assert_eq!(wait, reply.status == 429, "{}", reply.text());
            seen.insert((reply.status, field(&reply, "/error/type")));
        }
    }
    assert_eq!(answers[0], answers[1], "who is known and who is not get the same");
    assert_eq!(answers[0].iter().map(|(status, _)| *status).collect::<Vec<_>>(), [401, 429]);
    // Many at once, from one place: a few are let in, all get an answer, and the server goes on.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let caller = app.anonymous();
        let body = json!({"email": format!("{n}@example.com"), "password": "wrong wrong wrong"});
        tasks.spawn(async move { caller.post("/v1/auth/sign-in", &body).await.status });
    }
    let statuses = tasks.join_all().await;
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429 | 503)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 401).count() <= 20, "{statuses:?}");
    app.owner().chat("sandbox/echo").await.expect(200);
}

#[tokio::test]
async fn a_cookie_reads_and_writes_from_own_pages_only() {
    let app = open(&[]).await;
    newcomer(&app, "ada@example.com").await;
    let reply = sign_in(&app, "ada@example.com", PASSWORD).await.expect(200);
    let cookie = reply.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    let with = |method: &'static str, path: &'static str| {
        app.anonymous().request(method, path).header("cookie", &pair)
    };
    with("GET", "/v1/auth/me").send().await.expect(200);
    let body = json!({"name": "x"});
    let foreign = with("POST", "/v1/keys").json(&body).send().await.expect(403);
    assert_eq!(field(&foreign, "/error/type"), "foreign_page");
    with("POST", "/v1/keys").header("sec-fetch-site", "cross-site").json(&body).send().await.expect(403);
    with("POST", "/v1/keys").header("sec-fetch-site", "same-origin").json(&body).send().await.expect(201);
}

#[tokio::test]
async fn no_password_or_session_is_ever_written() {
    let builder = TestApp::builder().set("people.sign_up", "\"open\"").env("TOLLWAY_LOG", "trace");
    let mut app = builder.start().await;
    let (ada, _) = newcomer(&app, "ada@example.com").await;
    ada.get("/v1/auth/me").await.expect(200);
    sign_in(&app, "ada@example.com", OTHER).await.expect(401);
    let session = ada.key().expect("a token").to_owned();
    app.settled().await;
    app.sigterm();
    app.exited().await;
    let mut searched = vec![("log".to_owned(), app.log().into_bytes())];
    for entry in std::fs::read_dir(app.data_dir()).expect("the data directory").flatten() {
        if entry.path().is_file() {
            searched.push((entry.path().display().to_string(), std::fs::read(entry.path()).expect("a file")));
        }
    }
    assert!(searched.iter().any(|(name, _)| name.ends_with("tollway.db")));
    for (name, bytes) in &searched {
        let text = String::from_utf8_lossy(bytes);
        for secret in [PASSWORD, OTHER, &session] {
            assert!(!text.contains(secret), "{secret} stands in {name}");
        }
    }
    app.restart().await;
    app.with_key(&session).get("/v1/auth/me").await.expect(200);
}

/// A mail server of thirty lines: takes one mail and gives what was said.
async fn take_one_mail(listener: tokio::net::TcpListener) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let (stream, _) = listener.accept().await.expect("somebody with mail");
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.test ESMTP\r\n").await.expect("write");
    let (mut said, mut in_mail) = (String::new(), false);
    while let Ok(Some(line)) = lines.next_line().await {
        said.push_str(&line);
        said.push('\n');
        let answer: &[u8] = match (in_mail, line.as_str()) {
            (true, ".") => b"250 taken\r\n",
            (true, _) => continue,
            (false, "DATA") => b"354 go on\r\n",
            (false, line) if line.starts_with("EHLO") => b"250 mail.test\r\n",
            _ => b"250 ok\r\n",
        };
        in_mail = line == "DATA";
        write.write_all(answer).await.expect("write");
        if answer == b"250 taken\r\n" {
            break;
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_go_to_the_server_that_is_configured() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port().to_string();
    let app = open(&[
        ("mail.smtp_host", "\"127.0.0.1\""),
        ("mail.smtp_port", &port),
        ("mail.smtp_tls", "\"none\""),
        ("mail.from", "\"Tollway <mail@tollway.test>\""),
    ])
    .await;
    let taking = tokio::spawn(take_one_mail(listener));
    let asked = json!({"email": "ada@example.com", "password": PASSWORD});
    post(&app, "/v1/auth/sign-up", asked).await.expect(202);
    let said = testkit::within("the mail", taking).await.expect("taken");
    assert!(
        said.contains("MAIL FROM:<mail@tollway.test>") && said.contains("RCPT TO:<ada@example.com>"),
        "{said}"
    );
    assert!(said.contains("Subject: Your sign-up at Tollway"), "{said}");
    let text = said.replace("=\n", "").replace("=3D", "=").replace("=22", "\"");
    let at = text.find("mt_").unwrap_or_else(|| panic!("no token in {text}"));
    let token: String =
        text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    assert!(!app.log().contains(&token), "what is mailed is not logged");
    post(&app, "/v1/auth/verify", json!({"token": token})).await.expect(201);
}
