//! What an answer says of its call beside the model's words.

use ledger::GenerationRecord;

/// The record keeps codes as text; the answer's are the same few names.
pub(super) fn static_code(code: &str) -> &'static str {
    const CODES: [&str; 6] = [
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
