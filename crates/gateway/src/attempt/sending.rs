//! One attempt: the request into the endpoint's dialect, out, and on to the first byte of an answer.

use std::sync::Arc;

use bytes::Bytes;
use catalog::Protocol;
use http::{HeaderName, HeaderValue};
use types::Task;
use wire::check::{self, Checks};
use wire::hub::{AnswerError, Dialect, Fetched, Flavor, Ident, Impossible, Outgoing, Undo};
use wire::provider_error::{self, ProviderError};

use super::hedge::Seat;
use super::{Committed, Failure, Place, Trip};
use crate::cache::Tape;
use crate::care::Sent;
use crate::frames::Frames;
use crate::guarding::Found;
use crate::leg::{Leg, LegFailure};
use crate::upstream::address::Operation;
use crate::upstream::guard::Guard;
use crate::upstream::{self, Outbound, Reply, UpstreamError, collect};

/// Largest error body that is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Most images and files of one request that are fetched.
const FETCHES_MAX: usize = 100;

/// The header of Anthropic's betas.
const BETAS: &str = "anthropic-beta";

/// A request as it goes to one endpoint, and how its answer is to be read.
struct Leaving {
    outgoing: Outgoing,
    dialect: Dialect,
    /// The answer's bytes are the caller's dialect already.
    bytes: bool,
}

pub(super) async fn first_byte<S: Seat>(
    trip: &Trip<'_, '_>,
    seat: &mut S,
    place: &Place<'_>,
) -> Result<Committed, Failure> {
    let mut leaving = prepare(trip, seat, place).await?;
    let mut body = std::mem::take(&mut leaving.outgoing.body);
    if leaving.dialect == Dialect::Messages && place.provider.flavor == Flavor::Bedrock {
        body = with_betas(body, &betas(trip, place, &leaving));
    }
    let asked = trip.call.asked();
    if asked.echo_body && asked.stream {
        let ident = seat.ident(&place.provider.name_json);
        trip.shown.lock().extend_from_slice(&wire::openai_chat::body_chunk(&ident, &body));
    }
    let reply = send(trip, seat, place, &leaving, body).await?;
    if !(200..300).contains(&reply.status) {
        let (status, retry_after, name) = (reply.status, reply.retry_after, reply.error_name);
        let body = collect(reply.body, ERROR_BYTES_MAX).await.unwrap_or_else(|part| part);
        let error = scrubbed(provider_error::read_named(status, &body, name.as_deref()), place);
        return Err(Failure::theirs(error, retry_after));
    }
    let mut ident = seat.ident(&place.provider.name_json);
    let mut undo = trip.call.undo(&leaving.outgoing, &ident.id);
    let guard = trip.guard.as_ref().filter(|guard| guard.hears());
    if guard.is_some() {
        // Events can be looked at one by one, the provider's own bytes can't.
        leaving.bytes &= !trip.call.asked().stream;
    }
    let taping = trip.tape_bytes_max.map(|max| (undo.clone(), max));
    let hearing = trip.checks.as_ref().map(|checks| (checks, undo.clone()));
    let settings = &trip.worker.gateway.settings;
    let stream = trip.call.asked().stream;
    if let Some(framing) = reply.framing.filter(|_| stream) {
        (ident.echo, ident.array) = (trip.echo.clone(), trip.array);
        let found = guard.map(|guard| guard.screen(&mut undo));
        let mut carry = trip.call.carry(leaving.dialect, leaving.bytes, ident, undo);
        if let Some((checks, undo)) = hearing {
            carry = check::hear(checks, leaving.dialect, undo, carry);
        }
        // A frame may be a whole image.
        let frame_bytes_max = match trip.call.asked().task {
            Task::Generate => settings.sse_frame_bytes_max,
            _ => settings.response_bytes_max,
        };
        let frames = Frames::new(framing, frame_bytes_max);
        let mut leg = Leg::new(reply.body, frames, carry);
        leg.tape =
            taping.map(|(undo, max)| Box::new(Tape::of_frames(leaving.dialect, leaving.bytes, undo, max)));
        leg.found = found;
        let mut leg = first_event(leg, place).await?;
        show(trip, &mut leg);
        return Ok(Committed::Stream(Box::new(leg)));
    }
    let retry_after = reply.retry_after;
    let body = collect(reply.body, settings.response_bytes_max).await.map_err(|_| {
        Failure::ours("answer_cut", String::from("the provider's answer broke off or is too large"), true)
    })?;
    let (body, found) = match guard.map(|guard| guard.answer(body.clone())) {
        Some((looked_through, found)) => (looked_through, Some(found)),
        None => (body, None),
    };
    let tape = taping
        .and_then(|(undo, max)| Tape::of_whole(leaving.dialect, leaving.bytes, undo, &body, max))
        .map(Box::new);
    whole(trip, &leaving, (ident, undo, hearing), body, (tape, found)).map_err(|error| match error {
        AnswerError::Provider(error) => Failure::theirs(scrubbed(error, place), retry_after),
        error => Failure::ours("answer_broken", error.to_string(), true),
    })
}

/// Reads an answer that came whole.
fn whole(
    trip: &Trip<'_, '_>,
    leaving: &Leaving,
    (mut ident, undo, hearing): (Ident, Undo, Option<(&Arc<Checks>, Undo)>),
    body: Bytes,
    (tape, found): (Option<Box<Tape>>, Option<Found>),
) -> Result<Committed, AnswerError> {
    let asked = trip.call.asked();
    // Some providers answer whole where a model can't be streamed. Where a task has no stream, neither has its caller.
    if asked.stream && asked.task == Task::Generate {
        (ident.echo, ident.array) = (trip.echo.clone(), trip.array);
        let (mut carry, out) = trip.call.replay(leaving.dialect, &body, ident, undo)?;
        if let Some((checks, undo)) = hearing {
            carry = check::hear_whole(checks, leaving.dialect, undo, &body, carry);
        }
        let mut leg = Leg::whole(carry, out);
        leg.tape = tape;
        leg.refuse_whole(found);
        show(trip, &mut leg);
        return Ok(Committed::Stream(Box::new(leg)));
    }
    let mut answer = trip.call.plain(leaving.dialect, leaving.bytes, &body, undo)?;
    if let Some((checks, undo)) = hearing {
        answer = check::hear_plain(checks, leaving.dialect, undo, &body, answer);
    }
    Ok(Committed::Plain { body, answer, tape, found })
}

/// The bytes behind the request's addresses, fetched once per call.
async fn fetched<'t>(trip: &'t Trip<'_, '_>) -> &'t Result<Fetched, Failure> {
    let settings = &trip.worker.gateway.settings;
    let guard = Guard::new(settings.fetch_private);
    let fetching = async || {
        let mut fetched = Fetched::new();
        for url in trip.call.urls().into_iter().take(FETCHES_MAX) {
            match upstream::fetch::fetch(&url, settings.body_bytes_max, &guard).await {
                Ok(bytes) => drop(fetched.insert(url, bytes)),
                Err(problem) => {
                    let shown: String = url.chars().take(200).collect();
                    let message = format!("`{shown}` could not be fetched: {problem}");
                    return Err(Failure::untranslatable(&Impossible::new("", message)));
                }
            }
        }
        Ok(fetched)
    };
    trip.fetched.get_or_init(fetching).await
}

/// Puts the request into the endpoint's dialect.
async fn prepare<S: Seat>(trip: &Trip<'_, '_>, seat: &mut S, place: &Place<'_>) -> Result<Leaving, Failure> {
    let nothing = Fetched::new();
    let snapshot = &trip.world.snapshot;
    let dialect = place.dialect_for(trip.call.dialect);
    let mut target = place.wire_target(snapshot, &nothing);
    target.auto_cache = trip.auto_cache;
    let mut made = trip.call.outgoing(dialect, &target);
    if made.is_err() && !trip.call.urls().is_empty() {
        // Perhaps only the bytes behind its addresses are missing.
        target.fetched = fetched(trip).await.as_ref().map_err(Clone::clone)?;
        made = trip.call.outgoing(dialect, &target);
    }
    let outgoing = made.map_err(|error| Failure::untranslatable(&error))?;
    let strict = trip.call.asked().provider.require_parameters == Some(true);
    if let Some(lost) = outgoing.warnings.iter().find(|w| strict && w.code == "parameter_dropped") {
        return Err(Failure::unsuitable(&lost.message));
    }
    seat.warn(&outgoing.warnings);
    Ok(Leaving { bytes: trip.call.is_relayed(dialect, &target), outgoing, dialect })
}

async fn send<S: Seat>(
    trip: &Trip<'_, '_>,
    seat: &mut S,
    place: &Place<'_>,
    leaving: &Leaving,
    body: Vec<u8>,
) -> Result<Reply, Failure> {
    let gateway = &trip.worker.gateway;
    let stream = trip.call.asked().stream;
    if place.protocol == Protocol::Sandbox {
        let name = place.endpoint.provider_model_id.as_ref();
        if let Some(sent) = seat.sent() {
            sent.set(true);
        }
        // It reads our own extensions, which no provider is sent.
        let body = if trip.call.dialect == Dialect::Chat { trip.call.body } else { &body };
        return match gateway.sandbox.answer(name, body, stream, seat.created().seconds()) {
            Some(reply) => Ok(reply),
            None => std::future::pending().await,
        };
    }
    let target = place.target()?;
    let operation = match trip.call.asked().task {
        Task::Generate => Operation::Generate { stream },
        Task::Embeddings => Operation::Embeddings,
        Task::Rerank => Operation::Rerank,
        Task::Images => Operation::Images,
        Task::Speech => Operation::Speech,
        Task::Transcription => Operation::Transcriptions,
    };
    let model = &place.endpoint.provider_model_id;
    let Some(path) = target.path(leaving.dialect, model, operation) else {
        return Err(Failure::ours("no_address", String::from("the model's name fits no path"), false));
    };
    let outbound = Outbound { path, headers: extra_headers(trip, place, leaving), body: body.into() };
    let mut never = Sent::default();
    let sent = seat.sent().unwrap_or(&mut never);
    let pool = &trip.worker.pool;
    upstream::send(pool, target, outbound, place.provider.connect_timeout, &*gateway.clock, sent)
        .await
        .map_err(|error| match &error {
            UpstreamError::Connect(_) => Failure::ours("connect_failed", error.to_string(), true),
            UpstreamError::ConnectTimeout(_) => Failure::ours("timeout_connect", error.to_string(), false),
            UpstreamError::Credentials(_) => Failure::ours("no_credentials", error.to_string(), false),
            UpstreamError::Broken(_) => Failure::ours("connection_broken", error.to_string(), true),
        })
}

/// Headers that this request calls for.
fn extra_headers(
    trip: &Trip<'_, '_>,
    place: &Place<'_>,
    leaving: &Leaving,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers: Vec<(HeaderName, HeaderValue)> = place.key_header().into_iter().collect();
    for (name, value) in leaving.outgoing.headers.iter().filter(|(name, _)| *name != BETAS) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.push((HeaderName::from_static(name), value));
        }
    }
    if leaving.dialect == Dialect::Messages && place.provider.flavor != Flavor::Bedrock {
        let told = betas(trip, place, leaving);
        if let Some(value) = HeaderValue::from_str(&told).ok().filter(|value| !value.is_empty()) {
            headers.push((HeaderName::from_static(BETAS), value));
        }
    }
    headers
}

/// What of the caller's betas and the translation's own the host takes.
fn betas(trip: &Trip<'_, '_>, place: &Place<'_>, leaving: &Leaving) -> String {
    let own = leaving.outgoing.headers.iter().filter(|(name, _)| *name == BETAS);
    let all: Vec<&str> = own.map(|(_, value)| value.as_str()).chain([trip.betas]).collect();
    wire::call::anthropic_betas(&all.join(","), place.provider.flavor)
}

/// Bedrock has no header for betas: they stand in the body, which ends with its closing brace.
fn with_betas(mut body: Vec<u8>, betas: &str) -> Vec<u8> {
    if betas.is_empty() || memchr::memmem::find(&body, b"\"anthropic_beta\"").is_some() {
        return body;
    }
    let list: Vec<String> = betas.split(',').map(wire::json::quote).collect();
    if body.pop() == Some(b'}') {
        body.extend_from_slice(format!(",\"anthropic_beta\":[{}]}}", list.join(",")).as_bytes());
    }
    body
}

/// Puts what providers were sent before the answer, for a caller who asked to see it.
fn show(trip: &Trip<'_, '_>, leg: &mut Leg) {
    let shown = std::mem::take(&mut *trip.shown.lock());
    if !shown.is_empty() {
        leg.out.splice(..0, shown);
    }
}

/// A provider's words without the key that it was called with: some repeat it.
fn scrubbed(mut error: ProviderError, place: &Place<'_>) -> ProviderError {
    if let Ok(target) = place.target() {
        target.scrub(&mut error.message);
        error.code.iter_mut().for_each(|code| target.scrub(code));
    }
    error
}

/// Waits for the first event: an error in its place can still go to another endpoint.
async fn first_event(mut leg: Leg, place: &Place<'_>) -> Result<Leg, Failure> {
    while leg.out.is_empty() && !leg.over {
        std::future::poll_fn(|cx| leg.poll(cx)).await;
    }
    match leg.failure.take() {
        None => Ok(leg),
        // It was made, and no other endpoint is asked for what must not be told.
        Some(LegFailure::Refused) => {
            leg.failure = Some(LegFailure::Refused);
            Ok(leg)
        }
        // What was already translated has not left: the attempt is not committed.
        Some(LegFailure::Provider(error)) => Err(Failure::theirs(scrubbed(error, place), None)),
        Some(LegFailure::Malformed(what)) => Err(Failure::ours("stream_broken", what, true)),
        Some(LegFailure::CutOff) => Err(Failure::ours(
            "stream_cut",
            String::from("the stream ended before it had said anything"),
            true,
        )),
    }
}
