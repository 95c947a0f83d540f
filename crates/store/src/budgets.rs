//! Budgets: how much an account, or a part of it, may spend over a span.

use ledger::Period;
use types::{AccountId, Money, Timestamp};

use crate::accounts::require_plain;
use crate::changes::{self, Counter};
use crate::db::{Value, decode_row};
use crate::{Store, StoreError};

/// Most budgets of one account.
pub const BUDGETS_MAX: usize = 1_000;

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// What it is for: `account`, `project:web`, `key:key_7`, `tag:blue`, `user:alice`, `user:*` for each user.
    pub subject: String,
    /// Over which span.
    pub period: Period,
    /// How much.
    pub amount: Money,
    /// Refuses what goes beyond it; else it only tells.
    pub hard: bool,
    /// Percentages of the amount at which the owner is told, rising.
    pub thresholds: Vec<u32>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last edited.
    pub updated: Timestamp,
    /// Taken away.
    pub deleted: bool,
    /// Number of its last change.
    pub changed_seq: i64,
}

decode_row!(BudgetRow, |row| {
    let period: String = row.try_get(4)?;
    let thresholds: String = row.try_get(7)?;
    Ok(BudgetRow {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        name: row.try_get(2)?,
        subject: row.try_get(3)?,
        period: Period::from_name(&period)
            .ok_or_else(|| sqlx::Error::Decode("a budget's period is none".into()))?,
        amount: Money::from_nanos(row.try_get(5)?),
        hard: row.try_get(6)?,
        thresholds: thresholds.split_whitespace().filter_map(|percent| percent.parse().ok()).collect(),
        created: Timestamp(row.try_get(8)?),
        updated: Timestamp(row.try_get(9)?),
        deleted: row.try_get(10)?,
        changed_seq: row.try_get(11)?,
    })
});

macro_rules! select_budgets {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, name, subject, period, amount, hard, thresholds, created, updated, deleted, changed_seq
            FROM budgets ",
            $rest
        )
    };
}

impl Store {
    /// Stores a budget, new or edited; whose it is, its subject and its period never change. [`StoreError::Conflict`]: the subject
    /// has one over that period, or the account has [`BUDGETS_MAX`]; [`StoreError::NotFound`]: no such account.
    pub async fn put_budget(&self, budget: &BudgetRow) -> Result<(), StoreError> {
        require_plain("the budget's name", &budget.name)?;
        require_plain("the budget's subject", &budget.subject)?;
        let thresholds: Vec<String> = budget.thresholds.iter().map(u32::to_string).collect();
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Budgets).await?;
        let count = "SELECT COUNT(*) FROM budgets WHERE account = $1 AND deleted = $2";
        let count: Vec<(i64,)> =
            tx.fetch(count, &[budget.account.as_str().into(), Value::Bool(false)]).await?;
        if count.first().is_some_and(|(n,)| usize::try_from(*n).is_ok_and(|n| n > BUDGETS_MAX)) {
            return Err(StoreError::Conflict(format!("an account has at most {BUDGETS_MAX} budgets")));
        }
        let values = [
            budget.id.as_str().into(),
            budget.account.as_str().into(),
            budget.name.as_str().into(),
            budget.subject.as_str().into(),
            budget.period.name().into(),
            budget.amount.into(),
            Value::Bool(budget.hard),
            thresholds.join(" ").into(),
            budget.created.micros().into(),
            budget.updated.micros().into(),
            Value::Bool(budget.deleted),
            seq.into(),
        ];
        let sql = "INSERT INTO budgets (id, account, name, subject, period, amount, hard, thresholds, created, updated,
                deleted, changed_seq)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, amount = excluded.amount, hard = excluded.hard,
                thresholds = excluded.thresholds, updated = excluded.updated, deleted = excluded.deleted,
                changed_seq = excluded.changed_seq";
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// The budgets of an account, by their subjects.
    pub async fn budgets(&self, account: &AccountId) -> Result<Vec<BudgetRow>, StoreError> {
        let sql = select_budgets!("WHERE account = $1 AND deleted = $2 ORDER BY subject, period");
        self.db.fetch(sql, &[account.as_str().into(), Value::Bool(false)]).await
    }

    /// Budgets that were made, changed or taken away after `since` (0: all), with the number to ask after next time.
    pub async fn budget_changes(&self, since: i64) -> Result<(Vec<BudgetRow>, i64), StoreError> {
        let sql = select_budgets!("WHERE changed_seq > $1 ORDER BY changed_seq");
        let rows: Vec<BudgetRow> = self.db.fetch(sql, &[since.into()]).await?;
        let latest = rows.last().map_or(since, |row| row.changed_seq);
        Ok((rows, latest))
    }
}
