//! A caller's parts as blocks.
//!
//! Calls often have no ids: they are counted through the whole conversation, and a result without one belongs to the oldest
//! open call of its name. Clients that replay a stream send its increments as parts: thoughts join, so that what proves them
//! proves them whole.

use std::borrow::Cow;

use super::keys::{fields, get, get_string};
use super::media::Kind;
use super::seal;
use crate::hub::{Block, Content, Source};
use crate::node::Node;

/// Reads parts in the order of the conversation.
#[derive(Debug, Default)]
pub(super) struct PartsIn<'b> {
    calls: u32,
    open: Vec<(Cow<'b, str>, Cow<'b, str>)>,
}

/// A part's members by name.
#[derive(Default)]
struct Part<'b> {
    text: Option<Cow<'b, str>>,
    thought: bool,
    signature: Option<Cow<'b, str>>,
    inline: Option<Node<'b>>,
    file: Option<Node<'b>>,
    call: Option<Node<'b>>,
    response: Option<Node<'b>>,
}

impl<'b> PartsIn<'b> {
    /// Adds what a part says.
    pub(super) fn part(&mut self, node: Node<'b>, pointer: String, blocks: &mut Vec<Block<'b>>) {
        if let Some(text) = node.string() {
            return blocks.push(Block::new(Content::Text(text), pointer));
        }
        let mut part = Part::default();
        for field in fields(node) {
            match &*field.name {
                "text" => part.text = field.value.string(),
                "thought" => part.thought = field.value.bool().unwrap_or(false),
                "thoughtSignature" => part.signature = field.value.string().filter(|text| !text.is_empty()),
                "inlineData" => part.inline = Some(field.value),
                "fileData" => part.file = Some(field.value),
                "functionCall" => part.call = Some(field.value),
                "functionResponse" => part.response = Some(field.value),
                _ => (),
            }
        }
        let sealed = part.signature.as_deref().map(|text| seal::read(text, part.thought));
        let content = match part {
            Part { call: Some(call), .. } => {
                return blocks.push(Block::new(self.call(call, sealed), pointer));
            }
            Part { response: Some(response), .. } => self.response(response, &pointer),
            Part { inline: Some(inline), .. } => self::inline(inline),
            Part { file: Some(file), .. } => self::file(file),
            Part { text, thought: true, .. } => {
                return thought(text.unwrap_or_default(), sealed, pointer, blocks);
            }
            Part { text: Some(text), .. } => Content::Text(text),
            Part { text: None, signature: Some(_), .. } => Content::Text("".into()),
            _ => Content::Native(node),
        };
        let empty = matches!(&content, Content::Text(text) if text.is_empty() && sealed.is_some());
        if !empty {
            blocks.push(Block::new(content, pointer.clone()));
        }
        if sealed.is_some() {
            let content = Content::Reasoning { text: "".into(), summary: false, seal: sealed };
            blocks.push(Block::new(content, pointer));
        }
    }

    fn call(&mut self, call: Node<'b>, seal: Option<crate::hub::Seal>) -> Content<'b> {
        let name = get_string(call, "name").unwrap_or_default();
        self.calls += 1;
        let id = get_string(call, "id").filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| format!("call_{:04}", self.calls).into());
        self.open.push((id.clone(), name.clone()));
        let arguments = get(call, "args").and_then(raw).unwrap_or(Cow::Borrowed("{}"));
        Content::ToolCall { id, name, arguments, custom: false, seal }
    }

    fn response(&mut self, response: Node<'b>, pointer: &str) -> Content<'b> {
        let name = get_string(response, "name").filter(|name| !name.is_empty());
        let told = get_string(response, "id").filter(|id| !id.is_empty());
        let at = self.open.iter().position(|(id, of)| match (&told, &name) {
            (Some(told), _) => id == told,
            (None, Some(name)) => of == name,
            (None, None) => true,
        });
        let found = at.map(|at| self.open.remove(at));
        let id = told.or_else(|| found.as_ref().map(|(id, _)| id.clone())).unwrap_or_else(|| {
            self.calls += 1;
            format!("call_{:04}", self.calls).into()
        });
        let name = name.or_else(|| found.map(|(_, name)| name));
        let (text, is_error) = get(response, "response").map(result).unwrap_or_default();
        let mut content = Vec::new();
        if !text.is_empty() {
            content.push(Block::new(Content::Text(text), format!("{pointer}/functionResponse/response")));
        }
        let parts = get(response, "parts").map(Node::elements).unwrap_or_default();
        for (at, part) in parts.into_iter().enumerate() {
            let inner = get(part, "inlineData").map(inline).or_else(|| get(part, "fileData").map(file));
            if let Some(inner) = inner {
                content.push(Block::new(inner, format!("{pointer}/functionResponse/parts/{at}")));
            }
        }
        Content::ToolResult { id, name, content, is_error }
    }
}

/// A value's own text.
fn raw<'b>(node: Node<'b>) -> Option<Cow<'b, str>> {
    match node.string() {
        Some(text) => Some(text),
        None => std::str::from_utf8(node.raw()).ok().map(Cow::Borrowed),
    }
}

/// Google wants an object, so that clients wrap what is none: `{"result":...}`, `{"output":...}`, `{"error":...}`.
fn result(node: Node<'_>) -> (Cow<'_, str>, bool) {
    let members = node.members();
    match members.as_slice() {
        [] if node.raw().starts_with(b"{") => (Cow::Borrowed(""), false),
        [(key, value)] if matches!(&**key, "result" | "output" | "error") => {
            (raw(*value).unwrap_or_default(), key == "error")
        }
        _ => (raw(node).unwrap_or_default(), false),
    }
}

fn thought<'b>(
    more: Cow<'b, str>,
    sealed: Option<crate::hub::Seal>,
    pointer: String,
    blocks: &mut Vec<Block<'b>>,
) {
    if let Some(Block { content: Content::Reasoning { text, seal: seal @ None, .. }, .. }) = blocks.last_mut()
    {
        if !more.is_empty() {
            text.to_mut().push_str(&more);
        }
        *seal = sealed;
    } else if !more.is_empty() || sealed.is_some() {
        blocks.push(Block::new(Content::Reasoning { text: more, summary: false, seal: sealed }, pointer));
    }
}

fn by_kind<'b>(media_type: &str, source: Source<'b>, filename: Option<Cow<'b, str>>) -> Content<'b> {
    match Kind::of(media_type) {
        Kind::Image => Content::Image { source, detail: None },
        Kind::Audio => Content::Audio { source },
        Kind::Video => Content::Video { source },
        Kind::File => Content::File { source, filename },
    }
}

fn inline(node: Node<'_>) -> Content<'_> {
    let media_type = get_string(node, "mimeType").unwrap_or_default().to_ascii_lowercase();
    let data = get_string(node, "data").unwrap_or_default();
    // Python's client encodes bytes for URLs.
    let data = if data.contains(['-', '_']) { data.replace('-', "+").replace('_', "/").into() } else { data };
    let filename = get_string(node, "displayName");
    by_kind(media_type.clone().as_str(), Source::Base64 { media_type: media_type.into(), data }, filename)
}

fn file(node: Node<'_>) -> Content<'_> {
    let uri = get_string(node, "fileUri").unwrap_or_default();
    let media_type = get_string(node, "mimeType").unwrap_or_default().to_ascii_lowercase();
    let guessed = super::media::of_address(&uri).unwrap_or_default();
    let public = ["https://", "http://"].iter().any(|scheme| uri.starts_with(scheme))
        && !uri.starts_with("https://generativelanguage.googleapis.com/");
    let is_youtube = public && super::media::is_googles(&uri);
    let source = if public { Source::Url(uri) } else { Source::FileId(uri) };
    let media_type = match () {
        () if !media_type.is_empty() => media_type.as_str(),
        () if is_youtube => "video/mp4",
        () => guessed,
    };
    by_kind(media_type, source, get_string(node, "displayName"))
}
