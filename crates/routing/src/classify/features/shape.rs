//! How long a message is, what it is made of, how it is laid out.

use super::{Collector, Feature, Fnv, View};

/// Of the last message this much is looked at.
const SHAPE_BYTES: usize = 1_024;

/// What a text is made of, in characters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) chars: usize,
    pub(super) code: usize,
    pub(super) digits: usize,
    pub(super) maths: usize,
    pub(super) quotes: usize,
}

/// Counts side by side in one number: code, digits, maths, quotes.
const CODE: u64 = 1;
const DIGITS: u64 = 1 << 16;
const MATHS: u64 = 1 << 32;
const QUOTES: u64 = 1 << 48;
/// A count may get so far before it runs into its neighbour.
const COUNT_MAX: usize = (1 << 16) - 1;

/// What a byte of ASCII counts as.
const COUNTS: [u64; 128] = of_ascii!(u64, count_of_ascii);

const fn count_of_ascii(byte: u8) -> u64 {
    count(byte as char)
}

const fn count(c: char) -> u64 {
    match c {
        '{' | '}' | '(' | ')' | ';' | '<' | '>' | '[' | ']' | '_' => CODE,
        '=' => CODE + MATHS,
        '0'..='9' => DIGITS,
        '+' | '-' | '*' | '/' | '^' | '%' | '²' | '³' | '√' | '∑' | '∫' | '≤' | '≥' => MATHS,
        '"' | '“' | '”' | '«' | '»' | '「' | '」' | '\'' => QUOTES,
        _ => 0,
    }
}

impl Made {
    pub(super) fn of(text: &str) -> Made {
        let mut made = Made::default();
        let mut rest = text;
        // A piece has no more characters than fit one count.
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(floor(rest, COUNT_MAX));
            made.add(piece);
            rest = after;
        }
        made
    }

    fn add(&mut self, text: &str) {
        let of_byte = |byte: u8| COUNTS.get(usize::from(byte)).copied().unwrap_or_default();
        let counts: u64 = match text.is_ascii() {
            true => text.bytes().map(of_byte).fold(0, u64::wrapping_add),
            false => text.chars().map(count).fold(0, u64::wrapping_add),
        };
        let count = |one: u64| (counts / one) as usize & COUNT_MAX;
        self.chars += text.chars().count();
        self.code += count(CODE);
        self.digits += count(DIGITS);
        self.maths += count(MATHS);
        self.quotes += count(QUOTES);
    }

    /// A count as fiftieths of the text.
    pub(super) fn share(&self, count: usize) -> usize {
        count * 50 / self.chars.max(1)
    }
}

impl<T: FnMut(&[Feature])> Collector<T> {
    pub(super) fn shape(&mut self, view: &View<'_>) {
        let text = view.last.get(..floor(view.last, SHAPE_BYTES)).unwrap_or(view.last);
        let made = Made::of(text);
        let (mut first, mut last, mut lines) = ("", "", 0_usize);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if lines == 0 {
                first = line;
            }
            last = line;
            lines += 1;
        }
        let facts: [(&[u8], usize); 15] = [
            (b"length", view.last.len().max(1).ilog2() as usize),
            (b"lines", lines.min(12)),
            (b"code", made.share(made.code).min(8)),
            (b"digits", made.share(made.digits).min(8)),
            (b"maths", made.share(made.maths).min(6)),
            (b"fence", usize::from(is_fenced(text))),
            (b"asks", usize::from(last.trim_end().ends_with(['?', '？', '؟']))),
            (b"asks first", usize::from(first.trim_end().ends_with(['?', '？', '؟']))),
            (b"hands over", usize::from(first.trim_end().ends_with([':', '：']))),
            (b"ends open", usize::from(last.trim_end().ends_with([':', '：']))),
            (b"first line", first.len().max(1).ilog2() as usize),
            (b"last line", last.len().max(1).ilog2() as usize),
            (b"quotes", made.share(made.quotes).min(4)),
            (b"turns", view.earlier.len().min(3)),
            (b"system", usize::from(!view.system.is_empty())),
        ];
        for (name, value) in facts {
            let mut hash = Fnv::new(b'f', value as u8);
            name.iter().for_each(|byte| hash.byte(*byte));
            self.add(hash.0, 0.8);
        }
    }
}

/// Whether three backticks stand in a row.
fn is_fenced(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('`') {
        if after.starts_with("``") {
            return true;
        }
        rest = after;
    }
    false
}

fn floor(text: &str, mut at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_is_made_of_is_counted_in_pieces_of_any_length() {
        let rows = [("", [0; 5]), ("f(x) = 2*x; 'a'", [15, 4, 1, 2, 2]), ("≤ “ä” 3² =", [10, 1, 1, 3, 2])];
        for (text, [chars, code, digits, maths, quotes]) in rows {
            assert_eq!(Made::of(text), Made { chars, code, digits, maths, quotes }, "{text}");
        }
        let long = "é=".repeat(70_000);
        let made = Made::of(&long);
        assert_eq!((made.chars, made.code, made.maths, made.digits), (140_000, 70_000, 70_000, 0));
    }

    #[test]
    fn a_fence_is_three_in_a_row() {
        for (text, expect) in [("`a` ``b``", false), ("a ```b", true), ("a````", true), ("``", false)] {
            assert_eq!(is_fenced(text), expect, "{text}");
        }
    }
}
