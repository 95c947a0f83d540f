//! The rules of money: what a generation's record says, how records are framed in the journal, which postings book them,
//! and the holds that keep a balance from being spent twice. Pure: no socket, no clock, no database.

mod brief;
mod entry;
mod facts;
mod fees;
mod hold;
mod journal;
mod payment;
mod percent;
mod purse;
mod record;

pub use entry::{
    BookAccount, BookAccountError, ENTRY_OF_GENERATION, Entry, EntryError, EntryKind, Posting, entry_of,
    grant,
};
pub use facts::{PLANNED_MAX, Planned, RequestFacts};
pub use fees::{
    Charge, DiscountStep, FeeOn, FeeStep, Fees, FeesError, Split, Terms, TopUp, TopUpError, cents,
    from_cents, whole_cents,
};
pub use hold::{Hold, HoldSet, PURSES_MAX, Settled};
pub use journal::{
    FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameError, HEADER, HEADER_BYTES, Scan, ScanError, Tail, frame, scan,
};
pub use payment::{BalanceKind, Payment, promotion};
pub use percent::{Pattern, Percent, PercentError};
pub use purse::{OnRelease, Purse, PurseSnapshot, Refusal};
pub use record::{
    App, Attempt, BillingMode, GenerationRecord, RECORD_VERSION, Routed, Status, Warning, sheet_is_empty,
};

#[cfg(test)]
mod tests;
