//! The audit log: who did what to what, from where, with which outcome. Appended only; every row has a number, a digest of what it
//! says, and a hash over both and the row before, so that one that was changed, taken out or put in shows.
//!
//! What a row says of a person can be taken out when they go: the row is marked, its digest stays, and the chain holds.

use ledger::chain::{self, Digest};
use types::{AccountId, Timestamp};

use crate::db::decode_row;
use crate::{Store, StoreError};

/// Rows of a page.
pub const AUDIT_PAGE_ROWS: i64 = 100;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// In which organization; the server's where it concerns the server.
    pub account: AccountId,
    /// Who: `usr_…`, `key_…`, or `operator` for the command line.
    pub actor: String,
    /// What: `POST /v1/keys`, `keys create`.
    pub action: String,
    /// To what: an id, or nothing.
    pub object: String,
    /// From where; empty where that is not known.
    pub address: String,
    /// With which outcome: an HTTP status, or 0 for done and 1 for failed on the command line.
    pub status: i64,
    /// JSON: what was asked, as far as it is nobody's secret.
    pub detail: String,
}

/// One of them as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    /// Its number.
    pub seq: i64,
    /// What was done.
    pub act: Act,
    /// Since when what was personal in it is gone.
    pub redacted: Option<Timestamp>,
    /// Of what it says; 64 hexadecimal digits.
    pub digest: String,
    /// Of the log up to here; 64 hexadecimal digits.
    pub hash: String,
}

decode_row!(ActRow, |row| {
    Ok(ActRow {
        seq: row.try_get(0)?,
        act: Act {
            at: Timestamp(row.try_get(1)?),
            account: AccountId::new(row.try_get::<String, _>(2)?),
            actor: row.try_get(3)?,
            action: row.try_get(4)?,
            object: row.try_get(5)?,
            address: row.try_get(6)?,
            status: row.try_get(7)?,
            detail: row.try_get(8)?,
        },
        redacted: row.try_get::<Option<i64>, _>(9)?.map(Timestamp),
        digest: row.try_get(10)?,
        hash: row.try_get(11)?,
    })
});

/// What a look through the log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// How many acts stand in it.
    pub acts: u64,
    /// The newest number and its hash: noted elsewhere, they show later whether the end was cut off.
    pub head: Option<(i64, String)>,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

impl Act {
    fn digest(&self) -> String {
        let texts =
            [self.account.as_str(), &self.actor, &self.action, &self.object, &self.address, &self.detail];
        chain::hex(&chain::of_fields("tollway act 1", &texts, &[self.at.micros(), self.status]))
    }
}

fn link(before: &Digest, seq: i64, digest: &str) -> Digest {
    chain::of_fields("tollway audit 1", &[&chain::hex(before), digest], &[seq])
}

impl Store {
    /// Writes an act down, behind the newest.
    pub async fn note_act(&self, act: &Act) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE books_state SET number = number + 1 WHERE name = 'audit' RETURNING number, text";
        let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        let head = rows.first().and_then(|(seq, text)| Some((*seq, chain::unhex(text)?)));
        let (seq, before) = head
            .ok_or_else(|| StoreError::Corrupt("the audit log has no head; restore a backup".to_owned()))?;
        let digest = act.digest();
        let hash = chain::hex(&link(&before, seq, &digest));
        let sql = "INSERT INTO audit (seq, at, account, actor, action, object, address, status, detail, digest, hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let values = [
            seq.into(),
            act.at.micros().into(),
            act.account.as_str().into(),
            act.actor.as_str().into(),
            act.action.as_str().into(),
            act.object.as_str().into(),
            act.address.as_str().into(),
            act.status.into(),
            act.detail.as_str().into(),
            digest.as_str().into(),
            hash.as_str().into(),
        ];
        tx.execute(sql, &values).await?;
        tx.execute("UPDATE books_state SET text = $1 WHERE name = 'audit'", &[hash.as_str().into()]).await?;
        tx.commit().await
    }

    /// Acts of an organization, or of all, the newest first: those before a number (`i64::MAX`: from the newest on).
    pub async fn acts(
        &self,
        account: Option<&AccountId>,
        before: i64,
        rows: i64,
    ) -> Result<Vec<ActRow>, StoreError> {
        let rows = rows.clamp(1, AUDIT_PAGE_ROWS);
        match account {
            Some(account) => {
                let sql = "SELECT seq, at, account, actor, action, object, address, status, detail,
                    redacted, digest, hash FROM audit
                    WHERE account = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
                self.db.fetch(sql, &[account.as_str().into(), before.into(), rows.into()]).await
            }
            None => {
                let sql = "SELECT seq, at, account, actor, action, object, address, status, detail,
                    redacted, digest, hash FROM audit
                    WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
                self.db.fetch(sql, &[before.into(), rows.into()]).await
            }
        }
    }

    /// Goes through the whole log and computes every hash again.
    pub async fn verify_audit(&self) -> Result<AuditReport, StoreError> {
        let mut tx = self.db.read().await?;
        let (mut report, mut before, mut seen) = (AuditReport::default(), chain::START, 0);
        loop {
            let sql = "SELECT seq, at, account, actor, action, object, address, status, detail,
                    redacted, digest, hash FROM audit
                WHERE seq > $1 ORDER BY seq LIMIT 500";
            let page: Vec<ActRow> = tx.fetch(sql, &[seen.into()]).await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                if row.seq != seen + 1 {
                    report.problems.push(format!("acts {} to {} are missing", seen + 1, row.seq - 1));
                }
                let hash = link(&before, row.seq, &row.digest);
                let says = row.redacted.is_some() || row.act.digest() == row.digest;
                if !says || chain::hex(&hash) != row.hash {
                    report.problems.push(format!("act {} is not what was written down", row.seq));
                }
                // What stands there counts for what follows: one change is one problem, not all later rows.
                before = chain::unhex(&row.hash).unwrap_or(hash);
                seen = row.seq;
                report.acts += 1;
                report.head = Some((row.seq, row.hash));
            }
        }
        let sql = "SELECT number, text FROM books_state WHERE name = 'audit'";
        let head: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        if head.first() != Some(&(seen, chain::hex(&before))) {
            report.problems.push(format!("the log ends at act {seen}, and its head says otherwise"));
        }
        Ok(report)
    }
}
