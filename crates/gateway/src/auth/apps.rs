//! How an app obtains a key for a person, without ever seeing a password (OAuth 2.0 with PKCE, in OpenRouter's form).
//!
//! 1. The app sends the browser to `/auth?callback_url=…&code_challenge=…&code_challenge_method=S256`: see [`super::consent`]. A person who
//!    is signed in elsewhere can make the code at `POST /v1/auth/keys/code`.
//! 2. The browser comes back to the app with `?code=`, good for ten minutes and once.
//! 3. The app sends the code, and what the challenge was made from, to `POST /v1/auth/keys`, and gets the key.
//!
//! - A callback is `https`, or `http` on this machine (any port). Without one the code is shown on the page, and a challenge is a must.
//! - The key is held by the person, in the organization they chose, within the limits they chose.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use ledger::Period;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::NewKey;
use types::{AccountId, KeyHash, KeyId, Money, Right, Timestamp};
use url::{Host, Url};

use super::{AuthError, Desk, session};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{manager, rfc3339};
use crate::keys::limits::Limits;
use crate::{acts, router};

/// How long a code is good for.
const CODE_S: i64 = 600;
/// Longest label and address.
const LABEL_CHARS_MAX: usize = 100;
const CALLBACK_BYTES_MAX: usize = 2_048;

/// How a challenge was made from its verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Method {
    /// `BASE64URL(SHA256(verifier))`.
    #[default]
    S256,
    /// The verifier itself.
    #[serde(rename = "plain")]
    Plain,
}

impl Method {
    pub(crate) fn named(name: Option<&str>) -> Result<Method, GatewayError> {
        match name {
            None | Some("S256") => Ok(Method::S256),
            Some("plain") => Ok(Method::Plain),
            Some(_) => Err(wrong("`code_challenge_method` is `S256` or `plain`")),
        }
    }
}

/// What a key may do that an app gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Let {
    pub(crate) challenge: Option<String>,
    pub(crate) method: Method,
    /// What the key is called.
    pub(crate) label: String,
    pub(crate) limit: Option<Money>,
    pub(crate) limit_reset: Option<String>,
    /// Microseconds since 1970.
    pub(crate) expires: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedCode {
    callback_url: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    key_label: Option<String>,
    limit: Option<serde_json::Value>,
    usage_limit_type: Option<String>,
    expires_at: Option<String>,
    #[serde(rename = "workspace_id")]
    _workspace: Option<String>,
}

#[derive(Deserialize)]
struct AskedKey {
    code: String,
    code_verifier: Option<String>,
    code_challenge_method: Option<String>,
}

pub(super) fn wrong(why: &str) -> GatewayError {
    GatewayError::InvalidRequest(why.to_owned())
}

/// Where the browser goes back to: a place that only the app reads.
pub(super) fn callback(text: &str) -> Result<Url, GatewayError> {
    let why = "`callback_url` is an https address, or http on this machine, without a user, a password or a fragment";
    let url = Url::parse(text).ok().filter(|_| text.len() <= CALLBACK_BYTES_MAX).ok_or_else(|| wrong(why))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_safe = url.scheme() == "https" && url.host().is_some() || url.scheme() == "http" && is_here;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if is_safe && is_plain { Ok(url) } else { Err(wrong(why)) }
}

/// A challenge as both methods make it: 43 to 128 of the letters that addresses take.
pub(super) fn challenge(text: Option<String>) -> Result<Option<String>, GatewayError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let fits = (43..=128).contains(&text.len()) && text.bytes().all(plain);
    fits.then_some(Some(text))
        .ok_or_else(|| wrong("`code_challenge` has 43 to 128 of A-Z, a-z, 0-9, `-`, `.`, `_` and `~`"))
}

pub(super) fn label(given: Option<&str>, app: Option<&Url>) -> Result<String, GatewayError> {
    let host = app.and_then(Url::host_str).unwrap_or("an app");
    let label = given.map(str::trim).filter(|label| !label.is_empty()).unwrap_or(host);
    if label.chars().count() > LABEL_CHARS_MAX || label.chars().any(char::is_control) {
        return Err(wrong("`key_label` has at most 100 characters, none of them a control character"));
    }
    Ok(label.to_owned())
}

/// `daily`, `weekly`, `monthly`, or nothing for a limit in all.
pub(super) fn reset(name: Option<&str>) -> Result<Option<String>, GatewayError> {
    let Some(name) = name.filter(|name| !name.is_empty() && *name != "total") else { return Ok(None) };
    let known = ["daily", "weekly", "monthly"].contains(&name);
    known.then(|| Some(name.to_owned())).ok_or_else(|| wrong("the limit counts daily, weekly or monthly"))
}

pub(super) fn limit(text: &str) -> Result<Money, GatewayError> {
    let money = text.trim().parse::<Money>().ok().filter(|money| !money.is_negative());
    money.ok_or_else(|| wrong("`limit` is an amount in USD, such as 10 or 2.50"))
}

/// Keeps a code, and gives its text.
pub(super) async fn keep(
    desk: &Desk<'_>,
    account: AccountId,
    user: String,
    allowed: &Let,
) -> Result<String, GatewayError> {
    let text = session::new_text().ok_or(GatewayError::Internal)?.replacen("st_", "ac_", 1);
    let body = serde_json::to_string(allowed).map_err(|_| GatewayError::Internal)?;
    let (hash, now) = (KeyHash::of(&text), desk.now());
    let times = (now, Timestamp::from_seconds(now.seconds() + CODE_S));
    desk.store(|gateway| async move {
        gateway.store.insert_app_code(&hash, (&account, &user), &body, times).await
    })
    .await?;
    Ok(text)
}

/// `POST /v1/auth/keys/code`: a code for an app, by who is signed in.
pub(super) async fn code(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let own = manager(parts)?;
    let holder = own.rules.holder.clone().filter(|holder| holder.starts_with("usr_"));
    let user = holder
        .ok_or_else(|| wrong("a person lets an app in: use a session, or a management key of theirs"))?;
    let asked: AskedCode =
        desk.body(&body, r#"{"callback_url": "https://app.example/cb", "code_challenge": "..."}"#)?;
    let app = asked.callback_url.as_deref().map(callback).transpose()?;
    let challenge = challenge(asked.code_challenge)?;
    if app.is_none() && challenge.is_none() {
        return Err(wrong("without a `callback_url` a `code_challenge` is a must"));
    }
    let expires = asked.expires_at.as_deref().map(|text| {
        let at = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond);
        at.filter(|at| *at > desk.now().micros())
            .ok_or_else(|| wrong("`expires_at` is an instant to come, such as 2030-01-31T12:00:00Z"))
    });
    let amount = asked.limit.as_ref().filter(|limit| !limit.is_null());
    let amount = amount.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let allowed = Let {
        challenge,
        method: Method::named(asked.code_challenge_method.as_deref())?,
        label: label(asked.key_label.as_deref(), app.as_ref())?,
        limit: amount.as_deref().map(limit).transpose()?,
        limit_reset: reset(asked.usage_limit_type.as_deref())?,
        expires: expires.transpose()?,
    };
    let text = keep(&desk, own.account.id.clone(), user, &allowed).await?;
    let data = json!({
        "id": text,
        "app_id": app.as_ref().and_then(Url::host_str),
        "created_at": rfc3339(desk.now()),
    });
    Ok(router::json(json!({ "data": data }).to_string()))
}

/// Whether a verifier is what the challenge was made from.
fn proves(allowed: &Let, verifier: Option<&str>) -> bool {
    let Some(challenge) = &allowed.challenge else { return true };
    let made = match (verifier, allowed.method) {
        (None, _) => return false,
        (Some(verifier), Method::Plain) => verifier.to_owned(),
        (Some(verifier), Method::S256) => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)),
    };
    made == *challenge
}

/// `POST /v1/auth/keys` `{"code", "code_verifier"}`: the key, once.
pub(super) async fn exchange(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let asked: AskedKey = desk.body(&body, r#"{"code": "ac_...", "code_verifier": "..."}"#)?;
    let method = asked.code_challenge_method.as_deref();
    let method = method.map(|name| Method::named(Some(name))).transpose()?;
    let hash = KeyHash::of(asked.code.trim());
    // Taken before it is looked at: whoever guesses at a verifier has one try.
    let taken = desk.store(|gateway| async move { gateway.store.take_app_code(&hash).await }).await?;
    let (account, user, expires, body) = taken.ok_or(AuthError::AppCode)?;
    let now = desk.now();
    let allowed: Let = serde_json::from_str(&body).map_err(|_| GatewayError::Internal)?;
    let fits = method.is_none_or(|method| method == allowed.method);
    if now >= expires || !fits || !proves(&allowed, asked.code_verifier.as_deref()) {
        return Err(AuthError::AppCode.into());
    }
    let (own, holder) = (account.clone(), user.clone());
    let role = desk.store(|gateway| async move { gateway.store.role(&own, &holder).await }).await?;
    // Whoever let the app in may have left since.
    role.filter(|role| role.may(Right::Build)).ok_or(AuthError::AppCode)?;
    let text = worker.new_key_text().ok_or(GatewayError::Internal)?;
    let period = allowed.limit_reset.as_deref().and_then(Period::from_name);
    let limits = Limits { limit_reset: period.unwrap_or(Period::Total), ..Limits::default() };
    let new = NewKey {
        id: worker.new_id("key").map(KeyId::new).ok_or(GatewayError::Internal)?,
        account,
        hash: text.hash(),
        label: text.label(),
        name: allowed.label,
        management: false,
        spend_limit: allowed.limit,
        expires: allowed.expires.map(Timestamp),
        requests_per_minute: None,
        concurrency: None,
        created: now,
        project: None,
        rules: limits.write(),
        holder: Some(user.clone()),
        role: None,
    };
    let act = store::Act {
        at: now,
        account: new.account.clone(),
        actor: user.clone(),
        action: String::from("POST /v1/auth/keys"),
        object: new.hash.to_hex(),
        address: super::address(&parts.headers).map_or_else(String::new, |address| address.to_string()),
        status: 200,
        detail: json!({ "name": new.name, "limit": new.spend_limit }).to_string(),
    };
    desk.write(|gateway| async move { gateway.store.insert_key(&new).await }).await?;
    acts::note(worker, act).await;
    Ok(router::json(json!({ "key": text.expose(), "user_id": user }).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_leads_to_the_app_alone() {
        for good in [
            "https://app.example/cb?x=1",
            "http://localhost:3000/cb",
            "http://127.0.0.1:9/",
            "http://[::1]:9/cb",
        ] {
            assert!(callback(good).is_ok(), "{good}");
        }
        for bad in [
            "http://app.example/cb",
            "https://user@app.example/",
            "https://u:p@app.example/",
            "https://app.example/#x",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "//app.example/cb",
            "app.example",
            "",
        ] {
            assert!(callback(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_verifier_proves_its_challenge_and_no_other() {
        // The example of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let made = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        let s256 = Let { challenge: made.clone(), ..Let::default() };
        assert!(proves(&s256, Some(verifier)));
        assert!(!proves(&s256, Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")) && !proves(&s256, None));
        let plain = Let { challenge: made, method: Method::Plain, ..Let::default() };
        assert!(
            proves(&plain, Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
                && !proves(&plain, Some(verifier))
        );
        assert!(proves(&Let::default(), None), "none was asked for");
        assert!(challenge(Some("short".to_owned())).is_err());
        assert!(matches!(challenge(Some(String::new())), Ok(None)));
    }
}
