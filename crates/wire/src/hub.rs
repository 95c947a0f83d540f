//! The hub: one form between all dialects, so that each dialect is translated to and from it and never to another.
//!
//! - It is a superset: ordered content blocks, never "a text and some tool calls".
//! - What is large is borrowed from the caller's body; what nobody understands travels in `rest`.
//! - An answer, streamed or whole, is a list of [`Event`]s. [`Assembly`] folds them into blocks, so that a stream and a
//!   plain answer of the same content are the same thing.
//! - Each dialect has its own folder with one file per direction: `request_in` (caller's request to hub), `request_out` (hub
//!   to a provider's request), `answer_in` (a provider's answer to events), `answer_out` (events to the caller's answer),
//!   `stream_in`, `stream_out`, and `relay` where caller and provider speak the same.

mod answer;
mod breakpoints;
mod calls;
mod carry;
mod loss;
mod memory;
mod outcome;
mod request;
mod sieve;
mod target;
mod turns;

pub use crate::openai_chat::RequestError;
pub use answer::{Assembly, Citation, Event, Finish, Piece, Seal, SealFormat, ToolStart};
pub use breakpoints::{Breakpoints, breakpoints, tokens_min};
pub use calls::Calls;
pub use carry::{
    Bridge, Carry, Plain, Replay, Seen, StreamReader, StreamWriter, Translated, Undo, WriteAnswer,
};
pub use loss::Losses;
pub use memory::{Memory, Reasoned, SealedCall, Watch, recall};
pub use outcome::{AnswerError, CallError, ChunkError, Ident, Settlement};
pub use request::{
    Block, CacheControl, Content, Effort, Format, Request, Rest, Role, Sampling, Source, Thinking, Tool,
    ToolChoice, ToolKind, Turn, WebSearch,
};
pub use sieve::{Screen, Sieve};
pub use target::{Address, Fetched, Flavor, Impossible, Outgoing, Target};
pub use turns::{Alternation, Exchange, Item, Strict, What, alternate};

/// The dialects that callers and providers speak. Which of them may come in and which go out is the gateway's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions, and Mistral's variety of it.
    Chat,
    /// OpenAI's older text completions.
    Completions,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Google Gemini.
    Gemini,
    /// Amazon Bedrock Converse.
    Converse,
    /// Cohere v2 chat.
    Cohere,
    /// Ollama's own.
    Ollama,
}

impl Dialect {
    /// Its stable name, in records and warnings.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Chat => "openai_chat",
            Dialect::Completions => "openai_completions",
            Dialect::Responses => "openai_responses",
            Dialect::Messages => "anthropic_messages",
            Dialect::Gemini => "gemini",
            Dialect::Converse => "bedrock_converse",
            Dialect::Cohere => "cohere",
            Dialect::Ollama => "ollama",
        }
    }
}
