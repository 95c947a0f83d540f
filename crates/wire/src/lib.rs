//! Dialects: bytes in, bytes out. No socket, no clock, no JSON tree on the fast path.
//!
//! - [`json`] scans a JSON text strictly and says where its members stand; [`splice`] changes a few of them in one copy;
//!   [`node`] looks at a value in place, [`writer`] writes one straight into bytes.
//! - [`hub`] is the one form between all dialects; each dialect has a module with one file per direction.
//! - [`sse`] takes a stream apart, split anywhere.
//! - [`openai_chat`] knows the OpenAI Chat Completions dialect: what a request asks for, how a provider wants it, and how
//!   an answer or a chunk becomes ours.
//! - [`task`] has the calls beside conversations: embeddings, rerank, images, speech, transcriptions.
//! - [`check`] judges answers: is there anything, do calls and JSON follow their schemas.
//! - [`preset`] fills a request up with what an account keeps under a name.
//! - [`usage`] reads what was used; [`provider_error`] reads what went wrong.

pub mod asked;
pub mod auto;
pub mod call;
pub mod check;
pub mod cohere;
pub mod completions;
pub mod converse;
pub mod eventstream;
mod extensions;
pub mod gemini;
pub mod hub;
pub mod json;
pub mod lines;
pub mod messages;
pub mod node;
pub mod ollama;
pub mod openai_chat;
mod opening;
pub mod preferences;
pub mod preset;
pub mod provider_error;
pub mod responses;
pub mod splice;
pub mod sse;
pub mod tally;
pub mod task;
pub mod usage;
pub mod writer;

/// Something that was dropped, renamed or approximated on the way; listed in the answer's `warnings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A stable name: `parameter_dropped`, `parameter_renamed`, `not_served_yet`, ...
    pub code: &'static str,
    /// JSON pointer to it in the caller's body: `/stop`. Empty where it is not in the body.
    pub pointer: String,
    /// What, why, and what to do.
    pub message: String,
}

impl Warning {
    /// A warning about a field at the top of the body.
    pub fn about(code: &'static str, field: &str, message: String) -> Warning {
        Warning { code, pointer: format!("/{field}"), message }
    }
}

/// Renders warnings as a JSON array.
pub fn warnings_json(warnings: &[Warning]) -> String {
    let mut out = String::from("[");
    for (at, warning) in warnings.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&format!("{{\"code\":{}", json::quote(warning.code)));
        if !warning.pointer.is_empty() {
            out.push_str(&format!(",\"pointer\":{}", json::quote(&warning.pointer)));
        }
        out.push_str(&format!(",\"message\":{}}}", json::quote(&warning.message)));
    }
    out.push(']');
    out
}
