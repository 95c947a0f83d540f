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
pub mod fees;
pub(crate) mod invoices;
pub(crate) mod page;
pub mod refund;
pub mod routes;
pub mod signature;
pub(crate) mod statement;
pub mod stripe;
mod tax_id;
pub(crate) mod vouchers;
pub(crate) mod webhook;

use std::ops::Deref;
use std::sync::Arc;

use http::request::Parts;
use serde_json::{Value, json};
use store::{Store, StoreError};
use types::{AccountId, Money, SecretString, Timestamp};

use crate::app::Worker;
use crate::crash;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::manager;
use crate::keys::KeyState;
use crate::mail::{Mail, Mailer, To};

pub use error::PaymentError;
use stripe::Stripe;

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
    desk: Desk<'a>,
    pub(crate) key: Arc<KeyState>,
}

impl<'a> Counter<'a> {
    pub(crate) fn open(worker: &'a Arc<Worker>, parts: &'a Parts) -> Result<Counter<'a>, GatewayError> {
        let key = manager(parts)?;
        Ok(Counter { desk: Desk::open(worker, parts), key })
    }

    pub(crate) fn account(&self) -> AccountId {
        self.key.account.id.clone()
    }
}

impl<'a> Deref for Counter<'a> {
    type Target = Desk<'a>;

    fn deref(&self) -> &Desk<'a> {
        &self.desk
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
        payments.mailer.send(Mail {
            to: To::Account(order.account.clone()),
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
