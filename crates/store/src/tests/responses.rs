use super::*;
use crate::{StoreError, StoredResponse};

fn kept(id: &str, whose: &str) -> StoredResponse {
    StoredResponse {
        id: id.to_owned(),
        account: account(whose),
        previous: Some("resp_0".to_owned()),
        created: NOW,
        expires: Timestamp(NOW.micros() + 10),
        input: "[{\"type\":\"message\"}]".to_owned(),
        response: "{\"id\":\"x\\u0000\"}".to_owned(),
    }
}

both! {
    async fn a_response_is_found_by_its_account_until_it_expires(store) {
        let (mine, theirs) = (kept("resp_1", "owner"), kept("resp_2", "other"));
        store.put_response(&mine).await.unwrap();
        store.put_response(&mine).await.unwrap();
        store.put_response(&theirs).await.unwrap();
        assert_eq!(store.response("resp_1", &account("owner"), NOW).await.unwrap(), mine);
        for (id, at) in [("resp_2", NOW), ("resp_9", NOW), ("resp_1", mine.expires)] {
            let found = store.response(id, &account("owner"), at).await;
            assert!(matches!(found, Err(StoreError::NotFound(_))), "{id}");
        }
        assert!(!store.delete_response("resp_2", &account("owner")).await.unwrap());
        assert!(store.delete_response("resp_1", &account("owner")).await.unwrap());
        assert_eq!(store.expire_responses(NOW).await.unwrap(), 0);
        assert_eq!(store.expire_responses(theirs.expires).await.unwrap(), 1);
    }
}
