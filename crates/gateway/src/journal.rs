//! The journal on disk: where settling writes, before the last byte leaves.
//!
//! - One open segment per worker, so that no worker waits for another. A record is one `write` of one frame; after it the
//!   record survives this process being killed. `sync_always` also survives a power cut, at the price of one flush per
//!   call; otherwise the fold job flushes once a second.
//! - A write that fails leaves the segment cut back to its last whole frame, and the journal *unwell*: new calls are
//!   refused with 503 until a write succeeds again. The record that could not be written waits in memory, bounded by
//!   [`BACKLOG_BYTES_MAX`] per worker, and is written by the next append or by [`Journal::retry`].
//! - A segment that has grown past `segment_bytes_max` is closed and a new one begun. The fold job deletes closed segments
//!   that it has folded whole.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{GenerationRecord, HEADER, HEADER_BYTES};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::metrics::Metrics;

/// Bytes of records per worker that wait in memory while the disk refuses them; beyond it records are refused.
pub const BACKLOG_BYTES_MAX: usize = 1 << 20;

/// Why a record could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk refused; the record waits in memory.
    #[error("the journal can't be written; the record waits in memory")]
    Waiting,
    /// The disk refused and the backlog is full: the record is lost to the books.
    #[error("the journal can't be written and its backlog is full")]
    Lost,
}

/// The journal of this process.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    boot: String,
    segment_bytes_max: u64,
    sync_always: bool,
    shards: Vec<Mutex<Shard>>,
    unwell: AtomicBool,
    backlogged: AtomicBool,
    appended: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Shard {
    number: usize,
    sequence: u32,
    file: File,
    path: PathBuf,
    len: u64,
    frame: Vec<u8>,
    backlog: Vec<u8>,
    backlog_records: u64,
}

impl Journal {
    /// Opens a segment per worker in `dir`. `boot` makes the names unique across starts and nodes.
    pub fn open(
        dir: &Path,
        boot: &str,
        workers: usize,
        segment_bytes_max: u64,
        sync_always: bool,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Journal> {
        std::fs::create_dir_all(dir)?;
        let shards = (0..workers.max(1))
            .map(|number| {
                let (path, file) = create(dir, boot, number, 0)?;
                Ok(Mutex::new(Shard {
                    number,
                    sequence: 0,
                    file,
                    path,
                    len: HEADER_BYTES as u64,
                    frame: Vec::with_capacity(1024),
                    backlog: Vec::new(),
                    backlog_records: 0,
                }))
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Journal {
            dir: dir.to_owned(),
            boot: boot.to_owned(),
            segment_bytes_max,
            sync_always,
            shards,
            unwell: AtomicBool::new(false),
            backlogged: AtomicBool::new(false),
            appended: Notify::new(),
            metrics,
        })
    }

    /// The folder of the segments.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// True when records can't be written at the moment.
    pub fn is_unwell(&self) -> bool {
        self.unwell.load(Ordering::Relaxed) || self.backlogged.load(Ordering::Relaxed)
    }

    /// Says whether more is waiting to be folded than may wait; new calls are refused meanwhile.
    pub fn set_backlogged(&self, backlogged: bool) {
        self.backlogged.store(backlogged, Ordering::Relaxed);
    }

    /// Resolves soon after a record was appended.
    pub async fn appended(&self) {
        self.appended.notified().await;
    }

    /// Paths of the segments that are still written to.
    pub fn open_segments(&self) -> Vec<PathBuf> {
        self.shards.iter().map(|shard| shard.lock().path.clone()).collect()
    }

    /// Appends a record to a worker's segment. When this returns `Ok`, killing the process loses nothing.
    pub fn append(&self, worker: usize, record: &GenerationRecord) -> Result<(), JournalError> {
        let Some(shard) = self.shards.get(worker % self.shards.len().max(1)) else {
            return Err(JournalError::Lost);
        };
        let mut shard = shard.lock();
        let shard = &mut *shard;
        shard.frame.clear();
        if ledger::frame(record, &mut shard.frame).is_err() {
            return Err(JournalError::Lost);
        }
        self.metrics.journal_records.fetch_add(1, Ordering::Relaxed);
        self.metrics.journal_unfolded.fetch_add(1, Ordering::Relaxed);
        let frame = std::mem::take(&mut shard.frame);
        let result = self.write(shard, &frame);
        shard.frame = frame;
        self.appended.notify_one();
        result
    }

    fn write(&self, shard: &mut Shard, frame: &[u8]) -> Result<(), JournalError> {
        let written = self.flush_backlog(shard).and_then(|()| self.write_whole(shard, frame));
        match written {
            Ok(()) => {
                self.unwell.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                if !self.unwell.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the journal can't be written; new calls are refused until it can");
                }
                self.metrics.journal_errors.fetch_add(1, Ordering::Relaxed);
                if shard.backlog.len() + frame.len() > BACKLOG_BYTES_MAX {
                    return Err(JournalError::Lost);
                }
                shard.backlog.extend_from_slice(frame);
                shard.backlog_records += 1;
                Err(JournalError::Waiting)
            }
        }
    }

    fn flush_backlog(&self, shard: &mut Shard) -> std::io::Result<()> {
        if shard.backlog.is_empty() {
            return Ok(());
        }
        let backlog = std::mem::take(&mut shard.backlog);
        let result = self.write_whole(shard, &backlog);
        if result.is_err() {
            shard.backlog = backlog;
        } else {
            tracing::info!(records = shard.backlog_records, "the journal can be written again");
            shard.backlog_records = 0;
        }
        result
    }

    fn write_whole(&self, shard: &mut Shard, bytes: &[u8]) -> std::io::Result<()> {
        if shard.len >= self.segment_bytes_max {
            self.rotate(shard)?;
        }
        let done = shard
            .file
            .write_all(bytes)
            .and_then(|()| if self.sync_always { shard.file.sync_data() } else { Ok(()) });
        if let Err(error) = done {
            // A frame cut in the middle would end the segment for every reader: take it back.
            shard.file.set_len(shard.len)?;
            return Err(error);
        }
        shard.len += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&self, shard: &mut Shard) -> std::io::Result<()> {
        shard.file.sync_data()?;
        let (path, file) = create(&self.dir, &self.boot, shard.number, shard.sequence + 1)?;
        shard.sequence += 1;
        shard.path = path;
        shard.file = file;
        shard.len = HEADER_BYTES as u64;
        Ok(())
    }

    /// Tries again to write what waits in memory; true when nothing waits any more.
    pub fn retry(&self) -> bool {
        let well = self.shards.iter().all(|shard| self.flush_backlog(&mut shard.lock()).is_ok());
        if well {
            self.unwell.store(false, Ordering::Relaxed);
        }
        well
    }

    /// Flushes every segment to the disk.
    pub fn sync(&self) -> std::io::Result<()> {
        for shard in &self.shards {
            // The handle is cloned so that no append waits for the disk.
            let file = shard.lock().file.try_clone()?;
            file.sync_data()?;
        }
        Ok(())
    }
}

fn create(dir: &Path, boot: &str, worker: usize, sequence: u32) -> std::io::Result<(PathBuf, File)> {
    let path = dir.join(format!("{boot}-{worker:02}-{sequence:06}.journal"));
    let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
    file.write_all(&HEADER)?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{AccountId, GenerationId, KeyId, Timestamp};

    fn record(n: u128) -> GenerationRecord {
        let id = GenerationId::new(Timestamp::from_seconds(1), n);
        GenerationRecord::new(id, Timestamp(0), AccountId::new("acct_a"), KeyId::new("key_a"))
    }

    #[test]
    fn records_can_be_read_back_and_segments_rotate() {
        let dir = std::env::temp_dir().join(format!("tollway-journal-{}", std::process::id()));
        let journal = Journal::open(&dir, "b", 2, 200, false, Arc::default()).unwrap();
        for n in 0..10 {
            journal.append(n as usize, &record(n)).unwrap();
        }
        let mut found = 0;
        let mut files = 0;
        for entry in std::fs::read_dir(&dir).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let scan = ledger::scan(&bytes, 0, usize::MAX).unwrap();
            found += scan.records.len();
            files += 1;
        }
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found, 10);
        assert!(files > 2, "{files}");
    }

    #[test]
    fn a_disk_that_refuses_makes_the_journal_unwell_and_loses_nothing() {
        let dir = std::env::temp_dir().join(format!("tollway-journal-full-{}", std::process::id()));
        let journal = Journal::open(&dir, "b", 1, 1 << 20, false, Arc::default()).unwrap();
        let good = {
            // Every write to /dev/full fails with "no space left on device".
            let mut shard = journal.shards[0].lock();
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            std::mem::replace(&mut shard.file, full)
        };
        assert_eq!(journal.append(0, &record(1)), Err(JournalError::Waiting));
        assert!(journal.is_unwell() && !journal.retry());
        journal.shards[0].lock().file = good;
        assert!(journal.retry() && !journal.is_unwell());
        journal.append(0, &record(2)).unwrap();
        let bytes = std::fs::read(&journal.open_segments()[0]).unwrap();
        assert_eq!(ledger::scan(&bytes, 0, usize::MAX).unwrap().records.len(), 2);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
