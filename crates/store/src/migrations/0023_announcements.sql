-- What the operator tells people on the pages. Who wrote it is in the log of acts.
CREATE TABLE announcements (
    id TEXT PRIMARY KEY,
    -- Markdown, as it was written.
    text TEXT NOT NULL,
    -- 'info' or 'warning'.
    level TEXT NOT NULL,
    -- 'everybody' or 'signed_in'.
    audience TEXT NOT NULL,
    -- From when it is shown.
    starts BIGINT NOT NULL,
    -- Until when; none: until somebody ends it.
    ends BIGINT,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
