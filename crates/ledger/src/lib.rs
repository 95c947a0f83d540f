//! The rules of money: what a generation's record says, how records are framed in the journal, which postings book them,
//! and the holds that keep a balance from being spent twice. Pure: no socket, no clock, no database.

mod brief;
pub mod chain;
mod correction;
mod departure;
mod entry;
mod facts;
mod fee;
mod fees;
mod hold;
mod journal;
mod payment;
mod percent;
mod period;
mod purse;
mod receipt;
mod record;
mod sync;
mod trace;

pub use correction::{
    Correction, ENTRY_OF_CORRECTION, Standing, correction, correction_id, entry_of_correction,
};
pub use departure::Departure;
pub use entry::{
    BookAccount, BookAccountError, ENTRY_OF_GENERATION, Entry, EntryError, EntryKind, Posting, book_of,
    entry_of, grant, grant_byok, to_byok,
};
pub use facts::{PLANNED_MAX, Planned, RequestFacts};
pub use fee::{Fee, FeeFrom, FeeRate, FeeRateError};
pub use fees::{
    Charge, DiscountStep, FeeOn, FeeStep, Fees, FeesError, Split, Terms, TopUp, TopUpError, cents,
    from_cents, whole_cents,
};
pub use hold::{Hold, HoldSet, Settled};
pub use journal::{
    FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameError, HEADER, HEADER_BYTES, Logged, Scan, ScanError, Tail,
    frame, scan,
};
pub use payment::{BalanceKind, Payment, promotion};
pub use percent::{Pattern, Percent, PercentError};
pub use period::{Days, Period};
pub use purse::{OnRelease, OnSpent, Purse, PurseSnapshot, Refusal, Spent};
pub use receipt::{RECEIPT_VERSION, account_digest, check_sums, receipt};
pub use record::{
    App, Attempt, BillingMode, Escalated, GenerationRecord, Guarded, RECORD_VERSION, Routed, Status, Warning,
    sheet_is_empty,
};
pub use trace::{TraceParent, TraceParentError};

#[cfg(test)]
mod tests;
