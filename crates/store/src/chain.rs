//! The chain of entries in the database: its head, which one writer at a time holds, and what was booked before there was a
//! chain.

use ledger::chain::{self, Digest, Sealed};

use crate::db::{Tx, Value};
use crate::{Store, StoreError};

/// Entries and generations of one step of catching up.
const STEP_ROWS: i64 = 500;

/// The newest entry: its number and hash. Whoever has it holds the lock on it until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) hash: Digest,
}

impl Head {
    /// Waits for the writer before, and reads what it left.
    pub(crate) async fn lock(tx: &mut Tx) -> Result<Head, StoreError> {
        let sql = "UPDATE books_state SET number = number WHERE name = 'chain' RETURNING number, text";
        let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        let (seq, text) = rows.into_iter().next().ok_or_else(|| damaged("has no head"))?;
        let hash = chain::unhex(&text).ok_or_else(|| damaged("has a head that is no hash"))?;
        Ok(Head { seq, hash })
    }

    /// Puts an entry behind the newest; its number and hash are the new head.
    pub(crate) fn seal(&mut self, entry: &Unsealed<'_>) {
        self.seq += 1;
        let sealed = Sealed {
            seq: self.seq,
            id: entry.id,
            at: entry.at,
            kind: entry.kind,
            reason: entry.reason,
            postings: entry.postings,
            evidence: entry.evidence,
        };
        self.hash = chain::link(&self.hash, &sealed);
    }

    /// Writes it down, for the next writer.
    pub(crate) async fn keep(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE books_state SET number = $1, text = $2 WHERE name = 'chain'";
        tx.execute(sql, &[self.seq.into(), chain::hex(&self.hash).into()]).await.map(drop)
    }
}

/// An entry that has no number yet.
pub(crate) struct Unsealed<'a> {
    pub(crate) id: &'a str,
    pub(crate) at: i64,
    pub(crate) kind: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) postings: &'a [(String, i64)],
    pub(crate) evidence: Option<&'a Digest>,
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the chain of entries {what}; restore a backup"))
}

/// A stored entry without its postings: number, id, instant, kind, reason, hash.
pub(crate) type EntryRow = (i64, String, i64, String, Option<String>, String);

/// Entries behind a number, in their order, with their postings and the digest of what each stands for.
pub(crate) struct Page {
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) postings: Vec<Vec<(String, i64)>>,
    pub(crate) evidence: Vec<Option<Digest>>,
}

impl Page {
    pub(crate) async fn after(tx: &mut Tx, seq: i64, rows: i64) -> Result<Page, StoreError> {
        let sql = "SELECT seq, id, at, kind, reason, hash FROM entries WHERE seq > $1 ORDER BY seq LIMIT $2";
        let entries: Vec<EntryRow> = tx.fetch(sql, &[seq.into(), rows.into()]).await?;
        let last = entries.last().map_or(seq, |row| row.0);
        let mut page =
            Page { postings: vec![Vec::new(); entries.len()], evidence: vec![None; entries.len()], entries };
        let place = |page: &Page, found: i64| page.entries.binary_search_by_key(&found, |row| row.0).ok();
        let sql = "SELECT e.seq, p.account, p.amount FROM entries e JOIN postings p ON p.entry = e.id
            WHERE e.seq > $1 AND e.seq <= $2 ORDER BY e.seq, p.line";
        let range: [Value<'_>; 2] = [seq.into(), last.into()];
        let postings: Vec<(i64, String, i64)> = tx.fetch(sql, &range).await?;
        for (found, account, amount) in postings {
            if let Some(slot) = place(&page, found).and_then(|at| page.postings.get_mut(at)) {
                slot.push((account, amount));
            }
        }
        let sql = "SELECT e.seq, g.digest FROM entries e JOIN generations g ON g.id = SUBSTR(e.id, 5)
            WHERE e.seq > $1 AND e.seq <= $2 AND e.kind = 'generation'";
        let digests: Vec<(i64, String)> = tx.fetch(sql, &range).await?;
        for (found, digest) in digests {
            if let Some(slot) = place(&page, found).and_then(|at| page.evidence.get_mut(at)) {
                // What is no digest matches no hash either, and verify names both.
                *slot = Some(chain::unhex(&digest).unwrap_or(chain::START));
            }
        }
        let sql = "SELECT e.seq, c.generation, c.price_version, c.cost, c.charged, c.provider_cost
            FROM entries e JOIN corrections c ON c.entry = e.id
            WHERE e.seq > $1 AND e.seq <= $2 AND e.kind = 'correction'";
        let corrections: Vec<(i64, String, String, i64, i64, i64)> = tx.fetch(sql, &range).await?;
        for (found, generation, version, cost, charged, provider_cost) in corrections {
            if let Some(slot) = place(&page, found).and_then(|at| page.evidence.get_mut(at)) {
                *slot = Some(of_correction(&generation, &version, [cost, charged, provider_cost]));
            }
        }
        Ok(page)
    }

    /// Each entry as it has to be sealed.
    pub(crate) fn unsealed(&self) -> impl Iterator<Item = (&EntryRow, Unsealed<'_>)> {
        self.entries.iter().zip(&self.postings).zip(&self.evidence).map(|((row, postings), evidence)| {
            let (_, id, at, kind, reason, _) = row;
            let reason = reason.as_deref();
            (row, Unsealed { id, at: *at, kind, reason, postings, evidence: evidence.as_ref() })
        })
    }
}

/// What a correction's entry stands for.
pub(crate) fn of_correction(generation: &str, price_version: &str, numbers: [i64; 3]) -> Digest {
    chain::of_fields("tollway correction 1", &[generation, price_version], &numbers)
}

impl Store {
    /// Chains what was booked before there was a chain, and counts what no rollup has. Goes on where an earlier try ended; nothing to do costs a few reads.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        while self.digest_some().await? {}
        while self.chain_some().await? {}
        self.catch_up_parts().await?;
        self.catch_up_insight().await?;
        self.catch_up_traffic().await
    }

    /// Digests of some generations; false when none is left.
    async fn digest_some(&self) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let sql = "UPDATE books_state SET number = number WHERE name = 'digests' RETURNING number, text";
        let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
        let Some((0, last)) = rows.into_iter().next() else { return Ok(false) };
        let sql = "SELECT g.id, g.body, p.sheet FROM generations g
            LEFT JOIN price_versions p ON p.id = g.price_version WHERE g.id > $1 ORDER BY g.id LIMIT $2";
        let rows: Vec<(String, String, Option<String>)> =
            tx.fetch(sql, &[last.as_str().into(), STEP_ROWS.into()]).await?;
        for (id, body, sheet) in &rows {
            let digest = crate::generations::digest(id, body, sheet.as_deref());
            let sql = "UPDATE generations SET digest = $2 WHERE id = $1";
            tx.execute(sql, &[id.as_str().into(), chain::hex(&digest).into()]).await?;
        }
        let (done, last) = rows.last().map_or((1, last.as_str()), |row| (0, row.0.as_str()));
        let sql = "UPDATE books_state SET number = $1, text = $2 WHERE name = 'digests'";
        tx.execute(sql, &[Value::Int(done), last.into()]).await?;
        tx.commit().await?;
        Ok(done == 0)
    }

    /// Chains some entries; false when none is left.
    async fn chain_some(&self) -> Result<bool, StoreError> {
        let sql = "SELECT e.seq FROM entries e WHERE e.seq > (SELECT number FROM books_state WHERE name = 'chain') LIMIT 1";
        let unchained: Vec<(i64,)> = self.db.fetch(sql, &[]).await?;
        if unchained.is_empty() {
            return Ok(false);
        }
        let mut tx = self.db.write().await?;
        let mut head = Head::lock(&mut tx).await?;
        let page = Page::after(&mut tx, head.seq, STEP_ROWS).await?;
        for (row, unsealed) in page.unsealed() {
            head.seal(&unsealed);
            if row.0 != head.seq {
                return Err(damaged(&format!("misses entry {}", head.seq)));
            }
            let sql = "UPDATE entries SET hash = $2 WHERE seq = $1";
            tx.execute(sql, &[row.0.into(), chain::hex(&head.hash).into()]).await?;
        }
        head.keep(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}
