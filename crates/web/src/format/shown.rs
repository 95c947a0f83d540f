//! A value as pages show it: short for the eye, exact on demand.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::markup::escape;

/// A value for people. As a template's value it is HTML: the short form with the exact one as its title; unknown is a dash
/// that is spoken. In sentences use [`Shown::text`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    /// What is seen.
    pub(crate) short: String,
    /// All of it. The same as `short` where nothing was left out.
    pub(crate) exact: String,
    /// False where nobody says.
    pub(crate) is_known: bool,
}

impl Shown {
    /// What nobody says.
    pub(crate) fn unknown() -> Shown {
        Shown { short: "–".to_owned(), exact: "unknown".to_owned(), is_known: false }
    }

    /// A value that is short enough already.
    pub(crate) fn same(text: impl Into<String>) -> Shown {
        let short = text.into();
        Shown { exact: short.clone(), short, is_known: true }
    }

    /// A known value in both forms.
    pub(crate) fn both(short: impl Into<String>, exact: impl Into<String>) -> Shown {
        Shown { short: short.into(), exact: exact.into(), is_known: true }
    }

    /// For sentences: the short form, or `unknown`.
    pub(crate) fn text(&self) -> &str {
        if self.is_known { &self.short } else { &self.exact }
    }

    /// The exact form, where it says more than the short one.
    pub(crate) fn title(&self) -> Option<&str> {
        (self.exact != self.short).then_some(self.exact.as_str())
    }

    /// For sentences that should leave no digit out: `1.05M (1,048,576)`.
    pub(crate) fn in_full(&self) -> String {
        match self.title() {
            Some(exact) if self.is_known => format!("{} ({exact})", self.short),
            _ => self.text().to_owned(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (short, exact) = (escape(&self.short), escape(&self.exact));
        if !self.is_known {
            return write!(
                f,
                "<span class=\"unknown\"><span aria-hidden=\"true\">{short}</span><span class=\"sr-only\">{exact}</span></span>"
            );
        }
        match self.title() {
            Some(_) => write!(f, "<span title=\"{exact}\">{short}</span>"),
            None => f.write_str(&short),
        }
    }
}

impl HtmlSafe for Shown {}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[derive(askama::Template)]
    #[template(source = "{{ value }}", ext = "html")]
    struct Page {
        value: Shown,
    }

    #[test]
    fn a_value_writes_its_own_html() {
        let rows = [
            (Shown::same("$0.15"), "$0.15", "$0.15"),
            (
                Shown::both("1.05M", "1,048,576"),
                "<span title=\"1,048,576\">1.05M</span>",
                "1.05M (1,048,576)",
            ),
            (
                Shown::unknown(),
                "<span class=\"unknown\"><span aria-hidden=\"true\">–</span><span class=\"sr-only\">unknown</span></span>",
                "unknown",
            ),
            (
                Shown::both("<b>", "\" onclick=x"),
                "<span title=\"&#34; onclick=x\">&#60;b&#62;</span>",
                "<b> (\" onclick=x)",
            ),
        ];
        for (value, html, full) in rows {
            assert_eq!(value.in_full(), full);
            assert_eq!(askama::Template::render(&Page { value }).unwrap(), html);
        }
    }
}
