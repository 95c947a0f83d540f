//! `GET /v1/invoices`, `/v1/invoices/{id}` and `/v1/invoices/{id}.html`: invoices and credit notes, as data and for print.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use store::Invoice;

use super::{Counter, page, usd};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

/// All of the account.
pub(crate) async fn list(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let account = counter.account();
    let all = counter.store(|gateway| async move { gateway.store.invoices(&account).await }).await?;
    let all: Vec<Value> = all.iter().map(object).collect();
    Ok(router::json(json!({ "data": all }).to_string()))
}

/// One of them.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let (account, segment) = (counter.account(), counter.segment("invoices"));
    let (id, as_page) = match segment.strip_suffix(".html") {
        Some(id) => (id.to_owned(), true),
        None => (segment, false),
    };
    let invoice = counter.store(|gateway| async move { gateway.store.invoice(&id, &account).await }).await?;
    if !as_page {
        return Ok(router::json(json!({ "data": object(&invoice) }).to_string()));
    }
    let mut response = Response::new(ResponseBody::full(page::render(&invoice)));
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&page::POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

fn object(invoice: &Invoice) -> Value {
    let body: Value = serde_json::from_str(&invoice.body).unwrap_or(Value::Null);
    json!({
        "id": invoice.id,
        "kind": if invoice.corrects.is_some() { "credit_note" } else { "invoice" },
        "corrects": invoice.corrects,
        "order": invoice.order,
        "issued_at": rfc3339(invoice.issued),
        "currency": "USD",
        "credit_usd": usd(invoice.credit),
        "fee_usd": usd(invoice.fee),
        "total_usd": usd(invoice.total),
        "seller": body.get("seller"),
        "buyer": body.get("buyer"),
        "fee_percent": body.get("fee_percent"),
        "balance": body.get("balance"),
        "payment": { "processor": body.get("processor"), "id": body.get("payment") },
    })
}
