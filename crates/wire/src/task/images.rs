//! Images from a text, in OpenAI's shape.

use types::Usage;

use super::answer::{self, Kept};
use super::field;
use crate::asked::Expected;
use crate::hub::{AnswerError, RequestError};
use crate::node::Node;

/// Most images of one call.
const IMAGES_MAX: u64 = 10;

/// What a request will use.
pub(super) fn expect(node: Node<'_>) -> Result<Expected, RequestError> {
    if node.get_string("prompt").is_none_or(|prompt| prompt.trim().is_empty()) {
        return Err(field("prompt", "is missing; say what the image is to show"));
    }
    let images = match node.get("n") {
        None => 1,
        Some(n) => n
            .u64()
            .filter(|n| (1..=IMAGES_MAX).contains(n))
            .ok_or_else(|| field("n", format!("must be a whole number from 1 to {IMAGES_MAX}")))?,
    };
    // What OpenAI's image models make of a square and of the largest size, by quality.
    let (likely, most) = match node.get_string("quality").as_deref() {
        Some("low") => (272, 408),
        Some("medium" | "standard") => (1_056, 1_584),
        _ => (4_160, 6_240),
    };
    let input = node.get("prompt").map_or(0, |prompt| prompt.raw().len() as u64);
    let usage = |input, tokens: u64| Usage {
        input,
        image_output: tokens.saturating_mul(images),
        images,
        requests: 1,
        ..Usage::default()
    };
    Ok(Expected { likely: usage(input / 4 + 1, likely), most: usage(input / 2 + 16, most) })
}

/// Reads a provider's answer.
pub(super) fn read(body: &[u8]) -> Result<Kept, AnswerError> {
    let node = answer::check(body)?;
    let images = node.get("data").map(Node::elements).unwrap_or_default().len() as u64;
    if images == 0 {
        return Err(AnswerError::Empty);
    }
    let counted = Usage { images, requests: 1, ..Usage::default() };
    let usage = node.get("usage").and_then(|told| usage(told, images)).unwrap_or(counted);
    Kept::theirs(body, answer::seen(node, Some(usage)))
}

/// `{input_tokens, input_tokens_details: {text_tokens, image_tokens}, output_tokens}`.
pub(super) fn usage(told: Node<'_>, images: u64) -> Option<Usage> {
    let count = |key: &str| told.get(key).and_then(Node::u64);
    let (input, output) = (count("input_tokens")?, count("output_tokens")?);
    let details = told.get("input_tokens_details");
    let image_input = details.and_then(|d| d.get("image_tokens")?.u64()).unwrap_or(0).min(input);
    let spoken = told.get("output_tokens_details").and_then(|d| d.get("text_tokens")?.u64());
    let text = spoken.unwrap_or(0).min(output);
    Some(Usage {
        input: input - image_input,
        image_input,
        output: text,
        image_output: output - text,
        images,
        requests: 1,
        ..Usage::default()
    })
}
