//! Providers: what the configuration says of them, and which of them are on.
//!
//! A provider's keys are `api_keys`; without them its key is `api_key`, else the variable that `api_key_env` names, else the first of its usual variables that
//! is set. It is on when the configuration does not switch it off, its base URL is known, and
//! - it has a key, one that was entered while the server ran included, or
//! - it is the sandbox, or
//! - the configuration names it and it works without a key, as every provider does that only the configuration knows,
//!   or
//! - the configuration says `enabled = true`.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Overlay, OverlayModel, OverlayProvider, Protocol, Provider, Snapshot};
use types::SecretString;

use super::cloud::{self, Cloud};
use super::keys::provider_keys;
use super::problem::{Place, Problem};
use super::settings::{Config, ModelConfig, ProviderConfig};
use super::value::{Spot, set};
use super::{Environment, layers};

/// Reads the keys of one provider.
pub(super) fn read(
    slug: &str,
    found: &BTreeMap<String, Spot>,
    env: &Environment,
    problems: &mut Vec<Problem>,
) -> ProviderConfig {
    let mut provider = ProviderConfig::default();
    for key in provider_keys() {
        let path = format!("providers.{slug}.{}", key.name());
        set(key, &path, found.get(key.name()), &mut provider, problems);
    }
    let Some(name) = provider.api_key_env.clone() else { return provider };
    if provider.api_key.is_some() || !provider.api_keys.is_empty() {
        return provider;
    }
    match env.get(&name).filter(|value| !value.is_empty()) {
        Some(value) => provider.api_key = Some(SecretString::from(value)),
        None if provider.enabled == Some(false) => {}
        None => {
            let path = format!("providers.{slug}.api_key_env");
            let place = found.get("api_key_env").map_or(Place::Default, |spot| spot.place.clone());
            let off = layers::variable(&format!("providers.{}.enabled", slug.replace(['-', '.'], "_")));
            let why =
                format!("names `{name}`, which is not set; set it, or switch the provider off ({off}=false)");
            problems.push(Problem::rule(place, &path, why));
        }
    }
    provider
}

/// Whether a provider is used, and why.
#[derive(Clone, Debug)]
pub struct ProviderState {
    /// Its id.
    pub slug: Arc<str>,
    /// Whether calls may go to it.
    pub on: bool,
    /// `key from MISTRAL_API_KEY`, `no key: set MISTRAL_API_KEY`.
    pub why: String,
    /// Where it is, with `${NAME}` filled. `None` for the sandbox, and where it is not known.
    pub base_url: Option<String>,
    /// The keys to call it with.
    pub api_keys: Vec<SecretString>,
    /// What proves who calls where there is no key.
    pub cloud: Cloud,
}

/// Every provider of a catalog that holds [`Config::overlay`], in its order.
pub fn provider_states(config: &Config, catalog: &Snapshot, env: &Environment) -> Vec<ProviderState> {
    catalog.providers.iter().map(|provider| state(config, provider, env)).collect()
}

fn state(config: &Config, provider: &Provider, env: &Environment) -> ProviderState {
    let settings = config.providers.get(provider.id.as_ref());
    let enabled = settings.and_then(|s| s.enabled);
    let sandbox = provider.protocol == Protocol::Sandbox;
    let entered = || {
        let key = config.stored_keys.get(provider.id.as_ref())?.clone();
        Some((vec![key], String::from("key entered by the operator")))
    };
    let (api_keys, key_from) = match keys(settings, provider, env).or_else(entered) {
        Some((keys, from)) => (keys, Some(from)),
        None => (Vec::new(), None),
    };
    let (base_url, missing) = match provider.address().map(|url| env.fill(url)) {
        Some(Ok(url)) => (Some(url), None),
        Some(Err(name)) => (None, Some(format!("base URL needs {name}; set it"))),
        None if sandbox => (None, None),
        None => (None, Some(format!("no base URL; set `providers.{}.base_url`", provider.id))),
    };
    let base_url = base_url.map(|url| match api_version(settings, provider, env) {
        Some(version) => format!("{url}?api-version={version}"),
        None => url,
    });
    let (cloud, cloud_from) = match key_from {
        Some(_) => (Cloud::Nothing, None),
        None => cloud::find(provider, settings.map(|s| &s.cloud), env),
    };
    let keyless = provider.from_config || provider.quirks.auth_optional;
    let (on, why) = match (enabled, missing, key_from) {
        (Some(false), _, _) => (false, "switched off".to_owned()),
        (_, Some(missing), _) => (false, missing),
        (_, None, Some(from)) => (true, from),
        (_, None, None) if cloud_from.is_some() => (true, cloud_from.unwrap_or_default().to_owned()),
        (_, None, None) if sandbox => (true, "built in".to_owned()),
        (_, None, None) if keyless && settings.is_some() => (true, "needs no key".to_owned()),
        (Some(true), None, None) => (true, "switched on, without a key".to_owned()),
        (None, None, None) if keyless => {
            (false, format!("not in use; set `providers.{}.enabled`", provider.id))
        }
        (None, None, None) => (false, no_key(provider)),
    };
    ProviderState { slug: Arc::clone(&provider.id), on, why, base_url, api_keys, cloud }
}

/// Azure's older addresses need a version.
fn api_version(settings: Option<&ProviderConfig>, provider: &Provider, env: &Environment) -> Option<String> {
    if provider.protocol != Protocol::Azure {
        return None;
    }
    let own = settings.and_then(|s| s.cloud.azure_api_version.clone());
    own.or_else(|| env.get("AZURE_API_VERSION").filter(|v| !v.is_empty()).map(str::to_owned))
}

fn no_key(provider: &Provider) -> String {
    if let Some(missing) = cloud::missing(provider.protocol).filter(|_| !provider.from_config) {
        return missing.to_owned();
    }
    match provider.api_key_env.first() {
        Some(name) => format!("no key; set {name}"),
        None => format!("no key; set `providers.{}.api_key`", provider.id),
    }
}

/// The keys, and where they are from.
fn keys(
    settings: Option<&ProviderConfig>,
    provider: &Provider,
    env: &Environment,
) -> Option<(Vec<SecretString>, String)> {
    if let Some(settings) = settings.filter(|s| !s.api_keys.is_empty()) {
        let count = settings.api_keys.len();
        return Some((settings.api_keys.clone(), format!("{count} keys from the configuration")));
    }
    if let Some(settings) = settings
        && let Some(key) = &settings.api_key
    {
        let from = settings.api_key_env.as_deref().unwrap_or("the configuration");
        return Some((vec![key.clone()], format!("key from {from}")));
    }
    let usual = provider.api_key_env.iter().filter_map(|name| Some((env.get(name)?, name)));
    let (value, name) = usual.into_iter().find(|(value, _)| !value.is_empty())?;
    Some((vec![SecretString::from(value)], format!("key from {name}")))
}

impl Config {
    /// The part of the configuration that the catalog takes in.
    pub fn overlay(&self) -> Overlay {
        Overlay { providers: self.providers.iter().map(|(slug, p)| overlay_provider(slug, p)).collect() }
    }
}

fn overlay_provider(slug: &str, provider: &ProviderConfig) -> OverlayProvider {
    OverlayProvider {
        slug: slug.to_owned(),
        name: provider.name.clone(),
        protocol: provider.protocol,
        base_url: provider.base_url.clone(),
        api_key_env: provider.api_key_env.clone().map(|name| vec![name]),
        on_disconnect: provider.on_disconnect,
        models: provider.models.iter().map(overlay_model).collect(),
        ..OverlayProvider::default()
    }
}

fn overlay_model(model: &ModelConfig) -> OverlayModel {
    OverlayModel {
        id: model.id.clone(),
        provider_model_id: model.provider_model_id.clone(),
        name: model.name.clone(),
        context_tokens: model.context_tokens,
        max_output_tokens: model.max_output_tokens,
        input_modalities: model.input_modalities.clone(),
        output_modalities: model.output_modalities.clone(),
        supported_parameters: model.supported_parameters.clone(),
        price: model.price.clone(),
    }
}
