//! Folds the journal into the store: reads what was appended, books it in batches, deletes what is folded whole.
//!
//! - A batch and the offset behind it are one transaction, so a batch is booked once, whatever crashes in between.
//! - A store that doesn't answer delays the books and stops nothing: the journal keeps growing, up to
//!   `journal.backlog_bytes_max`; beyond it new calls are refused until the store is back.
//! - Where telemetry is exported, a file that is folded whole is handed on to it instead of deleted.
//! - A torn tail is what a crash leaves; it is passed over in segments of earlier starts. Anything else that is damaged keeps
//!   its segment on disk and says so.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::app::Gateway;
use gateway::crash;
use gateway::jobs::Job;
use ledger::{Logged, Tail};
use store::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;

/// Most records of one transaction: what they share is written once, and SQLite's one writer is held for some 50 ms.
const BATCH_RECORDS: usize = 2_500;
/// Most bytes read at once.
const READ_BYTES: u64 = 3 << 20;
/// Pause after the store did not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long nobody appends before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the journal is flushed to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Where each segment stands.
#[derive(Default)]
pub(crate) struct Folder {
    dir: PathBuf,
    offsets: HashMap<String, u64>,
    damaged: HashMap<String, u64>,
    /// Where files go that are folded whole; `None`: they are deleted.
    handed_to: Option<PathBuf>,
    /// What is read goes into the same memory every time.
    buffer: Vec<u8>,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pass {
    /// Records folded.
    pub(crate) records: usize,
}

impl Folder {
    pub(crate) fn new(dir: &Path) -> Folder {
        Folder { dir: dir.to_owned(), ..Folder::default() }
    }

    /// Hands files that are folded whole on to a folder on the same disk.
    pub(crate) fn hand_to(&mut self, folder: Option<PathBuf>) {
        self.handed_to = folder;
    }

    /// Folds everything that is there. `open` are the segments that are still written to.
    pub(crate) async fn pass(&mut self, store: &Store, open: &[PathBuf]) -> anyhow::Result<Pass> {
        let mut pass = Pass::default();
        for path in segments(&self.dir)? {
            let Some(name) = path.file_name().map(|n| n.to_string_lossy().into_owned()) else { continue };
            if self.damaged.contains_key(&name) {
                continue;
            }
            let is_open = open.contains(&path);
            loop {
                let batch = self.batch(store, &path, &name).await?;
                pass.records += batch.records;
                if batch.finished {
                    break;
                }
            }
            if !is_open && !self.damaged.contains_key(&name) {
                // The file goes first: an offset without a file is harmless, a file without its offset is not.
                match &self.handed_to {
                    Some(folder) => hand_on(&path, &folder.join(&name))?,
                    None => std::fs::remove_file(&path)?,
                }
                store.forget_segment(&name).await?;
                self.offsets.remove(&name);
            }
        }
        if pass.records == 0 {
            self.buffer = Vec::new();
        }
        Ok(pass)
    }

    async fn batch(&mut self, store: &Store, path: &Path, name: &str) -> anyhow::Result<Batch> {
        let from = match self.offsets.get(name) {
            Some(offset) => *offset,
            None => store.segment_offset(name).await?,
        };
        self.offsets.insert(name.to_owned(), from);
        let mut bytes = std::mem::take(&mut self.buffer);
        read(path, from, &mut bytes)?;
        let batch = self.booked(store, name, from, &bytes).await;
        self.buffer = bytes;
        batch
    }

    /// Books what was read from an offset on.
    async fn booked(&mut self, store: &Store, name: &str, from: u64, bytes: &[u8]) -> anyhow::Result<Batch> {
        let full = bytes.len() as u64 == READ_BYTES;
        let scan = match ledger::scan(bytes, from, BATCH_RECORDS) {
            Ok(scan) => scan,
            Err(error) => {
                self.damage(name, from, &error.to_string());
                return Ok(Batch { records: 0, finished: true });
            }
        };
        if let Tail::Corrupt { at } = scan.tail {
            self.damage(name, at, "a frame is damaged and valid ones follow it");
        }
        if !scan.records.is_empty() {
            self.book(store, name, from, scan.next_offset, &scan.records).await?;
        } else {
            self.offsets.insert(name.to_owned(), scan.next_offset.max(from));
        }
        let more = matches!(scan.tail, Tail::More) || (full && !scan.records.is_empty());
        Ok(Batch { records: scan.records.len(), finished: !more })
    }

    async fn book(
        &mut self,
        store: &Store,
        name: &str,
        from: u64,
        to: u64,
        records: &[Logged<'_>],
    ) -> anyhow::Result<()> {
        let stored = store.segment_offset(name).await?;
        // The header before the first record is no record's.
        let start = if stored == from { from } else { stored };
        crash::point("fold");
        match store.fold(name, start, to, records).await {
            Ok(folded) => {
                crash::point("folded");
                for (id, reason) in folded.refused {
                    tracing::error!(generation = %id, %reason, "a record can't be booked; it is set aside, see `tollway ledger verify`");
                }
                self.offsets.insert(name.to_owned(), to);
                Ok(())
            }
            Err(StoreError::Offset { folded_to, .. }) => {
                self.offsets.insert(name.to_owned(), folded_to);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn damage(&mut self, name: &str, at: u64, what: &str) {
        tracing::error!(
            segment = name,
            at,
            what,
            "a journal segment is damaged; it is kept, and what follows is not booked"
        );
        self.damaged.insert(name.to_owned(), at);
    }
}

struct Batch {
    records: usize,
    finished: bool,
}

pub(super) fn segments(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "journal"))
        .collect();
    found.sort();
    Ok(found)
}

/// Reads what stands behind an offset, at most [`READ_BYTES`], in place of what `bytes` held.
fn read(path: &Path, from: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    bytes.clear();
    let mut file = File::open(path)?;
    let there = file.metadata()?.len().saturating_sub(from).min(READ_BYTES);
    bytes.reserve(usize::try_from(there).unwrap_or_default());
    file.seek(SeekFrom::Start(from))?;
    file.take(READ_BYTES).read_to_end(bytes).map(drop)
}

/// Moves a file on. Where that can't be, it is deleted: telemetry never holds up the books.
fn hand_on(from: &Path, to: &Path) -> std::io::Result<()> {
    let Err(error) = std::fs::rename(from, to) else { return Ok(()) };
    tracing::error!(%error, to = %to.display(), "a file of the journal can't be kept for telemetry");
    std::fs::remove_file(from)
}

/// The job: folds soon after something was appended, until everything stops.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    mut folder: Folder,
    interval: Duration,
    backlog_bytes_max: u64,
    mut stopping: watch::Receiver<bool>,
) {
    let mut synced = Instant::now();
    gateway.jobs.starts(Job::Fold, LOOK_EVERY);
    loop {
        tokio::select! {
            () = gateway.journal.appended() => (),
            _ = tokio::time::sleep(LOOK_EVERY) => (),
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        if gateway.journal.is_unwell() {
            gateway.journal.retry();
        }
        if synced.elapsed() >= SYNC_EVERY {
            synced = Instant::now();
            if let Err(error) = gateway.journal.sync() {
                tracing::warn!(%error, "the journal can't be flushed to the disk");
            }
        }
        let run = gateway.begin_job(Job::Fold);
        let done = once(&gateway, &mut folder, backlog_bytes_max).await;
        let wait = match &done {
            Ok(()) => interval,
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "the books are delayed: the journal can't be folded now");
                RETRY_PAUSE
            }
        };
        run.over(done);
        if super::pause(&mut stopping, wait).await {
            return;
        }
    }
}

/// One pass, with the gauges.
pub(crate) async fn once(
    gateway: &Gateway,
    folder: &mut Folder,
    backlog_bytes_max: u64,
) -> anyhow::Result<()> {
    let pass = folder.pass(&gateway.store, &gateway.journal.open_segments()).await;
    gateway.store_answers.store(pass.is_ok(), Ordering::Relaxed);
    match pass {
        Ok(pass) => {
            let folded = i64::try_from(pass.records).unwrap_or(i64::MAX);
            gateway.metrics.journal_unfolded.fetch_sub(folded, Ordering::Relaxed);
            gateway.journal.set_backlogged(false);
            Ok(())
        }
        Err(error) => {
            let waiting: u64 =
                segments(&folder.dir)?.iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum();
            gateway.journal.set_backlogged(waiting > backlog_bytes_max);
            Err(error)
        }
    }
}
