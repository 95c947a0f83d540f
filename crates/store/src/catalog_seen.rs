//! The catalog that was last in place, and who uses what of it.

use types::{AccountId, Timestamp};

use crate::db::decode_row;
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

    /// Notes the catalog that is in place now. False when another node noted one of this number before: nothing changes then.
    pub async fn note_catalog(&self, seen: &CatalogSeen, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO catalog_seen (id, number, version, body, seen) VALUES (1, $1, $2, $3, $4)
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
        tx.commit().await?;
        Ok(noted)
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
