use super::*;
use crate::{Credits, PriceVersion, Rerate, RerateStep};

pub(super) fn version(input: &str, output: &str) -> PriceVersion {
    let sheet = PriceSheet::flat([
        (PriceKind::Input, Rate::parse_per_million(input).unwrap()),
        (PriceKind::Output, Rate::parse_per_million(output).unwrap()),
    ]);
    let id = types::price_version("mistral/small", &serde_json::to_string(&sheet).unwrap());
    PriceVersion { id, endpoint: "mistral/small".to_owned(), sheet: Arc::new(sheet) }
}

pub(super) async fn rerate(store: &Store, new: &PriceVersion, apply: bool, collect: bool) -> RerateStep {
    let old = record(1).price_version;
    let apply = apply.then_some(Timestamp(NOW.micros() + 5_000_000));
    let how = Rerate { old: &old, new, since: Timestamp(0), collect, apply };
    let step = store.rerate(&how, None).await.unwrap();
    if let Some(last) = step.last {
        assert!(store.rerate(&how, Some(&last)).await.unwrap().last.is_none());
    }
    step
}

/// What generations cost in all, by their records.
fn cost(records: &[GenerationRecord]) -> i64 {
    records.iter().map(|record| record.cost.total.nanos()).sum()
}

async fn balance(store: &Store) -> Credits {
    store.credits(&account("owner")).await.unwrap()
}

async fn good(store: &Store) {
    assert_eq!(store.verify().await.unwrap().problems, []);
}

both! {
    async fn a_cheaper_price_gives_back_once(store) {
        owner(&store).await;
        grant(&store, "g1", 10_000_000).await.unwrap();
        let records = records(1..4);
        fold(&store, "s1", 0, 10, &records).await.unwrap();
        let half = version("0.075", "0.30");
        let before = store.totals_changed(0).await.unwrap().latest;
        // A report books nothing.
        let told = rerate(&store, &half, false, false).await;
        assert_eq!((told.changed.len(), told.seen), (3, 3));
        assert_eq!(balance(&store).await.used, nanos(cost(&records)));
        assert_eq!(store.price_version(&half.id).await.unwrap(), None);

        let done = rerate(&store, &half, true, false).await;
        assert_eq!(done.changed, told.changed);
        let paid = nanos(cost(&records) / 2);
        assert_eq!(balance(&store).await.used, paid);
        assert_eq!(store.key_spent().await.unwrap(), [(KeyId::new("key_a"), paid)]);
        let day = NOW.day();
        let days = store.activity(&account("owner"), None, day, day).await.unwrap();
        assert_eq!((days[0].charged, days[0].cost, days[0].requests), (paid, paid, 3));
        let totals = store.totals_changed(before).await.unwrap();
        let back = nanos(paid.nanos() - cost(&records));
        assert_eq!((totals.accounts[0].charged_corrected, totals.accounts[0].metered_corrected), (back, Money::ZERO));
        assert_eq!(totals.keys_corrected, [(KeyId::new("key_a"), back)]);
        let on_one = store.corrections(&records[0].id).await.unwrap();
        assert_eq!((on_one.len(), on_one[0].entry.as_str()), (1, &*format!("fix:{}:1", records[0].id)));
        assert_eq!(on_one[0].price_version, half.id);
        let used = store.provider_use("mistral", day, day).await.unwrap();
        assert_eq!((used.len(), used[0].cost, used[0].requests, used[0].input_tokens), (1, paid, 3, 3_000));
        good(&store).await;

        assert_eq!(rerate(&store, &half, true, false).await.changed, []);
        assert_eq!(balance(&store).await.used, paid);
        // The record itself stays as it was.
        assert_eq!(store.generation(&records[0].id, &account("owner")).await.unwrap(), records[0]);
        good(&store).await;
    }

    async fn a_dearer_price_is_written_off_or_collected(store) {
        owner(&store).await;
        grant(&store, "g1", 200_000).await.unwrap();
        let one = record(1);
        fold(&store, "s1", 0, 10, std::slice::from_ref(&one)).await.unwrap();
        let double = version("0.30", "1.20");
        rerate(&store, &double, true, false).await;
        assert_eq!(balance(&store).await.used, one.charged);
        good(&store).await;
        // Cheaper again, but still dearer than at first: what was written off is ours first.
        rerate(&store, &version("0.20", "0.80"), true, false).await;
        assert_eq!(balance(&store).await.used, one.charged);
        good(&store).await;
        // Collected: the balance may go below zero, as with credit taken back.
        let triple = version("0.45", "1.80");
        rerate(&store, &triple, true, true).await;
        let corrections = store.corrections(&one.id).await.unwrap();
        assert_eq!(corrections.len(), 3);
        let charged: i64 = corrections.iter().map(|c| c.correction.charged.nanos()).sum();
        assert_eq!(balance(&store).await.used.nanos(), one.charged.nanos() + charged);
        assert!(balance(&store).await.balance.is_negative());
        good(&store).await;
    }

    async fn metered_use_and_free_calls_are_corrected_in_their_own_books(store) {
        let metered = GenerationRecord { mode: BillingMode::Metered, ..record(1) };
        let mut free = record(2);
        (free.usage, free.cost) = (Usage::default(), types::Cost::default());
        (free.charged, free.provider_cost) = (Money::ZERO, Money::ZERO);
        fold(&store, "s1", 0, 10, &[metered, free]).await.unwrap();
        let step = rerate(&store, &version("0", "0.60"), true, false).await;
        assert_eq!((step.changed.len(), step.seen), (1, 2));
        let credits = balance(&store).await;
        assert_eq!((credits.used, credits.metered), (Money::ZERO, nanos(600)));
        let totals = store.totals().await.unwrap();
        assert_eq!((totals[0].metered_corrected, totals[0].charged_corrected), (nanos(-150_000), Money::ZERO));
        good(&store).await;
    }

    async fn a_sheet_without_a_needed_price_corrects_nothing(store) {
        fold(&store, "s1", 0, 10, &records(1..3)).await.unwrap();
        let sheet = PriceSheet::flat([(PriceKind::Output, Rate::FREE)]);
        let id = types::price_version("mistral/small", &serde_json::to_string(&sheet).unwrap());
        let new = PriceVersion { id, endpoint: "mistral/small".to_owned(), sheet: Arc::new(sheet) };
        let step = rerate(&store, &new, true, false).await;
        assert_eq!((step.changed.len(), step.unpriced.len()), (0, 2));
        good(&store).await;
    }

    async fn corrections_at_once_are_booked_once(store, url) {
        owner(&store).await;
        fold(&store, "s1", 0, 10, &records(0..40)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let other = Store::open(&url).await.unwrap();
            tasks.spawn(async move { rerate(&other, &version("0.075", "0.30"), true, false).await.changed.len() });
        }
        let changed: Vec<usize> = tasks.join_all().await;
        assert_eq!(changed.iter().sum::<usize>(), 40, "{changed:?}");
        let report = store.verify().await.unwrap();
        assert_eq!((report.problems, report.corrections), (vec![], 40));
    }

    async fn under_markup_and_discount_the_charge_follows_the_price(store) {
        owner(&store).await;
        let percent = |text: &str| text.parse().unwrap();
        let terms = ledger::Terms { markup: percent("10"), discount: percent("3.3") };
        let marked = |n| {
            let mut record = GenerationRecord { terms: terms.some(), ..record(n) };
            record.charged = record.charge().total;
            record
        };
        let records: Vec<GenerationRecord> = (1..4).map(marked).collect();
        fold(&store, "s1", 0, 10, &records).await.unwrap();
        good(&store).await;
        let half = version("0.075", "0.30");
        let done = rerate(&store, &half, true, false).await;
        assert_eq!(done.changed.len(), 3);
        for one in &done.changed {
            let cost = one.record.cost.total.checked_add(one.correction.cost).unwrap();
            let charged = one.record.charged.checked_add(one.correction.charged).unwrap();
            assert_eq!(charged, terms.charge(cost).total);
            assert_ne!(one.correction.charged, one.correction.cost);
        }
        good(&store).await;
    }
}
