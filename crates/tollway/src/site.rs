//! What the site's pages show of this process: the trait of `web`, filled from the gateway.

use std::sync::Arc;

use catalog::{Protocol, Provider};
use gateway::app::Gateway;
use gateway::world::ProviderState;
use ledger::BillingMode;
use store::Backend;
use tokio::time::Instant;
use web::{ProviderLine, Site, Status};

/// The pages' view of the process.
pub(crate) struct LiveSite {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) started: Instant,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// Where it listens, for requests without a host.
    pub(crate) address: String,
}

impl Site for LiveSite {
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
            base_url: format!("{}://{}", self.scheme, host.unwrap_or(&self.address)),
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
