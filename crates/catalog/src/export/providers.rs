//! `GET /v1/providers`: OpenRouter's shape, with how a provider is spoken to.

use serde_json::json;

use super::View;

/// `{data: [{name, slug, privacy_policy_url, ...}]}`, by slug.
pub fn providers(view: &View<'_>) -> String {
    let snapshot = view.snapshot;
    let rows = snapshot.providers.iter().enumerate().map(|(at, provider)| {
        let facts = &provider.facts;
        let endpoints = snapshot.endpoints_of_provider(at);
        let of = |at: &u32| snapshot.endpoints.get(*at as usize);
        json!({
            "name": provider.name,
            "slug": provider.id,
            "privacy_policy_url": facts.privacy_url.as_ref().map(|claim| &claim.value),
            "terms_of_service_url": facts.terms_url.as_ref().map(|claim| &claim.value),
            "status_page_url": facts.status_url.as_ref().map(|claim| &claim.value),
            "headquarters": facts.headquarters.as_ref().map(|claim| &claim.value),
            "datacenters": facts.datacenters.as_ref().map(|claim| &claim.value),
            "retention_days": facts.retention_days.as_ref().map(|claim| claim.value),
            "trains_on_data": facts.trains_on_data.as_ref().map(|claim| claim.value),
            "protocol": provider.protocol,
            "docs": provider.docs,
            "endpoint_count": endpoints.len(),
            "available": endpoints.iter().filter_map(of).any(|endpoint| (view.available)(endpoint)),
        })
    });
    json!({"data": rows.collect::<Vec<_>>()}).to_string()
}
