//! What the data plane needs to know, as plain values; `tollway` fills it from the configuration.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ledger::BillingMode;
use routing::name::Names;

use crate::cache::Limits;
use crate::replaying::Bounds;

/// Limits, timeouts and names. Every limit has its unit in its name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the operator shows itself.
    pub brand: Brand,
    /// How model names under the brand are understood.
    pub names: Names,
    /// Metered or prepaid.
    pub mode: BillingMode,
    /// What is charged beside the providers' prices.
    pub fees: ledger::Fees,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Most attempts of one generation.
    pub attempts_max: usize,
    /// The share of a virtual model's decisions that try another candidate about as good.
    pub explore: f64,
    /// Whether a second provider may be asked when the first is late.
    pub hedging: bool,
    /// Whether a better model may be asked where an answer is found wanting.
    pub escalations: bool,
    /// The guardrails of every call.
    pub guardrails: Option<Arc<guardrails::Rules>>,
    /// Largest plain answer of a provider.
    pub response_bytes_max: usize,
    /// Largest event of a provider's stream.
    pub sse_frame_bytes_max: usize,
    /// For reaching a provider, TLS included.
    pub connect_timeout: Duration,
    /// From sending to the first byte of an answer.
    pub first_byte_timeout: Duration,
    /// Between meaningful bytes of an answer.
    pub stall_timeout: Duration,
    /// Silence within a stream after which its client is shown that it goes on.
    pub keep_alive: Duration,
    /// For the whole generation.
    pub total_timeout: Duration,
    /// How long a response that a caller asked to be kept is kept.
    pub responses_retention: Duration,
    /// Images and files may be fetched from private addresses too.
    pub fetch_private: bool,
    /// Idle connections kept per provider and worker.
    pub idle_connections_per_host_max: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Output tokens held at first where the caller gave no cap, and by which a hold grows.
    pub hold_output_tokens: u64,
    /// How long a call waits for money that other calls hold.
    pub hold_wait_max: Duration,
    /// How many calls may wait so at once.
    pub hold_waiters_max: usize,
    /// Most calls in flight on this node.
    pub requests_in_flight_max: usize,
    /// Most calls in flight on one key; 0: no limit.
    pub key_concurrency_max: u32,
    /// What a new key may spend where its maker doesn't say, and over what span.
    pub new_key_limit: (Option<types::Money>, ledger::Period),
    /// Proxies whose word on where a call came from is believed.
    pub trusted_proxies: Vec<types::Network>,
    /// What the response cache may take, and for how long.
    pub cache: Limits,
    /// How much a replay over the API may read, and for how long.
    pub replay: Bounds,
    /// What is kept for `Idempotency-Key`, and for how long.
    pub idempotency: crate::idempotency::Limits,
    /// How far a provider is read on for a caller who left.
    pub drain: crate::care::Bounds,
}

/// The brand's names, prepared as headers.
#[derive(Clone, Debug)]
pub struct Brand {
    /// `Tollway`.
    pub name: String,
    /// `tollway`: of virtual models and of metadata in bodies.
    pub slug: String,
    /// `sk-tw`.
    pub key_prefix: String,
    /// Prefixes of request headers, lower case with the dash: the brand's and those of the systems whose clients we serve.
    pub request_prefixes: Vec<String>,
    /// Response headers.
    pub headers: ResponseHeaders,
}

/// Names of the response headers under the brand's prefix.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the header of the same name")]
pub struct ResponseHeaders {
    pub cost: HeaderName,
    pub input_cost: HeaderName,
    pub output_cost: HeaderName,
    pub endpoint: HeaderName,
    pub model: HeaderName,
    pub fallback_chain: HeaderName,
    pub fallback_reason: HeaderName,
    pub router_version: HeaderName,
    pub translation: HeaderName,
    pub task: HeaderName,
    pub task_confidence: HeaderName,
    pub cost_quality_applied: HeaderName,
    pub cache_status: HeaderName,
    pub cache_age: HeaderName,
    pub cache_ttl: HeaderName,
    pub cache_source_id: HeaderName,
    pub guardrails: HeaderName,
}

/// `X-Generation-Id`.
pub const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
/// Of the decision code: changes when decisions change.
pub const ROUTER_VERSION: &str = "guided-2";

impl Brand {
    /// `x-tollway`: what our headers begin with, in lower case.
    pub fn header_prefix(&self) -> &str {
        let name = self.headers.cost.as_str();
        name.strip_suffix("-cost-usd").unwrap_or(name)
    }

    /// Prepares the names. Fails when the prefix makes no header name.
    pub fn new(
        name: &str,
        slug: &str,
        header_prefix: &str,
        key_prefix: &str,
    ) -> Result<Brand, http::header::InvalidHeaderName> {
        let prefix = header_prefix.to_ascii_lowercase();
        let header = |rest: &str| HeaderName::from_bytes(format!("{prefix}-{rest}").as_bytes());
        let mut request_prefixes = vec![format!("{prefix}-")];
        for peer in ["x-gammainfra-", "x-openrouter-", "x-tollway-"] {
            if !request_prefixes.iter().any(|p| p == peer) {
                request_prefixes.push(peer.to_owned());
            }
        }
        Ok(Brand {
            name: name.to_owned(),
            slug: slug.to_owned(),
            key_prefix: key_prefix.to_owned(),
            request_prefixes,
            headers: ResponseHeaders {
                cost: header("cost-usd")?,
                input_cost: header("input-cost-usd")?,
                output_cost: header("output-cost-usd")?,
                endpoint: header("endpoint")?,
                model: header("model")?,
                fallback_chain: header("fallback-chain")?,
                fallback_reason: header("fallback-reason")?,
                router_version: header("router-version")?,
                translation: header("translation")?,
                task: header("task")?,
                task_confidence: header("task-confidence")?,
                cost_quality_applied: header("cost-quality-applied")?,
                cache_status: header("cache-status")?,
                cache_age: header("cache-age")?,
                cache_ttl: header("cache-ttl")?,
                cache_source_id: header("cache-source-id")?,
                guardrails: header("guardrails")?,
            },
        })
    }
}
