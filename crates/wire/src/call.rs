//! A call between any two dialects: what the caller sent, put into what a provider wants, and back.
//!
//! Where both speak the same, bytes are spliced and frames relayed; else everything passes the hub. This is the only place
//! that knows all dialects; each of them knows only itself and the hub.

pub(crate) mod dispatch;
mod unmetered;

use std::sync::OnceLock;

use types::Task;

use crate::asked::{Asked, Needs};
use crate::extensions;
use crate::hub::{
    AnswerError, Bridge, Carry, Content, Dialect, Flavor, Format, Ident, Impossible, Memory, Outgoing, Plain,
    Replay, Request, RequestError, Source, Target, ToolKind, Translated, Undo, recall,
};
use crate::node::Node;
use crate::openai_chat::{self, ChatRequest};
use crate::task::{Form, TaskCall};

pub use dispatch::{count_body, error_body};
use dispatch::{
    read_answer, read_request, relay, scan_answer, splice_request, stream_reader, stream_writer,
    write_request, writer_of,
};
pub use unmetered::unmetered;

/// What a path says beside the body (Gemini).
#[derive(Clone, Copy, Debug, Default)]
pub struct PathSays<'b> {
    /// The model in the path.
    pub model: Option<&'b str>,
    /// The path asks for a stream.
    pub stream: bool,
    /// What is remembered of earlier calls of the caller's.
    pub memory: Option<&'b dyn Memory>,
}

/// A caller's request, scanned.
#[derive(Debug)]
pub struct Call<'b> {
    /// The caller's dialect.
    pub dialect: Dialect,
    /// The body as the caller sent it.
    pub body: &'b [u8],
    scanned: Scanned<'b>,
    memory: Option<&'b dyn Memory>,
    hub: OnceLock<Result<Request<'b>, RequestError>>,
}

#[derive(Debug)]
enum Scanned<'b> {
    /// The fast path: members by their spans; the hub's form is made only when a provider needs it.
    Chat(ChatRequest<'b>),
    /// Read whole.
    Other(Asked<'b>),
    /// No conversation.
    Task(Box<TaskCall<'b>>, Asked<'b>),
}

impl<'b> Call<'b> {
    /// Scans a body.
    pub fn scan(dialect: Dialect, body: &'b [u8], path: &PathSays<'b>) -> Result<Call<'b>, RequestError> {
        if dialect == Dialect::Chat {
            let scanned = Scanned::Chat(ChatRequest::scan(body)?);
            return Ok(Call { dialect, body, scanned, memory: path.memory, hub: OnceLock::new() });
        }
        let mut request = remembered(read_request(dialect, body), path.memory)?;
        request.stream |= path.stream;
        let mut asked = top_level(Some(dialect), body)?;
        if let Some(model) = path.model {
            asked.model = Some(model.into());
        }
        facts(&mut asked, &request, body.len());
        let hub = OnceLock::from(Ok(request));
        Ok(Call { dialect, body, scanned: Scanned::Other(asked), memory: path.memory, hub })
    }

    /// Scans a body that asks for something else than the next turn of a conversation.
    pub fn scan_task(task: Task, body: &'b [u8], form: Form) -> Result<Call<'b>, RequestError> {
        let (call, expected) = TaskCall::scan(task, body, form)?;
        let mut asked = top_level(None, body)?;
        (asked.task, asked.expected) = (task, expected);
        asked.stream = call.streams(&asked);
        asked.prompt_bytes = body.len();
        let scanned = Scanned::Task(Box::new(call), asked);
        // Errors have the shape of the other paths of OpenAI.
        Ok(Call { dialect: Dialect::Chat, body, scanned, memory: None, hub: OnceLock::new() })
    }

    /// The name in records.
    pub fn name(&self) -> &'static str {
        match self.asked().task {
            Task::Generate => self.dialect.name(),
            Task::Embeddings => "embeddings",
            Task::Rerank => "rerank",
            Task::Images => "images",
            Task::Speech => "speech",
            Task::Transcription => "transcriptions",
        }
    }

    /// What the gateway acts on.
    pub fn asked(&self) -> &Asked<'b> {
        match &self.scanned {
            Scanned::Chat(chat) => &chat.asked,
            Scanned::Other(asked) | Scanned::Task(_, asked) => asked,
        }
    }

    /// The hub's form, made once.
    pub fn request(&self) -> Result<&Request<'b>, &RequestError> {
        self.hub.get_or_init(|| remembered(read_request(self.dialect, self.body), self.memory)).as_ref()
    }

    /// Whether a provider of this dialect gets the caller's own bytes.
    pub fn is_byte_path(&self, to: Dialect, target: &Target<'_>) -> bool {
        // Mistral's reasoning models answer in lists, which no client of the OpenAI dialect reads.
        let lists = target.flavor == Flavor::Mistral && target.reasoning == Some(true);
        self.dialect == to && !lists && self.asked().task == Task::Generate
    }

    /// Whether the caller gets the provider's own bytes of an answer.
    pub fn is_relayed(&self, to: Dialect, target: &Target<'_>) -> bool {
        self.is_byte_path(to, target) && (!self.hides_reasoning() || self.asked().choices > 1)
    }

    fn hides_reasoning(&self) -> bool {
        matches!(&self.scanned, Scanned::Chat(chat) if chat.hides_reasoning)
    }

    /// The request as a provider wants it.
    pub fn outgoing(&self, to: Dialect, target: &Target<'_>) -> Result<Outgoing, Impossible> {
        if let Scanned::Task(call, _) = &self.scanned {
            return call.outgoing(to, target);
        }
        if self.is_byte_path(to, target) {
            let wrong = |error: RequestError| Impossible::new("", error.to_string());
            return match &self.scanned {
                Scanned::Chat(chat) => {
                    let adapted = target.adapt.apply(chat, target.model);
                    Ok(Outgoing { body: adapted.body, warnings: adapted.warnings, ..Outgoing::default() })
                }
                Scanned::Other(asked) | Scanned::Task(_, asked) => {
                    let mut made = splice_request(to, self.body, target, asked.stream).map_err(wrong)?;
                    if target.auto_cache {
                        made.body = dispatch::with_breakpoints(to, made.body, target);
                    }
                    Ok(made)
                }
            };
        }
        let request = self.request().map_err(|error| Impossible::new("", error.to_string()))?;
        write_request(to, request, target)
    }

    /// Addresses of images and files in the request.
    pub fn urls(&self) -> Vec<String> {
        match &self.scanned {
            Scanned::Task(..) => Vec::new(),
            _ => self.request().map(Request::urls).unwrap_or_default(),
        }
    }

    /// What must be undone in the answer to `outgoing`.
    pub fn undo(&self, outgoing: &Outgoing, seed: &str) -> Undo {
        let hidden = |request: &Request<'_>| request.thinking.as_ref().is_some_and(|t| t.exclude);
        let mut undo = Undo::default();
        undo.seed = seed.to_owned();
        undo.json_tool = outgoing.json_tool;
        undo.renamed_tools.clone_from(&outgoing.renamed_tools);
        if let Some(Ok(request)) = self.hub.get() {
            let free = request.tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Custom));
            undo.custom_tools = free.map(|tool| tool.name.clone().into_owned()).collect();
        }
        undo.hide_reasoning =
            self.hides_reasoning() || self.hub.get().and_then(|r| r.as_ref().ok()).is_some_and(hidden);
        undo
    }

    /// Carries the stream of a provider that speaks `from`.
    pub fn carry(&self, from: Dialect, bytes: bool, ident: Ident, undo: Undo) -> Box<dyn Carry> {
        if let Scanned::Task(call, _) = &self.scanned {
            return call.carry(ident);
        }
        match relay(from, &ident).filter(|_| bytes) {
            Some(relay) => relay,
            None => Box::new(Bridge::new(stream_reader(from), stream_writer(self.dialect, ident), undo)),
        }
    }

    /// Makes a stream of the whole answer of a provider that speaks `from`: what the caller gets, and what is to come.
    pub fn replay(
        &self,
        from: Dialect,
        body: &[u8],
        ident: Ident,
        undo: Undo,
    ) -> Result<(Box<dyn Carry>, Vec<u8>), AnswerError> {
        let answer = Translated::new(read_answer(from, body)?, undo, writer_of(self.dialect))?;
        let mut out = Vec::with_capacity(body.len() * 2);
        let replay = Replay::new(answer, stream_writer(self.dialect, ident), &mut out);
        Ok((Box::new(replay), out))
    }

    /// Reads the whole answer of a provider that speaks `from`.
    pub fn plain(
        &self,
        from: Dialect,
        bytes: bool,
        body: &[u8],
        undo: Undo,
    ) -> Result<Box<dyn Plain>, AnswerError> {
        if let Scanned::Task(call, _) = &self.scanned {
            return call.plain(from, body);
        }
        if bytes && let Some(scanned) = scan_answer(from, body) {
            return scanned;
        }
        let events = read_answer(from, body)?;
        Ok(Box::new(Translated::new(events, undo, writer_of(self.dialect))?))
    }
}

/// A request with what its caller's history has lost.
fn remembered<'b>(
    request: Result<Request<'b>, RequestError>,
    memory: Option<&dyn Memory>,
) -> Result<Request<'b>, RequestError> {
    let mut request = request?;
    if let Some(memory) = memory {
        recall(&mut request, memory);
    }
    Ok(request)
}

/// A provider's request as one that only counts; `None` where its dialect has no such call.
pub fn count_request(to: Dialect, body: &[u8], target: &Target<'_>) -> Option<Outgoing> {
    dispatch::count_request(to, body, target)
}

/// A provider's count of tokens.
pub fn read_count(from: Dialect, body: &[u8]) -> Option<u64> {
    dispatch::read_count(from, body)
}

/// The `anthropic-beta` values that a host of Claude takes, out of a comma-separated list.
pub fn anthropic_betas(told: &str, flavor: Flavor) -> String {
    dispatch::anthropic_betas(told, flavor)
}

/// The fields that every dialect's body may carry for the gateway.
fn top_level(dialect: Option<Dialect>, body: &[u8]) -> Result<Asked<'_>, RequestError> {
    let mut asked = Asked::default();
    for (key, value) in Node::parse(body)?.members() {
        match &*key {
            "model" => asked.model = value.string().filter(|model| !model.trim().is_empty()),
            "models" => asked.models = openai_chat::models(value.raw())?,
            "provider" => asked.provider = crate::preferences::read(value.raw())?,
            "session_id" => asked.session_id = value.string().map(|id| id.chars().take(256).collect()),
            "user" => asked.user = value.string().map(|user| user.chars().take(256).collect()),
            "prompt_cache_key" => {
                asked.prompt_cache_key = value.string().map(|key| key.chars().take(256).collect());
            }
            "service_tier" => {
                asked.service_tier = value.string().map(|tier| tier.chars().take(256).collect())
            }
            key => extensions::read(dialect, key, value, &mut asked)?,
        }
    }
    Ok(asked)
}

/// What the hub's form says of the request.
fn facts(asked: &mut Asked<'_>, request: &Request<'_>, body_bytes: usize) {
    asked.stream = request.stream;
    asked.max_tokens = request.max_tokens;
    asked.choices = request.choices;
    asked.user = request.user.as_ref().map(|user| user.chars().take(256).collect());
    let callable = |kind: &ToolKind<'_>| !matches!(kind, ToolKind::Hosted(_));
    let mut needs = Needs {
        tools: request.tools.iter().any(|tool| callable(&tool.kind)),
        structured_output: matches!(request.format, Some(Format::Schema { .. })),
        json: matches!(request.format, Some(Format::Schema { .. } | Format::JsonObject)),
        ..Needs::default()
    };
    let mut data_bytes = 0;
    request.each_block(&mut |block| {
        let source = match &block.content {
            Content::Image { source, .. } => {
                needs.image = true;
                source
            }
            Content::File { source, .. } => {
                needs.file |= !matches!(source, Source::Text(_));
                source
            }
            Content::Audio { source } => {
                needs.audio = true;
                source
            }
            _ => return,
        };
        if let Source::Base64 { data, .. } = source {
            data_bytes += data.len();
        }
    });
    asked.needs = needs;
    asked.opening = Some(crate::opening::of_request(request));
    asked.prompt_bytes = body_bytes;
    asked.data_url_bytes = data_bytes.min(body_bytes);
}

#[cfg(test)]
mod tests;
