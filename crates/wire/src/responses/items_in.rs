//! Input items as turns of blocks. Neighbouring items of the model join in one turn, results of calls in the user's next one.

use std::borrow::Cow;

use super::request_in::{field, qualified};
use super::seal;
use crate::hub::{Block, Content, RequestError, Role, Seal, Source, Turn};
use crate::node::Node;

/// Reads `input`: a text or a list of items.
pub(super) fn turns<'b>(input: Node<'b>, turns: &mut Vec<Turn<'b>>) -> Result<(), RequestError> {
    if let Some(text) = input.string() {
        let block = Block::new(Content::Text(text), "/input");
        turns.push(Turn { role: Role::User, blocks: vec![block], name: None });
        return Ok(());
    }
    // A seal that came before its call.
    let mut sealed: Vec<(String, Seal)> = Vec::new();
    for (at, item) in input.elements().into_iter().enumerate() {
        read_item(item, at, turns, &mut sealed)?;
    }
    Ok(())
}

/// Puts a block where it belongs: into the last turn of the same side, else into a new one.
fn put<'b>(turns: &mut Vec<Turn<'b>>, role: Role, block: Block<'b>) {
    match turns.last_mut() {
        Some(last) if last.role == role => last.blocks.push(block),
        _ => turns.push(Turn { role, blocks: vec![block], name: None }),
    }
}

fn read_item<'b>(
    item: Node<'b>,
    at: usize,
    turns: &mut Vec<Turn<'b>>,
    sealed: &mut Vec<(String, Seal)>,
) -> Result<(), RequestError> {
    let pointer = format!("/input/{at}");
    let text = |key: &str| item.get_string(key).unwrap_or_default();
    match item.get_string("type").as_deref() {
        Some("message") | None => {
            let role = match &*text("role") {
                "assistant" => Role::Assistant,
                "system" | "developer" => Role::System,
                _ => Role::User,
            };
            let blocks = content(item.get("content"), &pointer);
            match turns.last_mut() {
                Some(last) if last.role == Role::Assistant && role == Role::Assistant => {
                    last.blocks.extend(blocks)
                }
                _ => turns.push(Turn { role, blocks, name: None }),
            }
        }
        Some("reasoning") => reasoning(item, &pointer, turns, sealed),
        Some(kind @ ("function_call" | "custom_tool_call")) => {
            let custom = kind == "custom_tool_call";
            let id = text("call_id");
            let own = sealed.iter().position(|(call, _)| *call == id);
            let call = Content::ToolCall {
                name: qualified(&text("namespace"), text("name")),
                arguments: text(if custom { "input" } else { "arguments" }),
                custom,
                seal: own.map(|at| sealed.swap_remove(at).1),
                id,
            };
            put(turns, Role::Assistant, Block::new(call, pointer));
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let content = content(item.get("output"), &format!("{pointer}/output"));
            let result = Content::ToolResult { id: text("call_id"), name: None, content, is_error: false };
            put(turns, Role::User, Block::new(result, pointer));
        }
        Some("item_reference") => {
            let problem = "refers to an item by its id; send the item, or `previous_response_id`";
            return Err(field(&format!("input[{at}]"), problem));
        }
        Some(_) => put(turns, Role::Assistant, Block::new(Content::Native(item), pointer)),
    }
    Ok(())
}

fn reasoning<'b>(item: Node<'b>, pointer: &str, turns: &mut Vec<Turn<'b>>, sealed: &mut Vec<(String, Seal)>) {
    let id = item.get_string("id");
    let encrypted = item.get_string("encrypted_content").filter(|text| !text.is_empty());
    let mut seal = None;
    if let Some(text) = encrypted {
        match seal::unwrap(&text, id.as_deref()) {
            (made, Some(call)) => return sealed.push((call, made)),
            (made, None) => seal = Some(made),
        }
    }
    let join = |key: &str| -> String {
        let parts = item.get(key).map(Node::elements).unwrap_or_default();
        parts.into_iter().filter_map(|part| part.get_string("text")).collect::<Vec<_>>().join("\n")
    };
    let (readable, summary) = (join("content"), join("summary"));
    let is_summary = readable.is_empty() && !summary.is_empty();
    let text = if is_summary { summary } else { readable };
    if !text.is_empty() || seal.is_some() {
        let content = Content::Reasoning { text: Cow::Owned(text), summary: is_summary, seal };
        put(turns, Role::Assistant, Block::new(content, pointer));
    }
}

/// Text, or a list of parts.
fn content<'b>(node: Option<Node<'b>>, at: &str) -> Vec<Block<'b>> {
    let Some(node) = node else { return Vec::new() };
    if let Some(text) = node.string() {
        return vec![Block::new(Content::Text(text), format!("{at}/content"))];
    }
    let parts = node.elements().into_iter().enumerate();
    parts
        .map(|(nth, part)| {
            let content = part_of(part).unwrap_or(Content::Native(part));
            Block::new(content, format!("{at}/content/{nth}"))
        })
        .collect()
}

fn part_of(part: Node<'_>) -> Option<Content<'_>> {
    Some(match part.get_string("type")?.as_ref() {
        "input_text" | "output_text" | "text" => Content::Text(part.get_string("text")?),
        "refusal" => Content::Refusal(part.get_string("refusal")?),
        "input_image" => {
            let detail = part.get_string("detail");
            let source = match part.get("image_url") {
                Some(url) => Source::from_url(url.string().or_else(|| url.get_string("url"))?),
                None => Source::FileId(part.get_string("file_id")?),
            };
            Content::Image { source, detail }
        }
        "input_file" => {
            let filename = part.get_string("filename");
            let url = part.get_string("file_data").or_else(|| part.get_string("file_url"));
            let source = match url {
                Some(url) => Source::from_url(url),
                None => Source::FileId(part.get_string("file_id")?),
            };
            Content::File { source, filename }
        }
        "input_audio" => {
            let inner = part.get("input_audio")?;
            let format = inner.get_string("format").unwrap_or(Cow::Borrowed("wav"));
            let media_type =
                if format == "mp3" { "audio/mpeg".into() } else { format!("audio/{format}").into() };
            Content::Audio { source: Source::Base64 { media_type, data: inner.get_string("data")? } }
        }
        _ => return None,
    })
}
