//! Takes in what others wrote into the store: new and changed keys and budgets, policies and presets, own provider keys, grants.
//! Several times a second, so that a change acts within one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::byok::Byok;
use gateway::contents::Contents;
use gateway::jobs::Job;
use gateway::keys::limits::Limits;
use gateway::keys::{KeyRules, KeyTable, Opening};
use gateway::rules::Rules;
use ledger::{BillingMode, Period};
use store::{AccountTotals, BudgetRow, KeyRow, Store, StoreError};
use tokio::sync::watch;
use types::{AccountId, KeyId, Money, Role, Timestamp};

/// How often the store is asked.
pub(crate) const EVERY: Duration = Duration::from_millis(250);

/// What was seen last.
#[derive(Default)]
pub(crate) struct Poller {
    mode: BillingMode,
    keys_seen: i64,
    budgets_seen: i64,
    rules_seen: i64,
    totals_seen: i64,
    byok_seen: i64,
    byok_totals_seen: i64,
    privacy_seen: i64,
    totals: HashMap<AccountId, AccountTotals>,
    keys_corrected: HashMap<KeyId, Money>,
}

impl Poller {
    /// Asks for the first time: everything that the store has.
    pub(crate) async fn begin(
        mode: BillingMode,
        store: &Store,
        empty: KeyTable,
        now: Timestamp,
        (byok, contents): (&Byok, &Contents),
    ) -> Result<(Poller, KeyTable, Rules), StoreError> {
        let mut poller = Poller { mode, ..Poller::default() };
        let keys = poller.once(store, &empty, now).await?.unwrap_or(empty);
        let rules = Rules::default();
        poller.rules(store, &rules).await?;
        poller.byok(store, byok).await?;
        poller.privacy(store, contents).await?;
        Ok((poller, keys, rules))
    }

    /// Asks once; a new table when keys changed. Balances of known accounts are credited in place.
    pub(crate) async fn once(
        &mut self,
        store: &Store,
        table: &KeyTable,
        now: Timestamp,
    ) -> Result<Option<KeyTable>, StoreError> {
        let totals = store.totals_changed(self.totals_seen).await?;
        self.totals_seen = totals.latest;
        for fresh in totals.accounts {
            let before = self.totals.insert(fresh.account.clone(), fresh.clone());
            let credited = before.as_ref().map_or(Money::ZERO, |before| before.credited);
            let delta = fresh.credited.saturating_sub(credited);
            let corrected = before.as_ref().map_or(Money::ZERO, |before| self.corrected(before));
            let corrected = self.corrected(&fresh).saturating_sub(corrected);
            // Charges are this node's own: its purses know them already. Only what was granted or corrected elsewhere is
            // news.
            let Some(account) = table.account(&fresh.account) else { continue };
            if delta != Money::ZERO {
                account.purse.credit(delta);
            }
            if corrected != Money::ZERO {
                account.purse.note_spent(corrected);
            }
        }
        for (id, now) in totals.keys_corrected {
            let before = self.keys_corrected.insert(id.clone(), now).unwrap_or_default();
            if let Some(key) = table.by_id(&id).filter(|_| now != before) {
                key.purse.note_spent(now.saturating_sub(before));
            }
        }
        let (rows, latest) = store.key_changes(self.keys_seen).await?;
        let (budgets, budgets_latest) = store.budget_changes(self.budgets_seen).await?;
        if rows.is_empty() && budgets.is_empty() {
            return Ok(None);
        }
        let spent = self.spent(store, &rows, &budgets, now).await?;
        let changes = rows.into_iter().map(rules).collect();
        let table = table.with(changes, &budgets, &spent);
        (self.keys_seen, self.budgets_seen) = (latest, budgets_latest);
        Ok(Some(table))
    }

    /// What was spent of all that changed, as far as it is folded.
    async fn spent(
        &self,
        store: &Store,
        rows: &[KeyRow],
        budgets: &[BudgetRow],
        now: Timestamp,
    ) -> Result<Openings<'_>, StoreError> {
        let mut openings = Openings { poller: self, spent: HashMap::new(), usual: HashMap::new() };
        for row in rows {
            let key = format!("key:{}", row.key.id);
            openings.spent.insert((row.key.account.clone(), Period::Total, key), row.spent);
        }
        let keys = rows.iter().map(|row| (&row.key.account, Limits::read(&row.key.rules).limit_reset));
        let spans = keys.filter(|(_, period)| *period != Period::Total);
        let spans = spans.chain(budgets.iter().map(|row| (&row.account, row.period)));
        for (account, period) in spans.collect::<HashSet<_>>() {
            let from = period.days(now.day()).0;
            let keys = store.keys_spent_since(account, from).await?;
            let all = keys.iter().map(|(_, spent)| *spent).fold(Money::ZERO, Money::saturating_add);
            let keys = keys.into_iter().map(|(key, spent)| (format!("key:{key}"), spent));
            let subjects = store.subjects_spent_since(account, from).await?;
            for (subject, spent) in keys.chain(subjects).chain([(String::from("account"), all)]) {
                openings.spent.insert((account.clone(), period, subject), spent);
            }
        }
        let watched = rows.iter().filter(|row| Limits::read(&row.key.rules).freeze_at_times_usual > 0);
        for account in watched.map(|row| &row.key.account).collect::<HashSet<_>>() {
            let week = store.keys_spent_since(account, now.day() - 7).await?;
            let hours = 7 * 24;
            openings
                .usual
                .extend(week.into_iter().map(|(key, spent)| (key, Money::from_nanos(spent.nanos() / hours))));
        }
        Ok(openings)
    }

    /// Asks once for policies and presets.
    pub(crate) async fn rules(&mut self, store: &Store, rules: &Rules) -> Result<(), StoreError> {
        let (rows, latest) = store.rule_changes(self.rules_seen).await?;
        rules.take(&rows);
        self.rules_seen = latest;
        Ok(())
    }

    /// Asks once for own provider keys, balances for fees, and what own keys were used for.
    pub(crate) async fn byok(&mut self, store: &Store, byok: &Byok) -> Result<(), StoreError> {
        // Credits that were moved are held until the purse that they left knows.
        byok.totals_seen(self.totals_seen);
        let totals = store.byok_totals(self.byok_totals_seen).await?;
        self.byok_totals_seen = totals.latest;
        byok.take_totals(totals);
        let changes = store.byok_changes(self.byok_seen).await?;
        byok.take(&changes);
        self.byok_seen = changes.latest;
        Ok(())
    }

    /// Asks once for what accounts let be kept.
    pub(crate) async fn privacy(&mut self, store: &Store, contents: &Contents) -> Result<(), StoreError> {
        let (changes, latest) = store.privacy_changes(self.privacy_seen).await?;
        contents.take(changes);
        self.privacy_seen = latest;
        Ok(())
    }

    /// How much of what the account has spent corrections made.
    fn corrected(&self, totals: &AccountTotals) -> Money {
        match self.mode {
            BillingMode::Prepaid => totals.charged_corrected,
            BillingMode::Metered => totals.metered_corrected,
        }
    }
}

/// What the store knew when something changed.
struct Openings<'p> {
    poller: &'p Poller,
    spent: HashMap<(AccountId, Period, String), Money>,
    usual: HashMap<String, Money>,
}

impl Opening for Openings<'_> {
    fn account(&self, id: &AccountId) -> (Option<Money>, Money) {
        let totals = self.poller.totals.get(id);
        match self.poller.mode {
            BillingMode::Metered => (None, totals.map_or(Money::ZERO, |t| t.metered)),
            BillingMode::Prepaid => {
                (Some(totals.map_or(Money::ZERO, |t| t.credited)), totals.map_or(Money::ZERO, |t| t.charged))
            }
        }
    }

    fn spent(&self, account: &AccountId, subject: &str, period: Period) -> Money {
        self.spent.get(&(account.clone(), period, subject.to_owned())).copied().unwrap_or(Money::ZERO)
    }

    fn users(&self, account: &AccountId, period: Period) -> HashMap<String, Money> {
        let own = self.spent.iter().filter(|((whose, over, subject), _)| {
            whose == account && *over == period && subject.starts_with("user:")
        });
        own.map(|((_, _, subject), spent)| (subject.clone(), *spent)).collect()
    }

    fn usual_hour(&self, key: &KeyRules) -> Money {
        self.usual.get(key.id.as_str()).copied().unwrap_or(Money::ZERO)
    }
}

fn rules(row: KeyRow) -> KeyRules {
    let key = row.key;
    KeyRules {
        id: key.id,
        account: key.account,
        hash: key.hash,
        previous: row.previous,
        label: key.label,
        name: key.name,
        project: key.project,
        management: key.management,
        disabled: row.disabled || row.holder_is_out,
        frozen: row.frozen,
        revoked: row.revoked.is_some(),
        expires: key.expires,
        spend_limit: key.spend_limit,
        requests_per_minute: key.requests_per_minute,
        concurrency: key.concurrency,
        limits: Limits::read(&key.rules),
        created: key.created,
        updated: row.updated,
        holder: key.holder,
        role: key.role.unwrap_or(Role::Admin),
    }
}

/// The job.
pub(crate) async fn run(gateway: Arc<Gateway>, mut poller: Poller, mut stopping: watch::Receiver<bool>) {
    gateway.jobs.starts(Job::Poll, EVERY);
    loop {
        let stops = tokio::select! {
            stops = super::pause(&mut stopping, EVERY) => stops,
            () = gateway.news.wanted() => false,
        };
        if stops {
            return;
        }
        let look = gateway.news.begin();
        let run = gateway.begin_job(Job::Poll);
        let table = gateway.keys.load_full();
        let keys = poller.once(&gateway.store, &table, gateway.clock.now()).await.map(|changed| {
            if let Some(table) = changed {
                tracing::info!(keys = table.len(), "keys changed");
                gateway.keys.store(Arc::new(table));
            }
        });
        let asked = match keys {
            Ok(()) => poller.rules(&gateway.store, &gateway.rules).await,
            Err(error) => Err(error),
        };
        let asked = match asked {
            Ok(()) => poller.byok(&gateway.store, &gateway.byok).await,
            Err(error) => Err(error),
        };
        let asked = match asked {
            Ok(()) => poller.privacy(&gateway.store, &gateway.contents).await,
            Err(error) => Err(error),
        };
        let asked = match asked {
            Ok(()) => gateway.store.announcements().await.map(|all| gateway.announcements.take(all)),
            Err(error) => Err(error),
        };
        match &asked {
            Ok(()) => gateway.store_answers.store(true, Ordering::Relaxed),
            Err(error) => {
                if gateway.store_answers.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%error, "the store doesn't answer; calls go on with the keys that are known");
                }
            }
        }
        run.over(asked);
        gateway.news.end(look);
    }
}
