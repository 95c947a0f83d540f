-- What the public pages are made from, beside the rollups of accounts. Written with the records, in their transaction.

-- What became of attempts, by hour since 1970 and endpoint, of all accounts; those made with own provider keys are left out, whose
-- failures are nobody else's.
CREATE TABLE endpoint_hours (
    endpoint TEXT NOT NULL,
    hour BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    unreachable BIGINT NOT NULL,
    timed_out BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    broken BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    busy BIGINT NOT NULL,
    ttft_us BIGINT NOT NULL,
    ttft_count BIGINT NOT NULL,
    PRIMARY KEY (endpoint, hour)
){IN_KEY};
CREATE INDEX endpoint_hours_by_hour ON endpoint_hours (hour);

-- Use by day, told apart by what rankings go by. The key is there so that one can stay out of them.
CREATE TABLE traffic_days (
    day BIGINT NOT NULL,
    account TEXT NOT NULL,
    api_key TEXT NOT NULL,
    model TEXT NOT NULL,
    -- As the app named itself, or the host it named; empty: none. The host of an inner network counts as none.
    app TEXT NOT NULL,
    -- The kind of work that a virtual model guessed; empty: none was.
    task TEXT NOT NULL,
    requests BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    PRIMARY KEY (day, account, api_key, model, app, task)
){IN_KEY};
CREATE INDEX traffic_days_by_account ON traffic_days (account, day);

-- Generations up to this id are counted above; 1: all of them.
INSERT INTO books_state (name, number, text)
    VALUES ('traffic', CASE WHEN EXISTS (SELECT 1 FROM generations) THEN 0 ELSE 1 END, '');
