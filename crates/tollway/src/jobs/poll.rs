//! Takes in what others wrote into the store: new and changed keys, policies and presets, own
//! provider keys, grants. Several times a second, so that a change acts
//! within one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::byok::Byok;
use gateway::keys::{KeyRules, KeyTable, Opening};
use gateway::rules::Rules;
use ledger::BillingMode;
use store::{AccountTotals, KeyRow, Store, StoreError};
use tokio::sync::watch;
use types::{AccountId, KeyId, Money};

/// How often the store is asked.
pub(crate) const EVERY: Duration = Duration::from_millis(250);

/// What was seen last.
#[derive(Default)]
pub(crate) struct Poller {
    mode: BillingMode,
    keys_seen: i64,
    rules_seen: i64,
    totals_seen: i64,
    byok_seen: i64,
    byok_totals_seen: i64,
    totals: HashMap<AccountId, AccountTotals>,
}

impl Poller {
    /// Asks for the first time: everything that the store has.
    pub(crate) async fn begin(
        mode: BillingMode,
        store: &Store,
        byok: &Byok,
    ) -> Result<(Poller, KeyTable, Rules), StoreError> {
        let mut poller = Poller { mode, ..Poller::default() };
        let keys = poller.once(store, &KeyTable::default()).await?.unwrap_or_default();
        let rules = Rules::default();
        poller.rules(store, &rules).await?;
        poller.byok(store, byok).await?;
        Ok((poller, keys, rules))
    }

    /// Asks once; a new table when keys changed. Balances of known accounts are credited in place.
    pub(crate) async fn once(
        &mut self,
        store: &Store,
        table: &KeyTable,
    ) -> Result<Option<KeyTable>, StoreError> {
        let totals = store.totals_changed(self.totals_seen).await?;
        self.totals_seen = totals.latest;
        for now in totals.accounts {
            let before = self.totals.insert(now.account.clone(), now.clone());
            let credited = before.map_or(Money::ZERO, |before| before.credited);
            let delta = now.credited.saturating_sub(credited);
            // Charges are this node's own: its purses know them already. Only what was granted elsewhere is news.
            if let Some(account) = table.account(&now.account).filter(|_| delta != Money::ZERO) {
                account.purse.credit(delta);
            }
        }
        let (rows, latest) = store.key_changes(self.keys_seen).await?;
        self.keys_seen = latest;
        if rows.is_empty() {
            return Ok(None);
        }
        let spent: HashMap<KeyId, Money> = rows.iter().map(|row| (row.key.id.clone(), row.spent)).collect();
        let opening = |id: &AccountId| self.opening(id);
        let spent = |id: &KeyId| spent.get(id).copied().unwrap_or(Money::ZERO);
        Ok(Some(table.with(rows.into_iter().map(rules).collect(), &opening, &spent)))
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

    fn opening(&self, id: &AccountId) -> Opening {
        let totals = self.totals.get(id);
        match self.mode {
            BillingMode::Metered => (None, totals.map_or(Money::ZERO, |t| t.metered)),
            BillingMode::Prepaid => {
                (Some(totals.map_or(Money::ZERO, |t| t.credited)), totals.map_or(Money::ZERO, |t| t.charged))
            }
        }
    }
}

fn rules(row: KeyRow) -> KeyRules {
    let key = row.key;
    KeyRules {
        id: key.id,
        account: key.account,
        hash: key.hash,
        label: key.label,
        name: key.name,
        management: key.management,
        disabled: row.disabled,
        revoked: row.revoked.is_some(),
        expires: key.expires,
        spend_limit: key.spend_limit,
        requests_per_minute: key.requests_per_minute,
        concurrency: key.concurrency,
        created: key.created,
    }
}

/// The job.
pub(crate) async fn run(gateway: Arc<Gateway>, mut poller: Poller, mut stopping: watch::Receiver<bool>) {
    while !super::pause(&mut stopping, EVERY).await {
        let table = gateway.keys.load_full();
        let keys = poller.once(&gateway.store, &table).await.map(|changed| {
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
        match asked {
            Ok(()) => gateway.store_answers.store(true, Ordering::Relaxed),
            Err(error) => {
                if gateway.store_answers.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%error, "the store doesn't answer; calls go on with the keys that are known");
                }
            }
        }
    }
}
