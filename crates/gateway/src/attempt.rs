//! Runs the plan: one attempt after another until a first byte commits one of them.
//!
//! - Before the first byte any failure that another endpoint may not share goes on to the next one; a request that is
//!   itself at fault is told at once.
//! - When the whole plan has failed, endpoints that were busy, broken or out of reach are tried once more, after what
//!   `Retry-After` asks ([`RETRY_WAIT_MAX`] at most) or [`RETRY_PAUSE`]. Nothing silent is tried twice.
//! - After the first byte there is no other attempt.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::{Endpoint, OnDisconnect, Protocol, Snapshot};
use http::{HeaderName, HeaderValue};
use ledger::Attempt;
use routing::breaker::{Report, Verdict};
use routing::plan::Plan;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use types::Task;
use wire::call::Call;
use wire::hub::{AnswerError, Dialect, Fetched, Flavor, Impossible, Outgoing, Plain, Target};
use wire::provider_error::{self, Class, ProviderError};

use crate::app::Worker;
use crate::error::{FailedAttempt, GatewayError};
use crate::frames::Frames;
use crate::leg::{Leg, LegFailure};
use crate::settle::Flight;
use crate::upstream::address::Operation;
use crate::upstream::{self, Outbound, Reply, UpstreamBody, UpstreamError};
use crate::world::{ProviderState, World};

/// Longest wait for a busy provider before the second round.
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause before the second round when nobody asked for one.
pub const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Largest error body that is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Most images and files of one request that are fetched.
const FETCHES_MAX: usize = 100;
/// A plain answer arrives when the model has finished: it may take this many times the time to a stream's first byte.
const PLAIN_FACTOR: u32 = 5;

/// An attempt whose first byte has arrived.
pub enum Committed {
    /// A whole answer.
    Plain {
        /// The provider's bytes.
        body: Bytes,
        /// Where things stand in them.
        answer: Box<dyn Plain>,
    },
    /// A stream with its first event.
    Stream(Box<Leg>),
}

/// A committed attempt and who made it.
pub struct Arrival {
    /// The endpoint: index in the snapshot.
    pub endpoint: u32,
    /// What came.
    pub committed: Committed,
    /// Attempts that failed before.
    pub failed: Vec<FailedAttempt>,
}

/// What the loop goes by.
pub struct Trip<'a, 'b> {
    /// The thread that carries the call.
    pub worker: &'a Arc<Worker>,
    /// Catalog and providers.
    pub world: &'a World,
    /// The caller's request.
    pub call: &'a Call<'b>,
    /// The caller's `anthropic-beta` header.
    pub betas: &'a str,
    /// What Responses repeats of the request.
    pub echo: Option<Arc<str>>,
    /// The caller reads a stream as one JSON array (Gemini).
    pub array: bool,
    /// The bytes behind the request's addresses, once an endpoint needs them.
    pub fetched: OnceCell<Result<Fetched, Failure>>,
    /// What to try.
    pub plan: &'a Plan,
    /// What the caller asked for, for messages.
    pub asked: &'a str,
    /// The caller's own bound on the first byte.
    pub max_latency: Option<Duration>,
    /// When the whole call must be over.
    pub deadline: Instant,
}

/// Why an attempt brought nothing.
#[derive(Clone, Debug)]
pub struct Failure {
    error: ProviderError,
    code: String,
    timeout: bool,
    retry_after: Option<Duration>,
    /// Worth a second try at the same endpoint.
    again: bool,
}

impl Failure {
    fn ours(code: &str, message: String, again: bool) -> Failure {
        let error = ProviderError { status: 0, class: Class::Unavailable, message, code: None };
        Failure {
            error,
            code: code.to_owned(),
            timeout: code.starts_with("timeout"),
            retry_after: None,
            again,
        }
    }

    fn theirs(error: ProviderError, retry_after: Option<Duration>) -> Failure {
        let code = error.code.clone().unwrap_or_else(|| format!("http_{}", error.status));
        let again = matches!(error.class, Class::RateLimit | Class::Unavailable);
        Failure { error, code, timeout: false, retry_after, again }
    }

    /// The request can't be put into this endpoint's dialect; another may take it.
    fn untranslatable(impossible: &Impossible) -> Failure {
        let error = ProviderError {
            status: 400,
            class: Class::Untranslatable,
            message: impossible.to_string(),
            code: None,
        };
        Failure { error, code: "untranslatable".into(), timeout: false, retry_after: None, again: false }
    }

    /// `provider.require_parameters` leaves this endpoint out.
    fn unsuitable(lost: &str) -> Failure {
        let message = format!("provider.require_parameters is set, and {lost}");
        let error = ProviderError { status: 404, class: Class::Untranslatable, message, code: None };
        Failure { error, code: "parameter_lost".into(), timeout: false, retry_after: None, again: false }
    }

    fn report(&self) -> Option<Report> {
        match self.error.class {
            Class::RateLimit => {
                Some(Report::Busy(self.retry_after.map(|d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))))
            }
            Class::Unavailable | Class::ProviderAuth | Class::NotFound => Some(Report::Failure),
            // The request's own fault says nothing about the endpoint.
            Class::InvalidRequest | Class::ContextLength | Class::ContentPolicy | Class::Untranslatable => {
                None
            }
        }
    }
}

#[derive(Default)]
struct Log {
    failed: Vec<FailedAttempt>,
    last: Option<(String, Failure)>,
    /// Endpoints worth a second try.
    again: Vec<u32>,
    /// Endpoints that were resting, and the shortest rest left.
    resting: Vec<u32>,
    wait: Option<Duration>,
    all_busy: bool,
}

/// Runs the plan.
pub async fn run(trip: &Trip<'_, '_>, flight: &mut Flight) -> Result<Arrival, GatewayError> {
    let mut log = Log { all_busy: true, ..Log::default() };
    let first: Vec<u32> = trip.plan.steps.iter().map(|step| step.endpoint).collect();
    if let Some(arrival) = round(trip, flight, &first, &mut log).await? {
        return Ok(arrival);
    }
    let second: Vec<u32> =
        first.into_iter().filter(|e| log.again.contains(e) || log.resting.contains(e)).collect();
    let wait = log.wait.unwrap_or(RETRY_PAUSE);
    let worth_it = !second.is_empty() && wait <= RETRY_WAIT_MAX && trip.max_latency.is_none();
    if worth_it && Instant::now() + wait < trip.deadline {
        tokio::time::sleep(wait).await;
        log.resting.clear();
        if let Some(arrival) = round(trip, flight, &second, &mut log).await? {
            return Ok(arrival);
        }
    }
    Err(give_up(trip, log))
}

async fn round(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    endpoints: &[u32],
    log: &mut Log,
) -> Result<Option<Arrival>, GatewayError> {
    let gateway = &trip.worker.gateway;
    for index in endpoints.iter().copied() {
        if log.failed.len() >= gateway.settings.attempts_max {
            break;
        }
        let Some(place) = Place::find(trip.world, index) else { continue };
        let now = gateway.clock.now();
        if let Verdict::Wait(until) = place.state.breaker.lock().enter(now) {
            let left = Duration::from_micros(until.0.saturating_sub(now.0).max(0).unsigned_abs());
            log.wait = Some(log.wait.map_or(left, |wait| wait.min(left)));
            log.resting.push(index);
            continue;
        }
        let started_us = flight.elapsed_us();
        let outcome = one(trip, flight, &place).await;
        let mut attempt =
            Attempt { endpoint: place.endpoint.id.to_string(), started_us, ..Attempt::default() };
        attempt.ended_us = flight.elapsed_us();
        match outcome {
            Ok(committed) => {
                attempt.status = 200;
                attempt.first_byte_us = Some(attempt.ended_us);
                attempt.outcome = String::from("ok");
                flight.note(attempt);
                return Ok(Some(Arrival {
                    endpoint: index,
                    committed,
                    failed: std::mem::take(&mut log.failed),
                }));
            }
            Err(failure) => {
                attempt.status = failure.error.status;
                attempt.outcome.clone_from(&failure.code);
                flight.note(attempt);
                if let Some(sent) = flight.sent() {
                    *sent = false;
                }
                fail(trip, log, &place, index, failure)?;
            }
        }
    }
    Ok(None)
}

/// Takes in a failed attempt; an error when no other endpoint can help.
fn fail(
    trip: &Trip<'_, '_>,
    log: &mut Log,
    place: &Place<'_>,
    index: u32,
    failure: Failure,
) -> Result<(), GatewayError> {
    let gateway = &trip.worker.gateway;
    gateway.metrics.attempts_failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if let Some(report) = failure.report() {
        place.state.breaker.lock().report(report, gateway.clock.now());
    }
    tracing::debug!(endpoint = %place.endpoint.id, status = failure.error.status, code = %failure.code, "an attempt failed");
    let provider = place.provider_name.to_owned();
    log.failed.push(FailedAttempt {
        endpoint: place.endpoint.id.to_string(),
        provider: provider.clone(),
        status: failure.error.status,
        code: failure.code.clone(),
    });
    log.all_busy &= failure.error.class == Class::RateLimit;
    if failure.again {
        log.again.push(index);
        let asked = failure.retry_after.filter(|_| failure.error.class == Class::RateLimit);
        let wait = if failure.error.class == Class::RateLimit {
            asked.unwrap_or(Duration::from_secs(2))
        } else {
            RETRY_PAUSE
        };
        log.wait = Some(log.wait.map_or(wait, |old| old.min(wait)));
    }
    if !failure.error.class.may_fall_back() {
        return Err(refused(provider, failure, std::mem::take(&mut log.failed)));
    }
    log.last = Some((provider, failure));
    Ok(())
}

fn refused(provider: String, failure: Failure, attempts: Vec<FailedAttempt>) -> GatewayError {
    let (status, kind) = match failure.error.class {
        Class::ContentPolicy => (403, "content_policy"),
        Class::ContextLength => (400, "context_length_exceeded"),
        Class::Untranslatable if failure.error.status == 404 => (404, "no_endpoints"),
        Class::Untranslatable => (400, "not_translatable"),
        _ => (failure.error.status.clamp(400, 499), "provider_refused"),
    };
    GatewayError::ProviderRefused { provider, message: failure.error.message, status, kind, attempts }
}

fn give_up(trip: &Trip<'_, '_>, log: Log) -> GatewayError {
    let Some((provider, failure)) = log.last else {
        let retry_after = log.wait.unwrap_or(RETRY_WAIT_MAX);
        return GatewayError::Resting { model: trip.asked.to_owned(), retry_after };
    };
    if matches!(failure.error.class, Class::ContextLength | Class::Untranslatable) {
        return refused(provider, failure, log.failed);
    }
    let message = failure.error.message;
    if log.all_busy {
        return GatewayError::ProviderBusy { provider, message, retry_after: log.wait, attempts: log.failed };
    }
    GatewayError::ProviderFailed { provider, message, timeout: failure.timeout, attempts: log.failed }
}

/// An endpoint with everything beside it.
pub(crate) struct Place<'w> {
    pub(crate) endpoint: &'w Endpoint,
    pub(crate) provider: &'w ProviderState,
    provider_name: &'w str,
    protocol: Protocol,
    state: &'w crate::world::EndpointState,
}

impl Place<'_> {
    /// What this provider is spoken to in when the caller speaks `caller`.
    pub(crate) fn dialect_for(&self, caller: Dialect) -> Dialect {
        match caller {
            Dialect::Responses if self.provider.responses => Dialect::Responses,
            _ => self.provider.dialect,
        }
    }
}

impl<'w> Place<'w> {
    /// What a translation needs to know.
    pub(crate) fn wire_target<'t>(&'t self, snapshot: &'t Snapshot, fetched: &'t Fetched) -> Target<'t> {
        Target {
            model: &self.endpoint.provider_model_id,
            max_output_tokens: self.endpoint.max_output_tokens(snapshot),
            flavor: self.provider.flavor,
            adapt: &self.provider.adapt,
            structured_output: self.endpoint.structured_output(snapshot),
            reasoning: self.endpoint.model_in(snapshot).and_then(|model| model.reasoning()),
            fetched,
        }
    }

    pub(crate) fn find(world: &'w World, index: u32) -> Option<Place<'w>> {
        let endpoint = world.snapshot.endpoints.get(index as usize)?;
        let known = world.snapshot.providers.get(endpoint.provider)?;
        Some(Place {
            endpoint,
            provider: world.providers.get(endpoint.provider)?,
            provider_name: &known.name,
            protocol: known.protocol,
            state: world.endpoints.get(index as usize)?,
        })
    }
}

async fn one(trip: &Trip<'_, '_>, flight: &mut Flight, place: &Place<'_>) -> Result<Committed, Failure> {
    trip.worker.gateway.metrics.attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    flight.aim(&trip.world.snapshot, place.endpoint);
    flight.on_disconnect(match place.provider.on_disconnect {
        OnDisconnect::Cancel => "cancel",
        OnDisconnect::Drain => "drain",
    });
    let factor = if trip.call.asked().stream { 1 } else { PLAIN_FACTOR };
    let own = place.provider.first_byte_timeout.saturating_mul(factor);
    let budget = trip
        .max_latency
        .map_or(own, |max| own.min(max))
        .min(trip.deadline.saturating_duration_since(Instant::now()));
    match tokio::time::timeout(budget, Box::pin(first_byte(trip, flight, place))).await {
        Ok(result) => result,
        Err(_) => {
            let message = format!("no answer began within {} ms", budget.as_millis());
            Err(Failure::ours("timeout_first_byte", message, false))
        }
    }
}

/// A request as it goes to one endpoint, and how its answer is to be read.
struct Leaving {
    outgoing: Outgoing,
    dialect: Dialect,
    /// The answer's bytes are the caller's dialect already.
    bytes: bool,
}

async fn first_byte(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    place: &Place<'_>,
) -> Result<Committed, Failure> {
    let mut leaving = prepare(trip, flight, place).await?;
    let body = std::mem::take(&mut leaving.outgoing.body);
    let reply = send(trip, flight, place, &leaving, body).await?;
    if !(200..300).contains(&reply.status) {
        let (status, retry_after) = (reply.status, reply.retry_after);
        let body = collect(reply.body, ERROR_BYTES_MAX).await.unwrap_or_else(|part| part);
        return Err(Failure::theirs(provider_error::read(status, &body), retry_after));
    }
    let mut ident = flight.ident(&place.provider.name_json);
    let undo = trip.call.undo(&leaving.outgoing, &ident.id);
    let settings = &trip.worker.gateway.settings;
    let stream = trip.call.asked().stream;
    if let Some(framing) = reply.framing.filter(|_| stream) {
        (ident.echo, ident.array) = (trip.echo.clone(), trip.array);
        let carry = trip.call.carry(leaving.dialect, leaving.bytes, ident, undo);
        // A frame may be a whole image.
        let frame_bytes_max = match trip.call.asked().task {
            Task::Generate => settings.sse_frame_bytes_max,
            _ => settings.response_bytes_max,
        };
        let frames = Frames::new(framing, frame_bytes_max);
        return first_event(Leg::new(reply.body, frames, carry)).await;
    }
    let retry_after = reply.retry_after;
    let body = collect(reply.body, settings.response_bytes_max).await.map_err(|_| {
        Failure::ours("answer_cut", String::from("the provider's answer broke off or is too large"), true)
    })?;
    match trip.call.plain(leaving.dialect, leaving.bytes, &body, undo) {
        // Some models of images and sound don't stream, and say so only by answering whole.
        Ok(_) if stream && trip.call.asked().task == Task::Generate => Err(Failure::ours(
            "not_a_stream",
            String::from("the provider answered whole instead of in a stream"),
            false,
        )),
        Ok(answer) => Ok(Committed::Plain { body, answer }),
        Err(AnswerError::Provider(error)) => Err(Failure::theirs(error, retry_after)),
        Err(error) => Err(Failure::ours("answer_broken", error.to_string(), true)),
    }
}

/// The bytes behind the request's addresses, fetched once per call.
async fn fetched<'t>(trip: &'t Trip<'_, '_>) -> &'t Result<Fetched, Failure> {
    let settings = &trip.worker.gateway.settings;
    let fetching = async || {
        let mut fetched = Fetched::new();
        for url in trip.call.urls().into_iter().take(FETCHES_MAX) {
            match upstream::fetch::fetch(&url, settings.body_bytes_max, settings.fetch_private).await {
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
async fn prepare(trip: &Trip<'_, '_>, flight: &mut Flight, place: &Place<'_>) -> Result<Leaving, Failure> {
    let nothing = Fetched::new();
    let snapshot = &trip.world.snapshot;
    let dialect = place.dialect_for(trip.call.dialect);
    let mut target = place.wire_target(snapshot, &nothing);
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
    flight.warn(&outgoing.warnings);
    Ok(Leaving { bytes: trip.call.is_byte_path(dialect, &target), outgoing, dialect })
}

async fn send(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    place: &Place<'_>,
    leaving: &Leaving,
    body: Vec<u8>,
) -> Result<Reply, Failure> {
    let gateway = &trip.worker.gateway;
    let stream = trip.call.asked().stream;
    if place.protocol == Protocol::Sandbox {
        let name = place.endpoint.provider_model_id.as_ref();
        if let Some(sent) = flight.sent() {
            *sent = true;
        }
        // It reads our own extensions, which no provider is sent.
        let body = if trip.call.dialect == Dialect::Chat { trip.call.body } else { &body };
        return match gateway.sandbox.answer(name, body, stream, flight.created().seconds()) {
            Some(reply) => Ok(reply),
            None => std::future::pending().await,
        };
    }
    let Some(target) = &place.provider.target else {
        return Err(Failure::ours("no_address", String::from("the provider has no address"), false));
    };
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
    let mut never = false;
    let sent = flight.sent().unwrap_or(&mut never);
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
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    let mut betas = Vec::new();
    for (name, value) in &leaving.outgoing.headers {
        if *name == "anthropic-beta" {
            betas.push(value.as_str());
        } else if let Ok(value) = HeaderValue::from_str(value) {
            headers.push((HeaderName::from_static(name), value));
        }
    }
    if leaving.dialect == Dialect::Messages && place.provider.flavor != Flavor::Bedrock {
        betas.push(trip.betas);
        let all = betas.join(",");
        let told = wire::call::anthropic_betas(&all, place.provider.flavor);
        if let Some(value) = HeaderValue::from_str(&told).ok().filter(|value| !value.is_empty()) {
            headers.push((HeaderName::from_static("anthropic-beta"), value));
        }
    }
    headers
}

/// Waits for the first event: an error in its place can still go to another endpoint.
async fn first_event(mut leg: Leg) -> Result<Committed, Failure> {
    while leg.out.is_empty() && !leg.over {
        std::future::poll_fn(|cx| leg.poll(cx)).await;
    }
    match leg.failure.take() {
        None => Ok(Committed::Stream(Box::new(leg))),
        // What was already translated has not left: the attempt is not committed.
        Some(LegFailure::Provider(error)) => Err(Failure::theirs(error, None)),
        Some(LegFailure::Malformed(what)) => Err(Failure::ours("stream_broken", what, true)),
        Some(LegFailure::CutOff) => Err(Failure::ours(
            "stream_cut",
            String::from("the stream ended before it had said anything"),
            true,
        )),
    }
}

/// Reads a body whole; `Err` with what came when it broke off or grew past the bound.
pub(crate) async fn collect(mut body: UpstreamBody, bytes_max: usize) -> Result<Bytes, Bytes> {
    let Some(first) = body.next().await else { return Ok(Bytes::new()) };
    let Ok(first) = first else { return Err(Bytes::new()) };
    let mut whole: Option<Vec<u8>> = None;
    while let Some(next) = body.next().await {
        let held = whole.get_or_insert_with(|| first.to_vec());
        match next {
            Ok(bytes) if held.len() + bytes.len() <= bytes_max => held.extend_from_slice(&bytes),
            _ => return Err(Bytes::from(whole.unwrap_or_default())),
        }
    }
    Ok(whole.map_or(first, Bytes::from))
}
