-- What calls moved of an account's credit, by the UTC day of their entries: a statement reads it instead of every posting.
CREATE TABLE credit_days (
    account TEXT NOT NULL,
    day BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (account, day)
){IN_KEY};
INSERT INTO credit_days (account, day, calls, amount)
    SELECT SUBSTR(p.account, 9), e.at / 86400000000, COUNT(*), SUM(p.amount)
    FROM postings p JOIN entries e ON e.id = p.entry
    WHERE p.account LIKE 'credits:%' AND e.kind = 'generation' GROUP BY p.account, e.at / 86400000000;
