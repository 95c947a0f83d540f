//! How far each journal segment has been folded into the store.

use crate::db::Tx;
use crate::{Store, StoreError};

impl Store {
    /// The offset up to which a segment is folded; 0 when nothing of it is.
    pub async fn segment_offset(&self, segment: &str) -> Result<u64, StoreError> {
        let sql = "SELECT folded_to FROM journal_segments WHERE segment = $1";
        let rows: Vec<(i64,)> = self.db.fetch(sql, &[segment.into()]).await?;
        Ok(rows.first().map_or(0, |row| row.0.unsigned_abs()))
    }

    /// All known segments with their offsets, by name.
    pub async fn segments(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT segment, folded_to FROM journal_segments ORDER BY segment";
        let rows: Vec<(String, i64)> = self.db.fetch(sql, &[]).await?;
        Ok(rows.into_iter().map(|(segment, to)| (segment, to.unsigned_abs())).collect())
    }

    /// Forgets a segment whose file is gone.
    pub async fn forget_segment(&self, segment: &str) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        tx.execute("DELETE FROM journal_segments WHERE segment = $1", &[segment.into()]).await?;
        tx.commit().await
    }
}

/// Moves a segment from `from` to `to`; refuses when it stands elsewhere, so that no byte is folded by two.
pub(crate) async fn advance(tx: &mut Tx, segment: &str, from: u64, to: u64) -> Result<(), StoreError> {
    let number = |offset: u64| {
        i64::try_from(offset).map_err(|_| StoreError::Invalid(format!("no segment is {offset} bytes long")))
    };
    let known =
        "INSERT INTO journal_segments (segment, folded_to) VALUES ($1, 0) ON CONFLICT (segment) DO NOTHING";
    tx.execute(known, &[segment.into()]).await?;
    let move_on = "UPDATE journal_segments SET folded_to = $2 WHERE segment = $1 AND folded_to = $3";
    if tx.execute(move_on, &[segment.into(), number(to)?.into(), number(from)?.into()]).await? == 1 {
        return Ok(());
    }
    let sql = "SELECT folded_to FROM journal_segments WHERE segment = $1";
    let rows: Vec<(i64,)> = tx.fetch(sql, &[segment.into()]).await?;
    let folded_to = rows.first().map_or(0, |row| row.0.unsigned_abs());
    Err(StoreError::Offset { segment: segment.to_owned(), from, folded_to })
}
