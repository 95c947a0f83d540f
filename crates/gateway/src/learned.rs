//! What this node has learned of models: rewards go in from anywhere, decisions read a copy that is made anew every second.
//! `tollway` writes it down and reads it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use routing::learn::Table;
use routing::quality::Work;
use types::Timestamp;

/// Rewards, and the copy that decisions read.
#[derive(Debug, Default)]
pub struct Learned {
    table: Mutex<Table>,
    read: ArcSwap<Table>,
    changed: AtomicBool,
}

impl Learned {
    /// Takes in what an answer was worth.
    pub fn observe(&self, work: &Work, model: &str, reward: f64, weight: f64, at: Timestamp) {
        self.table.lock().observe(work, model, reward, weight, at);
        self.changed.store(true, Ordering::Release);
    }

    /// What decisions go by.
    pub fn read(&self) -> Arc<Table> {
        self.read.load_full()
    }

    /// Makes the copy anew, where anything changed; called every second.
    pub fn refresh(&self) {
        if self.changed.swap(false, Ordering::AcqRel) {
            let copy = self.table.lock().clone();
            self.read.store(Arc::new(copy));
        }
    }

    /// Puts what was written down in place.
    pub fn restore(&self, table: Table) {
        *self.table.lock() = table;
        self.changed.store(true, Ordering::Release);
        self.refresh();
    }
}
