//! Staying awake between events that come close together.
//!
//! A core on which a thread sleeps takes longer to wake than a call takes to forward, and wakes with cold caches. Where events
//! come a few microseconds apart, as under load or between the two sides of a short call, a worker that looks once more instead
//! of sleeping serves each of them sooner. Where they are rare, looking is a waste: so each worker keeps count of how often the
//! next event came within the bound, and looks only as long as it mostly does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A share of 1 in [`Vigil::near`].
const WHOLE: u32 = 1 << 10;
/// Each gap counts as one part in so many.
const WEIGHT: u32 = 16;
/// What waking costs by itself, so what a gap that was slept through may seem longer.
const WAKING: Duration = Duration::from_micros(30);
/// A look that took longer than this was interrupted by an event.
const LOOK: Duration = Duration::from_micros(5);

/// One worker's count, shared between its runtime's hooks and the task that looks.
#[derive(Debug)]
pub(crate) struct Vigil {
    longest: Duration,
    began: Instant,
    wake: Notify,
    /// The share of gaps that were short.
    near: AtomicU32,
    /// Nothing came while it looked: sleep now.
    spent: AtomicBool,
    /// When the thread went to sleep, in nanoseconds since `began`.
    asleep_since: AtomicU64,
}

impl Vigil {
    /// Looks for at most `longest` at a time; `None` where that is nothing.
    pub(crate) fn new(longest: Duration) -> Option<Arc<Vigil>> {
        (!longest.is_zero()).then(|| {
            Arc::new(Vigil {
                longest,
                began: Instant::now(),
                wake: Notify::new(),
                near: AtomicU32::new(0),
                spent: AtomicBool::new(false),
                asleep_since: AtomicU64::new(0),
            })
        })
    }

    /// The runtime is about to sleep: wakes the task that looks instead, where that is worth it.
    pub(crate) fn before_sleep(&self) {
        if self.near.load(Ordering::Relaxed) * 2 > WHOLE && !self.spent.swap(false, Ordering::Relaxed) {
            self.wake.notify_one();
        } else {
            self.asleep_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The runtime woke up.
    pub(crate) fn after_sleep(&self) {
        let slept = self.now().saturating_sub(self.asleep_since.load(Ordering::Relaxed));
        self.count(Duration::from_nanos(slept) <= self.longest + WAKING);
    }

    /// Looks whenever it is woken, for as long as events keep coming.
    pub(crate) async fn keep(self: Arc<Vigil>) {
        loop {
            self.wake.notified().await;
            let mut quiet_since = Instant::now();
            loop {
                let before = Instant::now();
                tokio::task::yield_now().await;
                let now = Instant::now();
                if now - before > LOOK {
                    quiet_since = now;
                    self.count(true);
                } else if now - quiet_since > self.longest {
                    break;
                }
            }
            self.spent.store(true, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Only the worker's own thread counts, so nothing is lost between load and store.
    fn count(&self, short: bool) {
        let near = self.near.load(Ordering::Relaxed);
        let target = if short { WHOLE } else { 0 };
        self.near.store((near * (WEIGHT - 1) + target) / WEIGHT, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken(vigil: &Vigil) -> bool {
        vigil.before_sleep();
        let mut woken = std::pin::pin!(vigil.wake.notified());
        woken.as_mut().enable()
    }

    #[test]
    fn it_looks_only_while_events_mostly_come_soon() {
        let vigil = Vigil::new(Duration::from_secs(3600)).unwrap();
        assert!(!woken(&vigil), "nothing is known yet");
        (0..16).for_each(|_| vigil.after_sleep());
        assert!(woken(&vigil), "every gap was short");
        vigil.spent.store(true, Ordering::Relaxed);
        assert!(!woken(&vigil), "nothing came while it looked");
        (0..16).for_each(|_| vigil.count(false));
        assert!(!woken(&vigil), "gaps are long now");
    }

    #[test]
    fn nothing_is_looked_for_where_the_bound_is_zero() {
        assert!(Vigil::new(Duration::ZERO).is_none());
    }
}
