//! One `GET` at a provider's address, on a connection of its own: for asking whether a key is good.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Version};
use http_body_util::Full;

use super::{UpstreamError, connect};
use crate::world::Target;

/// Asks, and answers the status. Nobody reads the body, and a redirect is a status like others.
pub(crate) async fn status(
    target: &Target,
    path: PathAndQuery,
    proof: &[(HeaderName, HeaderValue)],
    timeout: Duration,
) -> Result<u16, UpstreamError> {
    let asking = async {
        let mut connection = connect::connect(target).await.map_err(UpstreamError::Connect)?;
        let http2 = connection.version() == Version::HTTP_2;
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = Method::GET;
        let mut parts = http::uri::Parts::default();
        parts.path_and_query = Some(path);
        if http2 {
            parts.scheme = Some(target.scheme.clone());
            parts.authority = Some(target.authority.clone());
        }
        if let Ok(uri) = http::Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        for (name, value) in target.headers.iter().chain(proof) {
            if *name != header::CONTENT_TYPE && !(http2 && name == header::HOST) {
                request.headers_mut().insert(name.clone(), value.clone());
            }
        }
        let sent = connection.send(request).await;
        sent.map(|answer| answer.status().as_u16()).map_err(|failure| UpstreamError::Broken(failure.error))
    };
    match tokio::time::timeout(timeout, asking).await {
        Ok(status) => status,
        Err(_) => Err(UpstreamError::ConnectTimeout(timeout)),
    }
}
