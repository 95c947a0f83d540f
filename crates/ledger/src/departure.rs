//! What is known of a caller who left before the end: the evidence for what was charged.

use serde::{Deserialize, Serialize};

/// When the caller left, what it had by then, and what was learned after. The rule itself is
/// [`GenerationRecord::on_disconnect`](crate::GenerationRecord::on_disconnect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Departure {
    /// Microseconds since the request began.
    #[serde(rename = "us")]
    pub left_us: i64,
    /// Bytes of the answer that had been handed over.
    pub bytes: u64,
    /// Tokens of the answer that had been handed over, by our tokenizer.
    pub tokens: u64,
    /// The provider's own usage arrived, before or after.
    #[serde(rename = "usage")]
    pub usage_arrived: bool,
    /// What ended the reading on: `end`, `time`, `tokens` or `bytes`; `None` where the provider was not read on.
    #[serde(rename = "read_to", skip_serializing_if = "Option::is_none")]
    pub read_to: Option<String>,
}
