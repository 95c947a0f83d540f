//! Refunds by the operator, through Stripe.
//!
//! The credit is taken off the balance first and waits in clearing; only then is Stripe asked, under a key that makes it safe
//! to ask again. A crash in between leaves the refund to be ended by Stripe's own webhook, or by the same command once more.

use ledger::{cents, from_cents};
use serde_json::Value;
use store::{Notice, RefundPlan, Says, Store, StoreError, Taken};
use types::{Money, Timestamp};

use super::event::{self, STRIPE};
use super::stripe::{Stripe, StripeError, field, text};
use super::{PaymentError, Payments, tell};

/// Why a refund was not made.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// The order or the balance does not allow it; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stripe is not configured.
    #[error(transparent)]
    Off(#[from] PaymentError),
    /// Stripe refused; what was set aside is back on the balance.
    #[error("{0}; the credit is back on the balance")]
    Refused(StripeError),
    /// Whether Stripe did it is not known.
    #[error("{0}; the credit stays set aside: run the same command again, without an amount, to end it")]
    Unknown(StripeError),
}

/// A refund that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// What was asked for.
    pub plan: RefundPlan,
    /// What became of it.
    pub taken: Taken,
}

/// Refunds credit of an order; `None`: all that is left of the order and of the balance.
pub async fn refund(
    store: &Store,
    payments: &Payments,
    order: &str,
    credit: Option<Money>,
    now: Timestamp,
) -> Result<Refunded, RefundError> {
    let stripe = payments.stripe()?;
    let plan = store.begin_refund(order, credit, now).await?;
    let payment = plan.order.payment.clone().unwrap_or_default();
    if plan.begun_before
        && let Some(taken) = done_before(store, payments, stripe, &plan, now).await?
    {
        return Ok(Refunded { plan, taken });
    }
    let form = vec![
        field("payment_intent", &payment),
        field("amount", cents(plan.payment).unwrap_or_default()),
        field("metadata[order]", &plan.order.id),
    ];
    let answer = match stripe.post("/v1/refunds", &form, &plan.key).await {
        Ok(answer) => answer,
        Err(refused @ StripeError::Refused { .. }) => {
            store.cancel_refund(order, now).await?;
            return Err(RefundError::Refused(refused));
        }
        Err(unknown) => return Err(RefundError::Unknown(unknown)),
    };
    if matches!(answer.get("status").and_then(|s| s.as_str()), Some("failed" | "canceled")) {
        store.cancel_refund(order, now).await?;
        let (code, message) = ("failed".to_owned(), "the refund failed".to_owned());
        return Err(RefundError::Refused(StripeError::Refused { code, message }));
    }
    // The sum of all refunds is what counts: it is right whoever else has refunded meanwhile.
    let charge = text(&answer, "charge").map_err(RefundError::Unknown)?;
    let charge = stripe.get(&format!("/v1/charges/{charge}")).await.map_err(RefundError::Unknown)?;
    let taken = tell(store, payments, &notice(&plan, &charge), now).await?;
    Ok(Refunded { plan, taken })
}

/// What a charge says of all refunds of the plan's order.
fn notice(plan: &RefundPlan, charge: &Value) -> Notice {
    let mut says = event::refund(charge);
    if let Says::Returned { order, payment, .. } = &mut says {
        *order = Some(plan.order.id.clone());
        payment.clone_from(&plan.order.payment);
    }
    Notice { processor: STRIPE, id: plan.key.clone(), kind: "refund".to_owned(), says }
}

/// A refund that was begun before may have been made: Stripe forgets its key after a day, so that asking again could make a
/// second one. `None`: nothing more was paid back than is known.
async fn done_before(
    store: &Store,
    payments: &Payments,
    stripe: &Stripe,
    plan: &RefundPlan,
    now: Timestamp,
) -> Result<Option<Taken>, RefundError> {
    let payment = plan.order.payment.as_deref().unwrap_or_default();
    let intent = stripe.get(&format!("/v1/payment_intents/{payment}")).await.map_err(RefundError::Unknown)?;
    let latest = intent.get("latest_charge");
    let id = latest.and_then(|charge| charge.as_str().or_else(|| charge.get("id")?.as_str()));
    let id = id.ok_or(RefundError::Unknown(StripeError::Lacks("latest_charge")))?;
    let charge = stripe.get(&format!("/v1/charges/{id}")).await.map_err(RefundError::Unknown)?;
    let notice = notice(plan, &charge);
    let more = match &notice.says {
        Says::Returned { cents, .. } => from_cents(*cents).is_some_and(|sum| sum > plan.order.refunded),
        _ => false,
    };
    if !more {
        return Ok(None);
    }
    Ok(Some(tell(store, payments, &notice, now).await?))
}
