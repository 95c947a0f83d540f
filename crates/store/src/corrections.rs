//! Corrections in the books: what generations cost at another price, by new entries. What was stored before stays as it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledger::{
    BookAccount, Correction, GenerationRecord, Standing, book_of, correction, correction_id,
    entry_of_correction,
};
use types::{GenerationId, Money, PriceSheet, Timestamp};

use crate::accounts::{TotalsDelta, add_corrected, add_totals};
use crate::chain::{Head, of_correction};
use crate::changes::{self, Counter};
use crate::db::{Tx, Value};
use crate::entries::{self, NewEntry};
use crate::generations::{column, json, read};
use crate::{Store, StoreError, byok, insight, spending};

/// Generations of one transaction.
pub(crate) const STEP_ROWS: i64 = 500;

/// A price version as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceVersion {
    /// Its id.
    pub id: String,
    /// The endpoint that it is of.
    pub endpoint: String,
    /// The prices.
    pub sheet: Arc<PriceSheet>,
}

/// A generation that was billed wrong, and what puts it right.
#[derive(Clone, Debug, PartialEq)]
pub struct Rerated {
    /// As it was recorded.
    pub record: GenerationRecord,
    /// What it costs with all corrections so far.
    pub standing: Standing,
    /// What changes.
    pub correction: Correction,
}

/// What was corrected on a generation, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// The entry's id.
    pub entry: String,
    /// When.
    pub at: Timestamp,
    /// The price version that it was reckoned by.
    pub price_version: String,
    /// The differences.
    pub correction: Correction,
}

/// Which generations are rated again, and how.
#[derive(Clone, Debug)]
pub struct Rerate<'a> {
    /// The price version that was wrong.
    pub old: &'a str,
    /// The one that is right.
    pub new: &'a PriceVersion,
    /// From when on.
    pub since: Timestamp,
    /// Whether accounts pay what a dearer price adds.
    pub collect: bool,
    /// Book it; otherwise it is only reckoned.
    pub apply: Option<Timestamp>,
}

/// Some generations rated again.
#[derive(Clone, Debug, Default)]
pub struct RerateStep {
    /// Those that change.
    pub changed: Vec<Rerated>,
    /// How many were looked at.
    pub seen: u64,
    /// Ids of those that the new prices can't price, with the reason.
    pub unpriced: Vec<(GenerationId, String)>,
    /// Where the next step goes on; `None`: that was all.
    pub last: Option<GenerationId>,
}

const OF_GENERATIONS: &str =
    "SELECT c.generation, c.entry, e.at, c.price_version, c.cost, c.charged, c.provider_cost
    FROM corrections c JOIN entries e ON e.id = c.entry
    WHERE c.generation >= $1 AND c.generation <= $2 ORDER BY e.seq";

type CorrectionRow = (String, String, i64, String, i64, i64, i64);

impl Store {
    /// A price version that something was billed at.
    pub async fn price_version(&self, id: &str) -> Result<Option<PriceVersion>, StoreError> {
        let sql = "SELECT endpoint, sheet FROM price_versions WHERE id = $1";
        let rows: Vec<(String, String)> = self.db.fetch(sql, &[id.into()]).await?;
        let Some((endpoint, sheet)) = rows.into_iter().next() else { return Ok(None) };
        let damaged = |error| StoreError::Corrupt(format!("price version `{id}` can't be read: {error}"));
        let sheet = Arc::new(serde_json::from_str(&sheet).map_err(damaged)?);
        Ok(Some(PriceVersion { id: id.to_owned(), endpoint, sheet }))
    }

    /// What was corrected on a generation.
    pub async fn corrections(&self, id: &GenerationId) -> Result<Vec<Corrected>, StoreError> {
        let rows: Vec<CorrectionRow> =
            self.db.fetch(OF_GENERATIONS, &[id.as_str().into(), id.as_str().into()]).await?;
        Ok(rows.into_iter().map(|row| corrected(row).1).collect())
    }

    /// Rates some generations again, those behind `after`. With `apply`, reading and booking are one transaction that no
    /// other correction can come between.
    pub async fn rerate(
        &self,
        how: &Rerate<'_>,
        after: Option<&GenerationId>,
    ) -> Result<RerateStep, StoreError> {
        let Some(now) = how.apply else {
            let mut tx = self.db.read().await?;
            return Ok(reckon(&mut tx, how, after).await?.0);
        };
        let mut tx = self.db.write().await?;
        // The head first: it is what keeps other corrections out. Versions and generations that exist are only read.
        keep_version(&mut tx, how.new).await?;
        let mut head = Head::lock(&mut tx).await?;
        let (step, numbers) = reckon(&mut tx, how, after).await?;
        if !step.changed.is_empty() {
            book(&mut tx, &mut head, how.new, &step.changed, &numbers, now).await?;
            tx.commit().await?;
        }
        Ok(step)
    }
}

fn corrected(row: CorrectionRow) -> (String, Corrected) {
    let (generation, entry, at, price_version, cost, charged, provider_cost) = row;
    let [cost, charged, provider_cost] = [cost, charged, provider_cost].map(Money::from_nanos);
    let correction = Correction { cost, charged, provider_cost };
    (generation, Corrected { entry, at: Timestamp(at), price_version, correction })
}

/// The corrections of generations from one id to another, by generation.
pub(crate) async fn between(
    tx: &mut Tx,
    first: &str,
    last: &str,
) -> Result<HashMap<String, Vec<Corrected>>, StoreError> {
    let rows: Vec<CorrectionRow> = tx.fetch(OF_GENERATIONS, &[first.into(), last.into()]).await?;
    let mut all: HashMap<String, Vec<Corrected>> = HashMap::new();
    for (generation, corrected) in rows.into_iter().map(corrected) {
        all.entry(generation).or_default().push(corrected);
    }
    Ok(all)
}

/// What changes on some generations, and the number that each one's next correction has.
async fn reckon(
    tx: &mut Tx,
    how: &Rerate<'_>,
    after: Option<&GenerationId>,
) -> Result<(RerateStep, Vec<usize>), StoreError> {
    let sql = "SELECT g.id, g.body, p.sheet FROM generations g
        LEFT JOIN price_versions p ON p.id = g.price_version
        WHERE g.id > $1 AND g.price_version = $2 AND g.created >= $3 ORDER BY g.id LIMIT $4";
    let first = format!("gen-{:010}", how.since.seconds().max(0));
    let values: [Value<'_>; 4] = [
        after.map_or(first, GenerationId::to_string).into(),
        how.old.into(),
        how.since.micros().into(),
        STEP_ROWS.into(),
    ];
    let rows: Vec<(String, String, Option<String>)> = tx.fetch(sql, &values).await?;
    let mut step = RerateStep { seen: rows.len() as u64, ..RerateStep::default() };
    let mut numbers = Vec::new();
    let Some((first, last)) = rows.first().zip(rows.last()) else { return Ok((step, numbers)) };
    let so_far = between(tx, &first.0, &last.0).await?;
    for (id, body, sheet) in &rows {
        let record = read(body, sheet.as_deref())?;
        step.last = Some(record.id);
        let corrections = so_far.get(id).map_or(&[][..], Vec::as_slice);
        let mut standing = Standing::of(&record);
        for one in corrections {
            standing = standing.after(&one.correction).map_err(damaged)?;
        }
        // Where nothing was billed, nothing is billed later.
        if record.cost.lines.is_empty() {
            continue;
        }
        let again = match how.new.sheet.cost(&record.usage, record.created) {
            Ok(again) => again,
            Err(error) => {
                step.unpriced.push((record.id, error.to_string()));
                continue;
            }
        };
        if let Some(correction) = correction(&record, standing, &again, how.collect).map_err(damaged)? {
            numbers.push(corrections.len() + 1);
            step.changed.push(Rerated { record, standing, correction });
        }
    }
    Ok((step, numbers))
}

fn damaged(error: ledger::EntryError) -> StoreError {
    StoreError::Corrupt(format!("a correction can't be booked: {error}"))
}

/// Stores the new prices where they are not yet.
async fn keep_version(tx: &mut Tx, version: &PriceVersion) -> Result<(), StoreError> {
    let row = vec![
        column(&version.id),
        column(&version.endpoint),
        json(version.sheet.as_ref())?.into(),
        i64::MAX.into(),
    ];
    let head = "INSERT INTO price_versions (id, endpoint, sheet, first_used)";
    // The row is locked here, in its turn: it is written again once the first generation is known.
    tx.put(head, &[row], "ON CONFLICT (id) DO UPDATE SET first_used = price_versions.first_used")
        .await
        .map(drop)
}

async fn book(
    tx: &mut Tx,
    head: &mut Head,
    version: &PriceVersion,
    changed: &[Rerated],
    numbers: &[usize],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut booked, mut rows): (Vec<(ledger::Entry, _)>, Vec<_>) =
        (Vec::with_capacity(changed.len()), Vec::with_capacity(changed.len()));
    for (one, number) in changed.iter().zip(numbers) {
        let id = correction_id(&one.record.id, *number);
        let entry =
            entry_of_correction(&one.record, one.standing, &one.correction, id, now).map_err(damaged)?;
        let Correction { cost, charged, provider_cost } = one.correction;
        let generation = one.record.id.as_str();
        let numbers = [cost, charged, provider_cost].map(Money::nanos);
        let evidence = of_correction(generation, &version.id, numbers);
        let [cost, charged, provider_cost] = numbers.map(Value::Int);
        let id = entry.id().to_string().into();
        rows.push(vec![id, generation.into(), column(&version.id), cost, charged, provider_cost]);
        booked.push((entry, evidence));
    }
    let entries: Vec<NewEntry<'_>> = booked
        .iter()
        .map(|(entry, evidence)| NewEntry { entry, reason: Some(&version.id), evidence: Some(*evidence) })
        .collect();
    entries::append(tx, head, &entries).await?;
    tx.put(
        "INSERT INTO corrections (entry, generation, price_version, cost, charged, provider_cost)",
        &rows,
        "",
    )
    .await?;
    let first = changed.iter().map(|one| one.record.created.micros()).min().unwrap_or(i64::MAX);
    let sql = "UPDATE price_versions SET first_used = $2 WHERE id = $1 AND first_used > $2";
    tx.execute(sql, &[column(&version.id), first.into()]).await?;
    insight::correct(tx, changed).await?;
    spending::correct(tx, changed).await?;
    byok::correct(tx, changed).await?;
    add_up(tx, changed).await
}

/// Adds what accounts and keys get back, or pay more, to their totals.
async fn add_up(tx: &mut Tx, changed: &[Rerated]) -> Result<(), StoreError> {
    let mut accounts: BTreeMap<&str, TotalsDelta> = BTreeMap::new();
    let mut keys: BTreeMap<&str, i64> = BTreeMap::new();
    for one in changed.iter().filter(|one| one.correction.charged != Money::ZERO) {
        let (record, nanos) = (&one.record, one.correction.charged.nanos());
        let delta = accounts.entry(record.account.as_str()).or_default();
        match book_of(record) {
            BookAccount::Usage(_) => delta.metered = delta.metered.saturating_add(nanos),
            // Balances for fees have totals of their own.
            BookAccount::Byok(_) => (),
            _ => delta.charged = delta.charged.saturating_add(nanos),
        }
        let spent = keys.entry(record.key.as_str()).or_default();
        *spent = spent.saturating_add(nanos);
    }
    if accounts.is_empty() {
        return Ok(());
    }
    let seq = changes::next(tx, Counter::Totals).await?;
    let accounts: Vec<(&str, TotalsDelta)> = accounts.into_iter().collect();
    let keys: Vec<(&str, i64)> = keys.into_iter().collect();
    add_totals(tx, &accounts, seq).await?;
    crate::accounts::add_spent(tx, &keys, seq).await?;
    add_corrected(tx, &accounts, &keys).await
}
