//! When a second provider is asked the same, because the first one hasn't begun.
//!
//! - *When*: the endpoint has not begun after its own 95th percentile for prompts of this size. With fewer than [`SAMPLES_MIN`]
//!   samples nothing is hedged. (Waiting longer while the budgets are low was tried in `cargo xtask eval simulate`: it is worse.)
//! - *Whom*: the next of the plan that is of another provider, whose breaker is closed (a half-open one has its probe to make),
//!   and that is as good: at most [`QUALITY_LOST_MAX`] below where the plan knows qualities, else the same model. Of both, the
//!   loser must end when its caller leaves, or it would be paid for in full.
//! - *How much*: of requests at most one in twenty, of spend at most one part in fifty. Requests and what they cost fill two
//!   buckets, hedges drain them. They fill at [`REQUESTS_EARN`] and [`SPEND_EARN`], a little less than the bound, so that even
//!   a full bucket spent at once keeps every run of a thousand requests below it. Both start empty.
//! - *Spend* is what the losers cost. A loser that has not begun costs its prompt at most: that much is set aside when a hedge
//!   fires, and the rest returns when the loser's cost is known. One that is never reported counts as paid for.
//! - *Brown-out*: when more than a tenth of the requests judged within [`WINDOW_S`] seconds were late by their own endpoint's
//!   percentile, all are slow, and a second try would make them slower: none fires until no more than [`OVER_PERCENT`] in a
//!   hundred are. A percentile follows its endpoint, so slowness that lasts for minutes becomes the norm.
//! - The first leg counts in [`crate::health`] even when it was cancelled, with the time that it was given: without those, the
//!   percentile would sink with each hedge.
//!
//! One of these is for a node; another may stand beside it for a key.

use std::time::Duration;

use catalog::{Endpoint, OnDisconnect, Snapshot};
use types::{Money, PriceKind, Task, Timestamp};

use crate::health::Figures;
use crate::plan::{Facts, Plan, Step};

/// Times to the first token below which nothing is hedged.
pub const SAMPLES_MIN: u64 = 40;
/// How much worse the second leg may be, of a quality from 0 to 1.
pub const QUALITY_LOST_MAX: f64 = 0.02;
/// What a request earns, in thousandths of a hedge.
pub const REQUESTS_EARN: i64 = 45;
/// Hedges that can be saved up.
pub const REQUESTS_SAVED_MAX: i64 = 5;
/// What spend earns, in thousandths of it.
pub const SPEND_EARN: i64 = 18;
/// What can be saved up of spend, in mean requests.
pub const SPEND_SAVED_MAX: i64 = 2;
/// How far back a brown-out is looked for, seconds.
pub const WINDOW_S: i64 = 10;
/// Of a hundred, so many late requests begin a brown-out when there are more.
pub const BROWN_OUT_PERCENT: u32 = 10;
/// Of a hundred, so many late requests end one. Five are late when all is well.
pub const OVER_PERCENT: u32 = 6;
/// Judged requests below which there is no brown-out.
pub const JUDGED_MIN: u32 = 20;
/// Late requests below which none begins.
pub const LATE_MIN: u32 = 5;
/// Requests that the mean cost is taken over.
const MEAN_OVER: i64 = 500;
/// Thousandths in one.
const WHOLE: i64 = 1_000;

/// The leg to hedge with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// Its place in the plan.
    pub step: usize,
    /// What the loser may cost.
    pub reserve: Money,
}

/// A hedge under way. It goes to [`Hedges::ended`]; dropped, its reserve counts as paid for.
#[derive(Debug)]
#[must_use]
pub struct Fired {
    reserve: Money,
}

/// Why a hedge did not fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// All are slow.
    BrownOut,
    /// One in twenty requests was hedged.
    Requests,
    /// One part in fifty of the spend went to losers.
    Spend,
}

/// What has been, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests.
    pub asked: u64,
    /// Hedges.
    pub fired: u64,
    /// Hedges whose second leg began first.
    pub won: u64,
    /// What the losers cost.
    pub wasted: Money,
    /// Hedges that a brown-out held back.
    pub held_by_brown_out: u64,
    /// Hedges that the bound on requests held back.
    pub held_by_requests: u64,
    /// Hedges that the bound on spend held back.
    pub held_by_spend: u64,
}

/// Requests judged within one second.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    second: i64,
    judged: u32,
    late: u32,
}

/// Budgets, brown-out guard and counts.
#[derive(Clone, Debug, Default)]
pub struct Hedges {
    /// Thousandths of a hedge.
    requests: i64,
    /// Thousandths of a nano-dollar. Below zero when a loser cost more than was set aside.
    spend: i64,
    /// What a request costs, nano-dollars: the mean of the last [`MEAN_OVER`] or so, and how many there were.
    mean: i64,
    paid: i64,
    slots: [Slot; WINDOW_S as usize],
    /// A brown-out has begun, and is over once [`Hedges::is_brown_out`] says so.
    browned: bool,
    counts: Counts,
}

/// How long the first leg is given, by what is known of its endpoint; `None`: too little is.
pub fn delay(figures: &Figures) -> Option<Duration> {
    let known = figures.ttft_ms.filter(|_| figures.samples >= SAMPLES_MIN)?;
    Duration::try_from_secs_f64(known.p95 / 1_000.0).ok()
}

impl Hedges {
    /// Counts a request, whether it may be hedged or not.
    pub fn asked(&mut self) {
        self.counts.asked += 1;
        self.requests = (self.requests + REQUESTS_EARN).min(REQUESTS_SAVED_MAX * WHOLE);
    }

    /// Takes in what an answered request cost, its loser apart.
    pub fn paid(&mut self, cost: Money) {
        let nanos = cost.nanos().max(0);
        self.paid = (self.paid + 1).min(MEAN_OVER);
        self.mean += (nanos - self.mean) / self.paid.max(1);
        self.save(nanos.saturating_mul(SPEND_EARN));
    }

    /// What was saved up when requests cost more is not taken away; it only stops growing.
    fn save(&mut self, amount: i64) {
        let most = self.spend_saved_max().max(self.spend);
        self.spend = self.spend.saturating_add(amount).min(most);
    }

    fn spend_saved_max(&self) -> i64 {
        self.mean.saturating_mul(SPEND_SAVED_MAX * WHOLE)
    }

    /// Judges a request that has a [`delay`]: once, when its first leg begins or when that is over, whichever is first.
    pub fn waited(&mut self, late: bool, now: Timestamp) {
        let second = now.seconds();
        let Some(slot) = self.slots.get_mut(second.rem_euclid(WINDOW_S) as usize) else { return };
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot.judged = slot.judged.saturating_add(1);
        slot.late = slot.late.saturating_add(u32::from(late));
        self.browned = self.is_brown_out(now);
    }

    /// Whether so many are late that none is hedged.
    pub fn is_brown_out(&self, now: Timestamp) -> bool {
        let now = now.seconds();
        let within = |slot: &&Slot| slot.second > now - WINDOW_S && slot.second <= now;
        let sum = |(judged, late): (u32, u32), slot: &Slot| {
            (judged.saturating_add(slot.judged), late.saturating_add(slot.late))
        };
        let (judged, late) = self.slots.iter().filter(within).fold((0, 0), sum);
        let (percent, least) = if self.browned { (OVER_PERCENT, 1) } else { (BROWN_OUT_PERCENT, LATE_MIN) };
        judged >= JUDGED_MIN
            && late >= least
            && u64::from(late) * 100 > u64::from(judged) * u64::from(percent)
    }

    /// The leg to hedge the plan's attempt `first` with; `is_closed` says of an endpoint whether calls pass its breaker
    /// freely, not as a probe.
    pub fn second(
        &self,
        snapshot: &Snapshot,
        facts: &Facts,
        plan: &Plan,
        first: usize,
        is_closed: impl Fn(u32) -> bool,
    ) -> Option<Second> {
        let at = |step: &Step| snapshot.endpoints.get(step.endpoint as usize);
        let step = plan.steps.get(first).filter(|_| facts.task == Task::Generate)?;
        let own = at(step).filter(|endpoint| can_be_cancelled(snapshot, endpoint))?;
        let lost = lost(own, facts)?;
        plan.steps.iter().enumerate().skip(first + 1).find_map(|(place, other)| {
            let endpoint = at(other)?;
            let as_good = match (step.quality, other.quality) {
                (Some(own), Some(other)) => other >= own - QUALITY_LOST_MAX,
                _ => endpoint.model == own.model,
            };
            let fit = endpoint.provider != own.provider && as_good && can_be_cancelled(snapshot, endpoint);
            let reserve = self::lost(endpoint, facts)?.max(lost);
            (fit && self.has(reserve) && is_closed(other.endpoint)).then_some(Second { step: place, reserve })
        })
    }

    fn has(&self, reserve: Money) -> bool {
        reserve.nanos().saturating_mul(WHOLE) <= self.spend.max(0)
    }

    /// Fires a hedge, if none of the bounds holds it back.
    pub fn fire(&mut self, reserve: Money, now: Timestamp) -> Result<Fired, Held> {
        if self.is_brown_out(now) {
            self.counts.held_by_brown_out += 1;
            return Err(Held::BrownOut);
        }
        if self.requests < WHOLE {
            self.counts.held_by_requests += 1;
            return Err(Held::Requests);
        }
        if !self.has(reserve) {
            self.counts.held_by_spend += 1;
            return Err(Held::Spend);
        }
        self.requests -= WHOLE;
        self.spend = self.spend.saturating_sub(reserve.nanos().saturating_mul(WHOLE));
        self.counts.fired += 1;
        Ok(Fired { reserve })
    }

    /// Takes in how a hedge ended: whether its second leg began first, and what the loser cost.
    pub fn ended(&mut self, fired: Fired, won: bool, wasted: Money) {
        let wasted = wasted.max(Money::ZERO);
        let rest = fired.reserve.saturating_sub(wasted);
        self.save(rest.nanos().saturating_mul(WHOLE));
        self.counts.won += u64::from(won);
        self.counts.wasted = self.counts.wasted.saturating_add(wasted);
    }

    /// What has been.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

fn can_be_cancelled(snapshot: &Snapshot, endpoint: &Endpoint) -> bool {
    endpoint.provider_in(snapshot).is_some_and(|p| p.quirks.on_disconnect == OnDisconnect::Cancel)
}

/// What a call costs that is cancelled before it has begun: the prompt, at most.
pub fn lost(endpoint: &Endpoint, facts: &Facts) -> Option<Money> {
    let price = |kind, units: u64| {
        let (_, quote) = endpoint.price.resolve(kind, facts.input_tokens, facts.at)?;
        Some(quote.rate()?.times(units))
    };
    let request = price(PriceKind::Requests, 1).unwrap_or(Money::ZERO);
    Some(price(PriceKind::Input, facts.input_tokens)?.saturating_add(request))
}

#[cfg(test)]
mod tests;
