//! What is known of each key: in memory by key, on disk by segment.
//!
//! - Keys are in memory (about 200 bytes each), answers on disk; those of the last moments are in memory too.
//! - Bounded in keys: when there are too many, the oldest of the account that brings the next one goes, and where it has none, the
//!   oldest of all: no account can make another one's keys go while it has keys itself.
//! - Bounded in bytes of answers: the oldest segment goes. Its keys stay, and say that the answer is not kept; what was noted
//!   there of others is noted again.
//! - Keys of calls under way don't go.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use types::{GenerationId, Timestamp};

use super::Limits;
use super::disk::{self, Disk, Head, Note, Place, State};
use crate::cache::shelf::{Room, Shelf};

/// Answers of the last moments, for those who wait: in memory.
const RECENT: Room = Room { bytes_max: 4 << 20, entries_max: 1_024 };

/// A key, its account, and the request that it stands for; hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The account's number.
    pub(crate) account: u64,
    /// Account and key.
    pub(crate) key: [u8; 32],
    /// Path and body.
    pub(crate) print: [u8; 32],
}

/// An answer as it left.
#[derive(Debug)]
pub struct Answer {
    /// The request that it is of.
    pub(crate) print: [u8; 32],
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: Vec<(String, String)>,
    /// All bytes.
    pub(crate) body: Bytes,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing.
    Nothing,
    /// It stands for another request.
    Other,
    /// Its call is under way.
    UnderWay(GenerationId),
    /// Its call was at a provider when this node stopped.
    Lost(GenerationId),
    /// Its answer is there.
    Kept(GenerationId, Place),
    /// It was answered, and the answer isn't there.
    NotKept(GenerationId),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    print: [u8; 32],
    at: Timestamp,
    known: Known,
    /// The segment of its last note; `None`: nothing was written down.
    segment: Option<u32>,
}

/// The keys of this node. Where both locks are held, that of the disk was taken first; a note is written down and known to be
/// under that lock, so that its segment does not go in between.
#[derive(Debug)]
pub struct Idempotency {
    limits: Limits,
    held: Mutex<Held>,
    disk: Mutex<Disk>,
    shelf: Arc<Shelf<Answer>>,
}

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<[u8; 32], Entry>,
    /// Keys by account, the oldest first. One that is no longer there, or of another time, is passed over.
    order: HashMap<u64, VecDeque<(Timestamp, [u8; 32])>>,
    /// Keys went before their time.
    crowded: bool,
}

impl Idempotency {
    /// Reads what earlier starts left in `dir`. `boot` makes names unique.
    pub fn open(dir: &Path, boot: &str, limits: &Limits, now: Timestamp) -> std::io::Result<Idempotency> {
        let (disk, notes) = Disk::open(dir, boot, limits.bytes_max, limits.sync)?;
        let mut held = Held::default();
        let oldest = limits.oldest(now);
        for (note, place) in notes.into_iter().filter(|(note, _)| note.at > oldest) {
            held.read(&note, place, limits.entries_max);
        }
        let shelf = Arc::new(Shelf::new(RECENT));
        let book = Idempotency { limits: *limits, held: Mutex::new(held), disk: Mutex::new(disk), shelf };
        book.sweep(now);
        Ok(book)
    }

    pub(super) fn shelf(&self) -> &Arc<Shelf<Answer>> {
        &self.shelf
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many keys, and bytes on disk.
    pub fn size(&self) -> (usize, u64) {
        (self.held.lock().entries.len(), self.disk.lock().bytes())
    }

    /// What is known of a key.
    pub(super) fn look(&self, asked: &Asked, now: Timestamp) -> Known {
        let held = self.held.lock();
        match held.entries.get(&asked.key) {
            Some(entry) if entry.at <= self.limits.oldest(now) && !entry.is_under_way() => Known::Nothing,
            Some(entry) if entry.print != asked.print => Known::Other,
            Some(entry) => entry.known,
            None => Known::Nothing,
        }
    }

    /// Takes a key for a call; false when it is taken.
    pub(super) fn take(&self, asked: &Asked, id: GenerationId, now: Timestamp) -> bool {
        if !matches!(self.look(asked, now), Known::Nothing) {
            return false;
        }
        let entry = Entry { print: asked.print, at: now, known: Known::UnderWay(id), segment: None };
        let newly_crowded = self.held.lock().put(asked.account, asked.key, entry, self.limits.entries_max);
        if newly_crowded {
            tracing::warn!(
                entries_max = self.limits.entries_max,
                "keys of Idempotency-Key are forgotten before their time; raise idempotency.entries_max"
            );
        }
        true
    }

    /// Writes down that a provider is about to be called.
    pub(super) fn begin(&self, asked: &Asked, id: GenerationId, at: Timestamp) -> std::io::Result<()> {
        let mut disk = self.disk.lock();
        let place = disk.append(&note(State::Begun, asked, id, at), &[])?;
        self.noted(&asked.key, place);
        Ok(())
    }

    /// Keeps an answer; false when it could not be written, and the key says so from now on.
    pub(super) fn keep(&self, asked: &Asked, id: GenerationId, at: Timestamp, answer: &Answer) -> bool {
        let head = Head { status: answer.status, headers: answer.headers.clone() };
        let line = Note { head: Some(head), ..note(State::Kept, asked, id, at) };
        let mut disk = self.disk.lock();
        let written = disk.append(&line, &answer.body).map_err(|error| {
            tracing::error!(generation = %id, %error, "an answer can't be kept for its Idempotency-Key");
        });
        let known = written.as_ref().map_or(Known::NotKept(id), |place| Known::Kept(id, *place));
        self.set(&asked.key, known);
        if let Ok(place) = written {
            self.noted(&asked.key, place);
        }
        drop(disk);
        self.make_room(at);
        written.is_ok()
    }

    /// The call was answered, and its answer is not there for another time.
    pub(super) fn keep_nothing(&self, asked: &Asked, id: GenerationId, at: Timestamp) {
        let mut disk = self.disk.lock();
        self.set(&asked.key, Known::NotKept(id));
        self.append(&mut disk, &note(State::NotKept, asked, id, at));
    }

    /// Nobody knows how the call ended: it was at a provider. What was written down says so already.
    pub(super) fn lose(&self, asked: &Asked, id: GenerationId) {
        self.set(&asked.key, Known::Lost(id));
    }

    /// The call failed and cost nothing: the key is free. `begun`: it was written down.
    pub(super) fn free(&self, asked: &Asked, id: GenerationId, at: Timestamp, begun: bool) {
        if begun {
            self.append(&mut self.disk.lock(), &note(State::Free, asked, id, at));
        }
        self.held.lock().entries.remove(&asked.key);
    }

    fn set(&self, key: &[u8; 32], known: Known) {
        if let Some(entry) = self.held.lock().entries.get_mut(key) {
            entry.known = known;
        }
    }

    /// Its last note stands there.
    fn noted(&self, key: &[u8; 32], place: Place) {
        if let Some(entry) = self.held.lock().entries.get_mut(key) {
            entry.segment = Some(place.segment);
        }
    }

    fn append(&self, disk: &mut Disk, note: &Note) {
        match disk.append(note, &[]) {
            Ok(place) => self.noted(&note.key, place),
            Err(error) => {
                tracing::error!(generation = %note.id, %error, "an Idempotency-Key can't be written down");
            }
        }
    }

    /// Reads an answer; `None` when its file is gone or broken.
    pub(super) fn read(&self, asked: &Asked, place: Place) -> Option<Arc<Answer>> {
        let path = self.disk.lock().path(place)?;
        let (note, body) = disk::read(&path, place).ok().flatten()?;
        let head = note.head.filter(|_| note.key == asked.key)?;
        Some(Arc::new(Answer { print: note.print, status: head.status, headers: head.headers, body }))
    }

    /// Forgets what is past its time.
    pub fn sweep(&self, now: Timestamp) {
        self.held.lock().forget(self.limits.oldest(now));
        self.make_room(now);
    }

    /// Deletes segments that are past their time or too many. Keys of the latter stay.
    fn make_room(&self, now: Timestamp) {
        if let Err(error) = self.disk.lock().close_old(self.limits.oldest(now)) {
            tracing::warn!(%error, "a new file of answers could not be begun; it is tried again");
        }
        loop {
            let oldest = self.limits.oldest(now);
            let mut disk = self.disk.lock();
            let Some(segment) = disk.is_to_go(oldest) else { return };
            let notes = self.held.lock().leave(segment);
            for note in &notes {
                self.append(&mut disk, note);
            }
            if let Err(error) = disk.drop_oldest() {
                tracing::warn!(%error, "a file of old answers could not be deleted");
            }
        }
    }
}

fn note(state: State, asked: &Asked, id: GenerationId, at: Timestamp) -> Note {
    Note { state, account: asked.account, key: asked.key, print: asked.print, id, at, head: None }
}

impl Limits {
    /// What was at this instant or before is past its time.
    fn oldest(&self, now: Timestamp) -> Timestamp {
        let retention = i64::try_from(self.retention.as_micros()).unwrap_or(i64::MAX);
        Timestamp(now.0.saturating_sub(retention))
    }
}

impl Entry {
    fn is_under_way(&self) -> bool {
        matches!(self.known, Known::UnderWay(_))
    }
}

impl Held {
    /// Takes in a note of an earlier start.
    fn read(&mut self, note: &Note, place: Place, entries_max: usize) {
        let known = match note.state {
            State::Begun => Known::Lost(note.id),
            State::Kept => Known::Kept(note.id, place),
            State::NotKept => Known::NotKept(note.id),
            State::Free => {
                self.entries.remove(&note.key);
                return;
            }
        };
        match self.entries.get_mut(&note.key) {
            Some(entry) if entry.at == note.at => {
                (entry.known, entry.segment) = (known, Some(place.segment));
            }
            _ => {
                let segment = Some(place.segment);
                let entry = Entry { print: note.print, at: note.at, known, segment };
                self.put(note.account, note.key, entry, entries_max);
            }
        }
    }

    /// Puts a key there; true when others begin to go for it before their time.
    fn put(&mut self, account: u64, key: [u8; 32], entry: Entry, entries_max: usize) -> bool {
        let mut went = false;
        while self.entries.len() >= entries_max.max(1) && self.make_place(account) {
            went = true;
        }
        self.order.entry(account).or_default().push_back((entry.at, key));
        self.entries.insert(key, entry);
        went && !std::mem::replace(&mut self.crowded, true)
    }

    /// Lets the oldest key go, of this account where it has one; false when all calls are under way.
    fn make_place(&mut self, account: u64) -> bool {
        if self.pop(account) {
            return true;
        }
        let oldest = self.order.iter().filter_map(|(account, keys)| Some((keys.front()?.0, *account))).min();
        oldest.is_some_and(|(_, account)| self.pop(account))
    }

    /// Lets the oldest key of an account go that is not under way.
    fn pop(&mut self, account: u64) -> bool {
        let Some(keys) = self.order.get_mut(&account) else { return false };
        for _ in 0..keys.len() {
            let Some((at, key)) = keys.pop_front() else { break };
            match self.entries.get(&key) {
                Some(entry) if entry.at != at => (),
                Some(entry) if entry.is_under_way() => keys.push_back((at, key)),
                Some(_) => {
                    self.entries.remove(&key);
                    return true;
                }
                None => (),
            }
        }
        if keys.is_empty() {
            self.order.remove(&account);
        }
        false
    }

    /// Forgets keys of this instant and before.
    fn forget(&mut self, oldest: Timestamp) {
        let entries = &mut self.entries;
        self.order.retain(|_, keys| {
            keys.retain(|(at, key)| match entries.get(key) {
                Some(entry) if entry.at != *at => false,
                Some(entry) if entry.at <= oldest && !entry.is_under_way() => {
                    entries.remove(key);
                    false
                }
                entry => entry.is_some(),
            });
            !keys.is_empty()
        });
        self.crowded = false;
    }

    /// Marks the answers of a segment as not kept, and gives what is to be written down again of all whose last note it has.
    fn leave(&mut self, segment: u32) -> Vec<Note> {
        let mut notes = Vec::new();
        for (account, keys) in &self.order {
            for (_, key) in keys {
                let entry = self.entries.get_mut(key).filter(|entry| entry.segment == Some(segment));
                let Some(entry) = entry else { continue };
                let (state, id) = match entry.known {
                    Known::Kept(id, _) | Known::NotKept(id) => (State::NotKept, id),
                    Known::UnderWay(id) | Known::Lost(id) => (State::Begun, id),
                    Known::Nothing | Known::Other => continue,
                };
                if state == State::NotKept {
                    entry.known = Known::NotKept(id);
                }
                let asked = Asked { account: *account, key: *key, print: entry.print };
                notes.push(note(state, &asked, id, entry.at));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests;
