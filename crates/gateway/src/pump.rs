//! Carries a committed stream to the client: relays, meters, keeps the hold ahead, ends honestly.
//!
//! - Polled by the client's connection, so a slow client slows the provider; nothing is queued here.
//! - What the provider sent at once leaves at once; nothing waits.
//! - It settles before the last event leaves. A stream that failed ends with one error event and no `[DONE]`.
//! - Dropped before its end, the client is gone: the provider's connection closes with it, or is read on to the usage where
//!   the provider's rule says so ([`drain`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use catalog::OnDisconnect;
use ledger::Status;
use routing::breaker::Report;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use types::Clock;
use wire::tally::{self, Tally};

use crate::cache::Keeping;
use crate::care::{BYTES_PER_TOKEN, Bounds, ReadingOn};
use crate::contents::Listener;
use crate::crash;
use crate::error::GatewayError;
use crate::guarding;
use crate::leaving::Leaving;
use crate::leg::{Leg, LegFailure};
use crate::responses::Remember;
use crate::settle::{Flight, Outcome};
use crate::vitals::{Good, Watched};

/// How long the end of a provider's body is waited for after `[DONE]`, so that its connection can be used again.
const TAIL_WAIT: Duration = Duration::from_millis(500);

/// A committed stream.
#[derive(Debug)]
pub struct Pump {
    leg: Leg,
    flight: Option<Flight>,
    watched: Option<Watched>,
    clock: ClockHandle,
    stall_timeout: Duration,
    keep_alive: Duration,
    deadline: Instant,
    last_progress: Instant,
    /// When the client last got something.
    last_sent: Instant,
    /// Bytes that were handed over.
    sent_bytes: u64,
    timer: Pin<Box<Sleep>>,
    on_disconnect: OnDisconnect,
    bounds: Bounds,
    remember: Option<Remember>,
    keeping: Option<Keeping>,
    /// Hears what leaves, where that is to be kept.
    listener: Option<Box<Listener>>,
    /// Loads the tokenizer's vocabulary.
    loading: Option<JoinHandle<()>>,
}

/// The clock, with a `Debug` that says nothing.
pub(crate) struct ClockHandle(pub(crate) Arc<dyn Clock>);

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// What a pump begins with.
pub struct Start {
    /// The stream, with its first event.
    pub leg: Leg,
    /// The call.
    pub flight: Flight,
    /// Watches the attempt to its end; `None`: no provider is called.
    pub watched: Option<Watched>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Longest silence.
    pub stall_timeout: Duration,
    /// Silence after which the client is shown that the answer is still on its way.
    pub keep_alive: Duration,
    /// When the whole call must be over.
    pub deadline: Instant,
    /// Whether it is read on to the usage when the client leaves.
    pub on_disconnect: OnDisconnect,
    /// How far.
    pub bounds: Bounds,
    /// Keeps the answer once it is whole.
    pub remember: Option<Remember>,
    /// Puts the answer into the cache once it is whole.
    pub(crate) keeping: Option<Keeping>,
}

impl Pump {
    /// Begins.
    pub fn new(start: Start) -> Pump {
        let now = Instant::now();
        let first = now + start.stall_timeout.min(start.keep_alive);
        let timer = Box::pin(tokio::time::sleep_until(first.min(start.deadline)));
        Pump {
            leg: start.leg,
            flight: Some(start.flight),
            watched: start.watched,
            clock: ClockHandle(start.clock),
            stall_timeout: start.stall_timeout,
            keep_alive: start.keep_alive,
            deadline: start.deadline,
            last_progress: now,
            last_sent: now,
            sent_bytes: 0,
            timer,
            on_disconnect: start.on_disconnect,
            bounds: start.bounds,
            remember: start.remember,
            keeping: start.keeping,
            listener: None,
            loading: None,
        }
    }

    /// True when the last byte has been handed over.
    pub fn is_finished(&self) -> bool {
        self.flight.is_none() && self.leg.out.is_empty()
    }

    /// The next bytes for the client.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if self.flight.is_some() && self.leg.over {
                match self.awaits_tokenizer() {
                    // What is ready leaves first.
                    true if !self.leg.out.is_empty() => (),
                    true if self.is_loading(cx) => return Poll::Pending,
                    _ => self.finish(None),
                }
            }
            if !self.leg.out.is_empty() {
                self.last_sent = Instant::now();
                self.sent_bytes += self.leg.out.len() as u64;
                if let Some(listener) = &mut self.listener {
                    listener.hear(&self.leg.out);
                }
                return Poll::Ready(Some(Bytes::from(std::mem::take(&mut self.leg.out))));
            }
            if self.flight.is_none() {
                return Poll::Ready(None);
            }
            match self.leg.poll(cx) {
                Poll::Ready(progress) => self.progressed(progress),
                Poll::Pending => match self.silent_for_too_long(cx) {
                    Some(error) => self.finish(Some(error)),
                    None if self.leg.out.is_empty() => return Poll::Pending,
                    None => (),
                },
            }
        }
    }

    fn awaits_tokenizer(&self) -> bool {
        let usage = self.leg.carry.seen().usage.as_ref();
        self.flight.as_ref().is_some_and(|flight| flight.awaits_tokenizer(usage))
    }

    /// Whether the tokenizer's vocabulary is still being loaded, on another thread.
    fn is_loading(&mut self, cx: &mut Context<'_>) -> bool {
        let load = || tokio::task::spawn_blocking(tally::load);
        Pin::new(self.loading.get_or_insert_with(load)).poll(cx).is_pending()
    }

    fn progressed(&mut self, progress: bool) {
        if progress {
            crash::point("mid_stream");
            self.last_progress = Instant::now();
        }
        if self.leg.tape.is_none()
            && let Some(keeping) = self.keeping.take()
        {
            keeping.give_up();
        }
        let Some(flight) = &mut self.flight else { return };
        if let Err(refusal) = flight.cover(self.leg.carry.seen().said.bytes()) {
            self.finish(Some(GatewayError::MoneyRanOut(refusal)));
        }
    }

    /// Checks the timer only when nothing else is to do.
    fn silent_for_too_long(&mut self, cx: &mut Context<'_>) -> Option<GatewayError> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= self.deadline {
                return Some(GatewayError::StreamBroken(String::from(
                    "it took longer than the whole call may take",
                )));
            }
            let limit = self.last_progress + self.stall_timeout;
            if now >= limit {
                let seconds = self.stall_timeout.as_secs_f32();
                return Some(GatewayError::StreamBroken(format!("the provider was silent for {seconds} s")));
            }
            // Between events only: a frame that is half taken in has written nothing yet.
            if now >= self.last_sent + self.keep_alive {
                self.leg.carry.keep_alive(&mut self.leg.out);
                self.last_sent = now;
            }
            let next = limit.min(self.last_sent + self.keep_alive);
            self.timer.as_mut().reset(next.min(self.deadline));
        }
        None
    }

    fn finish(&mut self, error: Option<GatewayError>) {
        let Some(mut flight) = self.flight.take() else { return };
        // Without a good end it is dropped here, and someone who waits for the same answer makes it.
        let keeping = self.keeping.take();
        let refused = || guarding::blocked(self.leg.found.as_ref());
        let error = error.or_else(|| match self.leg.failure.take()? {
            LegFailure::Refused => refused().or(Some(GatewayError::Internal)),
            failure => Some(broken(failure)),
        });
        // The provider did its part.
        let own = matches!(error, Some(GatewayError::MoneyRanOut(_) | GatewayError::Guardrail(_)));
        let found = self.leg.found.as_ref();
        if !own && let Some(watched) = &self.watched {
            let report = if error.is_none() { Report::Success } else { Report::Failure };
            let seen = self.leg.carry.seen();
            let tokens = seen.usage.map_or(seen.said.bytes() / 4, |usage| usage.output_total());
            let verdict = self.leg.carry.verdict().filter(|_| error.is_none());
            watched.ended(report, tokens, Good::of(seen, verdict), self.clock.0.now());
        }
        let status = if error.is_none() { Status::Ok } else { Status::Truncated };
        let kind = error.as_ref().map(|error| error.kind().1);
        flight.keep_seals(&self.leg.carry.seen().sealed);
        found.iter().for_each(|found| flight.guarded(&found.lock()));
        let settled = flight.settle(self.outcome(status, kind));
        let out = &mut self.leg.out;
        match (settled, error) {
            (Ok(settlement), None) => {
                let before = out.len();
                self.leg.carry.last(&settlement, out);
                if let Some(remember) = self.remember.take() {
                    remember.keep_last_event(out.get(before..).unwrap_or_default());
                }
                if let Some(keeping) = keeping {
                    let finish = self.leg.carry.seen().finish_reason.as_deref();
                    keeping.keep(self.leg.tape.take(), &settlement, finish, self.clock.0.now());
                }
            }
            (Ok(settlement), Some(error)) => self.leg.carry.fail(&error.told(), &settlement, out),
            (Err(_), _) => {
                let error = GatewayError::BooksUnavailable("the journal can't be written");
                out.extend_from_slice(
                    format!("data: {{\"choices\":[],\"error\":{}}}\n\n", error.object()).as_bytes(),
                );
            }
        }
        self.keep_connection();
    }

    fn outcome(&self, status: Status, error: Option<&'static str>) -> Outcome {
        let seen = self.leg.carry.seen();
        Outcome {
            status,
            http_status: 200,
            usage: seen.usage,
            said: seen.said.clone(),
            calls: seen.calls.are_any(),
            finish_reason: seen.finish_reason.clone(),
            upstream_id: seen.upstream_id.clone(),
            error,
        }
    }

    /// Reads the provider's body to its end, which is usually there already.
    fn keep_connection(&mut self) {
        if !self.leg.carry.seen().done {
            self.leg.rest();
            return;
        }
        let Some(mut rest) = self.leg.rest() else { return };
        tokio::spawn(async move {
            let _ =
                tokio::time::timeout(TAIL_WAIT, async { while let Some(Ok(_)) = rest.next().await {} }).await;
        });
    }
}

fn broken(failure: LegFailure) -> GatewayError {
    GatewayError::StreamBroken(match failure {
        LegFailure::Provider(error) => format!("the provider reported: {}", error.message),
        LegFailure::Malformed(what) => what,
        LegFailure::Refused => String::from("a guardrail blocked it"),
        LegFailure::CutOff => String::from("the provider's connection ended before the answer did"),
    })
}

impl Pump {
    /// What leaves from now on is heard.
    pub(crate) fn listen(&mut self, listener: Listener) {
        self.listener = Some(Box::new(listener));
    }

    /// Its client has left, and the answer is owed: it goes on as if nothing had happened, and the record says so.
    pub(crate) fn owed(&mut self) {
        let leaving = self.leaving(Instant::now());
        if let Some(flight) = &mut self.flight {
            flight.left(leaving);
        }
    }

    /// What the client has of it.
    fn leaving(&self, at: Instant) -> Leaving {
        let said = match self.sent_bytes {
            // What came first was read before anything was handed over.
            0 => Tally::default(),
            _ => self.leg.carry.seen().said.clone(),
        };
        Leaving { at: Some(at), bytes: self.sent_bytes, said, read_to: None }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let Some(mut flight) = self.flight.take() else { return };
        let leaving = self.leaving(flight.abandoned().unwrap_or_else(Instant::now));
        // Only what was handed over is billed where nobody reports.
        let known =
            Outcome { said: leaving.said.clone(), http_status: 200, ..self.outcome(Status::Cancelled, None) };
        let capped = match self.on_disconnect {
            OnDisconnect::Cancel => None,
            OnDisconnect::Drain => Some(false),
            OnDisconnect::DrainCapped => Some(true),
        };
        let runtime = tokio::runtime::Handle::try_current().ok();
        if let (Some(runtime), Some(capped)) = (runtime, capped) {
            drop(runtime.spawn(drain(self.leg.take(), flight, known, leaving, self.bounds, capped)));
        } else {
            // The connection closes with the leg, which cancels the call at the provider.
            flight.left(leaving);
            flight.leave(known);
        }
    }
}

/// Reads on to the provider's usage for a client that is gone: to the end, or to the bounds of its rule.
async fn drain(
    mut leg: Leg,
    mut flight: Flight,
    known: Outcome,
    mut leaving: Leaving,
    bounds: Bounds,
    capped: bool,
) {
    let reading_on = flight.gateway().map(ReadingOn::begin);
    let (said, bytes) = (leg.carry.seen().said.bytes(), leg.read_bytes);
    let until = leaving.at.unwrap_or_else(Instant::now) + bounds.longest;
    let reading = async {
        while !leg.over {
            let more = leg.carry.seen().said.bytes().saturating_sub(said);
            if capped && more > bounds.tokens_max.saturating_mul(BYTES_PER_TOKEN) {
                return "tokens";
            }
            if capped && leg.read_bytes.saturating_sub(bytes) > bounds.bytes_max {
                return "bytes";
            }
            std::future::poll_fn(|cx| leg.poll(cx)).await;
            leg.out.clear();
        }
        "end"
    };
    leaving.read_to = Some(tokio::time::timeout_at(until, reading).await.unwrap_or("time"));
    // Without a report only what was delivered is billed, not what was read after it.
    let seen = leg.carry.seen();
    let (usage, finish_reason) = (seen.usage, seen.finish_reason.clone());
    drop(leg);
    flight.left(leaving);
    flight.leave(Outcome { usage, finish_reason, ..known });
    drop(reading_on);
}
