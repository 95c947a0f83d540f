//! `POST /v1/responses` and what was kept of it: `GET` and `DELETE /v1/responses/{id}`, `/input_items`. A conversation goes on
//! from any kept response of the same account, at any model and any provider.
//!
//! A response is kept in memory at once and in the store within moments, so that the next turn finds it whichever comes first.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response};
use http_body::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use store::{CHAIN_MAX, StoreError, StoredResponse};
use types::{AccountId, GenerationId, Timestamp};
use wire::hub::Dialect;
use wire::preset::MARK;

use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::call::{self, Extra, Path};
use crate::error::GatewayError;
use crate::filling::{self, Naming};
use crate::key::caller;
use crate::{read_body, router};

/// Responses that are kept in memory until they are surely in the store.
const RECENT_MAX: usize = 512;
/// Their largest size together.
const RECENT_BYTES_MAX: usize = 32 << 20;

/// The latest responses, newest last.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Arc<StoredResponse>>>);

impl Recent {
    fn find(&self, id: &str, account: &AccountId, now: Timestamp) -> Option<Arc<StoredResponse>> {
        let held = self.0.lock();
        let found = held.iter().rev().find(|kept| kept.id == id && kept.account == *account);
        found.filter(|kept| kept.expires > now).cloned()
    }

    fn put(&self, kept: Arc<StoredResponse>) {
        let size = |kept: &Arc<StoredResponse>| kept.input.len() + kept.response.len();
        let mut held = self.0.lock();
        held.push_back(kept);
        let mut bytes: usize = held.iter().map(size).sum();
        while held.len() > RECENT_MAX || (bytes > RECENT_BYTES_MAX && held.len() > 1) {
            bytes = bytes.saturating_sub(held.pop_front().as_ref().map_or(0, size));
        }
    }

    fn remove(&self, id: &str, account: &AccountId) -> bool {
        let mut held = self.0.lock();
        let before = held.len();
        held.retain(|kept| kept.id != id || kept.account != *account);
        held.len() < before
    }
}

/// Keeps a response once it is whole.
#[derive(Debug)]
pub struct Remember {
    gateway: Arc<Gateway>,
    id: GenerationId,
    account: AccountId,
    previous: Option<String>,
    created: Timestamp,
    input: String,
}

impl Remember {
    /// Keeps a whole response object.
    pub(crate) fn keep(self, response: &[u8]) {
        let gateway = self.gateway;
        let retention = i64::try_from(gateway.settings.responses_retention.as_micros()).unwrap_or(i64::MAX);
        let kept = Arc::new(StoredResponse {
            id: self.id.to_string(),
            account: self.account,
            previous: self.previous,
            created: self.created,
            expires: Timestamp(self.created.0.saturating_add(retention)),
            input: self.input,
            response: String::from_utf8_lossy(response).into_owned(),
        });
        gateway.recent_responses.put(Arc::clone(&kept));
        let control = gateway.control.clone();
        control.spawn(async move {
            if let Err(error) = gateway.store.put_response(&kept).await {
                tracing::error!(generation = %kept.id, %error, "a response could not be kept in the store");
            }
        });
    }

    /// Keeps the response that the last event of a stream holds; nothing when it failed.
    pub(crate) fn keep_last_event(self, events: &[u8]) {
        let marks: [&[u8]; 2] = [b"event: response.completed\ndata: ", b"event: response.incomplete\ndata: "];
        let data = marks.iter().find_map(|mark| {
            let at = memchr::memmem::rfind(events, mark)?;
            let rest = events.get(at + mark.len()..)?;
            rest.split(|byte| *byte == b'\n').next()
        });
        let Some(data) = data else { return };
        let Ok(node) = wire::node::Node::parse(data) else { return };
        if let Some(response) = node.get("response") {
            self.keep(response.raw());
        }
    }
}

/// Answers a request, with the conversation that it goes on from.
pub async fn create<B>(
    worker: &Arc<Worker>,
    id: GenerationId,
    headers: HeaderMap,
    body: B,
) -> Result<Response<ResponseBody>, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let gateway = &worker.gateway;
    let admitted = call::admit(worker, &headers, None)?;
    let mut body = read_body(&headers, body, gateway.settings.body_bytes_max).await?;
    let wrong = |error: wire::hub::RequestError| GatewayError::InvalidRequest(error.to_string());
    let wanted = wire::responses::stateful(&body).map_err(wrong)?;
    let account = admitted.key.account.id.clone();
    // Before the history is put in front: what it says is not the request's own.
    let named = wanted.preset.is_some() || wanted.model.as_deref().is_some_and(|model| model.contains(MARK));
    let usual = admitted.key.rules.limits.default_preset.as_deref().filter(|_| !named);
    let (model, preset) = (wanted.model.as_deref(), wanted.preset.as_deref().or(usual));
    let naming = Naming { model, preset, max_tokens: None };
    let filled = filling::whole(gateway, &account, Dialect::Responses, &body, naming)?;
    let (previous, store) = (wanted.previous_response_id.map(std::borrow::Cow::into_owned), wanted.store);
    let filled = filled.map(|whole| {
        body = whole.body;
        whole.filled
    });
    // Who keeps nothing for ever has no kept responses either.
    let store = store && !gateway.contents.is_zero(&account);
    let remember = store.then(|| Remember {
        gateway: Arc::clone(gateway),
        id,
        account: account.clone(),
        previous: previous.clone(),
        created: admitted.created,
        input: String::from_utf8_lossy(&wire::responses::input_items(&body)).into_owned(),
    });
    let echo = Some(wire::responses::echo(&body).into());
    let depends = previous.is_some();
    if let Some(previous) = previous {
        let history = history(gateway, &account, previous, admitted.created).await?;
        body = wire::responses::with_history(&body, &history).map_err(wrong)?.into();
        if body.len() > gateway.settings.body_bytes_max.saturating_mul(4) {
            return Err(GatewayError::BodyTooLarge(gateway.settings.body_bytes_max));
        }
    }
    let extra = Extra { remember, echo, body: body.clone(), depends, filled, guard: None };
    call::answer_body(worker, id, Dialect::Responses, &headers, &body, Path::default(), admitted, extra).await
}

/// The items of a conversation, oldest first.
async fn history(
    gateway: &Arc<Gateway>,
    account: &AccountId,
    last: String,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, GatewayError> {
    let mut items = Vec::new();
    let mut next = Some(last);
    let mut steps = 0;
    while let Some(id) = next {
        let kept = find(gateway, account, &id, now).await?;
        items.push(wire::responses::output_items(kept.response.as_bytes()));
        items.push(kept.input.clone().into_bytes());
        next = kept.previous.clone();
        steps += 1;
        if steps > CHAIN_MAX {
            return Err(GatewayError::InvalidRequest(format!(
                "the conversation is longer than {CHAIN_MAX} responses; send its items as `input` instead"
            )));
        }
    }
    items.reverse();
    Ok(items)
}

async fn find(
    gateway: &Arc<Gateway>,
    account: &AccountId,
    id: &str,
    now: Timestamp,
) -> Result<Arc<StoredResponse>, GatewayError> {
    if let Some(kept) = gateway.recent_responses.find(id, account, now) {
        return Ok(kept);
    }
    let (shared, account, wanted) = (Arc::clone(gateway), account.clone(), id.to_owned());
    let found = gateway.on_control(async move { shared.store.response(&wanted, &account, now).await }).await;
    match found {
        Some(Ok(kept)) => Ok(Arc::new(kept)),
        Some(Err(StoreError::NotFound(_))) => Err(GatewayError::NotFound(format!(
            "no response `{}` is kept here: it was made with `store: false`, has expired, or belongs to another account",
            id.chars().take(80).collect::<String>()
        ))),
        _ => Err(GatewayError::StoreUnavailable),
    }
}

/// The id in a path.
fn id_of(parts: &Parts) -> &str {
    let (_, rest) = parts.uri.path().split_once("/responses/").unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}

/// `GET /v1/responses/{id}`.
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::ApiKey)?;
    let gateway = &worker.gateway;
    let kept = find(gateway, &key.account.id, id_of(parts), gateway.clock.now()).await?;
    Ok(router::json(kept.response.clone()))
}

/// `GET /v1/responses/{id}/input_items`.
pub async fn input_items(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::ApiKey)?;
    let gateway = &worker.gateway;
    let kept = find(gateway, &key.account.id, id_of(parts), gateway.clock.now()).await?;
    let mut items: Vec<Value> = serde_json::from_str(&kept.input).unwrap_or_default();
    for (at, item) in items.iter_mut().filter_map(Value::as_object_mut).enumerate() {
        item.entry("type").or_insert_with(|| "message".into());
        item.entry("id").or_insert_with(|| format!("item_{at:03}").into());
    }
    let id = |item: Option<&Value>| item.and_then(|item| item.get("id")).cloned().unwrap_or_default();
    let (first, last) = (id(items.first()), id(items.last()));
    let list =
        json!({"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": false});
    Ok(router::json(list.to_string()))
}

/// `DELETE /v1/responses/{id}`.
pub async fn delete(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::ApiKey)?;
    let gateway = &worker.gateway;
    let (id, account) = (id_of(parts).to_owned(), key.account.id.clone());
    let in_memory = gateway.recent_responses.remove(&id, &account);
    let (shared, wanted) = (Arc::clone(gateway), id.clone());
    let deleted =
        gateway.on_control(async move { shared.store.delete_response(&wanted, &account).await }).await;
    match deleted {
        Some(Ok(deleted)) if deleted || in_memory => {
            Ok(router::json(json!({"id": id, "object": "response", "deleted": true}).to_string()))
        }
        Some(Ok(_)) => Err(GatewayError::NotFound(String::from("no response of this account has that id"))),
        _ => Err(GatewayError::StoreUnavailable),
    }
}
