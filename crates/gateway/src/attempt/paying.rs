//! Who pays for an attempt, where the one before was paid for by another.

use routing::plan::Step;

use super::Trip;
use crate::byok;
use crate::error::GatewayError;
use crate::settle::Flight;

/// Sees to it that what is held pays for an attempt; false when it can't be had and others may do.
pub(super) async fn pay(trip: &Trip<'_, '_>, flight: &mut Flight, step: &Step) -> Result<bool, GatewayError> {
    let own = trip.own.and_then(|own| own.key(step.own?));
    if !flight.is_paid(step) {
        flight.let_go(trip.wanted.purses);
        let gateway = &trip.worker.gateway;
        match byok::acquire(gateway, trip.wanted, trip.own, step).await {
            Ok((payer, hold)) => flight.pay(payer, hold),
            // Never the other key instead, where the owner has to see to its own.
            Err(error) if own.is_some() => return Err(error),
            Err(_) => return Ok(false),
        }
    }
    if let Some(own) = own {
        flight.with_own(&own.row.id);
    }
    Ok(true)
}
