//! `GET /v1/models/{author}/{slug}/endpoints`: OpenRouter's shape, with ids, price versions and provenance of ours.

use serde_json::{Map, Value, json};

use super::View;
use super::common::{architecture, created, pricing, quote_text, tokenizer};
use crate::endpoint::Endpoint;
use crate::model::Model;

/// `{data: {id, name, created, description, architecture, endpoints: [...]}}` for the model at this position; `None`:
/// there is none. Latency (milliseconds to the first token), throughput (tokens per second) and uptime (percent) are those of
/// this node's own traffic, `null` where that is too little to say.
pub fn endpoints(view: &View<'_>, at: usize) -> Option<String> {
    let model = view.snapshot.models.get(at)?;
    let rows = view.snapshot.model_endpoints(at).map(|endpoint| entry(view, model, endpoint));
    let data = json!({
        "id": model.id,
        "name": model.name,
        "created": created(model),
        "description": model.description.as_deref().unwrap_or_default(),
        "architecture": architecture(model.input_modalities(), model.output_modalities(), tokenizer(model)),
        "endpoints": rows.collect::<Vec<_>>(),
    });
    Some(json!({"data": data}).to_string())
}

fn entry(view: &View<'_>, model: &Model, endpoint: &Endpoint) -> Value {
    let snapshot = view.snapshot;
    let provider = endpoint.provider_in(snapshot);
    let provider_id = provider.map_or("", |p| &*p.id);
    let provider_name = provider.map_or("", |p| &*p.name);
    let tag = match &endpoint.variant {
        Some(variant) => format!("{provider_id}/{variant}"),
        None => provider_id.to_owned(),
    };
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("id", json!(endpoint.id));
    put("name", json!(format!("{provider_name} | {}", model.id)));
    put("model_id", json!(model.id));
    put("model_name", json!(model.name));
    put("provider_name", json!(provider_name));
    put("provider_model_id", json!(endpoint.provider_model_id));
    put("tag", json!(tag));
    put("quantization", json!(endpoint.facts.quantization.as_ref().map(|claim| &claim.value)));
    put("region", json!(endpoint.facts.region.as_ref().map(|claim| &claim.value)));
    put("context_length", json!(endpoint.context_tokens(snapshot)));
    put("max_completion_tokens", json!(endpoint.max_output_tokens(snapshot)));
    put("max_prompt_tokens", Value::Null);
    put("pricing", pricing(Some(&endpoint.price)));
    put("prices", prices(endpoint));
    put("price_version", json!(endpoint.price_version));
    put("supported_parameters", json!(endpoint.supported_parameters(snapshot)));
    put("supports_implicit_caching", json!(caches_unasked(endpoint)));
    put("supports_voice_cloning", json!(false));
    put("status", json!(0));
    put("stage", json!(endpoint.status.name()));
    for (key, value) in (view.live)(endpoint) {
        put(key, value);
    }
    put("available", json!((view.available)(endpoint)));
    put("billable", json!(endpoint.is_priced()));
    put("source", json!(endpoint.source));
    put("as_of", if endpoint.as_of.is_empty() { Value::Null } else { json!(endpoint.as_of) });
    Value::Object(map)
}

/// A price for cached input and none for writing it: the provider caches without being asked.
fn caches_unasked(endpoint: &Endpoint) -> bool {
    let priced = |kind| endpoint.price.quote(kind).is_some();
    priced(types::PriceKind::CacheRead) && !priced(types::PriceKind::CacheWrite)
}

/// Base prices in the words of files, dollars per million tokens.
fn prices(endpoint: &Endpoint) -> Value {
    let quotes = endpoint.price.quotes.iter();
    quotes.map(|(kind, quote)| (kind.file_key().to_owned(), json!(quote_text(*kind, *quote)))).collect()
}
