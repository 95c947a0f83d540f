//! `/models`: every model as a table, searched, narrowed and sorted by the address alone. `live.js` asks for the same address
//! as one types and puts the part `list` in place; without it the form is sent.

mod facets;
mod sort;

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use catalog::{Modality, Model, Snapshot};
use serde_json::{Value, json};
use types::Rate;

use crate::board::Board;
use crate::format::{self, Shown};
use crate::index::{Cheapest, Index, Row, modality};
use crate::popularity::{self, Popularity};
use crate::rankings;
use crate::shell::{self, Shell};
use crate::visit::Visit;
use facets::{Chosen, Facet, Narrowed};
use sort::Sorting;

/// Models of one page.
const ROWS_MAX: usize = 50;
/// Words of a search that count.
const WORDS_MAX: usize = 8;

#[derive(Template)]
#[template(path = "models.html")]
struct Models<'a> {
    shell: Shell,
    models: String,
    authors: String,
    providers: String,
    list: &'a List,
}

/// What the script puts in place.
#[derive(Template)]
#[template(path = "models_list.html")]
struct Part<'a> {
    list: &'a List,
}

/// The filters and one page of what they leave.
struct List {
    q: String,
    facets: Vec<Facet>,
    chosen: Vec<Chosen>,
    sortings: Vec<Sorting>,
    lines: Vec<Line>,
    total: String,
    /// `1–50`.
    span: String,
    before: Option<String>,
    after: Option<String>,
    /// Some model of the catalog is measured, so that speed has a column.
    is_measured: bool,
    /// Over which days use was counted, where the list is sorted by it.
    popular: Option<String>,
    /// Names like the one that was searched, where nothing was found.
    suggestions: Vec<String>,
}

/// A row.
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What it can do, in a word each.
    pub(crate) can: String,
    pub(crate) context: Shown,
    pub(crate) input: Shown,
    pub(crate) output: Shown,
    pub(crate) providers: usize,
    pub(crate) released: Shown,
    pub(crate) ttft: Shown,
    pub(crate) speed: Shown,
    /// Tokens here, where the list is sorted by them.
    pub(crate) used: Option<Shown>,
}

/// What filters look at.
struct Browse<'a> {
    snapshot: &'a Snapshot,
    index: &'a Index,
    words: Vec<String>,
    today: i64,
}

impl Browse<'_> {
    /// Whether a model mentions every word.
    fn says(&self, row: &Row) -> bool {
        self.words.iter().all(|word| row.words.contains(word.as_str()))
    }
}

pub(crate) async fn models(visit: Visit, headers: HeaderMap) -> Response {
    let viewer = visit.site.viewer(&headers).await;
    let popularity = popularity::of(&visit, &headers).await;
    rankings::for_viewer(answer(&visit, popularity.as_deref()), viewer)
}

fn answer(visit: &Visit, popularity: Option<&Popularity>) -> Response {
    let snapshot = visit.snapshot();
    let q = visit.ask("q").unwrap_or_default();
    let words = q.split_whitespace().take(WORDS_MAX).map(str::to_lowercase).collect();
    let browse = Browse { snapshot, index: &visit.index, words, today: visit.today() };
    let mut found = facets::narrow(visit, &browse);
    let way = sort::Way::of(visit);
    way.sort(&browse, &visit.board, popularity, &mut found.models);
    let number = visit.ask("page").and_then(|text| text.parse::<usize>().ok()).unwrap_or(1);
    // A page behind the last shows the last.
    let pages = found.models.len().div_ceil(ROWS_MAX).max(1);
    let number = number.clamp(1, pages);
    let from = (number - 1) * ROWS_MAX;
    let rows: Vec<usize> = found.models.iter().skip(from).take(ROWS_MAX).copied().collect();
    if visit.is_json {
        return twin(visit, &rows, popularity, found.models.len(), (number < pages).then_some(number + 1));
    }
    let list = list(visit, found, (way, popularity), &rows, (number, pages));
    if visit.part.as_deref() == Some("list") {
        return shell::part(Part { list: &list }.render());
    }
    let (models, authors) = (snapshot.models.len(), visit.index.of_author.len());
    let about = format!(
        "{} of {}: prices, context, capabilities and measured speed, each fact with its source and date.",
        format::count_of(models as u64, "language model"),
        format::count_of(authors as u64, "author"),
    );
    let page = Models {
        shell: Shell::of(&visit.place, "Models", "/models", "/models").about(about),
        models: format::count(models as u64),
        authors: format::count(authors as u64),
        providers: format::count(snapshot.providers.len() as u64),
        list: &list,
    };
    shell::page(StatusCode::OK, &page)
}

fn list(
    visit: &Visit,
    found: Narrowed,
    (way, popularity): (sort::Way, Option<&Popularity>),
    rows: &[usize],
    (number, pages): (usize, usize),
) -> List {
    let total = found.models.len();
    let from = (number - 1) * ROWS_MAX;
    let to = |number: usize| {
        let text = number.to_string();
        address(visit, "page", [("page", text.as_str())])
    };
    let by_use = popularity.filter(|_| way == sort::Way::Popular);
    let q = visit.ask("q").unwrap_or_default().to_owned();
    let suggestions = match total {
        0 => visit.snapshot().suggest(&q).into_iter().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    List {
        facets: found.facets,
        chosen: found.chosen,
        sortings: way.offered(visit, popularity.is_some()),
        lines: rows.iter().filter_map(|at| line(visit, *at)).map(|line| used(line, by_use)).collect(),
        popular: by_use.map(|known| rankings::span_of(known.window)),
        total: format::count_of(total as u64, "model"),
        span: format!("{}–{}", from + 1, from + rows.len()),
        before: (number > 1).then(|| to(number - 1)),
        after: (number < pages).then(|| to(number + 1)),
        is_measured: visit.board.is_measured,
        suggestions,
        q,
    }
}

/// A row of a model.
pub(crate) fn line(visit: &Visit, at: usize) -> Option<Line> {
    let snapshot = visit.snapshot();
    let (model, row) = (snapshot.models.get(at)?, visit.index.row(at)?);
    let best = visit.board.best(at);
    let price = |pick: fn(&Cheapest) -> Rate| {
        row.cheapest.as_ref().map_or_else(Shown::unknown, |known| format::per_million(pick(known)))
    };
    Some(Line {
        id: model.id.to_string(),
        name: model.name.clone(),
        can: tags(model, row).join(" · "),
        context: format::tokens(model.context_tokens()),
        input: price(|known| known.input),
        output: price(|known| known.output),
        providers: row.providers.len(),
        released: model.facts.released.as_ref().map_or_else(Shown::unknown, |c| format::date(&c.value)),
        ttft: best.ttft_ms.map_or_else(Shown::unknown, format::milliseconds),
        speed: best.tokens_per_s.map_or_else(Shown::unknown, format::speed),
        used: None,
    })
}

/// The same with its use.
fn used(line: Line, by_use: Option<&Popularity>) -> Line {
    let place = by_use.and_then(|known| known.of(&line.id));
    Line { used: place.map(|place| format::short(place.tokens)), ..line }
}

/// What it can do, in a word each; what is unknown or usual is left out.
pub(crate) fn tags(model: &Model, row: &Row) -> Vec<&'static str> {
    let inputs = model.input_modalities().iter().filter(|known| **known != Modality::Text);
    let outputs = model.output_modalities().iter().filter(|known| **known != Modality::Text);
    let mut tags: Vec<&'static str> = outputs.map(|known| modality(*known)).collect();
    tags.extend(inputs.map(|known| match known {
        Modality::Image => "Vision",
        other => modality(*other),
    }));
    tags.extend((row.tools == Some(true)).then_some("Tools"));
    tags.extend((row.schema == Some(true)).then_some("Schema"));
    tags.extend((model.reasoning() == Some(true)).then_some("Reasoning"));
    tags.dedup();
    tags
}

/// This list's address with other values of `name`, from its first page.
fn address<'v>(visit: &Visit, name: &str, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let known = |of: &str| matches!(of, "q" | "sort") || facets::is_facet(of);
    let kept = visit.query.iter().filter(|(of, _)| of != name && known(of));
    query.extend_pairs(kept);
    query.extend_pairs(values);
    let query = query.finish();
    if query.is_empty() { String::from("/models") } else { format!("/models?{query}") }
}

fn twin(
    visit: &Visit,
    rows: &[usize],
    popularity: Option<&Popularity>,
    total: usize,
    next: Option<usize>,
) -> Response {
    let data = rows.iter().filter_map(|at| {
        let mut told = told(visit, *at)?;
        let id = &visit.snapshot().models.get(*at)?.id;
        told.as_object_mut()?.insert("used".to_owned(), popularity.and_then(|known| known.told(id)).into());
        Some(told)
    });
    let data: Vec<Value> = data.collect();
    let next = next.map(|number| {
        let text = number.to_string();
        let address = address(visit, "page", [("page", text.as_str())]);
        format!("{}{}", visit.place.base_url, address.replacen("/models", "/models.json", 1))
    });
    let version = &visit.snapshot().version;
    shell::json(&json!({ "catalog": version, "total": total, "data": data, "next": next }))
}

/// A model as the list tells it to programs: prices are dollars per million tokens as decimal text, null is unknown.
pub(crate) fn told(visit: &Visit, at: usize) -> Option<Value> {
    let snapshot = visit.snapshot();
    let (model, row) = (snapshot.models.get(at)?, visit.index.row(at)?);
    let names = |of: &[Modality]| of.iter().map(|known| known.name()).collect::<Vec<_>>();
    let cheapest = row.cheapest.map(|known| {
        json!({
            "endpoint": snapshot.endpoints.get(known.endpoint).map(|endpoint| endpoint.id.to_string()),
            "input_usd_per_mtok": known.input.per_million(),
            "output_usd_per_mtok": known.output.per_million(),
        })
    });
    let providers = row.providers.iter().filter_map(|at| snapshot.providers.get(*at));
    Some(json!({
        "id": model.id,
        "name": model.name,
        "author": model.author,
        "url": format!("{}/{}", visit.place.base_url, model.id),
        "released": model.facts.released.as_ref().map(|claim| &claim.value),
        "context_tokens": model.context_tokens(),
        "max_output_tokens": model.max_output_tokens(),
        "input_modalities": names(model.input_modalities()),
        "output_modalities": names(model.output_modalities()),
        "tool_call": row.tools,
        "structured_output": row.schema,
        "reasoning": model.reasoning(),
        "open_weights": model.facts.open_weights.as_ref().map(|claim| claim.value),
        "cheapest": cheapest,
        "providers": providers.map(|provider| provider.id.to_string()).collect::<Vec<_>>(),
        "live": live(&visit.board, at),
    }))
}

fn live(board: &Board, at: usize) -> Option<Value> {
    let best = board.best(at);
    let minutes = routing::health::MINUTES_SHOWN;
    (best.samples > 0).then(|| {
        json!({
            "window_minutes": minutes,
            "samples": best.samples,
            "best_ttft_ms_p50": best.ttft_ms,
            "best_tokens_per_s_p50": best.tokens_per_s,
        })
    })
}

#[cfg(test)]
mod tests;
