//! `/charts`: price against a published score, one dot per model. The benchmark and the price are chosen in the address; `.json` is the
//! same for programs.
//!
//! - Only scores of one source stand in one picture, as in rankings.
//! - A price is that of the model's cheapest offer; *blended* is three parts input and one part output.
//! - A model is a *best buy* when none in the picture that costs as much or less scores higher, and none that scores as high costs less.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use types::Rate;

use crate::chart::{Axis, Chart, Dot, Frame, scatter_in_decades};
use crate::fact::Origin;
use crate::format::{self, Shown};
use crate::index::Cheapest;
use crate::scores::{self, Bench, Series};
use crate::shell::{self, Crumb, Shell};
use crate::visit::Visit;

/// The fewest models that make a picture.
const MODELS_MIN: usize = 3;
const NANOS: f64 = 1e9;

/// Which price is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Price {
    Blended,
    Input,
    Output,
}

impl Price {
    const ALL: [Price; 3] = [Price::Blended, Price::Input, Price::Output];

    const fn name(self) -> &'static str {
        match self {
            Price::Blended => "blended",
            Price::Input => "input",
            Price::Output => "output",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Price::Blended => "Blended, 3 in : 1 out",
            Price::Input => "Input",
            Price::Output => "Output",
        }
    }

    /// The head of its column.
    const fn head(self) -> &'static str {
        match self {
            Price::Blended => "Blended",
            Price::Input => "Input",
            Price::Output => "Output",
        }
    }

    const fn axis(self) -> &'static str {
        match self {
            Price::Blended => "Blended price, $ per 1M tokens",
            Price::Input => "Input price, $ per 1M tokens",
            Price::Output => "Output price, $ per 1M tokens",
        }
    }

    fn of(self, offer: &Cheapest) -> Option<Rate> {
        match self {
            Price::Input => Some(offer.input),
            Price::Output => Some(offer.output),
            Price::Blended => i64::try_from(offer.blended() / 4).ok().and_then(Rate::from_nanos_per_million),
        }
    }
}

#[derive(Template)]
#[template(path = "charts.html")]
struct Charts<'a> {
    shell: Shell,
    crumbs: Vec<Crumb>,
    benches: Vec<Choice>,
    prices: Vec<Choice>,
    picture: &'a Option<Picture>,
}

#[derive(Template)]
#[template(path = "charts_picture.html")]
struct Part<'a> {
    picture: &'a Option<Picture>,
}

/// A value of a list to choose from.
struct Choice {
    value: String,
    label: String,
    is_chosen: bool,
}

/// The chart with its table.
struct Picture {
    bench: String,
    slug: String,
    publisher: String,
    measures: Option<&'static str>,
    chart: Chart,
    /// Free ones have no place where each step is ten times the price.
    has_free: bool,
    price: &'static str,
    /// The unit of the scores, empty where none is told.
    metric: String,
    rows: Vec<Row>,
    left_out: Vec<String>,
    /// What was asked for and is not there.
    unknown: bool,
}

/// A model of the picture.
struct Row {
    model: usize,
    id: String,
    name: String,
    rate: Option<Rate>,
    price: Shown,
    score: String,
    value: f64,
    is_best_buy: bool,
    origin: Origin,
}

/// The address of a picture.
pub(crate) fn address(bench: &str, series: &str) -> String {
    format!("/charts?b={bench}@{series}")
}

/// What can be drawn: series with enough models that have a price.
fn drawable<'a>(visit: &Visit, benches: &'a [Bench]) -> Vec<(&'a Bench, &'a Series, usize)> {
    let priced = |series: &Series| {
        let known = |model: usize| visit.index.row(model).is_some_and(|row| row.cheapest.is_some());
        series.scores.iter().filter(|score| known(score.model)).count()
    };
    let all = benches.iter().flat_map(|bench| bench.series.iter().map(move |series| (bench, series)));
    let mut found: Vec<_> = all.map(|(bench, series)| (bench, series, priced(series))).collect();
    found.retain(|(_, series, priced)| *priced >= MODELS_MIN && series.is_ranked);
    found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.name.cmp(&b.0.name)));
    found
}

pub(crate) async fn charts(visit: Visit) -> Response {
    let benches = scores::all(visit.snapshot());
    let found = drawable(&visit, &benches);
    let asked = visit.ask("b");
    let value = |bench: &Bench, series: &Series| format!("{}@{}", bench.slug, series.slug);
    let at =
        found.iter().position(|(bench, series, _)| asked.is_some_and(|asked| asked == value(bench, series)));
    let by = visit.ask("p").and_then(|name| Price::ALL.into_iter().find(|price| price.name() == name));
    let by = by.unwrap_or(Price::Blended);
    let chosen = found.get(at.unwrap_or(0));
    let picture =
        chosen.map(|(bench, series, _)| picture(&visit, bench, series, by, asked.is_some() && at.is_none()));
    if visit.is_json {
        return shell::json(&told(&visit, chosen.map(|(bench, series, _)| (*bench, *series)), by, &picture));
    }
    if visit.part.as_deref() == Some("picture") {
        return shell::part(Part { picture: &picture }.render());
    }
    let choices = found.iter().enumerate().map(|(number, (bench, series, priced))| Choice {
        value: value(bench, series),
        label: format!("{}, {} ({priced})", bench.name, series.publisher),
        is_chosen: number == at.unwrap_or(0),
    });
    let prices = Price::ALL.into_iter().map(|price| Choice {
        value: price.name().to_owned(),
        label: price.label().to_owned(),
        is_chosen: price == by,
    });
    let about =
        "Published scores of models against the price of their cheapest offer, with the numbers as a table.";
    let page = Charts {
        shell: Shell::of(&visit.place, "Price against quality", "/benchmarks", "/charts").about(about),
        crumbs: vec![Crumb::new("/benchmarks", "Benchmarks")],
        benches: choices.collect(),
        prices: prices.collect(),
        picture: &picture,
    };
    shell::page(StatusCode::OK, &page)
}

fn picture(visit: &Visit, bench: &Bench, series: &Series, by: Price, unknown: bool) -> Picture {
    let (rows, left_out) = rows(visit, series, by);
    let score = match series.metric.as_str() {
        "" => bench.name.clone(),
        metric => format!("{}, {metric}", bench.name),
    };
    let paths: Vec<String> = rows.iter().map(|row| format!("/{}", row.id)).collect();
    let dots: Vec<Dot<'_>> = rows
        .iter()
        .zip(&paths)
        .filter_map(|(row, path)| {
            Some(Dot {
                x: row.rate?.nanos_per_million() as f64 / NANOS,
                y: row.value,
                name: &row.name,
                href: Some(path),
                series: usize::from(!row.is_best_buy),
                is_marked: row.is_best_buy,
            })
        })
        .collect();
    let frame = Frame {
        id: "price-quality",
        title: "Price against score",
        x: Axis { title: by.axis(), show: &dollars },
        y: Axis { title: &score, show: &plain },
    };
    let chart = scatter_in_decades(&frame, &["Best buys", "Others"], &dots);
    Picture {
        bench: bench.name.clone(),
        slug: bench.slug.clone(),
        publisher: series.publisher.clone(),
        measures: bench.about.map(|about| about.measures),
        has_free: rows.iter().any(|row| row.rate == Some(Rate::FREE)),
        chart,
        price: by.head(),
        metric: series.metric.clone(),
        rows,
        left_out,
        unknown,
    }
}

/// Those with a price, cheapest first, and the names of those without.
fn rows(visit: &Visit, series: &Series, by: Price) -> (Vec<Row>, Vec<String>) {
    let snapshot = visit.snapshot();
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for score in &series.scores {
        let Some(model) = snapshot.models.get(score.model) else { continue };
        let cheapest = visit.index.row(score.model).and_then(|row| row.cheapest);
        let Some(rate) = cheapest.and_then(|offer| by.of(&offer)) else {
            left_out.push(model.name.clone());
            continue;
        };
        rows.push(Row {
            model: score.model,
            id: model.id.to_string(),
            name: model.name.clone(),
            rate: Some(rate),
            price: format::per_million(rate),
            score: score.score.clone(),
            value: score.value,
            is_best_buy: false,
            origin: Origin::of(snapshot, &score.source, score.date.as_deref().unwrap_or_default()),
        });
    }
    rows.sort_by(|a, b| {
        a.rate.cmp(&b.rate).then_with(|| b.value.total_cmp(&a.value)).then_with(|| a.id.cmp(&b.id))
    });
    // Cheapest first, the higher score first among equals: whatever beats all before it is a best buy.
    let mut best = f64::NEG_INFINITY;
    for row in &mut rows {
        row.is_best_buy = row.value > best;
        best = best.max(row.value);
    }
    (rows, left_out)
}

/// A price of the axis, as tables word it.
pub(crate) fn dollars(price: f64) -> String {
    if price <= 0.0 {
        return String::from("$0");
    }
    // Prices of the catalog are far below the range of an i64 in nano-dollars, and a float holds them to the last one shown.
    let rate = Rate::from_nanos_per_million((price * NANOS).round() as i64);
    rate.map_or_else(String::new, |rate| format::per_million(rate).short)
}

fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn told(visit: &Visit, chosen: Option<(&Bench, &Series)>, by: Price, picture: &Option<Picture>) -> Value {
    let snapshot = visit.snapshot();
    let rows = picture.iter().flat_map(|picture| &picture.rows).map(|row| {
        let offer = visit.index.row(row.model).and_then(|row| row.cheapest);
        let endpoint = offer.and_then(|offer| snapshot.endpoints.get(offer.endpoint));
        json!({
            "model": row.id,
            "score": row.score,
            "price_usd_per_mtok": row.rate.map(Rate::per_million),
            "endpoint": endpoint.map(|endpoint| endpoint.id.to_string()),
            "is_best_buy": row.is_best_buy,
        })
    });
    json!({
        "catalog": snapshot.version,
        "benchmark": chosen.map(|(bench, _)| &bench.slug),
        "publisher": chosen.map(|(_, series)| &series.publisher),
        "unit": chosen.map(|(_, series)| &series.metric),
        "price": by.name(),
        "data": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
