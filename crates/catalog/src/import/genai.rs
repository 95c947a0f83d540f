//! The `data.json` of genai-prices, version 2: a list of providers with rules over their model ids and prices per million tokens.
//!
//! It prices and describes little else, so it meets offers that are there and makes none. Of prices by date the last that has begun
//! on the feed's day holds; prices by time of day are windows of ours. A tier holds above its `start`, like ours.

use serde_json::value::RawValue;
use types::{PriceKind, Quote, UtcMinute};

use super::feed::{Entry, Feed, Key, Line, Offer, source};
use super::raw::{Fields, list, quote};
use super::{FeedError, Tally};
use crate::endpoint::{EndpointFacts, Status};
use crate::kind;

const ID: &str = "genai-prices";

/// Their provider -> ours, where they differ.
pub(crate) const PROVIDERS: [(&str, &str); 5] = [
    ("aws", "amazon-bedrock"),
    ("fireworks", "fireworks-ai"),
    ("novita", "novita-ai"),
    ("together", "togetherai"),
    ("x-ai", "xai"),
];

/// Their key of each price, and the digits between its unit and nano-dollars per million.
pub(crate) const PRICES: [(&str, PriceKind, i32); 12] = [
    ("input_mtok", PriceKind::Input, 9),
    ("output_mtok", PriceKind::Output, 9),
    ("cache_read_mtok", PriceKind::CacheRead, 9),
    ("cache_write_mtok", PriceKind::CacheWrite, 9),
    ("cache_write_1h_mtok", PriceKind::CacheWrite1h, 9),
    ("input_audio_mtok", PriceKind::AudioInput, 9),
    ("output_audio_mtok", PriceKind::AudioOutput, 9),
    ("input_image_mtok", PriceKind::ImageInput, 9),
    ("output_image_mtok", PriceKind::ImageOutput, 9),
    ("output_reasoning_mtok", PriceKind::Reasoning, 9),
    ("requests_kcount", PriceKind::Requests, 12),
    ("web_searches_kcount", PriceKind::Searches, 12),
];

/// A rule over ids, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    Starts(String),
    Ends(String),
    Contains(String),
    Equals(String),
    Or(Vec<Clause>),
    And(Vec<Clause>),
    /// A regular expression: nothing is sure to fit it.
    Never,
}

impl Clause {
    pub(crate) fn matches(&self, id: &str) -> bool {
        let id = id.to_lowercase();
        match self {
            Clause::Starts(text) => id.starts_with(text.as_str()),
            Clause::Ends(text) => id.ends_with(text.as_str()),
            Clause::Contains(text) => id.contains(text.as_str()),
            Clause::Equals(text) => id == *text,
            Clause::Or(list) => list.iter().any(|clause| clause.matches(&id)),
            Clause::And(list) => !list.is_empty() && list.iter().all(|clause| clause.matches(&id)),
            Clause::Never => false,
        }
    }
}

pub(super) fn read(raw: &RawValue, as_of: &str, tally: &mut Tally) -> Result<Feed, FeedError> {
    let mut entries = Vec::new();
    for raw in list(raw, "the feed")? {
        let mut fields = Fields::new(raw, "provider", "the feed")?;
        let id = fields.text("id")?.ok_or_else(|| fields.bad("id", "is missing"))?;
        fields.at.clone_from(&id);
        let ours = PROVIDERS.iter().find(|(theirs, _)| *theirs == id).map_or(id.as_str(), |(_, ours)| ours);
        let models = fields.list("models")?;
        fields.no_place(
            &[
                "name",
                "pricing_urls",
                "api_pattern",
                "model_match",
                "provider_match",
                "extractors",
                "description",
                "price_comments",
                "fallback_model_providers",
            ],
            tally,
        );
        fields.finish(tally);
        for raw in models {
            entries.push(entry(&id, ours, raw, as_of, tally)?);
        }
    }
    Ok(Feed {
        source: source(ID, "genai-prices", "https://github.com/pydantic/genai-prices"),
        providers: Vec::new(),
        entries,
        carries: |line| PRICES.iter().any(|(_, kind, _)| *kind == line.kind),
        is_own_word: false,
    })
}

fn entry(
    theirs: &str,
    provider: &str,
    raw: &RawValue,
    as_of: &str,
    tally: &mut Tally,
) -> Result<Entry, FeedError> {
    let mut fields = Fields::new(raw, "model", theirs)?;
    let id = fields.text("id")?.ok_or_else(|| fields.bad("id", "is missing"))?;
    let at = format!("{theirs}/{id}");
    fields.at.clone_from(&at);
    let rule = match fields.raw("match") {
        Some(raw) => clause(raw, &at, 0)?,
        None => Clause::Equals(id.to_lowercase()),
    };
    let deprecated = fields.flag("deprecated")?.unwrap_or(false);
    let Some(raw) = fields.raw("prices") else { return Err(fields.bad("prices", "is missing")) };
    let lines = prices(raw, &at, as_of, tally)?;
    fields.no_place(
        &["name", "description", "price_comments", "prices_checked", "removed", "context_window"],
        tally,
    );
    fields.finish(tally);
    Ok(Entry {
        at,
        names: vec![format!("{provider}/{id}"), id],
        offer: Some(Offer {
            provider: provider.to_owned(),
            key: Key::Rule(rule),
            facts: EndpointFacts::default(),
            status: deprecated.then_some(Status::Deprecated),
            lines,
            says_free: false,
        }),
        ..Entry::default()
    })
}

fn clause(raw: &RawValue, at: &str, depth: usize) -> Result<Clause, FeedError> {
    let bad = || {
        FeedError::new(
            at,
            "`match` must be one rule: starts_with, ends_with, contains, equals, regex, or, and",
        )
    };
    let map = super::raw::object(raw, at)?;
    let [(key, value)] = map.into_iter().collect::<Vec<_>>().try_into().map_err(|_| bad())?;
    let many = |value: &RawValue| -> Result<Vec<Clause>, FeedError> {
        if depth > 8 {
            return Err(bad());
        }
        list(value, at)?.into_iter().map(|raw| clause(raw, at, depth + 1)).collect()
    };
    let text = |value: &RawValue| {
        serde_json::from_str::<String>(value.get()).map(|text| text.to_lowercase()).map_err(|_| bad())
    };
    Ok(match key.as_str() {
        "starts_with" => Clause::Starts(text(value)?),
        "ends_with" => Clause::Ends(text(value)?),
        "contains" => Clause::Contains(text(value)?),
        "equals" => Clause::Equals(text(value)?),
        "or" => Clause::Or(many(value)?),
        "and" => Clause::And(many(value)?),
        "regex" => Clause::Never,
        _ => return Err(bad()),
    })
}

type Window = Option<(UtcMinute, UtcMinute)>;

/// One set of prices, or a list of sets with conditions.
fn prices(raw: &RawValue, at: &str, as_of: &str, tally: &mut Tally) -> Result<Vec<Line>, FeedError> {
    if !raw.get().starts_with('[') {
        return set(raw, None, at, tally);
    }
    let today = kind::day(as_of);
    let (mut base, mut windows) = (Vec::new(), Vec::new());
    for raw in list(raw, at)? {
        let mut fields = Fields::new(raw, "prices", at)?;
        let Some(raw) = fields.raw("prices") else { return Err(fields.bad("prices", "is missing")) };
        let Some(mut condition) = fields.object("constraint", "constraint")? else {
            base = set(raw, None, at, tally)?;
            continue;
        };
        let begins = condition.date("start_date")?;
        let (from, to) = (time(&mut condition, "start_time")?, time(&mut condition, "end_time")?);
        condition.no_place(&["type"], tally);
        condition.finish(tally);
        fields.finish(tally);
        match (begins, from.zip(to)) {
            (Some(day), _) if kind::day(&day) <= today => base = set(raw, None, at, tally)?,
            (Some(_), _) => tally.skip("prices of days to come", at),
            (None, Some(window)) => windows.extend(set(raw, Some(window), at, tally)?),
            (None, None) => return Err(FeedError::new(at, "`constraint` must be a date or a time of day")),
        }
    }
    base.extend(windows);
    Ok(base)
}

/// `16:30:00Z`
fn time(fields: &mut Fields<'_>, key: &str) -> Result<Option<UtcMinute>, FeedError> {
    let Some(text) = fields.text(key)? else { return Ok(None) };
    let minute = text.get(..5).and_then(UtcMinute::parse);
    minute.map(Some).ok_or_else(|| fields.bad(key, "must be a UTC time such as 16:30:00Z"))
}

fn set(raw: &RawValue, window: Window, at: &str, tally: &mut Tally) -> Result<Vec<Line>, FeedError> {
    let mut fields = Fields::new(raw, "prices", at)?;
    let mut lines = Vec::new();
    for (key, kind, shift) in PRICES {
        let Some(raw) = fields.raw(key) else { continue };
        let priced = |raw: &RawValue, tally: &mut Tally| -> Result<Quote, FeedError> {
            quote(raw, kind, shift, tally).map_err(|message| FeedError::new(at, format!("`{key}` {message}")))
        };
        if !raw.get().starts_with('{') {
            let quote = priced(raw, tally)?;
            lines.push(Line { window, ..Line::base(kind, quote) });
            continue;
        }
        let mut tiered = Fields::new(raw, "prices.tiered", at)?;
        let Some(raw) = tiered.raw("base") else { return Err(tiered.bad("base", "is missing")) };
        let quote = priced(raw, tally)?;
        lines.push(Line { window, ..Line::base(kind, quote) });
        for raw in tiered.list("tiers")? {
            let mut tier = Fields::new(raw, "prices.tier", at)?;
            let above = tier.count("start")?.ok_or_else(|| tier.bad("start", "is missing"))?;
            let Some(raw) = tier.raw("price") else { return Err(tier.bad("price", "is missing")) };
            let quote = priced(raw, tally)?;
            lines.push(Line { above: Some(above), window, ..Line::base(kind, quote) });
            tier.finish(tally);
        }
        tiered.finish(tally);
    }
    fields.finish(tally);
    Ok(lines)
}
