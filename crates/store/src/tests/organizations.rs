use types::{Right, Role};

use super::*;
use crate::{Act, Invited, Project, ServiceAccount, StoreError, User};

fn person(name: &str) -> User {
    User {
        id: format!("usr_{name}"),
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        password: None,
        account: account(name),
        is_operator: false,
        created: NOW,
        disabled: None,
    }
}

fn held(id: &str, holder: &str, role: Option<Role>) -> NewKey {
    NewKey {
        account: account("team"),
        holder: Some(holder.to_owned()),
        management: role.is_some(),
        role,
        ..new_key(id)
    }
}

async fn team(store: &Store) {
    store.insert_user(&person("ada"), None, None).await.unwrap();
    store.insert_organization(&account("team"), "Team", "usr_ada", NOW).await.unwrap();
    store.insert_user(&person("bob"), None, Some((&account("team"), Role::Admin))).await.unwrap();
}

async fn key(store: &Store, id: &str) -> crate::KeyRow {
    store.find_key(&format!("key_{id}")).await.unwrap()
}

fn act(action: &str) -> Act {
    Act {
        at: NOW,
        account: account("team"),
        actor: "usr_ada".to_owned(),
        action: action.to_owned(),
        object: "key_1".to_owned(),
        address: "192.0.2.7".to_owned(),
        status: 200,
        detail: r#"{"limit":"5"}"#.to_owned(),
    }
}

both! {
    async fn everybody_has_an_organization_and_belongs_to_others(store) {
        team(&store).await;
        let names = |all: Vec<crate::Organization>| all.into_iter().map(|one| (one.name, one.role)).collect::<Vec<_>>();
        assert_eq!(
            names(store.organizations("usr_bob").await.unwrap()),
            [("bob".to_owned(), Role::Owner), ("Team".to_owned(), Role::Admin)]
        );
        assert_eq!(store.role(&account("team"), "usr_ada").await.unwrap(), Some(Role::Owner));
        assert_eq!(store.role(&account("ada"), "usr_bob").await.unwrap(), None, "another's own is theirs");
        let all = store.all_organizations(false).await.unwrap();
        assert_eq!(all.iter().map(|(one, members)| (one.name.as_str(), *members)).collect::<Vec<_>>(), [("Team", 2)]);
        let missing = store.insert_user(&person("eve"), None, Some((&account("nowhere"), Role::Owner))).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
        assert_eq!(store.user("usr_eve").await.unwrap(), None, "nothing is half made");
    }

    async fn the_last_owner_stays(store) {
        team(&store).await;
        let team = account("team");
        assert!(matches!(store.set_role(&team, "usr_ada", Role::Viewer, NOW).await, Err(StoreError::Invalid(_))));
        assert!(matches!(store.remove_member(&team, "usr_ada", NOW).await, Err(StoreError::Invalid(_))));
        assert!(matches!(store.remove_member(&account("bob"), "usr_bob", NOW).await, Err(StoreError::Invalid(_))));
        store.set_role(&team, "usr_bob", Role::Owner, NOW).await.unwrap();
        // Both leave at once: one of them is last.
        let leave = |user: &'static str| {
            let (store, team) = (Arc::clone(&store), team.clone());
            tokio::spawn(async move { store.remove_member(&team, user, NOW).await.is_ok() })
        };
        let (ada, bob) = (leave("usr_ada"), leave("usr_bob"));
        assert!(ada.await.unwrap() != bob.await.unwrap());
        assert_eq!(store.members(&team).await.unwrap().len(), 1);
    }

    async fn what_a_member_holds_shrinks_and_ends_with_them(store) {
        team(&store).await;
        let team = account("team");
        store.insert_key(&held("call", "usr_bob", None)).await.unwrap();
        store.insert_key(&held("admin", "usr_bob", Some(Role::Admin))).await.unwrap();
        store.insert_key(&held("viewer", "usr_bob", Some(Role::Viewer))).await.unwrap();
        store.insert_key(&held("ada", "usr_ada", Some(Role::Admin))).await.unwrap();
        let robot = ServiceAccount {
            id: "sa_robot".to_owned(), account: team.clone(), name: "robot".to_owned(), role: Role::Developer, created: NOW,
        };
        store.insert_service_account(&robot).await.unwrap();
        store.insert_key(&held("robot", "sa_robot", None)).await.unwrap();
        assert_eq!(store.holder(&team, "sa_robot").await.unwrap(), Some(Role::Developer));
        assert_eq!(store.holder(&team, "usr_eve").await.unwrap(), None);

        let (_, seen) = store.key_changes(0).await.unwrap();
        store.set_role(&team, "usr_bob", Role::Billing, NOW).await.unwrap();
        assert_eq!(key(&store, "admin").await.key.role, Some(Role::Billing));
        assert_eq!(key(&store, "viewer").await.key.role, Some(Role::Viewer), "less stays less");
        assert_eq!(key(&store, "ada").await.key.role, Some(Role::Admin), "another's stays");
        assert_eq!(store.key_changes(seen).await.unwrap().0.len(), 3, "servers hear of it");
        for role in Role::ALL {
            store.set_role(&team, "usr_bob", role, NOW).await.unwrap();
            let is_out = !role.may(Right::Build);
            assert_eq!(key(&store, "call").await.holder_is_out, is_out, "{}: calls are for who builds", role.name());
            assert!(!key(&store, "admin").await.holder_is_out, "a management key does what its role may");
        }

        store.remove_member(&team, "usr_bob", NOW).await.unwrap();
        for (id, gone) in [("call", true), ("admin", true), ("viewer", true), ("ada", false), ("robot", false)] {
            assert_eq!(key(&store, id).await.revoked.is_some(), gone, "{id}");
        }
        store.end_service_account(&team, "sa_robot", NOW).await.unwrap();
        assert!(key(&store, "robot").await.revoked.is_some());
        assert!(matches!(store.end_service_account(&team, "sa_robot", NOW).await, Err(StoreError::NotFound(_))));
    }

    async fn an_invitation_is_taken_once(store) {
        team(&store).await;
        store.insert_user(&person("eve"), None, None).await.unwrap();
        let invited = Invited {
            id: "inv_1".to_owned(),
            account: account("team"),
            email: "eve@example.com".to_owned(),
            role: Role::Developer,
            invited_by: "usr_ada".to_owned(),
            created: NOW,
            expires: Timestamp::from_seconds(NOW.seconds() + 60),
        };
        let hash = KeyHash::of("mt_1");
        store.insert_invitation(&invited, &hash).await.unwrap();
        let twice = Invited { id: "inv_2".to_owned(), ..invited.clone() };
        let newer = KeyHash::of("mt_2");
        store.insert_invitation(&twice, &newer).await.unwrap();
        assert_eq!(store.invitation(&hash, NOW).await.unwrap(), None, "the newer one counts");
        assert_eq!(store.invitation(&newer, twice.expires).await.unwrap(), None, "too old");
        assert_eq!(store.invitations(&account("ada"), NOW).await.unwrap(), [], "another organization's");
        assert!(store.delete_invitation(&account("ada"), "inv_2").await.is_err());
        let found = store.invitation(&newer, NOW).await.unwrap().unwrap();
        assert_eq!(found, twice);
        assert!(store.take_invitation(&found, "usr_eve", NOW).await.unwrap());
        assert!(!store.take_invitation(&found, "usr_eve", NOW).await.unwrap());
        assert_eq!(store.role(&account("team"), "usr_eve").await.unwrap(), Some(Role::Developer));
        let again = Invited { id: "inv_3".to_owned(), ..invited };
        assert!(matches!(store.insert_invitation(&again, &hash).await, Err(StoreError::Conflict(_))));
    }

    async fn an_organization_that_ended_lets_nobody_in(store) {
        team(&store).await;
        store.insert_key(&held("call", "usr_bob", None)).await.unwrap();
        store.end_organization(&account("team"), NOW).await.unwrap();
        assert!(key(&store, "call").await.revoked.is_some());
        assert_eq!(store.organizations("usr_ada").await.unwrap().len(), 1);
        assert_eq!(store.role(&account("team"), "usr_ada").await.unwrap(), None);
        for id in ["team", "ada", "nowhere"] {
            assert!(matches!(store.end_organization(&account(id), NOW).await, Err(StoreError::Invalid(_))), "{id}");
        }
    }

    async fn a_key_that_names_a_project_makes_it(store) {
        team(&store).await;
        let team = account("team");
        store.insert_key(&NewKey { project: Some("web".to_owned()), ..held("one", "usr_ada", None) }).await.unwrap();
        let web = Project { slug: "web".to_owned(), name: "web".to_owned(), created: NOW, archived: None };
        assert_eq!(store.projects(&team).await.unwrap().first(), Some(&web));
        let named = Project { name: "Web shop".to_owned(), archived: Some(NOW), ..web };
        store.put_project(&team, &named).await.unwrap();
        store.insert_key(&NewKey { project: Some("web".to_owned()), ..held("two", "usr_ada", None) }).await.unwrap();
        assert_eq!(store.projects(&team).await.unwrap(), [named]);
        assert_eq!(store.projects(&account("ada")).await.unwrap(), []);
    }

    async fn whatever_is_done_to_the_log_of_acts_shows(store) {
        for n in 0..5 {
            store.note_act(&act(&format!("POST /v1/keys {n}"))).await.unwrap();
        }
        let report = store.verify_audit().await.unwrap();
        assert_eq!((report.acts, report.problems.as_slice()), (5, &[][..]));
        let newest = store.acts(Some(&account("team")), i64::MAX, 2).await.unwrap();
        assert_eq!(newest.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(store.acts(Some(&account("ada")), i64::MAX, 9).await.unwrap(), []);
        let spoil: [(&'static str, &'static str); 4] = [
            ("UPDATE audit SET status = 500 WHERE seq = 3", "UPDATE audit SET status = 200 WHERE seq = 3"),
            ("UPDATE audit SET digest = hash WHERE seq = 2", ""),
            ("UPDATE audit SET seq = 9 WHERE seq = 5", "UPDATE audit SET seq = 5 WHERE seq = 9"),
            ("DELETE FROM audit WHERE seq = 5", ""),
        ];
        let mut known = 0;
        for (wrong, back) in spoil {
            run(&store, wrong).await;
            let found = store.verify_audit().await.unwrap().problems.len();
            assert!(found > known, "{wrong}");
            match back {
                "" => known = found,
                back => run(&store, back).await,
            }
        }
    }

    async fn people_and_keys_of_before_are_owners_and_in_projects(store, url) {
        // What a store had before there were organizations.
        let older = super::chain::emptied(&store, &url).await;
        let db = crate::dialect::open(&older).await.unwrap();
        crate::migrate::run_below(&db, 12).await.unwrap();
        let mut tx = db.write().await.unwrap();
        for sql in [
            "INSERT INTO accounts (id, name, created) VALUES ('acct_owner', 'Owner', 1), ('acct_a', 'Ada', 2), ('acct_b', 'Both', 3)",
            "INSERT INTO users (id, email, name, account, is_operator, created) VALUES
                ('usr_o', 'o@x.example', 'O', 'acct_owner', TRUE, 1), ('usr_a', 'a@x.example', 'A', 'acct_a', FALSE, 2),
                ('usr_b', 'b@x.example', 'B', 'acct_b', FALSE, 3), ('usr_c', 'c@x.example', 'C', 'acct_b', FALSE, 4)",
            "INSERT INTO api_keys (id, account, hash, label, name, management, created, disabled, changed_seq, project) VALUES
                ('key_1', 'acct_a', '01', 'l', 'n', FALSE, 7, FALSE, 1, 'web'), ('key_2', 'acct_a', '02', 'l', 'n', FALSE, 5, FALSE, 2, 'web'),
                ('key_3', 'acct_a', '03', 'l', 'n', TRUE, 5, FALSE, 3, NULL)",
        ] {
            tx.execute(sql, &[]).await.unwrap();
        }
        tx.commit().await.unwrap();
        crate::migrate::run(&db).await.unwrap();
        let store = crate::Store { db };
        let all = store.all_organizations(true).await.unwrap();
        let all: Vec<_> = all.iter().map(|(one, members)| (one.account.as_str(), one.personal, *members)).collect();
        assert_eq!(all, [("acct_owner", false, 1), ("acct_a", true, 1), ("acct_b", false, 2)]);
        assert_eq!(store.role(&AccountId::new("acct_b"), "usr_c").await.unwrap(), Some(types::Role::Owner));
        let projects = store.projects(&AccountId::new("acct_a")).await.unwrap();
        assert_eq!(projects.iter().map(|one| (one.slug.as_str(), one.created)).collect::<Vec<_>>(), [("web", Timestamp(5))]);
        assert_eq!(store.verify_audit().await.unwrap().problems, Vec::<String>::new());
    }
}

async fn run(store: &Store, sql: &'static str) {
    let mut tx = store.db.write().await.unwrap();
    tx.execute(sql, &[]).await.unwrap();
    tx.commit().await.unwrap();
}
