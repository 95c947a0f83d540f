//! Errors in Anthropic's envelope.

use crate::hub::CallError;
use crate::json::quote;

/// Anthropic's name for a status.
pub(super) const fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 | 405 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// The error as one object; our own words stand beside Anthropic's.
pub(super) fn object(error: &CallError) -> String {
    format!(
        "{{\"type\":{},\"message\":{},\"details\":{}}}",
        quote(kind(error.status)),
        quote(&error.message),
        error.object
    )
}

/// The whole error body.
pub fn error_body(error: &CallError, request_id: &str) -> String {
    format!("{{\"type\":\"error\",\"error\":{},\"request_id\":{}}}", object(error), quote(request_id))
}
