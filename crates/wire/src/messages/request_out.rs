//! The hub's form as a Messages request.

use serde_json::{Value, json};

use super::blocks_out;
use super::claude::{self, Claude};
use crate::hub::{
    Alternation, Breakpoints, CacheControl, Content, Dialect, Effort, Flavor, Format, Impossible, Losses,
    Outgoing, Request, Role, Target, Thinking, Tool, ToolChoice, ToolKind, What, alternate, breakpoints,
    tokens_min,
};
use crate::node::Node;
use crate::writer::Writer;

/// The output cap where neither caller nor catalog names one: the dialect asks for one.
const MAX_TOKENS_DEFAULT: u64 = 8_192;
/// Calls of this tool are the answer, where a schema can be had in no other way.
const JSON_TOOL: &str = "json";

/// Writes the request.
pub fn write_request(request: &Request<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let claude = claude::facts(target.model);
    let mut losses = Losses::default();
    let mut w = Writer::with_capacity(target.room_for(request));
    w.begin_object();
    match target.flavor {
        Flavor::Vertex => w.field("anthropic_version", "vertex-2023-10-16"),
        Flavor::Bedrock => w.field("anthropic_version", "bedrock-2023-05-31"),
        _ => w.field("model", target.model),
    };
    let ceiling = target.max_output_tokens;
    let wanted = request.max_tokens.or(ceiling.map(|max| max.min(32_000))).unwrap_or(MAX_TOKENS_DEFAULT);
    let max_tokens = ceiling.map_or(wanted, |max| wanted.min(max));
    if max_tokens < wanted {
        losses.approximated("/max_tokens", &format!("the model gives at most {max_tokens}"));
    }
    let json_tool = json_tool(request, target, &claude, &mut losses);
    let forced = json_tool.is_some()
        || matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let thinking = thinking(request, &claude, max_tokens, forced, &mut losses);
    let max_tokens = thinking.raise(max_tokens, ceiling);
    w.field_json("max_tokens", &max_tokens);
    if request.stream && target.flavor != Flavor::Bedrock {
        w.field_json("stream", &true);
    }
    let mut strict = alternate(request, Alternation { system_in_place: claude.system_in_place });
    let places = match target.auto_cache {
        true => breakpoints(request, tokens_min(target.model)),
        false => Breakpoints::default(),
    };
    places.mark(&mut strict);
    blocks_out::system(&strict.system, &mut w);
    w.key("messages");
    blocks_out::messages(&strict.exchanges, target, &claude, &mut w, &mut losses)?;
    tools(request, json_tool, &places, &mut w, &mut losses);
    thinking.write(&mut w);
    output_config(request, &claude, json_tool, &thinking, &mut w);
    sampling(request, &claude, thinking.is_on(), &mut w, &mut losses);
    others(request, &mut w, &mut losses);
    w.end_object();
    Ok(Outgoing { body: w.finish(), warnings: losses.warnings, json_tool, ..Outgoing::default() })
}

/// Whether the schema must be had by a forced call.
fn json_tool(
    request: &Request<'_>,
    target: &Target<'_>,
    claude: &Claude,
    losses: &mut Losses,
) -> Option<&'static str> {
    let Some(Format::Schema { schema: Some(_), .. }) = &request.format else { return None };
    if claude.schema && target.structured_output != Some(false) {
        return None;
    }
    if !request.tools.is_empty() {
        // A forced call of ours would keep the model from calling the caller's tools.
        losses
            .approximated("/response_format", "the schema is asked for in words, since there are tools too");
        return None;
    }
    Some(JSON_TOOL)
}

/// What is said of thinking.
#[derive(Debug, PartialEq)]
enum Said {
    Nothing,
    Off,
    Budget(u64),
    Adaptive(Option<Effort>),
}

impl Said {
    fn is_on(&self) -> bool {
        matches!(self, Said::Budget(_) | Said::Adaptive(_))
    }

    /// A budget must stay below the output cap: the cap is raised where the model allows it.
    fn raise(&self, max_tokens: u64, ceiling: Option<u64>) -> u64 {
        match self {
            Said::Budget(budget) if *budget >= max_tokens => {
                let raised = budget.saturating_add(max_tokens.max(1));
                ceiling.map_or(raised, |max| raised.min(max.max(budget + 1)))
            }
            _ => max_tokens,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Said::Nothing => return,
            Said::Off => w.field_json("thinking", &json!({"type": "disabled"})),
            Said::Budget(budget) => {
                w.field_json("thinking", &json!({"type": "enabled", "budget_tokens": budget}))
            }
            Said::Adaptive(_) => w.field_json("thinking", &json!({"type": "adaptive"})),
        };
    }
}

fn thinking(
    request: &Request<'_>,
    claude: &Claude,
    max_tokens: u64,
    forced: bool,
    losses: &mut Losses,
) -> Said {
    let Some(wanted) = &request.thinking else { return Said::Nothing };
    if wanted.is_off() {
        return if claude.always_thinks || !claude.thinks { Said::Nothing } else { Said::Off };
    }
    let nothing_asked = wanted.effort.is_none()
        && wanted.budget_tokens.is_none()
        && wanted.enabled != Some(true)
        && !wanted.adaptive;
    if nothing_asked {
        return Said::Nothing;
    }
    if !claude.thinks {
        losses.dropped("/reasoning", "the model doesn't reason");
        return Said::Nothing;
    }
    if !claude.budget {
        return Said::Adaptive(
            wanted
                .effort
                .or_else(|| wanted.budget_tokens.map(|budget| Effort::of_budget(budget, max_tokens))),
        );
    }
    if forced {
        losses.dropped("/reasoning", "the model can't reason when a call is forced");
        return Said::Nothing;
    }
    Said::Budget(wanted.budget(max_tokens).unwrap_or(Thinking::BUDGET_MIN))
}

fn output_config(
    request: &Request<'_>,
    claude: &Claude,
    json_tool: Option<&'static str>,
    thinking: &Said,
    w: &mut Writer,
) {
    let effort = match thinking {
        Said::Adaptive(effort) => *effort,
        _ => None,
    };
    let effort = effort.map(|effort| match effort {
        Effort::None | Effort::Minimal => "low",
        effort => effort.name(),
    });
    // OpenAI's verbosity is the same dial under another name.
    let effort = effort.or_else(|| request.verbosity.as_deref().filter(|_| !claude.budget && claude.thinks));
    let schema = match &request.format {
        Some(Format::Schema { schema: Some(schema), .. }) if claude.schema && json_tool.is_none() => {
            Some(held_schema(*schema))
        }
        _ => None,
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    w.key("output_config").begin_object();
    w.field_some("effort", effort);
    if let Some(schema) = schema {
        w.field_json("format", &json!({"type": "json_schema", "schema": schema}));
    }
    w.end_object();
}

/// A schema as Anthropic takes it natively: closed objects, and bounds told in words.
fn held_schema(schema: Node<'_>) -> Value {
    let mut value = schema.value();
    close(&mut value, 0);
    value
}

fn close(value: &mut Value, depth: usize) {
    const BOUNDS: [&str; 9] = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    ];
    let Value::Object(map) = value else { return };
    if depth > 64 {
        return;
    }
    let told: Vec<String> =
        BOUNDS.iter().filter_map(|name| map.remove(*name).map(|bound| format!("{name}: {bound}"))).collect();
    if !told.is_empty() {
        let old = map.get("description").and_then(Value::as_str).unwrap_or_default();
        let new = format!("{old} ({})", told.join(", "));
        map.insert("description".to_owned(), new.trim().into());
    }
    if map.contains_key("properties") || map.get("type").and_then(Value::as_str) == Some("object") {
        map.insert("additionalProperties".to_owned(), false.into());
    }
    for (key, inner) in map.iter_mut() {
        match (key.as_str(), inner) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values_mut().for_each(|inner| close(inner, depth + 1));
            }
            ("anyOf" | "allOf" | "oneOf" | "prefixItems", Value::Array(list)) => {
                list.iter_mut().for_each(|inner| close(inner, depth + 1));
            }
            ("items" | "not", inner) => close(inner, depth + 1),
            _ => (),
        }
    }
}

fn tools(
    request: &Request<'_>,
    json_tool: Option<&'static str>,
    places: &Breakpoints<'_, '_>,
    w: &mut Writer,
    losses: &mut Losses,
) {
    let names = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let mut written = 0;
    let mut out = Writer::default();
    out.begin_array();
    for (at, tool) in request.tools.iter().enumerate() {
        let left_out = names.is_some_and(|names| !names.contains(&tool.name));
        written +=
            usize::from(!left_out && write_tool(request, tool, places.after_tool(at), &mut out, losses));
    }
    if let Some(search) = &request.web_search
        && request.origin != Dialect::Messages
    {
        let max_uses = search.max_uses.unwrap_or(5);
        out.json(&json!({"type": "web_search_20250305", "name": "web_search", "max_uses": max_uses}));
        written += 1;
    }
    if let (Some(name), Some(Format::Schema { schema: Some(schema), description, .. })) =
        (json_tool, &request.format)
    {
        let told = description.as_deref().unwrap_or("Gives the answer in its final form.");
        let mut schema = schema.value();
        object_schema(&mut schema);
        out.json(&json!({"name": name, "description": told, "input_schema": schema}));
        written += 1;
    }
    if written == 0 {
        // A history of calls without a tool is refused.
        written += declare_history(request, &mut out);
    }
    out.end_array();
    if written == 0 {
        return;
    }
    w.field_raw("tools", &out.finish());
    choice(request, json_tool, w);
}

fn write_tool(
    request: &Request<'_>,
    tool: &Tool<'_>,
    place: Option<CacheControl>,
    out: &mut Writer,
    losses: &mut Losses,
) -> bool {
    if let ToolKind::Hosted(node) = &tool.kind {
        if request.origin == Dialect::Messages {
            out.raw(node.raw());
            return true;
        }
        if !tool.name.contains("web_search") {
            losses.dropped(&tool.pointer, "the provider doesn't run this tool");
        }
        return false;
    }
    out.begin_object().field("name", &tool.name).field_some("description", tool.description.as_deref());
    let schema = match (&tool.kind, tool.parameters) {
        (ToolKind::Custom, _) => {
            losses.approximated(&tool.pointer, "sent as a function with one text, `input`");
            json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
        }
        (_, Some(schema)) => {
            let mut schema = schema.value();
            object_schema(&mut schema);
            schema
        }
        (_, None) => json!({"type": "object", "properties": {}}),
    };
    out.field_json("input_schema", &schema);
    if tool.strict == Some(true) {
        out.field_json("strict", &true);
    }
    blocks_out::cache(tool.cache.or(place), out);
    out.end_object();
    true
}

/// The top of a tool's schema must be an object and nothing else.
fn object_schema(schema: &mut Value) {
    let Value::Object(map) = schema else {
        *schema = json!({"type": "object", "properties": {}});
        return;
    };
    for mixed in ["anyOf", "oneOf", "allOf"] {
        map.remove(mixed);
    }
    map.remove("$schema");
    map.insert("type".to_owned(), "object".into());
    map.entry("properties").or_insert_with(|| json!({}));
}

fn declare_history(request: &Request<'_>, out: &mut Writer) -> usize {
    let mut names: Vec<&str> = Vec::new();
    request.each_block(&mut |block| {
        if let Content::ToolCall { name, .. } = &block.content
            && !names.contains(&&**name)
        {
            names.push(name);
        }
    });
    for name in &names {
        out.json(&json!({"name": name, "input_schema": {"type": "object", "properties": {}}}));
    }
    names.len()
}

fn choice(request: &Request<'_>, json_tool: Option<&'static str>, w: &mut Writer) {
    let single = request.parallel_tool_calls == Some(false);
    let mut choice = match (json_tool, &request.tool_choice) {
        (Some(name), _) => json!({"type": "tool", "name": name}),
        (None, Some(ToolChoice::None)) => json!({"type": "none"}),
        (None, Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. })) => {
            json!({"type": "any"})
        }
        (None, Some(ToolChoice::Named(name))) => json!({"type": "tool", "name": name}),
        (None, Some(ToolChoice::Auto | ToolChoice::Allowed { .. })) => json!({"type": "auto"}),
        (None, None) if single => json!({"type": "auto"}),
        (None, None) => return,
    };
    let none = choice.get("type").and_then(Value::as_str) == Some("none");
    if let Some(map) = choice.as_object_mut().filter(|_| single && !none) {
        map.insert("disable_parallel_tool_use".to_owned(), true.into());
    }
    w.field_json("tool_choice", &choice);
}

fn sampling(request: &Request<'_>, claude: &Claude, thinks: bool, w: &mut Writer, losses: &mut Losses) {
    let s = &request.sampling;
    let refused = if !claude.sampling {
        Some("the model refuses it")
    } else if thinks {
        Some("the model refuses it while it reasons")
    } else {
        None
    };
    for (name, value) in [("temperature", s.temperature), ("top_p", s.top_p), ("top_k", s.top_k)] {
        let Some(number) = value else { continue };
        let pointer = format!("/{name}");
        let both = name == "top_p" && s.temperature.is_some() && !claude.both;
        match refused.or(both.then_some("the model takes `temperature` or `top_p`, not both")) {
            Some(why) => losses.dropped(&pointer, why),
            None if name == "temperature" && number.parse::<f64>().is_ok_and(|t| t > 1.0) => {
                losses.approximated(&pointer, "the model takes at most 1");
                w.field_raw(name, b"1");
            }
            None => drop(w.field_raw(name, number.as_bytes())),
        }
    }
    let stop: Vec<&str> =
        request.stop.iter().map(AsRef::as_ref).filter(|s: &&str| !s.trim().is_empty()).collect();
    if stop.len() < request.stop.len() {
        losses.dropped("/stop", "a stop text of white space is refused");
    }
    if !stop.is_empty() {
        w.field_json("stop_sequences", &stop);
    }
    let unknown = [
        ("min_p", s.min_p.is_some()),
        ("top_a", s.top_a.is_some()),
        ("frequency_penalty", s.frequency_penalty.is_some()),
        ("presence_penalty", s.presence_penalty.is_some()),
        ("repetition_penalty", s.repetition_penalty.is_some()),
        ("seed", s.seed.is_some()),
        ("logprobs", request.logprobs.is_some()),
        ("logit_bias", request.logit_bias.is_some()),
        ("n", request.choices > 1),
        ("prediction", request.prediction.is_some()),
        ("audio", request.audio.is_some()),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, given)| *given) {
        losses.dropped(&format!("/{name}"), "the provider's dialect has no place for it");
    }
    losses.no_place(request, &["metadata", "prompt_cache_key"]);
}

fn others(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    if let Some(user) = request.user.as_deref() {
        w.field_json("metadata", &json!({ "user_id": user }));
    }
    match request.service_tier.as_deref() {
        Some(tier @ ("auto" | "standard_only")) => drop(w.field("service_tier", tier)),
        Some("priority") => drop(w.field("service_tier", "auto")),
        Some("default") => drop(w.field("service_tier", "standard_only")),
        Some(_) => losses.dropped("/service_tier", "the provider doesn't have it"),
        None => (),
    }
    blocks_out::cache(request.cache, w);
    match &request.format {
        Some(Format::Native(_)) => losses.dropped("/response_format", "the provider doesn't know this form"),
        Some(Format::JsonObject | Format::Schema { schema: None, .. }) => {
            losses.approximated(
                "/response_format",
                "JSON was asked for in words at most; the provider has no such switch",
            );
        }
        _ => (),
    }
    for rest in &request.rest {
        if request.origin == Dialect::Messages && rest.is_top_level() {
            w.field_raw(&rest.name, rest.value.raw());
        } else {
            losses.dropped(&rest.pointer, "the provider's dialect has no place for it");
        }
    }
}

/// True for an assistant's last turn that the model can't continue.
pub(super) fn refuses_prefill(role: Role, last: bool, claude: &Claude, first: &What<'_, '_>) -> bool {
    let call = matches!(first, What::Block(block) if matches!(block.content, Content::ToolCall { .. }));
    role == Role::Assistant && last && !claude.prefill && !call
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai_chat::{Adapt, read_request};

    fn write(model: &str, body: &str) -> (Value, Vec<String>) {
        let request = read_request(body.as_bytes()).unwrap();
        let (adapt, fetched) = (Adapt::default(), crate::hub::Fetched::new());
        let target = Target {
            model,
            max_output_tokens: Some(64_000),
            flavor: Flavor::Direct,
            adapt: &adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched: &fetched,
        };
        let outgoing = write_request(&request, &target).unwrap();
        let body = serde_json::from_slice(&outgoing.body).unwrap();
        (body, outgoing.warnings.into_iter().map(|w| w.pointer).collect())
    }

    const TOOL: &str =
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","anyOf":[]}}}]"#;

    #[test]
    fn a_rich_conversation_becomes_strict() {
        let body = format!(
            r#"{{"messages":[{{"role":"system","content":[{{"type":"text","text":"S","cache_control":{{"type":"ephemeral","ttl":"1h"}}}}]}},
            {{"role":"user","content":[{{"type":"text","text":"Q"}},{{"type":"image_url","image_url":{{"url":"data:image/jpg;base64,/9j/AAAA"}}}}]}},
            {{"role":"assistant","content":"","reasoning_details":[{{"type":"reasoning.text","text":"hm","signature":"sig","format":"anthropic-claude-v1"}}],
              "tool_calls":[{{"id":"call.1","function":{{"name":"f","arguments":""}}}}]}},
            {{"role":"tool","tool_call_id":"call.1","content":"42"}},{{"role":"user","content":"and?"}}],
            "temperature":1.5,"seed":1,"stop":["x"," "],"parallel_tool_calls":false,"reasoning_effort":"high",{TOOL}}}"#
        );
        let (out, warned) = write("claude-sonnet-4-5", &body);
        assert_eq!(out["system"][0]["cache_control"]["ttl"], "1h");
        assert_eq!(out["messages"][0]["content"][1]["source"]["media_type"], "image/jpeg");
        let said = &out["messages"][1]["content"];
        assert_eq!((said[0]["signature"].as_str(), said[1]["input"].to_string()), (Some("sig"), "{}".into()));
        assert_eq!(out["messages"][2]["content"][0]["tool_use_id"], said[1]["id"]);
        assert_eq!(out["messages"][2]["content"][1]["text"], "and?");
        assert_eq!(out["thinking"]["budget_tokens"], 25_600);
        assert_eq!(
            (out["max_tokens"].as_u64(), out["stop_sequences"][0].as_str()),
            (Some(32_000), Some("x"))
        );
        assert_eq!(out["tool_choice"]["disable_parallel_tool_use"], true);
        assert!(out["tools"][0]["input_schema"].get("anyOf").is_none());
        assert!(out.get("temperature").is_none());
        assert_eq!(warned, ["/temperature", "/stop", "/seed"]);
    }

    #[test]
    fn newer_models_think_by_effort_and_hold_schemas_natively() {
        let body = r#"{"messages":[{"role":"user","content":"x"}],"reasoning":{"effort":"minimal"},
            "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}}}}"#;
        let (out, _) = write("claude-opus-4-7", body);
        assert_eq!(out["thinking"]["type"], "adaptive");
        assert_eq!(out["output_config"]["effort"], "low");
        let schema = &out["output_config"]["format"]["schema"];
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["a"]["description"], "(minimum: 1)");
        let (old, _) = write("claude-3-5-haiku", body);
        assert_eq!((old["tool_choice"]["name"].as_str(), old.get("thinking")), (Some("json"), None));
    }
}
