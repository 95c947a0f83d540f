//! The journal on disk: where settling writes, before the last byte leaves.
//!
//! - One open segment per worker, so that no worker waits for another. A record is one `write` of one frame; after it the
//!   record survives this process being killed. `sync_always` also survives a power cut, at the price of one flush per
//!   call; otherwise the fold job flushes once a second.
//! - A write that fails leaves the segment cut back to its last whole frame, and the journal *unwell*: new calls are
//!   refused with 503 until a write succeeds again. The record that could not be written waits in memory, bounded by
//!   [`BACKLOG_BYTES_MAX`] per worker, and is written by the next append or by [`Journal::retry`].
//! - A price sheet is written once per segment; later records of its version name the version only. What waits in memory has
//!   its sheet, because it may end up in another segment.
//! - A segment that has grown past `segment_bytes_max` is closed and a new one begun. The fold job deletes closed segments
//!   that it has folded whole.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ledger::{GenerationRecord, HEADER, HEADER_BYTES};
use parking_lot::Mutex;
use tokio::sync::Notify;
use types::{Clock, PriceSheet, SystemClock, Timestamp};

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
    /// When the disk last refused, and what it said.
    refused: Mutex<Option<(Timestamp, String)>>,
    /// When all of it was last flushed to the disk, microseconds since 1970; 0: never.
    synced: AtomicI64,
}

/// How the journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalState {
    /// Segments on the disk.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that are not folded yet.
    pub unfolded_bytes: u64,
    /// Bytes of records that wait in memory because the disk refuses them.
    pub waiting_bytes: u64,
    /// When the disk last refused, and what it said.
    pub refused: Option<(Timestamp, String)>,
    /// When all of it was last flushed to the disk.
    pub synced: Option<Timestamp>,
    /// It is flushed for every record.
    pub sync_always: bool,
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
    /// The sheets that stand in this segment, by price version.
    sheets: HashMap<String, Arc<PriceSheet>>,
    no_sheet: Arc<PriceSheet>,
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
                    sheets: HashMap::new(),
                    no_sheet: Arc::default(),
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
            refused: Mutex::default(),
            synced: AtomicI64::new(0),
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
    pub fn append(&self, worker: usize, record: &mut GenerationRecord) -> Result<(), JournalError> {
        let Some(shard) = self.shards.get(worker % self.shards.len().max(1)) else {
            return Err(JournalError::Lost);
        };
        let mut shard = shard.lock();
        let shard = &mut *shard;
        let ready = self.make_ready(shard);
        let is_named = ready.is_ok() && shard.has_sheet_of(record);
        if shard.frame(record, is_named).is_err() {
            return Err(JournalError::Lost);
        }
        self.metrics.journal_records.fetch_add(1, Ordering::Relaxed);
        self.metrics.journal_unfolded.fetch_add(1, Ordering::Relaxed);
        let frame = std::mem::take(&mut shard.frame);
        let result = match ready.and_then(|()| self.write_whole(shard, &frame)) {
            Ok(()) => {
                self.unwell.store(false, Ordering::Relaxed);
                if !is_named {
                    shard.note_sheet_of(record);
                }
                Ok(())
            }
            Err(error) => {
                self.refused(&error);
                if is_named && shard.frame(record, false).is_ok() {
                    shard.keep_waiting(None)
                } else {
                    shard.keep_waiting(Some(&frame))
                }
            }
        };
        shard.frame = frame;
        self.appended.notify_one();
        result
    }

    fn refused(&self, error: &std::io::Error) {
        if !self.unwell.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the journal can't be written; new calls are refused until it can");
        }
        self.metrics.journal_errors.fetch_add(1, Ordering::Relaxed);
        *self.refused.lock() = Some((SystemClock.now(), error.to_string()));
    }

    /// How it is, where segments are folded so far as `folded` says. Looks at the folder: not for a worker's thread.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn state(&self, folded: &HashMap<String, u64>) -> std::io::Result<JournalState> {
        let waiting = self.shards.iter().map(|shard| shard.lock().backlog.len() as u64).sum();
        let synced = self.synced.load(Ordering::Relaxed);
        let mut state = JournalState {
            waiting_bytes: waiting,
            refused: self.refused.lock().clone(),
            synced: (synced > 0).then_some(Timestamp(synced)),
            sync_always: self.sync_always,
            ..JournalState::default()
        };
        for entry in std::fs::read_dir(&self.dir)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // A file that is folded whole goes while we look.
            let Some(meta) = entry.metadata().ok().filter(|_| name.ends_with(".journal")) else { continue };
            let done = folded.get(&name).copied().unwrap_or_default().max(HEADER_BYTES as u64);
            state.segments += 1;
            state.bytes += meta.len();
            state.unfolded_bytes += meta.len().saturating_sub(done);
        }
        Ok(state)
    }

    /// Begins a new segment where the old one is full, and writes what waits.
    fn make_ready(&self, shard: &mut Shard) -> std::io::Result<()> {
        if shard.len >= self.segment_bytes_max {
            self.rotate(shard)?;
        }
        self.flush_backlog(shard)
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
        shard.sheets.clear();
        Ok(())
    }

    /// Tries again to write what waits in memory; true when nothing waits any more.
    pub fn retry(&self) -> bool {
        let well = self.shards.iter().all(|shard| self.make_ready(&mut shard.lock()).is_ok());
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
        self.synced.store(SystemClock.now().micros(), Ordering::Relaxed);
        Ok(())
    }
}

impl Shard {
    /// Whether the very sheet of this record stands in the segment.
    fn has_sheet_of(&self, record: &GenerationRecord) -> bool {
        let known = self.sheets.get(&record.price_version);
        known.is_some_and(|sheet| Arc::ptr_eq(sheet, &record.price_sheet) || **sheet == *record.price_sheet)
    }

    fn note_sheet_of(&mut self, record: &GenerationRecord) {
        if !ledger::sheet_is_empty(&record.price_sheet) {
            self.sheets.insert(record.price_version.clone(), Arc::clone(&record.price_sheet));
        }
    }

    /// Makes the record's frame, with its sheet or naming it only.
    fn frame(&mut self, record: &mut GenerationRecord, is_named: bool) -> Result<(), ledger::FrameError> {
        self.frame.clear();
        if !is_named {
            return ledger::frame(record, &mut self.frame);
        }
        let sheet = std::mem::replace(&mut record.price_sheet, Arc::clone(&self.no_sheet));
        let framed = ledger::frame(record, &mut self.frame);
        record.price_sheet = sheet;
        framed
    }

    /// Puts a frame, or the one that was made last, behind what waits for the disk.
    fn keep_waiting(&mut self, frame: Option<&[u8]>) -> Result<(), JournalError> {
        let frame = frame.unwrap_or(&self.frame);
        if self.backlog.len() + frame.len() > BACKLOG_BYTES_MAX {
            return Err(JournalError::Lost);
        }
        self.backlog.extend_from_slice(frame);
        self.backlog_records += 1;
        Err(JournalError::Waiting)
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
    use types::{AccountId, GenerationId, KeyId};

    fn record(n: u128) -> GenerationRecord {
        let id = GenerationId::new(Timestamp::from_seconds(1), n);
        GenerationRecord::new(id, Timestamp(0), AccountId::new("acct_a"), KeyId::new("key_a"))
    }

    #[test]
    fn records_can_be_read_back_and_segments_rotate() {
        let dir = std::env::temp_dir().join(format!("tollway-journal-{}", std::process::id()));
        let journal = Journal::open(&dir, "b", 2, 200, false, Arc::default()).unwrap();
        for n in 0..10 {
            journal.append(n as usize, &mut record(n)).unwrap();
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
        assert_eq!(journal.append(0, &mut record(1)), Err(JournalError::Waiting));
        assert!(journal.is_unwell() && !journal.retry());
        journal.shards[0].lock().file = good;
        assert!(journal.retry() && !journal.is_unwell());
        journal.append(0, &mut record(2)).unwrap();
        let bytes = std::fs::read(&journal.open_segments()[0]).unwrap();
        assert_eq!(ledger::scan(&bytes, 0, usize::MAX).unwrap().records.len(), 2);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    fn priced(n: u128, version: &str, rate: i64) -> GenerationRecord {
        let sheet = PriceSheet::flat([(
            types::PriceKind::Output,
            types::Rate::from_nanos_per_million(rate).unwrap(),
        )]);
        let usage = types::Usage { output: 1_000, ..types::Usage::default() };
        let cost = sheet.cost(&usage, Timestamp(0)).unwrap();
        let price_sheet = Arc::new(sheet);
        GenerationRecord { usage, cost, price_version: version.to_owned(), price_sheet, ..record(n) }
    }

    /// Every record of every segment, each segment scanned by itself, and how many have their own sheet.
    fn read_back(dir: &Path) -> (Vec<GenerationRecord>, usize) {
        let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let (mut records, mut own) = (Vec::new(), 0);
        for path in paths {
            let bytes = std::fs::read(path).unwrap();
            let scan = ledger::scan(&bytes, 0, usize::MAX).unwrap();
            own += scan.records.iter().filter(|logged| logged.has_own_sheet).count();
            records.extend(scan.records.into_iter().map(|logged| logged.record));
        }
        (records, own)
    }

    #[test]
    fn a_sheet_is_written_once_per_segment_and_version() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), "b", 1, 2_000, false, Arc::default()).unwrap();
        // Two versions in turn, and once another sheet under a known name.
        let all: Vec<_> = (0..40)
            .map(|n| match n {
                17 => priced(n, "pv-a", 77),
                _ if n % 2 == 0 => priced(n, "pv-a", 10),
                _ => priced(n, "pv-b", 20),
            })
            .collect();
        for record in &all {
            journal.append(0, &mut record.clone()).unwrap();
        }
        let segments = std::fs::read_dir(dir.path()).unwrap().count();
        let (records, own) = read_back(dir.path());
        assert_eq!(records, all);
        assert!(segments > 2, "{segments}");
        assert!(own <= 2 * segments + 2 && own >= 2 * (segments - 1), "{own} sheets in {segments} segments");
    }

    #[test]
    fn what_waits_in_memory_has_its_sheet() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), "b", 1, 300, false, Arc::default()).unwrap();
        journal.append(0, &mut priced(1, "pv-a", 10)).unwrap();
        let good = {
            let mut shard = journal.shards[0].lock();
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            std::mem::replace(&mut shard.file, full)
        };
        // The segment has the sheet, but this record will stand in the next one.
        assert_eq!(journal.append(0, &mut priced(2, "pv-a", 10)), Err(JournalError::Waiting));
        journal.shards[0].lock().file = good;
        journal.shards[0].lock().len = 400;
        assert!(journal.retry());
        journal.append(0, &mut priced(3, "pv-a", 10)).unwrap();
        let (records, _) = read_back(dir.path());
        assert_eq!(records, (1..4).map(|n| priced(n, "pv-a", 10)).collect::<Vec<_>>());
    }
}
