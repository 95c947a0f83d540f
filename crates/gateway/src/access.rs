//! `/v1/access`: what a key may call, and why. Beside it the rules that decide that: `/v1/approved-models`, `/v1/access-lists` and
//! `/v1/groups`, written by those who govern the organization.

mod access_lists;
mod approved_models;
mod groups;
mod named;

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use routing::access::{Access, Decides};
use serde_json::{Value, json};
use store::RuleRow;

use crate::app::Worker;
use crate::auth;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{caller, rfc3339};
use crate::keys::KeyState;
use crate::router;
use crate::rules::Rule;
use crate::rules::edit::Op;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// What the caller's key, or one of its account's, may call.
    Mine,
    /// What the organization approves.
    Approved(Op),
    /// Models under a name.
    Lists(Op),
    /// Holders of keys with the same lists.
    Groups(Op),
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    at: At,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match at {
        At::Mine => mine(worker, &parts),
        At::Approved(op) => approved_models::serve(worker, op, parts, body).await,
        At::Lists(op) => named::serve::<access_lists::AccessLists>(worker, op, parts, body).await,
        At::Groups(op) => named::serve::<groups::Groups>(worker, op, parts, body).await,
    }
}

/// What one key may call of the catalog, its own `allowed_models` among it.
pub(crate) struct May {
    access: Access,
    key: Arc<KeyState>,
}

impl May {
    /// Of a key.
    pub(crate) fn of(worker: &Worker, key: Arc<KeyState>) -> May {
        May { access: worker.gateway.rules.access(&key.rules), key }
    }

    /// Whether there is a model that it may not call.
    pub(crate) fn bounds(&self) -> bool {
        self.access.bounds() || !self.key.rules.limits.allowed_models.is_empty()
    }

    /// Whether it may call a model.
    pub(crate) fn call(&self, id: &str) -> bool {
        self.key.rules.limits.allows_model(id) && self.access.holds(id)
    }
}

fn mine(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let asker = caller(worker, parts, auth::Access::AnyKey)?;
    let named = router::query(parts).into_iter().find(|(name, _)| name == "key").map(|(_, value)| value);
    let key = match named {
        None => asker,
        // One that calls models knows of no other key.
        Some(_) if !asker.rules.management => {
            return Err(GatewayError::WrongKeyKind(
                "an API key sees what it may call itself; leave `key` out",
            ));
        }
        Some(name) => {
            let own = worker.gateway.keys.load().of_account(&asker.account.id);
            let is = |key: &Arc<KeyState>| key.rules.hash.to_hex() == name || key.rules.id.as_str() == name;
            own.into_iter().filter(|key| !key.rules.revoked).find(is).ok_or_else(|| {
                GatewayError::NotFound(String::from(
                    "the account has no such key; `GET /v1/keys` lists them by hash and id",
                ))
            })?
        }
    };
    let id = key.rules.id.clone();
    let approval = worker.gateway.rules.approval(&key.account.id);
    let approval = approval.as_ref().and_then(|rule| rule.parsed.as_ref());
    let allowed = key.rules.limits.allowed_models.clone();
    let may = May::of(worker, key);
    let world = worker.gateway.world.load();
    let all = world.snapshot.models.iter();
    let models: Vec<&str> = all.map(|model| &*model.id).filter(|id| may.call(id)).collect();
    let (decides, names) = match may.access.decides() {
        Decides::Nobody => ("organization", Vec::new()),
        Decides::Key(lists) => ("key", lists.to_vec()),
        Decides::Groups(groups) => ("groups", groups.to_vec()),
    };
    let data = json!({
        "object": "access",
        "key": id,
        "decided_by": decides,
        "names": names,
        "allowed_models": allowed,
        "asks_approval": may.access.asks_approval(),
        "providers": approval.map(|approval| &approval.providers),
        "regions": approval.map(|approval| &approval.regions),
        "no_training": approval.is_some_and(|approval| approval.no_training),
        "zero_retention": approval.is_some_and(|approval| approval.zero_retention),
        "model_count": models.len(),
        "models": models,
    });
    Ok(router::json(json!({ "data": data }).to_string()))
}

/// A rule as it is shown: what was written, and beside it what was worked out from it.
struct Shown<'a> {
    object: &'static str,
    name: Option<&'a str>,
    version: i64,
    created: String,
    updated: String,
    by: &'a str,
    text: &'a str,
}

impl<'a> Shown<'a> {
    fn of<T>(object: &'static str, rule: &'a Rule<T>) -> Shown<'a> {
        Shown {
            object,
            name: Some(&rule.slug),
            version: rule.version,
            created: rfc3339(rule.first_created),
            updated: rfc3339(rule.created),
            by: &rule.created_by,
            text: &rule.text,
        }
    }

    fn row(object: &'static str, row: &'a RuleRow) -> Shown<'a> {
        Shown {
            object,
            name: Some(&row.slug),
            version: row.version,
            created: rfc3339(row.first_created),
            updated: rfc3339(row.created),
            by: &row.created_by,
            text: &row.body,
        }
    }

    /// With `more` beside it.
    fn json(&self, more: Value) -> Value {
        let mut written: Value = serde_json::from_str(self.text).unwrap_or_else(|_| json!({}));
        let held = written.as_object_mut().and_then(|map| map.remove("approved_ids"));
        let mut shown = json!({
            "object": self.object,
            "version": self.version,
            "created_at": self.created,
            "updated_at": self.updated,
            "updated_by": self.by,
            "model_ids": held,
            self.object: written,
        });
        if let Value::Object(map) = &mut shown {
            if let Some(name) = self.name {
                map.insert(String::from("name"), json!(name));
            }
            if self.object == "group" {
                map.remove("model_ids");
            }
            if let Value::Object(more) = more {
                map.extend(more);
            }
        }
        shown
    }

    /// As one of its versions.
    fn version(row: &RuleRow, object: &'static str) -> Value {
        let written: Value = serde_json::from_str(&row.body).unwrap_or(Value::Null);
        json!({
            "version": row.version,
            "created_at": rfc3339(row.created),
            "created_by": row.created_by,
            "deleted": row.deleted,
            object: written,
        })
    }
}

fn listed(data: &[Value]) -> Response<ResponseBody> {
    router::json(json!({ "data": data, "total_count": data.len() }).to_string())
}
