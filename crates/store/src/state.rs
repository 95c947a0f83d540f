//! How the store itself is: its size, its schema, its connections, how far its books are.

use crate::db::Db;
use crate::{Store, StoreError, dialect};

/// How the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreState {
    /// What it takes on its disk, in bytes.
    pub bytes: i64,
    /// The newest step of its schema.
    pub schema: i64,
    /// The newest entry of the books, by number.
    pub entry: i64,
    /// Its hash: noted elsewhere, it shows later that no entry was taken off.
    pub entry_hash: String,
    /// Records of the journal that could not be booked and were set aside.
    pub refused: i64,
    /// Notices that wait to be delivered to webhooks.
    pub notices_waiting: i64,
}

/// Its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open ones.
    pub open: u32,
    /// Those of them that nobody uses at the moment.
    pub idle: u32,
    /// Most that there may be.
    pub max: u32,
}

impl Store {
    /// How it is.
    pub async fn state(&self) -> Result<StoreState, StoreError> {
        let bytes: Vec<(i64,)> = self.db.fetch(dialect::bytes(&self.db), &[]).await?;
        let sql = "SELECT CAST((SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations) AS BIGINT),
            CAST((SELECT COUNT(*) FROM refused_generations) AS BIGINT),
            CAST((SELECT COUNT(*) FROM deliveries WHERE done IS NULL) AS BIGINT)";
        let counts: Vec<(i64, i64, i64)> = self.db.fetch(sql, &[]).await?;
        let sql = "SELECT number, text FROM books_state WHERE name = 'chain'";
        let head: Vec<(i64, String)> = self.db.fetch(sql, &[]).await?;
        let (schema, refused, notices_waiting) = counts.first().copied().unwrap_or_default();
        let (entry, entry_hash) = head.into_iter().next().unwrap_or_default();
        let bytes = bytes.first().map_or(0, |row| row.0);
        Ok(StoreState { bytes, schema, entry, entry_hash, refused, notices_waiting })
    }

    /// Its connections; of SQLite those that read and the one that writes.
    pub fn connections(&self) -> Connections {
        let count = |idle: usize| u32::try_from(idle).unwrap_or(u32::MAX);
        match &self.db {
            Db::Sqlite { writer, reader } => Connections {
                open: writer.size().saturating_add(reader.size()),
                idle: count(writer.num_idle().saturating_add(reader.num_idle())),
                max: writer
                    .options()
                    .get_max_connections()
                    .saturating_add(reader.options().get_max_connections()),
            },
            Db::Postgres(pool) => Connections {
                open: pool.size(),
                idle: count(pool.num_idle()),
                max: pool.options().get_max_connections(),
            },
        }
    }
}
