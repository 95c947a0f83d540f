//! Words that tell a task, in the languages that people write most: a hint, not a rule; the classifier learns what each
//! family is worth. Stems rather than words, in lower case; spaces count, accents don't.
//!
//! - `lexicon.txt` has a family per line. The files of `lexicon/` have families by name, a line per language: what is asked in the
//!   direct and in the indirect way, and what is talked about ([`TOPIC`] ends their names), so that what was learned from one
//!   word holds for others of its family and for other languages.
//! - Text is looked up in lower case, with white space, quotes and brackets as single spaces, and a space before punctuation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::features::split::lower;
use super::stems::Stems;

/// The families of stems: each a line of texts between bars.
const TEXT: &str = include_str!("lexicon.txt");
/// Families by name, a line per language: a name and texts between bars.
const NAMED: [&str; 6] = [
    include_str!("lexicon/en.txt"),
    include_str!("lexicon/de-fr-nl.txt"),
    include_str!("lexicon/es-pt-it.txt"),
    include_str!("lexicon/ru-pl-tr-ar-hi.txt"),
    include_str!("lexicon/zh-ja-ko.txt"),
    include_str!("lexicon/names.txt"),
];
/// Behind every text that is looked up.
const PADDING: &str = "\0\0\0";
/// The family of words that deny.
const NEGATION: &str = "negation";
/// Ends the name of a family that says what is talked about.
const TOPIC: &str = "_words";

struct Lexicon {
    stems: Stems,
    /// Which families each stem belongs to, as bits.
    families: Vec<u128>,
    /// The families that say what is talked about, as bits.
    topics: u128,
    /// The family of words that deny, as a bit.
    negation: u128,
}

/// The families of a text, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// All of them.
    pub all: u128,
    /// Those that stand in a clause with a word that denies.
    pub denied: u128,
}

static LEXICON: LazyLock<Option<Lexicon>> = LazyLock::new(|| {
    let plain = TEXT.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let bit = |family: u32| 1_u128.checked_shl(family).unwrap_or_default();
    let folded = |stem: &str| {
        let mut folded = String::with_capacity(stem.len());
        stem.chars().for_each(|c| lower(c, |c| folded.push(c)));
        folded
    };
    let mut stems: BTreeMap<String, u128> = BTreeMap::new();
    let mut count = 0_u32;
    for line in plain {
        line.split('|').for_each(|stem| *stems.entry(folded(stem)).or_default() |= bit(count));
        count += 1;
    }
    let (mut names, mut topics) = (BTreeMap::new(), 0_u128);
    for line in NAMED.iter().flat_map(|text| text.lines()) {
        let Some((name, rest)) = line.split_once('|') else { continue };
        let family = *names.entry(name).or_insert_with(|| {
            count += 1;
            count - 1
        });
        if name.ends_with(TOPIC) {
            topics |= bit(family);
        }
        for stem in rest.split('|').filter(|stem| !stem.is_empty()) {
            *stems.entry(folded(stem)).or_default() |= bit(family);
        }
    }
    let families = stems.values().copied().collect();
    let stems = Stems::of(stems.keys().map(String::as_str))?;
    let negation = bit(names.get(NEGATION).copied().unwrap_or(u32::MAX));
    Some(Lexicon { stems, families, topics, negation })
});

/// What is written over for each text.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The text as it is looked up.
    prepared: String,
    /// Where a stem ends, and its families.
    hits: Vec<(usize, u128)>,
}

/// The families of which a stem stands in the text.
pub(crate) fn families(text: &str, scratch: &mut Scratch) -> Found {
    let Some(lexicon) = LEXICON.as_ref() else { return Found::default() };
    let Scratch { prepared, hits } = scratch;
    prepare(text, prepared);
    prepared.push_str(PADDING);
    let mut found = Found::default();
    hits.clear();
    lexicon.stems.find(prepared.as_bytes(), |end, stem| {
        let families = lexicon.families.get(stem as usize).copied().unwrap_or_default();
        found.all |= families;
        hits.push((end, families));
    });
    if found.all & lexicon.negation != 0 {
        found.denied = denied(prepared, hits, lexicon.negation);
    }
    found
}

/// The families that stand in a clause with a word that denies. What ends a clause begins the next one.
fn denied(prepared: &str, hits: &mut [(usize, u128)], negation: u128) -> u128 {
    hits.sort_unstable_by_key(|(end, _)| *end);
    let (mut denied, mut clause, mut from) = (0, 0_u128, 0);
    let mut close = |clause: u128| {
        if clause & negation != 0 {
            denied |= clause & !negation;
        }
    };
    for (end, families) in hits.iter() {
        let between = prepared.as_bytes().get(from..=*end).unwrap_or_default();
        if between.iter().any(|c| matches!(c, b',' | b'.' | b';' | b':' | b'!' | b'?')) {
            close(clause);
            clause = 0;
        }
        from = end + 1;
        clause |= families;
    }
    close(clause);
    denied
}

/// Whether a family says what is talked about rather than what is asked.
pub(crate) fn is_topic(family: u8) -> bool {
    LEXICON.as_ref().is_some_and(|lexicon| lexicon.topics >> family & 1 == 1)
}

fn prepare(text: &str, out: &mut String) {
    out.clear();
    out.push(' ');
    let mut spaced = true;
    for c in text.chars() {
        let (single, before) = match c {
            'a'..='z' | '0'..='9' | '\'' | '-' => (c, false),
            'A'..='Z' => (c.to_ascii_lowercase(), false),
            ',' | '.' | ';' | ':' | '!' | '?' => (c, true),
            '’' | '‘' => ('\'', false),
            '，' | '、' | '،' => {
                out.push_str(" ,");
                spaced = false;
                continue;
            }
            '。' | '；' | '：' | '؛' | '।' => {
                out.push_str(" .");
                spaced = false;
                continue;
            }
            c if c.is_whitespace()
                || matches!(c, '"' | '“' | '”' | '«' | '»' | '(' | ')' | '[' | ']' | '¿' | '¡' | '*') =>
            {
                if !spaced {
                    out.push(' ');
                }
                spaced = true;
                continue;
            }
            c => {
                // Some letters leave nothing behind.
                let held = out.len();
                lower(c, |c| out.push(c));
                spaced &= held == out.len();
                continue;
            }
        };
        if before && !spaced {
            out.push(' ');
        }
        out.push(single);
        spaced = false;
    }
    out.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_by_any_of_its_stems_in_any_case() {
        let found = |text: &str| families(text, &mut Scratch::default());
        assert_eq!(found("Please TRANSLATE this into French").all & 3, 3);
        assert!(found("Übersetze das").all & 1 == 1 && found("把这段翻译成英文").all & 1 == 1);
        assert_eq!(found(""), Found::default());
    }

    #[test]
    fn what_a_clause_denies_is_told_from_what_it_asks() {
        let denied = |text: &str| families(text, &mut Scratch::default()).denied & 1 == 1;
        assert!(denied("Don't translate it, shorten it.") && denied("不要翻译，请缩短。"));
        assert!(!denied("Translate it, don't shorten it.") && !denied("Translate it."));
    }

    #[test]
    fn every_family_fits_and_topics_are_told_from_what_is_asked() {
        let lexicon = LEXICON.as_ref().unwrap();
        let all = lexicon.families.iter().fold(0_u128, |all, families| all | families);
        assert!(all.leading_zeros() > 1, "there is no bit for another family");
        assert!(lexicon.topics.count_ones() > 10 && lexicon.topics.count_ones() < all.count_ones() / 2);
    }

    #[test]
    fn words_stand_alone_wherever_they_stand() {
        let mut prepared = String::new();
        prepare("Hi, (all)\n\"you\"!", &mut prepared);
        assert_eq!(prepared, " hi , all you !  ".replace("!  ", "! "));
    }
}
