//! Reads a text once, from left to right, and tries at each place what can begin there.

use std::cell::Cell;

use crate::compiled::What;
use crate::detect::{self, Hit};
use crate::kind::Kind;
use crate::own::Own;

/// How far back a try may look, bytes. A stream keeps as much of what it has let go.
pub(crate) const BEHIND_BYTES: usize = 96;

/// A text, or as much of it as is there so far.
pub(crate) struct Window<'t> {
    bytes: &'t [u8],
    /// Nothing more will come.
    whole: bool,
    /// Somebody has looked past the end.
    starved: Cell<bool>,
}

impl<'t> Window<'t> {
    /// A text that is there whole.
    pub(crate) fn whole(text: &'t str) -> Window<'t> {
        Window { bytes: text.as_bytes(), whole: true, starved: Cell::new(false) }
    }

    /// The beginning of a text.
    pub(crate) fn part(text: &'t str) -> Window<'t> {
        Window { bytes: text.as_bytes(), whole: false, starved: Cell::new(false) }
    }

    /// The byte at a place; `None` past the end, which a text that is not whole takes note of.
    pub(crate) fn at(&self, at: usize) -> Option<u8> {
        let byte = self.bytes.get(at).copied();
        if byte.is_none() && !self.whole {
            self.starved.set(true);
        }
        byte
    }

    /// The byte before a place.
    pub(crate) fn before(&self, at: usize) -> Option<u8> {
        self.bytes.get(at.checked_sub(1)?).copied()
    }

    /// The bytes up to a place, at most `most` of them.
    pub(crate) fn back(&self, at: usize, most: usize) -> &'t [u8] {
        let most = most.min(BEHIND_BYTES);
        self.bytes.get(at.saturating_sub(most)..at).unwrap_or_default()
    }

    /// Bytes that are there.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'t [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Whether `word` stands at a place.
    pub(crate) fn has(&self, at: usize, word: &[u8]) -> bool {
        word.iter().enumerate().all(|(offset, byte)| self.at(at + offset) == Some(*byte))
    }

    /// Where a run of bytes that begins at `at` ends, at most `most` bytes on.
    pub(crate) fn run(&self, at: usize, most: usize, is_part: impl Fn(u8) -> bool) -> usize {
        let mut end = at;
        while end < at + most && self.at(end).is_some_and(&is_part) {
            end += 1;
        }
        end
    }

    /// Whether the character before a place belongs to a word, so that no other word begins here. Scripts that are written
    /// without blanks end a word.
    pub(crate) fn in_word(&self, at: usize) -> bool {
        match self.before(at) {
            None => false,
            Some(byte) if byte < 0x80 => byte.is_ascii_alphanumeric(),
            Some(_) => self.before(at - 1).is_some_and(|lead| (0xC3..=0xC9).contains(&lead)),
        }
    }
}

/// What can begin with a byte.
mod class {
    pub(super) const LETTER: u8 = 1;
    pub(super) const DIGIT: u8 = 2;
    pub(super) const MARK: u8 = 4;
    pub(super) const OWN: u8 = 8;
}

/// What a try led to.
pub(crate) enum Step {
    /// Something was found; the text goes on after its end.
    Found(What, Hit),
    /// From here on more has to come first.
    Held(usize),
    /// Nothing more is to be found.
    End,
}

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Lexer {
    classes: [u8; 256],
    on: [bool; Kind::COUNT],
    /// Patterns that are on, by their number.
    own: Vec<(usize, std::sync::Arc<Own>)>,
}

impl Lexer {
    /// Looks for these kinds and patterns.
    pub(crate) fn new(on: [bool; Kind::COUNT], own: Vec<(usize, std::sync::Arc<Own>)>) -> Lexer {
        let mut classes = [0; 256];
        let is_on = |kind: Kind| on.get(kind.index()).copied().unwrap_or(false);
        let any = Kind::ALL.iter().any(|kind| *kind != Kind::PromptInjection && is_on(*kind));
        for (byte, slot) in (0_u8..=255).zip(classes.iter_mut()) {
            if any {
                *slot = match byte {
                    b'0'..=b'9' => class::DIGIT,
                    b'a'..=b'z' | b'A'..=b'Z' | 0xC3..=0xC9 => class::LETTER,
                    b'=' | b':' | b'-' | b'+' | b'(' => class::MARK,
                    _ => 0,
                };
            }
            let begins = |own: &Own| own.begins.get(usize::from(byte)).copied().unwrap_or(false);
            if byte & 0xC0 != 0x80 && own.iter().any(|(_, own)| begins(own)) {
                *slot |= class::OWN;
            }
        }
        Lexer { classes, on, own }
    }

    /// Whether it looks for a kind.
    pub(crate) fn is_on(&self, kind: Kind) -> bool {
        self.on.get(kind.index()).copied().unwrap_or(false)
    }

    /// True when it looks for nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.classes.iter().all(|class| *class == 0)
    }

    /// The next finding at `from` or after it.
    pub(crate) fn next(&self, text: &Window<'_>, from: usize) -> Step {
        let mut at = from;
        // Whether the byte before belongs to a word, for as long as only ASCII is met.
        let mut in_word = text.in_word(at);
        while let Some(byte) = text.bytes.get(at).copied() {
            let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
            let begins = match class & (class::LETTER | class::DIGIT) {
                0 => class != 0,
                _ => !in_word || class & class::OWN != 0,
            };
            if begins {
                let found = self.try_at(text, at, byte, class, in_word);
                if text.starved.get() {
                    return Step::Held(at);
                }
                if let Some((what, hit)) = found {
                    return Step::Found(what, hit);
                }
            }
            at += 1;
            in_word = match byte {
                0x80.. => text.in_word(at),
                _ => byte.is_ascii_alphanumeric(),
            };
        }
        Step::End
    }

    fn try_at(
        &self,
        text: &Window<'_>,
        at: usize,
        byte: u8,
        class: u8,
        in_word: bool,
    ) -> Option<(What, Hit)> {
        if class & class::OWN != 0 {
            for (number, own) in &self.own {
                if !own.begins.get(usize::from(byte)).copied().unwrap_or(false) {
                    continue;
                }
                if let Some(end) = own.ends(text, at) {
                    return Some((What::Own(*number), Hit { kind: Kind::Email, start: at, end }));
                }
            }
        }
        let hit = match class & !class::OWN {
            class::LETTER if !in_word => detect::at_letter(text, at, byte, &self.on),
            class::DIGIT if !in_word => detect::at_digit(text, at, &self.on),
            class::MARK => detect::at_mark(text, at, byte, &self.on),
            _ => None,
        }?;
        Some((What::Kind(hit.kind), hit))
    }
}
