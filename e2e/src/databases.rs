//! Both databases for what runs outside `store`: SQLite in the app's own folder, and Postgres where a server is named.

use sqlx::PgPool;

/// Names the server in tests; `cargo xtask test` sets it.
const POSTGRES: &str = "TOLLWAY_TEST_POSTGRES_URL";
/// `1`: its absence is a failure.
const REQUIRED: &str = "TOLLWAY_TEST_REQUIRE_POSTGRES";

/// A schema of its own on a Postgres server.
pub struct Schema {
    server: PgPool,
    name: String,
    /// Where the app finds it.
    pub url: String,
}

impl Schema {
    /// One on the server that the environment names; `None`: it names none.
    ///
    /// # Panics
    /// When the server can't be reached, or is required and not named.
    pub async fn fresh(purpose: &str) -> Option<Schema> {
        let Ok(server_url) = std::env::var(POSTGRES) else {
            let required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
            assert!(!required, "{POSTGRES} is not set, and Postgres is required");
            return None;
        };
        Some(Schema::on(&server_url, purpose).await)
    }

    /// One on this server.
    ///
    /// # Panics
    /// When the server can't be reached.
    #[expect(clippy::expect_used, reason = "a test kit fails by panicking")]
    pub async fn on(server_url: &str, purpose: &str) -> Schema {
        let server = PgPool::connect(server_url).await.expect("connect to Postgres");
        let name = format!("e2e{}_{purpose}", std::process::id());
        let mark = if server_url.contains('?') { '&' } else { '?' };
        let url = format!("{server_url}{mark}options[search_path]={name}");
        let schema = Schema { server, name, url };
        schema.run(format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.name)).await;
        schema.run(format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    /// Removes it.
    pub async fn remove(self) {
        self.run(format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }

    #[expect(clippy::expect_used, reason = "a test kit fails by panicking")]
    async fn run(&self, statement: String) {
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
        statement.execute(&self.server).await.expect("a statement on Postgres");
    }
}
