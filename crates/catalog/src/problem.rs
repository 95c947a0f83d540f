//! What is wrong with a catalog, and where.

use std::fmt;

/// The most problems that one load reports.
pub(crate) const PROBLEMS_MAX: usize = 200;

/// One thing wrong in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path below the catalog's folder, with `/`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Stable name of the rule that was broken: `unknown-key`.
    pub rule: &'static str,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}", self.file, self.line, self.rule, self.message)
    }
}

/// Why a value was refused: the rule and what to write instead. The reader adds the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) rule: &'static str,
    pub(crate) message: String,
}

impl Flaw {
    pub(crate) fn new(rule: &'static str, message: impl Into<String>) -> Flaw {
        Flaw { rule, message: message.into() }
    }
}

/// Sorts by place and keeps the first [`PROBLEMS_MAX`].
pub(crate) fn report(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems.truncate(PROBLEMS_MAX);
    problems
}
