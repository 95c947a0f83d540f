//! The caller's place in a trace of its own, as the header `traceparent` has it: W3C Trace Context, version 00 and those after it
//! (<https://www.w3.org/TR/trace-context/>, level 1 of 2021-11-23).

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of the text: version, trace, span and flags in hex, with `-` between.
const TEXT_BYTES: usize = 55;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Which trace a request belongs to, and which of its spans sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never all zero.
    pub trace: [u8; 16],
    /// The span that sent the request; never all zero.
    pub parent: [u8; 8],
    /// Bit 0: the sender records the trace.
    pub flags: u8,
}

/// The text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct TraceParentError;

impl TraceParent {
    /// Whether the sender records the trace.
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// Reads a header's value; `None`: it is none, and the standard says to go on as if there were no header.
    pub fn parse(text: &[u8]) -> Option<TraceParent> {
        let (head, rest) = text.split_first_chunk::<TEXT_BYTES>()?;
        let [version, trace, parent, flags] = split(head)?;
        let [version] = bytes(version)?;
        // A later version may say more behind a dash; this one says nothing more, and 255 is no version.
        let ends = if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|b| *b == b'-') };
        let [flags] = bytes(flags)?;
        let found = TraceParent { trace: bytes(trace)?, parent: bytes(parent)?, flags };
        let good = version != 255 && ends && found.trace != [0; 16] && found.parent != [0; 8];
        good.then_some(found)
    }
}

/// Version, trace, span and flags.
fn split(text: &[u8; TEXT_BYTES]) -> Option<[&[u8]; 4]> {
    let mut parts = text.split(|b| *b == b'-');
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(four)
}

/// As many bytes as the hex digits are for; lower case only, as the standard has it.
fn bytes<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    if hex.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (slot, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *slot = (*slot << 4) | value;
        }
    }
    Some(out)
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<TraceParent, TraceParentError> {
        TraceParent::parse(text.as_bytes()).ok_or(TraceParentError)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let all = [(3, self.trace.as_slice()), (36, self.parent.as_slice()), (53, &[self.flags])];
        for (at, bytes) in all {
            let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            for (slot, digit) in text.iter_mut().skip(at).zip(digits) {
                *slot = DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0');
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<TraceParent, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_standard_allows_and_nothing_else() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let good = format!("00-{trace}-b7ad6b7169203331-01");
        let read: TraceParent = good.parse().unwrap();
        assert_eq!((read.trace[0], read.trace[15], read.parent[0], read.flags), (0x0a, 0x9c, 0xb7, 1));
        assert!(read.is_sampled());
        assert_eq!(read.to_string(), good);
        assert_eq!(
            serde_json::from_str::<TraceParent>(&serde_json::to_string(&read).unwrap()).unwrap(),
            read
        );
        let rows = [
            (format!("00-{trace}-b7ad6b7169203331-00"), true),
            (format!("cc-{trace}-b7ad6b7169203331-01-what-comes-later"), true),
            (format!("cc-{trace}-b7ad6b7169203331-01x"), false),
            (format!("00-{trace}-b7ad6b7169203331-01-more"), false),
            (format!("ff-{trace}-b7ad6b7169203331-01"), false),
            (format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()), false),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), false),
            (format!("00-{trace}-0000000000000000-01"), false),
            (format!("00-{trace}-b7ad6b7169203331-0"), false),
            (format!("00-{trace}b-7ad6b7169203331-01"), false),
            (format!("00_{trace}_b7ad6b7169203331_01"), false),
            (String::new(), false),
            ("ä".repeat(30), false),
        ];
        for (text, expect) in rows {
            assert_eq!(TraceParent::parse(text.as_bytes()).is_some(), expect, "{text}");
        }
    }
}
