//! `GET /v1/key`: the caller's own key, its limit and what it has spent.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::{Money, Timestamp};

use crate::app::Worker;
use crate::auth::{Access, authenticate};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::keys::KeyState;
use crate::router;

/// Finds the caller's key, for the routes that show what is theirs.
pub(crate) fn caller(worker: &Worker, parts: &Parts, access: Access) -> Result<Arc<KeyState>, GatewayError> {
    let gateway = &worker.gateway;
    let prefix = &gateway.settings.brand.key_prefix;
    authenticate(&gateway.keys.load(), &parts.headers, access, prefix, gateway.clock.now())
}

/// An amount as a JSON number with its exact digits.
pub(crate) fn amount(money: Money) -> Value {
    RawValue::from_string(money.to_string())
        .ok()
        .and_then(|raw| serde_json::to_value(raw).ok())
        .unwrap_or(Value::Null)
}

/// An instant as RFC 3339 in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).map_or_else(|_| String::new(), |t| t.to_string())
}

/// Answers in OpenRouter's shape, with our own fields beside it.
pub fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let purse = key.purse.snapshot();
    let rules = &key.rules;
    let text = |money: Money| Value::String(money.to_string());
    let body = json!({ "data": {
        "hash": rules.hash.to_hex(),
        "id": rules.id,
        "name": rules.name,
        "label": rules.label,
        "account": rules.account,
        "disabled": rules.disabled,
        "limit": purse.limit.map(amount),
        "limit_remaining": purse.available.map(amount),
        "limit_reset": null,
        "usage": amount(purse.spent),
        "limit_usd": purse.limit.map(text),
        "limit_remaining_usd": purse.available.map(text),
        "usage_usd": text(purse.spent),
        "held_usd": text(purse.held),
        "requests_per_minute": rules.requests_per_minute,
        "concurrency": rules.concurrency,
        "is_free_tier": false,
        "is_management_key": rules.management,
        "is_provisioning_key": rules.management,
        "created_at": rfc3339(rules.created),
        "expires_at": rules.expires.map(rfc3339),
        "rate_limit": { "requests": -1, "interval": "10s", "note": "deprecated; see requests_per_minute" },
    }});
    Ok(router::json(body.to_string()))
}
