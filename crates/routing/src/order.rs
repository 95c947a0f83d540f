//! In which order endpoints are tried.
//!
//! 1. The endpoint that a conversation sticks to, while it is well.
//! 2. Those that don't rest.
//! 3. The caller's `provider.order`; then those that did not fail within [`RECENT_US`].
//! 4. Those within the caller's preferred speed and latency, then those that miss it or of which nothing is known.
//! 5. Of requests with tools or a schema: those known to serve them; with tools, those that called them badly of late last, and where
//!    JSON is asked for those that wrote it badly of late.
//! 6. Live offers before deprecated ones.
//! 7. The caller's `sort`. Without one the first is drawn, weighted by the inverse square of its price for this request, so
//!    that load spreads over what is about as cheap; under load the second draw may win (power of two choices on
//!    [`crate::load`]). What was not drawn follows by price. `provider.order` and virtual models switch the draw off.
//! 8. A sort by latency or throughput puts what nobody has measured behind what is known, and there it would stay: once in
//!    [`TRY_EVERY`] decisions the next such endpoint comes first, if it is as fit and not more than [`TRY_PRICE_MAX`] times as
//!    dear. Always the same one, so that a few requests are enough to know it; one that was never measured before one that was
//!    measured a while ago. Latency is [`Figures::begins_ms`].
//!
//! Offers that cost nothing share the draw alone: nothing that costs is as cheap.

use catalog::{Endpoint, Snapshot};
use types::{Money, PriceKind, Rate};

use crate::brief::Brief;
use crate::filters::means;
use crate::guide::{self, Guide};
use crate::health::{Figures, Quantiles, Size};
use crate::name::{Target, Variant, Virtual, What};
use crate::plan::{Conditions, Facts, Step, Sticky};
use crate::random::Random;
use crate::soonest;
use crate::wishes::{Cutoffs, Sort, Wishes};

/// How long a failure is held against an endpoint, microseconds.
pub const RECENT_US: i64 = 30_000_000;
/// Answers with calls of tools, or with JSON that was asked for, below which nothing is said about how good they are.
pub const JUDGED_MIN: u64 = 20;
/// The share of good ones below which an endpoint comes late.
const JUDGED_GOOD_MIN: f64 = 0.8;
/// The draw is taken back when its load is more than this many times the second draw's.
const LOAD_FACTOR: f64 = 2.0;

/// One decision in so many tries an endpoint that nobody has measured.
pub const TRY_EVERY: u32 = 32;
/// How many times the price of the first it may have.
pub const TRY_PRICE_MAX: i64 = 2;

/// What an endpoint is put in order by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) endpoint: u32,
    /// Index of its model.
    pub(crate) model: u32,
    rank: Rank,
    pub(crate) expected: Money,
    /// By the caller's sort: what is known first, then smaller first.
    pub(crate) key: (bool, f64),
    /// How good its answer is likely to be; of virtual models only.
    pub(crate) quality: Option<f64>,
    measured: Measured,
}

/// When what the sort goes by was measured; by sorts that need no measure it is always known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measured {
    Lately,
    Before,
    Never,
}

/// What counts before any sort, as one number: the lower, the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rank(u64);

impl Rank {
    const SANDBOX: u64 = 1 << 39;
    const ASTRAY: u64 = 1 << 38;
    const RESTING: u64 = 1 << 37;
    /// Its place in the caller's order, above these bits; all of them: it has none.
    const WISHED: u64 = (u32::MAX as u64) << 4;
    const FAILED: u64 = 1 << 3;
    const MISSES: u64 = 1 << 2;
    const UNFIT: u64 = 1 << 1;
    const DEPRECATED: u64 = 1;

    const fn wished(place: Option<usize>) -> u64 {
        match place {
            // Of a list this long nobody is far behind the end of it.
            Some(place) if place < u32::MAX as usize => (place as u64) << 4,
            _ => Rank::WISHED,
        }
    }

    const fn has(self, bits: u64) -> bool {
        self.0 & bits == bits
    }

    const fn is_well(self) -> bool {
        self.0 & (Rank::RESTING | Rank::FAILED) == 0
    }
}

/// What holds for all candidates of a decision.
pub(crate) struct Sorting<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) conditions: &'a dyn Conditions,
    pub(crate) facts: &'a Facts,
    pub(crate) wishes: &'a Wishes<'a>,
    /// Where the conversation stays.
    pub(crate) sticky: Option<Sticky>,
    /// What guides the choice of a virtual model.
    pub(crate) guide: Option<&'a Guide<'a>>,
    /// What chance is drawn from.
    pub(crate) seed: u64,
    /// The share of a virtual model's decisions that try another candidate about as good.
    pub(crate) explore: f64,
}

impl Sorting<'_> {
    /// The sort that a target asks for.
    fn sort(&self, target: &Target) -> Option<Sort> {
        match (target.variant, target.what) {
            (Some(Variant::Floor), _) => Some(Sort::Price),
            (Some(Variant::Nitro), _) => Some(Sort::Throughput),
            (Some(Variant::Exacto), _) => Some(Sort::Exacto),
            (Some(Variant::Extended), _) => Some(Sort::Context),
            (_, What::Virtual(Virtual::Fast)) => self.wishes.sort.or(Some(Sort::Latency)),
            (_, What::Virtual(_)) if self.guide.is_some_and(|guide| guide.fast) => {
                self.wishes.sort.or(Some(Sort::Latency))
            }
            (_, What::Virtual(_)) => self.wishes.sort.or(Some(Sort::Price)),
            _ => self.wishes.sort,
        }
    }

    /// What each endpoint is put in order by.
    pub(crate) fn candidates(&self, target: &Target, left: &[Brief]) -> Vec<Candidate> {
        let is_virtual = matches!(target.what, What::Virtual(_));
        let sort = self.sort(target);
        let guide = self.guide.filter(|_| is_virtual && self.wishes.sort.is_none());
        let tokens = guide.map(|guide| guide.tokens(self.facts));
        // Of the sandbox only its plain echo stands in for a real model.
        let real = left.iter().filter(|brief| !(is_virtual && brief.sandbox) || brief.echo);
        let mut all: Vec<Candidate> = Vec::with_capacity(left.len());
        all.extend(real.filter_map(|brief| self.candidate(brief, is_virtual, sort, tokens)));
        if let (What::Virtual(what), Some(guide)) = (target.what, guide) {
            guide.rate(what, &mut all);
        }
        self.leave_what_costs_more(&mut all);
        all
    }

    /// `tokens`: what its likely cost is made of, where that is guided.
    fn candidate(
        &self,
        brief: &Brief,
        is_virtual: bool,
        sort: Option<Sort>,
        tokens: Option<(u64, u64)>,
    ) -> Option<Candidate> {
        let index = brief.endpoint;
        let e = brief.in_snapshot(self.snapshot)?;
        let figures = self.conditions.figures(index as usize, Size::of(self.facts.input_tokens));
        let resting = !self.conditions.healthy(index as usize);
        let failed = self.has_failed(&figures);
        let stays = self.sticky.is_some_and(|sticky| sticky.endpoint == index) && !resting && !failed;
        let bit = |holds: bool, bit: u64| if holds { bit } else { 0 };
        let rank = bit(is_virtual && brief.sandbox, Rank::SANDBOX)
            | bit(!stays, Rank::ASTRAY)
            | bit(resting, Rank::RESTING)
            | Rank::wished(self.wishes.order.iter().position(|word| means(self.snapshot, e, word)))
            | bit(failed, Rank::FAILED)
            | bit(self.misses(&figures), Rank::MISSES)
            | bit(self.is_unfit(e, &figures), Rank::UNFIT)
            | bit(brief.deprecated, Rank::DEPRECATED);
        let guided =
            tokens.and_then(|(input, output)| brief.total(self.snapshot, input, output, self.facts.at));
        let expected = guided.unwrap_or_else(|| likely(brief, e, self.facts));
        let key = match sort {
            None => (false, 0.0),
            Some(Sort::Soonest) => (false, soonest::draw(self.seed, index, &figures, self.facts)),
            Some(sort) => self.key(sort, e, &figures, expected),
        };
        let measured = match sort {
            Some(Sort::Latency | Sort::Throughput) if key.0 => Measured::Never,
            // A stated latency is known whether somebody has measured it or not.
            Some(Sort::Latency) if figures.ttft_ms.is_none() && figures.latest_ttft_ms.is_some() => {
                Measured::Before
            }
            _ => Measured::Lately,
        };
        let rank = Rank(rank);
        Some(Candidate { endpoint: index, model: brief.model, rank, expected, key, quality: None, measured })
    }

    /// A conversation that nobody named leaves its endpoint for one of the same model that is cheaper even without the cached
    /// prompt.
    fn leave_what_costs_more(&self, all: &mut [Candidate]) {
        let Some(sticky) = self.sticky.filter(|sticky| !sticky.named) else { return };
        let Some(own) = all.iter().find(|candidate| candidate.endpoint == sticky.endpoint) else { return };
        let model = own.model;
        // Another model is not the same answer for less.
        let well = |c: &&Candidate| c.endpoint != sticky.endpoint && c.rank.is_well() && c.model == model;
        let Some(others) = all.iter().filter(well).map(|c| c.expected).min() else { return };
        let Some(own) = all.iter_mut().find(|candidate| candidate.endpoint == sticky.endpoint) else {
            return;
        };
        let saved = self.snapshot.endpoints.get(sticky.endpoint as usize).map_or(Money::ZERO, |e| {
            let rate = |kind| e.price.resolve(kind, self.facts.input_tokens, self.facts.at)?.1.rate();
            let cost = |kind| rate(kind).map(|rate: Rate| rate.times(self.facts.input_tokens));
            let input = cost(PriceKind::Input).unwrap_or(Money::ZERO);
            input.saturating_sub(cost(PriceKind::CacheRead).unwrap_or(input))
        });
        if own.expected.saturating_sub(saved) > others {
            own.rank.0 |= Rank::ASTRAY;
        }
    }

    fn has_failed(&self, figures: &Figures) -> bool {
        figures.last_failure.is_some_and(|at| self.facts.at.0.saturating_sub(at.0) < RECENT_US)
    }

    fn misses(&self, figures: &Figures) -> bool {
        let speed = |bound: f64, value: f64| value >= bound;
        let latency = |bound: f64, value: f64| value <= bound * 1_000.0;
        !holds(&self.wishes.throughput_min, figures.tokens_per_s, speed)
            || !holds(&self.wishes.latency_max, figures.ttft_ms, latency)
    }

    fn is_unfit(&self, e: &Endpoint, figures: &Figures) -> bool {
        let clumsy =
            |(good, all): (u64, u64)| all >= JUDGED_MIN && (good as f64) < JUDGED_GOOD_MIN * all as f64;
        let facts = self.facts;
        let tools = facts.tools && (clumsy(figures.tool_calls) || e.tool_call(self.snapshot) == Some(false));
        let schema = facts.structured_output && e.structured_output(self.snapshot) == Some(false);
        let json = (facts.structured_output || facts.json) && clumsy(figures.json);
        tools || schema || json
    }

    fn key(&self, sort: Sort, e: &Endpoint, figures: &Figures, expected: Money) -> (bool, f64) {
        let stated = |claim: Option<&catalog::Claim<String>>| claim.and_then(|c| c.value.parse::<f64>().ok());
        let known = match sort {
            Sort::Price => Some(expected.nanos() as f64),
            Sort::Throughput => figures
                .tokens_per_s
                .map(|q| q.p50)
                .or_else(|| stated(e.facts.throughput_tokens_per_s.as_ref()))
                .map(|speed| -speed),
            Sort::Latency => figures.begins_ms().or_else(|| stated(e.facts.ttft_ms.as_ref())),
            Sort::Exacto => {
                let (good, all) = figures.tool_calls;
                (all >= JUDGED_MIN).then(|| -(good as f64) / all as f64)
            }
            Sort::Soonest => None,
            Sort::Context => e.context_tokens(self.snapshot).map(|tokens| -(tokens as f64)),
        };
        (known.is_none(), known.unwrap_or(0.0))
    }

    /// Puts candidates in order and gives the first `most`; the first is drawn where nothing else decides.
    pub(crate) fn ordered(
        &self,
        target: &Target,
        mut all: Vec<Candidate>,
        random: &mut Random,
        most: usize,
    ) -> Vec<Step> {
        let real = all.iter().any(|candidate| !candidate.rank.has(Rank::SANDBOX));
        all.retain(|candidate| !(candidate.rank.has(Rank::SANDBOX) && real));
        let mut all = sorted(&all);
        if matches!(target.what, What::Virtual(_)) && self.wishes.sort.is_none() {
            guide::spread(self.snapshot, &mut all, |a, b| a.rank == b.rank && a.key.0 == b.key.0);
        }
        let sort = self.sort(target);
        let draws = sort.is_none() && self.wishes.order.is_empty();
        let odds = if draws { odds(&all) } else { Vec::new() };
        let drawn = self.draw(&all, &odds, random);
        let band = self.band(target, &all);
        let trial = self.trial(&all).filter(|_| self.explore > 0.0 && band.is_empty());
        let chance = 1.0 / f64::from(TRY_EVERY);
        let explores = Some(&band).filter(|band| !band.is_empty() && random.unit() < self.explore);
        let explored =
            explores.and_then(|band| band.get((random.unit() * band.len() as f64) as usize).copied());
        let tries = trial.filter(|_| random.unit() < chance).or(explored);
        let propensity = |at: usize| match trial {
            _ if !band.is_empty() && at == 0 => 1.0 - self.explore,
            _ if band.contains(&at) => self.explore / band.len() as f64,
            _ if draws => odds.get(at).copied().unwrap_or(if at == 0 && odds.is_empty() { 1.0 } else { 0.0 }),
            Some(trial) if at == trial => chance,
            Some(_) if at == 0 => 1.0 - chance,
            _ => f64::from(u8::from(at == 0)),
        };
        let first = tries.or(drawn).filter(|at| *at < all.len());
        let rest = (0..all.len()).filter(|at| first != Some(*at));
        first
            .into_iter()
            .chain(rest)
            .take(most)
            .filter_map(|at| Some((at, all.get(at)?)))
            .map(|(at, candidate)| Step {
                endpoint: candidate.endpoint,
                reason: match tries {
                    Some(trial) if at == trial && explored.is_some() => {
                        "about as good as the best by its prior, so tried now and then"
                    }
                    Some(trial) if at == trial => "nobody has measured it lately, so tried now and then",
                    _ => self.reason(candidate, sort, odds.get(at).is_some()),
                },
                expected: candidate.expected,
                quality: candidate.quality,
                propensity: propensity(at),
                target: 0,
                own: None,
            })
            .collect()
    }

    fn draw(&self, all: &[Candidate], odds: &[f64], random: &mut Random) -> Option<usize> {
        let mut once = || {
            let mut left = random.unit();
            odds.iter().position(|chance| {
                left -= chance;
                left < 0.0
            })
        };
        let (first, second) = (once(), once());
        // Only what is drawn is asked for its load.
        let load = |at: usize| {
            all.get(at).map_or(0.0, |candidate| self.conditions.load(candidate.endpoint as usize))
        };
        match first.zip(second) {
            Some((first, second)) if load(first) > LOAD_FACTOR * load(second) => Some(second),
            _ => first,
        }
    }

    /// Of a virtual model's candidates in order: those about as good as the first, of which one is taken now and then.
    fn band(&self, target: &Target, all: &[Candidate]) -> Vec<usize> {
        let chosen = matches!(target.what, What::Virtual(_)) && self.wishes.sort.is_none();
        let guide = self.guide.filter(|guide| chosen && self.explore > 0.0 && guide.weighs(target));
        let Some((first, _)) = all.first().zip(guide).filter(|(first, _)| first.rank.has(Rank::ASTRAY))
        else {
            return Vec::new();
        };
        let dear = first.expected.nanos().saturating_mul(TRY_PRICE_MAX);
        let fit = |one: &Candidate| {
            one.rank == first.rank
                && one.key.0 == first.key.0
                && one.key.1 - first.key.1 <= guide::BAND
                && one.expected.nanos() <= dear
        };
        (1..all.len()).filter(|at| all.get(*at).is_some_and(fit)).collect()
    }

    /// Of candidates in order: the one to try because nobody has measured it.
    fn trial(&self, all: &[Candidate]) -> Option<usize> {
        let known = |first: &&Candidate| first.measured == Measured::Lately && self.wishes.allow_fallbacks;
        let first = all.first().filter(known)?;
        let price_max = first.expected.nanos().saturating_mul(TRY_PRICE_MAX);
        let fit = |candidate: &Candidate| {
            // With a quality, the key's first half says that it is not good enough.
            let good = candidate.quality.is_none() || !candidate.key.0;
            good && candidate.rank == first.rank && candidate.expected.nanos() <= price_max
        };
        let next = |measured: Measured| all.iter().position(|one| one.measured == measured && fit(one));
        next(Measured::Never).or_else(|| next(Measured::Before))
    }

    fn reason(&self, candidate: &Candidate, sort: Option<Sort>, drawn: bool) -> &'static str {
        let rank = candidate.rank;
        if rank.has(Rank::SANDBOX) {
            "no real provider is switched on"
        } else if !rank.has(Rank::ASTRAY) {
            "served this conversation before, and holds its prompt cached"
        } else if rank.has(Rank::RESTING) {
            "resting after failures or a rate limit, so tried late"
        } else if !rank.has(Rank::WISHED) {
            "named in provider.order"
        } else if rank.has(Rank::FAILED) {
            "failed within the last 30 s, so tried late"
        } else if rank.has(Rank::MISSES) {
            "misses the preferred speed or latency, or too little is known of it"
        } else if rank.has(Rank::UNFIT) {
            "not known to serve the request's tools, schema or JSON well"
        } else if rank.has(Rank::DEPRECATED) {
            "deprecated, so tried late"
        } else {
            match sort {
                _ if candidate.quality.is_some() && candidate.key.0 => {
                    "not good enough by its prior, so tried late"
                }
                Some(Sort::Latency) if candidate.quality.is_some() => {
                    "good enough, and begins soonest as far as is known"
                }
                _ if candidate.quality.is_some() => {
                    "best balance of quality and cost at this dial, authors mixed"
                }
                Some(Sort::Throughput) if candidate.key.0 => "its speed is not known yet",
                Some(Sort::Throughput) => "writes fastest",
                Some(Sort::Latency) if candidate.key.0 => "its latency is not known yet",
                Some(Sort::Latency) => "begins soonest",
                Some(Sort::Exacto) if candidate.key.0 => "too few tool calls to judge",
                Some(Sort::Exacto) => "calls tools best",
                Some(Sort::Context) => "longest context",
                Some(Sort::Soonest) => "likely to answer soonest, by a draw from what is known of it",
                None if drawn => "picked at random among healthy offers, cheaper ones more often",
                Some(Sort::Price) | None => "cheapest for this request",
            }
        }
    }
}

/// Candidates in their order, the draw apart; what is equal by their ids, which is the catalog's own order. What is moved while
/// sorting is a small key.
fn sorted(all: &[Candidate]) -> Vec<Candidate> {
    let key = |(at, candidate): (usize, &Candidate)| {
        let (late, key) = candidate.key;
        let first = candidate.rank.0 << 1 | u64::from(late);
        // Signs turned, so that numbers without a sign are in the order of those with one.
        let second = in_order(key) as u64 ^ 1 << 63;
        let both = u128::from(first) << 64 | u128::from(second);
        (both, candidate.expected.nanos(), candidate.endpoint, at)
    };
    let mut keys: Vec<(u128, i64, u32, usize)> = all.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    keys.into_iter().filter_map(|(.., at)| all.get(at).copied()).collect()
}

/// A number in the order of [`f64::total_cmp`].
fn in_order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn holds(cutoffs: &Cutoffs, known: Option<Quantiles>, within: impl Fn(f64, f64) -> bool) -> bool {
    if cutoffs.is_empty() {
        return true;
    }
    let Some(known) = known else { return false };
    let pairs = [
        (cutoffs.p50, known.p50),
        (cutoffs.p75, known.p75),
        (cutoffs.p90, known.p90),
        (cutoffs.p99, known.p99),
    ];
    pairs.into_iter().all(|(bound, value)| bound.is_none_or(|bound| within(bound, value)))
}

/// The chance of each of the first candidates, which are equal but for their price, to be drawn.
fn odds(all: &[Candidate]) -> Vec<f64> {
    let Some(first) = all.first().filter(|first| first.rank.has(Rank::ASTRAY)) else { return Vec::new() };
    let equal = all.iter().take_while(|candidate| candidate.rank == first.rank);
    let prices: Vec<f64> = equal.map(|candidate| candidate.expected.nanos() as f64).collect();
    let free = prices.iter().any(|price| *price <= 0.0);
    let weight = |price: &f64| match free {
        true => f64::from(u8::from(*price <= 0.0)),
        false => 1.0 / (price * price),
    };
    let weights: Vec<f64> = prices.iter().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Expected price of this request; with no cap on output, as much comes out as went in, up to 500 tokens.
pub fn expected(endpoint: &Endpoint, facts: &Facts) -> Money {
    let unknown = Money::from_nanos(i64::MAX / 8);
    if let Some(usage) = &facts.expected {
        return endpoint.price.total(usage, facts.at).unwrap_or(unknown);
    }
    let output = output(facts);
    let amount = |kind, units: u64| {
        let quote =
            endpoint.price.resolve(kind, facts.input_tokens, facts.at).and_then(|(_, quote)| quote.rate());
        quote.map_or(unknown, |rate| rate.times(units))
    };
    let request = endpoint.price.resolve(PriceKind::Requests, 0, facts.at);
    amount(PriceKind::Input, facts.input_tokens.max(1))
        .saturating_add(amount(PriceKind::Output, output))
        .saturating_add(request.map_or(Money::ZERO, |_| amount(PriceKind::Requests, 1)))
}

/// The same, from what was worked out before where that is enough.
pub(crate) fn likely(brief: &Brief, endpoint: &Endpoint, facts: &Facts) -> Money {
    match brief.flat.filter(|flat| facts.expected.is_none() && flat.holds(facts.input_tokens)) {
        Some(flat) => flat.total(facts.input_tokens.max(1), output(facts)),
        None => expected(endpoint, facts),
    }
}

/// Output tokens that are expected of endpoints that nothing guides the choice of.
fn output(facts: &Facts) -> u64 {
    facts.max_tokens.unwrap_or(500).min(facts.input_tokens.clamp(100, 500))
}
