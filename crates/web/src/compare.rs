//! `/compare`: choose two to four models, and `/compare/<author>/<slug>/<author>/<slug>...`: all that is known of them side by side. `.json`
//! is the same for programs.
//!
//! - Ids have one slash, so a path of pairs is unambiguous. Other names of a model, and a model named twice, lead to the path of ids.
//! - `?m=id&m=id` leads there too: that is what the form sends, and the ticks of the list of models.
//! - The canonical address has the ids in order, so that one comparison is one page for search engines.

mod choose;
mod plot;
pub(crate) mod rows;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog::Snapshot;
use serde_json::{Value, json};

use crate::calculate;
use crate::calculator::bills::Costs;
use crate::calculator::form::Form;
use crate::calculator::{Part, told as told_costs};
use crate::chart::Chart;
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::models::told as told_model;
use crate::shell::{self, Crumb, Shell};
use crate::visit::Visit;
use rows::{Group, Row, Table};

pub(crate) use choose::choose;

/// The fewest models of a comparison.
const MODELS_MIN: usize = 2;
/// The most.
const MODELS_MAX: usize = 4;

#[derive(Template)]
#[template(path = "compare.html")]
struct Compare<'a> {
    shell: Shell,
    crumbs: Vec<Crumb>,
    heads: Vec<Head>,
    stats: Vec<Stat>,
    table: Table,
    equal: String,
    path: String,
    change: String,
    form: Form,
    costs: &'a Costs,
    calculator: String,
    plot: Option<Chart>,
    minutes: u64,
}

/// A column.
struct Head {
    id: String,
    name: String,
    author: String,
    /// The comparison without it, where enough are left.
    without: Option<String>,
}

/// The path of a comparison.
fn path_of(snapshot: &Snapshot, models: &[usize]) -> String {
    let ids = models.iter().filter_map(|at| snapshot.models.get(*at)).map(|model| &*model.id);
    ids.fold(String::from("/compare"), |path, id| format!("{path}/{id}"))
}

/// The names of a path: pairs of author and slug; what is left over stands alone.
fn names_of(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.chunks(2).map(|pair| pair.join("/")).collect()
}

pub(crate) async fn compare(visit: Visit, Path(path): Path<String>) -> Response {
    let path = if visit.is_json { path.strip_suffix(".json").unwrap_or(&path) } else { &path };
    let names = names_of(path);
    let snapshot = visit.snapshot();
    let mut models: Vec<usize> = Vec::new();
    for name in &names {
        match snapshot.resolve(name) {
            Some(at) if models.contains(&at) => {}
            Some(at) => models.push(at),
            None => return choose::again(&visit, &names),
        }
    }
    if !(MODELS_MIN..=MODELS_MAX).contains(&models.len()) {
        return choose::again(&visit, &names);
    }
    let here = path_of(snapshot, &models);
    if here.strip_prefix("/compare/") != Some(path) {
        return shell::moved(&format!("{here}{}", if visit.is_json { ".json" } else { "" }));
    }
    let asked = calculate::read(&visit.query_text());
    let ids: Vec<String> =
        models.iter().filter_map(|at| snapshot.models.get(*at)).map(|m| m.id.to_string()).collect();
    let costs = Costs::of(&visit, &asked, &ids, false, &here);
    if visit.part.as_deref() == Some("costs") {
        return shell::part(Part { costs: &costs }.render());
    }
    let table = rows::table(&visit, &models);
    if visit.is_json {
        let data: Vec<Value> = models.iter().filter_map(|at| told_model(&visit, *at)).collect();
        let groups = table.groups.iter().chain(&table.folded);
        return shell::json(&json!({
            "catalog": snapshot.version,
            "models": data,
            "rows": groups.flat_map(|group| group.rows.iter().map(|row| told(group, row))).collect::<Vec<_>>(),
            "costs": told_costs(&visit, &asked, &costs),
        }));
    }
    let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
    let page = Compare {
        shell: head(&visit, &models),
        crumbs: vec![Crumb::new("/compare", "Compare")],
        heads: heads(snapshot, &models),
        stats: stats(&table, &names_in(snapshot, &models)),
        equal: format::count_of(
            table.folded.iter().map(|group| group.rows.len()).sum::<usize>() as u64,
            "row",
        ),
        table,
        change: format!("/compare?change=1&{}", query_of(&refs)),
        form: Form::of(&visit.query_text(), &asked, &here),
        path: here,
        calculator: format!("/calculator?{}", calculate::write(&asked.workload, &refs)),
        costs: &costs,
        plot: plot::price_speed(&visit, &models),
        minutes: routing::health::MINUTES_SHOWN as u64,
    };
    shell::page(StatusCode::OK, &page)
}

fn query_of(ids: &[&str]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(ids.iter().map(|id| ("m", id)));
    query.finish()
}

fn names_in(snapshot: &Snapshot, models: &[usize]) -> Vec<String> {
    models.iter().filter_map(|at| snapshot.models.get(*at)).map(|model| model.name.clone()).collect()
}

fn head(visit: &Visit, models: &[usize]) -> Shell {
    let snapshot = visit.snapshot();
    let names = names_in(snapshot, models);
    let mut sorted = models.to_vec();
    sorted.sort_unstable();
    let about = format!(
        "{} side by side: prices, context, capabilities, measured speed and published scores, with source and date.",
        format::list(&names)
    );
    Shell::of(&visit.place, &names.join(" vs "), "/compare", &path_of(snapshot, &sorted)).about(about)
}

fn heads(snapshot: &Snapshot, models: &[usize]) -> Vec<Head> {
    let head = |at: &usize| {
        let model = snapshot.models.get(*at)?;
        let rest: Vec<usize> = models.iter().copied().filter(|other| other != at).collect();
        let author =
            snapshot.author(&model.author).map_or_else(|| model.author.to_string(), |a| a.name.clone());
        Some(Head {
            id: model.id.to_string(),
            name: model.name.clone(),
            author,
            without: (rest.len() >= MODELS_MIN).then(|| path_of(snapshot, &rest)),
        })
    };
    models.iter().filter_map(head).collect()
}

/// Who is best at what, where that is defined: the same cells as in the table.
fn stats(table: &Table, names: &[String]) -> Vec<Stat> {
    let rows = || table.groups.iter().flat_map(|group| &group.rows);
    let stat = |(key, title): &(&str, &'static str)| {
        let row = rows().find(|row| row.name == *key && row.cells.iter().any(|cell| cell.is_best))?;
        let best = row.cells.iter().zip(names).filter(|(cell, _)| cell.is_best);
        let (cells, names): (Vec<_>, Vec<_>) = best.map(|(cell, name)| (cell, name.as_str())).unzip();
        let value = cells.first()?.shown.text().to_owned();
        let at = row.cells.iter().position(|cell| cell.is_best)?;
        let samples = rows().find(|row| row.name == rows::SAMPLES).and_then(|row| row.cells.get(at));
        // What was measured says over what, and how often.
        let unit = match samples.filter(|_| row.unit.starts_with("last ")) {
            Some(samples) => format!(", median of the {}, {} samples", row.unit, samples.shown.text()),
            None => format!(" {}", row.unit.trim_start_matches("$ ")),
        };
        Some(Stat { name: title, value: Shown::same(format::list(&names)), note: format!("{value}{unit}") })
    };
    const TOLD: [(&str, &str); 5] = [
        (rows::INPUT, "Cheapest input"),
        (rows::OUTPUT, "Cheapest output"),
        (rows::CONTEXT, "Largest context"),
        (rows::TTFT, "Soonest first token"),
        (rows::SPEED, "Fastest output"),
    ];
    TOLD.iter().filter_map(stat).collect()
}

/// A row for programs: the exact text of each cell, null where unknown.
fn told(group: &Group, row: &Row) -> Value {
    let cells = row.cells.iter().map(|cell| {
        json!({
            "value": cell.shown.is_known.then_some(&cell.shown.exact),
            "is_best": cell.is_best,
        })
    });
    json!({ "group": group.name, "name": row.name, "unit": row.unit, "cells": cells.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
