//! Blocks as Google's parts.
//!
//! - A signature goes back on the very part that it came with: on its call (a seal of the call's own, or one that names the
//!   call's id), on its thought, else on the text or image before it, or the text after it.
//! - The third generation refuses a step whose first call has no signature; Google's own escape value stands in where there is
//!   none to give.
//! - Results name their function, not an id. Images in results go inside them from the third generation on, before that
//!   behind all results of the turn.

use std::collections::HashMap;

use super::media::{self, Kind};
use super::model::Model;
use super::names::Names;
use super::seal;
use crate::hub::{
    Block, Content, Dialect, Exchange, Flavor, Impossible, Item, Losses, Request, Role, Source, Target, What,
};
use crate::node::Node;
use crate::writer::Writer;

/// Google's value for "there is no signature, go on without".
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes parts.
pub(super) struct PartsOut<'r, 'b, 'o> {
    request: &'r Request<'b>,
    target: &'r Target<'r>,
    model: Model,
    names: &'r Names,
    /// Names of tools by the ids of their calls.
    called: HashMap<&'r str, &'r str>,
    /// Signatures by the ids of the calls that they belong to.
    seals: HashMap<&'r str, &'r str>,
    pub(super) w: &'o mut Writer,
    pub(super) losses: &'o mut Losses,
    /// Parts written in this turn.
    written: usize,
    /// A signature that waits for the next part.
    waiting: Option<&'r str>,
    /// The signature of the image that comes next.
    of_image: Option<&'r str>,
    /// A call of this step has been written.
    called_in_step: bool,
}

impl<'r, 'b, 'o> PartsOut<'r, 'b, 'o> {
    pub(super) fn new(
        request: &'r Request<'b>,
        target: &'r Target<'r>,
        model: Model,
        names: &'r Names,
        w: &'o mut Writer,
        losses: &'o mut Losses,
    ) -> PartsOut<'r, 'b, 'o> {
        let (mut called, mut seals) = (HashMap::new(), HashMap::new());
        request.each_block(&mut |block| match &block.content {
            Content::ToolCall { id, name, .. } => drop(called.insert(id.as_ref(), name.as_ref())),
            Content::Reasoning { seal: Some(sealed), .. } => {
                if let (Some(data), Some(id)) = (seal::own(Some(sealed)), &sealed.id) {
                    seals.insert(id.as_str(), data);
                }
            }
            _ => (),
        });
        seals.retain(|id, _| called.contains_key(id));
        PartsOut {
            request,
            target,
            model,
            names,
            called,
            seals,
            w,
            losses,
            written: 0,
            waiting: None,
            of_image: None,
            called_in_step: false,
        }
    }

    /// Writes the parts of one side's say; never none.
    pub(super) fn exchange(&mut self, exchange: &Exchange<'r, 'b>) -> Result<(), Impossible> {
        (self.written, self.called_in_step) = (0, false);
        let mut behind = Vec::new();
        let mut items = exchange.items.iter().peekable();
        while let Some(item) = items.next() {
            let is_result = |item: &Item<'_, '_>| {
                matches!(item.what, What::Missing { .. })
                    || matches!(item.what, What::Block(Block { content: Content::ToolResult { .. }, .. }))
            };
            let after = match item.what {
                What::Block(Block { content: Content::Text(_) | Content::Image { .. }, .. })
                    if exchange.role == Role::Assistant =>
                {
                    items.peek().and_then(|next| self.bare_seal(next))
                }
                _ => None,
            };
            if after.is_some() {
                items.next();
            }
            if let What::Block(Block { content: Content::Text(text), .. }) = item.what
                && exchange.role == Role::Assistant
            {
                let signature = after.or_else(|| self.waiting.take());
                self.text(text, signature);
                continue;
            }
            self.of_image = after;
            self.item(item, exchange.role, &mut behind)?;
            if is_result(item) && !items.peek().is_some_and(|next| is_result(next)) {
                self.behind(&mut behind)?;
            }
        }
        if let Some(signature) = self.waiting.take() {
            self.text("", Some(signature));
        }
        if self.written == 0 {
            self.text(".", None);
        }
        Ok(())
    }

    /// A signature of no thought and no call: it belongs to the text beside it.
    fn bare_seal(&self, item: &Item<'r, 'b>) -> Option<&'r str> {
        let What::Block(block) = item.what else { return None };
        let Content::Reasoning { text, seal: Some(sealed), .. } = &block.content else { return None };
        let of_call = sealed.id.as_deref().is_some_and(|id| self.called.contains_key(id));
        seal::own(Some(sealed)).filter(|_| text.is_empty() && !of_call)
    }

    fn item(
        &mut self,
        item: &Item<'r, 'b>,
        role: Role,
        behind: &mut Vec<&'r Block<'b>>,
    ) -> Result<(), Impossible> {
        match item.what {
            What::Block(block) => self.block(block, role, behind)?,
            What::System(text) => self.text(text, None),
            What::Missing { name, .. } => {
                self.part();
                self.w.key("functionResponse").begin_object().field("name", self.names.sent(name));
                self.w.key("response").begin_object().field("error", "no result was given").end_object();
                self.w.end_object().end_object();
            }
            What::Orphan(block) => {
                self.losses.approximated(&block.pointer, "no call has this id; it was told as text");
                if let Content::ToolResult { content, .. } = &block.content {
                    self.text(&texts(content), None);
                    behind.extend(content.iter().filter(|block| is_media(block)));
                    self.behind(behind)?;
                }
            }
            What::Placeholder => self.text(".", None),
        }
        Ok(())
    }

    fn block(
        &mut self,
        block: &'r Block<'b>,
        role: Role,
        behind: &mut Vec<&'r Block<'b>>,
    ) -> Result<(), Impossible> {
        match &block.content {
            Content::Text(text) | Content::Refusal(text) => self.text(text, None),
            Content::Image { source, .. } => self.media(Kind::Image, source, block)?,
            Content::Audio { source } => self.media(Kind::Audio, source, block)?,
            Content::Video { source } => self.media(Kind::Video, source, block)?,
            Content::File { source, .. } => self.media(Kind::File, source, block)?,
            Content::Reasoning { .. } if role != Role::Assistant => {
                self.losses.dropped(&block.pointer, "only the model reasons");
            }
            Content::Reasoning { .. } => self.reasoning(block),
            Content::ToolCall { .. } => self.call(block),
            Content::ToolResult { id, name, content, is_error } => {
                let name = self.called.get(id.as_ref()).copied().or(name.as_deref()).unwrap_or_default();
                self.result(name, content, *is_error, behind)?;
            }
            Content::Native(node) if self.request.origin == Dialect::Gemini => {
                self.written += 1;
                self.w.raw(node.raw());
            }
            Content::Native(_) => self.losses.dropped(&block.pointer, "Gemini has no such part"),
        }
        Ok(())
    }

    fn part(&mut self) {
        self.written += 1;
        self.w.begin_object();
    }

    /// A part of text, with the signature that belongs to it.
    pub(super) fn text(&mut self, text: &str, signature: Option<&str>) {
        self.part();
        self.w.field("text", text).field_some("thoughtSignature", signature).end_object();
    }

    fn reasoning(&mut self, block: &'r Block<'b>) {
        let Content::Reasoning { text, seal: sealed, .. } = &block.content else { return };
        let own = seal::own(sealed.as_ref());
        if sealed.is_some() && own.is_none() {
            return self.losses.dropped(&block.pointer, "it is sealed by another maker of models");
        }
        let of_call =
            sealed.as_ref().and_then(|s| s.id.as_deref()).is_some_and(|id| self.called.contains_key(id));
        let own = own.filter(|_| !of_call);
        if !text.is_empty() {
            self.part();
            self.w.field("text", text).field_json("thought", &true);
            self.w.field_some("thoughtSignature", own).end_object();
        } else if own.is_some() {
            if let Some(before) = self.waiting.take() {
                self.text("", Some(before));
            }
            self.waiting = own;
        }
    }

    fn call(&mut self, block: &'r Block<'b>) {
        let Content::ToolCall { id, name, arguments, custom, seal: sealed } = &block.content else { return };
        let signature = seal::own(sealed.as_ref())
            .or_else(|| self.seals.get(id.as_ref()).copied())
            .or_else(|| self.waiting.take());
        let first = !std::mem::replace(&mut self.called_in_step, true);
        let signature = signature.or((first && self.model.is_third()).then_some(NO_SIGNATURE));
        self.part();
        self.w.key("functionCall").begin_object().field("name", self.names.sent(name)).key("args");
        match object(arguments) {
            _ if *custom => drop(self.w.begin_object().field("input", arguments).end_object()),
            Some(arguments) => drop(self.w.raw(arguments)),
            None => {
                if !arguments.trim().is_empty() {
                    self.losses
                        .approximated(&block.pointer, "its arguments are no JSON object; it went without");
                }
                self.w.begin_object().end_object();
            }
        }
        self.w.end_object().field_some("thoughtSignature", signature).end_object();
    }

    fn result(
        &mut self,
        name: &str,
        content: &'r [Block<'b>],
        is_error: bool,
        behind: &mut Vec<&'r Block<'b>>,
    ) -> Result<(), Impossible> {
        let text = texts(content);
        self.part();
        self.w.key("functionResponse").begin_object().field("name", self.names.sent(name)).key("response");
        match (object(&text), is_error) {
            (Some(object), false) => drop(self.w.raw(object)),
            (Some(object), true) => drop(self.w.begin_object().field_raw("error", object).end_object()),
            (None, failed) => {
                let key = if failed { "error" } else { "result" };
                self.w.begin_object().field(key, &text).end_object();
            }
        }
        let media: Vec<&Block<'b>> = content.iter().filter(|block| is_media(block)).collect();
        for other in content.iter().filter(|block| text_of(block).is_none() && !is_media(block)) {
            self.losses.dropped(&other.pointer, "results hold text and media only");
        }
        if self.model.is_third() && !media.is_empty() {
            let outer = self.written;
            self.w.key("parts").begin_array();
            let mut none = Vec::new();
            for block in media {
                self.block(block, Role::User, &mut none)?;
            }
            self.w.end_array();
            self.written = outer;
        } else {
            behind.extend(media);
        }
        self.w.end_object().end_object();
        Ok(())
    }

    /// What could not stand inside the results, behind all of them.
    fn behind(&mut self, blocks: &mut Vec<&'r Block<'b>>) -> Result<(), Impossible> {
        for block in std::mem::take(blocks) {
            self.losses.approximated(&block.pointer, "it stands behind the results of the tools");
            self.block(block, Role::User, &mut Vec::new())?;
        }
        Ok(())
    }

    fn media(&mut self, kind: Kind, source: &'r Source<'b>, block: &Block<'b>) -> Result<(), Impossible> {
        let (noun, _) = kind.noun_and_default();
        match source {
            Source::Base64 { media_type, data } => self.inline(media_type, data, kind),
            Source::Text(text) => self.text(text, None),
            Source::Url(url) => {
                let hosted = matches!(self.target.flavor, Flavor::Direct | Flavor::Vertex);
                if hosted && media::takes_address(url) {
                    self.address(url);
                } else if let Some((media_type, data)) = self.target.fetched.get(url.as_ref()) {
                    self.inline(media_type, data, kind);
                } else {
                    let problem =
                        format!("is the address of {noun}, which Gemini wants as bytes; send a data URL");
                    return Err(Impossible::new(&block.pointer, problem));
                }
            }
            Source::FileId(id) if id.contains("://") => self.address(id),
            Source::FileId(_) => {
                let problem = format!("is {noun} under another provider's id; send its bytes as a data URL");
                return Err(Impossible::new(&block.pointer, problem));
            }
        }
        Ok(())
    }

    fn inline(&mut self, declared: &str, data: &str, kind: Kind) {
        self.part();
        self.w.key("inlineData").begin_object().field("mimeType", &media::media_type(declared, data, kind));
        self.w.field("data", data).end_object();
        self.w.field_some("thoughtSignature", self.of_image.take()).end_object();
    }

    fn address(&mut self, url: &str) {
        self.part();
        self.w.key("fileData").begin_object().field_some("mimeType", media::of_address(url));
        self.w.field("fileUri", url).end_object();
        self.w.field_some("thoughtSignature", self.of_image.take()).end_object();
    }
}

/// The text of a block of a result.
fn text_of<'t>(block: &'t Block<'_>) -> Option<&'t str> {
    match &block.content {
        Content::Text(text) | Content::File { source: Source::Text(text), .. } => Some(text),
        _ => None,
    }
}

fn is_media(block: &Block<'_>) -> bool {
    let media = matches!(
        block.content,
        Content::Image { .. } | Content::File { .. } | Content::Audio { .. } | Content::Video { .. }
    );
    media && text_of(block).is_none()
}

/// All text of a result.
fn texts(content: &[Block<'_>]) -> String {
    content.iter().filter_map(text_of).collect::<Vec<_>>().join("\n")
}

/// A text that is one JSON object.
pub(super) fn object(text: &str) -> Option<&[u8]> {
    Node::parse(text.as_bytes()).ok().map(Node::raw)
}
