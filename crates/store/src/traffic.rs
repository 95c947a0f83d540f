//! What the public pages are made from: use by day of models, apps and kinds of work, of all accounts; and what became of attempts, by
//! hour and endpoint. Written with the records, in their transaction, and checked like every rollup.
//!
//! - An app counts as it named itself (`X-Title`), else as the host of its `HTTP-Referer`: the rest of an address may hold what is
//!   nobody's business. The host of an inner network, and an address in numbers, is no app.
//! - Of an account [`APPS_PER_DAY_MAX`] apps are kept apart in a day: those that came first. The rest counts under [`OTHER`].
//! - Attempts with own provider keys say nothing of an endpoint to anybody else and are left out.

mod ask;
mod attempts;

use std::collections::{BTreeMap, HashMap, HashSet};

use ledger::{Correction, GenerationRecord, Status};

use crate::corrections::{Corrected, between};
use crate::db::{Tx, Value};
use crate::facets::OTHER;
use crate::generations::{column, read};
use crate::{Rerated, Store, StoreError};

pub use ask::{CacheUseRow, PublicDefault, TrafficBy, TrafficQuestion, TrafficRow};
pub(crate) use attempts::Hours;
pub use attempts::{EndpointRow, Tally};

/// Apps of an account in one day.
pub const APPS_PER_DAY_MAX: usize = 200;
/// What one generation can add to a sum: no provider's nonsense may overflow it.
const TOKENS_MAX: u64 = 1_000_000_000_000;
/// Longest name of an app, characters.
const APP_CHARS_MAX: usize = 80;
/// Generations of one step of catching up.
const STEP_ROWS: i64 = 500;

/// What a row of the days is counted under, behind account and day: key, model, app, kind of work.
pub(crate) type Keys = [String; 4];

/// Sums of a row of the days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficSums {
    /// Generations.
    pub requests: i64,
    /// Those of them of which no answer began.
    pub failed: i64,
    /// Tokens in, of every kind.
    pub input: i64,
    /// Tokens out, of every kind.
    pub output: i64,
    /// What was charged, corrections included, nano-dollars.
    pub charged: i64,
}

impl TrafficSums {
    fn of(record: &GenerationRecord) -> TrafficSums {
        let tokens = |count: u64| count.min(TOKENS_MAX).cast_signed();
        TrafficSums {
            requests: 1,
            failed: i64::from(record.status == Status::Failed),
            input: tokens(record.usage.input_total()),
            output: tokens(record.usage.output_total()),
            charged: record.charged.nanos(),
        }
    }

    fn of_correction(correction: &Correction) -> TrafficSums {
        TrafficSums { charged: correction.charged.nanos(), ..TrafficSums::default() }
    }

    /// Adds others.
    pub fn add(&mut self, other: &TrafficSums) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.charged = self.charged.saturating_add(other.charged);
    }

    pub(crate) fn numbers(&self) -> [i64; 5] {
        [self.requests, self.failed, self.input, self.output, self.charged]
    }

    pub(crate) const fn from([requests, failed, input, output, charged]: [i64; 5]) -> TrafficSums {
        TrafficSums { requests, failed, input, output, charged }
    }
}

/// The app as the public may know it; empty: none.
pub(crate) fn app(record: &GenerationRecord) -> String {
    let Some(app) = &record.app else { return String::new() };
    let title = app.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    // An address as a title says as much as one as a referer.
    match title {
        Some(title) if !title.contains("://") => named(title),
        Some(address) => host(address),
        None => app.referer.as_deref().map(host).unwrap_or_default(),
    }
}

fn named(text: &str) -> String {
    let clean: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(APP_CHARS_MAX).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    let name = words.join(" ");
    // What beyond the apps that are kept counts under is no app's own name.
    if name == OTHER { String::from("other") } else { name }
}

/// The host of an address, where the public can reach one of that name.
fn host(address: &str) -> String {
    let behind = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host).trim_end_matches('.').to_ascii_lowercase();
    let is_name = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_public = host.contains('.')
        && last.bytes().any(|b| b.is_ascii_alphabetic())
        && !matches!(
            last,
            "local" | "localhost" | "internal" | "lan" | "home" | "corp" | "test" | "intranet" | "arpa"
        );
    if is_name && is_public { named(&host) } else { String::new() }
}

fn task(record: &GenerationRecord) -> &str {
    record.routed.as_ref().map(|routed| routed.task.as_str()).unwrap_or_default()
}

/// Rows to be added.
#[derive(Default)]
pub(crate) struct Gathered {
    /// By account and day.
    pub(crate) days: BTreeMap<(i64, String), BTreeMap<Keys, TrafficSums>>,
    pub(crate) hours: Hours,
}

impl Gathered {
    fn count_sums(&mut self, record: &GenerationRecord, sums: &TrafficSums) {
        let plain = |text: &str| text.replace('\0', "\u{fffd}");
        let keys = [plain(record.key.as_str()), plain(&record.model), app(record), plain(task(record))];
        let period = (record.created.day(), plain(record.account.as_str()));
        self.days.entry(period).or_default().entry(keys).or_default().add(sums);
    }

    /// Counts a generation with what corrected it.
    pub(crate) fn count(&mut self, record: &GenerationRecord, corrections: &[Corrected]) {
        let mut sums = TrafficSums::of(record);
        for one in corrections {
            sums.add(&TrafficSums::of_correction(&one.correction));
        }
        self.count_sums(record, &sums);
        self.hours.count(record);
    }

    /// Writes it. With `adds`, new apps may take places. The caller holds the lock on the rollups.
    async fn write(self, tx: &mut Tx, adds: bool) -> Result<(), StoreError> {
        let mut rows: Vec<Vec<Value<'_>>> = Vec::new();
        for ((day, account), cells) in self.days {
            for (keys, sums) in bound(tx, &account, day, cells, adds).await? {
                let mut row = vec![Value::Int(day), Value::from(account.clone())];
                row.extend(keys.into_iter().map(Value::from));
                row.extend(sums.numbers().map(Value::Int));
                rows.push(row);
            }
        }
        tx.put(
            "INSERT INTO traffic_days (day, account, api_key, model, app, task, requests, failed, input, output, charged)",
            &rows,
            "ON CONFLICT (day, account, api_key, model, app, task) DO UPDATE SET
                requests = traffic_days.requests + excluded.requests, failed = traffic_days.failed + excluded.failed,
                input = traffic_days.input + excluded.input, output = traffic_days.output + excluded.output,
                charged = traffic_days.charged + excluded.charged",
        )
        .await?;
        self.hours.write(tx).await
    }
}

/// Moves apps that have no place of their own to [`OTHER`].
async fn bound(
    tx: &mut Tx,
    account: &str,
    day: i64,
    cells: BTreeMap<Keys, TrafficSums>,
    adds: bool,
) -> Result<BTreeMap<Keys, TrafficSums>, StoreError> {
    if cells.keys().all(|[_, _, app, _]| app.is_empty()) {
        return Ok(cells);
    }
    let sql = "SELECT DISTINCT app FROM traffic_days WHERE account = $1 AND day = $2 AND app <> ''";
    let rows: Vec<(String,)> = tx.fetch(sql, &[account.into(), day.into()]).await?;
    let mut kept: HashSet<String> = rows.into_iter().map(|(app,)| app).filter(|app| app != OTHER).collect();
    let mut bounded: BTreeMap<Keys, TrafficSums> = BTreeMap::new();
    for ([key, model, app, task], sums) in cells {
        let app = if app.is_empty() || kept.contains(&app) {
            app
        } else if adds && kept.len() < APPS_PER_DAY_MAX {
            kept.insert(app.clone());
            app
        } else {
            OTHER.to_owned()
        };
        bounded.entry([key, model, app, task]).or_default().add(&sums);
    }
    Ok(bounded)
}

/// Adds generations. The caller holds the lock on the rollups.
pub(crate) async fn add(
    tx: &mut Tx,
    records: impl Iterator<Item = &GenerationRecord>,
) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    for record in records {
        gathered.count(record, &[]);
    }
    gathered.write(tx, true).await
}

/// Adds what corrections changed.
pub(crate) async fn correct(tx: &mut Tx, changed: &[Rerated]) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    for one in changed {
        gathered.count_sums(&one.record, &TrafficSums::of_correction(&one.correction));
    }
    gathered.write(tx, false).await
}

impl Store {
    /// Counts what was folded by a version that had no such rollups. Goes on where an earlier try ended; nothing to do costs a read.
    pub(crate) async fn catch_up_traffic(&self) -> Result<(), StoreError> {
        let sql = "SELECT number FROM books_state WHERE name = 'traffic'";
        let rows: Vec<(i64,)> = self.db.fetch(sql, &[]).await?;
        if rows.first().is_none_or(|row| row.0 != 0) {
            return Ok(());
        }
        while self.count_traffic().await? {}
        Ok(())
    }

    /// Counts some generations; false when none is left.
    async fn count_traffic(&self) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE books_state SET number = number WHERE name = 'traffic' RETURNING number, text";
        let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        let Some((0, last)) = rows.into_iter().next() else { return Ok(false) };
        let sql = "SELECT id, body FROM generations WHERE id > $1 ORDER BY id LIMIT $2";
        let rows: Vec<(String, String)> = tx.fetch(sql, &[last.as_str().into(), STEP_ROWS.into()]).await?;
        let corrections = match rows.first().zip(rows.last()) {
            Some((first, last)) => between(&mut tx, &first.0, &last.0).await?,
            None => HashMap::new(),
        };
        let mut gathered = Gathered::default();
        for (id, body) in &rows {
            let corrected = corrections.get(id).map_or(&[][..], Vec::as_slice);
            gathered.count(&read(body, None)?, corrected);
        }
        gathered.write(&mut tx, true).await?;
        let (done, last) = rows.last().map_or((1, last.as_str()), |row| (0, row.0.as_str()));
        let sql = "UPDATE books_state SET number = $1, text = $2 WHERE name = 'traffic'";
        tx.execute(sql, &[Value::Int(done), column(last)]).await?;
        tx.commit().await?;
        Ok(done == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{host, named};

    #[test]
    fn only_hosts_that_the_public_can_reach_are_apps() {
        let rows = [
            ("https://owl.example.com/chat?token=secret#x", "owl.example.com"),
            ("https://user:pass@Owl.Example.com:8443/", "owl.example.com"),
            ("owl.example.com", "owl.example.com"),
            ("http://localhost:3000/", ""),
            ("http://127.0.0.1/", ""),
            ("http://[::1]:80/", ""),
            ("http://build.corp/secret", ""),
            ("http://wiki.internal", ""),
            ("file:///srv/thesis.html", ""),
            ("https://<script>.example", ""),
        ];
        for (address, expect) in rows {
            assert_eq!(host(address), expect, "{address}");
        }
    }

    #[test]
    fn names_are_one_line() {
        assert_eq!(named("  Night\n Owl\t\0 "), "Night Owl");
        assert_eq!(named(&"x".repeat(500)).len(), 80);
        assert_eq!(named("(other)"), "other");
    }
}
