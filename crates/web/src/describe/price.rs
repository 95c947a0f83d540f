//! Prices in words, the effective price after cache hits, and when renting a machine costs less than buying tokens.

use catalog::{Endpoint, Snapshot};
use types::{Money, PriceKind, Quote, Rate};

use crate::format::{self, Shown};
use crate::index::Switches;

/// Hours of a month: a twelfth of a year of 365 days.
pub(crate) const HOURS_PER_MONTH: i64 = 730;

fn known(endpoint: &Endpoint, kind: PriceKind) -> Option<Rate> {
    endpoint.price.quote(kind).and_then(Quote::rate)
}

/// The prices that stand for an offer: input and output where both are known, else every price that is. Output that is free
/// beside input that is not (vectors) is not worth a word.
pub(crate) fn headline(endpoint: &Endpoint) -> Vec<(PriceKind, Rate)> {
    let all = PriceKind::ALL.into_iter().filter_map(|kind| Some((kind, known(endpoint, kind)?)));
    match (known(endpoint, PriceKind::Input), known(endpoint, PriceKind::Output)) {
        (Some(input), Some(output)) if output == Rate::FREE && input != Rate::FREE => {
            vec![(PriceKind::Input, input)]
        }
        (Some(input), Some(output)) => vec![(PriceKind::Input, input), (PriceKind::Output, output)],
        _ => all.collect(),
    }
}

/// `$0.15 per 1M input tokens and $0.60 per 1M output tokens`; `nothing` where all of it is free; `None` where no price is known.
pub(crate) fn price_phrase(endpoint: &Endpoint) -> Option<String> {
    let prices = headline(endpoint);
    if prices.is_empty() {
        return None;
    }
    if prices.iter().all(|(_, rate)| *rate == Rate::FREE) {
        return Some("nothing".to_owned());
    }
    let phrase = |(kind, rate): &(PriceKind, Rate)| {
        format!("{} {}", format::quote(*kind, Some(Quote::Known(*rate))).text(), unit(*kind))
    };
    let phrases: Vec<String> = prices.iter().map(phrase).collect();
    Some(format::list(&phrases))
}

/// A unit with its kind: `per 1M input tokens`.
fn unit(kind: PriceKind) -> String {
    if kind.is_tokens() {
        return format!("per 1M {} tokens", format::price_name(kind).to_lowercase());
    }
    format::unit(kind).to_owned()
}

/// The offer with the lowest price of three parts input and one part output, the first by id among equals; where none has both, the
/// one with the lowest of its first known price. Of those that are switched on, where they have known prices; else of all.
pub(crate) fn cheapest<'s>(snapshot: &'s Snapshot, model: usize, on: &Switches) -> Option<&'s Endpoint> {
    let first = |endpoint: &Endpoint| {
        let (_, rate) = headline(endpoint).into_iter().next()?;
        Some(i128::from(rate.nanos_per_million()))
    };
    let place = |endpoint: &'s Endpoint| {
        let both = endpoint.blended();
        let sum = both.or_else(|| first(endpoint))?;
        Some(((!on.has(endpoint), both.is_none(), sum, &endpoint.id), endpoint))
    };
    let least = snapshot.model_endpoints(model).filter_map(place).min_by_key(|(place, _)| *place);
    least.map(|(_, endpoint)| endpoint)
}

/// What input costs on average when part of it is read from the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effective {
    /// The average, rounded up.
    pub(crate) rate: Rate,
    /// The same per 1M tokens.
    pub(crate) price: Shown,
    /// How it comes about, with its numbers.
    pub(crate) formula: String,
}

/// The average input price when `hits` of `of` input tokens were read from the cache: `(1 - h) x input + h x read`. `None` when
/// there was no input.
pub(crate) fn effective(input: Rate, cache_read: Rate, hits: u64, of: u64) -> Option<Effective> {
    let hits = hits.min(of);
    if of == 0 {
        return None;
    }
    let (fresh, whole) = (i128::from(of - hits), i128::from(of));
    let sum = i128::from(input.nanos_per_million()) * fresh
        + i128::from(cache_read.nanos_per_million()) * i128::from(hits);
    let rate = Rate::from_nanos_per_million(i64::try_from((sum + whole - 1) / whole).ok()?)?;
    let (missed, hit) = (format::percent(of - hits, of), format::percent(hits, of));
    let formula = format!(
        "{} of input at {} and {} at {} per 1M tokens",
        missed.text(),
        format::per_million(input).text(),
        hit.text(),
        format::per_million(cache_read).text()
    );
    Some(Effective { rate, price: format::per_million(rate), formula })
}

/// When renting a machine by the hour costs less than buying tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BreakEven {
    /// What the machine costs in a month, running all the time.
    pub(crate) month: Money,
    /// What a million tokens cost, in the given mixture.
    pub(crate) blended: Rate,
    /// From so many tokens a month on, input and output together, renting costs less.
    pub(crate) tokens_per_month: u64,
    /// As many tokens in each second of the month; the machine has to manage that.
    pub(crate) tokens_per_s: u64,
    /// How it comes about, with its numbers.
    pub(crate) formula: String,
}

/// Tokens per month from which on a machine at `hour` costs less than tokens at these prices, `output_percent` of them output.
/// `None` where tokens or the machine cost nothing.
pub(crate) fn break_even(hour: Money, input: Rate, output: Rate, output_percent: u64) -> Option<BreakEven> {
    let share = i128::from(output_percent.min(100));
    let hundredfold = i128::from(input.nanos_per_million()) * (100 - share)
        + i128::from(output.nanos_per_million()) * share;
    let month = Money::from_nanos(hour.nanos().checked_mul(HOURS_PER_MONTH)?);
    if hundredfold <= 0 || month <= Money::ZERO {
        return None;
    }
    let blended = Rate::from_nanos_per_million(i64::try_from((hundredfold + 99) / 100).ok()?)?;
    let exact = i128::from(month.nanos()) * 1_000_000 * 100;
    let tokens_per_month = u64::try_from((exact + hundredfold - 1) / hundredfold).ok()?;
    let seconds = u64::try_from(HOURS_PER_MONTH).ok()? * 3_600;
    let formula = format!(
        "{} an hour x {HOURS_PER_MONTH} hours = {} a month; / {} per 1M tokens ({share}% output) = {} tokens a month",
        format::cost(hour).text(),
        format::cost(month).text(),
        format::per_million(blended).text(),
        format::short(tokens_per_month).text()
    );
    Some(BreakEven {
        month,
        blended,
        tokens_per_month,
        tokens_per_s: tokens_per_month.div_ceil(seconds),
        formula,
    })
}

/// What a million tokens cost when so many cost this in all, rounded up; `None` where there are none.
pub(crate) fn per_million_of(all: Money, tokens: u64) -> Option<Shown> {
    let parts = i128::from(all.nanos()).checked_mul(1_000_000)?;
    let tokens = i128::from(tokens);
    let nanos = (parts + tokens - 1).checked_div(tokens)?;
    Rate::from_nanos_per_million(i64::try_from(nanos).ok()?).map(format::per_million)
}
