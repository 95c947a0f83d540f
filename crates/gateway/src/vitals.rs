//! The live state of an endpoint on this node: when it is left alone, how it fares, how loaded it is. Survives reloads, and
//! restarts as far as `tollway` writes it down.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use routing::breaker::{Breaker, Report, Verdict};
use routing::health::{Ending, Figures, Health, MINUTES_ROUTED, Sample, Size};
use routing::load::PeakEwma;
use tokio::time::Instant;
use types::Timestamp;
use wire::check;
use wire::hub::Seen;

/// What routing goes by where nothing was recorded: one for all, as most endpoints of a catalog are never called.
static NOTHING: LazyLock<Arc<[Figures; 3]>> = LazyLock::new(Arc::default);

/// The live state of an endpoint.
#[derive(Debug)]
pub struct Vitals {
    breaker: Mutex<Breaker>,
    health: Mutex<Health>,
    load: Mutex<PeakEwma>,
    under_way: AtomicU32,
    /// When it last failed, microseconds since 1970; 0: never. Known to the next decision at once.
    last_failure: AtomicI64,
    /// What routing goes by, for each size of prompt: made anew every second, so that a decision only reads.
    board: ArcSwap<[Figures; 3]>,
}

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals {
            breaker: Mutex::default(),
            health: Mutex::default(),
            load: Mutex::default(),
            under_way: AtomicU32::default(),
            last_failure: AtomicI64::default(),
            board: ArcSwap::new(Arc::clone(&NOTHING)),
        }
    }
}

impl Vitals {
    /// Whether a call may pass; takes the probe when that is the verdict.
    pub fn enter(&self, now: Timestamp) -> Verdict {
        self.breaker.lock().enter(now)
    }

    /// Whether calls pass freely. An endpoint that is ready for its probe counts: it would never recover if it always came
    /// last.
    pub fn is_well(&self, now: Timestamp) -> bool {
        !matches!(self.breaker.lock().peek(now), Verdict::Wait(_))
    }

    /// Whether calls pass its breaker, and not as a probe.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.breaker.lock().peek(now) == Verdict::Pass
    }

    /// Whether it rests because it was told to, and not because it failed.
    pub fn is_cooling(&self, now: Timestamp) -> bool {
        self.breaker.lock().is_cooling(now)
    }

    /// Tells the breaker how an attempt ended.
    pub fn report(&self, report: Report, now: Timestamp) {
        self.breaker.lock().report(report, now);
    }

    /// Takes in an attempt that brought no answer.
    pub fn failed(&self, report: Report, size: Size, now: Timestamp) {
        self.report(report, now);
        let ending = match report {
            Report::Busy(_) => Ending::Busy,
            Report::Failure => Ending::Failed,
            Report::Success => Ending::Answered,
        };
        self.record(&sample(now, size, ending));
        if ending == Ending::Failed {
            self.last_failure.store(now.0, Ordering::Relaxed);
        }
    }

    /// Takes in an attempt.
    pub fn record(&self, sample: &Sample) {
        self.health.lock().record(sample);
        if let Some(us) = sample.ttft_us {
            self.load.lock().observe(us, sample.at);
        }
    }

    /// What routing goes by.
    pub fn figures(&self, size: Size) -> Figures {
        let figures = self.board.load().get(size as usize).copied().unwrap_or_default();
        let last = Timestamp(self.last_failure.load(Ordering::Relaxed));
        Figures { last_failure: figures.last_failure.max(Some(last).filter(|at| at.0 > 0)), ..figures }
    }

    /// Its load.
    pub fn load(&self, now: Timestamp) -> f64 {
        self.load.lock().load(self.under_way.load(Ordering::Relaxed), now)
    }

    /// Makes the board anew; called every second. True when anything was ever recorded.
    pub fn refresh(&self, now: Timestamp) -> bool {
        let health = self.health.lock();
        if health.is_empty() {
            return false;
        }
        let board = Size::ALL.map(|size| health.figures(size, MINUTES_ROUTED, now));
        drop(health);
        self.board.store(Arc::new(board));
        true
    }

    /// Looks at the record.
    pub fn health<T>(&self, look: impl FnOnce(&Health) -> T) -> T {
        look(&self.health.lock())
    }

    /// Puts a record of before in place.
    pub fn restore(&self, health: Health, now: Timestamp) {
        *self.health.lock() = health;
        self.refresh(now);
    }

    /// Counts a call that is under way, until what comes back is dropped.
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }
}

/// A call that is under way at an endpoint.
#[derive(Debug)]
pub struct UnderWay(Arc<Vitals>);

/// A committed attempt, watched to its end.
#[derive(Debug)]
pub struct Watched {
    under_way: UnderWay,
    size: Size,
    /// False where the answer comes whole.
    streamed: bool,
    first_byte: Instant,
}

impl Watched {
    /// From its first byte on, which came after `ttft`. That is known to others at once, and not when a long answer ends.
    pub fn new(under_way: UnderWay, size: Size, ttft: Option<Duration>, now: Timestamp) -> Watched {
        if let Some(ttft) = ttft {
            let ttft_us = Some(micros(ttft));
            under_way.0.record(&Sample { ttft_us, ..sample(now, size, Ending::Begun) });
        }
        Watched { under_way, size, streamed: ttft.is_some(), first_byte: Instant::now() }
    }

    /// It has ended, after so many tokens.
    pub fn ended(&self, report: Report, output_tokens: u64, good: Good, now: Timestamp) {
        let vitals = &self.under_way.0;
        if report == Report::Failure {
            return vitals.failed(report, self.size, now);
        }
        vitals.report(report, now);
        vitals.record(&Sample {
            written: self.streamed.then(|| (output_tokens, micros(self.first_byte.elapsed()))),
            tool_calls_good: good.calls,
            json_good: good.json,
            ..sample(now, self.size, Ending::Answered)
        });
    }
}

/// What is to be said of an answer beside its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Good {
    /// Whether the calls of tools that it made are any good; `None`: it made none.
    pub calls: Option<bool>,
    /// Whether the JSON that was asked for came; `None`: none was asked for, or it can't be said.
    pub json: Option<bool>,
}

impl Good {
    /// Of an answer that was seen, and heard where that was asked for.
    pub fn of(seen: &Seen, verdict: Option<check::Verdict>) -> Good {
        Good { calls: seen.calls.are_good(), json: verdict.and_then(|verdict| verdict.json_good) }
    }
}

/// One that says nothing but how an attempt ended.
fn sample(at: Timestamp, size: Size, ending: Ending) -> Sample {
    Sample { at, size, ending, ttft_us: None, written: None, tool_calls_good: None, json_good: None }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
