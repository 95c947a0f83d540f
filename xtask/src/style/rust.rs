//! Rules about tokens of Rust: strings, names, but never comments.

use proc_macro2::{TokenStream, TokenTree};

use super::edges::THINKING;
use super::{File, Tree};

/// Where SQL may stand.
const SQL_HOME: &str = "crates/store/";
/// Lower-case beginnings that no sentence has.
const SQL_WORDS: [&str; 8] = [
    "insert into ",
    "create table ",
    "create index ",
    "alter table ",
    "drop table ",
    "begin immediate",
    "delete from ",
    "pragma ",
];
const SQL_SHOUTED: [&str; 3] = ["SELECT ", "UPDATE ", "INSERT "];
/// Ways to read a clock without being given one. `Timestamp` and `Zoned` are jiff's.
const CLOCKS: [(&str, &str); 4] =
    [("Instant", "now"), ("SystemTime", "now"), ("Timestamp", "now"), ("Zoned", "now")];
/// Where amounts are counted: whole numbers only.
const MONEY: [&str; 3] = ["crates/types/src/", "crates/ledger/src/", "crates/store/src/"];

/// No string of the product outside the store holds SQL.
pub fn sql(tree: &Tree) -> Vec<String> {
    let product =
        rust_files(tree).filter(|file| file.path.starts_with("crates/") && !file.path.starts_with(SQL_HOME));
    product
        .flat_map(|file| {
            tokens(file).into_iter().filter(|token| is_sql(&token.text)).map(|token| {
                format!("{}:{}: SQL in a string; ask the store for what you need", file.path, token.line)
            })
        })
        .collect()
}

fn is_sql(token: &str) -> bool {
    let Some(quote) = token.find('"') else { return false };
    let inner = token.get(quote + 1..).unwrap_or_default().trim_start();
    let lower = inner.to_lowercase();
    SQL_WORDS.iter().any(|word| lower.starts_with(word))
        || SQL_SHOUTED.iter().any(|word| inner.starts_with(word))
        || (lower.starts_with("select ") && lower.contains(" from "))
}

/// `wire`, `catalog`, `routing` and `ledger` are given the time; `types` has the one reader of the wall clock.
pub fn clocks(tree: &Tree) -> Vec<String> {
    let homes: Vec<String> =
        THINKING.iter().filter(|name| **name != "types").map(|name| format!("crates/{name}/src/")).collect();
    let files = rust_files(tree).filter(|file| homes.iter().any(|home| file.path.starts_with(home)));
    files
        .flat_map(|file| {
            let tokens = tokens(file);
            let reads = |window: &[Token]| match window {
                [kind, a, b, call] if a.text == ":" && b.text == ":" => {
                    CLOCKS.contains(&(kind.text.as_str(), call.text.as_str()))
                }
                _ => false,
            };
            let found: Vec<String> = tokens
                .windows(4)
                .filter(|window| reads(window))
                .map(|window| {
                    format!("{}:{}: reads a clock; take the time as an argument", file.path, window[0].line)
                })
                .collect();
            found
        })
        .collect()
}

/// Money is whole nano-dollars, so the crates that count it name no float at all.
pub fn floats(tree: &Tree) -> Vec<String> {
    let files = rust_files(tree).filter(|file| MONEY.iter().any(|home| file.path.starts_with(home)));
    files
        .flat_map(|file| {
            let is_float = |token: &Token| ["f32", "f64"].contains(&token.text.as_str());
            tokens(file).into_iter().filter(is_float).map(|token| {
                format!(
                    "{}:{}: {} beside money; use Money, Rate or whole numbers",
                    file.path, token.line, token.text
                )
            })
        })
        .collect()
}

fn rust_files(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.with_suffix(&[".rs"])
}

struct Token {
    text: String,
    line: usize,
}

/// The tokens in order, without doc comments and other attributes. A file that is no Rust has none: `sizes` reports it.
fn tokens(file: &File) -> Vec<Token> {
    let mut found = Vec::new();
    if let Ok(stream) = file.text.parse::<TokenStream>() {
        collect(stream, &mut found);
    }
    found
}

fn collect(stream: TokenStream, found: &mut Vec<Token>) {
    let mut after_hash = false;
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                if !after_hash {
                    collect(group.stream(), found);
                }
                after_hash = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => after_hash = true,
            TokenTree::Punct(punct) if punct.as_char() == '!' && after_hash => {}
            other => {
                after_hash = false;
                found.push(Token { text: other.to_string(), line });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;
    use super::{clocks, floats, sql};

    #[test]
    fn sql_is_found_in_strings_only() {
        let rows = [
            (r#"fn a() { q("select id from keys") }"#, 1),
            (r##"fn a() { q!(r#" INSERT INTO keys values (1)"#) }"##, 1),
            (r#"const A: &str = "UPDATE keys SET a = 1";"#, 1),
            (
                r#"/// select id from keys
                fn a() { say("select a model, then send") }"#,
                0,
            ),
            ("// SELECT id FROM keys\nfn a() {}", 0),
        ];
        for (text, count) in rows {
            assert_eq!(sql(&tree(&[("crates/web/src/a.rs", text)])).len(), count, "{text}");
            assert_eq!(sql(&tree(&[("crates/store/src/a.rs", text)])).len(), 0, "{text}");
        }
    }

    #[test]
    fn a_clock_is_found_in_thinking_crates() {
        let rows = [
            ("crates/routing/src/a.rs", "fn a() { let t = std::time::Instant::now(); }", 1),
            ("crates/ledger/src/a.rs", "fn a() { jiff::Timestamp::now() }", 1),
            ("crates/gateway/src/a.rs", "fn a() { Instant::now() }", 0),
            ("crates/routing/src/a.rs", "/// `Instant::now()`\nfn a(now: Timestamp) { now }", 0),
        ];
        for (path, text, count) in rows {
            assert_eq!(clocks(&tree(&[(path, text)])).len(), count, "{path} {text}");
        }
    }

    #[test]
    fn a_float_is_found_beside_money() {
        let rows = [
            ("crates/types/src/money.rs", "fn a(usd: f64) {}", 1),
            ("crates/ledger/src/a.rs", "// an f64 here is only talked about\nfn a() {}", 0),
            ("crates/routing/src/a.rs", "fn score() -> f64 { 0.5 }", 0),
        ];
        for (path, text, count) in rows {
            assert_eq!(floats(&tree(&[(path, text)])).len(), count, "{path} {text}");
        }
    }
}
