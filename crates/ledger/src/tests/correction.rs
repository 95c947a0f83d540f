use proptest::prelude::*;
use types::{Cost, Timestamp};

use super::sample;
use crate::*;

fn nanos(n: i64) -> Money {
    Money::from_nanos(n)
}

/// A record that cost and charged this much, and whose provider took this much.
fn billed(cost: i64, charged: i64, provider_cost: i64) -> GenerationRecord {
    let mut record = sample(1);
    record.cost.total = nanos(cost);
    (record.charged, record.provider_cost) = (nanos(charged), nanos(provider_cost));
    record.attempts[0].cost = nanos(provider_cost);
    record
}

use types::Money;

fn again(nanos_: i64) -> Cost {
    Cost { lines: Vec::new(), total: nanos(nanos_) }
}

/// Cost, charged, provider's cost.
fn differences(correction: Option<Correction>) -> Option<[i64; 3]> {
    correction.map(|c| [c.cost.nanos(), c.charged.nanos(), c.provider_cost.nanos()])
}

#[test]
fn what_changes_follows_the_rules() {
    // Cost, charged, provider; cost again, collect; differences.
    let rows = [
        ((100, 100, 100), 100, false, None),
        ((100, 100, 100), 60, false, Some([-40, -40, -40])),
        ((100, 100, 100), 60, true, Some([-40, -40, -40])),
        ((100, 70, 100), 80, false, Some([-20, 0, -20])),
        ((100, 70, 100), 50, false, Some([-50, -20, -50])),
        ((100, 100, 100), 130, false, Some([30, 0, 30])),
        ((100, 100, 100), 130, true, Some([30, 30, 30])),
        ((100, 70, 100), 130, true, Some([30, 30, 30])),
        ((100, 100, 100), 0, false, Some([-100, -100, -100])),
        // What the provider takes was reckoned by something else.
        ((100, 100, 40), 60, false, Some([-40, -40, 0])),
        ((100, 100, 0), 60, false, Some([-40, -40, 0])),
    ];
    for ((cost, charged, provider), total, collect, expect) in rows {
        let record = billed(cost, charged, provider);
        let found = correction(&record, Standing::of(&record), &again(total), collect).unwrap();
        assert_eq!(differences(found), expect, "{cost} {charged} {provider} -> {total}, {collect}");
    }
}

/// A call that an own key paid for: its cost is no money of ours, so that only a change of the fee is a correction.
#[test]
fn a_fee_is_corrected_where_it_changes() {
    let fee = Fee { rate: "10".parse().unwrap(), due: nanos(10), from: FeeFrom::Byok };
    let record = |charged| GenerationRecord {
        byok_key: Some("byok_1".to_owned()),
        fee: Some(fee),
        ..billed(100, charged, 0)
    };
    let rows = [
        (10, 50, false, Some([-50, -5, 0])),
        (10, 200, true, Some([100, 10, 0])),
        (10, 200, false, None),
        (0, 50, false, None),
    ];
    for (charged, total, collect, expect) in rows {
        let record = record(charged);
        let found = correction(&record, Standing::of(&record), &again(total), collect).unwrap();
        assert_eq!(differences(found), expect, "{charged} -> {total}, {collect}");
    }
}

#[test]
fn a_record_without_attempts_follows_where_all_was_the_provider_s() {
    let slim = billed(100, 100, 100).slim();
    let found = correction(&slim, Standing::of(&slim), &again(60), false).unwrap();
    assert_eq!(differences(found), Some([-40, -40, -40]));
    let more = GenerationRecord { provider_cost: nanos(120), ..slim };
    let found = correction(&more, Standing::of(&more), &again(60), false).unwrap();
    assert_eq!(differences(found), Some([-40, -40, 0]));
}

#[test]
fn entries_say_who_gets_what() {
    let record = billed(100, 70, 100);
    let one = correction(&record, Standing::of(&record), &again(50), false).unwrap().unwrap();
    let id = correction_id(&record.id, 2);
    assert_eq!(id.as_str(), format!("fix:{}:2", record.id));
    let entry = entry_of_correction(&record, Standing::of(&record), &one, id.clone(), Timestamp(5)).unwrap();
    assert_eq!((entry.id(), entry.at(), entry.kind()), (&id, Timestamp(5), EntryKind::Correction));
    let postings: Vec<(String, i64)> =
        entry.postings().iter().map(|p| (p.account.to_string(), p.amount.nanos())).collect();
    let expect = [("credits:acct_owner", 20), ("writeoff", 30), ("provider:mistral", -50)];
    assert_eq!(postings, expect.map(|(account, amount)| (account.to_owned(), amount)));

    let metered = GenerationRecord { mode: BillingMode::Metered, ..record };
    let one = Correction { provider_cost: Money::ZERO, ..one };
    let entry = entry_of_correction(&metered, Standing::of(&metered), &one, id, Timestamp(5)).unwrap();
    let accounts: Vec<String> = entry.postings().iter().map(|p| p.account.to_string()).collect();
    assert_eq!(accounts, ["usage:acct_owner", "writeoff", "margin"]);
}

#[test]
fn amounts_that_do_not_fit_are_refused() {
    let record = billed(i64::MIN, 0, 0);
    assert_eq!(correction(&record, Standing::of(&record), &again(1), false), Err(EntryError::Overflow));
    let record = billed(1, i64::MAX, 0);
    assert_eq!(correction(&record, Standing::of(&record), &again(3), true), Err(EntryError::Overflow));
    let huge = Correction { cost: nanos(i64::MAX), ..Correction::default() };
    assert_eq!(Standing::of(&billed(1, 0, 0)).after(&huge), Err(EntryError::Overflow));
    let lost = Correction { charged: nanos(i64::MIN), ..Correction::default() };
    let id = correction_id(&record.id, 1);
    assert_eq!(
        entry_of_correction(&record, Standing::of(&record), &lost, id, Timestamp(0)).unwrap_err(),
        EntryError::Overflow
    );
}

proptest! {
    /// However often a price is put right: the cost is the newest, the charge lies within it, entries sum to zero and the
    /// customer's side of them is what it pays more or less.
    #[test]
    fn corrections_add_up(
        cost in 1i64..1_000_000,
        share in 0i64..=100,
        prices in prop::collection::vec((0i64..2_000_000, any::<bool>()), 1..6),
        (markup, discount) in (0u32..400_000, 0u32..=1_000_000),
    ) {
        let percent = |ppm| crate::Percent::from_ppm(ppm).unwrap();
        let terms = crate::Terms { markup: percent(markup), discount: percent(discount) }.some();
        let mut record = GenerationRecord { terms, ..billed(cost, 0, cost) };
        record.charged = nanos(record.due_of(record.cost.total).nanos() * share / 100);
        let mut standing = Standing::of(&record);
        let mut customer = -standing.charged.nanos();
        for (number, (total, collect)) in prices.into_iter().enumerate() {
            let Some(one) = correction(&record, standing, &again(total), collect).unwrap() else {
                prop_assert_eq!(standing.cost.nanos(), total);
                continue;
            };
            let id = correction_id(&record.id, number + 1);
            let entry = entry_of_correction(&record, standing, &one, id, Timestamp(0)).unwrap();
            let sides: i64 = entry.postings().iter().map(|p| p.amount.nanos()).sum();
            prop_assert_eq!(sides, 0);
            let own = entry.postings().iter().find(|p| matches!(p.account, BookAccount::Credits(_)));
            customer += own.map_or(0, |p| p.amount.nanos());
            standing = standing.after(&one).unwrap();
            prop_assert_eq!((standing.cost.nanos(), standing.provider_cost.nanos()), (total, total));
            prop_assert!(!standing.charged.is_negative() && standing.charged <= record.due_of(standing.cost));
            prop_assert_eq!(customer, -standing.charged.nanos());
        }
    }
}
