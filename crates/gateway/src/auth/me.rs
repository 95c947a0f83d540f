//! `/v1/auth/me`, one's own sessions and password.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Session, User};

use super::{Desk, session};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    current: String,
    password: String,
}

/// A person, as they and the operator see them.
pub fn user_object(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "account": user.account,
        "is_operator": user.is_operator,
        "created_at": rfc3339(user.created),
        "disabled_at": user.disabled.map(rfc3339),
    })
}

/// A session, as its person sees it.
pub(super) fn session_object(session: &Session, own: Option<&str>) -> Value {
    json!({
        "id": session.id,
        "current": own == Some(session.id.as_str()),
        "created_at": rfc3339(session.created),
        "seen_at": rfc3339(session.seen),
        "expires_at": rfc3339(session.expires),
        "address": session.address,
        "agent": session.agent,
    })
}

/// `GET /v1/auth/me`.
pub(crate) fn show(parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let visitor = session::visitor(parts)?;
    let session = session_object(&visitor.session, Some(&visitor.session.id));
    let organization = json!({ "id": visitor.key.account.id, "role": visitor.role.name() });
    let data =
        json!({ "user": user_object(&visitor.user), "session": session, "organization": organization });
    Ok(router::json(json!({ "data": data }).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    name: String,
}

/// `PATCH /v1/auth/me`: another name. The address stays: it is what sign-in, mails and invitations go by.
pub(crate) async fn rename(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let visitor = session::visitor(&parts)?;
    let asked: Rename = desk.body(&body, r#"{"name": "Ada Lovelace"}"#)?;
    let user = User { name: asked.name.trim().to_owned(), ..visitor.user.clone() };
    let (id, name) = (user.id.clone(), user.name.clone());
    desk.store(|gateway| async move { gateway.store.set_name(&id, &name).await }).await?;
    Ok(router::json(json!({ "data": user_object(&user) }).to_string()))
}

/// `GET /v1/auth/sessions`.
pub(crate) async fn sessions(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?;
    let (user, now) = (visitor.user.id.clone(), desk.now());
    let all = desk.store(|gateway| async move { gateway.store.sessions(&user, now).await }).await?;
    let own = Some(visitor.session.id.as_str());
    let objects: Vec<Value> = all.iter().map(|session| session_object(session, own)).collect();
    Ok(router::json(json!({ "data": objects }).to_string()))
}

/// `DELETE /v1/auth/sessions/{id}`, or all of them.
pub(crate) async fn end(
    worker: &Arc<Worker>,
    parts: &Parts,
    all: bool,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.id.clone();
    let named = parts.uri.path().rsplit('/').next().filter(|_| !all).map(str::to_owned);
    let ended = desk
        .store(|gateway| async move { gateway.store.end_sessions(&user, named.as_deref()).await })
        .await?;
    match ended {
        0 => Err(GatewayError::NotFound(String::from("no session of yours has that id"))),
        ended => Ok(router::json(json!({ "data": { "ended": ended } }).to_string())),
    }
}

/// `POST /v1/auth/password`: another one, by who knows the present one. The other sessions end.
pub(crate) async fn password(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let visitor = session::visitor(&parts)?.clone();
    let change: Change = desk.body(&body, r#"{"current": "...", "password": "..."}"#)?;
    let who = desk.check_password(&visitor.user, &change.current).await?;
    desk.people().throttle.succeeded(&who);
    let own = [visitor.user.email.as_str(), visitor.user.name.as_str()];
    let hash = desk.people().passwords.take(&desk.gateway().control, &change.password, &own).await?;
    desk.store(|gateway| async move {
        gateway.store.set_password(&visitor.user.id, &hash, Some(&visitor.session.id)).await
    })
    .await?;
    Ok(router::json(r#"{"data":{"changed":true}}"#))
}
