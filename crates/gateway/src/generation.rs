//! `GET /v1/generation?id=`: the record of one generation, with the formula of its bill. Read from the books, so within a second
//! of the last byte.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use ledger::{Attempt, GenerationRecord, Routed};
use serde_json::{Value, json};
use store::StoreError;
use types::{CostLine, GenerationId};

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{caller, rfc3339};
use crate::router;

/// Finds the record among those of the caller's account.
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let text = router::query(parts).into_iter().find(|(name, _)| name == "id").map(|(_, value)| value);
    let text = text.ok_or_else(|| {
        GatewayError::InvalidRequest(String::from("`id` is missing; ask for `/v1/generation?id=gen-...`"))
    })?;
    let id = GenerationId::parse(&text).ok_or_else(|| {
        GatewayError::InvalidRequest(String::from(
            "`id` is no generation id; they look like `gen-1767225600-` and 20 letters or digits",
        ))
    })?;
    let gateway = Arc::clone(&worker.gateway);
    let account = key.account.id.clone();
    let found = worker.gateway.on_control(async move { gateway.store.generation(&id, &account).await }).await;
    match found {
        Some(Ok(record)) => Ok(router::json(json!({ "data": data(&record) }).to_string())),
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

fn data(record: &GenerationRecord) -> Value {
    let mut data = outcome(record);
    if let (Value::Object(all), Value::Object(more)) = (&mut data, circumstances(record)) {
        all.extend(more);
    }
    data
}

/// What was asked, what came of it, and what it cost.
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
        "total_cost": record.charged.to_string(),
        "written_off": record.charge().total.saturating_sub(record.charged).to_string(),
        "charge": charge(record),
        "cost_lines": record.cost.lines.iter().map(line).collect::<Vec<_>>(),
        "mode": record.mode,
        "price_version": record.price_version,
        "attempts": record.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "ttft_ms": record.ttft_us.map(milliseconds),
        "duration_ms": milliseconds(record.duration_us),
        "receipt": receipt(record),
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
        "cache_source_id": record.cache_source,
        "warnings": record.warnings,
        "on_disconnect": record.on_disconnect,
        "upstream_id": record.upstream_id,
        "error": record.error,
        "is_byok": false,
        "balance": "credits",
    })
}

/// Whole microseconds as milliseconds with three digits, exactly.
fn milliseconds(us: i64) -> Value {
    let text = format!("{}.{:03}", us / 1000, (us % 1000).abs());
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn line(line: &CostLine) -> Value {
    json!({
        "bucket": line.kind.name(),
        "units": line.units,
        // Per million units, whatever the unit; and per one.
        "price_usd_per_mtok": line.rate.per_million(),
        "price_usd_per_unit": line.rate.per_unit(),
        "amount_usd": line.amount.to_string(),
    })
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
    })
}

/// The bill in one line that a person can check with a pencil.
fn receipt(record: &GenerationRecord) -> String {
    let lines: Vec<String> = record
        .cost
        .lines
        .iter()
        .map(|l| {
            let price = match l.kind.is_per_unit() {
                true => format!("{} USD each", l.rate.per_unit()),
                false => format!("{} USD/M", l.rate.per_million()),
            };
            format!("{} {} x {price} = {} USD", l.units, l.kind.name(), l.amount)
        })
        .collect();
    if let Some(source) = &record.cache_source {
        return format!("nothing was charged: the answer of {source}, from the response cache");
    }
    if lines.is_empty() {
        return String::from("nothing was charged");
    }
    let total = match record.terms {
        None => format!("total {} USD", record.cost.total),
        Some(terms) => {
            let charge = terms.charge(record.cost.total);
            format!(
                "{} USD + {} % = {} USD markup - {} % = {} USD discount; total {} USD",
                charge.cost, terms.markup, charge.markup, terms.discount, charge.discount, charge.total
            )
        }
    };
    format!("{}; {total} at price version {}", lines.join("; "), record.price_version)
}
