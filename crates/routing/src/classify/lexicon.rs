//! Words that tell a task, in the languages that people write most: a hint, not a rule; the classifier learns what each
//! family is worth. Stems rather than words, in lower case.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// The families of stems: each a line of texts between bars.
const TEXT: &str = include_str!("lexicon.txt");
/// Most families.
const FAMILIES_MAX: usize = 32;

struct Lexicon {
    stems: AhoCorasick,
    /// Which family each stem belongs to.
    families: Vec<u8>,
}

static LEXICON: LazyLock<Option<Lexicon>> = LazyLock::new(|| {
    let lines = TEXT.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pairs =
        (0_u8..).zip(lines).flat_map(|(family, line)| line.split('|').map(move |stem| (stem, family)));
    let (stems, families): (Vec<&str>, Vec<u8>) = pairs.unzip();
    Some(Lexicon {
        stems: AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(stems).ok()?,
        families,
    })
});

/// The families of which a stem stands in the text, each once, in their order.
pub(crate) fn families(text: &str) -> impl Iterator<Item = u8> {
    let text = text.to_lowercase();
    let mut found = [false; FAMILIES_MAX];
    if let Some(lexicon) = LEXICON.as_ref() {
        for stem in lexicon.stems.find_overlapping_iter(&text) {
            let family = lexicon.families.get(stem.pattern().as_usize()).copied().unwrap_or_default();
            if let Some(found) = found.get_mut(usize::from(family)) {
                *found = true;
            }
        }
    }
    (0..).zip(found).filter(|(_, found)| *found).map(|(family, _)| family)
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
}
