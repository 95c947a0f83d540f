//! One way to run a statement on either database: SQL with `$1`, values, rows of tuples. Dialect-neutral code above,
//! drivers below.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, FromRow, Postgres, SqlSafeStr, SqlStr, Sqlite, Transaction};
use types::Money;

use crate::{StoreError, dialect};

/// A database that does not answer within this is unavailable.
const STATEMENT_TIMEOUT: Duration = Duration::from_millis(15_000);
/// Rows of one statement with many rows. A few sizes that recur, so that each stays prepared. Each statement wakes the database's
/// thread and waits for it, so a batch goes in few of them.
const ROWS_PER_INSERT: [usize; 5] = [256, 64, 16, 4, 1];

pub(crate) enum Db {
    /// One connection writes, a few read.
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres(PgPool),
}

/// A transaction; dropping it rolls back.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A value for a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    OptText(Option<&'a str>),
    Int(i64),
    OptInt(Option<i64>),
    Bool(bool),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<Money> for Value<'_> {
    fn from(amount: Money) -> Self {
        Value::Int(amount.nanos())
    }
}

/// Rows that both drivers can decode.
pub(crate) trait Row:
    Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{
}

impl<T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>> Row for T {}

/// A row struct decoded by column position.
macro_rules! decode_row {
    ($name:ty, |$row:ident| $body:expr) => {
        impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for $name {
            fn from_row($row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                $body
            }
        }
        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $name {
            fn from_row($row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                $body
            }
        }
    };
}
pub(crate) use decode_row;

/// The same expression for both drivers, with the connection and the type of arguments named.
macro_rules! on {
    ($on:expr, $sqlite:pat => $sqlite_conn:expr, $postgres:pat => $postgres_conn:expr, |$conn:ident, $args:ident| $body:expr) => {
        match $on {
            $sqlite => {
                type $args = SqliteArguments;
                let $conn = $sqlite_conn;
                $body
            }
            $postgres => {
                type $args = PgArguments;
                let $conn = $postgres_conn;
                $body
            }
        }
    };
}

impl Db {
    /// Gives back the memory that making and changing the schema took: SQLite keeps every page it saw.
    pub(crate) async fn shrink(&self) -> Result<(), StoreError> {
        if let Db::Sqlite { writer, .. } = self {
            sqlx::query("PRAGMA shrink_memory").execute(writer).await?;
        }
        Ok(())
    }

    /// Begins a transaction that writes.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        in_time(async {
            Ok(match self {
                Db::Sqlite { writer, .. } => {
                    Tx::Sqlite(writer.begin_with(dialect::SQLITE_BEGIN_WRITE).await?)
                }
                Db::Postgres(pool) => Tx::Postgres(pool.begin_with(dialect::POSTGRES_BEGIN_WRITE).await?),
            })
        })
        .await
    }

    /// Begins a transaction that reads the database as it is at one instant.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        in_time(async {
            Ok(match self {
                Db::Sqlite { reader, .. } => Tx::Sqlite(reader.begin_with(dialect::SQLITE_BEGIN_READ).await?),
                Db::Postgres(pool) => Tx::Postgres(pool.begin_with(dialect::POSTGRES_BEGIN_READ).await?),
            })
        })
        .await
    }

    /// Reads rows outside of a transaction.
    pub(crate) async fn fetch<T: Row>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        in_time(async {
            on!(self, Db::Sqlite { reader, .. } => reader, Db::Postgres(pool) => pool, |conn, Args| {
                Ok(sqlx::query_as_with(sql, arguments::<Args>(values)?).fetch_all(conn).await?)
            })
        })
        .await
    }

    /// The same for a text that was put together from constants, with every value behind a placeholder.
    pub(crate) async fn fetch_built<T: Row>(
        &self,
        sql: String,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        in_time(async {
            on!(self, Db::Sqlite { reader, .. } => reader, Db::Postgres(pool) => pool, |conn, Args| {
                Ok(sqlx::query_as_with(sql, arguments::<Args>(values)?).fetch_all(conn).await?)
            })
        })
        .await
    }

    pub(crate) async fn close(&self) {
        match self {
            Db::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        in_time(async {
            match self {
                Tx::Sqlite(tx) => tx.commit().await?,
                Tx::Postgres(tx) => tx.commit().await?,
            }
            Ok(())
        })
        .await
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        in_time(async {
            on!(self, Tx::Sqlite(open) => open, Tx::Postgres(open) => open, |tx, Args| {
                Ok(sqlx::query_with(sql, arguments::<Args>(values)?).execute(&mut **tx).await?.rows_affected())
            })
        })
        .await
    }

    /// Reads rows.
    pub(crate) async fn fetch<T: Row>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        in_time(async {
            on!(self, Tx::Sqlite(open) => open, Tx::Postgres(open) => open, |tx, Args| {
                Ok(sqlx::query_as_with(sql, arguments::<Args>(values)?).fetch_all(&mut **tx).await?)
            })
        })
        .await
    }

    /// `head VALUES (...), (...) tail` for all rows, some rows per statement; returns what `tail` returns.
    /// Every row has as many values as the first.
    pub(crate) async fn insert<T: Row>(
        &mut self,
        head: &'static str,
        rows: &[Vec<Value<'_>>],
        tail: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        let mut returned = Vec::new();
        for chunk in chunks(rows) {
            let sql = self.insert_text(head, chunk, tail);
            let rows: Vec<T> = in_time(async {
                on!(&mut *self, Tx::Sqlite(open) => open, Tx::Postgres(open) => open, |tx, Args| {
                    let query = sqlx::query_as_with(sql, arguments_of_rows::<Args>(chunk)?);
                    Ok(query.fetch_all(&mut **tx).await?)
                })
            })
            .await?;
            returned.extend(rows);
        }
        Ok(returned)
    }

    /// The same where nothing is returned; how many rows were written.
    pub(crate) async fn put(
        &mut self,
        head: &'static str,
        rows: &[Vec<Value<'_>>],
        tail: &'static str,
    ) -> Result<u64, StoreError> {
        let mut written = 0;
        for chunk in chunks(rows) {
            let sql = self.insert_text(head, chunk, tail);
            written += in_time(async {
                on!(&mut *self, Tx::Sqlite(open) => open, Tx::Postgres(open) => open, |tx, Args| {
                    let query = sqlx::query_with(sql, arguments_of_rows::<Args>(chunk)?);
                    Ok(query.execute(&mut **tx).await?.rows_affected())
                })
            })
            .await?;
        }
        Ok(written)
    }

    fn insert_text(&self, head: &'static str, rows: &[Vec<Value<'_>>], tail: &'static str) -> SqlStr {
        let numbered = matches!(self, Tx::Postgres(_));
        let columns = rows.first().map_or(0, Vec::len);
        let make = || insert_sql(head, columns, rows.len(), tail, numbered).into();
        let mut texts = INSERTS.lock();
        let text = texts.entry((head, tail, rows.len(), numbered)).or_insert_with(make);
        AssertSqlSafe(Arc::clone(text)).into_sql_str()
    }
}

/// Texts of inserts, by head, tail, rows and whether parameters are numbered: constants, so there are few.
static INSERTS: LazyLock<Mutex<HashMap<InsertKey, Arc<str>>>> = LazyLock::new(Mutex::default);
type InsertKey = (&'static str, &'static str, usize, bool);

/// Cuts rows into pieces of the sizes that statements are prepared for.
fn chunks<'r, 'v>(mut rows: &'r [Vec<Value<'v>>]) -> impl Iterator<Item = &'r [Vec<Value<'v>>]> {
    std::iter::from_fn(move || {
        let size = ROWS_PER_INSERT.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// The text depends on constants and counts only. SQLite looks a numbered parameter up by its name, which among thousands of
/// them takes longer than the insert: there they go by position, and `tail` has none. And it keeps the pages as they were before a
/// statement with several rows, to take that statement alone back: not where one that fails leaves its rows to its transaction, which
/// is given up then.
fn insert_sql(head: &str, columns: usize, rows: usize, tail: &str, numbered: bool) -> String {
    use std::fmt::Write;
    let mut sql = String::with_capacity(head.len() + tail.len() + rows * columns * 6 + 32);
    match head.strip_prefix("INSERT INTO").filter(|_| !numbered && rows > 1) {
        Some(rest) => sql.extend(["INSERT OR FAIL INTO", rest, " VALUES "]),
        None => sql.extend([head, " VALUES "]),
    }
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            sql.push_str(if column == 0 { "" } else { ", " });
            if numbered {
                let _ = write!(sql, "${}", row * columns + column + 1);
            } else {
                sql.push('?');
            }
        }
        sql.push(')');
    }
    let _ = write!(sql, " {tail}");
    sql
}

/// Values as a driver wants them.
trait Bind: Sized {
    /// Makes room for so many.
    fn room(&mut self, count: usize);
    /// Binds the next. `above`: the text that was bound last in the same column.
    fn bind(&mut self, value: &Value<'_>, above: &mut Shared) -> Result<(), sqlx::error::BoxDynError>;
}

macro_rules! bind {
    ($arguments:ty) => {
        impl Bind for $arguments {
            fn room(&mut self, count: usize) {
                self.reserve(count, 0);
            }

            fn bind(
                &mut self,
                value: &Value<'_>,
                above: &mut Shared,
            ) -> Result<(), sqlx::error::BoxDynError> {
                match value {
                    Value::Text(text) => self.add(above.text(text)),
                    Value::OptText(Some(text)) => self.add(above.text(text)),
                    Value::OptText(None) => self.add(None::<String>),
                    Value::Int(number) => self.add(*number),
                    Value::OptInt(number) => self.add(*number),
                    Value::Bool(flag) => self.add(*flag),
                }
            }
        }
    };
}
bind!(SqliteArguments);
bind!(PgArguments);

/// A text of a column. Rows of one insert have most of their texts in common: account, model, status. One that is the same as in the
/// row above is not made again, which among thousands of values took longer than binding them.
#[derive(Clone, Default)]
struct Shared(Option<Arc<str>>);

impl Shared {
    fn text(&mut self, text: &str) -> Arc<str> {
        match &self.0 {
            Some(known) if **known == *text => Arc::clone(known),
            _ => Arc::clone(self.0.insert(Arc::from(text))),
        }
    }
}

fn arguments<A: Bind + Default>(values: &[Value<'_>]) -> Result<A, StoreError> {
    let mut arguments = A::default();
    arguments.room(values.len());
    for value in values {
        bound(arguments.bind(value, &mut Shared::default()))?;
    }
    Ok(arguments)
}

/// Of rows behind each other.
fn arguments_of_rows<A: Bind + Default>(rows: &[Vec<Value<'_>>]) -> Result<A, StoreError> {
    let columns = rows.first().map_or(0, Vec::len);
    let mut arguments = A::default();
    arguments.room(rows.len() * columns);
    let mut above = vec![Shared::default(); columns];
    for row in rows {
        for (value, above) in row.iter().zip(&mut above) {
            bound(arguments.bind(value, above))?;
        }
    }
    Ok(arguments)
}

fn bound(result: Result<(), sqlx::error::BoxDynError>) -> Result<(), StoreError> {
    result.map_err(|error| StoreError::Invalid(error.to_string()))
}

async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => {
            let ms = STATEMENT_TIMEOUT.as_millis();
            Err(StoreError::Unavailable(format!("the database gave no answer within {ms} ms")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_sizes_that_recur() {
        for count in [0usize, 1, 3, 4, 5, 63, 64, 65, 151, 1_000] {
            let rows: Vec<Vec<Value<'_>>> = (0..count).map(|n| vec![Value::Int(n as i64)]).collect();
            let cut: Vec<&[Vec<Value<'_>>]> = chunks(&rows).collect();
            assert!(cut.iter().all(|chunk| ROWS_PER_INSERT.contains(&chunk.len())), "{count}");
            let all = cut.concat().iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
            assert_eq!(all, rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>(), "{count}");
        }
    }
}
