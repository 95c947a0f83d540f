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
use tollway_web::{Live, Place, ProviderLine, Site, Status, World, router};
use types::{Clock, SystemClock, Timestamp};

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
        let site = Preview { status, world: Arc::new(world) };
        servers.spawn(async move { axum::serve(listener, router(Arc::new(site))).await });
    }
    while let Some(served) = servers.join_next().await {
        served??;
    }
    Ok(())
}
