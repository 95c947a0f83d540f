//! An account's statement, like a bank's: what it began with, each movement, what it ended with.

use types::{AccountId, Money, Timestamp};

use crate::{Store, StoreError};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// When; of use, the beginning of its UTC day.
    pub at: Timestamp,
    /// `usage`, or the kind of the entry: `top_up`.
    pub kind: String,
    /// The entry; empty for use.
    pub entry: String,
    /// How many calls the use is of.
    pub calls: i64,
    /// What it moved.
    pub amount: Money,
}

/// The movements of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Before the first.
    pub opening: Money,
    /// In order.
    pub movements: Vec<Movement>,
    /// After the last.
    pub closing: Money,
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
type Line = (i64, String, String, i64, i64);

impl Store {
    /// The movements of an account's credit from `from` (included) to `to` (excluded). Use is summed per UTC day. All is read
    /// at one instant, so that opening, movements and closing agree.
    pub async fn statement(
        &self,
        account: &AccountId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Statement, StoreError> {
        let book = format!("credits:{account}");
        let mut tx = self.db.read().await?;
        let now = "SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM book_balances WHERE account = $1";
        let now: Vec<(i64,)> = tx.fetch(now, &[book.as_str().into()]).await?;
        // From the balance backwards: what lies far back need not be read.
        let later = "SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) FROM postings p JOIN entries e ON e.id = p.entry
            WHERE p.account = $1 AND e.at >= $2";
        let later: Vec<(i64,)> = tx.fetch(later, &[book.as_str().into(), to.micros().into()]).await?;
        let sql = "SELECT at, kind, entry, calls, amount FROM (
                SELECT e.at AS at, e.kind AS kind, e.id AS entry, CAST(0 AS BIGINT) AS calls, p.amount AS amount
                FROM postings p JOIN entries e ON e.id = p.entry
                WHERE p.account = $1 AND e.at >= $2 AND e.at < $3 AND e.kind <> 'generation'
            UNION ALL
                SELECT MIN(e.at / $4) * $4, 'usage', '', COUNT(*), CAST(SUM(p.amount) AS BIGINT)
                FROM postings p JOIN entries e ON e.id = p.entry
                WHERE p.account = $1 AND e.at >= $2 AND e.at < $3 AND e.kind = 'generation'
                GROUP BY e.at / $4
            ) movements ORDER BY at, entry";
        let values = [book.as_str().into(), from.micros().into(), to.micros().into(), MICROS_PER_DAY.into()];
        let lines: Vec<Line> = tx.fetch(sql, &values).await?;
        let movements: Vec<Movement> = lines
            .into_iter()
            .map(|(at, kind, entry, calls, amount)| Movement {
                at: Timestamp(at),
                kind,
                entry,
                calls,
                amount: Money::from_nanos(amount),
            })
            .collect();
        let first = |rows: &[(i64,)]| rows.first().map_or(Money::ZERO, |row| Money::from_nanos(row.0));
        let closing = first(&now).saturating_sub(first(&later));
        let moved: Money = movements.iter().map(|movement| movement.amount).sum();
        Ok(Statement { opening: closing.saturating_sub(moved), movements, closing })
    }
}
