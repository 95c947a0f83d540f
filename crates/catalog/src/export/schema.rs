//! `GET /catalog/schema.json`: JSON Schema of [`super::own()`]. Facts come from the same list that reads them.

use serde_json::{Map, Value, json};
use types::PriceKind;

use super::own::FORMAT;
use crate::claim::Rule;
use crate::endpoint::{EndpointFacts, Status};
use crate::kind::names;
use crate::model::ModelFacts;
use crate::provider::{
    ErrorShape, MaxTokensName, OnDisconnect, Protocol, ProviderFacts, StreamUsage, ToolCallIds,
};

/// The schema of a claim whose value has this schema.
pub(crate) fn claim(value: Value) -> Value {
    let date = json!({"type": "string", "pattern": "^\\d{4}(-\\d{2}(-\\d{2})?)?$"});
    let mut other = Map::new();
    other.insert("value".to_owned(), value.clone());
    other.insert("source".to_owned(), json!({"type": "string"}));
    other.insert("as_of".to_owned(), json!({"type": "string"}));
    let mut properties = Map::new();
    properties.insert("value".to_owned(), value);
    properties.insert("source".to_owned(), json!({"type": "string"}));
    properties.insert("as_of".to_owned(), date);
    properties.insert("rule".to_owned(), json!({"enum": names(Rule::ALL, Rule::name)}));
    let dissent = object(other, &["value", "source", "as_of"]);
    properties.insert("dissent".to_owned(), json!({"type": "array", "items": dissent}));
    object(properties, &["value", "source"])
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required})
}

/// An object all of whose properties are always there.
fn whole(properties: Value) -> Value {
    let properties = properties.as_object().cloned().unwrap_or_default();
    let required: Vec<String> = properties.keys().cloned().collect();
    let required: Vec<&str> = required.iter().map(String::as_str).collect();
    object(properties, &required)
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn price() -> Value {
    let text = json!({"type": "string", "pattern": "^(unknown|\\d+(\\.\\d+)?)$"});
    let keys = PriceKind::ALL.into_iter().map(|kind| (kind.file_key().to_owned(), claim(text.clone())));
    object(keys.collect(), &[])
}

fn quirks() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let max_tokens: Vec<Value> =
        MaxTokensName::ALL.iter().map(|name| json!(name.name())).chain([Value::Null]).collect();
    whole(json!({
        "max_tokens_name": {"enum": max_tokens},
        "unsupported_parameters": {"type": "array", "items": {"type": "string"}},
        "stream_usage": {"enum": names(StreamUsage::ALL, StreamUsage::name)},
        "tool_call_ids": {"enum": names(ToolCallIds::ALL, ToolCallIds::name)},
        "rename_roles": texts,
        "rename_parameters": texts,
        "strict_parameters": {"type": "boolean"},
        "error_shape": {"enum": names(ErrorShape::ALL, ErrorShape::name)},
        "on_disconnect": {"enum": names(OnDisconnect::ALL, OnDisconnect::name)},
        "auth_header": {"type": ["string", "null"]},
        "auth_optional": {"type": "boolean"},
        "responses": {"type": "boolean"},
    }))
}

/// The schema as JSON text (draft 2020-12).
pub fn schema() -> String {
    let text = json!({"type": "string"});
    let maybe = json!({"type": ["string", "null"]});
    let texts = list(text.clone());
    let source = whole(json!({"id": text, "name": text, "url": text, "note": maybe}));
    let author = whole(json!({"id": text, "name": text, "url": maybe, "country": maybe}));
    let benchmark =
        whole(json!({"name": text, "score": text, "metric": maybe, "source": text, "date": maybe}));
    let model = whole(json!({
        "id": text, "author": text, "name": text, "description": maybe, "family": maybe, "aliases": texts,
        "facts": object(ModelFacts::schema(), &[]), "benchmarks": list(benchmark), "source": text, "as_of": maybe,
    }));
    let protocols = names(Protocol::ALL, Protocol::name);
    let provider = whole(json!({
        "id": text, "name": text, "protocol": {"enum": protocols}, "base_url": maybe, "api_key_env": texts,
        "docs": maybe, "facts": object(ProviderFacts::schema(), &[]), "quirks": quirks(), "source": text,
        "as_of": maybe,
    }));
    let statuses = names(Status::ALL, Status::name);
    let mut change = Map::new();
    change.insert("above_input_tokens".to_owned(), json!({"type": "integer", "minimum": 0}));
    change.insert("utc_from".to_owned(), text.clone());
    change.insert("utc_to".to_owned(), text.clone());
    change.insert("price".to_owned(), price());
    let endpoint = whole(json!({
        "id": text, "model": text, "provider": text, "variant": maybe, "provider_model_id": text,
        "status": {"enum": statuses}, "facts": object(EndpointFacts::schema(), &[]), "price": price(),
        "price_overrides": list(object(change, &["price"])), "price_version": text, "source": text, "as_of": maybe,
    }));
    let mut root = whole(json!({
        "format": {"const": FORMAT}, "version": text, "sources": list(source), "authors": list(author),
        "models": list(model), "providers": list(provider), "endpoints": list(endpoint),
    }));
    if let Some(map) = root.as_object_mut() {
        map.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        map.insert("title".to_owned(), json!("Catalog with provenance"));
    }
    root.to_string()
}
