//! The site: server-rendered pages, nothing from elsewhere, no script that is needed.
//!
//! A page is one struct, one template, one handler and its tests, in one file named after its path. What a page shows
//! comes through [`Site`], which the binary wires: this crate knows no gateway, no socket and no clock.

mod activity;
mod announcements;
mod api;
mod apps;
mod assets;
mod author;
mod benchmarks;
mod board;
mod calculate;
mod calculator;
mod chart;
mod charts;
mod chat;
mod compare;
mod compress;
mod console;
mod describe;
mod door;
mod fact;
mod feeds;
mod format;
mod headers;
mod home;
#[cfg(test)]
mod hostile;
mod index;
mod machine;
mod markup;
mod message;
mod model;
mod models;
mod not_found;
mod offer;
mod popularity;
mod prose;
mod provider;
mod providers;
mod rankings;
mod ratings;
pub mod safe;
mod scores;
pub mod setup;
mod shell;
mod sign_in;
mod site;
mod snippets;
mod state;
mod status;
#[cfg(test)]
mod testing;
mod traffic;
mod uptime;
mod virtual_model;
mod visit;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::middleware::{from_fn, map_response};
use axum::routing::get;

pub use announcements::{Announcement, Banner};
pub use api::{Api, Caller};
pub use site::{Live, Place, Site, Soon, World};
pub use state::{ProviderLine, Status};
pub use traffic::{
    Audience, CACHE_DAYS, CacheUse, CacheUses, RankingRules, UseAsk, UseBy, UseRow, UseSums, Viewer,
};
pub use uptime::{Attempted, Attempts, DAYS, EndpointTime, FAILED_MIN, FAILED_PERCENT_MIN};
use visit::Pages;
pub use watch::{Changed, PriceChange, PriceWatch};

/// `Host` is copied into a shell command that people paste, so it must look like one and nothing else.
const HOST_BYTES_MAX: usize = 261;

/// Works out ahead what the first page of a catalog would wait for.
#[derive(Clone)]
pub struct Warmer(Arc<Pages>);

impl Warmer {
    /// Takes a core for a moment; nothing where it is known already.
    pub fn warm(&self) {
        self.0.warm();
    }
}

/// Every path of the site; any other path gets the 404 page. GET routes answer HEAD too.
pub fn router(site: Arc<dyn Site>) -> Router {
    warmed(site).0
}

/// The same, and what works out ahead: to be asked whenever [`Site::world`] is another.
pub fn warmed(site: Arc<dyn Site>) -> (Router, Warmer) {
    let pages = Pages::new(site);
    (routes().with_state(Arc::clone(&pages)), Warmer(pages))
}

fn routes() -> Router<Arc<Pages>> {
    let scripts = assets::SCRIPTS.iter();
    let scripts = scripts.fold(Router::new(), |all, script| all.route(script.path, get(assets::script_of)));
    Router::new()
        .route("/", get(home::home))
        .route("/models", get(models::models))
        .route("/models.json", get(models::models))
        .route("/compare", get(compare::choose))
        .route("/compare/{*models}", get(compare::compare))
        .route("/calculator", get(calculator::calculator))
        .route("/calculator.json", get(calculator::calculator))
        .route("/benchmarks", get(benchmarks::benchmarks))
        .route("/benchmarks.json", get(benchmarks::benchmarks))
        .route("/benchmarks/{slug}", get(benchmarks::benchmark))
        .route("/charts", get(charts::charts))
        .route("/charts.json", get(charts::charts))
        .route("/providers", get(providers::providers))
        .route("/providers.json", get(providers::providers))
        .route("/providers/{provider}", get(provider::provider))
        .route("/{author}", get(author::author).fallback(not_found::not_found))
        .route("/rankings", get(rankings::rankings))
        .route("/rankings.json", get(rankings::rankings))
        .route("/apps", get(apps::apps))
        .route("/apps.json", get(apps::apps))
        .route("/apps/{slug}", get(apps::app))
        .route("/status", get(status::status))
        .route("/status.json", get(status::status))
        .route("/status.atom", get(status::feed))
        .route("/{author}/{slug}", get(model::model).fallback(not_found::not_found))
        .route("/{author}/{slug}/card.png", get(model::card::card).fallback(not_found::not_found))
        .route("/{author}/{slug}/{provider}", get(offer::offer).fallback(not_found::not_found))
        .route(setup::PATH, get(setup::setup))
        .route("/setup/{client}", get(setup::client))
        .route("/robots.txt", get(feeds::robots))
        .route("/sitemap.xml", get(feeds::pages))
        .route(feeds::MODELS, get(feeds::new_models))
        .route(feeds::PRICES, get(feeds::prices))
        .route(assets::CSS.path, get(assets::css))
        .route(assets::CONSOLE_CSS.path, get(assets::console_css))
        .route(assets::CHAT_SCRIPT.path, get(assets::chat_script))
        .route(assets::ICON.path, get(assets::icon))
        .route(assets::TAIL.path, get(assets::tail))
        .merge(scripts)
        .merge(announcements::router())
        .merge(chat::router())
        .merge(console::router())
        .merge(door::router())
        .merge(sign_in::router())
        .merge(ratings::router())
        .fallback(not_found::not_found)
        .layer(map_response(headers::secure))
        .layer(from_fn(compress::compress))
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
