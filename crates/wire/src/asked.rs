//! What the gateway acts on in a request, whatever its dialect.

use std::borrow::Cow;

use types::{Task, Usage};

use crate::auto::AutoWishes;
use crate::preferences::ProviderPreferences;
use crate::preset::MARK;

/// Most fields of `trace` that are kept, and most characters of each.
pub const TRACE_FIELDS_MAX: usize = 16;
/// See [`TRACE_FIELDS_MAX`].
pub const TRACE_CHARS_MAX: usize = 128;

/// What a caller asked for, as far as the gateway acts on it.
#[derive(Clone, Debug)]
pub struct Asked<'b> {
    /// `model`, when given.
    pub model: Option<Cow<'b, str>>,
    /// `models`: fallbacks in order.
    pub models: Vec<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// The caller's cap on output tokens.
    pub max_tokens: Option<u64>,
    /// How many answers; 1 when absent.
    pub choices: u32,
    /// `provider`: OpenRouter's routing preferences.
    pub provider: ProviderPreferences,
    /// `session_id`.
    pub session_id: Option<String>,
    /// `prompt_cache_key`.
    pub prompt_cache_key: Option<String>,
    /// `auto_cache`: whether breakpoints of the prompt cache are to be placed.
    pub auto_cache: Option<bool>,
    /// `service_tier`.
    pub service_tier: Option<String>,
    /// Names how the conversation begins: a hash of the instructions and the first message that is none. `None`: no
    /// conversation.
    pub opening: Option<u64>,
    /// The caller's own user.
    pub user: Option<String>,
    /// `trace`: what the caller names its work by.
    pub trace: Vec<(String, String)>,
    /// What is wished of a virtual model.
    pub auto: AutoWishes,
    /// `escalate`: whether a better model is asked where this one's answer is found wanting.
    pub escalate: Option<Escalate>,
    /// `debug.echo_upstream_body`: show what providers are sent.
    pub echo_body: bool,
    /// `preset`: the name of a preset that the request is to be filled up with.
    pub preset: Option<String>,
    /// Fields for the gateway that it doesn't serve: `transforms`, `requesty/tags`.
    pub not_served: Vec<String>,
    /// What an endpoint must be able to do.
    pub needs: Needs,
    /// Bytes of the prompt and the tools: what the input estimate goes by.
    pub prompt_bytes: usize,
    /// Of these, bytes of data URLs, which are images and files rather than text.
    pub data_url_bytes: usize,
    /// What is to be made.
    pub task: Task,
    /// What it will use, where the request itself tells: everywhere but in conversations.
    pub expected: Option<Expected>,
}

/// Whether a better model is asked, once, where an answer is found wanting ([`crate::check`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Escalate {
    /// No, whatever a policy says.
    No,
    /// The next better one of a virtual model's plan, or the one that a policy names.
    Next,
    /// This one.
    To(String),
}

impl Escalate {
    /// Longest name of a model.
    pub const MODEL_CHARS_MAX: usize = 200;

    /// Reads a word: `true`, `false` or a model's name; `None`: it is none of them.
    pub fn read(word: &str) -> Option<Escalate> {
        match word.trim() {
            "" => None,
            word if word.eq_ignore_ascii_case("true") => Some(Escalate::Next),
            word if word.eq_ignore_ascii_case("false") => Some(Escalate::No),
            word if word.chars().count() > Escalate::MODEL_CHARS_MAX => None,
            model => Some(Escalate::To(model.to_owned())),
        }
    }
}

/// What a request will use, read from the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The likely amount: for the order of offers, and for bills where nobody tells.
    pub likely: Usage,
    /// The most, for holds.
    pub most: Usage,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Asked {
            model: None,
            models: Vec::new(),
            stream: false,
            include_usage: false,
            max_tokens: None,
            choices: 1,
            provider: ProviderPreferences::default(),
            session_id: None,
            prompt_cache_key: None,
            auto_cache: None,
            escalate: None,
            not_served: Vec::new(),
            service_tier: None,
            opening: None,
            user: None,
            trace: Vec::new(),
            auto: AutoWishes::default(),
            echo_body: false,
            preset: None,
            needs: Needs::default(),
            prompt_bytes: 0,
            data_url_bytes: 0,
            task: Task::Generate,
            expected: None,
        }
    }
}

/// What the request needs of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Declares tools.
    pub tools: bool,
    /// Has image parts.
    pub image: bool,
    /// Has audio parts.
    pub audio: bool,
    /// Has file parts.
    pub file: bool,
    /// Asks for a JSON schema.
    pub structured_output: bool,
    /// Asks for JSON, with a schema or without.
    pub json: bool,
}

impl Asked<'_> {
    /// Whether the request names a preset, by its model or by itself.
    pub fn names_a_preset(&self) -> bool {
        self.preset.is_some() || self.model.as_ref().is_some_and(|model| model.contains(MARK))
    }

    /// A field that is not served, by its pointer without the first slash.
    pub(crate) fn untold(&mut self, field: &str) {
        self.not_served.push(field.to_owned());
    }

    /// Upper bound on input tokens for a hold: a token is at least one byte of text; each image counts 2,000 tokens.
    pub fn input_tokens_max(&self) -> u64 {
        let text = self.prompt_bytes.saturating_sub(self.data_url_bytes);
        // Escapes and structure weigh more than they tokenize to; a third of the bytes bounds ordinary text from above.
        let images =
            if self.needs.image || self.needs.file { 2_000 + self.data_url_bytes as u64 / 400 } else { 0 };
        (text as u64).div_ceil(3) + 16 + images
    }

    /// A likely count of input tokens, for ordering by price and for usage that nobody reported.
    pub fn input_tokens_estimate(&self) -> u64 {
        let text = self.prompt_bytes.saturating_sub(self.data_url_bytes) as u64;
        (text / 4).max(1) + if self.needs.image { 1_000 } else { 0 }
    }
}
