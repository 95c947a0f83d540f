//! Prompts and answers that accounts want kept: sealed by those who bring them, each with the instant when it is to be forgotten. And
//! what each account lets be kept at all: by default nothing; and nothing for ever, once it has said so.

use types::{AccountId, GenerationId, KeyId, Timestamp};

use crate::changes::{self, Counter};
use crate::db::{Value, decode_row};
use crate::{Store, StoreError};

/// What an account lets be kept of its prompts and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy {
    /// The account.
    pub account: AccountId,
    /// For how many days; 0: nothing is kept.
    pub keep_days: i64,
    /// Since when it keeps nothing for ever.
    pub zero_since: Option<Timestamp>,
}

decode_row!(Privacy, |row| {
    Ok(Privacy {
        account: AccountId::new(row.try_get::<String, _>(0)?),
        keep_days: row.try_get(1)?,
        zero_since: row.try_get::<Option<i64>, _>(2)?.map(Timestamp),
    })
});

/// A prompt and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The generation's id.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// The key that called.
    pub key: KeyId,
    /// When the request began.
    pub created: Timestamp,
    /// When it is forgotten.
    pub expires: Timestamp,
    /// What it is sealed under.
    pub master: String,
    /// Both, sealed.
    pub sealed: String,
}

decode_row!(Content, |row| {
    Ok(Content {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        key: KeyId::new(row.try_get::<String, _>(2)?),
        created: Timestamp(row.try_get(3)?),
        expires: Timestamp(row.try_get(4)?),
        master: row.try_get(5)?,
        sealed: row.try_get(6)?,
    })
});

const PRIVACY: &str =
    "SELECT account, keep_days, zero_since FROM account_privacy WHERE changed_seq > $1 ORDER BY account";

impl Store {
    /// What accounts said after a number (0: all), and the number to ask after next time.
    pub async fn privacy_changes(&self, since: i64) -> Result<(Vec<Privacy>, i64), StoreError> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT value FROM change_counters WHERE name = $1";
        let latest: Vec<(i64,)> = tx.fetch(sql, &[Counter::Privacy.name().into()]).await?;
        let latest = latest.first().map_or(since, |row| row.0);
        if latest == since {
            return Ok((Vec::new(), latest));
        }
        Ok((tx.fetch(PRIVACY, &[since.into()]).await?, latest))
    }

    /// Says what an account lets be kept. `zero`: nothing from now on, for ever: what was said before stands, and `keep_days` is 0.
    /// A smaller number of days holds for what is kept already, too.
    pub async fn set_privacy(
        &self,
        account: &AccountId,
        keep_days: i64,
        zero: bool,
        now: Timestamp,
    ) -> Result<Privacy, StoreError> {
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Privacy).await?;
        let sql = "INSERT INTO account_privacy (account, keep_days, zero_since, changed_seq) VALUES ($1, $2, $3, $4)
            ON CONFLICT (account) DO UPDATE SET
                keep_days = CASE WHEN account_privacy.zero_since IS NULL THEN excluded.keep_days ELSE 0 END,
                zero_since = COALESCE(account_privacy.zero_since, excluded.zero_since),
                changed_seq = excluded.changed_seq
            RETURNING account, keep_days, zero_since";
        let keep_days = if zero { 0 } else { keep_days };
        let values: [Value<'_>; 4] = [
            account.as_str().into(),
            keep_days.into(),
            Value::OptInt(zero.then_some(now.micros())),
            seq.into(),
        ];
        let rows: Vec<Privacy> = tx.fetch(sql, &values).await?;
        tx.commit().await?;
        rows.into_iter().next().ok_or_else(|| StoreError::NotFound(format!("account `{account}`")))
    }

    /// Keeps what is to be kept, and nothing of accounts that keep nothing; returns how many were kept.
    pub async fn put_contents(&self, contents: &[Content]) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let keeping: Vec<(String,)> = tx
            .fetch("SELECT account FROM account_privacy WHERE keep_days > 0 AND zero_since IS NULL", &[])
            .await?;
        let rows: Vec<Vec<Value<'_>>> = contents
            .iter()
            .filter(|content| keeping.iter().any(|(account,)| account == content.account.as_str()))
            .map(|content| {
                vec![
                    content.id.as_str().into(),
                    content.account.as_str().into(),
                    content.key.as_str().into(),
                    content.created.micros().into(),
                    content.expires.micros().into(),
                    content.master.as_str().into(),
                    content.sealed.as_str().into(),
                ]
            })
            .collect();
        let head = "INSERT INTO contents (id, account, api_key, created, expires, master, sealed)";
        let kept = tx.put(head, &rows, "ON CONFLICT (id) DO NOTHING").await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// A prompt and its answer, of an account that lets them be kept. [`StoreError::NotFound`]: they are not, or no longer.
    pub async fn content(
        &self,
        id: &GenerationId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Content, StoreError> {
        let sql = "SELECT c.id, c.account, c.api_key, c.created, c.expires, c.master, c.sealed
            FROM contents c JOIN account_privacy p ON p.account = c.account
            WHERE c.id = $1 AND c.account = $2 AND c.expires > $3 AND p.zero_since IS NULL
                AND c.created > $3 - p.keep_days * 86400000000";
        let values = [id.as_str().into(), account.as_str().into(), now.micros().into()];
        let rows: Vec<Content> = self.db.fetch(sql, &values).await?;
        rows.into_iter().next().ok_or_else(|| StoreError::NotFound(format!("prompt and answer of `{id}`")))
    }

    /// Deletes up to `rows_max` of what has expired; returns how many that were. Fewer than asked for: none is left.
    pub async fn expire_contents(&self, now: Timestamp, rows_max: i64) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM contents WHERE id IN (SELECT id FROM contents WHERE expires <= $1 ORDER BY expires LIMIT $2)";
        let deleted = tx.execute(sql, &[now.micros().into(), rows_max.into()]).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Deletes up to `rows_max` of what accounts no longer let be kept.
    pub async fn forget_contents(&self, now: Timestamp, rows_max: i64) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM contents WHERE id IN (
            SELECT c.id FROM account_privacy p JOIN contents c ON c.account = p.account
                AND c.created <= CASE WHEN p.zero_since IS NULL THEN $1 - p.keep_days * 86400000000 ELSE 9223372036854775807 END
            LIMIT $2)";
        let deleted = tx.execute(sql, &[now.micros().into(), rows_max.into()]).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
