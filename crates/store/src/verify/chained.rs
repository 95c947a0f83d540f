//! The chain of entries, from the first to the head. Each hash is computed from the one that is stored before it, so one
//! changed entry is named once, and not everything behind it.

use ledger::chain::{self, Digest};

use super::{Noted, PAGE_ROWS, Progress, VerifyReport};
use crate::StoreError;
use crate::chain::{Head, Page};
use crate::db::Tx;

pub(super) async fn check(
    tx: &mut Tx,
    noted: Option<&Noted>,
    report: &mut VerifyReport,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let mut at = Head { seq: 0, hash: chain::START };
    let mut found = noted.is_some_and(|noted| noted.seq == 0);
    loop {
        let page = Page::after(tx, at.seq, PAGE_ROWS).await?;
        if page.entries.is_empty() {
            break;
        }
        for (row, unsealed) in page.unsealed() {
            let (seq, id, .., stored) = row;
            report.entries += 1;
            let subject = format!("entry {seq}, {id}");
            if *seq != at.seq + 1 {
                report.add("chain_number", &subject, format!("follows entry {}", at.seq));
                at.seq = seq - 1;
            }
            let known = chain::unhex(stored);
            at.seal(&unsealed);
            if known != Some(at.hash) {
                let again = chain::hex(&at.hash);
                report.add("chain", &subject, format!("stored, computed again: {stored}, {again}"));
            }
            if noted.is_some_and(|noted| noted.seq == *seq && noted.hash == *stored) {
                found = true;
            }
            at.hash = known.unwrap_or(at.hash);
        }
        progress("entries", report.entries);
    }
    if let Some(noted) = noted.filter(|_| !found) {
        let subject = format!("entry {}", noted.seq);
        report.add("chain_noted", &subject, format!("is not there with the hash {}", noted.hash));
    }
    head(tx, at.seq, &at.hash, report).await
}

/// What the next entry would be put behind has to be the last one.
async fn head(tx: &mut Tx, seq: i64, hash: &Digest, report: &mut VerifyReport) -> Result<(), StoreError> {
    let hash = chain::hex(hash);
    let sql = "SELECT number, text FROM books_state WHERE name = 'chain'";
    let rows: Vec<(i64, String)> = tx.fetch(sql, &[]).await?;
    match rows.first() {
        Some((number, text)) if (*number, text.as_str()) == (seq, &hash) => (),
        Some((number, text)) => {
            let detail = format!("stored, last entry: {number}:{text}, {seq}:{hash}");
            report.add("chain_head", "the newest entry", detail);
        }
        None => report.add("chain_head", "the newest entry", String::from("is not noted in the store")),
    }
    report.head = format!("{seq}:{hash}");
    Ok(())
}
