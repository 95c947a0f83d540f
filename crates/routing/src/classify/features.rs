//! What a classifier sees of a request: hashed words and characters, words that tell a task in many languages, and the shape.
//!
//! - Looked at are the first and the last sentence of the last user message, where instructions stand, what stands beside them,
//!   the beginning of the system message, and of the user messages before. Each place has a namespace of its own.
//! - Words count alone and in pairs; characters in threes and fours within words; a character of Chinese or Japanese counts as
//!   a word. Digits count as one digit, case doesn't count.
//! - A feature is its hash, one of [`BUCKETS`]; what collides shares a weight. Training and serving share this file, so they
//!   can't drift apart.

use super::lexicon;

/// How many weights each label has.
pub const BUCKETS: usize = 1 << 16;
/// Of the last user message: so many characters at its beginning, and at its end.
const HEAD_CHARS: usize = 240;
const TAIL_CHARS: usize = 180;
/// Of the system message, and of each earlier user message.
const SYSTEM_CHARS: usize = 240;
const EARLIER_CHARS: usize = 160;
/// Most earlier messages that are looked at.
const EARLIER_MAX: usize = 2;
/// Families up to which their pairs count in full.
const PAIRS_FULL: f32 = 6.0;
/// Of the last message this much is looked at for its shape.
const SHAPE_BYTES: usize = 2_048;

/// A request as the classifier sees it.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Instructions.
    pub system: &'a str,
    /// User messages before the last, oldest first.
    pub earlier: Vec<&'a str>,
    /// The last user message.
    pub last: &'a str,
}

/// A feature and how much it counts.
pub type Feature = (u32, f32);

/// The features of a request, in no order; a bucket may come more than once.
pub fn features(view: &View<'_>) -> Vec<Feature> {
    let mut all = Collector { out: Vec::with_capacity(1_024) };
    let head = beginning(view.last.trim(), HEAD_CHARS);
    let rest = view.last.trim().get(head.len()..).unwrap_or_default();
    let tail = ending(rest, TAIL_CHARS);
    let (first, second) = sentence(head);
    let mut families = all.place(b'1', first, 1.0);
    all.place(b'h', second, 0.6);
    let end = if tail.is_empty() { head } else { tail };
    let last = last_sentence(end);
    if last.len() < first.len() || !tail.is_empty() {
        families.extend(all.place(b'9', last, 0.8));
    } else {
        families.extend(lexicon::families(last));
    }
    all.place(b't', tail, 0.6);
    all.pairs(families);
    if !view.system.is_empty() {
        all.place(b's', beginning(view.system, SYSTEM_CHARS), 1.0);
    }
    for earlier in view.earlier.iter().rev().take(EARLIER_MAX) {
        all.place(b'e', beginning(earlier, EARLIER_CHARS), 0.7);
    }
    all.shape(view);
    all.out
}

fn beginning(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

fn ending(text: &str, chars: usize) -> &str {
    text.char_indices()
        .rev()
        .nth(chars.saturating_sub(1))
        .map_or(text, |(at, _)| text.get(at..).unwrap_or(text))
}

/// The first sentence, at least a dozen characters of it, and what follows.
fn sentence(text: &str) -> (&str, &str) {
    let mut chars = 0;
    for (at, c) in text.char_indices() {
        chars += if is_alone(c) { 3 } else { 1 };
        let ends = matches!(c, '.' | '?' | '!' | ':' | '\n' | '。' | '？' | '！' | '：' | '।' | '؟');
        if ends && chars > 12 {
            return text.split_at(at + c.len_utf8());
        }
    }
    (text, "")
}

fn last_sentence(text: &str) -> &str {
    let text = text.trim_end();
    let mut chars = 0;
    for (at, c) in text.char_indices().rev() {
        chars += if is_alone(c) { 3 } else { 1 };
        let ends = matches!(c, '.' | '?' | '!' | ':' | '\n' | '。' | '？' | '！' | '：' | '।' | '؟');
        if ends && chars > 12 {
            return text.get(at + c.len_utf8()..).unwrap_or(text);
        }
    }
    text
}

/// What a text is made of, in characters.
#[derive(Default)]
struct Made {
    chars: usize,
    code: usize,
    digits: usize,
    maths: usize,
    quotes: usize,
}

impl Made {
    fn of(text: &str) -> Made {
        let mut made = Made::default();
        for c in text.chars() {
            made.chars += 1;
            match c {
                '{' | '}' | '(' | ')' | ';' | '<' | '>' | '[' | ']' | '_' => made.code += 1,
                '=' => {
                    made.code += 1;
                    made.maths += 1;
                }
                '0'..='9' => made.digits += 1,
                '+' | '-' | '*' | '/' | '^' | '%' | '²' | '³' | '√' | '∑' | '∫' | '≤' | '≥' => {
                    made.maths += 1
                }
                '"' | '“' | '”' | '«' | '»' | '「' | '」' | '\'' => made.quotes += 1,
                _ => (),
            }
        }
        made
    }
}

struct Collector {
    out: Vec<Feature>,
}

impl Collector {
    /// Words, characters and telling words of one place; the families of these.
    fn place(&mut self, place: u8, text: &str, weight: f32) -> Vec<u8> {
        let words = words(text);
        if words.is_empty() {
            return Vec::new();
        }
        let each = weight / (words.len() as f32).sqrt();
        let mut before = hash(place, b'w', b"^");
        for (at, word) in words.iter().enumerate() {
            let own = hash(place, b'w', word.as_bytes());
            self.add(own, each);
            self.add(before.rotate_left(7) ^ own, each);
            if at < 3 {
                // How it begins says most.
                self.add(own ^ 0x5bd1_e995_u64.wrapping_mul(at as u64 + 1), 0.15 * weight);
            }
            before = own;
            // Without its place too: the same word says much the same anywhere.
            self.add(hash(b'*', b'w', word.as_bytes()), each * 1.5);
            self.characters(word, each * 0.35);
        }
        self.add(before.rotate_left(7) ^ hash(place, b'w', b"$"), each);
        let families: Vec<u8> = lexicon::families(text).collect();
        for family in &families {
            self.add(hash(place, b'l', &[*family]), weight);
            self.add(hash(b'*', b'l', &[*family]), weight * 0.5);
        }
        families
    }

    /// Families that come together in the instruction say more than each alone.
    fn pairs(&mut self, mut families: Vec<u8>) {
        families.sort_unstable();
        families.dedup();
        families.iter().for_each(|one| self.add(hash(b'i', b'l', &[*one]), 0.8));
        families.retain(|family| !lexicon::is_topic(*family));
        let each = 0.4 * (PAIRS_FULL / families.len().max(1) as f32).min(1.0);
        for (at, one) in families.iter().enumerate() {
            for other in families.iter().skip(at + 1) {
                self.add(hash(b'i', b'p', &[*one, *other]), each);
            }
        }
        self.add(hash(b'i', b'n', &[families.len().min(5) as u8]), 0.4);
    }

    fn characters(&mut self, word: &str, weight: f32) {
        let chars: Vec<char> = std::iter::once('<').chain(word.chars()).chain(['>']).collect();
        if chars.len() < 5 {
            return;
        }
        for size in [3, 4] {
            for gram in chars.windows(size) {
                let mut hash = Fnv::new(b'c', size as u8);
                gram.iter().for_each(|c| hash.char(*c));
                self.add(hash.0, weight);
            }
        }
    }

    /// How long it is, what it is made of, how it is laid out.
    fn shape(&mut self, view: &View<'_>) {
        let text = view.last.get(..floor(view.last, SHAPE_BYTES)).unwrap_or(view.last);
        let made = Made::of(text);
        let share = |count: usize| count * 50 / made.chars.max(1);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let (first, last) =
            (lines.clone().next().unwrap_or_default(), lines.clone().next_back().unwrap_or_default());
        let facts: [(&[u8], usize); 15] = [
            (b"length", view.last.len().max(1).ilog2() as usize),
            (b"lines", lines.clone().count().min(12)),
            (b"code", share(made.code).min(8)),
            (b"digits", share(made.digits).min(8)),
            (b"maths", share(made.maths).min(6)),
            (b"fence", usize::from(text.contains("```"))),
            (b"asks", usize::from(last.trim_end().ends_with(['?', '？']))),
            (b"asks first", usize::from(first.trim_end().ends_with(['?', '？']))),
            (b"hands over", usize::from(first.trim_end().ends_with([':', '：']))),
            (b"ends open", usize::from(last.trim_end().ends_with([':', '：']))),
            (b"first line", first.len().max(1).ilog2() as usize),
            (b"last line", last.len().max(1).ilog2() as usize),
            (b"quotes", share(made.quotes).min(4)),
            (b"turns", view.earlier.len().min(3)),
            (b"system", usize::from(!view.system.is_empty())),
        ];
        for (name, value) in facts {
            let mut hash = Fnv::new(b'f', value as u8);
            name.iter().for_each(|byte| hash.byte(*byte));
            self.add(hash.0, 0.8);
        }
    }

    fn add(&mut self, hash: u64, weight: f32) {
        // The upper bits of the hash are mixed best.
        let bucket = (hash ^ (hash >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        self.out.push((bucket as u32, weight));
    }
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

/// Words in lower case; digits as one `0`, characters of scripts without spaces alone.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if is_alone(c) {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            words.push(c.to_string());
        } else if c.is_ascii_digit() {
            if !word.ends_with('0') {
                word.push('0');
            }
        } else if c.is_alphanumeric() || c == '\'' || c == '_' {
            word.extend(c.to_lowercase());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Chinese, Japanese, Korean, Thai.
fn is_alone(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// FNV-1a.
struct Fnv(u64);

impl Fnv {
    fn new(place: u8, kind: u8) -> Fnv {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        hash.byte(place);
        hash.byte(kind);
        hash
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    fn char(&mut self, c: char) {
        self.0 = (self.0 ^ u64::from(u32::from(c))).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

fn hash(place: u8, kind: u8, text: &[u8]) -> u64 {
    let mut hash = Fnv::new(place, kind);
    text.iter().for_each(|byte| hash.byte(*byte));
    hash.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_digits_and_scripts() {
        assert_eq!(words("Hello, WORLD 2024!"), ["hello", "world", "0"]);
        assert_eq!(words("翻译this吗"), ["翻", "译", "this", "吗"]);
        assert_eq!(words("don't stop_it"), ["don't", "stop_it"]);
    }

    #[test]
    fn any_text_at_any_length_is_taken() {
        let long = "é".repeat(10_000);
        for last in ["", " ", "x", "\u{0}", long.as_str(), "😀😀😀"] {
            let view = View { system: last, earlier: vec![last; 5], last };
            assert!(
                features(&view)
                    .iter()
                    .all(|(bucket, weight)| (*bucket as usize) < BUCKETS && weight.is_finite())
            );
        }
    }

    #[test]
    fn the_end_of_a_long_message_counts() {
        let text = format!("{} Translate this.", "word ".repeat(2_000));
        let other = format!("{} Summarize this.", "word ".repeat(2_000));
        let of = |last: &str| features(&View { last, ..View::default() });
        assert_ne!(of(&text), of(&other));
    }
}
