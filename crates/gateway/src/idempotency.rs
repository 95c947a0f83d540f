//! `Idempotency-Key`: who comes again with the same key and the same request gets the same answer, byte by byte, and no provider is
//! called and nobody charged a second time. On every path that makes a generation.
//!
//! - A key belongs to an account and stands for one request: path, `alt` of Gemini, and body. With another request it is 422.
//! - The key is written down before a provider is called, and the answer before its last byte leaves: one write each, to a file of
//!   this node ([`disk`]). Kept is what left: status, headers and bytes, so that a stream is told again as the stream it was.
//! - Who comes while the call is under way waits for it, up to `idempotency.wait_ms_max`, then gets 409.
//! - A call whose caller leaves goes on once its request is at a provider (`care`): the answer is what the next one comes for.
//! - What failed and cost nothing is not kept: the same key makes the call again. What cost something is kept, errors too.
//! - Killed between the two writes, nobody knows what the provider did. Then it is 409 `outcome_unknown` with the generation's id,
//!   and never a second call. A call that had not come to a provider leaves nothing behind, and is made again.
//! - An answer larger than `idempotency.answer_bytes_max`, or one that had to make room, is 409 `answer_not_kept`.

mod book;
mod disk;
mod keep;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use types::GenerationId;
use wire::hub::Dialect;

use crate::app::Worker;
use crate::auth::{Access, authenticate, check_address, key_text};
use crate::body::ResponseBody;
use crate::cache::shelf::{Found, Turn};
use crate::care::{self, Care};
use crate::error::GatewayError;
use crate::keys::KeyState;
use crate::settings::GENERATION_ID;
use crate::{read_body, router};

pub use book::{Answer, Idempotency};
pub(crate) use book::{Asked, Known};
pub(crate) use keep::{Lead, Pledge, Recorder};

/// `Idempotency-Key`.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is told again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, characters.
const KEY_CHARS_MAX: usize = 255;

/// What is kept for keys, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// How long a key stands.
    pub retention: Duration,
    /// Most keys; beyond it the account's own oldest go first.
    pub entries_max: usize,
    /// Most bytes on disk; beyond it the oldest answers go, and their keys stay.
    pub bytes_max: u64,
    /// Largest answer.
    pub answer_bytes_max: usize,
    /// How long a call waits for one under way with the same key.
    pub wait_max: Duration,
    /// Each write is flushed to the disk.
    pub sync: bool,
}

/// Serves a request that came with a key.
pub(crate) async fn serve<B>(
    worker: Arc<Worker>,
    id: GenerationId,
    dialect: Dialect,
    request: Request<B>,
) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    match answer(&worker, id, request).await {
        Ok(response) => response,
        Err(error) => refuse(&worker, id, dialect, &error),
    }
}

async fn answer<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    request: Request<B>,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let gateway = &worker.gateway;
    let (mut parts, body) = request.into_parts();
    let name = name(&parts.headers)?;
    let key = caller(worker, &parts)?;
    let body = read_body(&parts.headers, body, gateway.settings.body_bytes_max).await?;
    parts.headers.remove(KEY);
    let asked = asked(&key, &name, &parts, &body);
    let until = Instant::now() + gateway.settings.idempotency.wait_max.min(gateway.settings.total_timeout);
    let lead = match ask(worker, &asked, id, until).await? {
        Told::Again(answer) => {
            key.take_request(gateway.clock.now()).map_err(|retry_after| GatewayError::RateLimited {
                per_minute: key.rules.requests_per_minute.unwrap_or_default(),
                retry_after,
            })?;
            gateway.metrics.replays.fetch_add(1, Ordering::Relaxed);
            return Ok(again(&answer));
        }
        Told::Lead(lead) => lead,
    };
    let care = Care::owing(Arc::clone(lead.pledge()));
    let for_call = Arc::clone(worker);
    let call = async move {
        let request = Request::from_parts(parts, Full::new(body));
        let response = Box::pin(router::serve_as(&for_call, id, request)).await;
        lead.record(response)
    };
    Ok(care::carried(gateway, care, call).await)
}

/// The key as sent, or why it is none.
fn name(headers: &HeaderMap) -> Result<String, GatewayError> {
    let mut told = headers.get_all(KEY).iter();
    let text = told.next().and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
    let fits = !text.is_empty() && text.len() <= KEY_CHARS_MAX && told.next().is_none();
    fits.then(|| text.to_owned()).ok_or_else(|| GatewayError::InvalidHeader {
        name: KEY.to_string(),
        value: text.chars().take(60).collect(),
        allowed: "one key of 1 to 255 visible characters, such as a UUID",
    })
}

/// Who calls: whatever is told again is told only to the account that made it.
fn caller(worker: &Arc<Worker>, parts: &Parts) -> Result<Arc<KeyState>, GatewayError> {
    let gateway = &worker.gateway;
    let query = router::query(parts);
    let in_query = query.iter().find(|(name, _)| name == "key").map(|(_, value)| value.as_str());
    let text = key_text(&parts.headers).or(in_query);
    let prefix = &gateway.settings.brand.key_prefix;
    let key = authenticate(&gateway.keys.load(), text, Access::ApiKey, prefix, gateway.clock.now())?;
    check_address(&key, &parts.headers)?;
    Ok(key)
}

/// Names the key and the request.
fn asked(key: &KeyState, name: &str, parts: &Parts, body: &[u8]) -> Asked {
    let account = hash(&[key.account.id.as_str().as_bytes()]);
    let query = router::query(parts);
    let alt = query.iter().find(|(name, _)| name == "alt").map_or("", |(_, value)| value.as_str());
    let path = router::plain(parts.uri.path());
    let mut number = [0_u8; 8];
    number.iter_mut().zip(account).for_each(|(to, from)| *to = from);
    Asked {
        account: u64::from_le_bytes(number),
        key: hash(&[&account, name.as_bytes()]),
        print: hash(&[path.as_bytes(), alt.as_bytes(), body]),
    }
}

/// Hashes parts so that no two lists of them look alike.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What a key leads to.
enum Told {
    /// The answer that was given.
    Again(Arc<Answer>),
    /// The call is this one's to make.
    Lead(Lead),
}

/// Looks the key up, and waits for a call under way.
async fn ask(
    worker: &Arc<Worker>,
    asked: &Asked,
    id: GenerationId,
    until: Instant,
) -> Result<Told, GatewayError> {
    let gateway = &worker.gateway;
    let book = &gateway.idempotency;
    loop {
        let now = gateway.clock.now();
        let under_way = match book.look(asked, now) {
            Known::Other => return Err(GatewayError::IdempotencyMismatch),
            Known::Lost(id) => return Err(GatewayError::OutcomeUnknown(id)),
            Known::NotKept(id) => return Err(GatewayError::AnswerNotKept(id)),
            Known::Kept(id, place) => {
                let (shared, wanted) = (Arc::clone(gateway), *asked);
                let read = gateway.control.spawn_blocking(move || shared.idempotency.read(&wanted, place));
                let answer = read.await.ok().flatten().ok_or(GatewayError::AnswerNotKept(id))?;
                return Ok(Told::Again(answer));
            }
            Known::UnderWay(id) => Some(id),
            Known::Nothing => None,
        };
        let turn = match book.shelf().find(&asked.key, now, None) {
            Found::Hit(hit) => Turn::Hit(hit),
            Found::Lead(ticket) => Turn::Lead(ticket),
            Found::Wait(waiting) => match tokio::time::timeout_at(until, waiting).await {
                Ok(Ok(turn)) => turn,
                // Its call is over, or was dropped: look again.
                Ok(Err(_)) => continue,
                Err(_) => return Err(GatewayError::IdempotencyInFlight(under_way)),
            },
        };
        match turn {
            Turn::Hit(hit) if hit.value.print == asked.print => return Ok(Told::Again(hit.value)),
            Turn::Hit(_) => return Err(GatewayError::IdempotencyMismatch),
            Turn::Lead(ticket) => {
                if let Some(lead) = Lead::take(gateway, ticket, asked, id) {
                    return Ok(Told::Lead(lead));
                }
            }
            // It could not be kept, which the book knows by now.
            Turn::Alone => (),
        }
    }
}

/// Tells an answer again.
fn again(answer: &Answer) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.append(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// An error that came before the call: it says which generation it is about, where there is one.
fn refuse(
    worker: &Arc<Worker>,
    id: GenerationId,
    dialect: Dialect,
    error: &GatewayError,
) -> Response<ResponseBody> {
    worker.gateway.metrics.answered(error.kind().0);
    let about = match error {
        GatewayError::OutcomeUnknown(id) | GatewayError::AnswerNotKept(id) => *id,
        GatewayError::IdempotencyInFlight(Some(id)) => *id,
        _ => id,
    };
    let mut response = error.response_in(dialect, about.as_str());
    router::allow_all_origins(&mut response);
    if let Ok(value) = HeaderValue::from_str(about.as_str()) {
        response.headers_mut().insert(GENERATION_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_short_text() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, HeaderValue::from_str(value).unwrap());
            }
            name(&headers).ok()
        };
        assert_eq!(read(&[" order-7 "]).as_deref(), Some("order-7"));
        assert_eq!(read(&[""]), None);
        assert_eq!(read(&["a", "a"]), None);
        assert_eq!(read(&[&"x".repeat(255)]).map(|name| name.len()), Some(255));
        assert_eq!(read(&[&"x".repeat(256)]), None);
    }
}
