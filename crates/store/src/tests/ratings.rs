use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{
    BY_REPORTS, Moderation, NewRating, NewReport, Queue, QueueAt, Rating, RatingAt, StoreError, User,
};

const MODEL: &str = "acme/one";

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() + seconds)
}

async fn come(store: &Store, names: &[&str]) {
    for name in names {
        let user = User {
            id: format!("usr_{name}"),
            email: format!("{name}@example.com"),
            name: (*name).to_owned(),
            password: None,
            account: account(name),
            is_operator: false,
            created: NOW,
            disabled: None,
        };
        store.insert_user(&user, None, None).await.unwrap();
    }
}

fn of(name: &str, stars: i64, comment: &str) -> NewRating {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    NewRating {
        id: format!("rat_{:04}", COUNT.fetch_add(1, Ordering::Relaxed)),
        model: MODEL.to_owned(),
        user: format!("usr_{name}"),
        name: format!("{name}!"),
        stars,
        comment: comment.to_owned(),
    }
}

fn against(rating: &Rating, name: &str) -> NewReport {
    NewReport {
        id: format!("rep_{}_{name}_{}", rating.id, rating.edited.map_or(0, Timestamp::micros)),
        rating: rating.id.clone(),
        reporter: format!("usr_{name}"),
        reason: format!("{name} says why"),
    }
}

/// How many stars were given, who comments, and the own rating's id.
async fn shown(store: &Store, user: Option<&str>) -> ([i64; 5], Vec<String>, Option<String>) {
    let page = store.rating_page(MODEL, user, None, 100).await.unwrap();
    let names = page.comments.into_iter().map(|rating| rating.name);
    (page.counts, names.collect(), page.own.map(|rating| rating.id))
}

async fn queued(store: &Store, queue: Queue) -> Vec<(String, usize)> {
    let all = store.moderation(queue, None, 100).await.unwrap();
    all.into_iter().map(|queued| (queued.rating.name, queued.reports.len())).collect()
}

both! {
    async fn each_has_one_rating_which_they_edit_and_take_back(store) {
        come(&store, &["ada", "bob", "eve"]).await;
        let (first, made) = store.rate(&of("ada", 4, "fine"), NOW).await.unwrap();
        assert!(made && first.edited.is_none() && first.hidden.is_none());
        let (again, made) = store.rate(&of("ada", 4, "fine"), later(9)).await.unwrap();
        assert!(!made && again == first, "the same again is no edit");
        let (second, made) = store.rate(&of("ada", 2, "not *so* fine"), later(10)).await.unwrap();
        assert_eq!((made, &second.id, second.created), (false, &first.id, NOW));
        assert_eq!((second.edited, second.stars, second.comment.as_str()), (Some(later(10)), 2, "not *so* fine"));
        store.rate(&of("bob", 5, ""), later(11)).await.unwrap();
        store.rate(&of("eve", 2, "meh"), later(12)).await.unwrap();
        let mut other = of("eve", 1, "elsewhere");
        other.model = "acme/two".to_owned();
        store.rate(&other, later(12)).await.unwrap();
        let names = ["eve!", "ada!"].map(str::to_owned).to_vec();
        assert_eq!(shown(&store, Some("usr_ada")).await, ([0, 2, 0, 0, 1], names.clone(), Some(first.id.clone())));
        assert_eq!(shown(&store, Some("usr_nobody")).await, ([0, 2, 0, 0, 1], names, None));
        store.withdraw_rating(MODEL, "usr_ada", later(13)).await.unwrap();
        assert_eq!(shown(&store, Some("usr_ada")).await.0, [0, 1, 0, 0, 1]);
        let gone = store.withdraw_rating(MODEL, "usr_ada", later(13)).await;
        assert!(matches!(gone, Err(StoreError::NotFound(_))));
        assert_eq!(store.rating_page("acme/three", None, None, 9).await.unwrap(), crate::RatingPage::default());
    }

    async fn twenty_at_once_make_one(store) {
        come(&store, &["ada"]).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20 {
            let (store, mut new) = (Arc::clone(&store), of("ada", 1 + n % 5, "x"));
            new.id = format!("rat_{n}");
            tasks.spawn(async move { store.rate(&new, later(n)).await.unwrap().1 });
        }
        let made = tasks.join_all().await;
        assert_eq!(made.iter().filter(|made| **made).count(), 1);
        assert_eq!(shown(&store, None).await.0.iter().sum::<i64>(), 1);
    }

    async fn comments_come_in_pages_the_newest_first(store) {
        let names: Vec<String> = (0..7).map(|n| format!("p{n}")).collect();
        come(&store, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for (n, name) in names.iter().enumerate() {
            // Two at the same instant are told apart by their ids.
            store.rate(&of(name, 3, "words"), later(n as i64 / 2)).await.unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.rating_page(MODEL, None, after.as_ref(), 2).await.unwrap();
            let Some(last) = page.comments.last() else { break };
            after = Some(RatingAt(last.created, last.id.clone()));
            seen.extend(page.comments.into_iter().map(|rating| rating.name));
        }
        assert_eq!(seen, ["p6!", "p5!", "p4!", "p3!", "p2!", "p1!", "p0!"]);
    }

    async fn enough_people_hide_a_rating_until_somebody_looks(store) {
        come(&store, &["ada", "bob", "cyd", "dan", "eve"]).await;
        let (rating, _) = store.rate(&of("ada", 1, "spam"), NOW).await.unwrap();
        let own = store.report_rating(&against(&rating, "ada"), 3, later(1)).await;
        assert!(matches!(own, Err(StoreError::Invalid(_))));
        for _ in 0..5 {
            assert!(!store.report_rating(&against(&rating, "bob"), 3, later(1)).await.unwrap(), "one person");
        }
        let mut tasks = tokio::task::JoinSet::new();
        for name in ["cyd", "dan"] {
            let (store, report) = (Arc::clone(&store), against(&rating, name));
            tasks.spawn(async move { store.report_rating(&report, 3, later(2)).await.unwrap() });
        }
        let mut hid = tasks.join_all().await;
        hid.sort_unstable();
        assert_eq!(hid, [false, true], "of two at once the second one counts the first");
        let late = store.report_rating(&against(&rating, "eve"), 3, later(3)).await;
        assert!(matches!(late, Err(StoreError::NotFound(_))), "nobody sees it any more");
        assert_eq!(shown(&store, Some("usr_ada")).await, ([0; 5], vec![], Some(rating.id.clone())));
        assert_eq!(queued(&store, Queue::Reported).await, [("ada!".to_owned(), 3)]);
        let queue = store.moderation(Queue::Hidden, None, 9).await.unwrap();
        assert_eq!(queue[0].rating.hidden.as_ref().unwrap().by, BY_REPORTS);
        assert_eq!((queue[0].email.as_str(), queue[0].reports[0].reason.contains("says why")), ("ada@example.com", true));

        store.moderate(&rating.id, &Moderation::Dismiss, "usr_ops", later(4)).await.unwrap();
        assert_eq!(shown(&store, None).await.0, [1, 0, 0, 0, 0]);
        assert!(queued(&store, Queue::Reported).await.is_empty());
        // What was looked at is reported again only when it is another text.
        for name in ["bob", "cyd", "dan"] {
            assert!(!store.report_rating(&against(&rating, name), 3, later(5)).await.unwrap());
        }
        assert!(queued(&store, Queue::Reported).await.is_empty());
        let (rating, _) = store.rate(&of("ada", 1, "worse"), later(6)).await.unwrap();
        for (name, hides) in [("bob", false), ("cyd", false), ("dan", true)] {
            assert_eq!(store.report_rating(&against(&rating, name), 3, later(7)).await.unwrap(), hides);
        }
    }

    async fn what_a_moderator_hid_its_person_can_t_bring_back(store) {
        come(&store, &["ada", "bob"]).await;
        let (rating, _) = store.rate(&of("ada", 1, "bad words"), NOW).await.unwrap();
        store.report_rating(&against(&rating, "bob"), 3, later(1)).await.unwrap();
        let hide = Moderation::Hide { why: "insults".to_owned() };
        store.moderate(&rating.id, &hide, "usr_ops", later(2)).await.unwrap();
        let (edited, _) = store.rate(&of("ada", 5, "good words"), later(3)).await.unwrap();
        let hidden = edited.hidden.unwrap();
        assert_eq!((hidden.by.as_str(), hidden.why.as_str(), hidden.at), ("usr_ops", "insults", later(2)));
        store.moderate(&rating.id, &Moderation::Dismiss, "usr_ops", later(3)).await.unwrap();
        assert_eq!(shown(&store, None).await.0, [0; 5], "dismissing reports shows nothing that a moderator hid");
        store.withdraw_rating(MODEL, "usr_ada", later(4)).await.unwrap();
        assert_eq!(shown(&store, Some("usr_ada")).await, ([0; 5], vec![], None));
        assert!(queued(&store, Queue::Hidden).await.is_empty(), "there is nothing to look at");
        let show = store.moderate(&rating.id, &Moderation::Show, "usr_ops", later(5)).await;
        assert!(matches!(show, Err(StoreError::NotFound(_))));
        let (anew, made) = store.rate(&of("ada", 1, "bad words again"), later(6)).await.unwrap();
        assert!(!made && anew.hidden.is_some());
        assert_eq!(queued(&store, Queue::Hidden).await, [("ada!".to_owned(), 1)]);
        store.moderate(&rating.id, &Moderation::Show, "usr_ops", later(7)).await.unwrap();
        assert_eq!(shown(&store, None).await, ([1, 0, 0, 0, 0], vec!["ada!".to_owned()], None));
        store.moderate(&rating.id, &Moderation::Delete, "usr_ops", later(8)).await.unwrap();
        assert_eq!(shown(&store, Some("usr_ada")).await, ([0; 5], vec![], None));
        let gone = store.moderate(&rating.id, &Moderation::Hide { why: String::new() }, "usr_ops", later(9)).await;
        assert!(matches!(gone, Err(StoreError::NotFound(_))));
        assert!(store.rate(&of("ada", 5, "another"), later(10)).await.unwrap().1, "what was deleted is forgotten");
    }

    async fn the_queue_has_the_last_report_first_and_pages(store) {
        let names: Vec<String> = (0..6).map(|n| format!("p{n}")).collect();
        come(&store, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for (n, name) in names.iter().enumerate().skip(1) {
            let (rating, _) = store.rate(&of(name, 3, "words"), later(n as i64)).await.unwrap();
            store.report_rating(&against(&rating, "p0"), 9, later(100 - n as i64 / 2)).await.unwrap();
        }
        for queue in [Queue::Reported, Queue::Hidden] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = store.moderation(queue, after.as_ref(), 2).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(QueueAt(last.at, last.rating.id.clone()));
                seen.extend(page.into_iter().map(|queued| queued.rating.user));
            }
            let expect: &[&str] = match queue {
                Queue::Reported => &["usr_p1", "usr_p3", "usr_p2", "usr_p5", "usr_p4"],
                Queue::Hidden => &[],
            };
            assert_eq!(seen, expect);
        }
    }

    async fn a_model_takes_its_ratings_to_another_id(store) {
        come(&store, &["ada", "bob", "cyd", "dan"]).await;
        for (name, old, new) in [("ada", 1, None), ("bob", 2, Some((3, 20))), ("cyd", 4, Some((5, 5)))] {
            let mut former = of(name, old, "old");
            former.model = "acme/former".to_owned();
            store.rate(&former, later(10)).await.unwrap();
            if let Some((stars, at)) = new {
                store.rate(&of(name, stars, "newer text"), later(at)).await.unwrap();
            }
        }
        let mut hidden = of("dan", 1, "hidden");
        hidden.model = "acme/former".to_owned();
        let (hidden, _) = store.rate(&hidden, later(1)).await.unwrap();
        store.moderate(&hidden.id, &Moderation::Hide { why: String::new() }, "usr_ops", later(2)).await.unwrap();
        store.rate(&of("dan", 5, "as if nothing were"), later(30)).await.unwrap();
        assert_eq!(store.rated_models().await.unwrap(), ["acme/former", MODEL]);
        assert_eq!(store.adopt_ratings("acme/former", MODEL).await.unwrap(), 3);
        assert_eq!(store.rated_models().await.unwrap(), [MODEL]);
        // Ada's came along, Bob's newer one stayed, Cyd's former one was the later one, Dan's stays hidden.
        assert_eq!(shown(&store, None).await.0, [1, 0, 1, 1, 0]);
        assert_eq!(store.adopt_ratings("acme/former", MODEL).await.unwrap(), 0);
    }

    async fn whoever_is_erased_leaves_no_word(store) {
        come(&store, &["ada", "bob", "cyd"]).await;
        let (ada, _) = store.rate(&of("ada", 1, "ada wrote this"), NOW).await.unwrap();
        let (bob, _) = store.rate(&of("bob", 5, "bob wrote this"), NOW).await.unwrap();
        store.report_rating(&against(&ada, "bob"), 9, later(1)).await.unwrap();
        store.report_rating(&against(&bob, "ada"), 2, later(1)).await.unwrap();
        store.moderate(&ada.id, &Moderation::Hide { why: "bob's words".to_owned() }, "usr_bob", later(2)).await.unwrap();
        let told = store.export_person("usr_ada", &account("ada")).await.unwrap();
        let part = |name: &str| format!("{:?}", told.iter().find(|(part, _)| *part == name).unwrap());
        assert!(part("ratings").contains("ada wrote this") && part("ratings").contains("bob's words"));
        assert!(part("reports_of_ratings").contains("ada says why"));

        store.erase_person("usr_ada", later(3)).await.unwrap();
        assert_eq!(shown(&store, None).await.0, [0, 0, 0, 0, 1]);
        let queue = store.moderation(Queue::Reported, None, 9).await.unwrap();
        assert_eq!(queue.len(), 1, "what she reported is still to be looked at");
        assert_eq!((&queue[0].reports[0].reporter, queue[0].reports[0].reason.as_str()), (&None, ""));
        assert!(store.report_rating(&against(&bob, "cyd"), 2, later(4)).await.unwrap(), "and it counts");
        store.erase_person("usr_bob", later(5)).await.unwrap();
        assert!(store.rated_models().await.unwrap().is_empty());
    }
}
