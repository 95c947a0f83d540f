//! `/calculator`: what a workload costs at several models, by the arithmetic that bills. Everything stands in the address, so a calculation
//! can be shared; `live.js` asks for the same address as one types. `.json` is the same for programs.

pub(crate) mod bills;
pub(crate) mod form;

use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::calculate::{self, Asked, MODELS_MAX};
use crate::format;
use crate::model::pricing::fees;
use crate::shell::{self, Shell};
use crate::visit::Visit;
use bills::{Bill, Costs};
use form::{Form, Offered};

/// Models that are set side by side where nobody chose any.
const DEFAULTS_MAX: usize = 3;
/// Places for models that are offered at least.
const PLACES_MIN: usize = 3;

#[derive(Template)]
#[template(path = "calculator.html")]
struct Calculator<'a> {
    shell: Shell,
    form: Form,
    /// What stands in the places for models.
    places: Vec<String>,
    offered: Vec<Offered<'a>>,
    costs: &'a Costs,
    fees: Vec<String>,
}

/// What the script puts in place.
#[derive(Template)]
#[template(path = "calculator_costs.html")]
pub(crate) struct Part<'a> {
    pub(crate) costs: &'a Costs,
}

pub(crate) async fn calculator(visit: Visit) -> Response {
    let asked = calculate::read(&visit.query_text());
    let (models, by_default) = match asked.models.is_empty() && !asked.problems.iter().any(|p| p.field == "m")
    {
        true => (defaults(&visit), true),
        false => (asked.models.clone(), false),
    };
    let costs = Costs::of(&visit, &asked, &models, by_default, "/calculator");
    if visit.is_json {
        return twin(&visit, &asked, &costs);
    }
    if visit.part.as_deref() == Some("costs") {
        return shell::part(Part { costs: &costs }.render());
    }
    let mut places = asked.models.clone();
    places.resize((places.len() + 1).clamp(PLACES_MIN, MODELS_MAX), String::new());
    let about = "What a workload costs per request and per month at any model and provider, by the arithmetic that bills.";
    let page = Calculator {
        shell: Shell::of(&visit.place, "Cost calculator", "/calculator", "/calculator").about(about),
        form: Form::of(&visit.query_text(), &asked, "/calculator"),
        places,
        offered: form::offered(visit.snapshot()),
        costs: &costs,
        fees: fees(&visit),
    };
    shell::page(StatusCode::OK, &page)
}

/// What the virtual models put first for some kind of work, the likeliest first.
fn defaults(visit: &Visit) -> Vec<String> {
    let picks = visit.picks();
    let snapshot = visit.snapshot();
    let mut found: Vec<String> = Vec::new();
    for by in ["auto", "fast", "cheap"] {
        let firsts = |at: usize| {
            picks.of_model(at).iter().filter(|p| p.by == by && p.place == 1 && p.dial.is_none()).count()
        };
        let most = (0..snapshot.models.len()).max_by_key(|at| (firsts(*at), std::cmp::Reverse(*at)));
        let id = most
            .filter(|at| firsts(*at) > 0)
            .and_then(|at| snapshot.models.get(at))
            .map(|m| m.id.to_string());
        found.extend(id.filter(|id| !found.contains(id)));
    }
    found.truncate(DEFAULTS_MAX);
    found
}

fn twin(visit: &Visit, asked: &Asked, costs: &Costs) -> Response {
    if let Some(first) = asked.problems.iter().find(|problem| problem.field != "m") {
        let problems = asked.problems.iter().map(told_problem).collect::<Vec<_>>();
        let error = json!({ "error": {
            "code": 400, "type": "invalid_request", "message": first.message, "metadata": { "problems": problems },
        } });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    shell::json(&told(visit, asked, costs))
}

fn told_problem(problem: &calculate::Problem) -> Value {
    json!({ "field": problem.field, "given": problem.given, "message": problem.message })
}

/// Amounts are dollars as decimal text, exact.
pub(crate) fn told(visit: &Visit, asked: &Asked, costs: &Costs) -> Value {
    let workload = &asked.workload;
    let usage = workload.usage();
    json!({
        "catalog": visit.snapshot().version,
        "address": format!("{}{}", visit.place.base_url, costs.address),
        "request": {
            "input_tokens": usage.input,
            "cache_read_tokens": usage.cache_read,
            "output_tokens": usage.output,
            "reasoning_tokens": usage.reasoning,
            "images": usage.images,
            "audio_seconds": usage.audio_seconds,
            "characters": usage.characters,
            "searches": usage.searches,
        },
        "requests_per_month": workload.per_month(),
        "problems": asked.problems.iter().map(told_problem).collect::<Vec<_>>(),
        "data": costs.bills.iter().map(told_bill).collect::<Vec<_>>(),
    })
}

fn told_bill(bill: &Bill) -> Value {
    let Some(priced) = &bill.priced else {
        return json!({ "asked": bill.given, "error": bill.problem, "suggestions": bill.suggestions() });
    };
    let estimate = &priced.estimate;
    let lines = estimate.lines.iter().map(|line| {
        json!({
            "price": line.kind.file_key(),
            "units": line.units,
            "rate_usd_per_million": line.rate.per_million(),
            "amount_usd": line.amount.to_string(),
        })
    });
    json!({
        "asked": bill.given,
        "model": bill.id,
        "endpoint": priced.endpoint,
        "price_version": priced.version,
        "cost_usd": estimate.request.cost.to_string(),
        "markup_usd": estimate.request.markup.to_string(),
        "request_usd": estimate.request.total.to_string(),
        "month_usd": estimate.month.to_string(),
        "lines": lines.collect::<Vec<_>>(),
        "conditions": estimate.conditions,
        "uncharged": estimate.uncharged.iter().map(|kind| format::price_name(*kind)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
