//! A caller's Gemini request, for any provider. The model and whether to stream are in the URL: the gateway sets them.

use std::borrow::Cow;

use super::is_ours;
use super::keys::{Field, fields, get, get_string, list, number};
use super::parts_in::PartsIn;
use crate::hub::{
    Dialect, Effort, Format, Request, RequestError, Rest, Role, Thinking, Tool, ToolChoice, ToolKind, Turn,
    WebSearch,
};
use crate::node::Node;

/// Reads a `generateContent` body, or the one inside a `countTokens` body. `stream` is left false. Schemas in Google's own
/// form become JSON Schema by [`canonical`](super::canonical), before.
pub fn read_request<'b>(body: &'b [u8]) -> Result<Request<'b>, RequestError> {
    let whole = Node::parse(body)?;
    let mut reader = match get(whole, "generateContentRequest") {
        Some(inner) => RequestIn::new("/generateContentRequest", inner),
        None => RequestIn::new("", whole),
    };
    let node = reader.node;
    let mut has_contents = false;
    let mut contents = None;
    for field in fields(node) {
        match &*field.name {
            "contents" => {
                has_contents = true;
                contents = Some(field);
            }
            "systemInstruction" => reader.system(&field)?,
            "tools" => reader.tools(&field),
            "toolConfig" => reader.tool_config(&field),
            "generationConfig" => reader.config(&field),
            _ if is_ours(&field.key) => (),
            _ => reader.rest("", &field),
        }
    }
    if let Some(field) = contents {
        reader.contents(&field)?;
    }
    let has_turn = reader.request.turns.iter().any(|turn| turn.role != Role::System);
    if !has_contents || !has_turn {
        let problem = if has_contents { "is empty" } else { "is missing" };
        let problem = format!(
            "{problem}; send a list such as [{{\"role\":\"user\",\"parts\":[{{\"text\":\"Hello\"}}]}}]"
        );
        return Err(RequestError::Field { field: "contents".to_owned(), problem });
    }
    Ok(reader.request)
}

struct RequestIn<'b> {
    prefix: &'static str,
    node: Node<'b>,
    request: Request<'b>,
    parts: PartsIn<'b>,
}

impl<'b> RequestIn<'b> {
    fn new(prefix: &'static str, node: Node<'b>) -> RequestIn<'b> {
        RequestIn { prefix, node, request: Request::new(Dialect::Gemini), parts: PartsIn::default() }
    }

    fn rest(&mut self, below: &str, field: &Field<'b>) {
        let pointer = format!("{}{below}/{}", self.prefix, escaped(&field.key));
        self.request.rest.push(Rest { pointer, name: field.name.clone(), value: field.value });
    }

    fn system(&mut self, field: &Field<'b>) -> Result<(), RequestError> {
        let pointer = format!("{}/{}", self.prefix, field.key);
        let turn = self.turn(field.value, Role::System, &pointer)?;
        self.request.turns.insert(0, turn);
        Ok(())
    }

    fn contents(&mut self, field: &Field<'b>) -> Result<(), RequestError> {
        let base = format!("{}/{}", self.prefix, field.key);
        if field.value.string().is_some() {
            let turn = self.turn(field.value, Role::User, &base)?;
            self.request.turns.push(turn);
            return Ok(());
        }
        for (at, content) in list(field.value).into_iter().enumerate() {
            let pointer = format!("{base}/{at}");
            let role = match get_string(content, "role").as_deref() {
                None | Some("" | "user" | "function" | "tool") => Role::User,
                Some("model" | "assistant") => Role::Assistant,
                Some("system" | "developer") => Role::System,
                Some(_) => {
                    return Err(RequestError::Field {
                        field: format!("contents[{at}].role"),
                        problem: "must be `user` or `model`".to_owned(),
                    });
                }
            };
            let turn = self.turn(content, role, &pointer)?;
            self.request.turns.push(turn);
        }
        Ok(())
    }

    fn turn(&mut self, content: Node<'b>, role: Role, pointer: &str) -> Result<Turn<'b>, RequestError> {
        let mut blocks = Vec::new();
        let parts = fields(content).into_iter().find(|field| field.name == "parts");
        match parts {
            Some(parts) => {
                for (at, part) in list(parts.value).into_iter().enumerate() {
                    self.parts.part(part, format!("{pointer}/parts/{at}"), &mut blocks);
                }
            }
            None if content.string().is_some() => self.parts.part(content, pointer.to_owned(), &mut blocks),
            None if !content.raw().starts_with(b"{") => {
                return Err(RequestError::Field {
                    field: pointer.trim_start_matches('/').replace('/', "."),
                    problem: "must be an object with `role` and `parts`".to_owned(),
                });
            }
            None => (),
        }
        Ok(Turn { role, blocks, name: None })
    }

    fn tools(&mut self, field: &Field<'b>) {
        for (at, tool) in list(field.value).into_iter().enumerate() {
            let pointer = format!("{}/tools/{at}", self.prefix);
            for member in fields(tool) {
                let pointer = format!("{pointer}/{}", member.key);
                if member.name == "functionDeclarations" {
                    for (at, declaration) in list(member.value).into_iter().enumerate() {
                        self.request.tools.push(function(declaration, format!("{pointer}/{at}")));
                    }
                    continue;
                }
                if matches!(&*member.name, "googleSearch" | "googleSearchRetrieval" | "enterpriseWebSearch") {
                    let blocked = get(member.value, "excludeDomains").map(Node::elements).unwrap_or_default();
                    let blocked_domains = blocked.into_iter().filter_map(Node::string).collect();
                    self.request.web_search = Some(WebSearch { blocked_domains, ..WebSearch::default() });
                }
                self.request.tools.push(Tool {
                    kind: ToolKind::Hosted(member.value),
                    name: member.name,
                    description: None,
                    parameters: None,
                    strict: None,
                    cache: None,
                    pointer,
                });
            }
        }
    }

    fn tool_config(&mut self, field: &Field<'b>) {
        for member in fields(field.value) {
            if member.name != "functionCallingConfig" {
                self.rest(&format!("/{}", field.key), &member);
                continue;
            }
            let mode = get_string(member.value, "mode").unwrap_or_default().to_ascii_uppercase();
            let names = get(member.value, "allowedFunctionNames").map(Node::elements).unwrap_or_default();
            let mut names: Vec<Cow<'b, str>> = names.into_iter().filter_map(Node::string).collect();
            self.request.tool_choice = match (mode.as_str(), names.len()) {
                ("NONE", _) => Some(ToolChoice::None),
                ("ANY", 0) => Some(ToolChoice::Required),
                ("ANY", 1) => names.pop().map(ToolChoice::Named),
                ("ANY", _) => Some(ToolChoice::Allowed { names, required: true }),
                ("VALIDATED", 1..) => Some(ToolChoice::Allowed { names, required: false }),
                ("AUTO" | "VALIDATED", _) => Some(ToolChoice::Auto),
                _ => None,
            };
        }
    }

    fn config(&mut self, field: &Field<'b>) {
        let request = &mut self.request;
        let sampling = &mut request.sampling;
        let (mut media_type, mut schema) = (None, None);
        let mut others = Vec::new();
        let (mut wants_logprobs, mut top_logprobs) = (None, None);
        for member in fields(field.value) {
            let value = member.value;
            match &*member.name {
                "temperature" => sampling.temperature = value.number(),
                "topP" => sampling.top_p = value.number(),
                "topK" => sampling.top_k = value.number(),
                "seed" => sampling.seed = value.number(),
                "presencePenalty" => sampling.presence_penalty = value.number(),
                "frequencyPenalty" => sampling.frequency_penalty = value.number(),
                "candidateCount" => {
                    let count = number(value).and_then(|count| u32::try_from(count).ok());
                    request.choices = count.unwrap_or(1).max(1);
                }
                "maxOutputTokens" => request.max_tokens = number(value).filter(|tokens| *tokens > 0),
                "stopSequences" => request.stop = list(value).into_iter().filter_map(Node::string).collect(),
                "responseLogprobs" => wants_logprobs = value.bool(),
                "logprobs" => top_logprobs = number(value).and_then(|count| u32::try_from(count).ok()),
                "responseMimeType" => media_type = value.string(),
                "responseSchema" => schema = schema.or(Some(value)),
                "responseJsonSchema" => schema = Some(value),
                "responseModalities" => {
                    let names = list(value).into_iter().filter_map(Node::string);
                    request.modalities = names.map(|name| name.to_ascii_lowercase().into()).collect();
                }
                "thinkingConfig" => request.thinking = Some(thinking(value)),
                _ => others.push(member),
            }
        }
        request.format = format(media_type.as_deref(), schema);
        if wants_logprobs == Some(true) {
            request.logprobs = Some(top_logprobs.unwrap_or(0));
        }
        for member in others {
            self.rest(&format!("/{}", field.key), &member);
        }
    }
}

/// A key as a step of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn function<'b>(declaration: Node<'b>, pointer: String) -> Tool<'b> {
    let (mut name, mut description, mut parameters, mut plain) = (None, None, None, None);
    for field in fields(declaration) {
        match &*field.name {
            "name" => name = field.value.string(),
            "description" => description = field.value.string(),
            "parameters" => parameters = Some(field.value),
            "parametersJsonSchema" => plain = Some(field.value),
            _ => (),
        }
    }
    Tool {
        kind: ToolKind::Function,
        name: name.unwrap_or_default(),
        description,
        parameters: plain.or(parameters),
        strict: None,
        cache: None,
        pointer,
    }
}

fn format<'b>(media_type: Option<&str>, schema: Option<Node<'b>>) -> Option<Format<'b>> {
    match (media_type.unwrap_or_default(), schema) {
        // One bare word of the schema's `enum`, which is no JSON.
        ("text/x.enum", Some(schema)) => Some(Format::Native(schema)),
        (_, Some(schema)) => {
            Some(Format::Schema { name: None, description: None, schema: Some(schema), strict: Some(true) })
        }
        ("application/json", None) => Some(Format::JsonObject),
        _ => None,
    }
}

/// Thoughts are shown only where they are asked for.
fn thinking(config: Node<'_>) -> Thinking<'static> {
    let mut thinking = Thinking { exclude: true, ..Thinking::default() };
    for field in fields(config) {
        match &*field.name {
            "includeThoughts" => thinking.exclude = field.value.bool() != Some(true),
            "thinkingBudget" if field.value.number().is_some_and(|budget| budget.starts_with('-')) => {
                thinking.adaptive = true;
            }
            "thinkingBudget" => thinking.budget_tokens = number(field.value),
            "thinkingLevel" => {
                let level = field.value.string().unwrap_or_default().to_ascii_lowercase();
                thinking.effort = Effort::read(&level);
            }
            _ => (),
        }
    }
    if thinking.budget_tokens == Some(0) {
        thinking.enabled = Some(false);
    }
    thinking
}

#[cfg(test)]
mod tests;
