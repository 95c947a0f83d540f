//! `GET /v1/credits`: the balance of the caller's account.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use ledger::BillingMode;
use serde_json::json;

use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::{caller, with_amounts};
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
    });
    let total = if prepaid { used } else { credits.metered };
    let amounts = [("total_credits", Some(granted)), ("total_usage", Some(total))];
    Ok(router::json(format!("{{\"data\":{}}}", with_amounts(&object, &amounts))))
}
