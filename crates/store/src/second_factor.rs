//! Second factors, recovery codes, and codes of apps. Whatever is good once is taken by the statement that uses it up.

use types::{AccountId, KeyHash, Timestamp};

use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError};

/// The authenticator of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// Its secret, sealed.
    pub sealed: String,
    /// Under which master key.
    pub master: String,
    /// Since when it is in force.
    pub confirmed: Option<Timestamp>,
}

decode_row!(SecondFactor, |row| {
    Ok(SecondFactor {
        sealed: row.try_get(0)?,
        master: row.try_get(1)?,
        confirmed: row.try_get::<Option<i64>, _>(2)?.map(Timestamp),
    })
});

impl Store {
    /// A person's second factor, in force or not yet.
    pub async fn second_factor(&self, user: &str) -> Result<Option<SecondFactor>, StoreError> {
        let sql = "SELECT sealed, master, confirmed FROM second_factors WHERE user_id = $1";
        Ok(self.db.fetch(sql, &[user.into()]).await?.into_iter().next())
    }

    /// Keeps a secret that is not in force yet, in place of another such one. [`StoreError::Conflict`]: one is in force.
    pub async fn begin_second_factor(
        &self,
        user: &str,
        (sealed, master): (&str, &str),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM second_factors WHERE user_id = $1 AND confirmed IS NULL";
        tx.execute(sql, &[user.into()]).await?;
        let sql = "INSERT INTO second_factors (user_id, sealed, master, created, last_step) VALUES ($1, $2, $3, $4, 0)
            ON CONFLICT (user_id) DO NOTHING";
        let values = [user.into(), sealed.into(), master.into(), now.micros().into()];
        if tx.execute(sql, &values).await? == 0 {
            return Err(StoreError::Conflict("a second factor is in force already; end it first".to_owned()));
        }
        tx.commit().await
    }

    /// Puts it in force, with recovery codes in place of earlier ones. Sessions but one end.
    pub async fn confirm_second_factor(
        &self,
        user: &str,
        codes: &[KeyHash],
        but: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE second_factors SET confirmed = COALESCE(confirmed, $2) WHERE user_id = $1";
        if tx.execute(sql, &[user.into(), now.micros().into()]).await? == 0 {
            return Err(StoreError::NotFound("second factor".to_owned()));
        }
        put_codes(&mut tx, user, codes).await?;
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
        tx.execute(sql, &[user.into(), but.into()]).await?;
        tx.commit().await
    }

    /// Gives a person other recovery codes.
    pub async fn set_recovery_codes(&self, user: &str, codes: &[KeyHash]) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        put_codes(&mut tx, user, codes).await?;
        tx.commit().await
    }

    /// Takes the code of a step; false: that step or a later one was taken before.
    pub async fn take_step(&self, user: &str, step: i64) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2";
        let taken = tx.execute(sql, &[user.into(), step.into()]).await? == 1;
        tx.commit().await?;
        Ok(taken)
    }

    /// Takes a recovery code; false: nobody knows it.
    pub async fn take_recovery_code(&self, user: &str, code: &KeyHash) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2";
        let taken = tx.execute(sql, &[user.into(), code.to_hex().into()]).await? == 1;
        tx.commit().await?;
        Ok(taken)
    }

    /// How many recovery codes a person has left.
    pub async fn recovery_codes_left(&self, user: &str) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1";
        let rows: Vec<(i64,)> = self.db.fetch(sql, &[user.into()]).await?;
        Ok(rows.first().map_or(0, |row| row.0))
    }

    /// Ends a person's second factor; false: there is none.
    pub async fn end_second_factor(&self, user: &str) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        tx.execute("DELETE FROM recovery_codes WHERE user_id = $1", &[user.into()]).await?;
        let ended = tx.execute("DELETE FROM second_factors WHERE user_id = $1", &[user.into()]).await? == 1;
        tx.commit().await?;
        Ok(ended)
    }

    /// Keeps a code that an app will bring, and forgets those that are over.
    pub async fn insert_app_code(
        &self,
        hash: &KeyHash,
        (account, user): (&AccountId, &str),
        body: &str,
        (now, expires): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        tx.execute("DELETE FROM app_codes WHERE expires <= $1", &[now.micros().into()]).await?;
        let sql = "INSERT INTO app_codes (hash, account, user_id, body, expires) VALUES ($1, $2, $3, $4, $5)";
        let values = [
            hash.to_hex().into(),
            account.as_str().into(),
            user.into(),
            body.into(),
            expires.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Takes the code of an app: whose it is, by whom, until when, and what was let.
    pub async fn take_app_code(
        &self,
        hash: &KeyHash,
    ) -> Result<Option<(AccountId, String, Timestamp, String)>, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "DELETE FROM app_codes WHERE hash = $1 RETURNING account, user_id, expires, body";
        let taken: Vec<(String, String, i64, String)> = tx.fetch(sql, &[hash.to_hex().into()]).await?;
        tx.commit().await?;
        let taken = taken.into_iter().next();
        Ok(taken
            .map(|(account, user, expires, body)| (AccountId::new(account), user, Timestamp(expires), body)))
    }
}

async fn put_codes(tx: &mut Tx, user: &str, codes: &[KeyHash]) -> Result<(), StoreError> {
    tx.execute("DELETE FROM recovery_codes WHERE user_id = $1", &[user.into()]).await?;
    let rows: Vec<Vec<Value<'_>>> =
        codes.iter().map(|code| vec![user.into(), code.to_hex().into()]).collect();
    tx.put("INSERT INTO recovery_codes (user_id, hash)", &rows, "").await.map(drop)
}
