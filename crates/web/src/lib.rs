//! The site: server-rendered pages, nothing from elsewhere, no script that is needed.
//!
//! A page is one struct, one template, one handler and its tests, in one file named after its path. What a page shows
//! comes through [`Site`], which the binary wires: this crate knows no gateway, no socket and no clock.

mod activity;
mod apps;
mod assets;
mod board;
pub mod calculate;
pub mod chart;
mod fact;
pub mod format;
mod headers;
mod home;
mod index;
mod markup;
mod model;
mod models;
mod not_found;
mod rankings;
pub mod safe;
mod shell;
mod site;
mod state;
mod status;
#[cfg(test)]
mod testing;
mod traffic;
mod uptime;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::middleware::map_response;
use axum::routing::get;

pub use site::{Live, Place, Site, Soon, World};
pub use state::{ProviderLine, Status};
pub use traffic::{Audience, RankingRules, UseAsk, UseBy, UseRow, UseSums, Viewer};
pub use uptime::{Attempted, Attempts, DAYS, EndpointTime, FAILED_MIN, FAILED_PERCENT_MIN};
use visit::Pages;

/// `Host` is copied into a shell command that people paste, so it must look like one and nothing else.
const HOST_BYTES_MAX: usize = 261;

/// Every path of the site; any other path gets the 404 page. GET routes answer HEAD too.
pub fn router(site: Arc<dyn Site>) -> Router {
    let scripts = assets::SCRIPTS.iter();
    let scripts = scripts.fold(Router::new(), |all, script| all.route(script.path, get(assets::script_of)));
    Router::new()
        .route("/", get(home::home))
        .route("/models", get(models::models))
        .route("/models.json", get(models::models))
        .route("/rankings", get(rankings::rankings))
        .route("/rankings.json", get(rankings::rankings))
        .route("/apps", get(apps::apps))
        .route("/apps.json", get(apps::apps))
        .route("/apps/{slug}", get(apps::app))
        .route("/status", get(status::status))
        .route("/status.json", get(status::status))
        .route("/status.atom", get(status::feed))
        .route("/{author}/{slug}", get(model::model).fallback(not_found::not_found))
        .route("/robots.txt", get(robots))
        .route(assets::CSS.path, get(assets::css))
        .route(assets::ICON.path, get(assets::icon))
        .merge(scripts)
        .fallback(not_found::not_found)
        .layer(map_response(headers::secure))
        .with_state(Pages::new(site))
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
