//! What owners are to be told of, on its way from the call that caused it to the job that writes it down.

use ledger::Spent;
use store::BudgetRow;
use tokio::sync::mpsc;
use types::{AccountId, KeyId, Money};

/// Events that wait to be written down; more are counted and dropped, for a burst of them says nothing new.
pub const EVENTS_MAX: usize = 1_024;

/// Something that an owner is told of.
#[derive(Clone, Debug)]
pub enum Event {
    /// A charge passed a threshold of a budget.
    Budget {
        /// The budget.
        row: BudgetRow,
        /// For whom: `user:alice` where the budget is for each user.
        subject: String,
        /// The threshold, percent of the amount.
        percent: u32,
        /// What was spent.
        spent: Spent,
    },
    /// A charge passed a threshold of a key's spend limit.
    Key {
        /// Whose.
        account: AccountId,
        /// The key.
        key: KeyId,
        /// Its name.
        name: String,
        /// The limit.
        limit: Money,
        /// The threshold, percent of the limit.
        percent: u32,
        /// What was spent.
        spent: Spent,
    },
    /// A key spends many times what it usually does in an hour: it is to be frozen.
    Spike {
        /// Whose.
        account: AccountId,
        /// The key.
        key: KeyId,
        /// Its name.
        name: String,
        /// What it spent within the last hour.
        hour: Money,
        /// What it usually spends in one.
        usual: Money,
    },
}

/// Where events go.
#[derive(Clone, Debug, Default)]
pub struct Signals(Option<mpsc::Sender<Event>>);

impl Signals {
    /// A pair of ends.
    pub fn channel() -> (Signals, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        (Signals(Some(sender)), receiver)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.0.as_ref().map_or(0, |sender| sender.max_capacity().saturating_sub(sender.capacity()))
    }

    /// Tells of an event; never waits.
    pub fn tell(&self, event: Event) {
        if let Some(sender) = &self.0
            && sender.try_send(event).is_err()
        {
            tracing::warn!("an alert was dropped: too many wait to be written down");
        }
    }
}
