//! `tollway check`: what a start would run with.

use ledger::BillingMode;
use serde_json::json;

use super::output::columns;
use super::{Context, Failure, catalog, load};
use crate::config::{Config, ProviderState, provider_states};

pub(super) fn check(context: &mut Context<'_>) -> Result<(), Failure> {
    let loaded = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
    let config = &loaded.config;
    let states = provider_states(config, &loaded.catalog, context.env);
    let (on, off): (Vec<&ProviderState>, Vec<&ProviderState>) = states.iter().partition(|state| state.on);

    let file = config.file.as_deref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let from = config.catalog.dir.as_deref();
    let from = from.map_or_else(|| "built in".to_owned(), |dir| dir.display().to_string());
    let rows = [
        ("configuration", file.clone()),
        ("listen", listen(config)),
        ("data", config.server.data_dir.display().to_string()),
        ("store", config.store_url().to_string()),
        ("billing", mode(config).to_owned()),
        ("brand", format!("{} ({})", config.brand.name, config.brand.slug)),
        ("catalog", format!("{}, {from}", catalog::counts(&loaded.catalog))),
        ("providers", format!("{} on, {} off", on.len(), off.len())),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let mut human = columns(&rows);
    human.push_str("\nproviders that are on\n");
    human.push_str(&columns(&on.iter().map(|state| line(state)).collect::<Vec<_>>()));
    // Providers that the operator named and that are off are worth a line; the rest of the catalog is not.
    let named: Vec<Vec<String>> = off
        .iter()
        .filter(|state| config.providers.contains_key(&*state.slug))
        .map(|state| line(state))
        .collect();
    if !named.is_empty() {
        human.push_str("\nconfigured and off\n");
        human.push_str(&columns(&named));
    }
    let json = json!({
        "configuration": config.file,
        "listen": config.server.listen.to_string(),
        "admin_listen": config.server.admin_listen.map(|address| address.to_string()),
        "tls": config.server.tls_cert_file.is_some(),
        "data_dir": config.server.data_dir,
        "store": config.store_url().to_string(),
        "billing_mode": mode(config),
        "brand": { "name": config.brand.name, "slug": config.brand.slug },
        "catalog": {
            "from": from,
            "version": &*loaded.catalog.version,
            "models": loaded.catalog.models.len(),
            "endpoints": loaded.catalog.endpoints.len(),
        },
        "providers": states.iter().map(|state| json!({
            "slug": &*state.slug, "on": state.on, "why": state.why, "base_url": state.base_url,
        })).collect::<Vec<_>>(),
    });
    context.out.answer(&human, &json)
}

fn line(state: &ProviderState) -> Vec<String> {
    vec![format!("  {}", state.slug), state.why.clone(), state.base_url.clone().unwrap_or_default()]
}

fn listen(config: &Config) -> String {
    let scheme = if config.server.tls_cert_file.is_some() { "https" } else { "http" };
    let main = format!("{scheme}://{}", config.server.listen);
    config
        .server
        .admin_listen
        .map_or_else(|| main.clone(), |admin| format!("{main}, admin on http://{admin}"))
}

const fn mode(config: &Config) -> &'static str {
    match config.billing.mode {
        BillingMode::Metered => "metered",
        BillingMode::Prepaid => "prepaid",
    }
}
