//! Questions about the use of all accounts, without the keys that stay out of it and the accounts that were erased.

use super::TrafficSums;
use crate::db::{Value, decode_row};
use crate::{Store, StoreError};

/// Most rows of an answer.
const ROWS_MAX: usize = 200_000;

/// What use is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrafficBy {
    /// The concrete model.
    Model,
    /// The app.
    App,
    /// The kind of work that was guessed.
    Task,
}

/// What holds for keys that don't say whether they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PublicDefault {
    /// They count.
    #[default]
    Counted,
    /// Only those count that say so.
    LeftOut,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct TrafficQuestion<'a> {
    /// The first day, since 1970, UTC.
    pub from: i64,
    /// The day behind the last.
    pub to: i64,
    /// What it is told apart by.
    pub by: TrafficBy,
    /// Only use of this model.
    pub model: Option<&'a str>,
    /// Only use by these apps, as they are stored; empty: by all.
    pub apps: &'a [String],
    /// What holds for keys that don't say.
    pub keys: PublicDefault,
}

/// A row of the answer: one value, account and day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficRow {
    /// Of what it is told apart by; empty where there is none.
    pub value: String,
    /// Whose use: to be counted, not to be shown.
    pub account: String,
    /// The day.
    pub day: i64,
    /// What was used.
    pub sums: TrafficSums,
}

decode_row!(TrafficRow, |row| {
    let numbers = [row.try_get(3)?, row.try_get(4)?, row.try_get(5)?, row.try_get(6)?, row.try_get(7)?];
    Ok(TrafficRow {
        value: row.try_get(0)?,
        account: row.try_get(1)?,
        day: row.try_get(2)?,
        sums: TrafficSums::from(numbers),
    })
});

/// The keys that say that they count, or that they don't. A rule stands in the text of rules as the program writes it; within a text of
/// somebody's the quotes would be escaped.
const SAYS_NO: &str = "api_key NOT IN (SELECT id FROM api_keys WHERE rules LIKE '%\"public_stats\":false%')";
const SAYS_YES: &str = "api_key IN (SELECT id FROM api_keys WHERE rules LIKE '%\"public_stats\":true%')";

/// What of the input was read from the cache of a provider, by one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheUseRow {
    /// The concrete model.
    pub model: String,
    /// The provider's slug.
    pub provider: String,
    /// Whose use: to be counted, not to be shown.
    pub account: String,
    /// Generations.
    pub requests: i64,
    /// Tokens in, of every kind that a cache could hold.
    pub input: i64,
    /// Those of them that were read from the cache.
    pub cache_read: i64,
}

decode_row!(CacheUseRow, |row| {
    Ok(CacheUseRow {
        model: row.try_get(0)?,
        provider: row.try_get(1)?,
        account: row.try_get(2)?,
        requests: row.try_get(3)?,
        input: row.try_get(4)?,
        cache_read: row.try_get(5)?,
    })
});

impl Store {
    /// What of the input of all accounts was read from caches since a day, where any input was. Keys that stay out of it are not in
    /// it.
    ///
    /// # Errors
    /// `Invalid` when the answer has too many rows: ask for a shorter span.
    pub async fn cache_use(&self, from: i64, keys: PublicDefault) -> Result<Vec<CacheUseRow>, StoreError> {
        let says = match keys {
            PublicDefault::Counted => SAYS_NO,
            PublicDefault::LeftOut => SAYS_YES,
        };
        let text = format!(
            "SELECT model, provider, account, CAST(SUM(requests) AS BIGINT),
                CAST(SUM(input + cache_read + cache_write + cache_write_1h) AS BIGINT), CAST(SUM(cache_read) AS BIGINT)
            FROM activity_days
            WHERE day >= $1 AND model <> '' AND provider <> '' AND {says}
                AND account NOT IN (SELECT id FROM accounts WHERE erased IS NOT NULL)
            GROUP BY model, provider, account
            HAVING SUM(input + cache_read + cache_write + cache_write_1h) > 0
            ORDER BY model, provider, account LIMIT {}",
            ROWS_MAX + 1,
        );
        let rows: Vec<CacheUseRow> = self.db.fetch_built(text, &[from.into()]).await?;
        if rows.len() > ROWS_MAX {
            return Err(StoreError::Invalid(format!("the answer has more than {ROWS_MAX} rows")));
        }
        Ok(rows)
    }

    /// The use of all accounts by day, in the order of values, accounts and days. Keys that stay out of it are not in it.
    ///
    /// # Errors
    /// `Invalid` when the answer has too many rows: ask for a shorter span.
    pub async fn traffic(&self, question: &TrafficQuestion<'_>) -> Result<Vec<TrafficRow>, StoreError> {
        let by = match question.by {
            TrafficBy::Model => "model",
            TrafficBy::App => "app",
            TrafficBy::Task => "task",
        };
        let mut values: Vec<Value<'_>> = vec![question.from.into(), question.to.into()];
        let mut conditions = vec![
            "day >= $1 AND day < $2".to_owned(),
            match question.keys {
                PublicDefault::Counted => SAYS_NO.to_owned(),
                PublicDefault::LeftOut => SAYS_YES.to_owned(),
            },
            "account NOT IN (SELECT id FROM accounts WHERE erased IS NOT NULL)".to_owned(),
        ];
        if let Some(model) = question.model {
            values.push(model.into());
            conditions.push(format!("model = ${}", values.len()));
        }
        if !question.apps.is_empty() {
            let first = values.len() + 1;
            values.extend(question.apps.iter().map(|app| Value::from(app.as_str())));
            let list: Vec<String> = (first..=values.len()).map(|number| format!("${number}")).collect();
            conditions.push(format!("app IN ({})", list.join(", ")));
        }
        let text = format!(
            "SELECT {by}, account, day, CAST(SUM(requests) AS BIGINT), CAST(SUM(failed) AS BIGINT),
                CAST(SUM(input) AS BIGINT), CAST(SUM(output) AS BIGINT), CAST(SUM(charged) AS BIGINT)
            FROM traffic_days WHERE {} GROUP BY {by}, account, day ORDER BY {by}, account, day LIMIT {}",
            conditions.join(" AND "),
            ROWS_MAX + 1,
        );
        let rows: Vec<TrafficRow> = self.db.fetch_built(text, &values).await?;
        if rows.len() > ROWS_MAX {
            return Err(StoreError::Invalid(format!("the answer has more than {ROWS_MAX} rows")));
        }
        Ok(rows)
    }
}
