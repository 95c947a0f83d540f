//! Prices, and the one formula that turns usage into money.
//!
//! - A [`Rate`] is nano-dollars per *million* units of its kind: tokens, characters, requests, searches, images, seconds.
//! - Each kind of a sheet is in one of three states: a known rate (zero means free), [`Quote::Unknown`] (the provider
//!   charges something that nobody has sourced), or absent (the provider has no such price of its own).
//! - A kind without a price of its own is billed at a wider one: cached and cache-written input, audio and image input at
//!   `input`; a one-hour cache write at the five-minute price first; reasoning, audio and image output at `output`. A
//!   missing price per request, search, image, second or character is no charge; where one of these is there, a missing
//!   price per token is none either ([`PriceSheet::bills`] sees to it that a task is never free for want of a price).
//! - An override holds when all of its conditions hold: total input tokens strictly above a size (a cliff: it then
//!   applies to every token), and a UTC time window that may wrap midnight, judged by the request's start. Later
//!   overrides win, kind by kind.
//! - Rounding: the units that end at the same kind of rate are summed, multiplied in 128 bits and rounded up once.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::money::parse_scaled;
use crate::{Money, MoneyError, Task, Timestamp, Usage};

/// Nano-dollars per million units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(i64);

impl Rate {
    /// No charge.
    pub const FREE: Rate = Rate(0);

    /// From nano-dollars per million units; negative rates become `None`.
    pub const fn from_nanos_per_million(nanos: i64) -> Option<Rate> {
        if nanos < 0 { None } else { Some(Rate(nanos)) }
    }

    /// Reads dollars per million units, as in a price sheet: `"0.15"`.
    pub fn parse_per_million(text: &str) -> Result<Rate, MoneyError> {
        Rate::scaled(text, 9)
    }

    /// Reads dollars per single unit, as for requests: `"0.01"`.
    pub fn parse_per_unit(text: &str) -> Result<Rate, MoneyError> {
        Rate::scaled(text, 15)
    }

    fn scaled(text: &str, scale: usize) -> Result<Rate, MoneyError> {
        let value =
            i64::try_from(parse_scaled(text, scale)?).map_err(|_| MoneyError::TooLarge(text.to_owned()))?;
        Rate::from_nanos_per_million(value).ok_or_else(|| MoneyError::NotDecimal(text.to_owned()))
    }

    /// Nano-dollars per million units.
    pub const fn nanos_per_million(self) -> i64 {
        self.0
    }

    /// Dollars per single unit as plain decimal text, exact: `0.00000015`.
    pub fn per_unit(self) -> String {
        plain_decimal(self.0, 15)
    }

    /// Dollars per million units as plain decimal text, exact: `0.15`.
    pub fn per_million(self) -> String {
        plain_decimal(self.0, 9)
    }

    /// What `units` cost, rounded up to the nano-dollar; saturates.
    pub fn times(self, units: u64) -> Money {
        // 64 bits are enough for nearly all, and are divided much quicker.
        if let Some(exact) = u64::try_from(self.0).ok().and_then(|rate| rate.checked_mul(units)) {
            return Money::from_nanos(exact.div_ceil(1_000_000) as i64);
        }
        let exact = i128::from(self.0) * i128::from(units);
        let nanos = exact.div_euclid(1_000_000) + i128::from(exact.rem_euclid(1_000_000) != 0);
        Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

fn plain_decimal(value: i64, scale: usize) -> String {
    let width = scale + 1;
    let digits = format!("{value:0>width$}");
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// What a price is for. The names are those of price sheets and of cost lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the bucket of the same name in Usage")]
pub enum PriceKind {
    Input,
    CacheRead,
    CacheWrite,
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    AudioInput,
    ImageInput,
    Output,
    Reasoning,
    AudioOutput,
    ImageOutput,
    Requests,
    Searches,
    Images,
    AudioSeconds,
    Characters,
}

impl PriceKind {
    /// All kinds, in the order of cost lines.
    pub const ALL: [PriceKind; 15] = [
        PriceKind::Input,
        PriceKind::CacheRead,
        PriceKind::CacheWrite,
        PriceKind::CacheWrite1h,
        PriceKind::AudioInput,
        PriceKind::ImageInput,
        PriceKind::Output,
        PriceKind::Reasoning,
        PriceKind::AudioOutput,
        PriceKind::ImageOutput,
        PriceKind::Requests,
        PriceKind::Searches,
        PriceKind::Images,
        PriceKind::AudioSeconds,
        PriceKind::Characters,
    ];

    /// The name in records: `cache_read`.
    pub const fn name(self) -> &'static str {
        match self {
            PriceKind::Input => "input",
            PriceKind::CacheRead => "cache_read",
            PriceKind::CacheWrite => "cache_write",
            PriceKind::CacheWrite1h => "cache_write_1h",
            PriceKind::AudioInput => "audio_input",
            PriceKind::ImageInput => "image_input",
            PriceKind::Output => "output",
            PriceKind::Reasoning => "reasoning",
            PriceKind::AudioOutput => "audio_output",
            PriceKind::ImageOutput => "image_output",
            PriceKind::Requests => "requests",
            PriceKind::Searches => "searches",
            PriceKind::Images => "images",
            PriceKind::AudioSeconds => "audio_seconds",
            PriceKind::Characters => "characters",
        }
    }

    /// The key in a price sheet's file: `cache_read_usd_per_mtok`, `request_usd`.
    pub const fn file_key(self) -> &'static str {
        match self {
            PriceKind::Input => "input_usd_per_mtok",
            PriceKind::CacheRead => "cache_read_usd_per_mtok",
            PriceKind::CacheWrite => "cache_write_usd_per_mtok",
            PriceKind::CacheWrite1h => "cache_write_1h_usd_per_mtok",
            PriceKind::AudioInput => "audio_input_usd_per_mtok",
            PriceKind::ImageInput => "image_input_usd_per_mtok",
            PriceKind::Output => "output_usd_per_mtok",
            PriceKind::Reasoning => "reasoning_usd_per_mtok",
            PriceKind::AudioOutput => "audio_output_usd_per_mtok",
            PriceKind::ImageOutput => "image_output_usd_per_mtok",
            PriceKind::Requests => "request_usd",
            PriceKind::Searches => "search_usd",
            PriceKind::Images => "image_usd",
            PriceKind::AudioSeconds => "audio_second_usd",
            PriceKind::Characters => "characters_usd_per_million",
        }
    }

    /// True for requests, searches, images and seconds, whose file price is per one, not per million.
    pub const fn is_per_unit(self) -> bool {
        matches!(
            self,
            PriceKind::Requests | PriceKind::Searches | PriceKind::Images | PriceKind::AudioSeconds
        )
    }

    /// True for what is counted in tokens.
    pub const fn is_tokens(self) -> bool {
        !self.is_per_unit() && !matches!(self, PriceKind::Characters)
    }

    /// True for what counts as input cost (`X-Tollway-Input-Cost-USD`); the rest is output cost.
    pub const fn is_input(self) -> bool {
        !matches!(
            self,
            PriceKind::Output
                | PriceKind::Reasoning
                | PriceKind::AudioOutput
                | PriceKind::ImageOutput
                | PriceKind::Images
        )
    }

    const fn wider(self) -> Option<PriceKind> {
        match self {
            PriceKind::CacheWrite1h => Some(PriceKind::CacheWrite),
            PriceKind::CacheRead | PriceKind::CacheWrite | PriceKind::AudioInput | PriceKind::ImageInput => {
                Some(PriceKind::Input)
            }
            PriceKind::Reasoning | PriceKind::AudioOutput | PriceKind::ImageOutput => Some(PriceKind::Output),
            PriceKind::Input
            | PriceKind::Output
            | PriceKind::Requests
            | PriceKind::Searches
            | PriceKind::Images
            | PriceKind::AudioSeconds
            | PriceKind::Characters => None,
        }
    }

    /// How many of these were used.
    pub const fn units(self, usage: &Usage) -> u64 {
        match self {
            PriceKind::Input => usage.input,
            PriceKind::CacheRead => usage.cache_read,
            PriceKind::CacheWrite => usage.cache_write,
            PriceKind::CacheWrite1h => usage.cache_write_1h,
            PriceKind::AudioInput => usage.audio_input,
            PriceKind::ImageInput => usage.image_input,
            PriceKind::Output => usage.output,
            PriceKind::Reasoning => usage.reasoning,
            PriceKind::AudioOutput => usage.audio_output,
            PriceKind::ImageOutput => usage.image_output,
            PriceKind::Requests => usage.requests,
            PriceKind::Searches => usage.searches,
            PriceKind::Images => usage.images,
            PriceKind::AudioSeconds => usage.audio_seconds,
            PriceKind::Characters => usage.characters,
        }
    }
}

/// A price that is either known or known to be missing. Not offered at all is `None` around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quote {
    /// This many nano-dollars per million units; zero is free.
    Known(Rate),
    /// Something is charged, and nobody has sourced how much.
    Unknown,
}

impl Quote {
    /// The rate, when known.
    pub const fn rate(self) -> Option<Rate> {
        match self {
            Quote::Known(rate) => Some(rate),
            Quote::Unknown => None,
        }
    }
}

/// A minute of the UTC day, 0 to 1439.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMinute(u16);

impl UtcMinute {
    /// Reads `HH:MM`.
    pub fn parse(text: &str) -> Option<UtcMinute> {
        let (hours, minutes) = text.split_once(':')?;
        if hours.len() != 2 || minutes.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b':') {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(UtcMinute(hours * 60 + minutes))
    }

    /// 0 to 1439.
    pub const fn minute(self) -> u16 {
        self.0
    }
}

impl fmt::Display for UtcMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Prices that replace others while conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Holds when the total input tokens are strictly above this.
    pub above_input_tokens: Option<u64>,
    /// Holds from the first minute (inclusive) to the second (exclusive); may wrap midnight.
    pub utc_window: Option<(UtcMinute, UtcMinute)>,
    /// The prices that it replaces.
    pub quotes: Vec<(PriceKind, Quote)>,
}

impl Override {
    fn holds(&self, input_tokens: u64, at: Timestamp) -> bool {
        let size_holds = self.above_input_tokens.is_none_or(|size| input_tokens > size);
        let time_holds = self.utc_window.is_none_or(|(from, to)| {
            let minute = at.minute_of_day();
            if from.0 <= to.0 { (from.0..to.0).contains(&minute) } else { minute >= from.0 || minute < to.0 }
        });
        size_holds && time_holds
    }
}

/// The prices of an endpoint. Immutable once used: a change makes a new price version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceSheet {
    /// At most one quote per kind; a kind that is not here is not offered.
    pub quotes: Vec<(PriceKind, Quote)>,
    /// In order; later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// The name of a price version: `pv-` and the first 16 hex digits of SHA-256 over the endpoint's id and the sheet's JSON. A
/// sheet's quotes are in the order of [`PriceKind::ALL`], so equal prices make equal names.
pub fn price_version(endpoint_id: &str, sheet_json: &str) -> String {
    use fmt::Write;
    let mut hash = Sha256::new();
    for part in [endpoint_id, "\n", sheet_json] {
        hash.update(part.as_bytes());
    }
    let mut name = String::from("pv-");
    for byte in hash.finalize().iter().take(8) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// One line of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The kind of price that was applied.
    pub kind: PriceKind,
    /// Units billed at it.
    pub units: u64,
    /// The rate.
    pub rate: Rate,
    /// `units x rate / 1e6`, rounded up.
    pub amount: Money,
}

/// What a generation costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// One line per kind of price with units.
    pub lines: Vec<CostLine>,
    /// The sum of the lines.
    pub total: Money,
}

impl Cost {
    /// The part that input caused.
    pub fn input(&self) -> Money {
        self.lines.iter().filter(|line| line.kind.is_input()).map(|line| line.amount).sum()
    }

    /// The part that output caused.
    pub fn output(&self) -> Money {
        self.lines.iter().filter(|line| !line.kind.is_input()).map(|line| line.amount).sum()
    }
}

/// Why usage can't be priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// The sheet has no known price for something that was used.
    #[error("no known price for {}", .0.name())]
    UnknownPrice(PriceKind),
}

impl PriceSheet {
    /// A sheet with these rates and no overrides; for tests and configuration.
    pub fn flat(rates: impl IntoIterator<Item = (PriceKind, Rate)>) -> PriceSheet {
        let quotes = rates.into_iter().map(|(kind, rate)| (kind, Quote::Known(rate))).collect();
        PriceSheet { quotes, overrides: Vec::new() }
    }

    /// The base quote of a kind, before overrides.
    pub fn quote(&self, kind: PriceKind) -> Option<Quote> {
        self.quotes.iter().find(|(k, _)| *k == kind).map(|(_, quote)| *quote)
    }

    /// True when calls of this task can be billed: what its answers are counted in has a known base price, and nothing is
    /// marked unknown.
    pub fn bills(&self, task: Task) -> bool {
        let known = |kind: &PriceKind| matches!(self.quote(*kind), Some(Quote::Known(_)));
        let all = self.quotes.iter().chain(self.overrides.iter().flat_map(|o| &o.quotes));
        let priced = match task {
            Task::Generate => known(&PriceKind::Input) && known(&PriceKind::Output),
            task => task.counted_in().iter().any(known),
        };
        priced && all.into_iter().all(|(_, quote)| *quote != Quote::Unknown)
    }

    /// True when something is charged by another unit than tokens.
    fn has_unit_price(&self) -> bool {
        self.quotes.iter().any(|(kind, _)| !kind.is_tokens())
    }

    fn quote_at(&self, kind: PriceKind, input_tokens: u64, at: Timestamp) -> Option<Quote> {
        let mut quote = self.quote(kind);
        for change in self.overrides.iter().filter(|o| o.holds(input_tokens, at)) {
            if let Some((_, changed)) = change.quotes.iter().find(|(k, _)| *k == kind) {
                quote = Some(*changed);
            }
        }
        quote
    }

    /// The kind whose price is applied to `kind`, with that price; `None`: no charge.
    pub fn resolve(&self, kind: PriceKind, input_tokens: u64, at: Timestamp) -> Option<(PriceKind, Quote)> {
        let mut current = Some(kind);
        while let Some(k) = current {
            if let Some(quote) = self.quote_at(k, input_tokens, at) {
                return Some((k, quote));
            }
            current = k.wider();
        }
        None
    }

    /// Prices usage at the instant when the request began.
    pub fn cost(&self, usage: &Usage, at: Timestamp) -> Result<Cost, CostError> {
        let input_tokens = usage.input_total();
        let mut lines: Vec<CostLine> = Vec::with_capacity(4);
        for kind in PriceKind::ALL {
            let units = kind.units(usage);
            if units == 0 {
                continue;
            }
            let Some((applied, quote)) = self.resolve(kind, input_tokens, at) else {
                // Who charges by the image or the second has no price per token, and the other way round.
                if !kind.is_tokens() || self.has_unit_price() {
                    continue;
                }
                return Err(CostError::UnknownPrice(kind));
            };
            let rate = quote.rate().ok_or(CostError::UnknownPrice(applied))?;
            match lines.iter_mut().find(|line| line.kind == applied) {
                Some(line) => line.units = line.units.saturating_add(units),
                None => lines.push(CostLine { kind: applied, units, rate, amount: Money::ZERO }),
            }
        }
        for line in &mut lines {
            line.amount = line.rate.times(line.units);
        }
        let total = lines.iter().map(|line| line.amount).sum();
        Ok(Cost { lines, total })
    }

    /// The total of [`PriceSheet::cost`] without its lines, for who compares many offers.
    pub fn total(&self, usage: &Usage, at: Timestamp) -> Result<Money, CostError> {
        let input_tokens = usage.input_total();
        let mut lines = [None; PriceKind::ALL.len()];
        for kind in PriceKind::ALL {
            let units = kind.units(usage);
            if units == 0 {
                continue;
            }
            let Some((applied, quote)) = self.resolve(kind, input_tokens, at) else {
                if !kind.is_tokens() || self.has_unit_price() {
                    continue;
                }
                return Err(CostError::UnknownPrice(kind));
            };
            let rate = quote.rate().ok_or(CostError::UnknownPrice(applied))?;
            // Units of one price are rounded together, as in `cost`.
            let same =
                |line: &&mut Option<(PriceKind, Rate, u64)>| line.is_none_or(|(kind, ..)| kind == applied);
            if let Some(line) = lines.iter_mut().find(same) {
                let before = line.map_or(0, |(.., units)| units);
                *line = Some((applied, rate, before.saturating_add(units)));
            }
        }
        Ok(lines.iter().map_while(Option::as_ref).map(|(_, rate, units)| rate.times(*units)).sum())
    }
}

#[cfg(test)]
mod tests;
