//! Turns of blocks as messages of the OpenAI dialect.

use serde_json::json;

use crate::hub::{Address, Block, Content, Flavor, Impossible, Losses, Request, Role, Source, Target, Turn};
use crate::writer::Writer;

/// Writes the array of messages.
pub(super) fn messages(
    request: &Request<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    w.begin_array();
    let mut after_tool = false;
    for turn in &request.turns {
        match turn.role {
            Role::System => {
                w.begin_object().field("role", "system").key("content");
                content(turn.blocks.iter().collect(), target, w, losses)?;
                w.end_object();
            }
            Role::Assistant => assistant(turn, target, w, losses)?,
            Role::User => after_tool = user(turn, target, after_tool, w, losses)?,
        }
        after_tool &= turn.role == Role::User;
    }
    w.end_array();
    Ok(())
}

/// Results become messages of their own, before what the user says. True when the last message is a result.
fn user(
    turn: &Turn<'_>,
    target: &Target<'_>,
    mut after_tool: bool,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<bool, Impossible> {
    let mut said: Vec<&Block<'_>> = Vec::new();
    let mut shown: Vec<&Block<'_>> = Vec::new();
    for block in &turn.blocks {
        let Content::ToolResult { id, content: parts, is_error, .. } = &block.content else {
            said.push(block);
            continue;
        };
        let mut text: String = parts
            .iter()
            .filter_map(|part| if let Content::Text(text) = &part.content { Some(&**text) } else { None })
            .collect::<Vec<_>>()
            .join("\n");
        let others = parts.iter().filter(|part| !matches!(part.content, Content::Text(_)));
        let before = shown.len();
        shown.extend(others);
        if shown.len() > before {
            losses.approximated(&block.pointer, "its images follow in a message of the user");
            text.push_str("\n[Images and files of this result follow in the next message.]");
        }
        if *is_error && !text.starts_with("Error") {
            text.insert_str(0, "Error: ");
        }
        w.begin_object().field("role", "tool").field("tool_call_id", id).field("content", text.trim());
        w.end_object();
        after_tool = true;
    }
    shown.extend(said);
    if shown.is_empty() {
        return Ok(after_tool);
    }
    if after_tool && target.flavor == Flavor::Mistral {
        // Its older templates refuse a user's message right after a result.
        w.json(&json!({"role": "assistant", "content": "."}));
    }
    w.begin_object().field("role", "user");
    w.field_some("name", turn.name.as_deref()).key("content");
    content(shown, target, w, losses)?;
    w.end_object();
    Ok(false)
}

/// One text where there is nothing else, else a list of parts.
fn content(
    blocks: Vec<&Block<'_>>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    if let [Block { content: Content::Text(text), .. }] = blocks.as_slice() {
        w.string(text);
        return Ok(());
    }
    w.begin_array();
    for block in blocks {
        part(block, target, w, losses)?;
    }
    w.end_array();
    Ok(())
}

fn part(
    block: &Block<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    match &block.content {
        Content::Text(text) | Content::Refusal(text) => {
            w.begin_object().field("type", "text").field("text", text).end_object();
        }
        Content::Image { source, detail } => {
            let url = source.to_url().ok_or_else(|| foreign(block, "image"))?;
            w.begin_object().field("type", "image_url").key("image_url").begin_object();
            let detail = detail.as_deref().map(|detail| if detail == "original" { "high" } else { detail });
            w.field_json("url", &url).field_some("detail", detail).end_object().end_object();
        }
        Content::File { source, filename } => file(block, source, filename.as_deref(), target, w)?,
        Content::Audio { source: Source::Base64 { media_type, data } } => {
            let format = match media_type.as_ref() {
                "audio/mpeg" | "audio/mp3" => "mp3",
                other => other.rsplit('/').next().unwrap_or("wav").trim_start_matches("x-"),
            };
            w.begin_object().field("type", "input_audio").key("input_audio").begin_object();
            w.field("data", data).field("format", format).end_object().end_object();
        }
        Content::Audio { .. } => return Err(foreign(block, "audio")),
        Content::Video { source } => {
            let url = source.to_url().ok_or_else(|| foreign(block, "video"))?;
            w.begin_object().field("type", "video_url").key("video_url").begin_object();
            w.field_json("url", &url).end_object().end_object();
        }
        Content::Reasoning { .. }
        | Content::Native(_)
        | Content::ToolCall { .. }
        | Content::ToolResult { .. } => {
            losses.dropped(&block.pointer, "the provider's dialect has no place for it");
        }
    }
    Ok(())
}

fn foreign(block: &Block<'_>, what: &str) -> Impossible {
    let problem = format!("is an {what} that only another provider holds; send its bytes as a `data:` URL");
    Impossible::new(&block.pointer, problem)
}

/// OpenAI takes a file's bytes only.
fn file(
    block: &Block<'_>,
    source: &Source<'_>,
    filename: Option<&str>,
    target: &Target<'_>,
    w: &mut Writer,
) -> Result<(), Impossible> {
    let url = match source {
        Source::Text(text) => {
            w.begin_object().field("type", "text").field("text", text).end_object();
            return Ok(());
        }
        Source::Url(url) => {
            let (kind, data) = target.fetched.get(&**url).ok_or_else(|| {
                Impossible::new(&block.pointer, "is an address, and the provider takes a file's bytes only")
            })?;
            let kind = if kind.is_empty() { "application/pdf" } else { kind };
            Address::data(kind, data)
        }
        Source::Base64 { media_type, data } => Address::data(media_type, data),
        Source::FileId(id) => {
            w.begin_object().field("type", "file").key("file").begin_object().field("file_id", id);
            w.end_object().end_object();
            return Ok(());
        }
    };
    w.begin_object().field("type", "file").key("file").begin_object();
    w.field("filename", filename.unwrap_or("file.pdf")).field_json("file_data", &url);
    w.end_object().end_object();
    Ok(())
}

fn assistant(
    turn: &Turn<'_>,
    target: &Target<'_>,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut shown = Vec::new();
    for block in &turn.blocks {
        match &block.content {
            Content::Text(more) | Content::Refusal(more) => text.push_str(more),
            Content::ToolCall { id, name, arguments, custom, .. } => {
                let arguments = match (custom, arguments.trim()) {
                    (true, _) => json!({ "input": arguments }).to_string(),
                    (false, "") => String::from("{}"),
                    (false, arguments) => arguments.to_owned(),
                };
                calls.push(
                    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}),
                );
            }
            Content::Reasoning { .. } => {
                losses.dropped(&block.pointer, "only the provider that made the reasoning can take it back");
            }
            Content::Image { .. } => shown.push(block),
            _ => losses.dropped(&block.pointer, "the provider's dialect has no place for it"),
        }
    }
    // A turn that held nothing but what was left out says nothing.
    if text.is_empty() && calls.is_empty() && shown.is_empty() {
        return Ok(());
    }
    w.begin_object().field("role", "assistant");
    w.field_json("content", &(!text.is_empty() || calls.is_empty()).then_some(text));
    if !calls.is_empty() {
        w.field_json("tool_calls", &calls);
    }
    w.end_object();
    if !shown.is_empty() {
        // A model's own picture can be shown to it again only as the user's.
        w.begin_object().field("role", "user").key("content");
        content(shown, target, w, losses)?;
        w.end_object();
    }
    Ok(())
}
