//! Keys. Only the hash of a key's text is stored. A key is never deleted: revoking says so for ever.

use types::{AccountId, KeyHash, KeyId, Money, Timestamp};

use crate::accounts::require_plain;
use crate::changes::{self, Counter};
use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError};

/// A key to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Its id.
    pub id: KeyId,
    /// Whose it is; the account must exist.
    pub account: AccountId,
    /// Hash of its text.
    pub hash: KeyHash,
    /// What may be shown of its text.
    pub label: String,
    /// What its owner calls it.
    pub name: String,
    /// Manages keys and calls no models; else the other way round.
    pub management: bool,
    /// The most that it may spend in all.
    pub spend_limit: Option<Money>,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// Requests per minute.
    pub requests_per_minute: Option<u32>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
    /// When it was made.
    pub created: Timestamp,
}

/// A stored key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// What it was made with.
    pub key: NewKey,
    /// Switched off for the time being.
    pub disabled: bool,
    /// Since when it is refused for ever.
    pub revoked: Option<Timestamp>,
    /// What it has spent, as far as the journal is folded.
    pub spent: Money,
    /// Number of its last change.
    pub changed_seq: i64,
}

decode_row!(KeyRow, |row| {
    let hash: String = row.try_get(2)?;
    let hash = KeyHash::from_hex(&hash)
        .ok_or_else(|| sqlx::Error::Decode("a key's hash is not 64 hex digits".into()))?;
    let small = |number: Option<i64>| number.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(KeyRow {
        key: NewKey {
            id: KeyId::new(row.try_get::<String, _>(0)?),
            account: AccountId::new(row.try_get::<String, _>(1)?),
            hash,
            label: row.try_get(3)?,
            name: row.try_get(4)?,
            management: row.try_get(5)?,
            spend_limit: row.try_get::<Option<i64>, _>(6)?.map(Money::from_nanos),
            expires: row.try_get::<Option<i64>, _>(7)?.map(Timestamp),
            requests_per_minute: small(row.try_get(8)?),
            concurrency: small(row.try_get(9)?),
            created: Timestamp(row.try_get(10)?),
        },
        disabled: row.try_get(11)?,
        revoked: row.try_get::<Option<i64>, _>(12)?.map(Timestamp),
        changed_seq: row.try_get(13)?,
        spent: Money::from_nanos(row.try_get(14)?),
    })
});

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.account, k.hash, k.label, k.name, k.management, k.spend_limit, k.expires,
                k.requests_per_minute, k.concurrency, k.created, k.disabled, k.revoked, k.changed_seq,
                COALESCE(t.spent, 0)
            FROM api_keys k LEFT JOIN key_totals t ON t.api_key = k.id ",
            $rest
        )
    };
}

macro_rules! insert_key {
    ($rest:literal) => {
        concat!(
            "INSERT INTO api_keys (id, account, hash, label, name, management, spend_limit, expires,
                requests_per_minute, concurrency, created, disabled, changed_seq)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            $rest
        )
    };
}

impl Store {
    /// Stores a key. [`StoreError::Conflict`]: the id or the hash is taken; [`StoreError::NotFound`]: no such account.
    pub async fn insert_key(&self, key: &NewKey) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        insert(&mut tx, insert_key!(""), key).await?;
        tx.commit().await
    }

    /// Stores a key unless one with the same hash exists, which is left as it is, revoked or not. Returns what is stored,
    /// and whether it was made now.
    pub async fn ensure_key(&self, key: &NewKey) -> Result<(KeyRow, bool), StoreError> {
        let mut tx = self.db.write().await?;
        let made = insert(&mut tx, insert_key!(" ON CONFLICT (hash) DO NOTHING"), key).await? == 1;
        let hash = key.hash.to_hex();
        let rows: Vec<KeyRow> = tx.fetch(select_keys!("WHERE k.hash = $1"), &[hash.into()]).await?;
        let row = rows.into_iter().next().ok_or_else(|| StoreError::NotFound("key".to_owned()))?;
        if made {
            tx.commit().await?;
        }
        Ok((row, made))
    }

    /// The keys of an account, or all, by creation.
    pub async fn list_keys(&self, account: Option<&AccountId>) -> Result<Vec<KeyRow>, StoreError> {
        match account {
            Some(account) => {
                let sql = select_keys!("WHERE k.account = $1 ORDER BY k.created, k.id");
                self.db.fetch(sql, &[account.as_str().into()]).await
            }
            None => self.db.fetch(select_keys!("ORDER BY k.created, k.id"), &[]).await,
        }
    }

    /// The one key with this id, hash (hex), label or name. Where several share a label or a name, the only one that is
    /// not revoked; else [`StoreError::Ambiguous`].
    pub async fn find_key(&self, selector: &str) -> Result<KeyRow, StoreError> {
        let sql = select_keys!(
            "WHERE k.id = $1 OR k.hash = $1 OR k.label = $1 OR k.name = $1 ORDER BY k.created, k.id"
        );
        let mut rows: Vec<KeyRow> = self.db.fetch(sql, &[selector.into()]).await?;
        let exact = |row: &KeyRow| row.key.id.as_str() == selector || row.key.hash.to_hex() == selector;
        if rows.iter().any(exact) {
            rows.retain(exact);
        } else if rows.iter().filter(|row| row.revoked.is_none()).count() == 1 {
            rows.retain(|row| row.revoked.is_none());
        }
        if rows.len() > 1 {
            let names = rows.iter().map(|row| format!("{} ({})", row.key.id, row.key.label));
            return Err(StoreError::Ambiguous(names.collect()));
        }
        rows.pop().ok_or_else(|| StoreError::NotFound(format!("key `{selector}`")))
    }

    /// Revokes a key for ever. Revoking again changes nothing; the first instant stays.
    pub async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE api_keys SET revoked = COALESCE(revoked, $2), changed_seq = $3 WHERE id = $1";
        self.change_key(id, sql, now.micros().into()).await
    }

    /// Switches a key off, or on again.
    pub async fn set_key_disabled(&self, id: &KeyId, disabled: bool) -> Result<(), StoreError> {
        let sql = "UPDATE api_keys SET disabled = $2, changed_seq = $3 WHERE id = $1";
        self.change_key(id, sql, Value::Bool(disabled)).await
    }

    /// Keys that were made or changed after `since` (0: all), with the number to ask after next time. No change is ever
    /// missed: see `changes.rs`.
    pub async fn key_changes(&self, since: i64) -> Result<(Vec<KeyRow>, i64), StoreError> {
        let sql = select_keys!("WHERE k.changed_seq > $1 ORDER BY k.changed_seq");
        let rows: Vec<KeyRow> = self.db.fetch(sql, &[since.into()]).await?;
        let latest = rows.last().map_or(since, |row| row.changed_seq);
        Ok((rows, latest))
    }

    async fn change_key(&self, id: &KeyId, sql: &'static str, value: Value<'_>) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Keys).await?;
        if tx.execute(sql, &[id.as_str().into(), value, seq.into()]).await? == 0 {
            return Err(StoreError::NotFound(format!("key `{id}`")));
        }
        tx.commit().await
    }
}

async fn insert(tx: &mut Tx, sql: &'static str, key: &NewKey) -> Result<u64, StoreError> {
    require_plain("the key's name", &key.name)?;
    require_plain("the key's label", &key.label)?;
    let seq = changes::next(tx, Counter::Keys).await?;
    let values = [
        key.id.as_str().into(),
        key.account.as_str().into(),
        key.hash.to_hex().into(),
        key.label.as_str().into(),
        key.name.as_str().into(),
        Value::Bool(key.management),
        Value::OptInt(key.spend_limit.map(Money::nanos)),
        Value::OptInt(key.expires.map(Timestamp::micros)),
        Value::OptInt(key.requests_per_minute.map(i64::from)),
        Value::OptInt(key.concurrency.map(i64::from)),
        key.created.micros().into(),
        Value::Bool(false),
        seq.into(),
    ];
    tx.execute(sql, &values).await
}
