use super::*;
use crate::CatalogSeen;

fn seen(number: i64, version: &str) -> CatalogSeen {
    CatalogSeen { number, version: version.to_owned(), body: "{}".to_owned() }
}

both! {
    async fn one_node_notes_a_catalog(store) {
        assert_eq!(store.catalog_seen().await.unwrap(), None);
        assert!(store.note_catalog(&seen(1, "a"), NOW).await.unwrap());
        assert!(store.note_catalog(&seen(2, "b"), NOW).await.unwrap());
        assert!(!store.note_catalog(&seen(2, "c"), NOW).await.unwrap(), "another node was first");
        assert!(!store.note_catalog(&seen(4, "d"), NOW).await.unwrap());
        assert_eq!(store.catalog_seen().await.unwrap(), Some(seen(2, "b")));
    }
}
