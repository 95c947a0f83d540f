//! Whoever changes one byte of the books is found, whichever column it is in.

use super::*;
use crate::{PriceVersion, Problem, Rerate};

pub(super) enum Kind {
    Text,
    Number,
}
use Kind::{Number, Text};

pub(super) struct Table {
    pub(super) name: &'static str,
    /// The column that names a row, and whether its rows are named by it in reports.
    pub(super) key: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(super::tampered::TABLES)
}

/// Everything that holds money. `changed_seq` of the totals is left out: it is no statement about money, only where pollers
/// go on.
const TABLES: &[Table] = &[
    Table {
        name: "entries",
        key: "id",
        columns: &[
            ("seq", Number),
            ("id", Text),
            ("at", Number),
            ("kind", Text),
            ("reason", Text),
            ("hash", Text),
        ],
    },
    Table {
        name: "postings",
        key: "entry",
        columns: &[("entry", Text), ("line", Number), ("account", Text), ("amount", Number)],
    },
    Table { name: "book_balances", key: "account", columns: &[("account", Text), ("balance", Number)] },
    Table {
        name: "credit_days",
        key: "account",
        columns: &[("account", Text), ("day", Number), ("calls", Number), ("amount", Number)],
    },
    Table {
        name: "generations",
        key: "id",
        columns: &[
            ("id", Text),
            ("created", Number),
            ("account", Text),
            ("api_key", Text),
            ("model", Text),
            ("provider", Text),
            ("endpoint", Text),
            ("status", Text),
            ("mode", Text),
            ("cost", Number),
            ("provider_cost", Number),
            ("charged", Number),
            ("price_version", Text),
            ("body", Text),
            ("digest", Text),
            ("erased", Number),
        ],
    },
    Table {
        name: "price_versions",
        key: "id",
        columns: &[("id", Text), ("endpoint", Text), ("sheet", Text), ("first_used", Number)],
    },
    Table {
        name: "account_totals",
        key: "account",
        columns: &[
            ("account", Text),
            ("credited", Number),
            ("charged", Number),
            ("metered", Number),
            ("charged_corrected", Number),
            ("metered_corrected", Number),
        ],
    },
    Table {
        name: "key_totals",
        key: "api_key",
        columns: &[("api_key", Text), ("spent", Number), ("corrected", Number)],
    },
    Table {
        name: "corrections",
        key: "entry",
        columns: &[
            ("entry", Text),
            ("generation", Text),
            ("price_version", Text),
            ("cost", Number),
            ("charged", Number),
            ("provider_cost", Number),
        ],
    },
    Table {
        name: "byok_totals",
        key: "account",
        columns: &[("account", Text), ("credited", Number), ("charged", Number), ("corrected", Number)],
    },
    Table {
        name: "byok_usage",
        key: "byok_key",
        columns: &[
            ("api_key", Text),
            ("byok_key", Text),
            ("account", Text),
            ("requests", Number),
            ("usage", Number),
            ("fees", Number),
        ],
    },
    Table {
        name: "spend_days",
        key: "subject",
        columns: &[("account", Text), ("subject", Text), ("day", Number), ("charged", Number)],
    },
];

/// What payments, invoices and vouchers say of money. What else their rows hold (the processor's ids, who asked) is no statement
/// about money, and references to other rows the database keeps.
const PAYMENTS: &[(Table, &[&str])] = &[
    (
        Table {
            name: "payment_orders",
            key: "id",
            columns: &[
                ("processor", Text),
                ("balance", Text),
                ("status", Text),
                ("total", Number),
                ("fee", Number),
                ("credited", Number),
                ("paid", Number),
                ("refunded", Number),
                ("disputed", Number),
                ("booked_back", Number),
                ("set_aside", Number),
            ],
        },
        &["o1"],
    ),
    (
        Table { name: "payment_disputes", key: "id", columns: &[("amount", Number), ("state", Text)] },
        &["dp_1"],
    ),
    (
        Table {
            name: "invoices",
            key: "id",
            columns: &[
                ("id", Text),
                ("series", Text),
                ("account", Text),
                ("corrects", Text),
                ("year", Number),
                ("seq", Number),
                ("credit", Number),
                ("fee", Number),
                ("total", Number),
            ],
        },
        &["INV-2026-000001", "CN-2026-000001"],
    ),
    (
        Table {
            name: "vouchers",
            key: "id",
            columns: &[("redeemed_by", Text), ("amount", Number), ("redeemed", Number)],
        },
        &["v1"],
    ),
];

/// By what else a report may name a row of this table.
fn also_named(table: &str) -> &'static [&'static str] {
    match table {
        "payment_orders" => &["clearing"],
        "payment_disputes" => &["o1"],
        "invoices" => &["o1", "INV-2026", "CN-2026"],
        "vouchers" => &["voucher:v1"],
        _ => &[],
    }
}

async fn problems(store: &Store) -> Vec<Problem> {
    store.verify().await.unwrap().problems
}

async fn run(store: &Store, sql: String, values: &[Value<'_>]) {
    assert_eq!(tamper(store, sql.leak(), values).await, 1);
}

/// One bit of the first, the middle or the last byte.
fn flips(text: &str) -> Vec<String> {
    let places = [0, text.len() / 2, text.len().saturating_sub(1)];
    let flip = |at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        // The JSON of bodies has quotes that would turn into `#`: any change must do.
        bytes[at] ^= 1;
        String::from_utf8(bytes).unwrap()
    };
    if text.is_empty() { vec!["x".to_owned()] } else { places.map(flip).to_vec() }
}

/// Something is wrong, and it says where.
async fn found(store: &Store, what: &str, names: &[&str]) {
    let problems = problems(store).await;
    let told = problems.iter().map(|p| format!("{} {} {}", p.check, p.subject, p.detail)).collect::<Vec<_>>();
    let is_named = told.iter().any(|line| names.iter().any(|name| line.contains(name)));
    assert!(is_named, "{what}: {names:?} is not among {told:?}");
}

async fn flip_text(store: &Store, table: &Table, column: &str, key: &str) {
    let at = format!("FROM {} WHERE {} = $1", table.name, table.key);
    let sql = format!("SELECT COALESCE({column}, '') {at} ORDER BY 1 LIMIT 1").leak();
    let old: Vec<(String,)> = store.db.fetch(sql, &[key.into()]).await.unwrap();
    let old = old[0].0.as_str();
    for new in flips(old) {
        let is_key = column == table.key;
        let only = if table.name == "postings" { " AND line = 0" } else { "" };
        let sql = format!("UPDATE {} SET {column} = $2 WHERE {} = $1{only}", table.name, table.key);
        run(store, sql.clone(), &[key.into(), new.as_str().into()]).await;
        let what = format!("{}.{column}: {old} -> {new}", table.name);
        let names = [also_named(table.name), &[key, &new]].concat();
        found(store, &what, &names).await;
        let back = if is_key { new.as_str() } else { key };
        let old = if matches!(column, "reason" | "corrects") && old.is_empty() {
            Value::OptText(None)
        } else {
            old.into()
        };
        run(store, sql, &[back.into(), old]).await;
    }
}

async fn flip_number(store: &Store, table: &Table, column: &str, key: &str) {
    for bit in [0, 9, 40] {
        let only = |line: i64| match table.name {
            "postings" => format!(" AND line = {line}"),
            _ => String::new(),
        };
        let at = |line| format!("{} WHERE {} = $1{}", table.name, table.key, only(line));
        let sql = format!("SELECT {column} FROM {}", at(0)).leak();
        let old: Vec<(i64,)> = store.db.fetch(sql, &[key.into()]).await.unwrap();
        let (old, new) = (old[0].0, old[0].0 ^ (1 << bit));
        // A posting of zero, and a number that another has, the database itself refuses.
        if column == "amount" && new == 0 || matches!(column, "line" | "seq") && bit == 0 {
            continue;
        }
        let update =
            |line| format!("UPDATE {} SET {column} = $2 WHERE {} = $1{}", table.name, table.key, only(line));
        run(store, update(0), &[key.into(), new.into()]).await;
        found(
            store,
            &format!("{}.{column}: {old} -> {new}", table.name),
            &[also_named(table.name), &[key]].concat(),
        )
        .await;
        run(store, update(if column == "line" { new } else { 0 }), &[key.into(), old.into()]).await;
    }
}

/// Two generations, one of them free, one corrected, and a grant.
async fn books(store: &Store) -> Vec<(&'static str, String)> {
    owner(store).await;
    grant(store, "grant:one", 10_000_000).await.unwrap();
    let mut free = record(2);
    (free.usage, free.cost) = (Usage::default(), types::Cost::default());
    (free.charged, free.provider_cost) = (Money::ZERO, Money::ZERO);
    free.key = KeyId::new("key_b");
    let attempt = ledger::Attempt {
        endpoint: "mistral/small".to_owned(),
        outcome: "ok".to_owned(),
        ..ledger::Attempt::default()
    };
    let counted = vec!["project:web".to_owned()];
    let paid = GenerationRecord { counted, attempts: vec![attempt], ..record(1) };
    let granted = ledger::grant_byok(account("owner"), Money::from_nanos(1_000_000), EntryId::new("b1"), NOW);
    store.credit_byok(&granted.unwrap(), None).await.unwrap();
    let own = super::byok::fee_record(3, BillingMode::Prepaid, ledger::FeeFrom::Byok);
    fold(store, "s1", 0, 10, &[paid, free, own]).await.unwrap();
    let sheet = PriceSheet::flat([
        (PriceKind::Input, Rate::parse_per_million("0.10").unwrap()),
        (PriceKind::Output, Rate::parse_per_million("0.60").unwrap()),
    ]);
    let id = types::price_version("mistral/small", &serde_json::to_string(&sheet).unwrap());
    let new = PriceVersion { id: id.clone(), endpoint: "mistral/small".to_owned(), sheet: Arc::new(sheet) };
    let old = record(1).price_version;
    let how = Rerate { old: &old, new: &new, since: Timestamp(0), collect: false, apply: Some(NOW) };
    assert_eq!(store.rerate(&how, None).await.unwrap().changed.len(), 2);
    assert_eq!(problems(store).await, []);
    let generation = record(1).id.to_string();
    let entry = format!("gen:{generation}");
    let correction = format!("fix:{generation}:1");
    vec![
        ("entries", "grant:one".to_owned()),
        ("entries", entry.clone()),
        ("entries", correction.clone()),
        ("postings", entry),
        ("postings", correction.clone()),
        ("book_balances", "credits:acct_owner".to_owned()),
        ("credit_days", "acct_owner".to_owned()),
        ("generations", generation),
        ("generations", record(2).id.to_string()),
        ("price_versions", old),
        ("price_versions", id),
        ("account_totals", "acct_owner".to_owned()),
        ("key_totals", "key_a".to_owned()),
        ("corrections", correction),
        ("activity_days", "key_a".to_owned()),
        ("activity_days", "key_b".to_owned()),
        ("activity_hours", "key_a".to_owned()),
        ("activity_hours", "key_b".to_owned()),
        ("facet_hours", "web".to_owned()),
        ("traffic_days", "key_b".to_owned()),
        ("endpoint_hours", "mistral/small".to_owned()),
        ("generation_log", record(2).id.to_string()),
        ("spend_days", "project:web".to_owned()),
        ("byok_totals", "acct_owner".to_owned()),
        ("byok_usage", "byok_1".to_owned()),
    ]
}

both! {
    async fn one_changed_bit_in_any_column_is_found_and_named(store) {
        for (name, key) in books(&store).await {
            let table = tables().find(|table| table.name == name).unwrap();
            for (column, kind) in table.columns {
                match kind {
                    Text => flip_text(&store, table, column, &key).await,
                    Number => flip_number(&store, table, column, &key).await,
                }
            }
        }
        assert_eq!(problems(&store).await, [], "everything was put back");
    }

    async fn one_changed_bit_of_a_payment_is_found_and_named(store) {
        super::payments::paid_and_partly_back(&store).await;
        assert_eq!(problems(&store).await, []);
        for (table, keys) in PAYMENTS {
            for (key, (column, kind)) in keys.iter().flat_map(|key| table.columns.iter().map(move |column| (key, column))) {
                match kind {
                    Text => flip_text(&store, table, column, key).await,
                    Number => flip_number(&store, table, column, key).await,
                }
            }
        }
        assert_eq!(problems(&store).await, [], "everything was put back");
    }

    async fn every_column_of_the_money_tables_is_tried(store) {
        for table in tables() {
            let columns = match store.backend() {
                crate::Backend::Sqlite => "SELECT name FROM pragma_table_info($1)",
                crate::Backend::Postgres => "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                    WHERE table_name = $1 AND table_schema = current_schema()",
            };
            let columns: Vec<(String,)> = store.db.fetch(columns, &[table.name.into()]).await.unwrap();
            assert!(!columns.is_empty(), "{}", table.name);
            for (column,) in columns.iter().filter(|(column,)| column != "changed_seq") {
                let is_tried = table.columns.iter().any(|(tried, _)| tried == column);
                assert!(is_tried, "{}.{column} is not tried", table.name);
            }
        }
    }

    async fn the_head_and_what_was_noted_elsewhere_are_checked(store) {
        books(&store).await;
        let head = store.verify().await.unwrap().head;
        let noted: crate::Noted = head.parse().unwrap();
        assert_eq!(store.verify_with(Some(&noted), &mut |_, _| ()).await.unwrap().problems, []);
        for sql in [
            "UPDATE books_state SET number = number - 1 WHERE name = 'chain'",
            "UPDATE books_state SET text = REPLACE(text, 'a', 'b') WHERE name = 'chain'",
        ] {
            let undo: Vec<(i64, String)> =
                store.db.fetch("SELECT number, text FROM books_state WHERE name = 'chain'", &[]).await.unwrap();
            tamper(&store, sql, &[]).await;
            found(&store, sql, &["chain_head"]).await;
            let (number, text) = undo[0].clone();
            let sql = "UPDATE books_state SET number = $1, text = $2 WHERE name = 'chain'";
            tamper(&store, sql, &[number.into(), text.into()]).await;
        }
        tamper(&store, "UPDATE books_state SET number = 0 WHERE name = 'digests'", &[]).await;
        found(&store, "digests", &["digests_unfinished"]).await;
        tamper(&store, "UPDATE books_state SET number = 1 WHERE name = 'digests'", &[]).await;

        // The two newest entries are taken off, and everything made to fit: only who noted it sees that.
        let taken = "UPDATE books_state SET number = number - 2,
            text = (SELECT hash FROM entries WHERE seq = number - 2) WHERE name = 'chain'";
        tamper(&store, taken, &[]).await;
        for sql in [
            "DELETE FROM postings WHERE entry LIKE 'fix:%'",
            "DELETE FROM corrections",
            "DELETE FROM entries WHERE kind = 'correction'",
        ] {
            tamper(&store, sql, &[]).await;
        }
        let report = store.verify_with(Some(&noted), &mut |_, _| ()).await.unwrap();
        let checks: Vec<_> = report.problems.iter().map(|problem| problem.check).collect();
        assert!(checks.contains(&"chain_noted") && !checks.contains(&"chain_head"), "{checks:?}");
    }

    async fn a_removed_and_an_exchanged_entry_are_found(store) {
        books(&store).await;
        tamper(&store, "UPDATE entries SET seq = 100 WHERE seq = 1", &[]).await;
        tamper(&store, "UPDATE entries SET seq = 1 WHERE seq = 2", &[]).await;
        tamper(&store, "UPDATE entries SET seq = 2 WHERE seq = 100", &[]).await;
        found(&store, "exchanged", &["chain entry 1, b1"]).await;
        tamper(&store, "DELETE FROM entries WHERE seq = 2", &[]).await;
        found(&store, "removed", &["chain_number entry 3"]).await;
    }
}
