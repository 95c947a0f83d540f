//! What one generation used, in buckets that never overlap: every unit is in exactly one of them.

use serde::{Deserialize, Serialize};

/// Units used. Token buckets are exclusive: `input` is fresh text input only, `cache_read` is not in it, `output` is
/// visible text only, `reasoning` is not in it. An adapter proves that they add up to what the provider reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Fresh text input, tokens.
    pub input: u64,
    /// Input read from the provider's prompt cache, tokens.
    pub cache_read: u64,
    /// Input written to the prompt cache for five minutes (or the provider's only duration), tokens.
    pub cache_write: u64,
    /// Input written to the prompt cache for one hour, tokens.
    pub cache_write_1h: u64,
    /// Audio input, tokens.
    pub audio_input: u64,
    /// Image input that is priced apart from text, tokens.
    pub image_input: u64,
    /// Visible text output, tokens.
    pub output: u64,
    /// Reasoning output, tokens.
    pub reasoning: u64,
    /// Audio output, tokens.
    pub audio_output: u64,
    /// Image output, tokens.
    pub image_output: u64,
    /// Requests, for endpoints with a price per request; 1 for an ordinary call.
    pub requests: u64,
    /// Web searches that the provider carried out; search units of a rerank.
    pub searches: u64,
    /// Images made.
    pub images: u64,
    /// Audio heard, in begun seconds.
    pub audio_seconds: u64,
    /// Characters spoken.
    pub characters: u64,
}

/// Where the numbers of a [`Usage`] come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    #[default]
    Provider,
    /// The provider reported nothing; counted by a tokenizer, or told by the request itself.
    Estimated,
    /// Nothing was used, for example because every attempt failed.
    None,
}

impl UsageSource {
    /// The rule that the units come from, for people.
    pub const fn rule(self) -> &'static str {
        match self {
            UsageSource::Provider => "as the provider reported",
            UsageSource::Estimated => {
                "the provider reported nothing: text counted by the o200k tokenizer, other units as the request asked for them"
            }
            UsageSource::None => "nothing was used",
        }
    }
}

impl Usage {
    /// All input tokens, cached or not: what prompt-size tiers look at. Saturates.
    pub fn input_total(&self) -> u64 {
        [
            self.input,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.audio_input,
            self.image_input,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// All output tokens, visible or not. Saturates.
    pub fn output_total(&self) -> u64 {
        [self.output, self.reasoning, self.audio_output, self.image_output]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// True when nothing was used.
    pub fn is_empty(&self) -> bool {
        let units = [self.searches, self.images, self.audio_seconds, self.characters];
        self.input_total() == 0 && self.output_total() == 0 && units == [0; 4]
    }
}
