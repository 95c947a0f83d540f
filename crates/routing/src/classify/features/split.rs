//! Sentences, and letters as they are compared.
//!
//! - A sentence ends at its punctuation or its line; what is too short to be one belongs to its neighbour.

/// A sentence without an end is cut here.
const SENTENCE_CHARS: usize = 160;
/// What is shorter belongs to what follows, or at the end to what stands before.
const SHORT_CHARS: usize = 12;

/// What a character is, as bits; of what is not ASCII only [`ALONE`], alone, or [`SPACE`], [`WORD`] and [`END`].
pub(super) const ALONE: u8 = 1;
pub(super) const SPACE: u8 = 2;
/// Letters and digits.
pub(super) const WORD: u8 = 4;
pub(super) const DIGIT: u8 = 8;
/// Ends a sentence.
const END: u8 = 16;
/// Belongs to a word without being a letter.
pub(super) const BINDS: u8 = 32;

const CLASSES: [u8; 128] = of_ascii!(u8, class_of_ascii);

const fn class_of_ascii(c: u8) -> u8 {
    let class = match c {
        b'0'..=b'9' => WORD | DIGIT,
        b'a'..=b'z' | b'A'..=b'Z' => WORD,
        b'\'' | b'_' => BINDS,
        b' ' | 9..=13 => SPACE,
        _ => 0,
    };
    if matches!(c, b'.' | b'?' | b'!' | b':' | b'\n') { class | END } else { class }
}

pub(super) fn class(c: char) -> u8 {
    match CLASSES.get(c as usize) {
        Some(class) => *class,
        None if is_alone(c) => ALONE,
        // Most letters beyond ASCII: the tables of all are slow.
        None if matches!(c, 'à'..='ö' | 'ø'..='ÿ' | 'а'..='я' | 'А'..='Я') => WORD,
        None => {
            let bit = |holds: bool, bit: u8| if holds { bit } else { 0 };
            bit(c.is_whitespace(), SPACE)
                | bit(c.is_alphanumeric(), WORD)
                | bit(matches!(c, '。' | '？' | '！' | '：' | '।' | '؟'), END)
        }
    }
}

pub(super) fn beginning(text: &str, chars: usize) -> &str {
    // So many bytes hold no more characters, and of ASCII just as many.
    match text.as_bytes().get(..chars) {
        None => return text,
        Some(bytes) if bytes.is_ascii() => return text.get(..chars).unwrap_or(text),
        Some(_) => {}
    }
    text.char_indices().nth(chars).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

pub(super) fn ending(text: &str, chars: usize) -> &str {
    let Some(start) = text.len().checked_sub(chars) else { return text };
    if text.as_bytes().get(start..).is_some_and(<[u8]>::is_ascii) {
        return text.get(start..).unwrap_or(text);
    }
    text.char_indices()
        .rev()
        .nth(chars.saturating_sub(1))
        .map_or(text, |(at, _)| text.get(at..).unwrap_or(text))
}

/// A text's sentences.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::with_capacity(16);
    let (mut start, mut before, mut chars, mut ended) = (0, 0, 0, false);
    for (at, c) in text.char_indices() {
        let class = class(c);
        // Quotes and dots after the end belong to it.
        if ended && class & (SPACE | ALONE | WORD) != 0 || chars >= SENTENCE_CHARS {
            found.extend(text.get(start..at).map(str::trim).filter(|sentence| !sentence.is_empty()));
            (before, start, chars, ended) = (start, at, 0, false);
        }
        chars += if class & ALONE != 0 { 3 } else { 1 };
        ended = (ended || class & END != 0) && chars > SHORT_CHARS;
    }
    if chars <= SHORT_CHARS && found.pop().is_some() {
        start = before;
    }
    found.extend(text.get(start..).map(str::trim).filter(|sentence| !sentence.is_empty()));
    found
}

/// Chinese, Japanese, Korean, Thai.
pub(super) fn is_alone(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// A letter in lower case and, if it is Latin, without its accent.
pub(in crate::classify) fn lower(c: char, mut take: impl FnMut(char)) {
    if c.is_ascii() {
        return take(c.to_ascii_lowercase());
    }
    for c in c.to_lowercase() {
        match c {
            'à'..='å' | 'ą' | 'ă' => take('a'),
            'ç' | 'ć' | 'č' => take('c'),
            'è'..='ë' | 'ę' => take('e'),
            'ì'..='ï' | 'ı' => take('i'),
            'ñ' | 'ń' => take('n'),
            'ò'..='ö' | 'ø' => take('o'),
            'ù'..='ü' => take('u'),
            'ś' | 'š' | 'ş' => take('s'),
            'ź' | 'ż' | 'ž' => take('z'),
            'ł' => take('l'),
            'ğ' => take('g'),
            'ё' => take('е'),
            'ß' => {
                take('s');
                take('s');
            }
            // What a Turkish capital leaves behind.
            '\u{307}' => (),
            c => take(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_classed_as_they_are() {
        for c in (0..0x3100).chain([0xac00, 0x1f600]).filter_map(char::from_u32) {
            let is = |bits: u8| class(c) & bits != 0;
            let alone = is_alone(c);
            assert_eq!((is(ALONE), is(SPACE)), (alone, c.is_whitespace()), "{c:?}");
            assert_eq!(is(WORD), c.is_alphanumeric() && !alone, "{c:?}");
            assert_eq!((is(DIGIT), is(BINDS)), (c.is_ascii_digit(), c == '\'' || c == '_'), "{c:?}");
        }
    }

    #[test]
    fn beginnings_and_endings_are_counted_in_characters() {
        for text in ["", "abc", "abcd", "abcde", "äbcde", "abcdé", "äöüß", "äöüßx", "你好吗你好"]
        {
            let chars: Vec<char> = text.chars().collect();
            let (head, tail) = (chars.len().min(4), chars.len().saturating_sub(4));
            assert_eq!(beginning(text, 4), chars[..head].iter().collect::<String>());
            assert_eq!(ending(text, 4), chars[tail..].iter().collect::<String>());
        }
    }

    #[test]
    fn sentences_end_at_punctuation_and_lines_and_never_get_lost() {
        let rows: [(&str, &[&str]); 6] = [
            (
                "Summarize the text below: it was very late.",
                &["Summarize the text below:", "it was very late."],
            ),
            ("Hi! Ok. Say it in French.", &["Hi! Ok. Say it in French."]),
            ("Shorten the text. Thanks!", &["Shorten the text. Thanks!"]),
            ("one line of it all\n\nanother line", &["one line of it all", "another line"]),
            ("把下面的文章总结成三点。会议在周一。", &["把下面的文章总结成三点。", "会议在周一。"]),
            ("", &[]),
        ];
        for (text, expect) in rows {
            assert_eq!(sentences(text), expect, "{text}");
        }
        assert_eq!(sentences(&"x".repeat(400)).len(), 3);
    }
}
