//! What machines come for: the sitemap, the feed of new models, the word to crawlers.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::machine::{feed, head, sitemap};
use crate::visit::Visit;
use crate::watch;

/// Where the feed of new models is.
pub(crate) const MODELS: &str = "/feeds/models.atom";
/// Where the feed of changed prices is.
pub(crate) const PRICES: &str = "/feeds/prices.atom";
/// Entries of a feed.
const ENTRIES_MAX: usize = 50;

fn answer(media_type: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}

pub(crate) async fn robots(visit: Visit) -> Response {
    answer("text/plain; charset=utf-8", head::robots(&visit.place.base_url))
}

pub(crate) async fn pages(visit: Visit) -> Response {
    let lists = ["/", "/models", "/providers", "/compare", "/calculator", "/charts", "/benchmarks"];
    let entry = |path: String| sitemap::Entry { path, modified: None };
    let lists = lists.map(|path| entry(path.to_owned()));
    let benches = crate::scores::all(visit.snapshot());
    let benches = benches.iter().map(|bench| entry(format!("/benchmarks/{}", bench.slug)));
    let all: Vec<_> = lists
        .into_iter()
        .chain(crate::setup::paths().map(entry))
        .chain(crate::virtual_model::paths(&visit.place.brand_slug).map(entry))
        .chain(benches)
        .chain(sitemap::of_catalog(visit.snapshot()))
        .collect();
    answer("application/xml", sitemap::xml(&visit.place.base_url, &all))
}

pub(crate) async fn new_models(visit: Visit) -> Response {
    let title = format!("New models · {}", visit.place.brand);
    let head = feed::Head {
        base_url: &visit.place.base_url,
        path: MODELS,
        page: "/models",
        title: &title,
        brand: &visit.place.brand,
    };
    answer(
        "application/atom+xml",
        feed::atom(&head, &feed::new_models(visit.snapshot(), &visit.index.on, ENTRIES_MAX)),
    )
}

pub(crate) async fn prices(visit: Visit) -> Response {
    let Some(watch) = visit.site.prices().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "The store doesn't answer; try again.\n").into_response();
    };
    let title = format!("Changed prices · {}", visit.place.brand);
    let head = feed::Head {
        base_url: &visit.place.base_url,
        path: PRICES,
        page: "/models",
        title: &title,
        brand: &visit.place.brand,
    };
    answer("application/atom+xml", feed::atom(&head, &watch::items(visit.snapshot(), &watch, ENTRIES_MAX)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{SMALL, get, several_on};

    #[tokio::test]
    async fn the_sitemap_names_pages_that_are_there() {
        let map = get(several_on(), "/sitemap.xml").await;
        assert_eq!((map.status, map.header("content-type")), (200, "application/xml"));
        let paths: Vec<&str> = map
            .text
            .split("<loc>http://127.0.0.1:8080")
            .skip(1)
            .filter_map(|rest| rest.split('<').next())
            .collect();
        for model in &SMALL.models {
            assert!(paths.contains(&&*format!("/{}", model.id)), "{}", model.id);
        }
        for path in paths {
            assert_eq!(get(several_on(), path).await.status, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn the_feed_has_new_models_first() {
        let feed = get(several_on(), "/feeds/models.atom").await;
        assert_eq!((feed.status, feed.header("content-type")), (200, "application/atom+xml"));
        let at = |name: &str| feed.text.find(name).unwrap();
        assert!(at("Mistral Small 4") < at("Mistral Large 3"));
        assert!(
            get(several_on(), "/robots.txt")
                .await
                .text
                .contains("Sitemap: http://127.0.0.1:8080/sitemap.xml")
        );
    }
}
