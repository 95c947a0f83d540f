//! Calls beside conversations, each a file named after its path: [`embeddings`], [`rerank`], [`images`], [`speech`],
//! [`transcriptions`]. They have no hub: what comes in is OpenAI's or Cohere's shape, and goes out in the caller's bytes to
//! whoever speaks the same.

mod answer;
mod embeddings;
mod form;
mod images;
mod relay;
mod rerank;
mod speech;
mod transcriptions;

use std::ops::Range;

use types::Task;

use crate::asked::{Asked, Expected};
use crate::hub::{AnswerError, Carry, Dialect, Ident, Impossible, Outgoing, Plain, RequestError, Target};
use crate::json::{self, Member};
use crate::node::Node;
use crate::splice::Splice;

pub use form::{Form, Upload};

/// Our own and OpenRouter's extensions: served here, never sent on.
const OURS: [&str; 11] = [
    "auto_cache",
    "requesty",
    "models",
    "provider",
    "route",
    "session_id",
    "trace",
    "usage",
    "sandbox",
    "debug",
    "preset",
];

/// A caller's request, scanned.
#[derive(Debug)]
pub struct TaskCall<'b> {
    /// What is to be made.
    pub task: Task,
    body: &'b [u8],
    span: Range<usize>,
    members: Vec<Member>,
    form: Form,
}

impl<'b> TaskCall<'b> {
    /// Scans a JSON body. `form` is what came beside it: a transcription's sound.
    pub fn scan(
        task: Task,
        body: &'b [u8],
        form: Form,
    ) -> Result<(TaskCall<'b>, Option<Expected>), RequestError> {
        let members = json::object(body)?;
        let start = body.iter().position(|b| *b == b'{').unwrap_or(0);
        let end = body.iter().rposition(|b| *b == b'}').map_or(body.len(), |at| at + 1);
        let mut call = TaskCall { task, body, span: start..end, members, form };
        let node = call.node();
        let expected = match task {
            Task::Generate => None,
            Task::Embeddings => Some(embeddings::expect(node)?),
            Task::Rerank => Some(rerank::expect(node)?),
            Task::Images => Some(images::expect(node)?),
            Task::Speech => Some(speech::expect(node)?),
            Task::Transcription => Some(transcriptions::expect(&mut call)?),
        };
        Ok((call, expected))
    }

    /// The body.
    fn node(&self) -> Node<'b> {
        Node::at(self.body, &self.span)
    }

    /// Whether the caller asked for a stream.
    pub fn streams(&self, asked: &Asked<'_>) -> bool {
        let sse = |key: &str, word: &str| self.node().get_string(key).as_deref() == Some(word);
        let told = self.node().get("stream").and_then(Node::bool) == Some(true);
        match self.task {
            Task::Generate => asked.stream,
            Task::Embeddings | Task::Rerank => false,
            Task::Images => told,
            Task::Speech => sse("stream_format", "sse"),
            Task::Transcription => told || self.form.is("stream", "true"),
        }
    }

    /// The request as a provider that is spoken to in `to` wants it.
    pub fn outgoing(&self, to: Dialect, target: &Target<'_>) -> Result<Outgoing, Impossible> {
        match self.task {
            Task::Embeddings => embeddings::outgoing(self, to, target),
            Task::Rerank => rerank::outgoing(self, to, target),
            Task::Transcription if is_openai(to) => Ok(transcriptions::outgoing(self, target)),
            Task::Images | Task::Speech if is_openai(to) => Ok(self.spliced(target, &[])),
            _ => Err(Impossible::new(
                "",
                format!("the request can't be asked of a provider that speaks {}", to.name()),
            )),
        }
    }

    /// Carries a provider's stream.
    pub fn carry(&self, ident: Ident) -> Box<dyn Carry> {
        let images = self.node().get("n").and_then(Node::u64).filter(|_| self.task == Task::Images);
        Box::new(relay::Relay::new(self.task, ident, images.unwrap_or(1)))
    }

    /// Reads a provider's whole answer.
    pub fn plain(&self, from: Dialect, body: &[u8]) -> Result<Box<dyn Plain>, AnswerError> {
        Ok(match self.task {
            Task::Rerank => Box::new(rerank::read(self, body)?),
            Task::Images => Box::new(images::read(body)?),
            Task::Speech => Box::new(speech::read(self, body)?),
            Task::Transcription => Box::new(transcriptions::read(self, body)?),
            Task::Embeddings | Task::Generate => Box::new(embeddings::read(self, from, body)?),
        })
    }

    /// The caller's body with the provider's name of the model, without our extensions, and with other names of parameters.
    fn spliced(&self, target: &Target<'_>, renamed: &[(&str, &str)]) -> Outgoing {
        let mut splice = Splice::new();
        let mut has_model = false;
        for member in &self.members {
            let key = String::from_utf8_lossy(json::slice(self.body, &member.key));
            if key == "model" {
                has_model = true;
                splice.replace(member.value.clone(), json::quote(target.model));
            } else if OURS.contains(&&*key) {
                splice.remove(member);
            } else if let Some((_, name)) = renamed.iter().find(|(old, _)| *old == key) {
                splice.remove(member);
                splice.append(name, json::slice(self.body, &member.value));
            }
        }
        if !has_model {
            splice.append("model", json::quote(target.model).as_bytes());
        }
        let mut body = Vec::with_capacity(self.body.len() + 64);
        splice.apply(self.body, self.span.clone(), &self.members, &mut body);
        Outgoing { body, ..Outgoing::default() }
    }
}

/// Whether a provider of this dialect serves OpenAI's other paths beside it.
const fn is_openai(to: Dialect) -> bool {
    matches!(to, Dialect::Chat | Dialect::Completions | Dialect::Responses)
}

/// A field that is missing or wrong.
fn field(field: &str, problem: impl Into<String>) -> RequestError {
    RequestError::Field { field: field.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
