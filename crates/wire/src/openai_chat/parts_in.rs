//! A caller's messages as turns of blocks.

use std::borrow::Cow;

use crate::hub::{Block, CacheControl, Content, Role, Seal, SealFormat, Source, Turn};
use crate::node::Node;

/// Reads `messages`.
pub(super) fn turns(messages: Node<'_>) -> Vec<Turn<'_>> {
    let messages = messages.elements().into_iter().enumerate();
    messages.map(|(at, message)| turn(message, &format!("/messages/{at}"))).collect()
}

fn turn<'b>(message: Node<'b>, at: &str) -> Turn<'b> {
    let name = message.get_string("name");
    match message.get_string("role").as_deref() {
        Some("system" | "developer") => {
            Turn { role: Role::System, blocks: content(message.get("content"), at), name }
        }
        Some("assistant" | "model") => Turn { role: Role::Assistant, blocks: assistant(message, at), name },
        Some("tool" | "function") => {
            let id = message.get_string("tool_call_id").or_else(|| name.clone()).unwrap_or_default();
            let content = content(message.get("content"), at);
            // A breakpoint on the last part of a result is one after the result.
            let cache = content.last().and_then(|block| block.cache);
            let result = Content::ToolResult { id, name, content, is_error: false };
            let block = Block { content: result, cache, pointer: at.to_owned() };
            Turn { role: Role::User, blocks: vec![block], name: None }
        }
        _ => Turn { role: Role::User, blocks: content(message.get("content"), at), name },
    }
}

/// Text, or a list of parts.
fn content<'b>(content: Option<Node<'b>>, at: &str) -> Vec<Block<'b>> {
    let Some(node) = content else { return Vec::new() };
    if let Some(text) = node.string() {
        return vec![Block::new(Content::Text(text), format!("{at}/content"))];
    }
    let parts = node.elements().into_iter().enumerate();
    parts.filter_map(|(nth, part)| block(part, format!("{at}/content/{nth}"))).collect()
}

fn block<'b>(part: Node<'b>, pointer: String) -> Option<Block<'b>> {
    if let Some(text) = part.string() {
        return Some(Block::new(Content::Text(text), pointer));
    }
    let breakpoint = part.get("prompt_cache_breakpoint").map(|_| CacheControl::default());
    let cache = part.get("cache_control").and_then(CacheControl::read).or(breakpoint);
    let kind = part.get_string("type");
    let content = match kind.as_deref() {
        Some("text" | "input_text" | "output_text") | None => Content::Text(part.get_string("text")?),
        Some("refusal") => Content::Refusal(part.get_string("refusal")?),
        Some("image_url" | "input_image") => {
            let inner = part.get("image_url")?;
            let url = inner.string().or_else(|| inner.get_string("url"))?;
            let detail = inner.get_string("detail").or_else(|| part.get_string("detail"));
            Content::Image { source: Source::from_url(url), detail }
        }
        Some("input_audio") => {
            let inner = part.get("input_audio")?;
            let data = inner.string().or_else(|| inner.get_string("data"))?;
            let source = match data.starts_with("data:") {
                true => Source::from_url(data),
                false => Source::Base64 { media_type: audio_type(inner.get_string("format")), data },
            };
            Content::Audio { source }
        }
        Some("video_url" | "input_video") => {
            let inner = part.get("video_url").or_else(|| part.get("input_video"))?;
            let url = inner.string().or_else(|| inner.get_string("url"))?;
            Content::Video { source: Source::from_url(url) }
        }
        Some("file" | "input_file") => file(part.get("file").unwrap_or(part))?,
        Some("document_url") => Content::File {
            source: Source::from_url(part.get_string("document_url")?),
            filename: part.get_string("document_name"),
        },
        Some("thinking") => {
            let inner = part.get("thinking")?;
            let texts = inner.elements();
            let text = match inner.string() {
                Some(text) => text,
                None => texts.into_iter().filter_map(|t| t.get_string("text")).collect::<String>().into(),
            };
            Content::Reasoning { text, summary: false, seal: None }
        }
        Some(_) => Content::Native(part),
    };
    Some(Block { content, cache, pointer })
}

fn file(file: Node<'_>) -> Option<Content<'_>> {
    let filename = file.get_string("filename");
    let url = file.get_string("file_data").or_else(|| file.get_string("file_url"));
    let source = match url {
        Some(data) if data.starts_with("data:") || data.contains("://") => Source::from_url(data),
        // Bare base64: what it is, its name says.
        Some(data) => Source::Base64 { media_type: type_by_name(filename.as_deref()), data },
        None => Source::FileId(file.get_string("file_id")?),
    };
    Some(Content::File { source, filename })
}

fn audio_type(format: Option<Cow<'_, str>>) -> Cow<'static, str> {
    match format.as_deref() {
        Some("mp3") => Cow::Borrowed("audio/mpeg"),
        Some("m4a") => Cow::Borrowed("audio/mp4"),
        Some("pcm16" | "pcm24") => Cow::Borrowed("audio/pcm"),
        Some(format) => Cow::Owned(format!("audio/{}", format.to_ascii_lowercase())),
        None => Cow::Borrowed("audio/wav"),
    }
}

fn type_by_name(name: Option<&str>) -> Cow<'static, str> {
    let extension = name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
    Cow::Borrowed(match extension.as_deref() {
        Some("txt" | "md") => "text/plain",
        Some("csv") => "text/csv",
        Some("html") => "text/html",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "application/pdf",
    })
}

/// What the model said before, in the order in which models speak.
fn assistant<'b>(message: Node<'b>, at: &str) -> Vec<Block<'b>> {
    let mut blocks = Vec::new();
    let calls: Vec<Block<'b>> = calls(message, at);
    let mut call_seals = Vec::new();
    reasoning(message, at, &calls, &mut blocks, &mut call_seals);
    blocks.extend(content(message.get("content"), at));
    if let Some(refusal) = message.get_string("refusal").filter(|text| !text.is_empty()) {
        blocks.push(Block::new(Content::Refusal(refusal), format!("{at}/refusal")));
    }
    for (nth, image) in message.get("images").map(Node::elements).unwrap_or_default().into_iter().enumerate()
    {
        blocks.extend(block(image, format!("{at}/images/{nth}")));
    }
    for mut call in calls {
        if let Content::ToolCall { id, seal, .. } = &mut call.content
            && seal.is_none()
        {
            let own = call_seals.iter().position(|made: &Seal| made.id.as_deref() == Some(&**id));
            *seal = own.map(|at| call_seals.swap_remove(at));
        }
        blocks.push(call);
    }
    blocks
}

fn calls<'b>(message: Node<'b>, at: &str) -> Vec<Block<'b>> {
    let mut blocks = Vec::new();
    for (nth, call) in
        message.get("tool_calls").map(Node::elements).unwrap_or_default().into_iter().enumerate()
    {
        let custom = call.get("custom");
        let Some(function) = custom.or_else(|| call.get("function")) else { continue };
        let arguments = function.get(if custom.is_some() { "input" } else { "arguments" });
        let seal = call
            .get("extra_content")
            .and_then(|extra| extra.get("google")?.get_string("thought_signature"))
            .map(|data| Seal {
                format: SealFormat::Gemini,
                data: data.into_owned(),
                signature: true,
                id: None,
            });
        let content = Content::ToolCall {
            id: call.get_string("id").unwrap_or_default(),
            name: function.get_string("name").unwrap_or_default(),
            arguments: arguments.map(text_or_json).unwrap_or_default(),
            custom: custom.is_some(),
            seal,
        };
        blocks.push(Block::new(content, format!("{at}/tool_calls/{nth}")));
    }
    if let (true, Some(old)) = (blocks.is_empty(), message.get("function_call")) {
        let name = old.get_string("name").unwrap_or_default();
        let arguments = old.get("arguments").map(text_or_json).unwrap_or_default();
        // The older form has no ids: its result names the function.
        let content = Content::ToolCall { id: name.clone(), name, arguments, custom: false, seal: None };
        blocks.push(Block::new(content, format!("{at}/function_call")));
    }
    blocks
}

/// Arguments are a text of JSON; some clients send the object itself.
fn text_or_json(node: Node<'_>) -> Cow<'_, str> {
    node.string().unwrap_or_else(|| String::from_utf8_lossy(node.raw()))
}

/// `reasoning_details` where there are any, else the readable text alone.
fn reasoning<'b>(
    message: Node<'b>,
    at: &str,
    calls: &[Block<'b>],
    blocks: &mut Vec<Block<'b>>,
    call_seals: &mut Vec<Seal>,
) {
    let details = message.get("reasoning_details").map(Node::elements).unwrap_or_default();
    if details.is_empty() {
        let text = message.get_string("reasoning").or_else(|| message.get_string("reasoning_content"));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let content = Content::Reasoning { text, summary: false, seal: None };
            blocks.push(Block::new(content, format!("{at}/reasoning")));
        }
        return;
    }
    let is_call = |id: &str| {
        calls.iter().any(|call| matches!(&call.content, Content::ToolCall { id: own, .. } if own == id))
    };
    for (nth, detail) in details.into_iter().enumerate() {
        let text = |key: &str| detail.get_string(key).filter(|text| !text.is_empty());
        let seal = |data: Cow<'_, str>, signature: bool| Seal {
            format: SealFormat::read(&text("format").unwrap_or_default()),
            data: data.into_owned(),
            signature,
            id: text("id").map(Cow::into_owned),
        };
        let made = text("signature")
            .map(|data| seal(data, true))
            .or_else(|| text("data").map(|data| seal(data, false)));
        if let Some(made) = made.as_ref().filter(|made| made.id.as_deref().is_some_and(is_call)) {
            call_seals.push(made.clone());
            continue;
        }
        let summary = text("summary");
        let is_summary = summary.is_some();
        let readable = summary.or_else(|| text("text")).unwrap_or_default();
        // A signature that was streamed after its text belongs to it.
        if let (true, Some(made)) = (readable.is_empty(), &made)
            && let Some(Block {
                content: Content::Reasoning { seal: open @ None, summary: false, .. }, ..
            }) = blocks.last_mut()
        {
            *open = Some(made.clone());
            continue;
        }
        if let (
            false,
            None,
            Some(Block { content: Content::Reasoning { text: held, summary, seal: None }, .. }),
        ) = (readable.is_empty(), &made, blocks.last_mut())
            && *summary == is_summary
        {
            // Increments of one stream.
            held.to_mut().push_str(&readable);
            continue;
        }
        if !readable.is_empty() || made.is_some() {
            let content = Content::Reasoning { text: readable, summary: is_summary, seal: made };
            blocks.push(Block::new(content, format!("{at}/reasoning_details/{nth}")));
        }
    }
}
