//! How much models are used here: what lists are sorted by. The numbers and the rules are those of `/rankings` for a month.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::rankings;
use crate::traffic::{self, UseAsk, UseBy, UseRow, View, Window};
use crate::visit::Visit;

/// How long is looked back.
const DAYS: i64 = 30;

/// Models by use.
#[derive(Debug, PartialEq)]
pub(crate) struct Popularity {
    pub(crate) window: Window,
    /// By id.
    places: HashMap<String, Place>,
}

/// A model's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 1: nothing is used more.
    pub(crate) place: usize,
    pub(crate) tokens: u64,
    pub(crate) requests: u64,
}

/// What was worked out last, for as long as the numbers are the same.
pub(crate) struct Known {
    rows: Arc<Vec<UseRow>>,
    window: Window,
    is_whole: bool,
    popularity: Arc<Popularity>,
}

/// The place where it is kept.
pub(crate) type Kept = ArcSwapOption<Known>;

impl Popularity {
    /// The place of a model; `None`: too little is known, or too few stand behind it.
    pub(crate) fn of(&self, model: &str) -> Option<Place> {
        self.places.get(model).copied()
    }

    /// How many models have a place.
    pub(crate) fn ranked(&self) -> usize {
        self.places.len()
    }

    /// A model's place for programs.
    pub(crate) fn told(&self, model: &str) -> Option<Value> {
        let place = self.of(model)?;
        Some(json!({
            "place": place.place,
            "of": self.ranked(),
            "tokens": place.tokens,
            "requests": place.requests,
            "window": rankings::told_window(self.window),
        }))
    }
}

/// What who asks may see; `None`: nothing of it, nothing was used, or the store doesn't answer.
pub(crate) async fn of(visit: &Visit, headers: &HeaderMap) -> Option<Arc<Popularity>> {
    let viewer = visit.site.viewer(headers).await;
    let view = View::of(visit.site.ranking_rules(), viewer).ok()?;
    let window = rankings::window(visit, DAYS);
    let rows = visit.site.traffic(UseAsk::all(UseBy::Model, window.asked())).await?;
    let is_same = |known: &Arc<Known>| {
        Arc::ptr_eq(&known.rows, &rows) && known.window == window && known.is_whole == view.is_whole
    };
    if let Some(known) = visit.popularity().load_full().filter(is_same) {
        return Some(Arc::clone(&known.popularity)).filter(|known| known.ranked() > 0);
    }
    let ranking = traffic::rank(&rows, window, view, |value| {
        (!value.is_empty() && !visit.is_sandbox(value)).then(|| value.to_owned())
    });
    let ranks = ranking.ranks.into_iter().enumerate();
    let places = ranks.map(|(at, rank)| {
        let place = Place { place: at + 1, tokens: rank.now.tokens(), requests: rank.now.requests };
        (rank.key, place)
    });
    let popularity = Arc::new(Popularity { window, places: places.collect() });
    let known = Known { rows, window, is_whole: view.is_whole, popularity: Arc::clone(&popularity) };
    visit.popularity().store(Some(Arc::new(known)));
    Some(popularity).filter(|known| known.ranked() > 0)
}

#[cfg(test)]
mod tests {
    use types::OWNER_ACCOUNT;

    use crate::testing::{Records, SMALL, Still, Used, see};
    use crate::{Audience, RankingRules};

    fn world(audience: Audience) -> Still {
        let of = |model, requests, account| Used { model, requests, account, ..Used::default() };
        let used = vec![
            of("mistralai/large-3", 20, OWNER_ACCOUNT),
            of("acme/bare", 50, OWNER_ACCOUNT),
            of("mistralai/small-4", 900, "acct_alone"),
        ];
        let rules = RankingRules { audience, ..RankingRules::default() };
        Still::new(&SMALL, &["mistral"]).recorded(Records { used, rules, ..Records::default() })
    }

    fn order(page: &str) -> Vec<&str> {
        page.split("<th scope=\"row\"><a href=\"/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect()
    }

    #[tokio::test]
    async fn models_are_sorted_by_what_is_used_here() {
        let page = see(world(Audience::Public), "/models?sort=popular").await;
        assert_eq!(order(&page.text)[..2], ["acme/bare", "mistralai/large-3"]);
        page.holds("<option value=\"popular\" selected>");
        // 50 requests of 100 tokens in and 10 out.
        page.holds("<span title=\"5,500\">5.5K</span> tokens here");
        page.lacks("99,000");
        let other = see(world(Audience::Public), "/models").await;
        other.holds("<option value=\"popular\">");
        other.lacks("tokens here");
        let twin = see(world(Audience::Public), "/models.json?sort=popular").await;
        let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        let used = &told["data"][0]["used"];
        assert_eq!((&used["place"], &used["of"], &used["requests"]), (&1.into(), &2.into(), &50.into()));
        assert_eq!(used["window"]["days"], 30);
        assert_eq!(told["data"][2]["used"], serde_json::Value::Null, "one account stands behind it");
    }

    #[tokio::test]
    async fn who_may_not_see_it_is_told_nothing_of_it() {
        let page = see(world(Audience::Off), "/models?sort=popular").await;
        assert_eq!(order(&page.text), order(&see(world(Audience::Off), "/models").await.text));
        page.lacks("Popular here");
        page.lacks("tokens here");
        see(world(Audience::Off), "/models.json").await.holds("\"used\":null");
        let nothing = see(Still::new(&SMALL, &["mistral"]), "/models").await;
        nothing.lacks("Popular here");
    }

    #[tokio::test]
    async fn a_model_says_its_place() {
        let page = see(world(Audience::Public), "/mistralai/large-3").await;
        page.holds("of 2 models by tokens");
        let twin = see(world(Audience::Public), "/mistralai/large-3.json").await;
        let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        assert_eq!(told["used"]["place"], 2);
    }
}
