//! What the last reload of catalog and providers changed, and why the last one that was refused was. In memory, since the start.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use catalog::Diff;
use types::Timestamp;

/// A reload that was put in place.
#[derive(Debug)]
pub struct Applied {
    /// When.
    pub at: Timestamp,
    /// What it changed.
    pub diff: Diff,
}

/// A reload that was refused.
#[derive(Debug)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// What was wrong, a line each, with file, line and rule; as the log has it.
    pub why: Vec<String>,
}

/// The last of each.
#[derive(Debug, Default)]
pub struct Reloads {
    applied: ArcSwapOption<Applied>,
    refused: ArcSwapOption<Refused>,
}

impl Reloads {
    /// One was put in place.
    pub fn applied(&self, at: Timestamp, diff: Diff) {
        self.applied.store(Some(Arc::new(Applied { at, diff })));
        // What was wrong is right again.
        self.refused.store(None);
    }

    /// One was refused; what was in place keeps serving.
    pub fn refused(&self, at: Timestamp, why: &str) {
        let why = why.lines().map(str::to_owned).collect();
        self.refused.store(Some(Arc::new(Refused { at, why })));
    }

    /// What the last one changed; `None`: there was none since the start.
    pub fn last_applied(&self) -> Option<Arc<Applied>> {
        self.applied.load_full()
    }

    /// Why the one after it was refused; `None`: none was.
    pub fn last_refused(&self) -> Option<Arc<Refused>> {
        self.refused.load_full()
    }
}
