//! What is kept of an own key beside its text, and how an account uses its keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// What the provider said of a key when it was entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tested {
    /// It took it.
    Ok,
    /// It refused it.
    Refused,
    /// It has no free call to ask with, or did not answer.
    #[default]
    NotTested,
}

/// What is kept of an own key beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySettings {
    /// The name that its owner gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What may be shown of it.
    pub label: String,
    /// Switched off.
    #[serde(default)]
    pub disabled: bool,
    /// Comes after the operator's own, where no strategy says otherwise.
    #[serde(default)]
    pub is_fallback: bool,
    /// Order among the account's keys of the provider, the lowest first.
    #[serde(default)]
    pub sort_order: i64,
    /// The only models it is used for: ids, `*` at the end stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// The only keys of ours that may use it, by the hash of their text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_api_key_hashes: Option<Vec<String>>,
    /// The only address it is sent to, where that isn't the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What the provider said.
    #[serde(default)]
    pub tested: Tested,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested_at: Option<Timestamp>,
}

impl KeySettings {
    /// Reads what is stored.
    pub fn read(text: &str) -> Option<KeySettings> {
        serde_json::from_str(text).ok()
    }

    /// What is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it is used for a model, called with a key of ours.
    pub fn serves(&self, model: &str, api_key_hash: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(head) => model.starts_with(head),
            None => pattern == model,
        };
        !self.disabled
            && self.allowed_models.as_ref().is_none_or(|models| models.iter().any(fits))
            && self
                .allowed_api_key_hashes
                .as_ref()
                .is_none_or(|hashes| hashes.iter().any(|hash| hash == api_key_hash))
    }
}

/// Whose key goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The operator's only.
    Ours,
    /// The account's only.
    Mine,
    /// The operator's, then the account's.
    OursThenMine,
    /// The account's, then the operator's.
    MineThenOurs,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 4] =
        [Strategy::Ours, Strategy::Mine, Strategy::OursThenMine, Strategy::MineThenOurs];

    /// `mine_then_ours`
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Ours => "ours",
            Strategy::Mine => "mine",
            Strategy::OursThenMine => "ours_then_mine",
            Strategy::MineThenOurs => "mine_then_ours",
        }
    }
}

/// What happens when the balance for fees is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    /// Calls with own keys are refused.
    #[default]
    Refuse,
    /// Fees are taken from credits.
    Credits,
}

/// How an account uses its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettings {
    /// What happens when the balance for fees is empty.
    #[serde(default)]
    pub on_empty: OnEmpty,
    /// Whose key goes first, by provider.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, Strategy>,
    /// Whose key goes first, by model; goes before what holds for the provider.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, Strategy>,
}

impl AccountSettings {
    /// Reads what is stored; what was never written is the default.
    pub fn read(text: &str) -> Option<AccountSettings> {
        if text.is_empty() { Some(AccountSettings::default()) } else { serde_json::from_str(text).ok() }
    }

    /// What is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whose key goes first for a model at a provider, where somebody said.
    pub fn strategy(&self, provider: &str, model: &str) -> Option<Strategy> {
        self.models.get(model).or_else(|| self.providers.get(provider)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_serves_what_its_owner_allows() {
        let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        let open = KeySettings::default();
        let models = KeySettings { allowed_models: list(&["a/b", "c/*"]), ..open.clone() };
        let keys = KeySettings { allowed_api_key_hashes: list(&["aa"]), ..open.clone() };
        let off = KeySettings { disabled: true, ..open.clone() };
        let rows = [
            (&open, "a/b", "bb", true),
            (&off, "a/b", "bb", false),
            (&models, "a/b", "bb", true),
            (&models, "a/bc", "bb", false),
            (&models, "c/d", "bb", true),
            (&keys, "a/b", "aa", true),
            (&keys, "a/b", "bb", false),
        ];
        for (settings, model, hash, serves) in rows {
            assert_eq!(settings.serves(model, hash), serves, "{settings:?} {model} {hash}");
            assert_eq!(KeySettings::read(&settings.text()).as_ref(), Some(settings));
        }
    }

    #[test]
    fn a_model_s_strategy_goes_before_its_provider_s() {
        let text = r#"{"providers":{"p":"mine"},"models":{"a/b":"ours"}}"#;
        let settings = AccountSettings::read(text).unwrap();
        assert_eq!(settings.strategy("p", "a/b"), Some(Strategy::Ours));
        assert_eq!(settings.strategy("p", "a/c"), Some(Strategy::Mine));
        assert_eq!(settings.strategy("q", "a/c"), None);
        assert_eq!(AccountSettings::read(&settings.text()), Some(settings));
        assert_eq!(AccountSettings::read(""), Some(AccountSettings::default()));
    }
}
