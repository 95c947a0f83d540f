//! Digits in groups, as people write long numbers.

use crate::lexer::Window;

/// Most groups and digits that are taken together.
const GROUPS_MAX: usize = 8;
const DIGITS_MAX: usize = 24;

/// What stands between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    Blank,
    Dash,
    Dot,
    Slash,
}

/// Groups of digits, each with what stands before it.
#[derive(Debug, Default)]
pub(super) struct Run {
    digits: [u8; DIGITS_MAX],
    count: usize,
    /// Digits up to the end of each group, and where in the text it ends.
    ends: [(usize, usize); GROUPS_MAX],
    gaps: [Option<Gap>; GROUPS_MAX],
    groups: usize,
}

/// A gap between digits, and how many bytes it has: a blank or a dash of any width, a dot, a slash.
pub(super) fn gap(text: &Window<'_>, at: usize) -> Option<(Gap, usize)> {
    match text.at(at)? {
        b' ' => Some((Gap::Blank, 1)),
        b'-' => Some((Gap::Dash, 1)),
        b'.' => Some((Gap::Dot, 1)),
        b'/' => Some((Gap::Slash, 1)),
        0xC2 if text.at(at + 1) == Some(0xA0) => Some((Gap::Blank, 2)),
        0xE2 if text.at(at + 1) == Some(0x80) => match text.at(at + 2)? {
            0x90..=0x93 => Some((Gap::Dash, 3)),
            0xAF | 0x89 | 0x87 => Some((Gap::Blank, 3)),
            _ => None,
        },
        _ => None,
    }
}

impl Run {
    /// The groups that begin at a digit. A group that is too long ends the run before it.
    pub(super) fn read(text: &Window<'_>, start: usize) -> Run {
        let mut run = Run::default();
        let mut at = start;
        let mut before = None;
        while run.groups < GROUPS_MAX {
            let end = text.run(at, DIGITS_MAX + 1, |byte| byte.is_ascii_digit());
            let group = text.slice(at, end);
            if group.is_empty() || run.count + group.len() > DIGITS_MAX {
                break;
            }
            for (slot, digit) in run.digits.iter_mut().skip(run.count).zip(group) {
                *slot = digit - b'0';
            }
            run.count += group.len();
            if let (Some(slot), Some(gap)) = (run.ends.get_mut(run.groups), run.gaps.get_mut(run.groups)) {
                (*slot, *gap) = ((run.count, end), before);
            }
            run.groups += 1;
            let Some((gap, bytes)) = gap(text, end) else { break };
            (before, at) = (Some(gap), end + bytes);
        }
        run
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// The digits of the first groups.
    pub(super) fn digits(&self, groups: usize) -> &[u8] {
        let count = groups.checked_sub(1).and_then(|at| self.ends.get(at)).map_or(0, |(count, _)| *count);
        self.digits.get(..count).unwrap_or_default()
    }

    /// The digits of one group.
    pub(super) fn group(&self, at: usize) -> &[u8] {
        let start = self.digits(at).len();
        self.digits(at + 1).get(start..).unwrap_or_default()
    }

    /// Where the first groups end in the text.
    pub(super) fn end(&self, groups: usize) -> usize {
        groups.checked_sub(1).and_then(|at| self.ends.get(at)).map_or(0, |(_, end)| *end)
    }

    /// What stands before a group.
    pub(super) fn gap(&self, at: usize) -> Option<Gap> {
        self.gaps.get(at).copied().flatten()
    }

    /// Whether the first groups have these sizes.
    pub(super) fn is_shaped(&self, sizes: &[usize]) -> bool {
        self.groups >= sizes.len() && sizes.iter().enumerate().all(|(at, size)| self.group(at).len() == *size)
    }

    /// Whether the same stands between the first groups everywhere, and it is one of these.
    pub(super) fn is_even(&self, groups: usize, allowed: &[Gap]) -> bool {
        let first = self.gap(1);
        groups < 2
            || (first.is_some_and(|gap| allowed.contains(&gap))
                && (2..groups).all(|at| self.gap(at) == first))
    }
}

/// Whether a number may begin here: it is no part of a word, of an identifier or of a longer number.
pub(super) fn stands_alone_before(text: &Window<'_>, at: usize) -> bool {
    let Some(before) = text.before(at) else { return true };
    if before == b'_' || before.is_ascii_alphanumeric() {
        return false;
    }
    let further = text.before(at - 1);
    !(matches!(before, b'.' | b'-' | b',') && further.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether a number may end here.
pub(super) fn stands_alone_after(text: &Window<'_>, end: usize) -> bool {
    match text.at(end) {
        None => true,
        Some(byte) if byte == b'_' || byte.is_ascii_alphanumeric() => false,
        Some(b'.' | b'-' | b':' | b'/') => !text.at(end + 1).is_some_and(|byte| byte.is_ascii_digit()),
        Some(_) => true,
    }
}

/// Whether one of `words` stands shortly before a place, with nothing of weight in between: within the same line, no digits, no
/// end of a sentence, no placeholder. Words are lower case.
pub(super) fn is_said_before(text: &Window<'_>, at: usize, words: &[&str]) -> bool {
    let behind = text.back(at, 40);
    let mut near = behind.len();
    for (offset, byte) in behind.iter().enumerate().rev() {
        let ends = byte.is_ascii_digit() || matches!(byte, b'\n' | b';' | b'!' | b'{' | b'}' | b']');
        let sentence = *byte == b'.' && behind.get(offset + 1) == Some(&b' ') && offset + 3 < behind.len();
        if ends || (sentence && !is_short(behind.get(..offset).unwrap_or_default())) {
            break;
        }
        near = offset;
    }
    let near = behind.get(near..).unwrap_or_default();
    words.iter().any(|word| {
        let word = word.as_bytes();
        near.windows(word.len()).enumerate().any(|(offset, part)| {
            let begins = offset == 0
                || near.get(offset - 1).is_none_or(|byte| !byte.is_ascii_alphabetic())
                || word.first().is_some_and(|byte| *byte >= 0x80);
            let after = near.get(offset + word.len());
            begins && part.eq_ignore_ascii_case(word) && after.is_none_or(|byte| !byte.is_ascii_lowercase())
        })
    })
}

/// Whether what ends here is an abbreviation: `Tel. `, `No. `.
fn is_short(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count() <= 4
}
