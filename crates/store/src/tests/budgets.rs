use ledger::Period;

use super::*;
use crate::{Alert, BudgetRow, KeyEdit, StoreError, Webhook};

fn budget(id: &str, subject: &str) -> BudgetRow {
    BudgetRow {
        id: id.to_owned(),
        account: account("owner"),
        name: "b".to_owned(),
        subject: subject.to_owned(),
        period: Period::Month,
        amount: nanos(5_000),
        hard: true,
        thresholds: vec![50, 100],
        created: NOW,
        updated: NOW,
        deleted: false,
        changed_seq: 0,
    }
}

both! {
    async fn a_subject_has_one_budget_per_period(store) {
        assert!(matches!(store.put_budget(&budget("a", "account")).await, Err(StoreError::NotFound(_))));
        owner(&store).await;
        store.put_budget(&budget("a", "account")).await.unwrap();
        assert!(matches!(store.put_budget(&budget("b", "account")).await, Err(StoreError::Conflict(_))));
        store.put_budget(&budget("b", "project:web")).await.unwrap();
        let (all, seen) = store.budget_changes(0).await.unwrap();
        assert_eq!(all.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let edited = BudgetRow { amount: nanos(7), hard: false, thresholds: vec![80], ..budget("a", "account") };
        store.put_budget(&edited).await.unwrap();
        store.put_budget(&BudgetRow { deleted: true, ..budget("b", "project:web") }).await.unwrap();
        let (changed, _) = store.budget_changes(seen).await.unwrap();
        assert_eq!(changed.len(), 2);
        let kept = store.budgets(&account("owner")).await.unwrap();
        assert_eq!(kept, [BudgetRow { changed_seq: kept[0].changed_seq, ..edited }]);
        // What was taken away makes room for another.
        store.put_budget(&budget("c", "project:web")).await.unwrap();
    }

    async fn what_is_charged_is_summed_by_subject_and_day(store) {
        owner(&store).await;
        let mut one = record(1);
        one.counted = vec!["project:web".to_owned(), "user:alice".to_owned()];
        let mut two = record(2);
        two.counted = vec!["project:web".to_owned()];
        let charged = [one.charged, two.charged];
        let sum = charged[0].checked_add(charged[1]).unwrap();
        store.fold("s", 0, 100, &logged(&[one.clone(), two])).await.unwrap();
        store.fold("t", 0, 100, &logged(&[one.clone()])).await.unwrap();
        let (owner, day) = (account("owner"), one.created.day());
        let subjects = store.subjects_spent_since(&owner, day).await.unwrap();
        assert_eq!(subjects, [("project:web".to_owned(), sum), ("user:alice".to_owned(), charged[0])]);
        assert_eq!(store.subjects_spent_since(&owner, day + 1).await.unwrap(), []);
        let keys = store.keys_spent_since(&owner, i64::MIN).await.unwrap();
        assert_eq!(keys.iter().map(|(_, spent)| *spent).sum::<Money>(), sum);
    }

    async fn a_key_is_edited_rotated_and_frozen(store) {
        owner(&store).await;
        store.insert_key(&new_key("a")).await.unwrap();
        let (own, id) = (account("owner"), KeyId::new("key_a"));
        let edit = KeyEdit {
            name: Some("new".to_owned()),
            spend_limit: Some(None),
            project: Some(Some("web".to_owned())),
            rules: Some("{\"tags\":[\"x\"]}".to_owned()),
            ..KeyEdit::default()
        };
        assert!(matches!(store.edit_key(&account("other"), &id, &edit, NOW).await, Err(StoreError::NotFound(_))));
        let row = store.edit_key(&own, &id, &edit, NOW).await.unwrap();
        assert_eq!(store.find_key("new").await.unwrap(), row);
        assert_eq!((row.key.spend_limit, row.key.project.as_deref(), row.updated), (None, Some("web"), Some(NOW)));
        let until = Timestamp(NOW.micros() + 9);
        let row = store.rotate_key(&own, &id, (KeyHash::of("b"), "label"), until, NOW).await.unwrap();
        assert_eq!((row.key.hash, row.previous.map(|p| (p.hash, p.until))), (KeyHash::of("b"), Some((KeyHash::of("a"), until))));
        assert!(store.freeze_key(&id, "too much", NOW).await.unwrap());
        assert!(!store.freeze_key(&id, "again", NOW).await.unwrap());
        let row = store.find_key("key_a").await.unwrap();
        assert_eq!((row.disabled, row.frozen.as_deref()), (true, Some("too much")));
        let on = KeyEdit { disabled: Some(false), ..KeyEdit::default() };
        assert_eq!(store.edit_key(&own, &id, &on, NOW).await.unwrap().frozen, None);
        assert_eq!(store.key_changes(row.changed_seq).await.unwrap().0.len(), 1);
    }

    async fn an_alert_is_told_once_and_delivered_until_taken(store) {
        owner(&store).await;
        let hook = |id: &str, kinds: &[&str]| Webhook {
            id: id.to_owned(),
            account: account("owner"),
            url: "https://example.com/".to_owned(),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            created: NOW,
            disabled: false,
        };
        store.insert_webhook(&hook("all", &[])).await.unwrap();
        store.insert_webhook(&hook("other", &["key.frozen"])).await.unwrap();
        let alert = Alert {
            id: "budget:a:1:50".to_owned(),
            account: account("owner"),
            kind: "budget.threshold".to_owned(),
            body: "{}".to_owned(),
            created: NOW,
        };
        assert!(store.raise(&alert).await.unwrap());
        assert!(!store.raise(&alert).await.unwrap());
        assert_eq!(store.alerts(&account("owner"), 10).await.unwrap().len(), 1);
        let due = store.deliveries_due(NOW, 10).await.unwrap();
        assert_eq!(due.iter().map(|d| (d.webhook.as_str(), d.attempts)).collect::<Vec<_>>(), [("all", 0)]);
        let later = Timestamp(NOW.micros() + 5);
        store.delivered(&due[0], 500, None, later).await.unwrap();
        assert_eq!(store.deliveries_due(NOW, 10).await.unwrap(), []);
        let due = store.deliveries_due(later, 10).await.unwrap();
        assert_eq!(due[0].attempts, 1);
        store.delivered(&due[0], 200, Some(later), later).await.unwrap();
        assert_eq!(store.deliveries_due(later, 10).await.unwrap(), []);
        assert!(store.delete_webhook(&account("owner"), "all").await.unwrap());
        assert!(!store.delete_webhook(&account("owner"), "all").await.unwrap());
        assert_eq!(store.webhooks(&account("owner")).await.unwrap().len(), 1);
    }
}
