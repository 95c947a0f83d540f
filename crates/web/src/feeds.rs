//! What machines come for: the sitemap, the feed of new models, the word to crawlers.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use catalog::Snapshot;
use types::Timestamp;

use crate::format;
use crate::machine::{feed, head, sitemap};
use crate::traffic::{View, Viewer};
use crate::visit::Visit;
use crate::watch;

/// Where the feed of new models is.
pub(crate) const MODELS: &str = "/feeds/models.atom";
/// Where the feed of changed prices is.
pub(crate) const PRICES: &str = "/feeds/prices.atom";
/// Entries of a feed.
const ENTRIES_MAX: usize = 50;

/// The day of the latest fact of the catalog: how old a feed is in which nothing happened yet.
pub(crate) fn catalog_date(snapshot: &Snapshot) -> Timestamp {
    let day = snapshot.models.iter().filter_map(|model| format::day_number(&model.as_of)).max();
    Timestamp::from_seconds(day.unwrap_or_default().saturating_mul(86_400))
}

fn answer(media_type: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}

pub(crate) async fn robots(visit: Visit) -> Response {
    answer("text/plain; charset=utf-8", head::robots(&visit.place.base_url))
}

pub(crate) async fn pages(visit: Visit) -> Response {
    let snapshot = visit.snapshot();
    let of_catalog = Some(format::iso_day(catalog_date(snapshot).day()));
    let dated = |path: String| sitemap::Entry { path, modified: of_catalog.clone() };
    let entry = |path: String| sitemap::Entry { path, modified: None };
    let lists = ["/models", "/providers", "/charts", "/benchmarks"].map(|path| dated(path.to_owned()));
    let others = ["/", "/compare", "/calculator", "/status"].map(|path| entry(path.to_owned()));
    // Who looks for pages is nobody that we know.
    let is_open = View::of(visit.site.ranking_rules(), Viewer::Anyone).is_ok();
    let used = ["/rankings", "/apps"].into_iter().filter(|_| is_open).map(|path| entry(path.to_owned()));
    let benches = crate::scores::all(snapshot);
    let benches = benches.iter().map(|bench| dated(format!("/benchmarks/{}", bench.slug)));
    let all: Vec<_> = lists
        .into_iter()
        .chain(others)
        .chain(used)
        .chain(crate::setup::paths().map(entry))
        .chain(crate::virtual_model::paths(&visit.place.brand_slug).map(entry))
        .chain(benches)
        .chain(sitemap::of_catalog(snapshot))
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
        since: catalog_date(visit.snapshot()),
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
        since: catalog_date(visit.snapshot()),
    };
    answer("application/atom+xml", feed::atom(&head, &watch::items(visit.snapshot(), &watch, ENTRIES_MAX)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Records, SMALL, Still, get, see, several_on};
    use crate::{Audience, RankingRules};

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
        for path in ["/rankings", "/apps", "/status"] {
            assert!(paths.contains(&path), "{path}");
        }
        for path in paths {
            assert_eq!(get(several_on(), path).await.status, 200, "{path}");
        }
        map.holds("/models</loc><lastmod>20");
        let rules = RankingRules { audience: Audience::SignedIn, ..RankingRules::default() };
        let closed = Still::new(&SMALL, &["mistral"]).recorded(Records { rules, ..Records::default() });
        see(closed, "/sitemap.xml").await.lacks("/rankings<").lacks("/apps<").holds("/status<");
    }

    #[tokio::test]
    async fn a_feed_in_which_nothing_happened_is_as_old_as_the_catalog() {
        let latest = SMALL.models.iter().map(|model| &*model.as_of).max().unwrap();
        for path in ["/feeds/prices.atom", "/status.atom"] {
            let feed = get(several_on(), path).await;
            feed.lacks("<entry>").holds(&format!("<updated>{latest}T00:00:00Z</updated>"));
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
