//! A policy's chain: each model is tried as often as the policy says, one after another.
//!
//! A model's tries go over its endpoints, and then from the first again, after a pause that doubles, or after what
//! `Retry-After` asks where that is longer. A pause that would outlast the call, or [`PAUSE_MAX`], ends the model's tries.

use std::time::Duration;

use routing::plan::Step;
use routing::policy::backoff_ms;
use routing::random::Random;
use tokio::time::Instant;

use super::{Arrival, Log, Trip, give_up, round};
use crate::error::GatewayError;
use crate::settle::Flight;

/// Longest pause before a model is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Runs the plan of a chain.
pub(super) async fn run(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    mut log: Log,
) -> Result<Arrival, GatewayError> {
    log.attempts_max = usize::MAX;
    let mut random = Random::new(trip.worker.seed());
    for (target, retries) in trip.plan.retries.iter().enumerate() {
        let of_target = trip.plan.steps.iter().filter(|step| step.target == target);
        let steps: Vec<&Step> = of_target.collect();
        let tries = retries.map_or(steps.len(), |retries| retries as usize + 1);
        for number in 0..tries {
            let Some(step) = steps.get(number % steps.len().max(1)) else { break };
            if number >= steps.len() && number % steps.len() == 0 {
                let again = u32::try_from(number / steps.len() - 1).unwrap_or(u32::MAX);
                let pause = Duration::from_millis(backoff_ms(again, random.unit()));
                let pause = log.wait.take().map_or(pause, |asked| asked.max(pause));
                if pause > PAUSE_MAX || Instant::now() + pause >= trip.deadline {
                    break;
                }
                tokio::time::sleep(pause).await;
                log.resting.clear();
            }
            if trip.is_abandoned() {
                break;
            }
            if let Some(arrival) = round(trip, flight, &[*step], &mut log).await? {
                return Ok(arrival);
            }
        }
    }
    Err(give_up(trip, log))
}
