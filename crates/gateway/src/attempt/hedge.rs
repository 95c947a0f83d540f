//! The second leg: where an answer is wanted soon and the first provider has not begun, another is asked the same. The first
//! token wins, and the loser's connection is closed at once. When, whom and how often is decided by [`routing::hedge`].
//!
//! - Only streams of who asks for speed (`<brand>/fast`, preference `latency`), in the first round, and nothing that a policy
//!   chains or an own key of the account's pays for.
//! - The caller pays the winner. What the loser costs is its prompt at most; the attempt on the record has it, and it is the
//!   operator's ([`Flight::lost`]).
//! - Nothing has left before there is a winner, so that the caller sees one answer of one provider.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledger::Attempt;
use routing::health::{Ending, Sample};
use routing::hedge::{self, Fired};
use routing::keyring::KeyReport;
use routing::plan::Facts;
use tokio::time::Instant;
use types::{Money, Timestamp};
use wire::Warning;
use wire::hub::Ident;

use super::{Committed, Failure, Log, Place, Trip, keys, one};
use crate::care::Sent;
use crate::settle::Flight;
use crate::vitals::{Vitals, Watched};

/// The outcome of an attempt that another was quicker than.
const LOST: &str = "hedge_lost";

/// What an attempt writes into while it is under way.
pub(crate) trait Seat {
    /// Takes its endpoint.
    fn aim(&mut self, trip: &Trip<'_, '_>, place: &Place<'_>);
    /// The names that its answer carries.
    fn ident(&self, provider_json: &str) -> Ident;
    /// What was lost on the way.
    fn warn(&mut self, warnings: &[Warning]);
    /// Set once the request is at the provider.
    fn sent(&mut self) -> Option<&mut Sent>;
    /// When the call began.
    fn created(&self) -> Timestamp;
}

impl Seat for Flight {
    fn aim(&mut self, trip: &Trip<'_, '_>, place: &Place<'_>) {
        Flight::aim(self, &trip.world.snapshot, place.endpoint);
        self.on_disconnect(place.on_disconnect());
    }

    fn ident(&self, provider_json: &str) -> Ident {
        Flight::ident(self, provider_json)
    }

    fn warn(&mut self, warnings: &[Warning]) {
        Flight::warn(self, warnings);
    }

    fn sent(&mut self) -> Option<&mut Sent> {
        Flight::sent(self)
    }

    fn created(&self) -> Timestamp {
        Flight::created(self)
    }
}

/// The seat of a second leg: what it writes is the flight's only if it wins.
struct Beside {
    ident: Ident,
    created: Timestamp,
    warnings: Vec<Warning>,
    sent: Sent,
}

impl Seat for Beside {
    fn aim(&mut self, trip: &Trip<'_, '_>, place: &Place<'_>) {
        let model = place.endpoint.model_in(&trip.world.snapshot).map(|model| model.id.to_string());
        self.ident.model = wire::json::quote(&model.unwrap_or_default());
    }

    fn ident(&self, provider_json: &str) -> Ident {
        Ident { provider: provider_json.to_owned(), ..self.ident.clone() }
    }

    fn warn(&mut self, warnings: &[Warning]) {
        self.warnings.extend_from_slice(warnings);
    }

    fn sent(&mut self) -> Option<&mut Sent> {
        Some(&mut self.sent)
    }

    fn created(&self) -> Timestamp {
        self.created
    }
}

/// A committed attempt and the endpoint that made it.
pub(super) type Won = (u32, Committed, Watched);

/// Tries one endpoint, and beside it a second one should the first be late.
pub(super) async fn race(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    index: u32,
    place: &mut Place<'_>,
    log: &mut Log,
) -> Result<Won, Failure> {
    let won = |(committed, watched)| (index, committed, watched);
    let delay = trip.hedge.and_then(|_| hedge::delay(&place.state.figures(trip.size)));
    let (Some(facts), Some(delay)) = (trip.hedge, delay) else {
        return keys(trip, flight, place, log).await.map(won);
    };
    let gateway = &trip.worker.gateway;
    gateway.hedges.lock().asked();
    flight.earns_hedges();
    let own = Leg::of(place, flight.elapsed_us());
    let mut beside = Beside {
        ident: flight.ident(""),
        created: flight.created(),
        warnings: Vec::new(),
        sent: Sent::of_this_call(),
    };
    let mut first = Box::pin(keys(trip, flight, place, log));
    let early = tokio::select! {
        biased;
        outcome = &mut first => Some(outcome),
        () = tokio::time::sleep(delay) => None,
    };
    gateway.hedges.lock().waited(early.is_none(), gateway.clock.now());
    if let Some(outcome) = early {
        return outcome.map(won);
    }
    let Some((fired, mut other)) = fire(trip, facts, index) else { return first.await.map(won) };
    let leg = Leg::of(&other, own.started_us + own.elapsed_us());
    let mut second = Box::pin(one_key(trip, &mut beside, &mut other));
    let outcome = tokio::select! {
        biased;
        outcome = &mut first => outcome,
        outcome = &mut second => match outcome {
            Ok(found) => {
                // Dropped, its connection is closed.
                drop((first, second));
                return Ok(take_over(trip, flight, (own, leg, facts), beside, fired, found));
            }
            Err(failure) => {
                let outcome = first.as_mut().await;
                drop((first, second));
                flight.lost(leg.attempt(&failure.code, None));
                gateway.hedges.lock().ended(fired, false, Money::ZERO);
                return outcome.map(won);
            }
        },
    };
    if let Err(failure) = outcome {
        // The second is on its way already: it is the next attempt.
        let outcome = second.as_mut().await;
        drop((first, second));
        return match outcome {
            Ok(found) => {
                let other = leg.index;
                adopt(flight, trip, &leg, beside);
                gateway.hedges.lock().ended(fired, true, Money::ZERO);
                Ok((other, found.0, found.1))
            }
            Err(other) => {
                flight.lost(leg.attempt(&other.code, None));
                gateway.hedges.lock().ended(fired, false, Money::ZERO);
                Err(failure)
            }
        };
    }
    drop((first, second));
    let wasted = leg.prompt_cost(trip, facts, beside.sent.is());
    flight.lost(leg.attempt(LOST, Some(wasted)));
    gateway.metrics.hedged(false, wasted);
    gateway.hedges.lock().ended(fired, false, wasted);
    outcome.map(won)
}

/// One leg, for the record.
struct Leg {
    index: u32,
    name: String,
    state: Arc<Vitals>,
    started: Instant,
    started_us: i64,
}

impl Leg {
    fn of(place: &Place<'_>, started_us: i64) -> Leg {
        Leg {
            index: place.index,
            name: place.endpoint.id.to_string(),
            state: Arc::clone(&place.state),
            started: Instant::now(),
            started_us,
        }
    }

    fn elapsed_us(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn attempt(&self, outcome: &str, cost: Option<Money>) -> Attempt {
        Attempt {
            endpoint: self.name.clone(),
            started_us: self.started_us,
            ended_us: self.started_us.saturating_add(self.elapsed_us()),
            outcome: outcome.to_owned(),
            cost: cost.unwrap_or(Money::ZERO),
            ..Attempt::default()
        }
    }

    /// What a leg costs that is cancelled before it has begun; nothing where it was never asked.
    fn prompt_cost(&self, trip: &Trip<'_, '_>, facts: &Facts, sent: bool) -> Money {
        let endpoint = trip.world.snapshot.endpoints.get(self.index as usize).filter(|_| sent);
        endpoint.and_then(|endpoint| hedge::lost(endpoint, facts)).unwrap_or(Money::ZERO)
    }
}

/// Fires a hedge where one is allowed.
fn fire<'t>(trip: &'t Trip<'_, '_>, facts: &Facts, index: u32) -> Option<(Fired, Place<'t>)> {
    let gateway = &trip.worker.gateway;
    let now = gateway.clock.now();
    let first = trip.plan.steps.iter().position(|step| step.endpoint == index)?;
    let is_closed = |endpoint: u32| {
        trip.world.endpoints.get(endpoint as usize).is_some_and(|vitals| vitals.is_closed(now))
    };
    if trip.is_abandoned() {
        return None;
    }
    let mut hedges = gateway.hedges.lock();
    let second = hedges.second(&trip.world.snapshot, facts, trip.plan, first, is_closed)?;
    let place = Place::find(trip.world, trip.plan.steps.get(second.step)?.endpoint)?;
    Some((hedges.fire(second.reserve, now).ok()?, place))
}

/// Tries an endpoint with one of its keys.
async fn one_key(
    trip: &Trip<'_, '_>,
    beside: &mut Beside,
    place: &mut Place<'_>,
) -> Result<(Committed, Watched), Failure> {
    let gateway = &trip.worker.gateway;
    place.take_key(gateway.clock.now());
    let (started, under_way) = (Instant::now(), place.state.begin());
    let outcome = one(trip, beside, place).await;
    let now = gateway.clock.now();
    match outcome {
        Ok(committed) => {
            place.report_key(Some(KeyReport::Taken), now);
            let streamed = matches!(committed, Committed::Stream(_));
            Ok((committed, Watched::new(under_way, trip.size, streamed.then(|| started.elapsed()), now)))
        }
        Err(failure) => {
            place.report_key(failure.key_report(), now);
            if let Some(report) = failure.report() {
                place.state.failed(report, trip.size, now);
            }
            gateway.metrics.attempts_failed.fetch_add(1, Ordering::Relaxed);
            Err(failure)
        }
    }
}

/// The second leg has begun first: the first one is the loser.
fn take_over(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    (own, leg, facts): (Leg, Leg, &Facts),
    beside: Beside,
    fired: Fired,
    found: (Committed, Watched),
) -> Won {
    let gateway = &trip.worker.gateway;
    let sent = flight.sent().is_some_and(|sent| sent.is());
    let wasted = own.prompt_cost(trip, facts, sent);
    // Without the time that it was given, its percentile would sink with each hedge.
    let ttft_us = u64::try_from(own.elapsed_us()).ok();
    own.state.record(&Sample {
        at: gateway.clock.now(),
        size: trip.size,
        ending: Ending::Begun,
        ttft_us,
        written: None,
        tool_calls_good: None,
        json_good: None,
    });
    flight.lost(own.attempt(LOST, Some(wasted)));
    adopt(flight, trip, &leg, beside);
    gateway.metrics.hedged(true, wasted);
    gateway.hedges.lock().ended(fired, true, wasted);
    (leg.index, found.0, found.1)
}

/// Makes the second leg the call's own attempt.
fn adopt(flight: &mut Flight, trip: &Trip<'_, '_>, leg: &Leg, beside: Beside) {
    if let Some(place) = Place::find(trip.world, leg.index) {
        Seat::aim(flight, trip, &place);
    }
    flight.warn(&beside.warnings);
    if let Some(sent) = flight.sent() {
        sent.set(true);
    }
    let attempt = leg.attempt("ok", None);
    flight.note(Attempt { status: 200, first_byte_us: Some(attempt.ended_us), ..attempt });
}
