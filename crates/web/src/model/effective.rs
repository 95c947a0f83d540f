//! What the cache made of the input price of late, at each provider, out of this place's own calls.

use axum::http::HeaderMap;
use types::PriceKind;

use crate::describe;
use crate::format::{self, Shown};
use crate::index::rate;
use crate::traffic::{self, View};
use crate::visit::Visit;

/// A provider's.
pub(crate) struct Effective {
    pub(crate) provider: String,
    pub(crate) price: Shown,
    /// Of the input, so much was read from the cache.
    pub(crate) share: Shown,
    pub(crate) requests: Shown,
    pub(crate) formula: String,
}

/// At every provider that has a price for input and one for what it reads from its cache, and was called often enough to be told of.
/// Where a provider has several offers, the prices are those of the first.
pub(crate) async fn of(visit: &Visit, headers: &HeaderMap, model: usize) -> Vec<Effective> {
    let snapshot = visit.snapshot();
    let Some(id) = snapshot.models.get(model).map(|model| &*model.id) else { return Vec::new() };
    let Some(uses) = visit.site.cache_use().await else { return Vec::new() };
    let Some(own) = uses.get(id) else { return Vec::new() };
    let viewer = visit.site.viewer(headers).await;
    let Ok(view) = View::of(visit.site.ranking_rules(), viewer) else { return Vec::new() };
    let told = |(slug, requests, read, input): (&str, u64, u64, u64)| {
        let mut offers = snapshot.model_endpoints(model);
        let (endpoint, provider) = offers.find_map(|endpoint| {
            let provider = endpoint.provider_in(snapshot).filter(|provider| *provider.id == *slug)?;
            Some((endpoint, provider))
        })?;
        let prices = rate(endpoint, PriceKind::Input).zip(rate(endpoint, PriceKind::CacheRead))?;
        let effective = describe::effective(prices.0, prices.1, read, input)?;
        Some(Effective {
            provider: provider.name.to_string(),
            price: effective.price,
            share: format::percent(read, input),
            requests: format::short(requests),
            formula: effective.formula,
        })
    };
    traffic::cached(own, view).into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::testing::{Records, SMALL, Still, see};
    use crate::traffic::{Audience, CacheUse, RankingRules};

    fn used(provider: &str, account: &str, requests: u64, cache_read: u64) -> CacheUse {
        CacheUse {
            provider: provider.into(),
            account: account.into(),
            requests,
            input: 1_000_000,
            cache_read,
        }
    }

    async fn page(uses: Vec<CacheUse>, rules: RankingRules) -> crate::testing::Answer {
        let cache_use = HashMap::from([("mistralai/small-4".to_owned(), uses)]);
        let records = Records { cache_use, rules, ..Records::default() };
        see(Still::new(&SMALL, &["mistral"]).recorded(records), "/mistralai/small-4").await
    }

    #[tokio::test]
    async fn what_was_read_from_the_cache_makes_the_price() {
        let three = |read| ["a", "b", "c"].map(|account| used("mistral", account, 7, read)).to_vec();
        let shown = page(three(400_000), RankingRules::default()).await;
        // 0.6 x 0.15 + 0.4 x 0.015 = 0.096.
        shown.holds("60% of input at $0.15 and 40% at $0.015 per 1M tokens");
        shown.holds("$0.096");
        shown.holds("<td class=\"n\">21</td>");
        // Too few stand behind it, too few calls, nobody may see it, no price for the cache.
        page(three(400_000)[..2].to_vec(), RankingRules::default()).await.lacks("effective-title");
        page(three(1), RankingRules { requests_min: 22, ..RankingRules::default() })
            .await
            .lacks("effective-title");
        page(three(1), RankingRules { audience: Audience::Off, ..RankingRules::default() })
            .await
            .lacks("effective-title");
        let venice: Vec<_> =
            three(1).into_iter().map(|one| CacheUse { provider: "venice".into(), ..one }).collect();
        page(venice, RankingRules::default()).await.lacks("effective-title");
    }
}
