//! Filters, sorts and pages.

use std::cmp::Reverse;

use types::PriceKind;

use super::facts;
use super::parse::{Bounds, ModelQuery, Sort};
use crate::model::Model;
use crate::snapshot::Snapshot;

/// The models of one page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Positions in the snapshot's models, in order.
    pub indexes: Vec<usize>,
    /// How many models all pages have.
    pub total: usize,
    /// How many models precede this page.
    pub offset: usize,
}

impl Selection {
    /// The whole catalog, newest first.
    pub fn all(snapshot: &Snapshot) -> Selection {
        select(snapshot, &ModelQuery::default(), 0)
    }

    /// Where the next page begins, when there is one.
    pub fn next_offset(&self) -> Option<usize> {
        let next = self.offset.saturating_add(self.indexes.len());
        (next < self.total && !self.indexes.is_empty()).then_some(next)
    }
}

/// The models that `query` asks for. `now_day` is today, in days since 1970 (for ages).
pub fn select(snapshot: &Snapshot, query: &ModelQuery, now_day: i64) -> Selection {
    select_among(snapshot, query, now_day, &|_| true)
}

/// The models that `query` asks for, among those that `may` holds.
pub fn select_among(
    snapshot: &Snapshot,
    query: &ModelQuery,
    now_day: i64,
    may: &dyn Fn(&Model) -> bool,
) -> Selection {
    let numbered = snapshot.models.iter().enumerate().filter(|(_, model)| may(model));
    let mut found: Vec<(usize, &Model)> =
        numbered.filter(|(at, model)| matches(snapshot, query, *at, model, now_day)).collect();
    sort(snapshot, query.sort, &mut found);
    let total = found.len();
    let page = found.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX));
    Selection { indexes: page.map(|(at, _)| at).collect(), total, offset: query.offset }
}

fn matches(snapshot: &Snapshot, query: &ModelQuery, at: usize, model: &Model, now_day: i64) -> bool {
    let age = model.released_day().map(|day| now_day.saturating_sub(day));
    let listed = |list: &[String], item: &str| list.is_empty() || list.iter().any(|wanted| wanted == item);
    listed(&query.authors, &model.author)
        && query.context_min.is_none_or(|min| model.context_tokens().is_some_and(|tokens| tokens >= min))
        && query.input_modalities.iter().all(|wanted| model.input_modalities().contains(wanted))
        && (query.output_modalities.is_empty()
            || query.output_modalities.iter().any(|wanted| model.output_modalities().contains(wanted)))
        && query.words.iter().all(|word| mentions(model, word))
        && query.age_days.hold(age)
        && query.arch.as_ref().is_none_or(|arch| is_of_arch(model, arch))
        && query.distillable.is_none_or(|wanted| facts::is_distillable(model) == wanted)
        && scores_hold(query, model)
        && endpoints_hold(snapshot, query, at)
}

fn scores_hold(query: &ModelQuery, model: &Model) -> bool {
    query.intelligence.hold(facts::score(model, "intelligence index"))
        && query.coding.hold(facts::score(model, "coding index"))
        && query.agentic.hold(facts::score(model, "agentic index"))
        && query.tool_success.hold(facts::score(model, "tool success rate"))
}

/// What asks for endpoints. They are walked only when something does.
fn endpoints_hold(snapshot: &Snapshot, query: &ModelQuery, at: usize) -> bool {
    let price_holds = |bounds: &Bounds<types::Rate>, kind| {
        *bounds == Bounds::default() || bounds.hold(facts::lowest(snapshot, at, kind))
    };
    let any_endpoint = |test: &dyn Fn(&crate::Endpoint) -> bool| snapshot.model_endpoints(at).any(test);
    let served_by = |wanted: &String| {
        any_endpoint(&|endpoint| {
            endpoint
                .provider_in(snapshot)
                .is_some_and(|p| *p.id == **wanted || p.name.to_lowercase() == *wanted)
        })
    };
    (query.providers.is_empty() || query.providers.iter().any(served_by))
        && price_holds(&query.input_price, PriceKind::Input)
        && price_holds(&query.output_price, PriceKind::Output)
        && query.zdr.is_none_or(|wanted| any_endpoint(&|e| facts::keeps_nothing(snapshot, e)) == wanted)
        && query.region.is_none_or(|region| any_endpoint(&|e| facts::computes_in(snapshot, e, region)))
        && (query.supported_parameters.is_empty() || {
            let taken = snapshot.model_parameters(at);
            query.supported_parameters.iter().all(|wanted| taken.contains(&wanted.as_str()))
        })
}

fn mentions(model: &Model, word: &str) -> bool {
    model.id.contains(word)
        || model.name.to_lowercase().contains(word)
        || model.aliases.iter().any(|alias| alias.contains(word))
        || model.description.as_ref().is_some_and(|text| text.to_lowercase().contains(word))
}

/// By family (`mistral-small` is of `mistral`) or by stated architecture.
fn is_of_arch(model: &Model, arch: &str) -> bool {
    let family = model.family.as_deref().unwrap_or_default().to_lowercase();
    let stated = model.facts.architecture.as_ref().map(|claim| claim.value.to_lowercase());
    family.starts_with(arch) || stated.is_some_and(|text| text == arch)
}

fn sort(snapshot: &Snapshot, sort: Sort, found: &mut [(usize, &Model)]) {
    // Stable: each sort below keeps this order among equals.
    found.sort_by_key(|(_, model)| Reverse(model.released_day()));
    let price = |at: usize| facts::lowest_blended(snapshot, at);
    let by_score = |found: &mut [(usize, &Model)], name: &str| {
        found.sort_by_cached_key(|(_, model)| Reverse(facts::score(model, name)));
    };
    match sort {
        Sort::PricingLowToHigh => {
            found.sort_by_cached_key(|(at, _)| price(*at).map_or((1, 0), |sum| (0, sum)))
        }
        Sort::PricingHighToLow => found.sort_by_cached_key(|(at, _)| Reverse(price(*at))),
        Sort::ContextHighToLow => found.sort_by_key(|(_, model)| Reverse(model.context_tokens())),
        Sort::IntelligenceHighToLow => by_score(found, "intelligence index"),
        Sort::CodingHighToLow => by_score(found, "coding index"),
        Sort::AgenticHighToLow => by_score(found, "agentic index"),
        Sort::DesignArenaEloHighToLow => by_score(found, "design arena elo"),
        Sort::Newest
        | Sort::MostPopular
        | Sort::TopWeekly
        | Sort::ThroughputHighToLow
        | Sort::LatencyLowToHigh => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::snapshot;

    fn pairs(query: &str) -> Vec<(String, String)> {
        let split =
            |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        query.split('&').filter_map(split).collect()
    }

    #[test]
    fn filters_and_sorts() {
        let (old, vectors, small) = ("acme/old", "acme/vectors", "mistralai/small-4");
        let rows: [(&str, &[&str]); 38] = [
            ("", &[small, vectors, old]),
            ("output_modalities=all", &[small, vectors, old]),
            ("output_modalities=text", &[small, old]),
            ("output_modalities=image,embeddings", &[vectors]),
            ("input_modalities=text,image", &[small]),
            ("supported_parameters=tools,temperature", &[small]),
            ("supported_parameters=seed", &[small, old]),
            ("q=SMALL", &[small]),
            ("q=a+small", &[]),
            ("context=262144", &[small]),
            ("context=262145", &[]),
            ("min_price=0.14", &[small]),
            ("max_price=0.139", &[]),
            ("max_output_price=0.60", &[small]),
            ("min_output_price=0.61", &[]),
            ("arch=mistral", &[small]),
            ("model_authors=acme", &[vectors, old]),
            ("providers=mistral", &[small]),
            ("providers=Venice", &[small, old]),
            ("distillable=true", &[small]),
            ("zdr=true", &[small]),
            ("zdr=false", &[vectors, old]),
            ("region=eu", &[small]),
            ("region=us", &[]),
            ("max_age_days=100", &[small]),
            ("min_age_days=101", &[vectors, old]),
            ("min_intelligence_index=34.9", &[small]),
            ("min_intelligence_index=34.91", &[]),
            ("min_tool_success_rate=0", &[]),
            ("category=programming", &[small, vectors, old]),
            ("sort=newest", &[small, vectors, old]),
            ("sort=most-popular", &[small, vectors, old]),
            ("sort=pricing-low-to-high", &[small, vectors, old]),
            ("sort=context-high-to-low", &[small, vectors, old]),
            ("sort=intelligence-high-to-low", &[small, vectors, old]),
            ("limit=1", &[small]),
            ("offset=1&limit=1", &[vectors]),
            ("offset=2", &[old]),
        ];
        let snapshot = snapshot();
        let now_day = crate::kind::day("2026-06-24").unwrap();
        for (text, wanted) in rows {
            let query = ModelQuery::parse(&pairs(text)).unwrap();
            let found = select(&snapshot, &query, now_day);
            let ids: Vec<&str> = found.indexes.iter().map(|at| &*snapshot.models[*at].id).collect();
            assert_eq!(ids, wanted, "{text}");
        }
        let query = ModelQuery::parse(&pairs("limit=2&sort=newest")).unwrap();
        let page = select(&snapshot, &query, now_day);
        assert_eq!((page.total, page.next_offset(), query.is_filtered()), (3, Some(2), false));
        assert!(ModelQuery::parse(&pairs("q=x")).unwrap().is_filtered());
    }

    #[test]
    fn bad_values_say_what_is_allowed() {
        let rows = [
            ("limit=0", "1 to 1000"),
            ("limit=1001", "1 to 1000"),
            ("offset=-1", "a whole number"),
            ("sort=best", "newest, most-popular"),
            ("output_modalities=smell", "embeddings"),
            ("max_price=cheap", "dollars"),
            ("max_price=-1", "dollars"),
            ("zdr=maybe", "true or false"),
            ("region=mars", "eu, us"),
            ("category=gossip", "programming"),
            ("min_coding_index=high", "decimal"),
            ("use_rss=true", "no feed"),
        ];
        for (text, allowed) in rows {
            let error = ModelQuery::parse(&pairs(text)).unwrap_err();
            assert!(error.allowed.contains(allowed), "{text}: {error}");
            assert!(text.starts_with(&error.parameter) && text.ends_with(&error.value), "{error}");
        }
        assert!(ModelQuery::parse(&pairs("utm_source=x&limit=&use_rss=false")).is_ok());
    }
}
