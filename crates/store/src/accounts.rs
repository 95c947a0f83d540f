//! Accounts, and what each was credited and charged.

use types::{AccountId, KeyId, Money, Timestamp};

use crate::changes::Counter;
use crate::db::{Tx, Value};
use crate::{Store, StoreError};

/// What moved on an account since it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTotals {
    /// The account.
    pub account: AccountId,
    /// Granted credit, corrections taken off.
    pub credited: Money,
    /// Charged to its credit (prepaid).
    pub charged: Money,
    /// Booked as use (metered).
    pub metered: Money,
    /// How much of `charged` corrections made; negative: given back.
    pub charged_corrected: Money,
    /// How much of `metered` corrections made.
    pub metered_corrected: Money,
}

/// Totals that changed after a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TotalsChanged {
    /// Accounts with their totals now.
    pub accounts: Vec<AccountTotals>,
    /// Keys with what they have spent in all.
    pub keys: Vec<(KeyId, Money)>,
    /// Those of them on which something was corrected, with how much of it corrections made.
    pub keys_corrected: Vec<(KeyId, Money)>,
    /// What to ask after next time.
    pub latest: i64,
}

/// The credit of an account after a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Granted in all.
    pub credited: Money,
    /// Charged in all.
    pub charged: Money,
    /// `credited - charged`.
    pub balance: Money,
    /// False when the same grant was booked before and nothing changed.
    pub applied: bool,
}

/// The credit of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credits {
    /// Granted in all.
    pub granted: Money,
    /// Charged to the credit in all.
    pub used: Money,
    /// `granted - used`.
    pub balance: Money,
    /// Booked as metered use in all; takes nothing from the balance.
    pub metered: Money,
}

const TOTALS: &str =
    "SELECT account, credited, charged, metered, charged_corrected, metered_corrected FROM account_totals
    WHERE changed_seq > $1 ORDER BY account";
const SPENT: &str = "SELECT api_key, spent FROM key_totals WHERE changed_seq > $1 ORDER BY api_key";
const CORRECTED: &str =
    "SELECT api_key, corrected FROM key_totals WHERE changed_seq > $1 AND corrected <> 0 ORDER BY api_key";

impl Store {
    /// Makes an account where there is none; true when it was made.
    pub async fn ensure_account(
        &self,
        id: &AccountId,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        require_plain("the account's id", id.as_str())?;
        require_plain("the account's name", name)?;
        let mut tx = self.db.write().await?;
        let sql = "INSERT INTO accounts (id, name, created) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
        let made = tx.execute(sql, &[id.as_str().into(), name.into(), now.micros().into()]).await? == 1;
        tx.commit().await?;
        Ok(made)
    }

    /// The totals of every account on which anything ever moved.
    pub async fn totals(&self) -> Result<Vec<AccountTotals>, StoreError> {
        Ok(self.db.fetch(TOTALS, &[Value::Int(-1)]).await?.into_iter().map(account_totals).collect())
    }

    /// What each key has spent, in both modes.
    pub async fn key_spent(&self) -> Result<Vec<(KeyId, Money)>, StoreError> {
        Ok(self.db.fetch(SPENT, &[Value::Int(-1)]).await?.into_iter().map(key_spent).collect())
    }

    /// Totals that changed after `since` (0: all), at one instant. Totals are absolute, so seeing one twice does no harm.
    pub async fn totals_changed(&self, since: i64) -> Result<TotalsChanged, StoreError> {
        let mut tx = self.db.read().await?;
        let counter = "SELECT value FROM change_counters WHERE name = $1";
        let latest: Vec<(i64,)> = tx.fetch(counter, &[Counter::Totals.name().into()]).await?;
        let latest = latest.first().map_or(since, |row| row.0);
        if latest == since {
            return Ok(TotalsChanged { latest, ..TotalsChanged::default() });
        }
        let accounts = tx.fetch(TOTALS, &[since.into()]).await?.into_iter().map(account_totals).collect();
        let keys = tx.fetch(SPENT, &[since.into()]).await?.into_iter().map(key_spent).collect();
        let keys_corrected = tx.fetch(CORRECTED, &[since.into()]).await?.into_iter().map(key_spent).collect();
        Ok(TotalsChanged { accounts, keys, keys_corrected, latest })
    }

    /// The credit of an account; zeros when nothing moved yet.
    pub async fn credits(&self, account: &AccountId) -> Result<Credits, StoreError> {
        let sql = "SELECT credited, charged, metered FROM account_totals WHERE account = $1";
        let rows: Vec<(i64, i64, i64)> = self.db.fetch(sql, &[account.as_str().into()]).await?;
        let (granted, used, metered) = rows.first().copied().unwrap_or_default();
        let (granted, used) = (Money::from_nanos(granted), Money::from_nanos(used));
        Ok(Credits {
            granted,
            used,
            balance: granted.saturating_sub(used),
            metered: Money::from_nanos(metered),
        })
    }
}

fn account_totals(row: (String, i64, i64, i64, i64, i64)) -> AccountTotals {
    let (account, credited, charged, metered, charged_corrected, metered_corrected) = row;
    AccountTotals {
        account: AccountId::new(account),
        credited: Money::from_nanos(credited),
        charged: Money::from_nanos(charged),
        metered: Money::from_nanos(metered),
        charged_corrected: Money::from_nanos(charged_corrected),
        metered_corrected: Money::from_nanos(metered_corrected),
    }
}

fn key_spent((key, spent): (String, i64)) -> (KeyId, Money) {
    (KeyId::new(key), Money::from_nanos(spent))
}

/// What is added to an account's totals.
#[derive(Clone, Copy, Default)]
pub(crate) struct TotalsDelta {
    pub(crate) credited: i64,
    pub(crate) charged: i64,
    pub(crate) metered: i64,
}

/// Adds to accounts' totals; `deltas` in the order of accounts.
pub(crate) async fn add_totals(
    tx: &mut Tx,
    deltas: &[(&str, TotalsDelta)],
    seq: i64,
) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = deltas
        .iter()
        .map(|(account, d)| {
            vec![(*account).into(), d.credited.into(), d.charged.into(), d.metered.into(), seq.into()]
        })
        .collect();
    tx.put(
        "INSERT INTO account_totals (account, credited, charged, metered, changed_seq)",
        &rows,
        "ON CONFLICT (account) DO UPDATE SET credited = account_totals.credited + excluded.credited,
            charged = account_totals.charged + excluded.charged, metered = account_totals.metered + excluded.metered,
            changed_seq = excluded.changed_seq",
    )
    .await
    .map(drop)
}

/// Adds to what keys have spent; `deltas` in the order of keys.
pub(crate) async fn add_spent(tx: &mut Tx, deltas: &[(&str, i64)], seq: i64) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> =
        deltas.iter().map(|(key, spent)| vec![(*key).into(), (*spent).into(), seq.into()]).collect();
    tx.put(
        "INSERT INTO key_totals (api_key, spent, changed_seq)",
        &rows,
        "ON CONFLICT (api_key) DO UPDATE SET spent = key_totals.spent + excluded.spent,
            changed_seq = excluded.changed_seq",
    )
    .await
    .map(drop)
}

/// Notes that what was just added to totals were corrections: servers have not charged it themselves.
pub(crate) async fn add_corrected(
    tx: &mut Tx,
    accounts: &[(&str, TotalsDelta)],
    keys: &[(&str, i64)],
) -> Result<(), StoreError> {
    for (account, delta) in accounts {
        let sql = "UPDATE account_totals SET charged_corrected = charged_corrected + $2,
            metered_corrected = metered_corrected + $3 WHERE account = $1";
        tx.execute(sql, &[(*account).into(), delta.charged.into(), delta.metered.into()]).await?;
    }
    for (key, delta) in keys {
        let sql = "UPDATE key_totals SET corrected = corrected + $2 WHERE api_key = $1";
        tx.execute(sql, &[(*key).into(), (*delta).into()]).await?;
    }
    Ok(())
}

/// Refuses an account that is not there.
pub(crate) async fn require_account(tx: &mut Tx, account: &str) -> Result<(), StoreError> {
    let sql = "SELECT id FROM accounts WHERE id = $1";
    let known: Vec<(String,)> = tx.fetch(sql, &[account.into()]).await?;
    known.first().map(drop).ok_or_else(|| StoreError::NotFound(format!("account `{account}`")))
}

/// Text that a person chose: not empty, at most 200 characters, none of them a control character.
pub(crate) fn require_plain(what: &str, text: &str) -> Result<(), StoreError> {
    if text.is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!(
            "{what} must have 1 to 200 characters and no control characters"
        )));
    }
    Ok(())
}
