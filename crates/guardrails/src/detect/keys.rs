//! Secrets that have a form of their own.

use super::Hit;
use super::key_forms::{FORMS, Form, Set};
use crate::kind::Kind;
use crate::lexer::Window;

/// Longest signed token, bytes.
const JWT_MAX: usize = 4_000;
/// Longest private key with its lines, bytes.
const PEM_MAX: usize = 7_000;
/// A key has at least so many different characters; `sk-xxxxxxxxxxxx` has not.
const DISTINCT_MIN: usize = 7;

/// A secret that begins with a letter.
pub(super) fn find(text: &Window<'_>, at: usize, byte: u8) -> Option<Hit> {
    if byte == b'e' {
        return jwt(text, at).map(|end| Hit { kind: Kind::Jwt, start: at, end });
    }
    if byte == b's'
        && let Some(end) = house_key(text, at)
    {
        return Some(Hit { kind: Kind::ApiKey, start: at, end });
    }
    if byte == b'h'
        && let Some((start, end)) = slack_hook(text, at)
    {
        return Some(Hit { kind: Kind::ApiKey, start, end });
    }
    let begins = |form: &&Form| form.prefix.as_bytes().first() == Some(&byte);
    for form in FORMS.iter().filter(begins) {
        if text.has(at, form.prefix.as_bytes())
            && let Some(end) = rest(text, at + form.prefix.len(), form)
        {
            return Some(Hit { kind: form.kind, start: at, end });
        }
    }
    None
}

/// The rest of a key; it ends where its characters do.
fn rest(text: &Window<'_>, start: usize, form: &Form) -> Option<usize> {
    let (least, most) = form.length;
    let mut end = text.run(start, most + 1, |byte| form.set.has(byte));
    // The end of a sentence, or of a list of words with dashes.
    while end > start && matches!(text.before(end), Some(b'.' | b'-')) {
        end -= 1;
    }
    let fits = (least..=most).contains(&(end - start));
    let ends = !text.at(end).is_some_and(|byte| byte.is_ascii_alphanumeric());
    (fits && ends && is_random(text.slice(start, end), form.set)).then_some(end)
}

/// Whether it looks drawn by lot: many different characters, digits among letters.
fn is_random(key: &[u8], set: Set) -> bool {
    let digits = key.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mixed = digits > 1 && digits < key.len();
    distinct(key) >= DISTINCT_MIN && (mixed || (digits > 0 && matches!(set, Set::Capitals)))
}

pub(super) fn distinct(text: &[u8]) -> usize {
    let mut seen = [false; 256];
    text.iter()
        .for_each(|byte| seen.iter_mut().skip(usize::from(*byte)).take(1).for_each(|slot| *slot = true));
    seen.iter().filter(|seen| **seen).count()
}

/// A key of a Tollway, whatever its brand: `sk-<brand>-v1-` with a checksum that is right.
fn house_key(text: &Window<'_>, at: usize) -> Option<usize> {
    if !text.has(at, b"sk-") {
        return None;
    }
    let brand = text.run(at + 3, 17, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if brand == at + 3 || brand > at + 19 || !text.has(brand, b"-v1-") {
        return None;
    }
    let end = text.run(brand + 4, 39, |byte| byte.is_ascii_alphanumeric());
    let prefix = std::str::from_utf8(text.slice(at, brand)).ok()?;
    let key = std::str::from_utf8(text.slice(at, end)).ok()?;
    (types::checksum_ok(prefix, key) == Some(true)).then_some(end)
}

/// The path of an address that anybody may post messages to.
fn slack_hook(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    const HOST: &[u8] = b"hooks.slack.com/services/";
    if !text.has(at, HOST) {
        return None;
    }
    let start = at + HOST.len();
    let end = text.run(start, 80, |byte| byte == b'/' || byte.is_ascii_alphanumeric());
    (end - start >= 40 && text.slice(start, end).iter().filter(|byte| **byte == b'/').count() == 2)
        .then_some((start, end))
}

/// Header, claims and signature of a signed token; an encrypted one has five parts.
fn jwt(text: &Window<'_>, at: usize) -> Option<usize> {
    if !text.has(at, b"eyJ") {
        return None;
    }
    let is_part = |byte: u8| Set::Dashed.has(byte);
    let mut end = text.run(at, JWT_MAX, is_part);
    let mut parts = 1;
    while parts < 5 && end < at + JWT_MAX && text.at(end) == Some(b'.') {
        let next = text.run(end + 1, JWT_MAX, is_part);
        if next < end + 11 {
            break;
        }
        (end, parts) = (next, parts + 1);
    }
    (parts >= 3 && end - at >= 60).then_some(end)
}

/// A private key between its lines. One that is cut off ends with the last line that can only belong to it.
pub(super) fn pem(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    if !text.has(at, BEGIN) {
        return None;
    }
    let label = at + BEGIN.len();
    let label_end =
        text.run(label, 40, |byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9'));
    let label = text.slice(label, label_end);
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    if !private || !text.has(label_end, b"-----") {
        return None;
    }
    let body = label_end + 5;
    let mut end = body;
    let mut long_until = None;
    while end < at + PEM_MAX {
        let token = text.run(end, PEM_MAX, is_token);
        if token - end >= 16 {
            long_until = Some(token);
        }
        let gap = text.run(token, 8, is_gap);
        if text.has(gap, b"-----END ") {
            let line = text.run(gap + 9, 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
            if text.has(line, b"-----") {
                return long_until.map(|_| (at, line + 5));
            }
        }
        if gap == end {
            break;
        }
        end = gap;
    }
    long_until.map(|end| (at, end))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b':' | b',')
}

/// Ends of lines, also where a text has them written out.
fn is_gap(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | b'\\' | b'"' | b'>' | b'|')
}

/// The token of a Telegram bot: its number, a colon, 35 characters.
pub(super) fn telegram(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let colon = text.run(at, 11, |byte| byte.is_ascii_digit());
    if !(8..=10).contains(&(colon - at)) || text.at(colon) != Some(b':') {
        return None;
    }
    let end = text.run(colon + 1, 36, |byte| Set::Dashed.has(byte));
    let secret = text.slice(colon + 1, end);
    (secret.len() == 35 && is_random(secret, Set::Dashed)).then_some((at, end))
}
