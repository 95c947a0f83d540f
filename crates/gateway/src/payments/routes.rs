//! The paths of payments: the part of the router's list that is about money coming in.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;

use super::{auto, billing, checkout, fees, invoices, statement, vouchers, webhook};
use crate::app::Worker;
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router::{Handler, Route, route};

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

const fn manage(method: &'static str, path: &'static str, at: At, about: &'static str) -> Route {
    route(method, path, Access::ManagementKey, Handler::Payments(at), about)
}

/// Those routes.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/fees", Access::Public, Handler::Payments(At::Fees), "what is charged beside prices"),
    manage("POST", "/v1/credits/checkout", At::Checkout, "a page of Stripe's to pay credit on"),
    manage("GET", "/v1/credits/orders", At::Orders, "the account's payments"),
    manage("GET", "/v1/credits/orders/{id}", At::Order, "one payment"),
    manage("GET", "/v1/credits/auto-top-up", At::Auto, "the rules of automatic top-ups"),
    manage("PUT", "/v1/credits/auto-top-up", At::AutoPut, "write them"),
    manage("POST", "/v1/credits/redeem", At::Redeem, "a voucher becomes credit"),
    manage("GET", "/v1/credits/statement", At::Statement, "every movement of the balance, also as CSV"),
    manage("GET", "/v1/invoices", At::Invoices, "invoices and credit notes"),
    manage("GET", "/v1/invoices/{id}", At::Invoice, "one of them; with `.html` behind its id for print"),
    manage("GET", "/v1/account/billing", At::Billing, "what invoices say of the account"),
    manage("PUT", "/v1/account/billing", At::BillingPut, "write it"),
    // Its own signature proves who calls; there is no such path without a secret.
    route("POST", "/v1/webhooks/stripe", Access::Public, Handler::Payments(At::Stripe), "Stripe's events"),
];

/// Serves a path.
pub(crate) async fn serve<B>(
    worker: &Arc<Worker>,
    at: At,
    parts: Parts,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
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
