//! What a message hands over beside its instruction. "The short version" of a text that lies there is a summary; without a text it is a
//! question: the same word tells another task, so words are looked at together with this.

use super::View;
use super::split::beginning;

/// Of the last message this much is looked at.
const CHARS_MAX: usize = 1_024;
/// Bytes between two quotation marks from which they hold a text and not a word.
const QUOTED_MIN: usize = 10;
/// Bytes behind a colon from which something is handed over.
const BEHIND_COLON_MIN: usize = 12;
/// Bytes behind the end of a sentence from which another follows.
const BEHIND_END_MIN: usize = 6;

/// What is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Handed {
    /// Everything that is known of it, below 72.
    pub(super) exactly: u8,
    /// In short: nothing, sentences, or something marked as a text; from 3 on in a conversation that has an answer.
    pub(super) roughly: u8,
}

/// Marks of a text.
#[derive(Debug, Default)]
struct Marks {
    is_quoted: bool,
    is_behind_colon: bool,
    lines: u8,
    ends: u8,
}

impl Handed {
    pub(super) fn of(view: &View<'_>) -> Handed {
        let marks = Marks::of(beginning(view.last.trim(), CHARS_MAX));
        let answered = u8::from(!view.answer.is_empty());
        let quoted = u8::from(marks.is_quoted) * 2 + u8::from(marks.is_behind_colon);
        let ends = marks.ends.min(3).div_ceil(2);
        let roughly = match (quoted, marks.lines, marks.ends) {
            (1.., ..) | (_, 2.., _) => 2,
            (.., 2..) => 1,
            _ => 0,
        };
        Handed {
            exactly: ((quoted * 3 + marks.lines.clamp(1, 3) - 1) * 3 + ends) * 2 + answered,
            roughly: roughly + 3 * answered,
        }
    }
}

impl Marks {
    fn of(text: &str) -> Marks {
        let mut marks = Marks::default();
        let (mut quote, mut is_blank) = (None, true);
        for (at, c) in text.char_indices() {
            let behind = text.len() - at;
            match c {
                '"' | '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' | '《' => {
                    marks.is_quoted |= quote.is_some_and(|quote| at - quote > QUOTED_MIN);
                    quote = Some(at);
                }
                ':' | '：' => marks.is_behind_colon |= behind > BEHIND_COLON_MIN,
                '.' | '!' | '?' | '。' | '！' | '？' | '।' | '؟' => {
                    marks.ends = marks.ends.saturating_add(u8::from(behind > BEHIND_END_MIN));
                }
                _ => {}
            }
            if c == '\n' {
                is_blank = true;
            } else if is_blank && !c.is_whitespace() {
                is_blank = false;
                marks.lines = marks.lines.saturating_add(1);
            }
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_beside_the_instruction_is_seen() {
        let rows = [
            ("", 0),
            ("Give me the short version of why Rome fell", 0),
            ("Who wrote \"Emma\"?", 0),
            ("Time: 9:40", 0),
            ("My cat is old. She limps. What now?", 1),
            ("Shorten: the meeting was long and nobody knew why", 2),
            ("Kürzer: „Wir haben lange gewartet“", 2),
            ("Is “the meeting was long” right", 2),
            ("Shorten this\n\nThe meeting was long", 2),
        ];
        for (last, expect) in rows {
            let handed = Handed::of(&View { last, ..View::default() });
            assert_eq!(handed.roughly, expect, "{last}: {handed:?}");
            let answered = Handed::of(&View { last, answer: "Fine.", ..View::default() });
            assert_eq!((answered.roughly, answered.exactly), (expect + 3, handed.exactly + 1), "{last}");
        }
    }

    #[test]
    fn everything_fits_its_number() {
        let all = "One. Two. Three. Four: \"a text of a length\".\n\n\nFive\nSix\nSeven seven seven";
        let handed = Handed::of(&View { last: all, answer: "Fine.", ..View::default() });
        assert_eq!(handed, Handed { exactly: 71, roughly: 5 });
        for (many, expect) in
            [("a. ".repeat(400), 1), ("b\n".repeat(400), 2), ("word ".repeat(300) + ": \"", 0)]
        {
            assert_eq!(Handed::of(&View { last: &many, ..View::default() }).roughly, expect, "{many}");
        }
    }
}
