use ledger::promotion;
use types::EntryId;

use super::*;
use crate::{MailedToken, Session, StoreError, User};

fn user(name: &str) -> User {
    User {
        id: format!("usr_{name}"),
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        password: Some("$argon2id$".to_owned()),
        account: account(name),
        is_operator: false,
        created: NOW,
        disabled: None,
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() + seconds)
}

fn session(user: &str, n: u32, seen: Timestamp, expires: Timestamp) -> (Session, KeyHash) {
    let id = format!("ses_{user}{n}");
    let hash = KeyHash::of(&id);
    let (address, agent) = ("192.0.2.7".to_owned(), "curl".to_owned());
    (
        Session {
            id,
            user: format!("usr_{user}"),
            created: NOW,
            seen,
            expires,
            address,
            agent,
            account: None,
        },
        hash,
    )
}

fn token(kind: &'static str, text: &str, email: &str, created: Timestamp, expires: Timestamp) -> MailedToken {
    let (hash, body) = (KeyHash::of(text), format!("{{\"of\":{text:?}}}"));
    MailedToken { hash, kind, email: email.to_owned(), body, created, expires }
}

both! {
    async fn an_address_is_one_person_whose_account_begins_with_a_trial(store) {
        let ada = user("ada");
        let trial = promotion(ada.account.clone(), Money::from_usd(1), EntryId::new("trial:ada"), NOW).unwrap();
        store.insert_user(&ada, Some(&trial), None).await.unwrap();
        assert_eq!(store.user_by_email("ada@example.com").await.unwrap(), Some(ada.clone()));
        assert_eq!(store.user("usr_ada").await.unwrap(), Some(ada.clone()));
        assert_eq!(store.credits(&ada.account).await.unwrap().balance, Money::from_usd(1));

        let twin = User { id: "usr_twin".to_owned(), account: account("twin"), ..ada.clone() };
        let more = promotion(twin.account.clone(), Money::from_usd(1), EntryId::new("trial:twin"), NOW).unwrap();
        assert!(matches!(store.insert_user(&twin, Some(&more), None).await, Err(StoreError::Conflict(_))));
        assert_eq!(store.credits(&twin.account).await.unwrap().balance, Money::ZERO, "nothing is half made");

        // Somebody else in an account that is there: no second trial.
        let bob = User { account: ada.account.clone(), ..user("bob") };
        let second = promotion(bob.account.clone(), Money::from_usd(1), EntryId::new("trial:bob"), NOW).unwrap();
        store.insert_user(&bob, Some(&second), None).await.unwrap();
        assert_eq!(store.credits(&ada.account).await.unwrap().balance, Money::from_usd(1));
        assert_eq!(store.users(Some(&ada.account)).await.unwrap().len(), 2);
        assert_eq!(store.verify().await.unwrap().problems, []);
    }

    async fn of_many_who_bring_a_token_one_gets_it(store) {
        let mailed = token("sign_up", "one", "ada@example.com", NOW, later(60));
        store.insert_token(&mailed).await.unwrap();
        assert_eq!(store.take_token(&mailed.hash, "reset", NOW).await.unwrap(), None, "of another kind");
        assert_eq!(store.take_token(&mailed.hash, "sign_up", later(60)).await.unwrap(), None, "too old");
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (store, hash) = (Arc::clone(&store), mailed.hash);
            tasks.spawn(async move { store.take_token(&hash, "sign_up", NOW).await.unwrap() });
        }
        let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(taken, [("ada@example.com".to_owned(), r#"{"of":"one"}"#.to_owned())]);

        // A newer one takes the place of the older, and what expired is forgotten.
        let (old, new) = (token("reset", "old", "ada@example.com", NOW, later(9)), token("reset", "new", "ada@example.com", NOW, later(9)));
        store.insert_token(&old).await.unwrap();
        store.insert_token(&new).await.unwrap();
        assert_eq!(store.take_token(&old.hash, "reset", NOW).await.unwrap(), None);
        store.insert_token(&token("reset", "other", "bob@example.com", later(9), later(20))).await.unwrap();
        assert_eq!(store.take_token(&new.hash, "reset", NOW).await.unwrap(), None, "it was forgotten");
    }

    async fn sessions_end_by_age_rest_password_and_operator(store) {
        store.insert_user(&user("ada"), None, None).await.unwrap();
        let (one, hash) = session("ada", 1, NOW, later(100));
        store.insert_session(&one, &hash).await.unwrap();
        let found = |now, idle| { let store = Arc::clone(&store); async move { store.session(&hash, now, idle, None).await.unwrap().is_some() } };
        assert!(found(later(99), later(-1)).await);
        assert!(!found(later(100), later(-1)).await, "too old");
        assert!(!found(later(50), NOW).await, "not used for too long");
        store.touch_session("ses_ada1", later(40)).await.unwrap();
        assert!(found(later(50), NOW).await);

        let (two, other) = session("ada", 2, NOW, later(100));
        store.insert_session(&two, &other).await.unwrap();
        assert_eq!(store.sessions("usr_ada", NOW).await.unwrap().len(), 2);
        store.set_password("usr_ada", "$new", Some("ses_ada2")).await.unwrap();
        assert!(!found(later(50), later(-1)).await);
        assert_eq!(store.sessions("usr_ada", NOW).await.unwrap(), [two]);
        assert_eq!(store.end_sessions("usr_bob", Some("ses_ada2")).await.unwrap(), 0, "nobody ends another's");
        assert!(store.disable_user("usr_ada", Some(NOW)).await.unwrap());
        assert_eq!(store.sessions("usr_ada", NOW).await.unwrap(), []);
        store.insert_session(&session("ada", 3, NOW, later(100)).0, &KeyHash::of("three")).await.unwrap();
        assert_eq!(store.session(&KeyHash::of("three"), NOW, later(-1), None).await.unwrap(), None, "shut out");
        assert!(store.disable_user("usr_ada", None).await.unwrap());
        assert!(store.session(&KeyHash::of("three"), NOW, later(-1), None).await.unwrap().is_some());
        assert!(!store.disable_user("usr_nobody", None).await.unwrap());
        assert!(matches!(store.set_password("usr_nobody", "$", None).await, Err(StoreError::NotFound(_))));
    }
}
