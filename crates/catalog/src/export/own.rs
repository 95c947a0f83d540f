//! `GET /catalog.json`: everything, with the source, date and dissent of every claim. [`super::schema()`] describes it.

use serde_json::{Map, Value, json};
use types::{PriceKind, Quote};

use super::claim_json;
use super::common::quote_text;
use crate::claim::{Claim, Dissent};
use crate::endpoint::Endpoint;
use crate::model::Model;
use crate::provider::Provider;
use crate::snapshot::Snapshot;

/// The version of the shape, not of the content.
pub(crate) const FORMAT: u32 = 1;

/// The whole catalog as one JSON document.
pub fn own(snapshot: &Snapshot) -> String {
    json!({
        "format": FORMAT,
        "version": snapshot.version,
        "sources": snapshot.sources,
        "authors": snapshot.authors,
        "models": snapshot.models.iter().map(model).collect::<Vec<_>>(),
        "providers": snapshot.providers.iter().map(provider).collect::<Vec<_>>(),
        "endpoints": snapshot.endpoints.iter().map(|e| endpoint(snapshot, e)).collect::<Vec<_>>(),
    })
    .to_string()
}

fn date(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

pub(crate) fn model(model: &Model) -> Value {
    json!({
        "id": model.id,
        "author": model.author,
        "name": model.name,
        "description": model.description,
        "family": model.family,
        "aliases": model.aliases,
        "facts": model.facts.to_json(),
        "benchmarks": model.benchmarks,
        "source": model.source,
        "as_of": date(&model.as_of),
    })
}

pub(crate) fn provider(provider: &Provider) -> Value {
    json!({
        "id": provider.id,
        "name": provider.name,
        "protocol": provider.protocol,
        "base_url": provider.base_url,
        "api_key_env": provider.api_key_env,
        "docs": provider.docs,
        "facts": provider.facts.to_json(),
        "quirks": provider.quirks,
        "source": provider.source,
        "as_of": date(&provider.as_of),
    })
}

pub(crate) fn endpoint(snapshot: &Snapshot, endpoint: &Endpoint) -> Value {
    let overrides = endpoint.price.overrides.iter().zip(0u32..).map(|(change, at)| {
        let mut entry = Map::new();
        if let Some(size) = change.above_input_tokens {
            entry.insert("above_input_tokens".to_owned(), json!(size));
        }
        if let Some((from, to)) = change.utc_window {
            entry.insert("utc_from".to_owned(), json!(from.to_string()));
            entry.insert("utc_to".to_owned(), json!(to.to_string()));
        }
        entry.insert("price".to_owned(), prices(endpoint, Some(at)));
        Value::Object(entry)
    });
    json!({
        "id": endpoint.id,
        "model": endpoint.model_in(snapshot).map(|model| &model.id),
        "provider": endpoint.provider_in(snapshot).map(|provider| &provider.id),
        "variant": endpoint.variant,
        "provider_model_id": endpoint.provider_model_id,
        "status": endpoint.status,
        "facts": endpoint.facts.to_json(),
        "price": prices(endpoint, None),
        "price_overrides": overrides.collect::<Vec<_>>(),
        "price_version": endpoint.price_version,
        "source": endpoint.source,
        "as_of": date(&endpoint.as_of),
    })
}

fn prices(endpoint: &Endpoint, override_index: Option<u32>) -> Value {
    let rows = endpoint.price_claims.iter().filter(|row| row.override_index == override_index);
    rows.map(|row| (row.kind.file_key().to_owned(), claim_json(&as_text(row.kind, &row.claim)))).collect()
}

/// A price's claim in decimal text.
pub(crate) fn as_text(kind: PriceKind, claim: &Claim<Quote>) -> Claim<String> {
    let dissent = claim.dissent.iter().map(|other| Dissent {
        value: quote_text(kind, other.value),
        source: other.source.clone(),
        as_of: other.as_of.clone(),
    });
    Claim {
        value: quote_text(kind, claim.value),
        source: claim.source.clone(),
        as_of: claim.as_of.clone(),
        rule: claim.rule,
        dissent: dissent.collect(),
    }
}
