//! A caller's Messages request as the hub's form. Claude Code sends fields newer than any table: what no form names is kept
//! in `rest` and goes back to providers of this dialect.

use super::blocks_in;
use crate::extensions::is_ours;
use crate::hub::{
    CacheControl, Dialect, Effort, Format, Request, RequestError, Rest, Role, Thinking, Tool, ToolChoice,
    ToolKind, Turn, WebSearch,
};
use crate::json::Kind;
use crate::node::Node;

fn field(name: &str, problem: &str) -> RequestError {
    RequestError::Field { field: name.to_owned(), problem: problem.to_owned() }
}

/// Reads a request.
pub fn read_request(body: &[u8]) -> Result<Request<'_>, RequestError> {
    let node = Node::parse(body)?;
    let mut request = Request::new(Dialect::Messages);
    let messages =
        node.get("messages").filter(|messages| messages.kind() == Kind::Array).ok_or_else(|| {
            field("messages", "is missing; send a list such as [{\"role\":\"user\",\"content\":\"Hello\"}]")
        })?;
    if let Some(system) = node.get("system") {
        let blocks = blocks_in::content(system, "/system");
        request.turns.push(Turn { role: Role::System, blocks, name: None });
    }
    for (at, message) in messages.elements().into_iter().enumerate() {
        if message.kind() != Kind::Object {
            return Err(field(&format!("messages[{at}]"), "must be an object with `role` and `content`"));
        }
        request.turns.push(blocks_in::turn(message, &format!("/messages/{at}")));
    }
    if request.turns.iter().all(|turn| turn.role == Role::System) {
        return Err(field("messages", "is empty; send at least one message"));
    }
    request.name_results();
    if memchr::memmem::find(body, b"\"citations\"").is_some() {
        citations(messages, &mut request);
    }
    for (key, value) in node.members() {
        let known = matches!(&*key, "messages" | "system" | "model") || is_ours(&key);
        if !known && !take(&mut request, &key, value)? {
            request.rest.push(Rest { pointer: format!("/{key}"), name: key, value });
        }
    }
    Ok(request)
}

/// Documents that are to be cited: no other dialect can be asked to.
fn citations<'b>(messages: Node<'b>, request: &mut Request<'b>) {
    for (at, message) in messages.elements().into_iter().enumerate() {
        let blocks = message.get("content").map(Node::elements).unwrap_or_default();
        for (part, block) in blocks.into_iter().enumerate() {
            let wanted = block
                .get("citations")
                .filter(|wanted| wanted.get("enabled").and_then(Node::bool) == Some(true));
            if let Some(value) = wanted {
                let pointer = format!("/messages/{at}/content/{part}/citations");
                request.rest.push(Rest { pointer, name: "citations".into(), value });
            }
        }
    }
}

/// Takes one field; false when no form names it.
fn take<'b>(request: &mut Request<'b>, key: &str, value: Node<'b>) -> Result<bool, RequestError> {
    match key {
        "max_tokens" => {
            let max = value.u64().filter(|max| *max > 0);
            request.max_tokens = Some(max.ok_or_else(|| field(key, "must be a whole number of at least 1"))?);
        }
        "stream" => request.stream = value.bool().ok_or_else(|| field(key, "must be true or false"))?,
        "temperature" => request.sampling.temperature = value.number(),
        "top_p" => request.sampling.top_p = value.number(),
        "top_k" => request.sampling.top_k = value.number(),
        "stop_sequences" => {
            request.stop = value.elements().into_iter().filter_map(Node::string).collect();
        }
        "tools" => {
            for (at, tool) in value.elements().into_iter().enumerate() {
                read_tool(request, tool, format!("/tools/{at}"));
            }
        }
        "tool_choice" => {
            if value.get("disable_parallel_tool_use").and_then(Node::bool) == Some(true) {
                request.parallel_tool_calls = Some(false);
            }
            request.tool_choice = match value.get_string("type").as_deref() {
                Some("any") => Some(ToolChoice::Required),
                Some("none") => Some(ToolChoice::None),
                Some("tool") => value.get_string("name").map(ToolChoice::Named),
                _ => Some(ToolChoice::Auto),
            };
        }
        "thinking" => thinking(request, value),
        "output_config" => output_config(request, value),
        "output_format" => request.format = format(value),
        "metadata" => request.user = value.get_string("user_id"),
        "service_tier" => request.service_tier = value.string(),
        "cache_control" => request.cache = CacheControl::read(value),
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_tool<'b>(request: &mut Request<'b>, tool: Node<'b>, pointer: String) {
    let kind = tool.get_string("type");
    let name = tool.get_string("name").unwrap_or_default();
    let cache = tool.get("cache_control").and_then(CacheControl::read);
    let own = matches!(kind.as_deref(), None | Some("custom" | "function"));
    if !own && kind.as_deref().is_some_and(|kind| kind.starts_with("web_search_")) {
        let domains = |key: &str| {
            let list = tool.get(key).map(Node::elements).unwrap_or_default();
            list.into_iter().filter_map(Node::string).collect()
        };
        request.web_search = Some(WebSearch {
            user_location: tool.get("user_location"),
            max_uses: tool.get("max_uses").and_then(Node::u64),
            allowed_domains: domains("allowed_domains"),
            blocked_domains: domains("blocked_domains"),
            ..WebSearch::default()
        });
    }
    request.tools.push(Tool {
        kind: if own { ToolKind::Function } else { ToolKind::Hosted(tool) },
        name: if own { name } else { kind.unwrap_or(name) },
        description: tool.get_string("description"),
        parameters: tool.get("input_schema"),
        strict: tool.get("strict").and_then(Node::bool),
        cache,
        pointer,
    });
}

fn thinking<'b>(request: &mut Request<'b>, value: Node<'b>) {
    let wanted = request.thinking.get_or_insert_with(Thinking::default);
    match value.get_string("type").as_deref() {
        Some("enabled") => {
            wanted.enabled = Some(true);
            wanted.budget_tokens = value.get("budget_tokens").and_then(Node::u64);
        }
        Some("adaptive") => wanted.adaptive = true,
        Some("disabled") => wanted.enabled = Some(false),
        _ => (),
    }
    wanted.exclude = value.get_string("display").as_deref() == Some("omitted");
}

fn output_config<'b>(request: &mut Request<'b>, value: Node<'b>) {
    if let Some(effort) = value.get_string("effort").and_then(|name| Effort::read(&name)) {
        let wanted = request.thinking.get_or_insert_with(Thinking::default);
        wanted.effort = Some(effort);
    }
    if let Some(inner) = value.get("format") {
        request.format = format(inner);
    }
}

fn format(value: Node<'_>) -> Option<Format<'_>> {
    match value.get_string("type").as_deref() {
        Some("json_schema") => Some(Format::Schema {
            name: value.get_string("name"),
            description: None,
            schema: value.get("schema"),
            strict: Some(true),
        }),
        _ => Some(Format::Native(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Content;

    #[test]
    fn a_coding_clients_request_is_read_whole() {
        let body = br#"{"model":"m","max_tokens":32000,"stream":true,"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],
            "thinking":{"type":"adaptive"},"output_config":{"effort":"high"},"metadata":{"user_id":"u"},"context_management":{"edits":[]},
            "tools":[{"name":"Bash","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search","max_uses":3}],
            "tool_choice":{"type":"auto","disable_parallel_tool_use":true},
            "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"t1","name":"Bash","input":{"a":1}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},{"type":"new_block","x":1}]},
              {"role":"system","content":"later"}]}"#;
        let request = read_request(body).unwrap();
        assert_eq!((request.turns.len(), request.max_tokens, request.stream), (5, Some(32_000), true));
        let thinking = request.thinking.as_ref().unwrap();
        assert_eq!((thinking.adaptive, thinking.effort), (true, Some(Effort::High)));
        assert_eq!(
            request.rest.iter().map(|r| r.pointer.as_str()).collect::<Vec<_>>(),
            ["/context_management"]
        );
        assert_eq!(request.web_search.as_ref().unwrap().max_uses, Some(3));
        assert_eq!(request.parallel_tool_calls, Some(false));
        let call = &request.turns[2].blocks[1].content;
        assert!(matches!(call, Content::ToolCall { arguments, .. } if arguments == r#"{"a":1}"#));
        let result = &request.turns[3].blocks[0].content;
        assert!(
            matches!(result, Content::ToolResult { is_error: true, content, name: Some(n), .. } if content.len() == 2 && n == "Bash")
        );
        assert!(matches!(&request.turns[3].blocks[1].content, Content::Native(_)));
        assert_eq!(request.turns[4].role, Role::System);
    }

    #[test]
    fn bad_input_names_the_field() {
        let rows = [
            ("{}", "`messages` is missing"),
            (r#"{"messages":[]}"#, "`messages` is empty"),
            (r#"{"messages":["x"]}"#, "`messages[0]` must be an object"),
            (
                r#"{"messages":[{"role":"user","content":"x"}],"max_tokens":0}"#,
                "`max_tokens` must be a whole number",
            ),
            ("[", "the body is not a JSON object"),
        ];
        for (body, expect) in rows {
            let error = read_request(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        }
    }
}
