//! What could not be carried over as it was. Said, never dropped in silence.

use super::{CacheControl, Request};
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

    /// Fields that change little and that this target has no place for: those of `names` that the caller has set.
    pub fn no_place(&mut self, request: &Request<'_>, names: &[&str]) {
        for name in names {
            let set = match *name {
                "user" => request.user.is_some(),
                "verbosity" => request.verbosity.is_some(),
                "metadata" => request.metadata.is_some(),
                "prompt_cache_key" => request.prompt_cache_key.is_some(),
                "parallel_tool_calls" => request.parallel_tool_calls == Some(false),
                "service_tier" => {
                    request.service_tier.as_deref().is_some_and(|tier| tier != "auto" && tier != "default")
                }
                "audio" => request.audio.is_some(),
                "prediction" => request.prediction.is_some(),
                _ => false,
            };
            if set {
                self.dropped(&format!("/{name}"), "the provider's dialect has no place for it");
            }
        }
    }

    /// The target caches prompts by itself, if at all: breakpoints have no effect there. Said once.
    pub fn no_breakpoints(&mut self, request: &Request<'_>) {
        let mut first: Option<String> = request.cache.map(|_| "/cache_control".to_owned());
        let mut see = |cache: Option<CacheControl>, pointer: &str| {
            if cache.is_some() && first.is_none() {
                first = Some(pointer.to_owned());
            }
        };
        request.tools.iter().for_each(|tool| see(tool.cache, &tool.pointer));
        request.each_block(&mut |block| see(block.cache, &block.pointer));
        if let Some(pointer) = first {
            self.approximated(
                &pointer,
                "the provider caches prompts by itself, if at all, without breakpoints",
            );
        }
    }

    fn add(&mut self, code: &'static str, pointer: &str, message: String) {
        if !self.warnings.iter().any(|w| w.pointer == pointer && w.code == code) {
            self.warnings.push(Warning { code, pointer: pointer.to_owned(), message });
        }
    }
}
