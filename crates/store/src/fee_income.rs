//! What fees brought in, and what was given away, out of the books.

use types::{Money, Timestamp};

use crate::{Store, StoreError};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// An amount, and of how many it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    /// How many entries, or calls.
    pub count: i64,
    /// The sum.
    pub amount: Money,
}

/// What fees brought in over some days, and what was given away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeIncome {
    /// Fees of top-ups.
    pub top_ups: Earned,
    /// Parts of them that went back with refunds; below zero.
    pub refunds: Earned,
    /// Fees of calls that accounts' own provider keys paid for.
    pub own_keys: Earned,
    /// Trial credit and vouchers that were redeemed; below zero.
    pub promotions: Earned,
    /// Credit that the operator granted, less what was taken back; below zero.
    pub grants: Earned,
}

impl Store {
    /// What fees brought in from one day (since 1970) up to before another.
    pub async fn fee_income(&self, from: i64, to: i64) -> Result<FeeIncome, StoreError> {
        let instant = |day: i64| Timestamp(day.saturating_mul(MICROS_PER_DAY)).micros();
        // Entries apart from generations have an index of their own, which the second condition names.
        let sql = "SELECT e.kind, COUNT(*), CAST(SUM(p.amount) AS BIGINT)
            FROM entries e JOIN postings p ON p.entry = e.id
            WHERE e.kind IN ('top_up', 'refund', 'promotion', 'grant') AND e.kind <> 'generation'
                AND p.account = CASE e.kind WHEN 'promotion' THEN 'promotion' WHEN 'grant' THEN 'grants' ELSE 'fees' END
                AND e.at >= $1 AND e.at < $2
            GROUP BY e.kind";
        let rows: Vec<(String, i64, i64)> =
            self.db.fetch(sql, &[instant(from).into(), instant(to).into()]).await?;
        let of = |kind: &str| {
            let found = rows.iter().find(|(known, ..)| known == kind);
            found.map(|(_, count, sum)| earned(*count, *sum)).unwrap_or_default()
        };
        let sql = "SELECT CAST(COALESCE(SUM(byok_requests), 0) AS BIGINT), CAST(COALESCE(SUM(byok_fees), 0) AS BIGINT)
            FROM activity_days WHERE day >= $1 AND day < $2";
        let own: Vec<(i64, i64)> = self.db.fetch(sql, &[from.into(), to.into()]).await?;
        let own_keys = own.first().map(|(count, sum)| earned(*count, *sum)).unwrap_or_default();
        Ok(FeeIncome {
            top_ups: of("top_up"),
            refunds: of("refund"),
            own_keys,
            promotions: of("promotion"),
            grants: of("grant"),
        })
    }
}

fn earned(count: i64, nanos: i64) -> Earned {
    Earned { count, amount: Money::from_nanos(nanos) }
}
