//! `GET /api.json`: the shape of models.dev's `api.json`, which many coding agents read.
//!
//! That shape has no word for unknown. Limits that nobody states are 0 there as they are in models.dev itself; abilities
//! that nobody states are `false`; `cost` is left out where input or output is unknown; time-of-day prices are left out.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::value::RawValue;
use types::{PriceKind, Quote};

use crate::endpoint::{Endpoint, Status};
use crate::model::{Modality, Model};
use crate::provider::{Protocol, Provider};
use crate::snapshot::Snapshot;

#[derive(Serialize)]
struct ProviderEntry<'s> {
    id: &'s str,
    name: &'s str,
    env: &'s [String],
    npm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<&'s str>,
    models: BTreeMap<&'s str, ModelEntry<'s>>,
}

#[derive(Serialize)]
struct ModelEntry<'s> {
    id: &'s str,
    name: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'s str>,
    attachment: bool,
    reasoning: bool,
    tool_call: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_output: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    knowledge: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_date: Option<&'s str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_updated: &'s str,
    modalities: Modalities,
    open_weights: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    limit: Limit,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

#[derive(Serialize)]
struct Modalities {
    input: Vec<&'static str>,
    output: Vec<&'static str>,
}

#[derive(Serialize)]
struct Limit {
    context: u64,
    output: u64,
}

/// Decimal literals, dollars per million tokens.
type Prices = BTreeMap<&'static str, Box<RawValue>>;

#[derive(Serialize)]
struct Cost {
    #[serde(flatten)]
    base: Prices,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tiers: Vec<Tier>,
}

#[derive(Serialize)]
struct Tier {
    tier: TierBound,
    #[serde(flatten)]
    prices: Prices,
}

#[derive(Serialize)]
struct TierBound {
    r#type: &'static str,
    size: u64,
}

/// `{<provider>: {id, name, env, npm, api, doc, models: {<provider's own id>: {...}}}}`.
pub fn models_dev(snapshot: &Snapshot) -> String {
    let entries: BTreeMap<&str, ProviderEntry<'_>> = snapshot
        .providers
        .iter()
        .enumerate()
        .map(|(at, provider)| (&*provider.id, provider_entry(snapshot, at, provider)))
        .collect();
    serde_json::to_string(&entries).unwrap_or_default()
}

fn provider_entry<'s>(snapshot: &'s Snapshot, at: usize, provider: &'s Provider) -> ProviderEntry<'s> {
    let mut models = BTreeMap::new();
    let mut taken = HashSet::new();
    for index in snapshot.endpoints_of_provider(at) {
        let Some(endpoint) = snapshot.endpoints.get(*index as usize) else {
            continue;
        };
        let Some(model) = endpoint.model_in(snapshot) else {
            continue;
        };
        // Two offers of one name (a region, a tier) need two keys: the second goes by our name.
        let own_id = &*endpoint.provider_model_id;
        let key = if taken.insert(own_id) { own_id } else { &*endpoint.name };
        models.entry(key).or_insert_with(|| model_entry(snapshot, endpoint, model));
    }
    ProviderEntry {
        id: &provider.id,
        name: &provider.name,
        env: &provider.api_key_env,
        npm: npm(provider.protocol),
        api: provider.base_url.as_deref(),
        doc: provider.docs.as_deref(),
        models,
    }
}

fn model_entry<'s>(snapshot: &'s Snapshot, endpoint: &'s Endpoint, model: &'s Model) -> ModelEntry<'s> {
    let inputs = endpoint.input_modalities(snapshot);
    ModelEntry {
        id: &endpoint.provider_model_id,
        name: &model.name,
        family: model.family.as_deref(),
        attachment: inputs.iter().any(|modality| *modality != Modality::Text),
        reasoning: model.reasoning().unwrap_or(false),
        tool_call: endpoint.tool_call(snapshot).unwrap_or(false),
        structured_output: endpoint.structured_output(snapshot),
        temperature: model.facts.temperature.as_ref().map(|claim| claim.value),
        knowledge: model.facts.knowledge_cutoff.as_ref().map(|claim| claim.value.as_str()),
        release_date: model.facts.released.as_ref().map(|claim| claim.value.as_str()),
        last_updated: &endpoint.as_of,
        modalities: Modalities { input: names(inputs), output: names(endpoint.output_modalities(snapshot)) },
        open_weights: model.facts.open_weights.as_ref().is_some_and(|claim| claim.value),
        status: (endpoint.status != Status::Live).then(|| endpoint.status.name()),
        limit: Limit {
            context: endpoint.context_tokens(snapshot).unwrap_or(0),
            output: endpoint.max_output_tokens(snapshot).unwrap_or(0),
        },
        cost: cost(endpoint),
    }
}

fn cost(endpoint: &Endpoint) -> Option<Cost> {
    let base = prices(&endpoint.price.quotes);
    if !base.contains_key("input") || !base.contains_key("output") {
        return None;
    }
    let sized = endpoint.price.overrides.iter().filter(|change| change.utc_window.is_none());
    let tiers = sized.filter_map(|change| {
        let tier = TierBound { r#type: "context", size: change.above_input_tokens? };
        Some(Tier { tier, prices: prices(&change.quotes) })
    });
    Some(Cost { base, tiers: tiers.collect() })
}

fn prices(quotes: &[(PriceKind, Quote)]) -> Prices {
    let known = quotes.iter().filter_map(|(kind, quote)| {
        let literal = RawValue::from_string(quote.rate()?.per_million()).ok()?;
        Some((price_name(*kind)?, literal))
    });
    known.collect()
}

const fn price_name(kind: PriceKind) -> Option<&'static str> {
    match kind {
        PriceKind::Input => Some("input"),
        PriceKind::Output => Some("output"),
        PriceKind::Reasoning => Some("reasoning"),
        PriceKind::CacheRead => Some("cache_read"),
        PriceKind::CacheWrite => Some("cache_write"),
        PriceKind::AudioInput => Some("input_audio"),
        PriceKind::AudioOutput => Some("output_audio"),
        PriceKind::CacheWrite1h
        | PriceKind::ImageInput
        | PriceKind::ImageOutput
        | PriceKind::Requests
        | PriceKind::Searches
        | PriceKind::Images
        | PriceKind::AudioSeconds
        | PriceKind::Characters => None,
    }
}

/// The words of models.dev: files are `pdf`; vectors, ranks and transcripts count as text.
fn names(modalities: &[Modality]) -> Vec<&'static str> {
    let mut list: Vec<&'static str> = Vec::with_capacity(modalities.len());
    for modality in modalities {
        let name = match modality {
            Modality::File => "pdf",
            Modality::Embeddings | Modality::Rerank | Modality::Transcription => "text",
            other => other.name(),
        };
        if !list.contains(&name) {
            list.push(name);
        }
    }
    list
}

/// The AI SDK package that speaks a protocol.
const fn npm(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Openai | Protocol::Ollama | Protocol::Sandbox => "@ai-sdk/openai-compatible",
        Protocol::OpenaiResponses => "@ai-sdk/openai",
        Protocol::Mistral => "@ai-sdk/mistral",
        Protocol::Anthropic => "@ai-sdk/anthropic",
        Protocol::Gemini => "@ai-sdk/google",
        Protocol::Vertex => "@ai-sdk/google-vertex",
        Protocol::VertexAnthropic => "@ai-sdk/google-vertex/anthropic",
        Protocol::Bedrock => "@ai-sdk/amazon-bedrock",
        Protocol::Azure => "@ai-sdk/azure",
        Protocol::Cohere => "@ai-sdk/cohere",
    }
}
