//! From configuration, catalog and store to the one [`Gateway`] that the workers share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use catalog::Snapshot;
use gateway::app::Gateway;
use gateway::auth::oidc::Issuer;
use gateway::auth::settings::{People, PeopleSettings};
use gateway::byok::seal::Masters;
use gateway::byok::{Byok, master_key_path};
use gateway::cache::{Cache, Limits};
use gateway::contents::Contents;
use gateway::idempotency::{self, Idempotency};
use gateway::journal::Journal;
use gateway::keys::KeyTable;
use gateway::mail::Mailer;
use gateway::metrics::Metrics;
use gateway::node::Node;
use gateway::payments::stripe::Stripe;
use gateway::payments::{Payments, Seller};
use gateway::ratings::Ratings;
use gateway::replaying::Bounds;
use gateway::rules::Rules;
use gateway::settings::{Brand, Settings};
use gateway::world::{ProviderSetup, World};
use gateway::{receipts, webhooks};
use routing::name::Names;
use store::Store;
use types::{Clock, ExposeSecret, Timestamp};

use crate::config::{Config, Environment, JournalSync, provider_states};

/// The data plane's settings out of the configuration.
pub(crate) fn settings(config: &Config) -> anyhow::Result<Settings> {
    let brand = &config.brand;
    let upstream = &config.upstream;
    let limits = &config.limits;
    Ok(Settings {
        brand: Brand::new(&brand.name, &brand.slug, &brand.header_prefix, &brand.key_prefix).with_context(
            || format!("brand.header_prefix `{}` makes no header names", brand.header_prefix),
        )?,
        names: names(config),
        mode: config.billing.mode,
        new_key_limit: (config.limits.new_key_limit, config.limits.new_key_limit_reset),
        trusted_proxies: config.server.trusted_proxies.clone(),
        fees: config.fees.clone(),
        body_bytes_max: config.server.body_bytes_max,
        attempts_max: config.routing.attempts_max,
        hedging: config.routing.hedging,
        escalations: config.routing.escalations,
        guardrails: config.guardrails.clone(),
        explore: config.routing.explore_per_mille as f64 / 1_000.0,
        response_bytes_max: upstream.response_bytes_max,
        fetch_private: upstream.fetch_private,
        responses_retention: Duration::from_secs(limits.responses_retention_days.saturating_mul(86_400)),
        sse_frame_bytes_max: upstream.sse_frame_bytes_max,
        connect_timeout: Duration::from_millis(upstream.connect_timeout_ms),
        first_byte_timeout: Duration::from_millis(upstream.first_byte_timeout_ms),
        stall_timeout: Duration::from_millis(upstream.stall_timeout_ms),
        keep_alive: Duration::from_millis(upstream.keep_alive_ms),
        total_timeout: Duration::from_millis(upstream.total_timeout_ms),
        idle_connections_per_host_max: upstream.idle_connections_per_host_max,
        idle_timeout: Duration::from_millis(upstream.idle_timeout_ms),
        hold_output_tokens: limits.hold_output_tokens,
        hold_wait_max: Duration::from_millis(limits.hold_wait_ms_max),
        hold_waiters_max: limits.hold_waiters_max,
        requests_in_flight_max: limits.requests_in_flight_max,
        key_concurrency_max: limits.key_concurrency_max,
        cache: Limits {
            bytes_max: config.cache.bytes_max,
            entries_max: config.cache.entries_max,
            entry_bytes_max: config.cache.entry_bytes_max.min(config.cache.bytes_max),
            ttl_s: config.cache.ttl_s,
            ttl_s_max: config.cache.ttl_s_max,
            wait_max: Duration::from_millis(config.cache.wait_ms_max),
        },
        replay: Bounds {
            records_max: limits.replay_records_max,
            time_max: Duration::from_millis(limits.replay_ms_max),
        },
        idempotency: idempotency::Limits {
            retention: Duration::from_secs(config.idempotency.retention_s),
            entries_max: config.idempotency.entries_max,
            bytes_max: config.idempotency.bytes_max,
            answer_bytes_max: config.idempotency.answer_bytes_max,
            wait_max: Duration::from_millis(config.idempotency.wait_ms_max),
            sync: config.journal.sync == JournalSync::Always,
        },
        drain: gateway::Bounds {
            longest: Duration::from_millis(upstream.drain_ms_max),
            tokens_max: upstream.drain_tokens_max,
            bytes_max: upstream.drain_bytes_max,
        },
    })
}

/// How model names are understood.
pub(crate) fn names(config: &Config) -> Names {
    Names { brand: config.brand.slug.clone(), accept_peer_slugs: config.routing.accept_peer_slugs }
}

/// What the configuration and the environment say about each provider of the catalog.
pub(crate) fn provider_setups(
    config: &Config,
    snapshot: &Snapshot,
    env: &Environment,
    clock: &Arc<dyn Clock>,
) -> HashMap<String, ProviderSetup> {
    let states = provider_states(config, snapshot, env);
    let setups = states.into_iter().map(|state| {
        let own = config.providers.get(state.slug.as_ref());
        let timeout = |pick: fn(&crate::config::ProviderConfig) -> Option<u64>| {
            own.and_then(pick).map(Duration::from_millis)
        };
        let (on, why, credentials) = match state.cloud.credentials(clock) {
            Ok(credentials) => (state.on, state.why, credentials),
            Err(problem) => (false, problem, None),
        };
        let setup = ProviderSetup {
            on,
            why,
            api_keys: state.api_keys,
            base_url: state.base_url,
            connect_timeout: timeout(|p| p.timeout_connect_ms),
            first_byte_timeout: timeout(|p| p.timeout_first_byte_ms),
            stall_timeout: timeout(|p| p.timeout_stall_ms),
            on_disconnect: own.and_then(|p| p.on_disconnect),
            credentials,
            headers: own
                .map(|p| {
                    p.extra_headers.iter().map(|(n, v)| (n.clone(), v.expose_secret().to_owned())).collect()
                })
                .unwrap_or_default(),
        };
        (state.slug.to_string(), setup)
    });
    setups.collect()
}

/// The view of catalog and providers.
pub(crate) fn world(
    config: &Config,
    snapshot: Snapshot,
    env: &Environment,
    previous: Option<&World>,
    settings: &Settings,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<World> {
    let setups = provider_setups(config, &snapshot, env, &clock);
    World::build(Arc::new(snapshot), &setups, previous, settings, clock)
        .map_err(|problems| anyhow::anyhow!(problems.join("\n")))
}

/// What accounts' own provider keys are sealed with; made where nothing is configured and nothing is there.
pub(crate) fn masters(config: &Config) -> anyhow::Result<Masters> {
    let made = match (&config.byok.master_key, &config.byok.master_key_file) {
        (Some(text), _) => Masters::given(text).map_err(|error| format!("byok.master_key {error}")),
        (None, Some(path)) => {
            Masters::from_file(path).map_err(|error| format!("byok.master_key_file: {error}"))
        }
        (None, None) => Masters::from_file_or_new(&master_key_path(&config.server.data_dir)),
    };
    made.map_err(|error| anyhow::anyhow!(error))
}

/// How money comes in.
pub(crate) fn payments(config: &Config, mailer: Mailer) -> anyhow::Result<Payments> {
    let (stripe, seller) = (&config.payments.stripe, &config.seller);
    let scheme = if config.server.tls_cert_file.is_some() { "https" } else { "http" };
    let own = || format!("{scheme}://{}", config.server.listen);
    let public_url = config.server.public_url.clone().unwrap_or_else(own);
    let client = stripe.secret_key.as_ref().map(|key| Stripe::new(&stripe.base_url, key)).transpose();
    let page = |url: &Option<String>, how: &str| {
        url.clone().unwrap_or_else(|| format!("{public_url}/?checkout={how}"))
    };
    Ok(Payments {
        stripe: client.map_err(|why| anyhow::anyhow!("payments.stripe: the key or base_url {why}"))?,
        webhook_secrets: stripe.webhook_secrets.clone(),
        success_url: page(&stripe.success_url, "success"),
        cancel_url: page(&stripe.cancel_url, "cancelled"),
        public_url: public_url.clone(),
        seller: Seller {
            name: seller.name.clone().unwrap_or_else(|| config.brand.name.clone()),
            address: seller.address.clone(),
            country: seller.country.clone(),
            tax_id: seller.tax_id.clone(),
            email: seller.email.clone(),
            note: seller.invoice_note.clone(),
        },
        mailer,
    })
}

/// People, as they come in here.
pub(crate) fn people(config: &Config, public_url: &str) -> People {
    let seconds = |s: u64| i64::try_from(s).unwrap_or(i64::MAX);
    let settings = PeopleSettings {
        sign_up: config.people.sign_up,
        idle_s: seconds(config.people.idle_s),
        session_s: seconds(config.people.session_s),
        is_secure: public_url.starts_with("https://"),
    };
    let issuers = config.sign_in.iter().map(|(slug, issuer)| Issuer::new(issuer.settings(slug)));
    People::new(settings, issuers.collect())
}

/// Everything that the workers share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) keys: KeyTable,
    pub(crate) rules: Rules,
    pub(crate) signer: webhooks::Signer,
    pub(crate) byok: Byok,
    pub(crate) journal: Journal,
    pub(crate) idempotency: Idempotency,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Store,
    pub(crate) control: tokio::runtime::Handle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) receipts: receipts::Signer,
    pub(crate) payments: Payments,
    pub(crate) people: People,
    pub(crate) contents: Contents,
    pub(crate) ratings: Ratings,
    pub(crate) node: Node,
}

/// Puts it together.
pub(crate) fn gateway(shared: Shared) -> Arc<Gateway> {
    let cache = Cache::new(&shared.settings.cache);
    Arc::new(Gateway {
        cache,
        settings: shared.settings,
        world: ArcSwap::from_pointee(shared.world),
        keys: ArcSwap::from_pointee(shared.keys),
        rules: shared.rules,
        signer: shared.signer,
        byok: shared.byok,
        journal: Arc::new(shared.journal),
        idempotency: shared.idempotency,
        metrics: shared.metrics,
        store: shared.store,
        control: shared.control,
        clock: shared.clock,
        sandbox: Default::default(),
        draining: AtomicBool::new(false),
        store_answers: AtomicBool::new(true),
        recent_responses: Default::default(),
        pins: Default::default(),
        hedges: Default::default(),
        escalations: Default::default(),
        retries: Default::default(),
        payments: shared.payments,
        people: shared.people,
        ratings: shared.ratings,
        contents: shared.contents,
        discounts: Default::default(),
        guardrails: Default::default(),
        learned: Default::default(),
        replays: Default::default(),
        seals: Default::default(),
        news: Default::default(),
        provider_keys: Default::default(),
        listings: Default::default(),
        jobs: Default::default(),
        reloads: Default::default(),
        announcements: Default::default(),
        review: Default::default(),
        node: shared.node,
        receipts: shared.receipts,
    })
}

/// Opens the journal of this start.
pub(crate) fn journal(
    config: &Config,
    workers: usize,
    metrics: Arc<Metrics>,
    boot: &str,
) -> anyhow::Result<Journal> {
    let dir = config.server.data_dir.join("journal");
    let sync = config.journal.sync == JournalSync::Always;
    Journal::open(&dir, boot, workers, config.journal.segment_bytes_max, sync, metrics)
        .with_context(|| format!("can't write the journal in {}", dir.display()))
}

/// Reads what earlier starts kept for `Idempotency-Key`, beside the journal.
pub(crate) fn idempotency(
    config: &Config,
    settings: &Settings,
    boot: &str,
    now: Timestamp,
) -> anyhow::Result<Idempotency> {
    let dir = config.server.data_dir.join("idempotency");
    Idempotency::open(&dir, boot, &settings.idempotency, now)
        .with_context(|| format!("can't use the answers kept in {}", dir.display()))
}
