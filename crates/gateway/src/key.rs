//! `GET /v1/key`: the caller's own key, its limit and what it has spent.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
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
    authenticate(
        &gateway.keys.load(),
        crate::auth::key_text(&parts.headers),
        access,
        prefix,
        gateway.clock.now(),
    )
}

/// An object as text with amounts added as JSON numbers of their exact digits, which a tree of `f64` could not hold.
pub(crate) fn with_amounts(object: &Value, amounts: &[(&str, Option<Money>)]) -> String {
    let mut text = object.to_string();
    text.pop();
    for (key, money) in amounts {
        let number = money.map_or_else(|| String::from("null"), |money| money.to_string());
        text.push_str(&format!(",\"{key}\":{number}"));
    }
    text.push('}');
    text
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
    let used = worker.gateway.byok.used(&rules.account, Some(&rules.id));
    let text = |money: Money| Value::String(money.to_string());
    let object = json!({
        "hash": rules.hash.to_hex(),
        "id": rules.id,
        "name": rules.name,
        "label": rules.label,
        "account": rules.account,
        "disabled": rules.disabled,
        "limit_reset": null,
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
        "byok_usage_usd": used.usage.to_string(),
        "byok_fees_usd": used.fees.to_string(),
        "byok_requests": used.requests,
        "rate_limit": { "requests": -1, "interval": "10s", "note": "deprecated; see requests_per_minute" },
    });
    let amounts = [
        ("byok_usage", Some(used.usage)),
        ("limit", purse.limit),
        ("limit_remaining", purse.available),
        ("usage", Some(purse.spent)),
    ];
    Ok(router::json(format!("{{\"data\":{}}}", with_amounts(&object, &amounts))))
}
