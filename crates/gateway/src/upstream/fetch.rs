//! Fetches an image or file at an address that a caller chose, for providers that take bytes only.
//!
//! The [`guard`](super::guard) judges the address and connects to what it has judged; a redirect is not followed. Size and
//! time are bounded. No cookie, no key, no header of the caller's goes along.

use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};

use super::connect;
use super::guard::{Guard, GuardError};
use super::pool::Connection;
use crate::world::Target;

/// For everything: name, connection, body.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// Media type (as the server says, may be empty) and base64. The error says what to do, and never what came.
pub async fn fetch(url: &str, bytes_max: usize, guard: &Guard) -> Result<(String, String), String> {
    let fetching = Box::pin(once(url, bytes_max, guard));
    match tokio::time::timeout(FETCH_TIMEOUT, fetching).await {
        Ok(result) => result,
        Err(_) => Err(format!("it did not arrive within {} s", FETCH_TIMEOUT.as_secs())),
    }
}

async fn once(url: &str, bytes_max: usize, guard: &Guard) -> Result<(String, String), String> {
    let url = url::Url::parse(url).map_err(|_| String::from("it is no address"))?;
    let target = Target::of_url(url.as_str())?;
    let tcp = guard.connect(&target).await.map_err(|error| match error {
        GuardError::Refused(_) => format!("{error}; send the bytes as a `data:` URL instead"),
        other => other.to_string(),
    })?;
    let mut connection: Connection =
        connect::over(tcp, &target).await.map_err(|_| String::from("its server can't be reached"))?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = Method::GET;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let whole = format!("{}://{}{path}", target.scheme, target.authority);
    let told = if connection.version() == http::Version::HTTP_2 { &whole } else { path };
    *request.uri_mut() = told.parse().map_err(|_| String::from("its path can't be asked for"))?;
    for (name, value) in &target.headers {
        if *name != header::CONTENT_TYPE && (*name != header::HOST || told == path) {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }
    let sent = connection.send(request).await;
    let (head, body) = sent.map_err(|_| String::from("its server broke off"))?.into_parts();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if head.status.is_redirection() {
        return Err(String::from("its server redirects, which is not followed; name the final address"));
    }
    if !head.status.is_success() {
        return Err(format!("its server answered {}", head.status.as_u16()));
    }
    let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let whole = Limited::new(body, bytes_max).collect().await;
    let bytes = whole.map_err(|_| format!("it broke off or is larger than {bytes_max} bytes"))?.to_bytes();
    Ok((kind, base64::engine::general_purpose::STANDARD.encode(&bytes)))
}
