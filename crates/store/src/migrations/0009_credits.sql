-- Payments, vouchers, invoices. Money: BIGINT nano-dollars. An order is stored before its processor hears of it.
CREATE TABLE payment_orders (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    processor TEXT NOT NULL,
    kind TEXT NOT NULL,
    balance TEXT NOT NULL,
    currency TEXT NOT NULL,
    total BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    credited BIGINT NOT NULL,
    percent BIGINT NOT NULL,
    refund_fees BOOLEAN NOT NULL,
    saves_method BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    session TEXT,
    payment TEXT,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    paid BIGINT,
    -- What went back of it in all, as the processor says, and how much of that is booked.
    refunded BIGINT NOT NULL,
    disputed BIGINT NOT NULL,
    booked_back BIGINT NOT NULL,
    -- Credit that waits in clearing for a refund that the processor was asked for.
    set_aside BIGINT NOT NULL,
    steps BIGINT NOT NULL
);
CREATE INDEX payment_orders_by_account ON payment_orders (account, created);
CREATE UNIQUE INDEX payment_orders_by_session ON payment_orders (processor, session);
CREATE UNIQUE INDEX payment_orders_by_payment ON payment_orders (processor, payment);

-- Every event of a processor, once, with what became of it.
CREATE TABLE payment_events (
    processor TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    received BIGINT NOT NULL,
    order_id TEXT,
    outcome TEXT NOT NULL,
    PRIMARY KEY (processor, id)
);

CREATE TABLE payment_disputes (
    processor TEXT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES payment_orders (id),
    amount BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (processor, id)
);
CREATE INDEX payment_disputes_by_order ON payment_disputes (order_id);

CREATE TABLE auto_top_ups (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    enabled BOOLEAN NOT NULL,
    threshold BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    month_max BIGINT NOT NULL,
    customer TEXT,
    saved_by TEXT,
    method TEXT,
    in_flight TEXT,
    why_off TEXT,
    changed BIGINT NOT NULL
);

CREATE TABLE vouchers (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    batch TEXT NOT NULL,
    amount BIGINT NOT NULL,
    per_account BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT,
    redeemed BIGINT,
    redeemed_by TEXT
);
CREATE INDEX vouchers_by_batch ON vouchers (batch);
-- The n-th voucher of a batch that an account redeemed: the key decides between two at once.
CREATE TABLE voucher_uses (
    batch TEXT NOT NULL,
    account TEXT NOT NULL,
    nth BIGINT NOT NULL,
    voucher TEXT NOT NULL,
    PRIMARY KEY (batch, account, nth)
);

CREATE TABLE billing_details (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    body TEXT NOT NULL,
    changed BIGINT NOT NULL
);

-- The last number of a series and year. The writer keeps the row locked until it commits, so no number is lost.
CREATE TABLE invoice_counters (
    series TEXT NOT NULL,
    year BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (series, year)
);
-- Never changed once written.
CREATE TABLE invoices (
    id TEXT PRIMARY KEY,
    series TEXT NOT NULL,
    year BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    account TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES payment_orders (id),
    corrects TEXT,
    issued BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    total BIGINT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (series, year, seq)
);
CREATE INDEX invoices_by_account ON invoices (account, issued);
