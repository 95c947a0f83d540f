//! What was used per day: the rollup that dashboards read, kept up to date with every fold.

use std::collections::BTreeMap;

use ledger::{Correction, GenerationRecord, Status};
use types::{AccountId, KeyId, Money, Usage};

use crate::db::{Tx, Value, decode_row};
use crate::generations::column;
use crate::{Rerated, Store, StoreError};

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

/// What one generation can add to a bucket: no provider's nonsense may overflow a sum.
const UNITS_PER_GENERATION_MAX: u64 = 1_000_000_000_000;

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

/// Sums in the order of columns: requests, failed, fourteen buckets, cost, charged, own keys' cost.
pub(crate) type Sums = [i64; 19];

/// What a generation is counted under: account, day, key, model, provider.
pub(crate) type Group<'a> = (&'a str, i64, &'a str, &'a str, &'a str);

pub(crate) fn group(r: &GenerationRecord) -> Group<'_> {
    (r.account.as_str(), r.created.day(), r.key.as_str(), r.model.as_str(), r.provider.as_str())
}

pub(crate) fn sum_up(sums: &mut Sums, amounts: &Sums) {
    sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum = sum.saturating_add(*amount));
}

/// Adds generations to the rollup.
pub(crate) async fn add(tx: &mut Tx, records: &[&GenerationRecord]) -> Result<(), StoreError> {
    let mut days: BTreeMap<Group<'_>, Sums> = BTreeMap::new();
    for record in records {
        sum_up(days.entry(group(record)).or_default(), &amounts(record));
    }
    write(tx, &days).await
}

/// Adds what corrections changed.
pub(crate) async fn correct(tx: &mut Tx, changed: &[Rerated]) -> Result<(), StoreError> {
    let mut days: BTreeMap<Group<'_>, Sums> = BTreeMap::new();
    for one in changed {
        sum_up(
            days.entry(group(&one.record)).or_default(),
            &amounts_of_correction(&one.record, &one.correction),
        );
    }
    write(tx, &days).await
}

/// Only cost and charge change.
pub(crate) fn amounts_of_correction(record: &GenerationRecord, correction: &Correction) -> Sums {
    let mut sums = Sums::default();
    let own = if record.byok_key.is_some() { correction.cost.nanos() } else { 0 };
    let money = [correction.cost.nanos(), correction.charged.nanos(), own];
    sums.iter_mut().rev().zip(money.into_iter().rev()).for_each(|(slot, nanos)| *slot = nanos);
    sums
}

async fn write(tx: &mut Tx, days: &BTreeMap<Group<'_>, Sums>) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = days
        .iter()
        .map(|((account, day, key, model, provider), sums)| {
            let group = [column(account), (*day).into(), column(key), column(model), column(provider)];
            group.into_iter().chain(sums.iter().map(|sum| Value::Int(*sum))).collect()
        })
        .collect();
    tx.put(
        "INSERT INTO activity_days (account, day, api_key, model, provider, requests, failed, input, cache_read,
            cache_write, cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output,
            searches, images, audio_seconds, characters, cost, charged, byok_cost)",
        &rows,
        "ON CONFLICT (account, day, api_key, model, provider) DO UPDATE SET
            requests = activity_days.requests + excluded.requests,
            failed = activity_days.failed + excluded.failed,
            input = activity_days.input + excluded.input,
            cache_read = activity_days.cache_read + excluded.cache_read,
            cache_write = activity_days.cache_write + excluded.cache_write,
            cache_write_1h = activity_days.cache_write_1h + excluded.cache_write_1h,
            audio_input = activity_days.audio_input + excluded.audio_input,
            image_input = activity_days.image_input + excluded.image_input,
            output = activity_days.output + excluded.output,
            reasoning = activity_days.reasoning + excluded.reasoning,
            audio_output = activity_days.audio_output + excluded.audio_output,
            image_output = activity_days.image_output + excluded.image_output,
            searches = activity_days.searches + excluded.searches,
            images = activity_days.images + excluded.images,
            audio_seconds = activity_days.audio_seconds + excluded.audio_seconds,
            characters = activity_days.characters + excluded.characters,
            cost = activity_days.cost + excluded.cost,
            charged = activity_days.charged + excluded.charged,
            byok_cost = activity_days.byok_cost + excluded.byok_cost",
    )
    .await
    .map(drop)
}

pub(crate) fn amounts(record: &GenerationRecord) -> Sums {
    let u = &record.usage;
    let units = |units: u64| units.min(UNITS_PER_GENERATION_MAX).cast_signed();
    [
        1,
        i64::from(record.status == Status::Failed),
        units(u.input),
        units(u.cache_read),
        units(u.cache_write),
        units(u.cache_write_1h),
        units(u.audio_input),
        units(u.image_input),
        units(u.output),
        units(u.reasoning),
        units(u.audio_output),
        units(u.image_output),
        units(u.searches),
        units(u.images),
        units(u.audio_seconds),
        units(u.characters),
        record.cost.total.nanos(),
        record.charged.nanos(),
        record.byok_key.as_ref().map_or(0, |_| record.cost.total.nanos()),
    ]
}
