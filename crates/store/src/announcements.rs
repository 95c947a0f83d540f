//! What the operator tells people on the pages.

use types::Timestamp;

use crate::db::{Value, decode_row};
use crate::{Store, StoreError};

/// Most of them that are kept.
pub const ANNOUNCEMENTS_MAX: usize = 100;

/// Something that the operator tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: String,
    /// Markdown, as it was written.
    pub text: String,
    /// `info` or `warning`.
    pub level: String,
    /// `everybody` or `signed_in`.
    pub audience: String,
    /// From when it is shown.
    pub starts: Timestamp,
    /// Until when; `None`: until somebody ends it.
    pub ends: Option<Timestamp>,
    /// When it was written.
    pub created: Timestamp,
    /// When it was written last.
    pub changed: Timestamp,
}

decode_row!(Announcement, |row| {
    Ok(Announcement {
        id: row.try_get(0)?,
        text: row.try_get(1)?,
        level: row.try_get(2)?,
        audience: row.try_get(3)?,
        starts: Timestamp(row.try_get(4)?),
        ends: row.try_get::<Option<i64>, _>(5)?.map(Timestamp),
        created: Timestamp(row.try_get(6)?),
        changed: Timestamp(row.try_get(7)?),
    })
});

impl Announcement {
    /// Whether it is shown at an instant.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.starts <= now && self.ends.is_none_or(|ends| now < ends)
    }
}

impl Store {
    /// All of them, the one that begins last first.
    pub async fn announcements(&self) -> Result<Vec<Announcement>, StoreError> {
        let sql = "SELECT id, text, level, audience, starts, ends, created, changed FROM announcements
            ORDER BY starts DESC, id";
        self.db.fetch(sql, &[]).await
    }

    /// Keeps one, in the place of the one with its id. [`StoreError::Invalid`]: there are [`ANNOUNCEMENTS_MAX`] others already.
    pub async fn put_announcement(&self, new: &Announcement) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "SELECT COUNT(*) FROM announcements WHERE id <> $1";
        let others: Vec<(i64,)> = tx.fetch(sql, &[new.id.as_str().into()]).await?;
        let count = others.first().map_or(0, |row| row.0);
        if usize::try_from(count).is_ok_and(|count| count >= ANNOUNCEMENTS_MAX) {
            return Err(StoreError::Invalid(format!(
                "there are {ANNOUNCEMENTS_MAX} announcements; delete one that is over"
            )));
        }
        let sql = "INSERT INTO announcements (id, text, level, audience, starts, ends, created, changed)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (id) DO UPDATE SET text = excluded.text, level = excluded.level, audience = excluded.audience,
                starts = excluded.starts, ends = excluded.ends, changed = excluded.changed";
        let values = [
            new.id.as_str().into(),
            new.text.as_str().into(),
            new.level.as_str().into(),
            new.audience.as_str().into(),
            new.starts.micros().into(),
            Value::OptInt(new.ends.map(Timestamp::micros)),
            new.created.micros().into(),
            new.changed.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.commit().await
    }

    /// Takes one away; false when there was none.
    pub async fn delete_announcement(&self, id: &str) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let gone = tx.execute("DELETE FROM announcements WHERE id = $1", &[id.into()]).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }
}
