//! Runs the plan: one attempt after another until a first byte commits one of them.
//!
//! - Where a provider has several keys, one that it refuses or that is busy gives way to the next at once.
//! - Before the first byte any failure that another endpoint may not share goes on to the next one; a request that is
//!   itself at fault is told at once.
//! - When the whole plan has failed, endpoints that were busy, broken or out of reach are tried once more, after what
//!   `Retry-After` asks ([`RETRY_WAIT_MAX`] at most) or [`RETRY_PAUSE`]. Nothing silent is tried twice.
//! - A policy's chain says itself how often each model is tried ([`chain`]); there is no other round then.
//! - An attempt with one of the account's own keys has breakers of its own, and is paid for by another purse: what is held for
//!   the attempt before goes back first. Where the fee can't be paid the call ends; where the operator's key can't be, the
//!   attempts with it are passed over.
//! - Of several endpoints of a model at most half are left alone because their breaker is open.
//! - After the first byte there is no other attempt.

mod chain;
mod failure;
mod hedge;
mod paying;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::{Endpoint, OnDisconnect, Protocol, Snapshot};
use http::{HeaderName, HeaderValue};
use ledger::Attempt;
use parking_lot::Mutex;
use routing::breaker::Verdict;
use routing::health::Size;
use routing::keyring::KeyReport;
use routing::plan::{Facts, Plan, Step};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use types::Timestamp;
use wire::call::Call;
use wire::check::Checks;
use wire::hub::{Dialect, Fetched, Plain, Target};
use wire::provider_error::Class;

pub use self::failure::Failure;
use self::hedge::Seat;
use self::paying::pay;
use crate::app::{Gateway, Worker};
use crate::byok::{Own, OwnKey};
use crate::cache::Tape;
use crate::care::Care;
use crate::error::{FailedAttempt, GatewayError};
use crate::guarding::{Found, Guard};
use crate::hold::Wanted;
use crate::judging::Judged;
use crate::leg::Leg;
use crate::settle::Flight;
use crate::vitals::{Vitals, Watched};
use crate::world::{ProviderState, Target as Address, World};

/// Longest wait for a busy provider before the second round.
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause before the second round when nobody asked for one.
pub const RETRY_PAUSE: Duration = Duration::from_millis(100);
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
        /// The same for the cache; `None`: it isn't kept there.
        tape: Option<Box<Tape>>,
        /// What guardrails found in it, where any look.
        found: Option<Found>,
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
    /// Watches it to its end; `None`: it has ended.
    pub watched: Option<Watched>,
}

impl Arrival {
    /// What guardrails found in an answer that is there whole.
    pub(crate) fn found(&self) -> Option<&Found> {
        match &self.committed {
            Committed::Plain { found, .. } => found.as_ref(),
            Committed::Stream(_) => None,
        }
    }
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
    /// What the answer is looked through for.
    pub guard: Option<Guard>,
    /// The caller reads a stream as one JSON array (Gemini).
    pub array: bool,
    /// The bytes behind the request's addresses, once an endpoint needs them.
    pub fetched: OnceCell<Result<Fetched, Failure>>,
    /// Chunks that show what providers were sent (`debug.echo_upstream_body`), until the first byte.
    pub shown: Mutex<Vec<u8>>,
    /// What to try.
    pub plan: &'a Plan,
    /// What it may cost.
    pub(crate) wanted: &'a Wanted<'a>,
    /// The account's own keys.
    pub(crate) own: Option<&'a Own>,
    /// How long the prompt is.
    pub size: Size,
    /// What a virtual model was told, and where its dial stood.
    pub judged: Option<(Judged, f64)>,
    /// What the caller asked for, for messages.
    pub asked: &'a str,
    /// The request, where a second provider may be asked when the first is late.
    pub hedge: Option<&'a Facts>,
    /// The caller's own bound on the first byte.
    pub max_latency: Option<Duration>,
    /// Breakpoints of the prompt cache are to be placed.
    pub auto_cache: bool,
    /// How large an answer may be that is taken down for the cache; `None`: none is.
    pub tape_bytes_max: Option<usize>,
    /// What the answer is held to, where it is judged.
    pub checks: Option<Arc<Checks>>,
    /// When the whole call must be over.
    pub deadline: Instant,
    /// Whether its caller may leave it behind.
    pub(crate) care: Option<Arc<Care>>,
}

impl Trip<'_, '_> {
    /// Nobody waits for the answer any more: nothing further is tried.
    fn is_abandoned(&self) -> bool {
        self.care.as_ref().is_some_and(|care| care.is_abandoned())
    }
}

impl<'b> Trip<'_, 'b> {
    /// The same call by another plan.
    pub(crate) fn by<'t>(&'t self, plan: &'t Plan, own: Option<&'t Own>) -> Trip<'t, 'b> {
        Trip {
            worker: self.worker,
            world: self.world,
            call: self.call,
            betas: self.betas,
            echo: self.echo.clone(),
            guard: self.guard.clone(),
            array: self.array,
            fetched: self.fetched.clone(),
            shown: Mutex::default(),
            plan,
            wanted: self.wanted,
            own,
            size: self.size,
            judged: self.judged,
            asked: self.asked,
            hedge: None,
            max_latency: self.max_latency,
            auto_cache: self.auto_cache,
            tape_bytes_max: self.tape_bytes_max,
            checks: self.checks.clone(),
            deadline: self.deadline,
            care: self.care.clone(),
        }
    }
}

/// An endpoint, and which of the account's own keys it is called with.
type Spot = (u32, Option<u16>);

fn spot(step: &Step) -> Spot {
    (step.endpoint, step.own)
}

#[derive(Default)]
struct Log {
    failed: Vec<FailedAttempt>,
    last: Option<(String, Failure)>,
    /// What is worth a second try.
    again: Vec<Spot>,
    /// What was resting, and the shortest rest left.
    resting: Vec<Spot>,
    wait: Option<Duration>,
    all_busy: bool,
    attempts_max: usize,
}

/// Runs the plan.
pub async fn run(trip: &Trip<'_, '_>, flight: &mut Flight) -> Result<Arrival, GatewayError> {
    trip.care.as_ref().map_or(Ok(()), |care| care.begin())?;
    let mut log =
        Log { all_busy: true, attempts_max: trip.worker.gateway.settings.attempts_max, ..Log::default() };
    if !trip.plan.retries.is_empty() {
        return chain::run(trip, flight, log).await;
    }
    let first: Vec<&Step> = trip.plan.steps.iter().collect();
    if let Some(arrival) = round(trip, flight, &first, &mut log).await? {
        return Ok(arrival);
    }
    let again = |step: &&Step| log.again.contains(&spot(step)) || log.resting.contains(&spot(step));
    let second: Vec<&Step> = first.into_iter().filter(again).collect();
    let wait = log.wait.unwrap_or(RETRY_PAUSE);
    let worth_it = !second.is_empty() && wait <= RETRY_WAIT_MAX && trip.max_latency.is_none();
    let worth_it = worth_it && !trip.is_abandoned();
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
    steps: &[&Step],
    log: &mut Log,
) -> Result<Option<Arrival>, GatewayError> {
    let gateway = &trip.worker.gateway;
    for step in steps.iter().copied() {
        if log.failed.len() >= log.attempts_max || trip.is_abandoned() {
            break;
        }
        let Some(mut place) = Place::of_step(gateway, trip.world, trip.own, step) else { continue };
        let now = gateway.clock.now();
        if let Verdict::Wait(until) = place.state.enter(now)
            && !must_serve(trip, &place, log, now)
        {
            let left = Duration::from_micros(until.0.saturating_sub(now.0).max(0).unsigned_abs());
            log.wait = Some(log.wait.map_or(left, |wait| wait.min(left)));
            log.resting.push(spot(step));
            continue;
        }
        if !pay(trip, flight, step).await? {
            continue;
        }
        match hedge::race(trip, flight, step.endpoint, &mut place, log).await {
            Ok((endpoint, committed, watched)) => {
                let failed = std::mem::take(&mut log.failed);
                return Ok(Some(Arrival { endpoint, committed, failed, watched: Some(watched) }));
            }
            Err(failure) => fail(trip, log, &place, spot(step), failure)?,
        }
    }
    Ok(None)
}

/// Whether an endpoint is tried although its breaker is open: of several endpoints of a model at most half are left alone for having
/// failed, so that a fault of ours or of the network's doesn't take a whole model away.
fn must_serve(trip: &Trip<'_, '_>, place: &Place<'_>, log: &Log, now: Timestamp) -> bool {
    let snapshot = &trip.world.snapshot;
    let same = |index: u32| {
        snapshot.endpoints.get(index as usize).is_some_and(|endpoint| endpoint.model == place.endpoint.model)
    };
    let all = trip.plan.steps.iter().filter(|step| same(step.endpoint)).count();
    let left_alone = log.resting.iter().filter(|(index, _)| same(*index)).count();
    all > 1 && (left_alone + 1) * 2 > all && !place.state.is_cooling(now)
}

/// Tries one endpoint: with one key after another, as long as it is the key that is at fault.
async fn keys(
    trip: &Trip<'_, '_>,
    flight: &mut Flight,
    place: &mut Place<'_>,
    log: &mut Log,
) -> Result<(Committed, Watched), Failure> {
    let gateway = &trip.worker.gateway;
    loop {
        place.take_key(gateway.clock.now());
        let (started_us, started) = (flight.elapsed_us(), Instant::now());
        let under_way = place.state.begin();
        let outcome = one(trip, flight, place).await;
        let endpoint = place.endpoint.id.to_string();
        let byok_key = place.own.as_ref().map(|own| own.key.row.id.clone());
        let mut attempt =
            Attempt { endpoint, started_us, ended_us: flight.elapsed_us(), byok_key, ..Attempt::default() };
        let now = gateway.clock.now();
        let failure = match outcome {
            Ok(committed) => {
                attempt.status = 200;
                attempt.first_byte_us = Some(attempt.ended_us);
                attempt.outcome = String::from("ok");
                flight.note(attempt);
                place.report_key(Some(KeyReport::Taken), now);
                let streamed = matches!(committed, Committed::Stream(_));
                let watched = Watched::new(under_way, trip.size, streamed.then(|| started.elapsed()), now);
                return Ok((committed, watched));
            }
            Err(failure) => failure,
        };
        attempt.status = failure.error.status;
        attempt.outcome.clone_from(&failure.code);
        flight.note(attempt);
        if let Some(sent) = flight.sent() {
            sent.set(false);
        }
        let sibling = place.report_key(failure.key_report(), now);
        if !sibling || log.failed.len() + 1 >= log.attempts_max || trip.is_abandoned() {
            return Err(failure);
        }
        gateway.metrics.attempts_failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        log.failed.push(failed_attempt(place, &failure));
    }
}

fn failed_attempt(place: &Place<'_>, failure: &Failure) -> FailedAttempt {
    FailedAttempt {
        endpoint: place.endpoint.id.to_string(),
        provider: place.provider_name.to_owned(),
        status: failure.error.status,
        code: failure.code.clone(),
    }
}

/// Takes in a failed attempt; an error when no other endpoint can help.
fn fail(
    trip: &Trip<'_, '_>,
    log: &mut Log,
    place: &Place<'_>,
    spot: Spot,
    failure: Failure,
) -> Result<(), GatewayError> {
    let gateway = &trip.worker.gateway;
    gateway.metrics.attempts_failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if let Some(report) = failure.report() {
        place.state.failed(report, trip.size, gateway.clock.now());
    }
    tracing::debug!(endpoint = %place.endpoint.id, status = failure.error.status, code = %failure.code, "an attempt failed");
    let provider = place.provider_name.to_owned();
    log.failed.push(failed_attempt(place, &failure));
    log.all_busy &= failure.error.class == Class::RateLimit;
    if failure.again {
        log.again.push(spot);
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
    /// Its index in the snapshot.
    index: u32,
    pub(crate) endpoint: &'w Endpoint,
    pub(crate) provider: &'w ProviderState,
    provider_name: &'w str,
    protocol: Protocol,
    state: Arc<Vitals>,
    /// Which of the provider's keys, where there are several.
    key: Option<usize>,
    /// The account's own key that it is called with.
    own: Option<OwnPlace>,
}

/// One of the account's own keys, and where it is sent.
struct OwnPlace {
    key: Arc<OwnKey>,
    target: Result<Arc<Address>, String>,
}

impl Place<'_> {
    /// Takes the key that is next, where there are several.
    pub(crate) fn take_key(&mut self, now: Timestamp) {
        let ring = self.provider.keyring.as_ref().filter(|_| self.own.is_none());
        self.key = ring.and_then(|ring| ring.lock().take(now));
    }

    /// The header that holds the key, where there are several.
    pub(crate) fn key_header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.provider.target.as_ref()?.keys.get(self.key?).cloned()
    }

    /// Where the request goes.
    pub(crate) fn target(&self) -> Result<&Arc<Address>, Failure> {
        let none = || Failure::ours("no_address", String::from("the provider has no address"), false);
        match &self.own {
            None => self.provider.target.as_ref().ok_or_else(none),
            Some(own) => own.target.as_ref().map_err(|problem| {
                let message = format!("your key {} can't be used: {problem}", own.key.row.id);
                Failure::ours("own_key_unusable", message, false)
            }),
        }
    }

    /// Tells the key how its call went; true when it failed for the key's sake and a sibling may do better.
    fn report_key(&self, report: Option<KeyReport>, now: Timestamp) -> bool {
        let (Some(index), Some(ring), Some(report)) = (self.key, &self.provider.keyring, report) else {
            return false;
        };
        let mut ring = ring.lock();
        ring.report(index, report, now);
        report != KeyReport::Taken && ring.is_ready(now)
    }

    /// The rule that holds when the client leaves.
    pub(crate) fn on_disconnect(&self) -> OnDisconnect {
        self.provider.on_disconnect
    }

    fn is_claude(&self) -> bool {
        let id = &self.endpoint.provider_model_id;
        id.contains("anthropic.claude") || id.starts_with("claude-")
    }

    /// What it is spoken to in unless the caller's own will do: Claude on Vertex AI takes its own only.
    pub(crate) fn dialect(&self) -> Dialect {
        let is_guest = self.protocol == Protocol::Vertex && self.is_claude();
        if is_guest { Dialect::Messages } else { self.provider.dialect }
    }

    /// What this provider is spoken to in when the caller speaks `caller`.
    pub(crate) fn dialect_for(&self, caller: Dialect) -> Dialect {
        match caller {
            Dialect::Responses if self.provider.responses => Dialect::Responses,
            // Nothing of a caller's own bytes is lost on the way to Claude.
            Dialect::Messages if self.protocol == Protocol::Bedrock && self.is_claude() => Dialect::Messages,
            _ => self.dialect(),
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
            auto_cache: false,
            fetched,
        }
    }

    pub(crate) fn find(world: &'w World, index: u32) -> Option<Place<'w>> {
        let endpoint = world.snapshot.endpoints.get(index as usize)?;
        let known = world.snapshot.providers.get(endpoint.provider)?;
        Some(Place {
            index,
            endpoint,
            provider: world.providers.get(endpoint.provider)?,
            provider_name: &known.name,
            protocol: known.protocol,
            state: Arc::clone(world.endpoints.get(index as usize)?),
            key: None,
            own: None,
        })
    }

    /// The place of an attempt. A key that was taken away since has none.
    pub(crate) fn of_step(
        gateway: &Gateway,
        world: &'w World,
        own: Option<&Own>,
        step: &Step,
    ) -> Option<Place<'w>> {
        let mut place = Place::find(world, step.endpoint)?;
        if let Some(number) = step.own {
            let key = Arc::clone(own?.key(number)?);
            place.state = key.vitals(&place.endpoint.id);
            place.own = Some(OwnPlace { target: key.target(&gateway.byok, world), key });
        }
        Some(place)
    }
}

async fn one<S: Seat>(trip: &Trip<'_, '_>, seat: &mut S, place: &Place<'_>) -> Result<Committed, Failure> {
    trip.worker.gateway.metrics.attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    seat.aim(trip, place);
    let factor = if trip.call.asked().stream { 1 } else { PLAIN_FACTOR };
    let own = place.provider.first_byte_timeout.saturating_mul(factor);
    let budget = trip
        .max_latency
        .map_or(own, |max| own.min(max))
        .min(trip.deadline.saturating_duration_since(Instant::now()));
    match tokio::time::timeout(budget, Box::pin(sending::first_byte(trip, seat, place))).await {
        Ok(result) => result,
        Err(_) => {
            let message = format!("no answer began within {} ms", budget.as_millis());
            Err(Failure::ours("timeout_first_byte", message, false))
        }
    }
}
