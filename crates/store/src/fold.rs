//! Folding the journal into the books.
//!
//! - One call is one transaction: the segment's offset and everything that its records cause, or nothing.
//! - A generation that is stored already changes nothing, so a record may come twice, in one batch or in two segments.
//! - A record that can't be booked (charged more than it cost, more money than one generation can move, or prices that are
//!   nowhere) is set aside with the reason: one record never stops the books. [`Store::verify`] reports it until a person
//!   has looked.
//! - A record that names its price version only is one whose sheet stood earlier in its segment: that was folded before, so
//!   the sheet is in the store. Where it is not, something is lost, and nothing is guessed.

use std::collections::{BTreeMap, HashSet};

use ledger::{BookAccount, Entry, GenerationRecord, Logged, book_of, entry_of};
use types::{GenerationId, Money, PriceSheet};

use crate::accounts::{TotalsDelta, add_spent, add_totals};
use crate::changes::{self, Counter};
use crate::db::{Tx, Value};
use crate::entries::NewEntry;
use crate::generations::Stored;
use crate::{Store, StoreError, byok, entries, generations, insight, segments, spending, statement};

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
    logged: &'a Logged<'a>,
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
        records: &[Logged<'_>],
    ) -> Result<Folded, StoreError> {
        // Nearly always all of them are new.
        for expected in [Expected::New, Expected::Any] {
            let (bookable, refused) = sort_out(records);
            let mut tx = self.db.write().await?;
            segments::advance(&mut tx, segment, from, to).await?;
            let Some((inserted, refused)) = fold_in(&mut tx, bookable, refused, expected).await? else {
                drop(tx);
                continue;
            };
            tx.commit().await?;
            let duplicates = records.len() - inserted - refused.len();
            let refused = refused.into_iter().map(|(logged, reason)| (logged.record.id, reason)).collect();
            return Ok(Folded { inserted, duplicates, refused });
        }
        Err(StoreError::Corrupt(String::from("generations are neither known nor new")))
    }
}

type Refused<'a> = Vec<(&'a Logged<'a>, String)>;

/// Each generation once, in the order of ids, with its entry; and those that can't be booked.
fn sort_out<'a>(records: &'a [Logged<'a>]) -> (Vec<Bookable<'a>>, Refused<'a>) {
    let mut seen: HashSet<GenerationId> = HashSet::with_capacity(records.len());
    let (mut bookable, mut refused) = (Vec::with_capacity(records.len()), Vec::new());
    for logged in records.iter().filter(|logged| seen.insert(logged.record.id)) {
        let record = &logged.record;
        let largest = record.charge().total.max(record.provider_cost);
        match entry_of(record) {
            Ok(_) if largest > GENERATION_COST_MAX => {
                refused.push((logged, format!("{largest} USD is more than one generation can cost")));
            }
            Ok(entry) => bookable.push(Bookable { logged, entry }),
            Err(error) => refused.push((logged, error.to_string())),
        }
    }
    bookable.sort_by_cached_key(|b| b.logged.record.id);
    (bookable, refused)
}

/// What a fold goes by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// No record is stored yet; where one is, all is begun anew.
    New,
    /// Some may be.
    Any,
}

/// Everything but the offset and the commit; returns how many generations are new, and what was set aside. `None`: not all were as
/// new as expected, and the transaction is to be given up.
async fn fold_in<'a>(
    tx: &mut Tx,
    mut bookable: Vec<Bookable<'a>>,
    mut refused: Refused<'a>,
    expected: Expected,
) -> Result<Option<(usize, Refused<'a>)>, StoreError> {
    // Those that are refused too: later records of the segment may name their sheets.
    let all: Vec<&GenerationRecord> =
        bookable.iter().map(|b| b.logged).chain(refused.iter().map(|r| r.0)).map(|l| &l.record).collect();
    let sheets = generations::sheets(tx, &all).await?;
    bookable.retain(|b| {
        let version = &b.logged.record.price_version;
        let is_lost = b.logged.lacks_sheet() && !sheets.contains_key(version);
        if is_lost {
            refused.push((b.logged, format!("the prices of version `{version}` are nowhere")));
        }
        !is_lost
    });
    set_aside(tx, &refused).await?;
    let mut stored = Vec::with_capacity(bookable.len());
    for b in &bookable {
        stored.push(generations::prepare(b.logged, &sheets)?);
    }
    let mut fresh: Vec<(&Stored<'_>, Option<&Entry>)> =
        stored.iter().zip(bookable.iter().map(|b| b.entry.as_ref())).collect();
    if expected == Expected::Any {
        let new = generations::insert(tx, &stored).await?;
        fresh.retain(|(stored, _)| new.contains(stored.record.id.as_str()));
    } else if !generations::insert_new(tx, &stored).await? {
        return Ok(None);
    }
    if fresh.is_empty() {
        return Ok(Some((0, refused)));
    }
    let booked: Vec<NewEntry<'_>> = fresh
        .iter()
        .filter_map(|(stored, entry)| {
            entry.map(|entry| NewEntry { entry, reason: None, evidence: Some(stored.digest) })
        })
        .collect();
    entries::insert(tx, &booked).await?;
    statement::add(tx, booked.iter().map(|new| new.entry)).await?;
    let records: Vec<&GenerationRecord> = fresh.iter().map(|(stored, _)| stored.record).collect();
    let priced: Vec<(&GenerationRecord, &PriceSheet)> =
        records.iter().map(|record| (*record, generations::sheet_of(record, &sheets))).collect();
    insight::add(tx, &priced).await?;
    spending::add(tx, &records).await?;
    byok::add_up(tx, &records).await?;
    add_up(tx, &records).await?;
    Ok(Some((records.len(), refused)))
}

/// Adds what was charged to the totals of accounts and keys.
async fn add_up(tx: &mut Tx, records: &[&GenerationRecord]) -> Result<(), StoreError> {
    let mut accounts: BTreeMap<&str, TotalsDelta> = BTreeMap::new();
    let mut keys: BTreeMap<&str, i64> = BTreeMap::new();
    for record in records.iter().filter(|record| record.charged > Money::ZERO) {
        let delta = accounts.entry(record.account.as_str()).or_default();
        match book_of(record) {
            BookAccount::Usage(_) => delta.metered += record.charged.nanos(),
            // Balances for fees have totals of their own.
            BookAccount::Byok(_) => (),
            _ => delta.charged += record.charged.nanos(),
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
    for (logged, reason) in refused {
        rows.push(vec![
            logged.record.id.as_str().into(),
            reason.as_str().into(),
            logged.body.as_ref().into(),
        ]);
    }
    let head = "INSERT INTO refused_generations (id, reason, body)";
    tx.put(head, &rows, "ON CONFLICT (id) DO NOTHING").await.map(drop)
}
