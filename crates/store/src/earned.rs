//! What was earned: what accounts were charged and what providers take for it, over all accounts. Out of the parts of the
//! rollup of days.

use types::Money;

use crate::db::decode_row;
use crate::{Store, StoreError, facets};

/// Most rows of an answer: those that were charged most.
const ROWS_MAX: i64 = 1_000;

/// What it is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarnedBy {
    /// The concrete model.
    Model,
    /// The provider's slug.
    Provider,
    /// The account.
    Account,
}

/// What was earned with one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarnedRow {
    /// Which; empty where none was reached.
    pub value: String,
    /// Generations.
    pub requests: i64,
    /// Those of them of which no answer began.
    pub failed: i64,
    /// What accounts were charged, fees for own keys and corrections included.
    pub charged: Money,
    /// What providers take of us, every attempt counted.
    pub provider_cost: Money,
}

decode_row!(EarnedRow, |row| {
    Ok(EarnedRow {
        value: row.try_get(0)?,
        requests: row.try_get(1)?,
        failed: row.try_get(2)?,
        charged: Money::from_nanos(row.try_get(3)?),
        provider_cost: Money::from_nanos(row.try_get(4)?),
    })
});

impl EarnedRow {
    /// Both together, without a name.
    #[must_use]
    pub fn plus(&self, other: &EarnedRow) -> EarnedRow {
        EarnedRow {
            value: String::new(),
            requests: self.requests.saturating_add(other.requests),
            failed: self.failed.saturating_add(other.failed),
            charged: self.charged.saturating_add(other.charged),
            provider_cost: self.provider_cost.saturating_add(other.provider_cost),
        }
    }
}

impl Store {
    /// What was earned from one day (since 1970) up to before another; what was charged most first.
    pub async fn earned(&self, by: EarnedBy, from: i64, to: i64) -> Result<Vec<EarnedRow>, StoreError> {
        let (part, column) = match by {
            EarnedBy::Model => (facets::MODEL, "f.value"),
            EarnedBy::Provider => (facets::PROVIDER, "f.value"),
            EarnedBy::Account => (facets::ALL, "f.account"),
        };
        let sql = format!(
            "SELECT {column}, CAST(SUM(f.requests) AS BIGINT), CAST(SUM(f.failed) AS BIGINT), CAST(SUM(f.charged) AS BIGINT),
                CAST(SUM(f.provider_cost) AS BIGINT)
            FROM accounts a CROSS JOIN facet_days f
            WHERE f.account = a.id AND f.facet = $1 AND f.api_key = '' AND f.day >= $2 AND f.day < $3
            GROUP BY {column} ORDER BY SUM(f.charged) DESC, {column} LIMIT {ROWS_MAX}"
        );
        self.db.fetch_built(sql, &[part.into(), from.into(), to.into()]).await
    }
}
