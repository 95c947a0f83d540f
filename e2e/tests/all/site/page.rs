//! A page read as a browser reads it.

use scraper::{ElementRef, Html, Selector};

/// What stands in a cell or a sentence: what is seen, and all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) short: String,
    /// The title where there is one, else what is seen.
    pub(super) exact: String,
}

/// A selector that is written in this folder.
pub(super) fn css(selector: &str) -> Selector {
    Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"))
}

pub(super) fn all<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    html.select(&css(selector)).collect()
}

pub(super) fn within<'a>(element: ElementRef<'a>, selector: &str) -> Vec<ElementRef<'a>> {
    element.select(&css(selector)).collect()
}

/// All text of it, with single spaces.
pub(super) fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of an element, notes in `small` and lists of sources aside.
pub(super) fn value(element: ElementRef<'_>) -> Value {
    let element = within(element, "summary .v").first().copied().unwrap_or(element);
    if let Some(span) = within(element, "span[title]").first() {
        let exact = span.attr("title").unwrap_or_default().to_owned();
        return Value { short: text(*span), exact };
    }
    let small = within(element, "small").into_iter().map(text).collect::<String>();
    let seen = text(element);
    let seen = seen.strip_suffix(small.as_str()).unwrap_or(&seen).trim().to_owned();
    Value { exact: seen.clone(), short: seen }
}

/// The blocks of structured data of a page.
pub(super) fn data(html: &Html, kind: &str) -> Option<serde_json::Value> {
    let blocks = all(html, "script[type=\"application/ld+json\"]").into_iter();
    let read = |block: ElementRef<'_>| {
        let text: String = block.text().collect();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    };
    blocks.map(read).find(|block: &serde_json::Value| block["@type"] == kind)
}

/// `$1,234.5` is 1234500000000 nano-dollars, `free` is nothing.
pub(super) fn dollars(text: &str) -> Option<i128> {
    if matches!(text, "free" | "nothing") {
        return Some(0);
    }
    let plain = text.trim().strip_prefix('$')?.replace(',', "");
    decimal(&plain, 9)
}

/// Decimal text with so many digits behind the point, as a whole number: no float reads money.
pub(super) fn decimal(text: &str, digits: usize) -> Option<i128> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let rest = rest.trim_end_matches('0');
    if rest.len() > digits {
        return None;
    }
    format!("{whole}{rest:0<digits$}").parse().ok()
}

/// `1,048,576`.
pub(super) fn count(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

#[test]
fn numbers_are_read_as_they_are_shown() {
    assert_eq!(dollars("$0.15"), Some(150_000_000));
    assert_eq!(dollars("$1,234.50"), Some(1_234_500_000_000));
    assert_eq!((dollars("free"), dollars("–"), dollars("$0.0000000001")), (Some(0), None, None));
    assert_eq!((count("1,048,576"), count("–")), (Some(1_048_576), None));
    let html =
        Html::parse_fragment("<p>$2 <small>per 1M</small></p><b><span title=\"256,000\">256K</span></b>");
    assert_eq!(value(all(&html, "p")[0]).exact, "$2");
    assert_eq!(value(all(&html, "b")[0]).exact, "256,000");
}
