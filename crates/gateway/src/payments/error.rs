//! What can go wrong with a payment, as a caller can act on it.

use ledger::TopUpError;

use super::signature::SignatureError;
use super::stripe::StripeError;

/// Why a payment path refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// Nothing was configured.
    #[error("nothing can be paid here: the operator has not set `payments.stripe.secret_key`")]
    Off,
    /// The amount is not one that can be paid.
    #[error("{0}")]
    Amount(#[from] TopUpError),
    /// A rule of automatic top-ups.
    #[error("{0}")]
    Rules(String),
    /// The processor refused or fails.
    #[error("{0}; nothing was charged by this request, try again")]
    Processor(#[from] StripeError),
    /// A webhook is not believed.
    #[error("this webhook is not believed: {0}")]
    Webhook(#[from] SignatureError),
    /// A webhook's body has not the form of an event.
    #[error("this webhook is signed, but its body is no event")]
    NoEvent,
    /// A code's checksum is wrong.
    #[error("this voucher code is mistyped or cut; copy it again")]
    CodeMistyped,
    /// Nobody knows the code.
    #[error("no voucher has this code, or it was revoked")]
    CodeUnknown,
    /// Past its date.
    #[error("this voucher has expired")]
    CodeExpired,
    /// It is used up.
    #[error("this voucher was redeemed before{}", if *.0 { ", by this account: its credit is in the balance" } else { "" })]
    CodeUsed(bool),
    /// The account had as many as it may.
    #[error("an account may redeem {0} of these vouchers, and this one has")]
    CodeLimit(i64),
    /// A tax id has not its country's form.
    #[error("`tax_id`: {0}")]
    TaxId(String),
}

impl PaymentError {
    /// HTTP status and `error.type`.
    pub fn kind(&self) -> (u16, &'static str) {
        match self {
            PaymentError::Off => (404, "payments_off"),
            PaymentError::Amount(_) | PaymentError::Rules(_) => (422, "amount_refused"),
            PaymentError::Processor(_) => (502, "payment_processor_failed"),
            PaymentError::Webhook(_) | PaymentError::NoEvent => (400, "webhook_refused"),
            PaymentError::CodeMistyped | PaymentError::CodeUnknown => (404, "voucher_unknown"),
            PaymentError::CodeExpired => (410, "voucher_expired"),
            PaymentError::CodeUsed(_) | PaymentError::CodeLimit(_) => (409, "voucher_used"),
            PaymentError::TaxId(_) => (422, "tax_id_refused"),
        }
    }
}
