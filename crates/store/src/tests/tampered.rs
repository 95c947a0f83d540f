//! The rollups and the log, as the test of changed bits takes them.

use super::tamper::Kind::{Number, Text};
use super::tamper::Table;

/// The columns of a rollup: its own, and what every rollup measures.
macro_rules! measured {
    ($($own:expr),+) => {
        &[
            $($own),+,
                ("requests", Number),
                ("failed", Number),
                ("input", Number),
                ("cache_read", Number),
                ("cache_write", Number),
                ("cache_write_1h", Number),
                ("audio_input", Number),
                ("image_input", Number),
                ("output", Number),
                ("reasoning", Number),
                ("audio_output", Number),
                ("image_output", Number),
                ("searches", Number),
                ("images", Number),
                ("audio_seconds", Number),
                ("characters", Number),
                ("cost", Number),
                ("charged", Number),
                ("byok_cost", Number),
                ("cancelled", Number),
                ("truncated", Number),
                ("cached_answers", Number),
                ("byok_requests", Number),
                ("provider_cost", Number),
                ("byok_fees", Number),
                ("saved", Number),
                ("ttft_us", Number),
                ("ttft_count", Number),
                ("duration_us", Number),
                ("speed_tokens", Number),
                ("speed_us", Number),
                ("streamed", Number),
                ("embeddings", Number),
                ("image_calls", Number),
                ("speech_calls", Number),
                ("transcriptions", Number),
                ("reranks", Number),
                ("ttft_sketch", Text),
                ("duration_sketch", Text),
                ("speed_sketch", Text),
        ]
    };
}

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "activity_days",
        key: "api_key",
        columns: measured![
            ("account", Text),
            ("day", Number),
            ("api_key", Text),
            ("model", Text),
            ("provider", Text)
        ],
    },
    Table {
        name: "activity_hours",
        key: "api_key",
        columns: measured![
            ("account", Text),
            ("hour", Number),
            ("api_key", Text),
            ("model", Text),
            ("provider", Text)
        ],
    },
    Table {
        name: "facet_days",
        key: "value",
        columns: measured![
            ("account", Text),
            ("day", Number),
            ("facet", Text),
            ("value", Text),
            ("api_key", Text)
        ],
    },
    Table {
        name: "facet_hours",
        key: "value",
        columns: measured![
            ("account", Text),
            ("hour", Number),
            ("facet", Text),
            ("value", Text),
            ("api_key", Text)
        ],
    },
    Table {
        name: "traffic_days",
        key: "api_key",
        columns: &[
            ("day", Number),
            ("account", Text),
            ("api_key", Text),
            ("model", Text),
            ("app", Text),
            ("task", Text),
            ("requests", Number),
            ("failed", Number),
            ("input", Number),
            ("output", Number),
            ("charged", Number),
        ],
    },
    Table {
        name: "endpoint_hours",
        key: "endpoint",
        columns: &[
            ("endpoint", Text),
            ("hour", Number),
            ("answered", Number),
            ("unreachable", Number),
            ("timed_out", Number),
            ("errors", Number),
            ("broken", Number),
            ("refused", Number),
            ("busy", Number),
            ("ttft_us", Number),
            ("ttft_count", Number),
        ],
    },
    Table {
        name: "generation_log",
        key: "id",
        columns: &[
            ("account", Text),
            ("created", Number),
            ("id", Text),
            ("api_key", Text),
            ("model", Text),
            ("provider", Text),
            ("status", Text),
            ("finish_reason", Text),
            ("error", Text),
            ("session", Text),
            ("trace", Text),
            ("end_user", Text),
            ("app", Text),
            ("tags", Text),
            ("cost", Number),
            ("charged", Number),
            ("duration_us", Number),
            ("ttft_us", Number),
            ("input_tokens", Number),
            ("output_tokens", Number),
        ],
    },
];
