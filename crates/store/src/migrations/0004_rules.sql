-- Policies and presets that accounts have written down. An edit is another row: nothing that was in force is overwritten.
CREATE TABLE named_rules (
    account TEXT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    slug TEXT NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed_seq BIGINT NOT NULL,
    PRIMARY KEY (account, kind, slug, version)
);
CREATE INDEX named_rules_by_change ON named_rules (changed_seq);
INSERT INTO change_counters (name, value) VALUES ('rules', 0);
