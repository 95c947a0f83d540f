//! What a workload costs, by the formula that bills it.
//!
//! - One request is priced by [`types::PriceSheet::cost`] and charged by [`ledger::Terms::charge`], as a real one is: tiers, time
//!   windows, prices that stand in for others, one rounding up per kind of price.
//! - A month is 30 days. It costs the charge of one request times the requests of the month, because every request is
//!   charged by itself.
//! - The cached share of the input is read from the cache, rounded down to whole tokens; the rest is fresh. Writing to the
//!   cache is not counted: how often that happens depends on the traffic, not on its size.
//! - What has no known price is not estimated, and what is used but not charged is named.

mod query;

use ledger::{Charge, Terms};
use types::{CostError, Money, Override, PriceKind, PriceSheet, Quote, Rate, Timestamp, Usage};

use crate::format::{self, Shown, price_name};

pub(crate) use query::{Asked, MODELS_MAX, Problem, read, write};

/// Days of a month here.
const DAYS_PER_MONTH: u64 = 30;

/// What the number of requests counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Per {
    /// Requests in a day.
    #[default]
    Day,
    /// Requests in a month of 30 days.
    Month,
}

impl Per {
    /// The name in addresses.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Per::Day => "day",
            Per::Month => "month",
        }
    }
}

/// What is used. All is per request but `requests`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Input tokens, cached ones among them.
    pub(crate) input: u64,
    /// Visible output tokens.
    pub(crate) output: u64,
    /// How much of the input is read from the cache, 0 to 100.
    pub(crate) cached_percent: u64,
    /// Reasoning tokens, beside the visible output.
    pub(crate) reasoning: u64,
    /// Images made.
    pub(crate) images: u64,
    /// Seconds of audio heard.
    pub(crate) audio_seconds: u64,
    /// Characters spoken.
    pub(crate) characters: u64,
    /// Web searches carried out, or search units of a rerank.
    pub(crate) searches: u64,
    /// How many requests.
    pub(crate) requests: u64,
    /// In which time.
    pub(crate) per: Per,
}

impl Workload {
    /// One request in the buckets that are billed.
    pub(crate) fn usage(&self) -> Usage {
        let cached = u128::from(self.input) * u128::from(self.cached_percent.min(100)) / 100;
        let cache_read = u64::try_from(cached).unwrap_or(self.input);
        Usage {
            input: self.input - cache_read,
            cache_read,
            output: self.output,
            reasoning: self.reasoning,
            requests: 1,
            searches: self.searches,
            images: self.images,
            audio_seconds: self.audio_seconds,
            characters: self.characters,
            ..Usage::default()
        }
    }

    /// Requests in a month.
    pub(crate) fn per_month(&self) -> u64 {
        match self.per {
            Per::Day => self.requests.saturating_mul(DAYS_PER_MONTH),
            Per::Month => self.requests,
        }
    }
}

/// A workload to start from. The sizes are round numbers of ours, not measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preset {
    /// The name in addresses.
    pub(crate) slug: &'static str,
    /// For people.
    pub(crate) name: &'static str,
    /// What it stands for, in a sentence.
    pub(crate) text: &'static str,
    /// Its sizes.
    pub(crate) workload: Workload,
}

const fn tokens(input: u64, cached_percent: u64, output: u64, requests: u64) -> Workload {
    Workload {
        input,
        output,
        cached_percent,
        reasoning: 0,
        images: 0,
        audio_seconds: 0,
        characters: 0,
        searches: 0,
        requests,
        per: Per::Day,
    }
}

/// The workloads to start from; the first is the default.
pub(crate) const PRESETS: &[Preset] = &[
    Preset {
        slug: "chat",
        name: "Chat assistant",
        text: "Turns of a conversation: a fixed instruction and the turns before it are read from the cache.",
        workload: tokens(1_500, 50, 400, 1_000),
    },
    Preset {
        slug: "rag",
        name: "Questions over documents",
        text: "Each question brings the passages that were found for it (RAG).",
        workload: tokens(6_000, 20, 500, 500),
    },
    Preset {
        slug: "summarize",
        name: "Summaries",
        text: "A long text in, a short one out; nothing repeats.",
        workload: tokens(12_000, 0, 700, 200),
    },
    Preset {
        slug: "agent",
        name: "Coding agent",
        text: "Steps of an agent over a growing context that is nearly all read from the cache, with some reasoning.",
        workload: Workload { reasoning: 1_000, ..tokens(60_000, 85, 1_500, 500) },
    },
    Preset {
        slug: "extract",
        name: "Batch extraction",
        text: "The same instruction and schema over many records.",
        workload: tokens(2_500, 40, 300, 10_000),
    },
    Preset {
        slug: "classify",
        name: "Classification",
        text: "A short text in, a label out.",
        workload: tokens(400, 0, 5, 20_000),
    },
    Preset {
        slug: "embed",
        name: "Embeddings",
        text: "Passages of documents as vectors.",
        workload: tokens(500, 0, 0, 50_000),
    },
    Preset {
        slug: "images",
        name: "Images",
        text: "One image from a short text.",
        workload: Workload { images: 1, ..tokens(60, 0, 0, 100) },
    },
    Preset {
        slug: "transcribe",
        name: "Transcription",
        text: "Recordings of ten minutes.",
        workload: Workload { audio_seconds: 600, ..tokens(0, 0, 0, 50) },
    },
    Preset {
        slug: "speak",
        name: "Speech",
        text: "A page of text read aloud.",
        workload: Workload { characters: 1_500, ..tokens(0, 0, 0, 100) },
    },
];

/// One line of a bill, and what it stands in for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The price that applied.
    pub(crate) kind: PriceKind,
    /// Units billed at it.
    pub(crate) units: u64,
    /// The price.
    pub(crate) rate: Rate,
    /// Units times price, rounded up once.
    pub(crate) amount: Money,
    /// What was used and billed at it: reasoning at the price of output, for example.
    pub(crate) covers: Vec<PriceKind>,
}

/// What a workload costs at one offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// One request: at the provider's prices, with markup and discount of this place.
    pub(crate) request: Charge,
    /// All requests of a month.
    pub(crate) month: Money,
    /// The bill of one request.
    pub(crate) lines: Vec<Line>,
    /// Conditions of the price sheet that hold: `above 200,000 input tokens`.
    pub(crate) conditions: Vec<String>,
    /// What was used and is not charged at this offer.
    pub(crate) uncharged: Vec<PriceKind>,
}

/// Why a workload can't be estimated at an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Something that is used has a price that nobody has sourced.
    Price(PriceKind),
    /// The offer has no price for anything that is used.
    NotBilled,
}

impl Missing {
    /// For people.
    pub(crate) fn text(self) -> String {
        match self {
            Missing::Price(kind) => format!("the price for {} is unknown", price_name(kind).to_lowercase()),
            Missing::NotBilled => "it has no price for what is used here".to_owned(),
        }
    }
}

/// What a workload costs, at the prices that hold at an instant.
pub(crate) fn estimate(
    sheet: &PriceSheet,
    terms: Terms,
    workload: &Workload,
    at: Timestamp,
) -> Result<Estimate, Missing> {
    let mut estimate = of_usage(sheet, terms, &workload.usage(), at)?;
    let exact = i128::from(estimate.request.total.nanos()) * i128::from(workload.per_month());
    estimate.month = i64::try_from(exact).map_or(Money::MAX, Money::from_nanos);
    Ok(estimate)
}

/// What one generation costs; `month` is that too.
pub(crate) fn of_usage(
    sheet: &PriceSheet,
    terms: Terms,
    usage: &Usage,
    at: Timestamp,
) -> Result<Estimate, Missing> {
    let cost = sheet.cost(usage, at).map_err(|CostError::UnknownPrice(kind)| Missing::Price(kind))?;
    let used: Vec<PriceKind> = PriceKind::ALL.into_iter().filter(|kind| kind.units(usage) > 0).collect();
    let is_only_counted = used.iter().all(|kind| *kind == PriceKind::Requests);
    if cost.lines.is_empty() && !(used.is_empty() || is_only_counted && !sheet.quotes.is_empty()) {
        return Err(Missing::NotBilled);
    }
    let applied = |kind: PriceKind| sheet.resolve(kind, usage.input_total(), at).map(|(applied, _)| applied);
    let line = |line: &types::CostLine| Line {
        kind: line.kind,
        units: line.units,
        rate: line.rate,
        amount: line.amount,
        covers: used.iter().copied().filter(|kind| applied(*kind) == Some(line.kind)).collect(),
    };
    let is_uncharged = |kind: &PriceKind| *kind != PriceKind::Requests && applied(*kind).is_none();
    let request = terms.charge(cost.total);
    Ok(Estimate {
        request,
        month: request.total,
        lines: cost.lines.iter().map(line).collect(),
        conditions: conditions(sheet, usage, at),
        uncharged: used.iter().copied().filter(is_uncharged).collect(),
    })
}

/// A condition of a price sheet in words: `above 200,000 input tokens, from 16:30 to 00:30 UTC`.
pub(crate) fn condition(change: &Override) -> String {
    let size = change.above_input_tokens.map(|size| format!("above {} input tokens", format::count(size)));
    let time = change.utc_window.map(|(from, to)| format!("from {from} to {to} UTC"));
    let parts: Vec<String> = size.into_iter().chain(time).collect();
    if parts.is_empty() { "always".to_owned() } else { parts.join(", ") }
}

fn conditions(sheet: &PriceSheet, usage: &Usage, at: Timestamp) -> Vec<String> {
    // Asks the rule of billing itself: a sheet of nothing but this condition has a price exactly when it holds.
    let holds = |change: &&Override| {
        let mark = vec![(PriceKind::Requests, Quote::Known(Rate::FREE))];
        let probe = PriceSheet {
            quotes: Vec::new(),
            overrides: vec![Override { quotes: mark, ..(*change).clone() }],
        };
        probe.resolve(PriceKind::Requests, usage.input_total(), at).is_some()
    };
    sheet.overrides.iter().filter(holds).map(condition).collect()
}

/// A row of what round amounts cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// Input tokens in all.
    pub(crate) input: Shown,
    /// Output tokens in all.
    pub(crate) output: Shown,
    /// In so many requests of [`EXAMPLE_CALL`].
    pub(crate) calls: u64,
    /// What they cost together.
    pub(crate) amount: Money,
    /// The same for people.
    pub(crate) cost: Shown,
}

/// The input and output tokens of one request of the examples: small enough for every tier's first step.
pub(crate) const EXAMPLE_CALL: (u64, u64) = (10_000, 1_000);

/// How many requests the examples are: 100K in and 10K out, 1M and 100K, 10M and 1M.
pub(crate) const EXAMPLE_CALLS: [u64; 3] = [10, 100, 1_000];

/// What round amounts cost, in requests of [`EXAMPLE_CALL`]; empty where that can't be said.
pub(crate) fn examples(sheet: &PriceSheet, terms: Terms, at: Timestamp) -> Vec<Example> {
    let (input, output) = EXAMPLE_CALL;
    let row = |calls: &u64| {
        let workload = Workload { input, output, requests: *calls, per: Per::Month, ..Workload::default() };
        let amount = estimate(sheet, terms, &workload, at).ok()?.month;
        Some(Example {
            input: format::short(input * calls),
            output: format::short(output * calls),
            calls: *calls,
            amount,
            cost: format::cost(amount),
        })
    };
    EXAMPLE_CALLS.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests;
