//! Where a translated request goes, and what may come of it.

use std::collections::HashMap;

use crate::Warning;
use crate::openai_chat::Adapt;

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
    /// Bytes behind addresses.
    pub fetched: &'a Fetched,
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
#[error("`{pointer}` {problem}")]
pub struct Impossible {
    /// Where in the caller's body: `/messages/2/content/0`.
    pub pointer: String,
    /// What is wrong and what would be right: "is audio, which ...".
    pub problem: String,
}

impl Impossible {
    /// Names the place and the problem.
    pub fn new(pointer: impl Into<String>, problem: impl Into<String>) -> Impossible {
        Impossible { pointer: pointer.into(), problem: problem.into() }
    }
}
