//! An account's statement, like a bank's: what it began with, each movement, what it ended with. Calls are summed by day as they are
//! booked, so that a statement costs the same after a thousand calls and after ten million.

use std::collections::BTreeMap;

use ledger::{BookAccount, Entry};
use types::{AccountId, Money, Timestamp};

use crate::db::{Tx, Value};
use crate::generations::column;
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

/// Adds entries of generations to the days of the credit that they move.
pub(crate) async fn add<'e>(tx: &mut Tx, entries: impl Iterator<Item = &'e Entry>) -> Result<(), StoreError> {
    let mut days: BTreeMap<(&str, i64), (i64, i64)> = BTreeMap::new();
    for entry in entries {
        for posting in entry.postings() {
            if let BookAccount::Credits(account) = &posting.account {
                let (calls, amount) = days.entry((account.as_str(), entry.at().day())).or_default();
                *calls += 1;
                *amount = amount.saturating_add(posting.amount.nanos());
            }
        }
    }
    let rows: Vec<Vec<Value<'_>>> = days
        .iter()
        .map(|((account, day), (calls, amount))| {
            vec![column(account), (*day).into(), (*calls).into(), (*amount).into()]
        })
        .collect();
    tx.put(
        "INSERT INTO credit_days (account, day, calls, amount)",
        &rows,
        "ON CONFLICT (account, day) DO UPDATE SET calls = credit_days.calls + excluded.calls,
            amount = credit_days.amount + excluded.amount",
    )
    .await
    .map(drop)
}

impl Store {
    /// The movements of an account's credit from `from` (included) to `to` (excluded), both at the beginning of a UTC day. Use is
    /// summed per day. All is read at one instant, so that opening, movements and closing agree.
    pub async fn statement(
        &self,
        account: &AccountId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Statement, StoreError> {
        let book = format!("credits:{account}");
        let book = || Value::from(book.as_str());
        let mut tx = self.db.read().await?;
        let now = "SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM book_balances WHERE account = $1";
        let now: Vec<(i64,)> = tx.fetch(now, &[book()]).await?;
        // From the balance backwards: what lies far back need not be read. SQLite joins in the order that is written; entries of
        // anything but generations are few.
        let later = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM (
                SELECT p.amount AS amount FROM entries e CROSS JOIN postings p
                WHERE p.entry = e.id AND e.kind <> 'generation' AND p.account = $1 AND e.at >= $2
            UNION ALL
                SELECT amount FROM credit_days WHERE account = $3 AND day >= $4
            ) moved";
        let own = || Value::from(account.as_str());
        let values = [book(), to.micros().into(), own(), to.day().into()];
        let later: Vec<(i64,)> = tx.fetch(later, &values).await?;
        let sql = "SELECT at, kind, entry, calls, amount FROM (
                SELECT e.at AS at, e.kind AS kind, e.id AS entry, CAST(0 AS BIGINT) AS calls, p.amount AS amount
                FROM entries e CROSS JOIN postings p
                WHERE p.entry = e.id AND e.kind <> 'generation' AND p.account = $1 AND e.at >= $2 AND e.at < $3
            UNION ALL
                SELECT day * $4, 'usage', '', calls, amount FROM credit_days WHERE account = $5 AND day >= $6 AND day < $7
            ) movements ORDER BY at, entry";
        let values = [
            book(),
            from.micros().into(),
            to.micros().into(),
            MICROS_PER_DAY.into(),
            own(),
            from.day().into(),
            to.day().into(),
        ];
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
