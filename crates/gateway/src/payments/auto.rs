//! Automatic top-ups: `GET` and `PUT /v1/credits/auto-top-up`, and the job's pass over the accounts that are due.
//!
//! - The payment method is that of a checkout with `save_payment_method`; Stripe keeps it, we keep its id.
//! - One per account is in flight. Its order is stored first, and its id is Stripe's idempotency key: whatever crashes in
//!   between, the next pass asks for the same payment again, and Stripe makes it once.
//! - What Stripe answers counts like its webhook: whichever comes first credits, the other finds it done.
//! - A payment that fails switches automatic top-ups off and tells the owner, so that a card is not tried for ever.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use ledger::{BalanceKind, cents};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{
    AutoTopUp, AutoTopUpRules, Due, NewOrder, Notice, Order, OrderKind, OrderStatus, Says, StoreError,
};
use types::{AccountId, Money, Timestamp};

use super::event::{self, STRIPE};
use super::stripe::{Stripe, StripeError, field, text};
use super::{Counter, PaymentError, amount, month_began, random_id, usd};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::crash;
use crate::error::GatewayError;
use crate::mail::{Mail, To};
use crate::router;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    enabled: bool,
    threshold_usd: Option<Box<RawValue>>,
    amount_usd: Option<Box<RawValue>>,
    month_max_usd: Option<Box<RawValue>>,
}

/// For this long Stripe surely knows a key again: it forgets them after 24 hours.
const KEY_LIVES_S: i64 = 23 * 3_600;
const EXAMPLE: &str =
    r#"{"enabled": true, "threshold_usd": "5", "amount_usd": "25", "month_max_usd": "100"}"#;

/// The account's rules.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let account = counter.account();
    let auto = counter.store(|gateway| async move { gateway.store.auto_top_up(&account).await }).await?;
    Ok(router::json(json!({ "data": object(&auto) }).to_string()))
}

/// Writes them.
pub(crate) async fn put(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, &parts)?;
    let asked: Asked = counter.body(&body, EXAMPLE)?;
    let account = counter.account();
    let before = {
        let account = account.clone();
        counter.store(|gateway| async move { gateway.store.auto_top_up(&account).await }).await?
    };
    let read = |raw: &Option<Box<RawValue>>, name: &str, old: Money| {
        raw.as_ref().map_or(Ok(old), |raw| amount(raw, name))
    };
    let rules = AutoTopUpRules {
        enabled: asked.enabled,
        threshold: read(&asked.threshold_usd, "threshold_usd", before.rules.threshold)?,
        amount: read(&asked.amount_usd, "amount_usd", before.rules.amount)?,
        month_max: read(&asked.month_max_usd, "month_max_usd", before.rules.month_max)?,
    };
    let now = counter.now();
    if rules.enabled {
        check(counter.gateway(), &rules, &before, now)?;
    }
    let writing = account.clone();
    counter.store(|gateway| async move { gateway.store.put_auto_top_up(&writing, rules, now).await }).await?;
    let auto = counter.store(|gateway| async move { gateway.store.auto_top_up(&account).await }).await?;
    Ok(router::json(json!({ "data": object(&auto) }).to_string()))
}

fn check(
    gateway: &Gateway,
    rules: &AutoTopUpRules,
    auto: &AutoTopUp,
    now: Timestamp,
) -> Result<(), PaymentError> {
    gateway.payments.stripe()?;
    let refuse = |why: String| Err(PaymentError::Rules(why));
    let top_up = gateway.settings.fees.top_up(rules.amount, now.day())?;
    if rules.threshold <= Money::ZERO {
        return refuse("`threshold_usd` must be above 0: below this balance it tops up".to_owned());
    }
    if rules.month_max < top_up.total {
        let total = top_up.total;
        return refuse(format!("`month_max_usd` must be at least one payment, {total} USD with its fee"));
    }
    if auto.customer.is_none() {
        let how = "pay once by POST /v1/credits/checkout with `\"save_payment_method\": true`";
        return refuse(format!("no payment method is saved; {how}"));
    }
    Ok(())
}

fn object(auto: &AutoTopUp) -> Value {
    json!({
        "enabled": auto.rules.enabled,
        "threshold_usd": usd(auto.rules.threshold),
        "amount_usd": usd(auto.rules.amount),
        "month_max_usd": usd(auto.rules.month_max),
        "payment_method_saved": auto.customer.is_some(),
        "order_in_flight": auto.in_flight,
        "why_off": auto.why_off,
    })
}

/// One pass over all accounts that are due.
pub async fn pass(gateway: &Arc<Gateway>) -> Result<(), StoreError> {
    let Some(stripe) = &gateway.payments.stripe else { return Ok(()) };
    for due in gateway.store.auto_top_ups_due().await? {
        let order = match &due.auto.in_flight {
            Some(id) => gateway.store.order(id, Some(&due.account)).await?,
            None => match begin(gateway, &due).await? {
                Some(order) => order,
                None => continue,
            },
        };
        pay(gateway, stripe, &due, &order).await?;
    }
    Ok(())
}

/// Stores the order of a top-up that is due; `None`: it is not, after all.
async fn begin(gateway: &Gateway, due: &Due) -> Result<Option<Order>, StoreError> {
    let (fees, now) = (&gateway.settings.fees, gateway.clock.now());
    let top_up = match fees.top_up(due.auto.rules.amount, now.day()) {
        Ok(top_up) => top_up,
        Err(error) => {
            stop(gateway, &due.account, None, &error.to_string()).await;
            return Ok(None);
        }
    };
    let Ok(id) = random_id("ord_") else { return Ok(None) };
    let order = NewOrder {
        id: id.clone(),
        account: due.account.clone(),
        processor: STRIPE,
        kind: OrderKind::Auto,
        balance: BalanceKind::Credits,
        top_up,
        refund_fees: fees.refund_fees,
        saves_method: false,
        created_by: "automatic top-up".to_owned(),
        created: now,
    };
    let month = Timestamp::from_seconds(month_began(now).saturating_mul(86_400));
    if !gateway.store.begin_auto_top_up(&order, month).await? {
        return Ok(None);
    }
    crash::point("ordered");
    gateway.store.order(&id, Some(&due.account)).await.map(Some)
}

/// Asks for the payment of an order that is in flight, or what became of it.
async fn pay(gateway: &Gateway, stripe: &Stripe, due: &Due, order: &Order) -> Result<(), StoreError> {
    if order.status == OrderStatus::Paid {
        return Ok(());
    }
    let waited_s = gateway.clock.now().seconds() - order.created.seconds();
    let answer = match &order.payment {
        // Never asked for twice: its key is forgotten after a day.
        Some(payment) => stripe.get(&format!("/v1/payment_intents/{payment}")).await,
        None if waited_s > KEY_LIVES_S => Err(StripeError::Lacks("answer within a day")),
        None => ask(gateway, stripe, due, order).await,
    };
    match answer {
        Ok(intent) => answered(gateway, stripe, order, &intent).await,
        Err(StripeError::Failing(why)) => {
            tracing::warn!(order = %order.id, %why, "an automatic top-up waits: Stripe is asked again");
            Ok(())
        }
        Err(error) => {
            stop(gateway, &order.account, Some(&order.id), &error.to_string()).await;
            Ok(())
        }
    }
}

async fn ask(gateway: &Gateway, stripe: &Stripe, due: &Due, order: &Order) -> Result<Value, StripeError> {
    let form = vec![
        field("amount", cents(order.top_up.total).unwrap_or_default()),
        field("currency", "usd"),
        field("customer", due.auto.customer.as_deref().unwrap_or_default()),
        field("payment_method", method(gateway, stripe, due).await?),
        field("off_session", true),
        field("confirm", true),
        field("metadata[order]", &order.id),
        field("metadata[kind]", order.kind.name()),
    ];
    stripe.post("/v1/payment_intents", &form, &format!("auto-{}", order.id)).await
}

async fn answered(
    gateway: &Gateway,
    stripe: &Stripe,
    order: &Order,
    intent: &Value,
) -> Result<(), StoreError> {
    let status = intent.get("status").and_then(Value::as_str).unwrap_or_default();
    match status {
        "succeeded" => {
            let says = event::intent(intent);
            let id = format!("answer-{}", order.id);
            let notice = Notice { processor: STRIPE, id, kind: "payment_intent".to_owned(), says };
            let known = matches!(&notice.says, Says::Paid { order: said, .. } if *said == order.id);
            if known {
                super::tell(&gateway.store, &gateway.payments, &notice, gateway.clock.now()).await?;
            }
        }
        // A bank that takes days.
        "processing" => {
            if let Some(id) = intent.get("id").and_then(Value::as_str) {
                gateway.store.note_payment(&order.id, id).await?;
            }
        }
        other => {
            // It must not succeed later, when nobody expects it.
            if let Some(id) = intent.get("id").and_then(Value::as_str) {
                let path = format!("/v1/payment_intents/{id}/cancel");
                let _ = stripe.post(&path, &Vec::new(), &format!("cancel-{}", order.id)).await;
            }
            stop(gateway, &order.account, Some(&order.id), &format!("the payment is `{other}`")).await;
        }
    }
    Ok(())
}

/// The saved payment method, looked up behind the payment that saved it when it is needed first.
async fn method(gateway: &Gateway, stripe: &Stripe, due: &Due) -> Result<String, StripeError> {
    if let Some(method) = &due.auto.method {
        return Ok(method.clone());
    }
    let saved_by = due.auto.saved_by.as_deref().ok_or(StripeError::Lacks("payment"))?;
    let intent = stripe.get(&format!("/v1/payment_intents/{saved_by}")).await?;
    let method = text(&intent, "payment_method")?;
    if let Err(error) = gateway.store.keep_method(&due.account, &method).await {
        tracing::warn!(%error, "a payment method could not be kept; it is looked up again");
    }
    Ok(method)
}

/// Switches an account's off, and tells its owner once.
pub(crate) async fn stop(gateway: &Gateway, account: &AccountId, order: Option<&str>, why: &str) {
    let now = gateway.clock.now();
    match gateway.store.stop_auto_top_up(account, order, why, now).await {
        Ok(true) => gateway.payments.mailer.send(Mail {
            to: To::Account(account.clone()),
            subject: "Your automatic top-up was switched off".to_owned(),
            text: format!(
                "An automatic top-up could not be paid: {why}. It is off until you switch it on again; top up at \
                 {}/v1/credits/checkout.",
                gateway.payments.public_url
            ),
        }),
        Ok(false) => {}
        Err(error) => tracing::error!(%account, %error, "a failed automatic top-up could not be switched off"),
    }
}
