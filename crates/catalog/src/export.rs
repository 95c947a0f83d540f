//! The catalog as others read it. Each function answers compact JSON text. Prices are written from their exact decimal
//! text, never through a float.

mod common;
mod endpoints;
mod genai;
mod litellm;
mod models;
mod models_dev;
mod own;
mod provider_document;
mod providers;
pub(crate) mod schema;

use serde::Serialize;
use serde_json::{Value, json};

use crate::claim::Claim;
use crate::endpoint::Endpoint;
use crate::snapshot::Snapshot;

pub(crate) use common::{PRICE_KEYS, quote_text};
pub use endpoints::endpoints;
pub use genai::genai;
pub use litellm::litellm;
pub use models::{model, models};
pub use models_dev::models_dev;
pub use own::own;
pub(crate) use own::{
    FORMAT, as_text, endpoint as endpoint_json, model as model_json, provider as provider_json,
};
pub use provider_document::provider_document;
pub use providers::providers;
pub use schema::schema;

/// A name that routing turns into a model: `tollway/auto`, `policy/<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualModel {
    /// What callers write.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it does.
    pub description: String,
}

/// What an answer is made from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The catalog.
    pub snapshot: &'a Snapshot,
    /// True for endpoints that can be called now: their provider is switched on.
    pub available: &'a dyn Fn(&Endpoint) -> bool,
    /// What was measured of an endpoint, by the names of the answer.
    pub live: &'a dyn Fn(&Endpoint) -> Vec<(&'static str, Value)>,
    /// Listed first, on the first page.
    pub virtual_models: &'a [VirtualModel],
}

/// For [`View::live`] where nothing is measured.
pub fn unmeasured(_: &Endpoint) -> Vec<(&'static str, Value)> {
    let names =
        ["uptime_last_5m", "uptime_last_30m", "uptime_last_1d", "latency_last_30m", "throughput_last_30m"];
    names.into_iter().map(|name| (name, Value::Null)).chain([("samples_last_30m", json!(0))]).collect()
}

/// A claim with its provenance. What is absent is left out; the configuration's claims have no date.
pub(crate) fn claim_json<T: Serialize>(claim: &Claim<T>) -> Value {
    let mut value = json!({"value": claim.value, "source": claim.source});
    let Some(map) = value.as_object_mut() else {
        return value;
    };
    if !claim.as_of.is_empty() {
        map.insert("as_of".to_owned(), json!(claim.as_of));
    }
    if let Some(rule) = claim.rule {
        map.insert("rule".to_owned(), json!(rule));
    }
    if !claim.dissent.is_empty() {
        map.insert("dissent".to_owned(), json!(claim.dissent));
    }
    value
}

#[cfg(test)]
mod tests;
