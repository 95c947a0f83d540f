//! Calls over a virtual clock: events in order of time, no waiting. Plans, health, load, breakers and hedges are the product's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::{Context, Result};
use routing::breaker::{Report, Verdict};
use routing::guide::Guide;
use routing::health::{Ending, Sample, Size};
use routing::hedge::{self, Counts, Fired, Hedges};
use routing::name::{Names, Target};
use routing::plan::{Conditions, Facts, Plan, Question, plan};
use routing::quality::{Abilities, Work};
use routing::random::Random;
use routing::wishes::{Sort, Wishes};
use types::{Money, PriceKind, Timestamp};

use super::world::{Mood, World, normal};

/// A failing provider says so after this, microseconds.
const FAILURE_US: i64 = 60_000;
/// How fast all providers write, microseconds for each token.
const TOKEN_US: i64 = 15_000;

/// What is asked, how often, for how long.
pub struct Traffic {
    pub seed: u64,
    pub per_second: f64,
    pub seconds: f64,
    /// The model's name as callers write it.
    pub asked: &'static str,
    pub sort: Option<Sort>,
    pub hedging: bool,
}

/// What became of a call.
pub struct Seen {
    /// Seconds after the start.
    pub at: f64,
    /// The offer that was tried first, and the one that answered.
    pub first: Option<usize>,
    pub served: Option<usize>,
    /// From the call to the first token of whoever answered.
    pub ttft_us: Option<i64>,
}

/// What became of all.
pub struct Outcome {
    pub calls: Vec<Seen>,
    /// Seconds after the start at which hedges fired.
    pub fired: Vec<f64>,
    pub paid: Money,
    pub counts: Counts,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick,
    Arrive,
    First { call: usize, leg: usize },
    Fail { call: usize, leg: usize },
    End { call: usize, leg: usize },
    Late { call: usize, leg: usize },
}

struct Leg {
    step: usize,
    offer: usize,
    started: Timestamp,
    /// Neither failed, cancelled nor ended.
    alive: bool,
    /// As in time or late; true from the start where nothing is to be judged.
    judged: bool,
}

struct Call {
    at: Timestamp,
    facts: Facts,
    output_tokens: u64,
    plan: Plan,
    legs: Vec<Leg>,
    hedge: Option<(Fired, usize)>,
    ttft_us: Option<i64>,
    served: Option<usize>,
}

struct Engine<'w> {
    world: &'w mut World,
    traffic: &'w Traffic,
    hedges: Hedges,
    calls: Vec<Call>,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    queued: u64,
    fired: Vec<f64>,
    paid: Money,
    targets: Vec<Target>,
    abilities: Abilities,
    random: Random,
}

/// Runs the traffic to its end.
pub fn run(world: &mut World, traffic: &Traffic) -> Result<Outcome> {
    let names = Names { brand: "tollway".into(), accept_peer_slugs: true };
    let targets = vec![names.resolve(&world.snapshot, traffic.asked).context("the simulated model")?];
    let mut engine = Engine {
        abilities: Abilities::of(&world.snapshot),
        world,
        traffic,
        hedges: Hedges::default(),
        calls: Vec::new(),
        events: BinaryHeap::new(),
        queued: 0,
        fired: Vec::new(),
        paid: Money::ZERO,
        targets,
        random: Random::new(traffic.seed),
    };
    engine.queue(1_000_000, Event::Tick);
    engine.queue(1, Event::Arrive);
    while let Some(Reverse((at, _, event))) = engine.events.pop() {
        engine.world.now = Timestamp(at);
        engine.happen(event);
    }
    let calls = engine.calls.iter().map(|call| Seen {
        at: engine.world.seconds(call.at),
        first: call.legs.first().map(|leg| leg.offer),
        served: call.served,
        ttft_us: call.ttft_us,
    });
    let calls = calls.collect();
    Ok(Outcome { calls, fired: engine.fired, paid: engine.paid, counts: engine.hedges.counts() })
}

impl Engine<'_> {
    fn queue(&mut self, after_us: i64, event: Event) {
        self.queued += 1;
        self.events.push(Reverse((self.world.now.0 + after_us, self.queued, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick => {
                self.world.refresh();
                if self.world.seconds(self.world.now) < self.traffic.seconds {
                    self.queue(1_000_000, Event::Tick);
                }
            }
            Event::Arrive => self.arrive(),
            Event::First { call, leg } => self.first(call, leg),
            Event::Fail { call, leg } => self.fail(call, leg),
            Event::End { call, leg } => self.end(call, leg),
            Event::Late { call, leg } => self.late(call, leg),
        }
    }

    fn arrive(&mut self) {
        let gap = -(1.0 - self.random.unit()).ln() / self.traffic.per_second;
        if self.world.seconds(self.world.now) + gap < self.traffic.seconds {
            self.queue((gap * 1e6) as i64 + 1, Event::Arrive);
        }
        let input = (800.0 * normal(&mut self.random).exp()).clamp(50.0, 30_000.0);
        let output = (250.0 * (0.8 * normal(&mut self.random)).exp()).clamp(5.0, 4_000.0);
        let seed = self.random.bits();
        let facts = Facts { input_tokens: input as u64, at: self.world.now, ..Facts::default() };
        let wishes = Wishes { allow_fallbacks: true, sort: self.traffic.sort, ..Wishes::default() };
        let work = Work::Mixture([0.125; 8]);
        let guide = Guide { abilities: &self.abilities, learned: None, work, dial: None, fast: false };
        let plan = plan(&Question {
            snapshot: &self.world.snapshot,
            conditions: &*self.world,
            targets: &self.targets,
            retries: &[],
            facts: &facts,
            wishes: &wishes,
            sticky: None,
            guide: Some(&guide),
            seed,
            explore: 0.02,
            attempts_max: 6,
        });
        self.hedges.asked();
        self.calls.push(Call {
            at: self.world.now,
            facts,
            output_tokens: output as u64,
            plan,
            legs: Vec::new(),
            hedge: None,
            ttft_us: None,
            served: None,
        });
        self.start(self.calls.len() - 1, 0);
    }

    /// Starts the first leg from this step on whose breaker lets it pass.
    fn start(&mut self, call: usize, from: usize) {
        for step in from..self.calls[call].plan.steps.len() {
            let endpoint = self.calls[call].plan.steps[step].endpoint;
            let Some(offer) = self.world.offer_of(endpoint) else { continue };
            let now = self.world.now;
            if matches!(self.world.vitals[offer].breaker.enter(now), Verdict::Wait(_)) {
                continue;
            }
            self.world.vitals[offer].under_way += 1;
            let input = self.calls[call].facts.input_tokens;
            let leg = self.calls[call].legs.len();
            if self.world.mood(offer) == Mood::Failing {
                self.queue(FAILURE_US, Event::Fail { call, leg });
            } else {
                let ttft = self.world.ttft_us(offer, self.traffic.seed, call, input);
                self.queue(ttft as i64, Event::First { call, leg });
            }
            let figures = self.world.figures(endpoint as usize, Size::of(input));
            let delay = hedge::delay(&figures).filter(|_| self.traffic.hedging && leg == 0);
            if let Some(delay) = delay {
                self.queue(delay.as_micros() as i64, Event::Late { call, leg });
            }
            let judged = delay.is_none();
            self.calls[call].legs.push(Leg { step, offer, started: now, alive: true, judged });
            return;
        }
    }

    fn is_waiting(&self, call: usize, leg: usize) -> bool {
        self.calls[call].ttft_us.is_none() && self.calls[call].legs[leg].alive
    }

    fn judge(&mut self, call: usize, leg: usize, late: bool) {
        if !std::mem::replace(&mut self.calls[call].legs[leg].judged, true) {
            self.hedges.waited(late, self.world.now);
        }
    }

    fn late(&mut self, call: usize, leg: usize) {
        if !self.is_waiting(call, leg) {
            return;
        }
        self.judge(call, leg, true);
        let (world, now) = (&*self.world, self.world.now);
        let is_closed = |endpoint: u32| {
            let offer = world.offer_of(endpoint);
            offer.is_some_and(|at| world.vitals[at].breaker.peek(now) == Verdict::Pass)
        };
        let asked = &self.calls[call];
        let step = asked.legs[leg].step;
        let second = self.hedges.second(&world.snapshot, &asked.facts, &asked.plan, step, is_closed);
        let Some(second) = second else { return };
        if let Ok(fired) = self.hedges.fire(second.reserve, now) {
            self.fired.push(self.world.seconds(now));
            self.calls[call].hedge = Some((fired, self.calls[call].legs.len()));
            self.start(call, second.step);
        }
    }

    fn first(&mut self, call: usize, leg: usize) {
        if !self.is_waiting(call, leg) {
            return;
        }
        let now = self.world.now;
        if leg == 0 {
            self.judge(call, leg, false);
        }
        self.calls[call].ttft_us = Some(now.0 - self.calls[call].at.0);
        self.calls[call].served = Some(self.calls[call].legs[leg].offer);
        let losers: Vec<usize> = (0..self.calls[call].legs.len())
            .filter(|at| *at != leg && self.calls[call].legs[*at].alive)
            .collect();
        for loser in losers {
            self.cancel(call, loser, leg);
        }
        let written = self.calls[call].output_tokens as i64 * TOKEN_US;
        self.queue(written, Event::End { call, leg });
    }

    /// Ends the leg that did not begin first. Its provider has read the prompt by now, and bills it.
    fn cancel(&mut self, call: usize, loser: usize, winner: usize) {
        let now = self.world.now;
        let wasted = self.cost(call, loser, 0);
        let leg = &mut self.calls[call].legs[loser];
        leg.alive = false;
        let (offer, started) = (leg.offer, leg.started);
        self.world.vitals[offer].under_way -= 1;
        if loser == 0 {
            let waited = now.0 - started.0;
            let size = Size::of(self.calls[call].facts.input_tokens);
            self.world.vitals[offer].record(&answered(now, size, waited, None));
        }
        if let Some((fired, second)) = self.calls[call].hedge.take() {
            self.hedges.ended(fired, winner == second, wasted);
        }
    }

    fn cost(&self, call: usize, leg: usize, output_tokens: u64) -> Money {
        let call = &self.calls[call];
        let endpoint = call.plan.steps[call.legs[leg].step].endpoint as usize;
        let price = &self.world.snapshot.endpoints[endpoint].price;
        let rate = |kind| price.quote(kind).and_then(|quote| quote.rate());
        let of = |kind, units| rate(kind).map_or(Money::ZERO, |rate| rate.times(units));
        of(PriceKind::Input, call.facts.input_tokens).saturating_add(of(PriceKind::Output, output_tokens))
    }

    fn end(&mut self, call: usize, leg: usize) {
        let now = self.world.now;
        let cost = self.cost(call, leg, self.calls[call].output_tokens);
        self.paid = self.paid.saturating_add(cost);
        self.hedges.paid(cost);
        let (offer, started) = (self.calls[call].legs[leg].offer, self.calls[call].legs[leg].started);
        self.calls[call].legs[leg].alive = false;
        let tokens = self.calls[call].output_tokens;
        let ttft = now.0 - started.0 - tokens as i64 * TOKEN_US;
        let size = Size::of(self.calls[call].facts.input_tokens);
        let vitals = &mut self.world.vitals[offer];
        vitals.under_way -= 1;
        vitals.breaker.report(Report::Success, now);
        vitals.record(&answered(now, size, ttft, Some((tokens, tokens * TOKEN_US.unsigned_abs()))));
    }

    fn fail(&mut self, call: usize, leg: usize) {
        let now = self.world.now;
        let (offer, step) = (self.calls[call].legs[leg].offer, self.calls[call].legs[leg].step);
        let size = Size::of(self.calls[call].facts.input_tokens);
        self.calls[call].legs[leg].alive = false;
        let vitals = &mut self.world.vitals[offer];
        vitals.under_way -= 1;
        vitals.record(&Sample { ending: Ending::Failed, ttft_us: None, ..answered(now, size, 0, None) });
        self.start(call, step + 1);
    }
}

fn answered(at: Timestamp, size: Size, ttft_us: i64, written: Option<(u64, u64)>) -> Sample {
    let ttft_us = Some(ttft_us.unsigned_abs());
    Sample { at, size, ending: Ending::Answered, ttft_us, written, tool_calls_good: None, json_good: None }
}
