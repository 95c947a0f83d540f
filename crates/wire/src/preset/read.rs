//! A preset as it is written: read, checked, written again.

use super::MARK;
use crate::extensions::is_ours;
use crate::hub::Effort;
use crate::json::Kind;
use crate::node::Node;
use crate::openai_chat::{ChatRequest, RequestError};
use crate::writer::Writer;

/// Longest time for which answers are kept, seconds.
const CACHE_TTL_SECONDS_MAX: u64 = 86_400;
/// Longest name and description.
const TEXT_CHARS_MAX: usize = 1_000;

/// Fields of `config` that belong to the request, or are written otherwise, and what to do.
const REFUSED: [(&[&str], &str); 8] = [
    (&["messages", "input", "prompt", "contents"], "belongs to each request; leave it out"),
    (&["stream", "stream_options"], "is for each request to say; leave it out"),
    (
        &["system", "instructions", "systemInstruction", "system_prompt"],
        "has its place beside `config`: write the text as `system_prompt` there",
    ),
    (&["preset"], "can't stand in a preset; write out what it would bring"),
    (&["max_output_tokens", "maxOutputTokens"], "is called `max_tokens` here"),
    (&["stop_sequences", "stopSequences"], "is called `stop` here"),
    (&["thinking", "thinkingConfig"], "is called `reasoning` here, such as {\"effort\":\"low\"}"),
    (
        &["generationConfig"],
        "is not known here; write its settings as OpenAI Chat does, such as `temperature`",
    ),
];

/// Fields of a chat request beside the numbers, and those for the gateway.
const KNOWN: [&str; 35] = [
    "model",
    "user",
    "reasoning_effort",
    "service_tier",
    "reasoning",
    "response_format",
    "metadata",
    "logit_bias",
    "tools",
    "modalities",
    "logprobs",
    "parallel_tool_calls",
    "store",
    "stop",
    "tool_choice",
    "functions",
    "function_call",
    "verbosity",
    "safety_identifier",
    "cache_control",
    "prompt_cache_key",
    "prediction",
    "audio",
    "web_search_options",
    "image_config",
    "cache_enabled",
    "cache_ttl_seconds",
    "max_tool_calls",
    "temperature",
    "top_p",
    "n",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "top_logprobs",
];
const KNOWN_SAMPLING: [&str; 6] =
    ["top_k", "min_p", "top_a", "frequency_penalty", "presence_penalty", "repetition_penalty"];

/// Whether a preset is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It is.
    #[default]
    Active,
    /// Not for the time being: requests that name it are refused.
    Disabled,
    /// Not any more: requests that name it are refused.
    Archived,
}

impl Status {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Archived => "archived",
        }
    }

    fn read(name: &str) -> Option<Status> {
        [Status::Active, Status::Disabled, Status::Archived].into_iter().find(|status| status.name() == name)
    }
}

/// What a preset says of keeping answers; a request's own wish does not go before an explicit `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheWish {
    /// `cache_enabled`.
    pub enabled: Option<bool>,
    /// `cache_ttl_seconds`: 1 to 86,400.
    pub ttl_seconds: Option<u64>,
}

/// Why a preset can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.path))]
pub struct PresetError {
    /// Where: `config.temperature`; empty for the whole.
    pub path: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// The place before its problem.
fn place(path: &str) -> String {
    if path.is_empty() { "the preset ".to_owned() } else { format!("`{path}` ") }
}

fn wrong(path: impl Into<String>, problem: impl Into<String>) -> PresetError {
    PresetError { path: path.into(), problem: problem.into() }
}

/// A preset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preset {
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether it is in use.
    pub status: Status,
    /// Stands before the conversation of a request that brings no system text.
    pub system_prompt: Option<String>,
    /// Fields of a chat request with their JSON, in order.
    pub(super) config: Vec<(String, String)>,
    cache: CacheWish,
}

impl Preset {
    /// A preset of these fields; what they say is checked by [`Preset::read`] of [`Preset::write`].
    pub fn new(config: Vec<(String, String)>, system_prompt: Option<String>) -> Preset {
        Preset { config, system_prompt, ..Preset::default() }
    }

    /// Reads a preset.
    ///
    /// # Errors
    /// The place of the first thing that is wrong, and what would be right.
    pub fn read(text: &str) -> Result<Preset, PresetError> {
        let node = Node::parse(text.as_bytes()).map_err(|error| {
            wrong("", format!("is no JSON object: {error}; send one such as {{\"config\":{{}}}}"))
        })?;
        no_repeats(node, "")?;
        let mut preset = Preset::default();
        for (key, value) in node.members() {
            match &*key {
                "name" => preset.name = Some(short(&key, value)?),
                "description" => preset.description = Some(short(&key, value)?),
                "status" => {
                    let status = value.string().and_then(|name| Status::read(&name));
                    preset.status =
                        status.ok_or_else(|| wrong("status", "must be active, disabled or archived"))?;
                }
                "system_prompt" => {
                    let text = value.string().ok_or_else(|| wrong("system_prompt", "must be a text"))?;
                    preset.system_prompt = Some(text.into_owned()).filter(|text| !text.is_empty());
                }
                "config" => preset.config = read_config(value)?,
                other => return Err(unknown_field(other)),
            }
        }
        preset.cache = CacheWish {
            enabled: preset.get("cache_enabled").map(|raw| raw == "true"),
            ttl_seconds: preset.get("cache_ttl_seconds").and_then(|raw| raw.parse().ok()),
        };
        Ok(preset)
    }

    /// The preset as text that [`Preset::read`] reads.
    pub fn write(&self) -> String {
        let mut w = Writer::default();
        w.begin_object();
        w.field_some("name", self.name.as_deref()).field_some("description", self.description.as_deref());
        if self.status != Status::Active {
            w.field("status", self.status.name());
        }
        w.field_some("system_prompt", self.system_prompt.as_deref());
        w.field_raw("config", self.config_json().as_bytes()).end_object();
        String::from_utf8_lossy(&w.finish()).into_owned()
    }

    /// `config` as JSON.
    pub fn config_json(&self) -> String {
        let mut w = Writer::default();
        w.begin_object();
        for (key, raw) in &self.config {
            w.field_raw(key, raw.as_bytes());
        }
        w.end_object();
        String::from_utf8_lossy(&w.finish()).into_owned()
    }

    /// What requests are filled up with: `config` without what is for the gateway's own cache.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = |key: &str| matches!(key, "cache_enabled" | "cache_ttl_seconds");
        self.config.iter().map(|(key, raw)| (key.as_str(), raw.as_str())).filter(move |(key, _)| !own(key))
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.config.iter().find(|(known, _)| known == key).map(|(_, raw)| raw.as_str())
    }

    /// The model, where it names one.
    pub fn model(&self) -> Option<String> {
        serde_json::from_str(self.get("model")?).ok()
    }

    /// Every model that it names, with its place.
    pub fn models(&self) -> Vec<(String, String)> {
        let first = self.model().map(|model| ("config.model".to_owned(), model));
        let others: Vec<String> =
            self.get("models").and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
        let others =
            others.into_iter().enumerate().map(|(at, model)| (format!("config.models[{at}]"), model));
        first.into_iter().chain(others).collect()
    }

    /// What it says of keeping answers.
    pub fn cache(&self) -> CacheWish {
        self.cache
    }

    /// Fields of `config` that no table knows: providers of the OpenAI dialect get them as they are.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let known = |key: &str| KNOWN.contains(&key) || KNOWN_SAMPLING.contains(&key) || is_ours(key);
        self.config.iter().map(|(key, _)| key.as_str()).filter(move |key| !known(key))
    }
}

fn unknown_field(name: &str) -> PresetError {
    let shown: String = name.chars().take(64).collect();
    let hint = match KNOWN.contains(&name) || KNOWN_SAMPLING.contains(&name) || is_ours(name) {
        true => "; it belongs into `config`",
        false => "",
    };
    wrong(
        shown,
        format!("is not known here{hint}; known are name, description, status, system_prompt and config"),
    )
}

/// Readers disagree which of two counts.
fn no_repeats(node: Node<'_>, path: &str) -> Result<(), PresetError> {
    let keys: Vec<_> = node.members().into_iter().map(|(key, _)| key).collect();
    match keys.iter().enumerate().find(|(at, key)| keys.iter().take(*at).any(|before| before == *key)) {
        Some((_, key)) => Err(wrong(format!("{path}{key}"), "appears twice; write it once")),
        None => Ok(()),
    }
}

fn short(key: &str, value: Node<'_>) -> Result<String, PresetError> {
    let text = value.string().filter(|text| text.chars().count() <= TEXT_CHARS_MAX);
    text.map(std::borrow::Cow::into_owned)
        .ok_or_else(|| wrong(key, format!("must be a text of at most {TEXT_CHARS_MAX} characters")))
}

fn read_config(value: Node<'_>) -> Result<Vec<(String, String)>, PresetError> {
    if value.kind() != Kind::Object {
        return Err(wrong("config", format!("must be an object, not {}", value.kind().noun())));
    }
    no_repeats(value, "config.")?;
    let mut config = Vec::new();
    for (key, value) in value.members() {
        let path = || format!("config.{}", key.chars().take(64).collect::<String>());
        if let Some((_, problem)) = REFUSED.iter().find(|(names, _)| names.contains(&&*key)) {
            return Err(wrong(path(), *problem));
        }
        check(&key, value).map_err(|problem| wrong(path(), problem))?;
        config.push((key.into_owned(), String::from_utf8_lossy(value.raw()).into_owned()));
    }
    check_as_request(&config)?;
    Ok(config)
}

/// What the scan of a request leaves to providers, and is better known when it is written than when it is used.
fn check(key: &str, value: Node<'_>) -> Result<(), &'static str> {
    let text = |name: &str| value.get_string(name).is_some_and(|text| !text.is_empty());
    let good = match key {
        "cache_enabled" => value.bool().is_some(),
        "cache_ttl_seconds" => value.u64().is_some_and(|ttl| (1..=CACHE_TTL_SECONDS_MAX).contains(&ttl)),
        "stop" => {
            value.kind() == Kind::String
                || value.elements().iter().all(|stop| stop.kind() == Kind::String)
                    && value.kind() == Kind::Array
        }
        "reasoning_effort" => value.string().is_some_and(|effort| Effort::read(&effort).is_some()),
        "tool_choice" => value.kind() == Kind::String || text("type"),
        "response_format" => text("type"),
        "tools" => {
            let good = |tool: &Node<'_>| {
                let kind = tool.get_string("type").unwrap_or_default();
                let named = |node: Node<'_>| node.get_string("name").is_some_and(|name| !name.is_empty());
                match &*kind {
                    "" => false,
                    "function" => tool.get("function").is_some_and(named),
                    _ => true,
                }
            };
            value.elements().iter().all(good)
        }
        _ => true,
    };
    if good {
        return Ok(());
    }
    Err(match key {
        "cache_enabled" => "must be true or false",
        "cache_ttl_seconds" => "must be a whole number of seconds from 1 to 86400",
        "stop" => "must be a text or a list of texts",
        "reasoning_effort" => "must be none, minimal, low, medium, high, xhigh or max",
        "tool_choice" => "must be auto, none, required, or an object with `type`",
        "response_format" => "must be an object with `type`, such as {\"type\":\"json_object\"}",
        _ => {
            "must be tools as OpenAI Chat has them, such as {\"type\":\"function\",\"function\":{\"name\":\"f\"}}"
        }
    })
}

/// The rest is checked by the same code that reads requests.
fn check_as_request(config: &[(String, String)]) -> Result<(), PresetError> {
    let mut w = Writer::default();
    w.begin_object().field_raw("messages", br#"[{"role":"user","content":"x"}]"#);
    for (key, raw) in config {
        w.field_raw(key, raw.as_bytes());
    }
    w.end_object();
    let body = w.finish();
    let scanned = ChatRequest::scan(&body).map_err(|error| match error {
        RequestError::Field { field, problem } => wrong(format!("config.{field}"), problem),
        RequestError::Json(error) => wrong("config", error.to_string()),
    })?;
    let asked = &scanned.asked;
    if let Some(key) = asked.provider.unknown.first() {
        return Err(wrong(format!("config.provider.{key}"), "is not known; leave it out"));
    }
    let names = asked.model.iter().map(|model| ("config.model", &**model));
    let others = asked.models.iter().map(|model| ("config.models", model.as_str()));
    match names.chain(others).find(|(_, model)| model.contains(MARK)) {
        Some((path, _)) => {
            Err(wrong(path, "names a preset, and a preset can't stand on another; name a model"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_read_and_written_again() {
        let text = r#"{"name":"Support","status":"disabled","system_prompt":"Be \"brief\".","config":{"model":"a/b","models":["c/d","e/f"],"temperature":0.10,"cache_enabled":false,"cache_ttl_seconds":60,"tempo":1,"tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}]}}"#;
        let preset = Preset::read(text).unwrap();
        assert_eq!((preset.name.as_deref(), preset.status), (Some("Support"), Status::Disabled));
        assert_eq!(preset.system_prompt.as_deref(), Some("Be \"brief\"."));
        assert_eq!(preset.cache(), CacheWish { enabled: Some(false), ttl_seconds: Some(60) });
        assert_eq!(preset.write(), text, "0.10 too: prices are read as they are written");
        let models: Vec<_> =
            preset.models().into_iter().map(|(path, model)| format!("{path}={model}")).collect();
        assert_eq!(models, ["config.model=a/b", "config.models[0]=c/d", "config.models[1]=e/f"]);
        assert_eq!(preset.unknown().collect::<Vec<_>>(), ["tempo"]);
        assert!(preset.parameters().all(|(key, _)| !key.starts_with("cache_")));
        assert_eq!(Preset::read("{}").unwrap(), Preset::default());
        assert_eq!(
            Preset::read(r#"{"system_prompt":"","config":{"seed":null}}"#).unwrap(),
            Preset::default()
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let rows = [
            ("[]", "the preset is no JSON object"),
            (
                r#"{"temperature":1}"#,
                "`temperature` is not known here; it belongs into `config`; known are name",
            ),
            (r#"{"titel":"x"}"#, "`titel` is not known here; known are name"),
            (r#"{"name":1}"#, "`name` must be a text"),
            (r#"{"status":"on"}"#, "`status` must be active, disabled or archived"),
            (r#"{"config":[]}"#, "`config` must be an object, not an array"),
            (r#"{"config":{},"config":{"seed":1}}"#, "`config` appears twice"),
            (r#"{"config":{"top_k":1,"top_k":2}}"#, "`config.top_k` appears twice"),
            (r#"{"config":{"messages":[]}}"#, "`config.messages` belongs to each request"),
            (r#"{"config":{"stream":true}}"#, "`config.stream` is for each request to say"),
            (r#"{"config":{"instructions":"x"}}"#, "`config.instructions` has its place beside `config`"),
            (r#"{"config":{"temperature":"hot"}}"#, "`config.temperature` must be a number, not a string"),
            (r#"{"config":{"max_tokens":0}}"#, "`config.max_tokens` must be a whole number of at least 1"),
            (r#"{"config":{"reasoning_effort":"huge"}}"#, "`config.reasoning_effort` must be none, minimal"),
            (r#"{"config":{"stop":[1]}}"#, "`config.stop` must be a text or a list of texts"),
            (r#"{"config":{"tools":[{"type":"function"}]}}"#, "`config.tools` must be tools as OpenAI Chat"),
            (
                r#"{"config":{"cache_ttl_seconds":0}}"#,
                "`config.cache_ttl_seconds` must be a whole number of seconds",
            ),
            (r#"{"config":{"provider":{"zdr":1}}}"#, "`config.provider` is not understood"),
            (r#"{"config":{"provider":{"region":"eu","zrd":true}}}"#, "`config.provider.zrd` is not known"),
            (r#"{"config":{"model":"@preset/b"}}"#, "`config.model` names a preset"),
            (r#"{"config":{"models":["a/b","a/b@preset/c"]}}"#, "`config.models` names a preset"),
        ];
        for (text, expect) in rows {
            let error = Preset::read(text).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{text}: {error}");
        }
    }
}
