//! What filters and sorts ask of a model.

use types::{Money, PriceKind, Quote, Rate};

use super::parse::{Region, decimal};
use crate::endpoint::Endpoint;
use crate::model::Model;
use crate::snapshot::Snapshot;

/// Members of the European Union, ISO 3166, with the code that stands for all of them.
const EU: [&str; 28] = [
    "EU", "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The base price of a kind, when it is known.
pub(crate) fn rate(endpoint: &Endpoint, kind: PriceKind) -> Option<Rate> {
    endpoint.price.quote(kind).and_then(Quote::rate)
}

/// The lowest known price of a kind over the model's endpoints.
pub(crate) fn lowest(snapshot: &Snapshot, model: usize, kind: PriceKind) -> Option<Rate> {
    snapshot.model_endpoints(model).filter_map(|endpoint| rate(endpoint, kind)).min()
}

/// The lowest known price of input and output together over the model's endpoints: see [`Endpoint::blended`].
pub(crate) fn lowest_blended(snapshot: &Snapshot, model: usize) -> Option<i128> {
    snapshot.model_endpoints(model).filter_map(Endpoint::blended).min()
}

/// The published result whose name ends in `name`, the best where there are several.
pub(crate) fn score(model: &Model, name: &str) -> Option<Money> {
    let named = model.benchmarks.iter().filter(|row| row.name.to_lowercase().ends_with(name));
    named.filter_map(|row| decimal(&row.score).ok()).max()
}

/// True for licences that let anyone train on a model's answers.
pub(crate) fn is_distillable(model: &Model) -> bool {
    model.facts.license.as_ref().is_some_and(|claim| matches!(claim.value.as_str(), "MIT" | "Apache-2.0"))
}

/// True when an endpoint's provider is said to keep nothing.
pub(crate) fn keeps_nothing(snapshot: &Snapshot, endpoint: &Endpoint) -> bool {
    let provider = endpoint.provider_in(snapshot);
    provider.and_then(|p| p.facts.retention_days.as_ref()).is_some_and(|claim| claim.value == 0)
}

/// True when an endpoint is said to compute in the region: by itself, or because its provider computes nowhere else.
pub(crate) fn computes_in(snapshot: &Snapshot, endpoint: &Endpoint, region: Region) -> bool {
    let inside = |code: &str| match region {
        Region::Eu => EU.contains(&code),
        Region::Us => code == "US",
    };
    if let Some(claim) = &endpoint.facts.region {
        let place = claim.value.to_ascii_lowercase();
        return place == region.name() || place.starts_with(&format!("{}-", region.name()));
    }
    let provider = endpoint.provider_in(snapshot);
    provider
        .and_then(|p| p.facts.datacenters.as_ref())
        .is_some_and(|claim| !claim.value.is_empty() && claim.value.iter().all(|code| inside(code)))
}
