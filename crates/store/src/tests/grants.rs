use super::*;
use crate::{Credits, StoreError};

both! {
    async fn a_grant_is_booked_once(store) {
        assert!(matches!(grant(&store, "g1", 700).await, Err(StoreError::NotFound(_))), "no account yet");
        owner(&store).await;
        let first = grant(&store, "g1", 700).await.unwrap();
        assert_eq!((first.balance, first.applied), (nanos(700), true));
        let again = grant(&store, "g1", 700).await.unwrap();
        assert_eq!((again.balance, again.applied), (nanos(700), false));
        assert!(matches!(grant(&store, "g1", 701).await, Err(StoreError::Conflict(_))));
        assert_eq!(grant(&store, "g2", -900).await.unwrap().balance, nanos(-200));
        let credits = store.credits(&account("owner")).await.unwrap();
        assert_eq!(credits, Credits { granted: nanos(-200), balance: nanos(-200), ..Credits::default() });
        assert_eq!(store.credits(&account("other")).await.unwrap(), Credits::default());
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn of_many_equal_grants_at_once_one_is_booked(store) {
        owner(&store).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let store = Arc::clone(&store);
            tasks.spawn(async move { grant(&store, "g1", 50).await.unwrap() });
        }
        let balances = tasks.join_all().await;
        assert_eq!(balances.iter().filter(|balance| balance.applied).count(), 1);
        assert!(balances.iter().all(|balance| balance.balance == nanos(50)));
    }

    async fn only_grants_are_granted(store) {
        owner(&store).await;
        let of_generation = ledger::entry_of(&record(1)).unwrap().unwrap();
        assert!(matches!(store.grant(&of_generation, None).await, Err(StoreError::Invalid(_))));
        assert!(matches!(grant(&store, "gen:x", 5).await, Err(StoreError::Invalid(_))), "the id is reserved");
    }

    async fn another_process_sees_a_grant_by_number(store, url) {
        owner(&store).await;
        let other = Store::open(&url).await.unwrap();
        let before = other.totals_changed(0).await.unwrap();
        assert!(before.accounts.is_empty());
        grant(&store, "g1", 70).await.unwrap();
        let change = other.totals_changed(before.latest).await.unwrap();
        assert_eq!(change.accounts[0].credited, nanos(70));
        assert_eq!(other.totals().await.unwrap(), change.accounts);
        assert!(other.totals_changed(change.latest).await.unwrap().accounts.is_empty());
    }
}
