//! What the site's pages show of this process: the trait of `web`, filled from the gateway.

mod api;
mod records;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::http::HeaderMap;
use catalog::{Protocol, Provider, Snapshot};
use gateway::app::Gateway;
use gateway::world::{ProviderState, World};
use ledger::{BillingMode, Fees};
use routing::health::{MINUTES_SHOWN, Uptime};
use routing::plan::Conditions;
use routing::quality::Abilities;
use store::Backend;
use tokio::time::Instant;
use types::Timestamp;
use web::{
    Announcement, Attempts, CacheUses, Live, Place, PriceWatch, ProviderLine, RankingRules, Site, Soon,
    Status, UseAsk, UseRow, Viewer,
};

use crate::config::SiteSettings;
pub(crate) use api::InProcess;
pub(crate) use records::Records;

/// The pages' view of the process.
pub(crate) struct LiveSite {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) started: Instant,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// Where it listens, for requests without a host.
    pub(crate) address: String,
    /// The world that pages were last made from: as long as it is the same, so is what they worked out of it.
    pub(crate) seen: ArcSwapOption<SeenWorld>,
    pub(crate) settings: SiteSettings,
    pub(crate) records: Records,
}

impl LiveSite {
    fn base_url(&self, host: Option<&str>) -> String {
        format!("{}://{}", self.scheme, host.unwrap_or(&self.address))
    }
}

/// The gateway's world as pages see it.
pub(crate) struct SeenWorld(Arc<World>);

impl web::World for SeenWorld {
    fn snapshot(&self) -> &Arc<Snapshot> {
        &self.0.snapshot
    }

    fn conditions(&self) -> &dyn Conditions {
        &*self.0
    }

    fn abilities(&self) -> &Abilities {
        &self.0.abilities
    }

    fn provider_off(&self, provider: usize) -> Option<String> {
        self.0.providers.get(provider).and_then(|state| state.off.clone())
    }

    fn live(&self, endpoint: usize, now: Timestamp) -> Live {
        let Some(vitals) = self.0.endpoints.get(endpoint) else { return Live::default() };
        vitals.health(|health| {
            if health.is_empty() {
                return Live::default();
            }
            let figures = health.figures(None, MINUTES_SHOWN, now);
            let hours = health.hours(now);
            let was_asked = hours.iter().any(|hour| *hour != Uptime::default());
            Live {
                ttft_ms: figures.ttft_ms,
                tokens_per_s: figures.tokens_per_s,
                samples: figures.samples,
                recent: figures.uptime,
                hours: if was_asked { hours.to_vec() } else { Vec::new() },
            }
        })
    }
}

impl Site for LiveSite {
    fn place(&self, host: Option<&str>) -> Place {
        let brand = &self.gateway.settings.brand;
        Place {
            brand: brand.name.clone(),
            brand_slug: brand.slug.clone(),
            header_prefix: brand.header_prefix().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            base_url: self.base_url(host),
            is_prepaid: self.gateway.settings.mode == BillingMode::Prepaid,
            hides_rankings: false,
            banners: Vec::new(),
        }
    }

    fn world(&self) -> Arc<dyn web::World> {
        let world = self.gateway.world.load_full();
        if let Some(seen) = self.seen.load_full().filter(|seen| Arc::ptr_eq(&seen.0, &world)) {
            return seen;
        }
        let seen = Arc::new(SeenWorld(world));
        self.seen.store(Some(Arc::clone(&seen)));
        seen
    }

    fn now(&self) -> Timestamp {
        self.gateway.clock.now()
    }

    fn fees(&self) -> Fees {
        self.gateway.settings.fees.clone()
    }

    fn viewer<'a>(&'a self, headers: &'a HeaderMap) -> Soon<'a, Viewer> {
        Box::pin(async move {
            match gateway::auth::reader(&self.gateway, headers).await {
                Some(user) if user.is_operator => Viewer::Operator,
                Some(_) => Viewer::SignedIn,
                None => Viewer::Anyone,
            }
        })
    }

    fn announcements(&self) -> Vec<Announcement> {
        let all = self.gateway.announcements.in_force(self.now(), true);
        let told = |one: store::Announcement| Announcement {
            key: format!("{}-{}", one.id, one.changed.micros()),
            is_warning: one.level == "warning",
            is_for_signed_in: one.audience != "everybody",
            text: one.text,
        };
        all.into_iter().map(told).collect()
    }

    fn ranking_rules(&self) -> RankingRules {
        RankingRules {
            audience: self.settings.rankings,
            has_spend: self.settings.rankings_spend,
            accounts_min: self.settings.rankings_accounts_min,
            requests_min: self.settings.rankings_requests_min,
        }
    }

    fn traffic(&self, ask: UseAsk) -> Soon<'_, Option<Arc<Vec<UseRow>>>> {
        Box::pin(self.records.traffic(&self.gateway, ask, self.settings.public_stats))
    }

    fn prices(&self) -> Soon<'_, Option<Arc<PriceWatch>>> {
        Box::pin(self.records.prices(&self.gateway))
    }

    fn cache_use(&self) -> Soon<'_, Option<Arc<CacheUses>>> {
        Box::pin(self.records.cache_use(&self.gateway, self.settings.public_stats))
    }

    fn attempts(&self) -> Soon<'_, Option<Arc<Attempts>>> {
        Box::pin(self.records.attempts(&self.gateway))
    }

    fn status(&self, host: Option<&str>) -> Status {
        let world = self.gateway.world.load();
        let snapshot = &world.snapshot;
        let brand = &self.gateway.settings.brand;
        let line = |(at, (provider, state)): (usize, (&Provider, &ProviderState))| ProviderLine {
            slug: provider.id.to_string(),
            name: provider.name.to_string(),
            on: state.off.is_none(),
            models: snapshot.endpoints_of_provider(at).len(),
            how: how(provider, state),
            simulated: provider.protocol == Protocol::Sandbox,
        };
        let lines = snapshot.providers.iter().zip(&world.providers).enumerate().map(line);
        let (on, off): (Vec<_>, Vec<_>) = lines.partition(|line| line.on);
        let reason = if self.gateway.journal.is_unwell() {
            Some("the journal can't be written")
        } else if !self.gateway.store_answers.load(std::sync::atomic::Ordering::Relaxed) {
            Some("the store doesn't answer")
        } else {
            None
        };
        Status {
            brand: brand.name.clone(),
            brand_slug: brand.slug.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            base_url: self.base_url(host),
            uptime_s: self.started.elapsed().as_secs(),
            billing_mode: match self.gateway.settings.mode {
                BillingMode::Metered => "metered",
                BillingMode::Prepaid => "prepaid",
            }
            .to_owned(),
            store: match self.gateway.store.backend() {
                Backend::Sqlite => "SQLite",
                Backend::Postgres => "Postgres",
            }
            .to_owned(),
            models: snapshot.models.len(),
            endpoints: snapshot.endpoints.len(),
            providers: snapshot.providers.len(),
            as_of: snapshot.models.iter().map(|m| &*m.as_of).max().unwrap_or_default().to_owned(),
            providers_on: on,
            providers_off: off,
            ready: reason.is_none(),
            not_ready_reason: reason.map(str::to_owned),
        }
    }
}

fn how(provider: &Provider, state: &ProviderState) -> String {
    match &state.off {
        None => state.why.clone(),
        Some(_) if !provider.api_key_env.is_empty() && state.target.is_none() && !is_unserved(state) => {
            provider.api_key_env.join(" or ")
        }
        Some(why) => why.clone(),
    }
}

fn is_unserved(state: &ProviderState) -> bool {
    state.off.as_deref().is_some_and(|why| why.contains("not served"))
}
