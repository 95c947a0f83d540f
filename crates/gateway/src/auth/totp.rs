//! `/v1/auth/totp`: a second factor beside the password, by an authenticator app (RFC 6238: SHA-1, six digits, 30 s), and codes for who has
//! lost it.
//!
//! - The secret is sealed like provider keys. It is in force when a first code of it was shown.
//! - A code is good for its own step, the one before and the one after, and once. A wrong one counts as a wrong password.
//! - Setting up and ending take the password again, or a session that has only begun where there is none; ending takes a code, too. Putting it in force ends all other sessions.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use store::{SecondFactor, User};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use types::{ExposeSecret, KeyHash, SecretString};

use super::session::Visitor;
use super::throttle::Who;
use super::{AuthError, Desk, address, session};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::byok::seal::Bound;
use crate::error::GatewayError;
use crate::router;

/// Bytes of a secret: as many as its hash has.
const SECRET_BYTES: usize = 20;
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
const STEP_S: u64 = 30;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithPassword {
    password: Option<String>,
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithCode {
    code: String,
}

fn bound(user: &str) -> Bound<'_> {
    Bound { id: user, account: user, provider: "second factor", base_url: None }
}

fn authenticator(secret: Secret, brand: &str, email: &str) -> Option<Totp> {
    // A colon parts the two in what authenticators read.
    let plain = |text: &str| text.replace(':', " ");
    let builder = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(STEP_S)
        .with_secret(secret)
        .with_account_name(plain(email))
        .with_issuer(Some(plain(brand)));
    builder.build().ok()
}

impl Desk<'_> {
    /// A person's second factor, where one is in force.
    pub(super) async fn second_factor(&self, user: &User) -> Result<Option<SecondFactor>, GatewayError> {
        let id = user.id.clone();
        let found = self.store(|gateway| async move { gateway.store.second_factor(&id).await }).await?;
        Ok(found.filter(|factor| factor.confirmed.is_some()))
    }

    /// Takes a code of a second factor, or a recovery code.
    pub(super) async fn take_code(
        &self,
        user: &User,
        factor: &SecondFactor,
        code: &str,
    ) -> Result<(), GatewayError> {
        let id = user.id.clone();
        let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        if code.len() != 6 {
            let hash = recovery_hash(&user.id, &code);
            let taken =
                self.store(|gateway| async move { gateway.store.take_recovery_code(&id, &hash).await });
            return if taken.await? { Ok(()) } else { Err(AuthError::Code.into()) };
        }
        let step = self.step_of(user, factor, &code).ok_or(AuthError::Code)?;
        let taken = self.store(|gateway| async move { gateway.store.take_step(&id, step).await }).await?;
        if taken { Ok(()) } else { Err(AuthError::Code.into()) }
    }

    /// The step whose code it is.
    fn step_of(&self, user: &User, factor: &SecondFactor, code: &str) -> Option<i64> {
        let masters = self.gateway().byok.masters();
        let opened = masters.open(&bound(&user.id), &factor.sealed, &factor.master);
        let text =
            opened.inspect_err(|error| tracing::error!(%error, "a second factor can't be read")).ok()?;
        let secret = Secret::try_from_base32(text.expose_secret()).ok()?;
        let brand = &self.gateway().settings.brand.name;
        let now = u64::try_from(self.now().seconds()).ok()?;
        i64::try_from(authenticator(secret, brand, &user.email)?.check(code, now)?).ok()
    }
}

/// The hash of a recovery code as it is kept, whatever way it is written.
fn recovery_hash(user: &str, code: &str) -> KeyHash {
    KeyHash::of(&format!("{user} {}", code.to_ascii_lowercase()))
}

/// Recovery codes, of 80 random bits each, and their hashes.
fn recovery_codes(user: &str) -> Option<(Vec<String>, Vec<KeyHash>)> {
    let (mut texts, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..RECOVERY_CODES {
        let mut random = [0u8; 10];
        getrandom::fill(&mut random).ok()?;
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts: Vec<String> =
            hex.as_bytes().chunks(5).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        hashes.push(recovery_hash(user, &hex));
        texts.push(parts.join("-"));
    }
    Some((texts, hashes))
}

/// `POST /v1/auth/totp` `{"password"}`: a secret to be read into an authenticator; not in force yet.
pub(super) async fn begin(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?.clone();
    let asked: WithPassword = desk.body(&body, r#"{"password": "..."}"#)?;
    let who = desk.check_self(&visitor, asked.password.as_deref()).await?;
    desk.people().throttle.succeeded(&who);
    let user = visitor.user;
    let mut random = [0u8; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|_| GatewayError::Internal)?;
    let secret = Secret::new_stack(random);
    let text = SecretString::from(secret.to_base32());
    let url = authenticator(secret, &desk.gateway().settings.brand.name, &user.email)
        .and_then(|totp| totp.to_url().ok())
        .ok_or(GatewayError::Internal)?;
    let sealed = desk.gateway().byok.masters().seal(&bound(&user.id), &text);
    let (sealed, master) = sealed.map_err(|_| GatewayError::Internal)?;
    let now = desk.now();
    desk.store(|gateway| async move {
        gateway.store.begin_second_factor(&user.id, (&sealed, &master), now).await
    })
    .await?;
    let data = json!({ "secret": text.expose_secret(), "url": url });
    Ok(router::json(json!({ "data": data }).to_string()))
}

/// `POST /v1/auth/totp/confirm` `{"code"}`: in force from now on. The recovery codes are shown this once.
pub(super) async fn confirm(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?.clone();
    let asked: WithCode = desk.body(&body, r#"{"code": "123456"}"#)?;
    let who = Who::new(&visitor.user.email, address(&parts.headers));
    desk.try_once(&who)?;
    let id = visitor.user.id.clone();
    let found = desk.store(|gateway| async move { gateway.store.second_factor(&id).await }).await?;
    let waiting = found.filter(|factor| factor.confirmed.is_none()).ok_or_else(|| {
        GatewayError::InvalidRequest(String::from(
            "no second factor waits to be confirmed; begin with `POST /v1/auth/totp`",
        ))
    })?;
    desk.take_code(&visitor.user, &waiting, &asked.code).await?;
    desk.people().throttle.succeeded(&who);
    let (texts, hashes) = recovery_codes(&visitor.user.id).ok_or(GatewayError::Internal)?;
    let now = desk.now();
    desk.store(|gateway| async move {
        gateway.store.confirm_second_factor(&visitor.user.id, &hashes, &visitor.session.id, now).await
    })
    .await?;
    Ok(router::json(json!({ "data": { "enabled": true, "recovery_codes": texts } }).to_string()))
}

/// `GET /v1/auth/totp`: whether it is in force, and how many recovery codes are left.
pub(super) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.clone();
    let enabled = desk.second_factor(&user).await?.is_some();
    let left = desk.store(|gateway| async move { gateway.store.recovery_codes_left(&user.id).await }).await?;
    Ok(router::json(json!({ "data": { "enabled": enabled, "recovery_codes_left": left } }).to_string()))
}

/// Password and code, for what changes a factor that is in force.
async fn prove(desk: &Desk<'_>, visitor: &Visitor, asked: &WithPassword) -> Result<(), GatewayError> {
    let who = desk.check_self(visitor, asked.password.as_deref()).await?;
    let user = &visitor.user;
    let factor = desk
        .second_factor(user)
        .await?
        .ok_or_else(|| GatewayError::InvalidRequest(String::from("no second factor is in force")))?;
    let code = asked.code.as_deref().ok_or(AuthError::CodeMissing)?;
    desk.take_code(user, &factor, code).await?;
    desk.people().throttle.succeeded(&who);
    Ok(())
}

/// `POST /v1/auth/totp/recovery-codes` `{"password", "code"}`: other ones; the earlier are no good any more.
pub(super) async fn renew(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?.clone();
    let asked: WithPassword = desk.body(&body, r#"{"password": "...", "code": "123456"}"#)?;
    prove(&desk, &visitor, &asked).await?;
    let user = visitor.user;
    let (texts, hashes) = recovery_codes(&user.id).ok_or(GatewayError::Internal)?;
    desk.store(|gateway| async move { gateway.store.set_recovery_codes(&user.id, &hashes).await }).await?;
    Ok(router::json(json!({ "data": { "recovery_codes": texts } }).to_string()))
}

/// `DELETE /v1/auth/totp` `{"password", "code"}`: the password alone signs in again.
pub(super) async fn end(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let visitor = session::visitor(parts)?.clone();
    let asked: WithPassword = desk.body(&body, r#"{"password": "...", "code": "123456"}"#)?;
    prove(&desk, &visitor, &asked).await?;
    let user = visitor.user;
    desk.store(|gateway| async move { gateway.store.end_second_factor(&user.id).await }).await?;
    Ok(router::json(r#"{"data":{"enabled":false}}"#))
}
