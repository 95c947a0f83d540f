//! Errors in Google's envelope.

use serde_json::json;

use crate::hub::CallError;

/// A whole error body: `{"error":{"code","message","status","details"}}`. The details hold our stable name of the error and
/// the request's id, in the types that Google's clients know.
pub fn error_body(error: &CallError, request_id: &str) -> String {
    let reason = error.kind.to_ascii_uppercase();
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "tollway",
    })];
    if !request_id.is_empty() {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id}));
    }
    json!({"error": {
        "code": error.status,
        "message": error.message,
        "status": status_name(error.status),
        "details": details,
    }})
    .to_string()
}

/// Google's name of an HTTP status.
fn status_name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 | 410 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        400..=498 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_googles_form() {
        let error =
            |status| CallError { status, kind: "no_credit", message: "m\"".into(), object: "{}".into() };
        let body: serde_json::Value = serde_json::from_str(&error_body(&error(402), "req-1")).unwrap();
        assert_eq!(body["error"]["code"], 402);
        assert_eq!(body["error"]["message"], "m\"");
        assert_eq!(body["error"]["status"], "FAILED_PRECONDITION");
        assert_eq!(body["error"]["details"][0]["reason"], "NO_CREDIT");
        assert_eq!(body["error"]["details"][1]["requestId"], "req-1");
        for (status, name) in [
            (400, "INVALID_ARGUMENT"),
            (422, "INVALID_ARGUMENT"),
            (429, "RESOURCE_EXHAUSTED"),
            (503, "UNAVAILABLE"),
        ] {
            assert!(error_body(&error(status), "").contains(name));
        }
    }
}
