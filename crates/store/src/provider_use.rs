//! What we say a provider did for us, by day and endpoint: to be held against what the provider says.

use std::collections::BTreeMap;

use ledger::GenerationRecord;
use types::Money;

use crate::corrections::between;
use crate::generations::read;
use crate::{PAGE_ROWS, Store, StoreError};

/// One endpoint of one provider on one UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderUse {
    /// Days since 1970-01-01, by when the request began.
    pub day: i64,
    /// `provider/name`.
    pub endpoint: String,
    /// Answers that it gave.
    pub requests: u64,
    /// All input tokens, cached or not.
    pub input_tokens: u64,
    /// All output tokens.
    pub output_tokens: u64,
    /// What it takes, corrections counted.
    pub cost: Money,
}

type Days = BTreeMap<(i64, String), (u64, u64, u64, Money)>;

impl Store {
    /// What a provider did from one day to another, both included, in the order of days and endpoints.
    pub async fn provider_use(
        &self,
        provider: &str,
        from_day: i64,
        to_day: i64,
    ) -> Result<Vec<ProviderUse>, StoreError> {
        const DAY_US: i64 = 86_400_000_000;
        let sql = "SELECT id, body FROM generations WHERE id > $1 AND created >= $2 AND created < $3
            ORDER BY id LIMIT $4";
        let from = from_day.saturating_mul(DAY_US);
        let to = to_day.saturating_add(1).saturating_mul(DAY_US);
        let mut tx = self.db.read().await?;
        let mut days = Days::new();
        let mut last = format!("gen-{:010}", (from / 1_000_000).max(0));
        loop {
            let values = [last.as_str().into(), from.into(), to.into(), PAGE_ROWS.into()];
            let rows: Vec<(String, String)> = tx.fetch(sql, &values).await?;
            let Some((first, end)) = rows.first().zip(rows.last()) else { break };
            let corrections = between(&mut tx, &first.0, &end.0).await?;
            for (id, body) in &rows {
                let record = read(body, None)?;
                let corrected = corrections.get(id).into_iter().flatten();
                let corrected = corrected.map(|one| one.correction.provider_cost).sum();
                count(&mut days, provider, &record, corrected);
            }
            last.clone_from(&end.0);
        }
        let row = |((day, endpoint), (requests, input_tokens, output_tokens, cost))| ProviderUse {
            day,
            endpoint,
            requests,
            input_tokens,
            output_tokens,
            cost,
        };
        Ok(days.into_iter().map(row).collect())
    }
}

fn count(days: &mut Days, provider: &str, record: &GenerationRecord, corrected: Money) {
    let day = record.created.day();
    let is_of = |endpoint: &str| endpoint.split('/').next() == Some(provider);
    let mut pay = |endpoint: &str, cost: Money| {
        let sums = days.entry((day, endpoint.to_owned())).or_default();
        sums.3 = sums.3.saturating_add(cost);
    };
    if record.attempts.is_empty() && record.provider == provider {
        pay(&record.endpoint, record.provider_cost);
    }
    for attempt in record.attempts.iter().filter(|attempt| is_of(&attempt.endpoint)) {
        if attempt.cost != Money::ZERO {
            pay(&attempt.endpoint, attempt.cost);
        }
    }
    if record.provider != provider || record.usage.requests == 0 {
        return;
    }
    pay(&record.endpoint, corrected);
    let sums = days.entry((day, record.endpoint.clone())).or_default();
    sums.0 += 1;
    sums.1 = sums.1.saturating_add(record.usage.input_total());
    sums.2 = sums.2.saturating_add(record.usage.output_total());
}
