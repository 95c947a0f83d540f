//! The hub's form as a chat request for a provider of the OpenAI dialect; the provider's quirks go over it as over a
//! caller's own.

use serde_json::{Value, json};

use super::{ChatRequest, parts_out};
use crate::hub::{
    Effort, Format, Impossible, Losses, Outgoing, Request, Target, Thinking, Tool, ToolChoice, ToolKind,
};
use crate::writer::Writer;

/// What is assumed where a budget must become an effort and nobody gave a cap.
pub(super) const MAX_TOKENS_ASSUMED: u64 = 16_384;

/// Writes the request.
pub fn write_request(request: &Request<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let mut losses = Losses::default();
    let reasons = is_openai_reasoning(target.model);
    let mut w = Writer::with_capacity(target.room_for(request));
    w.begin_object().field("model", target.model);
    w.key("messages");
    parts_out::messages(request, target, &mut w, &mut losses)?;
    tools(request, &mut w, &mut losses);
    if let Some(max) = request.max_tokens {
        w.field_json(if reasons { "max_completion_tokens" } else { "max_tokens" }, &max);
    }
    if request.stream {
        w.field_json("stream", &true);
    }
    sampling(request, reasons, &mut w, &mut losses);
    reasoning(request, reasons, &mut w);
    format(request, &mut w, &mut losses);
    others(request, &mut w, &mut losses);
    w.end_object();
    let body = w.finish();
    let wrong = |error: super::RequestError| Impossible::new("", error.to_string());
    let adapted = target.adapt.apply(&ChatRequest::scan(&body).map_err(wrong)?, target.model);
    let mut warnings = losses.warnings;
    warnings.extend(adapted.warnings);
    Ok(Outgoing { body: adapted.body, warnings, ..Outgoing::default() })
}

/// OpenAI's models that always reason and refuse sampling: o1, o3, o4, gpt-5 and later, the chat varieties apart.
fn is_openai_reasoning(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let digit_after = |prefix: &str| {
        name.strip_prefix(prefix).and_then(|rest| rest.chars().next()).and_then(|c| c.to_digit(10))
    };
    let o_series = digit_after("o").is_some() && !name.contains("omni");
    let gpt = digit_after("gpt-").is_some_and(|generation| generation >= 5) && !name.contains("chat");
    o_series || gpt
}

fn tools(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    let hosted = |tool: &&Tool<'_>| matches!(tool.kind, ToolKind::Hosted(_));
    for tool in request.tools.iter().filter(hosted) {
        if request.web_search.is_none() || !tool.name.contains("web_search") {
            losses.dropped(&tool.pointer, "the provider doesn't run this tool");
        }
    }
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let ours: Vec<&Tool<'_>> = request
        .tools
        .iter()
        .filter(|tool| !hosted(tool) && allowed.is_none_or(|names| names.contains(&tool.name)))
        .collect();
    // Neither an empty list nor a choice without tools is taken.
    if ours.is_empty() {
        return;
    }
    w.key("tools").begin_array();
    for tool in ours {
        w.begin_object().field("type", "function").key("function").begin_object();
        w.field("name", &tool.name).field_some("description", tool.description.as_deref());
        match (&tool.kind, tool.parameters) {
            (ToolKind::Custom, _) => {
                losses.approximated(&tool.pointer, "sent as a function with one text, `input`");
                let schema = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
                w.field_json("parameters", &schema);
            }
            (_, Some(schema)) => {
                w.field_raw("parameters", schema.raw());
            }
            (_, None) => {
                w.field_json("parameters", &json!({"type": "object", "properties": {}}));
            }
        }
        if let Some(strict) = tool.strict {
            w.field_json("strict", &strict);
        }
        w.end_object().end_object();
    }
    w.end_array();
    let choice = match &request.tool_choice {
        None => Value::Null,
        Some(ToolChoice::Auto) => "auto".into(),
        Some(ToolChoice::None) => "none".into(),
        Some(ToolChoice::Required) => "required".into(),
        Some(ToolChoice::Named(name)) => json!({"type": "function", "function": {"name": name}}),
        Some(ToolChoice::Allowed { required, .. }) => if *required { "required" } else { "auto" }.into(),
    };
    if !choice.is_null() {
        w.field_json("tool_choice", &choice);
    }
    if let Some(parallel) = request.parallel_tool_calls {
        w.field_json("parallel_tool_calls", &parallel);
    }
}

fn sampling(request: &Request<'_>, reasons: bool, w: &mut Writer, losses: &mut Losses) {
    let s = &request.sampling;
    let off = request.thinking.as_ref().is_some_and(Thinking::is_off);
    let refused = reasons && !off;
    let all = [
        ("temperature", s.temperature, refused),
        ("top_p", s.top_p, refused),
        ("top_k", s.top_k, reasons),
        ("min_p", s.min_p, reasons),
        ("top_a", s.top_a, reasons),
        ("frequency_penalty", s.frequency_penalty, refused),
        ("presence_penalty", s.presence_penalty, refused),
        ("repetition_penalty", s.repetition_penalty, reasons),
        ("seed", s.seed, false),
    ];
    for (name, value, refused) in all {
        let Some(value) = value else { continue };
        if refused {
            losses.dropped(&format!("/{name}"), "the model refuses it while it reasons");
        } else {
            w.field_raw(name, value.as_bytes());
        }
    }
    if !request.stop.is_empty() {
        // OpenAI takes four; what is more would be refused whole.
        if request.stop.len() > 4 {
            losses.approximated("/stop", "only the first four are sent");
        }
        let stop: Vec<&str> = request.stop.iter().take(4).map(AsRef::as_ref).collect();
        w.field_json("stop", &stop);
    }
    if let Some(top) = request.logprobs {
        w.field_json("logprobs", &true);
        if top > 0 {
            w.field_json("top_logprobs", &top);
        }
    }
    if request.choices > 1 {
        w.field_json("n", &request.choices);
    }
}

fn reasoning(request: &Request<'_>, reasons: bool, w: &mut Writer) {
    let Some(thinking) = &request.thinking else { return };
    let cap = request.max_tokens.unwrap_or(MAX_TOKENS_ASSUMED);
    let adaptive = (thinking.adaptive || thinking.enabled == Some(true)).then_some(Effort::Medium);
    let effort = thinking.effort(cap).or(adaptive);
    // Only the models themselves know the lowest step; others know three.
    let known = |effort: Effort| match effort {
        effort if reasons => effort,
        Effort::Minimal => Effort::Low,
        Effort::Xhigh | Effort::Max => Effort::High,
        effort => effort,
    };
    if let Some(effort) = effort.map(known) {
        w.field("reasoning_effort", effort.name());
    }
}

fn format(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    match &request.format {
        None => (),
        Some(Format::JsonObject | Format::Schema { schema: None, .. }) => {
            w.field_json("response_format", &json!({"type": "json_object"}));
        }
        Some(Format::Schema { name, description, schema: Some(schema), strict }) => {
            w.key("response_format").begin_object().field("type", "json_schema").key("json_schema");
            w.begin_object().field("name", name.as_deref().unwrap_or("answer"));
            w.field_some("description", description.as_deref()).field_raw("schema", schema.raw());
            if let Some(strict) = strict {
                w.field_json("strict", strict);
            }
            w.end_object().end_object();
        }
        Some(Format::Native(_)) => losses.dropped("/response_format", "the provider doesn't know this form"),
    }
}

fn others(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    w.field_some("verbosity", request.verbosity.as_deref());
    w.field_some("user", request.user.as_deref());
    w.field_some("prompt_cache_key", request.prompt_cache_key.as_deref());
    if let Some(tier) = request.service_tier.as_deref() {
        // Anthropic's word for "no priority".
        w.field("service_tier", if tier == "standard_only" { "default" } else { tier });
    }
    let raw =
        [("prediction", request.prediction), ("logit_bias", request.logit_bias), ("audio", request.audio)];
    for (name, value) in raw {
        if let Some(value) = value {
            w.field_raw(name, value.raw());
        }
    }
    if !request.modalities.is_empty() {
        w.field_json("modalities", &request.modalities);
    }
    if let Some(search) = &request.web_search {
        w.key("web_search_options").begin_object();
        w.field_some("search_context_size", search.context_size.as_deref());
        w.end_object();
    }
    let ours = matches!(request.origin, crate::hub::Dialect::Chat | crate::hub::Dialect::Completions);
    losses.no_breakpoints(request);
    for rest in &request.rest {
        if ours {
            w.field_raw(&rest.name, rest.value.raw());
        } else {
            losses.dropped(&rest.pointer, "the provider's dialect has no place for it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_refuse_sampling() {
        for yes in ["o1", "o3-mini", "openai/o4-mini", "gpt-5", "gpt-5.4-mini", "gpt-6"] {
            assert!(is_openai_reasoning(yes), "{yes}");
        }
        for no in
            ["gpt-4o", "gpt-5-chat-latest", "omni-moderation", "mistral-large", "ollama/x", "gpt-oss-120b"]
        {
            assert!(!is_openai_reasoning(no), "{no}");
        }
    }
}
