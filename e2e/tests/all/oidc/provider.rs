//! Against `oidc-provider`, an issuer that others wrote, through its own pages for signing in and consent: with every way to sign that both
//! know, and with a client that has no secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use e2e::programs::{Server, file, node_dir};
use serde_json::json;
use testkit::http::Client;
use testkit::{AppBuilder, Reply, TestApp};
use url::Url;

use super::{BEGIN, Browser, kind, refusal, signed_in};
use crate::people::newcomer;

/// Where the server under test says that it is.
const PUBLIC: &str = "http://tollway.test";
/// Its clients there, each with another algorithm; the last has no secret.
const CLIENTS: usize = 4;

struct Provider {
    _server: Server,
    _folder: tempfile::TempDir,
    addr: SocketAddr,
}

impl Provider {
    async fn start() -> Provider {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let addr = testkit::upstream::refused_addr();
        let back = format!("{PUBLIC}/v1/auth/oidc/main/callback");
        let mut command = Command::new("node");
        command.arg(file("clients/oidc_provider.mjs")).env("NODE_DIR", node_dir());
        command.env("PORT", addr.port().to_string()).env("REDIRECT_URIS", vec![back; CLIENTS].join(","));
        let server = Server::start(command, &folder.path().join("log"));
        testkit::eventually("the issuer to listen", || async {
            Client::new(addr).get("/.well-known/openid-configuration").try_send().await.ok().map(drop)
        })
        .await;
        Provider { _server: server, _folder: folder, addr }
    }

    /// A server that is its client of that number.
    fn app(&self, client: usize) -> AppBuilder {
        let app = TestApp::builder()
            .set("server.public_url", &format!("{PUBLIC:?}"))
            .set("server.trusted_proxies", "[\"127.0.0.1\"]")
            .set("sign_in.main.issuer", &format!("\"http://{}\"", self.addr))
            .set("sign_in.main.client_id", &format!("\"client-{client}\""));
        match client + 1 < CLIENTS {
            true => app.set("sign_in.main.client_secret", "\"a secret: 100% + more\""),
            false => app,
        }
    }
}

/// A browser at the provider: its cookies there.
struct There<'a> {
    provider: &'a Provider,
    jar: BTreeMap<String, String>,
    pages: usize,
}

impl There<'_> {
    fn new(provider: &Provider) -> There<'_> {
        There { provider, jar: BTreeMap::new(), pages: 0 }
    }

    async fn send(&mut self, url: &Url, form: Option<&str>) -> Reply {
        let path =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let client = Client::new(self.provider.addr);
        let cookies = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let mut request = client.request(if form.is_some() { "POST" } else { "GET" }, &path);
        request = request.header("cookie", &cookies.join("; ")).header("connection", "close");
        if let Some(form) = form {
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        }
        let reply = request.send().await;
        for (_, line) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            match value.is_empty() {
                true => self.jar.remove(name),
                false => self.jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        reply
    }

    /// Goes from page to page as NAME until the provider sends the browser back; the path that it is sent to.
    async fn walk(&mut self, location: &str, name: &str) -> String {
        let mut url = Url::parse(location).expect("an address");
        let mut form: Option<String> = None;
        for _ in 0..12 {
            let reply = self.send(&url, form.take().as_deref()).await;
            if let Some(to) = reply.header("location") {
                url = url.join(to).expect("an address");
                if url.as_str().starts_with(PUBLIC) {
                    return format!("{}?{}", url.path(), url.query().unwrap_or_default());
                }
                continue;
            }
            assert_eq!(reply.status, 200, "{}", reply.text());
            let page = reply.text();
            let action =
                page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
            url = url.join(action).expect("an address");
            let login = format!("prompt=login&login={name}&password=anything");
            form = Some(if page.contains("value=\"login\"") { login } else { "prompt=consent".to_owned() });
            self.pages += 1;
        }
        panic!("the provider never sent the browser back");
    }
}

/// There as NAME, and back.
async fn sign_in(app: &TestApp, there: &mut There<'_>, name: &str) -> Reply {
    let mut browser = Browser::new(app);
    let away = browser.get(BEGIN).await.expect(303);
    let back = there.walk(away.header("location").expect("a location"), name).await;
    browser.get(&back).await
}

#[tokio::test]
async fn the_whole_way_at_a_real_issuer() {
    let provider = Provider::start().await;
    for client in 0..CLIENTS {
        let app = provider.app(client).set("people.sign_up", "\"open\"").set("sign_in.main.create", "true");
        let app = app.start().await;
        // Somebody new: pages for signing in and for consent.
        let mut there = There::new(&provider);
        let reply = sign_in(&app, &mut there, "ada").await;
        assert_eq!(reply.status, 201, "client {client}: {}", reply.text());
        assert_eq!(there.pages, 2);
        let ada = signed_in(&app, &reply);
        let me = ada.get("/v1/auth/me").await.expect(200).json()["data"]["user"].clone();
        assert_eq!((&me["email"], &me["name"]), (&json!("ada@example.com"), &json!("The one called ada")));
        ada.post("/v1/keys", &json!({"name": "mine"})).await.expect(201);
        // They come again, in a browser that is signed in there already.
        let again = sign_in(&app, &mut there, "nobody is asked").await.expect(200);
        assert_eq!(again.json()["data"]["user"]["id"], me["id"]);
        // And in another one.
        let again = sign_in(&app, &mut There::new(&provider), "ada").await.expect(200);
        assert_eq!(again.json()["data"]["user"]["id"], me["id"]);
        let unproven = sign_in(&app, &mut There::new(&provider), "unproven-eve").await;
        assert_eq!(kind(&unproven), refusal(403, "email_unproven"));
    }
}

#[tokio::test]
async fn people_who_are_here_and_closed_doors_at_a_real_issuer() {
    let provider = Provider::start().await;
    let app = provider.app(0).set("people.sign_up", "\"open\"").set("sign_in.main.link_by_email", "true");
    let app = app.start().await;
    let (_, ada) = newcomer(&app, "ada@example.com").await;
    let reply = sign_in(&app, &mut There::new(&provider), "ada").await.expect(200);
    assert_eq!(reply.json()["data"]["user"]["id"], ada["id"], "linked by a proven address");
    let stranger = sign_in(&app, &mut There::new(&provider), "bob").await;
    assert_eq!(kind(&stranger), refusal(403, "identity_unknown"));
    let closed = provider.app(0).set("people.sign_up", "\"closed\"").set("sign_in.main.create", "true");
    let closed = closed.start().await;
    let refused = sign_in(&closed, &mut There::new(&provider), "bob").await;
    assert_eq!(kind(&refused), refusal(403, "identity_unknown"));
    // What a browser brings back belongs to this server's question alone.
    let mut browser = Browser::new(&app);
    let away = browser.get(BEGIN).await.expect(303);
    let back = There::new(&provider).walk(away.header("location").expect("a location"), "ada").await;
    let mut other = Browser::new(&closed);
    other.get(BEGIN).await.expect(303);
    assert_eq!(kind(&other.get(&back).await), refusal(400, "sign_in_invalid"));
    let reply = browser.get(&back).await.expect(200);
    assert_eq!(reply.json()["data"]["user"]["id"], ada["id"]);
    assert_eq!(kind(&browser.get(&back).await), refusal(400, "sign_in_invalid"));
}
