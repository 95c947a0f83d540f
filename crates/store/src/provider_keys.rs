//! Provider keys of the whole server, as its operator enters them while it runs. What is sealed in a row is not looked at here.

use types::Timestamp;

use crate::db::decode_row;
use crate::{Store, StoreError};

/// Where a provider's key is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderKey {
    /// The provider's slug.
    pub provider: String,
    /// Ciphertext.
    pub sealed: String,
    /// Which master key it is sealed under.
    pub master: String,
    /// When it was entered.
    pub changed: Timestamp,
    /// By whom.
    pub changed_by: String,
}

impl std::fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderKey").field("provider", &self.provider).finish_non_exhaustive()
    }
}

decode_row!(ProviderKey, |row| {
    Ok(ProviderKey {
        provider: row.try_get(0)?,
        sealed: row.try_get(1)?,
        master: row.try_get(2)?,
        changed: Timestamp(row.try_get(3)?),
        changed_by: row.try_get(4)?,
    })
});

impl Store {
    /// All of them, by provider.
    pub async fn provider_keys(&self) -> Result<Vec<ProviderKey>, StoreError> {
        let sql = "SELECT provider, sealed, master, changed, changed_by FROM provider_keys ORDER BY provider";
        self.db.fetch(sql, &[]).await
    }

    /// Keeps a key, in the place of the one that was there.
    pub async fn put_provider_key(&self, key: &ProviderKey) -> Result<(), StoreError> {
        let sql = "INSERT INTO provider_keys (provider, sealed, master, changed, changed_by)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (provider) DO UPDATE SET sealed = excluded.sealed, master = excluded.master,
                changed = excluded.changed, changed_by = excluded.changed_by";
        let values = [
            key.provider.as_str().into(),
            key.sealed.as_str().into(),
            key.master.as_str().into(),
            key.changed.micros().into(),
            key.changed_by.as_str().into(),
        ];
        let mut tx = self.db.write().await?;
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Takes a key away; false when there was none.
    pub async fn delete_provider_key(&self, provider: &str) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let gone = tx.execute("DELETE FROM provider_keys WHERE provider = $1", &[provider.into()]).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }
}
