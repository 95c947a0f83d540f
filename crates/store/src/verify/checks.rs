//! What can be checked by one statement.

/// Totals of accounts beside the postings that they are the sum of.
macro_rules! totals_and_postings {
    ($totals:literal, $amount:literal, $postings:literal) => {
        concat!(
            "SELECT account, CAST(SUM(total) AS BIGINT), CAST(SUM(posted) AS BIGINT) FROM (SELECT ",
            $totals,
            " UNION ALL SELECT p.account, 0, ",
            $amount,
            " FROM postings p JOIN entries e ON e.id = p.entry WHERE ",
            $postings,
            ") both_sides GROUP BY account HAVING SUM(total) <> SUM(posted)"
        )
    };
}

/// Name, what the two numbers are, statement that returns subject and two numbers for each failure. Sums are cast because
/// Postgres widens them.
pub(super) const CHECKS: &[(&str, &str, &str)] = &[
    (
        "entry_sum",
        "sum, postings",
        "SELECT e.id, CAST(COALESCE(SUM(p.amount), 0) AS BIGINT), COUNT(p.entry)
        FROM entries e LEFT JOIN postings p ON p.entry = e.id
        GROUP BY e.id HAVING COALESCE(SUM(p.amount), 0) <> 0 OR COUNT(p.entry) < 2",
    ),
    (
        "posting_without_entry",
        "line, amount",
        "SELECT p.entry, p.line, p.amount FROM postings p LEFT JOIN entries e ON e.id = p.entry WHERE e.id IS NULL",
    ),
    (
        "posting_lines",
        "last line, postings",
        "SELECT entry, MAX(line), COUNT(*) FROM postings
        GROUP BY entry HAVING MIN(line) <> 0 OR MAX(line) <> COUNT(*) - 1",
    ),
    (
        "books_sum",
        "sum of postings, sum of balances",
        "SELECT 'all accounts', a.total, b.total
        FROM (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total FROM postings) a,
            (SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) AS total FROM book_balances) b
        WHERE a.total <> 0 OR b.total <> 0",
    ),
    (
        "book_balance",
        "balance, sum of postings",
        "SELECT account, CAST(SUM(balance) AS BIGINT), CAST(SUM(posted) AS BIGINT)
        FROM (SELECT account, balance, 0 AS posted FROM book_balances
            UNION ALL SELECT account, 0, amount FROM postings) both_sides
        GROUP BY account HAVING SUM(balance) <> SUM(posted)",
    ),
    (
        "account_credited",
        "total, postings other than generations'",
        totals_and_postings!(
            "'credits:' || account AS account, credited AS total, 0 AS posted FROM account_totals",
            "p.amount",
            "e.kind NOT IN ('generation', 'correction') AND p.account LIKE 'credits:%'"
        ),
    ),
    (
        "account_charged",
        "total, postings of generations and corrections",
        totals_and_postings!(
            "'credits:' || account AS account, charged AS total, 0 AS posted FROM account_totals
            UNION ALL SELECT 'usage:' || account, metered, 0 FROM account_totals",
            "-p.amount",
            "e.kind IN ('generation', 'correction') AND (p.account LIKE 'credits:%' OR p.account LIKE 'usage:%')"
        ),
    ),
    (
        "credit_day",
        "sum of the day, postings of its generations",
        "SELECT account || ' ' || CAST(day AS TEXT), CAST(SUM(amount) AS BIGINT), CAST(SUM(posted) AS BIGINT)
        FROM (SELECT account, day, calls, amount, 0 AS counted, 0 AS posted FROM credit_days
            UNION ALL SELECT SUBSTR(p.account, 9), e.at / 86400000000, 0, 0, 1, p.amount
            FROM postings p JOIN entries e ON e.id = p.entry
            WHERE p.account LIKE 'credits:%' AND e.kind = 'generation') both_sides
        GROUP BY account, day HAVING SUM(amount) <> SUM(posted) OR SUM(calls) <> SUM(counted)",
    ),
    (
        "byok_credited",
        "total, postings other than generations'",
        totals_and_postings!(
            "'byok:' || account AS account, credited AS total, 0 AS posted FROM byok_totals",
            "p.amount",
            "e.kind NOT IN ('generation', 'correction') AND p.account LIKE 'byok:%'"
        ),
    ),
    (
        "byok_charged",
        "total, postings of generations and corrections",
        totals_and_postings!(
            "'byok:' || account AS account, charged AS total, 0 AS posted FROM byok_totals",
            "-p.amount",
            "e.kind IN ('generation', 'correction') AND p.account LIKE 'byok:%'"
        ),
    ),
    (
        "byok_corrected",
        "corrected of the total, corrections",
        totals_and_postings!(
            "'byok:' || account AS account, corrected AS total, 0 AS posted FROM byok_totals",
            "-p.amount",
            "e.kind = 'correction' AND p.account LIKE 'byok:%'"
        ),
    ),
    (
        "key_spent",
        "total, charged by generations and corrections",
        "SELECT api_key, CAST(SUM(total) AS BIGINT), CAST(SUM(charged) AS BIGINT)
        FROM (SELECT api_key, spent AS total, 0 AS charged FROM key_totals
            UNION ALL SELECT api_key, 0, charged FROM generations
            UNION ALL SELECT g.api_key, 0, c.charged FROM corrections c JOIN generations g ON g.id = c.generation) both_sides
        GROUP BY api_key HAVING SUM(total) <> SUM(charged)",
    ),
    (
        "key_corrected",
        "total, corrections",
        "SELECT api_key, CAST(SUM(total) AS BIGINT), CAST(SUM(charged) AS BIGINT)
        FROM (SELECT api_key, corrected AS total, 0 AS charged FROM key_totals
            UNION ALL SELECT g.api_key, 0, c.charged FROM corrections c JOIN generations g ON g.id = c.generation) both_sides
        GROUP BY api_key HAVING SUM(total) <> SUM(charged)",
    ),
    (
        "account_corrected",
        "total, corrections",
        totals_and_postings!(
            "'credits:' || account AS account, charged_corrected AS total, 0 AS posted FROM account_totals
            UNION ALL SELECT 'usage:' || account, metered_corrected, 0 FROM account_totals",
            "-p.amount",
            "e.kind = 'correction' AND (p.account LIKE 'credits:%' OR p.account LIKE 'usage:%')"
        ),
    ),
    (
        "total_from_the_future",
        "number of the change, newest number",
        "SELECT t.subject, t.changed_seq, n.value
        FROM (SELECT account AS subject, changed_seq FROM account_totals
            UNION ALL SELECT api_key, changed_seq FROM key_totals) t, change_counters n
        WHERE n.name = 'totals' AND (t.changed_seq > n.value OR t.changed_seq < 1)",
    ),
    (
        "entry_without_generation",
        "at, 0",
        "SELECT e.id, e.at, CAST(0 AS BIGINT) FROM entries e LEFT JOIN generations g ON g.id = SUBSTR(e.id, 5)
        WHERE e.kind = 'generation' AND g.id IS NULL",
    ),
    (
        "correction_without_entry",
        "cost, charged",
        "SELECT c.entry, c.cost, c.charged FROM corrections c
        LEFT JOIN entries e ON e.id = c.entry AND e.kind = 'correction'
        LEFT JOIN generations g ON g.id = c.generation WHERE e.id IS NULL OR g.id IS NULL",
    ),
    (
        "entry_without_correction",
        "at, 0",
        "SELECT e.id, e.at, CAST(0 AS BIGINT) FROM entries e LEFT JOIN corrections c ON c.entry = e.id
        WHERE e.kind = 'correction' AND c.entry IS NULL",
    ),
    (
        "price_version_first_used",
        "stored, first request",
        "SELECT p.id, p.first_used, COALESCE(MIN(u.created), 0)
        FROM price_versions p LEFT JOIN (SELECT price_version, created FROM generations
            UNION ALL SELECT c.price_version, g.created FROM corrections c JOIN generations g ON g.id = c.generation) u
            ON u.price_version = p.id
        WHERE NOT EXISTS (SELECT 1 FROM refused_generations)
        GROUP BY p.id, p.first_used HAVING p.first_used <> COALESCE(MIN(u.created), 0)",
    ),
    (
        "record_emptied",
        "emptied, 0",
        "SELECT g.id, g.erased, CAST(0 AS BIGINT) FROM generations g LEFT JOIN accounts a ON a.id = g.account
        WHERE g.erased <> 0 AND (g.erased <> 1 OR a.erased IS NULL)",
    ),
    ("digests_unfinished", "state, 1", "SELECT name, number, CAST(1 AS BIGINT) FROM books_state WHERE name = 'digests' AND number <> 1"),
    ("traffic_unfinished", "state, 1", "SELECT name, number, CAST(1 AS BIGINT) FROM books_state WHERE name = 'traffic' AND number <> 1"),
    ("insight_unfinished", "state, 1", "SELECT name, number, CAST(1 AS BIGINT) FROM books_state WHERE name = 'insight' AND number <> 1"),
    ("refused_generation", "1, 0", "SELECT id || ': ' || reason, CAST(1 AS BIGINT), CAST(0 AS BIGINT) FROM refused_generations"),
];
