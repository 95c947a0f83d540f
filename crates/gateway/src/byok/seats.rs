//! Whose key goes first: the attempts of a plan, each with the operator's key or one of the account's own.
//!
//! - Where no strategy is set, own keys go before the operator's, those marked as fallback behind it.
//! - `ours` and `mine` use one kind only. `mine_then_ours` and `ours_then_mine` put all own keys on that side.
//! - A model's endpoints share an order: what goes first goes first at all of them, in the plan's own order. The order of models
//!   stays as it was.
//! - What the request asks of endpoints (data policies, prices, regions) was looked at before; a key changes nothing about it.

use routing::health::{Figures, Size};
use routing::plan::{Conditions, Step};
use types::Timestamp;

use super::own::Own;
use super::settings::Strategy;
use crate::keys::KeyState;
use crate::world::World;

/// Why an own key stands where it stands.
const FIRST: &str = "a key of your own, which goes before the operator's";
const LAST: &str = "a key of your own, which stands behind the operator's";
const ONLY: &str = "a key of your own, the only kind that may be used here";

/// Who can serve an endpoint.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seats {
    before: Vec<u16>,
    shared: bool,
    after: Vec<u16>,
}

impl Own {
    fn seats(&self, provider: &str, model: &str, api_key_hash: &str) -> Seats {
        let strategy = self.settings.strategy(provider, model);
        if strategy == Some(Strategy::Ours) {
            return Seats { shared: true, ..Seats::default() };
        }
        let usable = (0u16..)
            .zip(&self.keys)
            .filter(|(_, key)| key.row.provider == provider && key.settings.serves(model, api_key_hash));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (number, key) in usable {
            let last = match strategy {
                None => key.settings.is_fallback,
                Some(strategy) => strategy == Strategy::OursThenMine,
            };
            if last { after.push(number) } else { before.push(number) }
        }
        Seats { before, shared: strategy != Some(Strategy::Mine), after }
    }
}

/// What a node knows about its endpoints, with what an account brought along.
pub(crate) struct Reach<'a> {
    pub(crate) world: &'a World,
    pub(crate) now: Timestamp,
    pub(crate) own: &'a Own,
    pub(crate) api_key_hash: &'a str,
}

impl Reach<'_> {
    /// The seats of an endpoint; `None`: there is no such endpoint.
    fn seats(&self, endpoint: usize) -> Option<Seats> {
        let known = self.world.snapshot.endpoints.get(endpoint)?;
        let (provider, model) =
            (known.provider_in(&self.world.snapshot)?, known.model_in(&self.world.snapshot)?);
        Some(self.own.seats(&provider.id, &model.id, self.api_key_hash))
    }
}

impl Conditions for Reach<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        let shared = Conditions::switched_on(self.world, endpoint);
        self.seats(endpoint).map_or(shared, |seats| {
            (seats.shared && shared) || !seats.before.is_empty() || !seats.after.is_empty()
        })
    }

    fn healthy(&self, endpoint: usize) -> bool {
        // How the operator's key fares says nothing about another.
        self.world.at(self.now).healthy(endpoint)
            || self.seats(endpoint).is_some_and(|seats| !seats.before.is_empty())
    }

    fn figures(&self, endpoint: usize, size: Size) -> Figures {
        self.world.at(self.now).figures(endpoint, size)
    }

    fn load(&self, endpoint: usize) -> f64 {
        self.world.at(self.now).load(endpoint)
    }
}

/// Puts own keys into a plan. `attempts_max`: how many attempts it may have.
pub(crate) fn expand(
    (world, now): (&World, Timestamp),
    own: &Own,
    key: &KeyState,
    steps: &mut Vec<Step>,
    attempts_max: usize,
) {
    let hash = key.rules.hash.to_hex();
    let reach = Reach { world, now, own, api_key_hash: &hash };
    let model = |step: &Step| world.snapshot.endpoints.get(step.endpoint as usize).map(|e| e.model);
    let together = |a: &Step, b: &Step| a.target == b.target && model(a) == model(b);
    let mut all = Vec::with_capacity(steps.len());
    for group in steps.chunk_by(together) {
        let (mut first, mut shared, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for step in group {
            let seats = reach.seats(step.endpoint as usize).unwrap_or_default();
            let mine = |own: u16, reason| Step { own: Some(own), reason, ..step.clone() };
            let before = if seats.shared { FIRST } else { ONLY };
            first.extend(seats.before.iter().map(|own| mine(*own, before)));
            last.extend(seats.after.iter().map(|own| mine(*own, LAST)));
            if seats.shared && Conditions::switched_on(world, step.endpoint as usize) {
                shared.push(step.clone());
            }
        }
        all.extend(first.into_iter().chain(shared).chain(last));
    }
    all.truncate(attempts_max.max(1));
    *steps = all;
}

/// Whose key an attempt is made with, for those who see plans.
pub(crate) fn told(own: Option<&Own>, step: &Step) -> serde_json::Value {
    match step.own.and_then(|number| own?.key(number)) {
        None => serde_json::json!({"whose": "ours"}),
        Some(key) => serde_json::json!({"whose": "mine", "id": key.row.id, "label": key.settings.label}),
    }
}

#[cfg(test)]
mod tests {
    use store::ByokRow;
    use types::AccountId;

    use super::super::settings::{AccountSettings, KeySettings};
    use super::*;

    fn own(strategies: &str, keys: &[(&str, &str, bool, i64)]) -> Own {
        let rows = keys.iter().zip(1i64..).map(|((id, provider, is_fallback, sort_order), number)| ByokRow {
            id: (*id).to_owned(),
            account: AccountId::new("acct_a"),
            provider: (*provider).to_owned(),
            sealed: format!("1.{id}"),
            master: String::new(),
            settings: KeySettings {
                is_fallback: *is_fallback,
                sort_order: *sort_order,
                ..KeySettings::default()
            }
            .text(),
            created: Timestamp(number),
            created_by: String::new(),
            deleted: false,
            changed_seq: number,
        });
        rows.fold(Own::default().with_settings(strategies), |own, row| own.with_key(&row))
    }

    #[test]
    fn strategies_say_whose_key_goes_first() {
        let keys = [("b", "p", false, 2), ("a", "p", false, 1), ("z", "p", true, 0), ("q", "q", false, 0)];
        // provider, model, strategies, before, shared, after
        let rows = [
            ("p", "m/x", "", "ab", true, "z"),
            ("q", "m/x", "", "q", true, ""),
            ("r", "m/x", "", "", true, ""),
            ("p", "m/x", r#"{"providers":{"p":"ours"}}"#, "", true, ""),
            ("p", "m/x", r#"{"providers":{"p":"mine"}}"#, "abz", false, ""),
            ("r", "m/x", r#"{"providers":{"r":"mine"}}"#, "", false, ""),
            ("p", "m/x", r#"{"providers":{"p":"mine_then_ours"}}"#, "abz", true, ""),
            ("p", "m/x", r#"{"providers":{"p":"ours_then_mine"}}"#, "", true, "abz"),
            ("p", "m/x", r#"{"providers":{"p":"mine"},"models":{"m/x":"ours"}}"#, "", true, ""),
            ("p", "m/y", r#"{"providers":{"p":"mine"},"models":{"m/x":"ours"}}"#, "abz", false, ""),
        ];
        for (provider, model, strategies, before, shared, after) in rows {
            let own = own(strategies, &keys);
            assert!(AccountSettings::read(strategies).is_some());
            let seats = own.seats(provider, model, "hash");
            let ids = |numbers: &[u16]| {
                numbers.iter().map(|n| own.key(*n).unwrap().row.id.as_str()).collect::<String>()
            };
            assert_eq!(
                (ids(&seats.before).as_str(), seats.shared, ids(&seats.after).as_str()),
                (before, shared, after),
                "{provider} {model} {strategies}"
            );
        }
    }

    #[test]
    fn an_older_row_changes_nothing_and_a_deleted_key_is_gone() {
        let mine = own("", &[("a", "p", false, 1)]);
        let row = mine.keys[0].row.clone();
        let gone = mine.with_key(&ByokRow { deleted: true, changed_seq: 2, ..row.clone() });
        assert!(gone.keys.is_empty());
        assert_eq!(mine.with_key(&ByokRow { deleted: true, changed_seq: 1, ..row }).keys.len(), 1);
    }
}
