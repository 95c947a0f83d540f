//! `/benchmarks`: what each published benchmark measures, and `/benchmarks/<slug>`: who reached what, by whose account. `.json` is the same
//! for programs.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog::Snapshot;
use serde_json::{Value, json};

use crate::fact::Origin;
use crate::format;
use crate::not_found;
use crate::scores::{self, About, Bench, Score, Series};
use crate::shell::{self, Crumb, Shell};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "benchmarks.html")]
struct Benchmarks {
    shell: Shell,
    lines: Vec<Line>,
    results: String,
    models: String,
    of: String,
}

/// A benchmark of the list.
struct Line {
    slug: String,
    name: String,
    about: Option<&'static About>,
    models: String,
    publishers: String,
    /// The best of the longest ranking: model, id, score.
    top: Option<Top>,
}

struct Top {
    id: String,
    name: String,
    score: String,
    publisher: String,
}

#[derive(Template)]
#[template(path = "benchmark.html")]
struct OneBenchmark {
    shell: Shell,
    crumbs: Vec<Crumb>,
    slug: String,
    name: String,
    about: Option<&'static About>,
    summary: String,
    rankings: Vec<Ranking>,
    /// Results of publishers that have only one.
    singles: Vec<Place>,
    unranked: String,
}

/// A series as a table.
struct Ranking {
    /// Unique on the page.
    id: String,
    publisher: String,
    metric: String,
    is_ranked: bool,
    has_others: bool,
    rows: Vec<Place>,
    /// Where all of it is from, when that is one place and date.
    source: Option<Origin>,
    /// Its price chart, where enough is known.
    chart: Option<String>,
}

/// A row of it.
struct Place {
    place: Option<usize>,
    id: String,
    name: String,
    score: String,
    value: f64,
    metric: String,
    others: String,
    origin: Origin,
}

pub(crate) async fn benchmarks(visit: Visit) -> Response {
    let snapshot = visit.snapshot();
    let benches = scores::all(snapshot);
    if visit.is_json {
        let data: Vec<Value> = benches.iter().map(|bench| told_short(&visit, bench)).collect();
        return shell::json(&json!({ "catalog": snapshot.version, "data": data }));
    }
    let models = snapshot.models.iter().filter(|model| !model.benchmarks.is_empty()).count();
    let results: usize = benches.iter().map(|bench| bench.results).sum();
    let about = "What each benchmark measures, and the published scores of models with source and date.";
    let page = Benchmarks {
        shell: Shell::of(&visit.place, "Benchmarks", "/benchmarks", "/benchmarks").about(about),
        lines: benches.iter().map(|bench| line(snapshot, bench)).collect(),
        results: format::count_of(results as u64, "published result"),
        models: format::count(models as u64),
        of: format::count_of(snapshot.models.len() as u64, "model"),
    };
    shell::page(StatusCode::OK, &page)
}

fn line(snapshot: &Snapshot, bench: &Bench) -> Line {
    let longest = bench.series.first().filter(|series| series.is_ranked);
    let top = longest.and_then(|series| {
        let score = series.scores.first()?;
        let model = snapshot.models.get(score.model)?;
        Some(Top {
            id: model.id.to_string(),
            name: model.name.clone(),
            score: score.score.clone(),
            publisher: series.publisher.clone(),
        })
    });
    Line {
        slug: bench.slug.clone(),
        name: bench.name.clone(),
        about: bench.about,
        models: format::count(bench.models as u64),
        publishers: format::count(bench.series.len() as u64),
        top,
    }
}

pub(crate) async fn benchmark(visit: Visit, Path(slug): Path<String>) -> Response {
    let slug = if visit.is_json { slug.strip_suffix(".json").unwrap_or(&slug) } else { &slug };
    let snapshot = visit.snapshot();
    let benches = scores::all(snapshot);
    let Some(bench) = benches.iter().find(|bench| bench.slug == *slug) else {
        return not_found::page_of(&visit);
    };
    if visit.is_json {
        return shell::json(&told(&visit, bench));
    }
    let (long, short): (Vec<&Series>, Vec<&Series>) =
        bench.series.iter().partition(|series| series.scores.len() > 1);
    let singles = short.iter().flat_map(|series| series.scores.iter().map(|score| (*series, score)));
    let missing = snapshot.models.len() - bench.models;
    let path = format!("/benchmarks/{}", bench.slug);
    let about = bench.about.map_or_else(|| summary(bench), |about| about.measures.to_owned());
    let page = OneBenchmark {
        shell: Shell::of(&visit.place, &bench.name, "/benchmarks", &path).about(about),
        crumbs: vec![Crumb::new("/benchmarks", "Benchmarks")],
        slug: bench.slug.clone(),
        name: bench.name.clone(),
        about: bench.about,
        summary: summary(bench),
        rankings: long.iter().map(|series| ranking(snapshot, bench, series)).collect(),
        singles: singles.filter_map(|(series, score)| place(snapshot, series, score)).collect(),
        unranked: format::count_of(missing as u64, "model"),
    };
    shell::page(StatusCode::OK, &page)
}

/// `38 results of 27 models, from 4 publishers.`
fn summary(bench: &Bench) -> String {
    format!(
        "{} of {}, from {}.",
        format::count_of(bench.results as u64, "result"),
        format::count_of(bench.models as u64, "model"),
        format::count_of(bench.series.len() as u64, "publisher"),
    )
}

fn ranking(snapshot: &Snapshot, bench: &Bench, series: &Series) -> Ranking {
    let rows: Vec<Place> = series.scores.iter().filter_map(|score| place(snapshot, series, score)).collect();
    Ranking {
        id: series.slug.clone(),
        publisher: series.publisher.clone(),
        metric: series.metric.clone(),
        is_ranked: series.is_ranked,
        has_others: rows.iter().any(|row| !row.others.is_empty()),
        source: rows
            .first()
            .map(|row| row.origin.clone())
            .filter(|origin| rows.iter().all(|row| is_same(&row.origin, origin))),
        rows,
        chart: (series.scores.len() > 2).then(|| crate::charts::address(&bench.slug, &series.slug)),
    }
}

fn is_same(a: &Origin, b: &Origin) -> bool {
    a.name == b.name && a.url == b.url && a.as_of == b.as_of
}

fn place(snapshot: &Snapshot, series: &Series, score: &Score) -> Option<Place> {
    let model = snapshot.models.get(score.model)?;
    Some(Place {
        place: score.place,
        id: model.id.to_string(),
        name: model.name.clone(),
        score: score.score.clone(),
        value: score.value,
        metric: series.metric.clone(),
        others: score.others.join(", "),
        origin: Origin::of(snapshot, &score.source, score.date.as_deref().unwrap_or_default()),
    })
}

fn told_short(visit: &Visit, bench: &Bench) -> Value {
    json!({
        "slug": bench.slug,
        "name": bench.name,
        "url": format!("{}/benchmarks/{}", visit.place.base_url, bench.slug),
        "measures": bench.about.map(|about| about.measures),
        "described_at": bench.about.map(|about| about.url),
        "models": bench.models,
        "results": bench.results,
    })
}

/// Scores are the published text; a place is null where there is no ranking.
fn told(visit: &Visit, bench: &Bench) -> Value {
    let snapshot = visit.snapshot();
    let score = |score: &Score| {
        json!({
            "model": snapshot.models.get(score.model).map(|model| model.id.to_string()),
            "place": score.place,
            "score": score.score,
            "others": score.others,
            "source": score.source,
            "date": score.date,
        })
    };
    let series = bench.series.iter().map(|series| {
        json!({
            "publisher": series.publisher,
            "unit": (!series.metric.is_empty()).then_some(&series.metric),
            "is_ranked": series.is_ranked,
            "scores": series.scores.iter().map(score).collect::<Vec<_>>(),
        })
    });
    let mut told = told_short(visit, bench);
    if let Value::Object(map) = &mut told {
        map.insert(String::from("catalog"), json!(snapshot.version));
        map.insert(String::from("series"), Value::Array(series.collect()));
    }
    told
}

#[cfg(test)]
mod tests;
