//! What can go wrong, as outcomes that a caller can act on. No text here carries an address, a password or a key.

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, is busy or full: try again later. Never the caller's fault.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It exists already, with another content, or someone else was first.
    #[error("{0}")]
    Conflict(String),
    /// There is no such row, or it belongs to another account.
    #[error("{0} not found")]
    NotFound(String),
    /// More than one key matches; these do.
    #[error("more than one key matches: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// A journal segment was folded up to another offset than the caller believes.
    #[error("journal segment {segment} is folded up to {folded_to}, not {from}")]
    Offset {
        /// The segment.
        segment: String,
        /// Where the caller wanted to go on.
        from: u64,
        /// Where it really stands.
        folded_to: u64,
    },
    /// What is stored can't be what we wrote.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The address, the database's version or its schema is not one that this program works with.
    #[error("{0}")]
    Unsupported(String),
    /// The caller passed something that no store can take.
    #[error("{0}")]
    Invalid(String),
}

impl StoreError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default().into_owned();
                let text = format!("{} ({code})", database.message());
                match database.kind() {
                    ErrorKind::UniqueViolation => StoreError::Conflict(text),
                    ErrorKind::ForeignKeyViolation => {
                        StoreError::NotFound(format!("what it refers to: {text}"))
                    }
                    _ if crate::dialect::is_damage(&code) => StoreError::Corrupt(text),
                    _ => StoreError::Unavailable(text),
                }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                StoreError::Corrupt(error.to_string())
            }
            sqlx::Error::RowNotFound => StoreError::NotFound("row".to_owned()),
            sqlx::Error::Configuration(_) => StoreError::Unsupported(
                "the store's address can't be read; write sqlite:PATH or postgres://...".to_owned(),
            ),
            other => StoreError::Unavailable(other.to_string()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> StoreError {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            MigrateError::VersionMissing(version) => StoreError::Unsupported(format!(
                "the store has schema step {version}, which a newer version of this program made"
            )),
            other => StoreError::Corrupt(other.to_string()),
        }
    }
}
