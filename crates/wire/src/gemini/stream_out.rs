//! Events as a stream in Google's form: one answer for each, calls only whole.

use super::answer_out::{Call, Last, audio, image, is_audible, name, tell, text, thought};
use super::framing::Framing;
use super::parts_out::object;
use super::{error_body, seal, usage};
use crate::hub::{CallError, Event, Ident, Settlement, StreamWriter, ToolStart};
use crate::writer::Writer as Json;

/// Writes a stream.
///
/// A call is held until its arguments are one whole object, or until the answer ends; calls leave in the order in which they
/// began, and before the text that follows them.
#[derive(Debug)]
pub struct Writer {
    ident: Ident,
    framing: Framing,
    calls: Vec<(ToolStart, String)>,
    last: Last,
}

impl Writer {
    /// Server-sent events (`alt=sse`).
    pub fn new(ident: Ident) -> Writer {
        Writer { ident, framing: Framing::SSE, calls: Vec::new(), last: Last::default() }
    }

    /// One JSON array, which a stream without `alt=sse` is.
    pub fn array(ident: Ident) -> Writer {
        Writer { framing: Framing::ARRAY, ..Writer::new(ident) }
    }

    /// An answer with some parts.
    fn answer(&mut self, out: &mut Vec<u8>, parts: &mut dyn FnMut(&mut Json)) {
        let mut w = Json::with_capacity(256);
        w.begin_object().key("candidates").begin_array().begin_object();
        w.key("content").begin_object().key("parts").begin_array();
        parts(&mut w);
        w.end_array().field("role", "model").end_object().field_json("index", &0).end_object().end_array();
        name(&mut w, &self.ident);
        w.end_object();
        self.framing.open(out);
        out.extend_from_slice(&w.finish());
        self.framing.close(out);
    }

    /// Writes the calls that are whole, up to the first that is not; all when nothing more can come.
    fn flush(&mut self, all: bool, out: &mut Vec<u8>) {
        let whole = |(start, arguments): &(ToolStart, String)| !start.custom && object(arguments).is_some();
        let count = match all {
            true => self.calls.len(),
            false => self.calls.iter().take_while(|call| whole(call)).count(),
        };
        for (start, arguments) in self.calls.drain(..count).collect::<Vec<_>>() {
            let call = Call { id: &start.id, name: &start.name, arguments: &arguments, custom: start.custom };
            self.answer(out, &mut |w| call.write(w, start.seal.as_ref().map(seal::write)));
        }
    }
}

impl StreamWriter for Writer {
    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        self.framing.comment(text, out);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !matches!(event, Event::ToolArguments { .. } | Event::Usage(_) | Event::Id(_)) {
            self.flush(matches!(event, Event::Finish { .. }), out);
        }
        match event {
            Event::Id(_) | Event::Usage(_) => (),
            Event::Text(more) => {
                self.last.text.push_str(more);
                self.answer(out, &mut |w| text(w, more));
            }
            Event::Refusal(more) => self.answer(out, &mut |w| text(w, more)),
            Event::Reasoning { text, .. } => self.answer(out, &mut |w| thought(w, text, None)),
            Event::Sealed(sealed) => {
                self.answer(out, &mut |w| thought(w, "", Some(seal::write(sealed))));
            }
            Event::ToolCall(start) => self.calls.push((start.clone(), String::new())),
            Event::ToolArguments { index, json } => {
                let call = self.calls.iter_mut().rev().find(|(start, _)| start.index == *index);
                if let Some((_, arguments)) = call {
                    arguments.push_str(json);
                }
            }
            Event::Citation(citation) => self.last.citations.push(citation.clone()),
            Event::Image(url) => self.answer(out, &mut |w| image(w, url)),
            Event::Audio(fragment) if is_audible(fragment) => self.answer(out, &mut |w| audio(w, fragment)),
            Event::Audio(_) => (),
            Event::Logprobs(logprobs) => self.last.add_logprobs(Some(logprobs)),
            Event::Finish { reason, .. } => self.last.finish = Some(*reason),
        }
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        self.flush(true, out);
        let mut w = Json::with_capacity(512);
        w.begin_object().key("candidates").begin_array().begin_object();
        w.key("content").begin_object().key("parts").begin_array();
        text(&mut w, "");
        w.end_array().field("role", "model").end_object();
        self.last.candidate(&mut w);
        w.end_object().end_array();
        tell(&mut w, &self.ident, settlement);
        w.end_object();
        self.framing.open(out);
        out.extend_from_slice(&w.finish());
        self.framing.close(out);
        self.framing.end(out);
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        failed(&mut self.framing, &self.ident, error, settlement, out);
    }
}

/// The answer that ends a failed stream: the error, and what was used until then.
pub(super) fn failed(
    framing: &mut Framing,
    ident: &Ident,
    error: &CallError,
    settlement: &Settlement,
    out: &mut Vec<u8>,
) {
    let body = error_body(error, &ident.id);
    let mut w = Json::with_capacity(512);
    w.begin_object();
    let object = crate::node::Node::parse(body.as_bytes()).ok().and_then(|body| body.get("error"));
    w.field_raw("error", object.map(crate::node::Node::raw).unwrap_or_default()).key("usageMetadata");
    usage::write(&mut w, settlement);
    name(&mut w, ident);
    w.end_object();
    framing.open(out);
    out.extend_from_slice(&w.finish());
    framing.close(out);
    framing.end(out);
}

#[cfg(test)]
pub(super) mod tests_support {
    use types::{Usage, UsageSource};

    use super::*;

    pub(in super::super) fn settlement() -> Settlement {
        Settlement {
            usage: Usage {
                input: 9,
                cache_read: 4,
                output: 10,
                reasoning: 3,
                requests: 1,
                ..Usage::default()
            },
            source: UsageSource::Provider,
            cost: "0.00000735".parse().unwrap(),
            input_cost: "0.00000135".parse().unwrap(),
            output_cost: "0.000006".parse().unwrap(),
            own_key_cost: None,
            warnings: Vec::new(),
            metadata: None,
        }
    }

    pub(in super::super) fn ident() -> Ident {
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"Lab\"".into(), ..Ident::default() }
    }
}

#[cfg(test)]
mod tests;
