//! The pages in several states, to look at while working on them, without a gateway:
//!
//! ```text
//! cargo run -p tollway-web --example preview
//! ```
//!
//! `http://127.0.0.1:8090` shows a fresh start with only the sandbox on and nothing measured, port 8091 several providers with made-up
//! measurements, port 8092 a place that is not ready, under a brand of its own. All show the catalog that ships. Any unknown path
//! shows the 404 page. Another first port can be given.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use catalog::{Protocol, Snapshot};
use ledger::Fees;
use routing::health::{Figures, Quantiles, Size, Uptime};
use routing::plan::Conditions;
use routing::quality::Abilities;
use tokio::net::TcpListener;
use tollway_web::{
    Attempted, Attempts, CacheUse, CacheUses, Changed, EndpointTime, Live, Place, PriceChange, PriceWatch,
    ProviderLine, Site, Soon, Status, UseAsk, UseBy, UseRow, UseSums, Viewer, World, router,
};
use types::{Clock, Money, PriceKind, Quote, Rate, SystemClock, Timestamp};

const FIRST_PORT: u16 = 8090;

/// Slug, name, models, what switches it on.
const PROVIDERS: [(&str, &str, usize, &str); 24] = [
    ("alibaba", "Alibaba", 61, "DASHSCOPE_API_KEY"),
    ("bedrock", "Amazon Bedrock", 88, "its dialect is not spoken yet"),
    ("anthropic", "Anthropic", 14, "its dialect is not spoken yet"),
    ("cerebras", "Cerebras", 6, "CEREBRAS_API_KEY"),
    ("clarifai", "Clarifai", 9, "CLARIFAI_PAT"),
    ("cloudferro", "CloudFerro Sherlock", 5, "CLOUDFERRO_SHERLOCK_API_KEY"),
    ("deepinfra", "Deep Infra", 72, "DEEPINFRA_API_KEY"),
    ("deepseek", "DeepSeek", 4, "DEEPSEEK_API_KEY"),
    ("fireworks", "Fireworks AI", 40, "FIREWORKS_API_KEY"),
    ("google", "Google", 33, "GEMINI_API_KEY, GOOGLE_API_KEY or GOOGLE_GENERATIVE_AI_API_KEY"),
    ("groq", "Groq", 16, "GROQ_API_KEY"),
    ("hugging-face", "Hugging Face", 25, "HF_TOKEN"),
    ("minimax", "MiniMax (minimax.io)", 5, "MINIMAX_API_KEY"),
    ("mistral", "Mistral", 31, "MISTRAL_API_KEY"),
    ("moonshotai", "Moonshot AI", 7, "MOONSHOT_API_KEY"),
    ("ollama", "Ollama", 0, "`base_url` under `[providers.ollama]`"),
    ("openai", "OpenAI", 57, "OPENAI_API_KEY"),
    ("ovhcloud", "OVHcloud AI Endpoints", 19, "OVHCLOUD_API_KEY"),
    ("submodel", "submodel", 3, "SUBMODEL_INSTAGEN_ACCESS_KEY"),
    ("together", "Together AI", 84, "TOGETHER_API_KEY"),
    ("venice", "Venice AI", 29, "VENICE_API_KEY"),
    ("wandb", "Weights & Biases", 12, "WANDB_API_KEY"),
    ("xai", "xAI", 11, "XAI_API_KEY"),
    ("zai", "Z.AI", 13, "ZHIPU_API_KEY"),
];

struct Preview {
    status: Status,
    world: Arc<dyn World>,
    /// Has made-up records.
    is_used: bool,
    viewer: Viewer,
}

/// A made-up number that stays the same.
fn wave(seed: i64) -> u64 {
    (seed.wrapping_mul(2_654_435_761).unsigned_abs() >> 7) % 97
}

impl Preview {
    fn endpoints(&self) -> Vec<(usize, &str, &str)> {
        let snapshot = self.world.snapshot();
        let on = (0..snapshot.endpoints.len()).filter(|at| self.world.conditions().switched_on(*at));
        on.filter_map(|at| {
            let endpoint = snapshot.endpoints.get(at)?;
            Some((at, &*endpoint.id, &*snapshot.models.get(endpoint.model)?.id))
        })
        .collect()
    }

    fn used(&self, ask: &UseAsk) -> Vec<UseRow> {
        const APPS: [&str; 6] =
            ["Night Owl", "Ledger Desk", "code.example.com", "Invoice reader", "", "Support, Rotterdam"];
        const TASKS: [&str; 5] = ["code", "chat", "", "summarize", "extraction"];
        let (today, models) = (self.now().day(), self.endpoints());
        let mut rows = Vec::new();
        for (number, (_, _, model)) in models.iter().step_by(9).take(24).enumerate() {
            let number = i64::try_from(number).unwrap_or_default();
            for (day, account) in (0..ask.days).flat_map(|day| (0..5).map(move |account| (day, account))) {
                let of = |names: &[&'static str]| {
                    let at = usize::try_from((number + account) % 7).unwrap_or_default() % names.len().max(1);
                    names.get(at).copied().unwrap_or_default()
                };
                let (app, task) = (of(&APPS), of(&TASKS));
                let is_asked = ask.model.as_ref().is_none_or(|asked| asked == model)
                    && (ask.apps.is_empty() || ask.apps.iter().any(|asked| asked == app));
                if !is_asked || (account > 1 && number % 5 == 4) {
                    continue;
                }
                let requests =
                    1 + wave(number * 31 + day * 7 + account) * u64::try_from(30 - number).unwrap_or(1);
                let value = match ask.by {
                    UseBy::Model => *model,
                    UseBy::App => app,
                    UseBy::Task => task,
                };
                let (input, output) = (requests * 1_200, requests * 310);
                rows.push(UseRow {
                    value: value.to_owned(),
                    account: format!("acct_{account}"),
                    day: today - day,
                    sums: UseSums {
                        requests,
                        input,
                        output,
                        charged: Money::from_nanos(requests.cast_signed() * 700_000),
                    },
                });
            }
        }
        rows
    }

    /// Three changes of the prices of every seventh offer.
    fn watched(&self) -> PriceWatch {
        let now = self.now();
        let ago = |days: i64| Timestamp::from_seconds(now.seconds() - days * 86_400);
        let mut watch = PriceWatch { since: Some(ago(200)), changes: Vec::new() };
        if !self.is_used {
            return watch;
        }
        let snapshot = self.world.snapshot();
        for (number, days, percent) in [(4, 12, 100), (3, 60, 125), (2, 130, 150)] {
            for endpoint in snapshot.endpoints.iter().step_by(7) {
                for kind in [PriceKind::Input, PriceKind::Output] {
                    let Some(Quote::Known(rate)) = endpoint.price.quote(kind) else { continue };
                    let at = |percent: i64| {
                        Rate::from_nanos_per_million(rate.nanos_per_million() / 100 * percent)
                            .map(Quote::Known)
                    };
                    let price = Changed {
                        kind,
                        condition: String::new(),
                        before: at(percent + 25),
                        after: if number == 4 { endpoint.price.quote(kind) } else { at(percent) },
                    };
                    watch.changes.push(PriceChange {
                        number,
                        endpoint: endpoint.id.to_string(),
                        at: ago(days),
                        price: Some(price),
                    });
                }
            }
        }
        watch
    }

    fn cached(&self) -> CacheUses {
        let mut uses = CacheUses::new();
        for (at, endpoint, model) in self.endpoints() {
            let Some((provider, _)) = endpoint.split_once('/') else { continue };
            let own = uses.entry(model.to_owned()).or_default();
            own.extend((0..4).map(|account| {
                let requests = 20 + wave(i64::try_from(at + account).unwrap_or_default());
                let (input, cache_read) = (requests * 3_000, requests * 30 * wave(requests.cast_signed()));
                let (provider, account) = (provider.to_owned(), format!("acct_{account}"));
                CacheUse { provider, account, requests, input, cache_read }
            }));
        }
        uses
    }

    fn tried(&self) -> Attempts {
        let (day, hour) = (self.now().day(), self.now().seconds() / 3_600);
        let mut attempts = Attempts::default();
        for (at, endpoint, _) in self.endpoints().into_iter().step_by(7) {
            let seed = i64::try_from(at).unwrap_or_default();
            let time = |when: i64| {
                let failed = if wave(seed + when) > 93 { wave(when) / 5 } else { 0 };
                let answered = 40 + wave(seed * when) * 3;
                let ttft_us = answered * (250_000 + wave(seed) * 4_000 + wave(seed * when) * 1_500);
                let attempted = Attempted {
                    answered,
                    errors: failed,
                    busy: 2,
                    ttft_us,
                    ttft_count: answered,
                    ..Attempted::default()
                };
                EndpointTime { endpoint: endpoint.to_owned(), at: when, attempted }
            };
            let first = if at % 3 == 0 { 89 } else { 25 };
            attempts.days.extend((0..=first).rev().map(|ago| time(day - ago)));
            attempts
                .hours
                .extend((0..24).rev().filter(|ago| at % 4 != 1 || *ago > 30).map(|ago| time(hour - ago)));
        }
        let bad = |endpoint: &str, ago: i64, answered, errors, timed_out| EndpointTime {
            endpoint: endpoint.to_owned(),
            at: hour - ago,
            attempted: Attempted { answered, errors, timed_out, ..Attempted::default() },
        };
        attempts.bad = vec![
            bad("groq/llama-3.3-70b", 0, 12, 31, 4),
            bad("mistral/mistral-small-2603", 400, 0, 60, 21),
            bad("mistral/mistral-small-2603", 401, 3, 44, 0),
        ];
        attempts
    }
}

impl Site for Preview {
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
            is_prepaid: status.billing_mode == "prepaid",
            hides_rankings: false,
            banners: Vec::new(),
            brand: status.brand,
            brand_slug: status.brand_slug,
            header_prefix: String::from("X-Tollway"),
            version: status.version,
            base_url: status.base_url,
        }
    }

    fn world(&self) -> Arc<dyn World> {
        Arc::clone(&self.world)
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn fees(&self) -> Fees {
        Fees::default()
    }

    fn viewer<'a>(&'a self, _: &'a axum::http::HeaderMap) -> Soon<'a, Viewer> {
        Box::pin(async { self.viewer })
    }

    fn traffic(&self, ask: UseAsk) -> Soon<'_, Option<Arc<Vec<UseRow>>>> {
        Box::pin(async move { Some(Arc::new(if self.is_used { self.used(&ask) } else { Vec::new() })) })
    }

    fn prices(&self) -> Soon<'_, Option<Arc<PriceWatch>>> {
        Box::pin(async move { Some(Arc::new(self.watched())) })
    }

    fn cache_use(&self) -> Soon<'_, Option<Arc<CacheUses>>> {
        Box::pin(async move { Some(Arc::new(if self.is_used { self.cached() } else { CacheUses::new() })) })
    }

    fn attempts(&self) -> Soon<'_, Option<Arc<Attempts>>> {
        Box::pin(async { Some(Arc::new(if self.is_used { self.tried() } else { Attempts::default() })) })
    }
}

/// The shipped catalog with some providers on, and made-up measurements of theirs.
struct Shown {
    snapshot: Arc<Snapshot>,
    abilities: Abilities,
    on: Vec<bool>,
    is_measured: bool,
}

impl Shown {
    fn new(snapshot: &Arc<Snapshot>, on: &[&str], is_measured: bool) -> Shown {
        let is_on = |provider: &catalog::Provider| {
            provider.protocol == Protocol::Sandbox || on.contains(&&*provider.id)
        };
        Shown {
            abilities: Abilities::of(snapshot),
            on: snapshot.providers.iter().map(is_on).collect(),
            snapshot: Arc::clone(snapshot),
            is_measured,
        }
    }

    fn provider_is_on(&self, provider: usize) -> bool {
        self.on.get(provider).copied().unwrap_or_default()
    }
}

impl Conditions for Shown {
    fn switched_on(&self, endpoint: usize) -> bool {
        self.snapshot.endpoints.get(endpoint).is_some_and(|endpoint| self.provider_is_on(endpoint.provider))
    }

    fn healthy(&self, _: usize) -> bool {
        true
    }

    fn figures(&self, endpoint: usize, _: Size) -> Figures {
        let live = self.live(endpoint, Timestamp(0));
        Figures {
            ttft_ms: live.ttft_ms,
            tokens_per_s: live.tokens_per_s,
            samples: live.samples,
            ..Figures::default()
        }
    }
}

impl World for Shown {
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
        let of = self.snapshot.providers.get(provider)?;
        let how = of.api_key_env.first().map_or("base_url is missing", String::as_str);
        (!self.provider_is_on(provider)).then(|| format!("no key; set {how}"))
    }

    fn live(&self, endpoint: usize, _: Timestamp) -> Live {
        if !self.is_measured || !self.switched_on(endpoint) || endpoint % 5 == 4 {
            return Live::default();
        }
        let spread = |p50: f64, p95: f64| Quantiles { p50, p75: p50, p90: p95, p95, p99: p95 };
        let ttft = 180.0 + (endpoint * 37 % 900) as f64;
        let speed = 18.0 + (endpoint * 53 % 170) as f64;
        let hour = |number: usize| Uptime {
            answered: if number == 3 { 0 } else { 40 },
            failed: u64::from((endpoint + number).is_multiple_of(11)) * 4,
            busy: 1,
        };
        Live {
            ttft_ms: Some(spread(ttft, ttft * 2.4)),
            tokens_per_s: Some(spread(speed, speed * 0.6)),
            samples: 12 + (endpoint * 7 % 400) as u64,
            recent: hour(1),
            hours: (0..24).map(hour).collect(),
        }
    }
}

/// The catalog that ships.
fn shipped() -> std::io::Result<Arc<Snapshot>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog");
    let loaded = catalog::load_dir(&folder);
    loaded.map(Arc::new).map_err(|problems| {
        std::io::Error::other(problems.first().map(ToString::to_string).unwrap_or_default())
    })
}

fn state(on: &[&str], with_sandbox: bool) -> Status {
    let line = |(slug, name, models, how): &(&str, &str, usize, &str)| ProviderLine {
        slug: (*slug).into(),
        name: (*name).into(),
        on: on.contains(slug),
        models: *models,
        how: (*how).into(),
        simulated: *slug == "sandbox",
    };
    let (mut providers_on, providers_off): (Vec<_>, Vec<_>) =
        PROVIDERS.iter().map(line).partition(|provider| provider.on);
    if with_sandbox {
        providers_on.push(ProviderLine { on: true, ..line(&("sandbox", "Sandbox", 7, "")) });
    }
    Status {
        brand: "Tollway".into(),
        brand_slug: "tollway".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        base_url: String::new(),
        uptime_s: 95,
        billing_mode: "metered".into(),
        store: "SQLite".into(),
        models: 573,
        endpoints: 1_362,
        providers: 71,
        as_of: "2026-07-02".into(),
        providers_on,
        providers_off,
        ready: true,
        not_ready_reason: None,
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let not_ready = Status {
        brand: "Northwind Model Exchange".into(),
        brand_slug: "northwind".into(),
        billing_mode: "prepaid".into(),
        store: "Postgres".into(),
        uptime_s: 1_234_567,
        ready: false,
        not_ready_reason: Some("the store does not answer".into()),
        ..state(&["openai", "mistral"], false)
    };
    let several = ["mistral", "groq", "openai", "togetherai", "deepinfra", "venice", "fireworks-ai"];
    let snapshot = shipped()?;
    let states = [
        (state(&[], true), Shown::new(&snapshot, &[], false)),
        (state(&["mistral", "groq", "openai", "together"], true), Shown::new(&snapshot, &several, true)),
        (not_ready, Shown::new(&snapshot, &["openai", "mistral"], false)),
    ];
    let mut servers = tokio::task::JoinSet::new();
    let first = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(FIRST_PORT);
    for (port, (status, world)) in (first..).zip(states) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        eprintln!("http://127.0.0.1:{port}  {}", if status.ready { "ready" } else { "not ready" });
        let is_used = world.is_measured;
        let viewer = if status.billing_mode == "prepaid" { Viewer::Operator } else { Viewer::Anyone };
        let site = Preview { status, world: Arc::new(world), is_used, viewer };
        servers.spawn(async move { axum::serve(listener, router(Arc::new(site))).await });
    }
    while let Some(served) = servers.join_next().await {
        served??;
    }
    Ok(())
}
