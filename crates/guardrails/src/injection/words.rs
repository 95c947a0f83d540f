//! The words that attempts are made of, and how a text is cut into them.
//!
//! A word is known by its first and last letter and by which letters stand between: `ingore` and `perviuos` are read as people
//! read them. Digits that look like letters, letters of other alphabets that look like Latin ones and characters of no width are
//! seen through.

use std::ops::Range;
use std::sync::LazyLock;

pub(super) const VERB: u32 = 1;
pub(super) const QUALIFIER: u32 = 1 << 1;
pub(super) const NOUN: u32 = 1 << 2;
pub(super) const FILLER: u32 = 1 << 3;
pub(super) const REVEAL: u32 = 1 << 4;
pub(super) const SECRET: u32 = 1 << 5;
pub(super) const PROMPT: u32 = 1 << 6;
pub(super) const YOUR: u32 = 1 << 7;
pub(super) const EVERYTHING: u32 = 1 << 8;
pub(super) const TOLD: u32 = 1 << 9;
pub(super) const PRETEND: u32 = 1 << 10;
pub(super) const WITHOUT: u32 = 1 << 11;
pub(super) const LIMITS: u32 = 1 << 12;
pub(super) const YOU: u32 = 1 << 13;
pub(super) const ARE: u32 = 1 << 14;
pub(super) const NOW: u32 = 1 << 15;
pub(super) const FREE: u32 = 1 << 16;
pub(super) const MODE: u32 = 1 << 17;
pub(super) const MODES: u32 = 1 << 18;
pub(super) const DO: u32 = 1 << 19;
pub(super) const ANYTHING: u32 = 1 << 20;
pub(super) const NEW: u32 = 1 << 21;
pub(super) const BACK: u32 = 1 << 22;
pub(super) const DEVELOPER: u32 = 1 << 23;

/// Classes and their words.
pub(super) const WORDS: [(u32, &str); 24] = [
    (
        VERB,
        "ignore ignores ignoring disregard disregarding forget override bypass neglect overlook dismiss discard abandon \
         ignora ignorar ignorez ignorer olvida olvide oublie oubliez ignoriere ignorieren ignorier vergiss missachte \
         esqueça esquece desconsidere dimentica negeer vergeet zignoruj игнорируй игнорируйте забудь проигнорируй",
    ),
    (
        QUALIFIER,
        "previous prior above earlier preceding foregoing existing initial original past former anteriores anterior \
         previas previos précédentes précédente antérieures vorherigen vorherige bisherigen obigen vorigen precedenti \
         precedente prévias vorige eerdere poprzednie предыдущие прежние",
    ),
    (
        NOUN,
        "instructions instruction prompt prompts rules directions guidelines directives directive programming commands \
         constraints restrictions safeguards orders training instrucciones reglas consignes règles anweisungen anweisung \
         regeln instruções regras istruzioni regole instructies instrukcje инструкции указания правила",
    ),
    (
        FILLER,
        "all any the your my these those of every other to and that you were given have been our this its las los el la \
         les toutes tous le alle die der meine deine as os todas todos tutte le tu sus his their whole entire i gave us \
         from me it or any and which are",
    ),
    (
        REVEAL,
        "reveal print show repeat output display leak expose tell dump recite disclose give share write muestra zeige affiche",
    ),
    (SECRET, "system hidden secret initial original developer internal confidential sistema système"),
    (PROMPT, "prompt prompts instructions instruction directives"),
    (YOUR, "your yours tus deine vos votre"),
    (EVERYTHING, "everything all words text anything alles todo tout"),
    (TOLD, "told instructed said learned taught programmed trained"),
    (PRETEND, "pretend act behave imagine roleplay respond answer simulate reply operate"),
    (WITHOUT, "no without unrestricted ignoring zero free sin ohne sans"),
    (
        LIMITS,
        "restrictions filters filter guidelines limits limitations rules censorship ethics safety morals moral constraints policies boundaries",
    ),
    (YOU, "you u"),
    (ARE, "are re"),
    (NOW, "now henceforth"),
    (FREE, "dan jailbroken unrestricted unfiltered uncensored evil amoral unlimited stan dude"),
    (MODE, "mode modus modo"),
    (MODES, "dan jailbreak god unrestricted unfiltered uncensored sudo chaos evil"),
    (DO, "do"),
    (ANYTHING, "anything"),
    (NEW, "new updated real actual"),
    (BACK, "above before previously earlier preceding prior"),
    (DEVELOPER, "developer dev debug maintenance admin root"),
];

/// A word of the text.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) classes: u32,
    pub(super) span: Range<usize>,
    /// A sentence ends, or a paragraph, before it.
    pub(super) begins: bool,
    /// Letters.
    pub(super) letters: usize,
}

/// The words by their shapes, and which shapes there can be at all: one bit for each end of a hash.
struct Known {
    may_be: [u64; MARKS / 64],
    words: Vec<(u64, u32)>,
}

/// How many bits there are: a word that is not known meets one that is set once in ten times.
const MARKS: usize = 4_096;

fn mark(hash: u64) -> (usize, u64) {
    let low = (hash % MARKS as u64) as usize;
    (low / 64, 1 << (low % 64))
}

impl Known {
    fn classes(&self, hash: u64) -> u32 {
        let (at, bit) = mark(hash);
        if self.may_be.get(at).is_none_or(|bits| bits & bit == 0) {
            return 0;
        }
        let found = self.words.binary_search_by_key(&hash, |(hash, _)| *hash).ok();
        found.and_then(|at| self.words.get(at)).map_or(0, |(_, classes)| *classes)
    }
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known: Vec<(u64, u32)> = Vec::new();
    for (class, words) in WORDS {
        for word in words.split_whitespace() {
            let mut shape = Shape::default();
            word.chars().for_each(|c| shape.push(plain(c)));
            match known.iter_mut().find(|(hash, _)| *hash == shape.hash()) {
                Some((_, classes)) => *classes |= class,
                None => known.push((shape.hash(), class)),
            }
        }
    }
    known.sort_unstable();
    let mut may_be = [0; MARKS / 64];
    for (hash, _) in &known {
        let (at, bit) = mark(*hash);
        may_be.iter_mut().skip(at).take(1).for_each(|bits| *bits |= bit);
    }
    Known { may_be, words: known }
});

/// A word by its ends and by which letters stand between, whatever their order.
#[derive(Clone, Copy, Default)]
struct Shape {
    first: u32,
    last: u32,
    between: u64,
    letters: usize,
}

impl Shape {
    fn push(&mut self, letter: char) {
        let code = u32::from(letter);
        if self.letters == 0 {
            self.first = code;
        } else if self.letters > 1 {
            self.between = self.between.wrapping_add(letter_spread(self.last));
        }
        (self.last, self.letters) = (code, self.letters + 1);
    }

    fn hash(self) -> u64 {
        let ends = spread(u64::from(self.first) << 32 | u64::from(self.last) << 1 | 1);
        ends.rotate_left(17) ^ self.between.wrapping_mul(31).wrapping_add(self.letters as u64)
    }
}

/// The spread of each ASCII letter.
const SPREADS: [u64; 128] = {
    let (mut spreads, mut code) = ([0; 128], 0);
    let mut rest: &mut [u64] = &mut spreads;
    while let [first, more @ ..] = rest {
        *first = spread(code);
        rest = more;
        code += 1;
    }
    spreads
};

fn letter_spread(code: u32) -> u64 {
    SPREADS.get(code as usize).copied().unwrap_or_else(|| spread(u64::from(code)))
}

const fn spread(value: u64) -> u64 {
    let mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB)
}

/// A letter in lower case, as the Latin one that it looks like.
fn plain(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    letter.to_lowercase().next().unwrap_or(letter)
}

/// Letters of other alphabets that pass for Latin ones, where the rest of the word is Latin.
fn look_alike(letter: char) -> char {
    match letter {
        'а' => 'a',
        'е' => 'e',
        'о' => 'o',
        'р' => 'p',
        'с' => 'c',
        'у' => 'y',
        'х' => 'x',
        'і' | 'ı' => 'i',
        'ѕ' => 's',
        other => other,
    }
}

/// Digits that pass for letters.
fn leet(digit: char) -> Option<char> {
    Some(match digit {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        _ => return None,
    })
}

fn has_no_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe0f}')
}

/// The words of a text.
pub(super) fn of(text: &str) -> Vec<Word> {
    let mut words = Vec::with_capacity(text.len() / 6);
    let (mut start, mut shape, mut is_plain) = (None, Shape::default(), true);
    let (mut begins, mut newlines) = (true, 0);
    for (at, c) in text.char_indices() {
        let is_letter = if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() };
        if is_letter || (start.is_some() && matches!(c, '@' | '$')) {
            start = start.or(Some(at));
            is_plain &= c.is_ascii_alphabetic();
            shape.push(plain(c));
            continue;
        }
        if start.is_some() && has_no_width(c) {
            is_plain = false;
            continue;
        }
        if let Some(from) = start.take() {
            words.push(word(text, std::mem::take(&mut shape), from..at, (begins, is_plain)));
            (begins, newlines, is_plain) = (false, 0, true);
        }
        newlines = if c == '\n' { newlines + 1 } else { newlines };
        begins |= matches!(c, '.' | '!' | '?' | ';' | '。' | '！') || newlines > 1;
    }
    if let Some(from) = start {
        words.push(word(text, shape, from..text.len(), (begins, is_plain)));
    }
    words
}

fn word(text: &str, written: Shape, span: Range<usize>, (begins, is_plain): (bool, bool)) -> Word {
    let known: &Known = &KNOWN;
    let mut classes = known.classes(written.hash());
    if classes == 0 && !is_plain {
        let mut seen_through = Shape::default();
        for c in text.get(span.clone()).unwrap_or_default().chars().filter(|c| !has_no_width(*c)) {
            let letter = plain(c);
            seen_through.push(leet(letter).unwrap_or_else(|| look_alike(letter)));
        }
        classes = known.classes(seen_through.hash());
    }
    Word { classes, span, begins, letters: written.letters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_people_read_them() {
        let classes = |text: &str| of(text).iter().map(|word| word.classes).collect::<Vec<_>>();
        for same in ["ignore", "IGNORE", "ingore", "1gn0re", "іgnоre", "ig\u{200b}nore"] {
            assert_eq!(classes(same), [VERB], "{same}");
        }
        assert_eq!(classes("ignored ignorant"), [0, 0]);
        assert_eq!(classes("perviuos"), [QUALIFIER]);
        assert!(of("so. then").last().is_some_and(|word| word.begins));
    }
}
