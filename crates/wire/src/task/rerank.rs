//! Rerank: Cohere's shape in, as OpenRouter, Jina and vLLM have it too; out the same, or Cohere's own v2.

use types::Usage;

use super::answer::{self, Kept};
use super::{TaskCall, field, is_openai};
use crate::asked::Expected;
use crate::hub::{AnswerError, Dialect, Impossible, Outgoing, RequestError, Target};
use crate::json::Kind;
use crate::node::Node;
use crate::writer::Writer;

/// Documents in one search unit, as Cohere counts and others after it.
const DOCUMENTS_PER_UNIT: u64 = 100;

/// What a request will use.
pub(super) fn expect(node: Node<'_>) -> Result<Expected, RequestError> {
    if node.get_string("query").is_none_or(|query| query.trim().is_empty()) {
        return Err(field("query", "is missing; send what the documents are to be relevant to"));
    }
    let documents = node.get("documents").map(Node::elements).unwrap_or_default();
    if documents.is_empty() {
        return Err(field("documents", "is missing or empty; send a list of texts"));
    }
    if let Some(at) = documents.iter().position(|d| !matches!(d.kind(), Kind::String | Kind::Object)) {
        return Err(field(&format!("documents/{at}"), "must be a text or an object with a `text`"));
    }
    let searches = (documents.len() as u64).div_ceil(DOCUMENTS_PER_UNIT);
    let query = node.get("query").map_or(0, |query| query.raw().len());
    // The query is read beside every document.
    let bytes = documents.iter().map(|d| (d.raw().len() + query) as u64).sum::<u64>();
    let usage = |input| Usage { input, searches, requests: 1, ..Usage::default() };
    Ok(Expected { likely: usage(bytes / 4 + 1), most: usage(bytes.div_ceil(2) + 16) })
}

/// The request for a provider.
pub(super) fn outgoing(
    call: &TaskCall<'_>,
    to: Dialect,
    target: &Target<'_>,
) -> Result<Outgoing, Impossible> {
    match to {
        to if is_openai(to) => Ok(call.spliced(target, &[])),
        Dialect::Cohere => cohere(call, target),
        _ => Err(Impossible::new(
            "",
            format!("the request can't be reranked by a provider that speaks {}", to.name()),
        )),
    }
}

/// Cohere's v2 takes texts only.
fn cohere(call: &TaskCall<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let node = call.node();
    let mut out = Writer::with_capacity(call.body.len() + 32);
    out.begin_object().field("model", target.model);
    out.field("query", &node.get_string("query").unwrap_or_default());
    out.key("documents").begin_array();
    for (at, document) in
        node.get("documents").map(Node::elements).unwrap_or_default().into_iter().enumerate()
    {
        let text = document.string().or_else(|| document.get_string("text"));
        let none =
            || Impossible::new(format!("/documents/{at}"), "has no `text`, which is all this provider reads");
        out.string(&text.ok_or_else(none)?);
    }
    out.end_array();
    for key in ["top_n", "max_tokens_per_doc", "priority"] {
        if let Some(value) = node.get(key) {
            out.field_raw(key, value.raw());
        }
    }
    out.end_object();
    Ok(Outgoing { body: out.finish(), ..Outgoing::default() })
}

/// Reads a provider's answer: `results` (Cohere, Jina, vLLM), `data` (Voyage), or a bare list (text-embeddings-inference).
pub(super) fn read(call: &TaskCall<'_>, body: &[u8]) -> Result<Kept, AnswerError> {
    let bare = body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    let wrapped: Vec<u8> = if bare { [b"{\"results\":", body, b"}"].concat() } else { Vec::new() };
    let node = answer::check(if bare { &wrapped } else { body })?;
    let results = ["results", "data"].into_iter().find_map(|key| node.get(key)).ok_or(AnswerError::Empty)?;
    let at = |path: &[&str]| path.iter().try_fold(node, |node, key| node.get(key)).and_then(Node::u64);
    let units = at(&["meta", "billed_units", "search_units"]).or_else(|| at(&["usage", "search_units"]));
    let tokens = answer::input_tokens(node);
    let documents = call.node().get("documents").map(Node::elements).unwrap_or_default();
    let searches = units.unwrap_or((documents.len() as u64).div_ceil(DOCUMENTS_PER_UNIT));
    let told = units.or(tokens).is_some();
    let usage = Usage { input: tokens.unwrap_or(0), searches, requests: 1, ..Usage::default() };
    let shows = call.node().get("return_documents").and_then(Node::bool) != Some(false);
    let mut out = Writer::with_capacity(body.len() + call.body.len());
    out.begin_object().key("results").begin_array();
    for result in results.elements() {
        let index = result.get("index").and_then(Node::u64).unwrap_or(0);
        let score = result.get("relevance_score").or_else(|| result.get("score"));
        out.begin_object().field_json("index", &index);
        out.field_raw("relevance_score", score.map_or(b"null".as_slice(), Node::raw));
        let document = usize::try_from(index).ok().and_then(|index| documents.get(index));
        if let Some(document) = document.filter(|_| shows) {
            match document.kind() {
                Kind::String => {
                    out.key("document").begin_object().field_raw("text", document.raw()).end_object()
                }
                _ => out.field_raw("document", document.raw()),
            };
        }
        out.end_object();
    }
    out.end_array();
    if told {
        out.key("usage").begin_object().field_json("search_units", &searches);
        if let Some(tokens) = tokens {
            out.field_json("total_tokens", &tokens);
        }
        out.end_object();
    }
    out.end_object();
    Kept::written(out.finish(), answer::seen(node, Some(usage)))
}
