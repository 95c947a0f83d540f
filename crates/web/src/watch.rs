//! Prices as they were: what is kept of every price that another catalog changed, as a line in steps, a table, a feed and for programs.
//!
//! - A price holds from the catalog that brought it until the next change. Before the first change it was what that one replaced, since
//!   prices are watched here, or since the offer appeared.
//! - Nothing is told of offers that the catalog doesn't have any more, and pages tell nothing of what was before an offer was gone for a
//!   while.

use askama::Template;
use catalog::{Endpoint, Snapshot};
use serde_json::{Value, json};
use types::{PriceKind, Quote, Rate, Timestamp};

use crate::chart::{self, Axis, Chart, Frame, Points, Series};
use crate::format::{self, Shown};
use crate::machine::feed::Item;
use crate::visit::Visit;

/// Lines of a chart: as many as there are colors.
const SERIES_MAX: usize = 5;
/// Rows of a table; the twin for programs has all.
const ROWS_MAX: usize = 10;
/// Shorter spans are labeled with hours and minutes.
const DAYS_MIN: i64 = 3;
const DAY_S: i64 = 86_400;

/// Since when prices are watched, and which changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceWatch {
    /// `None`: not yet.
    pub since: Option<Timestamp>,
    /// Newest first; those of one catalog and endpoint beside each other.
    pub changes: Vec<PriceChange>,
}

/// Something that another catalog changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// Counts the catalogs: what one of them changed has one number.
    pub number: i64,
    /// Whose price.
    pub endpoint: String,
    /// When it was seen.
    pub at: Timestamp,
    /// Which price; `None`: the endpoint is new.
    pub price: Option<Changed>,
}

/// A price before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What it is for.
    pub kind: PriceKind,
    /// When it holds: `above 200000 input tokens`; empty: always.
    pub condition: String,
    /// `None`: there was no price of its own.
    pub before: Option<Quote>,
    /// `None`: there is no price of its own.
    pub after: Option<Quote>,
}

impl Changed {
    /// `Input`, `Input (above 200000 input tokens)`.
    fn name(&self) -> String {
        let when = if self.condition.is_empty() { String::new() } else { format!(" ({})", self.condition) };
        format!("{}{when}", format::price_name(self.kind))
    }

    /// `Input: $0.10 → $0.15 per 1M tokens`.
    fn text(&self) -> String {
        let (before, after) = (format::quote(self.kind, self.before), format::quote(self.kind, self.after));
        format!("{}: {} → {} {}", self.name(), before.text(), after.text(), format::unit(self.kind))
    }
}

impl PriceWatch {
    /// What changed of an endpoint since it is in the catalog, newest first, and since when that is.
    fn of<'w>(&'w self, endpoint: &str) -> (Option<Timestamp>, Vec<(&'w PriceChange, &'w Changed)>) {
        let mut changes = Vec::new();
        for change in self.changes.iter().filter(|change| change.endpoint == endpoint) {
            match &change.price {
                Some(price) => changes.push((change, price)),
                None => return (Some(change.at), changes),
            }
        }
        (self.since, changes)
    }
}

/// The section of a page.
#[derive(Template)]
#[template(path = "price_history.html")]
pub(crate) struct History {
    since: Shown,
    chart: Option<Chart>,
    rows: Vec<Row>,
    /// Older ones that have no row.
    older: usize,
}

/// A change.
struct Row {
    at: Shown,
    provider: String,
    price: String,
    unit: &'static str,
    before: Shown,
    after: Shown,
}

impl History {
    /// The prices of these endpoints; `None`: nothing is watched, or there is no endpoint.
    pub(crate) fn of(visit: &Visit, watch: &PriceWatch, endpoints: &[usize]) -> Option<History> {
        let snapshot = visit.snapshot();
        let known = endpoints.iter().filter_map(|at| snapshot.endpoints.get(*at));
        let watched: Vec<_> = known.map(|endpoint| (endpoint, watch.of(&endpoint.id))).collect();
        // Some may be watched longer than others.
        let since = watched.iter().filter_map(|(_, (since, _))| *since).min()?;
        let mut all: Vec<(&Endpoint, &PriceChange, &Changed)> = Vec::new();
        for (endpoint, (_, changes)) in &watched {
            all.extend(changes.iter().map(|(change, price)| (*endpoint, *change, *price)));
        }
        let is_priced = |endpoint: &Endpoint| {
            PriceKind::ALL.into_iter().any(|kind| crate::index::rate(endpoint, kind).is_some())
        };
        if all.is_empty() && !watched.iter().any(|(endpoint, _)| is_priced(endpoint)) {
            // Of prices that nobody says none has changed either.
            return None;
        }
        all.sort_by(|a, b| b.1.number.cmp(&a.1.number).then_with(|| a.0.id.cmp(&b.0.id)));
        let row = |(endpoint, change, price): &(&Endpoint, &PriceChange, &Changed)| Row {
            at: Shown::both(format::day(change.at.day()).short, format::instant(change.at).short),
            provider: named(snapshot, endpoint),
            price: price.name(),
            unit: format::unit(price.kind),
            before: format::quote(price.kind, price.before),
            after: format::quote(price.kind, price.after),
        };
        Some(History {
            since: format::day(since.day()),
            rows: all.iter().take(ROWS_MAX).map(row).collect(),
            older: all.len().saturating_sub(ROWS_MAX),
            chart: drawn(visit, &watched, &all),
        })
    }
}

fn named(snapshot: &Snapshot, endpoint: &Endpoint) -> String {
    let provider = endpoint.provider_in(snapshot).map_or("its provider", |provider| &provider.name);
    match &endpoint.variant {
        Some(variant) => format!("{provider} ({variant})"),
        None => provider.to_owned(),
    }
}

type Watched<'w> = (&'w Endpoint, (Option<Timestamp>, Vec<(&'w PriceChange, &'w Changed)>));

/// The prices that changed last, as steps; those in another unit than the first have no place beside it.
fn drawn(
    visit: &Visit,
    watched: &[Watched<'_>],
    all: &[(&Endpoint, &PriceChange, &Changed)],
) -> Option<Chart> {
    let always = || all.iter().filter(|(_, _, price)| price.condition.is_empty());
    let unit = format::unit(always().next()?.2.kind);
    let mut chosen: Vec<(&str, PriceKind)> = Vec::new();
    for (endpoint, _, price) in always().filter(|(_, _, price)| format::unit(price.kind) == unit) {
        if chosen.len() < SERIES_MAX && !chosen.contains(&(&*endpoint.id, price.kind)) {
            chosen.push((&endpoint.id, price.kind));
        }
    }
    let mut series: Vec<(String, Points)> = Vec::new();
    for (id, kind) in chosen {
        let Some((endpoint, (since, changes))) = watched.iter().find(|(endpoint, _)| *endpoint.id == *id)
        else {
            continue;
        };
        let is_own = |price: &Changed| price.kind == kind && price.condition.is_empty();
        let own: Vec<_> = changes.iter().rev().filter(|(_, price)| is_own(price)).collect();
        let start = since.zip(own.first());
        let start = start.map(|(since, (_, first))| (place(since), height(kind, first.before)));
        let after = own.iter().map(|(change, price)| (place(change.at), height(kind, price.after)));
        let points: Points = start.into_iter().chain(after).collect();
        let name =
            format!("{}, {}", named(visit.snapshot(), endpoint), format::price_name(kind).to_lowercase());
        series.push((name, points));
    }
    let first = series.iter().flat_map(|(_, points)| points).map(|(x, _)| *x).reduce(f64::min)?;
    let is_short = place(visit.now) - first < (DAYS_MIN * DAY_S) as f64;
    let show_x = |x: f64| {
        let at = Timestamp::from_seconds(x as i64);
        if is_short { format::instant(at).short } else { format::day(at.day()).short }
    };
    let title = format!("$ {unit}");
    let title_of = match series.as_slice() {
        [(name, _)] => format!("Price over time: {name}"),
        _ => "Prices over time".to_owned(),
    };
    let frame = Frame {
        id: "price-history",
        title: &title_of,
        x: Axis { title: "time", show: &show_x },
        y: Axis { title: &title, show: &|y| dollars(y) },
    };
    let lines: Vec<Series<'_>> = series.iter().map(|(name, points)| Series { name, points }).collect();
    Some(chart::steps(&frame, &lines, place(visit.now)))
}

/// Only places on a chart: the prices themselves stand in the table.
fn place(at: Timestamp) -> f64 {
    at.seconds() as f64
}

fn height(kind: PriceKind, quote: Option<Quote>) -> Option<f64> {
    let nanos = quote.and_then(Quote::rate).map(Rate::nanos_per_million)? as f64 / 1e9;
    Some(if kind.is_per_unit() { nanos / 1e6 } else { nanos })
}

fn dollars(y: f64) -> String {
    let text = format!("{y:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    // Two digits at least, as prices are shown.
    match text.split_once('.') {
        Some((_, digits)) if digits.len() < 2 => format!("${text}0"),
        None => format!("${text}.00"),
        Some(_) => format!("${text}"),
    }
}

/// Prices that changed, newest first, one entry for all of an endpoint that one catalog changed.
pub(crate) fn items(snapshot: &Snapshot, watch: &PriceWatch, at_most: usize) -> Vec<Item> {
    let beside = |a: &PriceChange, b: &PriceChange| (a.number, &a.endpoint) == (b.number, &b.endpoint);
    let item = |changes: &[PriceChange]| {
        let first = changes.first()?;
        let endpoint = snapshot.endpoint(&first.endpoint)?;
        let (model, provider) = (endpoint.model_in(snapshot)?, endpoint.provider_in(snapshot)?);
        let told: Vec<String> =
            changes.iter().filter_map(|change| change.price.as_ref()).map(Changed::text).collect();
        (!told.is_empty()).then(|| Item {
            mark: format!("prices-{}-{}", first.number, endpoint.id),
            path: format!("/{}/{}", model.id, provider.id),
            title: format!("{} at {}: prices changed", model.name, named(snapshot, endpoint)),
            text: told.join("; "),
            at: first.at,
        })
    };
    watch.changes.chunk_by(beside).filter_map(item).take(at_most).collect()
}

/// The same for programs: what changed of these endpoints.
pub(crate) fn told(snapshot: &Snapshot, watch: &PriceWatch, endpoints: &[usize]) -> Value {
    let text = |kind: PriceKind, quote: Option<Quote>| {
        let rate = |rate: Rate| if kind.is_per_unit() { rate.per_unit() } else { rate.per_million() };
        quote.map(|quote| quote.rate().map_or_else(|| "unknown".to_owned(), rate))
    };
    let of = |at: &usize| {
        let endpoint = snapshot.endpoints.get(*at)?;
        let (since, changes) = watch.of(&endpoint.id);
        let changes = changes.iter().map(|(change, price)| {
            json!({
                "at": format::rfc3339(change.at),
                "price": price.kind.file_key(),
                "when": price.condition,
                "before": text(price.kind, price.before),
                "after": text(price.kind, price.after),
            })
        });
        Some(json!({
            "endpoint": endpoint.id,
            "watched_since": since.map(format::rfc3339),
            "changes": changes.collect::<Vec<_>>(),
        }))
    };
    Value::Array(endpoints.iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests;
