//! Sentences, and letters as they are compared.
//!
//! - A sentence ends at its punctuation or its line; what is too short to be one belongs to its neighbour.

/// A sentence without an end is cut here.
const SENTENCE_CHARS: usize = 160;
/// What is shorter belongs to what follows, or at the end to what stands before.
const SHORT_CHARS: usize = 12;

pub(super) fn beginning(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

pub(super) fn ending(text: &str, chars: usize) -> &str {
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
        // Quotes and dots after the end belong to it.
        if ended && (c.is_whitespace() || is_alone(c) || c.is_alphanumeric()) || chars >= SENTENCE_CHARS {
            found.extend(text.get(start..at).map(str::trim).filter(|sentence| !sentence.is_empty()));
            (before, start, chars, ended) = (start, at, 0, false);
        }
        chars += if is_alone(c) { 3 } else { 1 };
        let ends = matches!(c, '.' | '?' | '!' | ':' | '\n' | '。' | '？' | '！' | '：' | '।' | '؟');
        ended = (ended || ends) && chars > SHORT_CHARS;
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
