//! Who is signed in, as the management paths see them: a management key that nobody stored.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use arc_swap::ArcSwap;
use ledger::{HoldSet, Purse};
use store::Presence;
use tokio::sync::Notify;
use types::{KeyHash, KeyId, Money};

use super::limits::Limits;
use super::{AccountState, KeyRules, KeyState, KeyTable};

impl KeyTable {
    /// A management key of the organization that somebody works in, under the id of their session. It is in no table, spends
    /// nothing, and lives as long as its request.
    pub(crate) fn visitor(&self, presence: &Presence) -> Arc<KeyState> {
        let (account, session) = (&presence.account, presence.session.id.as_str());
        let fresh = || {
            let purse = Arc::new(Purse::new("account", None, Money::ZERO, None));
            Arc::new(AccountState { id: account.clone(), purse, released: Arc::new(Notify::new()) })
        };
        let state = self.account(account).map_or_else(fresh, Arc::clone);
        let rules = KeyRules {
            id: KeyId::new(session),
            account: account.clone(),
            hash: KeyHash::of(session),
            previous: None,
            label: String::new(),
            name: presence.user.email.clone(),
            project: None,
            management: true,
            disabled: false,
            frozen: None,
            revoked: false,
            expires: None,
            spend_limit: None,
            requests_per_minute: None,
            concurrency: None,
            limits: Limits::default(),
            created: presence.session.created,
            updated: None,
            holder: Some(presence.user.id.clone()),
            role: presence.role,
        };
        let purse = Arc::new(Purse::new("key", None, Money::ZERO, None));
        Arc::new(KeyState {
            account: state,
            total: Arc::clone(&purse),
            purse,
            holds: HoldSet::new(std::iter::empty()),
            budgets: self.budgets.get(account).map(Arc::clone).unwrap_or_default(),
            counted: Arc::default(),
            watched: Arc::new(ArcSwap::from_pointee(rules.clone())),
            signals: self.signals.clone(),
            rate: Arc::default(),
            tokens: Arc::default(),
            in_flight: Arc::new(AtomicU32::new(0)),
            rules,
        })
    }
}
