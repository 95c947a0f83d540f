//! Proof of the books: everything that is stored twice is compared, everything that was computed is computed again. Reads
//! one instant of the store and changes nothing.

use std::collections::HashMap;

use ledger::{GenerationRecord, entry_of};

use crate::db::Tx;
use crate::generations::{mode_name, read};
use crate::{Store, StoreError};

/// At most this many problems are listed; the rest is counted.
const PROBLEMS_MAX: usize = 1_000;
const PAGE_ROWS: i64 = 500;

/// What [`Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries in the books.
    pub entries: u64,
    /// Generations whose cost was computed again.
    pub generations: u64,
    /// What does not hold, at most a thousand; empty: everything holds.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more_problems: u64,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The check's stable name: `entry_sum`.
    pub check: &'static str,
    /// The entry, account, key or generation.
    pub subject: String,
    /// Both sides, amounts in nano-dollars.
    pub detail: String,
}

/// Name, what the two numbers are, statement that returns subject and two numbers for each failure. Sums are cast because
/// Postgres widens them.
const CHECKS: &[(&str, &str, &str)] = &[
    (
        "entry_sum",
        "sum, postings",
        "SELECT e.id, CAST(COALESCE(SUM(p.amount), 0) AS BIGINT), COUNT(p.entry)
        FROM entries e LEFT JOIN postings p ON p.entry = e.id
        GROUP BY e.id HAVING COALESCE(SUM(p.amount), 0) <> 0 OR COUNT(p.entry) < 2",
    ),
    (
        "posting_without_entry",
        "line, amount",
        "SELECT p.entry, p.line, p.amount FROM postings p LEFT JOIN entries e ON e.id = p.entry WHERE e.id IS NULL",
    ),
    (
        "books_sum",
        "sum of postings, sum of balances",
        "SELECT 'all accounts', a.total, b.total
        FROM (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total FROM postings) a,
            (SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) AS total FROM book_balances) b
        WHERE a.total <> 0 OR b.total <> 0",
    ),
    (
        "book_balance",
        "balance, sum of postings",
        "SELECT account, CAST(SUM(balance) AS BIGINT), CAST(SUM(posted) AS BIGINT)
        FROM (SELECT account, balance, 0 AS posted FROM book_balances
            UNION ALL SELECT account, 0, amount FROM postings) both_sides
        GROUP BY account HAVING SUM(balance) <> SUM(posted)",
    ),
    (
        "account_credited",
        "total, postings other than generations'",
        "SELECT account, CAST(SUM(total) AS BIGINT), CAST(SUM(posted) AS BIGINT)
        FROM (SELECT 'credits:' || account AS account, credited AS total, 0 AS posted FROM account_totals
            UNION ALL SELECT p.account, 0, p.amount FROM postings p JOIN entries e ON e.id = p.entry
            WHERE e.kind <> 'generation' AND p.account LIKE 'credits:%') both_sides
        GROUP BY account HAVING SUM(total) <> SUM(posted)",
    ),
    (
        "account_charged",
        "total, postings of generations",
        "SELECT account, CAST(SUM(total) AS BIGINT), CAST(SUM(posted) AS BIGINT)
        FROM (SELECT 'credits:' || account AS account, charged AS total, 0 AS posted FROM account_totals
            UNION ALL SELECT 'usage:' || account, metered, 0 FROM account_totals
            UNION ALL SELECT p.account, 0, -p.amount FROM postings p JOIN entries e ON e.id = p.entry
            WHERE e.kind = 'generation' AND (p.account LIKE 'credits:%' OR p.account LIKE 'usage:%')) both_sides
        GROUP BY account HAVING SUM(total) <> SUM(posted)",
    ),
    (
        "key_spent",
        "total, charged by generations",
        "SELECT api_key, CAST(SUM(total) AS BIGINT), CAST(SUM(charged) AS BIGINT)
        FROM (SELECT api_key, spent AS total, 0 AS charged FROM key_totals
            UNION ALL SELECT api_key, 0, charged FROM generations) both_sides
        GROUP BY api_key HAVING SUM(total) <> SUM(charged)",
    ),
    (
        "activity_charged",
        "rollup, charged by generations",
        "SELECT account, CAST(SUM(total) AS BIGINT), CAST(SUM(charged) AS BIGINT)
        FROM (SELECT account, charged AS total, 0 AS charged FROM activity_days
            UNION ALL SELECT account, 0, charged FROM generations) both_sides
        GROUP BY account HAVING SUM(total) <> SUM(charged)",
    ),
    (
        "activity_requests",
        "rollup, generations",
        "SELECT account, CAST(SUM(total) AS BIGINT), CAST(SUM(one) AS BIGINT)
        FROM (SELECT account, requests AS total, 0 AS one FROM activity_days
            UNION ALL SELECT account, 0, 1 FROM generations) both_sides
        GROUP BY account HAVING SUM(total) <> SUM(one)",
    ),
    (
        "entry_without_generation",
        "at, 0",
        "SELECT e.id, e.at, CAST(0 AS BIGINT) FROM entries e LEFT JOIN generations g ON g.id = SUBSTR(e.id, 5)
        WHERE e.kind = 'generation' AND g.id IS NULL",
    ),
    ("refused_generation", "1, 0", "SELECT id || ': ' || reason, CAST(1 AS BIGINT), CAST(0 AS BIGINT) FROM refused_generations"),
];

const PAGE: &str =
    "SELECT g.id, g.cost, g.charged, g.provider_cost, g.account, g.api_key, g.mode, g.body, p.sheet
    FROM generations g LEFT JOIN price_versions p ON p.id = g.price_version
    WHERE g.id > $1 ORDER BY g.id LIMIT $2";
const PAGE_POSTINGS: &str = "SELECT p.entry, p.account, p.amount
    FROM generations g JOIN postings p ON p.entry = 'gen:' || g.id
    WHERE g.id > $1 AND g.id <= $2 ORDER BY p.entry, p.line";

type GenerationRow = (String, i64, i64, i64, String, String, String, String, Option<String>);

impl Store {
    /// Checks that every entry and all books sum to zero, that every total is the sum of what it stands for, that each
    /// generation with a cost has exactly its entry, and that its cost is its usage at its price sheet.
    pub async fn verify(&self) -> Result<VerifyReport, StoreError> {
        let mut tx = self.db.read().await?;
        let mut report = VerifyReport::default();
        for (check, sides, sql) in CHECKS.iter().chain(crate::payments::CHECKS) {
            let rows: Vec<(String, i64, i64)> = tx.fetch(sql, &[]).await?;
            for (subject, one, other) in rows {
                report.add(check, &subject, format!("{sides}: {one}, {other}"));
            }
        }
        let entries: Vec<(i64,)> = tx.fetch("SELECT COUNT(*) FROM entries", &[]).await?;
        report.entries = entries.first().map_or(0, |row| row.0.unsigned_abs());
        let mut last = String::new();
        while let Some(next) = verify_page(&mut tx, &last, &mut report).await? {
            last = next;
        }
        Ok(report)
    }
}

impl VerifyReport {
    fn add(&mut self, check: &'static str, subject: &str, detail: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { check, subject: subject.to_owned(), detail });
        } else {
            self.more_problems += 1;
        }
    }
}

/// Checks the generations after `last`; returns the last of them.
async fn verify_page(
    tx: &mut Tx,
    last: &str,
    report: &mut VerifyReport,
) -> Result<Option<String>, StoreError> {
    let rows: Vec<GenerationRow> = tx.fetch(PAGE, &[last.into(), PAGE_ROWS.into()]).await?;
    let Some(end) = rows.last().map(|row| row.0.clone()) else {
        return Ok(None);
    };
    let mut booked: HashMap<String, Vec<(String, i64)>> = HashMap::new();
    let postings: Vec<(String, String, i64)> =
        tx.fetch(PAGE_POSTINGS, &[last.into(), end.as_str().into()]).await?;
    for (entry, account, amount) in postings {
        booked.entry(entry).or_default().push((account, amount));
    }
    for row in &rows {
        report.generations += 1;
        match read(&row.7, row.8.as_deref()) {
            Ok(record) => verify_generation(row, &record, &mut booked, report),
            Err(error) => report.add("generation_body", &row.0, error.to_string()),
        }
    }
    Ok(Some(end))
}

fn verify_generation(
    row: &GenerationRow,
    record: &GenerationRecord,
    booked: &mut HashMap<String, Vec<(String, i64)>>,
    report: &mut VerifyReport,
) {
    let (id, cost, charged, provider_cost, account, key, mode, ..) = row;
    let columns =
        (*cost, *charged, *provider_cost, account.as_str(), key.as_str(), mode.as_str(), id.as_str());
    let body = (
        record.cost.total.nanos(),
        record.charged.nanos(),
        record.provider_cost.nanos(),
        record.account.as_str(),
        record.key.as_str(),
        mode_name(record.mode),
        record.id.as_str(),
    );
    if columns != body {
        report.add("generation_columns", id, format!("columns, body: {columns:?}, {body:?}"));
    }
    // Nothing is priced without a sheet: then the cost has to be zero.
    match record.price_sheet.cost(&record.usage, record.created) {
        Ok(again) if again == record.cost => {}
        Err(_) if record.cost == types::Cost::default() => {}
        Ok(again) => {
            let (was, is) = (record.cost.total.nanos(), again.total.nanos());
            report.add("cost", id, format!("booked, computed again: {was}, {is}"));
        }
        Err(error) => report.add("cost", id, error.to_string()),
    }
    let expected: Vec<(String, i64)> = match entry_of(record) {
        Ok(entry) => entry
            .iter()
            .flat_map(|e| e.postings())
            .map(|p| (p.account.to_string(), p.amount.nanos()))
            .collect(),
        Err(error) => return report.add("generation_entry", id, error.to_string()),
    };
    let found = booked.remove(&format!("{}{id}", ledger::ENTRY_OF_GENERATION)).unwrap_or_default();
    if found != expected {
        report.add("generation_entry", id, format!("booked, expected: {found:?}, {expected:?}"));
    }
}
