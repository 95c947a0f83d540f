//! OpenAI's older text completions: a caller's dialect only. The prompt becomes a user's message, the answer's text the
//! choice's `text`.

use crate::hub::{
    Assembly, Block, CallError, Content, Dialect, Event, Finish, Ident, Request, RequestError, Rest, Role,
    Settlement, StreamWriter, Turn,
};
use crate::json::Kind;
use crate::node::Node;
use crate::openai_chat::{own_usage_with_cost, tail};
use crate::writer::Writer as Json;

/// Served by the gateway itself, or said elsewhere.
const OURS: [&str; 14] = [
    "auto_cache",
    "requesty",
    "model",
    "models",
    "provider",
    "route",
    "session_id",
    "trace",
    "usage",
    "sandbox",
    "debug",
    "transforms",
    "stream_options",
    "prompt",
];

fn field(name: &str, problem: &str) -> RequestError {
    RequestError::Field { field: name.to_owned(), problem: problem.to_owned() }
}

/// Reads a request. What only a text model could do is refused with what to do instead.
pub fn read_request(body: &[u8]) -> Result<Request<'_>, RequestError> {
    let mut request = Request::new(Dialect::Completions);
    let node = Node::parse(body)?;
    let prompt = node.get("prompt").ok_or_else(|| field("prompt", "is missing; send a text"))?;
    let text = prompt_text(prompt)?;
    let block = Block::new(Content::Text(text), "/prompt");
    request.turns = vec![Turn { role: Role::User, blocks: vec![block], name: None }];
    for (key, value) in node.members() {
        match &*key {
            "max_tokens" => {
                let max = value.u64().filter(|max| *max > 0);
                request.max_tokens =
                    Some(max.ok_or_else(|| field("max_tokens", "must be a whole number of at least 1"))?);
            }
            "stream" => {
                request.stream = value.bool().ok_or_else(|| field("stream", "must be true or false"))?
            }
            "n" => request.choices = value.u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            "stop" => {
                request.stop = match value.string() {
                    Some(one) => vec![one],
                    None => value.elements().into_iter().filter_map(Node::string).collect(),
                };
            }
            "temperature" => request.sampling.temperature = value.number(),
            "top_p" => request.sampling.top_p = value.number(),
            "top_k" => request.sampling.top_k = value.number(),
            "min_p" => request.sampling.min_p = value.number(),
            "frequency_penalty" => request.sampling.frequency_penalty = value.number(),
            "presence_penalty" => request.sampling.presence_penalty = value.number(),
            "repetition_penalty" => request.sampling.repetition_penalty = value.number(),
            "seed" => request.sampling.seed = value.number(),
            "user" => request.user = value.string(),
            "logit_bias" => request.logit_bias = Some(value),
            "logprobs" => request.logprobs = value.u64().and_then(|n| u32::try_from(n).ok()),
            "echo" if value.bool() == Some(true) => {
                return Err(field("echo", "is not served; put the prompt before the answer yourself"));
            }
            "suffix" if value.string().is_some_and(|text| !text.is_empty()) => {
                return Err(field(
                    "suffix",
                    "is not served; describe the gap in the prompt, or use a chat model",
                ));
            }
            "best_of" if value.u64().unwrap_or(1) > 1 => {
                return Err(field("best_of", "is not served; ask several times and choose"));
            }
            "echo" | "suffix" | "best_of" => (),
            key if OURS.contains(&key) => (),
            _ => request.rest.push(Rest { pointer: format!("/{key}"), name: key, value }),
        }
    }
    Ok(request)
}

/// One text. Lists of one are taken; token numbers and several prompts are not.
fn prompt_text(prompt: Node<'_>) -> Result<std::borrow::Cow<'_, str>, RequestError> {
    if let Some(text) = prompt.string() {
        return Ok(text);
    }
    let list = prompt.elements();
    match list.as_slice() {
        [one] if one.kind() == Kind::String => Ok(one.string().unwrap_or_default()),
        [first, ..] if first.kind() == Kind::String => {
            Err(field("prompt", "holds several prompts; send one request for each"))
        }
        _ => {
            Err(field("prompt", "must be a text; token numbers fit one model only, so send the text itself"))
        }
    }
}

fn head(ident: &Ident, w: &mut Json) {
    w.begin_object().field("id", &ident.id).field("object", "text_completion");
    w.field_json("created", &ident.created).field_raw("model", ident.model.as_bytes());
    w.field_raw("provider", ident.provider.as_bytes());
}

fn choice(text: &str, finish: Option<&str>, native: Option<&str>, w: &mut Json) {
    w.key("choices").begin_array().begin_object().field("text", text).field_json("index", &0);
    w.field_raw("logprobs", b"null").field_json("finish_reason", &finish);
    w.field_json("native_finish_reason", &native).end_object().end_array();
}

/// Writes a whole completion. Reasoning and calls have no place in this dialect.
pub fn write_answer(events: &[Event], ident: &Ident, settlement: &Settlement) -> Vec<u8> {
    let whole = Assembly::of(events);
    let (finish, native) =
        whole.finish.clone().unwrap_or_else(|| (Finish::Stop, Finish::Stop.name().to_owned()));
    let mut w = Json::with_capacity(512);
    head(ident, &mut w);
    choice(&whole.all_text(), Some(finish.name()), Some(&native), &mut w);
    w.field_raw("usage", &own_usage_with_cost(settlement));
    tail(settlement, &mut w);
    w.end_object();
    w.finish()
}

/// Writes a stream of completions.
#[derive(Debug)]
pub struct Writer {
    ident: Ident,
    finish: Option<(Finish, String)>,
}

impl Writer {
    /// A writer that names its chunks after `ident`.
    pub fn new(ident: Ident) -> Writer {
        Writer { ident, finish: None }
    }
}

fn event_of(w: Json, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&w.finish());
    out.extend_from_slice(b"\n\n");
}

impl StreamWriter for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) | Event::Refusal(text) => {
                let mut w = Json::with_capacity(256);
                head(&self.ident, &mut w);
                choice(text, None, None, &mut w);
                w.end_object();
                event_of(w, out);
            }
            Event::Finish { reason, native, .. } => self.finish = Some((*reason, native.clone())),
            _ => (),
        }
    }

    fn last(&mut self, settlement: &Settlement, out: &mut Vec<u8>) {
        let (finish, native) =
            self.finish.take().unwrap_or_else(|| (Finish::Stop, Finish::Stop.name().to_owned()));
        let mut w = Json::with_capacity(512);
        head(&self.ident, &mut w);
        choice("", Some(finish.name()), Some(&native), &mut w);
        w.field_raw("usage", &own_usage_with_cost(settlement));
        tail(settlement, &mut w);
        w.end_object();
        event_of(w, out);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, error: &CallError, settlement: &Settlement, out: &mut Vec<u8>) {
        let mut w = Json::with_capacity(512);
        head(&self.ident, &mut w);
        choice("", Some("error"), None, &mut w);
        w.field_raw("usage", &own_usage_with_cost(settlement));
        w.field_raw("error", error.object.as_bytes()).end_object();
        event_of(w, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_one_text() {
        let read = |body: &'static str| read_request(body.as_bytes());
        for good in [r#"{"prompt":"a","max_tokens":5,"echo":false}"#, r#"{"prompt":["a"],"x":1}"#] {
            assert_eq!(read(good).unwrap().turns.len(), 1);
        }
        let rows = [
            ("{}", "`prompt` is missing; send a text"),
            (r#"{"prompt":["a","b"]}"#, "`prompt` holds several prompts; send one request for each"),
            (
                r#"{"prompt":"a","echo":true}"#,
                "`echo` is not served; put the prompt before the answer yourself",
            ),
            (r#"{"prompt":"a","max_tokens":0}"#, "`max_tokens` must be a whole number of at least 1"),
        ];
        for (body, expect) in rows {
            assert_eq!(read(body).unwrap_err().to_string(), expect);
        }
        assert!(read(r#"{"prompt":[1,2]}"#).is_err());
    }
}
