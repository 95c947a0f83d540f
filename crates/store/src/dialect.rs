//! Everything in which SQLite and Postgres differ: how they are opened, how transactions begin, what their error codes mean.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

// Statements are not logged: a slow one would write its whole text, which for a batch is kilobytes of placeholders.
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::StoreError;
use crate::db::Db;

/// A transaction that will write. SQLite: taking the lock at once, because an upgrade of a read fails without waiting.
pub(crate) const SQLITE_BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// A transaction that only reads, all of it at one instant.
pub(crate) const SQLITE_BEGIN_READ: &str = "BEGIN";
/// See [`SQLITE_BEGIN_READ`].
pub(crate) const POSTGRES_BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// See [`SQLITE_BEGIN_WRITE`]; rows that matter are locked by the updates themselves.
pub(crate) const POSTGRES_BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Older ones can damage a database in WAL mode when a checkpoint and a writer meet.
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
const SQLITE_READERS_MAX: u32 = 4;
/// Rows that SQLite's thread is ahead of their reader: with few, the two threads take turns at every handful.
const SQLITE_ROWS_BUFFERED: usize = 1_024;
/// Of a new database. Rows of rollups and records fit in without pages of their own, and a batch is written in fewer pieces than with
/// the usual 4 KiB; a database that is there keeps its own.
const SQLITE_PAGE_BYTES: u32 = 16 * 1024;
/// Memory for pages of the connection that writes, KiB. A batch that the journal is folded in changes more than the usual 2 MiB; what has
/// no room is written to the log in the midst of it, and often once more.
const SQLITE_WRITER_CACHE_KIB: u32 = 16 * 1024;
/// Pages in the log when it is copied into the database. Each batch changes the same pages of rollups and of indexes, which are
/// copied once.
const SQLITE_CHECKPOINT_PAGES: u32 = 2_500;
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_millis(5_000);
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(5_000);

pub(crate) async fn open(url: &str) -> Result<Db, StoreError> {
    if let Some(rest) = url.strip_prefix("sqlite:") {
        return open_sqlite(rest.strip_prefix("//").unwrap_or(rest)).await;
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let options =
            PgConnectOptions::from_str(url)?.application_name("tollway").disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await?;
        return Ok(Db::Postgres(pool));
    }
    let scheme = url.split(':').next().unwrap_or_default();
    Err(StoreError::Unsupported(format!("no store speaks `{scheme}`; write sqlite:PATH or postgres://...")))
}

/// Opens a database that is only read. A SQLite file has to be there already.
pub(crate) async fn open_to_read(url: &str) -> Result<Db, StoreError> {
    let Some(rest) = url.strip_prefix("sqlite:") else { return open(url).await };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !Path::new(path).is_file() {
        return Err(StoreError::Unsupported(format!("there is no store at {path}")));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .pragma("query_only", "ON")
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
    let writer = pool.connect_with(options).await?;
    require_version(&writer).await?;
    Ok(Db::Sqlite { reader: writer.clone(), writer })
}

async fn open_sqlite(path: &str) -> Result<Db, StoreError> {
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(StoreError::Unsupported("the store needs a file; write sqlite:PATH".to_owned()));
    }
    if let Some(parent) = Path::new(path).parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|error| {
            StoreError::Unavailable(format!("can't create the store's folder: {}", error.kind()))
        })?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(SQLITE_PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .foreign_keys(true)
        // What was deleted is not found in the file.
        .pragma("secure_delete", "ON")
        .row_buffer_size(SQLITE_ROWS_BUFFERED)
        .disable_statement_logging();
    let pool = |connections: u32| {
        SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
    };
    let writing = options
        .clone()
        .pragma("cache_size", format!("-{SQLITE_WRITER_CACHE_KIB}"))
        .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES.to_string());
    let writer = pool(1).connect_with(writing).await?;
    require_version(&writer).await?;
    let reader = pool(SQLITE_READERS_MAX).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Db::Sqlite { writer, reader })
}

async fn require_version(pool: &SqlitePool) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    if (next(), next(), next()) >= SQLITE_VERSION_MIN {
        return Ok(());
    }
    Err(StoreError::Unsupported(format!("SQLite {version} is too old; 3.51.3 or newer is needed")))
}

/// What SQLite is to believe of the log when it chooses an index, in the form that its ANALYZE would write: an account has very many
/// calls, a session, trace or end user few. Without it a session's ten calls are looked for among all of the account's. Postgres looks
/// for itself.
const LOG_IS_SELECTIVE: &str = "ANALYZE books_state;
DELETE FROM sqlite_stat1 WHERE tbl = 'generation_log';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('generation_log', 'generation_log', '10000000 1000000 1 1'),
    ('generation_log', 'generation_log_by_session', '10000000 1000000 10 1'),
    ('generation_log', 'generation_log_by_trace', '10000000 1000000 10 1'),
    ('generation_log', 'generation_log_by_user', '10000000 1000000 1000 1');
ANALYZE sqlite_schema;";

/// A schema step's text for this database. A key that SQLite can use as its row number has to be called INTEGER there, which
/// is too short in Postgres; and only SQLite has to be told to keep a table in its key.
pub(crate) fn schema(sql: &str, db: &Db) -> String {
    let (number, in_key, selective) = match db {
        Db::Sqlite { .. } => ("INTEGER", " WITHOUT ROWID", LOG_IS_SELECTIVE),
        Db::Postgres(_) => ("BIGINT", "", ""),
    };
    sql.replace("{NUMBER}", number).replace("{IN_KEY}", in_key).replace("{LOG_IS_SELECTIVE}", selective)
}

/// What the database takes on its disk, in bytes.
pub(crate) const fn bytes(db: &Db) -> &'static str {
    match db {
        Db::Sqlite { .. } => {
            "SELECT CAST(c.page_count * s.page_size AS BIGINT) FROM pragma_page_count() c, pragma_page_size() s"
        }
        Db::Postgres(_) => "SELECT CAST(pg_database_size(current_database()) AS BIGINT)",
    }
}

/// Whether an error code says that the database itself is damaged: SQLite's CORRUPT and NOTADB, Postgres's class XX.
pub(crate) fn is_damage(code: &str) -> bool {
    matches!(code, "11" | "26")
        || code.starts_with("XX")
        || code.parse().is_ok_and(|n: u32| n > 256 && n & 0xff == 11)
}
