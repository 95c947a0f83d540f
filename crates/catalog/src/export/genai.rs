//! The shape of genai-prices, version 2: providers with their models, each matched by its id, dollars per million tokens.
//!
//! That shape prices and says little else. An offer whose input or output price is unknown is left out; so are prices of pictures,
//! seconds and characters, and variants under a name that another offer of the provider has. A window with a size has no word there.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::{PriceKind, Quote};

use crate::endpoint::{Endpoint, Status};
use crate::import::{GENAI_PRICES, GENAI_PROVIDERS};
use crate::snapshot::Snapshot;

#[derive(Serialize)]
struct ProviderEntry<'s> {
    id: &'s str,
    name: &'s str,
    api_pattern: String,
    models: Vec<ModelEntry<'s>>,
}

#[derive(Serialize)]
struct ModelEntry<'s> {
    id: &'s str,
    name: &'s str,
    r#match: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    prices: Prices,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deprecated: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Prices {
    One(Set),
    Several(Vec<Conditional>),
}

type Set = BTreeMap<&'static str, Price>;

#[derive(Serialize)]
struct Conditional {
    #[serde(skip_serializing_if = "Option::is_none")]
    constraint: Option<Value>,
    prices: Set,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Price {
    Flat(Box<RawValue>),
    Tiered { base: Box<RawValue>, tiers: Vec<Tier> },
}

#[derive(Serialize)]
struct Tier {
    start: u64,
    price: Box<RawValue>,
}

/// `[{id, name, api_pattern, models: [{id, match, prices}]}]`.
pub fn genai(snapshot: &Snapshot) -> String {
    let rows = snapshot.providers.iter().enumerate().map(|(at, provider)| {
        let offers = snapshot.endpoints_of_provider(at).iter();
        let mut models: BTreeMap<String, ModelEntry<'_>> = BTreeMap::new();
        for endpoint in offers.filter_map(|at| snapshot.endpoints.get(*at as usize)) {
            if let Some(entry) = entry(snapshot, endpoint) {
                models.entry(endpoint.provider_model_id.to_lowercase()).or_insert(entry);
            }
        }
        let theirs = GENAI_PROVIDERS.iter().find(|(_, ours)| *ours == &*provider.id);
        ProviderEntry {
            id: theirs.map_or(&provider.id, |(theirs, _)| theirs),
            name: &provider.name,
            api_pattern: pattern(provider.base_url.as_deref()),
            models: models.into_values().collect(),
        }
    });
    let rows: Vec<ProviderEntry<'_>> = rows.filter(|provider| !provider.models.is_empty()).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

/// The beginning of the address, as a regular expression.
fn pattern(base_url: Option<&str>) -> String {
    let Some(url) = base_url.filter(|url| !url.contains("${")) else { return "^$".to_owned() };
    let host: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
    host.replace('.', "\\.")
}

fn entry<'s>(snapshot: &'s Snapshot, endpoint: &'s Endpoint) -> Option<ModelEntry<'s>> {
    let known = |kind| endpoint.price.quote(kind).and_then(Quote::rate).is_some();
    if !known(PriceKind::Input) || !known(PriceKind::Output) {
        return None;
    }
    Some(ModelEntry {
        id: &endpoint.provider_model_id,
        name: endpoint.model_in(snapshot).map_or("", |model| &model.name),
        r#match: json!({"equals": endpoint.provider_model_id.to_lowercase()}),
        context_window: endpoint.context_tokens(snapshot),
        prices: prices(endpoint),
        deprecated: endpoint.status == Status::Deprecated,
    })
}

fn prices(endpoint: &Endpoint) -> Prices {
    let sized = endpoint.price.overrides.iter().filter(|change| change.utc_window.is_none());
    let sized: Vec<_> =
        sized.filter_map(|change| Some((change.above_input_tokens?, &change.quotes))).collect();
    let base = set(&endpoint.price.quotes, &sized);
    let windows = endpoint.price.overrides.iter().filter(|change| change.above_input_tokens.is_none());
    let windows: Vec<Conditional> = windows
        .filter_map(|change| {
            let (from, to) = change.utc_window?;
            // A set of theirs stands alone: what a window leaves as it is, is said again.
            let mut quotes = endpoint.price.quotes.clone();
            quotes.retain(|(kind, _)| change.quotes.iter().all(|(changed, _)| changed != kind));
            quotes.extend(change.quotes.iter().copied());
            let constraint = json!({"start_time": format!("{from}:00Z"), "end_time": format!("{to}:00Z")});
            Some(Conditional { constraint: Some(constraint), prices: set(&quotes, &sized) })
        })
        .collect();
    if windows.is_empty() {
        return Prices::One(base);
    }
    let first = Conditional { constraint: None, prices: base };
    Prices::Several(std::iter::once(first).chain(windows).collect())
}

type Quotes = Vec<(PriceKind, Quote)>;

fn set(quotes: &[(PriceKind, Quote)], sized: &[(u64, &Quotes)]) -> Set {
    let mut set = Set::new();
    for (key, kind, shift) in GENAI_PRICES {
        let literal = |quote: Quote| {
            let rate = quote.rate()?;
            let text = if shift == 9 { rate.per_million() } else { per_thousand(&rate)? };
            RawValue::from_string(text).ok()
        };
        let Some(base) = quotes.iter().find(|(k, _)| *k == kind).and_then(|(_, quote)| literal(*quote))
        else {
            continue;
        };
        let tier = |(start, quotes): &(u64, &Quotes)| {
            let quote = quotes.iter().find(|(k, _)| *k == kind)?.1;
            Some(Tier { start: *start, price: literal(quote)? })
        };
        let tiers: Vec<Tier> = sized.iter().filter_map(tier).collect();
        set.insert(key, if tiers.is_empty() { Price::Flat(base) } else { Price::Tiered { base, tiers } });
    }
    set
}

fn per_thousand(rate: &types::Rate) -> Option<String> {
    // A thousand of them as text: the digits of one, three places on.
    types::Rate::from_nanos_per_million(rate.nanos_per_million().checked_mul(1_000)?)
        .map(types::Rate::per_unit)
}
