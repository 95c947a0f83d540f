//! Google Gemini: AI Studio and Vertex AI.
//!
//! The model and whether to stream are in the URL ([`path`]), not in the body. Each frame of a stream is a whole answer of
//! its own; there is no end marker. Names come in camelCase and in snake_case, both in one body: callers' are taken alike.

mod answer_in;
mod answer_out;
mod count;
mod error;
mod framing;
mod grounding;
mod keys;
mod media;
mod model;
mod names;
mod parts_in;
mod parts_out;
mod pointer;
mod relay;
mod request_in;
mod request_out;
mod schema;
mod seal;
mod settings;
mod splice;
mod stream_out;
mod usage;

pub use answer_in::{Reader, read_answer};
pub use answer_out::write_answer;
pub use count::{count_path, count_request, read_count, write_count};
pub use error::error_body;
pub(crate) use keys::camel;
pub use media::takes_address;
pub use relay::{Answer, Relay, scan};
pub use request_in::read_request;
pub use request_out::write_request;
pub use schema::canonical;
pub use splice::splice_request;
pub use stream_out::Writer;
pub use usage::read_usage;

/// Fields for the gateway, and what the URL says: never sent on.
fn is_ours(key: &str) -> bool {
    matches!(key, "model" | "stream") || crate::extensions::is_ours(key)
}

/// The path of a generation below the version: `models/gemini-2.5-pro:streamGenerateContent?alt=sse`. A model that names
/// its own collection (`tunedModels/x`, `publishers/google/models/x`) keeps it.
pub fn path(model: &str, stream: bool) -> String {
    let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    format!("{}:{method}", resource(model))
}

/// A model as a resource name.
fn resource(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_and_methods_are_in_the_path() {
        assert_eq!(path("gemini-2.5-pro", false), "models/gemini-2.5-pro:generateContent");
        assert_eq!(path("models/m", true), "models/m:streamGenerateContent?alt=sse");
        assert_eq!(count_path("m"), "models/m:countTokens");
    }
}
