//! Signing in and out, and a new password for who has forgotten theirs.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use store::User;

use super::sign_up::{RESET, email, mailed};
use super::throttle::Who;
use super::{AuthError, Desk, address, me, session};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::mail::{Mail, To};
use crate::router;

/// How long a mailed reset is good for.
const RESET_S: i64 = 3_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    email: String,
    password: String,
    /// Of the second factor.
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    email: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    token: String,
    password: String,
}

/// `POST /v1/auth/sign-in`.
pub(crate) async fn sign_in(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let asked: Asked = desk.body(&body, r#"{"email": "ada@example.com", "password": "..."}"#)?;
    let user = prove(&desk, Some(&asked.email), Some(&asked.password), asked.code.as_deref()).await?;
    welcome(&desk, &user, StatusCode::OK).await
}

/// Who it is that knows a password, and has the second factor where there is one.
pub(super) async fn prove(
    desk: &Desk<'_>,
    address_of: Option<&str>,
    password: Option<&str>,
    code: Option<&str>,
) -> Result<User, GatewayError> {
    // An address that is none has no person: it gets the same answer.
    let email = email(address_of.unwrap_or_default()).map_err(|_| AuthError::Credentials)?;
    let who = Who::new(&email, address(&desk.parts.headers));
    desk.try_once(&who)?;
    let user = desk.store(|gateway| async move { gateway.store.user_by_email(&email).await }).await?;
    let known = user.as_ref().filter(|user| user.disabled.is_none());
    let hash = known.and_then(|user| user.password.as_deref());
    let fits =
        desk.people().passwords.verify(&desk.gateway().control, password.unwrap_or_default(), hash).await?;
    let user = known.filter(|_| fits).ok_or(AuthError::Credentials)?;
    if let Some(factor) = desk.second_factor(user).await? {
        let code = code.ok_or(AuthError::CodeMissing)?;
        desk.take_code(user, &factor, code).await?;
    }
    desk.people().throttle.succeeded(&who);
    Ok(user.clone())
}

/// A session for a person, with what they are.
pub(super) async fn welcome(
    desk: &Desk<'_>,
    user: &User,
    status: StatusCode,
) -> Result<Response<ResponseBody>, GatewayError> {
    let (text, session) = session::begin(desk.worker, desk.parts, user).await?;
    let data = json!({
        "token": text,
        "session": me::session_object(&session, Some(&session.id)),
        "user": me::user_object(user),
    });
    let mut response = router::json(json!({ "data": data }).to_string());
    *response.status_mut() = status;
    let settings = &desk.people().settings;
    session::set_cookie(&mut response, Some(&text), settings.is_secure, settings.session_s);
    Ok(response)
}

/// `POST /v1/auth/sign-out`: ends the session that asks.
pub(crate) async fn sign_out(
    worker: &Arc<Worker>,
    parts: Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let visitor = session::visitor(&parts)?.clone();
    desk.store(|gateway| async move {
        gateway.store.end_sessions(&visitor.user.id, Some(&visitor.session.id)).await
    })
    .await?;
    let mut response = router::json(r#"{"data":{"signed_out":true}}"#);
    session::set_cookie(&mut response, None, desk.people().settings.is_secure, 0);
    Ok(response)
}

/// `POST /v1/auth/reset`: mails a token with which another password can be chosen.
pub(crate) async fn reset(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let asked: Forgotten = desk.body(&body, r#"{"email": "ada@example.com"}"#)?;
    let email = email(&asked.email)?;
    let who = Who::new(&format!("reset {email}"), address(&parts.headers));
    desk.try_once(&who)?;
    let (text, token) =
        mailed(RESET, &email, String::from("{}"), desk.now(), RESET_S).ok_or(GatewayError::Internal)?;
    let known = desk
        .store(|gateway| async move {
            let user = gateway.store.user_by_email(&token.email).await?;
            gateway.store.insert_token(&token).await?;
            Ok(user.is_some_and(|user| user.disabled.is_none()))
        })
        .await?;
    let gateway = desk.gateway();
    // Who has no account here gets no mail: anybody could have it sent to anybody.
    if known {
        let text = format!(
            "Somebody, probably you, wants another password for {0}. Within an hour, choose it here:\n\n  \
             {1}/reset?token={text}\n\nor, without a browser:\n\n  curl {1}/v1/auth/reset/confirm -d \
             '{{\"token\": \"{text}\", \"password\": \"...\"}}'\n\nAll sessions end then. If it was not you, there is \
             nothing to do.",
            gateway.settings.brand.name, gateway.payments.public_url
        );
        let subject = format!("Another password for {}", gateway.settings.brand.name);
        gateway.payments.mailer.send(Mail { to: To::Address(email.clone()), subject, text });
    }
    let mut response = router::json(json!({ "data": { "mailed_to": email } }).to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// `POST /v1/auth/reset/confirm`: the new password; every session of the person ends, and a new one begins.
pub(crate) async fn confirm(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, &parts);
    let chosen: Chosen = desk.body(&body, r#"{"token": "mt_...", "password": "..."}"#)?;
    let who = Who::at(address(&parts.headers));
    desk.try_once(&who)?;
    let hash = desk.people().passwords.take(&desk.gateway().control, &chosen.password, &[]).await?;
    let (email, _) = desk.take(&chosen.token, RESET).await?;
    desk.people().throttle.succeeded(&who);
    let user = desk
        .store(|gateway| async move {
            let Some(user) = gateway.store.user_by_email(&email).await? else { return Ok(None) };
            gateway.store.set_password(&user.id, &hash, None).await?;
            Ok(Some(user).filter(|user| user.disabled.is_none()))
        })
        .await?;
    let user = user.ok_or(AuthError::Token)?;
    if desk.second_factor(&user).await?.is_some() {
        // Who reads the mail alone does not come in.
        return Ok(router::json(r#"{"data":{"changed":true,"second_factor":true}}"#));
    }
    welcome(&desk, &user, StatusCode::OK).await
}
