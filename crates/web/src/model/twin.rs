//! A model for programs. Facts keep their claims as the catalog has them: value, source, date, rule, dissent; null is unknown. Prices are
//! dollars per million tokens, or per piece, as decimal text.

use catalog::{Claim, Endpoint, Model, Snapshot};
use serde_json::{Map, Value, json};
use types::{PriceKind, Quote};

use super::routed::Order;
use crate::Live;
use crate::popularity::Popularity;
use crate::ratings::Score;
use crate::visit::Visit;

/// What is told beside the catalog's facts.
pub(crate) struct Beside<'a> {
    pub(crate) popularity: Option<&'a Popularity>,
    /// What the prices were.
    pub(crate) history: Option<Value>,
    /// What people think of it.
    pub(crate) score: Option<&'a Score>,
}

/// The whole page's data.
pub(crate) fn told(visit: &Visit, at: usize, model: &Model, order: &Order, beside: Beside<'_>) -> Value {
    let snapshot = visit.snapshot();
    let picks = visit.picks();
    let picked = picks.of_model(at).iter().map(|pick| {
        let dial = pick.dial.map(|(from, to)| [f64::from(from) / 10.0, f64::from(to) / 10.0]);
        json!({
            "by": format!("{}/{}", visit.place.brand_slug, pick.by),
            "work": pick.work,
            "place": pick.place,
            "dial": dial,
        })
    });
    json!({
        "catalog": snapshot.version,
        "id": model.id,
        "name": model.name,
        "author": model.author,
        "url": format!("{}/{}", visit.place.base_url, model.id),
        "description": model.description,
        "family": model.family,
        "aliases": model.aliases,
        "facts": model.facts,
        "benchmarks": model.benchmarks,
        "source": model.source,
        "as_of": model.as_of,
        "ratings": beside.score.map(Score::json),
        "parameters": snapshot.model_parameters(at),
        "routing": { "supposes_all_providers_on": order.is_supposed, "picked": picked.collect::<Vec<_>>() },
        "used": beside.popularity.and_then(|known| known.told(&model.id)),
        "price_history": beside.history,
        "offers": snapshot.endpoints_of(at).iter().filter_map(|at| offer(visit, *at as usize, order)).collect::<Vec<_>>(),
    })
}

/// One offer.
pub(crate) fn offer(visit: &Visit, at: usize, order: &Order) -> Option<Value> {
    let snapshot = visit.snapshot();
    let endpoint = snapshot.endpoints.get(at)?;
    let provider = endpoint.provider_in(snapshot)?;
    let placed = order.placed.iter().position(|placed| placed.endpoint == at);
    let routed = placed.and_then(|place| {
        let placed = order.placed.get(place)?;
        Some(json!({ "place": place + 1, "first_share": placed.chance, "reason": placed.reason }))
    });
    Some(json!({
        "endpoint": endpoint.id,
        "provider": provider.id,
        "variant": endpoint.variant,
        "provider_model_id": endpoint.provider_model_id,
        "status": endpoint.status,
        "is_on": visit.index.on.has(endpoint),
        "price": price(endpoint, None),
        "price_overrides": overrides(endpoint),
        "price_version": endpoint.price_version,
        "context_tokens": endpoint.context_tokens(snapshot),
        "max_output_tokens": endpoint.max_output_tokens(snapshot),
        "facts": endpoint.facts,
        "data_policy": policy(snapshot, endpoint),
        "supported_parameters": endpoint.supported_parameters(snapshot),
        "routed": routed,
        "live": visit.board.live(at).map(live),
    }))
}

fn price(endpoint: &Endpoint, override_index: Option<u32>) -> Value {
    let claims = endpoint.price_claims.iter().filter(|claim| claim.override_index == override_index);
    let told = claims.map(|claim| (claim.kind.file_key().to_owned(), claim_of(claim.kind, &claim.claim)));
    Value::Object(told.collect::<Map<_, _>>())
}

fn overrides(endpoint: &Endpoint) -> Vec<Value> {
    let all = endpoint.price.overrides.iter().zip(0u32..);
    let told = all.map(|(change, at)| {
        json!({
            "above_input_tokens": change.above_input_tokens,
            "utc_from": change.utc_window.map(|(from, _)| from.to_string()),
            "utc_to": change.utc_window.map(|(_, to)| to.to_string()),
            "price": price(endpoint, Some(at)),
        })
    });
    told.collect()
}

fn claim_of(kind: PriceKind, claim: &Claim<Quote>) -> Value {
    let text = |quote: Quote| {
        let per = |rate: types::Rate| if kind.is_per_unit() { rate.per_unit() } else { rate.per_million() };
        quote.rate().map(per)
    };
    let dissent = claim.dissent.iter();
    let dissent = dissent.map(|d| json!({ "value": text(d.value), "source": d.source, "as_of": d.as_of }));
    json!({
        "value": text(claim.value),
        "source": claim.source,
        "as_of": claim.as_of,
        "rule": claim.rule,
        "dissent": dissent.collect::<Vec<_>>(),
    })
}

fn policy(snapshot: &Snapshot, endpoint: &Endpoint) -> Value {
    let facts = endpoint.provider_in(snapshot).map(|provider| &provider.facts);
    json!({
        "retention_days": facts.and_then(|facts| facts.retention_days.as_ref()),
        "trains_on_data": facts.and_then(|facts| facts.trains_on_data.as_ref()),
        "datacenters": facts.and_then(|facts| facts.datacenters.as_ref()),
    })
}

fn live(live: &Live) -> Value {
    let day = live.day();
    json!({
        "window_minutes": routing::health::MINUTES_SHOWN,
        "samples": live.samples,
        "ttft_ms": live.ttft_ms,
        "tokens_per_s": live.tokens_per_s,
        "day": { "answered": day.answered, "failed": day.failed, "busy": day.busy, "uptime": day.share() },
        "hours": live.hours,
    })
}
