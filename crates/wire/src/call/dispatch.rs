//! Which module does what for which dialect.

use super::openai_chat;
use crate::hub::{
    AnswerError, CallError, Carry, Dialect, Event, Flavor, Ident, Impossible, Outgoing, Plain, Request,
    RequestError, StreamReader, StreamWriter, Target, WriteAnswer,
};
use crate::{cohere, completions, converse, gemini, messages, ollama, responses};

/// A caller's request as the hub's form.
pub(crate) fn read_request(from: Dialect, body: &[u8]) -> Result<Request<'_>, RequestError> {
    match from {
        Dialect::Completions => completions::read_request(body),
        Dialect::Responses => responses::read_request(body),
        Dialect::Messages => messages::read_request(body),
        Dialect::Gemini => gemini::read_request(body),
        // No caller speaks these to us.
        Dialect::Chat | Dialect::Converse | Dialect::Cohere | Dialect::Ollama => {
            openai_chat::read_request(body)
        }
    }
}

/// The hub's form as a provider's request.
pub(crate) fn write_request(
    to: Dialect,
    request: &Request<'_>,
    target: &Target<'_>,
) -> Result<Outgoing, Impossible> {
    match to {
        // Nobody is asked in the older text form: every model that has it has chat too.
        Dialect::Chat | Dialect::Completions => openai_chat::write_request(request, target),
        Dialect::Responses => responses::write_request(request, target),
        Dialect::Messages => messages::write_request(request, target),
        Dialect::Gemini => gemini::write_request(request, target),
        Dialect::Converse => converse::write_request(request, target),
        Dialect::Cohere => cohere::write_request(request, target),
        Dialect::Ollama => ollama::write_request(request, target),
    }
}

/// The caller's bytes for a provider of the same dialect, OpenAI Chat apart.
pub(super) fn splice_request(
    to: Dialect,
    body: &[u8],
    target: &Target<'_>,
    stream: bool,
) -> Result<Outgoing, RequestError> {
    match to {
        Dialect::Responses => responses::splice_request(body, target, stream),
        Dialect::Gemini => gemini::splice_request(body, target, stream),
        _ => messages::splice_request(body, target, stream),
    }
}

/// The caller's bytes with breakpoints of the prompt cache, where a dialect has them.
pub(super) fn with_breakpoints(to: Dialect, body: Vec<u8>, target: &Target<'_>) -> Vec<u8> {
    match to {
        Dialect::Messages => messages::with_breakpoints(body, target),
        _ => body,
    }
}

/// Relays a stream of the caller's own dialect; `None` where there is no byte path.
pub(super) fn relay(dialect: Dialect, ident: &Ident) -> Option<Box<dyn Carry>> {
    Some(match dialect {
        Dialect::Chat => Box::new(openai_chat::Relay::new(ident.clone())),
        Dialect::Responses => Box::new(responses::Relay::new(ident.clone())),
        Dialect::Messages => Box::new(messages::Relay::new(ident.clone())),
        Dialect::Gemini => Box::new(gemini::Relay::new(ident.clone())),
        Dialect::Completions | Dialect::Converse | Dialect::Cohere | Dialect::Ollama => return None,
    })
}

/// Scans a whole answer of the caller's own dialect; `None` where there is no byte path.
pub(super) fn scan_answer(dialect: Dialect, body: &[u8]) -> Option<Result<Box<dyn Plain>, AnswerError>> {
    fn boxed<P: Plain + 'static>(plain: P) -> Box<dyn Plain> {
        Box::new(plain)
    }
    Some(match dialect {
        Dialect::Chat => openai_chat::scan(body).map(boxed),
        Dialect::Responses => responses::scan(body).map(boxed),
        Dialect::Messages => messages::scan(body).map(boxed),
        Dialect::Gemini => gemini::scan(body).map(boxed),
        Dialect::Completions | Dialect::Converse | Dialect::Cohere | Dialect::Ollama => return None,
    })
}

/// Reads a provider's stream.
pub(crate) fn stream_reader(from: Dialect) -> Box<dyn StreamReader> {
    match from {
        Dialect::Chat | Dialect::Completions => Box::new(openai_chat::Reader::default()),
        Dialect::Responses => Box::new(responses::Reader::default()),
        Dialect::Messages => Box::new(messages::Reader::default()),
        Dialect::Gemini => Box::new(gemini::Reader::default()),
        Dialect::Converse => Box::new(converse::Reader::default()),
        Dialect::Cohere => Box::new(cohere::Reader::default()),
        Dialect::Ollama => Box::new(ollama::Reader::default()),
    }
}

/// Reads a provider's whole answer.
pub(crate) fn read_answer(from: Dialect, body: &[u8]) -> Result<Vec<Event>, AnswerError> {
    match from {
        Dialect::Chat | Dialect::Completions => openai_chat::read_answer(body),
        Dialect::Responses => responses::read_answer(body),
        Dialect::Messages => messages::read_answer(body),
        Dialect::Gemini => gemini::read_answer(body),
        Dialect::Converse => converse::read_answer(body),
        Dialect::Cohere => cohere::read_answer(body),
        Dialect::Ollama => ollama::read_answer(body),
    }
}

/// Writes a stream in the caller's dialect.
pub(super) fn stream_writer(to: Dialect, ident: Ident) -> Box<dyn StreamWriter> {
    match to {
        Dialect::Completions => Box::new(completions::Writer::new(ident)),
        Dialect::Responses => Box::new(responses::Writer::new(ident)),
        Dialect::Messages => Box::new(messages::Writer::new(ident)),
        Dialect::Gemini if ident.array => Box::new(gemini::Writer::array(ident)),
        Dialect::Gemini => Box::new(gemini::Writer::new(ident)),
        Dialect::Chat | Dialect::Converse | Dialect::Cohere | Dialect::Ollama => {
            Box::new(openai_chat::Writer::new(ident))
        }
    }
}

/// Writes a whole answer in the caller's dialect.
pub(super) fn writer_of(to: Dialect) -> WriteAnswer {
    match to {
        Dialect::Completions => completions::write_answer,
        Dialect::Responses => responses::write_answer,
        Dialect::Messages => messages::write_answer,
        Dialect::Gemini => gemini::write_answer,
        Dialect::Chat | Dialect::Converse | Dialect::Cohere | Dialect::Ollama => openai_chat::write_answer,
    }
}

/// The whole error body in the caller's dialect.
pub fn error_body(to: Dialect, error: &CallError, request_id: &str) -> String {
    match to {
        Dialect::Messages => messages::error_body(error, request_id),
        Dialect::Gemini => gemini::error_body(error, request_id),
        _ => format!("{{\"error\":{}}}", error.object),
    }
}

/// The `anthropic-beta` values that a host of Claude takes.
pub(super) fn anthropic_betas(told: &str, flavor: Flavor) -> String {
    messages::beta_header(told, flavor)
}

/// A provider's request as one that only counts; `None` where the dialect has no such call.
pub(super) fn count_request(to: Dialect, body: &[u8], target: &Target<'_>) -> Option<Outgoing> {
    match to {
        Dialect::Messages => Some(messages::count_request(body, target)),
        Dialect::Gemini => gemini::count_request(body, target).ok(),
        _ => None,
    }
}

/// A provider's count.
pub(super) fn read_count(from: Dialect, body: &[u8]) -> Option<u64> {
    match from {
        Dialect::Messages => messages::read_count(body),
        Dialect::Gemini => gemini::read_count(body),
        _ => None,
    }
}

/// A count in the caller's dialect.
pub fn count_body(to: Dialect, tokens: u64, estimated: bool) -> String {
    match to {
        Dialect::Gemini => gemini::write_count(tokens),
        _ => messages::write_count(tokens, estimated),
    }
}
