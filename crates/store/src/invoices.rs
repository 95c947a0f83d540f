//! Invoices and credit notes: numbered without gaps per series and year, and never changed once written.
//!
//! The number is taken in the transaction of the payment, from a row that stays locked until the commit: a payment that is
//! rolled back gives its number back, and no two have the same.

use types::{AccountId, Money, Timestamp};

use crate::db::{Tx, Value, decode_row};
use crate::orders::Order;
use crate::{Store, StoreError};

/// Most invoices of one list.
pub const INVOICES_LISTED_MAX: i64 = 1_000;
/// Most bytes of an account's billing details.
const DETAILS_BYTES_MAX: usize = 4_000;

/// An invoice, or the credit note that corrects one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// `INV-2026-000001`, `CN-2026-000001`.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// The order.
    pub order: String,
    /// The invoice that this credit note corrects.
    pub corrects: Option<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Credit sold, or taken back.
    pub credit: Money,
    /// The fee, or what of it was given back.
    pub fee: Money,
    /// Both.
    pub total: Money,
    /// JSON: `seller` and `buyer` as they were then, `processor`, `payment`, `percent`.
    pub body: String,
}

decode_row!(Invoice, |row| {
    let money = |at: usize| -> sqlx::Result<Money> { Ok(Money::from_nanos(row.try_get(at)?)) };
    Ok(Invoice {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        order: row.try_get(2)?,
        corrects: row.try_get(3)?,
        issued: Timestamp(row.try_get(4)?),
        credit: money(5)?,
        fee: money(6)?,
        total: money(7)?,
        body: row.try_get(8)?,
    })
});

macro_rules! select_invoices {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, order_id, corrects, issued, credit, fee, total, body FROM invoices ",
            $rest
        )
    };
}

/// What is to be issued.
pub(crate) struct Issue<'a> {
    pub(crate) order: &'a Order,
    /// JSON.
    pub(crate) seller: &'a str,
    pub(crate) credit: Money,
    pub(crate) fee: Money,
    /// A credit note.
    pub(crate) corrects: bool,
    pub(crate) at: Timestamp,
}

/// Issues one within a payment's transaction.
pub(crate) async fn issue(tx: &mut Tx, issue: &Issue<'_>) -> Result<(), StoreError> {
    let Issue { order, seller, credit, fee, corrects, at } = *issue;
    let account = order.account.as_str();
    let details: Vec<(String,)> =
        tx.fetch("SELECT body FROM billing_details WHERE account = $1", &[account.into()]).await?;
    let json = |text: &str| serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
    let body = serde_json::json!({
        "seller": json(seller),
        "buyer": details.first().map(|row| json(&row.0)),
        "processor": order.processor,
        "payment": order.payment,
        "fee_percent": order.top_up.percent.to_string(),
        "balance": order.balance.name(),
    });
    let of = "SELECT id FROM invoices WHERE order_id = $1 AND corrects IS NULL";
    let first: Vec<(String,)> = match corrects {
        true => tx.fetch(of, &[order.id.as_str().into()]).await?,
        false => Vec::new(),
    };
    let (series, year) = (if corrects { "CN" } else { "INV" }, year_of(at));
    let sql = "INSERT INTO invoice_counters (series, year, last) VALUES ($1, $2, 1)
        ON CONFLICT (series, year) DO UPDATE SET last = invoice_counters.last + 1 RETURNING last";
    let rows: Vec<(i64,)> = tx.fetch(sql, &[series.into(), year.into()]).await?;
    let seq = rows.first().map(|row| row.0);
    let seq = seq.ok_or_else(|| StoreError::Corrupt("an invoice counter gave no number".to_owned()))?;
    let total =
        credit.checked_add(fee).ok_or_else(|| StoreError::Invalid("too large an invoice".to_owned()))?;
    let sql = "INSERT INTO invoices (id, series, year, seq, account, order_id, corrects, issued, credit, fee, total, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values: [Value<'_>; 12] = [
        format!("{series}-{year}-{seq:06}").into(),
        series.into(),
        year.into(),
        seq.into(),
        account.into(),
        order.id.as_str().into(),
        Value::OptText(first.first().map(|row| row.0.as_str())),
        at.micros().into(),
        credit.into(),
        fee.into(),
        total.into(),
        body.to_string().into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}

/// The UTC year of an instant, by the civil calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn year_of(at: Timestamp) -> i64 {
    let shifted = at.day() + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // The algorithm's year begins in March: its month 10 is January.
    year + era * 400 + i64::from((5 * of_year + 2) / 153 >= 10)
}

impl Store {
    /// The invoices and credit notes of an account, newest first.
    pub async fn invoices(&self, account: &AccountId) -> Result<Vec<Invoice>, StoreError> {
        let sql = select_invoices!("WHERE account = $1 ORDER BY issued DESC, id DESC LIMIT $2");
        self.db.fetch(sql, &[account.as_str().into(), INVOICES_LISTED_MAX.into()]).await
    }

    /// One of them. [`StoreError::NotFound`] also when it is another account's.
    pub async fn invoice(&self, id: &str, account: &AccountId) -> Result<Invoice, StoreError> {
        let sql = select_invoices!("WHERE id = $1 AND account = $2");
        let rows: Vec<Invoice> = self.db.fetch(sql, &[id.into(), account.as_str().into()]).await?;
        rows.into_iter().next().ok_or_else(|| StoreError::NotFound("invoice".to_owned()))
    }

    /// The details that go on an account's invoices, JSON; `None` where there are none.
    pub async fn billing_details(&self, account: &AccountId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT body FROM billing_details WHERE account = $1";
        let rows: Vec<(String,)> = self.db.fetch(sql, &[account.as_str().into()]).await?;
        Ok(rows.into_iter().next().map(|row| row.0))
    }

    /// Writes them. Invoices that were issued keep what they say.
    pub async fn put_billing_details(
        &self,
        account: &AccountId,
        body: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if body.len() > DETAILS_BYTES_MAX {
            let why = format!("billing details have at most {DETAILS_BYTES_MAX} bytes");
            return Err(StoreError::Invalid(why));
        }
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO billing_details (account, body, changed) VALUES ($1, $2, $3)
            ON CONFLICT (account) DO UPDATE SET body = excluded.body, changed = excluded.changed";
        tx.execute(sql, &[account.as_str().into(), body.into(), now.micros().into()]).await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_end_at_midnight() {
        // seconds since 1970, year
        let rows = [
            (0, 1970),
            (-1, 1969),
            (951_782_399, 2000),   // 2000-02-28
            (978_307_199, 2000),   // 2000-12-31 23:59:59
            (978_307_200, 2001),   // 2001-01-01
            (1_798_761_599, 2026), // 2026-12-31 23:59:59
            (1_798_761_600, 2027), // 2027-01-01
        ];
        for (seconds, year) in rows {
            assert_eq!(year_of(Timestamp::from_seconds(seconds)), year, "{seconds}");
        }
    }
}
