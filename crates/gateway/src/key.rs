//! `GET /v1/key`: the caller's own key, its limit and what it has spent.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use serde_json::json;
use types::{Money, Timestamp};

use crate::app::Worker;
use crate::auth::session::Visit;
use crate::auth::{Access, AuthError, NOT_THE_OPERATOR, authenticate, check_address};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::keys::spans::Spans;
use crate::keys::{self, KeyState};
use crate::router;

/// Finds the caller's key, for the routes that show what is theirs.
pub(crate) fn caller(worker: &Worker, parts: &Parts, access: Access) -> Result<Arc<KeyState>, GatewayError> {
    if let Some(Visit(visit)) = parts.extensions.get::<Visit>() {
        let visitor = visit.as_ref().map_err(Clone::clone)?;
        return match access {
            Access::Manage(right) | Access::Decide(right) if !visitor.role.may(right) => {
                Err(AuthError::Role { role: visitor.role, right }.into())
            }
            Access::Manage(_) | Access::Decide(_) | Access::AnyKey | Access::Session => {
                Ok(Arc::clone(&visitor.key))
            }
            Access::Operator if visitor.user.is_operator => Ok(Arc::clone(&visitor.key)),
            Access::Operator => Err(GatewayError::WrongKeyKind(NOT_THE_OPERATOR)),
            Access::ApiKey | Access::Public => {
                Err(GatewayError::WrongKeyKind("a session can't call models; use an API key"))
            }
        };
    }
    let gateway = &worker.gateway;
    let prefix = &gateway.settings.brand.key_prefix;
    let text = crate::auth::key_text(&parts.headers);
    let key = authenticate(&gateway.keys.load(), text, access, prefix, gateway.clock.now())?;
    check_address(&key, &parts.headers)?;
    Ok(key)
}

/// Who administers: found before the handler by what the table of routes asks for.
#[derive(Clone, Debug)]
pub(crate) struct Manager(pub(crate) Arc<KeyState>);

/// The caller of a route that is there for those who administer.
pub(crate) fn manager(parts: &Parts) -> Result<Arc<KeyState>, GatewayError> {
    let found = parts.extensions.get::<Manager>();
    found.map(|Manager(key)| Arc::clone(key)).ok_or(GatewayError::Internal)
}

/// An object that has members, as text, with amounts added as JSON numbers of their exact digits, which a tree of `f64` could not hold.
pub(crate) fn with_amounts(object: &str, amounts: &[(&str, Option<Money>)]) -> String {
    let mut text = object.strip_suffix('}').unwrap_or(object).to_owned();
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
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let today = worker.gateway.clock.now().day();
    key.purse.roll(today);
    let own_keys = worker.gateway.byok.used(&key.rules.account, Some(&key.rules.id));
    let spans = Spans::of(worker, &key.rules.account).await;
    let mut amounts: Vec<(&str, Option<Money>)> = spans.key(&key.rules.id).collect();
    amounts.push(("byok_usage", Some(own_keys.usage)));
    let more = json!({
        "is_free_tier": false,
        "byok_usage_usd": own_keys.usage.to_string(),
        "byok_fees_usd": own_keys.fees.to_string(),
        "byok_requests": own_keys.requests,
        "rate_limit": { "requests": -1, "interval": "10s", "note": "deprecated; see requests_per_minute" },
    });
    let own = with_amounts(&keys::api::object(&key), &amounts);
    let both = format!("{},{}", own.trim_end_matches('}'), more.to_string().trim_start_matches('{'));
    Ok(router::json(format!("{{\"data\":{both}}}")))
}
