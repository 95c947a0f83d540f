//! What an answer is named after, how it ended, and why it may be none.

use types::{Money, Usage, UsageSource};

use crate::Warning;
use crate::json;
use crate::provider_error::ProviderError;

/// What our answers carry in place of the provider's own names.
#[derive(Clone, Debug, Default)]
pub struct Ident {
    /// The generation id, plain.
    pub id: String,
    /// The concrete model as a JSON string.
    pub model: String,
    /// The provider's name as a JSON string.
    pub provider: String,
    /// When the request began, unix seconds.
    pub created: i64,
    /// What Responses repeats of the request: JSON members without their braces.
    pub echo: Option<std::sync::Arc<str>>,
    /// Gemini's stream is one JSON array rather than events.
    pub array: bool,
}

/// The outcome that the last bytes tell.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// What was used.
    pub usage: Usage,
    /// Who counted.
    pub source: UsageSource,
    /// What the caller pays us.
    pub cost: Money,
    /// The list price, where a key of the caller's own paid the provider: then `cost` is the fee.
    pub own_key_cost: Option<Money>,
    /// Of the list price, what input caused.
    pub input_cost: Money,
    /// Of the list price, what output caused.
    pub output_cost: Money,
    /// What was dropped or changed.
    pub warnings: Vec<Warning>,
    /// The brand's metadata object, when asked for: its key and its JSON.
    pub metadata: Option<(String, String)>,
}

impl Settlement {
    /// What the provider takes, from us or from the caller.
    pub fn upstream_cost(&self) -> Money {
        self.own_key_cost.unwrap_or(self.cost)
    }
}

/// An error as a caller is told it; each dialect puts it into its own envelope.
#[derive(Clone, Debug)]
pub struct CallError {
    /// HTTP status.
    pub status: u16,
    /// The stable name: `stream_broken`.
    pub kind: &'static str,
    /// What, why, and what to do.
    pub message: String,
    /// The error object of the OpenAI dialects, as JSON.
    pub object: String,
}

/// Why a 200 body is no answer. All of these may still fall back: nothing has reached the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not a JSON object, usually cut short.
    #[error("the provider's answer is broken: {0}")]
    Json(#[from] json::ScanError),
    /// An error inside a 200.
    #[error("{}", .0.message)]
    Provider(ProviderError),
    /// No choice at all; clients crash on that.
    #[error("the provider's answer has no choices")]
    Empty,
}

/// Why a frame of a stream can't be relayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Not a JSON object.
    #[error("the provider sent a broken chunk: {0}")]
    Json(#[from] json::ScanError),
    /// The provider reports an error in the stream.
    #[error("{}", .0.message)]
    Provider(ProviderError),
    /// The answer must not go on; nothing of the event that says so has left.
    #[error("{0}")]
    Refused(String),
}
