//! The hub's form as a Converse request.

use serde_json::{Map, Value, json};

use crate::hub::{
    Alternation, Block, Breakpoints, CacheControl, Content, Effort, Format, Impossible, Item, Losses,
    Outgoing, Request, Role, SealFormat, Source, Target, Thinking, Tool, ToolChoice, ToolKind, What,
    alternate, breakpoints, tokens_min,
};
use crate::writer::Writer;

/// Calls of this tool are the answer, where a schema can be had in no other way.
const JSON_TOOL: &str = "json";

/// Writes the request. Path and query name model and streaming.
pub fn write_request(request: &Request<'_>, target: &Target<'_>) -> Result<Outgoing, Impossible> {
    let mut losses = Losses::default();
    let claude = target.model.contains("claude");
    let json_tool = match &request.format {
        Some(Format::Schema { schema: Some(_), .. }) if request.tools.is_empty() => Some(JSON_TOOL),
        Some(Format::Schema { .. } | Format::JsonObject) => {
            losses.approximated("/response_format", "the form is asked for in words at most");
            None
        }
        Some(Format::Native(_)) => {
            losses.dropped("/response_format", "the provider doesn't know this form");
            None
        }
        None => None,
    };
    let mut strict = alternate(request, Alternation::default());
    // Only Claude's requests may have cache points.
    let places = match target.auto_cache && claude {
        true => breakpoints(request, tokens_min(target.model)),
        false => Breakpoints::default(),
    };
    places.mark(&mut strict);
    let mut w = Writer::with_capacity(target.room_for(request));
    w.begin_object();
    system(&strict.system, &mut w);
    w.key("messages").begin_array();
    let mut names = Names::default();
    for exchange in &strict.exchanges {
        let role = if exchange.role == Role::Assistant { "assistant" } else { "user" };
        w.begin_object().field("role", role).key("content").begin_array();
        let before = w.len();
        let mut lone_document = false;
        for item in &exchange.items {
            lone_document |=
                matches!(item.what, What::Block(block) if matches!(block.content, Content::File { .. }));
            write_item(item, target, &mut names, &mut w, &mut losses)?;
        }
        let has_text = exchange.items.iter().any(|item| is_text(item.what));
        if w.len() == before || (lone_document && !has_text) {
            w.json(&json!({"text": "."}));
        }
        w.end_array().end_object();
    }
    w.end_array();
    tools(request, target, json_tool, &places, &mut w, &mut losses);
    inference(request, target, claude, json_tool.is_some(), &mut w, &mut losses);
    w.end_object();
    Ok(Outgoing { body: w.finish(), warnings: losses.warnings, json_tool, ..Outgoing::default() })
}

fn is_text(what: What<'_, '_>) -> bool {
    match what {
        What::Block(block) => matches!(block.content, Content::Text(_)),
        What::System(_) | What::Placeholder => true,
        _ => false,
    }
}

fn cache_point(cache: Option<CacheControl>, w: &mut Writer) {
    let Some(cache) = cache else { return };
    w.begin_object().key("cachePoint").begin_object().field("type", "default");
    if cache.hour {
        w.field("ttl", "1h");
    }
    w.end_object().end_object();
}

fn system(items: &[Item<'_, '_>], w: &mut Writer) {
    if items.is_empty() {
        return;
    }
    w.key("system").begin_array();
    for item in items {
        let text = match item.what {
            What::Block(Block { content: Content::Text(text), .. }) => text.as_ref(),
            What::System(text) => text,
            _ => continue,
        };
        w.begin_object().field("text", text).end_object();
        cache_point(item.cache, w);
    }
    w.end_array();
}

/// Names of documents, cleaned and made unique; ids of calls, made to fit.
#[derive(Debug, Default)]
struct Names {
    documents: Vec<String>,
}

impl Names {
    fn document(&mut self, wanted: &str) -> String {
        let stem = wanted.rsplit_once('.').map_or(wanted, |(stem, _)| stem);
        let mut clean = String::new();
        for c in stem.chars().take(150) {
            let allowed = c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
            match (allowed, clean.ends_with(' ')) {
                (true, _) => clean.push(c),
                (false, false) if !clean.is_empty() => clean.push(' '),
                _ => (),
            }
        }
        let clean = if clean.trim().is_empty() { "document" } else { clean.trim() };
        let mut name = clean.to_owned();
        let mut again = 1;
        while self.documents.contains(&name) {
            again += 1;
            name = format!("{clean} {again}");
        }
        self.documents.push(name.clone());
        name
    }
}

/// At most 64 of the allowed characters; what is longer ends in a hash of the whole.
fn fit_id(id: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    let clean: String = id.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    if clean.is_empty() {
        return String::from("call_0");
    }
    if clean.len() <= 64 {
        return clean;
    }
    let hash =
        id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{}{hash:016x}", clean.get(..48).unwrap_or_default())
}

fn write_item(
    item: &Item<'_, '_>,
    target: &Target<'_>,
    names: &mut Names,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    match item.what {
        What::Block(block) => write_block(block, target, names, w, losses)?,
        What::System(text) => drop(w.begin_object().field("text", text).end_object()),
        What::Placeholder => drop(w.begin_object().field("text", ".").end_object()),
        What::Missing { id, .. } => {
            let content = json!([{"text": "No result was given."}]);
            w.json(&json!({"toolResult": {"toolUseId": fit_id(id), "content": content, "status": "error"}}));
        }
        What::Orphan(block) => {
            losses.approximated(&block.pointer, "the result of an unknown call is told as text");
            if let Content::ToolResult { content, .. } = &block.content {
                for part in content {
                    write_block(part, target, names, w, losses)?;
                }
            }
        }
    }
    cache_point(item.cache, w);
    Ok(())
}

fn write_block(
    block: &Block<'_>,
    target: &Target<'_>,
    names: &mut Names,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    match &block.content {
        Content::Text(text) | Content::Refusal(text) => {
            if !text.trim().is_empty() {
                w.begin_object().field("text", text).end_object();
            }
        }
        Content::Image { source, .. } => {
            let (kind, data) = bytes(block, source, target)?;
            let format = kind.rsplit('/').next().unwrap_or("png");
            let format = if format == "jpg" { "jpeg" } else { format };
            w.begin_object().key("image").begin_object().field("format", format);
            w.key("source").begin_object().field("bytes", &data).end_object().end_object().end_object();
        }
        Content::File { source: Source::Text(text), .. } => {
            w.begin_object().field("text", text).end_object();
        }
        Content::File { source, filename } => {
            let (kind, data) = bytes(block, source, target)?;
            let filename = filename.as_deref().unwrap_or("document");
            w.begin_object().key("document").begin_object().field("format", document_format(&kind, filename));
            w.field("name", &names.document(filename)).key("source").begin_object();
            w.field("bytes", &data).end_object().end_object().end_object();
        }
        Content::Audio { source } | Content::Video { source } => {
            let (kind, data) = bytes(block, source, target)?;
            let key = if matches!(block.content, Content::Audio { .. }) { "audio" } else { "video" };
            let format = match kind.rsplit('/').next().unwrap_or("wav") {
                "mpeg" if key == "audio" => "mp3",
                other => other,
            };
            w.begin_object().key(key).begin_object().field("format", format);
            w.key("source").begin_object().field("bytes", &data).end_object().end_object().end_object();
        }
        Content::Reasoning { text, seal, .. } => match seal {
            Some(seal) if seal.format == SealFormat::Anthropic && seal.signature => {
                let told = json!({"text": text, "signature": seal.data});
                w.json(&json!({"reasoningContent": {"reasoningText": told}}));
            }
            Some(seal) if seal.format == SealFormat::Anthropic => {
                w.json(&json!({"reasoningContent": {"redactedContent": seal.data}}));
            }
            _ => losses.dropped(&block.pointer, "only the provider that made the reasoning can take it back"),
        },
        Content::ToolCall { id, name, arguments, custom, .. } => {
            let input = object(arguments, *custom);
            w.json(&json!({"toolUse": {"toolUseId": fit_id(id), "name": name, "input": input}}));
        }
        Content::ToolResult { id, content, is_error, .. } => {
            w.begin_object().key("toolResult").begin_object().field("toolUseId", &fit_id(id));
            w.key("content").begin_array();
            let before = w.len();
            for part in content {
                write_block(part, target, names, w, losses)?;
            }
            if w.len() == before {
                w.json(&json!({"text": "(empty)"}));
            }
            w.end_array();
            if *is_error {
                w.field("status", "error");
            }
            w.end_object().end_object();
        }
        Content::Native(_) => losses.dropped(&block.pointer, "the provider's dialect has no place for it"),
    }
    Ok(())
}

fn object(arguments: &str, custom: bool) -> Value {
    let wrapped = |key: &str| json!({ key: arguments });
    if custom {
        return wrapped("input");
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(map)) => Value::Object(map),
        _ if arguments.trim().is_empty() => json!({}),
        _ => wrapped("_raw"),
    }
}

/// Media type and base64: the dialect takes no addresses.
fn bytes(
    block: &Block<'_>,
    source: &Source<'_>,
    target: &Target<'_>,
) -> Result<(String, String), Impossible> {
    let (kind, data) = match source {
        Source::Base64 { media_type, data } => (media_type.to_string(), data.to_string()),
        Source::Url(url) => target.fetched.get(&**url).cloned().ok_or_else(|| {
            Impossible::new(&block.pointer, "is an address, and the provider takes bytes only")
        })?,
        Source::Text(_) | Source::FileId(_) => {
            return Err(Impossible::new(
                &block.pointer,
                "is a file that only another provider holds; send its bytes as a `data:` URL",
            ));
        }
    };
    const MAGIC: [(&str, &str); 5] = [
        ("/9j/", "image/jpeg"),
        ("iVBORw0KGgo", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    let sniffed =
        MAGIC.into_iter().find(|(magic, _)| data.starts_with(magic)).map(|(_, kind)| kind.to_owned());
    Ok((
        sniffed.filter(|found| found.starts_with("image") == kind.starts_with("image")).unwrap_or(kind),
        data,
    ))
}

fn document_format(kind: &str, filename: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];
    let extension = filename.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    if let Some(known) = KNOWN.into_iter().find(|known| *known == extension) {
        return known;
    }
    match kind {
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        "text/plain" => "txt",
        _ => "pdf",
    }
}

fn tools(
    request: &Request<'_>,
    target: &Target<'_>,
    json_tool: Option<&'static str>,
    places: &Breakpoints<'_, '_>,
    w: &mut Writer,
    losses: &mut Losses,
) {
    let mut specs: Vec<Value> = Vec::new();
    let names = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let offered = |tool: &Tool<'_>| names.is_none_or(|names| names.contains(&tool.name));
    for (at, tool) in request.tools.iter().enumerate().filter(|(_, tool)| offered(tool)) {
        specs.extend(spec(tool, places.after_tool(at), losses));
    }
    if request.web_search.is_some() {
        losses.dropped("/web_search_options", "the provider doesn't search the web");
    }
    if let (Some(name), Some(Format::Schema { schema: Some(schema), .. })) = (json_tool, &request.format) {
        let description = "Gives the answer in its final form.";
        let spec = json!({"name": name, "description": description, "inputSchema": {"json": schema.value()}});
        specs.push(json!({ "toolSpec": spec }));
    }
    let mut called: Vec<String> = Vec::new();
    request.each_block(&mut |block| {
        if let Content::ToolCall { name, .. } = &block.content
            && !called.iter().any(|known| known == name)
        {
            called.push(name.to_string());
        }
    });
    if specs.is_empty() {
        // A history of calls without tools is refused.
        let empty = json!({"json": {"type": "object", "properties": {}}});
        specs.extend(called.iter().map(|name| json!({"toolSpec": {"name": name, "inputSchema": empty}})));
    }
    if specs.is_empty() || (request.tool_choice == Some(ToolChoice::None) && called.is_empty()) {
        return;
    }
    if request.tool_choice == Some(ToolChoice::None) {
        losses.approximated("/tool_choice", "the provider can't forbid calls");
    }
    let forces = ["claude", "mistral", "nova"].iter().any(|family| target.model.contains(family));
    let choice = match (json_tool, &request.tool_choice) {
        (Some(name), _) => Some(json!({"tool": {"name": name}})),
        (None, Some(ToolChoice::Named(name))) if forces => Some(json!({"tool": {"name": name}})),
        (None, Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. })) if forces => {
            Some(json!({"any": {}}))
        }
        (None, Some(ToolChoice::Named(_) | ToolChoice::Required)) => {
            losses.approximated("/tool_choice", "the model decides by itself whether to call a tool");
            None
        }
        _ => None,
    };
    let mut config = json!({ "tools": specs });
    if let (Some(choice), Some(map)) = (choice, config.as_object_mut()) {
        map.insert("toolChoice".to_owned(), choice);
    }
    w.field_json("toolConfig", &config);
}

fn spec(tool: &Tool<'_>, place: Option<CacheControl>, losses: &mut Losses) -> Vec<Value> {
    let schema = match (&tool.kind, tool.parameters) {
        (ToolKind::Hosted(_), _) => {
            losses.dropped(&tool.pointer, "the provider doesn't run this tool");
            return Vec::new();
        }
        (ToolKind::Custom, _) => {
            losses.approximated(&tool.pointer, "sent as a function with one text, `input`");
            json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
        }
        (ToolKind::Function, Some(schema)) => schema.value(),
        (ToolKind::Function, None) => json!({"type": "object", "properties": {}}),
    };
    let mut spec = json!({"name": tool.name, "inputSchema": {"json": schema}});
    let description = tool.description.as_deref().filter(|text| !text.trim().is_empty());
    if let (Some(description), Some(map)) = (description, spec.as_object_mut()) {
        map.insert("description".to_owned(), description.into());
    }
    let mut all = vec![json!({ "toolSpec": spec })];
    if tool.cache.or(place).is_some() {
        all.push(json!({"cachePoint": {"type": "default"}}));
    }
    all
}

fn inference(
    request: &Request<'_>,
    target: &Target<'_>,
    claude: bool,
    forced: bool,
    w: &mut Writer,
    losses: &mut Losses,
) {
    let s = &request.sampling;
    let mut more = Map::new();
    let max_tokens = request.max_tokens.map(|max| target.max_output_tokens.map_or(max, |most| max.min(most)));
    let budget = thinking(request, target, claude, forced, max_tokens, &mut more, losses);
    w.key("inferenceConfig").begin_object();
    if let Some(max) = max_tokens {
        let max = budget.map_or(max, |budget| if budget >= max { budget.saturating_add(max) } else { max });
        w.field_json("maxTokens", &max);
    }
    for (name, key, value) in [("temperature", "temperature", s.temperature), ("top_p", "topP", s.top_p)] {
        match value {
            Some(_) if budget.is_some() => {
                losses.dropped(&format!("/{name}"), "the model refuses it while it reasons");
            }
            Some(number) => drop(w.field_raw(key, number.as_bytes())),
            None => (),
        }
    }
    let stop: Vec<&str> =
        request.stop.iter().map(AsRef::as_ref).filter(|s: &&str| !s.trim().is_empty()).collect();
    if !stop.is_empty() {
        w.field_json("stopSequences", &stop);
    }
    w.end_object();
    if let Some(top_k) = s.top_k.and_then(|number| serde_json::from_str::<Value>(number).ok()) {
        more.insert("top_k".to_owned(), top_k);
    }
    if !more.is_empty() {
        w.field_json("additionalModelRequestFields", &more);
    }
    match request.service_tier.as_deref() {
        Some(tier @ ("priority" | "default" | "flex")) => {
            w.field_json("serviceTier", &json!({ "type": tier }));
        }
        Some("auto") | None => (),
        Some(_) => losses.dropped("/service_tier", "the provider doesn't have it"),
    }
    let unknown = [
        ("seed", s.seed.is_some()),
        ("min_p", s.min_p.is_some()),
        ("top_a", s.top_a.is_some()),
        ("frequency_penalty", s.frequency_penalty.is_some()),
        ("presence_penalty", s.presence_penalty.is_some()),
        ("repetition_penalty", s.repetition_penalty.is_some()),
        ("logprobs", request.logprobs.is_some()),
        ("logit_bias", request.logit_bias.is_some()),
        ("n", request.choices > 1),
        ("prediction", request.prediction.is_some()),
        ("parallel_tool_calls", request.parallel_tool_calls == Some(false)),
    ];
    for (name, _) in unknown.into_iter().filter(|(_, given)| *given) {
        losses.dropped(&format!("/{name}"), "the provider's dialect has no place for it");
    }
    losses.no_place(request, &["user", "verbosity", "metadata", "prompt_cache_key", "audio"]);
    for rest in &request.rest {
        losses.dropped(&rest.pointer, "the provider's dialect has no place for it");
    }
}

/// Asks Claude to reason; answers the budget.
fn thinking(
    request: &Request<'_>,
    target: &Target<'_>,
    claude: bool,
    forced: bool,
    max_tokens: Option<u64>,
    more: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Option<u64> {
    let wanted = request.thinking.as_ref().filter(|wanted| !wanted.is_off())?;
    let asked = wanted.effort.is_some()
        || wanted.budget_tokens.is_some()
        || wanted.enabled == Some(true)
        || wanted.adaptive;
    if !asked {
        return None;
    }
    if !claude || target.reasoning == Some(false) {
        losses.dropped("/reasoning", "the model's reasoning can't be asked for here");
        return None;
    }
    if forced {
        losses.dropped("/reasoning", "the model can't reason when a call is forced");
        return None;
    }
    let budget = wanted
        .budget(max_tokens.unwrap_or(16_384))
        .or(wanted.effort.map(|effort: Effort| effort.per_mille().saturating_mul(16)))
        .unwrap_or(Thinking::BUDGET_MIN);
    more.insert("thinking".to_owned(), json!({"type": "enabled", "budget_tokens": budget}));
    Some(budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Fetched, Flavor};
    use crate::openai_chat::{Adapt, read_request};

    #[test]
    fn a_rich_conversation_fits_the_dialect() {
        let body = r#"{"messages":[{"role":"system","content":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}]},
            {"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.jpg"}},{"type":"file","file":{"filename":"a/b..pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]},
            {"role":"assistant","tool_calls":[{"id":"call/1","function":{"name":"f","arguments":"oops"}}]},
            {"role":"tool","tool_call_id":"call/1","content":""}],
            "max_tokens":100,"seed":1,"reasoning":{"max_tokens":2000},"temperature":0.5}"#;
        let request = read_request(body.as_bytes()).unwrap();
        let (adapt, nothing) = (Adapt::default(), Fetched::new());
        let fetched = Fetched::from([("https://x/y.jpg".into(), ("image/jpeg".into(), "/9j/AA".into()))]);
        let target = |fetched| Target {
            model: "anthropic.claude-x",
            max_output_tokens: None,
            flavor: Flavor::Bedrock,
            adapt: &adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched,
        };
        let refused = write_request(&request, &target(&nothing)).unwrap_err();
        assert_eq!(refused.pointer, "/messages/1/content/0");
        let outgoing = write_request(&request, &target(&fetched)).unwrap();
        let out: Value = serde_json::from_slice(&outgoing.body).unwrap();
        assert_eq!(out["system"][1]["cachePoint"]["type"], "default");
        let user = &out["messages"][0]["content"];
        assert_eq!(
            (&user[0]["image"]["format"], &user[1]["document"]["name"]),
            (&"jpeg".into(), &"a b".into())
        );
        assert_eq!(user[2]["text"], ".");
        assert_eq!(out["messages"][1]["content"][0]["toolUse"]["input"]["_raw"], "oops");
        assert_eq!(out["messages"][2]["content"][0]["toolResult"]["toolUseId"], "call_1");
        assert_eq!(out["toolConfig"]["tools"][0]["toolSpec"]["name"], "f");
        assert_eq!(out["inferenceConfig"], json!({"maxTokens": 2100}));
        assert_eq!(out["additionalModelRequestFields"]["thinking"]["budget_tokens"], 2000);
        let warned: Vec<_> = outgoing.warnings.iter().map(|w| w.pointer.as_str()).collect();
        assert_eq!(warned, ["/temperature", "/seed"]);
        assert!(fit_id(&"x".repeat(100)).len() == 64);
    }
}
