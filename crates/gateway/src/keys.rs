//! Keys and accounts in memory: who calls, and what they may still spend. No call waits for the database.
//!
//! - The table is replaced whole when the store reports a change; calls in flight keep what they began with.
//! - Purses and rates live on through a replacement: a key's state is carried over by its id.
//! - The balance of an account on this node is what the store knows, minus what was settled here and not yet folded, minus
//!   holds. The polling job credits what was granted or charged elsewhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use ledger::{HoldSet, Purse};
use tokio::sync::Notify;
use types::{AccountId, KeyHash, KeyId, Money, Timestamp};

/// An account and its purse.
#[derive(Debug)]
pub struct AccountState {
    /// Its id.
    pub id: AccountId,
    /// Its credits; without a limit in metered mode.
    pub purse: Arc<Purse>,
    /// Woken when money came back to this account or one of its keys.
    pub released: Arc<Notify>,
}

/// What a key may do; changed only by a replacement of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRules {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// The hash of its text.
    pub hash: KeyHash,
    /// What may be shown of it.
    pub label: String,
    /// The name that its owner gave it.
    pub name: String,
    /// Manages, and can't call models.
    pub management: bool,
    /// Switched off.
    pub disabled: bool,
    /// Revoked for good.
    pub revoked: bool,
    /// Not valid from this instant on.
    pub expires: Option<Timestamp>,
    /// What it may spend in all.
    pub spend_limit: Option<Money>,
    /// Requests per minute.
    pub requests_per_minute: Option<u32>,
    /// Calls in flight at once.
    pub concurrency: Option<u32>,
    /// When it was made.
    pub created: Timestamp,
}

/// A key as calls see it.
#[derive(Debug)]
pub struct KeyState {
    /// What it may do.
    pub rules: KeyRules,
    /// Whose it is.
    pub account: Arc<AccountState>,
    /// Its own spend limit.
    pub purse: Arc<Purse>,
    /// Key and account together.
    pub holds: HoldSet,
    rate: Arc<Rate>,
    in_flight: Arc<AtomicU32>,
}

/// A place among the calls in flight of a key; given back on drop.
#[derive(Debug)]
pub struct Permit(Arc<AtomicU32>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KeyState {
    /// Takes a place among the calls in flight; `Err` holds the limit. `default_max` 0: no limit by default.
    pub fn enter(&self, default_max: u32) -> Result<Permit, u32> {
        let max = self.rules.concurrency.unwrap_or(default_max);
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(Arc::clone(&self.in_flight));
        if max > 0 && before >= max { Err(max) } else { Ok(permit) }
    }

    /// Counts a request against the rate; `Err` says how long to wait.
    pub fn take_request(&self, now: Timestamp) -> Result<(), Duration> {
        self.rules.requests_per_minute.map_or(Ok(()), |per_minute| self.rate.take(per_minute, now))
    }
}

/// Requests per minute by GCRA: one number, the instant when the bucket is full again.
#[derive(Debug, Default)]
struct Rate(AtomicI64);

impl Rate {
    /// Lets a burst of a minute's worth through, then one per interval.
    fn take(&self, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        let interval = 60_000_000 / i64::from(per_minute.max(1));
        let burst = interval.saturating_mul(i64::from(per_minute.max(1)));
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let next = seen.max(now.0).saturating_add(interval);
            let wait = next.saturating_sub(now.0).saturating_sub(burst);
            if wait > 0 {
                return Err(Duration::from_micros(wait.unsigned_abs()));
            }
            match self.0.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }
}

/// All keys, by the hash of their text.
#[derive(Debug, Default)]
pub struct KeyTable {
    keys: HashMap<KeyHash, Arc<KeyState>>,
    by_id: HashMap<KeyId, KeyHash>,
    accounts: HashMap<AccountId, Arc<AccountState>>,
}

/// What an account could spend when it was first seen: its credits (prepaid), or no limit (metered), and what it spent.
pub type Opening = (Option<Money>, Money);

impl KeyTable {
    /// The key with this hash.
    pub fn get(&self, hash: &KeyHash) -> Option<&Arc<KeyState>> {
        self.keys.get(hash)
    }

    /// The key with this id.
    pub fn key(&self, id: &KeyId) -> Option<&Arc<KeyState>> {
        self.by_id.get(id).and_then(|hash| self.keys.get(hash))
    }

    /// The account with this id.
    pub fn account(&self, id: &AccountId) -> Option<&Arc<AccountState>> {
        self.accounts.get(id)
    }

    /// Accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountState>> {
        self.accounts.values()
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A table with these rules added or changed. `opening` gives an account's limit and spending when it is first seen;
    /// `spent` what a key has spent so far when it is first seen.
    pub fn with(
        &self,
        changes: Vec<KeyRules>,
        opening: &dyn Fn(&AccountId) -> Opening,
        spent: &dyn Fn(&KeyId) -> Money,
    ) -> KeyTable {
        let mut keys = self.keys.clone();
        let mut by_id = self.by_id.clone();
        let mut accounts = self.accounts.clone();
        for rules in changes {
            let account = accounts.entry(rules.account.clone()).or_insert_with_key(|id| {
                let (limit, spent) = opening(id);
                let released = Arc::new(Notify::new());
                let purse = purse("account", limit, spent, &released);
                Arc::new(AccountState { id: id.clone(), purse, released })
            });
            let old = by_id.get(&rules.id).and_then(|hash| keys.get(hash)).cloned();
            let state = match old {
                Some(old) => {
                    if old.rules.spend_limit != rules.spend_limit {
                        old.purse.set_limit(rules.spend_limit);
                    }
                    keys.remove(&old.rules.hash);
                    KeyState {
                        account: Arc::clone(&old.account),
                        purse: Arc::clone(&old.purse),
                        holds: old.holds.clone(),
                        rate: Arc::clone(&old.rate),
                        in_flight: Arc::clone(&old.in_flight),
                        rules,
                    }
                }
                None => {
                    let purse = purse("key", rules.spend_limit, spent(&rules.id), &account.released);
                    KeyState {
                        holds: HoldSet::new([Arc::clone(&purse), Arc::clone(&account.purse)]),
                        account: Arc::clone(account),
                        purse,
                        rate: Arc::default(),
                        in_flight: Arc::default(),
                        rules,
                    }
                }
            };
            by_id.insert(state.rules.id.clone(), state.rules.hash);
            keys.insert(state.rules.hash, Arc::new(state));
        }
        KeyTable { keys, by_id, accounts }
    }
}

fn purse(scope: &'static str, limit: Option<Money>, spent: Money, released: &Arc<Notify>) -> Arc<Purse> {
    let released = Arc::clone(released);
    Arc::new(Purse::new(scope, limit, spent, Some(Box::new(move || released.notify_waiters()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(limit: Option<i64>) -> KeyRules {
        KeyRules {
            id: KeyId::new("key_a"),
            account: AccountId::new("acct_a"),
            hash: KeyHash([1; 32]),
            label: String::new(),
            name: String::new(),
            management: false,
            disabled: false,
            revoked: false,
            expires: None,
            spend_limit: limit.map(Money::from_usd),
            requests_per_minute: Some(3),
            concurrency: Some(2),
            created: Timestamp(0),
        }
    }

    fn table(limit: Option<i64>, before: &KeyTable) -> KeyTable {
        before.with(vec![rules(limit)], &|_| (None, Money::ZERO), &|_| Money::from_usd(1))
    }

    #[test]
    fn a_replacement_keeps_what_was_spent_and_takes_the_new_limit() {
        let first = table(Some(5), &KeyTable::default());
        let key = first.get(&KeyHash([1; 32])).unwrap();
        key.holds.try_hold(Money::from_usd(2)).unwrap().settle(Money::from_usd(2));
        let second = table(Some(4), &first);
        let key = second.get(&KeyHash([1; 32])).unwrap();
        assert_eq!(key.purse.snapshot().available, Some(Money::from_usd(1)));
    }

    #[test]
    fn concurrency_and_rate_hold_and_give_back() {
        let table = table(None, &KeyTable::default());
        let key = table.get(&KeyHash([1; 32])).unwrap();
        let a = key.enter(0).unwrap();
        let _b = key.enter(0).unwrap();
        assert_eq!(key.enter(0).err(), Some(2));
        drop(a);
        assert!(key.enter(0).is_ok());

        let at = |s: i64| Timestamp::from_seconds(1_000 + s);
        assert!((0..3).all(|_| key.take_request(at(0)).is_ok()));
        assert_eq!(key.take_request(at(0)), Err(Duration::from_secs(20)));
        assert!(key.take_request(at(20)).is_ok());
        assert!(key.take_request(at(20)).is_err());
    }
}
