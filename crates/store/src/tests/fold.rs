use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::{ActivityRow, Folded, StoreError};

fn folded(inserted: usize, duplicates: usize) -> Folded {
    Folded { inserted, duplicates, refused: Vec::new() }
}

/// Polls a call `polls` times and then drops it, as a crash would; `None` when it was dropped.
pub(super) async fn cut_off<T>(call: impl Future<Output = T>, mut polls: usize) -> Option<T> {
    let mut call = pin!(call);
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if polls <= 1 => Poll::Ready(None),
        Poll::Pending => {
            polls -= 1;
            Poll::Pending
        }
    })
    .await
}

both! {
    async fn folding_twice_is_folding_once(store) {
        owner(&store).await;
        grant(&store, "g1", 10_000_000).await.unwrap();
        let batch = records(0..10);
        assert_eq!(fold(&store, "s1", 0, 500, &batch).await.unwrap(), folded(10, 0));
        let error = fold(&store, "s1", 0, 500, &batch).await.unwrap_err();
        assert!(matches!(error, StoreError::Offset { from: 0, folded_to: 500, .. }), "{error}");
        assert_eq!(fold(&store, "s2", 0, 900, &records(5..12)).await.unwrap(), folded(2, 5));
        let twice: Vec<_> = records(20..22).into_iter().chain(records(20..22)).collect();
        assert_eq!(fold(&store, "s1", 500, 600, &twice).await.unwrap(), folded(2, 2));
        assert_eq!(store.segments().await.unwrap(), [("s1".to_owned(), 600), ("s2".to_owned(), 900)]);
        store.forget_segment("s2").await.unwrap();
        assert_eq!(store.segment_offset("s2").await.unwrap(), 0);

        let charged: Money = records(0..12).iter().chain(&records(20..22)).map(|record| record.charged).sum();
        let credits = store.credits(&account("owner")).await.unwrap();
        assert_eq!((credits.used, credits.balance), (charged, nanos(10_000_000 - charged.nanos())));
        assert_eq!(store.key_spent().await.unwrap(), [(KeyId::new("key_a"), charged)]);
        let report = store.verify().await.unwrap();
        assert_eq!((report.problems, report.entries, report.generations), (vec![], 15, 14));
    }

    async fn a_fold_that_is_cut_off_changes_all_or_nothing(store) {
        owner(&store).await;
        let (mut lost_answers, mut cut) = (0, 0);
        for n in 1u64..100 {
            let (segment, batch) = (format!("s{n}"), records(n * 3..n * 3 + 3));
            let polls = cut + 1;
            let done = cut_off(fold(&store, &segment, 0, 100, &batch), polls).await;
            // What a caller does after a crash. It also waits for a commit that is still on its way.
            match fold(&store, &segment, 0, 100, &batch).await {
                Ok(again) => assert_eq!((again, done.is_none()), (folded(3, 0), true), "after {polls} polls"),
                Err(StoreError::Offset { folded_to: 100, .. }) => lost_answers += u64::from(done.is_none()),
                Err(error) => panic!("after {polls} polls: {error}"),
            }
            let report = store.verify().await.unwrap();
            assert_eq!((report.problems, report.generations), (vec![], n * 3), "after {polls} polls");
            cut += usize::from(done.is_none());
            // A database that has answered before it was asked twice cuts nothing off: then once more.
            if done.is_some() && cut > 0 {
                eprintln!("{:?}: cut off at {cut} places, {lost_answers} after the commit", store.backend());
                break;
            }
        }
        assert!(cut > 0, "the call was never cut off");
    }

    async fn a_record_comes_back_as_it_was(store) {
        let mut odd = record(7);
        odd.user = Some("nul \0 and \u{1f600}".to_owned());
        odd.model = "nul\0model".to_owned();
        // Another sheet under the same version: the record keeps its own.
        odd.price_sheet = Arc::new(PriceSheet::flat([
            (PriceKind::Input, Rate::parse_per_million("0.3").unwrap()),
            (PriceKind::Output, Rate::FREE),
        ]));
        odd.cost = odd.price_sheet.cost(&odd.usage, odd.created).unwrap();
        (odd.charged, odd.provider_cost) = (odd.cost.total, odd.cost.total);
        fold(&store, "s1", 0, 10, &[record(1), odd.clone()]).await.unwrap();
        for expected in [record(1), odd] {
            assert_eq!(store.generation(&expected.id, &account("owner")).await.unwrap(), expected);
            let other = store.generation(&expected.id, &account("other")).await;
            assert!(matches!(other, Err(StoreError::NotFound(_))));
        }
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn activity_sums_up_days(store) {
        let metered = GenerationRecord { mode: BillingMode::Metered, ..record(3) };
        let mut failed = GenerationRecord::new(record(4).id, record(4).created, account("owner"), KeyId::new("key_b"));
        failed.status = ledger::Status::Failed;
        fold(&store, "s1", 0, 10, &[record(1), record(2), metered, failed]).await.unwrap();
        fold(&store, "s1", 10, 20, &records(8..9)).await.unwrap();
        let day = NOW.day();
        let cost = nanos(4 * 150_000 + 600 * (1 + 2 + 3 + 8));
        let row = ActivityRow {
            day,
            key: KeyId::new("key_a"),
            model: "mistralai/small".to_owned(),
            provider: "mistral".to_owned(),
            requests: 4,
            failed: 0,
            usage: Usage { input: 4_000, output: 14, ..Usage::default() },
            cost,
            charged: cost,
            byok_cost: Money::ZERO,
        };
        let rows = store.activity(&account("owner"), None, day, day).await.unwrap();
        assert_eq!((rows.len(), &rows[0]), (2, &row));
        assert_eq!((rows[1].requests, rows[1].failed, rows[1].charged), (1, 1, Money::ZERO));
        assert_eq!(store.activity(&account("owner"), Some(&KeyId::new("key_a")), day, day).await.unwrap(), [row]);
        for (who, from, to) in [("owner", day + 1, day + 9), ("owner", day - 9, day - 1), ("other", day, day)] {
            assert!(store.activity(&account(who), None, from, to).await.unwrap().is_empty());
        }
        let credits = store.credits(&account("owner")).await.unwrap();
        assert_eq!((credits.used, credits.metered), (nanos(3 * 150_000 + 600 * 11), nanos(151_800)));
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn a_record_that_cannot_be_booked_stops_no_other(store) {
        let overcharged = GenerationRecord { charged: nanos(i64::MAX), ..record(1) };
        let mut absurd = record(2);
        absurd.usage.output = u64::MAX;
        absurd.cost = absurd.price_sheet.cost(&absurd.usage, absurd.created).unwrap();
        let done = fold(&store, "s1", 0, 10, &[overcharged, record(3), absurd]).await.unwrap();
        assert_eq!((done.inserted, done.duplicates, done.refused.len()), (1, 0, 2));
        let checks: Vec<_> = store.verify().await.unwrap().problems.iter().map(|problem| problem.check).collect();
        assert_eq!(checks, ["refused_generation"; 2]);
    }

    async fn a_thousand_records_are_folded_at_once(store) {
        let many: Vec<GenerationRecord> = (0..1_000)
            .map(|n| GenerationRecord { key: KeyId::new(format!("key_{}", n % 40)), ..record(n) })
            .collect();
        let start = tokio::time::Instant::now();
        assert_eq!(fold(&store, "s1", 0, 700_000, &many).await.unwrap(), folded(1_000, 0));
        eprintln!("{:?}: 1,000 records in {:?}", store.backend(), start.elapsed());
        let report = store.verify().await.unwrap();
        assert_eq!((report.problems, report.generations, report.entries), (vec![], 1_000, 1_000));
    }

    async fn folds_of_many_segments_at_once_all_count(store, url) {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4u64 {
            let url = url.clone();
            tasks.spawn(async move {
                let store = Store::open(&url).await.unwrap();
                for n in 0..5 {
                    // Neighbours overlap by half.
                    let first = task * 10 + n * 3;
                    fold(&store, &format!("s{task}"), n, n + 1, &records(first..first + 20)).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let report = store.verify().await.unwrap();
        assert_eq!((report.problems, report.generations), (vec![], 62));
    }

    async fn records_come_in_pages_from_an_instant_on(store) {
        owner(&store).await;
        let all = usize::try_from(crate::PAGE_ROWS).unwrap() + 20;
        let mut batch = records(0..all as u64);
        for (n, record) in batch.iter_mut().enumerate() {
            record.created = Timestamp(NOW.micros() + i64::try_from(n).unwrap() * 500_000);
            record.id = GenerationId::new(record.created, n as u128 * 7_919);
        }
        fold(&store, "s1", 0, 500, &batch).await.unwrap();
        let since = Timestamp(NOW.micros() + 10 * 500_000 + 1);
        let mut found: Vec<GenerationRecord> = Vec::new();
        loop {
            let page = store.generations_since(since, found.last().map(|record| &record.id)).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found.len(), all - 11);
        assert!(found.windows(2).all(|pair| pair[0].created.seconds() <= pair[1].created.seconds()));
        let mut ids: Vec<String> = found.iter().map(|record| record.id.to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), found.len());
        let never = Timestamp(NOW.micros() + 3_600_000_000);
        assert!(store.generations_since(never, None).await.unwrap().is_empty());
        let account = batch[0].account.clone();
        let mut newest: Vec<GenerationRecord> = Vec::new();
        loop {
            let behind = newest.last().map(|record| (record.created, &record.id));
            let page = store.generations_of(&account, since, behind).await.unwrap();
            if page.is_empty() {
                break;
            }
            newest.extend(page);
        }
        assert_eq!(newest.len(), found.len());
        assert!(newest.windows(2).all(|pair| pair[0].created >= pair[1].created));
        let stranger = types::AccountId::new("acct_nobody");
        assert!(store.generations_of(&stranger, since, None).await.unwrap().is_empty());
    }
}
