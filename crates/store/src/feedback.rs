//! What callers said of answers. One object per generation; what is said later is put over what was said before, key by key.

use serde_json::{Map, Value as Json};
use types::{AccountId, GenerationId, Timestamp};

use crate::db::Value;
use crate::{Store, StoreError};

/// Largest feedback of one generation, bytes of JSON.
pub const FEEDBACK_BYTES_MAX: usize = 16_384;

impl Store {
    /// Puts `said` over what was said before; answers all of it. The generation must be the account's, which the caller has
    /// checked. `score`: what the answer was worth by that, 0 to 1,000; `None`: as before.
    ///
    /// # Errors
    /// `Invalid` when it would grow beyond [`FEEDBACK_BYTES_MAX`].
    pub async fn merge_feedback(
        &self,
        generation: &GenerationId,
        account: &AccountId,
        said: Map<String, Json>,
        score: Option<i64>,
        now: Timestamp,
    ) -> Result<Map<String, Json>, StoreError> {
        let mut tx = self.db.write().await?;
        // The row is locked before it is read: two who speak at once are both heard.
        let sql =
            "INSERT INTO feedback (generation, account, body, created, changed) VALUES ($1, $2, '{}', $3, $3)
             ON CONFLICT (generation) DO UPDATE SET changed = excluded.changed RETURNING body";
        let key: [Value<'_>; 3] = [generation.as_str().into(), account.as_str().into(), now.micros().into()];
        let rows: Vec<(String,)> = tx.fetch(sql, &key).await?;
        let mut all = rows.first().map(|(body,)| read(body)).transpose()?.unwrap_or_default();
        all.extend(said);
        let body = Json::Object(all.clone()).to_string();
        if body.len() > FEEDBACK_BYTES_MAX {
            let message =
                format!("the feedback of one generation is at most {FEEDBACK_BYTES_MAX} bytes; say less");
            return Err(StoreError::Invalid(message));
        }
        let sql = "UPDATE feedback SET body = $2, score = COALESCE($3, score) WHERE generation = $1";
        tx.execute(sql, &[generation.as_str().into(), body.into(), Value::OptInt(score)]).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// What was said of a generation; empty where nothing was.
    pub async fn feedback(
        &self,
        generation: &GenerationId,
        account: &AccountId,
    ) -> Result<Map<String, Json>, StoreError> {
        let sql = "SELECT body FROM feedback WHERE generation = $1 AND account = $2";
        let rows: Vec<(String,)> =
            self.db.fetch(sql, &[generation.as_str().into(), account.as_str().into()]).await?;
        Ok(rows.first().map(|(body,)| read(body)).transpose()?.unwrap_or_default())
    }
}

pub(crate) fn read(body: &str) -> Result<Map<String, Json>, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::Corrupt(format!("feedback can't be read: {error}")))
}
