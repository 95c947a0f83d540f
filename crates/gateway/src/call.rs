//! The way of every call that a model answers, whatever the caller's dialect: take in, plan, hold, attempt, answer.

mod decided;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body;
use ledger::{GenerationRecord, Routed, Status};
use parking_lot::Mutex;
use routing::breaker::Report;
use routing::health::Size;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use types::{GenerationId, Timestamp};
use wire::call::{Call, PathSays};
use wire::check::Checks;
use wire::hub::{Dialect, Ident, Plain};
use wire::tally::{Request, Tally};

use self::decided::{Decided, decide, first_hold, record};
use crate::app::{Gateway, Worker};
use crate::attempt::{self, Arrival, Committed, Trip};
use crate::auth::{Access, authenticate, check_address, key_text};
use crate::body::ResponseBody;
use crate::cache::{self, Keeping, Outlook, Tape};
use crate::care;
use crate::cascade::{self, Better};
use crate::contents::Listener;
use crate::course::{Asker, Course};
use crate::crash;
use crate::error::GatewayError;
use crate::filling::{self, Filled};
use crate::guarding::{self, Found, Guard};
use crate::hold::Wanted;
use crate::intake::{self, Hints};
use crate::judging::Judged;
use crate::keys::{KeyState, Permit};
use crate::leaving::Leaving;
use crate::planning;
use crate::pump::{Pump, Start};
use crate::responses::Remember;
use crate::settings::{ROUTER_VERSION, ResponseHeaders};
use crate::settle::{Departure, Flight, Outcome, Slot};
use crate::vitals::Good;
use crate::world::World;
use crate::{hold, read_body};

/// What a path and its query say beside the body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Path<'p> {
    /// The model, where the path names it (Gemini).
    pub model: Option<&'p str>,
    /// The path asks for a stream (Gemini).
    pub stream: bool,
    /// The stream is to be one JSON array (Gemini without `alt=sse`).
    pub array: bool,
    /// The key, where the query holds it (Gemini).
    pub key: Option<&'p str>,
}

/// A caller who may call, with a place on the node and on the key.
pub(crate) struct Admitted {
    pub(crate) started: Instant,
    pub(crate) created: Timestamp,
    pub(crate) slot: Slot,
    pub(crate) key: Arc<KeyState>,
    pub(crate) permit: Permit,
}

/// Lets a caller in, or says why not: places, key, rate, and books that can be kept.
pub(crate) fn admit(
    worker: &Arc<Worker>,
    headers: &HeaderMap,
    key_in_query: Option<&str>,
) -> Result<Admitted, GatewayError> {
    let started = Instant::now();
    let gateway = &worker.gateway;
    let settings = &gateway.settings;
    let created = gateway.clock.now();
    gateway.metrics.requests.fetch_add(1, Ordering::Relaxed);
    let slot = Slot::take(worker).map_err(GatewayError::Overloaded)?;
    let text = key_text(headers).or(key_in_query);
    let key = authenticate(&gateway.keys.load(), text, Access::ApiKey, &settings.brand.key_prefix, created)?;
    check_address(&key, headers)?;
    enter(worker, started, slot, key)
}

/// Lets in whoever asks for a decision and is known already.
pub(crate) fn admit_known(worker: &Arc<Worker>, key: Arc<KeyState>) -> Result<Admitted, GatewayError> {
    let started = Instant::now();
    worker.gateway.metrics.requests.fetch_add(1, Ordering::Relaxed);
    let slot = Slot::take(worker).map_err(GatewayError::Overloaded)?;
    enter(worker, started, slot, key)
}

fn enter(
    worker: &Worker,
    started: Instant,
    slot: Slot,
    key: Arc<KeyState>,
) -> Result<Admitted, GatewayError> {
    let gateway = &worker.gateway;
    let created = gateway.clock.now();
    key.take_request(created).map_err(|retry_after| GatewayError::RateLimited {
        per_minute: key.rules.requests_per_minute.unwrap_or_default(),
        retry_after,
    })?;
    let permit = key.enter(gateway.settings.key_concurrency_max).map_err(GatewayError::TooManyInFlight)?;
    if gateway.journal.is_unwell() {
        return Err(GatewayError::BooksUnavailable("the journal can't be written"));
    }
    Ok(Admitted { started, created, slot, key, permit })
}

/// Serves a request of one of the dialects.
pub(crate) async fn serve<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    dialect: Dialect,
    headers: HeaderMap,
    body: B,
    path: Path<'_>,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let admitted = admit(worker, &headers, path.key)?;
    let mut body = read_body(&headers, body, worker.gateway.settings.body_bytes_max).await?;
    if dialect == Dialect::Gemini
        && let std::borrow::Cow::Owned(canonical) = wire::gemini::canonical(&body)
    {
        // Its schemas have type names of their own, which no other dialect knows.
        body = canonical.into();
    }
    let extra = Extra { body: body.clone(), ..Extra::default() };
    answer_body(worker, id, dialect, &headers, &body, path, admitted, extra).await
}

/// What only some dialects have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Keeps the answer (Responses).
    pub(crate) remember: Option<Remember>,
    /// What the answer repeats of the request (Responses).
    pub(crate) echo: Option<Arc<str>>,
    /// The body of a conversation, for when nobody counts its tokens.
    pub(crate) body: Bytes,
    /// The answer depends on more than the request: on what is kept of a conversation (Responses).
    pub(crate) depends: bool,
    /// What the request was filled up with: a preset, a variant.
    pub(crate) filled: Option<Filled>,
    /// What it and its answer are looked through for.
    pub(crate) guard: Option<Guard>,
}

/// Answers a body that is there whole.
#[expect(clippy::too_many_arguments, reason = "what a call consists of, taken apart by its dialect")]
pub(crate) async fn answer_body(
    worker: &Arc<Worker>,
    id: GenerationId,
    dialect: Dialect,
    headers: &HeaderMap,
    body: &[u8],
    path: Path<'_>,
    admitted: Admitted,
    mut extra: Extra,
) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = Arc::clone(&worker.gateway);
    let account = admitted.key.account.id.clone();
    let memory = gateway.seals.of(&account);
    let says = PathSays { model: path.model, stream: path.stream, memory: Some(&memory) };
    // What a call may be scanned again from. There is one call, scanned in its place: it is large, and waits as long as its answer.
    let (whole, masked);
    let mut call = scan(dialect, body, &says)?;
    // A response was filled up before its history was put in front.
    whole = match extra.filled {
        None => filling::of_call(&gateway, &admitted.key, &call)?,
        Some(_) => None,
    };
    if let Some(whole) = &whole {
        (extra.body, extra.filled) = (whole.body.clone(), Some(whole.filled.clone()));
        let says = PathSays { model: path.model.and(whole.model.as_deref()), ..says };
        call = scan(dialect, &whole.body, &says)?;
    }
    masked = match Guard::of(&gateway, &admitted.key, call.asked())? {
        None => None,
        Some(mut guard) => {
            let masked = guard.request(&gateway, call.body)?;
            guard.admits(call.asked())?;
            extra.guard = Some(guard);
            masked
        }
    };
    // What is kept is what goes out.
    let kept = masked.as_deref().unwrap_or(body);
    let listener = Listener::of(&gateway, id, &admitted.key, admitted.created, kept);
    if let Some(masked) = &masked {
        extra.body = masked.clone();
        let model = whole.as_ref().and_then(|whole| path.model.and(whole.model.as_deref()));
        call = scan(dialect, masked, &PathSays { model: model.or(path.model), ..says })?;
    }
    let mut response = match extra.guard {
        None => answer_call(worker, id, headers, &call, path.array, admitted, extra).await?,
        // On the heap, so that no other call carries it.
        Some(_) => Box::pin(answer_call(worker, id, headers, &call, path.array, admitted, extra)).await?,
    };
    if let Some(listener) = listener {
        listener.hear_all(&mut response);
    }
    Ok(response)
}

/// Scans a request.
pub(crate) fn scan<'b>(
    dialect: Dialect,
    body: &'b [u8],
    says: &PathSays<'b>,
) -> Result<Call<'b>, GatewayError> {
    Call::scan(dialect, body, says).map_err(|error| GatewayError::InvalidRequest(error.to_string()))
}

/// A call that was let in, and all that it brought.
pub(crate) struct Incoming<'a, 'b> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) id: GenerationId,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) call: &'a Call<'b>,
    /// The stream is to be one JSON array (Gemini without `alt=sse`).
    pub(crate) array: bool,
    pub(crate) admitted: Admitted,
    pub(crate) extra: Extra,
    pub(crate) hints: Hints,
    pub(crate) world: Arc<World>,
    pub(crate) course: Course,
    /// What chance is drawn from.
    pub(crate) seed: u64,
}

/// Answers a call that was scanned: from the cache where the caller wants that, else by a provider.
pub(crate) async fn answer_call(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: &HeaderMap,
    call: &Call<'_>,
    array: bool,
    admitted: Admitted,
    extra: Extra,
) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = &worker.gateway;
    let hints = intake::read(headers, &gateway.settings.brand)?;
    let world = gateway.world.load_full();
    let seed = worker.seed();
    let asker = Asker { key: &admitted.key, at: admitted.created, seed, dry: false, policy: None };
    let mut course = Course::of(gateway, &world, call, &hints, &asker)?;
    let filled = extra.filled.as_ref();
    course.warnings.extend(filled.iter().flat_map(|filled| filled.warnings.iter().cloned()));
    let rule = cache::rule(course.cache, filled.map(Filled::cache_rule));
    let incoming = Incoming { worker, id, headers, call, array, admitted, extra, hints, world, course, seed };
    match cache::ask(&incoming, rule.as_ref()).await {
        Outlook::Hit(hit) => cache::answer(incoming, &hit),
        outlook => by_provider(incoming, outlook).await,
    }
}

async fn by_provider(
    mut incoming: Incoming<'_, '_>,
    outlook: Outlook,
) -> Result<Response<ResponseBody>, GatewayError> {
    let Decided { mut plan, facts, conversation, judged, hedged, better, own } = decide(&mut incoming)?;
    let (key, created) = (Arc::clone(&incoming.admitted.key), incoming.admitted.created);
    let asked = incoming.call.asked();
    hold::take_tokens(asked, &key, &mut incoming.admitted.permit, created)?;
    let (purses, counted) = hold::purses(&key, asked, &incoming.hints, created);
    let paying = (better.as_ref(), own.as_deref());
    let (payer, hold) = first_hold(&incoming, &purses, &mut plan, paying).await?;
    crash::point("hold");
    let record = GenerationRecord { counted, ..record(&incoming, &plan, &facts, judged) };
    let Incoming { worker, headers, call, array, admitted, extra, hints, world, course, .. } = incoming;
    let gateway = &worker.gateway;
    let question =
        gateway.retries.asked(&gateway.learned, key.account.id.as_str(), call, judged.is_some(), created);
    let covered = better.as_ref().map(|better| better.covered(&plan));
    let wanted = Wanted {
        gateway,
        world: &world,
        request: asked,
        key: &key,
        purses: &purses,
        plan: covered.as_ref().unwrap_or(&plan),
        hints: &hints,
        at: created,
    };
    let mut flight = Flight::begin(Departure {
        worker: Arc::clone(worker),
        slot: admitted.slot,
        permit: admitted.permit,
        hold,
        payer,
        record,
        started: admitted.started,
        input_tokens: asked.input_tokens_estimate(),
        read: Request::of(&extra.body, asked),
        expected: asked.expected.map(|expected| expected.likely),
        metadata: hints.metadata.then(|| planning::plan_json(&world, &plan, own.as_deref())),
        conversation,
        question,
    });
    flight.warn(&course.warnings);
    extra.guard.iter().for_each(|guard| flight.guarded(guard.asked()));
    let trip = Trip {
        worker,
        world: &world,
        call,
        plan: &plan,
        wanted: &wanted,
        own: own.as_deref(),
        size: Size::of(facts.input_tokens),
        judged,
        asked: &course.name,
        betas: headers.get("anthropic-beta").and_then(|v| v.to_str().ok()).unwrap_or_default(),
        echo: extra.echo,
        guard: extra.guard,
        array,
        fetched: OnceCell::new(),
        shown: Mutex::default(),
        hedge: hedged.then_some(&facts),
        max_latency: hints.max_latency,
        auto_cache: cache::places_breakpoints(asked.auto_cache, hints.auto_cache, None),
        tape_bytes_max: outlook.tape_bytes_max(gateway),
        checks: checks(call, better.is_some()),
        deadline: admitted.started + gateway.settings.total_timeout,
        care: care::current(),
    };
    fly(&trip, flight, better.as_ref(), extra.remember, outlook).await
}

/// Runs the attempts and answers.
async fn fly(
    trip: &Trip<'_, '_>,
    mut flight: Flight,
    better: Option<&Better>,
    remember: Option<Remember>,
    outlook: Outlook,
) -> Result<Response<ResponseBody>, GatewayError> {
    let arrived = match better {
        None => Box::pin(attempt::run(trip, &mut flight)).await,
        Some(better) => Box::pin(cascade::run(trip, &mut flight, better)).await,
    };
    match arrived {
        Ok(arrival) => {
            if is_uncounted(&arrival, &flight) {
                trip.worker.gateway.load_tokenizer().await;
            }
            answer(trip, flight, arrival, remember, outlook)
        }
        Err(error) => {
            flight.fail(&error);
            Err(error)
        }
    }
}

/// What answers are held against: where one may go on to a better model, and where JSON was asked for.
fn checks(call: &Call<'_>, escalates: bool) -> Option<Arc<Checks>> {
    let judges = escalates || call.asked().needs.json;
    judges.then(|| Checks::of(call).map(Arc::new)).flatten()
}

/// Whether an answer is whole (a stream waits at its end), nobody reports its tokens, and what counts them is not loaded yet.
fn is_uncounted(arrival: &Arrival, flight: &Flight) -> bool {
    match &arrival.committed {
        Committed::Plain { answer, .. } => flight.awaits_tokenizer(answer.seen().usage.as_ref()),
        Committed::Stream(_) => false,
    }
}

fn routed((judged, dial): (Judged, f64), seed: u64) -> Routed {
    Routed {
        task: judged.task.to_owned(),
        confidence: judged.confidence.map(|confidence| format!("{confidence:.3}")),
        dial: dial.to_string(),
        seed,
        router: ROUTER_VERSION.to_owned(),
    }
}

/// Writes down who asks for what.
pub(crate) fn describe(
    record: &mut GenerationRecord,
    gateway: &Gateway,
    call: &Call<'_>,
    hints: &Hints,
    asked: &str,
) {
    let request = call.asked();
    record.dialect = call.name().to_owned();
    record.requested_model = asked.to_owned();
    record.streamed = request.stream;
    record.mode = gateway.settings.mode;
    record.app.clone_from(&hints.app);
    record.session_id = request.session_id.clone().or_else(|| hints.session_id.clone());
    record.traceparent = hints.traceparent;
    record.user.clone_from(&request.user);
    record.dimensions.clone_from(&hints.dimensions);
    for (name, value) in &request.trace {
        record.dimensions.entry(format!("trace.{name}")).or_insert_with(|| value.clone());
    }
}

/// Turns an arrival into the response: settled at once when it is plain, else as it streams.
fn answer(
    trip: &Trip<'_, '_>,
    mut flight: Flight,
    arrival: Arrival,
    remember: Option<Remember>,
    outlook: Outlook,
) -> Result<Response<ResponseBody>, GatewayError> {
    let gateway = &trip.worker.gateway;
    let names = &gateway.settings.brand.headers;
    let mut response = Response::new(ResponseBody::empty());
    name_headers(&mut response, trip, &arrival);
    guarding::name(response.headers_mut(), &names.guardrails, trip.guard.as_ref(), arrival.found());
    outlook.mark(response.headers_mut(), names);
    let own_warnings = flight.own_warnings();
    let keeping =
        outlook.keeping(trip.world, arrival.endpoint, flight.id(), response.headers_mut(), own_warnings);
    let endpoint = arrival.endpoint as usize;
    let place =
        trip.world.snapshot.endpoints.get(endpoint).and_then(|e| trip.world.providers.get(e.provider));
    let Some(provider) = place else { return Err(GatewayError::Internal) };
    flight.first_byte();
    crash::point("first_byte");
    match arrival.committed {
        Committed::Stream(leg) => {
            stream_headers(response.headers_mut(), names, trip.array, flight.warning_count());
            let pump = Pump::new(Start {
                leg: *leg,
                flight,
                watched: arrival.watched,
                clock: Arc::clone(&gateway.clock),
                stall_timeout: provider.stall_timeout,
                keep_alive: gateway.settings.keep_alive,
                deadline: trip.deadline,
                on_disconnect: provider.on_disconnect,
                bounds: gateway.settings.drain,
                remember,
                keeping,
            });
            *response.body_mut() = ResponseBody::Pump(Box::new(pump));
        }
        Committed::Plain { body, answer, tape, found } => {
            if let Some(watched) = &arrival.watched {
                let good = Good::of(answer.seen(), answer.verdict());
                watched.ended(Report::Success, 0, good, gateway.clock.now());
            }
            let mut ident = flight.ident(&provider.name_json);
            ident.echo.clone_from(&trip.echo);
            let keeping = keeping.map(|keeping| (keeping, tape));
            let told = (&*body, &*answer, found.as_ref());
            plain(gateway, flight, &ident, told, remember, keeping, &mut response)?;
        }
    }
    Ok(response)
}

/// Settles a whole answer and writes it.
pub(crate) fn plain(
    gateway: &Gateway,
    mut flight: Flight,
    ident: &Ident,
    (body, answer, found): (&[u8], &dyn Plain, Option<&Found>),
    remember: Option<Remember>,
    keeping: Option<(Keeping, Option<Box<Tape>>)>,
    response: &mut Response<ResponseBody>,
) -> Result<(), GatewayError> {
    let seen = answer.seen();
    flight.keep_seals(&seen.sealed);
    // Read to its end for a caller who was gone before it came: nothing of it was handed over.
    let abandoned = flight.abandoned();
    if let Some(at) = abandoned {
        flight.left(Leaving { at: Some(at), read_to: Some("end"), ..Leaving::default() });
    }
    found.iter().for_each(|found| flight.guarded(&found.lock()));
    let blocked = guarding::blocked(found);
    let outcome = Outcome {
        status: if abandoned.is_some() { Status::Cancelled } else { Status::Ok },
        http_status: match (abandoned, &blocked) {
            (Some(_), _) => 0,
            (None, Some(error)) => error.kind().0,
            (None, None) => 200,
        },
        usage: seen.usage,
        said: if abandoned.is_some() { Tally::default() } else { seen.said.clone() },
        calls: seen.calls.are_any(),
        finish_reason: seen.finish_reason.clone(),
        upstream_id: seen.upstream_id.clone(),
        error: blocked.as_ref().map(|error| error.kind().1),
    };
    let settlement =
        flight.settle(outcome).map_err(|_| GatewayError::BooksUnavailable("the journal can't be written"))?;
    // It was made and is charged; what is blocked is kept nowhere.
    blocked.map_or(Ok(()), Err)?;
    let names = &gateway.settings.brand.headers;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    let content_type = HeaderValue::from_str(answer.content_type()).unwrap_or(json);
    headers.insert(header::CONTENT_TYPE, content_type);
    insert(headers, &names.cost, &settlement.cost.to_string());
    // What the two caused is the provider's bill where an own key pays it.
    if settlement.own_key_cost.is_none() {
        insert(headers, &names.input_cost, &settlement.input_cost.to_string());
        insert(headers, &names.output_cost, &settlement.output_cost.to_string());
    }
    if !settlement.warnings.is_empty() {
        insert(headers, &names.translation, &settlement.warnings.len().to_string());
    }
    let rendered = answer.render(body, ident, &settlement);
    if let Some(remember) = remember {
        remember.keep(&rendered);
    }
    if let Some((keeping, tape)) = keeping {
        keeping.keep(tape, &settlement, seen.finish_reason.as_deref(), gateway.clock.now());
    }
    *response.body_mut() = ResponseBody::full(rendered);
    Ok(())
}

fn name_headers(response: &mut Response<ResponseBody>, trip: &Trip<'_, '_>, arrival: &Arrival) {
    let names = &trip.worker.gateway.settings.brand.headers;
    let snapshot = &trip.world.snapshot;
    let Some(endpoint) = snapshot.endpoints.get(arrival.endpoint as usize) else { return };
    let headers = response.headers_mut();
    headers.reserve(12);
    insert(headers, &names.endpoint, &endpoint.id);
    if let Some(model) = snapshot.models.get(endpoint.model) {
        insert(headers, &names.model, &model.id);
    }
    headers.insert(names.router_version.clone(), HeaderValue::from_static(ROUTER_VERSION));
    if let Some((judged, dial)) = &trip.judged {
        headers.insert(names.task.clone(), HeaderValue::from_static(judged.task));
        if let Some(confidence) = judged.confidence {
            insert(headers, &names.task_confidence, &format!("{confidence:.3}"));
        }
        insert(headers, &names.cost_quality_applied, &dial.to_string());
    }
    if let Some(first) = arrival.failed.first() {
        let tried = arrival.failed.iter().map(|a| a.endpoint.as_str()).chain(std::iter::once(&*endpoint.id));
        insert(headers, &names.fallback_chain, &tried.collect::<Vec<_>>().join(","));
        insert(headers, &names.fallback_reason, &first.code);
    }
}

/// The headers of a stream.
pub(crate) fn stream_headers(headers: &mut HeaderMap, names: &ResponseHeaders, array: bool, warnings: usize) {
    let content_type = match array {
        true => HeaderValue::from_static("application/json"),
        false => HeaderValue::from_static("text/event-stream; charset=utf-8"),
    };
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if warnings > 0 {
        insert(headers, &names.translation, &warnings.to_string());
    }
}

fn insert(headers: &mut HeaderMap, name: &http::HeaderName, value: &str) {
    // A provider's error code may hold anything: what no header can carry is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name.clone(), value);
    }
}
