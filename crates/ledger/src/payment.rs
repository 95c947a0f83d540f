//! How payments, what went back of them, and promotions are booked.

use types::{AccountId, EntryId, Money, Timestamp};

use crate::{BookAccount, Entry, EntryError, EntryKind, Posting, Split};

/// Which of its balances a customer pays into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BalanceKind {
    /// Credit for calls.
    #[default]
    Credits,
    /// Fees of calls with its own provider keys.
    Byok,
}

impl BalanceKind {
    /// The name in orders: `byok`.
    pub const fn name(self) -> &'static str {
        match self {
            BalanceKind::Credits => "credits",
            BalanceKind::Byok => "byok",
        }
    }

    /// From the name.
    pub fn named(name: &str) -> Option<BalanceKind> {
        [BalanceKind::Credits, BalanceKind::Byok].into_iter().find(|kind| kind.name() == name)
    }

    /// Its book.
    pub fn book(self, account: &AccountId) -> BookAccount {
        match self {
            BalanceKind::Credits => BookAccount::Credits(account.clone()),
            BalanceKind::Byok => BookAccount::Byok(account.clone()),
        }
    }
}

/// A payment as the books see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Who collected it: `stripe`.
    pub processor: String,
    /// Who paid.
    pub account: AccountId,
    /// Into which balance.
    pub balance: BalanceKind,
    /// What was credited.
    pub credited: Money,
    /// What was kept.
    pub fee: Money,
}

fn posting(account: BookAccount, amount: Money) -> Posting {
    Posting { account, amount }
}

impl Payment {
    fn processor(&self) -> BookAccount {
        BookAccount::Processor(self.processor.clone())
    }

    fn book(&self) -> BookAccount {
        self.balance.book(&self.account)
    }

    /// It came in.
    pub fn received(&self, id: EntryId, at: Timestamp) -> Result<Entry, EntryError> {
        let total = self.credited.checked_add(self.fee).ok_or(EntryError::Overflow)?;
        let postings = vec![
            posting(self.processor(), total.negated()),
            posting(self.book(), self.credited),
            posting(BookAccount::Fees, self.fee),
        ];
        Entry::new(id, at, EntryKind::TopUp, postings)
    }

    /// Of what went back, this much more (or less) than before. `set_aside` of the credit waits in clearing and is taken
    /// from there. `None` when nothing changed.
    pub fn returned(
        &self,
        (before, now): (Split, Split),
        set_aside: Money,
        id: EntryId,
        at: Timestamp,
    ) -> Result<Option<Entry>, EntryError> {
        let more = |now: Money, before: Money| now.checked_sub(before).ok_or(EntryError::Overflow);
        let (credit, fee) = (more(now.credit, before.credit)?, more(now.fee, before.fee)?);
        let excess = more(now.excess, before.excess)?;
        let all = credit.checked_add(fee).and_then(|sum| sum.checked_add(excess));
        let all = all.ok_or(EntryError::Overflow)?;
        if before == now {
            return Ok(None);
        }
        let cleared = set_aside.min(credit).max(Money::ZERO);
        let postings = vec![
            posting(self.processor(), all),
            posting(BookAccount::Clearing, cleared.negated()),
            posting(self.book(), credit.saturating_sub(cleared).negated()),
            posting(BookAccount::Fees, fee.negated()),
            posting(BookAccount::Writeoff, excess.negated()),
        ];
        Entry::new(id, at, EntryKind::Refund, postings).map(Some)
    }

    /// Credit is set aside while the processor is asked to pay it back; a negative amount gives it back.
    pub fn set_aside(&self, credit: Money, id: EntryId, at: Timestamp) -> Result<Entry, EntryError> {
        let postings = vec![posting(self.book(), credit.negated()), posting(BookAccount::Clearing, credit)];
        Entry::new(id, at, EntryKind::Refund, postings)
    }
}

/// Credit out of a voucher, or to begin with.
pub fn promotion(account: AccountId, amount: Money, id: EntryId, at: Timestamp) -> Result<Entry, EntryError> {
    let postings = vec![
        posting(BookAccount::Credits(account), amount),
        posting(BookAccount::Promotion, amount.negated()),
    ];
    Entry::new(id, at, EntryKind::Promotion, postings)
}
