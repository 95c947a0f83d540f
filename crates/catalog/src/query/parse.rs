//! Reads query parameters.

use types::{Money, Rate};

use crate::model::Modality;
use crate::named::named;

/// The most models of one page.
const LIMIT_MAX: usize = 1000;
/// Models of a page when only an offset is given.
const LIMIT_DEFAULT: usize = 500;
/// The longest value, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

const CATEGORIES: [&str; 13] = [
    "programming",
    "roleplay",
    "marketing",
    "marketing/seo",
    "technology",
    "science",
    "translation",
    "legal",
    "finance",
    "health",
    "trivia",
    "academia",
    "other",
];

named! {
    /// The order of a selection.
    #[derive(Default)]
    Sort {
        /// Latest release first, unknown last.
        #[default]
        Newest = "newest",
        /// Needs live data.
        MostPopular = "most-popular",
        /// Needs live data.
        TopWeekly = "top-weekly",
        /// By the price of three parts input and one part output, unknown last.
        PricingLowToHigh = "pricing-low-to-high",
        /// By the price of three parts input and one part output, unknown last.
        PricingHighToLow = "pricing-high-to-low",
        /// Longest context first.
        ContextHighToLow = "context-high-to-low",
        /// Needs live data.
        ThroughputHighToLow = "throughput-high-to-low",
        /// Needs live data.
        LatencyLowToHigh = "latency-low-to-high",
        /// By published index.
        IntelligenceHighToLow = "intelligence-high-to-low",
        /// By published index.
        CodingHighToLow = "coding-high-to-low",
        /// By published index.
        AgenticHighToLow = "agentic-high-to-low",
        /// By published Elo.
        DesignArenaEloHighToLow = "design-arena-elo-high-to-low",
    }
}

named! {
    /// A place that law is made for.
    Region {
        /// The European Union.
        Eu = "eu",
        /// The United States.
        Us = "us",
    }
}

/// A value that a parameter does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("query parameter `{parameter}` is `{value}`; allowed: {allowed}")]
pub struct QueryError {
    /// The parameter.
    pub parameter: String,
    /// What it was given, at most 80 characters.
    pub value: String,
    /// What it takes.
    pub allowed: String,
}

/// Smallest and largest, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds<T> {
    pub(crate) min: Option<T>,
    pub(crate) max: Option<T>,
}

impl<T> Default for Bounds<T> {
    fn default() -> Bounds<T> {
        Bounds { min: None, max: None }
    }
}

impl<T: PartialOrd + Copy> Bounds<T> {
    /// True without bounds; false for the unknown within bounds.
    pub(crate) fn hold(&self, value: Option<T>) -> bool {
        match value {
            Some(value) => self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max),
            None => self.min.is_none() && self.max.is_none(),
        }
    }
}

/// What was asked for. The default asks for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelQuery {
    pub(crate) offset: usize,
    pub(crate) limit: Option<usize>,
    pub(crate) supported_parameters: Vec<String>,
    pub(crate) output_modalities: Vec<Modality>,
    pub(crate) input_modalities: Vec<Modality>,
    pub(crate) words: Vec<String>,
    pub(crate) sort: Sort,
    pub(crate) context_min: Option<u64>,
    pub(crate) input_price: Bounds<Rate>,
    pub(crate) output_price: Bounds<Rate>,
    pub(crate) arch: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) providers: Vec<String>,
    pub(crate) distillable: Option<bool>,
    pub(crate) zdr: Option<bool>,
    pub(crate) region: Option<Region>,
    pub(crate) age_days: Bounds<i64>,
    pub(crate) intelligence: Bounds<Money>,
    pub(crate) coding: Bounds<Money>,
    pub(crate) agentic: Bounds<Money>,
    pub(crate) tool_success: Bounds<Money>,
}

impl ModelQuery {
    /// Reads decoded pairs of name and value. An empty value is as none; an unknown name is ignored, as clients add
    /// their own. Of a name that comes twice the last holds.
    pub fn parse(pairs: &[(String, String)]) -> Result<ModelQuery, QueryError> {
        let mut query = ModelQuery::default();
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            query.set(name, value).map_err(|allowed| QueryError {
                parameter: name.clone(),
                value: value.chars().take(80).collect(),
                allowed,
            })?;
        }
        if query.offset > 0 && query.limit.is_none() {
            query.limit = Some(LIMIT_DEFAULT);
        }
        Ok(query)
    }

    /// True when only some models were asked for. Paging and sorting do not filter.
    pub fn is_filtered(&self) -> bool {
        let unfiltered =
            ModelQuery { offset: self.offset, limit: self.limit, sort: self.sort, ..ModelQuery::default() };
        *self != unfiltered
    }

    /// How many models precede the page.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The size of a page; `None`: everything.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// The error is what would be allowed.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(format!("at most {VALUE_BYTES_MAX} bytes"));
        }
        match name {
            "offset" => self.offset = whole(value)?,
            "limit" => self.limit = Some(limit(value)?),
            "category" => category(value)?,
            "supported_parameters" => self.supported_parameters = list(value),
            "output_modalities" if value == "all" => self.output_modalities.clear(),
            "output_modalities" => self.output_modalities = modalities(value, &Modality::OUTPUTS)?,
            "input_modalities" => self.input_modalities = modalities(value, &Modality::INPUTS)?,
            "q" => self.words = value.to_lowercase().split_whitespace().map(str::to_owned).collect(),
            "sort" => self.sort = one_of(value, Sort::ALL, Sort::name)?,
            "context" => self.context_min = Some(whole(value)?),
            "min_price" => self.input_price.min = Some(price(value)?),
            "max_price" => self.input_price.max = Some(price(value)?),
            "min_output_price" => self.output_price.min = Some(price(value)?),
            "max_output_price" => self.output_price.max = Some(price(value)?),
            "arch" => self.arch = Some(value.to_lowercase()),
            "model_authors" => self.authors = list(value),
            "providers" => self.providers = list(value),
            "distillable" => self.distillable = Some(flag(value)?),
            "zdr" => self.zdr = Some(flag(value)?),
            "region" => self.region = Some(one_of(value, Region::ALL, Region::name)?),
            "use_rss" | "use_rss_chat_links" if flag(value)? => {
                return Err("false; no feed is served".to_owned());
            }
            other => return self.set_bound(other, value),
        }
        Ok(())
    }

    fn set_bound(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "min_age_days" => self.age_days.min = Some(whole(value)?),
            "max_age_days" => self.age_days.max = Some(whole(value)?),
            "min_intelligence_index" => self.intelligence.min = Some(decimal(value)?),
            "max_intelligence_index" => self.intelligence.max = Some(decimal(value)?),
            "min_coding_index" => self.coding.min = Some(decimal(value)?),
            "max_coding_index" => self.coding.max = Some(decimal(value)?),
            "min_agentic_index" => self.agentic.min = Some(decimal(value)?),
            "max_agentic_index" => self.agentic.max = Some(decimal(value)?),
            "min_tool_success_rate" => self.tool_success.min = Some(decimal(value)?),
            "max_tool_success_rate" => self.tool_success.max = Some(decimal(value)?),
            _ => {}
        }
        Ok(())
    }
}

fn whole<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or_else(|| "a whole number".to_owned())
}

fn limit(value: &str) -> Result<usize, String> {
    let number = whole(value).ok().filter(|n| (1..=LIMIT_MAX).contains(n));
    number.ok_or_else(|| format!("a whole number from 1 to {LIMIT_MAX}"))
}

fn price(value: &str) -> Result<Rate, String> {
    Rate::parse_per_million(value).map_err(|_| "dollars per million tokens, such as 0.15".to_owned())
}

/// Scores are decimals with up to nine digits after the point; money's integer form compares them exactly.
pub(crate) fn decimal(value: &str) -> Result<Money, String> {
    value.parse().map_err(|_| "a decimal, such as 34.9".to_owned())
}

fn flag(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

fn category(value: &str) -> Result<(), String> {
    if CATEGORIES.contains(&value) { Ok(()) } else { Err(CATEGORIES.join(", ")) }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_lowercase).collect()
}

fn one_of<T: Copy>(value: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|item| name(*item) == value);
    found.ok_or_else(|| all.iter().map(|item| name(*item)).collect::<Vec<_>>().join(", "))
}

fn modalities(value: &str, allowed: &[Modality]) -> Result<Vec<Modality>, String> {
    // OpenRouter says `speech` for what comes out as audio.
    let known = |name: &str| one_of(if name == "speech" { "audio" } else { name }, allowed, Modality::name);
    list(value).iter().map(|name| known(name)).collect()
}
