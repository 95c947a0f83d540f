//! Holds a stream back until it has ended. What its caller would have got waits in the leg's own buffer.

use tokio::time::Instant;

use crate::attempt::Trip;
use crate::leg::Leg;
use crate::settle::Flight;

/// Reads a stream to its end; the reason where it can't be held back any longer, and is to be passed on as it comes.
pub(super) async fn back(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    endpoint: u32,
    leg: &mut Leg,
) -> Result<(), &'static str> {
    let settings = &trip.worker.gateway.settings;
    let found = trip.world.snapshot.endpoints.get(endpoint as usize);
    let provider = found.and_then(|endpoint| trip.world.providers.get(endpoint.provider));
    let stall_timeout = provider.map_or(settings.stall_timeout, |provider| provider.stall_timeout);
    let mut last_progress = Instant::now();
    while !leg.over {
        let until = (last_progress + stall_timeout).min(trip.deadline);
        match tokio::time::timeout_at(until, std::future::poll_fn(|cx| leg.poll(cx))).await {
            Ok(true) => last_progress = Instant::now(),
            Ok(false) => (),
            Err(_) if Instant::now() >= trip.deadline => {
                leg.give_up(String::from("it took longer than the whole call may take"));
            }
            Err(_) => {
                let seconds = stall_timeout.as_secs_f32();
                leg.give_up(format!("the provider was silent for {seconds} s"));
            }
        }
        // Whoever passes it on says so and ends it.
        if flight.cover(leg.carry.seen().said.bytes()).is_err() {
            return Err("the money ran out");
        }
        if leg.out.len() > settings.response_bytes_max {
            return Err("the stream is too long to be held back");
        }
    }
    Ok(())
}
