use proptest::prelude::*;
use types::{AccountId, EntryId, Money, Timestamp};

use super::sample;
use crate::{
    BalanceKind, BillingMode, BookAccount, DiscountStep, FeeOn, FeeStep, Fees, FeesError, Pattern, Payment,
    Percent, Split, Terms, TopUpError, cents, entry_of, from_cents, promotion, whole_cents,
};

fn percent(text: &str) -> Percent {
    text.parse().unwrap()
}

fn usd(text: &str) -> Money {
    text.parse().unwrap()
}

fn fees() -> Fees {
    Fees {
        top_up: vec![
            FeeStep { percent: percent("3"), until: Some(100) },
            FeeStep { percent: percent("5"), until: None },
        ],
        top_up_min: usd("5"),
        top_up_max: usd("10000"),
        fee_min: usd("0.35"),
        ..Fees::default()
    }
}

#[test]
fn percentages_are_plain_decimals() {
    for (text, ppm, shown) in
        [("3", 30_000, "3"), ("2.5", 25_000, "2.5"), ("0.0001", 1, "0.0001"), ("1000", 10_000_000, "1000")]
    {
        assert_eq!((percent(text).ppm(), percent(text).to_string().as_str()), (ppm, shown));
    }
    for text in ["", "-1", "1.23456", "1000.1", "1e2", "5%", ".5", "5.", "99999"] {
        assert!(text.parse::<Percent>().is_err(), "{text}");
    }
}

#[test]
fn a_top_up_on_a_day() {
    // day, asked, on top, paid, fee, credited
    let rows = [
        (100, "25", FeeOn::Top, "25.75", "0.75", "25"),
        (101, "25", FeeOn::Top, "26.25", "1.25", "25"),
        (101, "25", FeeOn::Included, "25", "1.25", "23.75"),
        (101, "5", FeeOn::Top, "5.35", "0.35", "5"),
        (101, "12.34", FeeOn::Top, "12.96", "0.62", "12.34"),
    ];
    for (day, asked, fee_on, paid, fee, credited) in rows {
        let made = Fees { fee_on, ..fees() }.top_up(usd(asked), day).unwrap();
        assert_eq!((made.total, made.fee, made.credited), (usd(paid), usd(fee), usd(credited)), "{asked}");
    }
    let refused = |asked| fees().top_up(usd(asked), 1).unwrap_err();
    assert_eq!(refused("4.99"), TopUpError::TooLittle(usd("5")));
    assert_eq!(refused("10000.01"), TopUpError::TooMuch(usd("10000")));
    assert_eq!(refused("25.001"), TopUpError::Cents);
    let greedy = Fees { fee_on: FeeOn::Included, fee_min: usd("6"), ..fees() };
    assert_eq!(greedy.top_up(usd("5"), 1), Err(TopUpError::NothingLeft(usd("6"))));
    let free = Fees { top_up: Vec::new(), ..fees() };
    assert_eq!(free.top_up(usd("5"), 1).unwrap().fee, Money::ZERO, "the minimum is of a fee that there is");
}

#[test]
fn steps_go_up_and_the_last_has_no_end() {
    let step = |until| FeeStep { percent: Percent::ZERO, until };
    let rows = [
        (vec![], Ok(())),
        (vec![step(None)], Ok(())),
        (vec![step(Some(1)), step(None)], Ok(())),
        (vec![step(Some(1))], Err(FeesError::Open)),
        (vec![step(None), step(None)], Err(FeesError::Open)),
        (vec![step(Some(2)), step(Some(2)), step(None)], Err(FeesError::Order)),
    ];
    for (top_up, expect) in rows {
        assert_eq!(Fees { top_up, ..fees() }.check(), expect);
    }
    let discount = |from, percent_text| DiscountStep { from: usd(from), percent: percent(percent_text) };
    let with = |discount| Fees { discount, ..fees() }.check();
    assert_eq!(with(vec![discount("1", "2"), discount("1", "3")]), Err(FeesError::Order));
    assert_eq!(with(vec![discount("1", "101")]), Err(FeesError::TooMuch));
}

#[test]
fn the_longest_pattern_and_the_highest_step_decide() {
    let markup = [("*", "1"), ("openai/*", "2.5"), ("openai/gpt-5", "0")];
    let fees = Fees {
        markup: markup.iter().map(|(p, v)| (Pattern::new(p).unwrap(), percent(v))).collect(),
        discount: vec![
            DiscountStep { from: usd("100"), percent: percent("1") },
            DiscountStep { from: usd("1000"), percent: percent("2") },
        ],
        ..fees()
    };
    for (model, expect) in [("openai/gpt-5", "0"), ("openai/gpt-5-mini", "2.5"), ("a/b", "1")] {
        assert_eq!(fees.markup_of(model), percent(expect), "{model}");
    }
    for (used, expect) in [("99.99", "0"), ("100", "1"), ("5000", "2")] {
        assert_eq!(fees.discount_at(usd(used)), percent(expect), "{used}");
    }
    assert_eq!(fees.markup_max(), percent("2.5"));
    for bad in ["", "a*b", "*a", "a b", "a**"] {
        assert_eq!(Pattern::new(bad), None, "{bad}");
    }
}

#[test]
fn the_sentences_say_what_holds_today() {
    let said = |day| fees().sentences(day, &|day| format!("day {day}")).join(" ");
    assert!(said(50).starts_with(
        "Topping up costs 3 % on top of the credit, at least 0.35 USD through day 100. Topping up costs 5 % on top of \
         the credit, at least 0.35 USD from day 101."
    ), "{}", said(50));
    assert!(said(101).starts_with("Topping up costs 5 % on top of the credit, at least 0.35 USD. "));
}

#[test]
fn every_sentence_is_said_where_it_holds_and_only_there() {
    let day = |day| format!("day {day}");
    let none = Fees { top_up_min: usd("5"), ..Fees::default() };
    assert_eq!(
        none.sentences(1, &day),
        [
            "Topping up is free of fees.",
            "The least that can be topped up is 5 USD.",
            "Credit that is not used can be refunded without the fee.",
            "All amounts are in US dollars.",
        ]
    );
    let all = Fees {
        top_up: vec![
            FeeStep { percent: Percent::ZERO, until: Some(10) },
            FeeStep { percent: percent("5"), until: None },
        ],
        fee_on: FeeOn::Included,
        fee_min: Money::ZERO,
        byok: "2.5".parse().unwrap(),
        markup: vec![
            (Pattern::new("lab/*").unwrap(), percent("10")),
            (Pattern::new("lab/free").unwrap(), Percent::ZERO),
        ],
        discount: vec![DiscountStep { from: usd("1000"), percent: percent("1") }],
        refund_fees: true,
        trial: usd("1"),
        ..none
    };
    assert_eq!(
        all.sentences(1, &day),
        [
            "Topping up is free of fees through day 10.",
            "Topping up costs 5 % of what is paid, taken out of it from day 11.",
            "The least that can be topped up is 5 USD.",
            "Calls with your own provider keys cost 2.5 % of their price.",
            "lab/* costs 10 % more than at the provider.",
            "From 1000 USD of use in a calendar month on, 1 % off.",
            "Credit that is not used can be refunded with its part of the fee.",
            "A new account begins with 1 USD.",
            "All amounts are in US dollars.",
        ]
    );
    assert_eq!([FeeOn::Top, FeeOn::Included].map(FeeOn::name), ["top", "included"]);
}

#[test]
fn the_ends_of_what_is_allowed_are_allowed() {
    assert_eq!(fees().top_up(usd("10000"), 1).unwrap().credited, usd("10000"));
    assert_eq!(fees().top_up(usd("5"), 1).unwrap().credited, usd("5"));
    assert_eq!(fees().top_up(usd("10000.01"), 1), Err(TopUpError::TooMuch(usd("10000"))));
    assert_eq!(fees().top_up(usd("4.99"), 1), Err(TopUpError::TooLittle(usd("5"))));
    assert_eq!(Split::of(Money::ZERO, Money::ZERO, Money::ZERO, true), Split::default(), "nothing is split");
    let discount = |text: &str| Fees {
        discount: vec![DiscountStep { from: Money::ZERO, percent: percent(text) }],
        ..fees()
    };
    assert_eq!(discount("100").check(), Ok(()));
    assert_eq!(discount("100.0001").check(), Err(FeesError::TooMuch));
}

#[test]
fn amounts_are_counted_in_cents() {
    for (text, count, whole) in [
        ("0", Some(0), "0"),
        ("0.01", Some(1), "0.01"),
        ("12.34", Some(1_234), "12.34"),
        ("-2.5", Some(-250), "-2.5"),
        ("12.349999999", None, "12.34"),
        ("-0.001", None, "-0.01"),
    ] {
        assert_eq!((cents(usd(text)), whole_cents(usd(text))), (count, usd(whole)), "{text}");
        assert_eq!(count.and_then(from_cents), count.map(|_| usd(text)), "{text}");
    }
    assert_eq!(from_cents(i64::MAX), None);
}

#[test]
fn terms_are_written_where_there_are_any() {
    let terms = Terms { markup: percent("5"), discount: Percent::ZERO };
    assert_eq!(serde_json::to_string(&terms).unwrap(), r#"{"up":50000}"#);
    assert_eq!((terms.some(), Terms::default().some()), (Some(terms), None));
}

#[test]
fn a_marked_up_generation_is_booked_with_its_margin() {
    let mut record = sample(1);
    record.mode = BillingMode::Prepaid;
    record.terms = Some(Terms { markup: percent("10"), discount: percent("1") });
    let charge = record.charge();
    let cost = record.cost.total;
    assert_eq!(charge.total, charge.cost.checked_add(charge.markup).unwrap().saturating_sub(charge.discount));
    assert!(charge.total > cost);
    record.charged = charge.total;
    record.provider_cost = cost;
    record.attempts.clear();
    let entry = entry_of(&record).unwrap().unwrap();
    let amount =
        |account: BookAccount| entry.postings().iter().find(|p| p.account == account).map(|p| p.amount);
    assert_eq!(amount(BookAccount::Credits(record.account.clone())), Some(charge.total.negated()));
    assert_eq!(amount(BookAccount::Margin), Some(charge.total.saturating_sub(cost)));
    record.charged = charge.total.saturating_add(Money::from_nanos(1));
    assert!(entry_of(&record).is_err(), "never more than the charge");
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.contains(r#""terms":{"up":100000,"off":10000}"#), "{json}");
    assert_eq!(serde_json::from_str::<crate::GenerationRecord>(&json).unwrap(), record);
}

#[test]
fn promotions_come_from_promotion() {
    let made = promotion(AccountId::new("a"), usd("5"), EntryId::new("voucher:1"), Timestamp(1)).unwrap();
    let text: Vec<String> = made.postings().iter().map(|p| format!("{} {}", p.account, p.amount)).collect();
    assert_eq!(text, ["credits:a 5", "promotion -5"]);
}

fn payment(credited: i64, fee: i64) -> Payment {
    Payment {
        processor: "stripe".to_owned(),
        account: AccountId::new("a"),
        balance: BalanceKind::Credits,
        credited: from_cents(credited).unwrap(),
        fee: from_cents(fee).unwrap(),
    }
}

proptest! {
    #[test]
    fn parts_of_a_top_up_are_what_was_paid(
        asked in 1i64..100_000_000, ppm in 0u32..1_000_000, min in 0i64..10_000, included: bool,
    ) {
        let fees = Fees {
            top_up: vec![FeeStep { percent: Percent::from_ppm(ppm).unwrap(), until: None }],
            fee_on: if included { FeeOn::Included } else { FeeOn::Top },
            fee_min: from_cents(min).unwrap(),
            top_up_min: from_cents(1).unwrap(),
            top_up_max: Money::MAX,
            ..Fees::default()
        };
        let asked = from_cents(asked).unwrap();
        if let Ok(made) = fees.top_up(asked, 0) {
            prop_assert_eq!(made.credited.checked_add(made.fee), Some(made.total));
            prop_assert_eq!(if included { made.total } else { made.credited }, asked);
            prop_assert!(made.credited > Money::ZERO && !made.fee.is_negative());
            prop_assert!(cents(made.total).is_some() && cents(made.fee).is_some());
            prop_assert!(ppm == 0 || made.fee >= fees.fee_min);
        } else {
            prop_assert!(included, "a fee on top leaves the credit whole");
        }
    }

    #[test]
    /// Nothing that costs so much is charged more than the amount; anything dearer is, before its discount.
    fn what_an_amount_covers_is_the_most_that_it_covers(nanos in 0i64..i64::MAX / 16, up in 0u32..=10_000_000) {
        let terms = Terms { markup: Percent::from_ppm(up).unwrap(), discount: Percent::ZERO };
        let total = Money::from_nanos(nanos);
        let cost = terms.cost_within(total);
        prop_assert!(terms.charge(cost).total <= total);
        prop_assert!(terms.charge(cost.saturating_add(Money::from_nanos(1))).total > total);
        let off = Terms { discount: Percent::from_ppm(300_000).unwrap(), ..terms };
        prop_assert_eq!(off.cost_within(total), cost);
    }

    #[test]
    fn parts_of_a_charge_add_up(nanos in 0i64..i64::MAX, up in 0u32..=10_000_000, off in 0u32..=1_000_000) {
        let terms = Terms { markup: Percent::from_ppm(up).unwrap(), discount: Percent::from_ppm(off).unwrap() };
        let charge = terms.charge(Money::from_nanos(nanos));
        let sum = i128::from(charge.cost.nanos()) + i128::from(charge.markup.nanos())
            - i128::from(charge.discount.nanos());
        prop_assert_eq!(sum, i128::from(charge.total.nanos()));
        prop_assert!(!charge.total.is_negative() && !charge.markup.is_negative());
        if up == 0 { prop_assert!(charge.total <= charge.cost); }
        prop_assert!(terms.charge(terms.cost_within(Money::from_nanos(nanos))).total <= Money::from_nanos(nanos));
        if off == 0 { prop_assert!(charge.total >= charge.cost); }
        // Exact within the rounding of a nano each way.
        if charge.total < Money::MAX {
            let exact = i128::from(nanos) * (1_000_000 + i128::from(up)) / 1_000_000;
            let gross = i128::from(charge.cost.nanos()) + i128::from(charge.markup.nanos());
            prop_assert!((gross - exact).abs() <= 1 || gross == i128::from(i64::MAX));
        }
    }

    #[test]
    fn what_goes_back_is_split_the_same_in_any_order(
        credited in 1i64..1_000_000, fee in 0i64..100_000, refund_fees: bool,
        parts in proptest::collection::vec(1i64..400_000, 1..12),
    ) {
        let payment = payment(credited, fee);
        let split = |returned| Split::of(from_cents(returned).unwrap(), payment.credited, payment.fee, refund_fees);
        let (mut sum, mut before) = (0, Split::default());
        let mut books = std::collections::BTreeMap::<String, i64>::new();
        let entry = payment.received(EntryId::new("t"), Timestamp(1)).unwrap();
        let mut book = |entry: &crate::Entry| {
            for posting in entry.postings() {
                *books.entry(posting.account.to_string()).or_default() += posting.amount.nanos();
            }
        };
        book(&entry);
        for part in parts {
            sum += part;
            let now = split(sum);
            prop_assert!(now.credit >= before.credit && now.fee >= before.fee && now.excess >= before.excess);
            prop_assert_eq!(
                now.credit.checked_add(now.fee).and_then(|s| s.checked_add(now.excess)), from_cents(sum)
            );
            if let Some(entry) = payment.returned((before, now), Money::ZERO, EntryId::new("r"), Timestamp(1)).unwrap() {
                book(&entry);
            }
            before = now;
        }
        prop_assert!(before.credit <= payment.credited && before.fee <= payment.fee);
        prop_assert_eq!(books.values().sum::<i64>(), 0);
        prop_assert!(books.get("credits:a").copied().unwrap_or(0) >= 0);
        let whole = split(credited + fee);
        prop_assert_eq!((whole.credit, whole.fee), (payment.credited, payment.fee));
    }

    #[test]
    fn a_refund_of_credit_takes_about_that_credit(credited in 1i64..1_000_000, fee in 0i64..100_000, part in 1i64..1_000_000) {
        let part = part.min(credited);
        let payment = payment(credited, fee);
        for refund_fees in [false, true] {
            let credit = from_cents(part).unwrap();
            let paid = Split::payment_for(credit, payment.credited, payment.fee, refund_fees);
            let split = Split::of(paid, payment.credited, payment.fee, refund_fees);
            let off = (split.credit.nanos() - credit.nanos()).abs();
            prop_assert!(off <= 10_000_000, "{} {}", split.credit, credit);
            prop_assert_eq!(split.excess, Money::ZERO);
        }
    }
}
