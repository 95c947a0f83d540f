//! The typed configuration. Each field is the key of the same path; what it means stands in the table of keys.
//!
//! `Default` of these types is blank, a canvas for the table's defaults; [`super::defaults`] is what a start with no
//! file gets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use catalog::{OnDisconnect, Protocol};
use ledger::{BillingMode, Period};
use types::{ApiKeyText, ExposeSecret, Money, SecretString};

use super::Network;
use super::money::{Payments, Seller};
use super::people::{Mail, People};
use super::sign_in::IssuerConfig;
use super::telemetry::Telemetry;

/// Everything that was configured.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the section of the same name")]
pub struct Config {
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// `TOLLWAY_BOOTSTRAP_KEY`.
    pub bootstrap_key: Option<ApiKeyText>,
    /// Provider keys that were entered while the server ran, by slug: of the store, no part of file and environment.
    pub stored_keys: BTreeMap<String, SecretString>,
    pub server: Server,
    pub store: StoreSettings,
    pub catalog: CatalogSettings,
    pub billing: Billing,
    pub byok: Byok,
    /// `[fees]` and `[credits]`.
    pub fees: ledger::Fees,
    pub payments: Payments,
    pub people: People,
    pub mail: Mail,
    /// Issuers of identities, by slug.
    pub sign_in: BTreeMap<String, IssuerConfig>,
    pub seller: Seller,
    pub brand: Brand,
    pub site: SiteSettings,
    pub routing: Routing,
    /// The guardrails of every call.
    pub guardrails: Option<std::sync::Arc<guardrails::Rules>>,
    pub upstream: Upstream,
    pub limits: Limits,
    pub cache: Cache,
    pub idempotency: Idempotency,
    pub journal: Journal,
    pub telemetry: Telemetry,
    pub log: Log,
    /// By slug.
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// `[server]`
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Server {
    pub listen: SocketAddr,
    pub admin_listen: Option<SocketAddr>,
    /// Without a slash at the end.
    pub public_url: Option<String>,
    pub data_dir: PathBuf,
    /// 0: one per core.
    pub workers: usize,
    /// 0: never.
    pub spin_us: u64,
    pub drain_s: u64,
    pub tls_cert_file: Option<PathBuf>,
    pub tls_key_file: Option<PathBuf>,
    pub trusted_proxies: Vec<Network>,
    pub body_bytes_max: usize,
    pub header_bytes_max: usize,
    pub header_read_timeout_ms: u64,
    pub connections_max: usize,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin_listen: None,
            public_url: None,
            data_dir: PathBuf::new(),
            workers: 0,
            spin_us: 0,
            drain_s: 0,
            tls_cert_file: None,
            tls_key_file: None,
            trusted_proxies: Vec::new(),
            body_bytes_max: 0,
            header_bytes_max: 0,
            header_read_timeout_ms: 0,
            connections_max: 0,
        }
    }
}

/// `[store]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct StoreSettings {
    /// Unset: see [`Config::store_url`].
    pub url: Option<StoreUrl>,
    pub redis_url: Option<StoreUrl>,
}

/// `[catalog]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct CatalogSettings {
    pub dir: Option<PathBuf>,
}

/// `[billing]`
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Billing {
    pub mode: BillingMode,
    /// PEM.
    pub receipt_key: Option<SecretString>,
    /// Unset, and no `receipt_key` either: one is made in the data folder.
    pub receipt_key_file: Option<PathBuf>,
}

impl Default for Billing {
    fn default() -> Billing {
        Billing { mode: BillingMode::Metered, receipt_key: None, receipt_key_file: None }
    }
}

/// `[byok]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Byok {
    pub master_key: Option<SecretString>,
    pub master_key_file: Option<PathBuf>,
    pub private_base_urls: bool,
}

/// `[brand]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Brand {
    pub name: String,
    pub slug: String,
    pub header_prefix: String,
    pub key_prefix: String,
}

/// `[site]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct SiteSettings {
    pub rankings: web::Audience,
    pub rankings_spend: bool,
    pub rankings_accounts_min: usize,
    pub rankings_requests_min: u64,
    pub public_stats: bool,
    pub ratings: bool,
    pub ratings_hide_reports: i64,
}

/// `[routing]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Routing {
    pub accept_peer_slugs: bool,
    pub attempts_max: usize,
    /// The share of a virtual model's decisions that try another candidate about as good, per mille.
    pub explore_per_mille: u64,
    /// Whether a second provider may be asked when the first is late.
    pub hedging: bool,
    /// Whether a better model may be asked where an answer is found wanting.
    pub escalations: bool,
}

/// `[upstream]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Upstream {
    pub connect_timeout_ms: u64,
    pub first_byte_timeout_ms: u64,
    pub stall_timeout_ms: u64,
    pub keep_alive_ms: u64,
    pub total_timeout_ms: u64,
    pub drain_ms_max: u64,
    pub drain_tokens_max: u64,
    pub drain_bytes_max: u64,
    pub idle_connections_per_host_max: usize,
    pub idle_timeout_ms: u64,
    pub response_bytes_max: usize,
    pub fetch_private: bool,
    pub sse_frame_bytes_max: usize,
}

/// `[limits]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Limits {
    /// 0: none.
    pub key_concurrency_max: u32,
    /// `None`: none.
    pub new_key_limit: Option<Money>,
    pub new_key_limit_reset: Period,
    pub hold_output_tokens: u64,
    pub responses_retention_days: u64,
    pub hold_wait_ms_max: u64,
    pub hold_waiters_max: usize,
    pub requests_in_flight_max: usize,
    pub replay_records_max: u64,
    pub replay_ms_max: u64,
}

/// `[cache]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Cache {
    /// 0: off.
    pub bytes_max: usize,
    pub entries_max: usize,
    pub entry_bytes_max: usize,
    pub ttl_s: u32,
    pub ttl_s_max: u32,
    pub wait_ms_max: u64,
}

/// `[idempotency]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Idempotency {
    pub retention_s: u64,
    pub entries_max: usize,
    pub bytes_max: u64,
    pub answer_bytes_max: usize,
    pub wait_ms_max: u64,
}

/// `[journal]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Journal {
    pub segment_bytes_max: u64,
    pub fold_interval_ms: u64,
    pub backlog_bytes_max: u64,
    pub sync: JournalSync,
}

/// When the journal is pushed to the disk itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalSync {
    /// The operating system decides: a killed process loses nothing, a power cut may lose the last moments.
    #[default]
    Os,
    /// Before every last byte.
    Always,
}

/// `[log]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
    /// `TOLLWAY_LOG`: directives that take the place of `level`, known to be well formed.
    pub filter: Option<String>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The name, as filters write it.
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `[providers.<slug>]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct ProviderConfig {
    /// `api_key`, or the value of the variable that `api_key_env` names.
    pub api_key: Option<SecretString>,
    pub api_keys: Vec<SecretString>,
    pub api_key_env: Option<String>,
    /// Without a slash at the end; may hold `${NAME}`.
    pub base_url: Option<String>,
    pub protocol: Option<Protocol>,
    pub enabled: Option<bool>,
    pub name: Option<String>,
    pub timeout_connect_ms: Option<u64>,
    pub timeout_first_byte_ms: Option<u64>,
    pub timeout_stall_ms: Option<u64>,
    pub on_disconnect: Option<OnDisconnect>,
    pub extra_headers: BTreeMap<String, SecretString>,
    pub cloud: CloudConfig,
    pub models: Vec<ModelConfig>,
}

/// What proves who calls at the clouds. A value that is absent comes from the cloud's usual variable.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct CloudConfig {
    pub aws_access_key_id: Option<String>,
    pub aws_secret_access_key: Option<SecretString>,
    pub aws_session_token: Option<SecretString>,
    pub aws_region: Option<String>,
    pub google_credentials_file: Option<String>,
    pub azure_tenant_id: Option<String>,
    pub azure_client_id: Option<String>,
    pub azure_client_secret: Option<SecretString>,
    pub azure_authority_url: Option<String>,
    pub azure_api_version: Option<String>,
}

/// `[[providers.<slug>.models]]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct ModelConfig {
    pub id: String,
    pub provider_model_id: Option<String>,
    pub name: Option<String>,
    pub context_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
    pub input_modalities: Option<Vec<String>>,
    pub output_modalities: Option<Vec<String>>,
    pub supported_parameters: Option<Vec<String>>,
    /// Price keys as in the catalog, with decimal text. `None`: unknown, so never used on credits.
    pub price: Option<BTreeMap<String, String>>,
}

/// A database's URL. It may hold a password: Debug and Display hide it.
#[derive(Clone)]
pub struct StoreUrl(SecretString);

impl StoreUrl {
    pub(crate) fn new(url: SecretString) -> StoreUrl {
        StoreUrl(url)
    }

    /// The URL with its password.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_credentials(self.expose()))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

/// A URL with its user, password and query masked: all of them may carry secrets.
pub(super) fn without_credentials(url: &str) -> String {
    let (main, query) = match url.split_once('?') {
        Some((main, _)) => (main, "?..."),
        None => (url, ""),
    };
    let Some((scheme, rest)) = main.split_once("://") else { return format!("{main}{query}") };
    // A password may hold unescaped slashes and at-signs: the last at-sign ends the credentials.
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{query}"),
        None => format!("{scheme}://{rest}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_neither_password_nor_query() {
        let rows = [
            ("postgres://u:p%40w@db:5432/x", "postgres://***@db:5432/x"),
            ("postgres://u:a@b/c@db/x?password=s", "postgres://***@db/x?..."),
            ("postgres://db/x", "postgres://db/x"),
            ("sqlite:./data/tollway.db", "sqlite:./data/tollway.db"),
        ];
        for (url, expect) in rows {
            assert_eq!(StoreUrl::new(SecretString::from(url)).to_string(), expect);
        }
    }
}
