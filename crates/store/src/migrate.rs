//! Schema steps, embedded. A step that was released is never edited; a change is a new step.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::db::Db;
use crate::{StoreError, dialect};

/// Number, what it does, text. One text serves both databases.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "accounts, keys, generations, books", include_str!("migrations/0001_first.sql")),
    (2, "responses that callers keep", include_str!("migrations/0002_responses.sql")),
    (3, "units beside tokens", include_str!("migrations/0003_units.sql")),
    (4, "policies and presets", include_str!("migrations/0004_rules.sql")),
    (6, "feedback", include_str!("migrations/0006_feedback.sql")),
    (7, "limits of keys, budgets, alerts", include_str!("migrations/0007_keys.sql")),
    (8, "numbered and chained books, corrections", include_str!("migrations/0008_books.sql")),
    (9, "payments, vouchers, invoices", include_str!("migrations/0009_credits.sql")),
    (10, "provider keys that accounts bring along", include_str!("migrations/0010_byok.sql")),
    (11, "people, mailed tokens, sessions", include_str!("migrations/0011_people.sql")),
    (12, "organizations, projects, the audit log", include_str!("migrations/0012_organizations.sql")),
    (13, "rollups by hour and facet, the log", include_str!("migrations/0013_insight.sql")),
    (14, "what was erased", include_str!("migrations/0014_erasure.sql")),
    (15, "second factors", include_str!("migrations/0015_second_factors.sql")),
    (16, "identities at issuers", include_str!("migrations/0016_identities.sql")),
    (17, "use and attempts for the public pages", include_str!("migrations/0017_traffic.sql")),
    (18, "the catalog that was last in place", include_str!("migrations/0018_catalog_seen.sql")),
    (19, "ratings of models and reports of them", include_str!("migrations/0019_ratings.sql")),
    (20, "prices that changed", include_str!("migrations/0020_price_changes.sql")),
    (22, "provider keys of the server", include_str!("migrations/0022_provider_keys.sql")),
    (23, "what the operator tells people", include_str!("migrations/0023_announcements.sql")),
    (24, "use of credit by day", include_str!("migrations/0024_statements.sql")),
    (25, "use by one thing alone", include_str!("migrations/0025_parts.sql")),
    (26, "how the log is searched", include_str!("migrations/0026_plans.sql")),
];

/// How often the steps are tried on SQLite, where nothing keeps two processes from beginning them at once; Postgres has a
/// lock for it.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_millis(200);

pub(crate) async fn run(db: &Db) -> Result<(), StoreError> {
    let mut tries = 1;
    loop {
        match run_below(db, i64::MAX).await {
            // Each step is one transaction: what another process has done by then is not done again.
            Err(StoreError::Unavailable(_)) if tries < TRIES_MAX && matches!(db, Db::Sqlite { .. }) => {
                tries += 1;
                tokio::time::sleep(TRY_AGAIN).await;
            }
            done => return done,
        }
    }
}

/// The steps with a smaller number: what an older version of this program would make.
pub(crate) async fn run_below(db: &Db, end: i64) -> Result<(), StoreError> {
    let steps = STEPS.iter().filter(|(version, ..)| *version < end).map(|(version, what, sql)| {
        let sql = AssertSqlSafe(dialect::schema(sql, db)).into_sql_str();
        Migration::new(*version, (*what).into(), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    match db {
        Db::Sqlite { writer, .. } => migrator.run(writer).await?,
        Db::Postgres(pool) => migrator.run(pool).await?,
    }
    Ok(())
}

/// Refuses a database whose schema is another than this program's.
pub(crate) async fn require(db: &Db) -> Result<(), StoreError> {
    let sql = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT), COUNT(*) FROM _sqlx_migrations";
    let unknown = |error: StoreError| match error {
        StoreError::Unavailable(_) => error,
        _ => StoreError::Unsupported(String::from("this is no store of this program")),
    };
    let rows: Vec<(i64, i64)> = db.fetch(sql, &[]).await.map_err(unknown)?;
    let (version, count) = rows.first().copied().unwrap_or_default();
    let newest = STEPS.iter().map(|step| step.0).max().unwrap_or(0);
    if (version, count) == (newest, i64::try_from(STEPS.len()).unwrap_or(i64::MAX)) {
        return Ok(());
    }
    Err(StoreError::Unsupported(format!(
        "the store has schema step {version}, this program {newest}; start the newer program on it once"
    )))
}
