//! Corrections: what a generation costs at another price than the one it was billed at, put right by a new entry.
//!
//! - A correction is the difference to what stands, never a change of it: cost now = cost booked + all corrections.
//! - A cheaper price gives back what was charged beyond it; what had been written off stays ours to bear first.
//! - A dearer price is not charged afterwards unless that is asked for: the difference is written off.
//! - What the provider takes follows where it was reckoned by the same sheet: where the attempt that answered cost what the
//!   generation cost. What losers of a hedge took stays.
//! - Where the caller's own key paid the provider, only the fee follows the price; a fee that stays the same needs no entry.
//! - The id says which generation and the how-manyeth correction of it, so that one can't be booked twice.

use types::{Cost, EntryId, GenerationId, Money, Timestamp};

use crate::{BookAccount, Entry, EntryError, EntryKind, GenerationRecord, Posting, book_of};

/// What the id of a correction's entry begins with; nobody else may use it.
pub const ENTRY_OF_CORRECTION: &str = "fix:";

/// Differences to what a generation cost before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    /// Of the cost.
    pub cost: Money,
    /// Of what the account pays; negative: it gets something back.
    pub charged: Money,
    /// Of what the provider takes.
    pub provider_cost: Money,
}

/// What a generation costs, with all corrections so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The cost.
    pub cost: Money,
    /// What of it the account pays.
    pub charged: Money,
    /// What providers take.
    pub provider_cost: Money,
}

impl Standing {
    /// As it was booked first.
    pub fn of(record: &GenerationRecord) -> Standing {
        Standing { cost: record.cost.total, charged: record.charged, provider_cost: record.provider_cost }
    }

    /// After one more correction.
    pub fn after(self, correction: &Correction) -> Result<Standing, EntryError> {
        let sum = |a: Money, b: Money| a.checked_add(b).ok_or(EntryError::Overflow);
        Ok(Standing {
            cost: sum(self.cost, correction.cost)?,
            charged: sum(self.charged, correction.charged)?,
            provider_cost: sum(self.provider_cost, correction.provider_cost)?,
        })
    }
}

/// What has to change on a generation that stands so, and should cost `again`; `None`: nothing. `collect` charges the account
/// what a dearer price adds.
pub fn correction(
    record: &GenerationRecord,
    standing: Standing,
    again: &Cost,
    collect: bool,
) -> Result<Option<Correction>, EntryError> {
    let cost = again.total.checked_sub(standing.cost).ok_or(EntryError::Overflow)?;
    if cost == Money::ZERO {
        return Ok(None);
    }
    let take = |a: Money, b: Money| a.checked_sub(b).ok_or(EntryError::Overflow);
    let (before, after) = (record.due_of(standing.cost), record.due_of(again.total));
    let charged = match cost.is_negative() {
        true => standing.charged.min(after),
        // What was waived stays waived.
        false if collect && record.waived.is_none() => {
            standing.charged.checked_add(take(after, before)?).ok_or(EntryError::Overflow)?
        }
        false => standing.charged,
    };
    let charged = take(charged, standing.charged)?;
    if record.fee.is_some() && charged == Money::ZERO {
        return Ok(None);
    }
    let follows = record.fee.is_none() && provider_follows(record);
    Ok(Some(Correction { cost, charged, provider_cost: if follows { cost } else { Money::ZERO } }))
}

/// Whether what the provider takes was reckoned by the record's sheet.
fn provider_follows(record: &GenerationRecord) -> bool {
    match record.attempts.last() {
        Some(last) => last.cost == record.cost.total,
        // The attempts of a record that was too large are left out.
        None => record.provider_cost == record.cost.total,
    }
}

/// The id of a generation's `number`th correction, from 1 on.
pub fn correction_id(generation: &GenerationId, number: usize) -> EntryId {
    EntryId::new(format!("{ENTRY_OF_CORRECTION}{generation}:{number}"))
}

/// How a correction of what stands so is booked.
pub fn entry_of_correction(
    record: &GenerationRecord,
    standing: Standing,
    correction: &Correction,
    id: EntryId,
    at: Timestamp,
) -> Result<Entry, EntryError> {
    let take = |a: Money, b: Money| a.checked_sub(b).ok_or(EntryError::Overflow);
    let Correction { cost, charged, provider_cost } = *correction;
    let after = standing.cost.checked_add(cost).ok_or(EntryError::Overflow)?;
    let due = take(record.due_of(after), record.due_of(standing.cost))?;
    let written_off = take(due, charged)?;
    if record.fee.is_some() {
        let postings = vec![
            Posting { account: book_of(record), amount: take(Money::ZERO, charged)? },
            Posting { account: BookAccount::Fees, amount: charged },
        ];
        return Entry::new(id, at, EntryKind::Correction, postings);
    }
    let postings = vec![
        Posting { account: book_of(record), amount: take(Money::ZERO, charged)? },
        Posting { account: BookAccount::Writeoff, amount: take(Money::ZERO, written_off)? },
        Posting { account: BookAccount::Margin, amount: take(due, provider_cost)? },
        Posting { account: BookAccount::Provider(record.provider.clone()), amount: provider_cost },
    ];
    Entry::new(id, at, EntryKind::Correction, postings)
}
