//! What this node has learned of models: rewards go in from anywhere, decisions read what of it counts (`routing::gate`), which is made
//! anew by a job and never by a call. `tollway` writes the rewards down and reads them back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use routing::gate::Gate;
use routing::learn::Table;
use routing::quality::Work;
use types::Timestamp;

use crate::world::World;

/// Rewards fade: so often what counts is made anew though nothing changed, microseconds.
const ANEW_US: i64 = 60_000_000;

/// Rewards, and what decisions read of them.
#[derive(Debug, Default)]
pub struct Learned {
    table: Mutex<Table>,
    read: ArcSwap<Table>,
    standing: ArcSwap<Standing>,
    changed: AtomicBool,
}

/// What counts, for one view of the catalog.
#[derive(Debug, Default)]
struct Standing {
    gate: Arc<Gate>,
    world: Weak<World>,
    made: Timestamp,
}

impl Learned {
    /// Takes in what an answer was worth.
    pub fn observe(&self, work: &Work, model: &str, reward: f64, weight: f64, at: Timestamp) {
        self.table.lock().observe(work, model, reward, weight, at);
        self.changed.store(true, Ordering::Release);
    }

    /// All rewards, as of the last [`Learned::refresh`].
    pub fn read(&self) -> Arc<Table> {
        self.read.load_full()
    }

    /// What decisions go by; `None` where nothing was learned, or not yet judged for this view of the catalog.
    pub fn gate(&self, world: &World) -> Option<Arc<Gate>> {
        let standing = self.standing.load();
        let same = std::ptr::eq(standing.world.as_ptr(), world) && !standing.gate.is_empty();
        same.then(|| Arc::clone(&standing.gate))
    }

    /// Makes the copy anew where rewards came in; whether they did.
    pub(crate) fn renew(&self) -> bool {
        let changed = self.changed.swap(false, Ordering::AcqRel);
        if changed {
            let copy = self.table.lock().clone();
            self.read.store(Arc::new(copy));
        }
        changed
    }

    /// Judges anew what counts where rewards or the catalog changed, or a minute has passed; called every second.
    pub fn refresh(&self, world: &Arc<World>, now: Timestamp) {
        let changed = self.renew();
        let standing = self.standing.load();
        let old = now.0.saturating_sub(standing.made.0) >= ANEW_US;
        if !changed && !old && std::ptr::eq(standing.world.as_ptr(), Arc::as_ptr(world)) {
            return;
        }
        let table = self.read.load();
        let gate = Gate::of(
            &table,
            &world.snapshot,
            &world.abilities,
            &|_, endpoint| world.is_available(endpoint),
            now,
        );
        let standing = Standing { gate: Arc::new(gate), world: Arc::downgrade(world), made: now };
        self.standing.store(Arc::new(standing));
    }

    /// Puts what was written down in place; the next [`Learned::refresh`] judges it.
    pub fn restore(&self, table: Table) {
        *self.table.lock() = table;
        self.changed.store(true, Ordering::Release);
    }
}
