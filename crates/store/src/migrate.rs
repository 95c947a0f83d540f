//! Schema steps, embedded. A step that was released is never edited; a change is a new step.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::StoreError;
use crate::db::Db;

/// Number, what it does, text. One text serves both databases.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "accounts, keys, generations, books", include_str!("migrations/0001_first.sql")),
    (2, "responses that callers keep", include_str!("migrations/0002_responses.sql")),
    (3, "units beside tokens", include_str!("migrations/0003_units.sql")),
    (4, "policies and presets", include_str!("migrations/0004_rules.sql")),
    (6, "feedback", include_str!("migrations/0006_feedback.sql")),
    (9, "payments, vouchers, invoices", include_str!("migrations/0009_credits.sql")),
];

pub(crate) async fn run(db: &Db) -> Result<(), StoreError> {
    let steps = STEPS.iter().map(|(version, what, sql)| {
        Migration::new(*version, (*what).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    match db {
        Db::Sqlite { writer, .. } => migrator.run(writer).await?,
        Db::Postgres(pool) => migrator.run(pool).await?,
    }
    Ok(())
}
