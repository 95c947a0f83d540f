//! OpenRouter's provider document, schema 2.4: how this gateway would describe its offers to be listed elsewhere.
//!
//! One entry per model with an endpoint that can be called and billed, at the price of the cheapest; what is said of its limits and
//! parameters is that endpoint's. Time-of-day windows and unknown prices are left out.

use serde_json::{Map, Value, json};
use types::{PriceKind, PriceSheet, Quote, Rate};

use super::View;
use super::common::{cheapest, tokenizer};
use crate::endpoint::Endpoint;
use crate::import::DOCUMENT_PRICES;
use crate::model::{Modality, Model};

/// `{"data": [{id, name, input_modalities: [{type, pricing}], output_modalities, ...}]}`.
pub fn provider_document(view: &View<'_>) -> String {
    let models = view.snapshot.models.iter().enumerate();
    let rows = models.filter_map(|(at, model)| {
        let endpoint =
            cheapest(view, at).filter(|endpoint| endpoint.is_priced() && (view.available)(endpoint))?;
        Some(entry(view, model, endpoint))
    });
    json!({"data": rows.collect::<Vec<_>>()}).to_string()
}

const INPUT_TYPES: [&str; 3] = ["prompt", "cached_prompt", "cache_write"];

fn entry(view: &View<'_>, model: &Model, endpoint: &Endpoint) -> Value {
    let snapshot = view.snapshot;
    let tokens = |count: u64| json!({"value": count, "unit": "token"});
    let inputs = endpoint.input_modalities(snapshot).iter().map(|modality| {
        let mut map = Map::new();
        map.insert("type".to_owned(), json!(modality.name()));
        let mut supported = Map::new();
        if let Some(count) = endpoint.context_tokens(snapshot).filter(|_| *modality == Modality::Text) {
            supported.insert("max_context_length".to_owned(), tokens(count));
        }
        map.insert("supported_inputs".to_owned(), Value::Object(supported));
        map.insert("pricing".to_owned(), pricing(&endpoint.price, modality.name(), true));
        Value::Object(map)
    });
    let parameters = endpoint.supported_parameters(snapshot);
    let outputs = endpoint.output_modalities(snapshot).iter().map(|modality| {
        let mut map = Map::new();
        map.insert("type".to_owned(), json!(modality.name()));
        if *modality == Modality::Text {
            let list = parameters.iter().map(|name| ((*name).to_owned(), json!({"type": "unknown"})));
            map.insert("supported_parameters".to_owned(), Value::Object(list.collect()));
            if let Some(count) = endpoint.max_output_tokens(snapshot) {
                map.insert("max_length".to_owned(), tokens(count));
            }
            map.insert("streaming".to_owned(), json!(model.is_chat()));
        }
        map.insert("pricing".to_owned(), pricing(&endpoint.price, modality.name(), false));
        Value::Object(map)
    });
    let quantization = endpoint.facts.quantization.as_ref().map(|claim| &claim.value);
    json!({
        "schema_version": "2.4",
        "id": model.id,
        "name": model.name,
        "openrouter": {"slug": model.id},
        "created": super::common::created(model),
        "description": model.description,
        "input_modalities": inputs.collect::<Vec<_>>(),
        "output_modalities": outputs.collect::<Vec<_>>(),
        "pricing": pricing(&endpoint.price, "", false),
        "quantization": quantization,
        "tokenizer": tokenizer(model),
        "deployment_region": endpoint.facts.region.as_ref().map(|claim| &claim.value),
        "deprecation_date": model.facts.retires.as_ref().map(|claim| &claim.value),
        "is_ready": true,
        "is_free": is_free(&endpoint.price),
    })
}

fn is_free(sheet: &PriceSheet) -> bool {
    sheet.quotes.iter().all(|(_, quote)| *quote == Quote::Known(Rate::FREE)) && sheet.overrides.is_empty()
}

/// The prices of one modality on one side.
fn pricing(sheet: &PriceSheet, modality: &str, is_input: bool) -> Value {
    let rows = DOCUMENT_PRICES.iter().filter(|(of, name, _, _)| {
        *of == modality && (modality.is_empty() || INPUT_TYPES.contains(name) == is_input)
    });
    let mut list: Vec<Value> =
        rows.filter_map(|(_, name, unit, kind)| price(sheet, name, unit, *kind, None)).collect();
    if modality == "text" && is_input {
        list.extend(price(sheet, "cache_write", "token", PriceKind::CacheWrite1h, Some(3_600)));
    }
    Value::Array(list)
}

fn price(sheet: &PriceSheet, name: &str, unit: &str, kind: PriceKind, ttl: Option<u64>) -> Option<Value> {
    let rate = sheet.quote(kind)?.rate()?;
    let mut map = Map::new();
    map.insert("type".to_owned(), json!(name));
    map.insert("unit".to_owned(), json!(unit));
    map.insert("cost_usd".to_owned(), json!(rate.per_unit()));
    if let Some(seconds) = ttl {
        map.insert("ttl_seconds".to_owned(), json!(seconds));
    }
    let sized = sheet.overrides.iter().filter(|change| change.utc_window.is_none());
    let overrides = sized.filter_map(|change| {
        let (_, quote) = change.quotes.iter().find(|(k, _)| *k == kind)?;
        let first = change.above_input_tokens?.checked_add(1)?;
        Some(json!({"when": {"prompt_tokens": {"gte": first}}, "cost_usd": quote.rate()?.per_unit()}))
    });
    let overrides: Vec<Value> = overrides.collect();
    if !overrides.is_empty() {
        map.insert("overrides".to_owned(), Value::Array(overrides));
    }
    Some(Value::Object(map))
}
