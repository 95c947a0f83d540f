//! What an answer says of its call beside the model's words.

use guardrails::Tally;
use ledger::{GenerationRecord, Guarded, Warning};

/// The code of warnings about what guardrails found.
const GUARDRAIL: &str = "guardrail";

/// Writes down what guardrails found: for the record, and as warnings for the caller.
pub(super) fn guarded(record: &mut GenerationRecord, tally: &Tally) {
    for found in tally.counts() {
        let (direction, kind, action) = (found.direction, &*found.kind, found.action.name());
        let of = if direction == "input" { "request" } else { "answer" };
        let times = if found.count == 1 { String::from("once") } else { format!("{} times", found.count) };
        let message = format!("{kind} found {times} in the {of}: {action}");
        record.warnings.push(Warning { code: GUARDRAIL.to_owned(), pointer: String::new(), message });
        record.guardrails.push(Guarded {
            direction: direction.to_owned(),
            kind: kind.to_owned(),
            action: action.to_owned(),
            count: found.count,
        });
    }
}

/// The record keeps codes as text; the answer's are the same few names.
pub(super) fn static_code(code: &str) -> &'static str {
    const CODES: [&str; 7] = [
        GUARDRAIL,
        "parameter_dropped",
        "parameter_renamed",
        "approximated",
        "not_served_yet",
        "dimension_dropped",
        crate::cascade::NOT_ESCALATED,
    ];
    CODES.into_iter().find(|known| *known == code).unwrap_or("changed")
}

/// Plan and attempts, for those who asked to see them.
pub(super) fn metadata_json(record: &GenerationRecord, plan: &serde_json::Value) -> String {
    serde_json::json!({
        "generation_id": record.id.as_str(),
        "endpoint": record.endpoint,
        "plan": plan,
        "attempts": record.attempts.iter().map(crate::generation::attempt).collect::<Vec<_>>(),
        "ttft_us": record.ttft_us,
        "duration_us": record.duration_us,
        "usage_source": record.usage_source,
        "price_version": record.price_version,
        "escalated": record.escalated,
        "cache_source_id": record.cache_source,
    })
    .to_string()
}
