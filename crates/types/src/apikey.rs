//! The text of a key: `<prefix>-v1-<32 random base62><6 base62 of CRC-32>`.
//!
//! The checksum lets a mistyped key be refused without a lookup and lets secret scanners recognize one. 32 base62
//! digits are 190 bits, so a plain SHA-256 is enough at rest; the text itself is shown once and never stored.

use std::fmt;

use sha2::{Digest, Sha256};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_DIGITS: usize = 32;
const CHECK_DIGITS: usize = 6;

/// The secret text of a key. Debug shows only the label.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyText(String);

/// SHA-256 of a key's text: how keys are found and stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// Why a text can't be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Too short, too long, or with characters that don't travel in a header.
    #[error("a key has 16 to 200 characters, letters, digits, `-` and `_` only")]
    Form,
}

impl ApiKeyText {
    /// Makes a new key from 32 random bytes.
    pub fn generate(prefix: &str, random: [u8; 32]) -> ApiKeyText {
        let mut text = format!("{prefix}-v1-");
        text.extend(random.iter().map(|b| digit(u32::from(*b))).take(RANDOM_DIGITS));
        let check = check_digits(&text);
        text.push_str(&check);
        ApiKeyText(text)
    }

    /// Takes a text that someone chose, such as `TOLLWAY_BOOTSTRAP_KEY`.
    pub fn from_chosen(text: &str) -> Result<ApiKeyText, KeyTextError> {
        let fits = (16..=200).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fits && plain { Ok(ApiKeyText(text.to_owned())) } else { Err(KeyTextError::Form) }
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash under which it is stored.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }

    /// What may be shown later: `sk-tw-v1-abc...xyz`.
    pub fn label(&self) -> String {
        // However the key was chosen, at least ten characters stay hidden.
        let head = self.0.find("-v1-").map_or(6, |at| at + 7).min(self.0.len().saturating_sub(13));
        let tail = self.0.len().saturating_sub(3);
        format!("{}...{}", self.0.get(..head).unwrap_or_default(), self.0.get(tail..).unwrap_or_default())
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyText({})", self.label())
    }
}

impl KeyHash {
    /// Hashes a key's text.
    pub fn of(text: &str) -> KeyHash {
        KeyHash(Sha256::digest(text.as_bytes()).into())
    }

    /// Lower-case hexadecimal, 64 digits.
    pub fn to_hex(self) -> String {
        use fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<KeyHash> {
        let mut out = [0u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (slot, at) in out.iter_mut().zip((0..64).step_by(2)) {
            *slot = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(KeyHash(out))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}..)", self.to_hex().get(..8).unwrap_or_default())
    }
}

/// Whether a text that has the form of our keys carries the right checksum. `None`: it has another form.
pub fn checksum_ok(prefix: &str, text: &str) -> Option<bool> {
    let body = text.strip_prefix(prefix)?.strip_prefix("-v1-")?;
    if body.len() != RANDOM_DIGITS + CHECK_DIGITS || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (head, check) = text.split_at_checked(text.len() - CHECK_DIGITS)?;
    Some(check_digits(head) == check)
}

fn digit(value: u32) -> char {
    BASE62.get((value % 62) as usize).map_or('0', |b| char::from(*b))
}

fn check_digits(head: &str) -> String {
    let mut crc = crc32fast::hash(head.as_bytes());
    let mut digits = [0u8; CHECK_DIGITS];
    for slot in digits.iter_mut().rev() {
        *slot = digit(crc) as u8;
        crc /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_carries_its_checksum_and_hides_in_debug() {
        let key = ApiKeyText::generate("sk-tw", [7; 32]);
        assert_eq!(checksum_ok("sk-tw", key.expose()), Some(true));
        let mut typo = key.expose().to_owned();
        typo.replace_range(12..13, "X");
        assert_eq!(checksum_ok("sk-tw", &typo), Some(false));
        assert_eq!(checksum_ok("sk-tw", "sk-tw-v1-short"), None);
        assert_eq!(checksum_ok("sk-tw", "something else"), None);
        assert!(!format!("{key:?}").contains(key.expose()));
        assert_eq!(KeyHash::from_hex(&key.hash().to_hex()), Some(key.hash()));
    }

    #[test]
    fn chosen_keys_must_travel_in_a_header() {
        assert!(ApiKeyText::from_chosen("sk-test-0123456789").is_ok());
        assert_eq!(ApiKeyText::from_chosen("short"), Err(KeyTextError::Form));
        assert_eq!(ApiKeyText::from_chosen("has a space in it ok"), Err(KeyTextError::Form));
    }
}
