//! `POST /v1/feedback`, also `/v1/generation/feedback`: what a caller thinks of an answer. Any JSON with the generation's id; keys
//! merge, later ones win. What says how good it was teaches the router.
//!
//! - `score`: a number from 0 to 1. `rating`: `up` or `down` (also `good`, `bad`, `positive`, `negative`, true, false, 1, -1), or 1 to 5.
//! - It counts once for each generation and value: saying the same again teaches nothing.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use ledger::{GenerationRecord, Status};
use routing::classify::{LABELS, Label};
use routing::quality::Work;
use serde_json::{Map, Value, json};
use store::StoreError;
use types::GenerationId;

use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::caller;
use crate::{at_most, router};

/// Names under which the generation's id is found.
const IDS: [&str; 5] = ["id", "generation_id", "request_id", "response_id", "trace_id"];
/// What one feedback weighs in the router's table.
const WEIGHT: f64 = 1.0;
/// What the way an answer ended weighs.
const OUTCOME_WEIGHT: f64 = 0.5;

/// Takes feedback in.
pub(crate) async fn create(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, &parts, Access::AnyKey)?;
    at_most(&body, store::FEEDBACK_BYTES_MAX)?;
    let said: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| {
        GatewayError::InvalidRequest(format!("the body is no JSON object ({error}); send {EXAMPLE}"))
    })?;
    let (id, said) = split(said)?;
    let reward = reward(&said)?;
    let gateway = Arc::clone(&worker.gateway);
    let account = key.account.id.clone();
    let done =
        worker.gateway.on_control(async move { take(&gateway, &id, &account, said, reward).await }).await;
    match done {
        Some(Ok(answer)) => Ok(router::json(json!({ "data": answer }).to_string())),
        Some(Err(StoreError::NotFound(_))) => Err(GatewayError::NotFound(String::from(
            "no generation of this account has that id; feedback can be given within a second of the last byte",
        ))),
        Some(Err(StoreError::Invalid(message))) => Err(GatewayError::InvalidRequest(message)),
        _ => Err(GatewayError::StoreUnavailable),
    }
}

const EXAMPLE: &str = "{\"id\": \"gen-...\", \"rating\": \"up\"}";

fn split(mut said: Map<String, Value>) -> Result<(GenerationId, Map<String, Value>), GatewayError> {
    let named = IDS.iter().find_map(|name| {
        let id = said.get(*name).and_then(Value::as_str).and_then(GenerationId::parse)?;
        Some(((*name).to_owned(), id))
    });
    let (name, id) = named.ok_or_else(|| {
        GatewayError::InvalidRequest(format!("the generation's `id` is missing; send {EXAMPLE}"))
    })?;
    said.remove(&name);
    if said.is_empty() {
        return Err(GatewayError::InvalidRequest(format!("nothing is said beside the id; send {EXAMPLE}")));
    }
    Ok((id, said))
}

/// How good the answer was, 0 to 1; `None`: nothing says.
fn reward(said: &Map<String, Value>) -> Result<Option<f64>, GatewayError> {
    if let Some(score) = said.get("score") {
        let score = score.as_f64().filter(|score| (0.0..=1.0).contains(score));
        return score.map(Some).ok_or_else(|| {
            GatewayError::InvalidRequest(String::from(
                "`score` must be a number from 0 (useless) to 1 (perfect)",
            ))
        });
    }
    let Some(rating) = said.get("rating").or(said.get("thumbs")).filter(|rating| !rating.is_null()) else {
        return Ok(None);
    };
    let stars = rating.as_f64().filter(|stars| (1.0..=5.0).contains(stars) && said.contains_key("rating"));
    let known = match rating {
        Value::Bool(good) => Some(f64::from(u8::from(*good))),
        Value::Number(_) if rating.as_i64() == Some(-1) => Some(0.0),
        Value::Number(_) => stars.map(|stars| if stars == 1.0 { 1.0 } else { (stars - 1.0) / 4.0 }),
        Value::String(word) => match word.as_str() {
            "up" | "good" | "positive" | "thumbs_up" | "like" => Some(1.0),
            "down" | "bad" | "negative" | "thumbs_down" | "dislike" => Some(0.0),
            _ => None,
        },
        _ => None,
    };
    known.map(Some).ok_or_else(|| {
        GatewayError::InvalidRequest(String::from(
            "`rating` must be `up` or `down`, true or false, 1 or -1, or stars from 2 to 5; use `score` for a number from 0 to 1",
        ))
    })
}

async fn take(
    gateway: &Gateway,
    id: &GenerationId,
    account: &types::AccountId,
    said: Map<String, Value>,
    reward: Option<f64>,
) -> Result<Value, StoreError> {
    let record = gateway.store.generation(id, account).await?;
    let before = gateway.store.feedback(id, account).await?;
    let news = ["score", "rating", "thumbs"]
        .iter()
        .any(|key| said.get(*key).is_some_and(|new| before.get(*key) != Some(new)));
    let now = gateway.clock.now();
    // A reward lies between 0 and 1.
    let score = reward.map(|reward| (reward * 1_000.0).round() as i64);
    let all = gateway.store.merge_feedback(id, account, said, score, now).await?;
    let taught = reward.filter(|_| news);
    if let Some(reward) = taught {
        gateway.learned.observe(&work(&record), &record.model, reward, WEIGHT, now);
    }
    if reward.is_some() {
        // Who has said what it was worth is not guessed at.
        gateway.retries.forget(id);
    }
    Ok(json!({"id": id, "feedback": all, "counted": taught.is_some()}))
}

/// Learns from how a call went that a virtual model chose for: a refusal, an answer without any text or call, or one that was set aside
/// for that of a better model, was worth nothing.
/// What went well says little: most answers do, bad ones too.
pub(crate) fn learn(gateway: &Gateway, record: &GenerationRecord) {
    if let Some(escalated) = record.escalated.as_ref().filter(|_| record.routed.is_some()) {
        gateway.learned.observe(&work(record), &escalated.from, 0.0, OUTCOME_WEIGHT, record.created);
    }
    let refused = record.finish_reason.as_deref() == Some("content_filter");
    let empty =
        record.status == Status::Ok && record.finish_reason.is_some() && record.usage.output_total() == 0;
    if record.routed.is_some() && (refused || empty) && record.cache_source.is_none() {
        gateway.learned.observe(&work(record), &record.model, 0.0, OUTCOME_WEIGHT, record.created);
    }
}

/// The kind of work as far as the record tells.
pub(crate) fn work(record: &GenerationRecord) -> Work {
    let even = Work::Mixture([1.0 / LABELS as f32; LABELS]);
    let Some(routed) = &record.routed else { return even };
    if routed.task == "tool_use" {
        return Work::Tools;
    }
    let Some(label) = Label::ALL.iter().position(|label| label.name() == routed.task) else { return even };
    let sure: f32 = routed.confidence.as_deref().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let sure = sure.clamp(0.0, 1.0);
    let mut shares = [(1.0 - sure) / (LABELS - 1) as f32; LABELS];
    if let Some(share) = shares.get_mut(label) {
        *share = sure;
    }
    Work::Mixture(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn ratings_of_every_shape_are_a_number_from_0_to_1() {
        let rows = [
            (r#"{"score":0.25}"#, Some(0.25)),
            (r#"{"rating":"up"}"#, Some(1.0)),
            (r#"{"rating":"bad"}"#, Some(0.0)),
            (r#"{"rating":-1}"#, Some(0.0)),
            (r#"{"rating":1}"#, Some(1.0)),
            (r#"{"rating":3}"#, Some(0.5)),
            (r#"{"thumbs":true}"#, Some(1.0)),
            (r#"{"comment":"fine"}"#, None),
        ];
        for (json, expect) in rows {
            assert_eq!(reward(&said(json)).unwrap(), expect, "{json}");
        }
        for bad in [r#"{"score":2}"#, r#"{"rating":"meh"}"#, r#"{"rating":9}"#, r#"{"score":"1"}"#] {
            assert!(reward(&said(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_id_is_found_under_any_of_its_names() {
        let id = "gen-1767225600-AAAAAAAAAAAAAAAAAAAA";
        for name in ["id", "request_id", "generation_id"] {
            let (found, rest) = split(said(&format!(r#"{{"{name}":"{id}","rating":"up"}}"#))).unwrap();
            assert_eq!((found.as_str(), rest.len()), (id, 1));
        }
        assert!(
            split(said(r#"{"rating":"up"}"#)).is_err()
                && split(said(&format!(r#"{{"id":"{id}"}}"#))).is_err()
        );
    }
}
