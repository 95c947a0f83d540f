//! Text that becomes part of HTML, SVG or XML.

use askama::filters::{Escaper, Html};

/// Escaped for text and for quoted attributes, in HTML and in XML. What XML can't hold at all (control characters) is left
/// out, so that one such character in a name never makes a feed unreadable.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let fit: String = text.chars().filter(|c| fits(*c)).collect();
    // Writing to a String can't fail.
    let _ = Html.write_escaped_str(&mut escaped, &fit);
    escaped
}

/// Characters of XML 1.0, less the control characters beyond ASCII, which no name needs.
fn fits(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_gets_out_of_text_or_attribute() {
        let hostile = "\"'><script>&\u{0}\u{8}\u{1b}\u{85}\u{ffff}\n";
        assert_eq!(escape(hostile), "&#34;&#39;&#62;&#60;script&#62;&#38;\n");
        assert_eq!(escape("Qwen 3 · 通义"), "Qwen 3 · 通义");
    }
}
