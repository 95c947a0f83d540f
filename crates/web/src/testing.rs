//! Sites in several states, and a way to ask them.

pub(crate) mod api;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use catalog::Snapshot;
use ledger::Fees;
use routing::health::{Figures, Quantiles, Size, Uptime};
use routing::plan::Conditions;
use routing::quality::Abilities;
use tower::ServiceExt;
use types::Timestamp;

use crate::{
    Announcement, Attempts, CacheUses, Live, Place, PriceWatch, ProviderLine, RankingRules, Site, Soon,
    Status, UseAsk, UseBy, UseRow, UseSums, Viewer, World, router,
};

/// 2026-07-03, 12:00 UTC.
pub(crate) const NOON: Timestamp = Timestamp::from_seconds(1_783_080_000);

/// A few models: `mistralai/small-4` with everything, `acme/bare` with next to nothing and hostile names.
pub(crate) static SMALL: LazyLock<Arc<Snapshot>> = LazyLock::new(|| load("src/testing/catalog"));

/// The catalog that ships.
pub(crate) static SHIPPED: LazyLock<Arc<Snapshot>> = LazyLock::new(|| load("../../catalog"));

fn load(folder: &str) -> Arc<Snapshot> {
    let loaded = catalog::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    Arc::new(loaded.unwrap_or_else(|problems| panic!("{folder}: {}", problems[0])))
}

/// A catalog of which some providers are on, and endpoints of which some are measured.
pub(crate) struct Still {
    snapshot: Arc<Snapshot>,
    abilities: Abilities,
    on: Vec<String>,
    measured: Vec<(String, Live)>,
    records: Records,
}

/// What the store would say, and who asks it.
#[derive(Clone, Default)]
pub(crate) struct Records {
    pub(crate) used: Vec<Used>,
    pub(crate) attempts: Attempts,
    pub(crate) viewer: Viewer,
    pub(crate) rules: RankingRules,
    pub(crate) prices: PriceWatch,
    pub(crate) cache_use: CacheUses,
    pub(crate) is_down: bool,
    pub(crate) told: Vec<Announcement>,
}

/// Use of one day: a hundred tokens in and ten out per request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    pub(crate) model: &'static str,
    pub(crate) app: &'static str,
    pub(crate) task: &'static str,
    pub(crate) account: &'static str,
    pub(crate) days_ago: i64,
    pub(crate) requests: u64,
}

impl Still {
    pub(crate) fn new(snapshot: &Arc<Snapshot>, on: &[&str]) -> Still {
        Still {
            snapshot: Arc::clone(snapshot),
            abilities: Abilities::of(snapshot),
            on: on.iter().map(|slug| (*slug).to_owned()).collect(),
            measured: Vec::new(),
            records: Records::default(),
        }
    }

    /// With so many milliseconds to the first token and so many tokens per second at an endpoint.
    pub(crate) fn measured(mut self, endpoint: &str, ttft_ms: f64, tokens_per_s: f64) -> Still {
        let all = |p50: f64, p95: f64| Quantiles { p50, p75: p50, p90: p95, p95, p99: p95 };
        let hour = Uptime { answered: 19, failed: 1, busy: 0 };
        let live = Live {
            ttft_ms: Some(all(ttft_ms, ttft_ms * 2.0)),
            tokens_per_s: Some(all(tokens_per_s, tokens_per_s / 2.0)),
            samples: 40,
            recent: Uptime { answered: 39, failed: 1, busy: 0 },
            hours: vec![hour; 24],
        };
        self.measured.push((endpoint.to_owned(), live));
        self
    }

    /// With what the store would say.
    pub(crate) fn recorded(mut self, records: Records) -> Still {
        self.records = records;
        self
    }

    fn provider_is_on(&self, provider: usize) -> bool {
        let found = self.snapshot.providers.get(provider);
        found.is_some_and(|provider| self.on.iter().any(|slug| **slug == *provider.id))
    }
}

impl Conditions for Still {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.snapshot.endpoints.get(endpoint).is_some_and(|endpoint| self.provider_is_on(endpoint.provider))
    }

    fn healthy(&self, _: usize) -> bool {
        true
    }

    fn figures(&self, endpoint: usize, _: Size) -> Figures {
        let live = self.live(endpoint, NOON);
        Figures {
            ttft_ms: live.ttft_ms,
            tokens_per_s: live.tokens_per_s,
            samples: live.samples,
            ..Figures::default()
        }
    }
}

impl World for Still {
    fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    fn conditions(&self) -> &dyn Conditions {
        self
    }

    fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    fn provider_off(&self, provider: usize) -> Option<String> {
        (!self.provider_is_on(provider)).then(|| String::from("no key; set SOME_API_KEY"))
    }

    fn live(&self, endpoint: usize, _: Timestamp) -> Live {
        let id = self.snapshot.endpoints.get(endpoint).map(|endpoint| &*endpoint.id);
        let found = self.measured.iter().find(|(known, _)| Some(known.as_str()) == id);
        found.map(|(_, live)| live.clone()).unwrap_or_default()
    }
}

/// A site that stands still.
struct Fixed {
    status: Status,
    world: Arc<dyn World>,
    records: Records,
}

impl Site for Fixed {
    fn status(&self, host: Option<&str>) -> Status {
        let mut status = self.status.clone();
        if let Some(host) = host {
            status.base_url = format!("http://{host}");
        }
        status
    }

    fn place(&self, host: Option<&str>) -> Place {
        let status = self.status(host);
        Place {
            brand: status.brand,
            brand_slug: status.brand_slug,
            header_prefix: String::from("X-Tollway"),
            version: status.version,
            base_url: status.base_url,
            is_prepaid: false,
            hides_rankings: false,
            banners: Vec::new(),
        }
    }

    fn announcements(&self) -> Vec<Announcement> {
        self.records.told.clone()
    }

    fn world(&self) -> Arc<dyn World> {
        Arc::clone(&self.world)
    }

    fn now(&self) -> Timestamp {
        NOON
    }

    fn fees(&self) -> Fees {
        Fees::default()
    }

    fn viewer<'a>(&'a self, _: &'a HeaderMap) -> Soon<'a, Viewer> {
        Box::pin(async { self.records.viewer })
    }

    fn ranking_rules(&self) -> RankingRules {
        self.records.rules
    }

    fn traffic(&self, ask: UseAsk) -> Soon<'_, Option<Arc<Vec<UseRow>>>> {
        let asked = |used: &&Used| {
            used.days_ago < ask.days
                && ask.model.as_ref().is_none_or(|model| model == used.model)
                && (ask.apps.is_empty() || ask.apps.iter().any(|app| app == used.app))
        };
        let row = |used: &Used| UseRow {
            value: match ask.by {
                UseBy::Model => used.model,
                UseBy::App => used.app,
                UseBy::Task => used.task,
            }
            .to_owned(),
            account: used.account.to_owned(),
            day: NOON.day() - used.days_ago,
            sums: UseSums {
                requests: used.requests,
                input: used.requests * 100,
                output: used.requests * 10,
                charged: types::Money::from_nanos(2_500_000_000),
            },
        };
        let rows: Vec<UseRow> = self.records.used.iter().filter(asked).map(row).collect();
        Box::pin(async move { (!self.records.is_down).then(|| Arc::new(rows)) })
    }

    fn prices(&self) -> Soon<'_, Option<Arc<PriceWatch>>> {
        Box::pin(async { (!self.records.is_down).then(|| Arc::new(self.records.prices.clone())) })
    }

    fn cache_use(&self) -> Soon<'_, Option<Arc<CacheUses>>> {
        Box::pin(async { (!self.records.is_down).then(|| Arc::new(self.records.cache_use.clone())) })
    }

    fn attempts(&self) -> Soon<'_, Option<Arc<Attempts>>> {
        Box::pin(async { (!self.records.is_down).then(|| Arc::new(self.records.attempts.clone())) })
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn holds(&self, text: &str) -> &Answer {
        assert!(self.text.contains(text), "no `{text}` in:\n{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) -> &Answer {
        assert!(!self.text.contains(text), "`{text}` is in:\n{}", self.text);
        self
    }
}

/// The site that pages are asked of.
pub(crate) fn site(status: Status, world: Still) -> Arc<dyn Site> {
    Arc::new(Fixed { status, records: world.records.clone(), world: Arc::new(world) })
}

/// Asks a page of the small catalog, with nothing measured.
pub(crate) async fn get(status: Status, path: &str) -> Answer {
    send(status, "GET", path).await
}

pub(crate) async fn send(status: Status, method: &str, path: &str) -> Answer {
    ask(status, Still::new(&SMALL, &["mistral"]), method, path, &[]).await
}

/// Asks a page of this world.
pub(crate) async fn see(world: Still, path: &str) -> Answer {
    ask(several_on(), world, "GET", path, &[]).await
}

/// Asks with headers.
pub(crate) async fn ask(
    status: Status,
    world: Still,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let path = path.replace('<', "%3C").replace('>', "%3E");
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::empty()).unwrap();
    let response = router(site(status, world)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}

pub(crate) fn provider(slug: &str, name: &str, on: bool, models: usize, how: &str) -> ProviderLine {
    let simulated = slug == "sandbox";
    ProviderLine { slug: slug.into(), name: name.into(), on, models, how: how.into(), simulated }
}

pub(crate) fn only_sandbox() -> Status {
    let off = [
        provider("groq", "Groq", false, 14, "GROQ_API_KEY"),
        provider("mistral", "Mistral", false, 31, "MISTRAL_API_KEY"),
        provider("google", "Google", false, 22, "GEMINI_API_KEY, GOOGLE_API_KEY"),
        provider("vertex", "Vertex", false, 9, "its dialect comes later; see `docs`"),
    ];
    Status {
        brand: "Tollway".into(),
        brand_slug: "tollway".into(),
        version: "0.1.0".into(),
        base_url: "http://127.0.0.1:8080".into(),
        uptime_s: 3_725,
        billing_mode: "metered".into(),
        store: "SQLite".into(),
        models: 573,
        endpoints: 1_362,
        providers: 71,
        as_of: "2026-07-02".into(),
        providers_on: vec![provider("sandbox", "Sandbox", true, 7, "")],
        providers_off: off.into(),
        ready: true,
        not_ready_reason: None,
    }
}

pub(crate) fn several_on() -> Status {
    let mut status = only_sandbox();
    status.providers_on.insert(0, provider("mistral", "Mistral", true, 31, "MISTRAL_API_KEY"));
    status.providers_off.retain(|provider| provider.slug != "mistral");
    status
}

/// How many bytes of a page leave for a browser.
pub(crate) async fn packed(world: Still, path: &str) -> usize {
    let request = Request::get(path).header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let response = router(site(several_on(), world)).oneshot(request).await.unwrap();
    to_bytes(response.into_body(), 1 << 20).await.unwrap().len()
}
