//! The audit log's pen: every request that changes something for those who administer is written down when it is over, whoever
//! made it and whatever came of it.
//!
//! - Which requests: all but `GET` on routes for managers, sessions and the operator; and who came in by a public route of people.
//!   One that nobody proved to be somebody is not written down: there is nobody to name. Nor is what people think of models: who is
//!   behind a name that they chose is no business of those who read the log of their organization.
//! - What of it: the names of the fields that were asked for, and the values of those that name no person and keep no secret; of
//!   an act that was refused only what it was: whoever mistypes writes a secret anywhere.
//! - An act is on disk before its answer leaves. Where the log can't be written, the act stands and the log of the process says so.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::{Map, Value, json};
use store::Act;
use types::{AccountId, Timestamp};

use crate::app::Worker;
use crate::auth::session::Visit;
use crate::auth::{Access, address};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::Manager;
use crate::router::{Route, plain};

/// Fields whose values are written down.
const SHOWN: [&str; 38] = [
    "action",
    "amount",
    "amount_usd",
    "archived",
    "audience",
    "concurrency",
    "disabled",
    "enabled",
    "expires_at",
    "grace_s",
    "hard",
    "holder",
    "include_byok_in_limit",
    "is_fallback",
    "is_management_key",
    "level",
    "limit",
    "limit_reset",
    "logging",
    "management",
    "month_max_usd",
    "name",
    "organization",
    "period",
    "project",
    "provider",
    "public_stats",
    "requests_per_minute",
    "role",
    "sort_order",
    "spend_limit",
    "subject",
    "threshold_usd",
    "thresholds",
    "tokens_per_minute",
    "until",
    "when_empty",
    "zero_retention",
];
/// Longest text that is written down.
const TEXT_CHARS_MAX: usize = 120;

/// An act that is under way.
pub(crate) struct Trail {
    action: String,
    object: Option<String>,
    address: Option<IpAddr>,
    detail: String,
    actor: Option<(String, AccountId)>,
}

impl Trail {
    /// Begins one, where the route is of that kind. `parts` know their caller by now.
    pub(crate) fn begin(route: &Route, parts: &Parts, body: &Bytes) -> Option<Trail> {
        let is_people = route.access == Access::Public && route.path.starts_with("/v1/auth/");
        let is_administered = matches!(route.access, Access::Manage(_) | Access::Session | Access::Operator);
        if route.method == "GET" || route.is_opinion() || !(is_administered || is_people) {
            return None;
        }
        Some(Trail {
            action: format!("{} {}", route.method, route.path),
            object: named(route.path, plain(parts.uri.path())),
            address: address(&parts.headers),
            detail: detail(body),
            actor: actor(parts),
        })
    }

    /// The act that it was, with what came of it; `None`: nobody proved to be somebody.
    pub(crate) fn end(
        self,
        at: Timestamp,
        result: &Result<Response<ResponseBody>, GatewayError>,
    ) -> Option<Act> {
        let (status, answer) = match result {
            Ok(response) => (response.status().as_u16(), answered(response)),
            Err(error) => (error.kind().0, Value::Null),
        };
        let erased = self.action == "DELETE /v1/auth/me" && status == 200;
        let (actor, account) = self.actor.or_else(|| newcomer(&answer))?;
        Some(Act {
            at,
            account,
            actor,
            action: self.action,
            object: self.object.filter(|_| status < 400).or_else(|| made(&answer)).unwrap_or_default(),
            // Whoever is erased leaves no address.
            address: self.address.filter(|_| !erased).map_or_else(String::new, |address| address.to_string()),
            status: i64::from(status),
            detail: if status < 400 { self.detail } else { String::from("{}") },
        })
    }
}

/// Writes an act down.
pub(crate) async fn note(worker: &Arc<Worker>, act: Act) {
    let gateway = Arc::clone(&worker.gateway);
    let done = worker.gateway.on_control(async move { gateway.store.note_act(&act).await });
    if !matches!(done.await, Some(Ok(()))) {
        tracing::error!("an act is missing from the audit log: the store doesn't answer");
    }
}

/// Who acts, where somebody proved to be somebody.
fn actor(parts: &Parts) -> Option<(String, AccountId)> {
    if let Some(Visit(Ok(visitor))) = parts.extensions.get::<Visit>() {
        return Some((visitor.user.id.clone(), visitor.key.account.id.clone()));
    }
    let Manager(key) = parts.extensions.get::<Manager>()?;
    Some((key.rules.id.to_string(), key.account.id.clone()))
}

/// What stands in the path for `{...}`.
fn named(pattern: &str, path: &str) -> Option<String> {
    let pairs = pattern.split('/').zip(path.split('/'));
    let given: Vec<&str> =
        pairs.filter(|(wanted, _)| wanted.starts_with('{')).map(|(_, given)| given).collect();
    (!given.is_empty()).then(|| cut(&given.join("/")))
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// The fields that were asked for, and what may be said of them.
fn detail(body: &Bytes) -> String {
    let Ok(Value::Object(asked)) = serde_json::from_slice::<Value>(body) else { return String::from("{}") };
    let mut told = Map::new();
    // What looks like no name of ours may be a secret in a wrong place.
    let is_name =
        |name: &&String| name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let fields: Vec<&String> = asked.keys().filter(is_name).take(64).collect();
    told.insert("fields".to_owned(), json!(fields));
    for (name, value) in &asked {
        if !SHOWN.contains(&name.as_str()) {
            continue;
        }
        let value = match value {
            Value::String(text) => Value::String(cut(text)),
            Value::Array(items) if items.len() > 16 => continue,
            Value::Object(_) => continue,
            other => other.clone(),
        };
        told.insert(name.clone(), value);
    }
    Value::Object(told).to_string()
}

/// The data of an answer that is all there.
fn answered(response: &Response<ResponseBody>) -> Value {
    let ResponseBody::Full(Some(body)) = response.body() else { return Value::Null };
    let mut answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    answer.get_mut("data").map(Value::take).unwrap_or_default()
}

/// The id of what was made.
fn made(data: &Value) -> Option<String> {
    ["hash", "id", "slug", "name"].iter().find_map(|name| data.get(name)?.as_str().map(cut))
}

/// Who came in by a public route.
fn newcomer(data: &Value) -> Option<(String, AccountId)> {
    let user = data.get("user")?;
    Some((user.get("id")?.as_str()?.to_owned(), AccountId::new(user.get("account")?.as_str()?)))
}

/// An act of the operator on the command line.
pub fn of_operator(action: &str, done: bool, at: Timestamp) -> Act {
    Act {
        at,
        account: AccountId::new(types::OWNER_ACCOUNT),
        actor: String::from("operator"),
        action: action.to_owned(),
        object: String::new(),
        address: String::new(),
        status: i64::from(!done),
        detail: String::from("{}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_people_stay_out_of_what_is_written_down() {
        let body = r#"{"name":"web","limit":"5.00","password":"plum","token":"mt_x","email":"a@b.c","key":"sk-1",
            "config":{"limit":"sk-2"},"thresholds":[50,80]}"#;
        let told: Value = serde_json::from_str(&detail(&Bytes::from(body))).unwrap();
        let shown = json!({
            "fields": ["config", "email", "key", "limit", "name", "password", "thresholds", "token"],
            "name": "web", "limit": "5.00", "thresholds": [50, 80],
        });
        assert_eq!(told["name"], shown["name"]);
        assert_eq!((&told["limit"], &told["thresholds"]), (&shown["limit"], &shown["thresholds"]));
        for secret in ["plum", "mt_x", "a@b.c", "sk-1", "sk-2"] {
            assert!(!told.to_string().contains(secret), "{told}");
        }
        assert_eq!(detail(&Bytes::from_static(b"no json")), "{}");
        assert!(SHOWN.is_sorted(), "each stands once");
    }

    #[test]
    fn an_act_names_what_the_path_names() {
        let of = |pattern, path| named(pattern, path);
        assert_eq!(of("/v1/keys/{hash}/rotate", "/v1/keys/abc/rotate"), Some("abc".to_owned()));
        assert_eq!(of("/v1/a/{b}/c/{d}", "/v1/a/1/c/2"), Some("1/2".to_owned()));
        assert_eq!(of("/v1/keys", "/v1/keys"), None);
    }
}
