//! The site: server-rendered pages, no script, nothing from elsewhere.
//!
//! A page is one struct, one template, one handler and its tests, in one file named after its path. What a page shows
//! comes through [`Site`], which the binary wires: this crate knows no gateway, no socket and no clock.

mod assets;
pub mod benchmarks;
pub mod calculate;
pub mod chart;
pub mod compare;
pub mod describe;
pub mod format;
mod headers;
mod home;
pub mod machine;
mod markup;
mod not_found;
pub mod safe;
mod shell;
pub mod snippets;
mod status;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::middleware::map_response;
use axum::routing::get;

pub use status::{ProviderLine, Status};

/// Where the pages get what they show.
pub trait Site: Send + Sync + 'static {
    /// The state of this moment. `host` is the name and port under which the caller reached us, when it has the form
    /// of one; it is the caller's word, good for the addresses shown to that caller and for nothing else.
    fn status(&self, host: Option<&str>) -> Status;
}

/// `Host` is copied into a shell command that people paste, so it must look like one and nothing else.
const HOST_BYTES_MAX: usize = 261;

/// Every path of the site; any other path gets the 404 page. GET routes answer HEAD too.
pub fn router(site: Arc<dyn Site>) -> Router {
    Router::new()
        .route("/", get(home::home))
        .route("/robots.txt", get(robots))
        .route(assets::CSS.path, get(assets::css))
        .route(assets::ICON.path, get(assets::icon))
        .fallback(not_found::not_found)
        .layer(map_response(headers::secure))
        .with_state(site)
}

/// Crawlers may read the pages; the API is not for them.
async fn robots() -> ([(axum::http::HeaderName, &'static str); 2], &'static str) {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "public, max-age=86400")];
    (headers, "User-agent: *\nDisallow: /v1\nDisallow: /api/v1\n")
}

/// The host that the caller named, `None` when it is absent or no host.
fn host<'a>(headers: &'a HeaderMap, uri: &'a axum::http::Uri) -> Option<&'a str> {
    let named = headers.get(HOST).and_then(|value| value.to_str().ok());
    let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
    named
        .or_else(|| uri.authority().map(|authority| authority.as_str()))
        .filter(|host| !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.bytes().all(is_host_byte))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Uri, header::HOST};

    use super::host;
    use crate::testing::{get, several_on};

    #[tokio::test]
    async fn robots_stay_off_the_api() {
        let page = get(several_on(), "/robots.txt").await;
        assert_eq!(page.status, 200);
        assert_eq!(page.text, "User-agent: *\nDisallow: /v1\nDisallow: /api/v1\n");
    }

    #[test]
    fn only_a_host_is_taken_as_one() {
        let rows: [(&[u8], Option<&str>); 7] = [
            (b"127.0.0.1:8080", Some("127.0.0.1:8080")),
            (b"[::1]:8080", Some("[::1]:8080")),
            (b"llm.example.com", Some("llm.example.com")),
            (b"a$(reboot)", None),
            (b"a b", None),
            (b"\xff", None),
            (b"", None),
        ];
        for (value, expect) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_bytes(value).unwrap());
            assert_eq!(host(&headers, &Uri::from_static("/")), expect, "{value:?}");
        }
        assert_eq!(host(&HeaderMap::new(), &Uri::from_static("http://h2.example/")), Some("h2.example"));
    }
}
