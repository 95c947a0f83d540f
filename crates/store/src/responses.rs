//! Responses that callers asked to be kept, with the input items that led to them. Seen only by the account that made them.

use types::{AccountId, Timestamp};

use crate::db::Value;
use crate::{Store, StoreError};

/// Longest chain of `previous_response_id` that is followed.
pub const CHAIN_MAX: usize = 1_000;

/// A kept response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// `resp_...`
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// What it went on from.
    pub previous: Option<String>,
    /// When the request began.
    pub created: Timestamp,
    /// When it is forgotten.
    pub expires: Timestamp,
    /// The request's own input items, a JSON array.
    pub input: String,
    /// The response object, JSON.
    pub response: String,
}

type Row = (String, Option<String>, i64, i64, String, String);

impl Store {
    /// Keeps a response. Keeping it again changes nothing.
    pub async fn put_response(&self, kept: &StoredResponse) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        tx.execute(
            "INSERT INTO responses (id, account, previous, created, expires, input, response)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
            &[
                kept.id.as_str().into(),
                kept.account.as_str().into(),
                Value::OptText(kept.previous.as_deref()),
                kept.created.micros().into(),
                kept.expires.micros().into(),
                kept.input.as_str().into(),
                kept.response.as_str().into(),
            ],
        )
        .await?;
        tx.commit().await
    }

    /// One response of an account.
    ///
    /// # Errors
    /// `NotFound` when the account has none of that id, or it has expired.
    pub async fn response(
        &self,
        id: &str,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<StoredResponse, StoreError> {
        let rows: Vec<Row> = self
            .db
            .fetch(
                "SELECT id, previous, created, expires, input, response FROM responses
                 WHERE id = $1 AND account = $2 AND expires > $3",
                &[id.into(), account.as_str().into(), now.micros().into()],
            )
            .await?;
        let row = rows.into_iter().next();
        let (id, previous, created, expires, input, response) =
            row.ok_or_else(|| StoreError::NotFound(String::from("no such response")))?;
        let (created, expires) = (Timestamp(created), Timestamp(expires));
        Ok(StoredResponse { id, account: account.clone(), previous, created, expires, input, response })
    }

    /// Forgets a response of an account; false when there was none.
    pub async fn delete_response(&self, id: &str, account: &AccountId) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let deleted = tx
            .execute(
                "DELETE FROM responses WHERE id = $1 AND account = $2",
                &[id.into(), account.as_str().into()],
            )
            .await?;
        tx.commit().await?;
        Ok(deleted > 0)
    }

    /// Forgets what has expired; how many that were.
    pub async fn expire_responses(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let deleted = tx.execute("DELETE FROM responses WHERE expires <= $1", &[now.micros().into()]).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
