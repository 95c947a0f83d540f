//! Provider keys that accounts brought along ("bring your own key"), in memory: whose, for which provider, in which order beside
//! the operator's, and what pays the fee.
//!
//! - No call waits for the database. The table is replaced when the store reports a change; calls in flight keep what they
//!   began with.
//! - A key is opened when a call first needs it, and its text lives in the headers of its own [`Target`] only, which wipe it
//!   when they are dropped.
//! - Whatever befalls a key (refused, busy, out of reach) befalls it alone: each has breakers of its own, one per endpoint.
//! - The balance for fees is a purse of its own. Fees go to it, to credits where the owner opted in, to use where nobody needs
//!   a balance.

mod balance;
pub mod edit;
mod input;
mod keeper;
pub mod material;
mod own;
mod pay;
pub mod probe;
pub mod seal;
mod seats;
pub mod settings;
mod wishes;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger::{FeeRate, Hold, Purse};
use parking_lot::Mutex;
use store::{ByokBalance, ByokChanges, ByokTotals};
use types::{AccountId, KeyId, Money};

pub(crate) use balance::fill;
pub use keeper::Keeper;
pub(crate) use own::{Own, OwnKey};
pub use own::{bound, open, sealed};
pub(crate) use pay::{Payer, acquire};
pub(crate) use seats::{Reach, expand, told};
pub(crate) use wishes::serve as serve_wishes;

use self::seal::Masters;
use crate::keys::AccountState;

/// What a key may be used for so far: requests, at list price, fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How often.
    pub requests: u64,
    /// At list price, paid by own keys.
    pub usage: Money,
    /// Fees.
    pub fees: Money,
}

/// An account's balance for fees on this node.
#[derive(Debug, Default)]
struct Till {
    /// What the store knew last.
    known: ByokBalance,
    /// Opened by the first call that needs it; from then on it knows this node's charges before the store does.
    purse: Option<Arc<Purse>>,
}

/// Own keys of all accounts.
#[derive(Debug)]
pub struct Byok {
    rate: FeeRate,
    pub(crate) keeper: Keeper,
    masters: ArcSwap<Masters>,
    table: ArcSwap<HashMap<AccountId, Arc<Own>>>,
    tills: Mutex<HashMap<AccountId, Till>>,
    used: Mutex<BTreeMap<(KeyId, String), (AccountId, Used)>>,
    /// Credits on their way to balances, held until this node's purses have heard of the change with that number.
    under_way: Mutex<Vec<(i64, Hold)>>,
}

impl Byok {
    /// No keys yet.
    pub fn new(rate: FeeRate, masters: Masters, keeper: Keeper) -> Byok {
        Byok {
            rate,
            keeper,
            masters: ArcSwap::from_pointee(masters),
            table: ArcSwap::default(),
            tills: Mutex::default(),
            used: Mutex::default(),
            under_way: Mutex::default(),
        }
    }

    /// The fee of calls with own keys.
    pub fn rate(&self) -> FeeRate {
        self.rate
    }

    /// What own keys are sealed with.
    pub(crate) fn masters(&self) -> Arc<Masters> {
        self.masters.load_full()
    }

    /// What an account brought along; `None`: nothing.
    pub(crate) fn of(&self, account: &AccountId) -> Option<Arc<Own>> {
        self.table.load().get(account).cloned()
    }

    /// Takes in what the store has, keys that were taken away too.
    pub fn take(&self, changes: &ByokChanges) {
        if changes.keys.is_empty() && changes.accounts.is_empty() {
            return;
        }
        self.learn_masters(changes.keys.iter().filter(|row| !row.deleted).map(|row| &*row.master));
        self.table.rcu(|table| {
            let mut table = HashMap::clone(table);
            for (account, settings) in &changes.accounts {
                let own = table.entry(account.clone()).or_default();
                *own = Arc::new(own.with_settings(settings));
            }
            for row in &changes.keys {
                let own = table.entry(row.account.clone()).or_default();
                *own = Arc::new(own.with_key(row));
            }
            table
        });
    }

    /// A key sealed under a master key that nobody here knows may be sealed under one that was added to the file since.
    pub(crate) fn learn_masters<'m>(&self, mut named: impl Iterator<Item = &'m str>) {
        let masters = self.masters.load();
        let news = named.any(|master| !masters.knows(master));
        let Some(again) = news.then(|| masters.again()).flatten() else { return };
        match again {
            Ok(again) => self.masters.store(Arc::new(again)),
            Err(error) => tracing::error!(error, "the master key file of provider keys can't be read again"),
        }
    }

    /// Takes in balances and use as the store knows them.
    pub fn take_totals(&self, totals: ByokTotals) {
        let mut tills = self.tills.lock();
        for (account, now) in totals.balances {
            let till = tills.entry(account).or_default();
            let delta = now.credited.saturating_sub(till.known.credited);
            // Charges are this node's own: an open purse knows them already.
            if let Some(purse) = till.purse.as_ref().filter(|_| delta != Money::ZERO) {
                purse.credit(delta);
            }
            let corrected = now.corrected.saturating_sub(till.known.corrected);
            if let Some(purse) = till.purse.as_ref().filter(|_| corrected != Money::ZERO) {
                purse.note_spent(corrected);
            }
            till.known = now;
        }
        drop(tills);
        let mut used = self.used.lock();
        for row in totals.usage {
            let now = Used { requests: row.requests, usage: row.usage, fees: row.fees };
            used.insert((row.api_key, row.byok_key), (row.account, now));
        }
    }

    /// The purses of accounts have heard of all changes up to this one: credits that left them are held no longer.
    pub fn totals_seen(&self, latest: i64) {
        let mut under_way = self.under_way.lock();
        for (_, hold) in under_way.extract_if(.., |(number, _)| *number <= latest) {
            hold.void();
        }
    }

    /// Keeps credits held that are on their way to a balance.
    pub(crate) fn keep_held(&self, number: i64, hold: Hold) {
        self.under_way.lock().push((number, hold));
    }

    /// An account's balance for fees, as calls hold against it.
    pub(crate) fn purse(&self, account: &AccountState) -> Arc<Purse> {
        let mut tills = self.tills.lock();
        let till = tills.entry(account.id.clone()).or_default();
        let purse = till.purse.get_or_insert_with(|| {
            let released = Arc::clone(&account.released);
            let wake = Box::new(move || released.notify_waiters());
            Arc::new(Purse::new("byok", Some(till.known.credited), till.known.charged, Some(wake)))
        });
        Arc::clone(purse)
    }

    /// What a key of ours used own keys for; `None`: all keys of the account together.
    pub(crate) fn used(&self, account: &AccountId, key: Option<&KeyId>) -> Used {
        let used = self.used.lock();
        let rows = used
            .iter()
            .filter(|((api_key, _), (whose, _))| whose == account && key.is_none_or(|key| key == api_key));
        sum(rows.map(|(_, (_, used))| used))
    }

    /// What an own key was used for.
    pub(crate) fn used_of(&self, byok_key: &str) -> Used {
        let used = self.used.lock();
        sum(used.iter().filter(|((_, key), _)| key == byok_key).map(|(_, (_, used))| used))
    }
}

fn sum<'u>(rows: impl Iterator<Item = &'u Used>) -> Used {
    rows.fold(Used::default(), |sum, row| Used {
        requests: sum.requests.saturating_add(row.requests),
        usage: sum.usage.saturating_add(row.usage),
        fees: sum.fees.saturating_add(row.fees),
    })
}

/// Where master keys are made on a first start, below the data directory.
pub fn master_key_path(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("byok-master.keys")
}
