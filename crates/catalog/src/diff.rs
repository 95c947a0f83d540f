//! What changed between two snapshots: for log lines after a reload, and for pages that show it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use types::PriceSheet;

use crate::snapshot::Snapshot;

/// One endpoint's prices, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// The endpoint's id.
    pub endpoint: Arc<str>,
    /// The version before.
    pub old_version: Arc<str>,
    /// The version after.
    pub new_version: Arc<str>,
    /// The prices before.
    pub old: Arc<PriceSheet>,
    /// The prices after.
    pub new: Arc<PriceSheet>,
}

/// What one snapshot has that another had not. Ids, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Models that are new.
    pub models_added: Vec<Arc<str>>,
    /// Models that are gone.
    pub models_removed: Vec<Arc<str>>,
    /// Providers that are new.
    pub providers_added: Vec<Arc<str>>,
    /// Providers that are gone.
    pub providers_removed: Vec<Arc<str>>,
    /// Endpoints that are new.
    pub endpoints_added: Vec<Arc<str>>,
    /// Endpoints that are gone.
    pub endpoints_removed: Vec<Arc<str>>,
    /// Endpoints in both whose prices differ.
    pub prices_changed: Vec<PriceChange>,
}

impl Diff {
    /// True when models, providers, endpoints and prices are the same.
    pub fn is_empty(&self) -> bool {
        *self == Diff::default()
    }
}

/// One line: `2 models added, 1 price changed`.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.models_added.len(), "model", "added"),
            (self.models_removed.len(), "model", "removed"),
            (self.providers_added.len(), "provider", "added"),
            (self.providers_removed.len(), "provider", "removed"),
            (self.endpoints_added.len(), "endpoint", "added"),
            (self.endpoints_removed.len(), "endpoint", "removed"),
            (self.prices_changed.len(), "price sheet", "changed"),
        ];
        let mut parts = counts.iter().filter(|(count, _, _)| *count > 0).peekable();
        if parts.peek().is_none() {
            return f.write_str("no model, provider, endpoint or price changed");
        }
        for (at, (count, noun, verb)) in parts.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let plural = if *count == 1 { "" } else { "s" };
            write!(f, "{comma}{count} {noun}{plural} {verb}")?;
        }
        Ok(())
    }
}

fn added<'s>(
    old: impl Iterator<Item = &'s Arc<str>>,
    new: impl Iterator<Item = &'s Arc<str>>,
) -> Vec<Arc<str>> {
    let old: BTreeSet<&Arc<str>> = old.collect();
    new.filter(|id| !old.contains(id)).cloned().collect()
}

/// What `new` has that `old` had not, and the other way round.
pub fn diff(old: &Snapshot, new: &Snapshot) -> Diff {
    let models = |snapshot| ids(snapshot, |s: &Snapshot| s.models.iter().map(|model| &model.id).collect());
    let providers = |snapshot| ids(snapshot, |s: &Snapshot| s.providers.iter().map(|p| &p.id).collect());
    let endpoints = |snapshot| ids(snapshot, |s: &Snapshot| s.endpoints.iter().map(|e| &e.id).collect());
    let prices_changed = new.endpoints.iter().filter_map(|after| {
        let before = old.endpoint(&after.id).filter(|before| before.price_version != after.price_version)?;
        Some(PriceChange {
            endpoint: Arc::clone(&after.id),
            old_version: Arc::clone(&before.price_version),
            new_version: Arc::clone(&after.price_version),
            old: Arc::clone(&before.price),
            new: Arc::clone(&after.price),
        })
    });
    Diff {
        models_added: added(models(old), models(new)),
        models_removed: added(models(new), models(old)),
        providers_added: added(providers(old), providers(new)),
        providers_removed: added(providers(new), providers(old)),
        endpoints_added: added(endpoints(old), endpoints(new)),
        endpoints_removed: added(endpoints(new), endpoints(old)),
        prices_changed: prices_changed.collect(),
    }
}

fn ids(snapshot: &Snapshot, of: fn(&Snapshot) -> Vec<&Arc<str>>) -> std::vec::IntoIter<&Arc<str>> {
    of(snapshot).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{edited, files, load, snapshot};

    #[test]
    fn changes_are_told() {
        let old = snapshot();
        assert!(diff(&old, &old).is_empty());
        assert_eq!(diff(&old, &old).to_string(), "no model, provider, endpoint or price changed");
        let new = edited("providers/mistral/endpoints/small-4.toml", "\"0.60\"", "\"0.70\"").unwrap();
        let change = diff(&old, &new);
        assert_eq!(change.to_string(), "1 price sheet changed");
        assert_eq!(&*change.prices_changed[0].endpoint, "mistral/small-4");
        let fewer = load(files().filter(|(file, _)| !file.ends_with("/old.toml"))).unwrap();
        assert_eq!(diff(&old, &fewer).to_string(), "1 model removed, 1 endpoint removed");
        assert_eq!(diff(&fewer, &old).to_string(), "1 model added, 1 endpoint added");
    }
}
