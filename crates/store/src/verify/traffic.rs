//! Every row of what the public pages are made from is the sum of the generations that it stands for.

use std::collections::{BTreeMap, HashMap, HashSet};

use ledger::GenerationRecord;

use super::VerifyReport;
use super::rollups::SLACK_S;
use crate::StoreError;
use crate::corrections::Corrected;
use crate::db::{Tx, decode_row};
use crate::facets::OTHER;
use crate::traffic::{APPS_PER_DAY_MAX, EndpointRow, Gathered, Keys, Tally, TrafficSums};

/// What the rollups have to say.
#[derive(Default)]
pub(super) struct Expected {
    gathered: Gathered,
    /// Rows that were compared.
    seen: [i64; 2],
}

struct Day {
    keys: Keys,
    sums: TrafficSums,
}

decode_row!(Day, |row| {
    Ok(Day {
        keys: [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?],
        sums: TrafficSums::from([
            row.try_get(4)?,
            row.try_get(5)?,
            row.try_get(6)?,
            row.try_get(7)?,
            row.try_get(8)?,
        ]),
    })
});

impl Expected {
    /// Counts a generation.
    pub(super) fn count(&mut self, record: &GenerationRecord, corrections: &[Corrected]) {
        self.gathered.count(record, corrections);
    }

    /// Compares what lies before the second of an id; everything where there is none.
    pub(super) async fn compare(
        &mut self,
        tx: &mut Tx,
        report: &mut VerifyReport,
        second: Option<i64>,
    ) -> Result<(), StoreError> {
        let end = |length: i64| second.map_or(i64::MAX, |second| (second - SLACK_S).div_euclid(length));
        let (day_end, hour_end) = (end(86_400), end(3_600));
        while let Some(period) = self.gathered.days.first_entry().filter(|first| first.key().0 < day_end) {
            let ((day, account), expected) = period.remove_entry();
            let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM accounts WHERE id = $1 AND erased IS NOT NULL";
            let erased: Vec<(i64,)> = tx.fetch(sql, &[account.as_str().into()]).await?;
            if erased.first().is_some_and(|row| row.0 > 0) {
                continue;
            }
            let sql = "SELECT api_key, model, app, task, requests, failed, input, output, charged
                FROM traffic_days WHERE account = $1 AND day = $2";
            let rows: Vec<Day> = tx.fetch(sql, &[account.as_str().into(), day.into()]).await?;
            let [seen, _] = &mut self.seen;
            *seen += i64::try_from(rows.len()).unwrap_or(i64::MAX);
            same_day((&account, day), expected, rows, report);
        }
        self.compare_hours(tx, report, hour_end).await
    }

    async fn compare_hours(
        &mut self,
        tx: &mut Tx,
        report: &mut VerifyReport,
        end: i64,
    ) -> Result<(), StoreError> {
        let hours = &mut self.gathered.hours.0;
        let mut due: BTreeMap<i64, HashMap<String, Tally>> = BTreeMap::new();
        let past = hours.extract_if(.., |(_, hour), _| *hour < end);
        for ((endpoint, hour), tally) in past {
            due.entry(hour).or_default().insert(endpoint, tally);
        }
        for (hour, mut expected) in due {
            let sql = "SELECT endpoint, hour, answered, unreachable, timed_out, errors, broken, refused, busy, ttft_us, ttft_count
                FROM endpoint_hours WHERE hour = $1";
            let rows: Vec<EndpointRow> = tx.fetch(sql, &[hour.into()]).await?;
            let [_, seen] = &mut self.seen;
            *seen += i64::try_from(rows.len()).unwrap_or(i64::MAX);
            for row in rows {
                let again = expected.remove(&row.endpoint).unwrap_or_default();
                if again != row.tally {
                    let detail = format!("stored, sum of attempts: {:?}, {again:?}", row.tally);
                    report.add("endpoint_hours", &format!("{}, hour {hour}", row.endpoint), detail);
                }
            }
            let mut missing: Vec<&String> = expected.keys().collect();
            missing.sort();
            for endpoint in missing {
                report.add("endpoint_hours", &format!("{endpoint}, hour {hour}"), String::from("is missing"));
            }
        }
        Ok(())
    }

    /// Compares what is left, and looks for rows that no generation explains.
    pub(super) async fn finish(mut self, tx: &mut Tx, report: &mut VerifyReport) -> Result<(), StoreError> {
        self.compare(tx, report, None).await?;
        let counts = [
            (
                "traffic_days",
                "SELECT CAST(COUNT(*) AS BIGINT) FROM traffic_days
                    WHERE account NOT IN (SELECT id FROM accounts WHERE erased IS NOT NULL)",
            ),
            ("endpoint_hours", "SELECT CAST(COUNT(*) AS BIGINT) FROM endpoint_hours"),
        ];
        for ((table, sql), seen) in counts.into_iter().zip(self.seen) {
            let rows: Vec<(i64,)> = tx.fetch(sql, &[]).await?;
            let stored = rows.first().map_or(0, |row| row.0);
            if stored != seen {
                report.add(table, table, format!("rows stored, rows of generations: {stored}, {seen}"));
            }
        }
        Ok(())
    }
}

fn same_day(
    (account, day): (&str, i64),
    expected: BTreeMap<Keys, TrafficSums>,
    stored: Vec<Day>,
    report: &mut VerifyReport,
) {
    let kept: HashSet<&str> = stored
        .iter()
        .map(|Day { keys: [_, _, app, _], .. }| app.as_str())
        .filter(|app| *app != OTHER)
        .collect();
    let places = kept.iter().filter(|app| !app.is_empty()).count();
    let mut placed: BTreeMap<Keys, TrafficSums> = BTreeMap::new();
    for ([key, model, app, task], sums) in expected {
        let is_other = !app.is_empty() && !kept.contains(app.as_str()) && places >= APPS_PER_DAY_MAX;
        let app = if is_other { OTHER.to_owned() } else { app };
        placed.entry([key, model, app, task]).or_default().add(&sums);
    }
    let name = |keys: &Keys| format!("{account}, day {day}, {}", keys.join(", "));
    for Day { keys, sums } in &stored {
        let again = placed.remove(keys).unwrap_or_default();
        if again != *sums {
            let detail = format!("stored, sum of generations: {sums:?}, {again:?}");
            report.add("traffic_days", &name(keys), detail);
        }
    }
    for keys in placed.keys() {
        report.add("traffic_days", &name(keys), String::from("is missing"));
    }
}
