//! Proof of the books: everything that is stored twice is compared, everything that was computed is computed again, and every
//! entry has to stand in its chain. Reads one instant of the store and changes nothing.

mod chained;
mod checks;
mod generations;
mod payments;
mod rollups;
mod traffic;

use crate::{Store, StoreError};

/// At most this many problems are listed; the rest is counted.
const PROBLEMS_MAX: usize = 1_000;
const PAGE_ROWS: i64 = 500;

/// What [`Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries in the books.
    pub entries: u64,
    /// Generations whose cost was computed again.
    pub generations: u64,
    /// Corrections of them.
    pub corrections: u64,
    /// The newest entry's number and hash, `17:9f86...`: noted elsewhere, it shows later that none was taken off.
    pub head: String,
    /// What does not hold, at most a thousand; empty: everything holds.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more_problems: u64,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The check's stable name: `entry_sum`.
    pub check: &'static str,
    /// The entry, account, key or generation.
    pub subject: String,
    /// Both sides, amounts in nano-dollars.
    pub detail: String,
}

/// How far a long check is: what it looks at, and how many of them it has seen.
pub type Progress<'a> = &'a mut (dyn FnMut(&'static str, u64) + Send);

/// A number and a hash that an earlier check gave: `17:9f86...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The entry's number.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

impl std::str::FromStr for Noted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Noted, &'static str> {
        const WRONG: &str = "write a number and a hash as an earlier check gave them, such as 17:9f86...";
        let (seq, hash) = text.split_once(':').ok_or(WRONG)?;
        let is_whole = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let seq = seq.parse().ok().filter(|seq| *seq >= 0 && is_whole).ok_or(WRONG)?;
        Ok(Noted { seq, hash: hash.to_ascii_lowercase() })
    }
}

impl Store {
    /// [`Store::verify_with`] for those who don't watch.
    pub async fn verify(&self) -> Result<VerifyReport, StoreError> {
        self.verify_with(None, &mut |_, _| ()).await
    }

    /// Checks that every entry and all books sum to zero, that the chain of entries is whole, that every total is the sum of
    /// what it stands for, that each generation with a cost has exactly its entry, that its cost is its usage at its price
    /// sheet, and that corrections make up the difference. `noted`: an entry that has to be there as it was.
    pub async fn verify_with(
        &self,
        noted: Option<&Noted>,
        progress: Progress<'_>,
    ) -> Result<VerifyReport, StoreError> {
        let mut tx = self.db.read().await?;
        let mut report = VerifyReport::default();
        for (check, sides, sql) in checks::CHECKS.iter().chain(payments::CHECKS) {
            let rows: Vec<(String, i64, i64)> = tx.fetch(sql, &[]).await?;
            for (subject, one, other) in rows {
                report.add(check, &subject, format!("{sides}: {one}, {other}"));
            }
        }
        chained::check(&mut tx, noted, &mut report, progress).await?;
        generations::check(&mut tx, &mut report, progress).await?;
        Ok(report)
    }
}

impl VerifyReport {
    fn add(&mut self, check: &'static str, subject: &str, detail: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { check, subject: subject.to_owned(), detail });
        } else {
            self.more_problems += 1;
        }
    }
}
