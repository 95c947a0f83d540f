//! Dialects: bytes in, bytes out. No socket, no clock, no JSON tree on the fast path.
//!
//! - [`json`] scans a JSON text strictly and says where its members stand; [`splice`] changes a few of them in one copy.
//! - [`sse`] takes a stream apart, split anywhere.
//! - [`openai_chat`] knows the OpenAI Chat Completions dialect: what a request asks for, how a provider wants it, and how
//!   an answer or a chunk becomes ours.
//! - [`usage`] reads what was used; [`provider_error`] reads what went wrong.

pub mod json;
pub mod openai_chat;
pub mod provider_error;
pub mod splice;
pub mod sse;
pub mod usage;

/// Something that was dropped, renamed or approximated on the way; listed in the answer's `warnings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A stable name: `parameter_dropped`, `parameter_renamed`, `not_served_yet`, ...
    pub code: &'static str,
    /// What, why, and what to do.
    pub message: String,
}

/// Renders warnings as a JSON array.
pub fn warnings_json(warnings: &[Warning]) -> String {
    let mut out = String::from("[");
    for (at, warning) in warnings.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&format!(
            "{{\"code\":{},\"message\":{}}}",
            json::quote(warning.code),
            json::quote(&warning.message)
        ));
    }
    out.push(']');
    out
}
