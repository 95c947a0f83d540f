//! `GET /v1/credits`: the balance of the caller's account.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use ledger::BillingMode;
use serde_json::{Value, json};

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{caller, with_amounts};
use crate::keys::KeyState;
use crate::router;

/// The books plus what is not folded into them yet, so that a call that has ended is counted at once.
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let gateway = Arc::clone(&worker.gateway);
    let account = key.account.id.clone();
    let credits = worker.gateway.on_control(async move { gateway.store.credits(&account).await }).await;
    let credits = credits.and_then(Result::ok).ok_or(GatewayError::StoreUnavailable)?;
    let purse = key.account.purse.snapshot();
    let prepaid = worker.gateway.settings.mode == BillingMode::Prepaid;
    // In prepaid mode the purse is what a call is held against: a grant shows here at the instant when it can be spent.
    let (granted, used, balance) = match purse.limit.filter(|_| prepaid) {
        Some(limit) => (limit, purse.spent, limit.saturating_sub(purse.spent)),
        None => (credits.granted, credits.used, credits.balance),
    };
    let object = json!({
        "mode": if prepaid { "prepaid" } else { "metered" },
        "granted_usd": granted.to_string(),
        "used_usd": used.to_string(),
        "metered_usd": credits.metered.to_string(),
        "balance_usd": balance.to_string(),
        "held_usd": purse.held.to_string(),
        "byok": byok(worker, &key),
    });
    let total = if prepaid { used } else { credits.metered };
    let amounts = [("total_credits", Some(granted)), ("total_usage", Some(total))];
    Ok(router::json(format!("{{\"data\":{}}}", with_amounts(&object.to_string(), &amounts))))
}

/// The balance for fees and what own keys paid, apart from the account's other money.
fn byok(worker: &Worker, key: &KeyState) -> Value {
    let byok = &worker.gateway.byok;
    let used = byok.used(&key.account.id, None);
    let purse = byok.purse(&key.account).snapshot();
    let prepaid = worker.gateway.settings.mode == BillingMode::Prepaid;
    let balance = purse.limit.filter(|_| prepaid).map(|limit| limit.saturating_sub(purse.spent).to_string());
    json!({
        "fee_percent": byok.rate().to_string(),
        "balance_usd": balance,
        "held_usd": purse.held.to_string(),
        "usage_usd": used.usage.to_string(),
        "fees_usd": used.fees.to_string(),
        "requests": used.requests,
    })
}
