//! What the operator's pages read and write.

use super::byok::fee_record;
use super::payments::paid_and_partly_back;
use super::*;
use crate::{ANNOUNCEMENTS_MAX, Announcement, Earned, StoreError};
use ledger::FeeFrom;

fn told(id: &str, starts: i64, ends: Option<i64>) -> Announcement {
    let at = |s: i64| Timestamp(NOW.micros() + s * 1_000_000);
    Announcement {
        id: id.to_owned(),
        text: "We move *tonight*.".to_owned(),
        level: "info".to_owned(),
        audience: "everybody".to_owned(),
        starts: at(starts),
        ends: ends.map(at),
        created: NOW,
        changed: NOW,
    }
}

both! {
    async fn announcements_are_kept_changed_and_taken_away(store) {
        assert_eq!(store.announcements().await.unwrap(), []);
        let (one, two) = (told("ann_1", 0, None), told("ann_2", 60, Some(120)));
        store.put_announcement(&one).await.unwrap();
        store.put_announcement(&two).await.unwrap();
        assert_eq!(store.announcements().await.unwrap(), [two.clone(), one.clone()]);
        let ended = Announcement { ends: Some(NOW), level: "warning".to_owned(), ..one };
        store.put_announcement(&ended).await.unwrap();
        assert_eq!(store.announcements().await.unwrap(), [two.clone(), ended.clone()]);
        let at = |s: i64| Timestamp(NOW.micros() + s * 1_000_000);
        let is = |one: &Announcement, s| one.is_in_force(at(s));
        assert_eq!((is(&two, 59), is(&two, 60), is(&two, 119), is(&two, 120)), (false, true, true, false));
        assert!(!ended.is_in_force(NOW) && told("x", 0, None).is_in_force(at(1_000_000)));
        assert!(store.delete_announcement("ann_2").await.unwrap());
        assert!(!store.delete_announcement("ann_2").await.unwrap());
        for n in 1..ANNOUNCEMENTS_MAX {
            store.put_announcement(&told(&format!("ann_more_{n}"), 0, None)).await.unwrap();
        }
        assert!(matches!(store.put_announcement(&told("one_too_many", 0, None)).await, Err(StoreError::Invalid(_))));
        store.put_announcement(&ended).await.unwrap();
    }

    async fn fees_are_told_by_what_they_came_from(store) {
        paid_and_partly_back(&store).await;
        grant(&store, "g1", 700).await.unwrap();
        grant(&store, "g2", -200).await.unwrap();
        let own = fee_record(3, BillingMode::Metered, FeeFrom::Credits);
        store.fold("s", 0, 10, &logged(&[own.clone(), record(4)])).await.unwrap();
        let today = NOW.day();
        let income = store.fee_income(today, today + 1).await.unwrap();
        let cents = |cents: i64| ledger::from_cents(cents).unwrap();
        assert_eq!(income.top_ups, Earned { count: 1, amount: cents(125) });
        assert_eq!(income.own_keys, Earned { count: 1, amount: own.charged });
        assert_eq!(income.promotions, Earned { count: 1, amount: cents(-500) });
        assert_eq!(income.grants, Earned { count: 2, amount: nanos(-500) });
        // What went back went off the credit first: no fee with it.
        assert_eq!(income.refunds, Earned::default());
        let booked = store.book_balance(&ledger::BookAccount::Fees).await.unwrap();
        assert_eq!(income.top_ups.amount.saturating_add(income.refunds.amount).saturating_add(own.charged), booked);
        assert_eq!(store.fee_income(today - 1, today).await.unwrap(), crate::FeeIncome::default());
    }

    async fn a_store_says_how_it_is(store) {
        let before = store.state().await.unwrap();
        assert_eq!((before.entry, before.refused, before.notices_waiting, before.schema), (0, 0, 0, 26));
        assert!(before.bytes > 10_000, "{before:?}");
        owner(&store).await;
        store.fold("s", 0, 10, &logged(&records(0..3))).await.unwrap();
        let after = store.state().await.unwrap();
        assert_eq!((after.entry, after.entry_hash.len()), (3, 64));
        assert_eq!(store.verify().await.unwrap().head, format!("3:{}", after.entry_hash));
        let connections = store.connections();
        assert!(connections.open >= 1 && connections.idle <= connections.open && connections.open <= connections.max);
    }
}
