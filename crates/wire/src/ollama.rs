//! Ollama's own chat dialect: a provider's only. Its streams are lines of JSON.

use serde_json::{Map, Value, json};
use types::Usage;

use crate::hub::{
    AnswerError, Block, ChunkError, Content, Effort, Event, Finish, Format, Impossible, Losses, Outgoing,
    Request, Role, Source, StreamReader, Target, ToolChoice, ToolKind, ToolStart, Turn,
};
use crate::node::Node;
use crate::provider_error;
use crate::writer::Writer;

/// Writes a request for `/api/chat`.
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
    match &request.format {
        None => (),
        Some(Format::Schema { schema: Some(schema), .. }) => drop(w.field_raw("format", schema.raw())),
        Some(Format::Native(_)) => losses.dropped("/response_format", "Ollama doesn't know this form"),
        Some(_) => drop(w.field("format", "json")),
    }
    if let Some(thinking) = &request.thinking {
        let off = thinking.is_off() || thinking.effort == Some(Effort::None);
        w.field_json("think", &!off);
    }
    w.field_json("options", &options(request, &mut losses)).end_object();
    for rest in &request.rest {
        losses.dropped(&rest.pointer, "Ollama's dialect has no place for it");
    }
    Ok(Outgoing { body: w.finish(), warnings: losses.warnings, ..Outgoing::default() })
}

fn message(
    turn: &Turn<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    let mut rest: Vec<&Block<'_>> = Vec::new();
    for block in &turn.blocks {
        if let Content::ToolResult { name, content, is_error, .. } = &block.content {
            w.begin_object().field("role", "tool").field_some("tool_name", name.as_deref());
            let text = text_of(&content.iter().collect::<Vec<_>>());
            let text = if *is_error { format!("Error: {text}") } else { text };
            w.field("content", &text).end_object();
            rest.extend(content.iter().filter(|part| !matches!(part.content, Content::Text(_))));
        } else {
            rest.push(block);
        }
    }
    if rest.is_empty() {
        return Ok(());
    }
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    w.begin_object().field("role", role).field("content", &text_of(&rest));
    let mut images = Vec::new();
    let mut calls = Vec::new();
    for block in rest {
        match &block.content {
            Content::Text(_) | Content::Refusal(_) => (),
            Content::Image { source, .. } => images.push(image(block, source, target)?),
            Content::Reasoning { text, .. } if !text.is_empty() => drop(w.field("thinking", text)),
            Content::ToolCall { name, arguments, .. } => {
                let arguments: Map<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
                calls.push(json!({"function": {"name": name, "arguments": arguments}}));
            }
            Content::File { source: Source::Text(_), .. } => (),
            Content::File { .. } | Content::Audio { .. } => {
                let problem = "is a file or sound, and Ollama takes texts and images; send its text instead";
                return Err(Impossible::new(&block.pointer, problem));
            }
            _ => losses.dropped(&block.pointer, "Ollama's dialect has no place for it"),
        }
    }
    if !images.is_empty() {
        w.field_json("images", &images);
    }
    if !calls.is_empty() {
        w.field_json("tool_calls", &calls);
    }
    w.end_object();
    Ok(())
}

fn text_of(blocks: &[&Block<'_>]) -> String {
    let texts = blocks.iter().filter_map(|block| match &block.content {
        Content::Text(text) | Content::Refusal(text) => Some(&**text),
        Content::File { source: Source::Text(text), .. } => Some(&**text),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn image(block: &Block<'_>, source: &Source<'_>, target: &Target<'_>) -> Result<String, Impossible> {
    match source {
        Source::Base64 { data, .. } => Ok(data.clone().into_owned()),
        Source::Url(url) => target.fetched.get(&**url).map(|(_, data)| data.clone()).ok_or_else(|| {
            Impossible::new(&block.pointer, "is an address, and Ollama takes an image's bytes only")
        }),
        _ => Err(Impossible::new(&block.pointer, "is an image that only another provider holds")),
    }
}

fn tools(request: &Request<'_>, w: &mut Writer, losses: &mut Losses) {
    let none = request.tool_choice == Some(ToolChoice::None);
    let mut tools = Vec::new();
    for tool in &request.tools {
        if matches!(tool.kind, ToolKind::Hosted(_)) {
            losses.dropped(&tool.pointer, "Ollama doesn't run this tool");
            continue;
        }
        let schema = tool.parameters.map_or_else(|| json!({"type": "object", "properties": {}}), Node::value);
        tools.push(tool.as_function(schema));
    }
    if matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { .. })
    ) {
        losses.approximated("/tool_choice", "Ollama's models decide by themselves whether to call a tool");
    }
    if !tools.is_empty() && !none {
        w.field_json("tools", &tools);
    }
}

fn options(request: &Request<'_>, losses: &mut Losses) -> Map<String, Value> {
    let s = &request.sampling;
    let mut options = Map::new();
    let numbers = [
        ("temperature", s.temperature),
        ("top_p", s.top_p),
        ("top_k", s.top_k),
        ("min_p", s.min_p),
        ("seed", s.seed),
        ("frequency_penalty", s.frequency_penalty),
        ("presence_penalty", s.presence_penalty),
        ("repeat_penalty", s.repetition_penalty),
    ];
    for (name, number) in numbers {
        if let Some(number) = number.and_then(|text| serde_json::from_str(text).ok()) {
            options.insert(name.to_owned(), number);
        }
    }
    if let Some(max) = request.max_tokens {
        options.insert("num_predict".to_owned(), max.into());
    }
    if !request.stop.is_empty() {
        options.insert("stop".to_owned(), json!(request.stop));
    }
    for (name, given) in [
        ("top_a", s.top_a.is_some()),
        ("logit_bias", request.logit_bias.is_some()),
        ("logprobs", request.logprobs.is_some()),
        ("n", request.choices > 1),
        ("web_search_options", request.web_search.is_some()),
    ] {
        if given {
            losses.dropped(&format!("/{name}"), "Ollama doesn't know it");
        }
    }
    losses.no_place(
        request,
        &[
            "user",
            "verbosity",
            "metadata",
            "prompt_cache_key",
            "service_tier",
            "audio",
            "parallel_tool_calls",
            "prediction",
        ],
    );
    losses.no_breakpoints(request);
    options
}

/// Reads a whole answer: a stream of one line.
pub fn read_answer(body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    let node = Node::parse(body)?;
    if node.get("error").is_some() {
        return Err(AnswerError::Provider(provider_error::read(200, body)));
    }
    let mut events = Vec::new();
    Reader::default().line(node, &mut events);
    Ok(events)
}

/// Reads a stream of lines.
#[derive(Debug, Default)]
pub struct Reader {
    calls: u32,
    done: bool,
}

impl StreamReader for Reader {
    fn frame(&mut self, _name: &str, data: &[u8], events: &mut Vec<Event>) -> Result<(), ChunkError> {
        let node = Node::parse(data)?;
        if node.get("error").is_some() {
            return Err(ChunkError::Provider(provider_error::read(200, data)));
        }
        self.line(node, events);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.done
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Reader {
    fn line(&mut self, node: Node<'_>, events: &mut Vec<Event>) {
        if let Some(message) = node.get("message") {
            let text = |key: &str| message.get_string(key).filter(|text| !text.is_empty());
            if let Some(text) = text("thinking") {
                events.push(Event::Reasoning { text: text.into_owned(), summary: false });
            }
            events.extend(text("content").map(|text| Event::Text(text.into_owned())));
            for call in message.get("tool_calls").map(Node::elements).unwrap_or_default() {
                let Some(function) = call.get("function") else { continue };
                let (index, id) = (self.calls, call.get_string("id").unwrap_or_default().into_owned());
                let name = function.get_string("name").unwrap_or_default().into_owned();
                self.calls += 1;
                events.push(Event::ToolCall(ToolStart { index, id, name, custom: false, seal: None }));
                let json = function.get("arguments").map_or_else(
                    || String::from("{}"),
                    |a| a.string().map_or_else(|| a.value().to_string(), std::borrow::Cow::into_owned),
                );
                events.push(Event::ToolArguments { index, json });
            }
        }
        if node.get("done").and_then(Node::bool) != Some(true) {
            return;
        }
        self.done = true;
        let native = node.get_string("done_reason").unwrap_or_else(|| "stop".into()).into_owned();
        let reason = if self.calls > 0 { Finish::ToolCalls } else { Finish::read(&native) };
        events.push(Event::Finish { reason, native, stop: None });
        events.extend(read_usage(node).map(Event::Usage));
    }
}

/// Reads the counts of the last line. A prompt that was cached whole has none; that is 0.
pub fn read_usage(node: Node<'_>) -> Option<Usage> {
    let count = |key: &str| node.get(key).and_then(Node::u64);
    let output = count("eval_count")?;
    Some(Usage { input: count("prompt_eval_count").unwrap_or(0), output, requests: 1, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Assembly;

    #[test]
    fn a_stream_and_a_whole_answer_say_the_same() {
        let lines = [
            r#"{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
            r#"{"message":{"content":"Hel"},"done":false}"#,
            r#"{"message":{"content":"lo"},"done":false}"#,
            r#"{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}"#,
            r#"{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}"#,
        ];
        let whole = r#"{"message":{"content":"Hello","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}"#;
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for line in lines {
            reader.frame("", line.as_bytes(), &mut events).unwrap();
        }
        assert!(reader.is_done());
        let (streamed, plain) =
            (Assembly::of(&events), Assembly::of(&read_answer(whole.as_bytes()).unwrap()));
        assert_eq!(streamed.pieces, plain.pieces);
        assert_eq!((streamed.finish.clone(), streamed.usage), (plain.finish.clone(), plain.usage));
        assert_eq!(streamed.finish.unwrap().0, Finish::ToolCalls);
        assert_eq!(streamed.usage.unwrap().input_total(), 7);
        assert!(read_answer(br#"{"error":"no such model"}"#).is_err());
    }
}
