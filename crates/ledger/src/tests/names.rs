//! Names and small questions that everything else goes by.

use types::{AccountId, EntryId, Money, Timestamp};

use super::sample;
use crate::{BalanceKind, BillingMode, Fee, FeeFrom, Pattern, Payment, Percent, Period, Split};

fn nanos(n: i64) -> Money {
    Money::from_nanos(n)
}

#[test]
fn names_stay_what_they_are() {
    for (kind, name) in [(BalanceKind::Credits, "credits"), (BalanceKind::Byok, "byok")] {
        assert_eq!((kind.name(), BalanceKind::named(name)), (name, Some(kind)));
    }
    assert_eq!(BalanceKind::named("Credits"), None);
    let resets = Period::ALL.map(|period| (period.name(), period.reset()));
    let expect =
        [("total", None), ("day", Some("daily")), ("week", Some("weekly")), ("month", Some("monthly"))];
    assert_eq!(resets, expect);
    assert_eq!(Pattern::new("lab/*").unwrap().as_str(), "lab/*");
}

#[test]
fn shares_are_rounded_away_from_who_asks() {
    let third = Percent::from_ppm(333_333).unwrap();
    assert_eq!((third.of_up(nanos(10)), third.of_down(nanos(10))), (nanos(4), nanos(3)));
    let half = Percent::from_ppm(500_000).unwrap();
    assert_eq!((half.of_up(nanos(10)), half.of_down(nanos(10))), (nanos(5), nanos(5)));
    assert_eq!((half.of_up(nanos(-10)), half.of_down(nanos(-10))), (Money::ZERO, Money::ZERO));
}

#[test]
fn a_record_says_who_paid_and_what_could_not_be_had() {
    let mut record = sample(1);
    record.cost.total = nanos(100);
    record.charged = nanos(60);
    record.mode = BillingMode::Prepaid;
    assert_eq!((record.paid_by(), record.written_off()), ("credits", nanos(40)));
    record.mode = BillingMode::Metered;
    assert_eq!(record.paid_by(), "usage");
    record.byok_key = Some("byok_1".to_owned());
    record.fee = Some(Fee { rate: "10".parse().unwrap(), due: nanos(10), from: FeeFrom::Byok });
    record.charged = nanos(7);
    assert_eq!((record.paid_by(), record.written_off()), ("byok", nanos(3)));
}

#[test]
fn a_shortened_record_keeps_the_money_and_nothing_that_can_be_long() {
    let mut record = sample(1);
    record.app = Some(crate::App { title: Some("a".repeat(999)), referer: None });
    record.session_id = Some("s".repeat(999));
    record.user = Some("u".repeat(999));
    record.upstream_id = Some("i".repeat(999));
    record.requested_model = "m".repeat(999);
    let slim = record.slim();
    assert_eq!((&slim.app, &slim.session_id, &slim.user, &slim.upstream_id), (&None, &None, &None, &None));
    assert_eq!((slim.requested_model.len(), slim.attempts.len(), slim.dimensions.len()), (200, 0, 0));
    assert_eq!(slim.warnings[0].code, "record_shortened");
    assert_eq!(
        (slim.cost, slim.charged, slim.provider_cost),
        (record.cost, record.charged, record.provider_cost)
    );
}

#[test]
fn what_goes_back_is_booked_where_it_came_from() {
    let payment = Payment {
        account: AccountId::new("a"),
        processor: "stripe".to_owned(),
        balance: BalanceKind::Credits,
        credited: nanos(100),
        fee: nanos(5),
    };
    let split = |credit, fee, excess| Split { credit: nanos(credit), fee: nanos(fee), excess: nanos(excess) };
    let booked = |before, now, aside| {
        let entry =
            payment.returned((before, now), nanos(aside), EntryId::new("return:1"), Timestamp(1)).unwrap();
        entry.map(|entry| {
            entry.postings().iter().map(|p| format!("{} {}", p.account, p.amount.nanos())).collect::<Vec<_>>()
        })
    };
    assert_eq!(booked(split(40, 0, 0), split(40, 0, 0), 0), None);
    let expect = ["processor:stripe 68", "clearing -10", "credits:a -50", "fees -5", "writeoff -3"];
    assert_eq!(booked(split(40, 0, 0), split(100, 5, 3), 10).unwrap(), expect);
    let back = ["processor:stripe -40", "credits:a 40"];
    assert_eq!(booked(split(40, 0, 0), split(0, 0, 0), 0).unwrap(), back, "a dispute that was won");
}
