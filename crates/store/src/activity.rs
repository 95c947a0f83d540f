//! What was used per day, by key, model and provider, row by row.

use types::{AccountId, KeyId, Money, Usage};

use crate::db::decode_row;
use crate::{Store, StoreError};

/// What one key used of one model at one provider on one UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityRow {
    /// Days since 1970-01-01, UTC, by when the request began.
    pub day: i64,
    /// The key.
    pub key: KeyId,
    /// The concrete model; empty when none was reached.
    pub model: String,
    /// The provider's slug; empty when none was reached.
    pub provider: String,
    /// Generations.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Sums of the buckets; `requests` in it is 0.
    pub usage: Usage,
    /// What they cost.
    pub cost: Money,
    /// What the account was charged.
    pub charged: Money,
    /// Of the cost, what own keys of the account's paid.
    pub byok_cost: Money,
}

decode_row!(ActivityRow, |row| {
    let number = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
    Ok(ActivityRow {
        day: row.try_get(0)?,
        key: KeyId::new(row.try_get::<String, _>(1)?),
        model: row.try_get(2)?,
        provider: row.try_get(3)?,
        requests: number(4)?,
        failed: number(5)?,
        usage: Usage {
            input: number(6)?,
            cache_read: number(7)?,
            cache_write: number(8)?,
            cache_write_1h: number(9)?,
            audio_input: number(10)?,
            image_input: number(11)?,
            output: number(12)?,
            reasoning: number(13)?,
            audio_output: number(14)?,
            image_output: number(15)?,
            requests: 0,
            searches: number(16)?,
            images: number(17)?,
            audio_seconds: number(18)?,
            characters: number(19)?,
        },
        cost: Money::from_nanos(row.try_get(20)?),
        charged: Money::from_nanos(row.try_get(21)?),
        byok_cost: Money::from_nanos(row.try_get(22)?),
    })
});

impl Store {
    /// What an account used from `from_day` to `to_day`, both included, newest day first; of one key, or all.
    pub async fn activity(
        &self,
        account: &AccountId,
        key: Option<&KeyId>,
        from_day: i64,
        to_day: i64,
    ) -> Result<Vec<ActivityRow>, StoreError> {
        let sql = "SELECT day, api_key, model, provider, requests, failed, input, cache_read, cache_write,
                cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output, searches,
                images, audio_seconds, characters, cost, charged, byok_cost
            FROM activity_days
            WHERE account = $1 AND ($2 = '' OR api_key = $2) AND day >= $3 AND day <= $4
            ORDER BY day DESC, api_key, model, provider";
        let key = key.map_or("", KeyId::as_str);
        self.db.fetch(sql, &[account.as_str().into(), key.into(), from_day.into(), to_day.into()]).await
    }
}
