//! Atom feeds of new models and changed prices (RFC 4287).

use catalog::Snapshot;
use types::Timestamp;

use super::head::address;
use crate::format::{iso_day, rfc3339};
use crate::index::Switches;
use crate::markup::escape;

/// What a feed is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// Where readers reach this site, without a slash at the end.
    pub(crate) base_url: &'a str,
    /// Where the feed is: `/feeds/models.atom`.
    pub(crate) path: &'a str,
    /// The page whose changes it tells: `/models`.
    pub(crate) page: &'a str,
    /// Its title.
    pub(crate) title: &'a str,
    /// The name of this place.
    pub(crate) brand: &'a str,
    /// How old it is while it has no entry.
    pub(crate) since: Timestamp,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What sets it apart from others about the same page, forever: `released`, a price version.
    pub(crate) mark: String,
    /// The page that it is about.
    pub(crate) path: String,
    /// What happened.
    pub(crate) title: String,
    /// More of it, as text.
    pub(crate) text: String,
    /// When.
    pub(crate) at: Timestamp,
}

/// Models by their day of release, newest first; those whose day nobody says are left out.
pub(crate) fn new_models(snapshot: &Snapshot, on: &Switches, at_most: usize) -> Vec<Item> {
    let dated =
        snapshot.models.iter().enumerate().filter_map(|(at, model)| Some((model.released_day()?, at, model)));
    let mut dated: Vec<_> = dated.collect();
    dated.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let item = |(day, at, model): (i64, usize, &catalog::Model)| {
        let price = crate::describe::cheapest(snapshot, at, on).and_then(crate::describe::price_phrase);
        let price = price.map(|phrase| format!("From {phrase}.")).unwrap_or_default();
        let text = [model.description.as_deref().unwrap_or_default(), &price].join(" ");
        Item {
            mark: "released".to_owned(),
            path: format!("/{}", model.id),
            title: model.name.clone(),
            text: text.trim().to_owned(),
            at: Timestamp::from_seconds(day.saturating_mul(86_400)),
        }
    };
    dated.into_iter().take(at_most).map(item).collect()
}

/// The document.
pub(crate) fn atom(head: &Head<'_>, items: &[Item]) -> String {
    let updated = items.iter().map(|item| item.at).max().unwrap_or(head.since);
    let link = |path: &str| escape(&address(head.base_url, path, &[]));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>{own}</id>\n<title>{}</title>\n\
         <updated>{}</updated>\n<author><name>{}</name></author>\n<link rel=\"self\" type=\"application/atom+xml\" href=\"{own}\"/>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n",
        escape(head.title),
        instant(updated),
        escape(head.brand),
        link(head.page),
        own = link(head.path),
    );
    for item in items {
        let page = link(&item.path);
        text.push_str(&format!(
            "<entry>\n<id>{page}#{}</id>\n<title>{}</title>\n<updated>{}</updated>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"{page}\"/>\n<summary>{}</summary>\n</entry>\n",
            escape(&item.mark),
            escape(&item.title),
            instant(item.at),
            escape(&item.text)
        ));
    }
    text.push_str("</feed>\n");
    text
}

fn instant(at: Timestamp) -> String {
    let text = rfc3339(at);
    // What is beyond the calendar must not make the feed unreadable.
    if text.is_empty() { format!("{}T00:00:00Z", iso_day(0)) } else { text }
}
