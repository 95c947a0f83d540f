//! What a key may do beyond its spend limit, expiry and rates: kept as JSON beside them.

use std::net::IpAddr;
use std::sync::Arc;

use ledger::Period;
use serde::{Deserialize, Serialize};
use types::{Network, any_contains};

/// Most entries of any list.
const LIST_MAX: usize = 100;
/// Most tags of a key: each may have budgets of its own.
const TAGS_MAX: usize = 8;
/// Longest text in a list.
const TEXT_CHARS_MAX: usize = 120;

/// Bounds and defaults of one key. What is left out does not bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Over what span the spend limit counts.
    pub limit_reset: Period,
    /// What calls with the owner's own provider keys would have cost counts too.
    pub include_byok_in_limit: bool,
    /// Tokens per minute, in and out.
    pub tokens_per_minute: Option<u32>,
    /// Only models of these ids, in which `*` stands for anything.
    pub allowed_models: Vec<String>,
    /// Of the models only those of these access lists, instead of those of its holder's groups.
    pub access_lists: Vec<String>,
    /// Only these providers, by slug.
    pub allowed_providers: Vec<String>,
    /// Only from these addresses.
    pub allowed_ips: Vec<Network>,
    /// Only providers that are known to keep nothing.
    pub zero_retention: bool,
    /// Only providers that are known not to train on prompts.
    pub no_training: bool,
    /// Only where it is computed there: `eu`, or a country.
    pub regions: Vec<String>,
    /// The preset of requests that name none.
    pub default_preset: Option<String>,
    /// Where the dial stands in requests that don't say, 0 (quality) to 1 (cost).
    pub default_dial: Option<f64>,
    /// Whether prompts and answers are kept, where the account wants that at all.
    pub logging: bool,
    /// What it belongs to; budgets and reports go by it.
    pub tags: Vec<String>,
    /// Virtual models may try another candidate about as good now and then.
    pub explore: bool,
    /// A second provider may be asked when the first is late.
    pub hedge: bool,
    /// What of its requests and answers is watched.
    pub guardrails: Option<Arc<guardrails::Rules>>,
    /// Freezes the key when it spends so many times its usual hour; 0: never.
    pub freeze_at_times_usual: u32,
    /// Whether its calls are part of rankings and other numbers that pages show of everybody; `None`: as `site.public_stats` says. The
    /// store looks for it in what is written here.
    pub public_stats: Option<bool>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            limit_reset: Period::Total,
            include_byok_in_limit: false,
            tokens_per_minute: None,
            allowed_models: Vec::new(),
            access_lists: Vec::new(),
            allowed_providers: Vec::new(),
            allowed_ips: Vec::new(),
            zero_retention: false,
            no_training: false,
            regions: Vec::new(),
            default_preset: None,
            default_dial: None,
            logging: false,
            tags: Vec::new(),
            explore: true,
            hedge: true,
            guardrails: None,
            freeze_at_times_usual: 0,
            public_stats: None,
        }
    }
}

impl Limits {
    /// From what the store has. What no version of ours can read bounds everything: a key never gets wider by an accident.
    pub fn read(text: &str) -> Limits {
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!(%error, "the rules of a key can't be read; it may call nothing until they are written again");
            Limits { allowed_models: vec![String::from("(unreadable rules)")], ..Limits::default() }
        })
    }

    /// As the store has it.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is wrong with it, for whoever wrote it.
    pub fn check(&self) -> Result<(), String> {
        let lists = [
            ("allowed_models", &self.allowed_models, LIST_MAX),
            ("access_lists", &self.access_lists, LIST_MAX),
            ("allowed_providers", &self.allowed_providers, LIST_MAX),
            ("regions", &self.regions, LIST_MAX),
            ("tags", &self.tags, TAGS_MAX),
        ];
        for (name, list, max) in lists {
            if list.len() > max {
                return Err(format!("`{name}` has {} entries; it takes at most {max}", list.len()));
            }
            let plain = |text: &String| {
                !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX && !text.contains(char::is_control)
            };
            if !list.iter().all(plain) {
                return Err(format!(
                    "each entry of `{name}` has 1 to {TEXT_CHARS_MAX} characters and no control characters"
                ));
            }
        }
        if self.allowed_ips.len() > LIST_MAX {
            return Err(format!("`allowed_ips` takes at most {LIST_MAX} entries"));
        }
        if self.default_dial.is_some_and(|dial| !(0.0..=1.0).contains(&dial)) {
            return Err(String::from("`default_dial` is a number from 0 (quality) to 1 (cost)"));
        }
        if self.freeze_at_times_usual == 1 {
            return Err(String::from("`freeze_at_times_usual` is 0 (never) or 2 and more"));
        }
        Ok(())
    }

    /// Whether it may call from an address.
    pub(crate) fn admits(&self, address: Option<IpAddr>) -> bool {
        self.allowed_ips.is_empty() || address.is_some_and(|address| any_contains(&self.allowed_ips, address))
    }

    /// Whether it may call a model.
    pub(crate) fn allows_model(&self, id: &str) -> bool {
        self.allowed_models.is_empty()
            || self.allowed_models.iter().any(|pattern| routing::filters::matches_pattern(pattern, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_not_known_is_refused() {
        let limits = Limits { tags: vec!["blue".into()], default_dial: Some(0.25), ..Limits::default() };
        assert_eq!(Limits::read(&limits.write()), limits);
        assert_eq!(Limits::read("{}"), Limits::default());
        assert!(!Limits::read("{\"nonsense\":1}").allows_model("openai/gpt-5"), "never wider by accident");
        let ips: Limits = serde_json::from_str(r#"{"allowed_ips":["10.0.0.0/8"]}"#).unwrap();
        assert!(
            ips.admits("10.1.2.3".parse().ok()) && !ips.admits("11.1.2.3".parse().ok()) && !ips.admits(None)
        );
        let error = serde_json::from_str::<Limits>(r#"{"allowed_ips":["ten"]}"#).unwrap_err().to_string();
        assert!(error.contains("`ten` is no address"), "{error}");
        assert!(Limits { default_dial: Some(1.5), ..Limits::default() }.check().is_err());
    }
}
