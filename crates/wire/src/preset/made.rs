//! A preset out of a request: what it says beside its conversation.

use super::Preset;
use super::translate::is_for_us;
use crate::Warning;
use crate::call::dispatch;
use crate::hub::{
    Block, Content, Dialect, Fetched, Flavor, Request, RequestError, Role, Target, Thinking, Turn,
};
use crate::json;
use crate::node::Node;
use crate::openai_chat::Adapt;
use crate::splice::Splice;
use crate::writer::Writer;

/// What belongs to each request.
const LEFT_OUT: [&str; 6] = ["messages", "input", "prompt", "stream", "stream_options", "preset"];

/// What a request says beside its conversation.
#[derive(Debug)]
pub struct Made {
    /// As a preset without a name; what it says is not checked yet, see [`Preset::read`].
    pub preset: Preset,
    /// What could not be put as OpenAI Chat has it.
    pub warnings: Vec<Warning>,
}

/// Takes a preset out of a request's body. The conversation may be missing.
///
/// # Errors
/// The body is not one of its dialect.
pub fn from_request(dialect: Dialect, body: &[u8]) -> Result<Made, RequestError> {
    let body = with_something(dialect, body)?;
    let node = Node::parse(&body)?;
    let mut request = dispatch::read_request(dialect, &body)?;
    let system_prompt = system_text(&request);
    let raw = |value: Node<'_>| String::from_utf8_lossy(value.raw()).into_owned();
    if dialect == Dialect::Chat {
        let kept = node.members().into_iter().filter(|(key, _)| !LEFT_OUT.contains(&&**key));
        let config = kept.map(|(key, value)| (key.into_owned(), raw(value))).collect();
        return Ok(Made { preset: Preset::new(config, system_prompt), warnings: Vec::new() });
    }
    let ours = node.members().into_iter().filter(|(key, _)| is_for_us(key) && !LEFT_OUT.contains(&&**key));
    let mut config: Vec<(String, String)> = ours.map(|(key, value)| (key.into_owned(), raw(value))).collect();
    request.turns = vec![Turn {
        role: Role::User,
        blocks: vec![Block::new(Content::Text("x".into()), "/messages/0")],
        name: None,
    }];
    request.stream = false;
    let thinking = request.thinking.take();
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    let target = Target {
        model: "x",
        max_output_tokens: None,
        flavor: Flavor::Direct,
        adapt: &adapt,
        structured_output: None,
        reasoning: None,
        auto_cache: false,
        fetched: &fetched,
    };
    let wrong = |error: crate::hub::Impossible| RequestError::Field {
        field: error.pointer.trim_start_matches('/').to_owned(),
        problem: error.problem,
    };
    let chat = dispatch::write_request(Dialect::Chat, &request, &target).map_err(wrong)?;
    let written = Node::parse(&chat.body)?.members();
    let written = written.into_iter().filter(|(key, _)| key != "model" && !LEFT_OUT.contains(&&**key));
    config.extend(written.map(|(key, value)| (key.into_owned(), raw(value))));
    config.extend(thinking.and_then(reasoning).map(|raw| ("reasoning".to_owned(), raw)));
    Ok(Made { preset: Preset::new(config, system_prompt), warnings: chat.warnings })
}

/// A body with a conversation, where it has none.
fn with_something(dialect: Dialect, body: &[u8]) -> Result<Vec<u8>, RequestError> {
    let members = json::object(body)?;
    let (key, something) = match dialect {
        Dialect::Responses => ("input", "\"x\""),
        _ => ("messages", "[{\"role\":\"user\",\"content\":\"x\"}]"),
    };
    let mut splice = Splice::new();
    match json::find(body, &members, key) {
        None => splice.append(key, something.as_bytes()),
        Some(member) if matches!(json::slice(body, &member.value), b"null" | b"[]") => {
            splice.replace(member.value.clone(), something);
        }
        Some(_) => (),
    }
    let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
    let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
    let mut out = Vec::with_capacity(body.len() + 64);
    splice.apply(body, start..end, &members, &mut out);
    Ok(out)
}

/// All system text, a paragraph each.
fn system_text(request: &Request<'_>) -> Option<String> {
    let system = request.turns.iter().filter(|turn| turn.role == Role::System);
    let texts = system.flat_map(|turn| &turn.blocks).filter_map(|block| match &block.content {
        Content::Text(text) if !text.is_empty() => Some(&**text),
        _ => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n\n");
    Some(text).filter(|text| !text.is_empty())
}

/// OpenRouter's `reasoning` object, which says more than an effort.
fn reasoning(thinking: Thinking<'_>) -> Option<String> {
    let mut w = Writer::default();
    w.begin_object();
    if let Some(effort) = thinking.effort {
        w.field("effort", effort.name());
    }
    if let Some(budget) = thinking.budget_tokens {
        w.field_json("max_tokens", &budget);
    }
    if let Some(enabled) = thinking.enabled.or(thinking.adaptive.then_some(true)) {
        w.field_json("enabled", &enabled);
    }
    let written = w.end_object_and_finish();
    (written.len() > 2).then(|| String::from_utf8_lossy(&written).into_owned())
}
