//! What the whole process shares ([`Gateway`]) and what one thread keeps to itself ([`Worker`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use store::Store;
use types::{Clock, GenerationId, Timestamp};

use crate::byok::Byok;
use crate::journal::Journal;
use crate::keys::KeyTable;
use crate::metrics::Metrics;
use crate::rules::Rules;
use crate::sandbox::Sandbox;
use crate::settings::Settings;
use crate::upstream::Pool;
use crate::world::World;

/// What every worker shares.
pub struct Gateway {
    /// Limits, timeouts and names.
    pub settings: Settings,
    /// Catalog and providers; replaced whole by a reload.
    pub world: ArcSwap<World>,
    /// Keys and accounts; replaced whole when they change.
    pub keys: ArcSwap<KeyTable>,
    /// Policies and presets of all accounts.
    pub rules: Rules,
    /// Guardrails, compiled.
    pub guardrails: crate::guarding::Bench,
    /// Provider keys that accounts brought along.
    pub byok: Byok,
    /// Where settling writes.
    pub journal: Arc<Journal>,
    /// Counters and gauges.
    pub metrics: Arc<Metrics>,
    /// For what is read from the books; never on the way of a call.
    pub store: Store,
    /// The runtime on which the store lives.
    pub control: tokio::runtime::Handle,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The provider inside this program.
    pub sandbox: Sandbox,
    /// Set at shutdown: no more readiness.
    pub draining: AtomicBool,
    /// Whether the store answered when it was last asked.
    pub store_answers: AtomicBool,
    /// Responses of the last moments.
    pub recent_responses: crate::responses::Recent,
    /// Which endpoints conversations stay with.
    pub pins: crate::sticky::Pins,
    /// What answers turned out to be worth.
    pub learned: crate::learned::Learned,
    /// Budgets of second legs.
    pub hedges: parking_lot::Mutex<routing::hedge::Hedges>,
    /// What signs notices to webhooks.
    pub signer: crate::webhooks::Signer,
    /// Budgets of answers that are set aside for those of better models.
    pub escalations: parking_lot::Mutex<routing::hedge::Hedges>,
    /// Questions that were answered a moment ago, for noticing who asks again.
    pub retries: crate::retries::Retries,
    /// What proves the calls of models.
    pub seals: crate::seals::Seals,
    /// What was answered under which `Idempotency-Key`.
    pub idempotency: crate::idempotency::Idempotency,
    /// Prompts and answers that are to be kept.
    pub contents: crate::contents::Contents,
    /// Answers for those who ask the same again.
    pub cache: crate::cache::Cache,
    /// Replays that are under way.
    pub replays: Arc<crate::replay::Running>,
    /// What signs receipts.
    pub receipts: crate::receipts::Signer,
    /// How people come in.
    pub people: crate::auth::settings::People,
    /// What people think of models.
    pub ratings: crate::ratings::Ratings,
    /// How money comes in.
    pub payments: crate::payments::Payments,
    /// Accounts that pay less at present.
    pub discounts: crate::terms::Discounts,
    /// Between those who write into the store and the job that takes changes in.
    pub news: crate::news::News,
    /// Between those who enter provider keys of the server and the job that reads the configuration.
    pub provider_keys: crate::provider_keys::News,
    /// How the background jobs go.
    pub jobs: crate::jobs::Jobs,
    /// What the last reloads brought.
    pub reloads: crate::reloads::Reloads,
    /// What the operator tells people.
    pub announcements: crate::announcements::Announcements,
    /// What of the catalog wants somebody's eye, worked out once per world and day.
    pub review: crate::server::Review,
    /// What this process is and stands on.
    pub node: crate::node::Node,
    /// Answers of the catalog, rendered once per world.
    pub listings: crate::listings::Listings,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Runs a future that needs the store on the store's own runtime. `None`: it panicked or the runtime is gone.
    pub async fn on_control<T, F>(&self, future: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.control.spawn(future).await.ok()
    }

    /// The same for what writes keys and budgets: when it is over, this node knows what was written.
    pub(crate) async fn written<T, F>(&self, future: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let done = self.on_control(future).await;
        self.news.taken_in().await;
        done
    }
}

impl Gateway {
    /// Loads the tokenizer's vocabulary where it isn't yet: half a second of work, once, that no worker waits for.
    pub async fn load_tokenizer(&self) {
        if !wire::tally::is_loaded() {
            // A load that panicked is tried again by whoever counts.
            let _ = self.control.spawn_blocking(wire::tally::load).await;
        }
    }
}

/// What one thread keeps to itself, so that calls share as little as possible.
#[derive(Debug)]
pub struct Worker {
    /// The rest of the process.
    pub gateway: Arc<Gateway>,
    /// Its own connections.
    pub pool: Pool,
    /// Its number: which journal segment it writes.
    pub number: usize,
    random: AtomicU64,
}

impl Worker {
    /// A worker; `seed` must differ between workers and between starts.
    pub fn new(gateway: Arc<Gateway>, number: usize, seed: u64) -> Worker {
        let settings = &gateway.settings;
        let pool = Pool::new(settings.idle_connections_per_host_max, settings.idle_timeout);
        Worker { gateway, pool, number, random: AtomicU64::new(seed) }
    }

    /// A new generation id. Unique, not secret: records are found only by the account that made them.
    pub fn generation_id(&self, at: Timestamp) -> GenerationId {
        let high = u128::from(self.next());
        GenerationId::new(at, high << 64 | u128::from(self.next()))
    }

    /// What a decision's chance is drawn from.
    pub fn seed(&self) -> u64 {
        self.next()
    }

    /// An id of some kind, `bud_7f3c...`, from the system's randomness; `None`: it has none to give.
    pub(crate) fn new_id(&self, kind: &str) -> Option<String> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).ok()?;
        Some(format!("{kind}_{:016x}", u64::from_le_bytes(random)))
    }

    /// Empties what accounts that were erased left in their records; nobody waits for it, and a job goes on where it stops.
    pub(crate) fn empty_records(&self) {
        let gateway = Arc::clone(&self.gateway);
        self.gateway.control.spawn(async move {
            let now = gateway.clock.now();
            while let Ok(1..) = gateway.store.empty_records(now).await {}
        });
    }

    /// The text of a new key; `None`: the system has no randomness to give.
    pub(crate) fn new_key_text(&self) -> Option<types::ApiKeyText> {
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).ok()?;
        Some(types::ApiKeyText::generate(&self.gateway.settings.brand.key_prefix, random))
    }

    /// SplitMix64.
    fn next(&self) -> u64 {
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
