//! Money that comes in: fees, top-ups by Stripe, automatic top-ups, refunds, vouchers, invoices, statements.
//!
//! An order is stored before Stripe hears of it; credit follows from what Stripe signs, never from what a browser says. All of
//! the deciding is in the store, in one transaction per event; here it is put into words and out of them.

pub mod auto;
pub(crate) mod billing;
pub(crate) mod checkout;
pub mod code;
pub mod error;
pub mod event;
pub(crate) mod fees;
pub(crate) mod invoices;
mod page;
pub mod refund;
pub mod routes;
pub mod signature;
pub(crate) mod statement;
pub mod stripe;
mod tax_id;
pub(crate) mod vouchers;
pub(crate) mod webhook;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{Store, StoreError};
use types::{AccountId, Money, SecretString, Timestamp};

use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::crash;
use crate::error::GatewayError;
use crate::key::caller;
use crate::keys::KeyState;
use crate::mail::{Mail, Mailer};
use crate::read_body;

pub use error::PaymentError;
use stripe::Stripe;

/// Largest body of these paths but the webhook's.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Who issues invoices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seller {
    /// Its name.
    pub name: String,
    /// Lines of its address.
    pub address: Vec<String>,
    /// By ISO 3166.
    pub country: Option<String>,
    /// Its tax or VAT id.
    pub tax_id: Option<String>,
    /// Where questions go.
    pub email: Option<String>,
    /// A sentence below every invoice.
    pub note: Option<String>,
}

impl Seller {
    /// As invoices keep it.
    pub fn json(&self) -> String {
        json!({
            "name": self.name,
            "address": self.address,
            "country": self.country,
            "tax_id": self.tax_id,
            "email": self.email,
            "note": self.note,
        })
        .to_string()
    }
}

/// What was configured for payments.
#[derive(Debug, Default)]
pub struct Payments {
    /// Stripe, where it has a key.
    pub stripe: Option<Stripe>,
    /// What its webhooks are signed with; none: they have no path.
    pub webhook_secrets: Vec<SecretString>,
    /// Where a customer goes who has paid.
    pub success_url: String,
    /// Where a customer goes who has not.
    pub cancel_url: String,
    /// What addresses in mails begin with.
    pub public_url: String,
    /// On invoices.
    pub seller: Seller,
    /// How owners are told.
    pub mailer: Mailer,
}

impl Payments {
    pub(crate) fn stripe(&self) -> Result<&Stripe, PaymentError> {
        self.stripe.as_ref().ok_or(PaymentError::Off)
    }
}

/// A management key's holder before one of these paths.
pub(crate) struct Counter<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) parts: &'a Parts,
    pub(crate) key: Arc<KeyState>,
}

impl<'a> Counter<'a> {
    pub(crate) fn open(worker: &'a Arc<Worker>, parts: &'a Parts) -> Result<Counter<'a>, GatewayError> {
        let key = caller(worker, parts, Access::ManagementKey)?;
        Ok(Counter { worker, parts, key })
    }

    pub(crate) fn gateway(&self) -> &'a Arc<Gateway> {
        &self.worker.gateway
    }

    pub(crate) fn account(&self) -> AccountId {
        self.key.account.id.clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.gateway().clock.now()
    }

    /// Asks the store, on its own runtime: what was begun there ends, whether or not the caller waits.
    pub(crate) async fn store<T, F>(&self, ask: impl FnOnce(Arc<Gateway>) -> F) -> Result<T, GatewayError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let asked = ask(Arc::clone(self.gateway()));
        match self.gateway().on_control(asked).await {
            Some(Ok(done)) => Ok(done),
            Some(Err(StoreError::NotFound(what))) => {
                Err(GatewayError::NotFound(format!("no {what} of this account has that id")))
            }
            Some(Err(StoreError::Invalid(why))) => Err(GatewayError::InvalidRequest(why)),
            _ => Err(GatewayError::StoreUnavailable),
        }
    }

    /// The body, in its one form.
    pub(crate) async fn body<B, T>(&self, body: B, example: &str) -> Result<T, GatewayError>
    where
        B: Body<Data = Bytes> + Unpin,
        T: DeserializeOwned,
    {
        let body = read_body(&self.parts.headers, body, BODY_BYTES_MAX).await?;
        serde_json::from_slice(&body).map_err(|error| {
            GatewayError::InvalidRequest(format!("the body can't be read: {error}; send {example}"))
        })
    }

    /// What stands in the path after this segment.
    pub(crate) fn segment(&self, before: &str) -> String {
        let mut segments = self.parts.uri.path().split('/').skip_while(|segment| *segment != before);
        segments.nth(1).unwrap_or_default().to_owned()
    }
}

/// An amount of a body: text, or a number in the digits in which it was written.
pub(crate) fn amount(raw: &serde_json::value::RawValue, field: &str) -> Result<Money, GatewayError> {
    let text = raw.get().trim_matches('"');
    text.parse().map_err(|error| GatewayError::InvalidRequest(format!("`{field}`: {error}")))
}

/// `2026-12-31` of days since 1970.
pub fn date(day: i64) -> String {
    use jiff::ToSpan;
    jiff::civil::date(1970, 1, 1)
        .checked_add(day.days())
        .map_or_else(|_| String::new(), |date| date.to_string())
}

/// The first day of the month of an instant, in days since 1970.
pub fn month_began(at: Timestamp) -> i64 {
    use jiff::ToSpan;
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(at.day().days()).map_or(at.day(), |date| at.day() - i64::from(date.day()) + 1)
}

/// 32 hexadecimal digits that nobody else has.
///
/// # Errors
/// The system has no randomness to give.
pub fn random_id(prefix: &str) -> Result<String, getrandom::Error> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{prefix}{digits}"))
}

/// What every path of a refused payment tells.
pub(crate) fn usd(amount: Money) -> Value {
    Value::String(amount.to_string())
}

/// The store that a command opened, or the server's.
pub(crate) async fn tell(
    store: &Store,
    payments: &Payments,
    notice: &store::Notice,
    now: Timestamp,
) -> Result<store::Taken, StoreError> {
    crash::point("top_up");
    let taken = store.take_notice(notice, &payments.seller.json(), now).await?;
    crash::point("topped_up");
    let order = taken.order.as_ref().map_or("", |order| order.id.as_str());
    match taken.outcome {
        "ignored" | "duplicate" | "paid_before" | "nothing_new" => {
            tracing::debug!(event = %notice.id, kind = %notice.kind, order, outcome = taken.outcome, "a payment event");
        }
        "credited" | "refunded" | "failed" => {
            tracing::info!(event = %notice.id, kind = %notice.kind, order, outcome = taken.outcome, "a payment event");
        }
        "disputed" => {
            tracing::warn!(event = %notice.id, kind = %notice.kind, order, "a customer's bank disputes a payment; answer it in Stripe's dashboard");
        }
        outcome => {
            tracing::warn!(event = %notice.id, kind = %notice.kind, order, outcome, "a payment event fits no order; nothing was credited");
        }
    }
    if let Some(order) = taken.order.as_ref().filter(|_| taken.outcome == "credited") {
        payments.mailer.send(&Mail {
            to: order.account.clone(),
            subject: format!("{} USD were credited", order.top_up.credited),
            text: format!(
                "{} USD were paid (order {}), {} USD are credited. Invoices: {}/v1/invoices",
                order.top_up.total, order.id, order.top_up.credited, payments.public_url
            ),
        });
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_have_names() {
        assert_eq!(date(20_453), "2025-12-31");
        let at = Timestamp::from_seconds(1_795_132_800); // 2026-11-20
        assert_eq!(date(month_began(at)), "2026-11-01");
        assert_eq!(date(month_began(Timestamp::from_seconds(0))), "1970-01-01");
    }
}
