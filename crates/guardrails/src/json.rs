//! JSON, in pieces or whole: only what stands inside values changes, so that the outcome is JSON wherever the input was.
//!
//! - Text values are read without their escapes: a secret that is written as `\u0073k-...` is found. They are written with as few
//!   escapes as JSON allows.
//! - Keys stay. A key may say that its value is a password or a key.
//! - A number that is a finding as a whole, such as a card number, becomes a text.
//! - What does not begin as an object or a list is a plain text.

use std::fmt::Write;
use std::sync::Arc;

use crate::compiled::{Compiled, Place};
use crate::detect::assigned;
use crate::kind::Action;
use crate::stream::{Blocked, Stream};
use crate::tally::Tally;

/// Longest value that is held because of its key, and longest number, bytes.
const NAMED_MAX: usize = 512;
const NUMBER_MAX: usize = 40;
const KEY_MAX: usize = 128;
/// Deepest nesting whose keys are told from values.
const DEPTH_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Between,
    Key,
    Value,
    Number,
    Plain,
}

/// Masks JSON as its pieces come.
#[derive(Debug)]
pub struct JsonStream {
    rules: Arc<Compiled>,
    place: Place,
    state: State,
    /// Whether each open bracket is an object's.
    open: Vec<bool>,
    /// A text that comes next is a key.
    awaits_key: bool,
    key: String,
    inner: Stream,
    /// Characters of a value that were read and not yet looked at.
    fresh: String,
    /// A value whose key says that it is a secret.
    named: Option<String>,
    number: String,
    /// An escape that has begun, with its backslash.
    escape: String,
    /// The first half of a pair.
    high: Option<u32>,
}

impl JsonStream {
    /// Begins.
    pub fn new(rules: Arc<Compiled>, place: Place) -> JsonStream {
        let inner = Stream::new(Arc::clone(&rules), place);
        JsonStream {
            rules,
            place,
            state: State::Start,
            open: Vec::new(),
            awaits_key: false,
            key: String::new(),
            inner,
            fresh: String::new(),
            named: None,
            number: String::new(),
            escape: String::new(),
            high: None,
        }
    }

    /// The next piece: puts what may leave behind `out`.
    pub fn push(&mut self, piece: &str, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        for c in piece.chars() {
            match self.state {
                State::Plain => self.fresh.push(c),
                State::Start => self.start(c, out),
                State::Between => self.between(c, out),
                State::Key => self.in_key(c, out),
                State::Value => self.in_value(c, out, tally)?,
                State::Number => self.in_number(c, out, tally)?,
            }
        }
        self.look(out, tally)
    }

    /// The text is over: what was held back.
    pub fn finish(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        if self.state == State::Number {
            self.end_number(out, tally)?;
        }
        self.end_text(out, tally)?;
        out.push_str(&std::mem::take(&mut self.escape));
        if let Some(high) = self.high.take() {
            raw_escape(high, out);
        }
        Ok(())
    }

    fn start(&mut self, c: char, out: &mut String) {
        match c {
            '{' | '[' => {
                self.state = State::Between;
                self.between(c, out);
            }
            c if c.is_ascii_whitespace() => out.push(c),
            c => {
                self.state = State::Plain;
                self.fresh.push(c);
            }
        }
    }

    fn between(&mut self, c: char, out: &mut String) {
        match c {
            '"' => {
                self.state = if self.awaits_key { State::Key } else { State::Value };
                if self.awaits_key {
                    self.key.clear();
                } else {
                    self.named = assigned::is_name(&self.key).then(String::new);
                }
            }
            '{' | '[' if self.open.len() < DEPTH_MAX => {
                self.open.push(c == '{');
                self.awaits_key = c == '{';
            }
            '}' | ']' => {
                self.open.pop();
                self.awaits_key = false;
            }
            ',' => self.awaits_key = self.open.last().copied().unwrap_or(false),
            ':' => self.awaits_key = false,
            '0'..='9' | '-' => {
                self.state = State::Number;
                self.number.push(c);
                return;
            }
            _ => (),
        }
        out.push(c);
    }

    fn in_key(&mut self, c: char, out: &mut String) {
        out.push(c);
        match c {
            _ if !self.escape.is_empty() => self.escape.clear(),
            '\\' => self.escape.push(c),
            '"' => self.state = State::Between,
            c if self.key.len() < KEY_MAX => self.key.push(c),
            _ => (),
        }
    }

    fn in_number(&mut self, c: char, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        if c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E') {
            self.number.push(c);
            if self.number.len() > NUMBER_MAX {
                out.push_str(&std::mem::take(&mut self.number));
            }
            return Ok(());
        }
        self.end_number(out, tally)?;
        self.state = State::Between;
        self.between(c, out);
        Ok(())
    }

    fn end_number(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        let number = std::mem::take(&mut self.number);
        let found = self.rules.scan(&number, self.place);
        let Some(finding) = found.first().filter(|finding| finding.span == (0..number.len())) else {
            out.push_str(&number);
            return Ok(());
        };
        tally.add(&self.rules, self.place, finding);
        match finding.action {
            Action::Off | Action::Flag => out.push_str(&number),
            Action::Mask | Action::Block => {
                out.push('"');
                escape(self.rules.placeholder(finding.what), out);
                out.push('"');
            }
        }
        if finding.action == Action::Block { Err(Blocked) } else { Ok(()) }
    }

    fn in_value(&mut self, c: char, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        if !self.escape.is_empty() {
            return self.in_escape(c, out, tally);
        }
        if c != '\\' && self.high.is_some() {
            self.lone(out, tally)?;
        }
        match c {
            '\\' => self.escape.push(c),
            '"' => {
                self.end_text(out, tally)?;
                out.push('"');
                self.state = State::Between;
            }
            c => self.fresh.push(c),
        }
        Ok(())
    }

    fn in_escape(&mut self, c: char, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        self.escape.push(c);
        let simple = match (self.escape.len(), c) {
            (2, 'u') => return Ok(()),
            (2, '"' | '\\' | '/') => Some(c),
            (2, 'b') => Some('\u{8}'),
            (2, 'f') => Some('\u{c}'),
            (2, 'n') => Some('\n'),
            (2, 'r') => Some('\r'),
            (2, 't') => Some('\t'),
            (3..=5, '0'..='9' | 'a'..='f' | 'A'..='F') => return Ok(()),
            (6, '0'..='9' | 'a'..='f' | 'A'..='F') => return self.unit(out, tally),
            // No escape of JSON's: what is broken stays as it is.
            _ => {
                let broken = std::mem::take(&mut self.escape);
                self.pause(out, tally)?;
                out.push_str(&broken);
                return Ok(());
            }
        };
        self.escape.clear();
        if self.high.is_some() {
            self.lone(out, tally)?;
        }
        self.fresh.extend(simple);
        Ok(())
    }

    /// Takes a whole escape of a UTF-16 unit: `\u` and four hexadecimal digits.
    fn unit(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        let digits = std::mem::take(&mut self.escape);
        let code = digits.get(2..).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or_default();
        match (self.high.take(), code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let joined = 0x1_0000 + ((high - 0xD800) << 10) + (code - 0xDC00);
                self.fresh.extend(char::from_u32(joined));
                return Ok(());
            }
            (Some(high), _) => {
                self.high = Some(high);
                self.lone(out, tally)?;
            }
            (None, _) => (),
        }
        match code {
            0xD800..=0xDBFF => self.high = Some(code),
            0xDC00..=0xDFFF => {
                self.pause(out, tally)?;
                raw_escape(code, out);
            }
            code => self.fresh.extend(char::from_u32(code)),
        }
        Ok(())
    }

    /// A half of a pair that stands alone: no text can hold it, so it leaves as it came.
    fn lone(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        let Some(high) = self.high.take() else { return Ok(()) };
        self.pause(out, tally)?;
        raw_escape(high, out);
        Ok(())
    }

    /// Looks at what was read.
    fn look(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        if let Some(named) = &mut self.named {
            named.push_str(&self.fresh);
            self.fresh.clear();
            if named.len() <= NAMED_MAX {
                return Ok(());
            }
            // Too long for what its key says.
            self.fresh = self.named.take().unwrap_or_default();
        }
        if self.fresh.is_empty() {
            return Ok(());
        }
        let mut told = String::new();
        let looked = self.inner.push(&self.fresh, &mut told, tally);
        self.fresh.clear();
        self.tell(&told, out);
        looked
    }

    /// Looks at what was read as if the text ended here.
    fn pause(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        self.look(out, tally)?;
        let mut told = String::new();
        if let Some(named) = self.named.take() {
            let before = tally.blocked().len();
            told.push_str(&self.rules.mask_value(&self.key, &named, self.place, tally));
            self.tell(&told, out);
            return if tally.blocked().len() > before { Err(Blocked) } else { Ok(()) };
        }
        let looked = self.inner.finish(&mut told, tally);
        self.tell(&told, out);
        looked
    }

    fn end_text(&mut self, out: &mut String, tally: &mut Tally) -> Result<(), Blocked> {
        if self.escape.is_empty() {
            self.lone(out, tally)?;
        }
        self.pause(out, tally)
    }

    fn tell(&self, text: &str, out: &mut String) {
        match self.state {
            State::Plain => out.push_str(text),
            _ => escape(text, out),
        }
    }
}

fn raw_escape(code: u32, out: &mut String) {
    // Writing to a text can't fail.
    let _ = write!(out, "\\u{code:04x}");
}

/// Puts a text behind `out` as it stands within the quotes of JSON.
pub fn escape(text: &str, out: &mut String) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(text.get(from..at).unwrap_or_default());
        from = at + 1;
        match short {
            "" => raw_escape(u32::from(byte), out),
            short => out.push_str(short),
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
}

/// The same for JSON that is there whole, such as the arguments of a call: placeholders stand for what is to be masked or blocked.
pub fn mask_json(rules: &Arc<Compiled>, text: &str, place: Place, tally: &mut Tally) -> String {
    let mut out = String::with_capacity(text.len());
    let mut stream = JsonStream::new(Arc::clone(rules), place);
    let ended = stream.push(text, &mut out, tally).and_then(|()| stream.finish(&mut out, tally));
    // Who is refused needs no rest of it.
    let _ = ended;
    out
}
