use super::*;
use crate::{Content, StoreError};

const DAY: i64 = 86_400_000_000;

fn content(n: u64, who: &str, days: i64) -> Content {
    let record = record(n);
    Content {
        id: record.id.to_string(),
        account: account(who),
        key: KeyId::new("key_a"),
        created: record.created,
        expires: Timestamp(record.created.micros() + days * DAY),
        master: "m1".to_owned(),
        sealed: "1.x".to_owned(),
    }
}

fn later(days: i64) -> Timestamp {
    Timestamp(NOW.micros() + days * DAY)
}

both! {
    async fn only_what_an_account_wants_is_kept_until_it_expires(store) {
        owner(&store).await;
        store.ensure_account(&account("other"), "Other", NOW).await.unwrap();
        let all: Vec<Content> = (0..10).map(|n| content(n, if n % 2 == 0 { "owner" } else { "other" }, 3)).collect();
        assert_eq!(store.put_contents(&all).await.unwrap(), 0, "nobody said that anything is to be kept");
        store.set_privacy(&account("owner"), 3, false, NOW).await.unwrap();
        assert_eq!(store.put_contents(&all).await.unwrap(), 5);
        assert_eq!(store.put_contents(&all).await.unwrap(), 0, "the same again");
        let id = record(2).id;
        let kept = store.content(&id, &account("owner"), later(1)).await.unwrap();
        assert_eq!(kept, all[2]);
        for (who, at) in [("other", later(1)), ("owner", later(4))] {
            assert!(matches!(store.content(&id, &account(who), at).await, Err(StoreError::NotFound(_))));
        }
        assert_eq!(store.expire_contents(later(1), 100).await.unwrap(), 0);
        assert_eq!(store.expire_contents(later(4), 3).await.unwrap(), 3);
        assert_eq!(store.expire_contents(later(4), 100).await.unwrap(), 2);
    }

    async fn fewer_days_hold_for_what_is_kept_already(store) {
        owner(&store).await;
        store.set_privacy(&account("owner"), 30, false, NOW).await.unwrap();
        store.put_contents(&[content(1, "owner", 30)]).await.unwrap();
        assert_eq!(store.forget_contents(later(5), 100).await.unwrap(), 0);
        store.set_privacy(&account("owner"), 2, false, NOW).await.unwrap();
        assert!(store.content(&record(1).id, &account("owner"), later(5)).await.is_err());
        assert_eq!(store.forget_contents(later(5), 100).await.unwrap(), 1);
    }

    async fn zero_retention_is_for_ever(store) {
        owner(&store).await;
        let me = account("owner");
        store.set_privacy(&me, 30, false, NOW).await.unwrap();
        store.put_contents(&[content(1, "owner", 30)]).await.unwrap();
        let (_, seen) = store.privacy_changes(0).await.unwrap();
        let zero = store.set_privacy(&me, 30, true, NOW).await.unwrap();
        assert_eq!((zero.keep_days, zero.zero_since), (0, Some(NOW)));
        assert_eq!(store.privacy_changes(seen).await.unwrap().0, std::slice::from_ref(&zero));
        assert!(store.content(&record(1).id, &me, NOW).await.is_err(), "what was kept is gone at once");
        let again = store.set_privacy(&me, 30, false, later(1)).await.unwrap();
        assert_eq!(again, zero, "nothing takes it back");
        assert_eq!(store.put_contents(&[content(2, "owner", 30)]).await.unwrap(), 0);
        assert_eq!(store.forget_contents(NOW, 100).await.unwrap(), 1);
    }
}
