use super::*;
use crate::{CatalogSeen, PriceChangeRow};

fn seen(number: i64, version: &str) -> CatalogSeen {
    CatalogSeen { number, version: version.to_owned(), body: "{}".to_owned() }
}

fn change(number: i64, endpoint: &str, before: Option<&str>, after: Option<&str>) -> PriceChangeRow {
    PriceChangeRow {
        number,
        endpoint: endpoint.to_owned(),
        kind: "input_usd_per_mtok".to_owned(),
        condition: String::new(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        seen: NOW,
    }
}

both! {
    async fn one_node_notes_a_catalog(store) {
        assert_eq!(store.catalog_seen().await.unwrap(), None);
        assert!(store.note_catalog(&seen(1, "a"), &[], NOW).await.unwrap());
        assert!(store.note_catalog(&seen(2, "b"), &[], NOW).await.unwrap());
        assert!(!store.note_catalog(&seen(2, "c"), &[], NOW).await.unwrap(), "another node was first");
        assert!(!store.note_catalog(&seen(4, "d"), &[], NOW).await.unwrap());
        assert_eq!(store.catalog_seen().await.unwrap(), Some(seen(2, "b")));
    }

    async fn changed_prices_are_kept_with_the_catalog_that_brought_them(store) {
        assert_eq!(store.prices_watched_since().await.unwrap(), None);
        assert!(store.note_catalog(&seen(1, "a"), &[], NOW).await.unwrap());
        let later = Timestamp(NOW.0 + 60_000_000);
        let second = [change(2, "p/m", Some("1"), Some("2")), change(2, "p/n", None, Some("unknown"))];
        assert!(store.note_catalog(&seen(2, "b"), &second, later).await.unwrap());
        let lost = [change(2, "p/m", Some("1"), Some("9"))];
        assert!(!store.note_catalog(&seen(2, "c"), &lost, later).await.unwrap(), "another node was first");
        let third = [change(3, "p/m", Some("2"), None)];
        assert!(store.note_catalog(&seen(3, "d"), &third, later).await.unwrap());
        let all = [third[0].clone(), second[0].clone(), second[1].clone()];
        assert_eq!(store.price_changes(10).await.unwrap(), all, "the newest first");
        assert_eq!(store.price_changes(1).await.unwrap(), all[..1]);
        assert_eq!(store.prices_watched_since().await.unwrap(), Some(NOW), "since the first");
    }
}
