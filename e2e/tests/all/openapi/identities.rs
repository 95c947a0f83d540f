//! What of identities elsewhere only a browser does: it goes to the issuer and comes back.

use serde_json::json;
use testkit::{Actor, FakeIssuer, Reply};

use super::prepare::{PASSWORD, Shop, text};
use super::team::come_in;
use crate::oidc::{self, Browser, CALLBACK, person, signed_in};
use crate::second_factor::authenticator;

/// The issuer of the shop.
pub(super) fn issuer() -> FakeIssuer {
    oidc::issuer()
}

/// Calls what is at the end of the way, by who walked it.
pub(super) async fn visit(shop: &Shop, name: &str) -> Option<Reply> {
    let (issuer, mut browser) = (&shop.issuer, Browser::new(&shop.app));
    let newcomer = person(name, &format!("{}@example.com", name.len()));
    match name {
        "GET /v1/auth/oidc/{issuer}/callback" => Some(browser.sign_in(issuer, &newcomer).await),
        "POST /v1/auth/oidc/{issuer}/callback" => {
            let session = signed_in(&shop.app, &browser.sign_in(issuer, &newcomer).await);
            let begun = session.post("/v1/auth/totp", &json!({})).await.expect(200).json();
            let now = u64::try_from(e2e::webhooks::now()).expect("after 1970");
            let code = authenticator(&text(&begun, "/data/secret")).generate(now).to_string();
            let confirmed = session.post("/v1/auth/totp/confirm", &json!({ "code": code })).await.expect(200);
            browser.sign_in(issuer, &newcomer).await.expect(401);
            let form = format!("code={}", text(&confirmed.json(), "/data/recovery_codes/0"));
            Some(browser.send("POST", CALLBACK, None, Some(&form)).await)
        }
        _ => None,
    }
}

/// Somebody with a password and an identity, and its id.
pub(super) async fn linked(shop: &Shop) -> (Actor, String) {
    let (somebody, _) = come_in(&shop.app, "linked@example.com", &[]).await;
    let asked = json!({ "issuer": "main", "password": PASSWORD });
    let begun = somebody.post("/v1/auth/identities", &asked).await.expect(200);
    let mut browser = Browser::new(&shop.app);
    browser.keep(&begun);
    let back = shop.issuer.authorize(&text(&begun.json(), "/data/url"), &person("linked", "l@example.com"));
    let linked = browser.get(&back).await.expect(200);
    (somebody, text(&linked.json(), "/data/id"))
}
