use std::collections::HashMap;

use super::*;
use crate::{RuleKind, RuleName, RuleRow, StoreError, Written, check_slug};

fn by(n: i64) -> Written<'static> {
    Written { by: "key_a", at: Timestamp(NOW.micros() + n) }
}

/// A name of the owner's.
fn named<'a>(account: &'a AccountId, kind: RuleKind, slug: &'a str) -> RuleName<'a> {
    RuleName { account, kind, slug }
}

fn said(rows: &[RuleRow]) -> Vec<(&str, i64, &str, bool)> {
    rows.iter().map(|row| (&*row.slug, row.version, &*row.body, row.deleted)).collect()
}

#[test]
fn names_are_short_plain_and_not_dots_alone() {
    let long = "a".repeat(65);
    for bad in ["", ".", "..", "A", "a b", "a/b", "é", "a@1", &long] {
        assert!(matches!(check_slug(bad), Err(StoreError::Invalid(_))), "{bad}");
    }
    for good in ["a", "support-bot", "v1.2_x", &long[..64]] {
        assert!(check_slug(good).is_ok(), "{good}");
    }
}

both! {
    async fn each_edit_is_a_version_and_nothing_is_overwritten(store) {
        let me = account("owner");
        let chain = named(&me, RuleKind::Policy, "chain");
        assert!(matches!(store.create_rule(chain, "{}", by(0)).await, Err(StoreError::NotFound(_))), "no account yet");
        owner(&store).await;
        let first = store.create_rule(chain, "{\"a\":1}", by(1)).await.unwrap();
        assert_eq!((first.version, first.created, first.first_created, &*first.created_by), (1, by(1).at, by(1).at, "key_a"));
        assert!(matches!(store.create_rule(chain, "{}", by(2)).await, Err(StoreError::Conflict(_))));
        let second = store.put_rule(chain, "{\"a\":2}", by(3), Some(1)).await.unwrap();
        assert_eq!((second.version, second.first_created), (2, by(1).at));
        for expected in [Some(1), Some(3)] {
            assert!(matches!(store.put_rule(chain, "{}", by(4), expected).await, Err(StoreError::Conflict(_))));
            assert!(matches!(store.delete_rule(chain, by(4), expected).await, Err(StoreError::Conflict(_))));
        }
        assert_eq!(store.rule(chain).await.unwrap(), second);
        store.delete_rule(chain, by(5), Some(2)).await.unwrap();
        for gone in [store.rule(chain).await, store.delete_rule(chain, by(6), None).await] {
            assert!(matches!(gone, Err(StoreError::NotFound(_))));
        }
        assert!(matches!(store.put_rule(chain, "{}", by(6), Some(3)).await, Err(StoreError::Conflict(_))), "a deleted one has no version");
        assert_eq!(store.create_rule(chain, "{\"a\":4}", by(7)).await.unwrap().version, 4);
        let versions = store.rule_versions(chain).await.unwrap();
        assert_eq!(said(&versions), [("chain", 4, "{\"a\":4}", false), ("chain", 3, "", true), ("chain", 2, "{\"a\":2}", false), ("chain", 1, "{\"a\":1}", false)]);
        assert!(matches!(store.rule_versions(named(&me, RuleKind::Policy, "none")).await, Err(StoreError::NotFound(_))));
    }

    async fn kinds_and_accounts_are_apart(store) {
        owner(&store).await;
        store.ensure_account(&account("other"), "Other", NOW).await.unwrap();
        let (me, other) = (account("owner"), account("other"));
        for (whose, kind, slug) in [(&me, RuleKind::Policy, "b"), (&me, RuleKind::Policy, "a"), (&me, RuleKind::Preset, "a"), (&other, RuleKind::Policy, "a")] {
            store.create_rule(named(whose, kind, slug), "{}", by(1)).await.unwrap();
        }
        store.delete_rule(named(&other, RuleKind::Policy, "a"), by(2), None).await.unwrap();
        assert_eq!(said(&store.list_rules(&me, RuleKind::Policy).await.unwrap()), [("a", 1, "{}", false), ("b", 1, "{}", false)]);
        assert_eq!(store.list_rules(&me, RuleKind::Preset).await.unwrap().len(), 1);
        assert_eq!(store.list_rules(&other, RuleKind::Policy).await.unwrap(), []);
        assert!(store.rule(named(&other, RuleKind::Preset, "a")).await.is_err());
        for bad in [store.put_rule(named(&me, RuleKind::Preset, "A"), "{}", by(3), None).await,
            store.put_rule(named(&me, RuleKind::Preset, "x"), &"x".repeat(crate::RULE_BYTES_MAX + 1), by(3), None).await] {
            assert!(matches!(bad, Err(StoreError::Invalid(_))));
        }
    }

    async fn changes_tell_the_last_version_of_what_changed(store) {
        owner(&store).await;
        let me = account("owner");
        let (a, b) = (named(&me, RuleKind::Preset, "a"), named(&me, RuleKind::Preset, "b"));
        store.create_rule(a, "1", by(1)).await.unwrap();
        store.create_rule(b, "2", by(2)).await.unwrap();
        store.put_rule(a, "3", by(3), None).await.unwrap();
        let (rows, seen) = store.rule_changes(0).await.unwrap();
        assert_eq!(said(&rows), [("b", 1, "2", false), ("a", 2, "3", false)]);
        assert_eq!(store.rule_changes(seen).await.unwrap(), (vec![], seen));
        store.delete_rule(b, by(4), None).await.unwrap();
        let (rows, later) = store.rule_changes(seen).await.unwrap();
        assert_eq!((said(&rows), later > seen), (vec![("b", 2, "", true)], true));
    }

    async fn writers_at_the_same_time_make_one_version_each(store, url) {
        owner(&store).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..6 {
            let store = if writer % 2 == 0 { Arc::clone(&store) } else { Arc::new(Store::open(&url).await.unwrap()) };
            writers.spawn(async move {
                let me = account("owner");
                let mut made = 0;
                for n in 0..10 {
                    let shared = named(&me, RuleKind::Policy, "shared");
                    store.put_rule(shared, &format!("{writer}x{n}"), by(n), None).await.unwrap();
                    made += usize::from(store.create_rule(named(&me, RuleKind::Preset, "race"), "{}", by(n)).await.is_ok());
                }
                made
            });
        }
        let (mut known, mut since, mut made) = (HashMap::new(), 0, 0);
        loop {
            let done = writers.is_empty();
            let (rows, latest) = store.rule_changes(since).await.unwrap();
            since = latest;
            known.extend(rows.into_iter().map(|row| (row.slug.clone(), row.version)));
            if done {
                break;
            }
            while let Some(joined) = writers.try_join_next() {
                made += joined.unwrap();
            }
        }
        assert_eq!((known["shared"], known["race"], made), (60, 1, 1));
    }
}
