//! An answer of the cache, told once more: a generation of its own that costs nothing.

use std::sync::Arc;

use catalog::OnDisconnect;
use http::{HeaderMap, HeaderValue, Response};
use ledger::GenerationRecord;
use types::{Money, Timestamp};
use wire::tally::Request;

use super::shelf::Hit;
use super::tape::{self, Telling};
use super::{Kept, SECOND_US};
use crate::body::ResponseBody;
use crate::byok::Payer;
use crate::call::{self, Incoming};
use crate::error::GatewayError;
use crate::guarding;
use crate::pump::{Pump, Start};
use crate::settings::ResponseHeaders;
use crate::settle::{Departure, Flight};

/// Tells the answer: whole, or frame by frame as it came.
pub(crate) fn answer(
    mut incoming: Incoming<'_, '_>,
    hit: &Hit<Kept>,
) -> Result<Response<ResponseBody>, GatewayError> {
    let Incoming { worker, call, array, .. } = incoming;
    let (gateway, kept) = (&worker.gateway, &*hit.value);
    let deadline = incoming.admitted.started + gateway.settings.total_timeout;
    let names = &gateway.settings.brand.headers;
    let mut response = Response::new(ResponseBody::empty());
    *response.headers_mut() = kept.face.headers.clone();
    mark(response.headers_mut(), names, hit, incoming.admitted.created);
    let guard = incoming.extra.guard.take();
    let (remember, echo) = (incoming.extra.remember.take(), incoming.extra.echo.take());
    let mut flight = depart(incoming, kept)?;
    guard.iter().for_each(|guard| flight.guarded(guard.asked()));
    guarding::name(response.headers_mut(), &names.guardrails, guard.as_ref(), None);
    let mut ident = flight.ident(&kept.face.provider_json);
    (ident.echo, ident.array) = (echo, array);
    // It was read and told before: only a fault of ours makes it unreadable now.
    let telling =
        tape::tell(&kept.tape, call, ident.clone(), guard.as_ref()).map_err(|_| GatewayError::Internal)?;
    flight.first_byte();
    match telling {
        Telling::Plain(body, plain) => {
            call::plain(gateway, flight, &ident, (&*body, &*plain, None), remember, None, &mut response)?;
        }
        Telling::Stream(leg) => {
            call::stream_headers(response.headers_mut(), names, array, flight.warning_count());
            let pump = Pump::new(Start {
                leg: *leg,
                flight,
                watched: None,
                clock: Arc::clone(&gateway.clock),
                stall_timeout: gateway.settings.stall_timeout,
                keep_alive: gateway.settings.keep_alive,
                deadline,
                on_disconnect: OnDisconnect::Cancel,
                bounds: gateway.settings.drain,
                remember,
                keeping: None,
            });
            *response.body_mut() = ResponseBody::Pump(Box::new(pump));
        }
    }
    Ok(response)
}

/// Begins the generation, with nothing held: its record says whose answer it is.
fn depart(incoming: Incoming<'_, '_>, kept: &Kept) -> Result<Flight, GatewayError> {
    let Incoming { worker, call, hints, admitted, .. } = incoming;
    let gateway = &worker.gateway;
    let key = &admitted.key;
    let hold = key.holds.try_hold(Money::ZERO).map_err(|refusal| GatewayError::NoMoney(Box::new(refusal)))?;
    let mut record =
        GenerationRecord::new(incoming.id, admitted.created, key.account.id.clone(), key.rules.id.clone());
    record.policy.clone_from(&incoming.course.policy);
    call::describe(&mut record, gateway, call, &hints, &incoming.course.name);
    incoming.extra.filled.iter().for_each(|filled| filled.describe(&mut record));
    record.model.clone_from(&kept.face.model);
    record.provider.clone_from(&kept.face.provider);
    record.endpoint.clone_from(&kept.face.endpoint);
    record.cache_source = Some(kept.face.source);
    let mut flight = Flight::begin(Departure {
        worker: Arc::clone(worker),
        slot: admitted.slot,
        permit: admitted.permit,
        hold,
        payer: Payer::Account,
        record,
        started: admitted.started,
        input_tokens: 0,
        read: Request::of(&incoming.extra.body, call.asked()),
        expected: None,
        metadata: hints.metadata.then_some(serde_json::Value::Null),
        conversation: None,
        question: None,
    });
    flight.warn(&incoming.course.warnings);
    flight.warn(&kept.warnings);
    Ok(flight)
}

/// Says that it is an answer of the cache, of whom and how old.
fn mark(headers: &mut HeaderMap, names: &ResponseHeaders, hit: &Hit<Kept>, now: Timestamp) {
    let seconds = |from: Timestamp, to: Timestamp| to.0.saturating_sub(from.0).max(0) / SECOND_US;
    headers.insert(names.cache_status.clone(), HeaderValue::from_static("HIT"));
    headers.insert(names.cache_age.clone(), HeaderValue::from(seconds(hit.made, now)));
    headers.insert(names.cache_ttl.clone(), HeaderValue::from(seconds(hit.made, hit.expires)));
    if let Ok(source) = HeaderValue::from_str(hit.value.face.source.as_str()) {
        headers.insert(names.cache_source_id.clone(), source);
    }
}
