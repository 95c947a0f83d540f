//! Addresses of the internet.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::numbers::is_said_before;
use crate::lexer::Window;

/// Words before four numbers that are no address.
const VERSIONS: [&str; 14] = [
    "version",
    "versions",
    "ver",
    "release",
    "build",
    "firmware",
    "revision",
    "rev",
    "section",
    "chapter",
    "clause",
    "paragraph",
    "v",
    "upgrade to",
];

/// Four numbers up to 255. Versions and numbers of sections look the same: what stands around tells them apart.
pub(super) fn version_4(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let (mut end, mut octets) = (at, [0_u8; 4]);
    for (number, slot) in octets.iter_mut().enumerate() {
        if number > 0 {
            if text.at(end) != Some(b'.') {
                return None;
            }
            end += 1;
        }
        let start = end;
        end = text.run(start, 4, |byte| byte.is_ascii_digit());
        let digits = text.slice(start, end);
        if digits.len() > 1 && digits.first() == Some(&b'0') {
            return None;
        }
        *slot = std::str::from_utf8(digits).ok()?.parse().ok()?;
    }
    let address = Ipv4Addr::from(octets);
    let tells = !(address.is_loopback() || address.is_unspecified() || address.is_broadcast());
    (tells && begins(text, at) && ends(text, end) && !is_said_before(text, at, &VERSIONS))
        .then_some((at, end))
}

fn begins(text: &Window<'_>, at: usize) -> bool {
    let further = text.before(at.saturating_sub(1)).filter(|_| at > 1);
    match text.before(at) {
        Some(b'.' | b'_' | b'^' | b'~' | b'<' | b'>') => false,
        // `Chrome/120.0.0.0`, but not `http://`.
        Some(b'/') => !further.is_some_and(|byte| byte.is_ascii_alphanumeric()),
        Some(b'=') => !further.is_some_and(|byte| matches!(byte, b'=' | b'>' | b'<' | b'~')),
        Some(b'-') => !further.is_some_and(|byte| byte.is_ascii_alphanumeric()),
        _ => true,
    }
}

fn ends(text: &Window<'_>, end: usize) -> bool {
    let next = text.at(end + 1).filter(|_| text.at(end).is_some());
    match text.at(end) {
        Some(b'.') => !next.is_some_and(|byte| byte.is_ascii_digit()),
        Some(b'-') => !next.is_some_and(|byte| byte.is_ascii_alphabetic()),
        Some(b'_') => false,
        Some(byte) => !byte.is_ascii_alphanumeric(),
        None => true,
    }
}

/// Longest text of an address of version 6.
const LONGEST: usize = 39;

/// Eight groups of hexadecimal digits, or fewer around a `::`.
pub(super) fn version_6(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let first = text.run(at, 5, |byte| byte.is_ascii_hexdigit());
    if first == at || first > at + 4 || text.at(first) != Some(b':') || text.before(at) == Some(b':') {
        return None;
    }
    let mut end = text.run(first, LONGEST - (first - at), |byte| byte == b':' || byte.is_ascii_hexdigit());
    if text.at(end).is_some_and(|byte| byte == b':' || byte == b'_' || byte.is_ascii_alphanumeric()) {
        return None;
    }
    let mut found = text.slice(at, end);
    // The colon of what follows: `2001:db8::1: unreachable`.
    if found.ends_with(b":") && !found.ends_with(b"::") {
        (found, end) = (text.slice(at, end - 1), end - 1);
    }
    let address: Ipv6Addr = std::str::from_utf8(found).ok()?.parse().ok()?;
    let groups = found.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let digits = found.iter().any(u8::is_ascii_digit);
    // `dead::beef` is more often a path of some code.
    let tells = !address.is_loopback() && digits && (groups >= 3 || is_global(address));
    (tells && !text.in_word(at)).then_some((at, end))
}

fn is_global(address: Ipv6Addr) -> bool {
    let [first, ..] = address.segments();
    (0x2000..0x4000).contains(&first) || first & 0xFFC0 == 0xFE80 || first & 0xFE00 == 0xFC00
}
