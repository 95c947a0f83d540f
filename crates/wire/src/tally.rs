//! Tokens of what a model read or wrote, for when nobody reports them: its client left, or its provider keeps no count.
//!
//! - The tokenizer is o200k, whatever the model: vocabularies of this size agree within a few percent on most text.
//! - What was said is counted whole up to [`SAMPLE_BYTES_MAX`]; beyond, the first part's ratio of tokens to bytes holds for the rest.
//! - A picture or sound counts [`MEDIA_TOKENS`].
//! - Of a request all that the model reads counts: texts, names, and of tools the schema with its keys. Data URLs don't.
//! - The vocabulary takes half a second and 46 MiB, once, when the first count is asked for ([`is_loaded`], [`load`]).

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use tiktoken_rs::CoreBPE;

use crate::asked::Asked;
use crate::json::{self, Kind};
use crate::node::Node;

/// Text that is kept of an answer.
pub const SAMPLE_BYTES_MAX: usize = 16 * 1024;
/// Of a request this much is looked at; beyond, the ratio holds.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// What a picture or a sound counts where nobody says.
pub const MEDIA_TOKENS: u64 = 250;
/// A string this long without a space is data, not text.
const WORD_BYTES_MAX: usize = 2_000;

static TOKENIZER: OnceLock<Option<CoreBPE>> = OnceLock::new();

/// Loads the vocabulary: half a second of work where it wasn't loaded yet.
pub fn load() {
    TOKENIZER.get_or_init(|| tiktoken_rs::o200k_base().ok());
}

/// True when a count begins at once.
pub fn is_loaded() -> bool {
    TOKENIZER.get().is_some()
}

/// Tokens of a text.
pub fn count(text: &str) -> u64 {
    load();
    match TOKENIZER.get().and_then(Option::as_ref) {
        Some(tokenizer) => tokenizer.encode_ordinary(text).len() as u64,
        None => (text.len() as u64).div_ceil(4),
    }
}

/// What a model wrote so far.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tally {
    bytes: u64,
    media: u64,
    sample: String,
    /// Of `bytes`, those that the sample stands for.
    sampled: u64,
}

impl fmt::Debug for Tally {
    /// Says only how much: an answer stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tally({} bytes, {} media)", self.bytes, self.media)
    }
}

impl Tally {
    /// Bytes of all text, escapes and structure of calls included: what a hold goes by.
    pub fn bytes(&self) -> u64 {
        self.bytes + self.media * MEDIA_TOKENS * 4
    }

    /// Plain text.
    pub fn text(&mut self, text: &str) {
        self.add(text.len() as u64, |sample| sample.push_str(text));
    }

    /// A picture or a sound.
    pub fn media(&mut self) {
        self.media += 1;
    }

    /// A JSON value: of a string its text, of anything else what a model writes in it.
    pub fn json(&mut self, value: &[u8]) {
        match Kind::of(value) {
            Kind::String => {
                let bytes = (value.len() as u64).saturating_sub(2);
                self.add(bytes, |sample| {
                    sample.push_str(&json::string(value, &(0..value.len())).unwrap_or_default());
                });
            }
            Kind::Object | Kind::Array => {
                let all = value.len();
                self.add(all as u64, |sample| said(Node::at(value, &(0..all)), sample));
            }
            _ => (),
        }
    }

    fn add(&mut self, bytes: u64, push: impl FnOnce(&mut String)) {
        self.bytes += bytes;
        if self.sample.len() < SAMPLE_BYTES_MAX {
            push(&mut self.sample);
            self.sampled += bytes;
        }
    }

    /// Its tokens. Loads the vocabulary where it wasn't yet.
    pub fn tokens(&self) -> u64 {
        let text = if self.sample.is_empty() { 0 } else { count(&self.sample) };
        scaled(text, self.bytes, self.sampled) + self.media * MEDIA_TOKENS
    }
}

fn scaled(tokens: u64, all: u64, sampled: u64) -> u64 {
    match sampled {
        0 => tokens,
        _ if sampled >= all => tokens,
        _ => u64::try_from((u128::from(tokens) * u128::from(all)).div_ceil(u128::from(sampled)))
            .unwrap_or(u64::MAX),
    }
}

/// The texts in a value under the keys that dialects use for what a model writes.
fn said(node: Node<'_>, out: &mut String) {
    for element in node.elements() {
        said(element, out);
    }
    for (key, value) in node.members() {
        match (&*key, value.kind()) {
            (
                "text" | "content" | "reasoning" | "reasoning_content" | "thinking" | "refusal" | "name"
                | "arguments" | "partial_json" | "transcript" | "code" | "output",
                Kind::String,
            ) => out.push_str(&value.string().unwrap_or_default()),
            ("input" | "args", Kind::Object) => out.push_str(&String::from_utf8_lossy(value.raw())),
            (_, Kind::Object | Kind::Array) => said(value, out),
            _ => (),
        }
    }
}

/// What is kept of a request until it is known whether somebody counts it.
#[derive(Clone, Default)]
pub struct Request {
    part: Bytes,
    all: u64,
    media: u64,
}

impl fmt::Debug for Request {
    /// Says only how much: a prompt stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} bytes)", self.all)
    }
}

impl Request {
    /// Keeps a body: shared where it is small, its beginning where it is not.
    pub fn of(body: &Bytes, asked: &Asked<'_>) -> Request {
        let part = match body.get(..REQUEST_BYTES_MAX) {
            Some(beginning) => Bytes::copy_from_slice(beginning),
            None => body.clone(),
        };
        let media = if asked.needs.image { MEDIA_TOKENS * 4 } else { 0 };
        Request { part, all: body.len().saturating_sub(asked.data_url_bytes) as u64, media }
    }

    /// Tokens of what the model reads. Loads the vocabulary where it wasn't yet.
    pub fn tokens(&self) -> u64 {
        request_tokens(&self.part, self.all) + self.media
    }
}

/// Tokens of what a model reads in a request of any dialect. `part`: its body, or the beginning of it; `all`: bytes of
/// the whole, data URLs apart.
fn request_tokens(part: &[u8], all: u64) -> u64 {
    let mut reading = Reading::default();
    reading.walk(part);
    scaled(count(&reading.text) + reading.frames, all, reading.seen)
}

/// Goes over the strings of a JSON text that may be cut off anywhere.
#[derive(Default)]
struct Reading {
    text: String,
    /// Tokens that frame messages.
    frames: u64,
    /// Bytes gone over, data apart.
    seen: u64,
    depth: u32,
    /// What the top-level member is that it is in.
    within: Within,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    /// Nothing that a model reads.
    #[default]
    Settings,
    /// Conversation: values count.
    Prompt,
    /// Tools and schemas: keys count too.
    Schema,
}

impl Within {
    fn of(key: &[u8]) -> Within {
        match key {
            b"messages"
            | b"prompt"
            | b"input"
            | b"system"
            | b"instructions"
            | b"contents"
            | b"systemInstruction"
            | b"system_instruction" => Within::Prompt,
            b"tools" | b"functions" | b"response_format" => Within::Schema,
            _ => Within::Settings,
        }
    }
}

impl Reading {
    fn walk(&mut self, text: &[u8]) {
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' => {
                    let end = string_end(text, at + 1);
                    self.string(text, at, end);
                    at = end + 1;
                    continue;
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth == 3 && self.within == Within::Prompt && *byte == b'{' {
                        // What a chat template puts around a message.
                        self.frames += 3;
                    }
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => (),
            }
            self.seen += 1;
            at += 1;
        }
    }

    fn string(&mut self, text: &[u8], start: usize, end: usize) {
        let inner = json::slice(text, &(start + 1..end));
        let after = json::slice(text, &(end + 1..text.len()));
        let is_key = after.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':');
        if is_key && self.depth == 1 {
            self.within = Within::of(inner);
        }
        let data = inner.len() > WORD_BYTES_MAX && memchr::memchr(b' ', inner).is_none();
        if data {
            return;
        }
        self.seen += inner.len() as u64 + 2;
        let counts = match self.within {
            Within::Settings => false,
            Within::Prompt => !is_key && !is_marker(inner),
            Within::Schema => true,
        };
        if counts && !(is_key && self.depth == 1) {
            let quoted = json::slice(text, &(start..end + 1));
            match json::string(quoted, &(0..quoted.len())) {
                Some(text) => self.text.push_str(&text),
                // Cut off within the string.
                None => self.text.push_str(&String::from_utf8_lossy(inner)),
            }
            self.text.push('\n');
        }
    }
}

/// Values that say what a part is, not what it says.
fn is_marker(text: &[u8]) -> bool {
    matches!(text, b"text" | b"input_text" | b"output_text" | b"message" | b"ephemeral" | b"function")
}

/// Where the string ends that began before `at`: its closing quote, or the end of the text.
fn string_end(text: &[u8], mut at: usize) -> usize {
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_counts_by_the_vocabulary() {
        // What OpenAI's own tokenizer page says of its o200k family.
        for (text, tokens) in [("", 0), ("hello world", 2), ("tiktoken is great!", 6), ("你好，世界", 3)]
        {
            let mut tally = Tally::default();
            tally.text(text);
            assert_eq!((tally.tokens(), tally.bytes()), (tokens, text.len() as u64), "{text}");
        }
    }

    #[test]
    fn escapes_and_structure_count_as_what_they_say() {
        let mut tally = Tally::default();
        tally.json(br#""caf\u00e9\n""#);
        assert_eq!((tally.tokens(), tally.bytes()), (count("café\n"), 11));
        let mut tally = Tally::default();
        tally.json(br#"[{"index":0,"id":"call_1","type":"function","function":{"name":"find","arguments":"{\"a\":1}"}}]"#);
        assert_eq!(tally.tokens(), count("find{\"a\":1}"));
    }

    #[test]
    fn pieces_count_as_the_whole_they_make() {
        let (mut pieces, mut whole) = (Tally::default(), Tally::default());
        for piece in ["Inter", "nation", "ali", "zation", " matters"] {
            pieces.text(piece);
        }
        whole.text("Internationalization matters");
        assert_eq!(pieces, whole);
    }

    #[test]
    fn beyond_the_sample_the_ratio_holds() {
        let mut tally = Tally::default();
        for _ in 0..20_000 {
            tally.text("the cat ");
        }
        let exact = 40_000;
        assert!(tally.tokens().abs_diff(exact) * 100 < exact, "{}", tally.tokens());
        assert!(tally.sample.len() <= SAMPLE_BYTES_MAX + 8, "the sample is bounded");
    }

    #[test]
    fn a_request_counts_what_the_model_reads() {
        let tokens = |body: &str| request_tokens(body.as_bytes(), 0);
        let plain = tokens(
            r#"{"model":"a/very-long-model-name","stream":true,"messages":[{"role":"user","content":"hello world"}]}"#,
        );
        // Two of text, one of the role, a line end each, and the frame.
        assert_eq!(plain, 3 + count("user\nhello world\n"));
        let parts =
            tokens(r#"{"messages":[{"role":"user","content":[{"type":"text","text":"hello world"}]}]}"#);
        assert_eq!(parts, plain, "parts say the same");
        let tools = tokens(
            r#"{"messages":[{"role":"user","content":"hello world"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"city":{"type":"string"}}}}}]}"#,
        );
        assert!(tools > plain + 8, "schemas are read too: {tools}");
        let picture = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}]}}"#,
            "A".repeat(9_000)
        );
        assert!(tokens(&picture) < 20, "data is no text");
    }

    #[test]
    fn a_request_may_be_cut_off_anywhere() {
        let body =
            r#"{"messages":[{"role":"user","content":"a \"quoted\" caf\u00e9 \\"}],"tools":[{"name":"x"}]}"#;
        for end in 0..=body.len() {
            let _ = request_tokens(&body.as_bytes()[..end], body.len() as u64);
        }
        let words = "word ".repeat(40_000);
        let body = format!(r#"{{"messages":[{{"role":"user","content":"{words}"}}]}}"#);
        let part = &body.as_bytes()[..REQUEST_BYTES_MAX];
        let tokens = request_tokens(part, body.len() as u64);
        assert!(tokens.abs_diff(40_000) < 400, "{tokens}");
    }
}
