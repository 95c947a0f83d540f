//! `/v1/auth/identities`: one's own identities elsewhere; another one, by who is signed in; and their end.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Identity;

use super::set_out;
use super::state::{self, GOOD_S, Waiting};
use crate::app::Worker;
use crate::auth::{AuthError, Desk, session};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    issuer: String,
    password: Option<String>,
    return_to: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    password: Option<String>,
}

/// An identity, as its person sees it.
pub(super) fn identity_object(desk: &Desk<'_>, identity: &Identity) -> Value {
    let issuers = &desk.gateway().people.issuers;
    let known = issuers.iter().find(|one| one.settings.issuer == identity.issuer);
    json!({
        "id": identity.id,
        // None: the operator took the issuer out, and nobody comes in with it.
        "issuer": known.map(|one| one.settings.slug.as_str()),
        "issuer_url": identity.issuer,
        "subject": identity.subject,
        "email": Some(identity.email.as_str()).filter(|email| !email.is_empty()),
        "created_at": rfc3339(identity.created),
        "used_at": rfc3339(identity.used),
    })
}

/// `GET`: all of them.
pub(in crate::auth) async fn list(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.id.clone();
    let all = desk.store(|gateway| async move { gateway.store.identities(&user).await }).await?;
    let objects: Vec<Value> = all.iter().map(|one| identity_object(&desk, one)).collect();
    Ok(router::json(json!({ "data": objects }).to_string()))
}

/// `POST` `{"issuer", "password"}`: where the browser that asks goes to show another one.
pub(in crate::auth) async fn begin(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?.clone();
    let asked: Asked = desk.body(&body, r#"{"issuer": "google", "password": "..."}"#)?;
    let issuer = desk.issuer_named(&asked.issuer)?;
    let return_to = asked.return_to.as_deref().map(state::return_to).transpose()?;
    let who = desk.check_self(&visitor, asked.password.as_deref()).await?;
    desk.people().throttle.succeeded(&who);
    let waiting = Waiting::Away { return_to, link: Some((visitor.user.id, visitor.session.id)) };
    let (url, browser) = set_out(&desk, issuer, &waiting).await?;
    let mut response = router::json(json!({ "data": { "url": url.as_str() } }).to_string());
    browser.set_cookie(&mut response, desk.people().settings.is_secure, GOOD_S);
    Ok(response)
}

/// `DELETE .../{id}` `{"password"}`: nobody comes in with it any more. The last way in stays.
pub(in crate::auth) async fn end(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?.clone();
    let proof = match parts.headers.contains_key(http::header::CONTENT_TYPE) {
        true => desk.body(&body, r#"{"password": "..."}"#)?,
        false => Proof::default(),
    };
    let who = desk.check_self(&visitor, proof.password.as_deref()).await?;
    desk.people().throttle.succeeded(&who);
    let issuers = desk.gateway().people.issuers.iter().map(|one| one.settings.issuer.clone());
    let (issuers, id): (Vec<String>, String) = (issuers.collect(), desk.segment("identities"));
    let ended = desk
        .store(|gateway| async move { gateway.store.unlink_identity(&visitor.user.id, &id, &issuers).await })
        .await?;
    match ended {
        true => Ok(router::json(r#"{"data":{"ended":true}}"#)),
        false => Err(AuthError::LastWayIn.into()),
    }
}
