//! OpenAI Chat Completions: the dialect of most clients and most providers.
//!
//! - Caller and provider alike: `request` scans, `adapt` applies a provider's quirks, `response` and `stream` relay bytes.
//! - To and from the hub: `request_in` and `parts_in`, `request_out` and `parts_out`, `answer_in`, `answer_out`, `stream_out`.

mod adapt;
mod answer_in;
mod answer_out;
mod parts_in;
mod parts_out;
mod request;
mod request_in;
mod request_out;
pub(crate) mod response;
mod stream;
mod stream_out;

pub use adapt::{Adapt, Adapted, StreamUsage};
pub use answer_in::{Reader, read_answer};
pub(crate) use answer_out::tail;
pub use answer_out::write_answer;
pub use request::{ChatRequest, MESSAGES_MAX, MODELS_MAX, RequestError};
pub(crate) use request::{field, models};
pub use request_in::read_request;
pub use request_out::write_request;
pub(crate) use response::own_usage_with_cost;
pub use response::{Answer, render, scan};
pub use stream::Relay;
pub use stream_out::{Writer, body_chunk};
