//! What stands in a page's head: its one address, its description, and what crawlers may read.

use url::form_urlencoded;

/// The longest description, in characters: a sentence with all of its numbers. Search engines cut what they find too long themselves.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 320;

/// The one address of a page: its path with what of the query makes it another page, in the given order; empty values are left out.
pub(crate) fn address(base_url: &str, path: &str, query: &[(&str, &str)]) -> String {
    let base_url = base_url.trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-~:@".contains(&b);
    let path: String = path
        .bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
    let pairs = pairs.finish();
    let mark = if pairs.is_empty() { "" } else { "?" };
    format!("{base_url}{path}{mark}{pairs}")
}

/// A text short enough for a description: whole words, with an ellipsis where something is left out.
pub(crate) fn description(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= DESCRIPTION_CHARS_MAX {
        return text;
    }
    let cut: String = text.chars().take(DESCRIPTION_CHARS_MAX - 1).collect();
    let words = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{}…", words.trim_end_matches([',', ';', ':', '.', ' ']))
}

/// `/robots.txt`: crawlers may read the pages; the API and what is behind sign-in is not for them.
pub(crate) fn robots(base_url: &str) -> String {
    let closed = ["/v1", "/api/v1", "/v1beta", "/console", "/auth"];
    let lines: String = closed.iter().map(|path| format!("Disallow: {path}\n")).collect();
    format!("User-agent: *\n{lines}Sitemap: {}\n", address(base_url, "/sitemap.xml", &[]))
}
