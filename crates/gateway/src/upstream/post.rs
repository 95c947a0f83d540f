//! Sends a notice to an address that a user chose: judged by the [`guard`](super::guard), connected to as judged, no redirects,
//! bounded in time. What comes back is its status; its body is nobody's business.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;

use super::connect;
use super::guard::Guard;
use crate::world::Target;

/// For everything: name, connection, answer.
pub const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// The status of the answer, or why there was none.
pub async fn post(
    url: &str,
    headers: &[(&'static str, String)],
    body: Bytes,
    guard: &Guard,
) -> Result<u16, String> {
    let posting = Box::pin(once(url, headers, body, guard));
    match tokio::time::timeout(POST_TIMEOUT, posting).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", POST_TIMEOUT.as_secs())),
    }
}

async fn once(
    url: &str,
    headers: &[(&'static str, String)],
    body: Bytes,
    guard: &Guard,
) -> Result<u16, String> {
    let url = url::Url::parse(url).map_err(|_| String::from("it is no address"))?;
    let target = Target::of_url(url.as_str())?;
    let tcp = guard.connect(&target).await.map_err(|error| error.to_string())?;
    let mut connection =
        connect::over(tcp, &target).await.map_err(|_| String::from("its server can't be reached"))?;
    let length = body.len();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let whole = format!("{}://{}{path}", target.scheme, target.authority);
    let told = if connection.version() == http::Version::HTTP_2 { &whole } else { path };
    *request.uri_mut() = told.parse().map_err(|_| String::from("its path can't be asked for"))?;
    for (name, value) in &target.headers {
        if *name != header::CONTENT_TYPE && (*name != header::HOST || told == path) {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }
    let own = request.headers_mut();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    own.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            own.insert(*name, value);
        }
    }
    let sent = connection.send(request).await;
    Ok(sent.map_err(|_| String::from("its server broke off"))?.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_notice_is_sent_within() {
        let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = trap.local_addr().unwrap().port().to_string();
        let table = include_str!("../../../../e2e/tests/all/ssrf/urls.txt");
        for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let url = line.replace("{port}", &port);
            let sent = post(&url, &[], Bytes::from_static(b"{}"), &Guard::new(false)).await;
            assert!(sent.is_err(), "{url}: {sent:?}");
        }
        let own = format!("http://127.0.0.1:{port}/");
        let open = Guard::new(true);
        let (sent, came) = tokio::join!(post(&own, &[], Bytes::new(), &open), async {
            // The first who comes is this one: nobody came before.
            let (mut stream, _) = trap.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").await
        });
        assert!(came.is_ok() && sent == Ok(204), "{sent:?}");
    }
}
