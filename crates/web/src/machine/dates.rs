//! The latest date of anything that is said of something: when its page last changed.

use catalog::{Endpoint, EndpointFacts, Model, ModelFacts, Provider, ProviderFacts, Snapshot};

/// The as-of dates of these facts.
macro_rules! dates {
    ($facts:expr; $($field:ident),* $(,)?) => {
        [$( $facts.$field.as_ref().map(|claim| &*claim.as_of), )*].into_iter().flatten()
    };
}

/// Dates are written so that later ones sort behind earlier ones; `2026-06` is before any day of it.
fn latest<'a>(dates: impl Iterator<Item = &'a str>) -> Option<String> {
    dates.filter(|date| !date.is_empty()).max().map(str::to_owned)
}

fn of_model(facts: &ModelFacts) -> impl Iterator<Item = &str> {
    dates!(facts; released, knowledge_cutoff, open_weights, weights_url, license, architecture, parameters, active_parameters,
        context_tokens, max_output_tokens, input_modalities, output_modalities, reasoning, tool_call, structured_output,
        temperature, purpose)
}

fn of_endpoint(facts: &EndpointFacts) -> impl Iterator<Item = &str> {
    dates!(facts; context_tokens, max_output_tokens, input_modalities, output_modalities, quantization, region,
        structured_output, tool_call, reasoning_efforts, supported_parameters, throughput_tokens_per_s, ttft_ms)
}

fn of_provider(facts: &ProviderFacts) -> impl Iterator<Item = &str> {
    dates!(facts; headquarters, datacenters, retention_days, trains_on_data, cancel_stops_billing, privacy_url, terms_url,
        status_url)
}

/// When anything was last said of an offer: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
pub(crate) fn endpoint_as_of(endpoint: &Endpoint) -> Option<String> {
    let prices = endpoint.price_claims.iter().map(|row| &*row.claim.as_of);
    latest(of_endpoint(&endpoint.facts).chain(prices).chain([&*endpoint.as_of]))
}

/// When anything was last said of a model or of one of its offers.
pub(crate) fn model_as_of(snapshot: &Snapshot, position: usize) -> Option<String> {
    let model: &Model = snapshot.models.get(position)?;
    let offers: Vec<String> = snapshot.model_endpoints(position).filter_map(endpoint_as_of).collect();
    let benchmarks = model.benchmarks.iter().filter_map(|row| row.date.as_deref());
    let own = of_model(&model.facts).chain(benchmarks).chain([&*model.as_of]);
    latest(own.chain(offers.iter().map(String::as_str)))
}

/// When anything was last said of a provider.
pub(crate) fn provider_as_of(provider: &Provider) -> Option<String> {
    latest(of_provider(&provider.facts).chain([&*provider.as_of]))
}
