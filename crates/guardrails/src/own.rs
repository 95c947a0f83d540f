//! A pattern of somebody's own: a regular expression that is followed byte by byte, so that a stream knows when it is decided.
//!
//! - `\w`, `\d`, `\s`, `\b` are ASCII, as in JavaScript; a pattern that needs Unicode (`\p{L}`, `[éà]`) is compiled with it.
//! - Tables of more than [`TABLE_BYTES_MAX`] are refused, as is what matches nothing at all.
//! - What matches ends after [`MATCH_BYTES_MAX`] at the latest.

use std::fmt;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::start;
use regex_automata::util::syntax;

use crate::lexer::Window;
use crate::rules::PATTERN_BYTES_MAX;

/// The longest match, bytes.
pub(crate) const MATCH_BYTES_MAX: usize = 512;
/// Most memory of a compiled pattern.
const TABLE_BYTES_MAX: usize = 512 * 1024;

/// A compiled pattern.
pub(crate) struct Own {
    table: dense::DFA<Vec<u32>>,
    /// Whether a match can begin with a byte.
    pub(crate) begins: [bool; 256],
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

impl Own {
    /// Compiles a pattern, or says what is wrong with it.
    pub(crate) fn compile(pattern: &str) -> Result<Own, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!(
                "a pattern has at most {PATTERN_BYTES_MAX} bytes; this has {}",
                pattern.len()
            ));
        }
        let plain = syntax::Config::new().unicode(false).utf8(false);
        let (hir, config) = match syntax::parse_with(pattern, &plain) {
            Ok(hir) => (hir, plain),
            Err(_) => match syntax::parse(pattern) {
                Ok(hir) => (hir, syntax::Config::new()),
                Err(error) => return Err(last_line(&error.to_string())),
            },
        };
        match hir.properties().minimum_len() {
            None => return Err(String::from("it can't match anything")),
            Some(0) => return Err(String::from("it matches nothing at all, which is everywhere")),
            Some(more) if more > MATCH_BYTES_MAX => {
                return Err(format!("it matches nothing shorter than {MATCH_BYTES_MAX} bytes"));
            }
            Some(_) => (),
        }
        let limits = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(TABLE_BYTES_MAX))
            .determinize_size_limit(Some(4 * TABLE_BYTES_MAX));
        let table = dense::Builder::new().configure(limits).syntax(config).build(pattern);
        let table = table.map_err(|error| too_large(&error))?;
        let begins = begins(&table);
        Ok(Own { table, begins })
    }

    /// Where a match that begins at `start` ends.
    pub(crate) fn ends(&self, text: &Window<'_>, start: usize) -> Option<usize> {
        let config = start::Config::new().look_behind(text.before(start)).anchored(Anchored::Yes);
        let mut state = self.table.start_state(&config).ok()?;
        let mut end = None;
        for at in start..start + MATCH_BYTES_MAX {
            let Some(byte) = text.at(at) else {
                state = self.table.next_eoi_state(state);
                end = if self.table.is_match_state(state) { Some(at) } else { end };
                break;
            };
            state = self.table.next_state(state, byte);
            if self.table.is_special_state(state) {
                // The table says so one byte late.
                if self.table.is_match_state(state) {
                    end = Some(at);
                } else if self.table.is_dead_state(state) || self.table.is_quit_state(state) {
                    break;
                }
            }
        }
        let mut end = end.filter(|end| *end > start)?;
        // A match by bytes may end within a character.
        while text.at(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
            end += 1;
        }
        Some(end)
    }
}

fn begins(table: &dense::DFA<Vec<u32>>) -> [bool; 256] {
    let mut begins = [false; 256];
    for before in [None, Some(b'a'), Some(b' '), Some(b'\n'), Some(b'\r'), Some(0xE9)] {
        let config = start::Config::new().look_behind(before).anchored(Anchored::Yes);
        let Ok(state) = table.start_state(&config) else { continue };
        for (byte, slot) in (0_u8..=255).zip(begins.iter_mut()) {
            *slot |= !table.is_dead_state(table.next_state(state, byte));
        }
    }
    begins
}

/// The line of a parser's message that says what is wrong.
fn last_line(message: &str) -> String {
    message.lines().next_back().unwrap_or(message).trim_start_matches("error: ").to_owned()
}

fn too_large(error: &dense::BuildError) -> String {
    match error.is_size_limit_exceeded() {
        true => format!("it compiles to more than {} KiB; repeat less", TABLE_BYTES_MAX / 1024),
        false => match error.to_string() {
            said if said.contains("word bound") => {
                String::from("`\\b` can't stand beside Unicode classes; write `(?-u:\\b)`")
            }
            said => last_line(&said),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_end_where_they_end() {
        let rows: [(&str, &str, Option<usize>); 11] = [
            (r"EMP-\d{6}", "EMP-123456x", Some(10)),
            (r"\bEMP-\d+\b", "EMP-12 ", Some(6)),
            (r"EMP-\d{6}", "EMP-12345", None),
            (r"a.c", "aéc", None),
            (r"a..c", "aéc", Some(4)),
            (r"a.", "aé", Some(3)),
            (r"[éà]+", "éàx", Some(4)),
            (r"\p{Greek}{2}", "αβ", Some(4)),
            (r"(?i)secret project", "SECRET Project!", Some(14)),
            (r"x+$", "xxx", Some(3)),
            (r"foo|foobar", "foobar", Some(3)),
        ];
        for (pattern, text, end) in rows {
            let own = Own::compile(pattern).unwrap();
            assert!(own.begins[usize::from(text.as_bytes()[0])], "{pattern}");
            assert_eq!(own.ends(&Window::whole(text), 0), end, "{pattern} {text}");
        }
        let long = "a".repeat(2_000);
        assert!(Own::compile("a+").unwrap().ends(&Window::whole(&long), 0).is_some_and(|end| end < 600));
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        let rows = [
            ("[ab]*a[ab]{16}", "repeat less"),
            (r"\w{1,400}é[\p{L}]{300}", "repeat less"),
            ("(", "unclosed group"),
            (r"(a)\1", "backreferences"),
            (r"\bé[éà]\b", r"(?-u:\b)"),
            ("", "everywhere"),
            ("a{600}", "nothing shorter"),
        ];
        for (pattern, expected) in rows {
            let error = Own::compile(pattern).map(|_| ()).unwrap_err();
            assert!(error.contains(expected), "{pattern}: {error}");
        }
        assert!(Own::compile(&"x".repeat(PATTERN_BYTES_MAX + 1)).is_err());
    }
}
