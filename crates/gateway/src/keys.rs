//! Keys and accounts in memory: who calls, and what they may still spend. No call waits for the database.
//!
//! - The table is replaced whole when the store reports a change; calls in flight keep what they began with.
//! - Purses and rates live on through a replacement: a key's state is carried over by its id, a budget's by its own.
//! - The balance of an account on this node is what the store knows, minus what was settled here and not yet folded, minus
//!   holds. The polling job credits what was granted or charged elsewhere.

pub(crate) mod api;
pub mod budgets;
pub mod limits;
mod rate;
mod spike;
mod visitor;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ledger::{HoldSet, OnSpent, Period, Purse, Spent};
use store::{BudgetRow, Rotation};
use tokio::sync::Notify;
use types::{AccountId, Clock, KeyHash, KeyId, Money, Role, SystemClock, Timestamp};

use self::budgets::{Budgets, Counted, passed, waking};
use self::limits::Limits;
use self::rate::Rate;
use crate::alerts::{Event, Signals};

/// Percentages of a key's spend limit at which its owner is told.
const KEY_THRESHOLDS: [u32; 2] = [80, 100];

/// An account and its purse.
#[derive(Debug)]
pub struct AccountState {
    /// Its id.
    pub id: AccountId,
    /// Its credits; without a limit in metered mode.
    pub purse: Arc<Purse>,
    /// Woken when money came back to this account, one of its keys or budgets.
    pub released: Arc<Notify>,
}

/// What a key may do; changed only by a replacement of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRules {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// The hash of its text.
    pub hash: KeyHash,
    /// The text before its last rotation.
    pub previous: Option<Rotation>,
    /// What may be shown of it.
    pub label: String,
    /// The name that its owner gave it.
    pub name: String,
    /// The project that it belongs to.
    pub project: Option<String>,
    /// Manages, and can't call models.
    pub management: bool,
    /// Switched off.
    pub disabled: bool,
    /// Why it was frozen, where it was.
    pub frozen: Option<String>,
    /// Revoked for good.
    pub revoked: bool,
    /// Not valid from this instant on.
    pub expires: Option<Timestamp>,
    /// What it may spend, over the span of `limits.limit_reset`.
    pub spend_limit: Option<Money>,
    /// Requests per minute.
    pub requests_per_minute: Option<u32>,
    /// Calls in flight at once.
    pub concurrency: Option<u32>,
    /// Its other bounds and defaults.
    pub limits: Limits,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last edited.
    pub updated: Option<Timestamp>,
    /// Who holds it: a member or a service account; `None`: the organization.
    pub holder: Option<String>,
    /// What it may do, if it manages.
    pub role: Role,
}

/// A key as calls see it.
#[derive(Debug)]
pub struct KeyState {
    /// What it may do.
    pub rules: KeyRules,
    /// Whose it is.
    pub account: Arc<AccountState>,
    /// Its own spend limit, over its span.
    pub purse: Arc<Purse>,
    /// All that it ever spent.
    pub total: Arc<Purse>,
    /// Key, budgets and account together.
    pub holds: HoldSet,
    /// The budgets of its account.
    pub budgets: Arc<Budgets>,
    /// What its calls count for: `project:web`, `tag:blue`.
    pub counted: Arc<[String]>,
    /// The rules that those who watch the purse go by.
    watched: Arc<ArcSwap<KeyRules>>,
    signals: Signals,
    rate: Arc<Rate>,
    tokens: Arc<Rate>,
    in_flight: Arc<AtomicU32>,
}

/// A place among the calls in flight of a key; given back on drop.
#[derive(Debug)]
pub struct Permit {
    in_flight: Arc<AtomicU32>,
    tokens: Option<Tokens>,
}

/// Tokens that were taken from a rate before anybody knew how many there would be.
#[derive(Debug)]
struct Tokens {
    rate: Arc<Rate>,
    per_minute: u32,
    taken: u64,
}

impl Permit {
    /// Puts the rate of tokens right: so many it were in the end.
    pub fn used(&mut self, tokens: u64, now: Timestamp) {
        if let Some(kept) = self.tokens.take() {
            kept.rate.correct(kept.per_minute, kept.taken, tokens, now);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KeyState {
    /// Takes a place among the calls in flight; `Err` holds the limit. `default_max` 0: no limit by default.
    pub fn enter(&self, default_max: u32) -> Result<Permit, u32> {
        let max = self.rules.concurrency.unwrap_or(default_max);
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let permit = Permit { in_flight: Arc::clone(&self.in_flight), tokens: None };
        if max > 0 && before >= max { Err(max) } else { Ok(permit) }
    }

    /// Counts a request against the rate; `Err` says how long to wait.
    pub fn take_request(&self, now: Timestamp) -> Result<(), Duration> {
        self.rules.requests_per_minute.map_or(Ok(()), |per_minute| self.rate.take(per_minute, 1, now))
    }

    /// Counts tokens against the rate, as many as are likely; `Err` says how many there are per minute and how long to wait.
    pub fn take_tokens(
        &self,
        permit: &mut Permit,
        likely: u64,
        now: Timestamp,
    ) -> Result<(), (u32, Duration)> {
        let Some(per_minute) = self.rules.limits.tokens_per_minute else { return Ok(()) };
        self.tokens.take(per_minute, likely, now).map_err(|wait| (per_minute, wait))?;
        permit.tokens = Some(Tokens { rate: Arc::clone(&self.tokens), per_minute, taken: likely });
        Ok(())
    }

    /// The purses that a request has to satisfy, and what it counts for.
    pub(crate) fn holds_for(
        &self,
        counted: Counted<'_>,
        dimensions: &mut dyn Iterator<Item = (&str, &str)>,
    ) -> (Cow<'_, HoldSet>, Vec<String>) {
        let mut subjects = self.counted.to_vec();
        if !self.budgets.go_by_request() {
            return (Cow::Borrowed(&self.holds), subjects);
        }
        let released = &self.account.released;
        let (purses, more) = self.budgets.of_request(counted, dimensions, released, &self.signals);
        subjects.extend(more);
        (Cow::Owned(self.holds.and_before(purses)), subjects)
    }
}

/// What was spent before the table saw a key, an account or a budget.
pub trait Opening {
    /// An account's limit: its credits (prepaid), or none (metered); and what it spent.
    fn account(&self, id: &AccountId) -> (Option<Money>, Money);

    /// What a subject spent in the present span of a period: `key:key_7`, `project:web`, `account`.
    fn spent(&self, account: &AccountId, subject: &str, period: Period) -> Money;

    /// What each user spent in the present span, by subject: `user:alice`.
    fn users(&self, _account: &AccountId, _period: Period) -> HashMap<String, Money> {
        HashMap::new()
    }

    /// What an hour of a key cost on average lately.
    fn usual_hour(&self, _key: &KeyRules) -> Money {
        Money::ZERO
    }
}

/// All keys, by the hash of their text.
#[derive(Clone)]
pub struct KeyTable {
    keys: HashMap<KeyHash, Arc<KeyState>>,
    by_id: HashMap<KeyId, Arc<KeyState>>,
    accounts: HashMap<AccountId, Arc<AccountState>>,
    budgets: HashMap<AccountId, Arc<Budgets>>,
    /// Some key may call from certain addresses only.
    asks_addresses: bool,
    signals: Signals,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for KeyTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyTable").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Default for KeyTable {
    fn default() -> KeyTable {
        KeyTable::new(Signals::default(), Arc::new(SystemClock))
    }
}

impl KeyTable {
    /// An empty table, whose purses tell of what owners want to know.
    pub fn new(signals: Signals, clock: Arc<dyn Clock>) -> KeyTable {
        KeyTable {
            keys: HashMap::new(),
            by_id: HashMap::new(),
            accounts: HashMap::new(),
            budgets: HashMap::new(),
            asks_addresses: false,
            signals,
            clock,
        }
    }

    /// The key with this hash, or with it until its last rotation.
    pub fn get(&self, hash: &KeyHash) -> Option<&Arc<KeyState>> {
        self.keys.get(hash)
    }

    /// The key with this id.
    pub fn by_id(&self, id: &KeyId) -> Option<&Arc<KeyState>> {
        self.by_id.get(id)
    }

    /// The keys of an account, by their making; revoked ones too.
    pub fn of_account(&self, account: &AccountId) -> Vec<Arc<KeyState>> {
        let own = self.by_id.values().filter(|key| key.rules.account == *account);
        let mut own: Vec<Arc<KeyState>> = own.map(Arc::clone).collect();
        own.sort_by(|a, b| (a.rules.created, &a.rules.id).cmp(&(b.rules.created, &b.rules.id)));
        own
    }

    /// The account with this id.
    pub fn account(&self, id: &AccountId) -> Option<&Arc<AccountState>> {
        self.accounts.get(id)
    }

    /// The budgets of an account.
    pub fn budgets(&self, account: &AccountId) -> Option<&Arc<Budgets>> {
        self.budgets.get(account)
    }

    /// Accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountState>> {
        self.accounts.values()
    }

    /// Whether some key may call from certain addresses only.
    pub fn asks_addresses(&self) -> bool {
        self.asks_addresses
    }

    /// How many alerts wait to be written down.
    pub fn alerts_waiting(&self) -> usize {
        self.signals.waiting()
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A table with keys and budgets added or changed.
    #[must_use]
    pub fn with(&self, changes: Vec<KeyRules>, budgets: &[BudgetRow], opening: &dyn Opening) -> KeyTable {
        let mut table = self.clone();
        let today = self.clock.now().day();
        for account in
            changes.iter().map(|rules| &rules.account).chain(budgets.iter().map(|row| &row.account))
        {
            if table.accounts.contains_key(account) {
                continue;
            }
            let (limit, spent) = opening.account(account);
            let released = Arc::new(Notify::new());
            let purse = Arc::new(Purse::new("account", limit, spent, Some(waking(&released))));
            let state = AccountState { id: account.clone(), purse, released };
            table.accounts.insert(account.clone(), Arc::new(state));
        }
        table.take_budgets(budgets, opening, today);
        for rules in changes {
            table.take(rules, opening, today);
        }
        table.asks_addresses = table.by_id.values().any(|key| !key.rules.limits.allowed_ips.is_empty());
        table
    }

    /// Budgets, and the sets of those keys that they concern.
    fn take_budgets(&mut self, rows: &[BudgetRow], opening: &dyn Opening, today: i64) {
        let mut touched: Vec<&AccountId> = rows.iter().map(|row| &row.account).collect();
        touched.sort_unstable();
        touched.dedup();
        for account in touched {
            let Some(state) = self.accounts.get(account) else { continue };
            let own: Vec<BudgetRow> = rows.iter().filter(|row| row.account == *account).cloned().collect();
            let before = self.budgets.get(account).map(Arc::clone).unwrap_or_default();
            let after = before.with(&own, &state.released, &self.signals, opening, today);
            self.budgets.insert(account.clone(), Arc::new(after));
            for key in self.of_account(account) {
                self.take(key.rules.clone(), opening, today);
            }
        }
    }

    fn take(&mut self, rules: KeyRules, opening: &dyn Opening, today: i64) {
        let Some(account) = self.accounts.get(&rules.account).map(Arc::clone) else { return };
        let old = self.by_id.get(&rules.id).map(Arc::clone);
        if let Some(old) = &old {
            self.keys.remove(&old.rules.hash);
            old.rules.previous.iter().for_each(|previous| drop(self.keys.remove(&previous.hash)));
        }
        let watched = match &old {
            Some(old) => {
                old.watched.store(Arc::new(rules.clone()));
                Arc::clone(&old.watched)
            }
            None => Arc::new(ArcSwap::from_pointee(rules.clone())),
        };
        let same_span = |old: &&Arc<KeyState>| old.rules.limits.limit_reset == rules.limits.limit_reset;
        let purse = match old.as_ref().filter(same_span) {
            Some(old) => {
                if old.rules.spend_limit != rules.spend_limit {
                    old.purse.set_limit(rules.spend_limit);
                }
                Arc::clone(&old.purse)
            }
            None => Arc::new(self.purse_of(&rules, &account, &watched, opening, today)),
        };
        let subject = format!("key:{}", rules.id);
        let total = match &old {
            Some(old) => Arc::clone(&old.total),
            None if rules.limits.limit_reset == Period::Total => Arc::clone(&purse),
            None => self.total_of(&rules, &subject, opening),
        };
        let budgets = self.budgets.get(&rules.account).map(Arc::clone).unwrap_or_default();
        let counted: Arc<[String]> = {
            let project = rules.project.iter().map(|project| format!("project:{project}"));
            let member = rules.holder.iter().map(|holder| format!("member:{holder}"));
            project.chain(member).chain(rules.limits.tags.iter().map(|tag| format!("tag:{tag}"))).collect()
        };
        let levels = std::iter::once(&*subject).chain(counted.iter().map(|s| &**s)).chain(["account"]);
        let bounds = levels.flat_map(|subject| budgets.purses(subject).collect::<Vec<_>>());
        let own = [Arc::clone(&purse), Arc::clone(&total)];
        let holds = HoldSet::new(own.into_iter().chain(bounds).chain([Arc::clone(&account.purse)]));
        let carried = |of: fn(&KeyState) -> Arc<Rate>| old.as_deref().map_or_else(Arc::default, of);
        let state = Arc::new(KeyState {
            rate: carried(|old| Arc::clone(&old.rate)),
            tokens: carried(|old| Arc::clone(&old.tokens)),
            in_flight: old.as_ref().map_or_else(Arc::default, |old| Arc::clone(&old.in_flight)),
            signals: self.signals.clone(),
            account,
            purse,
            total,
            holds,
            budgets,
            counted,
            watched,
            rules,
        });
        let rules = &state.rules;
        rules.previous.iter().for_each(|old| drop(self.keys.insert(old.hash, Arc::clone(&state))));
        self.keys.insert(rules.hash, Arc::clone(&state));
        self.by_id.insert(rules.id.clone(), Arc::clone(&state));
    }

    fn total_of(&self, rules: &KeyRules, subject: &str, opening: &dyn Opening) -> Arc<Purse> {
        let spent = opening.spent(&rules.account, subject, Period::Total);
        Arc::new(Purse::new("key", None, spent, None))
    }

    fn purse_of(
        &self,
        rules: &KeyRules,
        account: &AccountState,
        watched: &Arc<ArcSwap<KeyRules>>,
        opening: &dyn Opening,
        today: i64,
    ) -> Purse {
        let period = rules.limits.limit_reset;
        let spent = opening.spent(&rules.account, &format!("key:{}", rules.id), period);
        let purse = Purse::new("key", rules.spend_limit, spent, Some(waking(&account.released)));
        let spike = spike::watch(
            Arc::clone(watched),
            opening.usual_hour(rules),
            Arc::clone(&self.clock),
            self.signals.clone(),
        );
        let (watched, signals) = (Arc::clone(watched), self.signals.clone());
        let told: OnSpent = Box::new(move |spent: &Spent| {
            spike(spent);
            let rules = watched.load();
            let Some(limit) = rules.spend_limit else { return };
            for percent in passed(&KEY_THRESHOLDS, limit, spent) {
                let (account, key, name) = (rules.account.clone(), rules.id.clone(), rules.name.clone());
                signals.tell(Event::Key { account, key, name, limit, percent, spent: *spent });
            }
        });
        purse.over(period, today).telling(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(limit: Option<i64>) -> KeyRules {
        KeyRules {
            id: KeyId::new("key_a"),
            account: AccountId::new("acct_a"),
            hash: KeyHash([1; 32]),
            previous: None,
            label: String::new(),
            name: String::new(),
            project: Some("web".to_owned()),
            management: false,
            disabled: false,
            frozen: None,
            revoked: false,
            expires: None,
            spend_limit: limit.map(Money::from_usd),
            requests_per_minute: Some(3),
            concurrency: Some(2),
            limits: Limits { tags: vec!["blue".into()], ..Limits::default() },
            created: Timestamp(0),
            updated: None,
            holder: None,
            role: Role::Admin,
        }
    }

    struct One;

    impl Opening for One {
        fn account(&self, _: &AccountId) -> (Option<Money>, Money) {
            (None, Money::ZERO)
        }

        fn spent(&self, _: &AccountId, _: &str, _: Period) -> Money {
            Money::from_usd(1)
        }
    }

    fn table(limit: Option<i64>, before: &KeyTable) -> KeyTable {
        before.with(vec![rules(limit)], &[], &One)
    }

    fn budget(subject: &str, period: Period, usd: i64) -> BudgetRow {
        BudgetRow {
            id: format!("bud_{subject}_{}", period.name()),
            account: AccountId::new("acct_a"),
            name: "b".into(),
            subject: subject.into(),
            period,
            amount: Money::from_usd(usd),
            hard: true,
            thresholds: vec![50, 100],
            created: Timestamp(0),
            updated: Timestamp(0),
            deleted: false,
            changed_seq: 1,
        }
    }

    fn key(table: &KeyTable) -> &Arc<KeyState> {
        table.get(&KeyHash([1; 32])).unwrap()
    }

    #[test]
    fn a_replacement_keeps_what_was_spent_and_takes_the_new_limit() {
        let first = table(Some(5), &KeyTable::default());
        key(&first).holds.try_hold(Money::from_usd(2)).unwrap().settle(Money::from_usd(2));
        let second = table(Some(4), &first);
        assert_eq!(key(&second).purse.snapshot().available, Some(Money::from_usd(1)));
    }

    #[test]
    fn concurrency_holds_and_gives_back() {
        let table = table(None, &KeyTable::default());
        let a = key(&table).enter(0).unwrap();
        let _b = key(&table).enter(0).unwrap();
        assert_eq!(key(&table).enter(0).err(), Some(2));
        drop(a);
        assert!(key(&table).enter(0).is_ok());
    }

    #[test]
    fn every_level_bounds_a_call_and_names_itself() {
        let mut table = table(None, &KeyTable::default());
        for (subject, usd) in
            [("account", 9), ("project:web", 8), ("tag:blue", 7), ("key:key_a", 6), ("tag:red", 1)]
        {
            let rows = [budget(subject, Period::Month, usd)];
            table = table.with(Vec::new(), &rows, &One);
            let refused = key(&table).holds.try_hold(Money::from_usd(usd)).err();
            let bounds = subject != "tag:red";
            let expected = bounds.then(|| format!("budget:bud_{subject}_month ({subject})"));
            assert_eq!(refused.map(|refused| refused.scope.to_string()), expected, "{subject}");
        }
        let mut gone = budget("key:key_a", Period::Month, 6);
        gone.deleted = true;
        table = table.with(Vec::new(), &[gone, budget("tag:blue", Period::Month, 3)], &One);
        let refused = key(&table).holds.try_hold(Money::from_usd(3)).unwrap_err();
        assert_eq!(
            (&*refused.scope, refused.available),
            ("budget:bud_tag:blue_month (tag:blue)", Money::from_usd(2))
        );
    }

    #[test]
    fn each_user_has_an_amount_of_its_own() {
        let rows = [budget("user:*", Period::Day, 3), budget("tag:team=x", Period::Total, 2)];
        let table = KeyTable::default().with(vec![rules(None)], &rows, &One);
        let today = SystemClock.now().day();
        let of = |user, tags: &[(&'static str, &'static str)]| {
            let counted = Counted { user, day: today };
            let (holds, subjects) = key(&table).holds_for(counted, &mut tags.iter().copied());
            (holds.into_owned(), subjects)
        };
        let usd = Money::from_usd;
        of(Some("alice"), &[]).0.try_hold_on(today, usd(3), usd(3)).unwrap().settle(usd(3));
        let refused = of(Some("alice"), &[]).0.try_hold_on(today, usd(1), usd(1)).unwrap_err();
        assert_eq!(&*refused.scope, "budget:bud_user:*_day (user:alice)");
        assert_eq!(refused.resets, Some(today + 1));
        let (holds, subjects) = of(Some("bob"), &[("team", "x")]);
        assert_eq!(subjects, ["project:web", "tag:blue", "user:bob", "tag:team=x"]);
        let refused = holds.try_hold_on(today, usd(2), usd(2)).unwrap_err();
        assert_eq!(
            &*refused.scope, "budget:bud_tag:team=x_total (tag:team=x)",
            "one of two was spent before"
        );
        assert_eq!(of(None, &[]).1, ["project:web", "tag:blue"]);
    }

    #[test]
    fn owners_are_told_of_thresholds_once() {
        let (signals, mut events) = Signals::channel();
        let table = KeyTable::new(signals, Arc::new(SystemClock));
        let table = table.with(vec![rules(Some(10))], &[budget("account", Period::Total, 4)], &One);
        let holds = &key(&table).holds;
        for _ in 0..3 {
            holds.try_hold(Money::from_usd(1)).unwrap().settle(Money::from_usd(1));
        }
        let mut seen = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let Event::Budget { percent, .. } = event {
                seen.push(percent);
            }
        }
        assert_eq!(seen, [50, 100]);
    }

    #[test]
    fn a_rotated_key_is_found_by_both_of_its_texts() {
        let first = table(None, &KeyTable::default());
        let previous = Some(Rotation { hash: KeyHash([1; 32]), until: Timestamp(5) });
        let second =
            first.with(vec![KeyRules { hash: KeyHash([2; 32]), previous, ..rules(None) }], &[], &One);
        assert!(Arc::ptr_eq(second.get(&KeyHash([1; 32])).unwrap(), second.get(&KeyHash([2; 32])).unwrap()));
        assert_eq!(second.len(), 1);
    }
}
