//! How much was found: kinds and actions, never the text.

use std::borrow::Cow;

use crate::compiled::{Compiled, Finding, Place};
use crate::kind::Action;

/// What was found of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// `input` or `output`.
    pub direction: &'static str,
    /// The kind's name, or `pattern:<name>` of a pattern of one's own.
    pub kind: Cow<'static, str>,
    /// What became of it.
    pub action: Action,
    /// How often.
    pub count: u32,
}

/// All that was found in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: Vec<Count>,
}

impl Tally {
    /// Counts a finding.
    pub fn add(&mut self, rules: &Compiled, place: Place, finding: &Finding) {
        let (direction, kind, action) = (place.direction(), rules.name(finding.what), finding.action);
        let same =
            |count: &&mut Count| count.direction == direction && count.kind == kind && count.action == action;
        match self.counts.iter_mut().find(same) {
            Some(count) => count.count = count.count.saturating_add(1),
            None => self.counts.push(Count { direction, kind, action, count: 1 }),
        }
    }

    /// Adds what another found.
    pub fn merge(&mut self, other: &Tally) {
        for more in &other.counts {
            let same = |count: &&mut Count| {
                (count.direction, &count.kind, count.action) == (more.direction, &more.kind, more.action)
            };
            match self.counts.iter_mut().find(same) {
                Some(count) => count.count = count.count.saturating_add(more.count),
                None => self.counts.push(more.clone()),
            }
        }
    }

    /// What was found, in the order in which it first was.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The names of what calls for a refusal, once each.
    pub fn blocked(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for count in self.counts.iter().filter(|count| count.action == Action::Block) {
            if !names.contains(&&*count.kind) {
                names.push(&count.kind);
            }
        }
        names
    }

    /// Whether something was masked.
    pub fn has_masked(&self) -> bool {
        self.counts.iter().any(|count| count.action == Action::Mask)
    }
}
