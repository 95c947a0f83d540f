//! `/v1/keys`: the keys of an account, in OpenRouter's shape with our own fields beside it. A key is named by its hash, as
//! OpenRouter does, or by its id. Its text is shown once, when it is made or rotated.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use ledger::Period;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{KeyEdit, NewKey, StoreError};
use types::{ApiKeyText, KeyId, Money, Right, Role, Timestamp};

use super::limits::Limits;
use super::spans::Spans;
use super::{KeyRules, KeyState};
use crate::app::Worker;
use crate::auth::AuthError;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{manager, rfc3339, with_amounts};
use crate::router;

/// Longest grace of a rotation.
const GRACE_MAX_S: u64 = 30 * 24 * 3_600;
/// Grace where the caller doesn't say.
const GRACE_S: u64 = 24 * 3_600;
/// Most keys of a page.
const PAGE_KEYS: usize = 100;

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// All of the account's.
    List,
    /// A new one.
    Create,
    /// One.
    Show,
    /// One edited.
    Edit,
    /// One revoked.
    Delete,
    /// One given another text.
    Rotate,
}

/// A money amount as clients write it: a JSON number or a decimal text. Its digits are read as they stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Amount {
    Text(String),
    Number(serde_json::Number),
}

impl Amount {
    pub(crate) fn money(&self, field: &str) -> Result<Money, GatewayError> {
        let text = match self {
            Amount::Text(text) => text.clone(),
            Amount::Number(number) => number.to_string(),
        };
        let money = text.parse::<Money>().ok().filter(|money| !money.is_negative());
        money.ok_or_else(|| {
            invalid(format!("`{field}` is not an amount in USD of up to nine decimals, such as 12.50"))
        })
    }
}

/// A field that can be left out, taken away by `null`, or given.
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(d).map(Some)
}

/// What callers write of a key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    name: Option<String>,
    disabled: Option<bool>,
    #[serde(deserialize_with = "given")]
    limit: Option<Option<Amount>>,
    #[serde(deserialize_with = "given")]
    limit_reset: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    expires_at: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    requests_per_minute: Option<Option<u32>>,
    #[serde(deserialize_with = "given")]
    concurrency: Option<Option<u32>>,
    #[serde(deserialize_with = "given")]
    project: Option<Option<String>>,
    management: Option<bool>,
    grace_s: Option<u64>,
    // OpenRouter's and the older name of `management`.
    is_management_key: Option<bool>,
    workspace_id: Option<Value>,
    #[serde(alias = "creator_user_id", deserialize_with = "given")]
    holder: Option<Option<String>>,
    role: Option<String>,
    #[serde(flatten)]
    limits: serde_json::Map<String, Value>,
}

fn invalid(message: impl Into<String>) -> GatewayError {
    GatewayError::InvalidRequest(format!("{}; nothing was changed", message.into()))
}

impl Asked {
    fn read(body: &Bytes) -> Result<Asked, GatewayError> {
        if body.is_empty() {
            return Ok(Asked::default());
        }
        serde_json::from_slice(body).map_err(|error| invalid(format!("the body is no key: {error}")))
    }

    fn expires(&self, now: Timestamp) -> Result<Option<Option<Timestamp>>, GatewayError> {
        let Some(Some(text)) = &self.expires_at else { return Ok(self.expires_at.as_ref().map(|_| None)) };
        let at = text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()));
        match at.filter(|at| *at > now) {
            Some(at) => Ok(Some(Some(at))),
            None => Err(invalid(
                "`expires_at` is an instant to come in UTC, such as 2030-01-31T12:00:00Z, or null for never",
            )),
        }
    }

    fn project(&self) -> Result<Option<Option<String>>, GatewayError> {
        let Some(Some(project)) = &self.project else { return Ok(self.project.clone()) };
        store::check_slug(project).map_err(|error| invalid(format!("`project`: {error}")))?;
        Ok(Some(Some(project.clone())))
    }

    /// The key's limits with what was asked laid over them.
    fn limits(&self, before: &Limits) -> Result<Limits, GatewayError> {
        let mut merged = serde_json::to_value(before).unwrap_or_default();
        if let Value::Object(map) = &mut merged {
            let presets = serde_json::to_value(Limits::default()).unwrap_or_default();
            for (name, value) in &self.limits {
                let value = match value {
                    Value::Null => presets.get(name).cloned().unwrap_or_default(),
                    value => value.clone(),
                };
                map.insert(name.clone(), value);
            }
        }
        let mut limits: Limits =
            serde_json::from_value(merged).map_err(|error| invalid(error.to_string()))?;
        if let Some(reset) = &self.limit_reset {
            let period = reset.as_deref().map_or(Some(Period::Total), Period::from_name);
            limits.limit_reset = period.ok_or_else(|| {
                invalid("`limit_reset` is one of daily, weekly, monthly, or null for a limit in all")
            })?;
        }
        limits.check().map_err(invalid)?;
        Ok(limits)
    }

    /// Access lists take the place of those of the holder's groups: whoever governs gives them.
    fn check_lists(&self, worker: &Worker, manager: &KeyState) -> Result<(), GatewayError> {
        let Some(asked) = self.limits.get("access_lists") else { return Ok(()) };
        if !manager.rules.role.may(Right::Govern) {
            return Err(AuthError::Role { role: manager.rules.role, right: Right::Govern }.into());
        }
        let known = worker.gateway.rules.names(&manager.account.id, store::RuleKind::AccessList);
        let names = asked.as_array().map(Vec::as_slice).unwrap_or_default();
        let unknown = names.iter().find(|name| !known.iter().any(|known| name.as_str() == Some(known)));
        match unknown {
            Some(name) => Err(invalid(format!(
                "`access_lists` names {name}, which is not there; `GET /v1/access-lists` lists them"
            ))),
            None => Ok(()),
        }
    }

    fn limit(&self) -> Result<Option<Option<Money>>, GatewayError> {
        let amount =
            |amount: &Option<Amount>| amount.as_ref().map(|amount| amount.money("limit")).transpose();
        self.limit.as_ref().map(amount).transpose()
    }
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let manager = manager(&parts)?;
    match op {
        Op::List => list(worker, &parts, &manager).await,
        Op::Show => {
            let key = named(worker, &parts, &manager)?;
            let spans = Spans::of(worker, &manager.account.id).await;
            Ok(answer(&row(&key, &spans), StatusCode::OK, None))
        }
        Op::Create => create(worker, &manager, Asked::read(&body)?).await,
        Op::Edit => {
            let key = own(worker, &parts, &manager)?;
            let asked = Asked::read(&body)?;
            asked.check_lists(worker, &manager)?;
            edit(worker, &key, asked).await
        }
        Op::Delete => {
            let key = own(worker, &parts, &manager)?;
            let (gateway, now) = (Arc::clone(&worker.gateway), worker.gateway.clock.now());
            let id = key.rules.id.clone();
            let done = worker.gateway.written(async move { gateway.store.revoke_key(&id, now).await }).await;
            stored(done)?;
            Ok(router::json(r#"{"deleted":true}"#))
        }
        Op::Rotate => {
            let key = own(worker, &parts, &manager)?;
            rotate(worker, &key, &Asked::read(&body)?).await
        }
    }
}

fn stored<T>(done: Option<Result<T, StoreError>>) -> Result<T, GatewayError> {
    match done {
        Some(Ok(done)) => Ok(done),
        Some(Err(StoreError::NotFound(what))) => Err(GatewayError::NotFound(format!("{what} not found"))),
        Some(Err(StoreError::Invalid(what) | StoreError::Conflict(what))) => Err(invalid(what)),
        _ => Err(GatewayError::StoreUnavailable),
    }
}

/// The key that the path names, of the caller's account.
fn named(worker: &Worker, parts: &Parts, manager: &KeyState) -> Result<Arc<KeyState>, GatewayError> {
    let mut segments = parts.uri.path().split('/').skip_while(|segment| *segment != "keys");
    let name = segments.nth(1).unwrap_or_default();
    let own = worker.gateway.keys.load().of_account(&manager.account.id);
    let is = |key: &&Arc<KeyState>| key.rules.hash.to_hex() == name || key.rules.id.as_str() == name;
    let found = own.iter().filter(|key| !key.rules.revoked).find(is).map(Arc::clone);
    found.ok_or_else(|| {
        GatewayError::NotFound(String::from(
            "the account has no such key; `GET /v1/keys` lists them by hash and id",
        ))
    })
}

/// The key that the path names, where the caller may write it: their own, or any for those who govern.
fn own(worker: &Worker, parts: &Parts, manager: &KeyState) -> Result<Arc<KeyState>, GatewayError> {
    let key = named(worker, parts, manager)?;
    if manager.rules.role.may(Right::Govern) {
        return Ok(key);
    }
    let theirs = manager.rules.holder.is_some() && key.rules.holder == manager.rules.holder;
    let refused = AuthError::Role { role: manager.rules.role, right: Right::Govern };
    if theirs { Ok(key) } else { Err(refused.into()) }
}

/// Who holds a new key, and what it may do if it manages: at most what its holder may, and who makes it.
async fn held(
    worker: &Worker,
    manager: &KeyState,
    asked: &Asked,
    management: bool,
) -> Result<(Option<String>, Option<Role>), GatewayError> {
    let own = &manager.rules;
    let named = |name: &String| {
        Role::named(name).ok_or_else(|| invalid("`role` is one of owner, admin, developer, billing, viewer"))
    };
    let role = asked.role.as_ref().map(named).transpose()?;
    if role.is_some() && !management {
        return Err(invalid("`role` is for management keys; one that calls models has none"));
    }
    let holder = asked.holder.clone().unwrap_or_else(|| own.holder.clone());
    let most = match &holder {
        holder if *holder == own.holder => own.role,
        _ if !own.role.may(Right::Govern) => {
            return Err(AuthError::Role { role: own.role, right: Right::Govern }.into());
        }
        None => own.role,
        Some(id) => {
            let (gateway, account) = (Arc::clone(&worker.gateway), own.account.clone());
            let id = id.clone();
            let found = worker.gateway.on_control(async move { gateway.store.holder(&account, &id).await });
            stored(found.await)?
                .ok_or_else(|| invalid("`holder` is no member and no service account of the organization"))?
        }
    };
    let preset = [Role::Admin, most].into_iter().find(|role| most.covers(*role) && own.role.covers(*role));
    let role = role.or(preset).unwrap_or(Role::Viewer);
    if management && !(most.covers(role) && own.role.covers(role)) {
        return Err(AuthError::Grant { role: own.role, asked: role }.into());
    }
    Ok((holder, management.then_some(role)))
}

async fn list(
    worker: &Worker,
    parts: &Parts,
    manager: &KeyState,
) -> Result<Response<ResponseBody>, GatewayError> {
    let query = router::query(parts);
    let of = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let all = of("include_disabled").is_some_and(|value| value == "true" || value == "1");
    let offset = match of("offset") {
        None => 0,
        Some(text) => text.parse().map_err(|_| invalid("`offset` is a whole number"))?,
    };
    let own = worker.gateway.keys.load().of_account(&manager.account.id);
    let shown = own.iter().filter(|key| !key.rules.revoked && (all || !key.rules.disabled));
    let spans = Spans::of(worker, &manager.account.id).await;
    let objects: Vec<String> = shown.skip(offset).take(PAGE_KEYS).map(|key| row(key, &spans)).collect();
    Ok(router::json(format!("{{\"data\":[{}]}}", objects.join(","))))
}

async fn create(
    worker: &Arc<Worker>,
    manager: &KeyState,
    asked: Asked,
) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = &worker.gateway;
    let now = gateway.clock.now();
    let name = asked.name.clone().ok_or_else(|| invalid("`name` is missing; say what the key is for"))?;
    let management = asked.management.or(asked.is_management_key).unwrap_or(false);
    asked.check_lists(worker, manager)?;
    let mut limits = asked.limits(&Limits::default())?;
    let (cap, over) = gateway.settings.new_key_limit;
    let limit = match asked.limit()? {
        Some(limit) => limit,
        // A key that calls nothing spends nothing.
        None if management => None,
        None => {
            if asked.limit_reset.is_none() {
                limits.limit_reset = over;
            }
            cap
        }
    };
    let (holder, role) = held(worker, manager, &asked, management).await?;
    let text = worker.new_key_text().ok_or(GatewayError::Internal)?;
    let new = NewKey {
        id: worker.new_id("key").map(KeyId::new).ok_or(GatewayError::Internal)?,
        account: manager.account.id.clone(),
        hash: text.hash(),
        label: text.label(),
        name,
        management,
        spend_limit: limit,
        expires: asked.expires(now)?.flatten(),
        requests_per_minute: asked.requests_per_minute.flatten(),
        concurrency: asked.concurrency.flatten(),
        created: now,
        project: asked.project()?.flatten(),
        rules: limits.write(),
        holder,
        role,
    };
    let rules = rules_of(&new, limits);
    let shared = Arc::clone(gateway);
    stored(gateway.written(async move { shared.store.insert_key(&new).await }).await)?;
    let purse = (rules.spend_limit, Money::ZERO, Money::ZERO);
    Ok(answer(&object_of(&rules, purse, Money::ZERO), StatusCode::CREATED, Some(&text)))
}

fn rules_of(new: &NewKey, limits: Limits) -> KeyRules {
    KeyRules {
        id: new.id.clone(),
        account: new.account.clone(),
        hash: new.hash,
        previous: None,
        label: new.label.clone(),
        name: new.name.clone(),
        project: new.project.clone(),
        management: new.management,
        disabled: false,
        frozen: None,
        revoked: false,
        expires: new.expires,
        spend_limit: new.spend_limit,
        requests_per_minute: new.requests_per_minute,
        concurrency: new.concurrency,
        limits,
        created: new.created,
        updated: None,
        holder: new.holder.clone(),
        role: new.role.unwrap_or(Role::Admin),
    }
}

async fn edit(
    worker: &Arc<Worker>,
    key: &KeyState,
    asked: Asked,
) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = &worker.gateway;
    let now = gateway.clock.now();
    if asked.management.or(asked.is_management_key).is_some_and(|wish| wish != key.rules.management) {
        return Err(invalid("a key stays what it is; make another with `management` set"));
    }
    if asked.holder.is_some() || asked.role.is_some() {
        return Err(invalid("a key stays whose it is and what it may do; make another"));
    }
    let limits = asked.limits(&key.rules.limits)?;
    let edit = KeyEdit {
        name: asked.name.clone(),
        disabled: asked.disabled,
        spend_limit: asked.limit()?,
        expires: asked.expires(now)?,
        requests_per_minute: asked.requests_per_minute,
        concurrency: asked.concurrency,
        project: asked.project()?,
        rules: (limits != key.rules.limits).then(|| limits.write()),
    };
    let (account, id) = (key.rules.account.clone(), key.rules.id.clone());
    let shared = Arc::clone(gateway);
    let done = gateway.written(async move { shared.store.edit_key(&account, &id, &edit, now).await }).await;
    let row = stored(done)?;
    let rules = KeyRules {
        disabled: row.disabled || row.holder_is_out,
        frozen: row.frozen,
        updated: row.updated,
        ..rules_of(&row.key, limits)
    };
    let now = key.purse.snapshot();
    let purse = (rules.spend_limit, now.spent, now.held);
    Ok(answer(&object_of(&rules, purse, key.total.snapshot().spent), StatusCode::OK, None))
}

async fn rotate(
    worker: &Arc<Worker>,
    key: &KeyState,
    asked: &Asked,
) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = &worker.gateway;
    let now = gateway.clock.now();
    let grace = asked.grace_s.unwrap_or(GRACE_S);
    if grace > GRACE_MAX_S {
        return Err(invalid(format!("`grace_s` is at most {GRACE_MAX_S} seconds")));
    }
    let until = Timestamp(now.0.saturating_add(i64::try_from(grace).unwrap_or(0).saturating_mul(1_000_000)));
    let text = worker.new_key_text().ok_or(GatewayError::Internal)?;
    let (account, id, hash, label) =
        (key.rules.account.clone(), key.rules.id.clone(), text.hash(), text.label());
    let shared = Arc::clone(gateway);
    let done = gateway
        .written(async move { shared.store.rotate_key(&account, &id, (hash, &label), until, now).await });
    let row = stored(done.await)?;
    let rules = KeyRules {
        previous: row.previous,
        updated: row.updated,
        ..rules_of(&row.key, key.rules.limits.clone())
    };
    let now = key.purse.snapshot();
    let purse = (rules.spend_limit, now.spent, now.held);
    Ok(answer(&object_of(&rules, purse, key.total.snapshot().spent), StatusCode::OK, Some(&text)))
}

fn answer(object: &str, status: StatusCode, text: Option<&ApiKeyText>) -> Response<ResponseBody> {
    let mut response = router::json(match text {
        Some(text) => format!("{{\"data\":{object},\"key\":{}}}", wire::json::quote(text.expose())),
        None => format!("{{\"data\":{object}}}"),
    });
    *response.status_mut() = status;
    response
}

/// A key as it is shown, with what it has spent.
pub(crate) fn object(key: &KeyState) -> String {
    let purse = key.purse.snapshot();
    object_of(&key.rules, (purse.limit, purse.spent, purse.held), key.total.snapshot().spent)
}

/// With what it spent by spans.
fn row(key: &KeyState, spans: &Spans) -> String {
    let purse = key.purse.snapshot();
    let (purse, total) = ((purse.limit, purse.spent, purse.held), key.total.snapshot().spent);
    with_amounts(&object_of(&key.rules, purse, total), &spans.key(&key.rules.id).collect::<Vec<_>>())
}

/// `(limit, spent, held)` over the span of the limit, and what was spent in all.
fn object_of(rules: &KeyRules, (limit, spent, held): (Option<Money>, Money, Money), total: Money) -> String {
    let left = limit.map(|limit| limit.saturating_sub(spent).saturating_sub(held));
    let text = |money: Money| Value::String(money.to_string());
    let mut object = json!({
        "hash": rules.hash.to_hex(),
        "id": rules.id,
        "name": rules.name,
        "label": rules.label,
        "account": rules.account,
        "project": rules.project,
        "workspace_id": null,
        "creator_user_id": rules.holder,
        "holder": rules.holder,
        "role": rules.management.then(|| rules.role.name()),
        "disabled": rules.disabled,
        "frozen": rules.frozen,
        "limit_usd": limit.map(text),
        "limit_remaining_usd": left.map(text),
        "usage_usd": text(total),
        "held_usd": text(held),
        "requests_per_minute": rules.requests_per_minute,
        "concurrency": rules.concurrency,
        "is_management_key": rules.management,
        "is_provisioning_key": rules.management,
        "created_at": rfc3339(rules.created),
        "updated_at": rules.updated.map(rfc3339),
        "expires_at": rules.expires.map(rfc3339),
        "old_text_until": rules.previous.map(|previous| rfc3339(previous.until)),
    });
    if let (Value::Object(map), Ok(Value::Object(limits))) =
        (&mut object, serde_json::to_value(&rules.limits))
    {
        map.extend(limits);
        map.insert("limit_reset".to_owned(), json!(rules.limits.limit_reset.reset()));
    }
    with_amounts(&object.to_string(), &[("limit", limit), ("limit_remaining", left), ("usage", Some(total))])
}
