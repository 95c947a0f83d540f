//! `GET /v1/activity`: what the caller's account used, by hour, day or month, model, provider and key, in OpenRouter's shape.
//!
//! An API key sees its own use; a management key that of its account. `date` asks for one UTC day, `from` and `to` for a span,
//! `granularity` for hours or months instead of days, `api_key_hash` for one key, `format=csv` for a sheet.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response, header};
use serde_json::json;
use store::{By, Figures, Measure, Spread};
use types::Money;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::csv::{cell, line};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::insight::fields::{Metric, Told};
use crate::insight::span::{self, Grain, Span};
use crate::insight::table::{Row, Wanted};
use crate::insight::{Scope, invalid, key_named};
use crate::key::with_amounts;
use crate::router;

/// Days that are answered when none is asked for, today included.
const DAYS: i64 = 31;

/// Answers rows, the newest first.
pub async fn list(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let mut scope = Scope::of(worker, parts)?;
    let desk = Desk::open(worker, parts);
    let query = router::query(parts);
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if let Some(name) = given("api_key_hash") {
        let id = key_named(worker, &scope.account, name);
        // A key learns of no other key.
        let id = id.filter(|id| scope.key.as_ref().is_none_or(|own| own == id));
        scope.key =
            Some(id.ok_or_else(|| GatewayError::NotFound(String::from("the account has no such key")))?);
    }
    let grain = given("granularity").map_or(Ok(Grain::Day), |name| Grain::read("granularity", name))?;
    let (from, to) = (given("date").or(given("from")), given("date").or(given("to")));
    let default = Span::usual(grain, DAYS, desk.now().seconds());
    let from = from.map_or(Ok(default.from), |text| span::read(text, "from", false, true))?;
    let to = to.map_or(Ok(default.to), |text| span::read(text, "to", true, true))?;
    let wanted = Wanted {
        scope,
        grain,
        pieces: Span::of(from, to)?.pieces(grain)?,
        groups: vec![By::Key, By::Model, By::Provider],
        filters: Vec::new(),
        measures: Measure::ALL.to_vec(),
        joined: Vec::new(),
        spreads: Spread::ALL.to_vec(),
        most: None,
    };
    let mut rows = desk.store(|gateway| async move { wanted.ask(&gateway.store).await }).await?;
    // Within a day, by key, model and provider.
    rows.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.groups.cmp(&b.groups)));
    match given("format") {
        None | Some("json") => {
            let rows: Vec<String> = rows.iter().map(row).collect();
            Ok(router::json(format!("{{\"data\":[{}]}}", rows.join(","))))
        }
        Some("csv") => {
            let mut response = Response::new(ResponseBody::full(sheet(&rows)));
            let csv = HeaderValue::from_static("text/csv; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, csv);
            Ok(response)
        }
        Some(_) => Err(invalid("`format` is json or csv")),
    }
}

/// Columns of times, rates and units beside the amounts.
const NUMBERS: [(&str, Metric); 17] = [
    ("requests", Metric::Count(Measure::Requests)),
    ("failed", Metric::Count(Measure::Failed)),
    ("cancelled", Metric::Count(Measure::Cancelled)),
    ("truncated", Metric::Count(Measure::Truncated)),
    ("byok_requests", Metric::Count(Measure::ByokRequests)),
    ("cached_answers", Metric::Count(Measure::CachedAnswers)),
    ("prompt_tokens", Metric::TokensPrompt),
    ("completion_tokens", Metric::TokensCompletion),
    ("reasoning_tokens", Metric::Count(Measure::Reasoning)),
    ("cached_tokens", Metric::Count(Measure::CacheRead)),
    ("error_rate", Metric::Rate(Measure::Failed)),
    ("cache_hit_rate", Metric::CacheHitRate),
    ("ttft_ms_p50", Metric::Percentile(Spread::Ttft, 500)),
    ("ttft_ms_p95", Metric::Percentile(Spread::Ttft, 950)),
    ("duration_ms_p50", Metric::Percentile(Spread::Duration, 500)),
    ("duration_ms_p95", Metric::Percentile(Spread::Duration, 950)),
    ("tokens_per_second_p50", Metric::Percentile(Spread::Speed, 500)),
];

const AMOUNTS: [(&str, Measure); 4] = [
    ("charged_usd", Measure::Charged),
    ("cost_usd", Measure::Cost),
    ("byok_cost_usd", Measure::ByokCost),
    ("cache_savings_usd", Measure::Saved),
];

fn amount(figures: &Figures, measure: Measure) -> Money {
    Money::from_nanos(figures.sums.get(measure))
}

fn row(row: &Row) -> String {
    let [key, model, provider] = [0, 1, 2].map(|at| row.groups.get(at).map_or("", String::as_str));
    let mut object = json!({
        "date": row.at,
        "model": model,
        "model_permaslug": model,
        "provider_name": provider,
        "key": key,
        "usage_by_bucket": row.figures.sums.usage(),
    });
    if let Some(object) = object.as_object_mut() {
        for (name, measure) in AMOUNTS {
            object.insert(name.to_owned(), json!(amount(&row.figures, measure).to_string()));
        }
        for (name, metric) in NUMBERS {
            let told = serde_json::from_str(&metric.of(&row.figures).json()).unwrap_or_default();
            object.insert(name.to_owned(), told);
        }
    }
    let charged = amount(&row.figures, Measure::Charged);
    let own = amount(&row.figures, Measure::ByokCost);
    with_amounts(&object.to_string(), &[("usage", Some(charged)), ("byok_usage_inference", Some(own))])
}

fn sheet(rows: &[Row]) -> String {
    let mut names: Vec<String> = ["date", "key", "model", "provider"].map(str::to_owned).to_vec();
    names.extend(NUMBERS.iter().map(|(name, _)| (*name).to_owned()));
    names.extend(AMOUNTS.iter().map(|(name, _)| (*name).to_owned()));
    let mut text = line(&names);
    for row in rows {
        let mut cells = vec![cell(&row.at)];
        cells.extend(row.groups.iter().map(|value| cell(value)));
        cells.extend(NUMBERS.iter().map(|(_, metric)| match metric.of(&row.figures) {
            Told::Nothing => String::new(),
            told => told.json(),
        }));
        cells.extend(AMOUNTS.iter().map(|(_, measure)| amount(&row.figures, *measure).to_string()));
        text.push_str(&line(&cells));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_amounts_as_texts_and_as_numbers() {
        let mut figures = Figures::default();
        figures.sums.put(Measure::Requests, 4);
        figures.sums.put(Measure::Failed, 1);
        figures.sums.put(Measure::Charged, 18_000);
        let groups = vec![String::from("key_a"), String::from("=a/m"), String::from("p")];
        let one = Row { at: String::from("2026-11-20"), groups, figures };
        let text = row(&one);
        assert!(text.contains("\"usage\":0.000018,"), "{text}");
        assert!(
            text.contains("\"charged_usd\":\"0.000018\"") && text.contains("\"error_rate\":0.25"),
            "{text}"
        );
        let sheet = sheet(&[one]);
        let line = sheet.lines().nth(1).unwrap();
        assert!(
            line.starts_with("2026-11-20,key_a,'=a/m,p,4,1,0,0,0,0,0,0,0,0,0.25,,,,,,,0.000018,0,0,0"),
            "{line}"
        );
    }
}
