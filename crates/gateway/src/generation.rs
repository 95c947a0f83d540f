//! `GET /v1/generation?id=`: the record of one generation, with the formula of its bill. Read from the books, so within a second
//! of the last byte.

pub(crate) mod plan;

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use ledger::{Attempt, Fee, GenerationRecord, Routed};
use serde_json::{Map, Value, json};
use store::{Corrected, StoreError};
use types::{AccountId, GenerationId};

use crate::app::Worker;
use crate::auth::Access;
use crate::bill::bill;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::insight::log::{tags, trace_of};
use crate::key::{caller, rfc3339};
use crate::router;

/// Finds the record among those of the caller's account.
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let Found { record, corrections, feedback } = find(worker, parts, &key.account.id).await?;
    let gateway = &worker.gateway;
    let bill = bill(&record, &corrections, &gateway.receipts, &gateway.settings.brand.slug);
    let mut data = data(&record, bill);
    if let Value::Object(data) = &mut data {
        data.insert(String::from("key"), json!(record.key));
        data.insert(String::from("tags"), tags(&record).collect());
        data.insert(String::from("trace_id"), json!(trace_of(&record)));
        data.insert(String::from("feedback"), json!((!feedback.is_empty()).then_some(feedback)));
    }
    Ok(router::json(json!({ "data": data }).to_string()))
}

/// What is known of a generation.
struct Found {
    record: GenerationRecord,
    corrections: Vec<Corrected>,
    /// What was said of its answer.
    feedback: Map<String, Value>,
}

/// What is known of the generation that `id` of the query names.
async fn find(worker: &Arc<Worker>, parts: &Parts, account: &AccountId) -> Result<Found, GatewayError> {
    let text = router::query(parts).into_iter().find(|(name, _)| name == "id").map(|(_, value)| value);
    let text = text.ok_or_else(|| {
        let path = parts.uri.path();
        GatewayError::InvalidRequest(format!("`id` is missing; ask for `{path}?id=gen-...`"))
    })?;
    let id = GenerationId::parse(&text).ok_or_else(|| {
        GatewayError::InvalidRequest(String::from(
            "`id` is no generation id; they look like `gen-1767225600-` and 20 letters or digits",
        ))
    })?;
    let gateway = Arc::clone(&worker.gateway);
    let account = account.clone();
    let found = worker
        .gateway
        .on_control(async move {
            let record = gateway.store.generation(&id, &account).await?;
            let corrections = gateway.store.corrections(&id).await?;
            let feedback = gateway.store.feedback(&id, &account).await?;
            Ok(Found { record, corrections, feedback })
        })
        .await;
    match found {
        Some(Ok(found)) => Ok(found),
        Some(Err(StoreError::NotFound(_))) => Err(GatewayError::NotFound(String::from(
            "no generation of this account has that id; a record is readable within a second of the last byte",
        ))),
        _ => Err(GatewayError::StoreUnavailable),
    }
}

/// How a virtual model chose.
fn routing(routed: &Routed) -> Value {
    json!({
        "task": routed.task,
        "task_confidence": routed.confidence,
        "dial": routed.dial,
        "seed": routed.seed.to_string(),
        "router_version": routed.router,
    })
}

fn data(record: &GenerationRecord, bill: Value) -> Value {
    let mut data = outcome(record);
    for part in [bill, circumstances(record)] {
        if let (Value::Object(all), Value::Object(more)) = (&mut data, part) {
            all.extend(more);
        }
    }
    data
}

/// What was asked, and what came of it.
fn outcome(record: &GenerationRecord) -> Value {
    let usage = &record.usage;
    json!({
        "id": record.id,
        "created_at": rfc3339(record.created),
        "created": record.created.seconds(),
        "model": record.model,
        "requested_model": if record.requested_model.is_empty() { &record.model } else { &record.requested_model },
        "provider": record.provider,
        "provider_name": record.provider,
        "endpoint": record.endpoint,
        "api_type": record.dialect,
        "status": record.status.name(),
        "http_status": record.http_status,
        "finish_reason": record.finish_reason,
        "native_finish_reason": record.native_finish_reason.as_ref().or(record.finish_reason.as_ref()),
        "streamed": record.streamed,
        "cancelled": record.status == ledger::Status::Cancelled,
        "usage": usage,
        "usage_source": record.usage_source,
        "usage_rule": record.usage_source.rule(),
        "tokens_prompt": usage.input_total(),
        "tokens_completion": usage.output_total(),
        "charge": charge(record),
        "mode": record.mode,
        "attempts": record.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "ttft_ms": record.ttft_us.map(milliseconds),
        "duration_ms": milliseconds(record.duration_us),
    })
}

/// Who asked, under which rules, and what was said about it.
fn circumstances(record: &GenerationRecord) -> Value {
    json!({
        "app": record.app,
        "session_id": record.session_id,
        "routing": record.routed.as_ref().map(routing),
        "policy": record.policy,
        "preset_id": record.preset,
        "user": record.user,
        "dimensions": record.dimensions,
        "escalated": record.escalated,
        "cache_source_id": record.cache_source,
        "warnings": record.warnings,
        "guardrails": record.guardrails,
        "on_disconnect": disconnect(record),
        "waived": record.waived,
        "upstream_id": record.upstream_id,
        "error": record.error,
        "is_byok": record.byok_key.is_some(),
        "paid_by": record.paid_by(),
        "byok_key": record.byok_key,
        "fee": record.fee.as_ref().map(fee),
    })
}

/// The fee of a call that an own key paid for: its rate on the list price.
fn fee(fee: &Fee) -> Value {
    json!({"percent": fee.rate.to_string(), "due_usd": fee.due.to_string()})
}

/// The rule that held when the client left, and the evidence for what was charged then.
fn disconnect(record: &GenerationRecord) -> Value {
    let Some(rule) = &record.on_disconnect else { return Value::Null };
    let left = record.departure.clone().unwrap_or_default();
    json!({
        "rule": rule,
        "left_ms": milliseconds(left.left_us),
        "delivered_bytes": left.bytes,
        "delivered_tokens": left.tokens,
        "usage_arrived": left.usage_arrived,
        "read_to": left.read_to,
    })
}

/// Whole microseconds as milliseconds with three digits, exactly.
pub(crate) fn milliseconds(us: i64) -> Value {
    let text = format!("{}.{:03}", us / 1000, (us % 1000).abs());
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// From what the call cost to what was to be paid; each part exact, so that they add up.
fn charge(record: &GenerationRecord) -> Value {
    let (charge, terms) = (record.charge(), record.terms.unwrap_or_default());
    json!({
        "cost_usd": charge.cost.to_string(),
        "markup_percent": terms.markup.to_string(),
        "markup_usd": charge.markup.to_string(),
        "discount_percent": terms.discount.to_string(),
        "discount_usd": charge.discount.to_string(),
        "total_usd": charge.total.to_string(),
    })
}

/// An attempt as in records and metadata.
pub(crate) fn attempt(attempt: &Attempt) -> Value {
    json!({
        "endpoint": attempt.endpoint,
        "status": attempt.status,
        "started_ms": milliseconds(attempt.started_us),
        "first_byte_ms": attempt.first_byte_us.map(milliseconds),
        "ended_ms": milliseconds(attempt.ended_us),
        "cost_usd": attempt.cost.to_string(),
        "outcome": attempt.outcome,
        "byok_key": attempt.byok_key,
    })
}
