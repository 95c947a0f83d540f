-- What callers said of an answer: one JSON object per generation, whose keys merge.
CREATE TABLE feedback (
    generation TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
