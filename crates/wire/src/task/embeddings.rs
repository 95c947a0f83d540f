//! Embeddings: OpenAI's shape in; out OpenAI's, Cohere's v2, Gemini's, Vertex's and Ollama's.
//!
//! The caller gets the encoding that it asked for: a provider that sends the other one is converted, base64 being the
//! floats of 32 bits, little-endian.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use types::Usage;

use super::answer::{self, Kept};
use super::{TaskCall, field, is_openai};
use crate::Warning;
use crate::asked::Expected;
use crate::hub::{AnswerError, Dialect, Flavor, Impossible, Outgoing, RequestError, Target};
use crate::json::Kind;
use crate::node::Node;
use crate::writer::Writer;

/// Most inputs of one request.
const INPUTS_MAX: usize = 2_048;

/// What a request will use.
pub(super) fn expect(node: Node<'_>) -> Result<Expected, RequestError> {
    let wrong = "is missing; send a text, a list of texts, or token ids";
    let input = node.get("input").ok_or_else(|| field("input", wrong))?;
    let elements = input.elements();
    let empty = match input.kind() {
        Kind::String => input.raw().len() <= 2,
        Kind::Array => elements.is_empty(),
        _ => return Err(field("input", wrong)),
    };
    if empty {
        return Err(field("input", "is empty; send at least one text"));
    }
    if elements.len() > INPUTS_MAX && elements.first().is_some_and(|first| first.kind() != Kind::Number) {
        return Err(field(
            "input",
            format!("has more than {INPUTS_MAX} elements; send them in several calls"),
        ));
    }
    if let Some(encoding) = node.get_string("encoding_format")
        && !matches!(&*encoding, "float" | "base64")
    {
        return Err(field("encoding_format", "must be \"float\" or \"base64\""));
    }
    let (likely, most) = tokens(input, &elements);
    let usage = |input| Usage { input, requests: 1, ..Usage::default() };
    Ok(Expected { likely: usage(likely), most: usage(most) })
}

/// Likely and most tokens: exact for token ids, else by the text's size.
fn tokens(input: Node<'_>, elements: &[Node<'_>]) -> (u64, u64) {
    let counted: Option<u64> = elements
        .iter()
        .map(|element| match element.kind() {
            Kind::Number => Some(1),
            Kind::Array => Some(element.elements().len() as u64),
            _ => None,
        })
        .sum();
    match counted.filter(|count| *count > 0) {
        Some(count) => (count, count),
        None => {
            let bytes = input.raw().len() as u64;
            ((bytes / 4).max(1), bytes.div_ceil(2) + 16)
        }
    }
}

/// The texts of a request; token ids and parts have none.
fn texts<'b>(call: &TaskCall<'b>) -> Result<Vec<std::borrow::Cow<'b, str>>, Impossible> {
    let input = call.node().get("input");
    let one = input.and_then(Node::string).into_iter().map(Ok);
    let many = input.map(Node::elements).unwrap_or_default().into_iter().enumerate().map(|(at, element)| {
        let what = "is no text, and this provider takes only texts; ask one of OpenAI's shape";
        element.string().ok_or_else(|| Impossible::new(format!("/input/{at}"), what))
    });
    one.chain(many).collect()
}

/// The request for a provider.
pub(super) fn outgoing(
    call: &TaskCall<'_>,
    to: Dialect,
    target: &Target<'_>,
) -> Result<Outgoing, Impossible> {
    match to {
        to if is_openai(to) && target.flavor == Flavor::Mistral => {
            Ok(call.spliced(target, &[("dimensions", "output_dimension")]))
        }
        to if is_openai(to) => Ok(call.spliced(target, &[])),
        Dialect::Cohere => cohere(call, target),
        Dialect::Gemini if target.flavor == Flavor::Vertex => vertex(call),
        Dialect::Gemini => gemini(call, target),
        Dialect::Ollama => ollama(call, target),
        _ => Err(Impossible::new(
            "",
            format!("the request can't be embedded by a provider that speaks {}", to.name()),
        )),
    }
}

fn cohere(call: &TaskCall<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let node = call.node();
    let mut warnings = Vec::new();
    let mut out = Writer::with_capacity(call.body.len() + 128);
    out.begin_object().field("model", target.model);
    let parts =
        node.get("input").is_some_and(|i| i.elements().first().is_some_and(|e| e.kind() == Kind::Object));
    match node.get("input").filter(|_| parts) {
        Some(inputs) => out.field_raw("inputs", inputs.raw()),
        None => out.field_json("texts", &texts(call)?),
    };
    let kind = match node.get_string("input_type").as_deref() {
        Some("query") => "search_query".to_owned(),
        Some("document" | "passage") => "search_document".to_owned(),
        Some(other) => other.to_owned(),
        None => {
            let message =
                "`input_type` is not given, and this provider asks for one: `search_document` was sent";
            warnings.push(Warning::about("approximated", "input_type", message.to_owned()));
            "search_document".to_owned()
        }
    };
    out.field("input_type", &kind).field_json("embedding_types", &["float"]);
    if let Some(dimensions) = node.get("dimensions") {
        out.field_raw("output_dimension", dimensions.raw());
    }
    if let Some(truncate) = node.get("truncate") {
        out.field_raw("truncate", truncate.raw());
    }
    out.end_object();
    Ok(Outgoing { body: out.finish(), warnings, ..Outgoing::default() })
}

/// Gemini's word for what a vector is for.
fn gemini_task(node: Node<'_>) -> Option<String> {
    Some(match &*node.get_string("input_type")? {
        "query" | "search_query" => "RETRIEVAL_QUERY".to_owned(),
        "document" | "passage" | "search_document" => "RETRIEVAL_DOCUMENT".to_owned(),
        other => other.to_ascii_uppercase(),
    })
}

fn gemini(call: &TaskCall<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let node = call.node();
    let (task, name) = (gemini_task(node), target.model.trim_start_matches("models/"));
    let mut out = Writer::with_capacity(call.body.len() * 2);
    out.begin_object().key("requests").begin_array();
    for text in texts(call)? {
        out.begin_object().field("model", &format!("models/{name}"));
        out.key("content").begin_object().key("parts").begin_array();
        out.begin_object().field("text", &text).end_object().end_array().end_object();
        out.field_some("taskType", task.as_deref());
        if let Some(dimensions) = node.get("dimensions") {
            out.field_raw("outputDimensionality", dimensions.raw());
        }
        out.end_object();
    }
    out.end_array().end_object();
    Ok(Outgoing { body: out.finish(), ..Outgoing::default() })
}

fn vertex(call: &TaskCall<'_>) -> Result<Outgoing, Impossible> {
    let node = call.node();
    let task = gemini_task(node);
    let mut out = Writer::with_capacity(call.body.len() + 128);
    out.begin_object().key("instances").begin_array();
    for text in texts(call)? {
        out.begin_object().field("content", &text).field_some("task_type", task.as_deref()).end_object();
    }
    out.end_array();
    if let Some(dimensions) = node.get("dimensions") {
        out.key("parameters").begin_object().field_raw("outputDimensionality", dimensions.raw()).end_object();
    }
    out.end_object();
    Ok(Outgoing { body: out.finish(), ..Outgoing::default() })
}

fn ollama(call: &TaskCall<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let node = call.node();
    let mut out = Writer::with_capacity(call.body.len() + 64);
    out.begin_object().field("model", target.model).field_json("input", &texts(call)?);
    for key in ["dimensions", "truncate", "keep_alive", "options"] {
        if let Some(value) = node.get(key) {
            out.field_raw(key, value.raw());
        }
    }
    out.end_object();
    Ok(Outgoing { body: out.finish(), ..Outgoing::default() })
}

/// Reads a provider's answer.
pub(super) fn read(call: &TaskCall<'_>, from: Dialect, body: &[u8]) -> Result<Kept, AnswerError> {
    let node = answer::check(body)?;
    let vectors = vectors(node, from);
    if vectors.is_empty() {
        return Err(AnswerError::Empty);
    }
    let told = answer::input_tokens(node).or_else(|| vertex_tokens(node));
    let usage = told.map(|input| Usage { input, requests: 1, ..Usage::default() });
    let seen = answer::seen(node, usage);
    let base64 = call.node().get_string("encoding_format").as_deref() == Some("base64");
    let fits = |vector: &Node<'_>| (vector.kind() == Kind::String) == base64;
    if is_openai(from) && vectors.iter().all(fits) {
        return Kept::theirs(body, seen);
    }
    let mut out = Writer::with_capacity(body.len());
    out.begin_object().field("object", "list").key("data").begin_array();
    for (at, vector) in vectors.iter().enumerate() {
        out.begin_object().field("object", "embedding").field_json("index", &at).key("embedding");
        encode(*vector, base64, &mut out);
        out.end_object();
    }
    out.end_array();
    if let Some(tokens) = told {
        out.key("usage").begin_object();
        out.field_json("prompt_tokens", &tokens).field_json("total_tokens", &tokens).end_object();
    }
    out.end_object();
    Kept::written(out.finish(), seen)
}

/// The vectors of an answer, in the order of the inputs.
fn vectors(node: Node<'_>, from: Dialect) -> Vec<Node<'_>> {
    let list = |key: &str| node.get(key).map(Node::elements).unwrap_or_default();
    match from {
        Dialect::Cohere => {
            let kinds = node.get("embeddings").map(Node::members).unwrap_or_default();
            kinds.into_iter().next().map(|(_, vectors)| vectors.elements()).unwrap_or_default()
        }
        Dialect::Gemini => {
            let direct = list("embeddings").into_iter().filter_map(|item| item.get("values"));
            let vertex = list("predictions").into_iter().filter_map(|p| p.get("embeddings")?.get("values"));
            direct.chain(vertex).collect()
        }
        Dialect::Ollama => list("embeddings"),
        _ => {
            let mut items = list("data");
            items.sort_by_key(|item| item.get("index").and_then(Node::u64));
            items.into_iter().filter_map(|item| item.get("embedding")).collect()
        }
    }
}

fn vertex_tokens(node: Node<'_>) -> Option<u64> {
    let predictions = node.get("predictions")?.elements();
    let count = |p: &Node<'_>| p.get("embeddings")?.get("statistics")?.get("token_count")?.u64();
    predictions.iter().map(count).sum()
}

/// Writes a vector in the caller's encoding.
fn encode(vector: Node<'_>, base64: bool, out: &mut Writer) {
    match (vector.string(), base64) {
        (Some(text), true) => out.string(&text),
        (Some(text), false) => {
            let bytes = STANDARD.decode(text.as_bytes()).unwrap_or_default();
            let floats =
                bytes.chunks_exact(4).filter_map(|four| four.try_into().ok()).map(f32::from_le_bytes);
            out.json(&floats.collect::<Vec<f32>>())
        }
        (None, false) => out.raw(vector.raw()),
        (None, true) => {
            let floats = vector.elements().into_iter().filter_map(|n| n.number()?.parse::<f32>().ok());
            let bytes: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
            out.string(&STANDARD.encode(bytes))
        }
    };
}
