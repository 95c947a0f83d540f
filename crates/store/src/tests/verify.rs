use super::*;

both! {
    async fn every_kind_of_damage_is_found(store) {
        owner(&store).await;
        grant(&store, "g1", 10_000_000).await.unwrap();
        fold(&store, "s1", 0, 10, &records(0..1)).await.unwrap();
        let named = records(1..3).into_iter().map(|r| GenerationRecord { price_sheet: Arc::default(), ..r });
        fold(&store, "s1", 10, 20, &named.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(store.verify().await.unwrap().problems, []);
        let id = record(1).id;
        let entry = format!("gen:{id}");
        // Damage, how it is undone, which checks find it.
        let cases: [(&str, &str, &[&str]); 8] = [
            (
                "UPDATE postings SET amount = -amount WHERE entry = $1 AND line = 0",
                "UPDATE postings SET amount = -amount WHERE entry = $1 AND line = 0",
                &["entry_sum", "books_sum", "book_balance", "account_charged", "credit_day", "chain", "generation_entry"],
            ),
            (
                "UPDATE postings SET account = 'usage:acct_owner' WHERE entry = $1 AND line = 0",
                "UPDATE postings SET account = 'credits:acct_owner' WHERE entry = $1 AND line = 0",
                &["book_balance", "book_balance", "account_charged", "account_charged", "credit_day", "chain", "generation_entry"],
            ),
            (
                "UPDATE account_totals SET credited = credited + 1 WHERE $1 <> ''",
                "UPDATE account_totals SET credited = credited - 1 WHERE $1 <> ''",
                &["account_credited"],
            ),
            (
                "UPDATE account_totals SET charged = charged + 1 WHERE $1 <> ''",
                "UPDATE account_totals SET charged = charged - 1 WHERE $1 <> ''",
                &["account_charged"],
            ),
            (
                "UPDATE key_totals SET spent = spent - 1 WHERE $1 <> ''",
                "UPDATE key_totals SET spent = spent + 1 WHERE $1 <> ''",
                &["key_spent"],
            ),
            (
                "UPDATE activity_days SET requests = requests + 1 WHERE $1 <> ''",
                "UPDATE activity_days SET requests = requests - 1 WHERE $1 <> ''",
                &["activity"],
            ),
            (
                "UPDATE generations SET cost = cost + 1 WHERE 'gen:' || id = $1",
                "UPDATE generations SET cost = cost - 1 WHERE 'gen:' || id = $1",
                &["generation_columns"],
            ),
            (
                "UPDATE price_versions SET sheet = REPLACE(sheet, '150000000', '150001000') WHERE $1 <> ''",
                "UPDATE price_versions SET sheet = REPLACE(sheet, '150001000', '150000000') WHERE $1 <> ''",
                &["generation_digest", "cost", "generation_digest", "cost", "price_version"],
            ),
        ];
        for (damage, repair, expected) in cases {
            assert!(tamper(&store, damage, &[entry.as_str().into()]).await > 0, "{damage}");
            let problems = store.verify().await.unwrap().problems;
            let found: Vec<&str> = problems.iter().map(|problem| problem.check).collect();
            assert_eq!(found, expected, "{damage}: {problems:?}");
            tamper(&store, repair, &[entry.as_str().into()]).await;
        }
        assert_eq!(store.verify().await.unwrap().problems, []);
        tamper(&store, "DELETE FROM postings WHERE entry = $1", &[entry.as_str().into()]).await;
        let found = store.verify().await.unwrap().problems;
        assert!(found.iter().any(|problem| problem.check == "entry_sum" && problem.subject == entry), "{found:?}");
        assert!(found.iter().any(|problem| problem.check == "generation_entry"), "{found:?}");
    }
}
