//! `/sitemap.xml`: every page of the catalog with the date of its latest fact (<https://www.sitemaps.org/protocol.html>).

use std::collections::BTreeMap;

use catalog::Snapshot;

use super::{endpoint_as_of, model_as_of, provider_as_of};
use crate::machine::head::address;
use crate::markup::escape;

/// The most pages of one sitemap, by its protocol.
pub(crate) const ENTRIES_MAX: usize = 50_000;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path: `/mistralai/mistral-small-2603`.
    pub(crate) path: String,
    /// When it last changed: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, where that is known.
    pub(crate) modified: Option<String>,
}

/// The pages of models, their offers, authors and providers, in this order and each by its id.
pub(crate) fn of_catalog(snapshot: &Snapshot) -> Vec<Entry> {
    let mut models = Vec::new();
    let mut offers: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut authors: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (position, model) in snapshot.models.iter().enumerate() {
        let modified = model_as_of(snapshot, position);
        let of_author = authors.entry(format!("/{}", model.author)).or_default();
        *of_author = std::mem::take(of_author).max(modified.clone());
        models.push(Entry { path: format!("/{}", model.id), modified });
        for endpoint in snapshot.model_endpoints(position) {
            let Some(provider) = endpoint.provider_in(snapshot) else { continue };
            let of_offer = offers.entry(format!("/{}/{}", model.id, provider.id)).or_default();
            *of_offer = std::mem::take(of_offer).max(endpoint_as_of(endpoint));
        }
    }
    let providers = snapshot.providers.iter().map(|provider| Entry {
        path: format!("/providers/{}", provider.id),
        modified: provider_as_of(provider),
    });
    let named = |pages: BTreeMap<String, Option<String>>| {
        pages.into_iter().map(|(path, modified)| Entry { path, modified })
    };
    models.into_iter().chain(named(offers)).chain(named(authors)).chain(providers).collect()
}

/// The document. `base_url` has no slash at its end; pages beyond [`ENTRIES_MAX`] are left out.
pub(crate) fn xml(base_url: &str, entries: &[Entry]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    for entry in entries.iter().take(ENTRIES_MAX) {
        text.push_str(&format!("<url><loc>{}</loc>", escape(&address(base_url, &entry.path, &[]))));
        if let Some(modified) = &entry.modified {
            text.push_str(&format!("<lastmod>{}</lastmod>", escape(modified)));
        }
        text.push_str("</url>\n");
    }
    text.push_str("</urlset>\n");
    text
}
