//! Where answers stand, and who is making one at the moment.
//!
//! - Bounded in bytes and in number; what was not used for longest goes first. What has expired goes when it is met.
//! - Whoever finds nothing leads: it makes the answer. Who asks for the same meanwhile waits for it. When the leader keeps its
//!   answer, all who wait get it; when it ends without one (an error, its client left), the first who still waits leads in its
//!   place, and nobody else is woken; when its answer is too large to be kept, all go by themselves.
//! - A [`Ticket`] is the lead. Dropping it passes it on, so that no way out of a call can leave somebody waiting.
//! - Who waits is bounded by the calls in flight (`limits.requests_in_flight_max`): each that waits is one of them.
//! - One lock, held for a few steps of a map: only calls that opted in come here, and nothing is dropped under it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use types::Timestamp;

/// Names an answer: a hash of all that it depends on.
pub(crate) type Key = [u8; 32];

/// What is added to an answer's own size: its place in the maps.
const PLACE_BYTES: usize = 256;

/// How much stands on a shelf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Most bytes of all answers together.
    pub(crate) bytes_max: usize,
    /// Most answers.
    pub(crate) entries_max: usize,
}

/// Answers by their keys.
#[derive(Debug)]
pub(crate) struct Shelf<V>(Mutex<Held<V>>);

#[derive(Debug)]
struct Held<V> {
    room: Room,
    answers: HashMap<Key, Answer<V>>,
    /// By last use, the longest unused first.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
    /// Answers that are being made, with who waits for each, the first first.
    making: HashMap<Key, VecDeque<oneshot::Sender<Turn<V>>>>,
}

#[derive(Debug)]
struct Answer<V> {
    value: Arc<V>,
    bytes: usize,
    made: Timestamp,
    expires: Timestamp,
    used: u64,
}

/// An answer that was found, and when it was made.
#[derive(Debug)]
pub(crate) struct Hit<V> {
    pub(crate) value: Arc<V>,
    pub(crate) made: Timestamp,
    pub(crate) expires: Timestamp,
}

impl<V> Clone for Hit<V> {
    fn clone(&self) -> Hit<V> {
        Hit { value: Arc::clone(&self.value), made: self.made, expires: self.expires }
    }
}

/// What became of somebody's wait.
#[derive(Debug)]
pub(crate) enum Turn<V> {
    /// The answer is there.
    Hit(Hit<V>),
    /// Nobody makes it any more: it is this one's to make.
    Lead(Ticket<V>),
    /// It can't be kept: everybody makes their own.
    Alone,
}

/// What a look at the shelf found.
#[derive(Debug)]
pub(crate) enum Found<V> {
    /// The answer.
    Hit(Hit<V>),
    /// Nothing; it is the finder's to make.
    Lead(Ticket<V>),
    /// Somebody is making it.
    Wait(oneshot::Receiver<Turn<V>>),
}

/// The right to put an answer on the shelf; with it goes the duty to those who wait.
#[derive(Debug)]
pub(crate) struct Ticket<V> {
    shelf: Arc<Shelf<V>>,
    key: Key,
    /// Others wait for this one.
    leads: bool,
}

impl<V> Shelf<V> {
    /// An empty one.
    pub(crate) fn new(room: Room) -> Shelf<V> {
        Shelf(Mutex::new(Held {
            room,
            answers: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            making: HashMap::new(),
        }))
    }

    /// Looks for an answer that is not older than `age_us_max`, if that is given.
    pub(crate) fn find(self: &Arc<Self>, key: &Key, now: Timestamp, age_us_max: Option<i64>) -> Found<V> {
        let mut gone = None;
        let mut held = self.0.lock();
        let found = held.answers.get(key).map(|answer| {
            let age_us = now.0.saturating_sub(answer.made.0);
            (answer.expires <= now, age_us_max.is_some_and(|max| age_us >= max))
        });
        match found {
            Some((false, false)) => {
                if let Some(hit) = held.touch(key) {
                    return Found::Hit(hit);
                }
            }
            // What is only too old for this caller is still good for others, until it is made anew.
            Some((true, _)) => gone = held.take(key),
            _ => (),
        }
        let found = match held.making.get_mut(key) {
            Some(waiting) => {
                if waiting.len() == waiting.capacity() {
                    waiting.retain(|who| !who.is_closed());
                }
                let (tell, told) = oneshot::channel();
                waiting.push_back(tell);
                Found::Wait(told)
            }
            None => {
                held.making.insert(*key, VecDeque::new());
                Found::Lead(Ticket { shelf: Arc::clone(self), key: *key, leads: true })
            }
        };
        drop(held);
        drop(gone);
        found
    }

    /// A ticket for a call that nobody waits for; its answer takes the place of what is there.
    pub(crate) fn alone(self: &Arc<Self>, key: &Key) -> Ticket<V> {
        Ticket { shelf: Arc::clone(self), key: *key, leads: false }
    }

    /// Forgets an answer.
    pub(crate) fn forget(&self, key: &Key) {
        let gone = self.0.lock().take(key);
        drop(gone);
    }

    /// How many answers there are, and their size.
    pub(crate) fn size(&self) -> (usize, usize) {
        let held = self.0.lock();
        (held.answers.len(), held.bytes)
    }
}

impl<V> Held<V> {
    fn touch(&mut self, key: &Key) -> Option<Hit<V>> {
        self.uses += 1;
        let answer = self.answers.get_mut(key)?;
        self.order.remove(&answer.used);
        answer.used = self.uses;
        self.order.insert(answer.used, *key);
        Some(Hit { value: Arc::clone(&answer.value), made: answer.made, expires: answer.expires })
    }

    fn take(&mut self, key: &Key) -> Option<Answer<V>> {
        let answer = self.answers.remove(key)?;
        self.order.remove(&answer.used);
        self.bytes = self.bytes.saturating_sub(answer.bytes);
        Some(answer)
    }

    /// Puts an answer there and gives what had to go for it.
    fn put(&mut self, key: Key, mut answer: Answer<V>) -> Vec<Answer<V>> {
        let mut gone: Vec<Answer<V>> = self.take(&key).into_iter().collect();
        self.uses += 1;
        answer.used = self.uses;
        self.bytes = self.bytes.saturating_add(answer.bytes);
        self.order.insert(answer.used, key);
        self.answers.insert(key, answer);
        while self.bytes > self.room.bytes_max || self.answers.len() > self.room.entries_max {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            let oldest = *oldest;
            gone.extend(self.take(&oldest));
        }
        gone
    }
}

impl<V> Ticket<V> {
    /// Puts the answer on the shelf and gives it to all who wait.
    pub(crate) fn keep(mut self, value: V, bytes: usize, made: Timestamp, expires: Timestamp) {
        let value = Arc::new(value);
        let hit = Hit { value: Arc::clone(&value), made, expires };
        let bytes = bytes.saturating_add(PLACE_BYTES);
        let mut held = self.shelf.0.lock();
        let gone = held.put(self.key, Answer { value, bytes, made, expires, used: 0 });
        let waiting = if self.leads { held.making.remove(&self.key) } else { None };
        drop(held);
        self.leads = false;
        drop(gone);
        for who in waiting.into_iter().flatten() {
            // Who is gone needs no answer.
            drop(who.send(Turn::Hit(hit.clone())));
        }
    }

    /// The answer is too large to be kept: nobody waits for it any longer.
    pub(crate) fn give_up(mut self) {
        if !std::mem::take(&mut self.leads) {
            return;
        }
        let waiting = self.shelf.0.lock().making.remove(&self.key);
        for who in waiting.into_iter().flatten() {
            drop(who.send(Turn::Alone));
        }
    }
}

impl<V> Drop for Ticket<V> {
    fn drop(&mut self) {
        while self.leads {
            let next = {
                let mut held = self.shelf.0.lock();
                let next = held.making.get_mut(&self.key).and_then(VecDeque::pop_front);
                if next.is_none() {
                    held.making.remove(&self.key);
                }
                next
            };
            self.leads = false;
            let Some(next) = next else { return };
            let ticket = Ticket { shelf: Arc::clone(&self.shelf), key: self.key, leads: true };
            if let Err(Turn::Lead(mut back)) = next.send(Turn::Lead(ticket)) {
                // Who was to lead is gone: the next one.
                back.leads = false;
                self.leads = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
