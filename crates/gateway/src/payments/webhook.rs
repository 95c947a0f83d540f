//! `POST /v1/webhooks/stripe`: what Stripe says, believed only under its signature. Without a secret there is no such path.
//!
//! What was understood is answered 200, whatever became of it: sending it again would change nothing. Only a store that does
//! not answer is a 503, which Stripe sends again.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde_json::json;
use store::{Notice, OrderKind, Taken};

use super::{PaymentError, auto, event, signature};
use crate::app::{Gateway, Worker};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::{at_most, router};

/// Largest event.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// Whether the path exists.
pub(crate) fn is_mounted(gateway: &Gateway) -> bool {
    !gateway.payments.webhook_secrets.is_empty()
}

/// Takes an event in.
pub(crate) async fn take(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    at_most(&body, BODY_BYTES_MAX)?;
    let gateway = Arc::clone(&worker.gateway);
    let now = gateway.clock.now();
    let mut signed = parts.headers.get_all("stripe-signature").iter();
    let header = signed.next().and_then(|value| value.to_str().ok()).filter(|_| signed.next().is_none());
    signature::verify(header.unwrap_or_default(), &body, &gateway.payments.webhook_secrets, now)
        .map_err(PaymentError::from)?;
    let notice = event::read(&body).ok_or(PaymentError::NoEvent)?;
    let taking = async move {
        let taken = super::tell(&gateway.store, &gateway.payments, &notice, now).await?;
        follow(&gateway, &notice, &taken).await;
        Ok::<Taken, store::StoreError>(taken)
    };
    let taken = worker.gateway.on_control(taking).await;
    let taken = taken.and_then(Result::ok).ok_or(GatewayError::StoreUnavailable)?;
    Ok(router::json(json!({ "received": true, "outcome": taken.outcome }).to_string()))
}

/// What follows from an event beside the books.
async fn follow(gateway: &Gateway, notice: &Notice, taken: &Taken) {
    let auto = taken.order.as_ref().filter(|order| order.kind == OrderKind::Auto);
    if let Some(order) = auto.filter(|_| taken.outcome == "failed") {
        let why = format!("the payment failed ({})", notice.kind);
        auto::stop(gateway, &order.account, Some(&order.id), &why).await;
    }
}
