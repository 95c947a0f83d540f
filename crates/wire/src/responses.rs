//! OpenAI Responses.
//!
//! - `request_in` and `items_in` read a caller's request, `state` what it wants kept; `request_out` writes one for a provider.
//! - `answer_in` reads a provider's answer or stream; `answer_out` and `stream_out` write the caller's.
//! - `relay` keeps the bytes where both sides speak this dialect.

mod answer_in;
mod answer_out;
mod items_in;
mod relay;
mod request_in;
mod request_out;
mod seal;
mod state;
mod stream_out;
mod usage;

pub use answer_in::{Reader, read_answer};
pub use answer_out::write_answer;
pub use relay::{Answer, Relay, scan, splice_request};
pub use request_in::read_request;
pub use request_out::write_request;
pub use state::{Stateful, echo, input_items, output_items, stateful, with_history};
pub use stream_out::Writer;
pub use usage::read_usage;
