//! Folding the journal into the books.
//!
//! - One call is one transaction: the segment's offset and everything that its records cause, or nothing.
//! - A generation that is stored already changes nothing, so a record may come twice, in one batch or in two segments.
//! - A record that can't be booked (charged more than it cost, or more money than one generation can move) is set aside
//!   with the reason: one record never stops the books. [`Store::verify`] reports it until a person has looked.

use std::collections::{BTreeMap, HashSet};

use ledger::{BillingMode, Entry, GenerationRecord, entry_of};
use types::{GenerationId, Money};

use crate::accounts::{TotalsDelta, add_spent, add_totals};
use crate::changes::{self, Counter};
use crate::db::{Tx, Value};
use crate::generations::json;
use crate::{Store, StoreError, activity, entries, generations, segments};

/// The most that one generation can cost; keeps sums within 64 bits for any nonsense that a provider reports.
const GENERATION_COST_MAX: Money = Money::from_usd(10_000);

/// What a fold did with its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Stored and booked now.
    pub inserted: usize,
    /// Stored before.
    pub duplicates: usize,
    /// Set aside, with the reason.
    pub refused: Vec<(GenerationId, String)>,
}

struct Bookable<'a> {
    record: &'a GenerationRecord,
    entry: Option<Entry>,
}

impl Store {
    /// Folds the records of a segment from offset `from` to `to`. [`StoreError::Offset`] when the segment stands elsewhere:
    /// go on from there; after a commit whose answer was lost it stands at `to`.
    pub async fn fold(
        &self,
        segment: &str,
        from: u64,
        to: u64,
        records: &[GenerationRecord],
    ) -> Result<Folded, StoreError> {
        let (bookable, refused) = sort_out(records);
        let mut tx = self.db.write().await?;
        let inserted = fold_in(&mut tx, segment, (from, to), &bookable, &refused).await?;
        tx.commit().await?;
        let duplicates = records.len() - inserted - refused.len();
        let refused = refused.into_iter().map(|(record, reason)| (record.id, reason)).collect();
        Ok(Folded { inserted, duplicates, refused })
    }
}

type Refused<'a> = Vec<(&'a GenerationRecord, String)>;

/// Each generation once, in the order of ids, with its entry; and those that can't be booked.
fn sort_out(records: &[GenerationRecord]) -> (Vec<Bookable<'_>>, Refused<'_>) {
    let mut seen: HashSet<GenerationId> = HashSet::with_capacity(records.len());
    let (mut bookable, mut refused) = (Vec::with_capacity(records.len()), Vec::new());
    for record in records.iter().filter(|record| seen.insert(record.id)) {
        let largest = record.charge().total.max(record.provider_cost);
        match entry_of(record) {
            Ok(_) if largest > GENERATION_COST_MAX => {
                refused.push((record, format!("{largest} USD is more than one generation can cost")));
            }
            Ok(entry) => bookable.push(Bookable { record, entry }),
            Err(error) => refused.push((record, error.to_string())),
        }
    }
    bookable.sort_by(|a, b| a.record.id.as_str().cmp(b.record.id.as_str()));
    (bookable, refused)
}

/// Everything but the commit; returns how many generations are new.
async fn fold_in(
    tx: &mut Tx,
    segment: &str,
    (from, to): (u64, u64),
    bookable: &[Bookable<'_>],
    refused: &Refused<'_>,
) -> Result<usize, StoreError> {
    segments::advance(tx, segment, from, to).await?;
    set_aside(tx, refused).await?;
    let records: Vec<&GenerationRecord> = bookable.iter().map(|b| b.record).collect();
    let sheets = generations::insert_sheets(tx, &records).await?;
    let new = generations::insert(tx, &records, &sheets).await?;
    if new.is_empty() {
        return Ok(0);
    }
    let fresh: Vec<&Bookable<'_>> = bookable.iter().filter(|b| new.contains(b.record.id.as_str())).collect();
    let booked: Vec<&Entry> = fresh.iter().filter_map(|b| b.entry.as_ref()).collect();
    entries::insert(tx, &booked).await?;
    let records: Vec<&GenerationRecord> = fresh.iter().map(|b| b.record).collect();
    activity::add(tx, &records).await?;
    add_up(tx, &records).await?;
    Ok(fresh.len())
}

/// Adds what was charged to the totals of accounts and keys.
async fn add_up(tx: &mut Tx, records: &[&GenerationRecord]) -> Result<(), StoreError> {
    let mut accounts: BTreeMap<&str, TotalsDelta> = BTreeMap::new();
    let mut keys: BTreeMap<&str, i64> = BTreeMap::new();
    for record in records.iter().filter(|record| record.charged > Money::ZERO) {
        let delta = accounts.entry(record.account.as_str()).or_default();
        match record.mode {
            BillingMode::Prepaid => delta.charged += record.charged.nanos(),
            BillingMode::Metered => delta.metered += record.charged.nanos(),
        }
        *keys.entry(record.key.as_str()).or_default() += record.charged.nanos();
    }
    if accounts.is_empty() {
        return Ok(());
    }
    let seq = changes::next(tx, Counter::Totals).await?;
    add_totals(tx, &accounts.into_iter().collect::<Vec<_>>(), seq).await?;
    add_spent(tx, &keys.into_iter().collect::<Vec<_>>(), seq).await
}

async fn set_aside(tx: &mut Tx, refused: &Refused<'_>) -> Result<(), StoreError> {
    let mut rows: Vec<Vec<Value<'_>>> = Vec::with_capacity(refused.len());
    for (record, reason) in refused {
        rows.push(vec![record.id.to_string().into(), reason.as_str().into(), json(record)?.into()]);
    }
    tx.insert::<(String,)>(
        "INSERT INTO refused_generations (id, reason, body)",
        &rows,
        "ON CONFLICT (id) DO NOTHING RETURNING id",
    )
    .await
    .map(drop)
}
