//! The catalog that was last in place, the prices that changed since the first one, and who uses what of it.

use types::{AccountId, Timestamp};

use crate::db::{Value, decode_row};
use crate::{Store, StoreError};

/// A catalog that was in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSeen {
    /// How many there were, this one included.
    pub number: i64,
    /// Its version.
    pub version: String,
    /// What of it is compared with the next one, JSON.
    pub body: String,
}

decode_row!(CatalogSeen, |row| {
    Ok(CatalogSeen { number: row.try_get(0)?, version: row.try_get(1)?, body: row.try_get(2)? })
});

/// A price that another catalog changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChangeRow {
    /// The catalog that brought it.
    pub number: i64,
    /// Whose price.
    pub endpoint: String,
    /// What it is for, by its key in files: `input_usd_per_mtok`; empty: the endpoint is new.
    pub kind: String,
    /// When it holds: `above 200000 input tokens`; empty: always.
    pub condition: String,
    /// Decimal text, `unknown`, or `None` where there was no price of its own.
    pub before: Option<String>,
    /// The same, since then.
    pub after: Option<String>,
    /// When it was seen.
    pub seen: Timestamp,
}

decode_row!(PriceChangeRow, |row| {
    Ok(PriceChangeRow {
        number: row.try_get(0)?,
        endpoint: row.try_get(1)?,
        kind: row.try_get(2)?,
        condition: row.try_get(3)?,
        before: row.try_get(4)?,
        after: row.try_get(5)?,
        seen: Timestamp(row.try_get(6)?),
    })
});

/// An account's use of a model at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelUse {
    /// Whose.
    pub account: AccountId,
    /// The concrete model.
    pub model: String,
    /// The provider's slug.
    pub provider: String,
}

decode_row!(ModelUse, |row| {
    Ok(ModelUse {
        account: AccountId::new(row.try_get::<String, _>(0)?),
        model: row.try_get(1)?,
        provider: row.try_get(2)?,
    })
});

impl Store {
    /// The catalog that was last in place; `None` before the first.
    pub async fn catalog_seen(&self) -> Result<Option<CatalogSeen>, StoreError> {
        let sql = "SELECT number, version, body FROM catalog_seen WHERE id = 1";
        Ok(self.db.fetch(sql, &[]).await?.pop())
    }

    /// Notes the catalog that is in place now, and the prices that it changed, in one step. False when another node noted one of this
    /// number before: nothing changes then.
    pub async fn note_catalog(
        &self,
        seen: &CatalogSeen,
        changes: &[PriceChangeRow],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql =
            "INSERT INTO catalog_seen (id, number, version, body, seen, since) VALUES (1, $1, $2, $3, $4, $4)
            ON CONFLICT (id) DO UPDATE SET number = excluded.number, version = excluded.version,
                body = excluded.body, seen = excluded.seen
            WHERE catalog_seen.number = excluded.number - 1";
        let values = [
            seen.number.into(),
            seen.version.as_str().into(),
            seen.body.as_str().into(),
            now.micros().into(),
        ];
        let noted = tx.execute(sql, &values).await? == 1;
        if noted {
            let head = "INSERT INTO price_changes (number, endpoint, kind, condition, before, after, seen)";
            let rows: Vec<Vec<Value<'_>>> = changes.iter().map(row_of).collect();
            tx.put(head, &rows, "ON CONFLICT (number, endpoint, kind, condition) DO NOTHING").await?;
        }
        tx.commit().await?;
        Ok(noted)
    }

    /// Since when prices are watched; `None`: no catalog was noted yet.
    pub async fn prices_watched_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let found: Vec<(i64,)> = self.db.fetch("SELECT since FROM catalog_seen WHERE id = 1", &[]).await?;
        Ok(found.first().map(|(since,)| Timestamp(*since)))
    }

    /// The prices that changed last, newest first, at most so many.
    pub async fn price_changes(&self, at_most: i64) -> Result<Vec<PriceChangeRow>, StoreError> {
        let sql = "SELECT number, endpoint, kind, condition, before, after, seen FROM price_changes
            ORDER BY number DESC, endpoint, condition, kind LIMIT $1";
        self.db.fetch(sql, &[at_most.into()]).await
    }

    /// Which accounts used which models at which providers since a day, counted from 1970-01-01 in UTC. Accounts that were erased
    /// are not among them.
    pub async fn models_used(&self, since_day: i64) -> Result<Vec<ModelUse>, StoreError> {
        let sql = "SELECT DISTINCT d.account, d.model, d.provider FROM activity_days d
            JOIN accounts a ON a.id = d.account
            WHERE d.day >= $1 AND d.model <> '' AND a.erased IS NULL
            ORDER BY d.account, d.model, d.provider";
        self.db.fetch(sql, &[since_day.into()]).await
    }
}

fn row_of(change: &PriceChangeRow) -> Vec<Value<'_>> {
    vec![
        change.number.into(),
        change.endpoint.as_str().into(),
        change.kind.as_str().into(),
        change.condition.as_str().into(),
        Value::OptText(change.before.as_deref()),
        Value::OptText(change.after.as_deref()),
        change.seen.micros().into(),
    ]
}
