//! Records of generations, and the price sheets that they were billed at. A sheet is stored once per price version; a
//! record has its own copy only where it was the first of its journal segment, or where the stored one differs, so that
//! each can always be recomputed. The stored record is the journal's text, byte for byte.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ledger::chain::{self, Digest};
use ledger::{BillingMode, GenerationRecord, Logged, sheet_is_empty};
use types::{AccountId, GenerationId, PriceSheet, Timestamp};

use crate::db::{Tx, Value};
use crate::{Store, StoreError};

impl Store {
    /// The record of a generation. [`StoreError::NotFound`] when there is none or it belongs to another account.
    pub async fn generation(
        &self,
        id: &GenerationId,
        account: &AccountId,
    ) -> Result<GenerationRecord, StoreError> {
        let sql =
            "SELECT g.body, p.sheet FROM generations g LEFT JOIN price_versions p ON p.id = g.price_version
            WHERE g.id = $1 AND g.account = $2";
        let rows: Vec<(String, Option<String>)> =
            self.db.fetch(sql, &[id.as_str().into(), account.as_str().into()]).await?;
        let (body, sheet) = rows.first().ok_or_else(|| StoreError::NotFound(format!("generation `{id}`")))?;
        read(body, sheet.as_deref())
    }

    /// Records of all accounts from `since` on, oldest first to the second: at most [`PAGE_ROWS`] behind the one that a page
    /// before ended with. Without their price sheets, where those are those of their price versions. Ids begin with the second of
    /// their request, so their order is that of time, and no page reads what one before has read.
    pub async fn generations_since(
        &self,
        since: Timestamp,
        after: Option<&GenerationId>,
    ) -> Result<Vec<GenerationRecord>, StoreError> {
        let sql = "SELECT id, body FROM generations WHERE id > $1 AND created >= $2 ORDER BY id LIMIT $3";
        let first = format!("gen-{:010}", since.seconds().max(0));
        let after = after.map_or(first, GenerationId::to_string);
        let rows: Vec<(String, String)> =
            self.db.fetch(sql, &[after.into(), since.micros().into(), PAGE_ROWS.into()]).await?;
        rows.iter().map(|(_, body)| read(body, None)).collect()
    }

    /// Records of one account from `since` on, newest first: at most [`PAGE_ROWS`] behind the one that a page before ended with.
    /// Without their price sheets, where those are those of their price versions.
    pub async fn generations_of(
        &self,
        account: &AccountId,
        since: Timestamp,
        behind: Option<(Timestamp, &GenerationId)>,
    ) -> Result<Vec<GenerationRecord>, StoreError> {
        let sql = "SELECT id, body FROM generations WHERE account = $1 AND created >= $2
            AND created <= $3 AND (created < $4 OR id < $5) ORDER BY created DESC, id DESC LIMIT $6";
        // No id is behind a tilde.
        let (at, id) = behind.map_or((i64::MAX, "~"), |(at, id)| (at.micros(), id.as_str()));
        let account = account.as_str().into();
        let values = [account, since.micros().into(), at.into(), at.into(), id.into(), PAGE_ROWS.into()];
        let rows: Vec<(String, String)> = self.db.fetch(sql, &values).await?;
        rows.iter().map(|(_, body)| read(body, None)).collect()
    }
}

/// Most records of a page.
pub const PAGE_ROWS: i64 = 500;

/// The record that `body` and the sheet of its price version make.
pub(crate) fn read(body: &str, sheet: Option<&str>) -> Result<GenerationRecord, StoreError> {
    let damaged = |error| StoreError::Corrupt(format!("a generation can't be read: {error}"));
    let mut record: GenerationRecord = serde_json::from_str(body).map_err(damaged)?;
    if let Some(sheet) = sheet.filter(|_| sheet_is_empty(&record.price_sheet)) {
        record.price_sheet = Arc::new(serde_json::from_str(sheet).map_err(damaged)?);
    }
    Ok(record)
}

/// The digest that a generation's entry covers; `sheet` is that of its price version.
pub(crate) fn digest(id: &str, body: &str, sheet: Option<&str>) -> Digest {
    let own = read(body, None).is_ok_and(|record| !sheet_is_empty(&record.price_sheet));
    chain::of_generation(id, body, sheet.filter(|_| !own).unwrap_or_default())
}

/// A stored price sheet.
pub(crate) struct StoredSheet {
    pub(crate) text: String,
    pub(crate) sheet: Arc<PriceSheet>,
    first_used: i64,
}

pub(crate) type Sheets = HashMap<String, StoredSheet>;

/// The stored sheets of every version that `records` name, after those were stored that are new.
pub(crate) async fn sheets(tx: &mut Tx, records: &[&GenerationRecord]) -> Result<Sheets, StoreError> {
    // In the order of ids, as rows are locked in every transaction.
    let mut versions: BTreeMap<&str, (&str, Option<&Arc<PriceSheet>>, Timestamp)> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.price_version.is_empty()) {
        let sheet = Some(&record.price_sheet).filter(|sheet| !sheet_is_empty(sheet));
        let version = (record.endpoint.as_str(), sheet, record.created);
        let known = versions.entry(&record.price_version).or_insert(version);
        known.1 = known.1.or(sheet);
        known.2 = known.2.min(record.created);
    }
    let mut sheets = Sheets::with_capacity(versions.len());
    for (id, (endpoint, sheet, first_used)) in versions {
        let stored = match (stored_sheet(tx, id).await?, sheet) {
            (None, None) => continue,
            (Some(stored), _) => stored,
            (None, Some(sheet)) => insert_sheet(tx, id, endpoint, sheet, first_used).await?,
        };
        if stored.first_used > first_used.micros() {
            let sql = "UPDATE price_versions SET first_used = $2 WHERE id = $1 AND first_used > $2";
            tx.execute(sql, &[id.into(), first_used.micros().into()]).await?;
        }
        sheets.insert(id.to_owned(), stored);
    }
    Ok(sheets)
}

/// The prices that applied to a record: its own, or those of its version.
pub(crate) fn sheet_of<'s>(record: &'s GenerationRecord, sheets: &'s Sheets) -> &'s PriceSheet {
    match sheets.get(&record.price_version) {
        Some(stored) if sheet_is_empty(&record.price_sheet) => &stored.sheet,
        _ => &record.price_sheet,
    }
}

async fn stored_sheet(tx: &mut Tx, id: &str) -> Result<Option<StoredSheet>, StoreError> {
    let sql = "SELECT sheet, first_used FROM price_versions WHERE id = $1";
    let rows: Vec<(String, i64)> = tx.fetch(sql, &[column(id)]).await?;
    let Some((text, first_used)) = rows.into_iter().next() else { return Ok(None) };
    let damaged = |error| StoreError::Corrupt(format!("price version `{id}` can't be read: {error}"));
    let sheet = Arc::new(serde_json::from_str(&text).map_err(damaged)?);
    Ok(Some(StoredSheet { text, sheet, first_used }))
}

/// Another node may store the same version at the same moment; then its text counts.
async fn insert_sheet(
    tx: &mut Tx,
    id: &str,
    endpoint: &str,
    sheet: &PriceSheet,
    first_used: Timestamp,
) -> Result<StoredSheet, StoreError> {
    let row = vec![column(id), column(endpoint), json(sheet)?.into(), first_used.micros().into()];
    let head = "INSERT INTO price_versions (id, endpoint, sheet, first_used)";
    tx.put(head, &[row], "ON CONFLICT (id) DO NOTHING").await?;
    stored_sheet(tx, id).await?.ok_or_else(|| StoreError::Corrupt(format!("price version `{id}` is gone")))
}

/// A record on its way into the table, with what its entry covers.
pub(crate) struct Stored<'a> {
    pub(crate) record: &'a GenerationRecord,
    body: Body<'a>,
    pub(crate) digest: Digest,
}

enum Body<'a> {
    Logged(&'a str),
    Made(String),
}

/// The text that is stored for a record, and its digest. A sheet that is not the stored one of its version goes into it.
pub(crate) fn prepare<'a>(logged: &'a Logged<'_>, sheets: &Sheets) -> Result<Stored<'a>, StoreError> {
    let record = &logged.record;
    let stored = sheets.get(&record.price_version);
    let is_same = sheet_is_empty(&record.price_sheet)
        || stored.is_some_and(|stored| *stored.sheet == *record.price_sheet);
    let body = match logged.has_own_sheet || is_same {
        true => Body::Logged(&logged.body),
        false => Body::Made(json(record)?),
    };
    let text = body.text();
    let named = stored.filter(|_| !logged.has_own_sheet && is_same).map_or("", |stored| &stored.text);
    let digest = chain::of_generation(record.id.as_str(), text, named);
    Ok(Stored { record, body, digest })
}

impl Body<'_> {
    fn text(&self) -> &str {
        match self {
            Body::Logged(text) => text,
            Body::Made(text) => text,
        }
    }
}

const INTO: &str =
    "INSERT INTO generations (id, created, account, api_key, model, provider, endpoint, status, mode, cost,
    provider_cost, charged, price_version, body, digest)";

/// Stores records that should all be new; false when some were known, and then the transaction is to be given up. Counting is
/// cheaper than naming each one.
pub(crate) async fn insert_new(tx: &mut Tx, records: &[Stored<'_>]) -> Result<bool, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = records.iter().map(row).collect();
    let written = tx.put(INTO, &rows, "ON CONFLICT (id) DO NOTHING").await?;
    Ok(usize::try_from(written).is_ok_and(|written| written == rows.len()))
}

/// Stores records that are not known yet; returns the ids of those.
pub(crate) async fn insert(tx: &mut Tx, records: &[Stored<'_>]) -> Result<HashSet<String>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = records.iter().map(row).collect();
    let ids: Vec<(String,)> = tx.insert(INTO, &rows, "ON CONFLICT (id) DO NOTHING RETURNING id").await?;
    Ok(ids.into_iter().map(|row| row.0).collect())
}

fn row<'a>(stored: &'a Stored<'_>) -> Vec<Value<'a>> {
    let record = stored.record;
    vec![
        record.id.as_str().into(),
        record.created.micros().into(),
        column(record.account.as_str()),
        column(record.key.as_str()),
        column(&record.model),
        column(&record.provider),
        column(&record.endpoint),
        record.status.name().into(),
        mode_name(record.mode).into(),
        record.cost.total.into(),
        record.provider_cost.into(),
        record.charged.into(),
        column(&record.price_version),
        stored.body.text().into(),
        chain::hex(&stored.digest).into(),
    ]
}

/// Postgres takes no NUL in text, and one record must never stop the others.
pub(crate) fn column(text: &str) -> Value<'_> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

pub(crate) const fn mode_name(mode: BillingMode) -> &'static str {
    match mode {
        BillingMode::Metered => "metered",
        BillingMode::Prepaid => "prepaid",
    }
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Invalid(format!("can't be written as JSON: {error}")))
}
