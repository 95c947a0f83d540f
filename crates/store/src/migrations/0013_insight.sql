-- Everything that is kept of generations beside the books, so that questions about them are answered fast. Rollups say in columns
-- what they count (store::measures); a sketch is a distribution as text, and two behind each other are one of both.
ALTER TABLE activity_days ADD COLUMN cancelled BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN truncated BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN cached_answers BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN byok_requests BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN provider_cost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN byok_fees BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN saved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN ttft_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN ttft_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN duration_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN speed_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN speed_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN streamed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN embeddings BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN image_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN speech_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN transcriptions BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN reranks BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN ttft_sketch TEXT NOT NULL DEFAULT '';
ALTER TABLE activity_days ADD COLUMN duration_sketch TEXT NOT NULL DEFAULT '';
ALTER TABLE activity_days ADD COLUMN speed_sketch TEXT NOT NULL DEFAULT '';

-- The same by hour, in hours since 1970.
CREATE TABLE activity_hours (
    account TEXT NOT NULL,
    hour BIGINT NOT NULL,
    api_key TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    requests BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    searches BIGINT NOT NULL,
    images BIGINT NOT NULL,
    audio_seconds BIGINT NOT NULL,
    characters BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    byok_cost BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    truncated BIGINT NOT NULL,
    cached_answers BIGINT NOT NULL,
    byok_requests BIGINT NOT NULL,
    provider_cost BIGINT NOT NULL,
    byok_fees BIGINT NOT NULL,
    saved BIGINT NOT NULL,
    ttft_us BIGINT NOT NULL,
    ttft_count BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    speed_tokens BIGINT NOT NULL,
    speed_us BIGINT NOT NULL,
    streamed BIGINT NOT NULL,
    embeddings BIGINT NOT NULL,
    image_calls BIGINT NOT NULL,
    speech_calls BIGINT NOT NULL,
    transcriptions BIGINT NOT NULL,
    reranks BIGINT NOT NULL,
    ttft_sketch TEXT NOT NULL,
    duration_sketch TEXT NOT NULL,
    speed_sketch TEXT NOT NULL,
    PRIMARY KEY (account, hour, api_key, model, provider)
){IN_KEY};

-- The same by what callers tell their use apart by: `tag`, `user`, `app`, `dim:team` (store::facets). Without a key: of the whole
-- account.
CREATE TABLE facet_days (
    account TEXT NOT NULL,
    day BIGINT NOT NULL,
    facet TEXT NOT NULL,
    value TEXT NOT NULL,
    api_key TEXT NOT NULL,
    requests BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    searches BIGINT NOT NULL,
    images BIGINT NOT NULL,
    audio_seconds BIGINT NOT NULL,
    characters BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    byok_cost BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    truncated BIGINT NOT NULL,
    cached_answers BIGINT NOT NULL,
    byok_requests BIGINT NOT NULL,
    provider_cost BIGINT NOT NULL,
    byok_fees BIGINT NOT NULL,
    saved BIGINT NOT NULL,
    ttft_us BIGINT NOT NULL,
    ttft_count BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    speed_tokens BIGINT NOT NULL,
    speed_us BIGINT NOT NULL,
    streamed BIGINT NOT NULL,
    embeddings BIGINT NOT NULL,
    image_calls BIGINT NOT NULL,
    speech_calls BIGINT NOT NULL,
    transcriptions BIGINT NOT NULL,
    reranks BIGINT NOT NULL,
    ttft_sketch TEXT NOT NULL,
    duration_sketch TEXT NOT NULL,
    speed_sketch TEXT NOT NULL,
    PRIMARY KEY (account, facet, api_key, day, value)
){IN_KEY};
CREATE INDEX facet_days_by_day ON facet_days (account, day);

-- The same by hour, of the whole account only.
CREATE TABLE facet_hours (
    account TEXT NOT NULL,
    hour BIGINT NOT NULL,
    facet TEXT NOT NULL,
    value TEXT NOT NULL,
    api_key TEXT NOT NULL,
    requests BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    searches BIGINT NOT NULL,
    images BIGINT NOT NULL,
    audio_seconds BIGINT NOT NULL,
    characters BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    byok_cost BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    truncated BIGINT NOT NULL,
    cached_answers BIGINT NOT NULL,
    byok_requests BIGINT NOT NULL,
    provider_cost BIGINT NOT NULL,
    byok_fees BIGINT NOT NULL,
    saved BIGINT NOT NULL,
    ttft_us BIGINT NOT NULL,
    ttft_count BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    speed_tokens BIGINT NOT NULL,
    speed_us BIGINT NOT NULL,
    streamed BIGINT NOT NULL,
    embeddings BIGINT NOT NULL,
    image_calls BIGINT NOT NULL,
    speech_calls BIGINT NOT NULL,
    transcriptions BIGINT NOT NULL,
    reranks BIGINT NOT NULL,
    ttft_sketch TEXT NOT NULL,
    duration_sketch TEXT NOT NULL,
    speed_sketch TEXT NOT NULL,
    PRIMARY KEY (account, facet, api_key, hour, value)
){IN_KEY};
CREATE INDEX facet_hours_by_hour ON facet_hours (account, hour);

-- What is looked for among generations, newest first, without reading their records.
CREATE TABLE generation_log (
    account TEXT NOT NULL,
    created BIGINT NOT NULL,
    id TEXT NOT NULL,
    api_key TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    finish_reason TEXT NOT NULL,
    error TEXT NOT NULL,
    session TEXT NOT NULL,
    trace TEXT NOT NULL,
    end_user TEXT NOT NULL,
    app TEXT NOT NULL,
    -- Each between line feeds.
    tags TEXT NOT NULL,
    cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    -- -1: no content arrived.
    ttft_us BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    PRIMARY KEY (account, created, id)
){IN_KEY};
CREATE INDEX generation_log_by_session ON generation_log (account, session, created) WHERE session <> '';
CREATE INDEX generation_log_by_trace ON generation_log (account, trace, created) WHERE trace <> '';
CREATE INDEX generation_log_by_user ON generation_log (account, end_user, created) WHERE end_user <> '';

-- What the feedback says the answer was worth, in thousandths; none: it says nothing of that.
ALTER TABLE feedback ADD COLUMN score BIGINT;

-- Generations up to this id are counted above; 1: all of them.
INSERT INTO books_state (name, number, text)
    VALUES ('insight', CASE WHEN EXISTS (SELECT 1 FROM generations) THEN 0 ELSE 1 END, '');

-- What an account lets be kept of its prompts and answers. `zero_since`: from then on nothing, for ever.
CREATE TABLE account_privacy (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    keep_days BIGINT NOT NULL,
    zero_since BIGINT,
    changed_seq BIGINT NOT NULL
);
INSERT INTO change_counters (name, value) VALUES ('privacy', 0);

-- Prompts and answers of accounts that want them kept, sealed, until they expire.
CREATE TABLE contents (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    api_key TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    master TEXT NOT NULL,
    sealed TEXT NOT NULL
);
CREATE INDEX contents_by_expiry ON contents (expires);
CREATE INDEX contents_by_account ON contents (account, created);
