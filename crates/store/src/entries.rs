//! The books: entries, their postings, and the balance of every book account.

use std::collections::BTreeMap;

use ledger::{BookAccount, ENTRY_OF_GENERATION, Entry, EntryKind};
use types::Money;

use crate::accounts::{TotalsDelta, add_totals};
use crate::changes::{self, Counter};
use crate::db::{Tx, Value};
use crate::{Balance, Store, StoreError};

impl Store {
    /// Books a grant. The same entry again changes nothing; another one under the same id is a
    /// [`StoreError::Conflict`]. [`StoreError::NotFound`]: no such account.
    pub async fn grant(&self, entry: &Entry, reason: Option<&str>) -> Result<Balance, StoreError> {
        let (account, amount) = granted(entry)?;
        let mut tx = self.db.write().await?;
        let known: Vec<(String,)> =
            tx.fetch("SELECT id FROM accounts WHERE id = $1", &[account.into()]).await?;
        if known.is_empty() {
            return Err(StoreError::NotFound(format!("account `{account}`")));
        }
        let row = vec![entry_row(entry, reason)];
        let head = "INSERT INTO entries (id, at, kind, reason)";
        let made: Vec<(String,)> = tx.insert(head, &row, "ON CONFLICT (id) DO NOTHING RETURNING id").await?;
        let applied = !made.is_empty();
        if applied {
            post(&mut tx, &[entry]).await?;
            let seq = changes::next(&mut tx, Counter::Totals).await?;
            let delta = TotalsDelta { credited: amount.nanos(), ..TotalsDelta::default() };
            add_totals(&mut tx, &[(account, delta)], seq).await?;
        } else if booked(&mut tx, entry).await? != sides(entry) {
            return Err(StoreError::Conflict(format!("entry `{}` exists with other amounts", entry.id())));
        }
        let sql = "SELECT credited, charged FROM account_totals WHERE account = $1";
        let rows: Vec<(i64, i64)> = tx.fetch(sql, &[account.into()]).await?;
        let (credited, charged) = rows.first().copied().unwrap_or_default();
        tx.commit().await?;
        let (credited, charged) = (Money::from_nanos(credited), Money::from_nanos(charged));
        Ok(Balance { credited, charged, balance: credited.saturating_sub(charged), applied })
    }
}

/// Whom a grant credits, and how much.
fn granted(entry: &Entry) -> Result<(&str, Money), StoreError> {
    let mut credits = entry.postings().iter().filter_map(|posting| match &posting.account {
        BookAccount::Credits(account) => Some((account.as_str(), posting.amount)),
        _ => None,
    });
    let only = credits.next().filter(|_| credits.next().is_none());
    let reserved = entry.id().as_str().starts_with(ENTRY_OF_GENERATION);
    only.filter(|_| entry.kind() == EntryKind::Grant && !reserved)
        .ok_or_else(|| StoreError::Invalid(format!("entry `{}` is no grant to one account", entry.id())))
}

/// Writes new entries with their postings and balances. An id that exists is a [`StoreError::Conflict`].
pub(crate) async fn insert(tx: &mut Tx, entries: &[&Entry]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = entries.iter().map(|entry| entry_row(entry, None)).collect();
    let head = "INSERT INTO entries (id, at, kind, reason)";
    tx.insert::<(String,)>(head, &rows, "RETURNING id").await?;
    post(tx, entries).await
}

/// Writes one new entry and brings the totals of accounts in line: what `credits:` postings of anything but a generation add
/// is credited. An id that exists is a [`StoreError::Conflict`].
pub(crate) async fn book(tx: &mut Tx, entry: &Entry, reason: Option<&str>) -> Result<(), StoreError> {
    let head = "INSERT INTO entries (id, at, kind, reason)";
    tx.insert::<(String,)>(head, &[entry_row(entry, reason)], "RETURNING id").await?;
    post(tx, &[entry]).await?;
    let mut credited: BTreeMap<&str, TotalsDelta> = BTreeMap::new();
    for posting in entry.postings() {
        if let BookAccount::Credits(account) = &posting.account {
            let delta = credited.entry(account.as_str()).or_default();
            delta.credited = delta.credited.saturating_add(posting.amount.nanos());
        }
    }
    if credited.is_empty() {
        return Ok(());
    }
    let seq = changes::next(tx, Counter::Totals).await?;
    add_totals(tx, &credited.into_iter().collect::<Vec<_>>(), seq).await
}

fn entry_row<'a>(entry: &'a Entry, reason: Option<&'a str>) -> Vec<Value<'a>> {
    let kind = entry.kind().name();
    vec![entry.id().as_str().into(), entry.at().micros().into(), kind.into(), Value::OptText(reason)]
}

async fn post(tx: &mut Tx, entries: &[&Entry]) -> Result<(), StoreError> {
    let mut rows: Vec<Vec<Value<'_>>> = Vec::new();
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    for entry in entries {
        for (line, posting) in (0i64..).zip(entry.postings()) {
            let account = posting.account.to_string();
            let balance = balances.entry(account.clone()).or_default();
            *balance = balance.saturating_add(posting.amount.nanos());
            rows.push(vec![entry.id().as_str().into(), line.into(), account.into(), posting.amount.into()]);
        }
    }
    let head = "INSERT INTO postings (entry, line, account, amount)";
    tx.insert::<(String,)>(head, &rows, "RETURNING entry").await?;
    let rows: Vec<Vec<Value<'_>>> =
        balances.iter().map(|(account, delta)| vec![account.as_str().into(), (*delta).into()]).collect();
    tx.insert::<(String,)>(
        "INSERT INTO book_balances (account, balance)",
        &rows,
        "ON CONFLICT (account) DO UPDATE SET balance = book_balances.balance + excluded.balance RETURNING account",
    )
    .await
    .map(drop)
}

fn sides(entry: &Entry) -> Vec<(String, i64)> {
    entry.postings().iter().map(|posting| (posting.account.to_string(), posting.amount.nanos())).collect()
}

async fn booked(tx: &mut Tx, entry: &Entry) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT account, amount FROM postings WHERE entry = $1 ORDER BY line";
    tx.fetch(sql, &[entry.id().as_str().into()]).await
}
