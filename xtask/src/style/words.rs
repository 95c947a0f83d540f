//! Words that have no place in the project. They are put together here, so that this file does not hold them.

use super::{File, Tree};

struct Ban {
    word: &'static str,
    /// What stands before it decides whether it is meant: `/x/` is a path of a machine, `https://a/x/` is not.
    starts_a_word: bool,
    instead: &'static str,
}

const fn word(word: &'static str, instead: &'static str) -> Ban {
    Ban { word, starts_a_word: true, instead }
}

const fn code(word: &'static str, instead: &'static str) -> Ban {
    Ban { word, starts_a_word: false, instead }
}

const BANS: [Ban; 17] = [
    word(concat!("TO", "DO"), "do it, or open an issue"),
    word(concat!("FIX", "ME"), "mend it, or open an issue"),
    word(concat!("XX", "X"), "say what is wrong, in an issue"),
    code(concat!("#[", "allow("), "#[expect(lint, reason = \"...\")], which ends with its cause"),
    code(concat!("#![", "allow("), "#![expect(lint, reason = \"...\")]"),
    code(concat!("to", "do!("), "write it"),
    code(concat!("unimple", "mented!("), "write it, or return an error"),
    code(concat!("#[", "ignore"), "a part that can't run is a failure, never a skip"),
    word(concat!("/", "work/"), "a path relative to the project"),
    word(concat!("/", "root/"), "a path relative to the project"),
    word(concat!("/", "home/"), "a path relative to the project"),
    word(concat!("/", "Users/"), "a path relative to the project"),
    word(concat!("sub", "agent"), "nothing: how it was written is no part of it"),
    word(concat!("sub-", "agent"), "nothing: how it was written is no part of it"),
    code(concat!("index", "-url"), "the public registry, which needs no setting"),
    code(concat!("replace", "-with"), "the public registry, which needs no setting"),
    code(concat!("npm config set ", "registry"), "the public registry, which needs no setting"),
];

/// No file holds a banned word.
pub fn check(tree: &Tree) -> Vec<String> {
    tree.files.iter().filter(|file| file.path != "Cargo.lock").flat_map(banned).collect()
}

fn banned(file: &File) -> Vec<String> {
    let mut violations = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for ban in BANS.iter().filter(|ban| occurs(line, ban)) {
            violations.push(format!("{}:{}: {}: {}", file.path, at + 1, ban.word, ban.instead));
        }
    }
    violations
}

fn occurs(line: &str, ban: &Ban) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_.-~}".contains(c);
    line.match_indices(ban.word).any(|(at, word)| {
        let before = line.get(..at).unwrap_or_default().chars().next_back();
        let after = line.get(at + word.len()..).unwrap_or_default().chars().next();
        let ends = word.ends_with('/') || !after.is_some_and(|c| c.is_ascii_uppercase());
        !ban.starts_a_word || (!before.is_some_and(is_part) && ends)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;
    use super::{BANS, check};

    #[test]
    fn each_word_is_found() {
        for ban in &BANS {
            let text = format!("fine\nhere: {}x\n", ban.word);
            assert_eq!(check(&tree(&[("a.md", &text)])).len(), 1, "{}", ban.word);
        }
    }

    #[test]
    fn a_word_inside_another_is_none() {
        let rows = [
            concat!("https://example.com/", "work/"),
            concat!("${DIR}/", "root/"),
            concat!("a mas", "TO", "DON"),
            concat!("XX", "XX"),
            "#[allowed(x)]",
        ];
        for text in rows {
            assert_eq!(check(&tree(&[("a.md", text)])), Vec::<String>::new(), "{text}");
        }
    }
}
