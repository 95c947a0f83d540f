//! What every page must be like, whatever it is about.

use std::collections::BTreeSet;

use scraper::{ElementRef, Html, Node};
use url::Url;

use super::Fetched;
use super::page::{all, text};

/// What a page leads to and what is wrong with it.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) path: String,
    pub(super) faults: Vec<String>,
    /// Paths with their query, of the same place.
    pub(super) links: BTreeSet<String>,
    /// Path and anchor.
    pub(super) anchors: BTreeSet<(String, String)>,
    pub(super) ids: BTreeSet<String>,
    pub(super) styles: BTreeSet<String>,
    pub(super) scripts: BTreeSet<String>,
    pub(super) pictures: BTreeSet<String>,
    pub(super) wire_bytes: usize,
}

/// Reads a page of the place at `base`.
pub(super) fn of(page: &Fetched, base: &Url) -> Shape {
    let html = Html::parse_document(&page.text);
    let mut shape = Shape { path: page.path.clone(), wire_bytes: page.wire_bytes, ..Shape::default() };
    let here = base.join(&page.path).expect("a path");
    head(&html, &here, &mut shape);
    loads(&html, &here, &mut shape);
    links(&html, &here, &mut shape);
    attributes(&html, &mut shape);
    for (selector, what) in
        [("main h1", "an h1 in main"), ("html[lang]", "a language"), ("head > title", "a title")]
    {
        if all(&html, selector).len() != 1 {
            shape.faults.push(format!("has not one of {what}"));
        }
    }
    if all(&html, "h1").len() != 1 {
        shape.faults.push(String::from("has not exactly one h1"));
    }
    if let Some(main) = all(&html, "main").first() {
        shape.faults.extend(empty_headings(*main));
    }
    for selector in ["tbody", "ul", "ol", "dl", "select", "fieldset"] {
        let empty = all(&html, selector).into_iter().filter(|list| list.child_elements().next().is_none());
        shape.faults.extend(empty.map(|list| format!("empty {selector}: {}", list.html())));
    }
    shape
}

fn head(html: &Html, here: &Url, shape: &mut Shape) {
    if all(html, "head > title").first().is_none_or(|title| text(*title).is_empty()) {
        shape.faults.push(String::from("has no words in its title"));
    }
    let canonical: Vec<&str> =
        all(html, "link[rel=canonical]").into_iter().filter_map(|link| link.attr("href")).collect();
    let mut own = here.clone();
    own.set_query(None);
    match canonical.as_slice() {
        [one] if Url::parse(one).is_ok_and(|url| url.host() == own.host() && is_page(&url, &own)) => {}
        other => shape.faults.push(format!("canonical is {other:?}")),
    }
}

/// Whether two addresses are one page: a comparison is, in whichever order its models stand.
fn is_page(canonical: &Url, own: &Url) -> bool {
    let compared = |url: &Url| {
        let rest = url.path().strip_prefix("/compare/")?.to_owned();
        let segments: Vec<&str> = rest.split('/').collect();
        let mut models: Vec<String> = segments.chunks(2).map(|pair| pair.join("/")).collect();
        models.sort_unstable();
        Some(models)
    };
    canonical.path() == own.path() || compared(canonical).is_some_and(|all| compared(own) == Some(all))
}

/// What a browser loads by itself: from here and from nowhere else, and nothing written into the page.
fn loads(html: &Html, here: &Url, shape: &mut Shape) {
    let found = |element: ElementRef<'_>, attribute: &str| element.attr(attribute).map(str::to_owned);
    let mut loaded: Vec<(&str, String)> = Vec::new();
    for (selector, attribute) in [
        ("link[rel=stylesheet]", "href"),
        ("link[rel=icon]", "href"),
        ("link[rel=preload]", "href"),
        ("script[src]", "src"),
        ("img", "src"),
        ("iframe", "src"),
        ("object", "data"),
        ("video", "src"),
        ("audio", "src"),
        ("source", "src"),
    ] {
        let urls = all(html, selector).into_iter().filter_map(|element| found(element, attribute));
        loaded.extend(urls.map(|url| (selector, url)));
    }
    for (selector, url) in loaded {
        match here.join(&url) {
            Ok(full) if full.origin() == here.origin() => {
                let path = local(&full);
                match selector {
                    "link[rel=stylesheet]" => shape.styles.insert(path.clone()),
                    "script[src]" => shape.scripts.insert(path.clone()),
                    _ => shape.pictures.insert(path.clone()),
                };
                shape.links.insert(path);
            }
            _ => shape.faults.push(format!("loads {url} from elsewhere")),
        }
    }
    for script in all(html, "script:not([src])") {
        if script.attr("type") != Some("application/ld+json") {
            shape.faults.push(format!("inline script {}", script.html()));
        }
    }
    if !all(html, "style").is_empty() {
        shape.faults.push(String::from("inline style sheet"));
    }
}

fn links(html: &Html, here: &Url, shape: &mut Shape) {
    let hrefs =
        all(html, "a[href], link[rel=alternate][href], link[rel=next][href], link[rel=canonical][href]");
    let actions = all(html, "form").into_iter().map(|form| form.attr("action").unwrap_or_default());
    for href in hrefs.iter().filter_map(|a| a.attr("href")).chain(actions) {
        let Ok(url) = here.join(href) else {
            shape.faults.push(format!("link to {href:?}"));
            continue;
        };
        if !matches!(url.scheme(), "http" | "https" | "mailto") {
            shape.faults.push(format!("link of another kind: {href}"));
        }
        if url.origin() != here.origin() {
            continue;
        }
        shape.links.insert(local(&url));
        if let Some(anchor) = url.fragment().filter(|anchor| !anchor.is_empty()) {
            shape.anchors.insert((local(&url), anchor.to_owned()));
        }
    }
}

fn local(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn attributes(html: &Html, shape: &mut Shape) {
    for element in html.root_element().descendent_elements() {
        for (name, value) in element.value().attrs() {
            let is_inline = name == "style" || (name.starts_with("on") && name.len() > 2);
            if is_inline {
                shape.faults.push(format!("inline {name}={value:?}"));
            }
            if name == "id" && !shape.ids.insert(value.to_owned()) {
                shape.faults.push(format!("id {value:?} twice"));
            }
        }
    }
    for element in all(html, "[for], [aria-labelledby], [aria-describedby], [aria-controls], [form]") {
        for name in ["for", "aria-labelledby", "aria-describedby", "aria-controls", "form"] {
            for id in element.attr(name).unwrap_or_default().split_whitespace() {
                if !shape.ids.contains(id) {
                    shape.faults.push(format!("{name}={id:?} names nothing"));
                }
            }
        }
    }
}

/// Headings that nothing follows before the next of their rank.
fn empty_headings(main: ElementRef<'_>) -> Vec<String> {
    let (mut open, mut empty): (Vec<(u32, String)>, Vec<String>) = (Vec::new(), Vec::new());
    for node in main.descendants() {
        let in_heading = node.ancestors().any(|above| rank(above.value()).is_some());
        if let Some(rank) = rank(node.value()) {
            let heading = ElementRef::wrap(node).map(text).unwrap_or_default();
            // Those of this rank and below it have ended, and nothing was found in them.
            let ended = |known: &(u32, String)| known.0 >= rank;
            empty.extend(open.iter().filter(|known| ended(known)).map(|(_, heading)| heading.clone()));
            open.retain(|known| !ended(known));
            open.push((rank, heading));
        } else if is_content(node.value()) && !in_heading {
            open.clear();
        }
    }
    empty.extend(open.into_iter().map(|(_, heading)| heading));
    empty.into_iter().map(|heading| format!("nothing below the heading {heading:?}")).collect()
}

fn rank(node: &Node) -> Option<u32> {
    match node.as_element()?.name() {
        "h1" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        "h4" => Some(4),
        _ => None,
    }
}

fn is_content(node: &Node) -> bool {
    match node {
        Node::Text(text) => !text.trim().is_empty(),
        Node::Element(element) => matches!(element.name(), "svg" | "img" | "input" | "select" | "textarea"),
        _ => false,
    }
}

#[test]
fn faults_of_a_page_are_found() {
    let base = Url::parse("http://127.0.0.1:1/").expect("a base");
    let page = |body: &str| {
        let text = format!(
            "<!doctype html><html lang=\"en\"><head><title>T</title><link rel=\"canonical\" href=\"http://127.0.0.1:1/a\"></head>\
             <body><main>{body}</main></body></html>"
        );
        let fetched = Fetched {
            path: String::from("/a"),
            status: 200,
            location: None,
            media_type: String::new(),
            allows_any_origin: false,
            wire_bytes: text.len(),
            text,
        };
        of(&fetched, &base).faults
    };
    assert_eq!(page("<h1>A</h1><p>b</p>"), Vec::<String>::new());
    for (body, fault) in [
        ("<p>b</p>", "has not exactly one h1"),
        ("<h1>A</h1><h1>B</h1><p>b</p>", "has not exactly one h1"),
        ("<h1>A</h1><p>c</p><h2>B</h2><h2>C</h2><p>b</p>", "nothing below the heading \"B\""),
        ("<h1>A</h1><p>c</p><h2>B</h2>", "nothing below the heading \"B\""),
        ("<h1>A</h1><p style=\"color:red\">b</p>", "inline style=\"color:red\""),
        ("<h1>A</h1><p onclick=\"x()\">b</p>", "inline onclick=\"x()\""),
        ("<h1>A</h1><p id=\"a\">b</p><p id=\"a\">b</p>", "id \"a\" twice"),
        (
            "<h1>A</h1><img src=\"//elsewhere.example/a.png\">",
            "loads //elsewhere.example/a.png from elsewhere",
        ),
        ("<h1>A</h1><p>b</p><script>x()</script>", "inline script <script>x()</script>"),
        ("<h1>A</h1><p>b</p><ul></ul>", "empty ul: <ul></ul>"),
        ("<h1>A</h1><a href=\"javascript:x()\">b</a>", "link of another kind: javascript:x()"),
        ("<h1>A</h1><label for=\"q\">b</label>", "for=\"q\" names nothing"),
    ] {
        assert!(page(body).contains(&fault.to_owned()), "{body}: {:?}", page(body));
    }
}
