//! The nouns of Tollway: money, prices, usage, typed ids, time. Nothing here waits, reads a clock or opens a socket.

mod apikey;
mod id;
mod money;
mod network;
mod price;
mod role;
mod task;
mod text;
mod time;
mod usage;

pub use apikey::{ApiKeyText, KeyHash, KeyTextError, checksum_ok};
pub use id::{AccountId, EntryId, GenerationId, KeyId, OWNER_ACCOUNT};
pub use money::{Money, MoneyError, NANOS_PER_USD};
pub use network::{Network, any_contains};
pub use price::{
    Cost, CostError, CostLine, Override, PriceKind, PriceSheet, Quote, Rate, UtcMinute, price_version,
};
pub use role::{Right, Role};
pub use secrecy::{ExposeSecret, SecretString};
pub use task::Task;
pub use text::is_unseen;
pub use time::{Clock, SystemClock, TestClock, Timestamp};
pub use usage::{Usage, UsageSource};
