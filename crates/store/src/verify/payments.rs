//! What can be checked of payments, invoices and vouchers by one statement.

/// As in `verify.rs`: name, what the two numbers are, statement that returns subject and two numbers for each failure.
pub(super) const CHECKS: &[(&str, &str, &str)] = &[
    (
        "order_top_up",
        "paid, posted",
        "SELECT o.id, o.total, COALESCE(-p.amount, 0) FROM payment_orders o
        LEFT JOIN postings p ON p.entry = 'topup:' || o.id AND p.account = 'processor:' || o.processor
        WHERE (o.status = 'paid' AND COALESCE(-p.amount, 0) <> o.total) OR (o.status <> 'paid' AND p.amount IS NOT NULL)",
    ),
    (
        "order_credited",
        "credited, posted",
        "SELECT o.id, o.credited, COALESCE(p.amount, 0) FROM payment_orders o
        LEFT JOIN postings p ON p.entry = 'topup:' || o.id AND p.account = o.balance || ':' || o.account
        WHERE o.status = 'paid' AND COALESCE(p.amount, 0) <> o.credited",
    ),
    (
        "order_amounts",
        "credited and fee, total",
        "SELECT id, credited + fee, total FROM payment_orders WHERE credited + fee <> total",
    ),
    (
        "order_back",
        "refunded and disputed, booked back",
        "SELECT id, refunded + disputed, booked_back FROM payment_orders
        WHERE status = 'paid' AND refunded + disputed <> booked_back",
    ),
    (
        "order_disputed",
        "disputed, disputes that are not won",
        "SELECT o.id, o.disputed, CAST(COALESCE(SUM(d.amount), 0) AS BIGINT) FROM payment_orders o
        LEFT JOIN payment_disputes d ON d.order_id = o.id AND d.state <> 'won'
        GROUP BY o.id, o.disputed HAVING COALESCE(SUM(d.amount), 0) <> o.disputed",
    ),
    (
        "dispute_state",
        "amount, 0",
        "SELECT id, amount, CAST(0 AS BIGINT) FROM payment_disputes WHERE state NOT IN ('open', 'won', 'lost')",
    ),
    (
        "top_up_without_order",
        "at, 0",
        "SELECT e.id, e.at, CAST(0 AS BIGINT) FROM entries e LEFT JOIN payment_orders o ON e.id = 'topup:' || o.id
        WHERE e.kind = 'top_up' AND o.id IS NULL",
    ),
    (
        "order_returned",
        "went back, posted",
        "SELECT o.id, o.booked_back, CAST(COALESCE(SUM(r.amount), 0) AS BIGINT) FROM payment_orders o
        LEFT JOIN (SELECT entry, amount FROM postings WHERE entry LIKE 'return:%' AND account LIKE 'processor:%') r
            ON r.entry LIKE 'return:' || o.id || ':%'
        GROUP BY o.id, o.booked_back HAVING COALESCE(SUM(r.amount), 0) <> o.booked_back",
    ),
    (
        "refunds_set_aside",
        "orders, posted",
        "SELECT 'clearing', a.waiting, b.posted
        FROM (SELECT CAST(COALESCE(SUM(set_aside), 0) AS BIGINT) AS waiting FROM payment_orders) a,
            (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS posted FROM postings
                WHERE account = 'clearing' AND (entry LIKE 'aside:%' OR entry LIKE 'return:%')) b
        WHERE a.waiting <> b.posted",
    ),
    (
        "invoice_numbers",
        "last number, invoices",
        "SELECT i.series || '-' || CAST(i.year AS TEXT), MAX(i.seq), COUNT(*) FROM invoices i
        GROUP BY i.series, i.year HAVING MAX(i.seq) <> COUNT(*) OR MIN(i.seq) <> 1",
    ),
    (
        "invoice_amounts",
        "credit and fee, total",
        "SELECT id, credit + fee, total FROM invoices WHERE credit + fee <> total",
    ),
    (
        "invoice_id",
        "year, number",
        "SELECT id, year, seq FROM invoices WHERE id NOT LIKE series || '-' || CAST(year AS TEXT) || '-%' || CAST(seq AS TEXT)",
    ),
    (
        "order_invoice",
        "paid, invoiced",
        "SELECT o.id, o.total, COALESCE(i.total, 0) FROM payment_orders o
        LEFT JOIN invoices i ON i.order_id = o.id AND i.corrects IS NULL
            AND i.account = o.account AND i.credit = o.credited AND i.fee = o.fee AND i.issued = o.paid
        WHERE o.status = 'paid' AND COALESCE(i.total, 0) <> o.total",
    ),
    (
        "credit_note",
        "total, issued",
        "SELECT n.id, n.total, n.issued FROM invoices n
        LEFT JOIN invoices i ON i.id = n.corrects AND i.order_id = n.order_id AND i.account = n.account
        WHERE n.series = 'CN' AND i.id IS NULL",
    ),
    (
        "credit_notes",
        "notes, paid",
        "SELECT o.id, CAST(SUM(n.total) AS BIGINT), o.total FROM payment_orders o
        JOIN invoices n ON n.order_id = o.id AND n.corrects IS NOT NULL
        GROUP BY o.id, o.total HAVING SUM(n.total) > o.total",
    ),
    (
        "voucher_entry",
        "worth, credited",
        "SELECT v.id, v.amount, COALESCE(p.amount, 0) FROM vouchers v
        LEFT JOIN postings p ON p.entry = 'voucher:' || v.id AND p.account = 'credits:' || v.redeemed_by
        WHERE v.redeemed IS NOT NULL AND COALESCE(p.amount, 0) <> v.amount",
    ),
    (
        "voucher_not_redeemed",
        "at, 0",
        "SELECT e.id, e.at, CAST(0 AS BIGINT) FROM entries e
        LEFT JOIN vouchers v ON e.id = 'voucher:' || v.id AND v.redeemed = e.at
        WHERE e.id LIKE 'voucher:%' AND v.id IS NULL",
    ),
];
