//! What the configuration adds to a catalog: providers pointed elsewhere, new providers, and models that no catalog
//! knows.
//!
//! - A slug that the catalog knows keeps everything that the configuration does not say.
//! - A new slug needs `protocol`, and `base_url` unless the protocol is `sandbox`.
//! - A model id that the catalog knows (by any of its names) gets another endpoint; one that it does not know becomes a
//!   model whose author is the part before the slash. Capital letters are taken and made small.
//! - An endpoint's id is `<provider>/<slug>`. It takes the place of a catalog endpoint with that id.
//! - No price: unknown, so the endpoint is listed and can't be billed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::claim::Claim;
use crate::endpoint::{Endpoint, EndpointFacts, Status};
use crate::kind;
use crate::model::{Author, Modality, Model, ModelFacts, Source};
use crate::price;
use crate::provider::{OnDisconnect, Protocol, Provider, ProviderFacts, Quirks, StreamUsage};
use crate::snapshot::Snapshot;

/// The source id of every claim that the configuration makes. Such claims have an empty as-of date.
pub const CONFIG_SOURCE: &str = "config";

/// The catalog part of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// One per `[providers.<slug>]`.
    pub providers: Vec<OverlayProvider>,
}

/// `[providers.<slug>]`. What is `None` stays as the catalog says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverlayProvider {
    /// The provider's id.
    pub slug: String,
    /// Its name for people; a new provider's default is the slug.
    pub name: Option<String>,
    /// How it is spoken to.
    pub protocol: Option<Protocol>,
    /// Where.
    pub base_url: Option<String>,
    /// Environment variables that hold its key.
    pub api_key_env: Option<Vec<String>>,
    /// What becomes of a call when the caller has left.
    pub on_disconnect: Option<OnDisconnect>,
    /// When it reports usage in streams.
    pub stream_usage: Option<StreamUsage>,
    /// The header that carries the key.
    pub auth_header: Option<String>,
    /// Whether it works without a key.
    pub auth_optional: Option<bool>,
    /// `[[providers.<slug>.models]]`.
    pub models: Vec<OverlayModel>,
}

/// `[[providers.<slug>.models]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverlayModel {
    /// `<author>/<slug>`.
    pub id: String,
    /// What the provider calls it; default: the part of `id` after the slash, as written.
    pub provider_model_id: Option<String>,
    /// Its name for people; default: the id as written.
    pub name: Option<String>,
    /// Input and output tokens together.
    pub context_tokens: Option<u64>,
    /// The most output tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// Default: text.
    pub input_modalities: Option<Vec<String>>,
    /// Default: text.
    pub output_modalities: Option<Vec<String>>,
    /// Default: what the protocol supports.
    pub supported_parameters: Option<Vec<String>>,
    /// The keys of `[price]`, as decimal text; absent: unknown.
    pub price: Option<BTreeMap<String, String>>,
}

/// Id and slug of models, by the names that a configuration has for them.
type Known = HashMap<String, (Arc<str>, Arc<str>)>;

/// Collects what is wrong, each with its key path.
struct Errors(Vec<String>);

impl Errors {
    fn add(&mut self, key: &str, message: impl std::fmt::Display) {
        self.0.push(format!("{key}: {message}"));
    }
}

impl Snapshot {
    /// This snapshot with the configuration's additions. Errors name the key, its value and what is allowed; with one
    /// error nothing is added.
    pub fn with_overlay(self, overlay: &Overlay) -> Result<Snapshot, Vec<String>> {
        if overlay.providers.is_empty() {
            return Ok(self);
        }
        let known = self.known(overlay);
        let mut parts = self;
        parts.endpoints.reserve_exact(overlay.providers.iter().map(|entry| entry.models.len()).sum());
        let mut errors = Errors(Vec::new());
        let mut added = HashSet::new();
        for entry in &overlay.providers {
            let Some(provider_at) = place_provider(entry, &mut parts, &mut errors) else {
                continue;
            };
            for (at, model) in entry.models.iter().enumerate() {
                let key = format!("providers.{}.models[{at}]", entry.slug);
                let id = add_model(&key, provider_at, model, &known, &mut parts, &mut errors);
                if let Some(id) = id.filter(|id| !added.insert(Arc::clone(id))) {
                    let message = format!(
                        "`{}` makes the endpoint `{id}`, which an earlier entry made; give one of them another slug",
                        model.id
                    );
                    errors.add(&format!("{key}.id"), message);
                }
            }
        }
        if !errors.0.is_empty() {
            return Err(errors.0);
        }
        if parts.sources.iter().all(|source| &*source.id != CONFIG_SOURCE) {
            let note = Some("What the operator wrote into this server's configuration.".to_owned());
            parts.sources.push(Source {
                id: CONFIG_SOURCE.into(),
                name: "Configuration".to_owned(),
                url: String::new(),
                note,
            });
        }
        parts.settled().map_err(|message| vec![message])
    }

    /// The models of the catalog that an overlay names, by the name it has for them.
    fn known(&self, overlay: &Overlay) -> Known {
        let ids = overlay
            .providers
            .iter()
            .flat_map(|entry| &entry.models)
            .map(|entry| entry.id.to_ascii_lowercase());
        ids.filter_map(|id| {
            let model = self.models.get(self.resolve(&id)?)?;
            Some((id, (Arc::clone(&model.id), Arc::clone(&model.slug))))
        })
        .collect()
    }
}

/// Adds one configured model and answers its endpoint's id.
fn add_model(
    key: &str,
    provider: usize,
    entry: &OverlayModel,
    known: &Known,
    parts: &mut Snapshot,
    errors: &mut Errors,
) -> Option<Arc<str>> {
    let before = errors.0.len();
    let facts = config_facts(key, entry, errors);
    let prices = price::from_config(entry.price.as_ref()).unwrap_or_else(|flaws| {
        for (name, message) in flaws {
            errors.add(&format!("{key}.price.{name}"), message);
        }
        price::Prices::default()
    });
    let id = entry.id.to_ascii_lowercase();
    let split = id.split_once('/').filter(|(author, slug)| kind::is_id(author) && kind::is_id(slug));
    let Some((author, slug)) = split else {
        let allowed = "`<author>/<slug>` of letters, digits, `.`, `_` and `-`; \
                       put the provider's own name for it in `provider_model_id`";
        errors.add(&format!("{key}.id"), format!("`{}` is no model id; allowed: {allowed}", entry.id));
        return None;
    };
    if errors.0.len() > before {
        return None;
    }
    let (model_id, slug): (Arc<str>, Arc<str>) = match known.get(&id) {
        Some((id, slug)) => (Arc::clone(id), Arc::clone(slug)),
        None => (id.as_str().into(), slug.into()),
    };
    let found = parts.models.iter().position(|model| model.id == model_id);
    if found.is_none() {
        parts.models.push(new_model(&model_id, author, &slug, entry, &facts));
        if parts.authors.iter().all(|known| &*known.id != author) {
            parts.authors.push(Author {
                id: author.into(),
                name: author.to_owned(),
                url: None,
                country: None,
            });
        }
    }
    let endpoint_id: Arc<str> = format!("{}/{slug}", parts.providers.get(provider)?.id).into();
    let as_written = entry.id.split_once('/').map_or(&*slug, |(_, slug)| slug);
    let endpoint = Endpoint {
        price_version: price::version(&endpoint_id, &prices.sheet),
        id: Arc::clone(&endpoint_id),
        model: found.unwrap_or(parts.models.len() - 1),
        provider,
        name: Arc::clone(&slug),
        variant: None,
        provider_model_id: entry.provider_model_id.as_deref().unwrap_or(as_written).into(),
        status: Status::Live,
        facts,
        price: Arc::new(prices.sheet),
        price_claims: prices.claims,
        source: CONFIG_SOURCE.into(),
        as_of: "".into(),
        from_config: true,
    };
    parts.endpoints.retain(|known| known.id != endpoint_id);
    parts.endpoints.push(endpoint);
    Some(endpoint_id)
}

fn claim<T>(value: T) -> Claim<T> {
    Claim { value, source: CONFIG_SOURCE.into(), as_of: "".into(), rule: None, dissent: Vec::new() }
}

fn modalities(
    key: String,
    names: Option<&Vec<String>>,
    allowed: &[Modality],
    errors: &mut Errors,
) -> Option<Claim<Vec<Modality>>> {
    let mut found = Vec::new();
    for name in names? {
        match allowed.iter().find(|modality| modality.name() == name) {
            Some(modality) => found.push(*modality),
            None => {
                let list = kind::names(allowed, Modality::name).join(", ");
                errors.add(&key, format!("`{name}` is no modality; allowed: {list}"));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        errors.add(&key, "name at least one modality, or leave the key out");
    }
    Some(claim(found))
}

fn config_facts(key: &str, entry: &OverlayModel, errors: &mut Errors) -> EndpointFacts {
    let inputs = entry.input_modalities.as_ref();
    let outputs = entry.output_modalities.as_ref();
    EndpointFacts {
        context_tokens: entry.context_tokens.map(claim),
        max_output_tokens: entry.max_output_tokens.map(claim),
        input_modalities: modalities(format!("{key}.input_modalities"), inputs, &Modality::INPUTS, errors),
        output_modalities: modalities(
            format!("{key}.output_modalities"),
            outputs,
            &Modality::OUTPUTS,
            errors,
        ),
        supported_parameters: entry.supported_parameters.clone().map(claim),
        ..EndpointFacts::default()
    }
}

fn new_model(
    id: &Arc<str>,
    author: &str,
    slug: &Arc<str>,
    entry: &OverlayModel,
    facts: &EndpointFacts,
) -> Model {
    Model {
        id: Arc::clone(id),
        author: author.into(),
        slug: Arc::clone(slug),
        name: entry.name.clone().unwrap_or_else(|| entry.id.clone()),
        description: None,
        family: None,
        aliases: Vec::new(),
        facts: ModelFacts {
            context_tokens: facts.context_tokens.clone(),
            max_output_tokens: facts.max_output_tokens.clone(),
            input_modalities: facts.input_modalities.clone(),
            output_modalities: facts.output_modalities.clone(),
            ..ModelFacts::default()
        },
        benchmarks: Vec::new(),
        source: CONFIG_SOURCE.into(),
        as_of: "".into(),
        from_config: true,
    }
}

/// Changes a provider, or adds it, and answers its position.
fn place_provider(entry: &OverlayProvider, parts: &mut Snapshot, errors: &mut Errors) -> Option<usize> {
    let key = |name: &str| format!("providers.{}.{name}", entry.slug);
    let base_url = entry.base_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    if let Some(Err(message)) = base_url.as_deref().map(kind::check_base_url) {
        errors
            .add(&key("base_url"), format!("`{}` {message}", entry.base_url.as_deref().unwrap_or_default()));
        return None;
    }
    let at = match parts.providers.iter().position(|provider| *provider.id == *entry.slug) {
        Some(at) => at,
        None => {
            let provider = new_provider(entry, base_url.is_some(), errors)?;
            parts.providers.push(provider);
            parts.providers.len() - 1
        }
    };
    let provider = parts.providers.get_mut(at)?;
    if let Some(name) = &entry.name {
        provider.name = name.as_str().into();
    }
    provider.protocol = entry.protocol.unwrap_or(provider.protocol);
    provider.configured_base_url = base_url;
    if let Some(names) = &entry.api_key_env {
        provider.api_key_env.clone_from(names);
    }
    let quirks = &mut provider.quirks;
    quirks.on_disconnect = entry.on_disconnect.unwrap_or(quirks.on_disconnect);
    quirks.stream_usage = entry.stream_usage.unwrap_or(quirks.stream_usage);
    quirks.auth_header = entry.auth_header.clone().or_else(|| quirks.auth_header.take());
    quirks.auth_optional = entry.auth_optional.unwrap_or(quirks.auth_optional);
    Some(at)
}

fn new_provider(entry: &OverlayProvider, has_base_url: bool, errors: &mut Errors) -> Option<Provider> {
    let key = format!("providers.{}", entry.slug);
    if !kind::is_id(&entry.slug) {
        errors.add(&key, "a provider's name is lower-case letters, digits, `.`, `_` and `-`");
        return None;
    }
    let Some(protocol) = entry.protocol else {
        let allowed = kind::names(Protocol::ALL, Protocol::name).join(", ");
        let message = format!("no catalog knows this provider, so it needs a protocol; allowed: {allowed}");
        errors.add(&format!("{key}.protocol"), message);
        return None;
    };
    if !has_base_url && protocol != Protocol::Sandbox {
        let message = format!(
            "a new provider of protocol `{protocol}` needs the address of its API, \
                               such as \"http://127.0.0.1:8000/v1\""
        );
        errors.add(&format!("{key}.base_url"), message);
        return None;
    }
    Some(Provider {
        id: entry.slug.as_str().into(),
        name: entry.slug.as_str().into(),
        protocol,
        base_url: None,
        configured_base_url: None,
        api_key_env: Vec::new(),
        docs: None,
        facts: ProviderFacts::default(),
        quirks: Quirks::default(),
        source: CONFIG_SOURCE.into(),
        as_of: "".into(),
        from_config: true,
    })
}

#[cfg(test)]
mod tests;
