//! `GET /v1/server/organizations`: every organization, with its members, its credit and its use in all.

use std::collections::HashMap;
use std::sync::Arc;

use http::request::Parts;
use serde_json::{Value, json};
use types::{AccountId, Money};

use super::Answer;
use crate::app::Worker;
use crate::desk::Desk;
use crate::key::rfc3339;
use crate::router;

/// `GET /v1/server/organizations`; those that are somebody's own too.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let (all, totals) = Desk::open(worker, parts)
        .store(|gateway| async move {
            Ok((gateway.store.all_organizations(true).await?, gateway.store.totals().await?))
        })
        .await?;
    let totals: HashMap<AccountId, (Money, Money)> = totals
        .into_iter()
        .map(|one| (one.account, (one.credited.saturating_sub(one.charged), one.metered)))
        .collect();
    let keys = worker.gateway.keys.load();
    let object = |(one, members): &(store::Organization, i64)| -> Value {
        let (balance, metered) = totals.get(&one.account).copied().unwrap_or_default();
        let live = keys
            .of_account(&one.account)
            .iter()
            .filter(|key| !key.rules.revoked && !key.rules.disabled)
            .count();
        json!({
            "id": one.account,
            "name": one.name,
            "personal": one.personal,
            "members": members,
            "keys": live,
            "balance_usd": balance.to_string(),
            "metered_usd": metered.to_string(),
            "created_at": rfc3339(one.created),
        })
    };
    let shown: Vec<Value> = all.iter().map(object).collect();
    Ok(router::json(json!({ "data": shown }).to_string()))
}
