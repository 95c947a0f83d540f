//! Atom feeds of new models and changed prices (RFC 4287).

use catalog::Snapshot;
use types::{PriceKind, PriceSheet, Timestamp};

use super::head::address;
use crate::calculate::condition;
use crate::format::{self, Shown, iso_day, rfc3339};
use crate::markup::escape;

/// What a feed is about.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Where readers reach this site, without a slash at the end.
    pub base_url: &'a str,
    /// Where the feed is: `/feeds/models.atom`.
    pub path: &'a str,
    /// The page whose changes it tells: `/models`.
    pub page: &'a str,
    /// Its title.
    pub title: &'a str,
    /// The name of this place.
    pub brand: &'a str,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What sets it apart from others about the same page, forever: `released`, a price version.
    pub mark: String,
    /// The page that it is about.
    pub path: String,
    /// What happened.
    pub title: String,
    /// More of it, as text.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// A price sheet that replaced another.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The endpoint's id.
    pub endpoint: &'a str,
    /// From when on the new one holds.
    pub at: Timestamp,
    /// The name of the new one.
    pub version: &'a str,
    /// Before.
    pub old: &'a PriceSheet,
    /// After.
    pub new: &'a PriceSheet,
}

/// One price before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is for.
    pub kind: PriceKind,
    /// The condition under which it holds; `None`: a base price.
    pub condition: Option<String>,
    /// Before; not known where it was not there.
    pub old: Shown,
    /// After.
    pub new: Shown,
}

impl Difference {
    /// `Input: $0.10 → $0.15 per 1M tokens`.
    pub fn text(&self) -> String {
        let condition = self.condition.as_ref().map(|when| format!(" ({when})")).unwrap_or_default();
        format!(
            "{}{condition}: {} → {} {}",
            format::price_name(self.kind),
            self.old.text(),
            self.new.text(),
            format::unit(self.kind)
        )
    }
}

/// What differs between two sheets, base prices first, in the order of bills.
pub fn differences(old: &PriceSheet, new: &PriceSheet) -> Vec<Difference> {
    let mut all = Vec::new();
    for kind in PriceKind::ALL {
        let (before, after) = (old.quote(kind), new.quote(kind));
        if before != after {
            let (old, new) = (format::quote(kind, before), format::quote(kind, after));
            all.push(Difference { kind, condition: None, old, new });
        }
    }
    let mut conditions: Vec<String> = old.overrides.iter().chain(&new.overrides).map(condition).collect();
    conditions.sort();
    conditions.dedup();
    for when in conditions {
        let quote = |sheet: &PriceSheet, kind| {
            let rows = sheet.overrides.iter().filter(|change| condition(change) == when);
            rows.flat_map(|change| &change.quotes).find(|(k, _)| *k == kind).map(|(_, quote)| *quote)
        };
        for kind in PriceKind::ALL {
            let (before, after) = (quote(old, kind), quote(new, kind));
            if before != after {
                let (old, new) = (format::quote(kind, before), format::quote(kind, after));
                all.push(Difference { kind, condition: Some(when.clone()), old, new });
            }
        }
    }
    all
}

/// Models by their day of release, newest first; those whose day nobody says are left out.
pub fn new_models(snapshot: &Snapshot, at_most: usize) -> Vec<Item> {
    let dated =
        snapshot.models.iter().enumerate().filter_map(|(at, model)| Some((model.released_day()?, at, model)));
    let mut dated: Vec<_> = dated.collect();
    dated.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let item = |(day, at, model): (i64, usize, &catalog::Model)| {
        let price = crate::describe::cheapest(snapshot, at).and_then(crate::describe::price_phrase);
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

/// Changed prices, newest first. Changes of endpoints that are gone, and sheets that say the same, are left out.
pub fn price_changes(snapshot: &Snapshot, changes: &[Change<'_>], at_most: usize) -> Vec<Item> {
    let item = |change: &Change<'_>| {
        let endpoint = snapshot.endpoint(change.endpoint)?;
        let (model, provider) = (endpoint.model_in(snapshot)?, endpoint.provider_in(snapshot)?);
        let told: Vec<String> = differences(change.old, change.new).iter().map(Difference::text).collect();
        (!told.is_empty()).then(|| Item {
            mark: change.version.to_owned(),
            path: format!("/{}/{}", model.id, provider.id),
            title: format!("{} at {}: prices changed", model.name, provider.name),
            text: told.join("; "),
            at: change.at,
        })
    };
    let mut all: Vec<Item> = changes.iter().filter_map(item).collect();
    all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.path.cmp(&b.path)).then_with(|| a.mark.cmp(&b.mark)));
    all.truncate(at_most);
    all
}

/// The document. Without entries it is as old as time: 1970.
pub fn atom(head: &Head<'_>, items: &[Item]) -> String {
    let updated = items.iter().map(|item| item.at).max().unwrap_or_default();
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
