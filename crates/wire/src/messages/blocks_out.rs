//! Blocks of a conversation in strict form, as Messages blocks.

use serde_json::{Map, Value};

use super::claude::Claude;
use super::request_out::refuses_prefill;
use crate::hub::{
    Block, CacheControl, Content, Exchange, Flavor, Impossible, Item, Losses, Role, SealFormat, Source,
    Target, What,
};
use crate::writer::Writer;

/// Writes a cache breakpoint, when there is one.
pub(super) fn cache(cache: Option<CacheControl>, w: &mut Writer) {
    let Some(cache) = cache else { return };
    w.key("cache_control").begin_object().field("type", "ephemeral");
    if cache.hour {
        w.field("ttl", "1h");
    }
    w.end_object();
}

/// Writes `system`.
pub(super) fn system(items: &[Item<'_, '_>], w: &mut Writer) {
    if items.is_empty() {
        return;
    }
    w.key("system").begin_array();
    for item in items {
        let text = match item.what {
            What::Block(Block { content: Content::Text(text), .. }) => text.as_ref(),
            What::System(text) => text,
            _ => continue,
        };
        w.begin_object().field("type", "text").field("text", text);
        cache(item.cache, w);
        w.end_object();
    }
    w.end_array();
}

/// Writes `messages`.
pub(super) fn messages(
    exchanges: &[Exchange<'_, '_>],
    target: &Target<'_>,
    claude: &Claude,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    let mut ids = Ids::default();
    w.begin_array();
    for (at, exchange) in exchanges.iter().enumerate() {
        let last = at + 1 == exchanges.len();
        if let Some(first) = exchange.items.first()
            && refuses_prefill(exchange.role, last, claude, &first.what)
        {
            return Err(Impossible::new(
                "/messages",
                "ends with a turn of the assistant, which this model can't continue; end with a user's turn",
            ));
        }
        let role = match exchange.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        w.begin_object().field("role", role).key("content").begin_array();
        let before = w.len();
        for (nth, item) in exchange.items.iter().enumerate() {
            let ends = last && nth + 1 == exchange.items.len() && exchange.role == Role::Assistant;
            write_item(item, ends, target, &mut ids, w, losses)?;
        }
        if w.len() == before {
            // Everything in it was left out; an empty turn is refused.
            w.begin_object().field("type", "text").field("text", ".").end_object();
        }
        w.end_array().end_object();
    }
    w.end_array();
    Ok(())
}

/// Ids as the dialect takes them: made to fit by the same rule for call and result.
#[derive(Debug, Default)]
struct Ids(Vec<(String, String)>);

impl Ids {
    fn fit(&mut self, id: &str, is_call: bool) -> String {
        let clean: String =
            id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let clean = if clean.is_empty() { String::from("call_0") } else { clean };
        if !is_call {
            // The newest call of that id is meant.
            let known = self.0.iter().rev().find(|(original, _)| original == id);
            return known.map_or(clean, |(_, fitted)| fitted.clone());
        }
        let mut fitted = clean.clone();
        let mut again = 1;
        while self.0.iter().any(|(_, used)| *used == fitted) {
            again += 1;
            fitted = format!("{clean}_{again}");
        }
        self.0.push((id.to_owned(), fitted.clone()));
        fitted
    }
}

fn text(text: &str, breakpoint: Option<CacheControl>, w: &mut Writer) {
    w.begin_object().field("type", "text").field("text", text);
    cache(breakpoint, w);
    w.end_object();
}

fn write_item(
    item: &Item<'_, '_>,
    ends: bool,
    target: &Target<'_>,
    ids: &mut Ids,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    match item.what {
        What::Block(block) => write_block(block, item.cache, ends, target, ids, w, losses)?,
        What::System(told) => text(told, item.cache, w),
        What::Placeholder => text(".", None, w),
        What::Missing { id, .. } => {
            w.begin_object().field("type", "tool_result").field("tool_use_id", &ids.fit(id, false));
            w.field("content", "No result was given.").field_json("is_error", &true).end_object();
        }
        What::Orphan(block) => {
            losses.approximated(&block.pointer, "the result of an unknown call is told as text");
            if let Content::ToolResult { content, .. } = &block.content {
                for part in content {
                    write_block(part, None, false, target, ids, w, losses)?;
                }
            }
        }
    }
    Ok(())
}

fn write_block(
    block: &Block<'_>,
    breakpoint: Option<CacheControl>,
    ends: bool,
    target: &Target<'_>,
    ids: &mut Ids,
    w: &mut Writer,
    losses: &mut Losses,
) -> Result<(), Impossible> {
    match &block.content {
        // White space at the very end of what is to be continued is refused.
        Content::Text(told) if ends => text(told.trim_end(), breakpoint, w),
        Content::Text(told) | Content::Refusal(told) => text(told, breakpoint, w),
        Content::Image { source, .. } => {
            w.begin_object().field("type", "image").key("source");
            write_source(block, source, "image", target, w)?;
            cache(breakpoint, w);
            w.end_object();
        }
        Content::File { source, filename } => {
            w.begin_object().field("type", "document").key("source");
            write_source(block, source, "file", target, w)?;
            w.field_some("title", filename.as_deref());
            cache(breakpoint, w);
            w.end_object();
        }
        Content::Audio { .. } => {
            return Err(Impossible::new(&block.pointer, "is audio, which the provider's models don't take"));
        }
        Content::Video { .. } => {
            return Err(Impossible::new(&block.pointer, "is video, which the provider's models don't take"));
        }
        Content::Reasoning { text: told, seal, .. } => match seal {
            Some(seal) if seal.format == SealFormat::Anthropic && seal.signature => {
                w.begin_object().field("type", "thinking").field("thinking", told);
                w.field("signature", &seal.data).end_object();
            }
            Some(seal) if seal.format == SealFormat::Anthropic => {
                w.begin_object().field("type", "redacted_thinking").field("data", &seal.data).end_object();
            }
            _ => losses.dropped(&block.pointer, "only the provider that made the reasoning can take it back"),
        },
        Content::ToolCall { id, name, arguments, custom, .. } => {
            w.begin_object().field("type", "tool_use").field("id", &ids.fit(id, true)).field("name", name);
            w.field_json("input", &input(arguments, *custom));
            cache(breakpoint, w);
            w.end_object();
        }
        Content::ToolResult { id, content, is_error, .. } => {
            w.begin_object().field("type", "tool_result").field("tool_use_id", &ids.fit(id, false));
            w.key("content").begin_array();
            for part in content {
                let empty = matches!(&part.content, Content::Text(told) if told.trim().is_empty());
                if !empty {
                    write_block(part, None, false, target, ids, w, losses)?;
                }
            }
            w.end_array();
            if *is_error {
                w.field_json("is_error", &true);
            }
            cache(breakpoint, w);
            w.end_object();
        }
        Content::Native(node) => {
            if target.flavor == Flavor::Mistral {
                losses.dropped(&block.pointer, "the provider's dialect has no place for it");
            } else if node.get("source").is_some() || node.get("type").is_some() && is_own(block) {
                w.raw(node.raw());
            } else {
                losses.dropped(&block.pointer, "the provider's dialect has no place for it");
            }
        }
    }
    Ok(())
}

/// Blocks of Anthropic's own that the hub has no form for.
fn is_own(block: &Block<'_>) -> bool {
    const OWN: [&str; 7] = [
        "search_result",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "container_upload",
        "mcp_tool_use",
    ];
    matches!(&block.content, Content::Native(node)
        if node.get_string("type").is_some_and(|kind| OWN.contains(&&*kind)))
}

/// Arguments as the object that the dialect wants; broken ones are kept as a text inside it.
pub(super) fn input(arguments: &str, custom: bool) -> Value {
    let wrapped = |key: &str| {
        let mut map = Map::new();
        map.insert(key.to_owned(), arguments.into());
        Value::Object(map)
    };
    if custom {
        return wrapped("input");
    }
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(map)) => Value::Object(map),
        Ok(Value::Null) => Value::Object(Map::new()),
        _ => wrapped("_raw"),
    }
}

fn write_source(
    block: &Block<'_>,
    source: &Source<'_>,
    what: &str,
    target: &Target<'_>,
    w: &mut Writer,
) -> Result<(), Impossible> {
    w.begin_object();
    match source {
        Source::Url(url) => match (target.fetched.get(&**url), target.flavor) {
            (Some((kind, data)), _) => base64(kind, data, what, w),
            (None, Flavor::Direct) => drop(w.field("type", "url").field("url", url)),
            (None, _) => {
                let problem = "is an address, and this host of the model takes bytes only";
                return Err(Impossible::new(&block.pointer, problem));
            }
        },
        Source::Base64 { media_type, data } => base64(media_type, data, what, w),
        Source::Text(told) => {
            w.field("type", "text").field("media_type", "text/plain").field("data", told);
        }
        Source::FileId(id) => drop(w.field("type", "file").field("file_id", id)),
    }
    w.end_object();
    Ok(())
}

fn base64(kind: &str, data: &str, what: &str, w: &mut Writer) {
    if what == "file" && kind.starts_with("text/") {
        use std::borrow::Cow;
        let plain = decode(data).map_or(Cow::Borrowed(""), Cow::Owned);
        w.field("type", "text").field("media_type", "text/plain").field("data", &plain);
        return;
    }
    let fallback = if what == "file" { "application/pdf" } else { kind };
    w.field("type", "base64").field("media_type", sniffed(data).unwrap_or(fallback)).field("data", data);
}

/// Standard base64 of a text; `None` when it is neither.
fn decode(data: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(data.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in data.bytes().take_while(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\n' | b'\r' => continue,
            _ => return None,
        };
        held = (held << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// What the first bytes say: declared types are often wrong, and a wrong one is refused.
pub(super) fn sniffed(data: &str) -> Option<&'static str> {
    const MAGIC: [(&str, &str); 5] = [
        ("/9j/", "image/jpeg"),
        ("iVBORw0KGgo", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    MAGIC.into_iter().find(|(magic, _)| data.starts_with(magic)).map(|(_, kind)| kind)
}
