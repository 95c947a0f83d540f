//! The only place of the data plane that opens outbound sockets: own pools, HTTP/1.1 and HTTP/2, no redirects followed.
//!
//! Every worker has its own pool, so that a call never leaves its thread. A connection goes back to the pool when the body
//! that it carried has been read to its end, and is closed when the body is dropped earlier: that is how a call is
//! cancelled at the provider.

pub mod address;
mod body;
mod connect;
pub mod credentials;
pub mod fetch;
pub(crate) mod get;
pub mod guard;
pub mod once;
mod pool;
pub mod post;

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Version};
use http_body_util::Full;
use types::{Clock, Timestamp};

pub(crate) use body::collect;
pub use body::{BodyBroken, UpstreamBody};
pub use pool::{Lease, Pool};

use crate::care::Sent;
use crate::crash;
use crate::world::Target;

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The address could not be reached, or TLS failed.
    #[error("it can't be reached: {0}")]
    Connect(std::io::Error),
    /// It could not be reached in time.
    #[error("it could not be reached within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// Nothing proves who calls.
    #[error("no credentials for it: {0}")]
    Credentials(#[from] credentials::CredentialsError),
    /// The connection broke or its HTTP is not HTTP.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
}

/// An answer whose body is still on its way.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The name of an error, where a header tells it.
    pub error_name: Option<String>,
    /// How the body is cut into frames, where it is a stream.
    pub framing: Option<Framing>,
    /// The body's media type, as the provider says.
    pub content_type: Option<HeaderValue>,
    /// The body.
    pub body: UpstreamBody,
}

/// How a stream is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's binary event stream.
    EventStream,
    /// One JSON value per line.
    JsonLines,
}

/// A request on its way out.
#[derive(Debug)]
pub struct Outbound {
    /// Path and query.
    pub path: PathAndQuery,
    /// Headers beside those of the target.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// What proves who calls, where a fixed header can't.
pub(crate) async fn prove(
    target: &Target,
    path: &PathAndQuery,
    headers: &[(HeaderName, HeaderValue)],
    body: &[u8],
) -> Result<Vec<(HeaderName, HeaderValue)>, credentials::CredentialsError> {
    let Some(credentials) = &target.credentials else { return Ok(Vec::new()) };
    let (scheme, authority) = (target.scheme.as_str(), target.authority.as_str());
    credentials.prove(credentials::Unsigned { scheme, authority, path, headers, body }).await
}

/// Sends a request. The caller bounds the time to the first byte. `sent` is set when the request begins to leave.
pub async fn send(
    pool: &Pool,
    target: &Target,
    outbound: Outbound,
    connect_timeout: Duration,
    clock: &dyn Clock,
    sent: &mut Sent,
) -> Result<Reply, UpstreamError> {
    let proof = prove(target, &outbound.path, &outbound.headers, &outbound.body).await?;
    // A pooled connection may have been closed by the other side just now: then the request never left, and a fresh
    // connection gets it.
    loop {
        let (mut connection, reused) = pool.checkout(target, connect_timeout).await?;
        let request = request(target, &outbound, &proof, connection.version());
        sent.set(true);
        crash::point("send");
        match connection.send(request).await {
            Ok(response) => {
                let (head, incoming) = response.into_parts();
                return Ok(Reply {
                    status: head.status.as_u16(),
                    retry_after: retry_after(&head.headers, clock.now()),
                    error_name: error_name(&head.headers),
                    framing: framing(&head.headers),
                    content_type: head.headers.get(header::CONTENT_TYPE).cloned(),
                    body: UpstreamBody::http(incoming, pool.lease(target, connection)),
                });
            }
            Err(failure) if reused && failure.never_sent => sent.set(false),
            Err(failure) => return Err(UpstreamError::Broken(failure.error)),
        }
    }
}

fn request(
    target: &Target,
    outbound: &Outbound,
    proof: &[(HeaderName, HeaderValue)],
    version: Version,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(outbound.body.clone()));
    *request.method_mut() = Method::POST;
    let http2 = version == Version::HTTP_2;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(outbound.path.clone());
    if http2 {
        parts.scheme = Some(target.scheme.clone());
        parts.authority = Some(target.authority.clone());
    }
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    headers.reserve(target.headers.len() + outbound.headers.len() + proof.len());
    for (name, value) in target.headers.iter().chain(&outbound.headers).chain(proof) {
        if !(http2 && name == header::HOST) {
            headers.insert(name.clone(), value.clone());
        }
    }
    request
}

fn error_name(headers: &HeaderMap) -> Option<String> {
    let name = headers.get("x-amzn-errortype")?.to_str().ok()?;
    Some(name.chars().take(200).collect())
}

fn framing(headers: &HeaderMap) -> Option<Framing> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = text.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    if is("text/event-stream") {
        Some(Framing::Sse)
    } else if is("application/vnd.amazon.eventstream") {
        Some(Framing::EventStream)
    } else if is("application/x-ndjson") || is("application/jsonl") {
        Some(Framing::JsonLines)
    } else {
        None
    }
}

/// `retry-after-ms`, or `retry-after` as seconds (also fractional) or as an HTTP date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|t| t.parse::<u64>().ok()).map(Duration::from_millis);
    let plain = text("retry-after").and_then(|t| seconds(t).or_else(|| http_date(t, now)));
    // Azure was seen to send 0 ms beside 1 s: the longer one is meant.
    milliseconds.max(plain)
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let whole: u64 = whole.parse().ok()?;
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(Duration::from_millis(whole.saturating_mul(1000).saturating_add(millis)))
}

fn http_date(text: &str, now: Timestamp) -> Option<Duration> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(at - now.seconds()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn retry_after_in_every_form() {
        let now = Timestamp::from_seconds(1_767_225_600); // 2026-01-01T00:00:00Z
        let rows = [
            ("retry-after", "7", Some(7_000)),
            ("retry-after", "1.25", Some(1_250)),
            ("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT", Some(30_000)),
            ("retry-after", "Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("retry-after-ms", "150", Some(150)),
        ];
        for (name, value, expect) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(retry_after(&headers, now).map(|d| d.as_millis()), expect, "{name}: {value}");
        }
    }
}
