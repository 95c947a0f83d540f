//! From a request's headers to the key that calls: in memory, in microseconds, without the database. Below it, the people who
//! sign in (`/v1/auth/...`): they are looked up in the store, and no call of a model waits for them.

mod apps;
mod consent;
mod erase;
mod error;
pub mod me;
pub mod oidc;
mod password;
pub(crate) mod routes;
pub(crate) mod session;
pub mod settings;
mod sign_in;
pub mod sign_up;
mod throttle;
mod totp;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use store::User;
use types::{KeyHash, Network, OWNER_ACCOUNT, Right, Timestamp, any_contains, checksum_ok};

pub use self::error::AuthError;
use self::session::Visitor;
pub use self::session::reader;
use self::throttle::Who;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::keys::{KeyState, KeyTable};

/// Where a call came from, for as long as some key asks it. Set by [`note_address`] only; a client's own is overwritten.
const ADDRESS: HeaderName = HeaderName::from_static("tollway-client-address");

/// A session that began so many seconds ago at most shows who somebody is, where they have no password.
const FRESH_S: i64 = 600;

/// Notes where a call came from: the peer, or what a proxy that is trusted says. Of several addresses in `X-Forwarded-For` the last
/// one that is no trusted proxy counts, for whatever stands before it anybody can write.
pub(crate) fn note_address(headers: &mut HeaderMap, peer: IpAddr, trusted: &[Network]) {
    let mut address = peer;
    if any_contains(trusted, peer) {
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
        let told = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for hop in told {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            address = hop;
            if !any_contains(trusted, hop) {
                break;
            }
        }
    }
    if let Ok(value) = HeaderValue::from_str(&address.to_canonical().to_string()) {
        headers.insert(ADDRESS, value);
    }
}

/// Where a call came from, where that was noted.
pub(crate) fn address(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(ADDRESS).and_then(|value| value.to_str().ok()?.parse().ok())
}

impl Desk<'_> {
    /// People.
    pub(crate) fn people(&self) -> &settings::People {
        &self.gateway().people
    }

    /// Counts a try; one that has to wait is refused.
    pub(crate) fn try_once(&self, who: &Who) -> Result<(), AuthError> {
        self.people().throttle.begin(who, self.now()).map_err(AuthError::TooMany)
    }

    /// Asks for the password again; a wrong one counts. Whoever asks more says when all of it was right.
    pub(crate) async fn check_password(&self, user: &User, given: &str) -> Result<Who, GatewayError> {
        let who = Who::new(&user.email, address(&self.parts.headers));
        self.try_once(&who)?;
        let (passwords, control) = (&self.people().passwords, &self.gateway().control);
        if !passwords.verify(control, given, user.password.as_deref()).await? {
            return Err(AuthError::Credentials.into());
        }
        Ok(who)
    }

    /// Asks who is signed in to show that it is they: with their password, or, where they have none, with a session that has only
    /// begun. A wrong password counts.
    pub(crate) async fn check_self(
        &self,
        visitor: &Visitor,
        given: Option<&str>,
    ) -> Result<Who, GatewayError> {
        if visitor.user.password.is_some() {
            return self.check_password(&visitor.user, given.unwrap_or_default()).await;
        }
        if self.now().seconds() - visitor.session.created.seconds() > FRESH_S {
            return Err(AuthError::Stale.into());
        }
        let who = Who::new(&visitor.user.email, address(&self.parts.headers));
        self.try_once(&who)?;
        Ok(who)
    }

    /// Takes what was mailed: whose it is, and what is to be done.
    pub(crate) async fn take(
        &self,
        text: &str,
        kind: &'static str,
    ) -> Result<(String, String), GatewayError> {
        let (hash, now) = (KeyHash::of(text.trim()), self.now());
        let taken =
            self.store(|gateway| async move { gateway.store.take_token(&hash, kind, now).await }).await?;
        taken.ok_or_else(|| AuthError::Token.into())
    }
}

/// Whether a key may call from where the call came from.
pub(crate) fn check_address(key: &KeyState, headers: &HeaderMap) -> Result<(), GatewayError> {
    let limits = &key.rules.limits;
    if limits.allowed_ips.is_empty() {
        return Ok(());
    }
    let address = address(headers);
    match limits.admits(address) {
        true => Ok(()),
        false => Err(GatewayError::KeyRule(format!(
            "this key may not call from {}; its `allowed_ips` say from where it may",
            address.map_or_else(|| String::from("an unknown address"), |address| address.to_string())
        ))),
    }
}

/// What somebody else is told.
pub(crate) const NOT_THE_OPERATOR: &str =
    "this is the operator's: it needs a management key of the owner's account";

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// An API key that is valid now.
    ApiKey,
    /// A management key, or who is signed in, whose role in the organization has a right.
    Manage(Right),
    /// Either kind of key.
    AnyKey,
    /// An API key; or a management key, or who is signed in, whose role in the organization has a right. What they ask for is decided and
    /// not called.
    Decide(Right),
    /// Who is signed in.
    Session,
    /// A management key of the owner's account, or who runs this server: what it shows is nobody else's.
    Operator,
}

/// Finds the key, and checks that it is valid now and of the right kind.
pub fn authenticate(
    table: &KeyTable,
    key_text: Option<&str>,
    access: Access,
    key_prefix: &str,
    now: Timestamp,
) -> Result<Arc<KeyState>, GatewayError> {
    let text = key_text.ok_or(GatewayError::KeyMissing)?;
    let hash = KeyHash::of(text);
    let Some(key) = table.get(&hash) else {
        // A key that someone chose has no checksum, so the table is asked first.
        return Err(match checksum_ok(key_prefix, text) {
            Some(false) => GatewayError::KeyMalformed,
            _ => GatewayError::KeyUnknown,
        });
    };
    let rules = &key.rules;
    if rules.revoked {
        return Err(GatewayError::KeyUnknown);
    }
    if hash != rules.hash && rules.previous.is_none_or(|previous| now >= previous.until) {
        return Err(GatewayError::KeyRotated);
    }
    if rules.disabled {
        return Err(rules
            .frozen
            .as_ref()
            .map_or(GatewayError::KeyDisabled, |why| GatewayError::KeyFrozen(why.clone())));
    }
    if rules.expires.is_some_and(|expires| now >= expires) {
        return Err(GatewayError::KeyExpired);
    }
    match access {
        Access::ApiKey if rules.management => {
            Err(GatewayError::WrongKeyKind("a management key can't call models; use an API key"))
        }
        Access::Operator
            if !rules.management
                || rules.account.as_str() != OWNER_ACCOUNT
                || !rules.role.may(Right::Govern) =>
        {
            Err(GatewayError::WrongKeyKind(NOT_THE_OPERATOR))
        }
        Access::Manage(_) if !rules.management => Err(GatewayError::WrongKeyKind(
            "this needs a management key; make one with `tollway keys create --management`",
        )),
        Access::Decide(right) if rules.management && !rules.role.may(right) => {
            Err(AuthError::Role { role: rules.role, right }.into())
        }
        Access::Manage(right) if !rules.role.may(right) => {
            Err(AuthError::Role { role: rules.role, right }.into())
        }
        Access::Session => Err(AuthError::NoSession.into()),
        _ => Ok(Arc::clone(key)),
    }
}

/// The key's text: `Authorization: Bearer`, or where other systems' clients put it (`x-api-key`, `x-goog-api-key`,
/// `api-key`).
pub fn key_text(headers: &HeaderMap) -> Option<&str> {
    let bare = |name: &str| headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
    bearer(headers)
        .or_else(|| bare("x-api-key"))
        .or_else(|| bare("x-goog-api-key"))
        .or_else(|| bare("api-key"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    let text = text.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !text.is_empty()).then_some(text)
}
