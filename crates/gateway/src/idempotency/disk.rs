//! The files of keys and answers, beside the journal: append-only segments of checked frames.
//!
//! - A frame is four numbers (length of the note, length of the body, CRC-32 of each; u32, little-endian), the note as JSON, and the
//!   body: an answer's bytes. One `write` per frame; after it the frame survives this process being killed.
//! - A start reads the notes of all segments and never writes to an old one, so that a frame that was cut off hurts nobody.
//! - A segment whose notes are all past their time is deleted; the oldest is when answers have too many bytes. Notes that still
//!   count are written again first, which is `book`'s to do.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use types::{GenerationId, Timestamp};

/// Bytes of a frame before its note.
const HEAD_BYTES: usize = 16;
/// Largest note: headers of an answer among it.
const NOTE_BYTES_MAX: usize = 256 * 1024;
/// Smallest and largest size at which a segment is closed.
const SEGMENT_BYTES: (u64, u64) = (64 * 1024, 64 << 20);
/// Of all bytes, the share of one segment: what is deleted at once.
const SEGMENTS: u64 = 8;
const ENDING: &str = "keys";

/// What a note says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// A provider is about to be called.
    Begun,
    /// Here is the answer.
    Kept,
    /// There was an answer, and it is not here.
    NotKept,
    /// The call failed and cost nothing: the key is free again.
    Free,
}

/// One line of the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) state: State,
    pub(super) account: u64,
    #[serde(with = "hex")]
    pub(super) key: [u8; 32],
    #[serde(with = "hex")]
    pub(super) print: [u8; 32],
    pub(super) id: GenerationId,
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<Head>,
}

/// Status and headers of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) segment: u32,
    at: u64,
}

#[derive(Debug)]
struct Segment {
    number: u32,
    path: PathBuf,
    len: u64,
    /// Of them, those of answers.
    answers: u64,
    newest: Timestamp,
    /// Of its first note; none while it is empty.
    first: Option<Timestamp>,
}

/// The segments of this node.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    boot: String,
    sync: bool,
    bytes_max: u64,
    segment_bytes_max: u64,
    old: VecDeque<Segment>,
    open: Segment,
    file: File,
    /// Bytes of answers in all segments.
    answers: u64,
}

impl Disk {
    /// Opens the folder: a new segment, and the notes of all others, the oldest first.
    pub(super) fn open(
        dir: &Path,
        boot: &str,
        bytes_max: u64,
        sync: bool,
    ) -> io::Result<(Disk, Vec<(Note, Place)>)> {
        std::fs::create_dir_all(dir)?;
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(dir)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
        paths.sort();
        let (mut notes, mut old, mut number) = (Vec::new(), VecDeque::new(), 0);
        for path in paths {
            let (len, answers, found) = scan(&path)?;
            let newest = found.iter().map(|(note, _)| note.at).max().unwrap_or_default();
            let first = found.first().map(|(note, _)| note.at);
            notes.extend(found.into_iter().map(|(note, at)| (note, Place { segment: number, at })));
            old.push_back(Segment { number, path, len, answers, newest, first });
            number += 1;
        }
        let (open, file) = begin(dir, boot, number)?;
        let answers = old.iter().map(|segment| segment.answers).sum();
        let segment_bytes_max = (bytes_max / SEGMENTS).clamp(SEGMENT_BYTES.0, SEGMENT_BYTES.1);
        let dir = dir.to_owned();
        let disk =
            Disk { dir, boot: boot.to_owned(), sync, bytes_max, segment_bytes_max, old, open, file, answers };
        Ok((disk, notes))
    }

    /// Appends a frame. When this returns `Ok`, killing the process loses nothing of it.
    pub(super) fn append(&mut self, note: &Note, body: &[u8]) -> io::Result<Place> {
        let text = serde_json::to_vec(note)?;
        let too_large = || io::Error::new(io::ErrorKind::InvalidInput, "the note or its answer is too large");
        let length = u32::try_from(body.len()).map_err(|_| too_large())?;
        if text.len() > NOTE_BYTES_MAX {
            return Err(too_large());
        }
        if self.open.len >= self.segment_bytes_max {
            self.rotate()?;
        }
        let mut frame = Vec::with_capacity(HEAD_BYTES + text.len() + body.len());
        for number in [text.len() as u32, length, crc32fast::hash(&text), crc32fast::hash(body)] {
            frame.extend_from_slice(&number.to_le_bytes());
        }
        frame.extend_from_slice(&text);
        frame.extend_from_slice(body);
        let done =
            self.file.write_all(&frame).and_then(|()| if self.sync { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = done {
            // Half a frame would hide what comes after it.
            self.file.set_len(self.open.len)?;
            return Err(error);
        }
        let place = Place { segment: self.open.number, at: self.open.len };
        self.open.len += frame.len() as u64;
        self.open.newest = self.open.newest.max(note.at);
        self.open.first = self.open.first.or(Some(note.at));
        self.open.answers += body.len() as u64;
        self.answers += body.len() as u64;
        Ok(place)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let (open, file) = begin(&self.dir, &self.boot, self.open.number + 1)?;
        self.old.push_back(std::mem::replace(&mut self.open, open));
        self.file = file;
        Ok(())
    }

    /// The file of a segment, for [`read`] without the lock.
    pub(super) fn path(&self, place: Place) -> Option<PathBuf> {
        let mut all = self.old.iter().chain([&self.open]);
        all.find(|segment| segment.number == place.segment).map(|segment| segment.path.clone())
    }

    /// Closes the open segment when its first note is past its time, so that on a quiet server, too, answers go: at most as long
    /// after their time as they were good for.
    pub(super) fn close_old(&mut self, before: Timestamp) -> io::Result<()> {
        if self.open.first.is_some_and(|first| first < before) { self.rotate() } else { Ok(()) }
    }

    /// The number of the oldest segment, when it has to make room or is past its time.
    pub(super) fn is_to_go(&self, before: Timestamp) -> Option<u32> {
        let oldest = self.old.front()?;
        (self.answers > self.bytes_max || oldest.newest < before).then_some(oldest.number)
    }

    /// Deletes the oldest segment.
    pub(super) fn drop_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.old.pop_front() else { return Ok(()) };
        self.answers = self.answers.saturating_sub(oldest.answers);
        std::fs::remove_file(&oldest.path)
    }

    /// Bytes of answers on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.answers
    }
}

fn begin(dir: &Path, boot: &str, number: u32) -> io::Result<(Segment, File)> {
    let path = dir.join(format!("{boot}-{number:08}.{ENDING}"));
    // Answers are in it: nobody else reads them.
    let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path)?;
    Ok((Segment { number, path, len: 0, answers: 0, newest: Timestamp(0), first: None }, file))
}

/// Bytes of a segment and, of them, of answers; its notes and where each stands.
type Scanned = (u64, u64, Vec<(Note, u64)>);

/// Reads the notes of a segment, up to the first that is broken.
fn scan(path: &Path) -> io::Result<Scanned> {
    let mut file = io::BufReader::new(File::open(path)?);
    let len = file.get_ref().metadata()?.len();
    let (mut at, mut answers, mut notes) = (0, 0, Vec::new());
    while let Some((note, body_len)) = note_at(&mut file)? {
        let next = at + HEAD_BYTES as u64 + note.1 + body_len;
        if next > len {
            break;
        }
        file.seek_relative(i64::try_from(body_len).unwrap_or(i64::MAX))?;
        notes.push((note.0, at));
        answers += body_len;
        at = next;
    }
    Ok((len, answers, notes))
}

/// The next note, its length, and the length of what follows it; `None` where there is none.
fn note_at(file: &mut impl Read) -> io::Result<Option<((Note, u64), u64)>> {
    let mut head = [[0_u8; 4]; 4];
    if !fill(file, head.as_flattened_mut())? {
        return Ok(None);
    }
    let [text_len, body_len, text_crc, _] = head.map(u32::from_le_bytes);
    if text_len as usize > NOTE_BYTES_MAX {
        return Ok(None);
    }
    let mut text = vec![0; text_len as usize];
    if !fill(file, &mut text)? || crc32fast::hash(&text) != text_crc {
        return Ok(None);
    }
    let note = serde_json::from_slice(&text).ok();
    Ok(note.map(|note| ((note, u64::from(text_len)), u64::from(body_len))))
}

/// Fills the buffer; false when the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a frame whole; `None` when it is broken.
pub(super) fn read(path: &Path, place: Place) -> io::Result<Option<(Note, Bytes)>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place.at + 12))?;
    let mut crc = [0; 4];
    file.read_exact(&mut crc)?;
    file.seek(SeekFrom::Start(place.at))?;
    let Some(((note, _), body_len)) = note_at(&mut file)? else { return Ok(None) };
    let mut body = Vec::new();
    file.take(body_len).read_to_end(&mut body)?;
    let good = body.len() as u64 == body_len && crc32fast::hash(&body) == u32::from_le_bytes(crc);
    Ok(good.then(|| (note, Bytes::from(body))))
}

/// Thirty-two bytes as text.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        s.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        let wrong = || serde::de::Error::custom("64 hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(wrong());
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(at * 2..at * 2 + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(number: u8, at: i64) -> Note {
        Note {
            state: State::Kept,
            account: 7,
            key: [number; 32],
            print: [9; 32],
            id: GenerationId::new(Timestamp::from_seconds(1), 5),
            at: Timestamp(at),
            head: Some(Head { status: 200, headers: vec![("a".into(), "b".into())] }),
        }
    }

    #[test]
    fn what_was_written_is_read_by_the_next_start_whatever_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, found) = Disk::open(dir.path(), "a", 1 << 20, false).unwrap();
        assert!(found.is_empty());
        let first = disk.append(&note(1, 10), b"hello").unwrap();
        disk.append(&note(2, 20), &[0, 255, 10]).unwrap();
        let path = disk.path(first).unwrap();
        assert_eq!(read(&path, first).unwrap().unwrap().1, "hello");
        let whole = std::fs::metadata(&path).unwrap().len();
        drop(disk);
        for cut in [0, 1, 4, 30] {
            File::options().write(true).open(&path).unwrap().set_len(whole - cut).unwrap();
            let (disk, found) = Disk::open(dir.path(), &format!("b{cut}"), 1 << 20, false).unwrap();
            let keys: Vec<u8> = found.iter().map(|(note, _)| note.key[0]).collect();
            let expect: &[u8] = if cut == 0 { &[1, 2] } else { &[1] };
            assert_eq!(keys, expect, "{cut} bytes cut off");
            let (last, place) = found.last().unwrap();
            let (again, body) = read(&disk.path(*place).unwrap(), *place).unwrap().unwrap();
            assert_eq!(&again, last);
            assert_eq!(body.len(), if cut == 0 { 3 } else { 5 });
        }
    }

    #[test]
    fn a_body_that_was_changed_is_not_told() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _) = Disk::open(dir.path(), "a", 1 << 20, false).unwrap();
        let place = disk.append(&note(1, 10), b"hello").unwrap();
        let path = disk.path(place).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(read(&path, place).unwrap().is_none());
    }

    #[test]
    fn the_oldest_goes_for_room_and_for_age() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _) = Disk::open(dir.path(), "a", 100 * 1024, false).unwrap();
        for number in 0..5 {
            disk.append(&note(number, i64::from(number)), &[b'x'; 40 * 1024]).unwrap();
        }
        assert_eq!(disk.bytes(), 200 * 1024);
        assert_eq!(disk.is_to_go(Timestamp(0)), Some(0));
        disk.drop_oldest().unwrap();
        disk.drop_oldest().unwrap();
        assert_eq!(disk.is_to_go(Timestamp(0)), None, "there is room");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_answer_past_its_time_goes_though_its_segment_is_not_full() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, _) = Disk::open(dir.path(), "a", 1024 * 1024, false).unwrap();
        disk.append(&note(1, 10), b"old").unwrap();
        disk.close_old(Timestamp(10)).unwrap();
        assert_eq!(disk.is_to_go(Timestamp(10)), None, "its time is not over");
        disk.close_old(Timestamp(11)).unwrap();
        assert_eq!(disk.is_to_go(Timestamp(11)), Some(0));
        disk.append(&note(2, 12), b"new").unwrap();
        disk.drop_oldest().unwrap();
        disk.close_old(Timestamp(12)).unwrap();
        assert_eq!((disk.is_to_go(Timestamp(12)), disk.bytes()), (None, 3));
    }
}
