//! Signing in with an identity elsewhere: the way there and back is tied to one browser and walked once, by whose token can be believed.

mod people;
mod provider;
mod tokens;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use testkit::issuer::{CLIENT_SECRET, Key};
use testkit::{Actor, FakeIssuer, Reply, TestApp};
use types::{Clock, SystemClock};

pub(crate) const BEGIN: &str = "/v1/auth/oidc/main";
pub(crate) const CALLBACK: &str = "/v1/auth/oidc/main/callback";

/// An issuer whose clock is right.
pub(crate) fn issuer() -> FakeIssuer {
    FakeIssuer::start(|| SystemClock.now().seconds())
}

/// Somebody at the issuer, whose address it has proven.
pub(crate) fn person(subject: &str, email: &str) -> Value {
    json!({"sub": subject, "email": email, "email_verified": true, "name": "Ada Lovelace"})
}

/// A browser, with cookies and a place of its own.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    place: String,
    jar: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Browser<'a> {
        static PLACES: AtomicUsize = AtomicUsize::new(0);
        let n = PLACES.fetch_add(1, Ordering::Relaxed);
        Browser { app, place: format!("198.51.{}.{}", n / 250, n % 250), jar: BTreeMap::new() }
    }

    /// What a script of a page would send: without `Accept`.
    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, None, None).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        accept: Option<&str>,
        form: Option<&str>,
    ) -> Reply {
        let cookies = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let mut request = self.app.anonymous().request(method, path).header("x-forwarded-for", &self.place);
        if !cookies.is_empty() {
            request = request.header("cookie", &cookies.join("; "));
        }
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        if let Some(form) = form {
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        }
        let reply = request.send().await;
        self.keep(&reply);
        reply
    }

    /// Keeps the cookies of an answer.
    pub(crate) fn keep(&mut self, reply: &Reply) {
        for (_, line) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            assert!(line.contains("; HttpOnly; SameSite=Lax; "), "{line}");
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            match line.contains("Max-Age=0") {
                true => self.jar.remove(name),
                false => self.jar.insert(name.to_owned(), value.to_owned()),
            };
        }
    }

    /// Sets out; where the issuer sends it back to.
    pub(crate) async fn set_out(&mut self, issuer: &FakeIssuer, person: &Value) -> String {
        let away = self.get(BEGIN).await.expect(303);
        issuer.authorize(away.header("location").expect("a location"), person)
    }

    /// There and back.
    pub(crate) async fn sign_in(&mut self, issuer: &FakeIssuer, person: &Value) -> Reply {
        let back = self.set_out(issuer, person).await;
        self.get(&back).await
    }

    pub(crate) fn has_session(&self) -> bool {
        self.jar.contains_key("session")
    }
}

/// Who an answer signed in.
pub(crate) fn signed_in(app: &TestApp, reply: &Reply) -> Actor {
    app.with_key(reply.json()["data"]["token"].as_str().expect("a token"))
}

pub(crate) fn kind(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"]["type"].as_str().unwrap_or_default().to_owned())
}

fn refusal(status: u16, kind: &str) -> (u16, String) {
    (status, kind.to_owned())
}

#[tokio::test]
async fn the_way_is_walked_once_by_the_browser_that_began_it() {
    let (issuer, other) = (issuer(), issuer());
    let app = issuer
        .app()
        .set("people.sign_up", "\"open\"")
        .set("sign_in.main.create", "true")
        .set("sign_in.other.issuer", &format!("{:?}", other.url()))
        .set("sign_in.other.client_id", "\"x\"")
        .start()
        .await;
    let ada = person("1", "ada@example.com");
    let used = refusal(400, "sign_in_invalid");
    let mut first = Browser::new(&app);
    let back = first.set_out(&issuer, &ada).await;
    assert_eq!(kind(&Browser::new(&app).get(CALLBACK).await), used, "no state");
    assert_eq!(kind(&first.get(&format!("{CALLBACK}?state=made-up&code=x")).await), used);
    first.get(&back).await.expect(201);
    assert!(first.has_session() && !first.jar.contains_key("sign-in"), "{:?}", first.jar);
    assert_eq!(kind(&first.get(&back).await), used, "a second time");

    // Another browser, with or without a cookie of its own; and then nobody any more.
    for with_cookie in [false, true] {
        let (mut own, mut thief) = (Browser::new(&app), Browser::new(&app));
        let back = own.set_out(&issuer, &ada).await;
        if with_cookie {
            thief.set_out(&issuer, &ada).await;
        }
        assert_eq!(kind(&thief.get(&back).await), used);
        assert_eq!(kind(&own.get(&back).await), used, "its one try is over");
        assert!(!thief.has_session() && !own.has_session());
    }

    // At another issuer; an answer of another issuer's; without a code.
    let mut browser = Browser::new(&app);
    let back = browser.set_out(&issuer, &ada).await;
    assert_eq!(kind(&browser.get(&back.replace("/main/", "/other/")).await), used);
    let back = browser.set_out(&issuer, &ada).await;
    assert_eq!(kind(&browser.get(&format!("{back}&iss=https%3A%2F%2Fevil.example")).await), used);
    let back = browser.set_out(&issuer, &ada).await;
    assert_eq!(kind(&browser.get(&back.replace("code=", "kode=")).await), used);

    // A code that was made for somebody else's browser: PKCE holds.
    let (mut own, mut victim) = (Browser::new(&app), Browser::new(&app));
    let stolen = own.set_out(&issuer, &ada).await;
    let back = victim.set_out(&issuer, &person("2", "eve@example.com")).await;
    let code = |path: &str| {
        path.split("code=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default().to_owned()
    };
    let mixed = back.replace(&code(&back), &code(&stolen));
    let reply = victim.get(&mixed).await;
    assert_eq!(kind(&reply), refusal(403, "issuer_refused"), "{}", reply.text());
    assert!(reply.text().contains("invalid_grant"), "{}", reply.text());

    // What the issuer says instead of a code, as a name.
    let away = browser.get(BEGIN).await.expect(303);
    let state = away
        .header("location")
        .and_then(|to| to.split("&state=").nth(1)?.split('&').next())
        .expect("a state");
    let reply = browser.get(&format!("{CALLBACK}?state={state}&error=access_denied%3Cb%3E")).await;
    assert_eq!(kind(&reply), refusal(403, "issuer_refused"));
    assert!(reply.text().contains("access_deniedb"), "{}", reply.text());
    assert_eq!(app.cli(&["users", "list"]).await["users"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_come_back_at_once_one_comes_in() {
    let issuer = issuer();
    let app = issuer.app().set("people.sign_up", "\"open\"").set("sign_in.main.create", "true").start().await;
    let mut browser = Browser::new(&app);
    let back = browser.set_out(&issuer, &person("1", "ada@example.com")).await;
    let cookie = format!("sign-in={}", browser.jar["sign-in"]);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let request = app.anonymous().request("GET", &back).header("cookie", &cookie);
        let request = request.header("x-forwarded-for", &format!("192.0.2.{n}"));
        tasks.spawn(async move { request.send().await.status });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (201, 400, 400), "{statuses:?}");
    assert_eq!(issuer.asked("/token"), 1);
}

#[tokio::test]
async fn the_issuer_is_asked_seldom_and_its_new_keys_are_found() {
    let issuer = issuer();
    let app = issuer.app().set("people.sign_up", "\"open\"").set("sign_in.main.create", "true").start().await;
    let ada = person("1", "ada@example.com");
    for (n, status) in [201, 200, 200].into_iter().enumerate() {
        Browser::new(&app).sign_in(&issuer, &ada).await.expect(status);
        assert_eq!((issuer.asked("/.well-known/openid-configuration"), issuer.asked("/keys")), (1, 1), "{n}");
    }
    for (algorithm, keys) in [("EdDSA", 2), ("ES384", 2)] {
        issuer.rotate(Key::new(algorithm, algorithm));
        let reply = Browser::new(&app).sign_in(&issuer, &ada).await;
        // The first one is fetched at once, the next not within half a minute.
        assert_eq!(reply.status, if algorithm == "EdDSA" { 200 } else { 401 }, "{}", reply.text());
        assert_eq!(issuer.asked("/keys"), keys);
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_what_it_should_be_is_not_gone_to() {
    let wrong: [(&str, Value); 7] = [
        ("issuer", json!("https://id.example.com")),
        ("issuer", json!(null)),
        ("token_endpoint", json!("no address")),
        ("token_endpoint", json!(null)),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("userinfo_endpoint", json!("http://user:pass@127.0.0.1/")),
    ];
    for (name, value) in wrong {
        let issuer = issuer();
        issuer.says(name, value.clone());
        let app = issuer.app().start().await;
        let reply = Browser::new(&app).get(BEGIN).await;
        assert_eq!(kind(&reply), refusal(502, "issuer_failing"), "{name} {value}: {}", reply.text());
        assert!(reply.text().contains("The lab"), "{}", reply.text());
        // Left alone for a moment, whoever asks.
        assert_eq!(Browser::new(&app).get(BEGIN).await.status, 502);
        assert_eq!(issuer.asked("/.well-known/openid-configuration"), 1);
    }
    let issuer = issuer();
    let app = issuer.app().start().await;
    assert_eq!(kind(&Browser::new(&app).get("/v1/auth/oidc/nobody").await), refusal(404, "issuer_unknown"));
    // What is too large is not read to its end.
    issuer.says("padding", json!("x".repeat(400_000)));
    assert_eq!(Browser::new(&app).get(BEGIN).await.status, 502);
}

#[tokio::test]
async fn the_browser_goes_back_within_this_site() {
    let issuer = issuer();
    let app = issuer.app().set("people.sign_up", "\"open\"").set("sign_in.main.create", "true").start().await;
    let ada = person("1", "ada@example.com");
    for bad in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F.%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "console",
    ] {
        let reply = Browser::new(&app).get(&format!("{BEGIN}?return_to={bad}")).await;
        assert_eq!((reply.status, reply.header("location")), (400, None), "{bad}");
    }
    let mut browser = Browser::new(&app);
    let away = browser.get(&format!("{BEGIN}?return_to=%2Fconsole%3Ftab%3Dkeys")).await.expect(303);
    let back = issuer.authorize(away.header("location").expect("a location"), &ada);
    // A page elsewhere can't change it on the way.
    let reply = browser.get(&format!("{back}&return_to=https%3A%2F%2Fevil.example")).await.expect(303);
    assert_eq!(reply.header("location"), Some("/console?tab=keys"));
    assert_eq!(
        (reply.header("cache-control"), reply.header("referrer-policy")),
        (Some("no-store"), Some("no-referrer"))
    );
    assert!(browser.has_session() && reply.body.is_empty());
    browser.get("/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_person_who_looks_at_it_gets_pages() {
    let issuer = issuer();
    let app = issuer.app().start().await;
    let mut browser = Browser::new(&app);
    let back = browser.set_out(&issuer, &person("<b>1", "ada@example.com")).await;
    let reply = browser.send("GET", &back, Some("text/html,*/*"), None).await.expect(403);
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(reply.text().contains("nobody here has this identity"), "{}", reply.text());
    // The page on which apps ask lists the issuer, and comes back to itself.
    let asked = "/auth?callback_url=https%3A%2F%2Fapp.example%2Fcb&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let page = browser.get(asked).await.expect(200).text();
    assert!(page.contains("Sign in with The lab"), "{page}");
    let link = page.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let away = browser.get(link).await.expect(303);
    assert!(away.header("location").is_some_and(|to| to.starts_with(&issuer.url())));
    let methods = browser.get("/v1/auth/methods").await.expect(200).json();
    let listed = json!([{"id": "main", "name": "The lab", "url": BEGIN}]);
    assert_eq!((&methods["data"]["issuers"], &methods["data"]["sign_up"]), (&listed, &json!("invitation")));
}

#[tokio::test]
async fn trying_is_slowed_down_where_it_comes_from() {
    let issuer = issuer();
    let app = issuer.app().set("people.sign_up", "\"open\"").set("sign_in.main.create", "true").start().await;
    let mut browser = Browser::new(&app);
    let mut statuses = Vec::new();
    for n in 0..30 {
        let reply = browser.get(&format!("{CALLBACK}?state=made-up-{n}&code=x")).await;
        assert_eq!(reply.header("retry-after").is_some(), reply.status == 429, "{}", reply.text());
        statuses.push(reply.status);
    }
    assert!(statuses.iter().take(20).all(|status| *status == 400), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let mut setting_out = Vec::new();
    for _ in 0..10 {
        setting_out.push(browser.get(BEGIN).await.status);
    }
    assert!(setting_out.contains(&429), "{setting_out:?}");
    // Who ends well takes nothing from their place, however often.
    let mut good = Browser::new(&app);
    for _ in 0..25 {
        let reply = good.sign_in(&issuer, &person("1", "ada@example.com")).await;
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
    }
}

#[tokio::test]
async fn no_token_code_or_secret_is_ever_written() {
    let issuer = issuer();
    let builder = issuer.app().set("people.sign_up", "\"open\"").set("sign_in.main.create", "true");
    let mut app = builder.env("TOLLWAY_LOG", "trace").start().await;
    let made = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&made);
    issuer.forge(move |key, claims| {
        let token = key.sign(&key.header(), claims);
        kept.lock().push(token.clone());
        token
    });
    let mut browser = Browser::new(&app);
    let away = browser.get(BEGIN).await.expect(303);
    let cookie = browser.jar["sign-in"].clone();
    let location = away.header("location").expect("a location").to_owned();
    let back = issuer.authorize(&location, &person("1", "ada@example.com"));
    // While it is under way, and after it.
    let reply = browser.get(&back).await.expect(201);
    let session = reply.json()["data"]["token"].as_str().expect("a token").to_owned();
    issuer.forge(|key, claims| format!("{}x", key.sign(&key.header(), claims)));
    Browser::new(&app).sign_in(&issuer, &person("1", "ada@example.com")).await.expect(401);
    let mut waits = Browser::new(&app);
    let under_way = waits.get(BEGIN).await.expect(303).header("location").expect("a location").to_owned();
    let waits = waits.jar["sign-in"].clone();
    app.settled().await;
    app.sigterm();
    app.exited().await;
    let mut searched = vec![("log".to_owned(), app.log().into_bytes())];
    for entry in std::fs::read_dir(app.data_dir()).expect("the data directory").flatten() {
        if entry.path().is_file() {
            searched.push((entry.path().display().to_string(), std::fs::read(entry.path()).expect("a file")));
        }
    }
    let of = |text: &str, name: &str| {
        let found = text.split(&format!("{name}=")).nth(1).and_then(|rest| rest.split('&').next());
        found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    };
    let mut secrets = vec![
        "canary".to_owned(),
        CLIENT_SECRET.to_owned(),
        "canary%3Asecret".to_owned(),
        cookie,
        session,
        waits,
        of(&under_way, "state"),
        of(&under_way, "nonce"),
    ];
    secrets.extend(made.lock().iter().flat_map(|token| token.split('.').skip(1).map(str::to_owned)));
    assert!(secrets.len() > 9);
    for (name, bytes) in &searched {
        let text = String::from_utf8_lossy(bytes);
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} stands in {name}");
        }
    }
    assert!(app.log().contains("an ID token was refused"));
    app.restart().await;
}
