//! The first page in several states, to look at while working on it, without a gateway:
//!
//! ```text
//! cargo run -p tollway-web --example preview
//! ```
//!
//! `http://127.0.0.1:8090` shows a fresh start with only the sandbox on, port 8091 several providers, port 8092 a place
//! that is not ready, under a brand of its own. Any unknown path shows the 404 page.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tollway_web::{ProviderLine, Site, Status, router};

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

struct Preview(Status);

impl Site for Preview {
    fn status(&self, host: Option<&str>) -> Status {
        let mut status = self.0.clone();
        if let Some(host) = host {
            status.base_url = format!("http://{host}");
        }
        status
    }
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
    let states = [state(&[], true), state(&["mistral", "groq", "openai", "together"], true), not_ready];
    let mut servers = tokio::task::JoinSet::new();
    for (port, status) in (FIRST_PORT..).zip(states) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        eprintln!("http://127.0.0.1:{port}  {}", if status.ready { "ready" } else { "not ready" });
        servers.spawn(async move { axum::serve(listener, router(Arc::new(Preview(status)))).await });
    }
    while let Some(served) = servers.join_next().await {
        served??;
    }
    Ok(())
}
