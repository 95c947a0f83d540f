//! Amazon Bedrock Converse: a provider's dialect only.

mod answer_in;
mod request_out;

pub use answer_in::{Reader, read_answer, read_usage};
pub use request_out::write_request;
