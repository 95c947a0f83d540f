//! A strict JSON scanner that builds nothing: it checks a text once and says where the members of its objects stand.
//!
//! Accepts exactly RFC 8259 (nesting up to [`DEPTH_MAX`]) with two refusals of its own, because what they hide can't be
//! carried on: text that is not UTF-8, and escaped lone surrogates.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// Deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 128;

/// Where and why a text is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct ScanError {
    /// Offset of the offending byte.
    pub at: usize,
    /// What was found or missing there.
    pub what: &'static str,
}

/// One member of an object: where its key (without quotes) and its value stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key's text between the quotes, still escaped.
    pub key: Range<usize>,
    /// The value, from its first to its last byte.
    pub value: Range<usize>,
}

impl Member {
    /// From the key's opening quote to the end of the value.
    pub fn whole(&self) -> Range<usize> {
        self.key.start.saturating_sub(1)..self.value.end
    }
}

/// The kind of a JSON value, told from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are JSON's own")]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    /// The kind of a value that a scan has accepted.
    pub fn of(value: &[u8]) -> Kind {
        match value.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// For messages: `a string`.
    pub const fn noun(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Bool => "true or false",
            Kind::Null => "null",
        }
    }
}

/// Scans a whole text that must be one object, and gives its members in order.
pub fn object(text: &[u8]) -> Result<Vec<Member>, ScanError> {
    let mut members = Vec::with_capacity(16);
    object_into(text, &mut members)?;
    Ok(members)
}

/// As [`object`], into a buffer that is used again for the next text.
pub fn object_into(text: &[u8], members: &mut Vec<Member>) -> Result<(), ScanError> {
    members.clear();
    if let Err(error) = std::str::from_utf8(text) {
        return Err(ScanError { at: error.valid_up_to(), what: "a byte that is not UTF-8" });
    }
    let mut scanner = Scanner { text, at: 0 };
    scanner.space();
    scanner.object(1, &mut |member| members.push(member))?;
    scanner.space();
    if scanner.at < text.len() {
        return Err(scanner.error("text after the end of the object"));
    }
    Ok(())
}

/// The members of an object that stands at `span` of a text that was scanned before. Empty when it is no object.
pub fn members(text: &[u8], span: &Range<usize>) -> Vec<Member> {
    let mut members = Vec::with_capacity(8);
    members_into(text, span, &mut members);
    members
}

/// As [`members`], into a buffer that is used again.
pub fn members_into(text: &[u8], span: &Range<usize>, members: &mut Vec<Member>) {
    members.clear();
    let mut scanner = Scanner { text, at: span.start };
    let _ = scanner.object(1, &mut |member| members.push(member));
}

/// Calls `on` with each element of the array at `span` of a text that was scanned before.
pub fn each_element(text: &[u8], span: &Range<usize>, on: &mut dyn FnMut(Range<usize>)) {
    let mut scanner = Scanner { text, at: span.start };
    let _ = scanner.array(1, on);
}

/// The elements of an array that stands at `span` of a text that was scanned before, up to `max` of them.
pub fn elements(text: &[u8], span: &Range<usize>, max: usize) -> Vec<Range<usize>> {
    let mut scanner = Scanner { text, at: span.start };
    let mut found = Vec::new();
    let _ = scanner.array(1, &mut |element| {
        if found.len() < max {
            found.push(element);
        }
    });
    found
}

/// The members of the first element of the array at `span` of a text that was scanned before; empty when it is no object,
/// `None` when there is no element.
pub fn members_of_first(text: &[u8], span: &Range<usize>) -> Option<Vec<Member>> {
    let mut scanner = Scanner { text, at: span.start };
    scanner.expect(b'[', "expected an array").ok()?;
    scanner.space();
    let start = scanner.at;
    match scanner.peek()? {
        b'{' => Some(members(text, &(start..span.end))),
        b']' => None,
        _ => Some(Vec::new()),
    }
}

/// How many elements the array at `span` has.
pub fn element_count(text: &[u8], span: &Range<usize>) -> usize {
    let mut scanner = Scanner { text, at: span.start };
    let mut count = 0;
    let _ = scanner.array(1, &mut |_| count += 1);
    count
}

/// The first member with this key.
pub fn find<'m>(text: &[u8], members: &'m [Member], key: &str) -> Option<&'m Member> {
    members.iter().find(|m| text.get(m.key.clone()) == Some(key.as_bytes()))
}

/// The bytes of a span; empty when out of range.
pub fn slice<'t>(text: &'t [u8], span: &Range<usize>) -> &'t [u8] {
    text.get(span.clone()).unwrap_or_default()
}

/// The text of a string value, unescaped; `None` when the value is no string.
pub fn string<'t>(text: &'t [u8], span: &Range<usize>) -> Option<Cow<'t, str>> {
    let value = slice(text, span);
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(value).ok().map(Cow::Owned)
}

/// An integer value; `None` when the value is no whole number that fits.
pub fn integer(text: &[u8], span: &Range<usize>) -> Option<i64> {
    std::str::from_utf8(slice(text, span)).ok()?.parse().ok()
}

/// A boolean value.
pub fn boolean(text: &[u8], span: &Range<usize>) -> Option<bool> {
    match slice(text, span) {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A text as a JSON string with its quotes.
pub fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\""))
}

/// Bytes that are looked through word by word; a text that is longer is worth a vectorized search.
const SHORT_BYTES: usize = 64;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte of a word that a string can't simply hold: a quote, a backslash, a control character. Exact up to
/// the lowest one, since borrows go upwards only.
const fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let slash = slash.wrapping_sub(ONES) & !slash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | slash | control) & HIGHS
}

/// How many bytes stand before the first that a string can't simply hold. Most strings of a request are short keys and values,
/// for which setting up a vectorized search takes longer than the search.
fn plain_bytes(rest: &[u8]) -> usize {
    let (short, long) = rest.split_at_checked(SHORT_BYTES).unwrap_or((rest, &[]));
    let (words, tail) = short.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    if let Some(at) = tail.iter().position(is_special) {
        return words.len() * 8 + at;
    }
    let end = memchr2(b'"', b'\\', long).unwrap_or(long.len());
    let plain = long.get(..end).unwrap_or_default();
    // Without an early exit this compiles to a few vector instructions.
    let has_control = plain.iter().fold(false, |found, byte| found | (*byte < 0x20));
    let at = if has_control { plain.iter().position(|byte| *byte < 0x20).unwrap_or(end) } else { end };
    short.len() + at
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error(&self, what: &'static str) -> ScanError {
        let what = if self.at >= self.text.len() { "the text ends too early" } else { what };
        ScanError { at: self.at, what }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), ScanError> {
        if self.peek() != Some(byte) {
            return Err(self.error(what));
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, depth: usize, on: &mut dyn FnMut(Member)) -> Result<(), ScanError> {
        self.expect(b'{', "expected an object")?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in quotes"));
            }
            self.string()?;
            let key = start + 1..self.at - 1;
            self.space();
            self.expect(b':', "expected `:` after a key")?;
            self.space();
            let start = self.at;
            self.value(depth)?;
            on(Member { key, value: start..self.at });
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.error("expected `,` or `}`")),
            }
        }
    }

    fn array(&mut self, depth: usize, on: &mut dyn FnMut(Range<usize>)) -> Result<(), ScanError> {
        self.expect(b'[', "expected an array")?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at;
            self.value(depth)?;
            on(start..self.at);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.error("expected `,` or `]`")),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), ScanError> {
        if depth > DEPTH_MAX {
            return Err(self.error("nesting deeper than 128 levels"));
        }
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(depth + 1, &mut |_| ()),
            Some(b'[') => self.array(depth + 1, &mut |_| ()),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("expected a value")),
        }
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), ScanError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(ScanError { at: self.at, what: "expected `true`, `false` or `null`" });
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error("expected a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        loop {
            self.at += plain_bytes(self.text.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error("a raw control character inside a string")),
                None => return Err(self.error("a string without its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let lone = ScanError { at: start, what: "an escaped lone surrogate, which no text can hold" };
                match self.hex4()? {
                    0xDC00..=0xDFFF => Err(lone),
                    0xD800..=0xDBFF => {
                        let follows = self.text.get(self.at..self.at + 2) == Some(b"\\u".as_slice());
                        if !follows {
                            return Err(lone);
                        }
                        self.at += 1;
                        if (0xDC00..=0xDFFF).contains(&self.hex4()?) { Ok(()) } else { Err(lone) }
                    }
                    _ => Ok(()),
                }
            }
            _ => Err(self.error("an unknown escape")),
        }
    }

    /// Reads `uXXXX` at the cursor.
    fn hex4(&mut self) -> Result<u32, ScanError> {
        self.at += 1;
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            value = value * 16 + digit.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_members_where_they_stand() {
        let text = br#" {"a" : 1,"b":{"c":[1,2,{"d":"}"}]} , "e\n":"\u00e9" } "#;
        let found = object(text).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|m| {
                (String::from_utf8_lossy(slice(text, &m.key)), String::from_utf8_lossy(slice(text, &m.value)))
            })
            .collect();
        assert_eq!(shown[0], ("a".into(), "1".into()));
        assert_eq!(shown[1], ("b".into(), r#"{"c":[1,2,{"d":"}"}]}"#.into()));
        assert_eq!(string(text, &found[2].value).unwrap(), "\u{e9}");
        assert_eq!(elements(text, &members(text, &found[1].value)[0].value, 9).len(), 3);
    }

    #[test]
    fn refuses_what_is_not_json_and_says_where() {
        let rows: [(&[u8], usize); 12] = [
            (b"", 0),
            (b"[]", 0),
            (b"{\"a\":1,}", 7),
            (b"{\"a\":01}", 6),
            (b"{\"a\":\"\x00\"}", 6),
            (b"{\"a\":\"\\ud800\"}", 6),
            (b"{\"a\":\"\\udc00\\ud800\"}", 6),
            (b"{\"a\":\"\xff\"}", 6),
            (b"{\"a\":1} x", 8),
            (b"{\"a\":tru}", 5),
            (b"{\"a\":\"", 6),
            (b"{a:1}", 1),
        ];
        for (text, at) in rows {
            assert_eq!(object(text).unwrap_err().at, at, "{}", String::from_utf8_lossy(text));
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(object(deep.as_bytes()).unwrap_err().what, "nesting deeper than 128 levels");
    }

    #[test]
    fn a_string_ends_where_it_ends_however_long_it_is() {
        for special in (0..0x20).chain([b'"', b'\\']) {
            for len in 0..200 {
                for other in [b'a', b' ', 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']'] {
                    let mut text = vec![other; len];
                    assert_eq!(plain_bytes(&text), len);
                    text.push(special);
                    text.extend([0, b'"', b'\\', other]);
                    assert_eq!(plain_bytes(&text), len, "{special} after {len} times {other}");
                }
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// serde_json is the oracle: same verdict on any text, whole or with one byte changed.
        #[test]
        fn agrees_with_serde_json(value in any_json(), at in any::<prop::sample::Index>(), byte: u8, change: bool) {
            let mut text = serde_json::to_vec(&serde_json::json!({ "k": value })).unwrap();
            if change {
                let at = at.index(text.len());
                text[at] = byte;
            }
            let oracle = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
            let ours = object(&text);
            // Numbers beyond f64 are JSON all the same.
            let too_big = oracle.as_ref().is_err_and(|e| e.to_string().contains("out of range"));
            if !too_big {
                prop_assert_eq!(ours.is_ok(), oracle.is_ok(), "{}", String::from_utf8_lossy(&text));
            }
            if let (Ok(ours), Ok(map)) = (ours, oracle) {
                for member in &ours {
                    let value: serde_json::Value = serde_json::from_slice(slice(&text, &member.value)).unwrap();
                    prop_assert!(map.values().any(|v| *v == value));
                }
            }
        }
    }
}
