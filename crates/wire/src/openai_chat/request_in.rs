//! A caller's chat request as the hub's form: every field and part of OpenAI's and OpenRouter's contract.

use std::borrow::Cow;

use super::RequestError;
use super::parts_in;
use crate::hub::{
    CacheControl, Dialect, Effort, Format, Request, Rest, Thinking, Tool, ToolChoice, ToolKind, WebSearch,
};
use crate::node::Node;

/// Served by the gateway itself, or said elsewhere in the request.
const OURS: [&str; 19] = [
    "auto_cache",
    "requesty",
    "model",
    "models",
    "provider",
    "route",
    "session_id",
    "trace",
    "usage",
    "sandbox",
    "debug",
    "transforms",
    "preset",
    "stream_options",
    "messages",
    "n",
    "store",
    "max_tool_calls",
    "stop_server_tools_when",
];

/// Reads a request whose types were checked by `ChatRequest::scan`; what is odd all the same is left out.
pub fn read_request(body: &[u8]) -> Result<Request<'_>, RequestError> {
    let mut request = Request::new(Dialect::Chat);
    for (key, value) in Node::parse(body)?.members() {
        if key == "messages" {
            request.turns = parts_in::turns(value);
            request.name_results();
        }
        if key == "n" {
            request.choices = value.u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        }
        if !OURS.contains(&&*key) && !field(&mut request, &key, value) {
            let pointer = format!("/{key}");
            request.rest.push(Rest { pointer, name: key, value });
        }
    }
    Ok(request)
}

/// Takes one field; false when no form names it.
fn field<'b>(request: &mut Request<'b>, key: &str, value: Node<'b>) -> bool {
    match key {
        "stream" => request.stream = value.bool().unwrap_or(false),
        "max_tokens" | "max_completion_tokens" => request.max_tokens = value.u64().or(request.max_tokens),
        "stop" => {
            request.stop = match value.string() {
                Some(one) => vec![one],
                None => value.elements().into_iter().filter_map(Node::string).collect(),
            };
        }
        "tools" => {
            let tools = value.elements().into_iter().enumerate();
            request.tools.extend(tools.filter_map(|(at, tool)| read_tool(tool, &format!("/tools/{at}"))));
        }
        "functions" => {
            for (at, function) in value.elements().into_iter().enumerate() {
                request.tools.extend(function_tool(function, None, format!("/functions/{at}")));
            }
        }
        "tool_choice" | "function_call" => request.tool_choice = tool_choice(value),
        "parallel_tool_calls" => request.parallel_tool_calls = value.bool(),
        "response_format" => request.format = format(value),
        "verbosity" => request.verbosity = value.string(),
        "service_tier" => request.service_tier = value.string(),
        "user" | "safety_identifier" => request.user = value.string().or(request.user.take()),
        "cache_control" => request.cache = CacheControl::read(value),
        "prompt_cache_key" => request.prompt_cache_key = value.string(),
        "metadata" => request.metadata = Some(value),
        "prediction" => request.prediction = Some(value),
        "logit_bias" => request.logit_bias = Some(value),
        "audio" => request.audio = Some(value),
        "modalities" => {
            request.modalities = value.elements().into_iter().filter_map(Node::string).collect();
        }
        "logprobs" => {
            if value.bool() == Some(true) {
                request.logprobs.get_or_insert(0);
            }
        }
        "top_logprobs" => request.logprobs = value.u64().and_then(|n| u32::try_from(n).ok()),
        "web_search_options" => request.web_search = Some(web_search(value)),
        "plugins" => plugins(request, value),
        _ => return sampling(request, key, value) || thinking(request, key, value),
    }
    true
}

fn sampling<'b>(request: &mut Request<'b>, key: &str, value: Node<'b>) -> bool {
    let sampling = &mut request.sampling;
    let place = match key {
        "temperature" => &mut sampling.temperature,
        "top_p" => &mut sampling.top_p,
        "top_k" => &mut sampling.top_k,
        "min_p" => &mut sampling.min_p,
        "top_a" => &mut sampling.top_a,
        "frequency_penalty" => &mut sampling.frequency_penalty,
        "presence_penalty" => &mut sampling.presence_penalty,
        "repetition_penalty" => &mut sampling.repetition_penalty,
        "seed" => &mut sampling.seed,
        _ => return false,
    };
    *place = value.number();
    true
}

fn thinking<'b>(request: &mut Request<'b>, key: &str, value: Node<'b>) -> bool {
    let mut wanted = request.thinking.take().unwrap_or_default();
    match key {
        // The newer object says more than the older text, whichever comes first.
        "reasoning_effort" => {
            wanted.effort = wanted.effort.or_else(|| Effort::read(&value.string().unwrap_or_default()));
        }
        "include_reasoning" => wanted.exclude |= value.bool() == Some(false),
        "reasoning" => read_reasoning(&mut wanted, value),
        _ => {
            request.thinking = Some(wanted).filter(|wanted| *wanted != Thinking::default());
            return false;
        }
    }
    request.thinking = Some(wanted).filter(|wanted| *wanted != Thinking::default());
    true
}

fn read_reasoning<'b>(wanted: &mut Thinking<'b>, value: Node<'b>) {
    for (key, value) in value.members() {
        match &*key {
            "effort" => {
                wanted.effort = Effort::read(&value.string().unwrap_or_default()).or(wanted.effort);
            }
            "max_tokens" => wanted.budget_tokens = value.u64(),
            "enabled" => wanted.enabled = value.bool(),
            "exclude" => wanted.exclude = value.bool().unwrap_or(false),
            "summary" => wanted.summary = value.string(),
            _ => (),
        }
    }
}

fn read_tool<'b>(tool: Node<'b>, pointer: &str) -> Option<Tool<'b>> {
    let cache = tool.get("cache_control").and_then(CacheControl::read);
    let kind = tool.get_string("type");
    match kind.as_deref() {
        Some("function") | None => {
            let function = tool.get("function").unwrap_or(tool);
            let cache = cache.or_else(|| function.get("cache_control").and_then(CacheControl::read));
            function_tool(function, cache, pointer.to_owned())
        }
        Some("custom") => {
            let custom = tool.get("custom").unwrap_or(tool);
            Some(Tool {
                kind: ToolKind::Custom,
                name: custom.get_string("name")?,
                description: custom.get_string("description"),
                parameters: None,
                strict: None,
                cache,
                pointer: pointer.to_owned(),
            })
        }
        Some(_) => Some(Tool {
            kind: ToolKind::Hosted(tool),
            name: kind?,
            description: None,
            parameters: None,
            strict: None,
            cache,
            pointer: pointer.to_owned(),
        }),
    }
}

fn function_tool<'b>(function: Node<'b>, cache: Option<CacheControl>, pointer: String) -> Option<Tool<'b>> {
    Some(Tool {
        kind: ToolKind::Function,
        name: function.get_string("name")?,
        description: function.get_string("description"),
        parameters: function.get("parameters"),
        strict: function.get("strict").and_then(Node::bool),
        cache,
        pointer,
    })
}

fn tool_choice(value: Node<'_>) -> Option<ToolChoice<'_>> {
    if let Some(word) = value.string() {
        return Some(match &*word {
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            _ => ToolChoice::Auto,
        });
    }
    let name = |node: Node<'_>| {
        let inner = node.get("function").or_else(|| node.get("custom"));
        inner.unwrap_or(node).get_string("name").map(Cow::into_owned).map(Cow::Owned)
    };
    if let Some(allowed) = value.get("allowed_tools") {
        let tools = allowed.get("tools").map(Node::elements).unwrap_or_default();
        let names = tools.into_iter().filter_map(name).collect();
        let required = allowed.get_string("mode").as_deref() == Some("required");
        return Some(ToolChoice::Allowed { names, required });
    }
    name(value).map(ToolChoice::Named)
}

fn format(value: Node<'_>) -> Option<Format<'_>> {
    match value.get_string("type")?.as_ref() {
        "text" => None,
        "json_object" => Some(Format::JsonObject),
        "json_schema" => {
            let schema = value.get("json_schema")?;
            Some(Format::Schema {
                name: schema.get_string("name"),
                description: schema.get_string("description"),
                schema: schema.get("schema"),
                strict: schema.get("strict").and_then(Node::bool),
            })
        }
        _ => Some(Format::Native(value)),
    }
}

fn web_search(value: Node<'_>) -> WebSearch<'_> {
    WebSearch {
        context_size: value.get_string("search_context_size"),
        user_location: value.get("user_location"),
        ..WebSearch::default()
    }
}

/// OpenRouter's plugins: the web plugin is a web search; the others are the gateway's.
fn plugins<'b>(request: &mut Request<'b>, value: Node<'b>) {
    for plugin in value.elements() {
        let off = plugin.get("enabled").and_then(Node::bool) == Some(false);
        if plugin.get_string("id").as_deref() == Some("web") && !off {
            let search = request.web_search.get_or_insert_with(WebSearch::default);
            search.max_uses = plugin.get("max_uses").and_then(Node::u64);
        }
    }
}
