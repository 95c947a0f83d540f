//! A request as Google wants it.

use serde_json::Value;

use super::model::Model;
use super::names::Names;
use super::parts_out::PartsOut;
use super::pointer::pointer;
use super::schema;
use super::settings::Settings;
use crate::hub::{
    Alternation, Content, Dialect, Exchange, Format, Impossible, Item, Losses, Outgoing, Request, Role,
    Strict, Target, Tool, ToolChoice, ToolKind, What, alternate,
};
use crate::writer::Writer;

/// Writes a `generateContent` body. The model and whether to stream go into the URL ([`path`](super::path)).
pub fn write_request(request: &Request<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let model = Model::read(target.model);
    let names = Names::of(request);
    let mut losses = Losses::default();
    let strict = alternate(request, Alternation::default());
    let functions = functions(request, &mut losses);
    let instruction = instruction(request, target, model, !functions.is_empty(), &mut losses);
    let mut w = Writer::with_capacity(target.room_for(request));
    w.begin_object();
    let mut parts = PartsOut::new(request, target, model, &names, &mut w, &mut losses);
    conversation(&mut parts, &strict, model, instruction.as_deref())?;
    let searches = tools(request, &functions, model, &names, &mut w, &mut losses);
    if !functions.is_empty() {
        choice(request, &names, &mut w, &mut losses);
    }
    let mut settings = Settings { request, target, model, losses: &mut losses };
    let config = settings.write(instruction.is_none());
    if config.len() > 2 {
        w.field_raw("generationConfig", &config);
    }
    if !searches {
        let why = "Google Search can't be used beside functions";
        losses.dropped(&pointer(request.origin, "web_search"), why);
    }
    for rest in &request.rest {
        let below = |name: &str| rest.pointer.contains(name);
        match (request.origin, &*rest.name) {
            (Dialect::Gemini, _) if below("/generationConfig/") || below("/generation_config/") => (),
            (Dialect::Gemini, _) if below("/toolConfig/") || below("/tool_config/") => {
                losses.dropped(&rest.pointer, "only functions are configured");
            }
            (Dialect::Gemini, name) => drop(w.field_raw(name, rest.value.raw())),
            (_, "image_config") => (),
            _ => losses.dropped(&rest.pointer, "Gemini has nothing like it"),
        }
    }
    w.end_object();
    losses.no_breakpoints(request);
    Ok(Outgoing {
        body: w.finish(),
        warnings: losses.warnings,
        renamed_tools: names.renamed(),
        ..Outgoing::default()
    })
}

fn conversation<'r, 'b>(
    parts: &mut PartsOut<'r, 'b, '_>,
    strict: &Strict<'r, 'b>,
    model: Model,
    instruction: Option<&str>,
) -> Result<(), Impossible> {
    if model.gemini && (!strict.system.is_empty() || instruction.is_some()) {
        parts.w.key("systemInstruction").begin_object().key("parts").begin_array();
        system(parts, &strict.system, instruction);
        parts.w.end_array().end_object();
    }
    parts.w.key("contents").begin_array();
    for (at, exchange) in strict.exchanges.iter().enumerate() {
        parts.w.begin_object().field("role", role(exchange)).key("parts").begin_array();
        // Open models take no system instruction: it opens the conversation instead.
        if at == 0 && !model.gemini {
            system(parts, &strict.system, instruction);
        }
        parts.exchange(exchange)?;
        parts.w.end_array().end_object();
    }
    parts.w.end_array();
    Ok(())
}

fn role(exchange: &Exchange<'_, '_>) -> &'static str {
    if exchange.role == Role::Assistant { "model" } else { "user" }
}

/// System instructions are text only.
fn system(parts: &mut PartsOut<'_, '_, '_>, items: &[Item<'_, '_>], instruction: Option<&str>) {
    for item in items {
        match item.what {
            What::Block(block) => match &block.content {
                Content::Text(text) => parts.text(text, None),
                _ => parts.losses.dropped(&block.pointer, "instructions of the system are text only"),
            },
            What::System(text) => parts.text(text, None),
            _ => (),
        }
    }
    if let Some(text) = instruction {
        parts.text(text, None);
    }
}

/// The form of the answer as an instruction, where the model can't be given it as a setting.
fn instruction(
    request: &Request<'_>,
    target: &Target<'_>,
    model: Model,
    has_functions: bool,
    losses: &mut Losses,
) -> Option<String> {
    let schema = match request.format.as_ref()? {
        Format::JsonObject => None,
        Format::Schema { schema, .. } => *schema,
        Format::Native(_) => return None,
    };
    let natively = model.gemini
        && target.structured_output != Some(false)
        && (!has_functions || model.takes_format_with_tools());
    if natively {
        return None;
    }
    let pointer = pointer(request.origin, "response_format");
    losses.approximated(&pointer, "the model can't be held to it here, and was told in words");
    let form = match schema.and_then(|schema| std::str::from_utf8(schema.raw()).ok()) {
        Some(schema) => format!("that follows this JSON Schema: {schema}"),
        None => "object".to_owned(),
    };
    Some(format!("Answer with nothing but one JSON {form}"))
}

/// The functions that are declared. A choice among some of them that may also be none leaves the others out: Google has no
/// other way to say it.
fn functions<'r, 'b>(request: &'r Request<'b>, losses: &mut Losses) -> Vec<&'r Tool<'b>> {
    let mut functions = Vec::new();
    for tool in &request.tools {
        match &tool.kind {
            ToolKind::Function => (),
            ToolKind::Custom => {
                losses.approximated(&tool.pointer, "it was offered as a function with one text, `input`");
            }
            ToolKind::Hosted(_) => continue,
        }
        let allowed = match &request.tool_choice {
            Some(ToolChoice::Allowed { names, required: false }) => names.contains(&tool.name),
            _ => true,
        };
        if allowed {
            functions.push(tool);
        }
    }
    functions
}

/// Writes `tools`; true when web search is among them, or was not asked for.
fn tools(
    request: &Request<'_>,
    functions: &[&Tool<'_>],
    model: Model,
    names: &Names,
    w: &mut Writer,
    losses: &mut Losses,
) -> bool {
    let own =
        |tool: &&Tool<'_>| request.origin == Dialect::Gemini && matches!(tool.kind, ToolKind::Hosted(_));
    let own: Vec<&Tool<'_>> = request.tools.iter().filter(own).collect();
    let own_search = own.iter().any(|tool| tool.name.starts_with("googleSearch"));
    let search = request.web_search.is_some() && functions.is_empty();
    for tool in request.tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Hosted(_))) {
        let is_search = request.web_search.is_some() && tool.name.contains("search");
        if request.origin != Dialect::Gemini && !is_search {
            losses.dropped(&tool.pointer, "Gemini has no such tool of its own");
        }
    }
    if !functions.is_empty() || search || !own.is_empty() {
        w.key("tools").begin_array();
        if !functions.is_empty() {
            w.begin_object().key("functionDeclarations").begin_array();
            functions.iter().for_each(|tool| function(request.origin, tool, model, names, w, losses));
            w.end_array().end_object();
        }
        for tool in &own {
            if let ToolKind::Hosted(node) = tool.kind {
                w.begin_object().field_raw(&tool.name, node.raw()).end_object();
            }
        }
        if let (Some(web), true, false) = (&request.web_search, search, own_search) {
            w.begin_object().key("googleSearch").begin_object().end_object().end_object();
            let limits = !web.allowed_domains.is_empty() || !web.blocked_domains.is_empty();
            if limits || web.max_uses.is_some() || web.context_size.is_some() || web.user_location.is_some() {
                let pointer = pointer(request.origin, "web_search");
                losses.approximated(&pointer, "Google Search takes none of its settings");
            }
        }
        w.end_array();
    }
    request.web_search.is_none() || search || own_search
}

fn function(
    origin: Dialect,
    tool: &Tool<'_>,
    model: Model,
    names: &Names,
    w: &mut Writer,
    losses: &mut Losses,
) {
    w.begin_object().field("name", names.sent(&tool.name));
    w.field_some("description", tool.description.as_deref().filter(|text| !text.is_empty()));
    let plain = model.takes_json_schema();
    let key = if plain { "parametersJsonSchema" } else { "parameters" };
    if matches!(tool.kind, ToolKind::Custom) {
        let string = if plain { "string" } else { "STRING" };
        let object = if plain { "object" } else { "OBJECT" };
        let schema = serde_json::json!({"type": object, "properties": {"input": {"type": string}}, "required": ["input"]});
        w.field_json(key, &schema);
    } else if let Some(node) = tool.parameters.filter(|node| node.raw().starts_with(b"{")) {
        let takes_some = node.members().iter().any(|(key, value)| match &**key {
            "properties" => !value.members().is_empty(),
            key => {
                !matches!(key, "type" | "required" | "additionalProperties" | "$schema" | "title" | "strict")
            }
        });
        match (takes_some, plain) {
            // Empty lists of properties are refused; a function without parameters has no schema.
            (false, _) => (),
            (true, true) => drop(w.field_raw(key, node.raw())),
            (true, false) => drop(w.field_json(key, &schema::clean(&node.value()))),
        }
    }
    if tool.strict == Some(true) {
        let inner = if origin == Dialect::Chat { "/function" } else { "" };
        let pointer = format!("{}{inner}/strict", tool.pointer);
        losses.approximated(&pointer, "Gemini follows schemas of functions without a promise");
    }
    w.end_object();
}

fn choice(request: &Request<'_>, names: &Names, w: &mut Writer, losses: &mut Losses) {
    if request.parallel_tool_calls == Some(false) {
        let why = "Gemini can't be kept from calling several functions at once";
        losses.dropped(&pointer(request.origin, "parallel_tool_calls"), why);
    }
    let (mode, allowed): (&str, Vec<&str>) = match &request.tool_choice {
        None => return,
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("AUTO", Vec::new()),
        Some(ToolChoice::None) => ("NONE", Vec::new()),
        Some(ToolChoice::Required) => ("ANY", Vec::new()),
        Some(ToolChoice::Named(name)) => ("ANY", vec![name]),
        Some(ToolChoice::Allowed { names, required: true }) => {
            ("ANY", names.iter().map(AsRef::as_ref).collect())
        }
    };
    w.key("toolConfig").begin_object().key("functionCallingConfig").begin_object().field("mode", mode);
    if !allowed.is_empty() {
        w.key("allowedFunctionNames").begin_array();
        for name in allowed {
            w.string(names.sent(name));
        }
        w.end_array();
    }
    w.end_object().end_object();
}

/// The schema of the answer's form, for [`Settings`].
pub(super) fn answer_schema(w: &mut Writer, schema: crate::node::Node<'_>, model: Model) {
    if model.takes_json_schema() {
        w.field_raw("responseJsonSchema", schema.raw());
    } else {
        let cleaned: Value = schema::clean(&schema.value());
        w.field_json("responseSchema", &cleaned);
    }
}

#[cfg(test)]
mod tests;
