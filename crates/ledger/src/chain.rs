//! The chain of the books: every entry carries a number and a hash that covers the entry, its postings and the hash before
//! it, so that whoever changes, removes or inserts one has to make all later ones anew.
//!
//! - `hash(n) = SHA-256(hash(n - 1), canonical bytes of entry n)`; before the first stand 32 zeros.
//! - The canonical bytes are the fields in a fixed order, texts with their length before them, numbers as 64 bits
//!   little-endian. They are made from what is stored, so anybody with the tables can make them again.
//! - The entry of a generation also covers a digest of the generation's stored record and price sheet: usage, price and
//!   record can't change without it.
//! - Taking off the newest entries leaves a shorter chain that holds. Whoever has noted a number and its hash elsewhere
//!   sees that too.

use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Digest = [u8; 32];

/// What stands before the first entry.
pub const START: Digest = [0; 32];

/// An entry as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// Its number: 1, 2, 3, ...
    pub seq: i64,
    /// Its id.
    pub id: &'a str,
    /// When it happened, microseconds since 1970.
    pub at: i64,
    /// The name of its kind.
    pub kind: &'a str,
    /// Why it was made.
    pub reason: Option<&'a str>,
    /// Book account and nano-dollars of each posting, in order.
    pub postings: &'a [(String, i64)],
    /// The digest of what it stands for: a generation, a correction.
    pub evidence: Option<&'a Digest>,
}

/// The hash of an entry behind `previous`.
pub fn link(previous: &Digest, entry: &Sealed<'_>) -> Digest {
    let mut hash = Canonical::new("tollway entry 1");
    hash.0.update(previous);
    hash.number(entry.seq);
    hash.text(entry.id);
    hash.number(entry.at);
    hash.text(entry.kind);
    hash.option(entry.reason.map(str::as_bytes));
    hash.number(length(entry.postings.len()));
    for (account, amount) in entry.postings {
        hash.text(account);
        hash.number(*amount);
    }
    hash.option(entry.evidence.map(Digest::as_slice));
    hash.finish()
}

/// The digest of a generation: its stored record, and the stored price sheet where the record has none of its own (else
/// an empty text).
pub fn of_generation(id: &str, body: &str, sheet: &str) -> Digest {
    let mut hash = Canonical::new("tollway generation 1");
    hash.text(id);
    hash.text(body);
    hash.text(sheet);
    hash.finish()
}

/// The digest of fields that belong together, such as a correction's.
pub fn of_fields(kind: &str, texts: &[&str], numbers: &[i64]) -> Digest {
    let mut hash = Canonical::new(kind);
    hash.number(length(texts.len()));
    texts.iter().for_each(|text| hash.text(text));
    hash.number(length(numbers.len()));
    numbers.iter().for_each(|number| hash.number(*number));
    hash.finish()
}

/// 64 lower-case hexadecimal digits.
pub fn hex(digest: &Digest) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS.get(usize::from(half)).copied().unwrap_or(b'0'));
    let mut text = String::with_capacity(2 * digest.len());
    for byte in digest {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// Reads what [`hex`] wrote; `None` for anything else.
pub fn unhex(text: &str) -> Option<Digest> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)) {
        return None;
    }
    let mut digest = START;
    for (slot, pair) in digest.iter_mut().zip(digits.chunks(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// A hash over fields, no two lists of which give the same bytes.
struct Canonical(Sha256);

impl Canonical {
    fn new(kind: &str) -> Canonical {
        let mut hash = Canonical(Sha256::new());
        hash.text(kind);
        hash
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.0.update(text.as_bytes());
    }

    fn option(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.number(-1),
            Some(bytes) => {
                self.number(length(bytes.len()));
                self.0.update(bytes);
            }
        }
    }

    fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
