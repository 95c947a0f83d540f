//! `GET /v1/manage/apikey/{id}/usage` and `GET /v1/manage/org/usage`: use in Requesty's shape. `start` (required), `end`, `group_by`
//! (names with commas between), `resolution` (`hour`, `day`, `month`). Decimals are texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;
use http::request::Parts;
use serde_json::{Map, Value, json};
use store::{By, Figures, Measure};

use super::fields::{Metric, dimension};
use super::span::{self, Grain, Span};
use super::table::{Needs, Row, Wanted, needs};
use super::{Scope, invalid, key_named};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::manager;
use crate::router;

const GROUPS_MAX: usize = 3;

/// What is counted by name.
const COUNTS: [(&str, Metric); 9] = [
    ("embedding_requests", Metric::Count(Measure::Embeddings)),
    ("image_requests", Metric::Count(Measure::ImageCalls)),
    ("speech_requests", Metric::Count(Measure::SpeechCalls)),
    ("transcription_requests", Metric::Count(Measure::Transcriptions)),
    ("rerank_requests", Metric::Count(Measure::Reranks)),
    ("total_requests", Metric::Count(Measure::Requests)),
    ("input_tokens", Metric::TokensPrompt),
    ("output_tokens", Metric::TokensCompletion),
    ("total_tokens", Metric::TokensTotal),
];

/// The use of one key: by its id or hash, or the caller's own.
pub(crate) async fn of_key(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let mut scope = Scope::of(worker, parts)?;
    let named = Desk::open(worker, parts).segment("apikey");
    if named != "self" {
        // A key learns of no other key, not even that there is one.
        let id = key_named(worker, &scope.account, &named)
            .filter(|id| scope.key.as_ref().is_none_or(|own| own == id));
        scope.key = Some(id.ok_or_else(|| {
            GatewayError::NotFound(String::from(
                "this account has no such key; name it by its id, its hash or `self`",
            ))
        })?);
    }
    answer(worker, parts, scope).await
}

/// The use of the whole account.
pub(crate) async fn of_account(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    manager(parts)?;
    answer(worker, parts, Scope::of(worker, parts)?).await
}

async fn answer(
    worker: &Arc<Worker>,
    parts: &Parts,
    scope: Scope,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let query = router::query(parts);
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let start =
        given("start").ok_or_else(|| invalid("`start` is missing; write `start=2026-01-31T00:00:00Z`"))?;
    let grain = match given("resolution") {
        None => Grain::Day,
        Some("week") => return Err(invalid("`resolution` is `hour`, `day` or `month`")),
        Some(name) => Grain::read("resolution", name)?,
    };
    let now_s = desk.now().seconds();
    let end = match given("end") {
        Some(end) => span::read(end, "end", true, false)?,
        None if grain == Grain::Hour => now_s.div_euclid(3_600) + 1,
        // A span that ends within a day is asked by the hour, and two weeks are the most of that.
        None => Span::last_days(1, now_s).to,
    };
    let span = Span::of(span::read(start, "start", false, false)?, end)?;
    let names: Vec<String> = given("group_by")
        .map(|list| {
            list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        })
        .unwrap_or_default();
    if names.len() > GROUPS_MAX {
        return Err(invalid(format!("`group_by` has at most {GROUPS_MAX} names")));
    }
    let groups = names.iter().map(|name| dimension(name)).collect::<Result<Vec<By>, _>>()?;
    let spent = Metric::Usd(Measure::Charged);
    let Needs { measures, joined, spreads } = needs(COUNTS.iter().map(|(_, metric)| *metric).chain([spent]));
    let all = Wanted {
        scope,
        grain,
        pieces: span.pieces(grain)?,
        groups: Vec::new(),
        filters: Vec::new(),
        measures,
        joined,
        spreads,
        most: None,
    };
    let apart = (!groups.is_empty()).then(|| Wanted { groups, ..all.clone() });
    let (all, apart) = desk
        .store(|gateway| async move {
            let apart = match apart {
                Some(apart) => apart.ask(&gateway.store).await?,
                None => Vec::new(),
            };
            Ok((all.ask(&gateway.store).await?, apart))
        })
        .await?;
    Ok(router::json(json!({ "usage": usage(&all, &apart, &names) }).to_string()))
}

/// Buckets by when they begin, each with its groups.
fn usage(all: &[Row], apart: &[Row], names: &[String]) -> Value {
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for row in apart {
        let mut object = counted(&row.figures);
        let values: Map<String, Value> =
            names.iter().cloned().zip(row.groups.iter().map(|value| json!(value))).collect();
        object.insert("group_by_values".to_owned(), Value::Object(values));
        groups.entry(&row.at).or_default().push(Value::Object(object));
    }
    let buckets = all.iter().map(|row| {
        let mut object = counted(&row.figures);
        if !names.is_empty() {
            let grouped = groups.remove(row.at.as_str()).unwrap_or_default();
            object.insert("grouped_data".to_owned(), Value::Array(grouped));
        }
        (row.at.clone(), Value::Object(object))
    });
    Value::Object(buckets.collect())
}

fn counted(figures: &Figures) -> Map<String, Value> {
    let mut object = Map::new();
    let get = |measure| figures.sums.get(measure);
    // What is none of the others.
    let others = [
        Measure::Embeddings,
        Measure::ImageCalls,
        Measure::SpeechCalls,
        Measure::Transcriptions,
        Measure::Reranks,
    ];
    let completions = others.into_iter().fold(get(Measure::Requests), |rest, other| rest - get(other));
    object.insert("completions_requests".to_owned(), json!(completions));
    for (name, metric) in COUNTS {
        let number = serde_json::from_str(&metric.of(figures).json()).unwrap_or_default();
        object.insert(name.to_owned(), number);
    }
    object.insert("spend".to_owned(), json!(types::Money::from_nanos(get(Measure::Charged)).to_string()));
    object
}
