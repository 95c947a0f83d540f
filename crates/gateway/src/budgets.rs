//! `/v1/budgets`: how much an account, a project, a key, a tag or an end user may spend over a span.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use ledger::Period;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{BudgetRow, StoreError};
use types::Money;

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{manager, rfc3339};
use crate::keys::KeyState;
use crate::keys::budgets::{Budget, EACH_USER};
use crate::router;

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// All of the account's.
    List,
    /// One of them.
    One,
    /// A new one.
    Create,
    /// One edited.
    Edit,
    /// One taken away.
    Delete,
}

const THRESHOLDS: [u32; 3] = [50, 80, 100];
const THRESHOLDS_MAX: usize = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    name: Option<String>,
    subject: Option<String>,
    period: Option<String>,
    amount_usd: Option<Value>,
    hard: Option<bool>,
    thresholds: Option<Vec<u32>>,
}

fn invalid(message: impl Into<String>) -> GatewayError {
    GatewayError::InvalidRequest(format!("{}; nothing was changed", message.into()))
}

impl Asked {
    fn amount(&self) -> Result<Option<Money>, GatewayError> {
        let Some(value) = &self.amount_usd else { return Ok(None) };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let money = text.parse::<Money>().ok().filter(|money| !money.is_negative());
        money.map(Some).ok_or_else(|| invalid("`amount_usd` is an amount such as \"25.00\""))
    }

    fn thresholds(&self) -> Result<Option<Vec<u32>>, GatewayError> {
        let Some(given) = &self.thresholds else { return Ok(None) };
        let mut percents = given.clone();
        percents.sort_unstable();
        percents.dedup();
        let fits = percents.len() <= THRESHOLDS_MAX && percents.iter().all(|p| (1..=1_000).contains(p));
        fits.then_some(Some(percents)).ok_or_else(|| {
            invalid(format!("`thresholds` are at most {THRESHOLDS_MAX} percentages from 1 to 1000"))
        })
    }
}

/// What a budget can be for, checked.
fn subject(text: &str, worker: &Worker, manager: &KeyState) -> Result<String, GatewayError> {
    let fits = match text.split_once(':') {
        None => text == "account",
        Some(("key", id)) => {
            let keys = worker.gateway.keys.load();
            let own = keys.of_account(&manager.account.id);
            let key = own.iter().find(|key| key.rules.id.as_str() == id || key.rules.hash.to_hex() == id);
            let id = key.map(|key| format!("key:{}", key.rules.id));
            return id
                .ok_or_else(|| invalid(format!("the account has no key `{id}`", id = cut(id_of(text)))));
        }
        Some(("project" | "member" | "tag" | "user", name)) => {
            !name.is_empty() && name.chars().count() <= 120 && !name.contains(char::is_control)
        }
        Some(_) => false,
    };
    fits.then(|| text.to_owned()).ok_or_else(|| {
        invalid(
            "`subject` is `account`, `project:<name>`, `member:<id>`, `key:<id>`, `tag:<tag>`, `tag:<dimension>=<value>`, `user:<id>`, or `user:*` for each user",
        )
    })
}

fn id_of(text: &str) -> &str {
    text.split_once(':').map_or(text, |(_, id)| id)
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    op: Op,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let manager = manager(&parts)?;
    let now = worker.gateway.clock.now();
    match op {
        Op::List => Ok(list(worker, &manager)),
        Op::One => {
            let budget = named(worker, &parts, &manager)?;
            budget.purse().roll(now.day());
            let object = object(&budget.row(), Some(&budget));
            Ok(router::json(json!({ "data": object }).to_string()))
        }
        Op::Create => {
            let asked = read(&body)?;
            let missing = |what: &str| invalid(format!("`{what}` is missing"));
            let subject =
                subject(asked.subject.as_deref().ok_or_else(|| missing("subject"))?, worker, &manager)?;
            let period = asked.period.as_deref().map_or(Some(Period::Month), Period::from_name);
            let period = period.ok_or_else(|| invalid("`period` is one of day, week, month, total"))?;
            let row = BudgetRow {
                id: worker.new_id("bud").ok_or(GatewayError::Internal)?,
                account: manager.account.id.clone(),
                name: asked.name.clone().unwrap_or_else(|| format!("{subject} per {}", period.name())),
                subject,
                period,
                amount: asked.amount()?.ok_or_else(|| missing("amount_usd"))?,
                hard: asked.hard.unwrap_or(true),
                thresholds: asked.thresholds()?.unwrap_or_else(|| THRESHOLDS.to_vec()),
                created: now,
                updated: now,
                deleted: false,
                changed_seq: 0,
            };
            write(worker, row, StatusCode::CREATED).await
        }
        Op::Edit => {
            let asked = read(&body)?;
            let mut row = (*named(worker, &parts, &manager)?.row()).clone();
            let same =
                |given: &Option<String>, kept: &str| given.as_deref().is_none_or(|given| given == kept);
            let period = asked.period.as_deref().map(Period::from_name);
            if !same(&asked.subject, &row.subject) || period.is_some_and(|period| period != Some(row.period))
            {
                return Err(invalid("a budget keeps its subject and period; make another"));
            }
            row.name = asked.name.clone().unwrap_or(row.name);
            row.amount = asked.amount()?.unwrap_or(row.amount);
            row.hard = asked.hard.unwrap_or(row.hard);
            row.thresholds = asked.thresholds()?.unwrap_or(row.thresholds);
            row.updated = now;
            write(worker, row, StatusCode::OK).await
        }
        Op::Delete => {
            let mut row = (*named(worker, &parts, &manager)?.row()).clone();
            (row.deleted, row.updated) = (true, now);
            write(worker, row, StatusCode::OK).await.map(|_| router::json(r#"{"deleted":true}"#))
        }
    }
}

fn read(body: &Bytes) -> Result<Asked, GatewayError> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("the body is no budget: {error}")))
}

async fn write(
    worker: &Worker,
    row: BudgetRow,
    status: StatusCode,
) -> Result<Response<ResponseBody>, GatewayError> {
    let (gateway, stored) = (Arc::clone(&worker.gateway), row.clone());
    let done = worker.gateway.written(async move { gateway.store.put_budget(&stored).await }).await;
    match done {
        Some(Ok(())) => {
            let mut response = router::json(json!({ "data": object(&row, None) }).to_string());
            *response.status_mut() = status;
            Ok(response)
        }
        Some(Err(StoreError::Conflict(_))) => Err(GatewayError::RuleExists(format!(
            "`{}` has a budget per {} already, or the account has its most budgets; change or delete one of `GET /v1/budgets`",
            row.subject,
            row.period.name()
        ))),
        Some(Err(StoreError::Invalid(what))) => Err(invalid(what)),
        _ => Err(GatewayError::StoreUnavailable),
    }
}

fn named(worker: &Worker, parts: &Parts, manager: &KeyState) -> Result<Arc<Budget>, GatewayError> {
    let mut segments = parts.uri.path().split('/').skip_while(|segment| *segment != "budgets");
    let id = segments.nth(1).unwrap_or_default();
    let keys = worker.gateway.keys.load();
    let budgets = keys.budgets(&manager.account.id);
    let found =
        budgets.and_then(|budgets| budgets.iter().find(|budget| budget.row().id == id).map(Arc::clone));
    found.ok_or_else(|| {
        GatewayError::NotFound(String::from("the account has no such budget; `GET /v1/budgets` lists them"))
    })
}

fn list(worker: &Worker, manager: &KeyState) -> Response<ResponseBody> {
    let keys = worker.gateway.keys.load();
    let today = worker.gateway.clock.now().day();
    let budgets = keys.budgets(&manager.account.id).map(Arc::clone).unwrap_or_default();
    let mut rows: Vec<(Arc<BudgetRow>, Value)> = budgets
        .iter()
        .map(|budget| {
            budget.purse().roll(today);
            let row = budget.row();
            let object = object(&row, Some(budget));
            (row, object)
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| (&a.subject, a.period).cmp(&(&b.subject, b.period)));
    let objects: Vec<Value> = rows.into_iter().map(|(_, object)| object).collect();
    router::json(json!({ "data": objects }).to_string())
}

fn object(row: &BudgetRow, budget: Option<&Budget>) -> Value {
    let mut object = json!({
        "id": row.id,
        "name": row.name,
        "subject": row.subject,
        "period": row.period.name(),
        "amount_usd": row.amount.to_string(),
        "hard": row.hard,
        "thresholds": row.thresholds,
        "created_at": rfc3339(row.created),
        "updated_at": rfc3339(row.updated),
    });
    // What all users of a budget for each spend together says nothing of any of them.
    if let (Some(budget), Value::Object(map)) = (budget.filter(|_| row.subject != EACH_USER), &mut object) {
        let now = budget.purse().snapshot();
        let left = row.amount.saturating_sub(now.spent).saturating_sub(now.held);
        map.insert("spent_usd".to_owned(), json!(now.spent.to_string()));
        map.insert("held_usd".to_owned(), json!(now.held.to_string()));
        map.insert("left_usd".to_owned(), json!(left.to_string()));
        let resets = (row.period != Period::Total)
            .then(|| rfc3339(types::Timestamp::from_seconds(now.days.1.saturating_mul(86_400))));
        map.insert("resets_at".to_owned(), json!(resets));
    }
    object
}
