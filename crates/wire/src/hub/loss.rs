//! What could not be carried over as it was. Said, never dropped in silence.

use crate::Warning;

/// Collects warnings while a request is translated.
#[derive(Debug, Default)]
pub struct Losses {
    /// In the order in which they were met.
    pub warnings: Vec<Warning>,
}

impl Losses {
    /// `pointer` was left out; `why` ends the sentence "`/x` was left out: ...".
    pub fn dropped(&mut self, pointer: &str, why: &str) {
        self.add("parameter_dropped", pointer, format!("`{pointer}` was left out: {why}"));
    }

    /// `pointer` was sent under another name.
    pub fn renamed(&mut self, pointer: &str, to: &str) {
        self.add("parameter_renamed", pointer, format!("`{pointer}` was sent to the provider as `{to}`"));
    }

    /// `pointer` was carried over only roughly; `how` ends the sentence "`/x` was approximated: ...".
    pub fn approximated(&mut self, pointer: &str, how: &str) {
        self.add("approximated", pointer, format!("`{pointer}` was approximated: {how}"));
    }

    fn add(&mut self, code: &'static str, pointer: &str, message: String) {
        if !self.warnings.iter().any(|w| w.pointer == pointer && w.code == code) {
            self.warnings.push(Warning { code, pointer: pointer.to_owned(), message });
        }
    }
}
