//! An answer in JSON that is kept as it came but for our id, model, provider and cost.

use std::ops::Range;

use types::Usage;

use crate::hub::{AnswerError, Ident, Plain, Seen, Settlement};
use crate::json::{self, Member};
use crate::node::Node;
use crate::openai_chat::response;
use crate::provider_error;
use crate::splice::Splice;

/// A scanned answer.
#[derive(Debug)]
pub(super) struct Kept {
    /// Where the answer was written anew; else the provider's bytes are ours.
    own: Option<Vec<u8>>,
    span: Range<usize>,
    members: Vec<Member>,
    seen: Seen,
}

/// A provider's answer that must be an object without an error in it.
pub(super) fn check(body: &[u8]) -> Result<Node<'_>, AnswerError> {
    let node = Node::parse(body)?;
    if node.get("error").is_some() {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    Ok(node)
}

impl Kept {
    /// Keeps the provider's bytes.
    pub(super) fn theirs(body: &[u8], seen: Seen) -> Result<Kept, AnswerError> {
        let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
        let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
        Ok(Kept { own: None, span: start..end, members: json::object(body)?, seen })
    }

    /// Takes an answer that was written anew.
    pub(super) fn written(body: Vec<u8>, seen: Seen) -> Result<Kept, AnswerError> {
        let mut kept = Kept::theirs(&body, seen)?;
        kept.own = Some(body);
        Ok(kept)
    }
}

impl Plain for Kept {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    fn render(&self, body: &[u8], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
        let body = self.own.as_deref().unwrap_or(body);
        let mut splice = Splice::new();
        response::name(&mut splice, body, &self.members, ident);
        response::tell(&mut splice, body, &self.members, settlement);
        let mut out = Vec::with_capacity(body.len() + 400);
        splice.apply(body, self.span.clone(), &self.members, &mut out);
        out
    }
}

/// What a whole answer says.
pub(super) fn seen(node: Node<'_>, usage: Option<Usage>) -> Seen {
    Seen {
        usage,
        finish_reason: Some("stop".to_owned()),
        upstream_id: node.get_string("id").map(|id| id.chars().take(200).collect()),
        chunks: 1,
        done: true,
        ..Seen::default()
    }
}

/// Tokens that an answer says went in, in any of the shapes seen.
pub(super) fn input_tokens(node: Node<'_>) -> Option<u64> {
    let at = |path: &[&str]| path.iter().try_fold(node, |node, key| node.get(key)).and_then(Node::u64);
    [
        &["usage", "prompt_tokens"][..],
        &["usage", "input_tokens"],
        &["usage", "total_tokens"],
        &["meta", "billed_units", "input_tokens"],
        &["meta", "tokens", "input_tokens"],
        &["usageMetadata", "promptTokenCount"],
        &["usageMetadata", "totalTokenCount"],
        &["prompt_eval_count"],
    ]
    .into_iter()
    .find_map(at)
}
