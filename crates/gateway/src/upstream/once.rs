//! One request on a connection of its own, with any method, bounded in time and size: for services that are called now and
//! then, off the way of calls. The operator chose the address; no redirect is followed.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version, header};
use http_body_util::{BodyExt, Full, Limited};

use super::connect;
use crate::world::Target;

/// A request.
#[derive(Debug)]
pub struct Errand {
    /// Its method.
    pub method: Method,
    /// Path and query below the target's own path.
    pub path: String,
    /// Headers beside Host and User-Agent.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrandError {
    /// It could not be reached.
    #[error("it can't be reached")]
    Unreachable,
    /// It did not answer in time; whether it did what it was asked is not known.
    #[error("it did not answer in time")]
    Late,
    /// The connection broke; whether it did what it was asked is not known.
    #[error("the connection broke")]
    Broken,
    /// The address or a header can't be sent.
    #[error("the request can't be sent")]
    Unsendable,
}

/// Status and body of the answer.
pub async fn run(
    target: &Target,
    errand: Errand,
    within: Duration,
    bytes_max: usize,
) -> Result<(u16, Bytes), ErrandError> {
    let answer = answer(target, errand, within, bytes_max).await?;
    Ok((answer.status().as_u16(), answer.into_body()))
}

/// The whole answer, with its headers.
pub async fn answer(
    target: &Target,
    errand: Errand,
    within: Duration,
    bytes_max: usize,
) -> Result<Response<Bytes>, ErrandError> {
    match tokio::time::timeout(within, ask(target, errand, bytes_max)).await {
        Ok(answer) => answer,
        Err(_) => Err(ErrandError::Late),
    }
}

async fn ask(target: &Target, errand: Errand, bytes_max: usize) -> Result<Response<Bytes>, ErrandError> {
    let mut connection = connect::connect(target).await.map_err(|_| ErrandError::Unreachable)?;
    let http2 = connection.version() == Version::HTTP_2;
    let path = format!("{}{}", target.base_path, errand.path);
    let uri = if http2 { format!("{}://{}{path}", target.scheme, target.authority) } else { path };
    let mut request = Request::new(Full::new(errand.body));
    *request.method_mut() = errand.method;
    *request.uri_mut() = uri.parse().map_err(|_| ErrandError::Unsendable)?;
    let own = target
        .headers
        .iter()
        .filter(|(name, _)| *name == header::USER_AGENT || (*name == header::HOST && !http2));
    for (name, value) in own.chain(&errand.headers) {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    let response = connection.send(request).await.map_err(|_| ErrandError::Broken)?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, bytes_max).collect().await;
    Ok(Response::from_parts(parts, body.map_err(|_| ErrandError::Broken)?.to_bytes()))
}
