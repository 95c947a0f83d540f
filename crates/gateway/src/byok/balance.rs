//! `POST /v1/byok/balance`: credits that an account moves to its balance for fees.
//!
//! The credits are held like those of a call, so that calls at once can't spend them too, until this node's purse has heard
//! that they are gone.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use ledger::BillingMode;
use serde_json::{Value, json};
use store::StoreError;
use types::{EntryId, Money};

use super::edit::new_id;
use super::input::Input;
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::manager;
use crate::router;

/// Moves credits.
pub(crate) async fn fill(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = manager(&parts)?;
    let gateway = &worker.gateway;
    if gateway.settings.mode == BillingMode::Metered {
        return Err(invalid(
            "nobody needs a balance here: fees are booked as use (`billing.mode` is metered)",
        ));
    }
    let (amount, id) = read(Input::read(&body)?)?;
    let id = match id {
        Some(id) => id,
        None => new_id()?,
    };
    let account = key.account.id.clone();
    // In a namespace of the account's own: nobody can take the id of another's entry.
    let entry_id = EntryId::new(format!("transfer:{account}:{id}"));
    let entry = ledger::to_byok(account.clone(), amount, entry_id, gateway.clock.now());
    let entry = entry.map_err(|error| invalid(&error.to_string()))?;
    let set = ledger::HoldSet::new([Arc::clone(&key.account.purse)]);
    let hold = set.try_hold(amount).map_err(|refusal| GatewayError::NoMoney(Box::new(refusal)))?;
    let store = Arc::clone(gateway);
    let booking = async move {
        let booked = store.store.credit_byok(&entry, None).await;
        match &booked {
            // In the same task: whatever becomes of the request, what was booked stays held until the purse knows.
            Ok(done) if done.applied => store.byok.keep_held(done.totals_seq, hold),
            _ => hold.void(),
        }
        booked
    };
    let booked = gateway.on_control(booking).await;
    let done =
        booked.unwrap_or(Err(StoreError::Unavailable(String::new()))).map_err(|error| match error {
            StoreError::Invalid(message) => GatewayError::InvalidRequest(message),
            StoreError::Conflict(_) => invalid("another transfer has this `id`; take a new one"),
            _ => GatewayError::StoreUnavailable,
        })?;
    let data = json!({
        "id": id,
        "from": "credits",
        "amount_usd": amount.to_string(),
        "applied": done.applied,
        "balance_usd": done.balance.left().to_string(),
    });
    Ok(router::json(json!({ "data": data }).to_string()))
}

fn invalid(message: &str) -> GatewayError {
    GatewayError::InvalidRequest(message.to_owned())
}

/// The amount, and what makes the transfer safe to repeat.
fn read(mut input: Input) -> Result<(Money, Option<String>), GatewayError> {
    const SHAPE: &str = "the body must be `{\"from\": \"credits\", \"amount_usd\": \"5\"}`, with an `id` beside it that makes it safe to repeat";
    if input.take("from").as_ref().and_then(Value::as_str) != Some("credits") {
        return Err(invalid(SHAPE));
    }
    let amount: Option<Money> = match input.take("amount_usd") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number.to_string().parse().ok(),
        _ => None,
    };
    let amount = amount.filter(|amount| *amount > Money::ZERO);
    let amount = amount
        .ok_or_else(|| invalid("`amount_usd` must be a decimal amount above 0, such as \"5\" or \"2.50\""))?;
    let id = input.text("id", 100)?.flatten();
    let plain = |id: &String| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if id.as_ref().is_some_and(|id| !plain(id)) {
        return Err(invalid("`id` takes letters, digits, `-`, `_` and `.`"));
    }
    if input.rest().is_empty() { Ok((amount, id)) } else { Err(invalid(SHAPE)) }
}
