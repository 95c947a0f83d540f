//! Vouchers: codes that are worth credit, once each. Only the hash of a code is stored.
//!
//! Redeeming is one conditional update of the voucher's row: of many at once one changes it. How many of a batch an account
//! may redeem is decided by a unique key, not by a count before it.

use ledger::promotion;
use types::{AccountId, EntryId, KeyHash, Money, Timestamp};

use crate::db::{Tx, Value, decode_row};
use crate::{Store, StoreError, entries};

/// A voucher to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVoucher {
    /// `vch_...`
    pub id: String,
    /// Hash of its code.
    pub hash: KeyHash,
    /// What may be shown of its code.
    pub label: String,
    /// What was made together.
    pub batch: String,
    /// What it is worth.
    pub amount: Money,
    /// How many of its batch one account may redeem.
    pub per_account: u32,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Option<Timestamp>,
}

/// A stored voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// Its id.
    pub id: String,
    /// What may be shown of its code.
    pub label: String,
    /// What was made together.
    pub batch: String,
    /// What it is worth.
    pub amount: Money,
    /// How many of its batch one account may redeem.
    pub per_account: i64,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Option<Timestamp>,
    /// Since when it is worth nothing.
    pub revoked: Option<Timestamp>,
    /// When it was redeemed.
    pub redeemed: Option<Timestamp>,
    /// By whom.
    pub redeemed_by: Option<AccountId>,
}

decode_row!(Voucher, |row| {
    let instant = |at: usize| -> sqlx::Result<Option<Timestamp>> {
        Ok(row.try_get::<Option<i64>, _>(at)?.map(Timestamp))
    };
    Ok(Voucher {
        id: row.try_get(0)?,
        label: row.try_get(1)?,
        batch: row.try_get(2)?,
        amount: Money::from_nanos(row.try_get(3)?),
        per_account: row.try_get(4)?,
        created: Timestamp(row.try_get(5)?),
        expires: instant(6)?,
        revoked: instant(7)?,
        redeemed: instant(8)?,
        redeemed_by: row.try_get::<Option<String>, _>(9)?.map(AccountId::new),
    })
});

macro_rules! select_vouchers {
    ($rest:literal) => {
        concat!(
            "SELECT id, label, batch, amount, per_account, created, expires, revoked, redeemed, redeemed_by FROM vouchers ",
            $rest
        )
    };
}

/// A code that somebody wants to redeem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// Hash of the code.
    pub hash: KeyHash,
    /// Who gets the credit.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
}

/// What a code turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// Worth this much, which was credited now.
    Credited(Voucher),
    /// No voucher, or one that was revoked.
    Unknown,
    /// Past its date.
    Expired,
    /// Redeemed before; true: by the same account.
    Before(bool),
    /// The account has redeemed as many of its batch as it may.
    Enough(i64),
}

impl Store {
    /// Stores vouchers.
    pub async fn insert_vouchers(&self, all: &[NewVoucher]) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let rows: Vec<Vec<Value<'_>>> = all.iter().map(row).collect();
        let head = "INSERT INTO vouchers (id, hash, label, batch, amount, per_account, created, expires)";
        tx.insert::<(String,)>(head, &rows, "RETURNING id").await?;
        tx.commit().await
    }

    /// The vouchers of a batch, or all, newest first.
    pub async fn vouchers(&self, batch: Option<&str>) -> Result<Vec<Voucher>, StoreError> {
        let sql = select_vouchers!("WHERE $1 = '' OR batch = $1 ORDER BY created DESC, id LIMIT 100000");
        self.db.fetch(sql, &[batch.unwrap_or_default().into()]).await
    }

    /// Revokes a voucher by its id, or all of a batch, as far as they are not redeemed; how many.
    pub async fn revoke_vouchers(&self, id_or_batch: &str, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE vouchers SET revoked = $2
            WHERE (id = $1 OR batch = $1) AND revoked IS NULL AND redeemed IS NULL";
        let revoked = tx.execute(sql, &[id_or_batch.into(), now.micros().into()]).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    /// Redeems a code.
    pub async fn redeem(&self, redemption: &Redemption) -> Result<Redeemed, StoreError> {
        let Redemption { hash, account, at } = redemption;
        let mut tx = self.db.write().await?;
        let sql = "UPDATE vouchers SET redeemed = $2, redeemed_by = $3
            WHERE hash = $1 AND redeemed IS NULL AND revoked IS NULL AND (expires IS NULL OR expires > $2)
            RETURNING id, label, batch, amount, per_account, created, expires, revoked, redeemed, redeemed_by";
        let values: [Value<'_>; 3] = [hash.to_hex().into(), at.micros().into(), account.as_str().into()];
        let taken: Vec<Voucher> = tx.fetch(sql, &values).await?;
        let Some(voucher) = taken.into_iter().next() else {
            return why_not(&mut tx, redemption).await;
        };
        if !use_one(&mut tx, &voucher, account).await? {
            // Dropped, not committed: the voucher is as before.
            return Ok(Redeemed::Enough(voucher.per_account));
        }
        let id = EntryId::new(format!("voucher:{}", voucher.id));
        let entry = promotion(account.clone(), voucher.amount, id, *at)
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        entries::book(&mut tx, &entry, Some(&voucher.label)).await?;
        tx.commit().await?;
        Ok(Redeemed::Credited(voucher))
    }
}

fn row(new: &NewVoucher) -> Vec<Value<'_>> {
    vec![
        new.id.as_str().into(),
        new.hash.to_hex().into(),
        new.label.as_str().into(),
        new.batch.as_str().into(),
        new.amount.into(),
        i64::from(new.per_account).into(),
        new.created.micros().into(),
        Value::OptInt(new.expires.map(Timestamp::micros)),
    ]
}

/// Counts the voucher to the account's of its batch; false when that is one too many.
async fn use_one(tx: &mut Tx, voucher: &Voucher, account: &AccountId) -> Result<bool, StoreError> {
    for nth in 1..=voucher.per_account {
        let sql = "INSERT INTO voucher_uses (batch, account, nth, voucher) VALUES ($1, $2, $3, $4)
            ON CONFLICT (batch, account, nth) DO NOTHING";
        let batch = voucher.batch.as_str().into();
        let values = [batch, account.as_str().into(), nth.into(), voucher.id.as_str().into()];
        if tx.execute(sql, &values).await? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn why_not(tx: &mut Tx, redemption: &Redemption) -> Result<Redeemed, StoreError> {
    let sql = select_vouchers!("WHERE hash = $1");
    let rows: Vec<Voucher> = tx.fetch(sql, &[redemption.hash.to_hex().into()]).await?;
    Ok(match rows.into_iter().next() {
        Some(voucher) if voucher.redeemed.is_some() => {
            Redeemed::Before(voucher.redeemed_by.as_ref() == Some(&redemption.account))
        }
        Some(voucher) if voucher.revoked.is_none() => Redeemed::Expired,
        _ => Redeemed::Unknown,
    })
}
