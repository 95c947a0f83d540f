//! Where a translated request goes, and what may come of it.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::Warning;
use crate::hub::{Content, Request, Source};
use crate::openai_chat::Adapt;

/// An address, or what stands in a `data:` URL; it is put together only as it is written, since it may be large.
#[derive(Clone, Copy, Debug)]
pub enum Address<'a> {
    /// An address.
    Plain(&'a str),
    /// Bytes: their media type and base64.
    Data(&'a str, &'a str),
}

impl<'a> Address<'a> {
    /// Bytes of this media type; bare ones where it is empty.
    pub fn data(kind: &'a str, data: &'a str) -> Address<'a> {
        Address::Data(if kind.is_empty() { "application/octet-stream" } else { kind }, data)
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Plain(url) => f.write_str(url),
            Address::Data(kind, data) => write!(f, "data:{kind};base64,{data}"),
        }
    }
}

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Bytes that were fetched for a target that takes no addresses: by address, media type and base64.
pub type Fetched = HashMap<String, (String, String)>;

/// How a dialect is hosted, where that changes the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavor {
    /// At its maker, or at whoever copies it.
    #[default]
    Direct,
    /// On Vertex AI.
    Vertex,
    /// On Bedrock.
    Bedrock,
    /// On Azure.
    Azure,
    /// Mistral's variety of OpenAI Chat.
    Mistral,
}

/// What a translation needs to know of the endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// What the provider calls the model.
    pub model: &'a str,
    /// The most output tokens of one answer, when known.
    pub max_output_tokens: Option<u64>,
    /// How the dialect is hosted.
    pub flavor: Flavor,
    /// The provider's quirks.
    pub adapt: &'a Adapt,
    /// Whether the model takes a JSON schema natively; `None`: nobody says.
    pub structured_output: Option<bool>,
    /// Whether the model is known to reason; `None`: nobody says.
    pub reasoning: Option<bool>,
    /// Breakpoints of the prompt cache are to be placed where the provider caches only up to one.
    pub auto_cache: bool,
    /// Bytes behind addresses.
    pub fetched: &'a Fetched,
}

impl Target<'_> {
    /// About how large the body of a request will be, so that what is large in it is copied once.
    pub fn room_for(&self, request: &Request<'_>) -> usize {
        let mut bytes = 0;
        request.each_block(&mut |block| {
            bytes += 64;
            match &block.content {
                Content::Text(text) | Content::Refusal(text) | Content::Reasoning { text, .. } => {
                    bytes += text.len()
                }
                Content::ToolCall { arguments, .. } => bytes += arguments.len() + 64,
                Content::Image { source, .. }
                | Content::File { source, .. }
                | Content::Audio { source }
                | Content::Video { source } => match source {
                    Source::Base64 { data, .. } => bytes += data.len(),
                    Source::Text(text) => bytes += text.len(),
                    Source::Url(url) => {
                        bytes += self.fetched.get(url.as_ref()).map_or(url.len(), |(_, data)| data.len());
                    }
                    Source::FileId(id) => bytes += id.len(),
                },
                _ => (),
            }
        });
        let tools = request.tools.iter().filter_map(|tool| tool.parameters);
        let bytes = bytes + tools.map(|schema| schema.raw().len() + 128).sum::<usize>();
        // Quotes and line ends grow by a byte each.
        bytes + bytes / 32 + 2048
    }
}

/// A request as it goes out.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The body.
    pub body: Vec<u8>,
    /// What was dropped, renamed or approximated.
    pub warnings: Vec<Warning>,
    /// Headers that the translation calls for: `anthropic-beta`.
    pub headers: Vec<(&'static str, String)>,
    /// Forced-tool trick: the answer's calls of this tool are its text (see `Format::Schema` on targets without schemas).
    pub json_tool: Option<&'static str>,
    /// Names of tools as they were sent, where they had to change: sent to original.
    pub renamed_tools: Vec<(String, String)>,
}

/// Why a request can't be put into a target's dialect at all. Another endpoint may take it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.pointer))]
pub struct Impossible {
    /// Where in the caller's body: `/messages/2/content/0`.
    pub pointer: String,
    /// What is wrong and what would be right: "is audio, which ...".
    pub problem: String,
}

/// The place in front of its problem; nothing where the problem is the whole request's.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("`{pointer}` ") }
}

impl Impossible {
    /// Names the place and the problem.
    pub fn new(pointer: impl Into<String>, problem: impl Into<String>) -> Impossible {
        Impossible { pointer: pointer.into(), problem: problem.into() }
    }
}
