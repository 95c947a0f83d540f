//! `POST /v1/credits/checkout`: a page of Stripe's on which a customer pays; `GET /v1/credits/orders`: what became of it.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use ledger::{BalanceKind, cents};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{NewOrder, Order, OrderKind};

use super::event::STRIPE;
use super::stripe::{self, Form, field};
use super::{Counter, amount, random_id, usd};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    amount_usd: Box<RawValue>,
    balance: Option<String>,
    #[serde(default)]
    save_payment_method: bool,
}

const EXAMPLE: &str = r#"{"amount_usd": "25"}"#;

/// Stores an order, and asks Stripe for its page.
pub(crate) async fn create(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, &parts)?;
    let gateway = counter.gateway();
    let asked: Asked = counter.body(&body, EXAMPLE)?;
    let name = asked.balance.as_deref().unwrap_or(BalanceKind::Credits.name());
    let balance = BalanceKind::named(name)
        .ok_or_else(|| GatewayError::InvalidRequest(String::from("`balance` must be `credits` or `byok`")))?;
    let stripe = gateway.payments.stripe()?;
    let amount = amount(&asked.amount_usd, "amount_usd")?;
    let (fees, now) = (&gateway.settings.fees, counter.now());
    let top_up = fees.top_up(amount, now.day()).map_err(super::PaymentError::from)?;
    let order = NewOrder {
        id: random_id("ord_").map_err(|_| GatewayError::Internal)?,
        account: counter.account(),
        processor: STRIPE,
        kind: OrderKind::Checkout,
        balance,
        top_up,
        refund_fees: fees.refund_fees,
        saves_method: asked.save_payment_method,
        created_by: counter.key.rules.id.to_string(),
        created: now,
    };
    let stored = order.clone();
    counter.store(|gateway| async move { gateway.store.insert_order(&stored).await }).await?;
    let form = form(gateway, &order);
    let key = format!("checkout-{}", order.id);
    let session = stripe.post("/v1/checkout/sessions", &form, &key).await;
    let session = session.map_err(super::PaymentError::from)?;
    let session_id = stripe::text(&session, "id").map_err(super::PaymentError::from)?;
    let url = stripe::text(&session, "url").map_err(super::PaymentError::from)?;
    let id = order.id.clone();
    counter.store(|gateway| async move { gateway.store.open_order(&id, &session_id).await }).await?;
    let data = json!({
        "id": order.id,
        "url": url,
        "status": "open",
        "balance": balance.name(),
        "amount_usd": usd(amount),
        "fee_usd": usd(top_up.fee),
        "fee_percent": top_up.percent.to_string(),
        "total_usd": usd(top_up.total),
        "credited_usd": usd(top_up.credited),
    });
    Ok(router::json(json!({ "data": data }).to_string()))
}

/// What Stripe is asked for. The page shows credit and fee apart; together they are what the order says.
fn form(gateway: &crate::app::Gateway, order: &NewOrder) -> Form {
    let (payments, brand) = (&gateway.payments, &gateway.settings.brand.name);
    let with_order = |url: &str| {
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}order={}", order.id)
    };
    let mut form = vec![
        field("mode", "payment"),
        field("client_reference_id", &order.id),
        field("metadata[order]", &order.id),
        field("payment_intent_data[metadata][order]", &order.id),
        field("success_url", with_order(&payments.success_url)),
        field("cancel_url", with_order(&payments.cancel_url)),
    ];
    let what = match order.balance {
        BalanceKind::Credits => format!("{brand} credits"),
        BalanceKind::Byok => format!("{brand} balance for calls with own keys"),
    };
    let lines = [(what, order.top_up.credited), ("Top-up fee".to_owned(), order.top_up.fee)];
    let lines =
        lines.into_iter().filter_map(|(name, amount)| Some((name, cents(amount).filter(|c| *c > 0)?)));
    for (at, (name, cents)) in lines.enumerate() {
        form.extend([
            field(&format!("line_items[{at}][quantity]"), 1),
            field(&format!("line_items[{at}][price_data][currency]"), "usd"),
            field(&format!("line_items[{at}][price_data][unit_amount]"), cents),
            field(&format!("line_items[{at}][price_data][product_data][name]"), name),
        ]);
    }
    if order.saves_method {
        form.push(field("customer_creation", "always"));
        form.push(field("payment_intent_data[setup_future_usage]", "off_session"));
    }
    form
}

/// The account's orders.
pub(crate) async fn list(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let account = counter.account();
    let orders = counter.store(|gateway| async move { gateway.store.orders(Some(&account)).await }).await?;
    let all: Vec<Value> = orders.iter().map(object).collect();
    Ok(router::json(json!({ "data": all }).to_string()))
}

/// One of them.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let (account, id) = (counter.account(), counter.segment("orders"));
    let order =
        counter.store(|gateway| async move { gateway.store.order(&id, Some(&account)).await }).await?;
    Ok(router::json(json!({ "data": object(&order) }).to_string()))
}

fn object(order: &Order) -> Value {
    json!({
        "id": order.id,
        "processor": order.processor,
        "kind": order.kind.name(),
        "status": order.status.name(),
        "balance": order.balance.name(),
        "currency": order.currency.to_ascii_uppercase(),
        "total_usd": usd(order.top_up.total),
        "fee_usd": usd(order.top_up.fee),
        "fee_percent": order.top_up.percent.to_string(),
        "credited_usd": usd(order.top_up.credited),
        "refunded_usd": usd(order.refunded),
        "disputed_usd": usd(order.disputed),
        "created_at": rfc3339(order.created),
        "paid_at": order.paid.map(rfc3339),
    })
}
