//! Anthropic Messages: Claude's dialect, at Anthropic, on Vertex AI and on Bedrock, and that of Claude Code.
//!
//! - `request_in` and `blocks_in` read a caller's request; `request_out` and `blocks_out` write one, by what `claude` knows of
//!   the models.
//! - `answer_in` reads a provider's answer or stream; `answer_out` and `stream_out` write the caller's.
//! - `relay` and `splice` keep the bytes where both sides speak this dialect, `breakpoints` marks them for the prompt cache; `count` asks for a count of tokens.

mod answer_in;
mod answer_out;
mod blocks_in;
mod blocks_out;
mod breakpoints;
mod claude;
mod count;
mod error;
mod relay;
mod request_in;
mod request_out;
mod splice;
mod stream_out;
mod usage;

pub use answer_in::{Reader, read_answer};
pub use answer_out::write_answer;
pub use breakpoints::with_breakpoints;
pub use claude::beta_header;
pub use count::{count_request, read_count, write_count};
pub use error::error_body;
pub(crate) use relay::unwrapped;
pub use relay::{Answer, Relay, scan};
pub use request_in::read_request;
pub use request_out::write_request;
pub use splice::splice_request;
pub use stream_out::Writer;
pub use usage::read_usage;
