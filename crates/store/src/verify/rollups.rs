//! Every row of every rollup is the sum of the generations that it stands for, corrections included, and so is every row of the log.
//!
//! Generations come in the order of their ids, which is that of time to the second, so that an hour or day is compared and forgotten
//! once the ids are well past it.

use std::collections::{BTreeMap, HashMap, HashSet};

use ledger::GenerationRecord;

use super::{VerifyReport, traffic};
use crate::StoreError;
use crate::corrections::Corrected;
use crate::db::{Tx, Value, decode_row};
use crate::facets::{OTHER, has_place, is_part, values_max};
use crate::insight::Gathered;
use crate::log;
use crate::measures::Figures;
use crate::rollups::{Cells, Keys, Rollup, StoredRow, sketch};

/// How far ids may be past the hour or day of their request.
pub(super) const SLACK_S: i64 = 7_200;

type Rows = HashMap<Keys, Figures>;

/// What the rollups have to say.
#[derive(Default)]
pub(super) struct Expected {
    /// By day or hour and account.
    periods: [BTreeMap<(i64, String), Rows>; 4],
    /// Rows that were compared.
    seen: [i64; 4],
    traffic: traffic::Expected,
}

impl Expected {
    /// Counts a generation.
    pub(super) fn count(&mut self, record: &GenerationRecord, corrections: &[Corrected]) {
        self.traffic.count(record, corrections);
        let mut figures = Figures::of(record, &record.price_sheet);
        for one in corrections {
            figures.add(&Figures::of_correction(record, &one.correction));
        }
        let mut gathered = Gathered::default();
        gathered.count(record, &figures);
        gathered.part();
        let [days, hours, facet_days, facet_hours] = &mut self.periods;
        for (periods, cells) in [
            (days, gathered.days),
            (hours, gathered.hours),
            (facet_days, gathered.facet_days),
            (facet_hours, gathered.facet_hours),
        ] {
            take(periods, cells);
        }
    }

    /// Compares what lies before the second of an id; everything where there is none.
    pub(super) async fn compare(
        &mut self,
        tx: &mut Tx,
        report: &mut VerifyReport,
        id: Option<&str>,
    ) -> Result<(), StoreError> {
        let second = id.map(|id| id.get(4..14).and_then(|digits| digits.parse::<i64>().ok()).unwrap_or(0));
        self.traffic.compare(tx, report, second).await?;
        let sql = "SELECT id FROM accounts WHERE erased IS NOT NULL";
        let erased: Vec<(String,)> = tx.fetch(sql, &[]).await?;
        let erased: HashSet<String> = erased.into_iter().map(|(id,)| id).collect();
        for (number, rollup) in Rollup::ALL.into_iter().enumerate() {
            let of_people = matches!(rollup, Rollup::FacetDays | Rollup::FacetHours);
            let length = if rollup.at() == "day" { 86_400 } else { 3_600 };
            let end = second.map_or(i64::MAX, |second| (second - SLACK_S).div_euclid(length));
            let Some(periods) = self.periods.get_mut(number) else { continue };
            while let Some(period) = periods.first_entry().filter(|first| first.key().0 < end) {
                let ((at, account), mut expected) = period.remove_entry();
                // What an account wrote of its users goes at once with it, and out of its records by and by.
                if of_people && erased.contains(&account) {
                    expected.retain(|[facet, ..], _| is_part(facet));
                }
                let rows: Vec<StoredRow> =
                    tx.fetch(rollup.rows_of(), &[account.as_str().into(), at.into()]).await?;
                if let Some(seen) = self.seen.get_mut(number) {
                    *seen += i64::try_from(rows.len()).unwrap_or(i64::MAX);
                }
                same(rollup, (&account, at), expected, rows, report);
            }
        }
        Ok(())
    }

    /// Compares what is left, and looks for rows that no generation explains.
    pub(super) async fn finish(mut self, tx: &mut Tx, report: &mut VerifyReport) -> Result<(), StoreError> {
        self.compare(tx, report, None).await?;
        std::mem::take(&mut self.traffic).finish(tx, report).await?;
        for (rollup, seen) in Rollup::ALL.into_iter().zip(self.seen) {
            let rows: Vec<(i64,)> = tx.fetch(rollup.count(), &[]).await?;
            let stored = rows.first().map_or(0, |row| row.0);
            if stored != seen {
                let detail = format!("rows stored, rows of generations: {stored}, {seen}");
                report.add(check(rollup), rollup.table(), detail);
            }
        }
        let sql = "SELECT CAST(COUNT(*) AS BIGINT), (SELECT CAST(COUNT(*) AS BIGINT) FROM generations) FROM generation_log";
        let rows: Vec<(i64, i64)> = tx.fetch(sql, &[]).await?;
        if let Some((log, generations)) = rows.first().filter(|(log, generations)| log != generations) {
            let detail = format!("rows of the log, generations: {log}, {generations}");
            report.add("generation_log", "generation_log", detail);
        }
        Ok(())
    }
}

fn take(periods: &mut BTreeMap<(i64, String), Rows>, cells: Cells<'_>) {
    for ((account, at, keys), figures) in cells {
        let rows = periods.entry((at, plain(account))).or_default();
        rows.entry(keys.map(|key| plain(&key))).or_default().add(&figures);
    }
}

/// As a column has it.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

const fn check(rollup: Rollup) -> &'static str {
    match rollup {
        Rollup::Days => "activity",
        other => other.table(),
    }
}

fn same(
    rollup: Rollup,
    (account, at): (&str, i64),
    expected: Rows,
    stored: Vec<StoredRow>,
    report: &mut VerifyReport,
) {
    let name = |[one, two, three]: &Keys| format!("{account}, {} {at}, {one}, {two}, {three}", rollup.at());
    let mut expected = match rollup {
        Rollup::Days | Rollup::Hours => expected,
        Rollup::FacetDays | Rollup::FacetHours => placed(rollup, expected, &stored),
    };
    for StoredRow { keys, mut figures, sketches, .. } in stored {
        for (spread, text) in figures.spreads.iter_mut().zip(&sketches) {
            match sketch(text) {
                Ok(read) => *spread = read,
                Err(error) => report.add(check(rollup), &name(&keys), error.to_string()),
            }
        }
        let again = expected.remove(&keys).unwrap_or_default();
        if figures != again {
            let detail = format!("stored, sum of generations: {figures:?}, {again:?}");
            report.add(check(rollup), &name(&keys), detail);
        }
    }
    let mut missing: Vec<String> = expected.keys().map(name).collect();
    missing.sort();
    for name in missing {
        report.add(check(rollup), &name, String::from("is missing"));
    }
}

/// What has no row of its own counts under the others of its facet, or under other facets, where all places are taken.
fn placed(rollup: Rollup, expected: Rows, stored: &[StoredRow]) -> Rows {
    let mut values: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for StoredRow { keys: [facet, value, _], .. } in stored {
        if facet == OTHER {
            continue;
        }
        let values = values.entry(facet).or_default();
        if value != OTHER {
            values.insert(value);
        }
    }
    let mut placed = Rows::new();
    for ([facet, value, key], figures) in expected {
        let keys = match values.get(facet.as_str()) {
            _ if is_part(&facet) => [facet, value, key],
            Some(values) if !values.contains(value.as_str()) && values.len() >= values_max(rollup) => {
                [facet, OTHER.to_owned(), key]
            }
            None if !has_place(&facet, values.keys()) => [OTHER.to_owned(), OTHER.to_owned(), key],
            _ => [facet, value, key],
        };
        placed.entry(keys).or_default().add(&figures);
    }
    placed
}

/// A row of the log, as it is written.
struct LogRow(Vec<Value<'static>>);

decode_row!(LogRow, |row| {
    let mut values = Vec::with_capacity(log::COLUMNS);
    for at in 0..log::COLUMNS {
        values.push(match at {
            1 | 14..=19 => Value::Int(row.try_get(at)?),
            _ => Value::Text(row.try_get::<String, _>(at)?.into()),
        });
    }
    Ok(LogRow(values))
});

/// The log's rows of some generations, by id.
pub(super) async fn log_rows(
    tx: &mut Tx,
    first: &str,
    last: &str,
) -> Result<HashMap<String, Vec<Value<'static>>>, StoreError> {
    let rows: Vec<LogRow> = tx.fetch(log::ROWS_OF, &[first.into(), last.into()]).await?;
    let named = rows.into_iter().filter_map(|LogRow(values)| match values.get(2) {
        Some(Value::Text(id)) => Some((id.clone().into_owned(), values)),
        _ => None,
    });
    Ok(named.collect())
}

/// Whether a row of the log says what the record does.
pub(super) fn logged(
    record: &GenerationRecord,
    found: Option<Vec<Value<'static>>>,
    report: &mut VerifyReport,
) {
    let expected = log::row(record);
    match found {
        Some(found) if found == expected => (),
        Some(found) => {
            report.add("generation_log", record.id.as_str(), format!("log, record: {found:?}, {expected:?}"));
        }
        None => report.add("generation_log", record.id.as_str(), String::from("is missing")),
    }
}
