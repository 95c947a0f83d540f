//! What this node's own traffic says of all endpoints, worked out once for all pages of a few seconds.

use std::sync::{Arc, Weak};

use catalog::Snapshot;
use types::Timestamp;

use crate::{Live, World};

/// The figures of one moment. An endpoint that nobody has asked lately has none.
pub(crate) struct Board {
    pub(crate) made: Timestamp,
    world: Weak<dyn World>,
    /// By endpoint.
    lives: Vec<Option<Box<Live>>>,
    /// By model: the best median of its endpoints that are measured.
    best: Vec<Best>,
    /// Whether any endpoint is measured.
    pub(crate) is_measured: bool,
}

/// The best of a model's endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Best {
    /// The least median time to the first token, milliseconds.
    pub(crate) ttft_ms: Option<f64>,
    /// The highest median speed.
    pub(crate) tokens_per_s: Option<f64>,
    /// Samples of all its endpoints.
    pub(crate) samples: u64,
}

impl Board {
    pub(crate) fn of(world: &Arc<dyn World>, now: Timestamp) -> Board {
        let snapshot: &Snapshot = world.snapshot();
        let known = |live: &Live| live.samples > 0 || !live.hours.is_empty();
        let lives = (0..snapshot.endpoints.len()).map(|at| Some(world.live(at, now)).filter(known));
        let lives: Vec<_> = lives.map(|live| live.map(Box::new)).collect();
        let mut best = vec![Best::default(); snapshot.models.len()];
        for (endpoint, live) in snapshot.endpoints.iter().zip(&lives) {
            if let (Some(live), Some(best)) = (live, best.get_mut(endpoint.model)) {
                best.add(live);
            }
        }
        let is_measured = best.iter().any(|best| best.ttft_ms.is_some() || best.tokens_per_s.is_some());
        Board { made: now, world: Arc::downgrade(world), lives, best, is_measured }
    }

    /// Whether it was made from this world.
    pub(crate) fn is_of(&self, world: &Arc<dyn World>) -> bool {
        crate::visit::is_of(&self.world, world)
    }

    /// What is known of an endpoint.
    pub(crate) fn live(&self, endpoint: usize) -> Option<&Live> {
        self.lives.get(endpoint)?.as_deref()
    }

    /// The best of a model's endpoints.
    pub(crate) fn best(&self, model: usize) -> Best {
        self.best.get(model).copied().unwrap_or_default()
    }
}

impl Best {
    fn add(&mut self, live: &Live) {
        let ttft = live.ttft_ms.map(|known| known.p50);
        let speed = live.tokens_per_s.map(|known| known.p50);
        self.ttft_ms = [self.ttft_ms, ttft].into_iter().flatten().reduce(f64::min);
        self.tokens_per_s = [self.tokens_per_s, speed].into_iter().flatten().reduce(f64::max);
        self.samples += live.samples;
    }
}
