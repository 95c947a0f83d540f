//! `GET /v1/activity`: what the caller's account used, by day, model, provider and key.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use serde_json::json;
use store::ActivityRow;

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{caller, with_amounts};
use crate::router;

/// Days that are answered when none is asked for, today included.
const DAYS: i64 = 31;

/// Answers rows in OpenRouter's shape. An API key sees its own use; a management key that of its account. `date` asks for one
/// UTC day.
pub async fn list(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let today = worker.gateway.clock.now().day();
    let date = router::query(parts).into_iter().find(|(name, _)| name == "date").map(|(_, value)| value);
    let (from, to) = match date {
        None => (today - DAYS + 1, today),
        Some(text) => {
            let date: jiff::civil::Date = text.parse().map_err(|_| {
                GatewayError::InvalidRequest(String::from("`date` is no date; write `2026-01-31`"))
            })?;
            let day = day_of(date);
            (day, day)
        }
    };
    let gateway = Arc::clone(&worker.gateway);
    let account = key.account.id.clone();
    let own = (!key.rules.management).then(|| key.rules.id.clone());
    let rows = worker
        .gateway
        .on_control(async move { gateway.store.activity(&account, own.as_ref(), from, to).await })
        .await;
    let rows = rows.and_then(Result::ok).ok_or(GatewayError::StoreUnavailable)?;
    let rows: Vec<String> = rows.iter().map(row).collect();
    Ok(router::json(format!("{{\"data\":[{}]}}", rows.join(","))))
}

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

fn day_of(date: jiff::civil::Date) -> i64 {
    date.since(EPOCH).map_or(0, |span| i64::from(span.get_days()))
}

fn row(row: &ActivityRow) -> String {
    let day = jiff::ToSpan::days(row.day);
    let object = json!({
        "date": EPOCH.checked_add(day).map_or_else(|_| String::new(), |d| d.to_string()),
        "model": row.model,
        "model_permaslug": row.model,
        "provider_name": row.provider,
        "key": row.key,
        "requests": row.requests,
        "failed": row.failed,
        "prompt_tokens": row.usage.input_total(),
        "completion_tokens": row.usage.output_total(),
        "reasoning_tokens": row.usage.reasoning,
        "cached_tokens": row.usage.cache_read,
        "charged_usd": row.charged.to_string(),
        "cost_usd": row.cost.to_string(),
    });
    with_amounts(&object, &[("usage", Some(row.charged)), ("byok_usage_inference", Some(row.byok_cost))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_the_epoch() {
        assert_eq!(day_of("1970-01-01".parse().unwrap()), 0);
        assert_eq!(day_of("2026-11-20".parse().unwrap()), 20_777);
    }
}
