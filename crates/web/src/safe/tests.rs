use proptest::prelude::*;

use super::payloads::PAYLOADS;
use super::{MARKDOWN_CHARS_MAX, markdown, plain};

/// The characters that a line of the table stands for.
pub(crate) fn unescape(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let hex = |from: &str, digits: usize| {
            let code = from.get(1..=digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            code.and_then(char::from_u32)
        };
        let (c, used) = match after.chars().next() {
            Some('n') => ('\n', 1),
            Some('t') => ('\t', 1),
            Some('x') if hex(after, 2).is_some() => (hex(after, 2).unwrap(), 3),
            Some('u') if hex(after, 4).is_some() => (hex(after, 4).unwrap(), 5),
            _ => ('\\', 0),
        };
        text.push(c);
        rest = &after[used..];
    }
    text + rest
}

/// Nothing but the elements of the list, without attributes, and links with a good address and their `rel`.
#[track_caller]
fn check(html: &str, of: &str) {
    for part in html.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("an open tag in {html} of {of}"));
        let name = tag.strip_prefix('/').unwrap_or(tag);
        if super::TAGS.contains(&name) || name == "th" {
            continue;
        }
        let address = tag
            .strip_prefix("a href=\"")
            .and_then(|rest| rest.strip_suffix("\" rel=\"nofollow ugc noopener\""));
        let is_good = match address {
            Some(address) => {
                ["http://", "https://", "mailto:"].iter().any(|scheme| address.starts_with(scheme))
                    && !address.contains(['"', '<', ' ', '\u{202e}'])
            }
            // A link that lost its address is none.
            None => false,
        };
        assert!(is_good, "<{tag}> in {html} of {of}");
    }
}

/// Hostile texts, one of each class.
pub(crate) fn hostile() -> Vec<String> {
    let payloads: Vec<String> = PAYLOADS.lines().filter(|line| !line.is_empty()).map(unescape).collect();
    assert!(payloads.len() >= 150, "{}", payloads.len());
    payloads
}

/// A page on which a stranger's words stand: what was made of their Markdown (`class="said"`) is of the list, and everything else has
/// the elements and attributes of the same page with plain words on it.
#[track_caller]
pub(crate) fn runs_nothing(page: &str, plain: &str, of: &str) {
    assert_eq!(marks(page, of), marks(plain, "plain words"), "{of}");
}

/// The tags of a page without what is said on it; values of fields are left out.
fn marks(page: &str, of: &str) -> Vec<String> {
    let mut rest = page;
    let mut own = String::new();
    while let Some((before, after)) = rest.split_once("<div class=\"said\">") {
        own.push_str(before);
        let (said, more) = after.split_once("</div>").unwrap();
        check(said, of);
        rest = more;
    }
    own.push_str(rest);
    let tags = own.split('<').skip(1).map(|part| {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("an open tag in {of}"));
        match tag.split_once(" value=\"") {
            Some((before, after)) => format!("{before}{}", after.split_once('"').unwrap().1),
            None => tag.to_owned(),
        }
    });
    tags.collect()
}

#[test]
fn nothing_hostile_runs() {
    for payload in &hostile() {
        let places = [
            payload.clone(),
            format!("Good model. {payload} I use it daily."),
            format!("- {payload}\n- b"),
            format!("> {payload}\n\nc"),
            format!("[{payload}](https://x.example)"),
            format!("| a |\n|--|\n| {payload} |"),
            format!("```\n{payload}\n```"),
        ];
        for text in places {
            let html = markdown(&text);
            check(html.as_str(), &text);
            assert!(!plain(&text).chars().any(super::is_unseen), "{text}");
            // What is safe stays as it is when it goes through once more.
            check(super::CLEANER.clean(html.as_str()).to_string().as_str(), &text);
        }
    }
}

#[test]
fn ordinary_markdown_is_kept() {
    let rows = [
        ("Fast *and* **cheap**.", "<p>Fast <em>and</em> <strong>cheap</strong>.</p>\n"),
        ("# Verdict\n\nGood.", "<p>Verdict</p>\n<p>Good.</p>\n"),
        ("a\nb  \nc", "<p>a\nb<br>\nc</p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("`x < y`", "<p><code>x &lt; y</code></p>\n"),
        ("```js\nlet x;\n```", "<pre><code>let x;\n</code></pre>\n"),
        (
            "[docs](https://x.example/a?b=1&c=2)",
            "<p><a href=\"https://x.example/a?b=1&amp;c=2\" rel=\"nofollow ugc noopener\">docs</a></p>\n",
        ),
        (
            "[mail](mailto:a@x.example)",
            "<p><a href=\"mailto:a@x.example\" rel=\"nofollow ugc noopener\">mail</a></p>\n",
        ),
        ("![a cat](https://x.example/cat.png)", "<p>a cat</p>\n"),
        ("5 < 6 & 7 > 2", "<p>5 &lt; 6 &amp; 7 &gt; 2</p>\n"),
        ("<b>bold</b>", "<p>&lt;b&gt;bold&lt;/b&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>x</p>\n"),
        ("~~old~~ 通义 🎉", "<p><del>old</del> 通义 🎉</p>\n"),
    ];
    for (text, expect) in rows {
        assert_eq!(markdown(text).as_str(), expect, "{text}");
    }
}

#[test]
fn plain_is_one_line_without_marks() {
    let rows = [
        ("# Verdict\n\nFast *and* [cheap](https://x.example).", "Verdict Fast and cheap."),
        ("- a\n- b\n\n> c", "a b c"),
        ("![a cat](https://x.example)", "a cat"),
        ("a\u{202e}b\u{0}c", "abc"),
        ("", ""),
    ];
    for (text, expect) in rows {
        assert_eq!(plain(text), expect);
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = markdown(&"> ".repeat(5_000));
    assert!(deep.as_str().matches("<blockquote>").count() <= super::DEPTH_MAX);
    let lists: String = (0..500).map(|at| format!("{}- x\n", "  ".repeat(at))).collect();
    check(markdown(&lists).as_str(), "deep lists");
    let long = markdown(&"x".repeat(MARKDOWN_CHARS_MAX * 2));
    assert_eq!(long.as_str().matches('x').count(), MARKDOWN_CHARS_MAX);
    for odd in
        ["*".repeat(20_000), "[".repeat(20_000), "`".repeat(19_999), "<".repeat(20_000), "[x](".repeat(5_000)]
    {
        check(markdown(&odd).as_str(), "repeated");
    }
}

proptest! {
    #[test]
    fn no_text_gets_through(text in "\\PC{0,80}|[\\x00-\\x7f]{0,80}|([<>\"'=:/&;#()\\[\\]!`*_~|\\- \n]|script|on|java|http|a|x){0,60}") {
        check(markdown(&text).as_str(), &text);
        prop_assert!(!plain(&text).contains('\n'));
    }
}
