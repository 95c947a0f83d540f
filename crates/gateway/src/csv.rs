//! Cells of CSV (RFC 4180).

use std::borrow::Cow;

/// A text as a cell, quoted where it has to be.
pub(crate) fn cell(text: &str) -> String {
    let text = plain(text);
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

/// What no sheet takes for a formula: an apostrophe goes before what could begin one, behind whatever isn't seen. Plain numbers stay
/// numbers.
fn plain(text: &str) -> Cow<'_, str> {
    let seen = text.trim_start_matches(|c: char| c.is_whitespace() || types::is_unseen(c));
    let begins = |c: char| matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠' | '−');
    let is_formula = seen.starts_with(begins) || text.starts_with(['\t', '\r', '\n']);
    if is_formula && !is_number(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

/// A line of cells that are written as they are to stand.
pub(crate) fn line(cells: &[String]) -> String {
    let mut line = cells.join(",");
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_quotes_are_doubled() {
        let rows = [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-1", "-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("a,b", "\"a,b\""),
            ("=\"a\"", "\"'=\"\"a\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("", ""),
        ];
        for (text, expect) in rows {
            assert_eq!(cell(text), expect);
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        let formulas = [
            "=1+1",
            "=HYPERLINK(\"https://evil.example\",\"x\")",
            "=cmd|' /C calc'!A0",
            "+1+1",
            "+cmd|'x'!A",
            "-1+1",
            "-2+3+cmd|'x'!A",
            "@SUM(1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\u{a0}=1",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            "−1+1",
            "|x",
            "%x",
            "\u{0}=1",
            "-",
            "+",
            "=",
            "--5",
            "-1e5",
            "-.5",
            "-1.2.3",
        ];
        for text in formulas {
            assert_eq!(plain(text), format!("'{text}"));
        }
        for text in ["", "a=b", "acme/small", "1", "-2.5", "+3", "0.000001", "'=1", "a-b", "通义"] {
            assert_eq!(plain(text), text);
        }
    }
}
