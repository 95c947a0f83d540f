//! Everything that is kept of generations beside the books, so that questions about them are answered fast: rollups by hour and day,
//! facets, the log. Written with the records, in their transaction.

use std::collections::HashMap;

use ledger::GenerationRecord;
use serde::{Deserialize, Serialize};
use types::PriceSheet;

use crate::alike::Alike;
use crate::corrections::{Corrected, between};
use crate::db::{Tx, Value};
use crate::generations::read;
use crate::measures::{Figures, Measure};
use crate::rollups::{Cells, Keys, Rollup, StoredRow, sketch};
use crate::{Rerated, Store, StoreError, facets, log, rollups, traffic};

/// Generations of one step of catching up.
const STEP_ROWS: i64 = 500;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Hours since 1970-01-01, UTC, in which a generation began.
pub(crate) fn hour(record: &GenerationRecord) -> i64 {
    record.created.micros().div_euclid(MICROS_PER_HOUR)
}

/// Rows of each rollup.
#[derive(Default)]
pub(crate) struct Gathered<'a> {
    pub(crate) days: Cells<'a>,
    pub(crate) hours: Cells<'a>,
    pub(crate) facet_days: Cells<'a>,
    pub(crate) facet_hours: Cells<'a>,
}

impl<'a> Gathered<'a> {
    /// Counts something of a generation.
    pub(crate) fn count(&mut self, record: &'a GenerationRecord, figures: &Figures) {
        let (account, day, hour) = (record.account.as_str(), record.created.day(), hour(record));
        let key = || record.key.as_str().into();
        let group = || [key(), record.model.as_str().into(), record.provider.as_str().into()];
        self.days.entry((account, day, group())).or_default().add(figures);
        self.hours.entry((account, hour, group())).or_default().add(figures);
        for (facet, value) in facets::of(record) {
            let group = |key| [facet.clone(), value.clone(), key];
            for key in ["".into(), key()] {
                self.facet_days.entry((account, day, group(key))).or_default().add(figures);
            }
            self.facet_hours.entry((account, hour, [facet, value, "".into()])).or_default().add(figures);
        }
    }

    /// Counts what is in days and hours under its parts as well: after all records, since many of them share a cell.
    pub(crate) fn part(&mut self) {
        for (cells, parts) in [(&self.days, &mut self.facet_days), (&self.hours, &mut self.facet_hours)] {
            for ((account, at, keys), figures) in cells {
                for (facet, value) in facets::parts(keys) {
                    let group = [facet.into(), value, "".into()];
                    parts.entry((*account, *at, group)).or_default().add(figures);
                }
            }
        }
    }

    /// Writes it. With `adds`, new values of facets may take places.
    async fn write(mut self, tx: &mut Tx, adds: bool) -> Result<(), StoreError> {
        self.part();
        rollups::add(tx, Rollup::Days, &self.days).await?;
        rollups::add(tx, Rollup::Hours, &self.hours).await?;
        lock(tx).await?;
        for (rollup, cells) in [(Rollup::FacetDays, self.facet_days), (Rollup::FacetHours, self.facet_hours)]
        {
            let cells = facets::bound(tx, rollup, cells, adds).await?;
            rollups::add(tx, rollup, &cells).await?;
        }
        Ok(())
    }
}

/// Which values of facets are kept is decided by one writer at a time.
async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    tx.execute("UPDATE books_state SET number = number WHERE name = 'insight'", &[]).await.map(drop)
}

/// Adds generations, each with the prices that applied.
pub(crate) async fn add(tx: &mut Tx, records: &[(&GenerationRecord, &PriceSheet)]) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    let mut alike = Alike::default();
    for (record, sheet) in records {
        alike.add(record, Figures::of(record, sheet));
    }
    for (record, figures) in alike.each() {
        gathered.count(record, figures);
    }
    gathered.write(tx, true).await?;
    traffic::add(tx, records.iter().map(|(record, _)| *record)).await?;
    log::insert(tx, records.iter().map(|(record, _)| *record)).await
}

/// Adds what corrections changed.
pub(crate) async fn correct(tx: &mut Tx, changed: &[Rerated]) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    for one in changed {
        gathered.count(&one.record, &Figures::of_correction(&one.record, &one.correction));
    }
    gathered.write(tx, false).await?;
    traffic::correct(tx, changed).await
}

impl Store {
    /// Counts the parts of what was counted by a version that had none. Goes on where an earlier try ended; nothing to do costs a read.
    pub(crate) async fn catch_up_parts(&self) -> Result<(), StoreError> {
        let sql = "SELECT number FROM books_state WHERE name = 'parts'";
        let rows: Vec<(i64,)> = self.db.fetch(sql, &[]).await?;
        if rows.first().is_none_or(|row| row.0 != 0) {
            return Ok(());
        }
        while self.part_some().await? {}
        Ok(())
    }

    /// Counts the parts of some days or hours; false when none is left.
    pub(crate) async fn part_some(&self) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE books_state SET number = number WHERE name = 'parts' RETURNING number, text";
        let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        let Some((0, last)) = rows.into_iter().next() else { return Ok(false) };
        let last: Last =
            if last.is_empty() { Last::default() } else { serde_json::from_str(&last).map_err(damaged)? };
        let rollup = if last.is_of_hours { Rollup::Hours } else { Rollup::Days };
        let [key, model, provider] = &last.keys;
        let behind: [Value<'_>; 6] = [
            last.account.as_str().into(),
            last.at.into(),
            key.as_str().into(),
            model.as_str().into(),
            provider.as_str().into(),
            STEP_ROWS.into(),
        ];
        let rows: Vec<StoredRow> = tx.fetch(rollup.some(), &behind).await?;
        let mut cells = Cells::new();
        for row in &rows {
            let mut figures = row.figures.clone();
            for (spread, text) in figures.spreads.iter_mut().zip(&row.sketches) {
                *spread = sketch(text)?;
            }
            let keys = row.keys.each_ref().map(|key| key.as_str().into());
            cells.entry((row.account.as_str(), row.at, keys)).or_default().add(&figures);
        }
        let mut gathered = Gathered::default();
        *(if last.is_of_hours { &mut gathered.hours } else { &mut gathered.days }) = cells;
        gathered.part();
        rollups::add(&mut tx, Rollup::FacetDays, &gathered.facet_days).await?;
        rollups::add(&mut tx, Rollup::FacetHours, &gathered.facet_hours).await?;
        let next = match rows.last() {
            Some(row) => Some(Last {
                is_of_hours: last.is_of_hours,
                account: row.account.clone(),
                at: row.at,
                keys: row.keys.clone(),
            }),
            None if !last.is_of_hours => Some(Last { is_of_hours: true, ..Last::default() }),
            None => None,
        };
        let text = next.as_ref().map(serde_json::to_string).transpose().map_err(damaged)?;
        let sql = "UPDATE books_state SET number = $1, text = $2 WHERE name = 'parts'";
        let done = i64::from(next.is_none());
        tx.execute(sql, &[done.into(), text.unwrap_or_default().into()]).await?;
        tx.commit().await?;
        Ok(next.is_some())
    }

    /// Counts what was folded by a version that had no such rollups. Goes on where an earlier try ended; nothing to do costs a read.
    pub(crate) async fn catch_up_insight(&self) -> Result<(), StoreError> {
        let sql = "SELECT number FROM books_state WHERE name = 'insight'";
        let rows: Vec<(i64,)> = self.db.fetch(sql, &[]).await?;
        if rows.first().is_none_or(|row| row.0 != 0) {
            return Ok(());
        }
        while self.count_some().await? {}
        Ok(())
    }

    /// Counts some generations; false when none is left.
    async fn count_some(&self) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE books_state SET number = number WHERE name = 'insight' RETURNING number, text";
        let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        let Some((0, last)) = rows.into_iter().next() else { return Ok(false) };
        let sql = "SELECT g.id, g.body, p.sheet FROM generations g
            LEFT JOIN price_versions p ON p.id = g.price_version WHERE g.id > $1 ORDER BY g.id LIMIT $2";
        let rows: Vec<(String, String, Option<String>)> =
            tx.fetch(sql, &[last.as_str().into(), STEP_ROWS.into()]).await?;
        let corrections = match rows.first().zip(rows.last()) {
            Some((first, last)) => between(&mut tx, &first.0, &last.0).await?,
            None => HashMap::new(),
        };
        let mut records = Vec::with_capacity(rows.len());
        for (_, body, sheet) in &rows {
            records.push(read(body, sheet.as_deref())?);
        }
        count_again(&mut tx, &records, &corrections).await?;
        let (done, last) = rows.last().map_or((1, last.as_str()), |row| (0, row.0.as_str()));
        let sql = "UPDATE books_state SET number = $1, text = $2 WHERE name = 'insight'";
        tx.execute(sql, &[Value::Int(done), last.into()]).await?;
        tx.commit().await?;
        Ok(done == 0)
    }
}

fn damaged(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt(format!("how far parts of use are counted can't be read: {error}"))
}

/// The last row of days or hours whose parts are counted.
#[derive(Default, Serialize, Deserialize)]
struct Last {
    is_of_hours: bool,
    account: String,
    at: i64,
    keys: Keys,
}

/// What the rollup of days had from the beginning.
const OLD: [Measure; 19] = [
    Measure::Requests,
    Measure::Failed,
    Measure::Input,
    Measure::CacheRead,
    Measure::CacheWrite,
    Measure::CacheWrite1h,
    Measure::AudioInput,
    Measure::ImageInput,
    Measure::Output,
    Measure::Reasoning,
    Measure::AudioOutput,
    Measure::ImageOutput,
    Measure::Searches,
    Measure::Images,
    Measure::AudioSeconds,
    Measure::Characters,
    Measure::Cost,
    Measure::Charged,
    Measure::ByokCost,
];

async fn count_again(
    tx: &mut Tx,
    records: &[GenerationRecord],
    corrections: &HashMap<String, Vec<Corrected>>,
) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    for record in records {
        let mut figures = Figures::of(record, &record.price_sheet);
        for one in corrections.get(record.id.as_str()).map_or(&[][..], Vec::as_slice) {
            figures.add(&Figures::of_correction(record, &one.correction));
        }
        gathered.count(record, &figures);
    }
    for figures in gathered.days.values_mut() {
        OLD.into_iter().for_each(|measure| figures.sums.put(measure, 0));
    }
    gathered.write(tx, true).await?;
    log::insert(tx, records.iter()).await
}
