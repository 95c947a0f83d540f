//! Words that tell a task, in the languages that people write most: a hint, not a rule; the classifier learns what each
//! family is worth. Stems rather than words, in lower case; spaces count.
//!
//! - `lexicon.txt` has a family per line. The files of `lexicon/` have families by name, a line per language: what is asked in the
//!   direct and in the indirect way, and what is talked about ([`TOPIC`] ends their names), so that what was learned from one
//!   word holds for others of its family and for other languages.
//! - Text is looked up in lower case, with white space, quotes and brackets as single spaces, and a space before punctuation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// The families of stems: each a line of texts between bars.
const TEXT: &str = include_str!("lexicon.txt");
/// Families by name, a line per language: a name and texts between bars.
const NAMED: [&str; 5] = [
    include_str!("lexicon/en.txt"),
    include_str!("lexicon/de-fr-nl.txt"),
    include_str!("lexicon/es-pt-it.txt"),
    include_str!("lexicon/ru-pl-tr-ar-hi.txt"),
    include_str!("lexicon/zh-ja-ko.txt"),
];
/// Most families.
const FAMILIES_MAX: usize = 96;
/// Ends the name of a family that says what is talked about.
const TOPIC: &str = "_words";

struct Lexicon {
    stems: AhoCorasick,
    /// Which families each stem belongs to.
    families: Vec<Vec<u8>>,
    /// The families that say what is talked about.
    topics: BTreeSet<u8>,
}

static LEXICON: LazyLock<Option<Lexicon>> = LazyLock::new(|| {
    let plain = TEXT.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut stems: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut count = 0_u8;
    for line in plain {
        line.split('|').for_each(|stem| stems.entry(stem).or_default().push(count));
        count += 1;
    }
    let (mut names, mut topics) = (BTreeMap::new(), BTreeSet::new());
    for line in NAMED.iter().flat_map(|text| text.lines()) {
        let Some((name, rest)) = line.split_once('|') else { continue };
        let family = *names.entry(name).or_insert_with(|| {
            count += 1;
            count - 1
        });
        if name.ends_with(TOPIC) {
            topics.insert(family);
        }
        for stem in rest.split('|').filter(|stem| !stem.is_empty()) {
            let families = stems.entry(stem).or_default();
            if !families.contains(&family) {
                families.push(family);
            }
        }
    }
    let (stems, families): (Vec<&str>, Vec<Vec<u8>>) = stems.into_iter().unzip();
    let stems = AhoCorasick::builder().match_kind(MatchKind::Standard).build(stems).ok()?;
    Some(Lexicon { stems, families, topics })
});

/// The families of which a stem stands in the text, each once, in their order.
pub(crate) fn families(text: &str) -> impl Iterator<Item = u8> {
    let text = prepared(text);
    let mut found = [false; FAMILIES_MAX];
    if let Some(lexicon) = LEXICON.as_ref() {
        for stem in lexicon.stems.find_overlapping_iter(&text) {
            for family in lexicon.families.get(stem.pattern().as_usize()).into_iter().flatten() {
                if let Some(found) = found.get_mut(usize::from(*family)) {
                    *found = true;
                }
            }
        }
    }
    (0..).zip(found).filter(|(_, found)| *found).map(|(family, _)| family)
}

/// Whether a family says what is talked about rather than what is asked.
pub(crate) fn is_topic(family: u8) -> bool {
    LEXICON.as_ref().is_some_and(|lexicon| lexicon.topics.contains(&family))
}

fn prepared(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    out.push(' ');
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            // What a Turkish capital leaves behind.
            '\u{307}' => (),
            '’' | '‘' => out.push('\''),
            ',' | '.' | ';' | ':' | '!' | '?' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
                out.push(c);
            }
            c if c.is_whitespace()
                || matches!(c, '"' | '“' | '”' | '«' | '»' | '(' | ')' | '[' | ']' | '¿' | '¡' | '*') =>
            {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.push(' ');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_by_any_of_its_stems_in_any_case() {
        let found = |text: &str| families(text).collect::<Vec<_>>();
        assert!(found("Please TRANSLATE this into French").starts_with(&[0, 1]));
        assert!(found("Übersetze das").contains(&0) && found("把这段翻译成英文").contains(&0));
        assert!(found("").is_empty());
    }

    #[test]
    fn every_family_fits_and_topics_are_told_from_what_is_asked() {
        let lexicon = LEXICON.as_ref().unwrap();
        let most = lexicon.families.iter().flatten().max().copied().unwrap();
        assert!(usize::from(most) < FAMILIES_MAX, "{most}");
        assert!(lexicon.topics.len() > 10 && lexicon.topics.len() < usize::from(most) / 2);
    }

    #[test]
    fn words_stand_alone_wherever_they_stand() {
        assert_eq!(prepared("Hi, (all)\n\"you\"!"), " hi , all you !  ".replace("!  ", "! "));
    }
}
