//! Whether the calls of tools that a model makes are any good: their arguments must be JSON. Endpoints that make many bad ones come
//! later in the order of requests with tools.

use serde::de::IgnoredAny;

/// Most bytes of arguments that are held; calls beyond are not judged.
const BYTES_MAX: usize = 256 * 1024;

/// The calls of one answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// By their index: the arguments so far.
    open: Vec<(u64, String)>,
    bytes: usize,
    /// There was more than is held.
    unjudged: bool,
}

impl Calls {
    /// A call begins.
    pub fn begin(&mut self, index: u64) {
        if !self.open.iter().any(|(known, _)| *known == index) {
            self.open.push((index, String::new()));
        }
    }

    /// A piece of a call's arguments.
    pub fn piece(&mut self, index: u64, text: &str) {
        self.bytes += text.len();
        if self.bytes > BYTES_MAX {
            self.unjudged = true;
            return self.open.clear();
        }
        self.begin(index);
        if let Some((_, held)) = self.open.iter_mut().find(|(known, _)| *known == index) {
            held.push_str(text);
        }
    }

    /// Whether there are any.
    pub fn are_any(&self) -> bool {
        self.unjudged || !self.open.is_empty()
    }

    /// Whether all calls are good; `None`: there are none, or too much to judge.
    pub fn are_good(&self) -> Option<bool> {
        // Who has nothing to say to a tool may say nothing.
        let good = |text: &str| text.trim().is_empty() || serde_json::from_str::<IgnoredAny>(text).is_ok();
        (!self.unjudged && !self.open.is_empty()).then(|| self.open.iter().all(|(_, text)| good(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_judged_when_they_are_whole() {
        let mut calls = Calls::default();
        assert_eq!(calls.are_good(), None);
        calls.begin(0);
        assert_eq!(calls.are_good(), Some(true));
        calls.piece(0, "{\"a\":");
        assert_eq!(calls.are_good(), Some(false));
        calls.piece(1, "{}");
        calls.piece(0, "1}");
        assert_eq!(calls.are_good(), Some(true));
        calls.piece(2, &"x".repeat(BYTES_MAX));
        assert_eq!(calls.are_good(), None);
    }
}
