//! Double entry: every movement of money is two or more postings that sum to zero.
//!
//! | account | what a positive balance means |
//! | --- | --- |
//! | `credits:<account>` | the customer may still spend this much |
//! | `usage:<account>` | never positive: what a metered account has used, negative |
//! | `provider:<slug>` | what we owe, or have paid, the provider |
//! | `margin` | what generations earned beyond the providers' cost |
//! | `writeoff` | never positive: cost that no customer was charged, negative |
//! | `grants` | never positive unless corrected: where granted credit came from, negative |
//! | `byok:<account>` | what the customer may still spend on fees for calls with keys of its own |
//! | `processor:<name>` | never positive unless paid out: what a payment processor collected for us, negative |
//! | `fees` | what top-ups and calls with customers' own keys earned in fees |
//! | `promotion` | never positive: where trial credit and vouchers came from, negative |
//! | `clearing` | what is under way between two books; zero once all is done |
//!
//! An entry is immutable; a correction is a new entry. The id is made by the caller and is the idempotency key.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use types::{AccountId, EntryId, Money, Timestamp};

use crate::{BillingMode, FeeFrom, GenerationRecord};

/// What the id of a generation's entry begins with; nobody else may use it.
pub const ENTRY_OF_GENERATION: &str = "gen:";

/// One side of the books.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookAccount {
    /// A customer's prepaid credit.
    Credits(AccountId),
    /// A customer's metered use.
    Usage(AccountId),
    /// A provider, by slug.
    Provider(String),
    /// Earned beyond cost.
    Margin,
    /// Not charged to anyone.
    Writeoff,
    /// Source of granted credit.
    Grants,
    /// A customer's prepaid balance for fees of calls with its own provider keys.
    Byok(AccountId),
    /// A payment processor, by name: `stripe`.
    Processor(String),
    /// Fees of top-ups and of calls with customers' own keys.
    Fees,
    /// Source of trial credit and vouchers.
    Promotion,
    /// Under way between two books.
    Clearing,
}

/// A text that names no book account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no book account")]
pub struct BookAccountError(String);

impl fmt::Display for BookAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BookAccount::Credits(account) => write!(f, "credits:{account}"),
            BookAccount::Usage(account) => write!(f, "usage:{account}"),
            BookAccount::Provider(slug) => write!(f, "provider:{slug}"),
            BookAccount::Margin => f.write_str("margin"),
            BookAccount::Writeoff => f.write_str("writeoff"),
            BookAccount::Grants => f.write_str("grants"),
            BookAccount::Byok(account) => write!(f, "byok:{account}"),
            BookAccount::Processor(name) => write!(f, "processor:{name}"),
            BookAccount::Fees => f.write_str("fees"),
            BookAccount::Promotion => f.write_str("promotion"),
            BookAccount::Clearing => f.write_str("clearing"),
        }
    }
}

impl FromStr for BookAccount {
    type Err = BookAccountError;

    fn from_str(text: &str) -> Result<BookAccount, BookAccountError> {
        match text.split_once(':') {
            Some(("credits", id)) if !id.is_empty() => Ok(BookAccount::Credits(AccountId::new(id))),
            Some(("usage", id)) if !id.is_empty() => Ok(BookAccount::Usage(AccountId::new(id))),
            Some(("provider", slug)) => Ok(BookAccount::Provider(slug.to_owned())),
            None if text == "margin" => Ok(BookAccount::Margin),
            None if text == "writeoff" => Ok(BookAccount::Writeoff),
            None if text == "grants" => Ok(BookAccount::Grants),
            Some(("byok", id)) if !id.is_empty() => Ok(BookAccount::Byok(AccountId::new(id))),
            Some(("processor", name)) if !name.is_empty() => Ok(BookAccount::Processor(name.to_owned())),
            None if text == "fees" => Ok(BookAccount::Fees),
            None if text == "promotion" => Ok(BookAccount::Promotion),
            None if text == "clearing" => Ok(BookAccount::Clearing),
            _ => Err(BookAccountError(text.chars().take(80).collect())),
        }
    }
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// The cost of a generation.
    Generation,
    /// Credit given, or taken back, by the operator.
    Grant,
    /// Credit that a customer bought.
    TopUp,
    /// Bought credit that was paid back, by us or by the customer's bank.
    Refund,
    /// A voucher that a customer redeemed, or trial credit.
    Promotion,
    /// Money that a customer moved between its own balances.
    Transfer,
    /// A charge put right afterwards.
    Correction,
}

impl EntryKind {
    /// The name in the books: `grant`.
    pub const fn name(self) -> &'static str {
        match self {
            EntryKind::Generation => "generation",
            EntryKind::Grant => "grant",
            EntryKind::TopUp => "top_up",
            EntryKind::Refund => "refund",
            EntryKind::Promotion => "promotion",
            EntryKind::Transfer => "transfer",
            EntryKind::Correction => "correction",
        }
    }
}

/// One side of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Whose balance changes.
    pub account: BookAccount,
    /// By how much; never zero.
    pub amount: Money,
}

/// A movement of money, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    id: EntryId,
    at: Timestamp,
    kind: EntryKind,
    postings: Vec<Posting>,
}

/// Why postings make no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Fewer than two accounts are touched.
    #[error("an entry needs two postings or more that are not zero")]
    TooFew,
    /// The sum is not zero.
    #[error("the postings sum to {0}, not to 0")]
    Unbalanced(Money),
    /// The sum, or a difference that makes a posting, does not fit 64 bits.
    #[error("the amounts are too large to add up")]
    Overflow,
    /// More was charged than its cost, markup and discount make, or an amount is negative.
    #[error("a charge must lie between 0 and what the generation is to be charged")]
    ChargeOutOfRange,
    /// The fee of a call with the caller's own key is not its rate on the list price, or more than it was charged.
    #[error("a fee must be its rate on the list price, and the charge at most the fee")]
    FeeOutOfRange,
}

impl Entry {
    /// Makes an entry. Postings of zero are left out.
    pub fn new(
        id: EntryId,
        at: Timestamp,
        kind: EntryKind,
        postings: Vec<Posting>,
    ) -> Result<Entry, EntryError> {
        let mut postings = postings;
        postings.retain(|posting| posting.amount != Money::ZERO);
        if postings.len() < 2 {
            return Err(EntryError::TooFew);
        }
        let sum: i128 = postings.iter().map(|posting| i128::from(posting.amount.nanos())).sum();
        match i64::try_from(sum) {
            Ok(0) => Ok(Entry { id, at, kind, postings }),
            Ok(nanos) => Err(EntryError::Unbalanced(Money::from_nanos(nanos))),
            Err(_) => Err(EntryError::Overflow),
        }
    }

    /// The caller's id.
    pub fn id(&self) -> &EntryId {
        &self.id
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What it is for.
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// Two or more, none zero, sum zero.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

/// The book that pays what a generation is charged.
pub fn book_of(record: &GenerationRecord) -> BookAccount {
    let account = record.account.clone();
    match (record.mode, record.fee.map(|fee| fee.from)) {
        (BillingMode::Metered, _) => BookAccount::Usage(account),
        (BillingMode::Prepaid, Some(FeeFrom::Byok)) => BookAccount::Byok(account),
        (BillingMode::Prepaid, _) => BookAccount::Credits(account),
    }
}

/// How a generation is booked; `None` when it moved no money.
///
/// The customer's book (`credits` or `usage`) gives what was charged, `writeoff` the rest of the charge; providers get
/// their cost and `margin` what is left, which is negative when failed attempts cost more than the customer pays.
///
/// Where the caller's own key paid the provider, the cost is the provider's bill to the caller and in no book of ours: the
/// customer's book gives the fee to `fees`, and attempts that we paid for are the margin's.
pub fn entry_of(record: &GenerationRecord) -> Result<Option<Entry>, EntryError> {
    let (cost, charged) = (record.charge().total, record.charged);
    if charged.is_negative() || charged > cost || record.provider_cost.is_negative() {
        return Err(EntryError::ChargeOutOfRange);
    }
    if record.fee.is_some() || record.byok_key.is_some() {
        return entry_of_fee(record);
    }
    if cost == Money::ZERO && record.provider_cost == Money::ZERO {
        return Ok(None);
    }
    let written_off = cost.checked_sub(charged).ok_or(EntryError::Overflow)?;
    let margin = cost.checked_sub(record.provider_cost).ok_or(EntryError::Overflow)?;
    let own = [
        (book_of(record), charged.negated()),
        (BookAccount::Writeoff, written_off.negated()),
        (BookAccount::Margin, margin),
    ];
    with_providers(record, own).map(Some)
}

/// How a generation is booked that the caller's own key paid for.
fn entry_of_fee(record: &GenerationRecord) -> Result<Option<Entry>, EntryError> {
    let fee = record.fee.filter(|_| record.byok_key.is_some()).ok_or(EntryError::FeeOutOfRange)?;
    if fee.due != fee.rate.of(record.cost.total) || record.charged > fee.due {
        return Err(EntryError::FeeOutOfRange);
    }
    if record.charged == Money::ZERO && record.provider_cost == Money::ZERO {
        return Ok(None);
    }
    let own = [
        (book_of(record), record.charged.negated()),
        (BookAccount::Fees, record.charged),
        (BookAccount::Margin, record.provider_cost.negated()),
    ];
    with_providers(record, own).map(Some)
}

/// The entry of a generation: these, and what each provider takes.
fn with_providers(record: &GenerationRecord, own: [(BookAccount, Money); 3]) -> Result<Entry, EntryError> {
    let providers = provider_costs(record)
        .into_iter()
        .map(|(slug, amount)| (BookAccount::Provider(slug.to_owned()), amount));
    let postings = own.into_iter().chain(providers).map(|(account, amount)| Posting { account, amount });
    let id = EntryId::new(format!("{ENTRY_OF_GENERATION}{}", record.id));
    Entry::new(id, record.created, EntryKind::Generation, postings.collect())
}

/// Who takes `provider_cost`: each attempt's provider its part where the attempts account for the whole, else the provider
/// that answered.
fn provider_costs(record: &GenerationRecord) -> BTreeMap<&str, Money> {
    let mut costs = BTreeMap::new();
    for attempt in record.attempts.iter().filter(|attempt| attempt.cost > Money::ZERO) {
        let slug = attempt.endpoint.split('/').next().unwrap_or_default();
        let sum: &mut Money = costs.entry(slug).or_default();
        *sum = sum.saturating_add(attempt.cost);
    }
    if costs.values().copied().sum::<Money>() == record.provider_cost {
        return costs;
    }
    BTreeMap::from([(record.provider.as_str(), record.provider_cost)])
}

/// Credit for an account; a negative amount takes credit back. Zero is [`EntryError::TooFew`].
pub fn grant(account: AccountId, amount: Money, id: EntryId, at: Timestamp) -> Result<Entry, EntryError> {
    let taken = Money::ZERO.checked_sub(amount).ok_or(EntryError::Overflow)?;
    let postings = vec![
        Posting { account: BookAccount::Credits(account), amount },
        Posting { account: BookAccount::Grants, amount: taken },
    ];
    Entry::new(id, at, EntryKind::Grant, postings)
}

/// A grant to an account's balance for fees; a negative amount takes it back.
pub fn grant_byok(
    account: AccountId,
    amount: Money,
    id: EntryId,
    at: Timestamp,
) -> Result<Entry, EntryError> {
    let taken = Money::ZERO.checked_sub(amount).ok_or(EntryError::Overflow)?;
    let postings = vec![
        Posting { account: BookAccount::Byok(account), amount },
        Posting { account: BookAccount::Grants, amount: taken },
    ];
    Entry::new(id, at, EntryKind::Grant, postings)
}

/// Money that an account moves from its credits to its balance for fees.
pub fn to_byok(account: AccountId, amount: Money, id: EntryId, at: Timestamp) -> Result<Entry, EntryError> {
    let postings = vec![
        Posting { account: BookAccount::Credits(account.clone()), amount: amount.negated() },
        Posting { account: BookAccount::Byok(account), amount },
    ];
    Entry::new(id, at, EntryKind::Transfer, postings)
}
