-- What people think of models: each has one rating of a model, under the model's id in the catalog.
CREATE TABLE ratings (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    -- What its person is called here by their own choice.
    name TEXT NOT NULL,
    -- 1 to 5.
    stars BIGINT NOT NULL,
    -- Markdown, as it was written; '': nothing was.
    comment TEXT NOT NULL,
    created BIGINT NOT NULL,
    -- None: never.
    edited BIGINT,
    -- Since when only its person sees it; none: everybody does.
    hidden BIGINT,
    -- The person or the key that hid it, or 'reports'; and why.
    hidden_by TEXT NOT NULL DEFAULT '',
    hidden_why TEXT NOT NULL DEFAULT '',
    -- Its person took it back while it was hidden: emptied, and still there so that what they write next stays hidden too.
    withdrawn BIGINT,
    UNIQUE (model, user_id)
);
CREATE INDEX ratings_by_stars ON ratings (model, hidden, stars);
CREATE INDEX ratings_by_created ON ratings (model, created, id);
CREATE INDEX ratings_by_user ON ratings (user_id);
CREATE INDEX ratings_by_hidden ON ratings (hidden);

-- Who found a rating improper, and why.
CREATE TABLE rating_reports (
    id TEXT PRIMARY KEY,
    rating TEXT NOT NULL REFERENCES ratings (id),
    -- None: who was erased since.
    reporter TEXT REFERENCES users (id),
    reason TEXT NOT NULL,
    created BIGINT NOT NULL,
    -- When somebody who may decide had looked at it.
    resolved BIGINT,
    UNIQUE (rating, reporter)
);
CREATE INDEX rating_reports_by_reporter ON rating_reports (reporter);
CREATE INDEX rating_reports_by_resolved ON rating_reports (resolved, rating, created);
