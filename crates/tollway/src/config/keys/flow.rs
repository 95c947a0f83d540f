//! Timeouts, limits and the journal: how a request flows and what bounds it.

use super::Preset::Value;
use super::{GIB, KIB, Key, Kind, MIB};
use crate::config::settings::{Config, JournalSync, LogFormat, LogLevel};

const TIMEOUT_MS_MAX: u64 = 24 * 3_600_000;
const TTL_S_MAX: u64 = 86_400;

pub(super) static KEYS: &[Key<Config>] = &[
    Key {
        path: "upstream.connect_timeout_ms",
        preset: Value("5000"),
        example: "1000",
        doc: "How long connecting to a provider may take, TLS included.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.connect_timeout_ms = v },
    },
    Key {
        path: "upstream.first_byte_timeout_ms",
        preset: Value("120000"),
        example: "30000",
        doc: "How long a provider may take from the request to its first byte; then the next attempt begins.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.first_byte_timeout_ms = v },
    },
    Key {
        path: "upstream.stall_timeout_ms",
        preset: Value("60000"),
        example: "15000",
        doc: "How long a provider may be silent within an answer. A keep-alive comment is silence.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.stall_timeout_ms = v },
    },
    Key {
        path: "upstream.keep_alive_ms",
        preset: Value("15000"),
        example: "5000",
        doc: "How long a stream is silent before its client gets a keep-alive: a comment, Anthropic's `ping` on its path.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.keep_alive_ms = v },
    },
    Key {
        path: "upstream.total_timeout_ms",
        preset: Value("900000"),
        example: "300000",
        doc: "How long one request may take in all.",
        kind: Kind::Number { min: 10, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.total_timeout_ms = v },
    },
    Key {
        path: "upstream.drain_ms_max",
        preset: Value("120000"),
        example: "30000",
        doc: "How long a provider is read on after a client left, where its `on_disconnect` is `drain` or `drain_capped`.",
        kind: Kind::Number { min: 1, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.drain_ms_max = v },
    },
    Key {
        path: "upstream.drain_tokens_max",
        preset: Value("4096"),
        example: "512",
        doc: "How many tokens, at 4 bytes each, a provider is read on with `drain_capped`; then it is left.",
        kind: Kind::Number { min: 0, max: 1_000_000_000, set: |c, v| c.upstream.drain_tokens_max = v },
    },
    Key {
        path: "upstream.drain_bytes_max",
        preset: Value("4 MiB"),
        example: "256 KiB",
        doc: "How many bytes a provider is read on with `drain_capped`; then it is left.",
        kind: Kind::Bytes { min: 0, max: GIB, set: |c, v| c.upstream.drain_bytes_max = v },
    },
    Key {
        path: "upstream.fetch_private",
        preset: Value("false"),
        example: "true",
        doc: "Whether images and files that a request names by address may be fetched from private networks too. \
              Leave it off where callers are not trusted with what this machine can reach.",
        kind: Kind::Flag(|c, v| c.upstream.fetch_private = v),
    },
    Key {
        path: "upstream.idle_connections_per_host_max",
        preset: Value("256"),
        example: "32",
        doc: "Idle connections kept open to one provider; the oldest beyond it are closed.",
        kind: Kind::Number {
            min: 0,
            max: 100_000,
            set: |c, v| c.upstream.idle_connections_per_host_max = v as usize,
        },
    },
    Key {
        path: "upstream.idle_timeout_ms",
        preset: Value("55000"),
        example: "20000",
        doc: "How long an idle connection to a provider is kept.",
        kind: Kind::Number { min: 0, max: TIMEOUT_MS_MAX, set: |c, v| c.upstream.idle_timeout_ms = v },
    },
    Key {
        path: "upstream.response_bytes_max",
        preset: Value("64 MiB"),
        example: "8 MiB",
        doc: "The largest answer that is taken from a provider when it is not a stream.",
        kind: Kind::Bytes {
            min: 64 * KIB,
            max: 4 * GIB,
            set: |c, v| c.upstream.response_bytes_max = v as usize,
        },
    },
    Key {
        path: "upstream.sse_frame_bytes_max",
        preset: Value("4 MiB"),
        example: "1 MiB",
        doc: "The largest single event of a stream; a larger one ends the stream with an error.",
        kind: Kind::Bytes { min: 4 * KIB, max: GIB, set: |c, v| c.upstream.sse_frame_bytes_max = v as usize },
    },
    Key {
        path: "limits.responses_retention_days",
        preset: Value("30"),
        example: "7",
        doc: "How long a response of `/v1/responses` is kept where its caller did not say `store: false`.",
        kind: Kind::Number { min: 1, max: 3_650, set: |c, v| c.limits.responses_retention_days = v },
    },
    Key {
        path: "limits.key_concurrency_max",
        preset: Value("0"),
        example: "20",
        doc: "Requests at once of a key that has no limit of its own; 0 is no limit. More is 429.",
        kind: Kind::Number { min: 0, max: 1_000_000, set: |c, v| c.limits.key_concurrency_max = v as u32 },
    },
    Key {
        path: "limits.new_key_limit_usd",
        preset: Value("100"),
        example: "25.50",
        doc: "What a new key may spend where its maker doesn't say: nobody loses more to a key that leaks. `none` is no limit.",
        kind: Kind::Text {
            allowed: "an amount in USD such as `25.50`, or `none`",
            set: |c, text| {
                let limit = (text != "none").then(|| text.parse::<types::Money>()).transpose();
                let fits = limit.as_ref().is_ok_and(|limit| limit.is_none_or(|limit| !limit.is_negative()));
                c.limits.new_key_limit = limit.unwrap_or_default();
                fits
            },
        },
    },
    Key {
        path: "limits.new_key_limit_reset",
        preset: Value("month"),
        example: "day",
        doc: "Over what span `limits.new_key_limit_usd` counts, by the UTC calendar.",
        kind: Kind::Choice {
            allowed: &["day", "week", "month", "total"],
            set: |c, word| c.limits.new_key_limit_reset = ledger::Period::from_name(word).unwrap_or_default(),
        },
    },
    Key {
        path: "limits.hold_output_tokens",
        preset: Value("1024"),
        example: "256",
        doc: "Output tokens that a hold covers at first; it grows as more arrive.",
        kind: Kind::Number { min: 1, max: 10_000_000, set: |c, v| c.limits.hold_output_tokens = v },
    },
    Key {
        path: "limits.hold_wait_ms_max",
        preset: Value("10000"),
        example: "0",
        doc: "How long a request may wait for other requests of its account to give back what they hold.",
        kind: Kind::Number { min: 0, max: TIMEOUT_MS_MAX, set: |c, v| c.limits.hold_wait_ms_max = v },
    },
    Key {
        path: "limits.hold_waiters_max",
        preset: Value("1024"),
        example: "10",
        doc: "Requests that may wait for money at once; more are refused with 402 at once.",
        kind: Kind::Number { min: 0, max: 1_000_000, set: |c, v| c.limits.hold_waiters_max = v as usize },
    },
    Key {
        path: "limits.requests_in_flight_max",
        preset: Value("10000"),
        example: "100",
        doc: "Requests that are served at once; more are refused with 503 and `Retry-After`.",
        kind: Kind::Number {
            min: 1,
            max: 10_000_000,
            set: |c, v| c.limits.requests_in_flight_max = v as usize,
        },
    },
    Key {
        path: "limits.replay_records_max",
        preset: Value("20000"),
        example: "100000",
        doc: "How many records one `POST /v1/replay` reads at most, the newest first. `tollway replay` reads all.",
        kind: Kind::Number { min: 1, max: 10_000_000, set: |c, v| c.limits.replay_records_max = v },
    },
    Key {
        path: "limits.replay_ms_max",
        preset: Value("20000"),
        example: "60000",
        doc: "How long one `POST /v1/replay` reads records; then it answers from those that it has.",
        kind: Kind::Number { min: 10, max: 600_000, set: |c, v| c.limits.replay_ms_max = v },
    },
    Key {
        path: "cache.bytes_max",
        preset: Value("64 MiB"),
        example: "512 MiB",
        doc: "Memory for the response cache; what was not used for longest goes first. 0 turns it off.",
        kind: Kind::Bytes { min: 0, max: 1024 * GIB, set: |c, v| c.cache.bytes_max = v as usize },
    },
    Key {
        path: "cache.entries_max",
        preset: Value("100000"),
        example: "5000",
        doc: "Answers in the response cache.",
        kind: Kind::Number { min: 1, max: 100_000_000, set: |c, v| c.cache.entries_max = v as usize },
    },
    Key {
        path: "cache.entry_bytes_max",
        preset: Value("1 MiB"),
        example: "256 KiB",
        doc: "The largest answer that the response cache keeps; a stream that may be kept takes as much while it runs.",
        kind: Kind::Bytes { min: KIB, max: GIB, set: |c, v| c.cache.entry_bytes_max = v as usize },
    },
    Key {
        path: "cache.ttl_s",
        preset: Value("300"),
        example: "3600",
        doc: "How long the response cache keeps an answer whose caller doesn't say.",
        kind: Kind::Number { min: 1, max: TTL_S_MAX, set: |c, v| c.cache.ttl_s = v as u32 },
    },
    Key {
        path: "cache.ttl_s_max",
        preset: Value("86400"),
        example: "3600",
        doc: "The longest that the response cache keeps an answer, whatever its caller says.",
        kind: Kind::Number { min: 1, max: TTL_S_MAX, set: |c, v| c.cache.ttl_s_max = v as u32 },
    },
    Key {
        path: "cache.wait_ms_max",
        preset: Value("60000"),
        example: "5000",
        doc: "How long a request that opted into the response cache waits for an equal one under way; then it goes by itself.",
        kind: Kind::Number { min: 0, max: TIMEOUT_MS_MAX, set: |c, v| c.cache.wait_ms_max = v },
    },
    Key {
        path: "idempotency.retention_s",
        preset: Value("86400"),
        example: "3600",
        doc: "How long an `Idempotency-Key` stands for the answer of its first call.",
        kind: Kind::Number { min: 60, max: 30 * TTL_S_MAX, set: |c, v| c.idempotency.retention_s = v },
    },
    Key {
        path: "idempotency.entries_max",
        preset: Value("1000000"),
        example: "50000",
        doc: "Keys that are known at once, about 200 bytes of memory each; beyond it the account's own oldest are forgotten, \
              with a warning in the log.",
        kind: Kind::Number { min: 1, max: 100_000_000, set: |c, v| c.idempotency.entries_max = v as usize },
    },
    Key {
        path: "idempotency.bytes_max",
        preset: Value("1 GiB"),
        example: "64 MiB",
        doc: "Disk for answers of calls with a key. Beyond it the oldest answers go; their keys stay and are 409 \
              `answer_not_kept`.",
        kind: Kind::Bytes { min: MIB, max: 1024 * GIB, set: |c, v| c.idempotency.bytes_max = v },
    },
    Key {
        path: "idempotency.answer_bytes_max",
        preset: Value("4 MiB"),
        example: "512 KiB",
        doc: "The largest answer that is kept for its key; a stream with a key takes as much memory while it runs. The key of \
              a larger one is 409 `answer_not_kept`.",
        kind: Kind::Bytes {
            min: KIB,
            max: 256 * MIB,
            set: |c, v| c.idempotency.answer_bytes_max = v as usize,
        },
    },
    Key {
        path: "idempotency.wait_ms_max",
        preset: Value("300000"),
        example: "0",
        doc: "How long a request waits for one under way with the same key; then it is 409 `idempotency_in_flight`.",
        kind: Kind::Number { min: 0, max: TIMEOUT_MS_MAX, set: |c, v| c.idempotency.wait_ms_max = v },
    },
    Key {
        path: "journal.segment_bytes_max",
        preset: Value("64 MiB"),
        example: "8 MiB",
        doc: "The size at which the journal begins a new file. Folded files are deleted.",
        kind: Kind::Bytes { min: 64 * KIB, max: 4 * GIB, set: |c, v| c.journal.segment_bytes_max = v },
    },
    Key {
        path: "journal.fold_interval_ms",
        preset: Value("200"),
        example: "50",
        doc: "How often new records are folded into the store.",
        kind: Kind::Number { min: 1, max: 60_000, set: |c, v| c.journal.fold_interval_ms = v },
    },
    Key {
        path: "journal.backlog_bytes_max",
        preset: Value("4 GiB"),
        example: "1 GiB",
        doc: "How far the books may lag behind the journal while the store is down; beyond it requests are 503.",
        kind: Kind::Bytes { min: MIB, max: 1024 * GIB, set: |c, v| c.journal.backlog_bytes_max = v },
    },
    Key {
        path: "journal.sync",
        preset: Value("os"),
        example: "always",
        doc: "`os`: a killed process loses nothing, a power cut may lose the last moments. `always`: the disk \
              confirms each record before the last byte leaves, which costs a disk write per request.",
        kind: Kind::Choice {
            allowed: &["os", "always"],
            set: |c, v| c.journal.sync = if v == "always" { JournalSync::Always } else { JournalSync::Os },
        },
    },
    Key {
        path: "log.level",
        preset: Value("info"),
        example: "warn",
        doc: "How much is logged. `TOLLWAY_LOG` takes finer directives.",
        kind: Kind::Choice {
            allowed: &["error", "warn", "info", "debug", "trace"],
            set: |c, v| {
                c.log.level = match v {
                    "error" => LogLevel::Error,
                    "warn" => LogLevel::Warn,
                    "debug" => LogLevel::Debug,
                    "trace" => LogLevel::Trace,
                    _ => LogLevel::Info,
                }
            },
        },
    },
    Key {
        path: "log.format",
        preset: Value("text"),
        example: "json",
        doc: "`text` for people, `json` for machines: one object per line.",
        kind: Kind::Choice {
            allowed: &["text", "json"],
            set: |c, v| c.log.format = if v == "json" { LogFormat::Json } else { LogFormat::Text },
        },
    },
];
