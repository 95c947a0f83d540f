//! Every generation again: its columns, its digest, its cost from usage and prices, its entry, its corrections; and the sums
//! of all of them by day.

use std::collections::HashMap;

use ledger::{
    ENTRY_OF_GENERATION, Entry, GenerationRecord, Standing, chain, correction_id, entry_of,
    entry_of_correction,
};
use types::{EntryId, Money};

use super::{PAGE_ROWS, Progress, VerifyReport, rollups};
use crate::corrections::{Corrected, between};
use crate::db::{Tx, Value, decode_row};
use crate::generations::{column, digest, mode_name, read};
use crate::{StoreError, byok};

const PAGE: &str =
    "SELECT g.id, g.created, g.account, g.api_key, g.model, g.provider, g.endpoint, g.status, g.mode,
        g.cost, g.provider_cost, g.charged, g.price_version, g.body, g.digest, p.sheet, g.erased
    FROM generations g LEFT JOIN price_versions p ON p.id = g.price_version
    WHERE g.id > $1 ORDER BY g.id LIMIT $2";
const PAGE_POSTINGS: &str = "SELECT p.entry, p.account, p.amount
    FROM generations g JOIN postings p ON p.entry = 'gen:' || g.id
    WHERE g.id > $1 AND g.id <= $2 ORDER BY p.entry, p.line";
const PAGE_CORRECTED: &str = "SELECT p.entry, p.account, p.amount
    FROM corrections c JOIN postings p ON p.entry = c.entry
    WHERE c.generation > $1 AND c.generation <= $2 ORDER BY p.entry, p.line";
/// A generation as it is stored.
struct Stored {
    texts: Columns,
    numbers: [i64; 4],
    body: String,
    digest: String,
    sheet: Option<String>,
    /// What its caller wrote was taken out: its digest is that of what stood there before.
    erased: bool,
}

/// Id, account, key, model, provider, endpoint, status, mode, price version.
type Columns = [String; 9];

decode_row!(Stored, |row| {
    Ok(Stored {
        texts: [
            row.try_get(0)?,
            row.try_get(2)?,
            row.try_get(3)?,
            row.try_get(4)?,
            row.try_get(5)?,
            row.try_get(6)?,
            row.try_get(7)?,
            row.try_get(8)?,
            row.try_get(12)?,
        ],
        numbers: [row.try_get(1)?, row.try_get(9)?, row.try_get(10)?, row.try_get(11)?],
        body: row.try_get(13)?,
        digest: row.try_get(14)?,
        sheet: row.try_get(15)?,
        erased: row.try_get::<i64, _>(16)? != 0,
    })
});

impl Stored {
    fn id(&self) -> &str {
        let [id, ..] = &self.texts;
        id
    }
}

type Postings = HashMap<String, Vec<(String, i64)>>;

/// What all pages add to.
struct Checker<'a> {
    report: &'a mut VerifyReport,
    rollups: rollups::Expected,
    /// Charges by account, subject and day.
    spent: HashMap<(String, String, i64), i64>,
    own_keys: byok::Tally,
}

pub(super) async fn check(
    tx: &mut Tx,
    report: &mut VerifyReport,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let mut checker = Checker {
        report,
        rollups: rollups::Expected::default(),
        spent: HashMap::new(),
        own_keys: byok::Tally::default(),
    };
    let mut last = String::new();
    while let Some(next) = page(tx, &last, &mut checker).await? {
        last = next;
        checker.rollups.compare(tx, checker.report, Some(&last)).await?;
        progress("generations", checker.report.generations);
    }
    spent(tx, &mut checker).await?;
    own_keys(tx, &mut checker).await?;
    checker.rollups.finish(tx, checker.report).await?;
    versions(tx, report).await
}

/// Checks the generations after `last`; returns the last of them.
async fn page(tx: &mut Tx, last: &str, checker: &mut Checker<'_>) -> Result<Option<String>, StoreError> {
    let rows: Vec<Stored> = tx.fetch(PAGE, &[last.into(), PAGE_ROWS.into()]).await?;
    let Some((first, end)) = rows.first().zip(rows.last()) else { return Ok(None) };
    let mut booked = Postings::new();
    for sql in [PAGE_POSTINGS, PAGE_CORRECTED] {
        let postings: Vec<(String, String, i64)> = tx.fetch(sql, &[last.into(), end.id().into()]).await?;
        for (entry, account, amount) in postings {
            booked.entry(entry).or_default().push((account, amount));
        }
    }
    let corrections = between(tx, first.id(), end.id()).await?;
    let mut log = rollups::log_rows(tx, last, end.id()).await?;
    let mut sheets = HashMap::new();
    for version in corrections.values().flatten().map(|one| &one.price_version) {
        if !sheets.contains_key(version) {
            let sql = "SELECT sheet FROM price_versions WHERE id = $1";
            let found: Vec<(String,)> = tx.fetch(sql, &[version.as_str().into()]).await?;
            let sheet = found.first().and_then(|(text,)| serde_json::from_str(text).ok());
            sheets.insert(version.clone(), sheet);
        }
    }
    for stored in &rows {
        checker.report.generations += 1;
        let record = match read(&stored.body, stored.sheet.as_deref()) {
            Ok(record) => record,
            Err(error) => {
                checker.report.add("generation_body", stored.id(), error.to_string());
                continue;
            }
        };
        let corrections = corrections.get(stored.id()).map_or(&[][..], Vec::as_slice);
        checker.stored(stored, &record);
        checker.entry(stored.id(), entry_of(&record), "generation_entry", &mut booked);
        checker.corrections(&record, corrections, &sheets, &mut booked);
        checker.count(&record, corrections);
        rollups::logged(&record, log.remove(stored.id()), checker.report);
    }
    Ok(Some(end.id().to_owned()))
}

impl Checker<'_> {
    /// Columns, digest and cost.
    fn stored(&mut self, stored: &Stored, record: &GenerationRecord) {
        let id = stored.id();
        let texts = [
            record.id.as_str(),
            record.account.as_str(),
            record.key.as_str(),
            &record.model,
            &record.provider,
            &record.endpoint,
            record.status.name(),
            mode_name(record.mode),
            &record.price_version,
        ];
        let numbers = [
            record.created.micros(),
            record.cost.total.nanos(),
            record.provider_cost.nanos(),
            record.charged.nanos(),
        ];
        let same = stored.texts.iter().zip(texts).all(|(column, text)| *column == plain(text));
        if !same || stored.numbers != numbers {
            let columns = (&stored.texts, &stored.numbers);
            let detail = format!("columns, record: {columns:?}, {:?}", (texts, numbers));
            self.report.add("generation_columns", id, detail);
        }
        let again = chain::hex(&digest(id, &stored.body, stored.sheet.as_deref()));
        if again != stored.digest && !stored.erased {
            let detail = format!("stored, computed again: {}, {again}", stored.digest);
            self.report.add("generation_digest", id, detail);
        }
        // Nothing is priced without a sheet: then the cost has to be zero.
        match record.price_sheet.cost(&record.usage, record.created) {
            Ok(again) if again == record.cost => {}
            Err(_) if record.cost == types::Cost::default() => {}
            Ok(again) => {
                let (was, is) = (record.cost.total.nanos(), again.total.nanos());
                self.report.add("cost", id, format!("booked, computed again: {was}, {is}"));
            }
            Err(error) => self.report.add("cost", id, error.to_string()),
        }
    }

    /// The postings of an entry are those that it has to have.
    fn entry(
        &mut self,
        id: &str,
        entry: Result<Option<Entry>, ledger::EntryError>,
        check: &'static str,
        booked: &mut Postings,
    ) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return self.report.add(check, id, error.to_string()),
        };
        let name = entry
            .as_ref()
            .map_or_else(|| EntryId::new(format!("{ENTRY_OF_GENERATION}{id}")), |e| e.id().clone());
        let postings = entry.iter().flat_map(|e| e.postings());
        let expected: Vec<(String, i64)> =
            postings.map(|p| (p.account.to_string(), p.amount.nanos())).collect();
        let found = booked.remove(name.as_str()).unwrap_or_default();
        if found != expected {
            self.report.add(check, id, format!("booked, expected: {found:?}, {expected:?}"));
        }
    }

    /// Cost booked and all corrections are the cost at the newest price; what is charged stays between 0 and it.
    fn corrections(
        &mut self,
        record: &GenerationRecord,
        corrections: &[Corrected],
        sheets: &HashMap<String, Option<types::PriceSheet>>,
        booked: &mut Postings,
    ) {
        let id = record.id.as_str();
        let mut standing = Standing::of(record);
        for (number, one) in (1..).zip(corrections) {
            self.report.corrections += 1;
            let name = correction_id(&record.id, number);
            if name.as_str() != one.entry {
                let detail = format!("stored, expected: {}, {name}", one.entry);
                self.report.add("correction_id", id, detail);
            }
            let entry = entry_of_correction(
                record,
                standing,
                &one.correction,
                EntryId::new(one.entry.as_str()),
                one.at,
            );
            self.entry(id, entry.map(Some), "correction_entry", booked);
            standing = match standing.after(&one.correction) {
                Ok(standing) => standing,
                Err(error) => return self.report.add("correction", id, error.to_string()),
            };
            let sheet = sheets.get(&one.price_version).and_then(Option::as_ref);
            let again = sheet.and_then(|sheet| sheet.cost(&record.usage, record.created).ok());
            if again.as_ref().map(|cost| cost.total) != Some(standing.cost) {
                let again = again.map(|cost| cost.total.nanos());
                let detail = format!("cost corrected, computed again: {}, {again:?}", standing.cost.nanos());
                self.report.add("correction", &one.entry, detail);
            }
            if standing.charged.is_negative() || standing.charged > record.due_of(standing.cost) {
                let detail = format!(
                    "charged, due: {}, {}",
                    standing.charged.nanos(),
                    record.due_of(standing.cost).nanos()
                );
                self.report.add("correction", &one.entry, detail);
            }
        }
    }

    /// Adds to the sums of rollups, subjects and own keys.
    fn count(&mut self, record: &GenerationRecord, corrections: &[Corrected]) {
        let (account, day) = (record.account.as_str(), record.created.day());
        self.rollups.count(record, corrections);
        byok::tally(&mut self.own_keys, record, corrections);
        let charges =
            std::iter::once(record.charged).chain(corrections.iter().map(|one| one.correction.charged));
        let charges: Vec<i64> = charges.map(Money::nanos).filter(|nanos| *nanos != 0).collect();
        for subject in record.counted.iter().filter(|_| !charges.is_empty()) {
            let sum = self.spent.entry((plain(account), plain(subject), day)).or_default();
            *sum = charges.iter().fold(*sum, |sum, nanos| sum.saturating_add(*nanos));
        }
    }
}

/// As a column has it.
fn plain(text: &str) -> String {
    match column(text) {
        Value::Text(text) => text.into_owned(),
        _ => text.to_owned(),
    }
}

/// What own keys were used for.
async fn own_keys(tx: &mut Tx, checker: &mut Checker<'_>) -> Result<(), StoreError> {
    for (api_key, byok_key, account, requests, usage, fees) in byok::stored_usage(tx).await? {
        let again = checker.own_keys.remove(&(api_key.clone(), byok_key.clone())).unwrap_or_default();
        if again != (account.clone(), requests, usage, fees) {
            let detail = format!("total, generations: {:?}, {again:?}", (account, requests, usage, fees));
            checker.report.add("byok_usage", &format!("{api_key} {byok_key}"), detail);
        }
    }
    for ((api_key, byok_key), again) in std::mem::take(&mut checker.own_keys) {
        let detail = format!("total, generations: none, {again:?}");
        checker.report.add("byok_usage", &format!("{api_key} {byok_key}"), detail);
    }
    Ok(())
}

async fn spent(tx: &mut Tx, checker: &mut Checker<'_>) -> Result<(), StoreError> {
    let sql = "SELECT id FROM accounts WHERE erased IS NOT NULL";
    let erased: Vec<(String,)> = tx.fetch(sql, &[]).await?;
    checker.spent.retain(|(account, ..), _| erased.iter().all(|(gone,)| gone != account));
    let sql = "SELECT account, subject, day, charged FROM spend_days
        WHERE account NOT IN (SELECT id FROM accounts WHERE erased IS NOT NULL)";
    let stored: Vec<(String, String, i64, i64)> = tx.fetch(sql, &[]).await?;
    for (account, subject, day, charged) in stored {
        let name = format!("{account}, {subject}, day {day}");
        match checker.spent.remove(&(account, subject, day)) {
            Some(again) if again == charged => {}
            again => {
                let detail = format!("stored, sum of generations: {charged}, {}", again.unwrap_or(0));
                checker.report.add("spending", &name, detail);
            }
        }
    }
    for ((account, subject, day), _) in std::mem::take(&mut checker.spent) {
        let name = format!("{account}, {subject}, day {day}");
        checker.report.add("spending", &name, String::from("is missing"));
    }
    Ok(())
}

/// The name of a price version is a hash of what it stands for.
async fn versions(tx: &mut Tx, report: &mut VerifyReport) -> Result<(), StoreError> {
    let sql = "SELECT id, endpoint, sheet FROM price_versions ORDER BY id";
    let rows: Vec<(String, String, String)> = tx.fetch(sql, &[]).await?;
    for (id, endpoint, sheet) in rows {
        let again = types::price_version(&endpoint, &sheet);
        if again != id {
            report.add("price_version", &id, format!("endpoint and prices make {again}"));
        }
    }
    Ok(())
}
