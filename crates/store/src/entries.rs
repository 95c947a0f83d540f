//! The books: entries, their postings, and the balance of every book account. Entries are written behind each other, by
//! whoever holds the head of their chain.

use std::collections::BTreeMap;

use ledger::chain::{self, Digest};
use ledger::{BookAccount, ENTRY_OF_GENERATION, Entry, EntryKind};
use types::Money;

use crate::accounts::{TotalsDelta, add_totals, require_account};
use crate::chain::{Head, Unsealed};
use crate::changes::{self, Counter};
use crate::db::{Tx, Value};
use crate::{Balance, Store, StoreError, byok};

impl Store {
    /// Books a grant. The same entry again changes nothing; another one under the same id is a
    /// [`StoreError::Conflict`]. [`StoreError::NotFound`]: no such account.
    pub async fn grant(&self, entry: &Entry, reason: Option<&str>) -> Result<Balance, StoreError> {
        let (account, amount) = granted(entry)?;
        let mut tx = self.db.write().await?;
        require_account(&mut tx, account).await?;
        let applied = book_once(&mut tx, &NewEntry { entry, reason, evidence: None }).await?;
        if applied {
            let seq = changes::next(&mut tx, Counter::Totals).await?;
            let delta = TotalsDelta { credited: amount.nanos(), ..TotalsDelta::default() };
            add_totals(&mut tx, &[(account, delta)], seq).await?;
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

/// An entry to be booked.
pub(crate) struct NewEntry<'a> {
    pub(crate) entry: &'a Entry,
    /// Why, for people.
    pub(crate) reason: Option<&'a str>,
    /// The digest of what it stands for, which its hash covers.
    pub(crate) evidence: Option<Digest>,
}

/// Books an entry unless it is booked already: then nothing changes and the answer is false. Another entry under its id is a
/// [`StoreError::Conflict`]. Whoever books anything but generations comes here.
pub(crate) async fn book_once(tx: &mut Tx, new: &NewEntry<'_>) -> Result<bool, StoreError> {
    let mut head = Head::lock(tx).await?;
    // With the head locked nobody else can book the id in between.
    let id = new.entry.id().as_str();
    let known: Vec<(String,)> = tx.fetch("SELECT kind FROM entries WHERE id = $1", &[id.into()]).await?;
    match known.first() {
        None => append(tx, &mut head, std::slice::from_ref(new)).await.map(|()| true),
        Some((kind,))
            if kind == new.entry.kind().name() && booked(tx, new.entry).await? == sides(new.entry) =>
        {
            Ok(false)
        }
        Some(_) => Err(StoreError::Conflict(format!("entry `{id}` exists with other amounts"))),
    }
}

/// Books one new entry and brings the totals of accounts in line: what postings of anything but a generation add to a
/// balance is credited. An id that exists is a [`StoreError::Conflict`].
pub(crate) async fn book(tx: &mut Tx, entry: &Entry, reason: Option<&str>) -> Result<(), StoreError> {
    insert(tx, &[NewEntry { entry, reason, evidence: None }]).await?;
    let mut credited: BTreeMap<&str, TotalsDelta> = BTreeMap::new();
    for posting in entry.postings() {
        match &posting.account {
            BookAccount::Credits(account) => {
                let delta = credited.entry(account.as_str()).or_default();
                delta.credited = delta.credited.saturating_add(posting.amount.nanos());
            }
            BookAccount::Byok(account) => byok::credit(tx, account.as_str(), posting.amount).await?,
            _ => (),
        }
    }
    if credited.is_empty() {
        return Ok(());
    }
    let seq = changes::next(tx, Counter::Totals).await?;
    add_totals(tx, &credited.into_iter().collect::<Vec<_>>(), seq).await
}

/// Books entries that are known to be new. An id that exists is a [`StoreError::Conflict`].
pub(crate) async fn insert(tx: &mut Tx, entries: &[NewEntry<'_>]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut head = Head::lock(tx).await?;
    append(tx, &mut head, entries).await
}

/// Entries, postings and balances, behind the newest entry.
pub(crate) async fn append(tx: &mut Tx, head: &mut Head, entries: &[NewEntry<'_>]) -> Result<(), StoreError> {
    let all: Vec<Vec<(String, i64)>> = entries.iter().map(|new| sides(new.entry)).collect();
    let (mut rows, mut lines) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len() * 3));
    let mut balances: BTreeMap<&str, i64> = BTreeMap::new();
    for (new, postings) in entries.iter().zip(&all) {
        let (id, at, kind) = (new.entry.id().as_str(), new.entry.at().micros(), new.entry.kind().name());
        let (reason, evidence) = (new.reason, new.evidence.as_ref());
        head.seal(&Unsealed { id, at, kind, reason, postings, evidence });
        let hash = chain::hex(&head.hash);
        let reason = Value::OptText(reason);
        rows.push(vec![head.seq.into(), id.into(), at.into(), kind.into(), reason, hash.into()]);
        for (line, (account, amount)) in (0i64..).zip(postings) {
            let balance = balances.entry(account).or_default();
            *balance = balance.saturating_add(*amount);
            lines.push(vec![id.into(), line.into(), account.as_str().into(), (*amount).into()]);
        }
    }
    tx.put("INSERT INTO entries (seq, id, at, kind, reason, hash)", &rows, "").await?;
    tx.put("INSERT INTO postings (entry, line, account, amount)", &lines, "").await?;
    head.keep(tx).await?;
    let rows: Vec<Vec<Value<'_>>> =
        balances.iter().map(|(account, delta)| vec![(*account).into(), (*delta).into()]).collect();
    tx.put(
        "INSERT INTO book_balances (account, balance)",
        &rows,
        "ON CONFLICT (account) DO UPDATE SET balance = book_balances.balance + excluded.balance",
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
