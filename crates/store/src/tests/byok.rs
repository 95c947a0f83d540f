use ledger::{Fee, FeeFrom};

use super::*;
use crate::{ByokRow, StoreError};

fn key(id: &str) -> ByokRow {
    ByokRow {
        id: id.to_owned(),
        account: account("owner"),
        provider: "lab".to_owned(),
        sealed: "1.sealed".to_owned(),
        master: "m1".to_owned(),
        settings: "{}".to_owned(),
        created: NOW,
        created_by: "cli".to_owned(),
        deleted: false,
        changed_seq: 0,
    }
}

/// A call that an own key paid for, with its fee of 5 %.
pub(super) fn fee_record(n: u64, mode: BillingMode, from: FeeFrom) -> GenerationRecord {
    let mut record = record(n);
    let rate = "5".parse().unwrap();
    let due = ledger::FeeRate::of(rate, record.cost.total);
    record.mode = mode;
    record.provider_cost = Money::ZERO;
    record.charged = due;
    record.byok_key = Some("byok_1".to_owned());
    record.fee = Some(Fee { rate, due, from });
    record
}

/// A balance for fees, and calls whose fees come out of each of the three books.
async fn with_fees(store: &Store) -> [GenerationRecord; 3] {
    owner(store).await;
    let granted = ledger::grant_byok(account("owner"), nanos(1_000_000), EntryId::new("b1"), NOW).unwrap();
    store.credit_byok(&granted, None).await.unwrap();
    [
        fee_record(1, BillingMode::Prepaid, FeeFrom::Byok),
        fee_record(2, BillingMode::Prepaid, FeeFrom::Credits),
        fee_record(3, BillingMode::Metered, FeeFrom::Byok),
    ]
}

both! {
    async fn a_key_is_kept_edited_once_and_taken_away(store, url) {
        assert!(store.insert_byok(&key("byok_1")).await.is_err(), "no account yet");
        owner(&store).await;
        let kept = store.insert_byok(&key("byok_1")).await.unwrap();
        let other = Store::open(&url).await.unwrap();
        let seen = other.byok_changes(0).await.unwrap();
        assert_eq!(seen.keys, std::slice::from_ref(&kept));
        let named = ByokRow { settings: "{\"a\":1}".to_owned(), ..kept.clone() };
        let named = store.put_byok(&named).await.unwrap();
        assert!(matches!(store.put_byok(&kept).await, Err(StoreError::Conflict(_))), "an edit of what is gone by");
        let elsewhere = ByokRow { account: account("other"), ..named.clone() };
        assert!(matches!(store.put_byok(&elsewhere).await, Err(StoreError::Conflict(_))));
        assert!(matches!(store.byok_key("byok_1", &account("other")).await, Err(StoreError::NotFound(_))));
        let gone = store.put_byok(&ByokRow { deleted: true, ..named }).await.unwrap();
        let seen = other.byok_changes(seen.latest).await.unwrap();
        assert_eq!((seen.keys.len(), seen.keys[0].deleted, seen.keys[0].sealed.as_str()), (1, true, ""));
        assert!(store.put_byok(&gone).await.is_err() && store.byok_keys(None).await.unwrap().is_empty());
    }

    async fn settings_are_edited_over_what_stands(store, url) {
        owner(&store).await;
        let me = account("owner");
        for text in ["a", "ab", "abc"] {
            let edited = store.edit_byok_settings(&me, |old| {
                let last = text.chars().last().unwrap();
                Ok(format!("{old}{last}"))
            });
            assert_eq!(edited.await.unwrap(), text);
        }
        let refused = store.edit_byok_settings(&me, |_| Err(StoreError::Invalid("no".to_owned()))).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))));
        let seen = Store::open(&url).await.unwrap().byok_changes(0).await.unwrap();
        assert_eq!(seen.accounts, [(me, "abc".to_owned())]);
    }

    async fn credits_move_only_where_they_are(store) {
        owner(&store).await;
        let moved = |id: &str, nanos: i64| {
            ledger::to_byok(account("owner"), Money::from_nanos(nanos), EntryId::new(id.to_owned()), NOW).unwrap()
        };
        assert!(matches!(store.credit_byok(&moved("t1", 5), None).await, Err(StoreError::Invalid(_))), "no credits");
        grant(&store, "g1", 700).await.unwrap();
        let done = store.credit_byok(&moved("t1", 500), None).await.unwrap();
        assert_eq!((done.applied, done.balance.left()), (true, nanos(500)));
        assert!(done.totals_seq > 0 && done.totals_seq == store.totals_changed(0).await.unwrap().latest);
        let again = store.credit_byok(&moved("t1", 500), None).await.unwrap();
        assert_eq!((again.applied, again.balance.left()), (false, nanos(500)));
        assert!(matches!(store.credit_byok(&moved("t1", 400), None).await, Err(StoreError::Conflict(_))));
        assert!(matches!(store.credit_byok(&moved("t2", 201), None).await, Err(StoreError::Invalid(_))));
        assert!(matches!(store.credit_byok(&moved("t3", -1), None).await, Err(StoreError::Invalid(_))), "not back");
        let of_generation = ledger::entry_of(&record(1)).unwrap().unwrap();
        assert!(matches!(store.credit_byok(&of_generation, None).await, Err(StoreError::Invalid(_))));
        assert_eq!(store.credits(&account("owner")).await.unwrap().balance, nanos(200));
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn fees_are_folded_into_the_books_that_pay_them(store) {
        let records = with_fees(&store).await;
        let fees = records.each_ref().map(|record| record.charged);
        assert!(fees.iter().all(|fee| *fee > Money::ZERO));
        let folded = store.fold("s", 0, 10, &logged(&records)).await.unwrap();
        assert_eq!((folded.inserted, folded.refused.len()), (3, 0));
        let balance = store.byok_balance(&account("owner")).await.unwrap();
        assert_eq!(balance.left(), nanos(1_000_000).saturating_sub(fees[0]));
        let credits = store.credits(&account("owner")).await.unwrap();
        assert_eq!((credits.used, credits.metered), (fees[1], fees[2]));
        let totals = store.byok_totals(0).await.unwrap();
        assert_eq!((totals.balances.len(), totals.usage[0].requests), (1, 3));
        assert_eq!(totals.usage[0].fees, fees.into_iter().sum());
        assert_eq!(totals.usage[0].usage, records.iter().map(|record| record.cost.total).sum());
        let day = NOW.day();
        let days = store.activity(&account("owner"), None, day, day).await.unwrap();
        assert_eq!((days.len(), days[0].byok_cost), (1, totals.usage[0].usage));
        assert_eq!(store.verify().await.unwrap().problems, []);
        tamper(&store, "UPDATE byok_usage SET fees = fees + 1", &[]).await;
        tamper(&store, "UPDATE byok_totals SET charged = charged + 1", &[]).await;
        let checks: Vec<&str> = store.verify().await.unwrap().problems.iter().map(|problem| problem.check).collect();
        assert_eq!(checks, ["byok_charged", "byok_usage"]);
    }

    async fn a_wrong_price_is_put_right_on_fees_too(store) {
        let records = with_fees(&store).await;
        fold(&store, "s", 0, 10, &records).await.unwrap();
        let before = store.byok_totals(0).await.unwrap();
        let half = super::corrections::version("0.075", "0.30");
        let done = super::corrections::rerate(&store, &half, true, false).await;
        assert_eq!(done.changed.len(), 3);
        for one in &done.changed {
            let (cost, fee) = (one.record.cost.total, one.record.fee.unwrap());
            let due = fee.rate.of(cost.checked_add(one.correction.cost).unwrap());
            assert_eq!(one.correction.charged, due.checked_sub(fee.due).unwrap());
            assert!(one.correction.charged.is_negative());
            assert_eq!(one.correction.provider_cost, Money::ZERO, "it was never ours to pay");
        }
        let after = store.byok_totals(before.latest).await.unwrap();
        let (was, now) = (before.balances[0].1, after.balances[0].1);
        let back = done.changed.iter().map(|one| one.correction.charged).collect::<Vec<_>>();
        assert_eq!((now.corrected, now.charged), (back[0], was.charged.saturating_add(back[0])));
        let credits = store.credits(&account("owner")).await.unwrap();
        assert_eq!(credits.used, records[1].charged.saturating_add(back[1]));
        assert_eq!(credits.metered, records[2].charged.saturating_add(back[2]));
        assert_eq!(after.usage[0].fees, before.usage[0].fees.saturating_add(back.into_iter().sum()));
        assert_eq!(store.verify().await.unwrap().problems, []);
        tamper(&store, "UPDATE byok_totals SET corrected = corrected + 1", &[]).await;
        assert_eq!(store.verify().await.unwrap().problems[0].check, "byok_corrected");
    }

    async fn a_fee_that_is_not_its_rate_is_set_aside(store) {
        owner(&store).await;
        let mut record = fee_record(1, BillingMode::Prepaid, FeeFrom::Byok);
        record.charged = record.charged.saturating_add(nanos(1));
        let folded = store.fold("s", 0, 10, &logged(&[record])).await.unwrap();
        assert_eq!((folded.inserted, folded.refused.len()), (0, 1));
    }
}
