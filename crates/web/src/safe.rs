//! What users write, made safe to show.
//!
//! - Markdown becomes HTML of a few elements: paragraphs, emphasis, lists, quotes, code, tables and links. Headings become strong
//!   paragraphs, because the page has its own; pictures become their text, because they would tell others' servers who
//!   reads; HTML within Markdown is shown as the text that it is.
//! - Two walls, each of which would do: only the events named here pass (pulldown-cmark), and what comes out is parsed
//!   as a browser would and cleaned against a list of what is allowed (ammonia).
//! - Links go to `http`, `https` or `mailto` and are marked `nofollow ugc noopener`; others lose their address and stay text.
//! - Characters that show text in another order than it stands there, or show nothing, are left out.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use askama::filters::HtmlSafe;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use types::is_unseen;

/// The longest text that is read; the rest is left out.
pub const MARKDOWN_CHARS_MAX: usize = 20_000;
/// Lists and quotes within each other; deeper ones lose their marks.
const DEPTH_MAX: usize = 8;

const TAGS: [&str; 18] = [
    "p",
    "br",
    "hr",
    "em",
    "strong",
    "del",
    "code",
    "pre",
    "blockquote",
    "ul",
    "ol",
    "li",
    "a",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
];

/// Where links may lead.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// HTML that was made safe: a template writes it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for SafeHtml {}

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = Builder::empty();
    cleaner
        .tags(TAGS.into_iter().chain(["th"]).collect())
        .generic_attributes(HashSet::new())
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .clean_content_tags(HashSet::from(["script", "style"]))
        .link_rel(Some("nofollow ugc noopener"));
    cleaner
});

/// Users' Markdown as HTML that can do nothing but be read.
pub fn markdown(text: &str) -> SafeHtml {
    let text = readable(text);
    let mut markup = String::with_capacity(text.len() * 2);
    html::push_html(&mut markup, events(&text));
    SafeHtml(CLEANER.clean(&markup).to_string())
}

/// Users' Markdown as a line of text: for feeds, descriptions and mails.
pub fn plain(text: &str) -> String {
    let text = readable(text);
    let mut line = String::with_capacity(text.len());
    for event in events(&text) {
        match event {
            Event::Text(part) | Event::Code(part) => line.push_str(&part),
            // The end of anything but emphasis and links parts words.
            Event::SoftBreak | Event::HardBreak | Event::Rule => line.push(' '),
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) => {}
            Event::End(_) => line.push(' '),
            _ => {}
        }
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without what can't be seen or turns the order of what can.
fn readable(text: &str) -> String {
    text.chars().take(MARKDOWN_CHARS_MAX).filter(|c| !is_unseen(*c)).collect()
}

/// The events that pass.
fn events(text: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES;
    let (mut depth, mut is_dead) = (0_usize, false);
    Parser::new_ext(text, options).filter_map(move |event| match event {
        // A link within a link there is not.
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            is_dead = !is_open(dest_url);
            (!is_dead).then_some(event)
        }
        Event::End(TagEnd::Link) => (!is_dead).then_some(event),
        Event::Start(tag) => start(tag, &mut depth),
        Event::End(tag) => end(tag, &mut depth),
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::HardBreak | Event::Rule => Some(event),
        _ => None,
    })
}

/// Whether a link may lead there.
fn is_open(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| SCHEMES.contains(&url.scheme()))
}

fn start<'t>(tag: Tag<'t>, depth: &mut usize) -> Option<Event<'t>> {
    match tag {
        Tag::Heading { .. } => Some(Event::Start(Tag::Paragraph)),
        // The language becomes a class, which nobody reads.
        Tag::CodeBlock(_) => {
            Some(Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(CowStr::Borrowed("")))))
        }
        Tag::BlockQuote(_) => {
            *depth += 1;
            (*depth <= DEPTH_MAX).then_some(Event::Start(Tag::BlockQuote(None)))
        }
        Tag::List(_) | Tag::Item => {
            *depth += 1;
            (*depth <= DEPTH_MAX).then_some(Event::Start(tag))
        }
        Tag::Paragraph
        | Tag::Emphasis
        | Tag::Strong
        | Tag::Strikethrough
        | Tag::Table(_)
        | Tag::TableHead
        | Tag::TableRow
        | Tag::TableCell => Some(Event::Start(tag)),
        _ => None,
    }
}

fn end<'t>(tag: TagEnd, depth: &mut usize) -> Option<Event<'t>> {
    match tag {
        TagEnd::Heading(_) => Some(Event::End(TagEnd::Paragraph)),
        TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => {
            let is_shown = *depth <= DEPTH_MAX;
            *depth = depth.saturating_sub(1);
            let tag = if matches!(tag, TagEnd::BlockQuote(_)) { TagEnd::BlockQuote(None) } else { tag };
            is_shown.then_some(Event::End(tag))
        }
        TagEnd::Paragraph
        | TagEnd::CodeBlock
        | TagEnd::Emphasis
        | TagEnd::Strong
        | TagEnd::Strikethrough
        | TagEnd::Table
        | TagEnd::TableHead
        | TagEnd::TableRow
        | TagEnd::TableCell => Some(Event::End(tag)),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod payloads;
#[cfg(test)]
pub(crate) mod tests;
