//! Automatic top-ups: rules of accounts, and which are due.
//!
//! An account has at most one in flight: the row names its order, and only a row that names none begins another. The order is
//! stored in the same transaction, before the processor is asked.

use types::{AccountId, Money, Timestamp};

use crate::db::{Tx, Value, decode_row};
use crate::orders::{self, NewOrder, Order, OrderStatus};
use crate::{Store, StoreError};

/// What an account's owner set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutoTopUpRules {
    /// On or off.
    pub enabled: bool,
    /// Below this balance it tops up.
    pub threshold: Money,
    /// By this much.
    pub amount: Money,
    /// The most that is paid so in a calendar month (UTC).
    pub month_max: Money,
}

/// An account's automatic top-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoTopUp {
    /// What its owner set.
    pub rules: AutoTopUpRules,
    /// The processor's customer.
    pub customer: Option<String>,
    /// The payment that the method is to be taken of.
    pub saved_by: Option<String>,
    /// The processor's payment method.
    pub method: Option<String>,
    /// The order that is being paid.
    pub in_flight: Option<String>,
    /// Why it was switched off, unless by its owner.
    pub why_off: Option<String>,
}

decode_row!(AutoTopUp, |row| {
    let money = |at: usize| -> sqlx::Result<Money> { Ok(Money::from_nanos(row.try_get(at)?)) };
    Ok(AutoTopUp {
        rules: AutoTopUpRules {
            enabled: row.try_get(0)?,
            threshold: money(1)?,
            amount: money(2)?,
            month_max: money(3)?,
        },
        customer: row.try_get(4)?,
        saved_by: row.try_get(5)?,
        method: row.try_get(6)?,
        in_flight: row.try_get(7)?,
        why_off: row.try_get(8)?,
    })
});

/// An account whose balance is below its threshold, or whose order is still in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The account.
    pub account: AccountId,
    /// Its rules and its payment method.
    pub auto: AutoTopUp,
}

const COLUMNS: &str =
    "SELECT enabled, threshold, amount, month_max, customer, saved_by, method, in_flight, why_off
    FROM auto_top_ups WHERE account = $1";

impl Store {
    /// An account's; one that was never set is off.
    pub async fn auto_top_up(&self, account: &AccountId) -> Result<AutoTopUp, StoreError> {
        let rows: Vec<AutoTopUp> = self.db.fetch(COLUMNS, &[account.as_str().into()]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Writes an account's rules.
    pub async fn put_auto_top_up(
        &self,
        account: &AccountId,
        rules: AutoTopUpRules,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO auto_top_ups (account, enabled, threshold, amount, month_max, changed)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account) DO UPDATE SET enabled = excluded.enabled,
                threshold = excluded.threshold, amount = excluded.amount, month_max = excluded.month_max,
                why_off = NULL, changed = excluded.changed";
        let AutoTopUpRules { enabled, threshold, amount, month_max } = rules;
        let values: [Value<'_>; 6] = [
            account.as_str().into(),
            Value::Bool(enabled),
            threshold.into(),
            amount.into(),
            month_max.into(),
            now.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Accounts that are due, at most a hundred.
    pub async fn auto_top_ups_due(&self) -> Result<Vec<Due>, StoreError> {
        let sql = "SELECT a.account FROM auto_top_ups a LEFT JOIN account_totals t ON t.account = a.account
            WHERE (a.in_flight IS NOT NULL)
                OR (a.enabled = $1 AND COALESCE(t.credited - t.charged, 0) < a.threshold)
            ORDER BY a.account LIMIT 100";
        let rows: Vec<(String,)> = self.db.fetch(sql, &[Value::Bool(true)]).await?;
        let mut due = Vec::with_capacity(rows.len());
        for (account,) in rows {
            let account = AccountId::new(account);
            let auto = self.auto_top_up(&account).await?;
            due.push(Due { account, auto });
        }
        Ok(due)
    }

    /// Begins one: stores its order, and marks the account. `Ok(false)`: another is in flight, it was switched off, the
    /// balance is not below the threshold any more, or the month's maximum would be passed.
    pub async fn begin_auto_top_up(
        &self,
        new: &NewOrder,
        month_began: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql =
            "UPDATE auto_top_ups SET in_flight = $2 WHERE account = $1 AND enabled = $3 AND in_flight IS NULL
                AND COALESCE((SELECT t.credited - t.charged FROM account_totals t
                    WHERE t.account = auto_top_ups.account), 0) < threshold
                AND COALESCE((SELECT SUM(o.total) FROM payment_orders o WHERE o.account = auto_top_ups.account
                    AND o.kind = 'auto' AND o.status <> 'failed' AND o.created >= $4), 0) + $5 <= month_max";
        let values: [Value<'_>; 5] = [
            new.account.as_str().into(),
            new.id.as_str().into(),
            Value::Bool(true),
            month_began.micros().into(),
            new.top_up.total.into(),
        ];
        if tx.execute(sql, &values).await? == 0 {
            return Ok(false);
        }
        orders::insert(&mut tx, new).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The payment method that was found behind the payment that saved it.
    pub async fn keep_method(&self, account: &AccountId, method: &str) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE auto_top_ups SET method = $2 WHERE account = $1";
        tx.execute(sql, &[account.as_str().into(), method.into()]).await?;
        tx.commit().await
    }

    /// An automatic top-up can't be paid: its order fails and the account's is switched off. True when that is news, so that
    /// its owner is told once.
    pub async fn stop_auto_top_up(
        &self,
        account: &AccountId,
        order: Option<&str>,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        if let Some(id) = order {
            if orders::lock(&mut tx, id).await?.is_some_and(|order| order.status == OrderStatus::Paid) {
                return Ok(false);
            }
            orders::fail(&mut tx, id).await?;
        }
        let sql = "UPDATE auto_top_ups SET enabled = $2, why_off = $3, changed = $4 WHERE account = $1 AND enabled = $5";
        let values: [Value<'_>; 5] =
            [account.as_str().into(), Value::Bool(false), why.into(), now.micros().into(), Value::Bool(true)];
        let news = tx.execute(sql, &values).await? == 1;
        tx.commit().await?;
        Ok(news)
    }

    /// What each account was charged in the month that began on a day, both modes.
    pub async fn charged_since(&self, day: i64) -> Result<Vec<(AccountId, Money)>, StoreError> {
        let sql = "SELECT account, CAST(SUM(charged) AS BIGINT) FROM activity_days WHERE day >= $1 GROUP BY account";
        let rows: Vec<(String, i64)> = self.db.fetch(sql, &[day.into()]).await?;
        Ok(rows.into_iter().map(|(id, sum)| (AccountId::new(id), Money::from_nanos(sum))).collect())
    }
}

/// Keeps the customer and the payment of an order that was to save its payment method.
pub(crate) async fn save_method(
    tx: &mut Tx,
    order: &Order,
    customer: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO auto_top_ups (account, enabled, threshold, amount, month_max, customer, saved_by, changed)
        VALUES ($1, $2, 0, 0, 0, $3, $4, $5) ON CONFLICT (account) DO UPDATE SET customer = excluded.customer,
            saved_by = excluded.saved_by, method = NULL";
    let values: [Value<'_>; 5] = [
        order.account.as_str().into(),
        Value::Bool(false),
        customer.into(),
        Value::OptText(order.payment.as_deref()),
        now.micros().into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}
