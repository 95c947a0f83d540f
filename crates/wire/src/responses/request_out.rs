//! The hub's form as a Responses request for a provider. Nothing is kept there: conversations are whole, and reasoning comes
//! back sealed.

use serde_json::{Value, json};

use crate::hub::{
    Block, Content, Dialect, Effort, Format, Impossible, Losses, Outgoing, Request, Role, SealFormat, Source,
    Target, Thinking, Tool, ToolChoice, ToolKind, Turn,
};
use crate::writer::Writer;

/// OpenAI refuses a smaller cap.
const MAX_TOKENS_MIN: u64 = 16;

/// Writes the request.
pub fn write_request(request: &Request<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let mut losses = Losses::default();
    let mut w = Writer::with_capacity(target.room_for(request));
    w.begin_object().field("model", target.model).field_json("store", &false);
    if request.stream {
        w.field_json("stream", &true);
    }
    w.key("input").begin_array();
    for turn in &request.turns {
        write_turn(turn, target, &mut w, &mut losses)?;
    }
    w.end_array();
    tools(request, &mut w, &mut losses);
    settings(request, target, &mut w, &mut losses);
    w.end_object();
    Ok(Outgoing { body: w.finish(), warnings: losses.warnings, ..Outgoing::default() })
}

fn write_turn(
    turn: &Turn<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    let mut said: Vec<&Block<'_>> = Vec::new();
    for block in &turn.blocks {
        let item = matches!(
            block.content,
            Content::Reasoning { .. }
                | Content::ToolCall { .. }
                | Content::ToolResult { .. }
                | Content::Native(_)
        );
        if !item {
            said.push(block);
            continue;
        }
        message(turn.role, &std::mem::take(&mut said), target, w, losses)?;
        write_item(block, target, w, losses)?;
    }
    message(turn.role, &said, target, w, losses)
}

fn message(
    role: Role,
    blocks: &[&Block<'_>],
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    if blocks.is_empty() {
        return Ok(());
    }
    let name = match role {
        Role::System => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    w.begin_object().field("type", "message").field("role", name).key("content").begin_array();
    for block in blocks {
        part(role, block, target, w, losses)?;
    }
    w.end_array().end_object();
    Ok(())
}

fn part(
    role: Role,
    block: &Block<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    let kind = if role == Role::Assistant { "output_text" } else { "input_text" };
    match &block.content {
        Content::Text(text) => drop(w.begin_object().field("type", kind).field("text", text).end_object()),
        Content::Refusal(text) => {
            w.begin_object().field("type", "refusal").field("refusal", text).end_object();
        }
        Content::Image { source, detail } => {
            w.begin_object()
                .field("type", "input_image")
                .field("detail", detail.as_deref().unwrap_or("auto"));
            match source {
                Source::FileId(id) => drop(w.field("file_id", id)),
                source => drop(w.field_json("image_url", &source.to_url())),
            }
            w.end_object();
        }
        Content::File { source: Source::Text(text), .. } => {
            w.begin_object().field("type", kind).field("text", text).end_object();
        }
        Content::File { source, filename } => {
            w.begin_object().field("type", "input_file");
            match source {
                Source::Url(url) => drop(w.field("file_url", url)),
                Source::FileId(id) => drop(w.field("file_id", id)),
                source => {
                    w.field("filename", filename.as_deref().unwrap_or("file.pdf"));
                    w.field_json("file_data", &source.to_url());
                }
            }
            w.end_object();
        }
        Content::Audio { .. } | Content::Video { .. } => {
            let what = format!("is sound or video, which {} doesn't take in this dialect", target.model);
            return Err(Impossible::new(&block.pointer, what));
        }
        _ => losses.dropped(&block.pointer, "the provider's dialect has no place for it"),
    }
    Ok(())
}

fn write_item(
    block: &Block<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    match &block.content {
        Content::Reasoning { text, summary, seal } => match seal {
            Some(seal) if seal.format == SealFormat::Responses => {
                w.begin_object().field("type", "reasoning").field_some("id", seal.id.as_deref());
                let told =
                    (*summary && !text.is_empty()).then(|| json!({"type": "summary_text", "text": text}));
                let list: Vec<Value> = told.into_iter().collect();
                w.field_json("summary", &list).field("encrypted_content", &seal.data).end_object();
            }
            _ => losses.dropped(&block.pointer, "only the provider that made the reasoning can take it back"),
        },
        Content::ToolCall { id, name, arguments, custom, .. } => {
            // Only `call_id` links a call and its result; an `id` of another maker would be refused.
            let (kind, key) =
                if *custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
            let empty = !*custom && arguments.trim().is_empty();
            w.begin_object().field("type", kind).field("call_id", id).field("name", name);
            w.field(key, if empty { "{}" } else { arguments }).end_object();
        }
        Content::ToolResult { id, content, is_error, .. } => {
            w.begin_object().field("type", "function_call_output").field("call_id", id).key("output");
            match content.as_slice() {
                [Block { content: Content::Text(text), .. }] if !is_error => drop(w.string(text)),
                [] => drop(w.string("")),
                parts => {
                    w.begin_array();
                    if *is_error {
                        w.json(&json!({"type": "input_text", "text": "Error:"}));
                    }
                    for block in parts {
                        part(Role::User, block, target, w, losses)?;
                    }
                    w.end_array();
                }
            }
            w.end_object();
        }
        _ => losses.dropped(&block.pointer, "the provider's dialect has no place for it"),
    }
    Ok(())
}

fn tools(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    let mut out = Writer::default();
    out.begin_array();
    let mut written = 0;
    for tool in &request.tools {
        written += usize::from(write_tool(request, tool, &mut out, losses));
    }
    if let Some(search) = &request.web_search {
        out.begin_object().field("type", "web_search");
        out.field_some("search_context_size", search.context_size.as_deref()).end_object();
        written += 1;
    }
    out.end_array();
    if written == 0 {
        return;
    }
    w.field_raw("tools", &out.finish());
    let function = |name: &str| json!({"type": "function", "name": name});
    let choice = match &request.tool_choice {
        None => return parallel(request, w),
        Some(ToolChoice::Auto) => "auto".into(),
        Some(ToolChoice::None) => "none".into(),
        Some(ToolChoice::Required) => "required".into(),
        Some(ToolChoice::Named(name)) => function(name),
        Some(ToolChoice::Allowed { names, required }) => {
            let tools: Vec<Value> = names.iter().map(|name| function(name)).collect();
            json!({"type": "allowed_tools", "mode": if *required { "required" } else { "auto" }, "tools": tools})
        }
    };
    w.field_json("tool_choice", &choice);
    parallel(request, w);
}

fn parallel(request: &Request<'_>, w: &mut Writer) {
    if let Some(parallel) = request.parallel_tool_calls {
        w.field_json("parallel_tool_calls", &parallel);
    }
}

fn write_tool(request: &Request<'_>, tool: &Tool<'_>, out: &mut Writer, losses: &mut Losses) -> bool {
    match &tool.kind {
        ToolKind::Hosted(_) => {
            if request.web_search.is_none() || !tool.name.contains("web_search") {
                losses.dropped(&tool.pointer, "the provider doesn't run this tool");
            }
            return false;
        }
        ToolKind::Custom => {
            out.begin_object().field("type", "custom").field("name", &tool.name);
            out.field_some("description", tool.description.as_deref()).end_object();
        }
        ToolKind::Function => {
            out.begin_object().field("type", "function").field("name", &tool.name);
            out.field_some("description", tool.description.as_deref());
            match tool.parameters {
                Some(schema) => drop(out.field_raw("parameters", schema.raw())),
                None => drop(out.field_json("parameters", &json!({"type": "object", "properties": {}}))),
            }
            // Strict by default in this dialect only: callers of others did not ask for it.
            out.field_json("strict", &tool.strict.unwrap_or(false)).end_object();
        }
    }
    true
}

fn settings(request: &Request<'_>, target: &Target<'_>, w: &mut Writer, losses: &mut Losses) {
    if let Some(max) = request.max_tokens {
        if max < MAX_TOKENS_MIN {
            losses.approximated("/max_tokens", "the provider takes at least 16");
        }
        w.field_json("max_output_tokens", &max.max(MAX_TOKENS_MIN));
    }
    let s = &request.sampling;
    for (name, value) in [("temperature", s.temperature), ("top_p", s.top_p)] {
        match value {
            Some(_) if target.reasoning == Some(true) => {
                losses.dropped(&format!("/{name}"), "the model refuses it while it reasons");
            }
            Some(number) => drop(w.field_raw(name, number.as_bytes())),
            None => (),
        }
    }
    let unknown = [
        ("stop", !request.stop.is_empty()),
        ("seed", s.seed.is_some()),
        ("top_k", s.top_k.is_some()),
        ("min_p", s.min_p.is_some()),
        ("top_a", s.top_a.is_some()),
        ("frequency_penalty", s.frequency_penalty.is_some()),
        ("presence_penalty", s.presence_penalty.is_some()),
        ("repetition_penalty", s.repetition_penalty.is_some()),
        ("n", request.choices > 1),
        ("logit_bias", request.logit_bias.is_some()),
        ("prediction", request.prediction.is_some()),
        ("audio", request.audio.is_some()),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, given)| *given) {
        losses.dropped(&format!("/{name}"), "the provider's dialect has no place for it");
    }
    let mut include = vec!["reasoning.encrypted_content"];
    if let Some(top) = request.logprobs {
        include.push("message.output_text.logprobs");
        w.field_json("top_logprobs", &top);
    }
    if target.reasoning != Some(false) {
        w.field_json("include", &include);
    }
    thinking(request, w);
    text(request, w, losses);
    w.field_some("prompt_cache_key", request.prompt_cache_key.as_deref());
    w.field_some("user", request.user.as_deref()).field_some("service_tier", request.service_tier.as_deref());
    if let Some(metadata) = request.metadata {
        w.field_raw("metadata", metadata.raw());
    }
    losses.no_breakpoints(request);
    for rest in &request.rest {
        if request.origin == Dialect::Responses {
            w.field_raw(&rest.name, rest.value.raw());
        } else {
            losses.dropped(&rest.pointer, "the provider's dialect has no place for it");
        }
    }
}

fn thinking(request: &Request<'_>, w: &mut Writer) {
    let Some(wanted) = &request.thinking else { return };
    let adaptive = (wanted.adaptive || wanted.enabled == Some(true)).then_some(Effort::Medium);
    let effort = wanted.effort(request.max_tokens.unwrap_or(Thinking::BUDGET_MAX)).or(adaptive);
    if effort.is_none() && wanted.summary.is_none() {
        return;
    }
    w.key("reasoning").begin_object();
    w.field_some("effort", effort.map(Effort::name));
    let shown = wanted.summary.as_deref().or((!wanted.exclude && !wanted.is_off()).then_some("auto"));
    w.field_some("summary", shown).end_object();
}

fn text(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    if request.format.is_none() && request.verbosity.is_none() {
        return;
    }
    w.key("text").begin_object().field_some("verbosity", request.verbosity.as_deref());
    match &request.format {
        None => (),
        Some(Format::JsonObject | Format::Schema { schema: None, .. }) => {
            w.field_json("format", &json!({"type": "json_object"}));
        }
        Some(Format::Schema { name, description, schema: Some(schema), strict }) => {
            w.key("format").begin_object().field("type", "json_schema");
            w.field("name", name.as_deref().unwrap_or("answer"));
            w.field_some("description", description.as_deref()).field_raw("schema", schema.raw());
            w.field_json("strict", &strict.unwrap_or(false)).end_object();
        }
        Some(Format::Native(_)) => losses.dropped("/response_format", "the provider doesn't know this form"),
    }
    w.end_object();
}
