use ledger::{BalanceKind, BookAccount, Percent, TopUp};

use super::*;
use crate::{
    AutoTopUpRules, Dispute, NewOrder, NewVoucher, Notice, Order, OrderKind, OrderStatus, Redeemed,
    Redemption, Says, StoreError, Taken,
};

const SELLER: &str = r#"{"name":"Seller"}"#;

fn cents(cents: i64) -> Money {
    ledger::from_cents(cents).unwrap()
}

fn order(id: &str, kind: OrderKind) -> NewOrder {
    NewOrder {
        id: id.to_owned(),
        account: account("owner"),
        processor: "stripe",
        kind,
        balance: BalanceKind::Credits,
        top_up: TopUp {
            total: cents(2_625),
            fee: cents(125),
            credited: cents(2_500),
            percent: Percent::from_ppm(50_000).unwrap(),
        },
        refund_fees: false,
        saves_method: true,
        created_by: "key_a".to_owned(),
        created: NOW,
    }
}

/// An order that its processor waits with.
async fn open(store: &Store, id: &str) {
    owner(store).await;
    store.insert_order(&order(id, OrderKind::Checkout)).await.unwrap();
    store.open_order(id, &format!("cs_{id}")).await.unwrap();
}

fn paid_says(id: &str) -> Says {
    Says::Paid {
        order: id.to_owned(),
        kind: OrderKind::Checkout,
        session: Some(format!("cs_{id}")),
        payment: Some(format!("pi_{id}")),
        customer: Some("cus_1".to_owned()),
        cents: 2_625,
        currency: "usd".to_owned(),
    }
}

fn returned_says(id: &str, cents: i64) -> Says {
    let (order, payment) = (Some(id.to_owned()), Some(format!("pi_{id}")));
    Says::Returned { order, payment, cents, currency: "usd".to_owned() }
}

fn disputed_says(id: &str, cents: i64, state: Dispute) -> Says {
    let (order, payment) = (Some(id.to_owned()), Some(format!("pi_{id}")));
    Says::Disputed { order, payment, dispute: "dp_1".to_owned(), cents, currency: "usd".to_owned(), state }
}

async fn told(store: &Store, event: &str, says: Says) -> Taken {
    let notice = Notice { processor: "stripe", id: event.to_owned(), kind: "test".to_owned(), says };
    store.take_notice(&notice, SELLER, NOW).await.unwrap()
}

async fn outcome(store: &Store, event: &str, says: Says) -> &'static str {
    told(store, event, says).await.outcome
}

async fn balance(store: &Store) -> Money {
    store.credits(&account("owner")).await.unwrap().balance
}

async fn clean(store: &Store) {
    assert_eq!(store.verify().await.unwrap().problems, []);
    assert_eq!(store.book_balance(&BookAccount::Clearing).await.unwrap(), Money::ZERO);
}

async fn read(store: &Store, id: &str) -> Order {
    store.order(id, Some(&account("owner"))).await.unwrap()
}

/// A payment of which a part was refunded and a part is disputed, and a voucher that was redeemed.
pub(super) async fn paid_and_partly_back(store: &Store) {
    open(store, "o1").await;
    told(store, "e1", paid_says("o1")).await;
    told(store, "e2", returned_says("o1", 300)).await;
    told(store, "e3", disputed_says("o1", 400, Dispute::Open)).await;
    let voucher = NewVoucher {
        id: "v1".to_owned(),
        hash: KeyHash::of("code1"),
        label: "TW-1".to_owned(),
        batch: "b".to_owned(),
        amount: cents(500),
        per_account: 1,
        created: NOW,
        expires: None,
    };
    store.insert_vouchers(&[voucher]).await.unwrap();
    let redemption = Redemption { hash: KeyHash::of("code1"), account: account("owner"), at: NOW };
    store.redeem(&redemption).await.unwrap();
}

both! {
    async fn a_payment_is_credited_once(store) {
        open(&store, "o1").await;
        assert_eq!(outcome(&store, "e1", paid_says("o1")).await, "credited");
        assert_eq!(outcome(&store, "e1", paid_says("o1")).await, "duplicate");
        assert_eq!(outcome(&store, "e2", paid_says("o1")).await, "paid_before");
        assert_eq!(outcome(&store, "e3", Says::Failed { order: "o1".into() }).await, "paid_before");
        assert_eq!(balance(&store).await, cents(2_500));
        assert_eq!(store.book_balance(&BookAccount::Fees).await.unwrap(), cents(125));
        let stripe = BookAccount::Processor("stripe".to_owned());
        assert_eq!(store.book_balance(&stripe).await.unwrap(), cents(-2_625));
        let invoices = store.invoices(&account("owner")).await.unwrap();
        assert_eq!((invoices.len(), invoices[0].id.as_str()), (1, "INV-2026-000001"));
        assert!(matches!(store.invoice("INV-2026-000001", &account("other")).await, Err(StoreError::NotFound(_))));
        assert!(matches!(store.order("o1", Some(&account("other"))).await, Err(StoreError::NotFound(_))));
        clean(&store).await;
    }

    async fn of_50_deliveries_at_once_one_credits(store) {
        open(&store, "o1").await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..50 {
            let store = Arc::clone(&store);
            // Half of them the same event, half events of their own.
            let event = if n % 2 == 0 { "same".to_owned() } else { format!("e{n}") };
            tasks.spawn(async move { outcome(&store, &event, paid_says("o1")).await });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == "credited").count(), 1, "{outcomes:?}");
        assert_eq!(balance(&store).await, cents(2_500));
        clean(&store).await;
    }

    async fn what_does_not_fit_its_order_credits_nothing(store) {
        open(&store, "o1").await;
        open(&store, "o2").await;
        owner(&store).await;
        store.insert_order(&order("auto1", OrderKind::Auto)).await.unwrap();
        let change = |change: &dyn Fn(&mut Says)| { let mut says = paid_says("o1"); change(&mut says); says };
        let rows = [
            ("wrong_amount", change(&|s| if let Says::Paid { cents, .. } = s { *cents = 2_624; })),
            ("wrong_amount", change(&|s| if let Says::Paid { cents, .. } = s { *cents = 262_500; })),
            ("wrong_amount", change(&|s| if let Says::Paid { cents, .. } = s { *cents = -2_625; })),
            ("wrong_amount", change(&|s| if let Says::Paid { cents, .. } = s { *cents = i64::MAX; })),
            ("wrong_currency", change(&|s| if let Says::Paid { currency, .. } = s { *currency = "jpy".into(); })),
            ("other_payment", change(&|s| if let Says::Paid { session, .. } = s { *session = Some("cs_o2".into()); })),
            ("other_payment", change(&|s| if let Says::Paid { session, .. } = s { *session = None; })),
            ("unknown_order", change(&|s| if let Says::Paid { order, .. } = s { *order = "o9".into(); })),
            ("unknown_order", change(&|s| if let Says::Paid { order, .. } = s { *order = String::new(); })),
            ("other_kind", change(&|s| if let Says::Paid { kind, .. } = s { *kind = OrderKind::Auto; })),
            ("other_kind", change(&|s| if let Says::Paid { order, .. } = s { *order = "auto1".into(); })),
            ("unknown_order", returned_says("o9", 5)),
        ];
        for (n, (expect, says)) in rows.into_iter().enumerate() {
            assert_eq!(outcome(&store, &format!("e{n}"), says).await, expect, "row {n}");
        }
        let notice = Notice { processor: "other", id: "x".into(), kind: "test".into(), says: paid_says("o1") };
        assert_eq!(store.take_notice(&notice, SELLER, NOW).await.unwrap().outcome, "other_processor");
        assert_eq!(balance(&store).await, Money::ZERO);
        assert_eq!(outcome(&store, "good", paid_says("o1")).await, "credited");
        // One payment pays one order.
        let stolen = change(&|s| if let Says::Paid { order, session, .. } = s {
            *order = "o2".into(); *session = Some("cs_o2".into());
        });
        assert_eq!(outcome(&store, "stolen", stolen).await, "other_payment");
        assert_eq!(balance(&store).await, cents(2_500));
        clean(&store).await;
    }

    async fn any_order_of_events_ends_the_same(store) {
        // Every order of: paid, refund of 1, refund of 11 in all, dispute opened, dispute won.
        let all = ["paid", "r100", "r1100", "open", "won"];
        let mut permutations = vec![Vec::<&str>::new()];
        for _ in 0..all.len() {
            permutations = permutations.into_iter().flat_map(|done: Vec<&str>| {
                let left: Vec<&str> = all.iter().filter(|e| !done.contains(e)).copied().collect();
                left.into_iter().map(move |next| done.iter().copied().chain([next]).collect::<Vec<_>>())
            }).collect();
        }
        assert_eq!(permutations.len(), 120);
        let mut expect = Money::ZERO;
        for (n, events) in permutations.iter().enumerate().step_by(7) {
            let id = format!("o{n}");
            open(&store, &id).await;
            for event in events.iter().chain(["r100", "paid", "open"].iter()) {
                let mut says = match *event {
                    "paid" => paid_says(&id),
                    "r100" => returned_says(&id, 100),
                    "r1100" => returned_says(&id, 1_100),
                    "open" => disputed_says(&id, 1_525, Dispute::Open),
                    _ => disputed_says(&id, 1_525, Dispute::Won),
                };
                if let Says::Disputed { dispute, .. } = &mut says {
                    *dispute = format!("dp_{id}");
                }
                told(&store, &format!("{event}-{id}"), says).await;
            }
            expect = expect.saturating_add(cents(1_400));
            assert_eq!(balance(&store).await, expect, "{events:?}");
            let order = read(&store, &id).await;
            assert_eq!((order.refunded, order.disputed, order.booked_back), (cents(1_100), Money::ZERO, cents(1_100)));
        }
        clean(&store).await;
    }

    async fn a_lost_dispute_takes_credit_and_fee(store) {
        open(&store, "o1").await;
        told(&store, "e1", paid_says("o1")).await;
        assert_eq!(outcome(&store, "e2", disputed_says("o1", 2_625, Dispute::Open)).await, "disputed");
        assert_eq!(balance(&store).await, Money::ZERO);
        told(&store, "e3", disputed_says("o1", 2_625, Dispute::Lost)).await;
        told(&store, "e4", disputed_says("o1", 2_625, Dispute::Won)).await;
        assert_eq!(balance(&store).await, Money::ZERO, "lost is the end");
        assert_eq!(store.book_balance(&BookAccount::Fees).await.unwrap(), Money::ZERO);
        clean(&store).await;
    }

    async fn a_refund_is_set_aside_before_it_is_made(store) {
        open(&store, "o1").await;
        told(&store, "e1", paid_says("o1")).await;
        for (amount, why) in [(2_501, "left of the order"), (0, "can't be refunded"), (-5, "can't be refunded")] {
            let refused = store.begin_refund("o1", Some(cents(amount)), NOW).await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        let plan = store.begin_refund("o1", Some(cents(1_000)), NOW).await.unwrap();
        assert_eq!((plan.payment, plan.key.as_str()), (cents(1_000), "refund-o1-1"));
        assert_eq!(balance(&store).await, cents(1_500));
        let again = store.begin_refund("o1", None, NOW).await.unwrap();
        assert_eq!(again, crate::RefundPlan { begun_before: true, ..plan }, "the same again");
        assert!(matches!(store.begin_refund("o1", Some(cents(5)), NOW).await, Err(StoreError::Conflict(_))));
        assert_eq!(store.verify().await.unwrap().problems, []);
        store.cancel_refund("o1", NOW).await.unwrap();
        assert_eq!(balance(&store).await, cents(2_500));
        clean(&store).await;
        let plan = store.begin_refund("o1", Some(cents(1_000)), NOW).await.unwrap();
        assert_ne!(plan.key, "refund-o1-1", "another refund");
        // Stripe's own event and our answer, in either order.
        assert_eq!(outcome(&store, "evt", returned_says("o1", 1_000)).await, "refunded");
        assert_eq!(outcome(&store, &plan.key, returned_says("o1", 1_000)).await, "nothing_new");
        assert_eq!(balance(&store).await, cents(1_500));
        let invoices = store.invoices(&account("owner")).await.unwrap();
        let note = invoices.iter().find(|i| i.corrects.is_some()).unwrap();
        assert_eq!((note.id.as_str(), note.credit), ("CN-2026-000001", cents(1_000)));
        clean(&store).await;
    }

    async fn a_refund_leaves_no_balance_below_zero(store) {
        open(&store, "o1").await;
        told(&store, "e1", paid_says("o1")).await;
        // A call took a part of a cent too: what is refunded is whole cents.
        grant(&store, "spent", -cents(2_000).nanos() - 1).await.unwrap();
        let refused = store.begin_refund("o1", Some(cents(1_000)), NOW).await.unwrap_err().to_string();
        assert!(refused.contains("the balance is 4.999999999 USD"), "{refused}");
        assert_eq!(balance(&store).await, nanos(4_999_999_999), "nothing was changed");
        let plan = store.begin_refund("o1", None, NOW).await.unwrap();
        assert_eq!((plan.credit, balance(&store).await), (cents(499), nanos(9_999_999)));
        told(&store, &plan.key, returned_says("o1", 499)).await;
        clean(&store).await;
    }

    async fn a_refund_may_give_its_part_of_the_fee_back(store) {
        owner(&store).await;
        let new = NewOrder { refund_fees: true, ..order("o1", OrderKind::Checkout) };
        store.insert_order(&new).await.unwrap();
        store.open_order("o1", "cs_o1").await.unwrap();
        told(&store, "e1", paid_says("o1")).await;
        let plan = store.begin_refund("o1", Some(cents(1_000)), NOW).await.unwrap();
        assert_eq!(plan.payment, cents(1_050));
        told(&store, &plan.key, returned_says("o1", 1_050)).await;
        assert_eq!(balance(&store).await, cents(1_500));
        let plan = store.begin_refund("o1", None, NOW).await.unwrap();
        assert_eq!(plan.payment, cents(1_575));
        told(&store, &plan.key, returned_says("o1", 2_625)).await;
        assert_eq!(balance(&store).await, Money::ZERO);
        assert_eq!(store.book_balance(&BookAccount::Fees).await.unwrap(), Money::ZERO);
        clean(&store).await;
    }

    async fn invoices_have_no_gaps(store) {
        owner(&store).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                let id = format!("o{n}");
                open(&store, &id).await;
                // Every third payment does not fit: it takes no number.
                let mut says = paid_says(&id);
                if let (Says::Paid { cents, .. }, 0) = (&mut says, n % 3) {
                    *cents = 1;
                }
                told(&store, &format!("e{n}"), says).await;
            });
        }
        tasks.join_all().await;
        let mut ids: Vec<String> =
            store.invoices(&account("owner")).await.unwrap().into_iter().map(|invoice| invoice.id).collect();
        ids.sort();
        let expect: Vec<String> = (1..=13).map(|n| format!("INV-2026-{n:06}")).collect();
        assert_eq!(ids, expect);
        clean(&store).await;
    }

    async fn an_invoice_keeps_what_it_said(store) {
        open(&store, "o1").await;
        let owner = account("owner");
        store.put_billing_details(&owner, r#"{"name":"Before"}"#, NOW).await.unwrap();
        told(&store, "e1", paid_says("o1")).await;
        store.put_billing_details(&owner, r#"{"name":"After"}"#, NOW).await.unwrap();
        let invoice = store.invoice("INV-2026-000001", &owner).await.unwrap();
        assert!(invoice.body.contains("Before") && !invoice.body.contains("After"), "{}", invoice.body);
        assert_eq!(store.billing_details(&owner).await.unwrap().as_deref(), Some(r#"{"name":"After"}"#));
        assert_eq!(store.billing_details(&account("other")).await.unwrap(), None);
    }

    async fn a_voucher_is_redeemed_once(store) {
        owner(&store).await;
        store.ensure_account(&account("other"), "Other", NOW).await.unwrap();
        let voucher = |n: u32, per_account, expires| NewVoucher {
            id: format!("v{n}"), hash: KeyHash::of(&format!("code{n}")), label: format!("TW-{n}"), batch: "b".into(),
            amount: cents(500), per_account, created: NOW, expires,
        };
        let later = Some(Timestamp(NOW.micros() + 1));
        store.insert_vouchers(&[voucher(1, 1, later), voucher(2, 1, None), voucher(3, 1, Some(NOW)), voucher(4, 1, None)])
            .await.unwrap();
        assert_eq!(store.revoke_vouchers("v4", NOW).await.unwrap(), 1);
        let redeem = |n: u32, who: &str| Redemption { hash: KeyHash::of(&format!("code{n}")), account: account(who), at: NOW };
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (store, redemption) = (Arc::clone(&store), redeem(1, "owner"));
            tasks.spawn(async move { store.redeem(&redemption).await.unwrap() });
        }
        let all = tasks.join_all().await;
        assert_eq!(all.iter().filter(|done| matches!(done, Redeemed::Credited(_))).count(), 1);
        assert!(all.iter().all(|done| matches!(done, Redeemed::Credited(_) | Redeemed::Before(true))), "{all:?}");
        assert_eq!(balance(&store).await, cents(500));
        assert_eq!(store.redeem(&redeem(1, "other")).await.unwrap(), Redeemed::Before(false));
        assert_eq!(store.redeem(&redeem(2, "owner")).await.unwrap(), Redeemed::Enough(1), "one per account");
        assert!(matches!(store.redeem(&redeem(2, "other")).await.unwrap(), Redeemed::Credited(_)));
        assert_eq!(store.redeem(&redeem(3, "other")).await.unwrap(), Redeemed::Expired);
        assert_eq!(store.redeem(&redeem(4, "other")).await.unwrap(), Redeemed::Unknown);
        assert_eq!(store.redeem(&redeem(9, "other")).await.unwrap(), Redeemed::Unknown);
        assert_eq!(store.revoke_vouchers("b", NOW).await.unwrap(), 1, "only what was not redeemed");
        clean(&store).await;
    }

    async fn of_a_batch_an_account_redeems_as_many_as_it_may(store) {
        owner(&store).await;
        let all: Vec<NewVoucher> = (0..20).map(|n| NewVoucher {
            id: format!("v{n}"), hash: KeyHash::of(&format!("code{n}")), label: format!("TW-{n}"), batch: "b".into(),
            amount: cents(100), per_account: 3, created: NOW, expires: None,
        }).collect();
        store.insert_vouchers(&all).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for voucher in all {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                let redemption = Redemption { hash: voucher.hash, account: account("owner"), at: NOW };
                store.redeem(&redemption).await.unwrap()
            });
        }
        let done = tasks.join_all().await;
        assert_eq!(done.iter().filter(|done| matches!(done, Redeemed::Credited(_))).count(), 3);
        assert_eq!(balance(&store).await, cents(300));
        clean(&store).await;
    }

    async fn one_automatic_top_up_is_in_flight(store) {
        open(&store, "o1").await;
        told(&store, "e1", paid_says("o1")).await;
        let owner = account("owner");
        let auto = store.auto_top_up(&owner).await.unwrap();
        assert_eq!((auto.customer.as_deref(), auto.saved_by.as_deref()), (Some("cus_1"), Some("pi_o1")));
        let rules = AutoTopUpRules { enabled: true, threshold: cents(2_000), amount: cents(2_500), month_max: cents(5_250) };
        store.put_auto_top_up(&owner, rules, NOW).await.unwrap();
        assert_eq!(store.auto_top_ups_due().await.unwrap(), [], "25 are left");
        grant(&store, "spent", -cents(2_400).nanos()).await.unwrap();
        assert_eq!(store.auto_top_ups_due().await.unwrap().len(), 1);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                store.begin_auto_top_up(&order(&format!("a{n}"), OrderKind::Auto), Timestamp(0)).await.unwrap()
            });
        }
        assert_eq!(tasks.join_all().await.into_iter().filter(|begun| *begun).count(), 1);
        let id = store.auto_top_up(&owner).await.unwrap().in_flight.unwrap();
        assert!(store.stop_auto_top_up(&owner, Some(&id), "declined", NOW).await.unwrap());
        assert!(!store.stop_auto_top_up(&owner, Some(&id), "declined", NOW).await.unwrap(), "told once");
        let auto = store.auto_top_up(&owner).await.unwrap();
        assert_eq!((auto.rules.enabled, auto.in_flight, auto.why_off.as_deref()), (false, None, Some("declined")));
        assert_eq!(read(&store, &id).await.status, OrderStatus::Failed);
        // The month's maximum counts what was not failed.
        store.put_auto_top_up(&owner, rules, NOW).await.unwrap();
        for (id, begun) in [("b1", true), ("b2", true), ("b3", false)] {
            assert_eq!(store.begin_auto_top_up(&order(id, OrderKind::Auto), Timestamp(0)).await.unwrap(), begun, "{id}");
            grant(&store, &format!("spent-{id}"), -cents(2_500).nanos()).await.unwrap();
            if begun {
                let mut says = paid_says(id);
                if let Says::Paid { kind, session, .. } = &mut says {
                    (*kind, *session) = (OrderKind::Auto, None);
                }
                assert_eq!(outcome(&store, &format!("paid-{id}"), says).await, "credited");
            }
        }
        clean(&store).await;
    }

    async fn a_statement_adds_up(store) {
        open(&store, "o1").await;
        told(&store, "e1", paid_says("o1")).await;
        store.fold("s", 0, 10, &logged(&records(0..5))).await.unwrap();
        let day = |n: i64| Timestamp((NOW.day() + n) * 86_400_000_000);
        let all = store.statement(&account("owner"), day(-1), day(1)).await.unwrap();
        let kinds: Vec<(&str, i64)> = all.movements.iter().map(|m| (m.kind.as_str(), m.calls)).collect();
        assert_eq!(kinds, [("usage", 5), ("top_up", 0)]);
        let used: Money = records(0..5).iter().map(|record| record.charged).sum();
        assert_eq!((all.opening, all.movements[0].amount), (Money::ZERO, used.negated()));
        assert_eq!(all.closing, balance(&store).await);
        let before = store.statement(&account("owner"), day(-2), day(-1)).await.unwrap();
        assert_eq!((before.opening, before.closing, before.movements.len()), (Money::ZERO, Money::ZERO, 0));
        let after = store.statement(&account("owner"), day(1), day(2)).await.unwrap();
        assert_eq!((after.opening, after.closing), (all.closing, all.closing));
    }

    async fn tampering_with_payments_is_found(store) {
        open(&store, "o1").await;
        told(&store, "e1", paid_says("o1")).await;
        told(&store, "e2", returned_says("o1", 100)).await;
        clean(&store).await;
        let rows: [(&str, &'static str, &'static str); 5] = [
            ("order_top_up", "UPDATE payment_orders SET total = total + 1", "UPDATE payment_orders SET total = total - 1"),
            ("order_returned", "UPDATE payment_orders SET booked_back = 0", "UPDATE payment_orders SET booked_back = 1000000000"),
            ("refunds_set_aside", "UPDATE payment_orders SET set_aside = 5", "UPDATE payment_orders SET set_aside = 0"),
            ("invoice_numbers", "UPDATE invoices SET seq = 7", "UPDATE invoices SET seq = 1"),
            ("invoice_amounts", "UPDATE invoices SET fee = fee + 1", "UPDATE invoices SET fee = fee - 1"),
        ];
        for (check, break_it, mend_it) in rows {
            tamper(&store, break_it, &[]).await;
            let problems = store.verify().await.unwrap().problems;
            assert!(problems.iter().any(|problem| problem.check == check), "{check}: {problems:?}");
            tamper(&store, mend_it, &[]).await;
        }
        clean(&store).await;
    }

    async fn a_marked_up_generation_is_verified(store) {
        owner(&store).await;
        let mut marked = records(0..2);
        for record in &mut marked {
            record.terms = ledger::Terms {
                markup: Percent::from_ppm(25_000).unwrap(), discount: Percent::from_ppm(10_000).unwrap(),
            }.some();
            record.charged = record.charge().total;
        }
        let folded = store.fold("s", 0, 10, &logged(&marked)).await.unwrap();
        assert_eq!((folded.inserted, folded.refused.len()), (2, 0));
        clean(&store).await;
        let used = store.charged_since(0).await.unwrap();
        assert_eq!(used, [(account("owner"), marked.iter().map(|r| r.charged).sum::<Money>())]);
        tamper(&store, "UPDATE generations SET charged = charged - 1 WHERE id IN (SELECT MIN(id) FROM generations)", &[]).await;
        let problems = store.verify().await.unwrap().problems;
        assert!(problems.iter().any(|problem| problem.check == "generation_columns"), "{problems:?}");
    }
}
