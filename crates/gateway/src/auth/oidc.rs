//! Signing in with an identity that people have elsewhere: OpenID Connect, the code flow with PKCE, at any issuer that the operator
//! configures (`[sign_in.<slug>]`).
//!
//! 1. `GET /v1/auth/oidc/{issuer}` sends the browser to the issuer, tied to it by a cookie: [`state`].
//! 2. The issuer sends it back to `.../callback` with a code, which becomes an ID token at the issuer: [`exchange`], held against the
//!    issuer's keys and our own question: [`token`].
//! 3. Whose identity it is, [`people`] decides; a person with a second factor is asked for it, however they come in.
//!
//! An identity is issuer and subject. An address only says whose it could be, and only who may believe it: see [`people`].

pub(super) mod callback;
mod exchange;
pub(super) mod identities;
pub mod issuer;
mod keys;
mod people;
mod state;
mod token;

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

pub use self::issuer::{Issuer, IssuerSettings};
use self::state::{Browser, GOOD_S, Waiting};
pub use self::token::Refusal;
use super::throttle::Who;
use super::{AuthError, Desk, address};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;

impl<'a> Desk<'a> {
    /// The issuer that the path names.
    fn issuer(&self) -> Result<&'a Issuer, GatewayError> {
        self.issuer_named(&self.segment("oidc"))
    }

    fn issuer_named(&self, slug: &str) -> Result<&'a Issuer, GatewayError> {
        let issuers = &self.gateway().people.issuers;
        Ok(issuers.iter().find(|one| one.settings.slug == slug).ok_or(AuthError::IssuerUnknown)?)
    }

    /// Where an issuer sends the browser back to.
    fn callback_url(&self, issuer: &Issuer) -> String {
        format!("{}/v1/auth/oidc/{}/callback", self.gateway().payments.public_url, issuer.settings.slug)
    }

    /// A value of the query.
    fn asked(&self, name: &str) -> Option<String> {
        router::query(self.parts).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// `GET /v1/auth/methods`: how people come in here.
pub(super) fn methods(worker: &Arc<Worker>) -> Response<ResponseBody> {
    let people = &worker.gateway.people;
    let issuers = people.issuers.iter().map(|issuer| {
        let slug = &issuer.settings.slug;
        json!({ "id": slug, "name": issuer.settings.name, "url": format!("/v1/auth/oidc/{slug}") })
    });
    let data = json!({
        "password": true,
        "sign_up": people.settings.sign_up.name(),
        "issuers": issuers.collect::<Vec<Value>>(),
    });
    router::json(json!({ "data": data }).to_string())
}

/// `GET /v1/auth/oidc/{issuer}`: to the issuer.
pub(super) async fn begin(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let issuer = desk.issuer()?;
    let return_to = desk.asked("return_to").map(|to| state::return_to(&to)).transpose()?;
    // Given back when it ends well.
    desk.try_once(&Who::at(address(&parts.headers)))?;
    let (url, browser) = set_out(&desk, issuer, &Waiting::Away { return_to, link: None }).await?;
    let mut response = redirect(url.as_str());
    browser.set_cookie(&mut response, desk.people().settings.is_secure, GOOD_S);
    Ok(response)
}

/// Begins the way: where the browser goes, and the browser.
async fn set_out(
    desk: &Desk<'_>,
    issuer: &Issuer,
    waiting: &Waiting,
) -> Result<(Url, Browser), GatewayError> {
    let settings = &issuer.settings;
    let metadata = issuer.metadata(desk.now()).await;
    let metadata = metadata.map_err(|why| exchange::Unable::from(why).told(settings))?;
    let (browser, state) = state::begin(desk, &settings.slug, waiting).await?;
    let mut url = metadata.authorization_endpoint.0.clone();
    let scopes = settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
    let scopes: Vec<&str> = std::iter::once("openid").chain(scopes).collect();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", &desk.callback_url(issuer))
        .append_pair("scope", &scopes.join(" "))
        .append_pair("state", &state)
        .append_pair("nonce", &browser.nonce(&state))
        .append_pair("code_challenge", &browser.challenge(&state))
        .append_pair("code_challenge_method", "S256");
    Ok((url, browser))
}

/// Elsewhere, without a word of where from: addresses on this way hold codes.
fn redirect(to: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    keep_quiet(&mut response);
    response
}

/// What is answered on this way is kept by nobody, and the address of it told to nobody.
fn keep_quiet(response: &mut Response<ResponseBody>) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}
