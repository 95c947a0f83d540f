//! Fetches an image or file at an address that a caller chose, for providers that take bytes only.
//!
//! Every address is resolved once, judged by the [`guard`](super::guard), and connected to as judged, so that a name can't
//! change its mind in between; redirects are judged anew. Size and time are bounded. No cookie, no key, no header of the
//! caller's goes along.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use tokio::net::TcpStream;

use super::pool::Connection;
use super::{connect, guard};
use crate::world::Target;

/// For everything: name, connection, redirects, body.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(20);
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;

/// Media type (as the server says, may be empty) and base64. The error says what to do, and never what came.
pub async fn fetch(url: &str, bytes_max: usize, private_too: bool) -> Result<(String, String), String> {
    let fetching = Box::pin(follow(url, bytes_max, private_too));
    match tokio::time::timeout(FETCH_TIMEOUT, fetching).await {
        Ok(result) => result,
        Err(_) => Err(format!("it did not arrive within {} s", FETCH_TIMEOUT.as_secs())),
    }
}

enum Got {
    Body(String, Bytes),
    Redirect(String),
}

async fn follow(url: &str, bytes_max: usize, private_too: bool) -> Result<(String, String), String> {
    let mut url = url::Url::parse(url).map_err(|_| String::from("it is no address"))?;
    for _ in 0..=REDIRECTS_MAX {
        match once(&url, bytes_max, private_too).await? {
            Got::Body(kind, bytes) => {
                return Ok((kind, base64::engine::general_purpose::STANDARD.encode(&bytes)));
            }
            Got::Redirect(to) => {
                url = url.join(&to).map_err(|_| String::from("it redirects to no address"))?;
            }
        }
    }
    Err(format!("it redirects more than {REDIRECTS_MAX} times"))
}

async fn once(url: &url::Url, bytes_max: usize, private_too: bool) -> Result<Got, String> {
    let target = Target::of_url(url.as_str())?;
    let address = judge(&target, private_too).await?;
    let unreachable = |_| String::from("its server can't be reached");
    let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
    let mut connection: Connection = connect::over(tcp, &target).await.map_err(unreachable)?;
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
        return Ok(Got::Redirect(text(header::LOCATION).to_owned()));
    }
    if !head.status.is_success() {
        return Err(format!("its server answered {}", head.status.as_u16()));
    }
    let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let whole = Limited::new(body, bytes_max).collect().await;
    let bytes = whole.map_err(|_| format!("it broke off or is larger than {bytes_max} bytes"))?.to_bytes();
    Ok(Got::Body(kind, bytes))
}

/// The address to connect to: all that the name stands for must be allowed.
pub(super) async fn judge(target: &Target, private_too: bool) -> Result<SocketAddr, String> {
    let unknown = || String::from("its server's name is unknown");
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await.map_err(|_| unknown())?;
    let all: Vec<SocketAddr> = found.collect();
    if !private_too && !all.iter().all(|address| guard::is_public(address.ip())) {
        return Err(String::from(
            "its server is not on the public internet; send the bytes as a `data:` URL instead",
        ));
    }
    all.first().copied().ok_or_else(unknown)
}
