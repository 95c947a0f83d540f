-- Provider keys of the whole server, entered while it runs: ciphertext, and which master key it is sealed under.
CREATE TABLE provider_keys (
    provider TEXT PRIMARY KEY,
    sealed TEXT NOT NULL,
    master TEXT NOT NULL,
    changed BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);
