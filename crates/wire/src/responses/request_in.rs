//! A caller's Responses request as the hub's form.

use std::borrow::Cow;

use super::items_in;
use crate::hub::{
    Block, Content, Dialect, Effort, Format, Request, RequestError, Rest, Role, Thinking, Tool, ToolChoice,
    ToolKind, Turn, WebSearch,
};
use crate::node::Node;

/// Served by the gateway itself, or said elsewhere in the request.
const OURS: [&str; 22] = [
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
    "plugins",
    "input",
    "instructions",
    "store",
    "previous_response_id",
    "stream_options",
    "background",
    "prompt",
    "conversation",
];

pub(super) fn field(name: &str, problem: &str) -> RequestError {
    RequestError::Field { field: name.to_owned(), problem: problem.to_owned() }
}

/// Reads a request whose history is in it; see [`with_history`](super::with_history).
pub fn read_request(body: &[u8]) -> Result<Request<'_>, RequestError> {
    let node = Node::parse(body)?;
    if node.get("background").and_then(Node::bool) == Some(true) {
        return Err(field("background", "is not served; leave it out and stream the answer instead"));
    }
    for name in ["prompt", "conversation"] {
        if node.get(name).is_some() {
            let problem =
                "is kept at OpenAI only; send `instructions` and `input`, or `previous_response_id`";
            return Err(field(name, problem));
        }
    }
    let mut request = Request::new(Dialect::Responses);
    if let Some(text) = node.get_string("instructions").filter(|text| !text.is_empty()) {
        let block = Block::new(Content::Text(text), "/instructions");
        request.turns.push(Turn { role: Role::System, blocks: vec![block], name: None });
    }
    let input =
        node.get("input").ok_or_else(|| field("input", "is missing; send a text or a list of items"))?;
    items_in::turns(input, &mut request.turns)?;
    if request.turns.iter().all(|turn| turn.blocks.is_empty()) {
        return Err(field("input", "is empty; send a text or a list of items"));
    }
    request.name_results();
    for (key, value) in node.members() {
        if !OURS.contains(&&*key) && !take(&mut request, &key, value)? {
            request.rest.push(Rest { pointer: format!("/{key}"), name: key, value });
        }
    }
    Ok(request)
}

/// Takes one field; false when no form names it.
fn take<'b>(request: &mut Request<'b>, key: &str, value: Node<'b>) -> Result<bool, RequestError> {
    match key {
        "stream" => request.stream = value.bool().ok_or_else(|| field(key, "must be true or false"))?,
        "max_output_tokens" => {
            let max = value.u64().filter(|max| *max > 0);
            request.max_tokens = Some(max.ok_or_else(|| field(key, "must be a whole number of at least 1"))?);
        }
        "temperature" => request.sampling.temperature = value.number(),
        "top_p" => request.sampling.top_p = value.number(),
        "top_k" => request.sampling.top_k = value.number(),
        "frequency_penalty" => request.sampling.frequency_penalty = value.number(),
        "presence_penalty" => request.sampling.presence_penalty = value.number(),
        "top_logprobs" => {
            request.logprobs = value.u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        }
        "parallel_tool_calls" => request.parallel_tool_calls = value.bool(),
        "tools" => {
            for (at, tool) in value.elements().into_iter().enumerate() {
                read_tool(request, tool, "", &format!("/tools/{at}"));
            }
        }
        "tool_choice" => request.tool_choice = tool_choice(value),
        "text" => {
            request.verbosity = value.get_string("verbosity");
            request.format = value.get("format").and_then(format);
        }
        "reasoning" => {
            let wanted = request.thinking.get_or_insert_with(Thinking::default);
            wanted.effort = value.get_string("effort").and_then(|name| Effort::read(&name));
            wanted.budget_tokens = value.get("max_tokens").and_then(Node::u64);
            wanted.enabled = value.get("enabled").and_then(Node::bool);
            wanted.summary = value.get_string("summary").or_else(|| value.get_string("generate_summary"));
        }
        "include" => {
            let has =
                |name: &str| value.elements().into_iter().filter_map(Node::string).any(|given| given == name);
            if has("reasoning.encrypted_content") {
                request.thinking.get_or_insert_with(Thinking::default).encrypted = true;
            }
            if has("message.output_text.logprobs") {
                request.logprobs.get_or_insert(0);
            }
        }
        "user" | "safety_identifier" => request.user = value.string().or(request.user.take()),
        "metadata" => request.metadata = Some(value),
        "service_tier" => request.service_tier = value.string(),
        "prompt_cache_key" => request.prompt_cache_key = value.string(),
        // The provider's default: nothing is cut.
        "truncation" if value.string().as_deref() == Some("disabled") => (),
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_tool<'b>(request: &mut Request<'b>, tool: Node<'b>, namespace: &str, pointer: &str) {
    let kind = tool.get_string("type").unwrap_or_default();
    let name = tool.get_string("name").unwrap_or_default();
    let (tool_kind, name) = match &*kind {
        "namespace" => {
            for (at, inner) in
                tool.get("tools").map(Node::elements).unwrap_or_default().into_iter().enumerate()
            {
                read_tool(request, inner, &name, &format!("{pointer}/tools/{at}"));
            }
            return;
        }
        "function" => (ToolKind::Function, qualified(namespace, name)),
        "custom" => (ToolKind::Custom, qualified(namespace, name)),
        _ => {
            if kind.starts_with("web_search") {
                request.web_search = Some(WebSearch {
                    context_size: tool.get_string("search_context_size"),
                    user_location: tool.get("user_location"),
                    ..WebSearch::default()
                });
            }
            (ToolKind::Hosted(tool), kind.clone())
        }
    };
    // In this dialect a schema is strict unless it says otherwise; only OpenAI itself can rely on that.
    request.tools.push(Tool {
        kind: tool_kind,
        name,
        description: tool.get_string("description"),
        parameters: tool.get("parameters"),
        strict: tool.get("strict").and_then(Node::bool),
        cache: None,
        pointer: pointer.to_owned(),
    });
}

/// Tools of a namespace carry its name before their own.
pub(super) fn qualified<'b>(namespace: &str, name: Cow<'b, str>) -> Cow<'b, str> {
    if namespace.is_empty() { name } else { Cow::Owned(format!("{namespace}__{name}")) }
}

fn tool_choice(value: Node<'_>) -> Option<ToolChoice<'_>> {
    if let Some(word) = value.string() {
        return Some(match &*word {
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => ToolChoice::Auto,
        });
    }
    if let Some(tools) = value.get("tools") {
        let names = tools.elements().into_iter().filter_map(|tool| tool.get_string("name")).collect();
        let required = value.get_string("mode").as_deref() == Some("required");
        return Some(ToolChoice::Allowed { names, required });
    }
    value.get_string("name").map(ToolChoice::Named)
}

fn format(value: Node<'_>) -> Option<Format<'_>> {
    match value.get_string("type")?.as_ref() {
        "text" => None,
        "json_object" => Some(Format::JsonObject),
        "json_schema" => Some(Format::Schema {
            name: value.get_string("name"),
            description: value.get_string("description"),
            schema: value.get("schema"),
            strict: value.get("strict").and_then(Node::bool),
        }),
        _ => Some(Format::Native(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_clients_request_is_read_whole() {
        let body = br#"{"model":"m","instructions":"I","stream":true,"store":false,"include":["reasoning.encrypted_content"],
            "reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{}}},
            "tools":[{"type":"function","name":"f","parameters":{}},{"type":"custom","name":"patch"},{"type":"namespace","name":"ns","tools":[{"type":"function","name":"g"}]},{"type":"web_search"}],
            "client_metadata":{"a":"b"},"input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"D"}]},
              {"role":"user","content":"Q"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"E"},
              {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"g","namespace":"ns","arguments":"{}"},
              {"type":"function_call_output","call_id":"c1","output":"42"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_image","image_url":"data:image/png;base64,AA"}]},
              {"type":"custom_tool_call","call_id":"c3","name":"patch","input":"*** x"}]}"#;
        let request = read_request(body).unwrap();
        let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
        use Role::{Assistant, System, User};
        assert_eq!(roles, [System, System, User, Assistant, User, Assistant]);
        let said = &request.turns[3].blocks;
        assert!(matches!(&said[0].content, Content::Reasoning { seal: Some(s), .. } if s.data == "E"));
        assert!(matches!(&said[2].content, Content::ToolCall { name, .. } if name == "ns__g"));
        assert_eq!(request.turns[4].blocks.len(), 2);
        assert!(matches!(&request.turns[5].blocks[0].content, Content::ToolCall { custom: true, .. }));
        let tools: Vec<&str> = request.tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(tools, ["f", "patch", "ns__g", "web_search"]);
        assert!(request.thinking.as_ref().unwrap().encrypted && request.web_search.is_some());
        assert_eq!(request.rest.len(), 1);
    }

    #[test]
    fn bad_input_names_the_field() {
        let rows = [
            ("{}", "`input` is missing"),
            (r#"{"input":[]}"#, "`input` is empty"),
            (r#"{"input":"x","background":true}"#, "`background` is not served"),
            (r#"{"input":"x","conversation":"c"}"#, "`conversation` is kept at OpenAI only"),
            (r#"{"input":[{"type":"item_reference","id":"x"}]}"#, "`input[0]` refers to an item"),
        ];
        for (body, expect) in rows {
            let error = read_request(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        }
    }
}
