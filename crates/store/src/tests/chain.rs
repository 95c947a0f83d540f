use super::fold::cut_off;
use super::*;
use crate::StoreError;

/// A database as it was before entries were chained: a generation, a free one, and a grant.
async fn before_the_chain(url: &str, count: u64) {
    let db = crate::dialect::open(url).await.unwrap();
    crate::migrate::run_below(&db, 8).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let sheet = serde_json::to_string(record(1).price_sheet.as_ref()).unwrap();
    let version = record(1).price_version;
    let sql =
        "INSERT INTO price_versions (id, endpoint, sheet, first_used) VALUES ($1, 'mistral/small', $2, $3)";
    tx.execute(sql, &[version.as_str().into(), sheet.into(), record(0).created.micros().into()])
        .await
        .unwrap();
    let mut day = crate::Sums::default();
    for n in 0..count {
        let record = record(n);
        let body = GenerationRecord { price_sheet: Arc::default(), ..record.clone() };
        let body = serde_json::to_string(&body).unwrap();
        let cost = record.cost.total.nanos();
        let sql = "INSERT INTO generations (id, created, account, api_key, model, provider, endpoint, status, mode, cost,
                provider_cost, charged, price_version, body)
            VALUES ($1, $2, 'acct_owner', 'key_a', 'mistralai/small', 'mistral', 'mistral/small', 'ok', 'prepaid', $3, $3, $3, $4, $5)";
        let id = record.id.to_string();
        let values = [
            id.as_str().into(),
            record.created.micros().into(),
            cost.into(),
            version.as_str().into(),
            body.into(),
        ];
        tx.execute(sql, &values).await.unwrap();
        let entry = format!("gen:{id}");
        let sql = "INSERT INTO entries (id, at, kind, reason) VALUES ($1, $2, 'generation', NULL)";
        tx.execute(sql, &[entry.as_str().into(), record.created.micros().into()]).await.unwrap();
        for (line, account, amount) in [(0, "credits:acct_owner", -cost), (1, "provider:mistral", cost)] {
            let sql = "INSERT INTO postings (entry, line, account, amount) VALUES ($1, $2, $3, $4)";
            let values = [entry.as_str().into(), Value::Int(line), account.into(), amount.into()];
            tx.execute(sql, &values).await.unwrap();
        }
        day.add(&crate::Figures::of(&record, &record.price_sheet).sums);
    }
    // Without the columns that came later.
    let sums: Vec<String> = day.numbers().take(18).map(|sum| sum.to_string()).collect();
    let sql = format!(
        "INSERT INTO activity_days (account, day, api_key, model, provider, requests, failed, input, cache_read, cache_write,
            cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output, searches, images,
            audio_seconds, characters, cost, charged)
        VALUES ('acct_owner', {}, 'key_a', 'mistralai/small', 'mistral', {})",
        NOW.day(),
        sums.join(", ")
    );
    tx.execute(sql.leak(), &[]).await.unwrap();
    let total: i64 = records(0..count).iter().map(|record| record.cost.total.nanos()).sum();
    for (account, balance) in [("credits:acct_owner", -total), ("provider:mistral", total)] {
        let sql = "INSERT INTO book_balances (account, balance) VALUES ($1, $2)";
        tx.execute(sql, &[account.into(), balance.into()]).await.unwrap();
    }
    for sql in [
        "INSERT INTO account_totals (account, credited, charged, metered, changed_seq) VALUES ('acct_owner', 0, $1, 0, 1)",
        "INSERT INTO key_totals (api_key, spent, changed_seq) VALUES ('key_a', $1, 1)",
    ] {
        tx.execute(sql, &[total.into()]).await.unwrap();
    }
    tx.execute("UPDATE change_counters SET value = 1 WHERE name = 'totals'", &[]).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

/// The next empty database beside the one that a test was given.
pub(super) async fn emptied(store: &Store, url: &str) -> String {
    match store.backend() {
        crate::Backend::Sqlite => url.replace("tollway.db", "older.db"),
        crate::Backend::Postgres => {
            let mut tx = store.db.write().await.unwrap();
            let tables: Vec<(String,)> = tx
                .fetch(
                    "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()",
                    &[],
                )
                .await
                .unwrap();
            for (table,) in tables {
                let sql: &'static str = format!("DROP TABLE {table} CASCADE").leak();
                tx.execute(sql, &[]).await.unwrap();
            }
            tx.commit().await.unwrap();
            url.to_owned()
        }
    }
}

both! {
    async fn what_was_booked_before_is_chained_when_the_store_is_opened(store, url) {
        let url = emptied(&store, &url).await;
        before_the_chain(&url, 3).await;
        let early = Store::open_to_read(&url).await.err().unwrap();
        assert!(matches!(early, StoreError::Unsupported(_)), "{early}");
        let store = Store::open(&url).await.unwrap();
        let report = store.verify().await.unwrap();
        assert_eq!((report.problems, report.entries, report.generations), (vec![], 3, 3));
        owner(&store).await;
        let day = |n: i64| Timestamp((NOW.day() + n) * 86_400_000_000);
        let statement = store.statement(&AccountId::new("acct_owner"), day(-1), day(2)).await.unwrap();
        assert_eq!(statement.movements.iter().map(|m| m.calls).sum::<i64>(), 3, "{statement:?}");
        grant(&store, "g1", 500).await.unwrap();
        fold(&store, "s1", 0, 10, &records(2..6)).await.unwrap();
        let report = store.verify().await.unwrap();
        assert_eq!((report.problems, report.entries), (vec![], 7));
        assert!(report.head.starts_with("7:"), "{}", report.head);
        // What is changed now is found, old or new.
        tamper(&store, "UPDATE entries SET at = at + 1 WHERE seq = 2", &[]).await;
        let found = store.verify().await.unwrap().problems;
        assert!(found.iter().any(|p| p.check == "chain" && p.subject.starts_with("entry 2, gen:")), "{found:?}");
        assert_eq!(found.iter().filter(|p| p.check == "chain").count(), 1, "{found:?}");
        store.close().await;
    }

    async fn chaining_goes_on_where_it_was_cut_off(store, url) {
        let url = emptied(&store, &url).await;
        // More than two steps.
        before_the_chain(&url, 1_100).await;
        let mut cuts = 0;
        for polls in (1..).map(|n| n * 7) {
            match cut_off(Store::open(&url), polls).await {
                None => cuts += 1,
                Some(store) => {
                    let report = store.unwrap().verify().await.unwrap();
                    assert_eq!((report.problems, report.entries), (vec![], 1_100));
                    break;
                }
            }
        }
        assert!(cuts > 3, "it was cut off {cuts} times");
    }

    async fn a_copy_is_read_without_being_changed(store, url) {
        owner(&store).await;
        grant(&store, "g1", 500).await.unwrap();
        fold(&store, "s1", 0, 10, &records(0..3)).await.unwrap();
        store.close().await;
        let file = url.strip_prefix("sqlite:").map(std::path::PathBuf::from);
        let before = file.as_ref().map(|file| std::fs::read(file).unwrap());
        let copy = Store::open_to_read(&url).await.unwrap();
        assert_eq!(copy.verify().await.unwrap().problems, []);
        if let (Some(file), Some(before)) = (file, before) {
            assert!(grant(&copy, "g2", 5).await.is_err(), "it is open to read");
            copy.close().await;
            assert_eq!(std::fs::read(file).unwrap(), before);
        }
        let none = Store::open_to_read("sqlite:/nowhere/at/all.db").await.err().unwrap();
        assert!(matches!(none, StoreError::Unsupported(_)), "{none}");
    }

    async fn a_record_that_names_its_prices_is_billed_by_the_stored_ones(store) {
        let first = record(1);
        fold(&store, "s1", 0, 10, std::slice::from_ref(&first)).await.unwrap();
        // What a scan gives that begins behind the sheet.
        let named = GenerationRecord { price_sheet: Arc::default(), ..record(2) };
        fold(&store, "s1", 10, 20, std::slice::from_ref(&named)).await.unwrap();
        assert_eq!(store.generation(&named.id, &account("owner")).await.unwrap(), record(2));
        // What a scan gives that has passed it: the body names it, the record has it.
        let whole = record(3);
        let body = serde_json::to_string(&GenerationRecord { price_sheet: Arc::default(), ..whole.clone() }).unwrap();
        let passed = Logged { record: whole.clone(), body: body.clone().into(), has_own_sheet: false };
        store.fold("s1", 20, 30, &[passed]).await.unwrap();
        assert_eq!(store.generation(&whole.id, &account("owner")).await.unwrap(), whole);
        let stored: Vec<(String,)> =
            store.db.fetch("SELECT body FROM generations WHERE id = $1", &[whole.id.as_str().into()]).await.unwrap();
        assert_eq!(stored[0].0, body, "the journal's text, byte for byte");
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn prices_that_are_nowhere_are_never_guessed(store) {
        let lost = GenerationRecord {
            price_sheet: Arc::default(),
            price_version: "pv-ffffffffffffffff".to_owned(),
            ..record(1)
        };
        let done = fold(&store, "s1", 0, 10, &[lost.clone(), record(2)]).await.unwrap();
        assert_eq!((done.inserted, done.refused.len()), (1, 1));
        assert!(done.refused[0].1.contains("pv-ffffffffffffffff"), "{:?}", done.refused);
        let missing = store.generation(&lost.id, &account("owner")).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))));
        let checks: Vec<_> = store.verify().await.unwrap().problems.iter().map(|problem| problem.check).collect();
        assert_eq!(checks, ["refused_generation"]);
    }

    async fn a_sheet_that_came_with_a_refused_record_is_known_later(store) {
        let refused = GenerationRecord { charged: nanos(i64::MAX), ..record(1) };
        fold(&store, "s1", 0, 10, std::slice::from_ref(&refused)).await.unwrap();
        let named = GenerationRecord { price_sheet: Arc::default(), ..record(2) };
        let done = fold(&store, "s1", 10, 20, &[named]).await.unwrap();
        assert_eq!((done.inserted, done.refused), (1, vec![]));
        assert_eq!(store.generation(&record(2).id, &account("owner")).await.unwrap(), record(2));
    }
}
