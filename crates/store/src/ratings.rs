//! What people think of models, and what others think of that.
//!
//! - A person has one rating of a model: writing again writes over it. It stands under the model's id in the catalog; where a model
//!   was given another id, [`Store::adopt_ratings`] takes its ratings along.
//! - A rating that was hidden stays hidden whatever its person does, until a moderator shows it. Who takes a hidden one back leaves an
//!   empty row, so that writing it anew is no way around.
//! - Reports count once per person, and until somebody has looked: what was looked at is reported again only after an edit.
//! - Whoever touches a rating and its reports locks the rating first.

use types::Timestamp;

use crate::db::{Row, Tx, Value, decode_row};
use crate::{Store, StoreError};

/// Who hid what enough people reported.
pub const BY_REPORTS: &str = "reports";
/// Reports that one page of the queue shows in all.
const REPORTS_MAX: i64 = 500;

/// The columns of a [`Rating`], in its order.
macro_rules! columns {
    () => {
        "ratings.id, ratings.model, ratings.user_id, ratings.name, ratings.stars, ratings.comment, ratings.created, ratings.edited, ratings.hidden, ratings.hidden_by, ratings.hidden_why"
    };
}

/// Since when a rating is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Since when.
    pub at: Timestamp,
    /// The person or key that did it, or [`BY_REPORTS`].
    pub by: String,
    /// Why, as the moderator said.
    pub why: String,
}

/// What somebody thinks of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// Its id: `rat_…`.
    pub id: String,
    /// The model's id.
    pub model: String,
    /// Whose.
    pub user: String,
    /// What they are called here.
    pub name: String,
    /// 1 to 5.
    pub stars: i64,
    /// Markdown as it was written; empty: they wrote nothing.
    pub comment: String,
    /// When it was first written.
    pub created: Timestamp,
    /// When it was last changed.
    pub edited: Option<Timestamp>,
    /// `None`: everybody sees it.
    pub hidden: Option<Hidden>,
}

decode_row!(Rating, |row| {
    let hidden: Option<i64> = row.try_get(8)?;
    Ok(Rating {
        id: row.try_get(0)?,
        model: row.try_get(1)?,
        user: row.try_get(2)?,
        name: row.try_get(3)?,
        stars: row.try_get(4)?,
        comment: row.try_get(5)?,
        created: Timestamp(row.try_get(6)?),
        edited: row.try_get::<Option<i64>, _>(7)?.map(Timestamp),
        hidden: match hidden {
            Some(at) => Some(Hidden { at: Timestamp(at), by: row.try_get(9)?, why: row.try_get(10)? }),
            None => None,
        },
    })
});

/// A rating that is to be written.
#[derive(Clone, Debug)]
pub struct NewRating {
    /// Its id, where there is none yet.
    pub id: String,
    /// The model's id.
    pub model: String,
    /// Whose.
    pub user: String,
    /// What they are called here.
    pub name: String,
    /// 1 to 5.
    pub stars: i64,
    /// Markdown.
    pub comment: String,
}

/// Behind which rating a page goes on: when it was written, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatingAt(pub Timestamp, pub String);

/// What is shown of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RatingPage {
    /// How many gave one star, two, and so on.
    pub counts: [i64; 5],
    /// Those with a comment, the newest first.
    pub comments: Vec<Rating>,
    /// That of who asks, hidden or not.
    pub own: Option<Rating>,
}

/// A report that is to be kept.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// Its id.
    pub id: String,
    /// Of which rating.
    pub rating: String,
    /// Whose.
    pub reporter: String,
    /// Why.
    pub reason: String,
}

/// What somebody said against a rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of which rating.
    pub rating: String,
    /// Who; `None`: somebody who was erased since.
    pub reporter: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub created: Timestamp,
    /// When somebody had looked at it.
    pub resolved: Option<Timestamp>,
}

decode_row!(Report, |row| {
    Ok(Report {
        rating: row.try_get(0)?,
        reporter: row.try_get(1)?,
        reason: row.try_get(2)?,
        created: Timestamp(row.try_get(3)?),
        resolved: row.try_get::<Option<i64>, _>(4)?.map(Timestamp),
    })
});

/// What a moderator looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// What was reported and nobody has looked at, the last report first.
    Reported,
    /// What is hidden, the last first.
    Hidden,
}

/// Behind which entry of a queue a page goes on: by what it is sorted, and its rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAt(pub Timestamp, pub String);

/// A rating before a moderator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The rating.
    pub rating: Rating,
    /// The address of its person.
    pub email: String,
    /// The last report, or since when it is hidden.
    pub at: Timestamp,
    /// The newest first; those that were looked at are among them.
    pub reports: Vec<Report>,
}

decode_row!(Queued, |row| {
    Ok(Queued {
        email: row.try_get(11)?,
        at: Timestamp(row.try_get(12)?),
        reports: Vec::new(),
        rating: sqlx::FromRow::from_row(row)?,
    })
});

/// What a moderator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Only its person sees it from now on.
    Hide {
        /// Why; they are told.
        why: String,
    },
    /// Everybody sees it.
    Show,
    /// The reports are without ground: what they hid is shown again.
    Dismiss,
    /// It goes, with what was said against it.
    Delete,
}

impl Store {
    /// Writes a person's rating of a model; true: they had none. What is the same already is not edited.
    pub async fn rate(&self, new: &NewRating, now: Timestamp) -> Result<(Rating, bool), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = concat!(
            "INSERT INTO ratings (id, model, user_id, name, stars, comment, created) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (model, user_id) DO UPDATE SET name = excluded.name, stars = excluded.stars,
                comment = excluded.comment, withdrawn = NULL,
                edited = CASE WHEN ratings.name = excluded.name AND ratings.stars = excluded.stars AND ratings.comment = excluded.comment
                    THEN ratings.edited ELSE excluded.created END
            RETURNING ",
            columns!()
        );
        let values = [
            new.id.as_str().into(),
            new.model.as_str().into(),
            new.user.as_str().into(),
            new.name.as_str().into(),
            new.stars.into(),
            new.comment.as_str().into(),
            now.micros().into(),
        ];
        let rating: Rating = one(tx.fetch(sql, &values).await?)?;
        tx.commit().await?;
        let made = rating.id == new.id;
        Ok((rating, made))
    }

    /// Takes a person's rating of a model back, with its reports. [`StoreError::NotFound`]: they have none.
    pub async fn withdraw_rating(&self, model: &str, user: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE ratings SET name = '', stars = 0, comment = '', withdrawn = $3
            WHERE model = $1 AND user_id = $2 AND withdrawn IS NULL RETURNING id, hidden";
        let (id, hidden): (String, Option<i64>) =
            one(tx.fetch(sql, &[model.into(), user.into(), now.micros().into()]).await?)?;
        match hidden {
            Some(_) => resolve(&mut tx, &id, now).await?,
            None => delete(&mut tx, &id).await?,
        }
        tx.commit().await
    }

    /// What is shown of a model: counts, a page of comments behind `after`, and the rating of who asks, as of one instant.
    pub async fn rating_page(
        &self,
        model: &str,
        user: Option<&str>,
        after: Option<&RatingAt>,
        limit: i64,
    ) -> Result<RatingPage, StoreError> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT stars, COUNT(*) FROM ratings WHERE model = $1 AND hidden IS NULL GROUP BY stars";
        let mut page = RatingPage::default();
        for (stars, count) in tx.fetch::<(i64, i64)>(sql, &[model.into()]).await? {
            let at = usize::try_from(stars - 1).ok().and_then(|at| page.counts.get_mut(at));
            *at.ok_or_else(|| StoreError::Corrupt("a rating has no stars".to_owned()))? = count;
        }
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM ratings WHERE ratings.model = $1 AND ratings.hidden IS NULL AND ratings.comment <> ''
                AND (ratings.created < $2 OR (ratings.created = $2 AND ratings.id < $3)) ORDER BY ratings.created DESC, ratings.id DESC LIMIT $4"
        );
        let (at, id) = after.map_or((i64::MAX, ""), |RatingAt(at, id)| (at.micros(), id));
        page.comments = tx.fetch(sql, &[model.into(), at.into(), id.into(), limit.into()]).await?;
        if let Some(user) = user {
            let sql = concat!(
                "SELECT ",
                columns!(),
                " FROM ratings WHERE ratings.model = $1 AND ratings.user_id = $2 AND ratings.withdrawn IS NULL"
            );
            page.own = tx.fetch(sql, &[model.into(), user.into()]).await?.pop();
        }
        Ok(page)
    }

    /// Keeps a report, and hides the rating where that makes `hide_at` people whose reports nobody has looked at. True: it was
    /// hidden by it. [`StoreError::NotFound`]: nobody sees such a rating. [`StoreError::Invalid`]: it is their own.
    pub async fn report_rating(
        &self,
        report: &NewReport,
        hide_at: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let (rating, reporter) = (report.rating.as_str(), report.reporter.as_str());
        // Locks it: of two who report at once, the second one counts the first.
        let sql = "UPDATE ratings SET model = model WHERE id = $1 AND hidden IS NULL RETURNING user_id";
        let (author,): (String,) = one(tx.fetch(sql, &[rating.into()]).await?)?;
        if author == reporter {
            return Err(StoreError::Invalid(
                "a rating of one's own is edited or deleted, not reported".to_owned(),
            ));
        }
        let sql = "INSERT INTO rating_reports (id, rating, reporter, reason, created) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (rating, reporter) DO UPDATE SET reason = excluded.reason, created = excluded.created, resolved = NULL
            WHERE rating_reports.resolved < (SELECT edited FROM ratings WHERE id = excluded.rating)";
        let values = [
            report.id.as_str().into(),
            rating.into(),
            reporter.into(),
            report.reason.as_str().into(),
            now.micros().into(),
        ];
        tx.execute(sql, &values).await?;
        let sql = "UPDATE ratings SET hidden = $2, hidden_by = 'reports', hidden_why = '' WHERE id = $1
            AND (SELECT COUNT(*) FROM rating_reports WHERE rating = $1 AND resolved IS NULL) >= $3";
        let is_hidden = tx.execute(sql, &[rating.into(), now.micros().into(), hide_at.into()]).await? > 0;
        tx.commit().await?;
        Ok(is_hidden)
    }

    /// A page of what moderators look at, behind `after`.
    pub async fn moderation(
        &self,
        queue: Queue,
        after: Option<&QueueAt>,
        limit: i64,
    ) -> Result<Vec<Queued>, StoreError> {
        let sql = match queue {
            Queue::Reported => concat!(
                "SELECT ",
                columns!(),
                ", u.email, MAX(p.created) FROM ratings JOIN users u ON u.id = ratings.user_id
                    JOIN rating_reports p ON p.rating = ratings.id AND p.resolved IS NULL GROUP BY ratings.id, u.id
                    HAVING MAX(p.created) < $1 OR (MAX(p.created) = $1 AND ratings.id < $2)
                    ORDER BY MAX(p.created) DESC, ratings.id DESC LIMIT $3"
            ),
            Queue::Hidden => concat!(
                "SELECT ",
                columns!(),
                ", u.email, ratings.hidden FROM ratings JOIN users u ON u.id = ratings.user_id
                    WHERE ratings.withdrawn IS NULL AND (ratings.hidden < $1 OR (ratings.hidden = $1 AND ratings.id < $2))
                    ORDER BY ratings.hidden DESC, ratings.id DESC LIMIT $3"
            ),
        };
        let (at, id) = after.map_or((i64::MAX, ""), |QueueAt(at, id)| (at.micros(), id));
        let mut found: Vec<Queued> = self.db.fetch(sql, &[at.into(), id.into(), limit.into()]).await?;
        if !found.is_empty() {
            let reports = self.reports(&found).await?;
            for queued in &mut found {
                let own = reports.iter().filter(|report| report.rating == queued.rating.id);
                queued.reports = own.cloned().collect();
            }
        }
        Ok(found)
    }

    /// The reports of all of these, the newest first.
    async fn reports(&self, of: &[Queued]) -> Result<Vec<Report>, StoreError> {
        let marks: Vec<String> = (1..=of.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT rating, reporter, reason, created, resolved FROM rating_reports WHERE rating IN ({})
                ORDER BY created DESC, id LIMIT {REPORTS_MAX}",
            marks.join(", ")
        );
        let values: Vec<Value<'_>> = of.iter().map(|queued| queued.rating.id.as_str().into()).collect();
        self.db.fetch_built(sql, &values).await
    }

    /// What a moderator decides of a rating; `by` is the person or the key. Its reports are looked at with that.
    /// [`StoreError::NotFound`]: there is none, or its person took it back.
    pub async fn moderate(
        &self,
        rating: &str,
        what: &Moderation,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let (id, at) = (rating.into(), now.micros().into());
        let changed = match what {
            Moderation::Hide { why } => {
                let sql = "UPDATE ratings SET hidden = $2, hidden_by = $3, hidden_why = $4
                    WHERE id = $1 AND withdrawn IS NULL";
                tx.execute(sql, &[id, at, by.into(), why.as_str().into()]).await?
            }
            Moderation::Show => {
                let sql = "UPDATE ratings SET hidden = NULL, hidden_by = '', hidden_why = ''
                    WHERE id = $1 AND withdrawn IS NULL";
                tx.execute(sql, &[id]).await?
            }
            Moderation::Dismiss => {
                let sql =
                    "UPDATE ratings SET hidden = CASE WHEN hidden_by = 'reports' THEN NULL ELSE hidden END,
                        hidden_by = CASE WHEN hidden_by = 'reports' THEN '' ELSE hidden_by END
                    WHERE id = $1 AND withdrawn IS NULL";
                tx.execute(sql, &[id]).await?
            }
            Moderation::Delete => {
                let sql = "UPDATE ratings SET withdrawn = $2 WHERE id = $1 AND withdrawn IS NULL";
                tx.execute(sql, &[id, at]).await?
            }
        };
        if changed == 0 {
            return Err(StoreError::NotFound("rating".to_owned()));
        }
        match what {
            Moderation::Delete => delete(&mut tx, rating).await?,
            _ => resolve(&mut tx, rating, now).await?,
        }
        tx.commit().await
    }

    /// The ids under which models have ratings.
    pub async fn rated_models(&self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> =
            self.db.fetch("SELECT DISTINCT model FROM ratings ORDER BY model", &[]).await?;
        Ok(rows.into_iter().map(|(model,)| model).collect())
    }

    /// Gives a model the ratings that stand under a former id. Who rated both keeps the later one, and it stays hidden where one of
    /// the two was.
    pub async fn adopt_ratings(&self, former: &str, model: &str) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "SELECT o.id, n.id, COALESCE(o.edited, o.created) > COALESCE(n.edited, n.created),
                o.hidden IS NOT NULL, n.hidden IS NOT NULL
            FROM ratings o JOIN ratings n ON n.user_id = o.user_id AND n.model = $2 WHERE o.model = $1 ORDER BY o.id";
        let both: Vec<(String, String, bool, bool, bool)> =
            tx.fetch(sql, &[former.into(), model.into()]).await?;
        for (old, new, old_is_later, old_is_hidden, new_is_hidden) in both {
            // One that is hidden is the one to keep: what its person can't undo, a new catalog doesn't either.
            let keeps_old = if old_is_hidden == new_is_hidden { old_is_later } else { old_is_hidden };
            delete(&mut tx, if keeps_old { &new } else { &old }).await?;
        }
        let sql = "UPDATE ratings SET model = $2 WHERE model = $1";
        let adopted = tx.execute(sql, &[former.into(), model.into()]).await?;
        tx.commit().await?;
        Ok(adopted)
    }
}

fn one<T: Row>(rows: Vec<T>) -> Result<T, StoreError> {
    rows.into_iter().next().ok_or_else(|| StoreError::NotFound("rating".to_owned()))
}

/// Somebody has looked at what was said against a rating.
async fn resolve(tx: &mut Tx, rating: &str, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE rating_reports SET resolved = $2 WHERE rating = $1 AND resolved IS NULL";
    tx.execute(sql, &[rating.into(), now.micros().into()]).await.map(drop)
}

async fn delete(tx: &mut Tx, rating: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM rating_reports WHERE rating = $1", &[rating.into()]).await?;
    tx.execute("DELETE FROM ratings WHERE id = $1", &[rating.into()]).await.map(drop)
}

/// What a person said of models goes with them. What they said against others' ratings counts on, without name and words.
pub(crate) async fn erase(tx: &mut Tx, user: &str) -> Result<(), StoreError> {
    for sql in [
        "UPDATE ratings SET comment = '' WHERE user_id = $1",
        "DELETE FROM rating_reports WHERE rating IN (SELECT id FROM ratings WHERE user_id = $1)",
        "DELETE FROM ratings WHERE user_id = $1",
        "UPDATE rating_reports SET reporter = NULL, reason = '' WHERE reporter = $1",
        "UPDATE ratings SET hidden_by = 'erased' WHERE hidden_by = $1",
    ] {
        tx.execute(sql, &[user.into()]).await?;
    }
    Ok(())
}
