//! The metering journal: an append-only file of framed, checksummed records.
//!
//! - A file begins with [`HEADER`]: eight bytes of magic, a format version (u32), four zero bytes.
//! - A frame is the payload's length (u32), the CRC-32 of the payload (u32), the payload: one record as JSON. Numbers are
//!   little-endian. A payload is at most [`FRAME_BYTES_MAX`].
//! - A price sheet is written once per price version and file: a later record of the same version only names it. A scan puts
//!   the sheet back where it has passed it; one that began behind it leaves it out, and the store, which has folded what
//!   stood before, knows it.
//! - A frame that is cut off or bad with nothing valid after it is a *torn tail*: normal after a crash, nobody was told
//!   that it is safe, it may be cut away. The same in the midst of valid frames is *corruption*: someone's money is
//!   unreadable, so nothing is skipped and a person has to look.
//! - A frame with the right checksum that is not a record we know (a newer version wrote it) is corruption too: it must
//!   never be cut away.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use types::PriceSheet;

use crate::{GenerationRecord, RECORD_VERSION, sheet_is_empty};

/// The first bytes of every journal file.
pub const HEADER: [u8; HEADER_BYTES] = *b"tollwayJ\x01\0\0\0\0\0\0\0";
/// Length of [`HEADER`].
pub const HEADER_BYTES: usize = 16;
/// Bytes of a frame before its payload.
pub const FRAME_HEAD_BYTES: usize = 8;
/// A short record; what memory a scan asks for at once goes by it.
const FRAME_BYTES_USUAL: usize = 512;
/// The largest payload.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Why a record can't be framed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// More than [`FRAME_BYTES_MAX`] bytes, even without its optional parts.
    #[error("the record has {0} bytes; a frame holds {FRAME_BYTES_MAX}")]
    TooLarge(usize),
    /// Not expressible as JSON.
    #[error("the record can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why a file can't be read as a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The file begins with other bytes.
    #[error("the file is not a journal of this format")]
    NotAJournal,
}

/// What stands at the end of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The last frame is whole.
    Clean,
    /// `records_max` was reached; more may follow.
    More,
    /// From this offset on there is no valid frame; it may be cut away once nobody appends to the file.
    Torn {
        /// Offset of the first byte that is no part of a valid frame.
        at: u64,
    },
    /// A frame at this offset is unreadable, and what follows is worth keeping.
    Corrupt {
        /// Offset of the bad frame.
        at: u64,
    },
}

/// A record as it stands in a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged<'a> {
    /// What it says. Its sheet is missing where only the version is named and the scan has not passed the sheet.
    pub record: GenerationRecord,
    /// Its JSON, byte for byte.
    pub body: Cow<'a, str>,
    /// Whether the sheet is part of `body`.
    pub has_own_sheet: bool,
}

impl Logged<'static> {
    /// A record that never was in a journal, with its sheet in its body.
    pub fn whole(record: GenerationRecord) -> Result<Logged<'static>, serde_json::Error> {
        let body = Cow::Owned(serde_json::to_string(&record)?);
        let has_own_sheet = !sheet_is_empty(&record.price_sheet);
        Ok(Logged { record, body, has_own_sheet })
    }
}

impl Logged<'_> {
    /// True when something was priced and the sheet is nowhere yet: it is that of the price version.
    pub fn lacks_sheet(&self) -> bool {
        let record = &self.record;
        let is_priced = !record.price_version.is_empty() && !record.cost.lines.is_empty();
        is_priced && sheet_is_empty(&record.price_sheet)
    }
}

/// The outcome of [`scan`].
#[derive(Clone, Debug, PartialEq)]
pub struct Scan<'a> {
    /// Records of the valid frames, in file order.
    pub records: Vec<Logged<'a>>,
    /// Offset after the last of them: where the next scan begins.
    pub next_offset: u64,
    /// What stands there.
    pub tail: Tail,
}

/// Appends the frame of `record` to `out`: with the sheet that the record has, so one that has none names its version only,
/// which is right where that sheet stands earlier in the same file. A record that is too large is shortened to its money (see
/// [`GenerationRecord::slim`]); on an error `out` is as before.
pub fn frame(record: &GenerationRecord, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match frame_whole(record, out) {
        Err(FrameError::TooLarge(_)) => frame_whole(&record.slim(), out),
        done => done,
    }
}

fn frame_whole(record: &GenerationRecord, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    if let Err(error) = serde_json::to_writer(&mut *out, record) {
        out.truncate(start);
        return Err(error.into());
    }
    let payload = out.get(start + FRAME_HEAD_BYTES..).unwrap_or_default();
    let (bytes, crc) = (payload.len(), crc32fast::hash(payload));
    let Some(length) = u32::try_from(bytes).ok().filter(|_| bytes <= FRAME_BYTES_MAX) else {
        out.truncate(start);
        return Err(FrameError::TooLarge(bytes));
    };
    let head = length.to_le_bytes().into_iter().chain(crc.to_le_bytes());
    out.iter_mut().skip(start).zip(head).for_each(|(slot, byte)| *slot = byte);
    Ok(())
}

/// Reads the frames of `bytes`, which are a journal file's content from `offset` on. From offset 0 the header is read and
/// checked; any other offset must be one that an earlier scan returned. A file that is shorter than its header, as far as
/// it goes, is torn at 0.
pub fn scan(bytes: &[u8], offset: u64, records_max: usize) -> Result<Scan<'_>, ScanError> {
    let records = Vec::with_capacity(records_max.min(bytes.len() / FRAME_BYTES_USUAL));
    let mut scan = Scan { records, next_offset: offset, tail: Tail::Clean };
    let mut sheets = HashMap::new();
    let mut at = 0;
    if offset == 0 {
        if !HEADER.starts_with(bytes.get(..HEADER_BYTES).unwrap_or(bytes)) {
            return Err(ScanError::NotAJournal);
        }
        if bytes.len() < HEADER_BYTES {
            scan.tail = Tail::Torn { at: 0 };
            return Ok(scan);
        }
        at = HEADER_BYTES;
        scan.next_offset = HEADER_BYTES as u64;
    }
    while at < bytes.len() {
        if scan.records.len() >= records_max {
            scan.tail = Tail::More;
            break;
        }
        let Some(payload) = valid_payload(bytes, at) else {
            let more = (at + 1..bytes.len()).any(|later| valid_payload(bytes, later).is_some());
            let at = scan.next_offset;
            scan.tail = if more { Tail::Corrupt { at } } else { Tail::Torn { at } };
            break;
        };
        let Some(record) = read_record(payload, &mut sheets) else {
            scan.tail = Tail::Corrupt { at: scan.next_offset };
            break;
        };
        scan.records.push(record);
        at += FRAME_HEAD_BYTES + payload.len();
        scan.next_offset = offset + at as u64;
    }
    Ok(scan)
}

/// The payload of the frame at `at`, when its length and checksum hold.
fn valid_payload(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    // The brace rules out almost every wrong guess before a checksum is computed.
    if length > FRAME_BYTES_MAX || rest.first() != Some(&b'{') {
        return None;
    }
    let payload = rest.get(..length)?;
    (crc32fast::hash(payload) == u32::from_le_bytes(*crc)).then_some(payload)
}

/// The sheets that a scan has passed, by price version.
type Sheets = HashMap<String, Arc<PriceSheet>>;

fn read_record<'a>(payload: &'a [u8], sheets: &mut Sheets) -> Option<Logged<'a>> {
    let body = std::str::from_utf8(payload).ok()?;
    let mut record: GenerationRecord = serde_json::from_str(body).ok()?;
    if record.v > RECORD_VERSION {
        return None;
    }
    let has_own_sheet = !sheet_is_empty(&record.price_sheet);
    if has_own_sheet {
        sheets.insert(record.price_version.clone(), Arc::clone(&record.price_sheet));
    } else if let Some(sheet) = sheets.get(&record.price_version) {
        record.price_sheet = Arc::clone(sheet);
    }
    Some(Logged { record, body: Cow::Borrowed(body), has_own_sheet })
}
