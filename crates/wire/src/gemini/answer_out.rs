//! Events as a whole answer in Google's form.

use serde_json::Value;

use super::{grounding, parts_out, seal, usage};
use crate::hub::{Assembly, Citation, Event, Finish, Ident, Piece, Settlement, Source};
use crate::json;
use crate::warnings_json;
use crate::writer::Writer;

/// Writes a `GenerateContentResponse`.
pub fn write_answer(events: &[Event], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
    let whole = Assembly::of(events);
    let mut w = Writer::with_capacity(1024);
    let mut last = Last::default();
    w.begin_object().key("candidates").begin_array().begin_object();
    w.key("content").begin_object().key("parts").begin_array();
    for piece in &whole.pieces {
        match piece {
            Piece::Text { text: more, citations, logprobs } => {
                text(&mut w, more);
                last.text.push_str(more);
                last.citations.extend(citations.iter().cloned());
                last.add_logprobs(logprobs.as_ref());
            }
            Piece::Refusal(more) => text(&mut w, more),
            Piece::Reasoning { text, seal, .. } => thought(&mut w, text, seal.as_ref().map(seal::write)),
            Piece::ToolCall { id, name, arguments, custom, seal } => {
                let call = Call { id, name, arguments, custom: *custom };
                call.write(&mut w, seal.as_ref().map(seal::write));
            }
            Piece::Image(url) => image(&mut w, url),
            Piece::Audio(fragments) => fragments.iter().for_each(|fragment| audio(&mut w, fragment)),
        }
    }
    w.end_array().field("role", "model").end_object();
    last.finish = whole.finish.map(|(reason, _)| reason);
    last.candidate(&mut w);
    w.end_object().end_array();
    tell(&mut w, ident, settlement);
    w.end_object();
    w.finish()
}

/// Usage, cost, names, warnings: what ends the last answer.
pub(super) fn tell(w: &mut Writer, ident: &Ident, settlement: &Settlement) {
    w.key("usageMetadata");
    usage::write(w, settlement);
    name(w, ident);
    if !settlement.warnings.is_empty() {
        w.field_raw("warnings", warnings_json(&settlement.warnings).as_bytes());
    }
    if let Some((key, metadata)) = &settlement.metadata {
        w.field_raw(key, metadata.as_bytes());
    }
}

/// `modelVersion` and `responseId`.
pub(super) fn name(w: &mut Writer, ident: &Ident) {
    w.field_raw("modelVersion", ident.model.as_bytes())
        .field_raw("responseId", json::quote(&ident.id).as_bytes());
}

/// What a candidate tells at its end.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// Why it stopped.
    pub(super) finish: Option<Finish>,
    /// All visible text.
    pub(super) text: String,
    /// Where it comes from.
    pub(super) citations: Vec<Citation>,
    logprobs: Vec<Value>,
}

impl Last {
    /// Keeps OpenAI's `logprobs` of a piece of text.
    pub(super) fn add_logprobs(&mut self, logprobs: Option<&Value>) {
        let content = logprobs.and_then(|all| all.get("content")?.as_array());
        self.logprobs.extend(content.into_iter().flatten().cloned());
    }

    /// Writes it.
    pub(super) fn candidate(&self, w: &mut Writer) {
        w.field("finishReason", word(self.finish.unwrap_or(Finish::Stop))).field_json("index", &0);
        if !self.citations.is_empty() {
            w.key("groundingMetadata");
            grounding::write(w, &self.citations, &self.text);
        }
        let logprobs = serde_json::json!({"content": self.logprobs});
        if let Some(result) = seal::logprobs_out(&logprobs) {
            w.field_json("logprobsResult", &result);
        }
    }
}

/// Google's word for a reason; calls that wait for results stop too.
fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        Finish::Error => "OTHER",
    }
}

pub(super) fn text(w: &mut Writer, text: &str) {
    w.begin_object().field("text", text).end_object();
}

pub(super) fn thought(w: &mut Writer, text: &str, signature: Option<String>) {
    w.begin_object().field("text", text).field_json("thought", &true);
    w.field_some("thoughtSignature", signature.as_deref()).end_object();
}

/// A whole call.
#[derive(Debug)]
pub(super) struct Call<'c> {
    pub(super) id: &'c str,
    pub(super) name: &'c str,
    pub(super) arguments: &'c str,
    pub(super) custom: bool,
}

impl Call<'_> {
    /// Writes its part. Arguments are an object: a free-form text is wrapped, and so is what the model broke off.
    pub(super) fn write(&self, w: &mut Writer, signature: Option<String>) {
        w.begin_object().key("functionCall").begin_object();
        w.field_some("id", Some(self.id).filter(|id| !id.is_empty())).field("name", self.name).key("args");
        match parts_out::object(self.arguments) {
            _ if self.custom => drop(w.begin_object().field("input", self.arguments).end_object()),
            Some(object) => drop(w.raw(object)),
            None if self.arguments.trim().is_empty() => drop(w.begin_object().end_object()),
            None => drop(w.begin_object().field("_raw", self.arguments).end_object()),
        }
        w.end_object().field_some("thoughtSignature", signature.as_deref()).end_object();
    }
}

pub(super) fn image(w: &mut Writer, url: &str) {
    w.begin_object();
    match Source::from_url(url.into()) {
        Source::Base64 { media_type, data } => {
            w.key("inlineData")
                .begin_object()
                .field("mimeType", &media_type)
                .field("data", &data)
                .end_object();
        }
        _ => {
            let kind = super::media::of_address(url).unwrap_or("image/png");
            w.key("fileData").begin_object().field("mimeType", kind).field("fileUri", url).end_object();
        }
    }
    w.end_object();
}

/// A fragment of OpenAI's `audio`: its sound, and its transcript as text.
pub(super) fn audio(w: &mut Writer, fragment: &Value) {
    if let Some(data) = fragment.get("data").and_then(Value::as_str) {
        w.begin_object().key("inlineData").begin_object();
        w.field("mimeType", "audio/pcm").field("data", data).end_object().end_object();
    }
    if let Some(words) = fragment.get("transcript").and_then(Value::as_str) {
        text(w, words);
    }
}

/// True for a fragment of which [`audio`] writes something.
pub(super) fn is_audible(fragment: &Value) -> bool {
    ["data", "transcript"].iter().any(|key| fragment.get(key).is_some_and(Value::is_string))
}
