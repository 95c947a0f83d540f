use super::*;
use crate::{Identity, MailedToken, SignIn, StoreError, User};

const ISSUER: &str = "https://id.example.com";

fn person(name: &str, password: Option<&str>) -> User {
    User {
        id: format!("usr_{name}"),
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        password: password.map(str::to_owned),
        account: account(name),
        is_operator: false,
        created: NOW,
        disabled: None,
    }
}

fn identity(user: &str, issuer: &str, subject: &str) -> Identity {
    Identity {
        id: format!("idn_{user}_{subject}_{}", issuer.len()),
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        user: format!("usr_{user}"),
        email: format!("{user}@example.com"),
        created: NOW,
        used: NOW,
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() + seconds)
}

fn begun(n: i64) -> SignIn {
    SignIn {
        hash: KeyHash::of(&format!("state {n}")),
        browser: KeyHash::of("browser"),
        issuer: "main".to_owned(),
        body: format!("{{\"n\":{n}}}"),
        created: later(n),
        expires: later(n + 600),
    }
}

both! {
    async fn an_identity_is_one_persons_and_goes_with_them(store) {
        let (ada, bob) = (person("ada", None), person("bob", None));
        store.insert_user_with(&ada, &identity("ada", ISSUER, "1"), None, None).await.unwrap();
        let taken = store.insert_user_with(&bob, &identity("bob", ISSUER, "1"), None, None).await;
        assert!(matches!(taken, Err(StoreError::Conflict(_))));
        assert_eq!(store.user("usr_bob").await.unwrap(), None, "nothing is half made");
        store.insert_user_with(&bob, &identity("bob", ISSUER, "2"), None, None).await.unwrap();
        assert!(!store.link_identity(&identity("bob", ISSUER, "1")).await.unwrap(), "it is Ada's");
        // The same subject at another issuer is somebody else.
        assert!(store.link_identity(&identity("bob", "https://other.example", "1")).await.unwrap());
        assert_eq!(store.identity(ISSUER, "1").await.unwrap().unwrap().user, "usr_ada");
        assert_eq!(store.identity("https://other.example", "1").await.unwrap().unwrap().user, "usr_bob");
        assert_eq!(store.identity("https://id.example.com/", "1").await.unwrap(), None);
        store.touch_identity("idn_ada_1_22", "new@example.com", later(9)).await.unwrap();
        let seen = store.identities("usr_ada").await.unwrap();
        assert_eq!((seen.len(), seen[0].email.as_str(), seen[0].used), (1, "new@example.com", later(9)));

        let told = store.export_person("usr_ada", &ada.account).await.unwrap();
        let told = told.iter().find(|(name, _)| *name == "identities").unwrap();
        assert!(format!("{told:?}").contains("new@example.com"));
        store.erase_person("usr_ada", later(10)).await.unwrap();
        assert_eq!(store.identity(ISSUER, "1").await.unwrap(), None);
        assert_eq!(store.identities("usr_bob").await.unwrap().len(), 2);
    }

    async fn the_last_way_in_stays(store) {
        let issuers = [ISSUER.to_owned()];
        let ada = person("ada", None);
        let (first, second) = (identity("ada", ISSUER, "1"), identity("ada", ISSUER, "2"));
        store.insert_user_with(&ada, &first, None, None).await.unwrap();
        store.link_identity(&second).await.unwrap();
        store.link_identity(&identity("ada", "https://gone.example", "3")).await.unwrap();
        assert!(matches!(store.unlink_identity("usr_bob", &first.id, &issuers).await, Err(StoreError::NotFound(_))));
        // Two at once: one of them finds that it would be the last.
        let mut tasks = tokio::task::JoinSet::new();
        for id in [first.id.clone(), second.id.clone()] {
            let (store, issuers) = (Arc::clone(&store), issuers.clone());
            tasks.spawn(async move { store.unlink_identity("usr_ada", &id, &issuers).await.unwrap() });
        }
        let mut done = tasks.join_all().await;
        done.sort_unstable();
        assert_eq!(done, [false, true]);
        let left = store.identities("usr_ada").await.unwrap();
        assert_eq!(left.len(), 2, "one of an issuer that is known, and one of an issuer that is not");
        let own = left.iter().find(|one| one.issuer == ISSUER).unwrap();
        store.set_password("usr_ada", "$argon2id$", None).await.unwrap();
        assert!(store.unlink_identity("usr_ada", &own.id, &issuers).await.unwrap(), "there is a password");
    }

    async fn a_sign_in_is_taken_once_by_its_browser_in_time(store) {
        let browser = KeyHash::of("browser");
        for n in 0..6 {
            store.begin_sign_in(&begun(n), 100).await.unwrap();
        }
        let take = |n: i64, browser: KeyHash, at: &'static str, now| {
            let (store, hash) = (Arc::clone(&store), begun(n).hash);
            async move { store.take_sign_in(&hash, &browser, at, now).await.unwrap() }
        };
        assert_eq!(take(0, KeyHash::of("another"), "main", later(9)).await, None);
        assert_eq!(take(0, browser, "main", later(9)).await, None, "one try");
        assert_eq!(take(1, browser, "other", later(9)).await, None, "of another issuer");
        assert_eq!(take(2, browser, "main", later(602)).await, None, "too old");
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..30 {
            tasks.spawn(take(3, browser, "main", later(9)));
        }
        let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(taken, [("{\"n\":3}".to_owned(), later(603))]);
        // Two are left; with room for two, a third pushes the oldest out, and time the others.
        store.begin_sign_in(&begun(6), 2).await.unwrap();
        assert_eq!(take(4, browser, "main", later(9)).await, None);
        assert!(take(5, browser, "main", later(9)).await.is_some());
        store.expire_people(later(700)).await.unwrap();
        assert_eq!(take(6, browser, "main", later(9)).await, None);
    }

    async fn who_is_invited_is_known_by_address(store) {
        let mailed = MailedToken {
            hash: KeyHash::of("mt"),
            kind: "invitation",
            email: "ada@example.com".to_owned(),
            body: "{}".to_owned(),
            created: NOW,
            expires: later(60),
        };
        store.insert_token(&mailed).await.unwrap();
        assert_eq!(store.invited("ada@example.com", NOW).await.unwrap(), (Some("{}".to_owned()), false));
        assert_eq!(store.invited("ada@example.com", later(60)).await.unwrap(), (None, false));
        assert_eq!(store.invited("bob@example.com", NOW).await.unwrap(), (None, false));
        store.insert_user_with(&person("ada", None), &identity("ada", ISSUER, "1"), None, None).await.unwrap();
        assert_eq!(store.take_token(&mailed.hash, "invitation", NOW).await.unwrap(), None, "it was taken with it");
    }
}
