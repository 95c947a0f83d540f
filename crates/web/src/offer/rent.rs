//! A machine by the hour beside tokens by the million, for models whose weights are open: from how many tokens a month on renting costs
//! less, and whether the machine manages as many.
//!
//! - Tokens a month = price of an hour x 730 / what a token costs at the offer, input and output in the given mixture.
//! - A machine that writes so many tokens per second for each of so many calls at once takes in the input beside: of every hundred tokens
//!   `out` are written, so it manages speed x calls x 100 / out in all. How fast it reads is not looked at.
//! - Every number is the reader's; the price is an example until it is, and the speed is what was measured here at this offer.

use types::{Money, PriceKind};

use crate::describe::{self, BreakEven, HOURS_PER_MONTH};
use crate::format::{self, Shown};
use crate::index::rate;
use crate::visit::Visit;
use catalog::{Endpoint, Model};

/// What a machine costs an hour, where the reader does not say, in dollars; the share of output in what is written and read; and how many
/// calls it serves at once.
const HOUR_USD: &str = "2.50";
const OUTPUT_PERCENT: u64 = 20;
const CALLS: u64 = 1;
const HOUR_USD_MAX: i64 = 10_000;
const SPEED_MAX: u64 = 1_000_000;
const CALLS_MAX: u64 = 10_000;

/// When renting costs less.
pub(super) struct Rent {
    pub(super) hour: String,
    pub(super) hour_is_ours: bool,
    pub(super) output_percent: u64,
    /// Output tokens per second of one call; empty: nobody says.
    pub(super) speed: String,
    /// How often the speed was measured here; `None`: it is the reader's.
    pub(super) measured: Option<String>,
    pub(super) calls: String,
    /// What was typed and is no such number, and what would be.
    pub(super) problems: Vec<(String, &'static str)>,
    pub(super) even: Option<Even>,
    /// Every offer of the model, the cheapest first.
    pub(super) offers: Vec<Beside>,
}

/// The point, and what the machine makes of it.
pub(super) struct Even {
    pub(super) tokens: Shown,
    pub(super) per_second: Shown,
    pub(super) formula: String,
    pub(super) machine: Option<Machine>,
}

/// What the machine manages in a month.
pub(super) struct Machine {
    pub(super) tokens: Shown,
    pub(super) formula: String,
    /// What a million tokens cost on it when it is never idle.
    pub(super) full: Shown,
    /// How much of the time it has to be busy.
    pub(super) busy: Shown,
    /// It can't be busy enough.
    pub(super) never: bool,
    /// So many of them would be needed.
    pub(super) machines: u64,
}

/// Another offer of the model.
pub(super) struct Beside {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) is_this: bool,
    pub(super) blended: Shown,
    pub(super) tokens: Shown,
    /// How much of the time the machine has to be busy; empty where nobody says how fast it is.
    pub(super) busy: Option<Shown>,
}

/// What the reader says.
#[derive(Clone, Copy)]
struct Said {
    hour: Money,
    out: u64,
    /// Tokens that the machine manages in a month.
    capacity: Option<u64>,
}

/// Only of open weights, which somebody can rent a machine for, where the offer's prices are known.
pub(super) fn rent(visit: &Visit, at: usize, model: &Model, own: &[usize]) -> Option<Rent> {
    if !model.facts.open_weights.as_ref().is_some_and(|claim| claim.value) {
        return None;
    }
    let endpoint = visit.snapshot().endpoints.get(*own.first()?)?;
    rate(endpoint, PriceKind::Input).zip(rate(endpoint, PriceKind::Output))?;
    let mut problems = Vec::new();
    let mut number =
        |name: &str, ours: Option<u64>, range: std::ops::RangeInclusive<u64>, why: &'static str| {
            let Some(text) = visit.ask(name) else { return ours };
            let read = text.parse().ok().filter(|number| range.contains(number));
            if read.is_none() {
                problems.push((text.to_owned(), why));
            }
            read
        };
    let out = number("out", Some(OUTPUT_PERCENT), 0..=100, "is no share; write a whole percentage, 0 to 100");
    let live = visit.board.live(*own.first()?);
    let measured = live.and_then(|live| Some((live.tokens_per_s?.p50.round(), live.samples)));
    // A speed, not money; it was measured, so it is positive and small.
    let ours = measured.map(|(speed, _)| (speed as u64).clamp(1, SPEED_MAX));
    let speed = number("speed", ours, 1..=SPEED_MAX, "is no speed; write whole tokens per second");
    let calls = number("calls", Some(CALLS), 1..=CALLS_MAX, "is no number of calls; write 1 to 10,000");
    let hour = visit.ask("hour").unwrap_or(HOUR_USD);
    let price = hour.parse::<Money>().ok();
    let price = price.filter(|money| *money > Money::ZERO && *money <= Money::from_usd(HOUR_USD_MAX));
    if price.is_none() {
        problems
            .push((hour.to_owned(), "is no price for an hour; write dollars such as 2.50, at most 10,000"));
    }
    let capacity = speed.zip(calls).zip(out).and_then(|((speed, calls), out)| capacity(speed, calls, out));
    let said = price.zip(out).filter(|_| problems.is_empty()).map(|(hour, out)| Said { hour, out, capacity });
    let typed = |name: &str, ours: Option<u64>| {
        visit.ask(name).map_or_else(|| ours.map(|n| n.to_string()).unwrap_or_default(), str::to_owned)
    };
    Some(Rent {
        hour: hour.to_owned(),
        hour_is_ours: visit.ask("hour").is_none(),
        output_percent: out.unwrap_or(OUTPUT_PERCENT),
        speed: typed("speed", ours),
        measured: measured
            .filter(|_| visit.ask("speed").is_none())
            .map(|(_, samples)| format::count_of(samples, "sample")),
        calls: typed("calls", Some(CALLS)),
        even: said.and_then(|said| even(endpoint, said, speed, calls)),
        offers: said.map(|said| beside(visit, at, own, said)).unwrap_or_default(),
        problems,
    })
}

/// Tokens in all that a machine manages in a month; `None` where it writes none of them.
fn capacity(speed: u64, calls: u64, out: u64) -> Option<u64> {
    let seconds = u64::try_from(HOURS_PER_MONTH).ok()? * 3_600;
    let written = u128::from(speed) * u128::from(calls) * u128::from(seconds);
    u64::try_from((written * 100).checked_div(u128::from(out))?).ok()
}

fn reckoned(endpoint: &Endpoint, said: Said) -> Option<BreakEven> {
    let (input, output) = (rate(endpoint, PriceKind::Input)?, rate(endpoint, PriceKind::Output)?);
    describe::break_even(said.hour, input, output, said.out)
}

fn even(endpoint: &Endpoint, said: Said, speed: Option<u64>, calls: Option<u64>) -> Option<Even> {
    let even = reckoned(endpoint, said)?;
    let machine = said.capacity.zip(speed).zip(calls).and_then(|((tokens, speed), calls)| {
        Some(Machine {
            tokens: format::short(tokens),
            formula: format!(
                "{} tokens per second x {} x 100 / {} x {HOURS_PER_MONTH} hours of 3,600 seconds = {} tokens a month",
                format::count(speed),
                format::count_of(calls, "call"),
                said.out,
                format::short(tokens).text()
            ),
            full: describe::per_million_of(even.month, tokens)?,
            busy: format::percent(even.tokens_per_month, tokens),
            never: even.tokens_per_month > tokens,
            machines: even.tokens_per_month.div_ceil(tokens.max(1)),
        })
    });
    Some(Even {
        tokens: format::short(even.tokens_per_month),
        per_second: format::short(even.tokens_per_s),
        formula: even.formula,
        machine,
    })
}

/// The same at every offer of the model.
fn beside(visit: &Visit, model: usize, own: &[usize], said: Said) -> Vec<Beside> {
    let snapshot = visit.snapshot();
    let mut all: Vec<(types::Rate, Beside)> = Vec::new();
    for at in snapshot.endpoints_of(model).iter().map(|at| *at as usize) {
        let Some(endpoint) = snapshot.endpoints.get(at) else { continue };
        let (Some(even), Some(provider), Some(model)) =
            (reckoned(endpoint, said), endpoint.provider_in(snapshot), endpoint.model_in(snapshot))
        else {
            continue;
        };
        let name = match &endpoint.variant {
            Some(variant) => format!("{} ({variant})", provider.name),
            None => provider.name.to_string(),
        };
        let busy = said.capacity.map(|capacity| match even.tokens_per_month > capacity {
            true => Shown::same("never"),
            false => format::percent(even.tokens_per_month, capacity),
        });
        let beside = Beside {
            path: format!("/{}/{}", model.id, provider.id),
            name,
            is_this: own.contains(&at),
            blended: format::per_million(even.blended),
            tokens: format::short(even.tokens_per_month),
            busy,
        };
        all.push((even.blended, beside));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
    all.into_iter().map(|(_, beside)| beside).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{SMALL, Still, get, see, several_on};

    const OFFER: &str = "/mistralai/small-4/mistral";

    #[tokio::test]
    async fn renting_is_reckoned_from_the_readers_price() {
        // At 5 dollars an hour 730 hours are 3,650 dollars; 80 x 0.15 + 20 x 0.60 = 0.24 per 1M: 15,208,333,334 tokens.
        let page = get(several_on(), &format!("{OFFER}?hour=5")).await;
        page.holds("$3,650.00 a month");
        page.holds("$0.24 per 1M tokens (20% output)");
        page.holds("title=\"15,208,333,334\"");
        // The other offer costs 0.8 x 0.1875 + 0.2 x 0.75 = 0.30.
        page.holds("<td class=\"n\">$0.30</td>");
        page.lacks("The machine manages");
        for (query, problem) in [
            ("hour=free", "is no price for an hour"),
            ("hour=-1", "is no price for an hour"),
            ("hour=0", "is no price for an hour"),
            ("hour=1e9", "is no price for an hour"),
            ("hour=99999999", "is no price for an hour"),
            ("out=101", "is no share"),
            ("out=x", "is no share"),
            ("speed=0", "is no speed"),
            ("calls=10001", "is no number of calls"),
        ] {
            let page = get(several_on(), &format!("{OFFER}?{query}")).await;
            assert_eq!(page.status, 200, "{query}");
            page.holds(problem);
            page.lacks("in every second");
        }
        get(several_on(), "/mistralai/large-3/mistral").await.lacks("id=\"rent\"");
    }

    #[tokio::test]
    async fn the_machine_has_to_manage_it() {
        // 50 a second for each of 40 calls, a fifth of all tokens: 10,000 a second, 26,280,000,000 a month. 15.2 of 26.28 are 57.87%;
        // 3,650 dollars for 26,280 million tokens are 0.1389 for one.
        let page = get(several_on(), &format!("{OFFER}?hour=5&speed=50&calls=40")).await;
        page.holds("title=\"26,280,000,000\"");
        page.holds("57.87%");
        page.holds("$0.138889");
        let slow = get(several_on(), &format!("{OFFER}?hour=5&speed=50&calls=4")).await;
        slow.holds("never");
        slow.holds("6 machines");
        // All of it is input: how fast it writes says nothing.
        get(several_on(), &format!("{OFFER}?hour=5&out=0&speed=50")).await.lacks("The machine manages");
    }

    #[tokio::test]
    async fn the_speed_is_the_measured_one_until_the_reader_says_another() {
        let world = || Still::new(&SMALL, &["mistral"]).measured("mistral/small-4", 300.0, 84.4);
        let page = see(world(), OFFER).await;
        page.holds("name=\"speed\" value=\"84\"");
        page.holds("40 samples");
        let own = see(world(), &format!("{OFFER}?speed=90")).await;
        own.holds("name=\"speed\" value=\"90\"");
        own.lacks("this offer's median");
        get(several_on(), OFFER).await.holds("name=\"speed\" value=\"\"");
    }
}
