//! Provider keys that accounts brought along, how an account uses them, and its balance for fees. What is sealed in a row, and
//! what its settings say, is not looked at here.

use std::collections::BTreeMap;

use ledger::{BookAccount, ENTRY_OF_GENERATION, Entry, EntryKind, GenerationRecord, book_of};
use types::{AccountId, KeyId, Money, Timestamp};

use crate::accounts::{TotalsDelta, add_totals, require_account, require_plain};
use crate::changes::{self, Counter};
use crate::corrections::{Corrected, Rerated};
use crate::db::{Tx, Value, decode_row};
use crate::entries::NewEntry;
use crate::{Store, StoreError, entries};

/// Most keys that an account may bring along.
pub const BYOK_KEYS_MAX: usize = 200;

/// A key that an account brought along.
#[derive(Clone, PartialEq, Eq)]
pub struct ByokRow {
    /// Its id: `byok_...`.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// For which provider, by slug.
    pub provider: String,
    /// Ciphertext; empty where the key was taken away.
    pub sealed: String,
    /// Which master key it is sealed under.
    pub master: String,
    /// The rest of it: JSON.
    pub settings: String,
    /// When it was brought.
    pub created: Timestamp,
    /// A key's id, or `cli`.
    pub created_by: String,
    /// It was taken away.
    pub deleted: bool,
    /// Number of the last change; an edit names the one that it is based on.
    pub changed_seq: i64,
}

impl std::fmt::Debug for ByokRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByokRow")
            .field("id", &self.id)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

decode_row!(ByokRow, |row| {
    Ok(ByokRow {
        id: row.try_get(0)?,
        account: AccountId::new(row.try_get::<String, _>(1)?),
        provider: row.try_get(2)?,
        sealed: row.try_get(3)?,
        master: row.try_get(4)?,
        settings: row.try_get(5)?,
        created: Timestamp(row.try_get(6)?),
        created_by: row.try_get(7)?,
        deleted: row.try_get(8)?,
        changed_seq: row.try_get(9)?,
    })
});

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, provider, sealed, master, settings, created, created_by, deleted, changed_seq
             FROM byok_keys WHERE ",
            $rest
        )
    };
}

/// What changed about own keys.
#[derive(Clone, Debug, Default)]
pub struct ByokChanges {
    /// Keys, those taken away too.
    pub keys: Vec<ByokRow>,
    /// How accounts use them: JSON.
    pub accounts: Vec<(AccountId, String)>,
    /// What to ask after next time.
    pub latest: i64,
}

/// An account's balance for fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByokBalance {
    /// Put in, in all.
    pub credited: Money,
    /// Taken out by fees, in all.
    pub charged: Money,
    /// How much of that corrections made; negative: fees given back.
    pub corrected: Money,
}

impl ByokBalance {
    /// What is left.
    pub fn left(&self) -> Money {
        self.credited.saturating_sub(self.charged)
    }
}

/// What was called with an own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByokUsage {
    /// The key that called.
    pub api_key: KeyId,
    /// The own key that paid.
    pub byok_key: String,
    /// Whose.
    pub account: AccountId,
    /// How often.
    pub requests: u64,
    /// At list price.
    pub usage: Money,
    /// Fees, from whichever book.
    pub fees: Money,
}

/// What changed about balances and use.
#[derive(Clone, Debug, Default)]
pub struct ByokTotals {
    /// Balances as they are now.
    pub balances: Vec<(AccountId, ByokBalance)>,
    /// Use as it is now.
    pub usage: Vec<ByokUsage>,
    /// What to ask after next time.
    pub latest: i64,
}

/// Money that came to a balance for fees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByokCredited {
    /// The balance afterwards.
    pub balance: ByokBalance,
    /// False when the same was booked before and nothing changed.
    pub applied: bool,
    /// Number of the change of accounts' totals, where credits paid for it.
    pub totals_seq: i64,
}

impl Store {
    /// Keeps a new key.
    ///
    /// # Errors
    /// `Invalid`: one too many; `NotFound`: no such account; `Conflict`: the id is taken.
    pub async fn insert_byok(&self, row: &ByokRow) -> Result<ByokRow, StoreError> {
        require_plain("who wrote it", &row.created_by)?;
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Byok).await?;
        let sql = "SELECT COUNT(*) FROM byok_keys WHERE account = $1 AND deleted = $2";
        let held: Vec<(i64,)> = tx.fetch(sql, &[row.account.as_str().into(), Value::Bool(false)]).await?;
        if held.first().is_some_and(|held| usize::try_from(held.0).is_ok_and(|held| held >= BYOK_KEYS_MAX)) {
            return Err(StoreError::Invalid(format!(
                "the account has {BYOK_KEYS_MAX} provider keys, the most that it may have; remove one"
            )));
        }
        tx.execute(
            "INSERT INTO byok_keys
                (id, account, provider, sealed, master, settings, created, created_by, deleted, changed_seq)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                row.id.as_str().into(),
                row.account.as_str().into(),
                row.provider.as_str().into(),
                row.sealed.as_str().into(),
                row.master.as_str().into(),
                row.settings.as_str().into(),
                row.created.micros().into(),
                row.created_by.as_str().into(),
                Value::Bool(false),
                seq.into(),
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(ByokRow { changed_seq: seq, deleted: false, ..row.clone() })
    }

    /// Writes a key over what it was at `row.changed_seq`; with `deleted` it is taken away, ciphertext and all.
    ///
    /// # Errors
    /// `Conflict`: somebody else has written it since, or it is gone.
    pub async fn put_byok(&self, row: &ByokRow) -> Result<ByokRow, StoreError> {
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Byok).await?;
        let sealed = if row.deleted { "" } else { row.sealed.as_str() };
        let sql =
            "UPDATE byok_keys SET sealed = $1, master = $2, settings = $3, deleted = $4, changed_seq = $5
            WHERE id = $6 AND account = $7 AND changed_seq = $8 AND deleted = $9";
        let values = [
            sealed.into(),
            row.master.as_str().into(),
            row.settings.as_str().into(),
            Value::Bool(row.deleted),
            seq.into(),
            row.id.as_str().into(),
            row.account.as_str().into(),
            row.changed_seq.into(),
            Value::Bool(false),
        ];
        if tx.execute(sql, &values).await? != 1 {
            return Err(StoreError::Conflict(format!("provider key `{}` was changed meanwhile", row.id)));
        }
        tx.commit().await?;
        Ok(ByokRow { changed_seq: seq, sealed: sealed.to_owned(), ..row.clone() })
    }

    /// The keys of an account, or of all.
    pub async fn byok_keys(&self, account: Option<&AccountId>) -> Result<Vec<ByokRow>, StoreError> {
        let no = Value::Bool(false);
        match account {
            None => self.db.fetch(select_keys!("deleted = $1 ORDER BY account, created, id"), &[no]).await,
            Some(account) => {
                let sql = select_keys!("account = $1 AND deleted = $2 ORDER BY created, id");
                self.db.fetch(sql, &[account.as_str().into(), no]).await
            }
        }
    }

    /// One key of an account.
    ///
    /// # Errors
    /// `NotFound`: the account has none of that id.
    pub async fn byok_key(&self, id: &str, account: &AccountId) -> Result<ByokRow, StoreError> {
        let sql = select_keys!("id = $1 AND account = $2 AND deleted = $3");
        let values = [id.into(), account.as_str().into(), Value::Bool(false)];
        let rows: Vec<ByokRow> = self.db.fetch(sql, &values).await?;
        rows.into_iter().next().ok_or_else(|| StoreError::NotFound(format!("provider key `{id}`")))
    }

    /// How an account uses its keys: JSON; empty where it never said.
    pub async fn byok_settings(&self, account: &AccountId) -> Result<String, StoreError> {
        let sql = "SELECT settings FROM byok_accounts WHERE account = $1";
        let rows: Vec<(String,)> = self.db.fetch(sql, &[account.as_str().into()]).await?;
        Ok(rows.into_iter().next().map(|row| row.0).unwrap_or_default())
    }

    /// Edits how an account uses its keys: `edit` gets what stands and answers what is to stand.
    ///
    /// # Errors
    /// What `edit` refuses; `NotFound`: no such account.
    pub async fn edit_byok_settings(
        &self,
        account: &AccountId,
        edit: impl FnOnce(&str) -> Result<String, StoreError> + Send,
    ) -> Result<String, StoreError> {
        let mut tx = self.db.write().await?;
        let seq = changes::next(&mut tx, Counter::Byok).await?;
        let sql = "SELECT settings FROM byok_accounts WHERE account = $1";
        let rows: Vec<(String,)> = tx.fetch(sql, &[account.as_str().into()]).await?;
        let settings = edit(rows.first().map(|row| row.0.as_str()).unwrap_or_default())?;
        tx.execute(
            "INSERT INTO byok_accounts (account, settings, changed_seq) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO UPDATE SET settings = excluded.settings, changed_seq = excluded.changed_seq",
            &[account.as_str().into(), settings.as_str().into(), seq.into()],
        )
        .await?;
        tx.commit().await?;
        Ok(settings)
    }

    /// What changed after `since` (0: all), at one instant. No change is ever missed: see `changes.rs`.
    pub async fn byok_changes(&self, since: i64) -> Result<ByokChanges, StoreError> {
        let mut tx = self.db.read().await?;
        let latest = counter(&mut tx, Counter::Byok).await?;
        if latest == since {
            return Ok(ByokChanges { latest, ..ByokChanges::default() });
        }
        let keys = tx.fetch(select_keys!("changed_seq > $1 ORDER BY changed_seq"), &[since.into()]).await?;
        let sql = "SELECT account, settings FROM byok_accounts WHERE changed_seq > $1 ORDER BY account";
        let accounts: Vec<(String, String)> = tx.fetch(sql, &[since.into()]).await?;
        let accounts = accounts.into_iter().map(|(account, settings)| (AccountId::new(account), settings));
        Ok(ByokChanges { keys, accounts: accounts.collect(), latest })
    }

    /// Balances and use that changed after `since` (0: all), at one instant; absolute, so seeing one twice does no harm.
    pub async fn byok_totals(&self, since: i64) -> Result<ByokTotals, StoreError> {
        let mut tx = self.db.read().await?;
        let latest = counter(&mut tx, Counter::ByokTotals).await?;
        if latest == since {
            return Ok(ByokTotals { latest, ..ByokTotals::default() });
        }
        let sql = "SELECT account, credited, charged, corrected FROM byok_totals WHERE changed_seq > $1 ORDER BY account";
        let balances: Vec<(String, i64, i64, i64)> = tx.fetch(sql, &[since.into()]).await?;
        let sql = "SELECT api_key, byok_key, account, requests, usage, fees FROM byok_usage
            WHERE changed_seq > $1 ORDER BY api_key, byok_key";
        let usage: Vec<UsageRow> = tx.fetch(sql, &[since.into()]).await?;
        let balance = |(account, credited, charged, corrected)| {
            (AccountId::new(account), balance((credited, charged, corrected)))
        };
        Ok(ByokTotals {
            balances: balances.into_iter().map(balance).collect(),
            usage: usage.into_iter().map(usage_row).collect(),
            latest,
        })
    }

    /// An account's balance for fees; zeros when nothing moved yet.
    pub async fn byok_balance(&self, account: &AccountId) -> Result<ByokBalance, StoreError> {
        let sql = "SELECT credited, charged, corrected FROM byok_totals WHERE account = $1";
        let rows: Vec<(i64, i64, i64)> = self.db.fetch(sql, &[account.as_str().into()]).await?;
        Ok(rows.first().copied().map(balance).unwrap_or_default())
    }

    /// Books money that comes to a balance for fees: a grant, or credits that the account moves there. The same entry again
    /// changes nothing.
    ///
    /// # Errors
    /// `Conflict`: another entry has this id; `NotFound`: no such account; `Invalid`: it is no such entry, or the credits
    /// that it moves are not there.
    pub async fn credit_byok(&self, entry: &Entry, reason: Option<&str>) -> Result<ByokCredited, StoreError> {
        let (account, amount) = credited(entry)?;
        let mut tx = self.db.write().await?;
        require_account(&mut tx, account).await?;
        // Rows are locked in the order that the crate's page tells: entries, balances, then counters.
        let applied = entries::book_once(&mut tx, &NewEntry { entry, reason, evidence: None }).await?;
        let mut totals_seq = 0;
        if applied {
            credit(&mut tx, account, amount).await?;
            if entry.kind() == EntryKind::Transfer {
                totals_seq = changes::next(&mut tx, Counter::Totals).await?;
                take_credits(&mut tx, account, amount, totals_seq).await?;
            }
        }
        let sql = "SELECT credited, charged, corrected FROM byok_totals WHERE account = $1";
        let rows: Vec<(i64, i64, i64)> = tx.fetch(sql, &[account.into()]).await?;
        let balance = rows.first().copied().map(balance).unwrap_or_default();
        tx.commit().await?;
        Ok(ByokCredited { balance, applied, totals_seq })
    }
}

/// Adds to a balance for fees what was paid in, or takes it back out.
pub(crate) async fn credit(tx: &mut Tx, account: &str, amount: Money) -> Result<(), StoreError> {
    let seq = changes::next(tx, Counter::ByokTotals).await?;
    let row = vec![account.into(), amount.into(), Value::Int(0), Value::Int(0), seq.into()];
    add_balances(tx, &[row]).await
}

type UsageRow = (String, String, String, i64, i64, i64);

fn usage_row((api_key, byok_key, account, requests, usage, fees): UsageRow) -> ByokUsage {
    ByokUsage {
        api_key: KeyId::new(api_key),
        byok_key,
        account: AccountId::new(account),
        requests: requests.max(0).unsigned_abs(),
        usage: Money::from_nanos(usage),
        fees: Money::from_nanos(fees),
    }
}

fn balance((credited, charged, corrected): (i64, i64, i64)) -> ByokBalance {
    let [credited, charged, corrected] = [credited, charged, corrected].map(Money::from_nanos);
    ByokBalance { credited, charged, corrected }
}

async fn counter(tx: &mut Tx, counter: Counter) -> Result<i64, StoreError> {
    let sql = "SELECT value FROM change_counters WHERE name = $1";
    let rows: Vec<(i64,)> = tx.fetch(sql, &[counter.name().into()]).await?;
    rows.first().map(|row| row.0).ok_or_else(|| StoreError::Corrupt("a change counter is missing".to_owned()))
}

/// Whose balance for fees an entry credits, and by how much.
fn credited(entry: &Entry) -> Result<(&str, Money), StoreError> {
    let wrong = || StoreError::Invalid(format!("entry `{}` credits no balance for fees", entry.id()));
    let mut own = None;
    for posting in entry.postings() {
        match (&posting.account, entry.kind()) {
            (BookAccount::Byok(account), _) if own.is_none() => {
                own = Some((account.as_str(), posting.amount))
            }
            (BookAccount::Grants, EntryKind::Grant) | (BookAccount::Credits(_), EntryKind::Transfer) => (),
            _ => return Err(wrong()),
        }
    }
    let reserved = entry.id().as_str().starts_with(ENTRY_OF_GENERATION);
    let moved = entry.kind() != EntryKind::Transfer || own.is_some_and(|(_, amount)| amount > Money::ZERO);
    own.filter(|_| !reserved && moved).ok_or_else(wrong)
}

/// Takes what was moved out of the account's credits, which must be there.
async fn take_credits(tx: &mut Tx, account: &str, amount: Money, seq: i64) -> Result<(), StoreError> {
    let delta = TotalsDelta { credited: amount.negated().nanos(), ..TotalsDelta::default() };
    add_totals(tx, &[(account, delta)], seq).await?;
    let sql = "SELECT credited, charged FROM account_totals WHERE account = $1";
    let rows: Vec<(i64, i64)> = tx.fetch(sql, &[account.into()]).await?;
    let left = rows.first().map_or(-1, |(credited, charged)| credited.saturating_sub(*charged));
    if left < 0 {
        let had = Money::from_nanos(left).saturating_add(amount);
        return Err(StoreError::Invalid(format!(
            "the account's credits are {had} USD, less than {amount} USD"
        )));
    }
    Ok(())
}

/// Adds to balances: account, credited, charged, corrected, number of the change.
async fn add_balances(tx: &mut Tx, rows: &[Vec<Value<'_>>]) -> Result<(), StoreError> {
    tx.put(
        "INSERT INTO byok_totals (account, credited, charged, corrected, changed_seq)",
        rows,
        "ON CONFLICT (account) DO UPDATE SET credited = byok_totals.credited + excluded.credited,
            charged = byok_totals.charged + excluded.charged, corrected = byok_totals.corrected + excluded.corrected,
            changed_seq = excluded.changed_seq",
    )
    .await
    .map(drop)
}

/// What own keys were used for, by the key that called and the own key that paid: requests, list price, fees.
pub(crate) type Used<'a> = BTreeMap<(&'a str, &'a str), (&'a str, i64, i64, i64)>;

/// Adds a record to what own keys were used for.
pub(crate) fn count<'a>(used: &mut Used<'a>, record: &'a GenerationRecord) {
    let Some(byok_key) = &record.byok_key else { return };
    let row = used.entry((record.key.as_str(), byok_key)).or_insert((record.account.as_str(), 0, 0, 0));
    row.1 += 1;
    row.2 = row.2.saturating_add(record.cost.total.nanos());
    row.3 = row.3.saturating_add(record.charged.nanos());
}

/// Adds what own keys were used for, and takes fees out of balances.
pub(crate) async fn add_up(tx: &mut Tx, records: &[&GenerationRecord]) -> Result<(), StoreError> {
    let mut used = Used::new();
    let mut charged: BTreeMap<&str, i64> = BTreeMap::new();
    for record in records {
        count(&mut used, record);
        charge(&mut charged, record, record.charged);
    }
    write(tx, &used, &charged, false).await
}

/// Adds what corrections change on fees, and what was called at list price.
pub(crate) async fn correct(tx: &mut Tx, changed: &[Rerated]) -> Result<(), StoreError> {
    let mut used = Used::new();
    let mut charged: BTreeMap<&str, i64> = BTreeMap::new();
    for Rerated { record, correction, .. } in changed {
        let Some(byok_key) = &record.byok_key else { continue };
        let row = used.entry((record.key.as_str(), byok_key)).or_insert((record.account.as_str(), 0, 0, 0));
        row.2 = row.2.saturating_add(correction.cost.nanos());
        row.3 = row.3.saturating_add(correction.charged.nanos());
        charge(&mut charged, record, correction.charged);
    }
    write(tx, &used, &charged, true).await
}

/// Adds what the balance for fees pays.
fn charge<'a>(charged: &mut BTreeMap<&'a str, i64>, record: &'a GenerationRecord, amount: Money) {
    if matches!(book_of(record), BookAccount::Byok(_)) && amount != Money::ZERO {
        let sum = charged.entry(record.account.as_str()).or_default();
        *sum = sum.saturating_add(amount.nanos());
    }
}

async fn write(
    tx: &mut Tx,
    used: &Used<'_>,
    charged: &BTreeMap<&str, i64>,
    are_corrections: bool,
) -> Result<(), StoreError> {
    if used.is_empty() {
        return Ok(());
    }
    let seq = changes::next(tx, Counter::ByokTotals).await?;
    let rows: Vec<Vec<Value<'_>>> = charged
        .iter()
        .map(|(account, nanos)| {
            let corrected = if are_corrections { *nanos } else { 0 };
            vec![(*account).into(), Value::Int(0), (*nanos).into(), corrected.into(), seq.into()]
        })
        .collect();
    add_balances(tx, &rows).await?;
    let rows: Vec<Vec<Value<'_>>> = used
        .iter()
        .map(|((api_key, byok_key), (account, requests, usage, fees))| {
            let names = [*api_key, *byok_key, *account].map(Value::from);
            names.into_iter().chain([*requests, *usage, *fees, seq].map(Value::from)).collect()
        })
        .collect();
    tx.put(
        "INSERT INTO byok_usage (api_key, byok_key, account, requests, usage, fees, changed_seq)",
        &rows,
        "ON CONFLICT (api_key, byok_key) DO UPDATE SET requests = byok_usage.requests + excluded.requests,
            usage = byok_usage.usage + excluded.usage, fees = byok_usage.fees + excluded.fees,
            changed_seq = excluded.changed_seq",
    )
    .await
    .map(drop)
}

/// What own keys were used for by all generations and corrections, by the same two keys.
pub(crate) type Tally = BTreeMap<(String, String), (String, i64, i64, i64)>;

/// Adds a generation and what was corrected on it.
pub(crate) fn tally(tally: &mut Tally, record: &GenerationRecord, corrections: &[Corrected]) {
    let Some(byok_key) = &record.byok_key else { return };
    let sum = tally.entry((record.key.to_string(), byok_key.clone())).or_default();
    sum.0 = record.account.to_string();
    sum.1 += 1;
    let corrected = corrections.iter().map(|one| (one.correction.cost, one.correction.charged));
    for (cost, charged) in std::iter::once((record.cost.total, record.charged)).chain(corrected) {
        sum.2 = sum.2.saturating_add(cost.nanos());
        sum.3 = sum.3.saturating_add(charged.nanos());
    }
}

/// What own keys were used for by the books, for comparing.
pub(crate) async fn stored_usage(tx: &mut Tx) -> Result<Vec<UsageRow>, StoreError> {
    let sql =
        "SELECT api_key, byok_key, account, requests, usage, fees FROM byok_usage ORDER BY api_key, byok_key";
    tx.fetch(sql, &[]).await
}
