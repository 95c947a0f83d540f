//! What changed between two snapshots: for log lines after a reload, for `tollway catalog diff`, and for those who use what changed.

mod changes;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use types::PriceSheet;

use crate::snapshot::Snapshot;

pub use changes::{FactChange, QuoteChange, quote_changes};
use changes::{fact_changes, status_changes};

/// One endpoint's prices, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// The endpoint's id.
    pub endpoint: Arc<str>,
    /// Its model's id.
    pub model: Arc<str>,
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
    /// Facts of models, providers and endpoints in both that differ; sources, dates and dissent don't count.
    pub facts_changed: Vec<FactChange>,
    /// What is about to end: endpoints that are deprecated now and were not, models whose day of retiring is new or another.
    pub deprecations: Vec<FactChange>,
}

impl Diff {
    /// True when models, providers, endpoints, prices and facts are the same.
    pub fn is_empty(&self) -> bool {
        *self == Diff::default()
    }
}

/// One line: `2 models added, 1 price sheet changed`.
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
            (self.facts_changed.len(), "fact", "changed"),
            (self.deprecations.len(), "deprecation", "announced"),
        ];
        let mut parts = counts.iter().filter(|(count, _, _)| *count > 0).peekable();
        if parts.peek().is_none() {
            return f.write_str("no model, provider, endpoint, price or fact changed");
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
            model: after.model_in(new).map(|model| Arc::clone(&model.id)).unwrap_or_default(),
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
        facts_changed: fact_changes(old, new),
        deprecations: status_changes(old, new),
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
        assert_eq!(diff(&old, &old).to_string(), "no model, provider, endpoint, price or fact changed");
        let new = edited("providers/mistral/endpoints/small-4.toml", "\"0.60\"", "\"0.70\"").unwrap();
        let change = diff(&old, &new);
        assert_eq!(change.to_string(), "1 price sheet changed");
        assert_eq!(&*change.prices_changed[0].endpoint, "mistral/small-4");
        assert_eq!(&*change.prices_changed[0].model, "mistralai/small-4");
        let fewer = load(files().filter(|(file, _)| !file.ends_with("/old.toml"))).unwrap();
        assert_eq!(diff(&old, &fewer).to_string(), "1 model removed, 1 endpoint removed");
        assert_eq!(diff(&fewer, &old).to_string(), "1 model added, 1 endpoint added");
    }

    #[test]
    fn facts_and_deprecations_are_told_and_sources_are_not() {
        let old = snapshot();
        let model = "models/mistralai/small-4.toml";
        let endpoint = "providers/mistral/endpoints/small-4.toml";
        let rows = [
            (model, "max_output_tokens = 32768", "max_output_tokens = 65536", "1 fact changed"),
            (model, "tool_call = true\n", "", "1 fact changed"),
            (
                model,
                "as_of = \"2026-07-02\"",
                "as_of = \"2026-07-03\"",
                "no model, provider, endpoint, price or fact changed",
            ),
            (model, "name = \"Small 4\"", "name = \"Small Four\"", "1 fact changed"),
            (endpoint, "status = \"beta\"", "status = \"deprecated\"", "1 deprecation announced"),
            (endpoint, "status = \"beta\"", "status = \"alpha\"", "1 fact changed"),
            (model, "[facts]", "[facts]\nretires = \"2027-01-31\"", "1 deprecation announced"),
            (
                "providers/mistral/provider.toml",
                "retention_days = 0",
                "retention_days = 30",
                "1 fact changed",
            ),
        ];
        for (file, from, to, wanted) in rows {
            let change = diff(&old, &edited(file, from, to).unwrap());
            assert_eq!(change.to_string(), wanted, "{from} -> {to}");
        }
        let change = diff(&old, &edited(model, rows[0].1, rows[0].2).unwrap());
        let fact = &change.facts_changed[0];
        assert_eq!((&*fact.id, &*fact.fact), ("mistralai/small-4", "max_output_tokens"));
        assert_eq!((fact.old.as_deref(), fact.new.as_deref()), (Some("32768"), Some("65536")));
    }
}
