use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::StoreError;
use crate::changes::{self, Counter};

both! {
    async fn a_key_is_stored_found_and_revoked(store) {
        assert!(matches!(store.insert_key(&new_key("a")).await, Err(StoreError::NotFound(_))), "no account yet");
        owner(&store).await;
        store.insert_key(&new_key("a")).await.unwrap();
        let other_id = NewKey { id: KeyId::new("key_z"), ..new_key("a") };
        assert!(matches!(store.insert_key(&other_id).await, Err(StoreError::Conflict(_))));
        let bad = NewKey { name: "nul\0".to_owned(), ..new_key("n") };
        assert!(matches!(store.insert_key(&bad).await, Err(StoreError::Invalid(_))));
        for selector in ["key_a", &KeyHash::of("a").to_hex(), "sk-tw-v1-a", "name of a"] {
            assert_eq!(store.find_key(selector).await.unwrap().key, new_key("a"), "{selector}");
        }
        assert!(matches!(store.find_key("nobody").await, Err(StoreError::NotFound(_))));
        store.revoke_key(&KeyId::new("key_a"), NOW).await.unwrap();
        store.revoke_key(&KeyId::new("key_a"), Timestamp(NOW.micros() + 5)).await.unwrap();
        store.set_key_disabled(&KeyId::new("key_a"), true).await.unwrap();
        let row = store.find_key("key_a").await.unwrap();
        assert_eq!((row.revoked, row.disabled, row.spent), (Some(NOW), true, Money::ZERO));
        assert!(matches!(store.revoke_key(&KeyId::new("key_q"), NOW).await, Err(StoreError::NotFound(_))));
    }

    async fn a_name_that_two_share_is_ambiguous_until_one_is_revoked(store) {
        owner(&store).await;
        for id in ["a", "b"] {
            store.insert_key(&NewKey { name: "same".to_owned(), ..new_key(id) }).await.unwrap();
        }
        let Err(StoreError::Ambiguous(keys)) = store.find_key("same").await else { panic!("not ambiguous") };
        assert_eq!(keys, ["key_a (sk-tw-v1-a)", "key_b (sk-tw-v1-b)"]);
        store.revoke_key(&KeyId::new("key_a"), NOW).await.unwrap();
        assert_eq!(store.find_key("same").await.unwrap().key.id, KeyId::new("key_b"));
        assert_eq!(store.list_keys(Some(&account("owner"))).await.unwrap().len(), 2);
        assert_eq!(store.list_keys(Some(&account("other"))).await.unwrap().len(), 0);
    }

    async fn ensuring_a_key_again_revives_nothing(store) {
        owner(&store).await;
        let (first, made) = store.ensure_key(&new_key("a")).await.unwrap();
        assert!(made && first.revoked.is_none());
        store.revoke_key(&KeyId::new("key_a"), NOW).await.unwrap();
        let (_, seen) = store.key_changes(0).await.unwrap();
        let (row, made) = store.ensure_key(&NewKey { id: KeyId::new("key_b"), ..new_key("a") }).await.unwrap();
        assert_eq!((made, row.key.id, row.revoked), (false, KeyId::new("key_a"), Some(NOW)));
        assert_eq!(store.key_changes(seen).await.unwrap(), (vec![], seen), "nothing changed");
    }

    async fn a_later_change_never_overtakes_an_earlier_one(store) {
        owner(&store).await;
        for id in ["a", "b"] {
            store.insert_key(&new_key(id)).await.unwrap();
        }
        let (_, seen) = store.key_changes(0).await.unwrap();
        // The first writer has its number and has not committed; the second must not become visible before it.
        let mut first = store.db.write().await.unwrap();
        let seq = changes::next(&mut first, Counter::Keys).await.unwrap();
        let mut second = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.set_key_disabled(&KeyId::new("key_b"), true).await }
        });
        let early = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
        assert!(early.is_err(), "the second writer did not wait");
        assert_eq!(store.key_changes(seen).await.unwrap(), (vec![], seen));
        let sql = "UPDATE api_keys SET disabled = $1, changed_seq = $2 WHERE id = 'key_a'";
        first.execute(sql, &[Value::Bool(true), seq.into()]).await.unwrap();
        first.commit().await.unwrap();
        second.await.unwrap().unwrap();
        let (rows, _) = store.key_changes(seen).await.unwrap();
        let ids: Vec<&str> = rows.iter().map(|row| row.key.id.as_str()).collect();
        assert_eq!(ids, ["key_a", "key_b"]);
    }

    async fn polling_sees_every_change_of_concurrent_writers(store, url) {
        owner(&store).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..6 {
            // Half of them are another process, as far as the database can tell.
            let store = if writer % 2 == 0 { Arc::clone(&store) } else { Arc::new(Store::open(&url).await.unwrap()) };
            writers.spawn(async move {
                for n in 0..10 {
                    let key = new_key(&format!("{writer}x{n}"));
                    store.insert_key(&key).await.unwrap();
                    store.set_key_disabled(&key.id, n % 2 == 0).await.unwrap();
                }
            });
        }
        let (mut known, mut since, mut done) = (HashMap::new(), 0, false);
        loop {
            let (rows, latest) = store.key_changes(since).await.unwrap();
            since = latest;
            known.extend(rows.into_iter().map(|row| (row.key.id.clone(), row)));
            if done {
                break;
            }
            done = writers.is_empty() || writers.try_join_next().is_some_and(|joined| { joined.unwrap(); writers.is_empty() });
        }
        let stored = store.list_keys(None).await.unwrap();
        assert_eq!(stored.len(), 60);
        assert!(stored.iter().all(|row| known.get(&row.key.id) == Some(row)), "a change was missed");
    }
}
