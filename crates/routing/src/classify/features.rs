//! What a classifier sees of a request: the sentences of its last message and of the system message, each as hashed words and
//! characters, words that tell a task in many languages, and where it stands; beside them the shape of the whole.
//!
//! - A sentence ends at its punctuation or its line and has at least a dozen characters. Looked at are the first
//!   [`FIRST_MAX`] and the last [`LAST_MAX`] of the last message, where instructions stand, the first [`SYSTEM_MAX`] of the system
//!   message, and the beginnings of the messages before.
//! - Words count alone, in pairs, by how they begin, together with where their sentence stands and with what the message hands over
//!   ([`handed`]), and by their characters in fours, at the edges in threes. A character of Chinese or
//!   Japanese counts as a word. Digits count as one digit; case, accents and words of politeness at the beginning don't count.
//! - A feature is its hash, one of [`BUCKETS`]; what collides shares a weight. Training and serving share this file, so they
//!   can't drift apart.

/// What a function says of each character of ASCII, worked out by the compiler: to look one up is one step, to ask is many.
macro_rules! of_ascii {
    ($number:ty, $of:expr) => {{
        let mut all: [$number; 128] = [0; 128];
        let mut rest: &mut [$number] = &mut all;
        let mut at = 0_u8;
        while let [one, others @ ..] = rest {
            *one = $of(at);
            at += 1;
            rest = others;
        }
        all
    }};
}

mod handed;
mod shape;
pub(super) mod split;

use super::lexicon;
use handed::Handed;
use split::{ALONE, BINDS, DIGIT, WORD, beginning, class, ending, sentences};

/// How many rows of weights there are.
pub const BUCKETS: usize = 1 << 19;
/// Sentences of the last message that are looked at: so many at its beginning and at its end.
const FIRST_MAX: usize = 5;
const LAST_MAX: usize = 4;
/// Characters that these are looked for in.
const FIRST_CHARS: usize = 480;
const LAST_CHARS: usize = 320;
/// Sentences of the system message, and the characters that these are looked for in.
const SYSTEM_MAX: usize = 4;
const SYSTEM_CHARS: usize = 400;
/// Of each earlier message.
const EARLIER_CHARS: usize = 160;
/// Most earlier messages that are looked at.
const EARLIER_MAX: usize = 2;
/// Families up to which their pairs count in full.
const PAIRS_FULL: f32 = 6.0;
/// Room for the features of a part, and for a sentence; either grows where that is too little.
const PART_FEATURES: usize = 768;
const SENTENCE_BYTES: usize = 256;
/// Letters of a word's beginning.
const STEM_CHARS: usize = 5;
/// Words that say nothing of the task when a sentence begins with them.
const POLITE: [&str; 44] = [
    "please", "pls", "plz", "hey", "hi", "hello", "can", "could", "would", "you", "u", "ok", "okay", "so",
    "quick", "one", "bitte", "hallo", "kannst", "konntest", "konnen", "sie", "du", "mir", "mal", "hola",
    "puedes", "podrias", "por", "favor", "s'il", "te", "vous", "plait", "bonjour", "salut", "peux", "pouvez",
    "tu", "kindly", "ciao", "ola", "thanks", "thx",
];

/// A request as the classifier sees it.
#[derive(Clone, Debug, Default)]
pub struct View<'a> {
    /// Instructions.
    pub system: &'a str,
    /// User messages before the last, oldest first.
    pub earlier: Vec<&'a str>,
    /// What was answered to the last of these.
    pub answer: &'a str,
    /// The last user message.
    pub last: &'a str,
}

/// A feature and how much it counts.
pub type Feature = (u32, f32);

/// The features of a request: those of each sentence, then those of the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    all: Vec<Feature>,
    /// Where each part ends.
    ends: Vec<usize>,
}

impl Features {
    /// The features of each sentence, then of the whole, in no order; a bucket may come more than once.
    pub fn parts(&self) -> impl Iterator<Item = &[Feature]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.all.get(start..*end).unwrap_or_default())
    }
}

/// The features of a request.
pub fn features(view: &View<'_>) -> Features {
    let mut features = Features::default();
    parts(view, |part| {
        features.all.extend_from_slice(part);
        features.ends.push(features.all.len());
    });
    features
}

/// Gives `take` the features of each sentence, then of the whole, as [`Features::parts`] has them: who only adds them up needs no more
/// room than for one part.
pub(super) fn parts(view: &View<'_>, take: impl FnMut(&[Feature])) {
    let mut collector = Collector::new(take);
    collector.handed = Handed::of(view);
    let system = sentences(beginning(view.system, SYSTEM_CHARS));
    for (at, text) in system.iter().take(SYSTEM_MAX).enumerate() {
        collector.stands(b's', at, system.len().min(SYSTEM_MAX), text);
        collector.sentence(b's', text, 1.0);
        collector.end();
    }
    let last = view.last.trim();
    collector.size = [60, 200, 600].iter().filter(|size| last.len() > **size).count() as u8;
    let head = beginning(last, FIRST_CHARS);
    let rest = last.get(head.len()..).unwrap_or_default();
    let (mut parts, end) = (sentences(head), sentences(ending(rest, LAST_CHARS)));
    parts.extend(end);
    let middle = FIRST_MAX..parts.len().saturating_sub(LAST_MAX).max(FIRST_MAX);
    parts.drain(middle.start.min(parts.len())..middle.end.min(parts.len()));
    for (at, text) in parts.iter().enumerate() {
        collector.place = Place::of(at, parts.len());
        collector.stands(b'u', at, parts.len(), text);
        collector.sentence(b'u', text, 1.0);
        collector.end();
    }
    collector.place = Place::Elsewhere;
    for earlier in view.earlier.iter().rev().take(EARLIER_MAX) {
        collector.sentence(b'e', beginning(earlier, EARLIER_CHARS), 0.7);
    }
    collector.sentence(b'r', beginning(view.answer, EARLIER_CHARS), 0.5);
    collector.shape(view);
    collector.end();
}

/// Where a sentence of the last message stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// It isn't of the last message.
    #[default]
    Elsewhere,
    Only,
    First,
    Last,
    Between,
}

impl Place {
    fn of(at: usize, of: usize) -> Place {
        match (at == 0, at + 1 == of) {
            (true, true) => Place::Only,
            (true, false) => Place::First,
            (false, true) => Place::Last,
            (false, false) => Place::Between,
        }
    }
}

/// The words of a sentence so far.
struct Run {
    count: usize,
    before: u64,
    first: u64,
    /// What the hash of a word begins with.
    start: u64,
}

struct Collector<T> {
    /// Takes each part.
    take: T,
    /// The features of the part so far.
    part: Vec<Feature>,
    /// How big the last message is, in four steps.
    size: u8,
    /// What it hands over.
    handed: Handed,
    /// Where the sentence stands that is being read.
    place: Place,
    /// The word that is being read, and its hash.
    word: Vec<char>,
    own: Fnv,
    /// For looking up the lexicon.
    scratch: lexicon::Scratch,
}

impl<T: FnMut(&[Feature])> Collector<T> {
    fn new(take: T) -> Collector<T> {
        Collector {
            take,
            part: Vec::with_capacity(PART_FEATURES),
            size: 0,
            handed: Handed::default(),
            place: Place::default(),
            word: Vec::with_capacity(SENTENCE_BYTES),
            own: Fnv(0),
            scratch: lexicon::Scratch::default(),
        }
    }

    fn end(&mut self) {
        (self.take)(&self.part);
        self.part.clear();
    }

    /// Where a sentence stands and what it looks like, for telling whether it is the instruction.
    fn stands(&mut self, place: u8, at: usize, of: usize, text: &str) {
        let made = shape::Made::of(text);
        let facts: [(u8, usize); 8] = [
            (0, at.min(5)),
            (1, (of - at).min(5)),
            (2, of.min(6) * 8 + at.min(5)),
            (3, text.len().max(1).ilog2() as usize),
            (4, made.share(made.code).min(8)),
            (5, made.share(made.digits).min(8)),
            (6, text.chars().next_back().map_or(0, |last| last as usize)),
            (7, made.share(made.quotes).min(4)),
        ];
        for (fact, value) in facts {
            self.add(hash(place, b'a', &[fact, (value & 0xff) as u8, (value >> 8) as u8]), 0.5);
        }
    }

    /// Words, characters and telling words of one sentence.
    fn sentence(&mut self, place: u8, text: &str, weight: f32) {
        if text.is_empty() {
            return;
        }
        let start = self.part.len();
        let edge = hash(place, b'w', b"^");
        let mut run = Run { count: 0, before: edge, first: edge, start: Fnv::new(place, b'w').0 };
        self.forget(&run);
        for c in text.chars() {
            let class = class(c);
            if class & ALONE != 0 {
                self.word(&mut run);
                self.letter(c);
                self.word(&mut run);
            } else if class & DIGIT != 0 {
                if self.word.last() != Some(&'0') {
                    self.letter('0');
                }
            } else if class & (WORD | BINDS) != 0 {
                split::lower(c, |c| self.letter(c));
            } else {
                self.word(&mut run);
            }
        }
        self.word(&mut run);
        self.add(run.before.rotate_left(7) ^ hash(place, b'w', b"$"), 1.0);
        let each = weight / (run.count.max(1) as f32).sqrt();
        self.part.iter_mut().skip(start).for_each(|(_, value)| *value *= each);
        let end = text.chars().next_back().unwrap_or_default();
        self.add(hash(place, b'q', &[end as u8]) ^ run.first, 0.5 * weight);
        self.families(place, text, weight);
    }

    /// Adds a letter to the word that is being read.
    fn letter(&mut self, c: char) {
        self.word.push(c);
        self.own.char(c);
    }

    /// Begins another word.
    fn forget(&mut self, run: &Run) {
        self.word.clear();
        self.own = Fnv(run.start);
    }

    /// Takes the word that was read.
    fn word(&mut self, run: &mut Run) {
        if self.word.is_empty() {
            return;
        }
        if run.count == 0 && is_polite(&self.word) {
            return self.forget(run);
        }
        let own = self.own.0;
        self.add(own, 1.5);
        if self.place != Place::Elsewhere {
            let with = |what: u8| own ^ 0x1234_5678_9abc_def1_u64.wrapping_mul(u64::from(what) + 1);
            self.add(with(self.handed.roughly), 1.0);
            self.add(with(0x80 | self.place as u8), 0.7);
        }
        self.add(run.before.rotate_left(7) ^ own, 1.0);
        if run.count == 0 {
            run.first = own;
        }
        if run.count < 2 {
            // How it begins says most.
            self.add(own ^ 0x5bd1_e995_u64.wrapping_mul(run.count as u64 + 1), 0.5);
        }
        run.before = own;
        run.count += 1;
        if self.word.len() >= 3 {
            characters(&self.word, &mut self.part);
        }
        self.forget(run);
    }

    /// Families that come together in a sentence say more than each alone.
    fn families(&mut self, place: u8, text: &str, weight: f32) {
        let found = lexicon::families(text, &mut self.scratch);
        let mut asked = [0_u8; 24];
        let mut count = 0;
        let mut rest = found.all;
        while rest != 0 {
            let family = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            self.add(hash(place, b'l', &[family]), weight);
            if found.denied >> family & 1 == 1 {
                self.add(hash(place, b'd', &[family]), weight);
            }
            if lexicon::is_topic(family) {
                continue;
            }
            self.add(hash(place, b'z', &[family, self.size]), 0.5 * weight);
            self.add(hash(place, b'y', &[family, self.handed.exactly]), 0.5 * weight);
            if let Some(free) = asked.get_mut(count) {
                *free = family;
                count += 1;
            }
        }
        let each = 0.4 * weight * (PAIRS_FULL / count.max(1) as f32).min(1.0);
        let asked = asked.get(..count).unwrap_or_default();
        for (at, one) in asked.iter().enumerate() {
            for other in asked.iter().skip(at + 1) {
                self.add(hash(place, b'p', &[*one, *other]), each);
            }
        }
        self.add(hash(place, b'n', &[count.min(5) as u8]), 0.4 * weight);
    }

    fn add(&mut self, hash: u64, weight: f32) {
        self.part.push((bucket(hash), weight));
    }
}

/// How a word begins, and its characters in fours, with its edges.
fn characters(word: &[char], part: &mut Vec<Feature>) {
    let chars = word.len();
    let [first, last] = [u64::from(u32::from('<')), u64::from(u32::from('>'))];
    let [mut one, mut two, mut three] = [0, 0, first];
    for at in 0..=chars {
        let c = word.get(at).map_or(last, |c| u64::from(u32::from(*c)));
        // A character has 21 bits: three fill a word.
        let gram = two << 42 | three << 21 | c;
        // Of three only those at the edges: the rest is within fours.
        if at == 1 || at == chars {
            part.push((bucket(gram.wrapping_mul(0xff51_afd7_ed55_8ccd)), 0.35));
        }
        if at > 1 {
            let gram = (gram ^ one.rotate_left(32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
            part.push((bucket(gram), 0.35));
        }
        (one, two, three) = (two, three, c);
    }
    if chars > STEM_CHARS {
        let mut stem = Fnv::new(b'c', b's');
        word.iter().take(STEM_CHARS).for_each(|c| stem.char(*c));
        part.push((bucket(stem.0), 1.0));
    }
}

/// Whether a word says nothing of the task at the beginning of a sentence.
fn is_polite(word: &[char]) -> bool {
    // All of them are ASCII: a byte is a character.
    let is = |polite: &&str| polite.len() == word.len() && polite.chars().eq(word.iter().copied());
    POLITE.iter().any(is)
}

/// The row of weights that a hash falls into.
fn bucket(hash: u64) -> u32 {
    // The upper bits of the hash are mixed best.
    ((hash ^ (hash >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKETS.ilog2())) as u32
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
    fn case_digits_accents_and_politeness_do_not_count() {
        let rows = [
            ("Résume LE texte 2024 maintenant", "resume le texte 7 maintenant"),
            ("Kürze den großen Satz", "KÜRZE DEN GROSSEN SATZ"),
            ("please shorten the sentence", "Could you shorten the sentence"),
        ];
        let words = |text: &str| {
            let mut collector = Collector::new(|_| ());
            collector.sentence(b'u', text, 1.0);
            let mut buckets: Vec<u32> = collector.part.iter().map(|(bucket, _)| *bucket).collect();
            buckets.truncate(20);
            buckets
        };
        for (one, other) in rows {
            assert_eq!(words(one), words(other), "{one}");
        }
    }

    /// Weights mean what they were trained on: who changes features trains anew, and writes the new number here.
    #[test]
    fn features_are_those_that_the_weights_were_trained_on() {
        let view = View {
            system: "You are a careful translator. Answer in German!",
            earlier: vec!["Hi (all), what's 12 + 30?", "И ещё: сколько будет 7*8?"],
            answer: "```\nx = 42;\n```",
            last: "Übersetze bitte: “It’s late”.\n\nDon't shorten it; 请保留格式。 Please keep {\"a\": [1, 22]} as it is, İstanbul too!",
        };
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in features(&view).parts() {
            let numbers = part.iter().flat_map(|(bucket, value)| [*bucket, value.to_bits()]);
            for number in numbers.chain([u32::MAX]) {
                hash = (hash ^ u64::from(number)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        assert_eq!(hash, 0xa1bf_ef88_065c_c8a4, "{hash:#x}");
    }

    #[test]
    fn any_text_at_any_length_is_taken() {
        let long = "é".repeat(10_000);
        let lines = "a line of text\n".repeat(1_000);
        for last in ["", " ", "x", "\u{0}", long.as_str(), lines.as_str(), "😀😀😀"] {
            let view = View { system: last, earlier: vec![last; 5], answer: last, last };
            let features = features(&view);
            let parts: Vec<&[Feature]> = features.parts().collect();
            assert!(parts.len() <= 1 + FIRST_MAX + LAST_MAX + SYSTEM_MAX, "{}", parts.len());
            let fits = |(bucket, weight): &Feature| (*bucket as usize) < BUCKETS && weight.is_finite();
            assert!(parts.concat().iter().all(fits));
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
