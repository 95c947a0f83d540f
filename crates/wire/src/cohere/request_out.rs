//! The hub's form as a Cohere v2 request.

use serde_json::{Value, json};

use crate::hub::{
    Address, Block, Content, Format, Impossible, Losses, Outgoing, Request, Role, Source, Target, ToolChoice,
    ToolKind, Turn,
};
use crate::writer::Writer;

/// Writes the request.
pub fn write_request(request: &Request<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let mut losses = Losses::default();
    let mut w = Writer::with_capacity(target.room_for(request));
    w.begin_object().field("model", target.model).field_json("stream", &request.stream);
    w.key("messages").begin_array();
    for turn in &request.turns {
        message(turn, target, &mut w, &mut losses)?;
    }
    w.end_array();
    tools(request, &mut w, &mut losses);
    settings(request, &mut w, &mut losses);
    w.end_object();
    Ok(Outgoing { body: w.finish(), warnings: losses.warnings, ..Outgoing::default() })
}

fn message(
    turn: &Turn<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    let mut said: Vec<&Block<'_>> = Vec::new();
    for block in &turn.blocks {
        if let Content::ToolResult { id, content, is_error, .. } = &block.content {
            let failed = is_error.then_some("Error:");
            let texts: Vec<&str> = failed.into_iter().chain(content.iter().filter_map(text_of)).collect();
            w.begin_object().field("role", "tool").field("tool_call_id", id);
            w.field("content", &texts.join("\n")).end_object();
            said.extend(content.iter().filter(|part| text_of(part).is_none()));
        } else {
            said.push(block);
        }
    }
    if said.is_empty() {
        return Ok(());
    }
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut calls = Vec::new();
    let mut parts = Writer::default();
    parts.begin_array();
    let before = parts.len();
    for block in said {
        part(block, turn.role, target, &mut calls, &mut parts, losses)?;
    }
    let empty = parts.len() == before;
    parts.end_array();
    if empty && calls.is_empty() {
        return Ok(());
    }
    w.begin_object().field("role", role);
    if !empty {
        w.field_raw("content", &parts.finish());
    }
    if !calls.is_empty() {
        w.field_json("tool_calls", &calls);
    }
    w.end_object();
    Ok(())
}

fn text_of<'r>(block: &'r Block<'_>) -> Option<&'r str> {
    match &block.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        Content::File { source: Source::Text(text), .. } => Some(text),
        _ => None,
    }
}

fn part(
    block: &Block<'_>,
    role: Role,
    target: &Target<'_>,
    calls: &mut Vec<Value>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    if let Some(text) = text_of(block) {
        if !text.is_empty() {
            w.begin_object().field("type", "text").field("text", text).end_object();
        }
        return Ok(());
    }
    match &block.content {
        Content::Image { source, detail } if role == Role::User => {
            let url = match source {
                Source::Url(url) => match target.fetched.get(&**url) {
                    Some((kind, data)) => Address::data(kind, data),
                    None => Address::Plain(url),
                },
                source => source.to_url().ok_or_else(|| {
                    Impossible::new(&block.pointer, "is an image that only another provider holds")
                })?,
            };
            w.begin_object().field("type", "image_url").key("image_url").begin_object();
            w.field_json("url", &url).field_some("detail", detail.as_deref()).end_object().end_object();
        }
        Content::ToolCall { id, name, arguments, custom, .. } => {
            let arguments = match (custom, arguments.trim()) {
                (true, _) => json!({ "input": arguments }).to_string(),
                (false, "") => String::from("{}"),
                (false, arguments) => arguments.to_owned(),
            };
            calls.push(
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}),
            );
        }
        Content::File { .. } => {
            return Err(Impossible::new(
                &block.pointer,
                "is a file, which the provider doesn't take; send its text instead",
            ));
        }
        Content::Audio { .. } | Content::Video { .. } => {
            return Err(Impossible::new(
                &block.pointer,
                "is sound or video, which the provider doesn't take",
            ));
        }
        Content::Reasoning { .. } => {
            losses.dropped(&block.pointer, "only the provider that made the reasoning can take it back");
        }
        _ => losses.dropped(&block.pointer, "the provider's dialect has no place for it"),
    }
    Ok(())
}

fn tools(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    // A choice of one or some is made by offering only those.
    let only: Option<Vec<&str>> = match &request.tool_choice {
        Some(ToolChoice::Named(name)) => Some(vec![name]),
        Some(ToolChoice::Allowed { names, .. }) => Some(names.iter().map(AsRef::as_ref).collect()),
        _ => None,
    };
    let mut list = Vec::new();
    for tool in &request.tools {
        let schema = match (&tool.kind, tool.parameters) {
            (ToolKind::Hosted(_), _) => {
                losses.dropped(&tool.pointer, "the provider doesn't run this tool");
                continue;
            }
            (ToolKind::Custom, _) => {
                losses.approximated(&tool.pointer, "sent as a function with one text, `input`");
                json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
            }
            (ToolKind::Function, Some(schema)) => schema.value(),
            (ToolKind::Function, None) => json!({"type": "object"}),
        };
        if only.as_ref().is_none_or(|only| only.contains(&&*tool.name)) {
            list.push(tool.as_function(schema));
        }
    }
    if list.is_empty() {
        return;
    }
    w.field_json("tools", &list);
    if request.tools.iter().any(|tool| tool.strict == Some(true)) {
        w.field_json("strict_tools", &true);
    }
    match &request.tool_choice {
        Some(ToolChoice::None) => drop(w.field("tool_choice", "NONE")),
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }) => {
            w.field("tool_choice", "REQUIRED");
        }
        _ => (),
    }
    if request.parallel_tool_calls == Some(false) {
        losses.dropped("/parallel_tool_calls", "the provider has no such switch");
    }
}

fn settings(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    let s = &request.sampling;
    if let Some(max) = request.max_tokens {
        w.field_json("max_tokens", &max);
    }
    if let Some(number) = s.temperature {
        if number.parse::<f64>().is_ok_and(|t| t > 1.0) {
            losses.approximated("/temperature", "the provider takes at most 1");
            w.field_raw("temperature", b"1.0");
        } else {
            w.field_raw("temperature", number.as_bytes());
        }
    }
    let numbers = [
        ("p", s.top_p),
        ("k", s.top_k),
        ("seed", s.seed),
        ("frequency_penalty", s.frequency_penalty),
        ("presence_penalty", s.presence_penalty),
    ];
    for (name, value) in numbers {
        if let Some(number) = value {
            w.field_raw(name, number.as_bytes());
        }
    }
    if !request.stop.is_empty() {
        if request.stop.len() > 5 {
            losses.approximated("/stop", "only the first five are sent");
        }
        let stop: Vec<&str> = request.stop.iter().take(5).map(AsRef::as_ref).collect();
        w.field_json("stop_sequences", &stop);
    }
    if let Some(alternatives) = request.logprobs {
        w.field_json("logprobs", &true);
        if alternatives > 0 {
            losses.dropped("/top_logprobs", "the provider tells no alternatives");
        }
    }
    if let Some(wanted) = &request.thinking {
        let off = wanted.is_off();
        let mut thinking = json!({"type": if off { "disabled" } else { "enabled" }});
        let budget = wanted
            .budget_tokens
            .or_else(|| wanted.effort.and(request.max_tokens).and_then(|max| wanted.budget(max)));
        if let (false, Some(budget), Some(map)) = (off, budget, thinking.as_object_mut()) {
            map.insert("token_budget".to_owned(), budget.into());
        }
        w.field_json("thinking", &thinking);
    }
    format(request, w, losses);
    let unknown = [
        ("min_p", s.min_p.is_some()),
        ("top_a", s.top_a.is_some()),
        ("repetition_penalty", s.repetition_penalty.is_some()),
        ("logit_bias", request.logit_bias.is_some()),
        ("n", request.choices > 1),
        ("prediction", request.prediction.is_some()),
        ("web_search_options", request.web_search.is_some()),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, given)| *given) {
        losses.dropped(&format!("/{name}"), "the provider's dialect has no place for it");
    }
    losses.no_place(request, &["user", "verbosity", "metadata", "prompt_cache_key", "service_tier", "audio"]);
    losses.no_breakpoints(request);
    for rest in &request.rest {
        losses.dropped(&rest.pointer, "the provider's dialect has no place for it");
    }
}

fn format(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    match &request.format {
        None => (),
        Some(Format::Native(_)) => losses.dropped("/response_format", "the provider doesn't know this form"),
        Some(_) if !request.tools.is_empty() => {
            losses.dropped("/response_format", "the provider can't hold a form while there are tools");
        }
        Some(Format::Schema { schema: Some(schema), .. }) => {
            w.key("response_format").begin_object().field("type", "json_object");
            w.field_raw("json_schema", schema.raw()).end_object();
        }
        Some(_) => drop(w.field_json("response_format", &json!({"type": "json_object"}))),
    }
}
