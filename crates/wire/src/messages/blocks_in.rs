//! A caller's messages as turns of blocks.

use std::borrow::Cow;

use crate::hub::{Block, CacheControl, Content, Role, Seal, SealFormat, Source, Turn};
use crate::node::Node;

/// Reads one message.
pub(super) fn turn<'b>(message: Node<'b>, at: &str) -> Turn<'b> {
    let role = match message.get_string("role").as_deref() {
        Some("assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        _ => Role::User,
    };
    let blocks =
        message.get("content").map(|node| content(node, &format!("{at}/content"))).unwrap_or_default();
    Turn { role, blocks, name: None }
}

/// Text, or a list of blocks.
pub(super) fn content<'b>(node: Node<'b>, at: &str) -> Vec<Block<'b>> {
    if let Some(text) = node.string() {
        return vec![Block::new(Content::Text(text), at)];
    }
    let blocks = node.elements().into_iter().enumerate();
    blocks.map(|(nth, node)| block(node, format!("{at}/{nth}"))).collect()
}

fn block<'b>(node: Node<'b>, pointer: String) -> Block<'b> {
    let cache = node.get("cache_control").and_then(CacheControl::read);
    let content = known(node, &pointer).unwrap_or(Content::Native(node));
    Block { content, cache, pointer }
}

fn known<'b>(node: Node<'b>, pointer: &str) -> Option<Content<'b>> {
    let seal = |data: Cow<'_, str>, signature: bool| Seal {
        format: SealFormat::Anthropic,
        data: data.into_owned(),
        signature,
        id: None,
    };
    Some(match node.get_string("type")?.as_ref() {
        "text" => Content::Text(node.get_string("text")?),
        "image" => Content::Image { source: source(node.get("source")?)?, detail: None },
        "document" => {
            let inner = node.get("source")?;
            // A document made of blocks has no equal elsewhere.
            Content::File { source: source(inner)?, filename: node.get_string("title") }
        }
        "thinking" => {
            let signature = node.get_string("signature").filter(|text| !text.is_empty());
            Content::Reasoning {
                text: node.get_string("thinking").unwrap_or_default(),
                summary: false,
                seal: signature.map(|data| seal(data, true)),
            }
        }
        "redacted_thinking" => Content::Reasoning {
            text: Cow::Borrowed(""),
            summary: false,
            seal: Some(seal(node.get_string("data")?, false)),
        },
        "tool_use" => {
            let input = node.get("input");
            Content::ToolCall {
                id: node.get_string("id")?,
                name: node.get_string("name")?,
                arguments: input.map_or(Cow::Borrowed("{}"), |input| {
                    input.string().unwrap_or_else(|| String::from_utf8_lossy(input.raw()))
                }),
                custom: false,
                seal: None,
            }
        }
        "tool_result" => {
            let inner = node.get("content");
            Content::ToolResult {
                id: node.get_string("tool_use_id")?,
                name: None,
                content: inner.map(|inner| content(inner, &format!("{pointer}/content"))).unwrap_or_default(),
                is_error: node.get("is_error").and_then(Node::bool).unwrap_or(false),
            }
        }
        _ => return None,
    })
}

fn source(node: Node<'_>) -> Option<Source<'_>> {
    Some(match node.get_string("type")?.as_ref() {
        "base64" => Source::Base64 {
            media_type: node.get_string("media_type").unwrap_or_default(),
            data: node.get_string("data")?,
        },
        "url" => Source::from_url(node.get_string("url")?),
        "text" => Source::Text(node.get_string("data")?),
        "file" => Source::FileId(node.get_string("file_id")?),
        _ => return None,
    })
}
