//! An issuer as it was configured, and what it says of itself: fetched when it is needed and kept for an hour.
//!
//! - Its address is the operator's choice; the addresses that it names are its own choice and may lie elsewhere, but are `https` like it
//!   (an issuer at `http` is one for trying things out, and may name such addresses). No redirect is followed, an answer has ten
//!   seconds and a bound in bytes.
//! - An issuer that failed is left alone for five seconds, whoever asks. Keys are fetched anew once for a token whose key is unknown, and
//!   not again for half a minute.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use types::{SecretString, Timestamp};
use url::{Position, Url};

use super::keys::Keys;
use crate::upstream::once::{self, Errand};
use crate::world::Target;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long what an issuer says of itself is believed.
const KEPT_S: i64 = 3_600;
/// So long an issuer that failed is not asked again.
const LEFT_ALONE_S: i64 = 5;
/// At most so often its keys are fetched for a token whose key is unknown.
const AGAIN_S: i64 = 30;

/// An issuer, as it was configured.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// Its name in paths and in the configuration.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its URL, to the letter as its tokens have it.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// With which we prove it; `None`: with PKCE alone.
    pub client_secret: Option<SecretString>,
    /// What is asked for; `openid` goes without saying.
    pub scopes: Vec<String>,
    /// Whether somebody unknown may come in by it.
    pub create: bool,
    /// Domains of addresses, in lower case; empty: any.
    pub domains: Vec<String>,
    /// Whether a proven address makes it known whose identity it is.
    pub link_by_email: bool,
}

impl IssuerSettings {
    /// Whether an address, in lower case, is of a domain that was listed; `None`: none is.
    pub(super) fn lists(&self, email: &str) -> Option<bool> {
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        (!self.domains.is_empty()).then(|| self.domains.iter().any(|listed| listed == domain))
    }
}

/// An address that an issuer names.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) Url);

impl TryFrom<String> for Address {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Address, url::ParseError> {
        Url::parse(&text).map(Address)
    }
}

/// What an issuer says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Address,
    pub(super) token_endpoint: Address,
    pub(super) userinfo_endpoint: Option<Address>,
    jwks_uri: Address,
    pub(super) id_token_signing_alg_values_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Whether the secret goes into the form instead of the header: only for who takes no header.
    pub(super) fn wants_secret_in_form(&self) -> bool {
        self.token_endpoint_auth_methods_supported.as_ref().is_some_and(|methods| {
            let takes = |name: &str| methods.iter().any(|method| method == name);
            takes("client_secret_post") && !takes("client_secret_basic")
        })
    }
}

/// Why an issuer is of no use now; never with a word of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failing {
    #[error("{0}: {1}")]
    Errand(&'static str, once::ErrandError),
    #[error("{0}: status {1}")]
    Status(&'static str, u16),
    #[error("{0}: an answer that can't be read")]
    Unreadable(&'static str),
    #[error("it calls itself by another URL than `issuer`")]
    OtherIssuer,
    #[error("it names an address that is not https")]
    Address,
    #[error("it failed a moment ago")]
    LeftAlone,
}

#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    keys: Option<(Arc<Keys>, Timestamp)>,
    failed: Option<Timestamp>,
    again: Option<Timestamp>,
}

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    /// As it was configured.
    pub settings: IssuerSettings,
    known: Mutex<Known>,
}

fn is_younger(at: Timestamp, seconds: i64, now: Timestamp) -> bool {
    (0..seconds).contains(&(now.seconds() - at.seconds()))
}

impl Issuer {
    /// One, of which nothing is known yet.
    pub fn new(settings: IssuerSettings) -> Issuer {
        Issuer { settings, known: Mutex::default() }
    }

    /// What it says of itself.
    pub(super) async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, Failing> {
        self.metadata_in(&mut *self.known.lock().await, now).await
    }

    /// Its keys.
    pub(super) async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, Failing> {
        let mut known = self.known.lock().await;
        match &known.keys {
            Some((keys, at)) if is_younger(*at, KEPT_S, now) => Ok(Arc::clone(keys)),
            _ => self.fetch_keys(&mut known, now).await,
        }
    }

    /// Its keys anew, for a token that none of `tried` fits. `None`: they were fetched anew for another such token just now.
    pub(super) async fn keys_again(
        &self,
        tried: &Arc<Keys>,
        now: Timestamp,
    ) -> Result<Option<Arc<Keys>>, Failing> {
        let mut known = self.known.lock().await;
        if let Some((keys, _)) = known.keys.as_ref().filter(|(keys, _)| !Arc::ptr_eq(keys, tried)) {
            return Ok(Some(Arc::clone(keys)));
        }
        if known.again.is_some_and(|at| is_younger(at, AGAIN_S, now)) {
            return Ok(None);
        }
        known.again = Some(now);
        self.fetch_keys(&mut known, now).await.map(Some)
    }

    async fn metadata_in(&self, known: &mut Known, now: Timestamp) -> Result<Arc<Metadata>, Failing> {
        if let Some((metadata, _)) = known.metadata.as_ref().filter(|(_, at)| is_younger(*at, KEPT_S, now)) {
            return Ok(Arc::clone(metadata));
        }
        if known.failed.is_some_and(|at| is_younger(at, LEFT_ALONE_S, now)) {
            return Err(Failing::LeftAlone);
        }
        let found = self.discover().await.map(Arc::new);
        match &found {
            Ok(metadata) => known.metadata = Some((Arc::clone(metadata), now)),
            Err(_) => known.failed = Some(now),
        }
        found
    }

    async fn discover(&self) -> Result<Metadata, Failing> {
        const WHAT: &str = "discovery";
        let own = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", own.trim_end_matches('/'));
        let address = Url::parse(&address).map_err(|_| Failing::Address)?;
        let body = get(WHAT, &address).await?;
        let metadata: Metadata = serde_json::from_slice(&body).map_err(|_| Failing::Unreadable(WHAT))?;
        if metadata.issuer != *own {
            return Err(Failing::OtherIssuer);
        }
        let named = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        let good = |Address(url): &Address| {
            let is_plain = url.username().is_empty() && url.password().is_none() && url.has_host();
            is_plain && (url.scheme() == "https" || (url.scheme() == "http" && address.scheme() == "http"))
        };
        if named.into_iter().chain(&metadata.userinfo_endpoint).all(good) {
            Ok(metadata)
        } else {
            Err(Failing::Address)
        }
    }

    async fn fetch_keys(&self, known: &mut Known, now: Timestamp) -> Result<Arc<Keys>, Failing> {
        const WHAT: &str = "keys";
        let metadata = self.metadata_in(known, now).await?;
        let fetched = match get(WHAT, &metadata.jwks_uri.0).await {
            Ok(body) => Keys::read(&body).ok_or(Failing::Unreadable(WHAT)),
            Err(failing) => Err(failing),
        };
        match fetched.map(Arc::new) {
            Ok(keys) => {
                known.keys = Some((Arc::clone(&keys), now));
                Ok(keys)
            }
            Err(failing) => {
                // Whoever asks next asks for everything again, after a moment.
                (known.metadata, known.failed) = (None, Some(now));
                Err(failing)
            }
        }
    }
}

async fn get(what: &'static str, url: &Url) -> Result<Bytes, Failing> {
    let json = (header::ACCEPT, HeaderValue::from_static("application/json"));
    match ask(what, Method::GET, url, vec![json], Bytes::new()).await? {
        (200, body) => Ok(body),
        (status, _) => Err(Failing::Status(what, status)),
    }
}

/// Status and body of what an issuer answers at one of its addresses.
pub(super) async fn ask(
    what: &'static str,
    method: Method,
    url: &Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
) -> Result<(u16, Bytes), Failing> {
    let target = Target::of_url(&url[..Position::BeforePath]).map_err(|_| Failing::Address)?;
    let path = url[Position::BeforePath..Position::AfterQuery].to_owned();
    let errand = Errand { method, path, headers, body };
    let answer = once::run(&target, errand, ANSWER_TIMEOUT, ANSWER_BYTES_MAX).await;
    answer.map_err(|error| Failing::Errand(what, error))
}
