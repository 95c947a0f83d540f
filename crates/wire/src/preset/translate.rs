//! A preset's parameters, written as OpenAI Chat has them, in the dialect of a request: the hub carries them over.

use super::Preset;
use crate::Warning;
use crate::call::dispatch;
use crate::extensions::is_ours;
use crate::hub::{Dialect, Fetched, Flavor, Format, Losses, Target};
use crate::node::Node;
use crate::openai_chat::{self, Adapt};
use crate::writer::Writer;

/// Stands where a request has its conversation.
const SOMETHING: &[u8] = br#"[{"role":"user","content":"x"}]"#;

/// Parameters in a dialect's spelling.
pub(super) struct Translated {
    /// An object.
    pub(super) body: Vec<u8>,
    /// What has no place there.
    pub(super) warnings: Vec<Warning>,
}

/// For the gateway in every dialect: these go over as they are.
pub(super) fn is_for_us(key: &str) -> bool {
    matches!(key, "model" | "models" | "provider") || is_ours(key)
}

/// Translates. `model` is the model's id, as far as it tells what the model takes; `max_tokens` the request's own cap.
pub(super) fn translate(preset: &Preset, to: Dialect, model: &str, max_tokens: Option<u64>) -> Translated {
    let chat = as_chat(preset, max_tokens);
    let mut losses = Losses::default();
    let Ok(mut request) = openai_chat::read_request(&chat) else {
        return Translated { body: b"{}".to_vec(), warnings: Vec::new() };
    };
    if request.tools.is_empty() && (request.tool_choice.is_some() || request.parallel_tool_calls.is_some()) {
        losses.dropped("/tool_choice", "the preset has no tools of its own");
    }
    // Whether a model can be held to a form is for its endpoint: here it would become a call, or words.
    let held = matches!(to, Dialect::Messages | Dialect::Gemini);
    let format = request.format.take_if(|_| held);
    if let Some(thinking) = request.thinking.as_mut().filter(|_| to == Dialect::Gemini) {
        // Its callers see thoughts only where they ask.
        thinking.exclude = true;
    }
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    let target = Target {
        model,
        max_output_tokens: None,
        flavor: Flavor::Direct,
        adapt: &adapt,
        structured_output: None,
        reasoning: None,
        auto_cache: false,
        fetched: &fetched,
    };
    let written = dispatch::write_request(to, &request, &target);
    let (body, warnings) = match written {
        Ok(outgoing) => (outgoing.body, outgoing.warnings),
        Err(error) => {
            losses.dropped("/config", &error.to_string());
            (b"{}".to_vec(), Vec::new())
        }
    };
    losses.warnings.extend(warnings);
    let body = keep(to, &body, preset, format.as_ref(), &mut losses);
    Translated { body, warnings: losses.warnings }
}

fn as_chat(preset: &Preset, max_tokens: Option<u64>) -> Vec<u8> {
    let mut w = Writer::default();
    w.begin_object().field_raw("messages", SOMETHING);
    let cap = |key: &str| matches!(key, "max_tokens" | "max_completion_tokens");
    for (key, raw) in preset.parameters() {
        let replaced = max_tokens.is_some() && cap(key);
        if !is_for_us(key) && !replaced {
            w.field_raw(key, raw.as_bytes());
        }
    }
    if let Some(max) = max_tokens {
        w.field_json("max_tokens", &max);
    }
    w.end_object();
    w.finish()
}

/// The parameters of a written request; the rest was made up.
fn keep(
    to: Dialect,
    body: &[u8],
    preset: &Preset,
    format: Option<&Format<'_>>,
    losses: &mut Losses,
) -> Vec<u8> {
    let has_cap = preset.get("max_tokens").or(preset.get("max_completion_tokens")).is_some();
    let made_up: &[&str] = match to {
        Dialect::Responses => &["model", "input", "store", "stream", "include"],
        Dialect::Messages if has_cap => &["model", "messages", "stream", "system"],
        Dialect::Messages => &["model", "messages", "stream", "system", "max_tokens"],
        _ => &["contents", "systemInstruction"],
    };
    let node = Node::parse(body).ok();
    let mut w = Writer::default();
    w.begin_object();
    let mut has_container = false;
    let container = if to == Dialect::Gemini { "generationConfig" } else { "output_config" };
    for (key, value) in node.map(Node::members).unwrap_or_default() {
        if made_up.contains(&&*key) {
            continue;
        }
        if key != container || format.is_none() {
            w.field_raw(&key, value.raw());
            continue;
        }
        has_container = true;
        w.key(&key).begin_object();
        for (key, value) in value.members() {
            w.field_raw(&key, value.raw());
        }
        write_format(to, format, &mut w, losses);
        w.end_object();
    }
    if format.is_some() && !has_container {
        w.key(container).begin_object();
        write_format(to, format, &mut w, losses);
        w.end_object();
    }
    w.end_object();
    w.finish()
}

fn write_format(to: Dialect, format: Option<&Format<'_>>, w: &mut Writer, losses: &mut Losses) {
    match (to, format) {
        (Dialect::Gemini, Some(Format::JsonObject | Format::Schema { .. })) => {
            w.field("responseMimeType", "application/json");
            if let Some(Format::Schema { schema: Some(schema), .. }) = format {
                w.field_raw("responseJsonSchema", schema.raw());
            }
        }
        (Dialect::Messages, Some(Format::Schema { schema: Some(schema), .. })) => {
            w.key("format").begin_object().field("type", "json_schema").field_raw("schema", schema.raw());
            w.end_object();
        }
        (_, None) => (),
        _ => losses.dropped("/response_format", "the dialect has no such form"),
    }
}
