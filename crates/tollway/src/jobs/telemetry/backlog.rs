//! What waits to be exported: the journal itself, read a second time at a pace of its own.
//!
//! - Each file of the journal has a position here, up to which the collector has taken everything. It is written down after each
//!   batch: whoever is killed in between sends that batch once more, under the same span ids.
//! - A file that the fold has done with is handed on to the folder `telemetry` and deleted there once it is exported.
//! - The folder is bounded. Beyond the bound the file that was written to last the longest ago goes, and what it still held is
//!   counted. Files that are still written to stay, whatever they hold: they are the books'.
//! - Records behind damage are not exported; the fold says that there is damage.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ledger::{FRAME_BYTES_MAX, GenerationRecord, HEADER_BYTES, Tail};

use crate::jobs::fold::segments;

/// Most bytes read at once: more than any frame has.
const READ_BYTES: u64 = 2 * FRAME_BYTES_MAX as u64;
/// Records that are counted at once in a file that goes.
const COUNTED_RECORDS: usize = 4096;
/// The file of positions.
const POSITIONS: &str = "positions.json";

/// What waits.
pub(crate) struct Backlog {
    journal: PathBuf,
    folder: PathBuf,
    positions: BTreeMap<String, u64>,
    bytes_max: u64,
    /// The file that was read from last: the next batch is from another one where one has news.
    last: String,
    damaged: HashSet<String>,
}

/// Records of one file, in order.
pub(crate) struct Batch {
    /// The file's name.
    segment: String,
    /// Where the next batch of it begins.
    to: u64,
    /// Never empty.
    pub(crate) records: Vec<GenerationRecord>,
}

/// Where a file of the journal is.
struct Segment {
    name: String,
    path: PathBuf,
    /// It is in the folder: nobody writes to it any more.
    is_ours: bool,
}

/// The folder of the data directory.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("telemetry")
}

impl Backlog {
    /// Goes on where an earlier start ended. On the first one, what the journal holds already is left out: `true`, and the caller
    /// folds it away before calls come.
    pub(crate) fn open(journal: &Path, data_dir: &Path, bytes_max: u64) -> anyhow::Result<(Backlog, bool)> {
        let folder = folder(data_dir);
        std::fs::create_dir_all(&folder)?;
        let (positions, is_first) = match std::fs::read(folder.join(POSITIONS)) {
            Ok(bytes) => (read_positions(&bytes), false),
            Err(error) if error.kind() == ErrorKind::NotFound => (BTreeMap::new(), true),
            Err(error) => return Err(error.into()),
        };
        let backlog = Backlog {
            journal: journal.to_owned(),
            folder,
            positions,
            bytes_max,
            last: String::new(),
            damaged: HashSet::new(),
        };
        if is_first {
            backlog.write_down()?;
        }
        Ok((backlog, is_first))
    }

    /// Where files go that the fold has done with.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The next records that nobody has taken; `None`: there are none.
    pub(crate) fn next(&mut self, records_max: usize) -> anyhow::Result<Option<Batch>> {
        let mut all = self.segments()?;
        let after = all.partition_point(|segment| segment.name <= self.last);
        all.rotate_left(after);
        let mut changed = self.forget_gone(&all);
        let mut found = None;
        for segment in &all {
            let from = self.positions.get(&segment.name).copied().unwrap_or(0);
            match self.read(segment, from, records_max)? {
                News::Records(batch) => {
                    self.last.clone_from(&batch.segment);
                    found = Some(batch);
                    break;
                }
                News::NotYet => (),
                News::Over => {
                    std::fs::remove_file(&segment.path)?;
                    changed |= self.positions.remove(&segment.name).is_some();
                }
            }
        }
        if changed {
            self.write_down()?;
        }
        Ok(found)
    }

    /// The collector has it, or will never have it.
    pub(crate) fn done(&mut self, batch: &Batch) -> anyhow::Result<()> {
        self.positions.insert(batch.segment.clone(), batch.to);
        self.write_down()
    }

    /// Bytes that wait.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        let all = self.segments().unwrap_or_default();
        all.iter().map(|segment| self.left_of(segment)).sum()
    }

    /// Keeps the bound; how many records went with it.
    pub(crate) fn shrink(&mut self) -> anyhow::Result<u64> {
        let mut ours: Vec<(SystemTime, Segment)> = Vec::new();
        for segment in self.segments()?.into_iter().filter(|segment| segment.is_ours) {
            ours.push((segment.path.metadata()?.modified()?, segment));
        }
        ours.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        let mut held: u64 = ours.iter().map(|(_, segment)| self.left_of(segment)).sum();
        let mut lost = 0;
        for (_, segment) in ours {
            if held <= self.bytes_max {
                break;
            }
            held -= self.left_of(&segment);
            lost += self.count(&segment)?;
            std::fs::remove_file(&segment.path)?;
            self.positions.remove(&segment.name);
            self.write_down()?;
        }
        Ok(lost)
    }

    fn count(&self, segment: &Segment) -> anyhow::Result<u64> {
        let mut from = self.positions.get(&segment.name).copied().unwrap_or(0);
        let mut count = 0;
        loop {
            let bytes = read(&segment.path, from)?;
            let Ok(scan) = ledger::scan(&bytes, from, COUNTED_RECORDS) else { return Ok(count) };
            if scan.records.is_empty() {
                return Ok(count);
            }
            count += scan.records.len() as u64;
            from = scan.next_offset;
        }
    }

    fn left_of(&self, segment: &Segment) -> u64 {
        let bytes = segment.path.metadata().map_or(0, |meta| meta.len());
        // What a file begins with is no record.
        let position = self.positions.get(&segment.name).copied().unwrap_or(0).max(HEADER_BYTES as u64);
        bytes.saturating_sub(position)
    }

    /// Every file, by name. The journal is looked at first: what is handed on meanwhile is then seen twice, not never.
    fn segments(&self) -> anyhow::Result<Vec<Segment>> {
        let mut all = BTreeMap::new();
        for (dir, is_ours) in [(&self.journal, false), (&self.folder, true)] {
            for path in segments(dir)? {
                let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                    continue;
                };
                all.insert(name.clone(), Segment { name, path, is_ours });
            }
        }
        Ok(all.into_values().collect())
    }

    /// Forgets positions in files that are nowhere any more.
    fn forget_gone(&mut self, all: &[Segment]) -> bool {
        let before = self.positions.len();
        self.positions.retain(|name, _| all.iter().any(|segment| segment.name == *name));
        self.positions.len() != before
    }

    fn read(&mut self, segment: &Segment, from: u64, records_max: usize) -> anyhow::Result<News> {
        let over = if segment.is_ours { News::Over } else { News::NotYet };
        if self.damaged.contains(&segment.name) {
            return Ok(over);
        }
        let bytes = match read(&segment.path, from) {
            Ok(bytes) => bytes,
            // Handed on since it was looked for.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(News::NotYet),
            Err(error) => return Err(error.into()),
        };
        let scan = ledger::scan(&bytes, from, records_max);
        match scan {
            Ok(scan) if !scan.records.is_empty() => {
                let records = scan.records.into_iter().map(|logged| logged.record).collect();
                Ok(News::Records(Batch { segment: segment.name.clone(), to: scan.next_offset, records }))
            }
            Ok(scan) if !matches!(scan.tail, Tail::Corrupt { .. }) => Ok(over),
            Ok(_) | Err(_) => {
                tracing::warn!(
                    segment = segment.name,
                    at = from,
                    "a damaged journal segment is not exported to its end"
                );
                self.damaged.insert(segment.name.clone());
                Ok(over)
            }
        }
    }

    /// Whole, or not at all.
    fn write_down(&self) -> anyhow::Result<()> {
        let next = self.folder.join("positions.next");
        std::fs::write(&next, serde_json::to_vec(&self.positions)?)?;
        Ok(std::fs::rename(&next, self.folder.join(POSITIONS))?)
    }
}

/// Positions that can't be read any more begin anew: what is told twice is the same.
fn read_positions(bytes: &[u8]) -> BTreeMap<String, u64> {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        tracing::warn!(%error, "what the collector has can't be read; it is told again");
        BTreeMap::new()
    })
}

/// What a file has.
enum News {
    Records(Batch),
    /// Nothing at the moment.
    NotYet,
    /// Nothing any more.
    Over,
}

fn read(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.len() > from {
        file.seek(SeekFrom::Start(from))?;
        file.take(READ_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Deletes what an earlier start kept for a collector, now that there is none.
pub(crate) fn discard(data_dir: &Path) {
    let folder = folder(data_dir);
    if !folder.exists() {
        return;
    }
    let waiting = segments(&folder).map_or(0, |all| all.len());
    match std::fs::remove_dir_all(&folder) {
        Ok(()) => tracing::warn!(
            files = waiting,
            "nothing is exported any more: what waited for the collector was deleted"
        ),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "what waited for a collector can't be deleted")
        }
    }
}
