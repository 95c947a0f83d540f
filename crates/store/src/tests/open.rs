use super::*;
use crate::{Backend, StoreError};

both! {
    async fn an_open_store_answers_and_opens_again(store, url) {
        store.ping().await.unwrap();
        owner(&store).await;
        let again = Store::open(&url).await.unwrap();
        assert!(!again.ensure_account(&account("owner"), "Owner", NOW).await.unwrap());
        let is_sqlite = url.starts_with("sqlite:");
        assert_eq!(again.backend(), if is_sqlite { Backend::Sqlite } else { Backend::Postgres });
        again.close().await;
        assert!(matches!(again.ping().await, Err(StoreError::Unavailable(_))));
        store.ping().await.unwrap();
    }

    async fn a_newer_schema_is_refused(store, url) {
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            SELECT 9000, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
        assert_eq!(tamper(&store, sql, &[]).await, 1);
        assert!(matches!(Store::open(&url).await, Err(StoreError::Unsupported(_))));
    }
}

#[tokio::test]
async fn an_address_that_no_store_speaks_is_refused() {
    for url in ["mysql://localhost/x", "tollway.db", "sqlite:", "sqlite::memory:", ""] {
        assert!(matches!(Store::open(url).await, Err(StoreError::Unsupported(_))), "{url}");
    }
    // Nobody listens there; the password stays out of the text.
    let error = Store::open("postgres://u:hunter2@127.0.0.1:1/x").await.err().unwrap();
    assert!(error.is_transient() && !error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    std::fs::write(&path, "not a database, but long enough to be looked at as one".repeat(40)).unwrap();
    let error = Store::open(&format!("sqlite:{}", path.display())).await.err().unwrap();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}
