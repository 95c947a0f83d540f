//! What was spent over spans of days, by whatever can have a budget.

use std::collections::BTreeMap;

use ledger::GenerationRecord;
use types::{AccountId, Money};

use crate::corrections::Rerated;
use crate::db::{Tx, Value};
use crate::generations::column;
use crate::{Store, StoreError};

impl Store {
    /// What each key of an account was charged from a day on, in days since 1970.
    pub async fn keys_spent_since(
        &self,
        account: &AccountId,
        day: i64,
    ) -> Result<Vec<(String, Money)>, StoreError> {
        let sql = "SELECT api_key, CAST(SUM(charged) AS BIGINT) FROM activity_days
            WHERE account = $1 AND day >= $2 GROUP BY api_key ORDER BY api_key";
        self.sums(sql, account, day).await
    }

    /// What each subject of an account was charged from a day on: `project:web`, `tag:blue`, `user:alice`.
    pub async fn subjects_spent_since(
        &self,
        account: &AccountId,
        day: i64,
    ) -> Result<Vec<(String, Money)>, StoreError> {
        let sql = "SELECT subject, CAST(SUM(charged) AS BIGINT) FROM spend_days
            WHERE account = $1 AND day >= $2 GROUP BY subject ORDER BY subject";
        self.sums(sql, account, day).await
    }

    async fn sums(
        &self,
        sql: &'static str,
        account: &AccountId,
        day: i64,
    ) -> Result<Vec<(String, Money)>, StoreError> {
        let rows: Vec<(String, i64)> = self.db.fetch(sql, &[account.as_str().into(), day.into()]).await?;
        Ok(rows.into_iter().map(|(subject, charged)| (subject, Money::from_nanos(charged))).collect())
    }
}

/// Adds generations to the rollup of the subjects that they count for.
pub(crate) async fn add(tx: &mut Tx, records: &[&GenerationRecord]) -> Result<(), StoreError> {
    put(tx, records.iter().map(|record| (*record, record.charged))).await
}

/// Adds what corrections change to the days of the generations that they are of.
pub(crate) async fn correct(tx: &mut Tx, changed: &[Rerated]) -> Result<(), StoreError> {
    put(tx, changed.iter().map(|one| (&one.record, one.correction.charged))).await
}

async fn put<'r>(
    tx: &mut Tx,
    charges: impl Iterator<Item = (&'r GenerationRecord, Money)>,
) -> Result<(), StoreError> {
    let mut days: BTreeMap<(&str, &str, i64), i64> = BTreeMap::new();
    for (record, charged) in charges.filter(|(_, charged)| *charged != Money::ZERO) {
        for subject in &record.counted {
            let sum = days.entry((record.account.as_str(), subject, record.created.day())).or_default();
            *sum = sum.saturating_add(charged.nanos());
        }
    }
    let rows: Vec<Vec<Value<'_>>> = days
        .iter()
        .map(|((account, subject, day), charged)| {
            vec![column(account), column(subject), (*day).into(), (*charged).into()]
        })
        .collect();
    tx.put(
        "INSERT INTO spend_days (account, subject, day, charged)",
        &rows,
        "ON CONFLICT (account, subject, day) DO UPDATE SET charged = spend_days.charged + excluded.charged",
    )
    .await
    .map(drop)
}
