//! Records of generations, and the price sheets that they were billed at. A sheet is stored once per price version; a
//! record keeps its own copy only where the stored one differs, so that each can always be recomputed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ledger::{BillingMode, GenerationRecord, sheet_is_empty};
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

/// Stores sheets of versions that are not known yet; returns the stored text of every version that `records` name.
pub(crate) async fn insert_sheets(
    tx: &mut Tx,
    records: &[&GenerationRecord],
) -> Result<HashMap<String, String>, StoreError> {
    let mut versions: BTreeMap<&str, (&str, &PriceSheet, Timestamp)> = BTreeMap::new();
    for record in records.iter().filter(|record| !sheet_is_empty(&record.price_sheet)) {
        let version = (record.endpoint.as_str(), &*record.price_sheet, record.created);
        let known = versions.entry(&record.price_version).or_insert(version);
        known.2 = known.2.min(record.created);
    }
    let mut rows = Vec::with_capacity(versions.len());
    for (id, (endpoint, sheet, first_used)) in versions {
        rows.push(vec![id.into(), endpoint.into(), json(sheet)?.into(), first_used.micros().into()]);
    }
    let stored: Vec<(String, String)> = tx
        .insert(
            "INSERT INTO price_versions (id, endpoint, sheet, first_used)",
            &rows,
            "ON CONFLICT (id) DO UPDATE SET first_used = CASE WHEN excluded.first_used < price_versions.first_used
                THEN excluded.first_used ELSE price_versions.first_used END RETURNING id, sheet",
        )
        .await?;
    Ok(stored.into_iter().collect())
}

/// Stores records that are not known yet; returns the ids of those. `sheets` is what [`insert_sheets`] returned.
pub(crate) async fn insert(
    tx: &mut Tx,
    records: &[&GenerationRecord],
    sheets: &HashMap<String, String>,
) -> Result<HashSet<String>, StoreError> {
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let stored = sheets.get(&record.price_version);
        let same = stored.is_some_and(|stored| json(&record.price_sheet).is_ok_and(|own| own == *stored));
        rows.push(row(record, body(record, same)?));
    }
    let ids: Vec<(String,)> = tx
        .insert(
            "INSERT INTO generations (id, created, account, api_key, model, provider, endpoint, status, mode, cost,
                provider_cost, charged, price_version, body)",
            &rows,
            "ON CONFLICT (id) DO NOTHING RETURNING id",
        )
        .await?;
    Ok(ids.into_iter().map(|row| row.0).collect())
}

fn row(record: &GenerationRecord, body: String) -> Vec<Value<'_>> {
    vec![
        record.id.to_string().into(),
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
        body.into(),
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

fn body(record: &GenerationRecord, sheet_is_stored: bool) -> Result<String, StoreError> {
    if !sheet_is_stored {
        return json(record);
    }
    json(&GenerationRecord { price_sheet: Arc::default(), ..record.clone() })
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Invalid(format!("can't be written as JSON: {error}")))
}
