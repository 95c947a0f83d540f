//! `/console/account`: how somebody signs in, from where, and what is kept of them.

mod factor;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Refused, Signed, segment};
use crate::format::Shown;
use crate::shell::{self, Failed};

pub(crate) const PATH: &str = "/console/account";

const DONE: [(&str, &str); 6] = [
    ("password", "Your password is changed. All other sessions have ended."),
    ("ended", "The session has ended."),
    ("unlinked", "The identity is taken away. Sessions go on."),
    ("linked", "The identity is linked."),
    ("factor-ended", "The second factor has ended. The password alone signs in again."),
    ("factor", "The second factor is in force. All other sessions have ended."),
];

#[derive(Deserialize)]
struct Session {
    id: String,
    current: bool,
    created_at: String,
    seen_at: String,
    expires_at: String,
    address: String,
    agent: String,
}

#[derive(Deserialize)]
struct Identity {
    id: String,
    issuer: Option<String>,
    issuer_url: String,
    email: Option<String>,
    created_at: String,
}

#[derive(Deserialize)]
struct Issuer {
    id: String,
    name: String,
}

#[derive(Default, Deserialize)]
struct Ways {
    #[serde(default)]
    issuers: Vec<Issuer>,
}

#[derive(Default, Deserialize)]
struct Factor {
    enabled: bool,
    recovery_codes_left: u64,
}

/// A session for people.
struct Place {
    id: String,
    is_current: bool,
    agent: String,
    address: String,
    began: Shown,
    seen: Shown,
    ends: Shown,
}

/// An identity for people.
struct Elsewhere {
    id: String,
    issuer: String,
    email: String,
    since: Shown,
}

#[derive(Template)]
#[template(path = "console/account.html")]
struct Account {
    shell: Frame,
    email: String,
    name: String,
    is_operator: bool,
    factor: Factor,
    places: Vec<Place>,
    elsewhere: Vec<Elsewhere>,
    issuers: Vec<Issuer>,
}

/// Where somebody goes on to who links an identity: another site, so a link and no redirect.
#[derive(Template)]
#[template(path = "console/account_go.html")]
struct Go {
    shell: Frame,
    name: String,
    url: String,
}

/// `GET /console/account`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let sessions: Vec<Session> = signed.get("/v1/auth/sessions").await?;
    let factor: Factor = signed.get("/v1/auth/totp").await?;
    let identities: Vec<Identity> = signed.get("/v1/auth/identities").await?;
    let ways: Ways = signed.ask("/v1/auth/methods").await.unwrap_or_default();
    let place = |session: Session| Place {
        id: session.id,
        is_current: session.current,
        agent: session.agent,
        address: session.address,
        began: amount::instant(&session.created_at),
        seen: amount::instant(&session.seen_at),
        ends: amount::instant(&session.expires_at),
    };
    let elsewhere = |identity: Identity| Elsewhere {
        id: identity.id,
        issuer: identity.issuer.unwrap_or(identity.issuer_url),
        email: identity.email.unwrap_or_default(),
        since: amount::day(&identity.created_at),
    };
    let user = &signed.me.user;
    let page = Account {
        shell: Frame::of(signed, "Account", PATH).told(signed, &DONE).again(&again),
        email: user.email.clone(),
        name: user.name.clone().unwrap_or_default(),
        is_operator: user.is_operator,
        factor,
        places: sessions.into_iter().map(place).collect(),
        elsewhere: identities.into_iter().map(elsewhere).collect(),
        issuers: ways.issuers,
    };
    Ok(again.answer(&page))
}

async fn again(signed: &Signed, refused: &Refused) -> Result<Response, Failed> {
    let again = match &*refused.kind {
        "invalid_credentials" => Again::saying(None, refused, "The password is wrong."),
        _ => Again::refused(None, refused),
    };
    page(signed, again).await
}

/// What a form typed besides its password.
fn secrets(form: &Form) -> Value {
    let mut body = serde_json::Map::new();
    for name in ["password", "code"] {
        if let Some(text) = form.raw(name).filter(|text| !text.is_empty()) {
            body.insert(name.to_owned(), text.into());
        }
    }
    Value::Object(body)
}

/// `POST /console/account`. Nothing of it is shown at the foot: all of it has secrets.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let named = segment(form.text("id").unwrap_or("-"));
    match form.text("act").unwrap_or_default() {
        "password" => {
            let body = json!({ "current": form.raw("current"), "password": form.raw("password") });
            let sent = signed.send_unseen(Method::POST, "/v1/auth/password", Some(&body)).await;
            end(&signed, sent, "password").await
        }
        "end" => {
            let path = format!("/v1/auth/sessions/{named}");
            end(&signed, signed.send_unseen(Method::DELETE, &path, None).await, "ended").await
        }
        "end-all" => match signed.send_unseen(Method::DELETE, "/v1/auth/sessions", None).await {
            Ok(_) => Ok(done("/sign-in?done=signed-out")),
            Err(refused) => again(&signed, &refused).await,
        },
        "unlink" => {
            let path = format!("/v1/auth/identities/{named}");
            let sent = signed.send_unseen(Method::DELETE, &path, Some(&secrets(&form))).await;
            end(&signed, sent, "unlinked").await
        }
        "link" => link(&signed, &form).await,
        "factor-begin" => factor::begin(&signed, &form).await,
        "factor-confirm" => factor::confirm(&signed, &form).await,
        "factor-renew" => factor::renew(&signed, &form).await,
        "factor-end" => {
            let sent = signed.send_unseen(Method::DELETE, "/v1/auth/totp", Some(&secrets(&form))).await;
            end(&signed, sent, "factor-ended").await
        }
        "erase" => erase(&signed, &form).await,
        _ => page(&signed, Again::wrong(None, "The form asked for nothing.")).await,
    }
}

async fn end(signed: &Signed, sent: Result<Value, Refused>, word: &str) -> Result<Response, Failed> {
    match sent {
        Ok(_) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => again(signed, &refused).await,
    }
}

async fn link(signed: &Signed, form: &Form) -> Result<Response, Failed> {
    let mut body = secrets(form);
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("issuer"), form.text("issuer").into());
        body.insert(String::from("return_to"), format!("{PATH}?done=linked").into());
    }
    let reply = signed.calls.call_unseen(Method::POST, "/v1/auth/identities", Some(body.to_string())).await;
    match reply.read::<Value>() {
        Ok(answer) => {
            let url = answer.pointer("/data/url").and_then(Value::as_str).unwrap_or_default().to_owned();
            let name = form.again("issuer");
            let page = Go { shell: Frame::of(signed, "Link an identity", PATH), name, url };
            let mut response = Again::default().answer(&page);
            // The way out and back is tied to this browser by a cookie.
            reply.pass_cookies(&mut response);
            Ok(response)
        }
        Err(refused) => again(signed, &refused).await,
    }
}

async fn erase(signed: &Signed, form: &Form) -> Result<Response, Failed> {
    if form.text("email") != Some(signed.me.user.email.as_str()) {
        return page(signed, Again::wrong(None, "That is not your address. Nothing was erased.")).await;
    }
    let mut body = secrets(form);
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("forfeit_balance"), form.has("forfeit").into());
    }
    let reply = signed.calls.call_unseen(Method::DELETE, "/v1/auth/me", Some(body.to_string())).await;
    match reply.read::<Value>() {
        Ok(_) => {
            let mut response = shell::private(done("/sign-in?done=signed-out"));
            reply.pass_cookies(&mut response);
            Ok(response)
        }
        Err(refused) => again(signed, &refused).await,
    }
}

#[cfg(test)]
mod tests;
