//! `provider`: OpenRouter's object of what a caller wishes of providers, with `region` and `max_retention_days` of our own.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;
use types::Rate;

use crate::hub::RequestError;
use crate::json;
use crate::openai_chat::field;

/// The object. Absent is no wish.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProviderPreferences {
    /// Provider slugs to try first, in order.
    pub order: Option<Vec<String>>,
    /// Only these providers.
    pub only: Option<Vec<String>>,
    /// Never these providers.
    pub ignore: Option<Vec<String>>,
    /// False: only the first choice.
    pub allow_fallbacks: Option<bool>,
    /// True: only endpoints to which everything in the request can be carried over.
    pub require_parameters: Option<bool>,
    /// Only weights stored like this.
    pub quantizations: Option<Vec<String>>,
    /// `deny`: only providers that don't train on prompts.
    pub data_collection: Option<Collection>,
    /// True: only providers that keep nothing.
    pub zdr: Option<bool>,
    /// True: only models whose license lets others be trained on what they write.
    pub enforce_distillable_text: Option<bool>,
    /// The order.
    #[serde(deserialize_with = "sort")]
    pub sort: Option<Sort>,
    /// Tokens per second.
    #[serde(deserialize_with = "percentiles")]
    pub preferred_min_throughput: Option<Percentiles>,
    /// Seconds to the first token.
    #[serde(deserialize_with = "percentiles")]
    pub preferred_max_latency: Option<Percentiles>,
    /// Dollars: per million tokens of prompt, completion and audio, else per piece.
    pub max_price: Option<MaxPrice>,
    /// Only where it is computed there: `eu`, or a country's two letters; one or several.
    #[serde(deserialize_with = "one_or_many")]
    pub region: Option<Vec<String>>,
    /// Only providers that keep prompts no longer, days.
    pub max_retention_days: Option<u64>,
    /// Keys of the object that nobody knows.
    #[serde(skip)]
    pub unknown: Vec<String>,
}

const KEYS: [&str; 15] = [
    "order",
    "only",
    "ignore",
    "allow_fallbacks",
    "require_parameters",
    "quantizations",
    "data_collection",
    "zdr",
    "enforce_distillable_text",
    "sort",
    "preferred_min_throughput",
    "preferred_max_latency",
    "max_price",
    "region",
    "max_retention_days",
];

/// Whether a provider may train on prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Collection {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// What endpoints are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortBy {
    /// The cheapest first.
    Price,
    /// The fastest writer first.
    Throughput,
    /// The one that begins soonest first.
    Latency,
    /// The best at calling tools first.
    Exacto,
}

/// Whether models are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// One model after another.
    #[default]
    Model,
    /// All endpoints in one order.
    None,
}

/// `sort`, as a word or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Whether models are kept apart.
    pub partition: Partition,
}

/// A number, which is the median's, or a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the percentile of its name")]
pub struct Percentiles {
    pub p50: Option<f64>,
    pub p75: Option<f64>,
    pub p90: Option<f64>,
    pub p99: Option<f64>,
}

/// The most that is paid. Decimal text or a JSON number, read as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxPrice {
    /// Per million input tokens.
    #[serde(deserialize_with = "per_million")]
    pub prompt: Option<Rate>,
    /// Per million output tokens.
    #[serde(deserialize_with = "per_million")]
    pub completion: Option<Rate>,
    /// Per request.
    #[serde(deserialize_with = "per_unit")]
    pub request: Option<Rate>,
    /// Per image.
    #[serde(deserialize_with = "per_unit")]
    pub image: Option<Rate>,
    /// Per million audio tokens.
    #[serde(deserialize_with = "per_million")]
    pub audio: Option<Rate>,
}

/// Reads the object.
pub(crate) fn read(value: &[u8]) -> Result<ProviderPreferences, RequestError> {
    let mut preferences: ProviderPreferences = serde_json::from_slice(value)
        .map_err(|error| field("provider", &format!("is not understood: {error}")))?;
    preferences.unknown = json::members(value, &(0..value.len()))
        .iter()
        .filter_map(|m| std::str::from_utf8(json::slice(value, &m.key)).ok())
        .filter(|key| !KEYS.contains(key))
        .map(|key| key.chars().take(64).collect())
        .collect();
    Ok(preferences)
}

fn sort<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Sort>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parts {
        by: SortBy,
        #[serde(default)]
        partition: Option<Partition>,
    }
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let expect = "`sort` must be price, throughput, latency or exacto, or {\"by\":...,\"partition\":\"model\" or \"none\"}";
    let parts = match raw.get().starts_with('"') {
        true => serde_json::from_str(raw.get()).map(|by| Parts { by, partition: None }),
        false => serde_json::from_str(raw.get()),
    };
    let parts = parts.map_err(|_| D::Error::custom(expect))?;
    Ok(Some(Sort { by: parts.by, partition: parts.partition.unwrap_or_default() }))
}

fn percentiles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Percentiles>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let read = match raw.get().starts_with('{') {
        true => serde_json::from_str(raw.get()),
        false => serde_json::from_str(raw.get())
            .map(|p50| Percentiles { p50: Some(p50), ..Percentiles::default() }),
    };
    let good = read.ok().filter(|p: &Percentiles| {
        [p.p50, p.p75, p.p90, p.p99].into_iter().flatten().all(|bound| bound >= 0.0)
    });
    good.map(Some).ok_or_else(|| {
        D::Error::custom("a preferred throughput or latency must be a number of at least 0, or a map of p50, p75, p90, p99")
    })
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let read = match raw.get().starts_with('"') {
        true => serde_json::from_str(raw.get()).map(|one| vec![one]),
        false => serde_json::from_str(raw.get()),
    };
    read.map(Some).map_err(|_| D::Error::custom("`region` must be a text or a list of texts"))
}

fn per_million<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    rate(deserializer, |text| Rate::parse_per_million(text).ok())
}

fn per_unit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    rate(deserializer, |text| Rate::parse_per_unit(text).ok())
}

fn rate<'de, D: Deserializer<'de>>(
    deserializer: D,
    parse: impl Fn(&str) -> Option<Rate>,
) -> Result<Option<Rate>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let text = raw.get().trim_matches('"');
    parse(text).map(Some).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        D::Error::custom(format!("`max_price` has `{shown}`; use plain decimal dollars such as \"0.5\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let all = read(
            br#"{"order":["a"],"quantizations":["fp8"],"data_collection":"deny","zdr":true,"sort":{"by":"latency","partition":"none"},
            "preferred_min_throughput":50,"preferred_max_latency":{"p90":2.5},"max_price":{"prompt":"0.5","completion":1.25,"request":0},
            "region":"eu","max_retention_days":30,"enforce_distillable_text":true,"odd":1}"#,
        )
        .unwrap();
        assert_eq!(all.sort, Some(Sort { by: SortBy::Latency, partition: Partition::None }));
        assert_eq!(all.preferred_min_throughput.unwrap().p50, Some(50.0));
        assert_eq!(all.preferred_max_latency.unwrap().p90, Some(2.5));
        let price = all.max_price.unwrap();
        assert_eq!(price.prompt, Rate::parse_per_million("0.5").ok());
        assert_eq!(
            (price.completion, price.request),
            (Rate::parse_per_million("1.25").ok(), Some(Rate::FREE))
        );
        assert_eq!(
            (all.region.as_deref(), all.max_retention_days),
            (Some(["eu".to_owned()].as_slice()), Some(30))
        );
        assert_eq!(
            (all.data_collection, all.unknown.as_slice()),
            (Some(Collection::Deny), ["odd".to_owned()].as_slice())
        );
        let word = read(br#"{"sort":"throughput","max_price":null,"region":["eu","US"]}"#).unwrap();
        assert_eq!(word.sort.map(|sort| sort.by), Some(SortBy::Throughput));
        assert_eq!(read(br#"{"sort":null}"#).unwrap(), ProviderPreferences::default());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows = [
            (r#"{"sort":"best"}"#, "`sort` must be price, throughput, latency or exacto"),
            (r#"{"sort":{"by":"price","partition":"x"}}"#, "`sort` must be"),
            (r#"{"preferred_min_throughput":-1}"#, "a number of at least 0"),
            (r#"{"preferred_max_latency":{"p42":1}}"#, "a map of p50, p75, p90, p99"),
            (r#"{"max_price":{"prompt":"1e3"}}"#, "`max_price` has `1e3`"),
            (r#"{"max_price":{"prompt":-1}}"#, "`max_price` has `-1`"),
            (r#"{"data_collection":"maybe"}"#, "unknown variant `maybe`"),
            (r#"{"zdr":"yes"}"#, "expected a boolean"),
            (r#"{"region":7}"#, "`region` must be a text or a list of texts"),
        ];
        for (body, expect) in rows {
            let error = read(body.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with("`provider` is not understood: ") && error.contains(expect),
                "{body}: {error}"
            );
        }
    }
}
