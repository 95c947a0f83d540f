//! What is at the paths of payments.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::{auto, billing, checkout, fees, invoices, statement, vouchers, webhook};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Fees,
    Checkout,
    Orders,
    Order,
    Auto,
    AutoPut,
    Redeem,
    Statement,
    Invoices,
    Invoice,
    Billing,
    BillingPut,
    Stripe,
}

/// Serves a path.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    at: At,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    match at {
        At::Fees => Ok(fees::show(worker)),
        At::Checkout => checkout::create(worker, parts, body).await,
        At::Orders => checkout::list(worker, &parts).await,
        At::Order => checkout::show(worker, &parts).await,
        At::Auto => auto::show(worker, &parts).await,
        At::AutoPut => auto::put(worker, parts, body).await,
        At::Redeem => vouchers::redeem(worker, parts, body).await,
        At::Statement => statement::show(worker, &parts).await,
        At::Invoices => invoices::list(worker, &parts).await,
        At::Invoice => invoices::show(worker, &parts).await,
        At::Billing => billing::show(worker, &parts).await,
        At::BillingPut => billing::put(worker, parts, body).await,
        At::Stripe => webhook::take(worker, parts, body).await,
    }
}
