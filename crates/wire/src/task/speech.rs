//! Speech from a text, in OpenAI's shape: JSON in, sound out.

use types::Usage;

use super::{TaskCall, field};
use crate::asked::Expected;
use crate::hub::{AnswerError, Ident, Plain, RequestError, Seen, Settlement};
use crate::node::Node;
use crate::provider_error;

/// What a request will use. Sound is counted by its text: some 15 characters a second, and 21 tokens of sound.
pub(super) fn expect(node: Node<'_>) -> Result<Expected, RequestError> {
    let input = node.get_string("input").filter(|input| !input.is_empty());
    let input = input.ok_or_else(|| field("input", "is missing; send the text to speak"))?;
    let (characters, bytes) = (input.chars().count() as u64, input.len() as u64);
    let usage =
        |input, audio_output| Usage { input, audio_output, characters, requests: 1, ..Usage::default() };
    Ok(Expected {
        likely: usage(bytes / 4 + 1, characters * 14 / 10 + 1),
        most: usage(bytes / 2 + 16, characters * 3 + 50),
    })
}

/// A provider's sound.
#[derive(Debug)]
pub(super) struct Sound {
    seen: Seen,
    content_type: &'static str,
}

/// Takes a provider's answer as it is, unless it is an error inside a 200.
pub(super) fn read(call: &TaskCall<'_>, body: &[u8]) -> Result<Sound, AnswerError> {
    if body.is_empty() {
        return Err(AnswerError::Empty);
    }
    if body.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let content_type = match call.node().get_string("response_format").as_deref() {
        Some("opus") => "audio/ogg",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    // Nothing in the sound says what it cost: characters are counted, tokens are left to the estimate.
    let characters = call.node().get_string("input").map_or(0, |input| input.chars().count() as u64);
    let seen = Seen {
        usage: Some(Usage { characters, requests: 1, ..Usage::default() }),
        finish_reason: Some("stop".to_owned()),
        chunks: 1,
        done: true,
        ..Seen::default()
    };
    Ok(Sound { seen, content_type })
}

impl Plain for Sound {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], _: &Ident, _: &Settlement) -> Vec<u8> {
        body.to_vec()
    }

    fn content_type(&self) -> &str {
        self.content_type
    }
}
