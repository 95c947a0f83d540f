//! Who cares for a call whose caller leaves before its answer is whole.
//!
//! - A call is a future that the caller's connection polls. Dropped, it is over, and so is its request at the provider: that is
//!   rule `cancel`, and nothing here costs such a call anything.
//! - Where it has to go on all the same, it is [`carried`]: what is dropped is handed to the runtime and ends there. It goes on only
//!   while a request of it is at a provider, and that provider is read on ([`OnDisconnect`]) or the answer is owed under an
//!   `Idempotency-Key`. Before that nothing was sent, so that nothing is lost and nothing charged.
//! - Who left is tried for no further: no second endpoint, no second leg.
//! - What goes on keeps its place among the calls in flight (`limits.requests_in_flight_max`), so that it is bounded by that; and it is
//!   bounded in time: by `upstream.drain_ms_max`, or, where an answer is owed, by what the whole call may take.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use catalog::OnDisconnect;
use http::Response;
use tokio::time::Instant;
use types::Money;

use crate::app::Gateway;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::idempotency::Pledge;

tokio::task_local! {
    /// The care of the call that is being polled. It goes with the future, so that no layer in between has to pass it on.
    static CARE: Arc<Care>;
}

/// What is known of one call that may outlive its caller's stay.
#[derive(Debug, Default)]
pub(crate) struct Care {
    /// Its requests that are at a provider at the moment.
    at_provider: AtomicUsize,
    /// The present attempt's provider is read on.
    reads_on: AtomicBool,
    /// When its caller left.
    left: OnceLock<Instant>,
    /// The answer is owed to whoever comes with the same key.
    pledge: Option<Arc<Pledge>>,
}

/// The care of the call that is being polled; `None`: it ends when its caller leaves.
pub(crate) fn current() -> Option<Arc<Care>> {
    CARE.try_with(Arc::clone).ok()
}

impl Care {
    /// Of a call whose answer is owed.
    pub(crate) fn owing(pledge: Arc<Pledge>) -> Care {
        Care { pledge: Some(pledge), ..Care::default() }
    }

    /// Takes the rule of the attempt that begins.
    pub(crate) fn aim(&self, rule: OnDisconnect) {
        self.reads_on.store(rule != OnDisconnect::Cancel, Ordering::Relaxed);
    }

    /// A provider is about to be called.
    pub(crate) fn begin(&self) -> Result<(), GatewayError> {
        self.pledge.as_ref().map_or(Ok(()), |pledge| pledge.begin())
    }

    /// It was settled: whether its answer is whole, and what it cost the account.
    pub(crate) fn settled(&self, whole: bool, charged: Money) {
        if let Some(pledge) = &self.pledge {
            pledge.settled(whole, charged);
        }
    }

    /// When its caller left.
    pub(crate) fn left(&self) -> Option<Instant> {
        self.left.get().copied()
    }

    /// Its caller is gone, and nobody waits for its answer.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.pledge.is_none() && self.left.get().is_some()
    }

    /// The answer is owed to whoever comes with the same key.
    pub(crate) fn owes(&self) -> bool {
        self.pledge.is_some()
    }

    fn goes_on(&self) -> bool {
        let sent = self.at_provider.load(Ordering::Relaxed) > 0;
        sent && (self.owes() || self.reads_on.load(Ordering::Relaxed))
    }
}

/// Whether one request is at a provider; told to the call's care.
#[derive(Debug, Default)]
pub struct Sent {
    is: bool,
    care: Option<Arc<Care>>,
}

impl Sent {
    /// Of the call that is being polled.
    pub(crate) fn of_this_call() -> Sent {
        Sent { is: false, care: current() }
    }

    /// Whether it is there.
    pub fn is(&self) -> bool {
        self.is
    }

    /// Notes whether it is there.
    pub fn set(&mut self, is: bool) {
        if let Some(care) = self.care.as_ref().filter(|_| self.is != is) {
            match is {
                true => care.at_provider.fetch_add(1, Ordering::Relaxed),
                false => care.at_provider.fetch_sub(1, Ordering::Relaxed),
            };
        }
        self.is = is;
    }

    /// The care of its call.
    pub(crate) fn care(&self) -> Option<&Arc<Care>> {
        self.care.as_ref()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.set(false);
    }
}

type Call = Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>;

/// A call that is handed to the runtime when it is dropped and has to go on.
pub(crate) struct Carried {
    call: Option<Call>,
    care: Arc<Care>,
    gateway: Arc<Gateway>,
}

/// Carries a call.
pub(crate) fn carried(
    gateway: &Arc<Gateway>,
    care: Care,
    call: impl Future<Output = Response<ResponseBody>> + Send + 'static,
) -> Carried {
    let care = Arc::new(care);
    let call: Call = Box::pin(CARE.scope(Arc::clone(&care), call));
    Carried { call: Some(call), care, gateway: Arc::clone(gateway) }
}

impl Future for Carried {
    type Output = Response<ResponseBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<ResponseBody>> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let answer = std::task::ready!(call.as_mut().poll(cx));
        self.call = None;
        Poll::Ready(answer)
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let Some(call) = self.call.take().filter(|_| self.care.goes_on()) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let _ = self.care.left.set(Instant::now());
        let settings = &self.gateway.settings;
        let longest = if self.care.owes() { settings.total_timeout } else { settings.drain.longest };
        let reading = ReadingOn::begin(&self.gateway);
        runtime.spawn(async move {
            // What comes is dropped: a stream then reads on by itself, as its rule says.
            drop(tokio::time::timeout(longest, call).await);
            drop(reading);
        });
    }
}

/// Counts a call that goes on without its caller.
#[derive(Debug)]
pub(crate) struct ReadingOn(Arc<Gateway>);

impl ReadingOn {
    pub(crate) fn begin(gateway: &Arc<Gateway>) -> ReadingOn {
        gateway.metrics.reading_on.fetch_add(1, Ordering::Relaxed);
        ReadingOn(Arc::clone(gateway))
    }
}

impl Drop for ReadingOn {
    fn drop(&mut self) {
        self.0.metrics.reading_on.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How far a provider is read on for a caller who left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// How long.
    pub longest: Duration,
    /// Tokens that are read on with `drain_capped`, at four bytes each.
    pub tokens_max: u64,
    /// Bytes that are read on with `drain_capped`.
    pub bytes_max: u64,
}

/// Bytes of text that count as a token for `upstream.drain_tokens_max`: no tokenizer runs while a provider is read on.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_at_a_provider_that_is_read_on_goes_on() {
        let care = Arc::new(Care::default());
        let mut first = Sent { is: false, care: Some(Arc::clone(&care)) };
        care.aim(OnDisconnect::Drain);
        assert!(!care.goes_on(), "nothing was sent");
        first.set(true);
        first.set(true);
        assert!(care.goes_on());
        care.aim(OnDisconnect::Cancel);
        assert!(!care.goes_on(), "its provider stops");
        care.aim(OnDisconnect::DrainCapped);
        let mut second = Sent { is: false, care: Some(Arc::clone(&care)) };
        second.set(true);
        first.set(false);
        assert!(care.goes_on(), "one of two is still there");
        drop(second);
        assert!(!care.goes_on());
    }
}
