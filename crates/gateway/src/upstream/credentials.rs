//! Proving who calls, where a fixed header can't: signatures and tokens that expire.

mod aws;
mod entra;
mod google;

use std::future::Future;
use std::pin::Pin;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};

pub use aws::Aws;
pub use entra::Entra;
pub use google::Google;

/// A request that still lacks its proof.
#[derive(Debug)]
pub struct Unsigned<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Host, and port where it is not the usual one.
    pub authority: &'a str,
    /// Path and query.
    pub path: &'a PathAndQuery,
    /// Headers that will be sent.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The body.
    pub body: &'a [u8],
}

/// Why no proof could be made. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialsError(pub String);

/// Headers for one request, when they are there.
pub type Proof<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<(HeaderName, HeaderValue)>, CredentialsError>> + Send + 'a>>;

/// Makes the headers that prove who calls.
pub trait Credentials: std::fmt::Debug + Send + Sync {
    /// For one request.
    fn prove<'a>(&'a self, request: Unsigned<'a>) -> Proof<'a>;
}
