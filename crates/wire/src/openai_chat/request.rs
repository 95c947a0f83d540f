//! What a chat request asks for: scanned, not parsed into a tree. Only the fields that we act on are looked at; every
//! other byte is the provider's to judge.

use std::borrow::Cow;
use std::ops::Range;

use crate::asked::Asked;
use crate::hub::Dialect;
use crate::json::{self, Kind, Member};
use crate::node::Node;
use crate::{extensions, opening, preferences};

/// Most messages of one request.
pub const MESSAGES_MAX: usize = 100_000;
/// Most fallback models of one request.
pub const MODELS_MAX: usize = 32;

/// A scanned chat request. Spans refer to `body`.
#[derive(Debug)]
pub struct ChatRequest<'b> {
    /// The body as the caller sent it.
    pub body: &'b [u8],
    /// Where the top-level object stands.
    pub span: Range<usize>,
    /// Its members, in order.
    pub members: Vec<Member>,
    /// What the gateway acts on.
    pub asked: Asked<'b>,
    /// The caller doesn't want to see reasoning.
    pub hides_reasoning: bool,
}

/// Why a request is refused before any provider sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or not an object.
    #[error("the body is not a JSON object: {0}")]
    Json(#[from] json::ScanError),
    /// A field has a wrong type or value.
    #[error("`{field}` {problem}")]
    Field {
        /// The field's path.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

const NUMBERS: [&str; 13] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "top_a",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "top_logprobs",
    "n",
    "max_tokens",
    "max_completion_tokens",
];
const STRINGS: [&str; 6] = ["model", "user", "session_id", "reasoning_effort", "service_tier", "preset"];
const OBJECTS: [&str; 7] =
    ["provider", "stream_options", "reasoning", "response_format", "metadata", "logit_bias", "requesty"];
const ARRAYS: [&str; 5] = ["messages", "models", "tools", "plugins", "modalities"];
const BOOLS: [&str; 5] = ["stream", "logprobs", "parallel_tool_calls", "store", "auto_cache"];

impl<'b> ChatRequest<'b> {
    /// Scans a body. Checks the types of the fields that the dialect defines and the values of those that we act on.
    pub fn scan(body: &'b [u8]) -> Result<ChatRequest<'b>, RequestError> {
        let members = json::object(body)?;
        let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
        let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
        let mut request = ChatRequest {
            body,
            span: start..end,
            members: Vec::new(),
            asked: Asked::default(),
            hides_reasoning: false,
        };
        let mut has_messages = false;
        for (at, member) in members.iter().enumerate() {
            let key = json::slice(body, &member.key);
            check_type(key, json::slice(body, &member.value))?;
            let known = request.take(key, member)?;
            has_messages |= key == b"messages";
            let repeated = || members.iter().take(at).any(|m| json::slice(body, &m.key) == key);
            if known && repeated() {
                return Err(field(&String::from_utf8_lossy(key), "appears twice; send it once"));
            }
        }
        if !has_messages {
            return Err(field(
                "messages",
                "is missing; send a list of messages such as [{\"role\":\"user\",\"content\":\"Hello\"}]",
            ));
        }
        request.members = members;
        Ok(request)
    }

    /// Reads one member; false when it is none that we act on.
    fn take(&mut self, key: &[u8], member: &Member) -> Result<bool, RequestError> {
        let body = self.body;
        let value = &member.value;
        if json::slice(body, value) == b"null" {
            return Ok(false);
        }
        match key {
            b"model" => {
                let model = json::string(body, value).unwrap_or_default();
                if model.trim().is_empty() {
                    return Err(field(
                        "model",
                        "is empty; name a model such as `tollway/auto`, or leave it out",
                    ));
                }
                self.asked.model = Some(model);
            }
            b"models" => self.asked.models = models(json::slice(body, value))?,
            b"stream" => self.asked.stream = json::boolean(body, value).unwrap_or(false),
            b"stream_options" => {
                let options = json::members(body, value);
                let include = json::find(body, &options, "include_usage");
                self.asked.include_usage =
                    include.and_then(|m| json::boolean(body, &m.value)).unwrap_or(false);
            }
            b"max_tokens" | b"max_completion_tokens" => {
                let name = if key == b"max_tokens" { "max_tokens" } else { "max_completion_tokens" };
                let tokens = positive(body, value, name)?;
                self.asked.max_tokens = Some(tokens);
                return Ok(true);
            }
            b"n" => {
                let n = positive(body, value, "n")?;
                self.asked.choices = u32::try_from(n)
                    .ok()
                    .filter(|n| *n <= 128)
                    .ok_or_else(|| field("n", "must be at most 128"))?;
            }
            b"messages" => self.messages(value)?,
            b"tools" => {
                self.asked.needs.tools = json::element_count(body, value) > 0;
                self.asked.prompt_bytes += value.len();
            }
            b"response_format" => {
                let format = json::members(body, value);
                let kind = json::find(body, &format, "type").and_then(|m| json::string(body, &m.value));
                self.asked.needs.structured_output = kind.as_deref() == Some("json_schema");
                self.asked.needs.json = matches!(kind.as_deref(), Some("json_schema" | "json_object"));
            }
            b"provider" => self.asked.provider = preferences::read(json::slice(body, value))?,
            b"prompt_cache_key" => self.asked.prompt_cache_key = short(json::string(body, value)),
            b"service_tier" => self.asked.service_tier = short(json::string(body, value)),
            b"session_id" => {
                let id = json::string(body, value).map(Cow::into_owned).unwrap_or_default();
                if id.len() > 256 {
                    return Err(field("session_id", "is longer than 256 bytes"));
                }
                self.asked.session_id = Some(id);
            }
            b"user" => self.asked.user = short(json::string(body, value)),
            key => return self.extension(key, value),
        }
        Ok(true)
    }

    /// Reads a member that is for the gateway or about reasoning; false when it is neither.
    fn extension(&mut self, key: &[u8], value: &Range<usize>) -> Result<bool, RequestError> {
        let body = self.body;
        let Ok(key) = std::str::from_utf8(key) else { return Ok(false) };
        let node = Node::at(body, value);
        match key {
            "reasoning" => self.hides_reasoning |= node.get("exclude").and_then(Node::bool) == Some(true),
            "include_reasoning" => self.hides_reasoning |= node.bool() == Some(false),
            _ => (),
        }
        extensions::read(Some(Dialect::Chat), key, node, &mut self.asked)?;
        Ok(extensions::is_ours(key))
    }

    fn messages(&mut self, span: &Range<usize>) -> Result<(), RequestError> {
        let text = json::slice(self.body, span);
        let body = self.body;
        let (mut count, mut odd) = (0, None);
        let mut first = Vec::with_capacity(opening::MESSAGES_MAX);
        json::each_element(body, span, &mut |element| {
            if odd.is_none() && Kind::of(json::slice(body, &element)) != Kind::Object {
                odd = Some(count);
            }
            count += 1;
            if first.len() < opening::MESSAGES_MAX {
                first.push(element);
            }
        });
        if count == 0 {
            return Err(field("messages", "is empty; send at least one message"));
        }
        if count > MESSAGES_MAX {
            return Err(field(
                "messages",
                &format!("has {count} entries; at most {MESSAGES_MAX} are allowed"),
            ));
        }
        if let Some(at) = odd {
            return Err(field(&format!("messages[{at}]"), "must be an object with `role` and `content`"));
        }
        let has = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
        self.asked.prompt_bytes += text.len();
        self.asked.opening = Some(opening::of(body, &first));
        // Every part has a type: most requests have no parts, and one search says so.
        if has(b"\"type\"") {
            self.asked.needs.image = has(b"\"image_url\"");
            self.asked.needs.audio = has(b"\"input_audio\"");
            self.asked.needs.file = has(b"\"file_data\"") || has(b"\"file_id\"");
            self.asked.data_url_bytes = data_url_bytes(text);
        }
        Ok(())
    }

    /// The member with this key.
    pub fn member(&self, key: &str) -> Option<&Member> {
        json::find(self.body, &self.members, key)
    }
}

fn data_url_bytes(text: &[u8]) -> usize {
    memchr::memmem::find_iter(text, b";base64,")
        .map(|at| {
            let rest = text.get(at..).unwrap_or_default();
            memchr::memchr(b'"', rest).unwrap_or(rest.len())
        })
        .sum()
}

fn short(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(|text| text.chars().take(256).collect())
}

/// A field with a problem.
pub(crate) fn field(name: &str, problem: &str) -> RequestError {
    RequestError::Field { field: name.chars().take(64).collect(), problem: problem.to_owned() }
}

fn check_type(key: &[u8], value: &[u8]) -> Result<(), RequestError> {
    let kind = Kind::of(value);
    if kind == Kind::Null {
        return Ok(());
    }
    let Ok(key) = std::str::from_utf8(key) else { return Ok(()) };
    let expected = if NUMBERS.contains(&key) {
        Kind::Number
    } else if STRINGS.contains(&key) {
        Kind::String
    } else if OBJECTS.contains(&key) {
        Kind::Object
    } else if ARRAYS.contains(&key) {
        Kind::Array
    } else if BOOLS.contains(&key) {
        Kind::Bool
    } else {
        return Ok(());
    };
    if kind == expected {
        return Ok(());
    }
    Err(field(key, &format!("must be {}, not {}", expected.noun(), kind.noun())))
}

fn positive(body: &[u8], value: &Range<usize>, name: &str) -> Result<u64, RequestError> {
    json::integer(body, value)
        .and_then(|n| u64::try_from(n).ok())
        .filter(|n| *n >= 1)
        .ok_or_else(|| field(name, "must be a whole number of at least 1"))
}

/// Reads `models`.
pub(crate) fn models(value: &[u8]) -> Result<Vec<String>, RequestError> {
    let models: Vec<String> =
        serde_json::from_slice(value).map_err(|_| field("models", "must be a list of model names"))?;
    if models.len() > MODELS_MAX {
        return Err(field(
            "models",
            &format!("has {} entries; at most {MODELS_MAX} are allowed", models.len()),
        ));
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_acts_on() {
        let body = br#"{"model":"a/b","models":["c/d"],"stream":true,"stream_options":{"include_usage":true},
            "max_completion_tokens":50,"n":2,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],
            "tools":[{}],"provider":{"order":["x"],"allow_fallbacks":false,"zdr":true},"user":"u","custom":{"kept":1}}"#;
        let r = ChatRequest::scan(body).unwrap();
        assert_eq!(
            (r.asked.model.as_deref(), r.asked.models.len(), r.asked.stream, r.asked.include_usage),
            (Some("a/b"), 1, true, true)
        );
        assert_eq!((r.asked.max_tokens, r.asked.choices), (Some(50), 2));
        assert!(r.asked.needs.image && r.asked.needs.tools && !r.asked.needs.audio);
        assert_eq!(r.asked.provider.order.as_deref(), Some(["x".to_owned()].as_slice()));
        assert_eq!((r.asked.provider.zdr, r.asked.opening.is_some()), (Some(true), true));
        assert!(r.asked.data_url_bytes > 0 && r.member("custom").is_some());
    }

    #[test]
    fn bad_input_names_the_field_and_the_remedy() {
        let rows = [
            (r#"{"model":1,"messages":[{}]}"#, "`model` must be a string, not a number"),
            (
                r#"{"model":"x"}"#,
                "`messages` is missing; send a list of messages such as [{\"role\":\"user\",\"content\":\"Hello\"}]",
            ),
            (r#"{"messages":[]}"#, "`messages` is empty; send at least one message"),
            (r#"{"messages":["hi"]}"#, "`messages[0]` must be an object with `role` and `content`"),
            (r#"{"messages":[{}],"max_tokens":-5}"#, "`max_tokens` must be a whole number of at least 1"),
            (r#"{"messages":[{}],"max_tokens":1.5}"#, "`max_tokens` must be a whole number of at least 1"),
            (r#"{"messages":[{}],"max_tokens":"9"}"#, "`max_tokens` must be a number, not a string"),
            (r#"{"messages":[{}],"stream":"yes"}"#, "`stream` must be true or false, not a string"),
            (r#"{"messages":[{}],"n":0}"#, "`n` must be a whole number of at least 1"),
            (r#"{"messages":[{}],"model":"a","model":"b"}"#, "`model` appears twice; send it once"),
            (
                r#"{"messages":[{}],"provider":{"order":"x"}}"#,
                "`provider` is not understood: invalid type: string \"x\", expected a sequence at line 1 column 12",
            ),
            (r#"{"messages":[{}]"#, "the body is not a JSON object: the text ends too early at byte 16"),
        ];
        for (body, expect) in rows {
            assert_eq!(ChatRequest::scan(body.as_bytes()).unwrap_err().to_string(), expect, "{body}");
        }
    }

    #[test]
    fn null_is_as_good_as_absent_and_a_hundred_thousand_messages_pass() {
        let r = ChatRequest::scan(br#"{"model":null,"max_tokens":null,"messages":[{}]}"#).unwrap();
        assert_eq!((r.asked.model, r.asked.max_tokens), (None, None));
        let many = format!("{{\"messages\":[{}{{}}]}}", "{},".repeat(99_999));
        assert!(ChatRequest::scan(many.as_bytes()).is_ok());
        let more = format!("{{\"messages\":[{}{{}}]}}", "{},".repeat(100_000));
        assert!(ChatRequest::scan(more.as_bytes()).is_err());
    }
}
