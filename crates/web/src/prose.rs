//! Sentences in which code stands between backticks, as HTML.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::markup::escape;

/// A sentence; everything in it is escaped, and what stood between two backticks is code.
pub(crate) struct Prose(String);

impl Prose {
    pub(crate) fn of(text: &str) -> Prose {
        let mut html = String::with_capacity(text.len() + 16);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('`') {
            let Some((code, behind)) = after.split_once('`') else { break };
            html.push_str(&escape(before));
            html.push_str(&format!("<code>{}</code>", escape(code)));
            rest = behind;
        }
        html.push_str(&escape(rest));
        Prose(html)
    }
}

impl fmt::Display for Prose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Prose {}

#[cfg(test)]
mod tests {
    use super::Prose;

    #[test]
    fn code_is_set_apart_and_nothing_gets_out() {
        let rows = [
            ("", ""),
            ("plain", "plain"),
            ("ask for `a/b`, or `c`.", "ask for <code>a/b</code>, or <code>c</code>."),
            ("an open ` tick", "an open ` tick"),
            ("`<b>` & <i>", "<code>&#60;b&#62;</code> &#38; &#60;i&#62;"),
            ("``", "<code></code>"),
        ];
        for (text, html) in rows {
            assert_eq!(Prose::of(text).to_string(), html, "{text}");
        }
    }
}
