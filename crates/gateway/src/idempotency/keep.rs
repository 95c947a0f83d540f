//! The call that makes the answer of a key: what it promises before a provider is called, and what it leaves for the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use parking_lot::Mutex;
use types::{GenerationId, Money, Timestamp};

use super::book::{Answer, Asked};
use crate::app::Gateway;
use crate::body::ResponseBody;
use crate::cache::shelf::Ticket;
use crate::care::ReadingOn;
use crate::crash;
use crate::error::GatewayError;
use crate::pump::Pump;

/// What a call under a key promises.
#[derive(Debug)]
pub(crate) struct Pledge {
    gateway: Arc<Gateway>,
    asked: Asked,
    id: GenerationId,
    at: Timestamp,
    begun: AtomicBool,
    /// Whether the answer is whole, and what it cost the account; `None`: not settled.
    settled: Mutex<Option<(bool, Money)>>,
}

impl Pledge {
    /// Writes the key down, once: a provider is about to be called.
    pub(crate) fn begin(&self) -> Result<(), GatewayError> {
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.gateway.idempotency.begin(&self.asked, self.id, self.at).map_err(|error| {
            tracing::error!(%error, "an Idempotency-Key can't be written down, so that its call is not made");
            self.begun.store(false, Ordering::Relaxed);
            GatewayError::BooksUnavailable("the file of idempotency keys can't be written")
        })?;
        crash::point("pledged");
        Ok(())
    }

    /// Takes in how the call was settled.
    pub(crate) fn settled(&self, whole: bool, charged: Money) {
        *self.settled.lock() = Some((whole, charged));
    }

    /// What becomes of the key when its call is over.
    fn ending(&self, good: bool) -> Ending {
        match *self.settled.lock() {
            Some((_, charged)) if charged > Money::ZERO => Ending::Keep,
            Some((whole, _)) if whole && good => Ending::Keep,
            Some(_) => Ending::Free,
            // Nothing was called, or nobody knows what became of it.
            None if self.begun.load(Ordering::Relaxed) => Ending::Lose,
            None if good => Ending::Keep,
            None => Ending::Free,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The answer is told again.
    Keep,
    /// The call may be made again.
    Free,
    /// Nobody knows.
    Lose,
}

/// The right and the duty to make the call of a key. Dropped without an answer, the key says what is known.
#[derive(Debug)]
pub(crate) struct Lead {
    pledge: Arc<Pledge>,
    ticket: Option<Ticket<Answer>>,
}

impl Lead {
    /// Takes the key; `None` when somebody else has meanwhile.
    pub(super) fn take(
        gateway: &Arc<Gateway>,
        ticket: Ticket<Answer>,
        asked: &Asked,
        id: GenerationId,
    ) -> Option<Lead> {
        let at = gateway.clock.now();
        gateway.idempotency.take(asked, id, at).then(|| {
            let (begun, settled) = (AtomicBool::new(false), Mutex::new(None));
            let pledge = Pledge { gateway: Arc::clone(gateway), asked: *asked, id, at, begun, settled };
            Lead { pledge: Arc::new(pledge), ticket: Some(ticket) }
        })
    }

    pub(super) fn pledge(&self) -> &Arc<Pledge> {
        &self.pledge
    }

    /// Records an answer: at once where it is whole, else as it leaves.
    pub(super) fn record(self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let (parts, body) = response.into_parts();
        let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = parts.headers.iter();
        let answer = Answer {
            print: self.pledge.asked.print,
            status: parts.status.as_u16(),
            headers: headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect(),
            body: Bytes::new(),
        };
        let body = match body {
            ResponseBody::Full(bytes) => {
                self.finish(answer, bytes.clone().unwrap_or_default());
                ResponseBody::Full(bytes)
            }
            ResponseBody::Pump(pump) => {
                let (pump, kept, heard) = (Some(pump), Some((self, answer)), Some(Vec::new()));
                ResponseBody::Recorder(Box::new(Recorder { pump, kept, heard, alone: false }))
            }
            other @ (ResponseBody::Recorder(_) | ResponseBody::Pages(_)) => other,
        };
        Response::from_parts(parts, body)
    }

    fn finish(self, answer: Answer, body: Bytes) {
        match body.len() <= self.limits_max() {
            true => self.end(Some(Answer { body, ..answer })),
            false => self.end_with(answer.status, None),
        }
    }

    fn limits_max(&self) -> usize {
        self.pledge.gateway.idempotency.limits().answer_bytes_max
    }

    fn end(self, answer: Option<Answer>) {
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        self.end_with(status, answer);
    }

    /// The call is over, before its last byte leaves. `answer`: `None` where it was too large.
    fn end_with(mut self, status: u16, answer: Option<Answer>) {
        let Some(ticket) = self.ticket.take() else { return };
        let Pledge { gateway, asked, id, at, begun, .. } = &*self.pledge;
        let book = &gateway.idempotency;
        match (self.pledge.ending((200..300).contains(&status)), answer) {
            (Ending::Keep, Some(answer)) => {
                book.keep(asked, *id, *at, &answer);
                crash::point("kept");
                let bytes = answer.body.len() + size_of::<Answer>();
                // Who waits gets it from memory; who comes later, from the book.
                let expires = Timestamp(at.0.saturating_add(RECENT_US));
                ticket.keep(answer, bytes, *at, expires);
            }
            (Ending::Keep, None) => {
                book.keep_nothing(asked, *id, *at);
                ticket.give_up();
            }
            (Ending::Free, _) => {
                book.free(asked, *id, *at, begun.load(Ordering::Relaxed));
                drop(ticket);
            }
            (Ending::Lose, _) => {
                book.lose(asked, *id);
                drop(ticket);
            }
        }
    }
}

/// How long an answer stands in memory beside the disk, microseconds.
const RECENT_US: i64 = 60_000_000;

impl Drop for Lead {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let Pledge { gateway, asked, id, at, begun, .. } = &*self.pledge;
        match self.pledge.ending(false) {
            // It was charged, and its answer is gone.
            Ending::Keep => gateway.idempotency.keep_nothing(asked, *id, *at),
            Ending::Free => gateway.idempotency.free(asked, *id, *at, begun.load(Ordering::Relaxed)),
            Ending::Lose => gateway.idempotency.lose(asked, *id),
        }
        // The first who waits looks at what the key says now.
        drop(ticket);
    }
}

/// Writes down a stream as it leaves. When its caller leaves before its end, it is read to the end all the same.
#[derive(Debug)]
pub struct Recorder {
    pump: Option<Box<Pump>>,
    kept: Option<(Lead, Answer)>,
    /// What has left so far; gone when it is too large.
    heard: Option<Vec<u8>>,
    /// Its caller is gone.
    alone: bool,
}

impl Recorder {
    /// The next bytes for the client. The last of them don't leave before all are written down.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(pump) = &mut self.pump else { return Poll::Ready(None) };
        let next = std::task::ready!(pump.poll(cx));
        if let (Some(bytes), Some((lead, _))) = (&next, &self.kept) {
            let max = lead.limits_max();
            let room = |heard: &Vec<u8>| heard.len() + bytes.len() <= max;
            self.heard = self.heard.take().filter(room).map(|mut heard| {
                heard.extend_from_slice(bytes);
                heard
            });
        }
        if next.is_none() || pump.is_finished() {
            self.finish();
        }
        Poll::Ready(next)
    }

    /// True when the last byte has been handed over.
    pub(crate) fn is_finished(&self) -> bool {
        self.pump.as_ref().is_none_or(|pump| pump.is_finished())
    }

    fn finish(&mut self) {
        let Some((lead, answer)) = self.kept.take() else { return };
        match self.heard.take() {
            Some(heard) => lead.end(Some(Answer { body: heard.into(), ..answer })),
            None => lead.end_with(answer.status, None),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let (Some(mut pump), Some(kept)) = (self.pump.take(), self.kept.take()) else { return };
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| !self.alone);
        let Some(runtime) = runtime else {
            // The process ends. The call is settled first, so that the key says what came of it.
            drop(pump);
            return drop(kept);
        };
        pump.owed();
        let reading = ReadingOn::begin(&kept.0.pledge.gateway);
        let heard = self.heard.take();
        let mut rest = Recorder { pump: Some(pump), kept: Some(kept), heard, alone: true };
        runtime.spawn(async move {
            while std::future::poll_fn(|cx| rest.poll(cx)).await.is_some() {}
            drop(reading);
        });
    }
}
