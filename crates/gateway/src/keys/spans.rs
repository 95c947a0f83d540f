//! What keys spent today, this week and this month.

use std::sync::Arc;

use ledger::Period;
use types::{AccountId, KeyId, Money};

use crate::app::Worker;

/// Of the keys of an account, by span; empty when the store gave no answer.
#[derive(Default)]
pub(crate) struct Spans(Vec<(&'static str, Vec<(String, Money)>)>);

impl Spans {
    /// Asks the store. One that doesn't answer takes these figures away and nothing else.
    pub(crate) async fn of(worker: &Worker, account: &AccountId) -> Spans {
        let (gateway, account) = (Arc::clone(&worker.gateway), account.clone());
        let today = gateway.clock.now().day();
        let asked = worker.gateway.on_control(async move {
            let mut spans = Vec::with_capacity(3);
            let named = [
                ("usage_daily", Period::Day),
                ("usage_weekly", Period::Week),
                ("usage_monthly", Period::Month),
            ];
            for (name, period) in named {
                spans.push((name, gateway.store.keys_spent_since(&account, period.days(today).0).await?));
            }
            Ok::<_, store::StoreError>(spans)
        });
        Spans(asked.await.and_then(Result::ok).unwrap_or_default())
    }

    /// Of one key, by the names of its fields.
    pub(crate) fn key(&self, id: &KeyId) -> impl Iterator<Item = (&'static str, Option<Money>)> {
        self.0.iter().map(move |(name, keys)| {
            let own = keys.iter().find(|(key, _)| key == id.as_str());
            (*name, Some(own.map_or(Money::ZERO, |(_, spent)| *spent)))
        })
    }
}
