//! Numbers for changes, so that other nodes can ask "what changed after n" and miss nothing.
//!
//! A number taken from a sequence becomes visible when its transaction commits, and a later number can commit first: a
//! reader that has seen 8 would never ask for 7 again. Here the number is the value of one row that the writer has updated,
//! and so keeps locked until it commits: the next writer waits, and numbers become visible in their order.

use crate::StoreError;
use crate::db::Tx;

#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Budgets,
    Byok,
    ByokTotals,
    Keys,
    Privacy,
    Rules,
    Totals,
}

impl Counter {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Counter::Budgets => "budgets",
            Counter::Byok => "byok",
            Counter::ByokTotals => "byok_totals",
            Counter::Keys => "keys",
            Counter::Privacy => "privacy",
            Counter::Rules => "rules",
            Counter::Totals => "totals",
        }
    }
}

/// The number of this transaction's change. Other writers of the same kind wait from here to the commit.
pub(crate) async fn next(tx: &mut Tx, counter: Counter) -> Result<i64, StoreError> {
    let sql = "UPDATE change_counters SET value = value + 1 WHERE name = $1 RETURNING value";
    let rows: Vec<(i64,)> = tx.fetch(sql, &[counter.name().into()]).await?;
    rows.first().map(|row| row.0).ok_or_else(|| StoreError::Corrupt("a change counter is missing".to_owned()))
}
