//! Keys. Only the hash of a key's text is stored. A key is never deleted: revoking says so for ever.

use types::{AccountId, KeyHash, KeyId, Money, Role, Timestamp};

use crate::accounts::require_plain;
use crate::changes::{self, Counter};
use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError, organizations};

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
    /// The project that it belongs to.
    pub project: Option<String>,
    /// What it may do beyond that: JSON whose content is not looked at here.
    pub rules: String,
    /// Who holds it: a member or a service account; `None`: the organization.
    pub holder: Option<String>,
    /// What a management key may do.
    pub role: Option<Role>,
}

/// A key's text before its last rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Hash of the text before.
    pub hash: KeyHash,
    /// Until when it is still taken.
    pub until: Timestamp,
}

/// What changes of a key; `None` leaves it, and of what may be absent `Some(None)` takes it away.
#[derive(Clone, Debug, Default)]
pub struct KeyEdit {
    /// What its owner calls it.
    pub name: Option<String>,
    /// Switched off, or on again.
    pub disabled: Option<bool>,
    /// The most that it may spend.
    pub spend_limit: Option<Option<Money>>,
    /// From when on it is refused.
    pub expires: Option<Option<Timestamp>>,
    /// Requests per minute.
    pub requests_per_minute: Option<Option<u32>>,
    /// Requests at the same time.
    pub concurrency: Option<Option<u32>>,
    /// The project that it belongs to.
    pub project: Option<Option<String>>,
    /// See [`NewKey::rules`].
    pub rules: Option<String>,
}

/// A stored key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// What it was made with.
    pub key: NewKey,
    /// Switched off for the time being.
    pub disabled: bool,
    /// Its holder may not come in, or may not make calls, for the time being, so that it is refused as well.
    pub holder_is_out: bool,
    /// Since when it is refused for ever.
    pub revoked: Option<Timestamp>,
    /// What it has spent, as far as the journal is folded.
    pub spent: Money,
    /// Number of its last change.
    pub changed_seq: i64,
    /// When it was last edited.
    pub updated: Option<Timestamp>,
    /// The text before its last rotation.
    pub previous: Option<Rotation>,
    /// Why it was frozen, where it was.
    pub frozen: Option<String>,
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
            project: row.try_get(15)?,
            rules: row.try_get(16)?,
            holder: row.try_get(21)?,
            role: row.try_get::<Option<String>, _>(22)?.as_deref().and_then(Role::named),
        },
        disabled: row.try_get(11)?,
        holder_is_out: row.try_get(23)?,
        revoked: row.try_get::<Option<i64>, _>(12)?.map(Timestamp),
        changed_seq: row.try_get(13)?,
        spent: Money::from_nanos(row.try_get(14)?),
        updated: row.try_get::<Option<i64>, _>(17)?.map(Timestamp),
        previous: {
            let hash: Option<String> = row.try_get(18)?;
            let until: Option<i64> = row.try_get(19)?;
            let hash = hash.as_deref().and_then(KeyHash::from_hex);
            hash.zip(until).map(|(hash, until)| Rotation { hash, until: Timestamp(until) })
        },
        frozen: row.try_get(20)?,
    })
});

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.account, k.hash, k.label, k.name, k.management, k.spend_limit, k.expires,
                k.requests_per_minute, k.concurrency, k.created, k.disabled, k.revoked, k.changed_seq,
                COALESCE(t.spent, 0), k.project, k.rules, k.updated, k.previous_hash, k.previous_until, k.frozen, k.holder,
                k.role, EXISTS (SELECT 1 FROM users u WHERE u.id = k.holder AND u.disabled IS NOT NULL)
                    OR (k.management = FALSE AND EXISTS (SELECT 1 FROM members m WHERE m.account = k.account
                        AND m.user_id = k.holder AND m.role IN ('billing', 'viewer')))
            FROM api_keys k LEFT JOIN key_totals t ON t.api_key = k.id ",
            $rest
        )
    };
}

macro_rules! insert_key {
    ($rest:literal) => {
        concat!(
            "INSERT INTO api_keys (id, account, hash, label, name, management, spend_limit, expires,
                requests_per_minute, concurrency, created, disabled, changed_seq, project, rules, holder, role)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
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

    /// Edits a key of an account, and returns it as it is then. [`StoreError::NotFound`]: the account has no such key, or it was
    /// revoked.
    pub async fn edit_key(
        &self,
        account: &AccountId,
        id: &KeyId,
        edit: &KeyEdit,
        now: Timestamp,
    ) -> Result<KeyRow, StoreError> {
        if let Some(name) = &edit.name {
            require_plain("the key's name", name)?;
        }
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Keys).await?;
        let sql = select_keys!("WHERE k.id = $1 AND k.account = $2 AND k.revoked IS NULL");
        let rows: Vec<KeyRow> = tx.fetch(sql, &[id.as_str().into(), account.as_str().into()]).await?;
        let mut row = rows.into_iter().next().ok_or_else(|| StoreError::NotFound(format!("key `{id}`")))?;
        edit.apply(&mut row, now, seq);
        let key = &row.key;
        let values = [
            key.id.as_str().into(),
            key.name.as_str().into(),
            Value::Bool(row.disabled),
            Value::OptInt(key.spend_limit.map(Money::nanos)),
            Value::OptInt(key.expires.map(Timestamp::micros)),
            Value::OptInt(key.requests_per_minute.map(i64::from)),
            Value::OptInt(key.concurrency.map(i64::from)),
            Value::OptText(key.project.as_deref()),
            key.rules.as_str().into(),
            now.micros().into(),
            Value::OptText(row.frozen.as_deref()),
            seq.into(),
        ];
        let sql = "UPDATE api_keys SET name = $2, disabled = $3, spend_limit = $4, expires = $5, requests_per_minute = $6,
            concurrency = $7, project = $8, rules = $9, updated = $10, frozen = $11, changed_seq = $12 WHERE id = $1";
        tx.execute(sql, &values).await?;
        if let Some(project) = &key.project {
            organizations::note_project(&mut tx, account, project, now).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// Gives a key another text; the one before is taken until `until`. [`StoreError::NotFound`] as in [`Store::edit_key`].
    pub async fn rotate_key(
        &self,
        account: &AccountId,
        id: &KeyId,
        (hash, label): (KeyHash, &str),
        until: Timestamp,
        now: Timestamp,
    ) -> Result<KeyRow, StoreError> {
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Keys).await?;
        let sql = "UPDATE api_keys SET previous_hash = hash, previous_until = $5, hash = $3, label = $4, updated = $6,
            changed_seq = $7 WHERE id = $1 AND account = $2 AND revoked IS NULL";
        let values = [
            id.as_str().into(),
            account.as_str().into(),
            hash.to_hex().into(),
            label.into(),
            until.micros().into(),
            now.micros().into(),
            seq.into(),
        ];
        let missing = || StoreError::NotFound(format!("key `{id}`"));
        if tx.execute(sql, &values).await? == 0 {
            return Err(missing());
        }
        let rows: Vec<KeyRow> = tx.fetch(select_keys!("WHERE k.id = $1"), &[id.as_str().into()]).await?;
        let row = rows.into_iter().next().ok_or_else(missing)?;
        tx.commit().await?;
        Ok(row)
    }

    /// Switches a key off and says why; false when it is off already. An edit that switches it on again takes the reason away.
    pub async fn freeze_key(&self, id: &KeyId, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Keys).await?;
        let sql = "UPDATE api_keys SET disabled = $2, frozen = $3, updated = $4, changed_seq = $5
            WHERE id = $1 AND disabled = $6";
        let values = [
            id.as_str().into(),
            Value::Bool(true),
            why.into(),
            now.micros().into(),
            seq.into(),
            Value::Bool(false),
        ];
        let frozen = tx.execute(sql, &values).await? == 1;
        if frozen {
            tx.commit().await?;
        }
        Ok(frozen)
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

impl KeyEdit {
    fn apply(&self, row: &mut KeyRow, now: Timestamp, seq: i64) {
        let key = &mut row.key;
        key.name = self.name.clone().unwrap_or_else(|| key.name.clone());
        key.spend_limit = self.spend_limit.unwrap_or(key.spend_limit);
        key.expires = self.expires.unwrap_or(key.expires);
        key.requests_per_minute = self.requests_per_minute.unwrap_or(key.requests_per_minute);
        key.concurrency = self.concurrency.unwrap_or(key.concurrency);
        key.project = self.project.clone().unwrap_or_else(|| key.project.clone());
        key.rules = self.rules.clone().unwrap_or_else(|| key.rules.clone());
        row.disabled = self.disabled.unwrap_or(row.disabled);
        if !row.disabled {
            row.frozen = None;
        }
        row.updated = Some(now);
        row.changed_seq = seq;
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
        Value::OptText(key.project.as_deref()),
        key.rules.as_str().into(),
        Value::OptText(key.holder.as_deref()),
        Value::OptText(key.role.map(Role::name)),
    ];
    if let Some(project) = &key.project {
        organizations::note_project(tx, &key.account, project, key.created).await?;
    }
    tx.execute(sql, &values).await
}
