//! Choosing what to compare: the form, what is wrong with what was chosen, and comparisons to start from.

use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use catalog::Snapshot;
use serde_json::json;

use super::{MODELS_MAX, MODELS_MIN, path_of, query_of};
use crate::calculator::form::{Offered, offered};
use crate::shell::{self, Shell};
use crate::visit::Visit;

/// Comparisons that are offered to start from.
const STARTS_MAX: usize = 6;
/// The longest name that is looked for or shown, in characters.
const NAME_CHARS_MAX: usize = 120;

#[derive(Template)]
#[template(path = "compare_choose.html")]
struct Choose<'a> {
    shell: Shell,
    places: Vec<Place>,
    offered: Vec<Offered<'a>>,
    starts: Vec<Start>,
    /// What is to be done, when what was asked for can't be shown.
    note: String,
}

/// A place for a model.
struct Place {
    name: String,
    is_unknown: bool,
    /// Ids like it, and where they lead.
    suggestions: Vec<(String, String)>,
}

/// A comparison.
struct Start {
    path: String,
    names: String,
}

/// Who asks by the form is led to the comparison, unless something has to be chosen again.
pub(crate) async fn choose(visit: Visit) -> Response {
    let names: Vec<String> =
        visit.query.iter().filter(|(name, _)| name == "m").map(|(_, value)| value.clone()).collect();
    let snapshot = visit.snapshot();
    let mut models: Vec<usize> = Vec::new();
    for at in names.iter().filter_map(|name| named(snapshot, name)) {
        if !models.contains(&at) {
            models.push(at);
        }
    }
    let all_known = names.iter().all(|name| named(snapshot, name).is_some());
    if all_known && (MODELS_MIN..=MODELS_MAX).contains(&models.len()) && visit.ask("change").is_none() {
        return shell::seen_at(&path_of(snapshot, &models));
    }
    drawn(&visit, &names, StatusCode::OK)
}

/// The same for a path that leads to no comparison.
pub(super) fn again(visit: &Visit, names: &[String]) -> Response {
    let is_unknown = names.iter().any(|name| named(visit.snapshot(), name).is_none());
    let status = if is_unknown { StatusCode::NOT_FOUND } else { StatusCode::OK };
    if visit.is_json {
        let snapshot = visit.snapshot();
        let unknown = names.iter().filter(|name| named(snapshot, name).is_none());
        let told = unknown.map(|name| json!({ "name": cut(name), "suggestions": snapshot.suggest(name) }));
        let message =
            if is_unknown { "not all of these are models of the catalog" } else { "name two to four models" };
        let error = json!({ "error": {
            "code": 404, "type": "not_found", "message": message, "metadata": { "unknown": told.collect::<Vec<_>>() },
        } });
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    drawn(visit, names, status)
}

/// A model by id, by another of its names, or by its name for people where only one has it.
fn named(snapshot: &Snapshot, name: &str) -> Option<usize> {
    let mut by_name = || {
        let mut like =
            snapshot.models.iter().enumerate().filter(|(_, model)| model.name.eq_ignore_ascii_case(name));
        like.next().filter(|_| like.next().is_none()).map(|(at, _)| at)
    };
    snapshot.resolve(name).or_else(&mut by_name)
}

fn cut(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

fn drawn(visit: &Visit, names: &[String], status: StatusCode) -> Response {
    let snapshot = visit.snapshot();
    let mut places: Vec<Place> = names
        .iter()
        .take(MODELS_MAX)
        .enumerate()
        .map(|(at, name)| place(snapshot, names, at, name))
        .collect();
    places.resize_with(MODELS_MAX, || Place {
        name: String::new(),
        is_unknown: false,
        suggestions: Vec::new(),
    });
    let note = match names.len() {
        1 if places.iter().all(|place| !place.is_unknown) => "Choose one more to compare it with.",
        0..=MODELS_MAX => "",
        _ => "Four models fit side by side; these are the first four of what was chosen.",
    };
    let about = "Any two to four models side by side: prices, context, capabilities, measured speed and published scores.";
    let page = Choose {
        shell: Shell::of(&visit.place, "Compare models", "/compare", "/compare").about(about),
        places,
        offered: offered(snapshot),
        starts: starts(visit),
        note: note.to_owned(),
    };
    shell::page(status, &page)
}

fn place(snapshot: &Snapshot, names: &[String], at: usize, name: &str) -> Place {
    let model = named(snapshot, name).and_then(|at| snapshot.models.get(at));
    if let Some(model) = model {
        return Place { name: model.id.to_string(), is_unknown: false, suggestions: Vec::new() };
    }
    let with = |id: &str| {
        let mut names: Vec<&str> = names.iter().map(String::as_str).take(MODELS_MAX).collect();
        names.iter_mut().skip(at).take(1).for_each(|known| *known = id);
        format!("/compare?{}", query_of(&names))
    };
    let suggestions = snapshot.suggest(name).into_iter().map(|id| (id.to_owned(), with(id))).collect();
    Place { name: cut(name), is_unknown: true, suggestions }
}

/// The newest priced model for conversations of each author, the authors with most models first, each beside the next.
fn starts(visit: &Visit) -> Vec<Start> {
    let snapshot = visit.snapshot();
    let newest = |models: &Vec<usize>| {
        let fits = |at: &&usize| {
            let is_priced =
                visit.index.row(**at).is_some_and(|row| row.cheapest.is_some() && !row.is_sandbox);
            is_priced && snapshot.models.get(**at).is_some_and(catalog::Model::is_chat)
        };
        let day = |at: &&usize| snapshot.models.get(**at).and_then(catalog::Model::released_day);
        models.iter().filter(fits).max_by_key(day).copied()
    };
    let mut authors: Vec<&Vec<usize>> = visit.index.of_author.values().collect();
    authors.sort_by_key(|models| std::cmp::Reverse(models.len()));
    let picks: Vec<usize> = authors.into_iter().filter_map(newest).take(STARTS_MAX + 1).collect();
    let start = |pair: &[usize]| Start {
        path: path_of(snapshot, pair),
        names: super::names_in(snapshot, pair).join(" vs "),
    };
    picks.windows(2).map(start).collect()
}
