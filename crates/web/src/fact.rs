//! A fact as pages show it: the value, who says so and when, why it was chosen, and what others say instead.

use catalog::{Claim, Rule, Snapshot};
use types::PriceKind;

use crate::format::{self, Shown};

/// What pages call facts, by their keys in files.
const NAMES: [(&str, &str); 30] = [
    ("active_parameters", "Active per token"),
    ("architecture", "Architecture"),
    ("cancel_stops_billing", "Leaving stops the bill"),
    ("context_tokens", "Context"),
    ("datacenters", "Computes in"),
    ("headquarters", "Based in"),
    ("input_modalities", "Input"),
    ("knowledge_cutoff", "Knowledge up to"),
    ("license", "License"),
    ("max_output_tokens", "Max output"),
    ("open_weights", "Weights"),
    ("output_modalities", "Output"),
    ("parameters", "Parameters"),
    ("price", "Price"),
    ("privacy_url", "Privacy policy"),
    ("purpose", "Purpose"),
    ("quantization", "Quantization"),
    ("reasoning", "Reasoning"),
    ("reasoning_efforts", "Reasoning efforts"),
    ("region", "Region"),
    ("released", "Released"),
    ("retention_days", "Keeps prompts"),
    ("structured_output", "JSON schema"),
    ("supported_parameters", "Parameters that it takes"),
    ("temperature", "Temperature"),
    ("terms_url", "Terms"),
    ("throughput_tokens_per_s", "Stated speed, tokens per second"),
    ("tool_call", "Tool calling"),
    ("trains_on_data", "Trains on prompts"),
    ("ttft_ms", "Stated time to first token, ms"),
];

/// What pages call a fact; one that they don't show keeps its key.
pub(crate) fn name_of(key: &str) -> &str {
    let price = || PriceKind::ALL.into_iter().find(|kind| kind.file_key() == key).map(format::price_name);
    let known = NAMES.iter().find(|(known, _)| *known == key).map(|(_, name)| *name);
    known.or_else(price).unwrap_or(key)
}

/// Where on a page a fact of this name stands.
pub(crate) fn anchor(name: &str) -> String {
    format!("fact-{}", slug(name))
}

/// The same on the page of offers, which may have several endpoints.
pub(crate) fn anchor_in(endpoint: &str, name: &str) -> String {
    format!("fact-{}-{}", slug(endpoint), slug(name))
}

fn slug(text: &str) -> String {
    let dashed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = text.chars().map(dashed).collect();
    slug.trim_matches('-').to_owned()
}

/// A sourced value.
#[derive(Clone)]
pub(crate) struct Fact {
    pub(crate) value: Shown,
    pub(crate) origin: Origin,
    /// Why this value was chosen over what others say.
    pub(crate) why: Option<&'static str>,
    pub(crate) others: Vec<Said>,
}

/// What another source says.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) value: Shown,
    pub(crate) origin: Origin,
}

/// Where something is said, and when.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) url: Option<String>,
    pub(crate) as_of: Shown,
}

impl Origin {
    pub(crate) fn of(snapshot: &Snapshot, source: &str, as_of: &str) -> Origin {
        let known = snapshot.source(source);
        let name = match source {
            catalog::CONFIG_SOURCE => String::from("this place's configuration"),
            _ => known.map_or_else(|| source.to_owned(), |known| known.name.clone()),
        };
        let url = known.map(|known| known.url.clone()).filter(|url| is_web(url));
        let as_of = if as_of.is_empty() { Shown::same("") } else { format::date(as_of) };
        Origin { name, url, as_of }
    }
}

/// What may become a link.
pub(crate) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

impl Fact {
    /// A claim, its values worded by `show`.
    pub(crate) fn of<T>(snapshot: &Snapshot, claim: &Claim<T>, show: impl Fn(&T) -> Shown) -> Fact {
        let others = claim.dissent.iter().map(|other| Said {
            value: show(&other.value),
            origin: Origin::of(snapshot, &other.source, &other.as_of),
        });
        Fact {
            value: show(&claim.value),
            origin: Origin::of(snapshot, &claim.source, &claim.as_of),
            why: claim.rule.map(why),
            others: others.collect(),
        }
    }

    /// How many sources say something else.
    pub(crate) fn disputes(&self) -> usize {
        self.others.iter().filter(|other| other.value.exact != self.value.exact).count()
    }
}

const fn why(rule: Rule) -> &'static str {
    match rule {
        Rule::VendorOrFeedOverPage => "the vendor or a kept feed counts more than a page about it",
        Rule::Newest => "the newest statement counts",
        Rule::Majority => "most sources say so",
        Rule::Measured => "what was measured counts more than what is stated",
        Rule::Cautious => "the reading that harms no caller counts",
        Rule::Kept => "what stood here counts until somebody looks into what a feed says",
    }
}

/// A line of a table of facts. Without a fact it is not sourced.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) fact: Option<Fact>,
}

impl Line {
    /// Where on the page it stands.
    pub(crate) fn anchor(&self) -> String {
        anchor(self.name)
    }

    pub(crate) fn of<T>(
        snapshot: &Snapshot,
        name: &'static str,
        claim: Option<&Claim<T>>,
        show: impl Fn(&T) -> Shown,
    ) -> Line {
        Line { name, fact: claim.map(|claim| Fact::of(snapshot, claim, show)) }
    }
}

/// Whether something can be done, told in three ways: yes, no, nobody says.
pub(crate) struct Ability {
    pub(crate) name: &'static str,
    pub(crate) holds: Option<bool>,
    pub(crate) fact: Option<Fact>,
}

impl Ability {
    /// Where on the page it stands.
    pub(crate) fn anchor(&self) -> String {
        anchor(self.name)
    }

    /// For the class of its mark.
    pub(crate) fn class(&self) -> &'static str {
        match self.holds {
            Some(true) => "is-yes",
            Some(false) => "is-no",
            None => "is-open",
        }
    }

    /// In a word.
    pub(crate) fn word(&self) -> &'static str {
        match self.holds {
            Some(true) => "Yes",
            Some(false) => "No",
            None => "Unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Origin, is_web};
    use crate::format;
    use crate::testing::SMALL;

    #[test]
    fn a_fact_keeps_who_says_otherwise() {
        let model = SMALL.model("mistralai/small-4").unwrap();
        let claim = model.facts.context_tokens.as_ref().unwrap();
        let fact = Fact::of(&SMALL, claim, |tokens| format::tokens(*tokens));
        assert_eq!((fact.value.exact.as_str(), fact.origin.name.as_str()), ("256,000", "Vendor page"));
        assert_eq!((fact.disputes(), fact.others[0].origin.name.as_str()), (1, "Feed"));
        assert_eq!(fact.why, Some("most sources say so"));
    }

    #[test]
    fn an_origin_links_only_to_the_web() {
        let known = Origin::of(&SMALL, "page", "2026-06-15");
        assert_eq!(known.url.as_deref(), Some("https://page.example/prices?a=1&b=2"));
        let config = Origin::of(&SMALL, "config", "");
        assert_eq!((config.name.as_str(), config.url), ("this place's configuration", None));
        assert!(!is_web("javascript:alert(1)") && !is_web("//evil.example"));
    }
}
