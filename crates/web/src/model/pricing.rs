//! The prices of a model in full: of the offer that calls try first, every kind per million and per thousand, tiers, what example
//! sizes cost at every offer, and what the cache makes of the input price.

use catalog::{Endpoint, PriceClaim};
use types::{Override, PriceKind, Quote, Usage};

use super::routed::Order;
use crate::describe;
use crate::fact::Fact;
use crate::format::{self, Shown};
use crate::visit::Visit;

/// Example sizes: input and output tokens.
const EXAMPLES: [(u64, u64); 3] = [(100_000, 10_000), (1_000_000, 100_000), (10_000_000, 1_000_000)];
/// Shares of the input that come from the cache, in percent.
const HITS: [u64; 4] = [0, 25, 50, 90];

/// What the section shows.
pub(crate) struct Pricing {
    pub(crate) provider: String,
    pub(crate) is_first: bool,
    pub(crate) version: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) examples: Vec<Example>,
    pub(crate) hits: Vec<Hit>,
    pub(crate) fees: Vec<String>,
}

/// A kind of price.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) price: Fact,
    /// Of what is counted in tokens.
    pub(crate) per_thousand: Option<Shown>,
}

/// Prices that hold in place of others.
pub(crate) struct Tier {
    pub(crate) when: String,
    pub(crate) prices: Vec<(&'static str, Shown)>,
}

/// What so many tokens cost.
pub(crate) struct Example {
    pub(crate) input: Shown,
    pub(crate) output: Shown,
    /// By offer: its name and the cost.
    pub(crate) costs: Vec<(String, Shown)>,
}

/// What input costs when a share of it comes from the cache.
pub(crate) struct Hit {
    pub(crate) percent: u64,
    pub(crate) price: Shown,
}

impl Pricing {
    /// `None`: no offer has a known price.
    pub(crate) fn of(visit: &Visit, model: usize, order: &Order) -> Option<Pricing> {
        let snapshot = visit.snapshot();
        let first = order.placed.first().map(|placed| placed.endpoint);
        let cheapest = visit.index.row(model)?.cheapest.map(|known| known.endpoint);
        let at = first.or(cheapest)?;
        let endpoint = snapshot.endpoints.get(at)?;
        let claims = endpoint.price_claims.iter().filter(|claim| claim.override_index.is_none());
        Some(Pricing {
            provider: endpoint.provider_in(snapshot)?.name.to_string(),
            is_first: first.is_some() && !order.is_supposed,
            version: endpoint.price_version.to_string(),
            rows: claims.map(|claim| row(visit, claim)).collect(),
            tiers: endpoint.price.overrides.iter().map(tier).collect(),
            examples: examples(visit, model, at),
            hits: hits(endpoint),
            fees: fees(visit),
        })
    }
}

fn row(visit: &Visit, claim: &PriceClaim) -> Row {
    let kind = claim.kind;
    let rate = claim.claim.value.rate();
    Row {
        name: format::price_name(kind),
        unit: format::unit(kind),
        price: Fact::of(visit.snapshot(), &claim.claim, |quote: &Quote| format::quote(kind, Some(*quote))),
        per_thousand: rate.filter(|_| kind.is_tokens()).map(format::per_thousand),
    }
}

/// A change of prices in words.
pub(crate) fn tier(change: &Override) -> Tier {
    let mut when: Vec<String> = Vec::new();
    if let Some(size) = change.above_input_tokens {
        when.push(format!("above {} input tokens, for all of them", format::count(size)));
    }
    if let Some((from, to)) = change.utc_window {
        when.push(format!("from {from} to {to} UTC"));
    }
    let prices = change.quotes.iter();
    let prices = prices.map(|(kind, quote)| (format::price_name(*kind), format::quote(*kind, Some(*quote))));
    Tier { when: when.join(" and "), prices: prices.collect() }
}

/// By the one formula that bills, for one call of that size; tiers by size are put aside, since so much is many calls.
fn examples(visit: &Visit, model: usize, chosen: usize) -> Vec<Example> {
    let snapshot = visit.snapshot();
    let mut offers: Vec<(&Endpoint, String)> = Vec::new();
    for at in std::iter::once(chosen).chain(snapshot.endpoints_of(model).iter().map(|at| *at as usize)) {
        let Some(endpoint) = snapshot.endpoints.get(at) else { continue };
        if endpoint.blended().is_none() || offers.iter().any(|(known, _)| known.id == endpoint.id) {
            continue;
        }
        let Some(provider) = endpoint.provider_in(snapshot) else { continue };
        let name = match &endpoint.variant {
            Some(variant) => format!("{} ({variant})", provider.name),
            None => provider.name.to_string(),
        };
        offers.push((endpoint, name));
    }
    let example = |(input, output): (u64, u64)| {
        let usage = Usage { input, output, ..Usage::default() };
        let cost = |(endpoint, name): &(&Endpoint, String)| {
            let base = types::PriceSheet { quotes: endpoint.price.quotes.clone(), overrides: Vec::new() };
            let cost = base.total(&usage, visit.now).map_or_else(|_| Shown::unknown(), format::cost);
            (name.clone(), cost)
        };
        Example {
            input: format::short(input),
            output: format::short(output),
            costs: offers.iter().take(3).map(cost).collect(),
        }
    };
    EXAMPLES.into_iter().map(example).collect()
}

/// `(1 - h) x input + h x cache read`.
fn hits(endpoint: &Endpoint) -> Vec<Hit> {
    let rate = |kind| crate::index::rate(endpoint, kind);
    let (Some(input), Some(read)) = (rate(PriceKind::Input), rate(PriceKind::CacheRead)) else {
        return Vec::new();
    };
    let mixed = |percent: u64| {
        let mixed = describe::effective(input, read, percent, 100);
        Hit { percent, price: mixed.map_or_else(Shown::unknown, |mixed| mixed.price) }
    };
    HITS.into_iter().map(mixed).collect()
}

/// What this place charges beside the prices, in its own words.
pub(crate) fn fees(visit: &Visit) -> Vec<String> {
    let fees = visit.site.fees();
    if !visit.place.is_prepaid && fees.markup.is_empty() {
        return vec![String::from("Calls are booked at the provider's price; no balance is needed here.")];
    }
    fees.sentences(visit.today(), &|day| format::day(day).short)
}
