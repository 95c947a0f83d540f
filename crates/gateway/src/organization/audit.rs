//! `/v1/organization/audit` and `/v1/audit`: every act of those who administer, as [`crate::acts`] wrote it down.

use std::sync::Arc;

use http::request::Parts;
use serde_json::{Value, json};
use store::{AUDIT_PAGE_ROWS, ActRow};
use types::AccountId;

use super::{Answer, Office};
use crate::app::Worker;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

/// An act as it is shown.
pub fn object(row: &ActRow) -> Value {
    let act = &row.act;
    json!({
        "number": row.seq,
        "at": rfc3339(act.at),
        "organization": act.account,
        "actor": act.actor,
        "action": act.action,
        "object": act.object,
        "address": act.address,
        "status": act.status,
        "detail": serde_json::from_str::<Value>(&act.detail).unwrap_or_default(),
        "redacted_at": row.redacted.map(rfc3339),
        "hash": row.hash,
    })
}

/// `GET /v1/organization/audit`: one's own organization's.
pub(super) async fn own(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let office = Office::open(worker, parts)?;
    page(&office.desk, Some(office.account())).await
}

/// `GET /v1/audit`: the whole server's.
pub(super) async fn all(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    crate::key::caller(worker, parts, crate::auth::Access::Operator)?;
    page(&Desk::open(worker, parts), None).await
}

/// The newest first; `?before=` the `next` of the page before.
async fn page(desk: &Desk<'_>, account: Option<AccountId>) -> Answer {
    let query = router::query(desk.parts);
    let before = query.iter().find(|(name, _)| name == "before").map(|(_, text)| text.parse::<i64>());
    let before = match before {
        None => i64::MAX,
        Some(Ok(number)) => number,
        Some(Err(_)) => {
            let why = "`before` is the number of an act, as `next` of the page before says it";
            return Err(GatewayError::InvalidRequest(String::from(why)));
        }
    };
    let rows = desk
        .store(|gateway| async move { gateway.store.acts(account.as_ref(), before, AUDIT_PAGE_ROWS).await })
        .await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == AUDIT_PAGE_ROWS);
    let next = rows.last().filter(|_| full).map(|row| row.seq);
    let shown: Vec<Value> = rows.iter().map(object).collect();
    Ok(router::json(json!({ "data": shown, "next": next }).to_string()))
}
