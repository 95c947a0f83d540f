//! Escalation: where an answer is found wanting by a check that costs nothing ([`wire::check`]), a better model is asked, once.
//!
//! - Only for who asks: `escalate` in the body, the header of that name, or a policy's `escalate_to`. `true` means the next
//!   candidate of a virtual model's plan that is another model of a higher quality.
//! - A plain answer is checked before anything is settled. A stream is held back until it has ended and was checked; then it is
//!   passed on whole, or the better model's stream is relayed. What breaks off is passed on as it broke off.
//! - The caller pays for the answer that it gets, and money is held for either. What the first one cost is the operator's: it
//!   stands on its attempt, and [`routing::hedge::Hedges`] bounds it, with budgets of their own.
//! - Without budget, and where the better model fails, the first answer is passed on and paid, with a warning.

mod held;

use std::sync::Arc;

use ledger::Escalated;
use routing::breaker::Report;
use routing::hedge::Held;
use routing::name::{Target, What};
use routing::plan::{Plan, Step};
use types::Money;
use wire::Warning;
use wire::check::Flaw;
use wire::hub::Seen;

use crate::app::Gateway;
use crate::attempt::{self, Arrival, Committed, Trip};
use crate::byok::Own;
use crate::course::{Aim, Asker, Course};
use crate::error::{FailedAttempt, GatewayError};
use crate::planning::{self, Asking};
use crate::settle::Flight;
use crate::vitals::Good;

/// The code of the warnings that say why no better model was asked.
pub(crate) const NOT_ESCALATED: &str = "not_escalated";

/// Where an answer may go on to.
#[derive(Debug)]
pub(crate) struct Better {
    plan: Plan,
    /// Only those that are better by the plan than what answered.
    by_quality: bool,
    /// The account's own keys, which the plan's steps name by their number.
    own: Option<Arc<Own>>,
}

/// Prepares the better plan of a call that asks for one; the reason where there is none.
pub(crate) fn prepare(
    gateway: &Gateway,
    asking: &Asking<'_, '_>,
    plan: &Plan,
) -> Result<Option<Better>, Warning> {
    let course = asking.course;
    let (targets, by_quality) = match &course.aim {
        None => return Ok(None),
        Some(Aim::Model(target)) => (vec![target.clone()], false),
        Some(Aim::Next) => {
            let chosen = |target: &&Target| matches!(target.what, What::Virtual(_));
            (course.targets.iter().filter(chosen).cloned().collect(), true)
        }
    };
    let name = course.name.clone();
    let course = Course { name, targets, dial: course.dial, uncut: by_quality, ..Course::default() };
    // Nothing is tried out on who waits for something better.
    let asker = Asker { dry: true, ..*asking.asker };
    let decision = planning::decide(gateway, &Asking { course: &course, asker: &asker, ..*asking });
    let mut better = Better { plan: decision.plan, by_quality, own: decision.own };
    if by_quality {
        let least = plan.steps.first().and_then(|step| step.quality);
        better.plan.steps.retain(|step| is_better(step, least));
        better.plan.steps.truncate(gateway.settings.attempts_max.max(1));
    }
    match better.plan.steps.is_empty() {
        true if by_quality => Err(told("the virtual model has no better candidate for this request")),
        true => Err(told("no endpoint of the model to go to fits this request")),
        false => Ok(Some(better)),
    }
}

/// Of what no quality is known nothing is better.
fn is_better(step: &Step, than: Option<f64>) -> bool {
    step.quality.zip(than).is_some_and(|(quality, than)| quality > than)
}

fn told(why: &str) -> Warning {
    Warning::about(NOT_ESCALATED, "escalate", format!("no better model was asked: {why}"))
}

impl Better {
    /// A plan with all endpoints that may be paid for, for money to be held.
    pub(crate) fn covered(&self, plan: &Plan) -> Plan {
        Plan { steps: plan.steps.iter().chain(&self.plan.steps).cloned().collect(), ..Plan::default() }
    }

    /// What is better than the answer of an endpoint.
    fn than(&self, trip: &Trip<'_, '_>, endpoint: u32) -> Plan {
        let model = |endpoint: u32| trip.world.snapshot.endpoints.get(endpoint as usize).map(|e| e.model);
        let own = trip.plan.steps.iter().find(|step| step.endpoint == endpoint);
        let least = own.and_then(|step| step.quality);
        let other = self.plan.steps.iter().filter(|step| model(step.endpoint) != model(endpoint));
        let steps = other.filter(|step| !self.by_quality || is_better(step, least)).cloned().collect();
        Plan { steps, ..Plan::default() }
    }
}

/// Runs a call's plan, checks what came, and goes on to the better plan where it is found wanting.
pub(crate) async fn run(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    better: &Better,
) -> Result<Arrival, GatewayError> {
    trip.worker.gateway.escalations.lock().asked();
    flight.earns_escalations();
    let mut first = Box::pin(attempt::run(trip, flight)).await?;
    let verdict = match &mut first.committed {
        Committed::Plain { answer, .. } => answer.verdict(),
        Committed::Stream(leg) => {
            if let Err(why) = held::back(trip, flight, first.endpoint, leg).await {
                flight.warn(&[told(why)]);
                return Ok(first);
            }
            if leg.failure.is_some() {
                return Ok(first);
            }
            leg.carry.verdict()
        }
    };
    match verdict {
        None => flight.warn(&[told("the answer could not be judged")]),
        Some(verdict) => {
            if let Some(flaw) = verdict.flaw {
                return go_on(trip, flight, better, first, flaw).await;
            }
        }
    }
    Ok(first)
}

fn seen(committed: &Committed) -> &Seen {
    match committed {
        Committed::Plain { answer, .. } => answer.seen(),
        Committed::Stream(leg) => leg.carry.seen(),
    }
}

async fn go_on(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    better: &Better,
    mut first: Arrival,
    flaw: Flaw,
) -> Result<Arrival, GatewayError> {
    let gateway = &trip.worker.gateway;
    let mut plan = better.than(trip, first.endpoint);
    // What is held pays for either answer, and for one kind of key.
    plan.steps.retain(|step| flight.is_paid(step));
    let found = trip.world.snapshot.endpoints.get(first.endpoint as usize);
    let Some(endpoint) = found.filter(|_| !plan.steps.is_empty()) else {
        flight.warn(&[told("the answer is of the best model already")]);
        return Ok(first);
    };
    if flight.awaits_tokenizer(seen(&first.committed).usage.as_ref()) {
        gateway.load_tokenizer().await;
    }
    let cost = flight.worth(seen(&first.committed));
    let fired = gateway.escalations.lock().fire(cost, gateway.clock.now());
    let fired = match fired {
        Ok(fired) => fired,
        Err(held) => {
            let of = if held == Held::Spend { "2 % of their cost" } else { "5 % of such requests" };
            flight.warn(&[told(&format!("the budget for it is used up ({of})"))]);
            return Ok(first);
        }
    };
    end_watch(trip, &mut first);
    let aside = flight.set_aside(cost);
    match Box::pin(attempt::run(&trip.by(&plan, better.own.as_deref()), flight)).await {
        Ok(arrival) => {
            gateway.escalations.lock().ended(fired, true, cost);
            gateway.metrics.escalated(cost);
            Ok(taken_over(trip, flight, first, arrival, flaw))
        }
        Err(error) => {
            gateway.escalations.lock().ended(fired, false, Money::ZERO);
            if let Some(aside) = aside {
                flight.take_up(aside, &trip.world.snapshot, endpoint);
            }
            flight.warn(&[told(&format!("it failed ({})", error.kind().1))]);
            Ok(first)
        }
    }
}

/// The first answer is over, whatever becomes of it.
fn end_watch(trip: &Trip<'_, '_>, first: &mut Arrival) {
    let Some(watched) = first.watched.take() else { return };
    let verdict = match &first.committed {
        Committed::Plain { answer, .. } => answer.verdict(),
        Committed::Stream(leg) => leg.carry.verdict(),
    };
    let seen = seen(&first.committed);
    let tokens = seen.usage.map_or(seen.said.bytes() / 4, |usage| usage.output_total());
    watched.ended(Report::Success, tokens, Good::of(seen, verdict), trip.worker.gateway.clock.now());
}

/// Puts the better model's answer in the place of the first.
fn taken_over(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    first: Arrival,
    mut arrival: Arrival,
    flaw: Flaw,
) -> Arrival {
    let snapshot = &trip.world.snapshot;
    let names = |endpoint: u32| {
        let endpoint = snapshot.endpoints.get(endpoint as usize);
        let model = endpoint.and_then(|e| e.model_in(snapshot)).map(|model| model.id.to_string());
        let provider = endpoint.and_then(|e| e.provider_in(snapshot)).map(|one| one.name.to_string());
        (endpoint.map(|e| e.id.to_string()), model.unwrap_or_default(), provider.unwrap_or_default())
    };
    let ((endpoint, from, provider), (_, to, _)) = (names(first.endpoint), names(arrival.endpoint));
    flight.escalated(Escalated { from, to, why: flaw.name().to_owned() });
    let mut failed = first.failed;
    let code = format!("escalated_{}", flaw.name());
    failed.push(FailedAttempt { endpoint: endpoint.unwrap_or_default(), provider, status: 200, code });
    failed.append(&mut arrival.failed);
    arrival.failed = failed;
    arrival
}
