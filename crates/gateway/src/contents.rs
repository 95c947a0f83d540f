//! Prompts and answers, where an account and a key of its both want them kept: heard as they pass, sealed, and written by a job.
//!
//! - Off by default, twice: the account says for how many days (`/v1/account/privacy`), and each key whether its calls are meant
//!   (`logging` of `/v1/keys`). Zero retention of an account is for ever, and keeps its calls to providers that keep nothing.
//! - What a client got and sent is kept as it was, cut at [`TEXT_BYTES_MAX`] each. Of calls that no answer began for, nothing.
//! - Sealed under the master key of provider keys, bound to generation and account: who reads the database reads nothing.
//! - No call waits: what the job can't take in time, beyond [`QUEUE_MAX`], is not kept, and is counted.

pub mod sweep;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Content, Privacy};
use tokio::sync::mpsc;
use types::{AccountId, ExposeSecret, GenerationId, KeyId, Right, SecretString, Timestamp};

use crate::app::{Gateway, Worker};
use crate::auth::{Access, AuthError};
use crate::body::ResponseBody;
use crate::byok::seal::{Bound, Masters};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::{caller, manager, rfc3339};
use crate::keys::KeyState;
use crate::router;

/// Most bytes of a prompt, and of an answer, that are kept.
pub const TEXT_BYTES_MAX: usize = 64 * 1_024;
/// Calls whose texts wait to be written.
pub const QUEUE_MAX: usize = 1_000;
/// Most days that texts are kept.
const DAYS_MAX: i64 = 365;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// What a sealed text is bound to beside generation and account.
const KIND: &str = "prompt and answer";

/// What accounts let be kept, and the way to who writes it.
#[derive(Debug)]
pub struct Contents {
    privacy: ArcSwap<HashMap<AccountId, Privacy>>,
    queue: mpsc::Sender<Heard>,
    /// Calls whose texts could not be kept: the queue was full.
    pub lost: AtomicU64,
}

/// The texts of a call, on their way to be sealed.
#[derive(Debug)]
pub struct Heard {
    id: GenerationId,
    account: AccountId,
    key: KeyId,
    created: Timestamp,
    expires: Timestamp,
    texts: Texts,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Texts {
    request: String,
    answer: String,
    #[serde(default)]
    request_is_cut: bool,
    #[serde(default)]
    answer_is_cut: bool,
}

impl Contents {
    /// Nothing is known of any account yet. The other end is the job's.
    pub fn new() -> (Contents, mpsc::Receiver<Heard>) {
        let (queue, heard) = mpsc::channel(QUEUE_MAX);
        (Contents { privacy: ArcSwap::default(), queue, lost: AtomicU64::new(0) }, heard)
    }

    /// How many calls wait to be written.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }

    /// Takes in what accounts said.
    pub fn take(&self, changes: Vec<Privacy>) {
        if changes.is_empty() {
            return;
        }
        let mut all = HashMap::clone(&self.privacy.load());
        all.extend(changes.into_iter().map(|one| (one.account.clone(), one)));
        self.privacy.store(Arc::new(all));
    }

    /// Whether an account keeps nothing, for ever.
    pub(crate) fn is_zero(&self, account: &AccountId) -> bool {
        self.privacy.load().get(account).is_some_and(|one| one.zero_since.is_some())
    }

    /// Until when the texts of a call are kept; `None`: they are not.
    fn until(&self, key: &KeyState, created: Timestamp) -> Option<Timestamp> {
        if !key.rules.limits.logging {
            return None;
        }
        let days = self.privacy.load().get(&key.account.id).filter(|one| one.zero_since.is_none())?.keep_days;
        (days > 0).then(|| Timestamp(created.micros().saturating_add(days.saturating_mul(MICROS_PER_DAY))))
    }
}

/// Hears a call. Dropped, what was heard so far is all there was.
#[derive(Debug)]
pub(crate) struct Listener {
    gateway: Arc<Gateway>,
    heard: Option<Box<Heard>>,
    answer: Vec<u8>,
}

impl Listener {
    /// For a call whose texts are to be kept.
    pub(crate) fn of(
        gateway: &Arc<Gateway>,
        id: GenerationId,
        key: &KeyState,
        created: Timestamp,
        request: &[u8],
    ) -> Option<Listener> {
        let expires = gateway.contents.until(key, created)?;
        let (request, request_is_cut) = cut(request);
        let texts = Texts { request, request_is_cut, ..Texts::default() };
        let (account, key) = (key.account.id.clone(), key.rules.id.clone());
        let heard = Some(Box::new(Heard { id, account, key, created, expires, texts }));
        Some(Listener { gateway: Arc::clone(gateway), heard, answer: Vec::new() })
    }

    /// Hears what leaves for the client.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        // One byte more than is kept shows that there was more.
        let room = (TEXT_BYTES_MAX + 1).saturating_sub(self.answer.len());
        self.answer.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    /// Hears an answer: at once where it is whole, else as it leaves.
    pub(crate) fn hear_all(mut self, response: &mut Response<ResponseBody>) {
        match response.body_mut() {
            ResponseBody::Full(bytes) => self.hear(bytes.as_deref().unwrap_or_default()),
            ResponseBody::Pump(pump) => pump.listen(self),
            ResponseBody::Recorder(_) | ResponseBody::Pages(_) => (),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(mut heard) = self.heard.take().filter(|_| !self.answer.is_empty()) else { return };
        (heard.texts.answer, heard.texts.answer_is_cut) = cut(&self.answer);
        let contents = &self.gateway.contents;
        if contents.queue.try_send(*heard).is_err() {
            contents.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The beginning of a text, and whether that isn't all of it.
fn cut(bytes: &[u8]) -> (String, bool) {
    let kept = bytes.get(..TEXT_BYTES_MAX).unwrap_or(bytes);
    (String::from_utf8_lossy(kept).into_owned(), kept.len() < bytes.len())
}

fn bound<'a>(id: &'a str, account: &'a AccountId) -> Bound<'a> {
    Bound { id, account: account.as_str(), provider: KIND, base_url: None }
}

/// Seals the texts of a call; `None`: there is nothing to seal with.
pub fn sealed(gateway: &Gateway, heard: Heard) -> Option<Content> {
    seal(&gateway.byok.masters(), heard)
}

fn seal(masters: &Masters, heard: Heard) -> Option<Content> {
    let Heard { id, account, key, created, expires, texts } = heard;
    let text = SecretString::from(serde_json::to_string(&texts).ok()?);
    let (sealed, master) = masters.seal(&bound(id.as_str(), &account), &text).ok()?;
    Some(Content { id: id.to_string(), account, key, created, expires, master, sealed })
}

fn open(masters: &Masters, content: &Content) -> Result<Texts, GatewayError> {
    let bound = bound(&content.id, &content.account);
    let opened = masters.open(&bound, &content.sealed, &content.master);
    let opened = opened.map_err(|error| {
        tracing::error!(generation = content.id, %error, "what was kept of a call can't be opened");
        GatewayError::Internal
    })?;
    serde_json::from_str(opened.expose_secret()).map_err(|_| GatewayError::Internal)
}

/// `GET /v1/generation/content?id=`: prompt and answer of a call, where they are kept. An API key reads those of its own calls.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = caller(worker, parts, Access::AnyKey)?;
    let desk = Desk::open(worker, parts);
    let text = router::query(parts).into_iter().find(|(name, _)| name == "id").map(|(_, value)| value);
    let id = text.as_deref().and_then(GenerationId::parse).ok_or_else(|| {
        GatewayError::InvalidRequest(String::from("`id` is missing or no generation id; write `?id=gen-...`"))
    })?;
    let (account, now) = (key.account.id.clone(), desk.now());
    let found = desk.store(|gateway| async move { gateway.store.content(&id, &account, now).await }).await;
    let not_kept = || {
        GatewayError::NotFound(String::from(
            "nothing is kept of that call's prompt and answer; see `GET /v1/account/privacy`",
        ))
    };
    let content = match found {
        Err(GatewayError::NotFound(_)) => return Err(not_kept()),
        found => found?,
    };
    may_read(worker, &key, &content, not_kept)?;
    let texts = open(&worker.gateway.byok.masters(), &content)?;
    let body = json!({"data": {
        "id": content.id,
        "key": content.key,
        "created_at": rfc3339(content.created),
        "expires_at": rfc3339(content.expires),
        "request": texts.request,
        "request_is_cut": texts.request_is_cut,
        "answer": texts.answer,
        "answer_is_cut": texts.answer_is_cut,
    }});
    Ok(router::json(body.to_string()))
}

/// Prompts are for who sent them: the key itself, who holds it, and those who govern the organization.
fn may_read(
    worker: &Worker,
    key: &KeyState,
    content: &Content,
    not_kept: impl Fn() -> GatewayError,
) -> Result<(), GatewayError> {
    let rules = &key.rules;
    if !rules.management {
        return if content.key == rules.id { Ok(()) } else { Err(not_kept()) };
    }
    let own = worker.gateway.keys.load().of_account(&key.account.id);
    let holder = own.iter().find(|own| own.rules.id == content.key).and_then(|own| own.rules.holder.as_ref());
    if rules.role.may(Right::Govern) || holder.is_some() && holder == rules.holder.as_ref() {
        return Ok(());
    }
    Err(AuthError::Role { role: rules.role, right: Right::Govern }.into())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    keep_days: Option<i64>,
    zero_retention: Option<bool>,
    confirm: Option<String>,
}

const EXAMPLE: &str = r#"{"keep_days": 30}"#;
/// What has to be written to keep nothing for ever.
const CONFIRM: &str = "irrevocable";

/// `GET` and `PUT /v1/account/privacy`: what the account lets be kept of its prompts and answers.
pub(crate) async fn privacy(
    worker: &Arc<Worker>,
    edits: bool,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let key = manager(&parts)?;
    let desk = Desk::open(worker, &parts);
    let account = key.account.id.clone();
    let known = worker.gateway.contents.privacy.load().get(&account).cloned();
    if !edits {
        return Ok(told(known.as_ref()));
    }
    let asked: Asked = desk.body(&body, EXAMPLE)?;
    let invalid = |why: &str| GatewayError::InvalidRequest(format!("{why}; nothing was changed"));
    let zero = asked.zero_retention.unwrap_or(false);
    let is_zero = known.as_ref().is_some_and(|known| known.zero_since.is_some());
    if is_zero && (asked.keep_days.unwrap_or(0) != 0 || asked.zero_retention == Some(false)) {
        return Err(invalid("this account keeps nothing, for ever: zero retention can't be taken back"));
    }
    let role = key.rules.role;
    if zero && !role.may(Right::Own) {
        return Err(AuthError::Role { role, right: Right::Own }.into());
    }
    if zero && !is_zero && asked.confirm.as_deref() != Some(CONFIRM) {
        return Err(invalid(
            "zero retention can never be taken back, and deletes what is kept; write `\"confirm\": \"irrevocable\"` beside it",
        ));
    }
    let days = asked.keep_days.or(known.as_ref().map(|known| known.keep_days)).unwrap_or(0);
    if !(0..=DAYS_MAX).contains(&days) {
        return Err(invalid("`keep_days` is 0 (nothing is kept) to 365"));
    }
    let now = desk.now();
    let whose = account.clone();
    let said = desk.store(|gateway| async move { gateway.store.set_privacy(&whose, days, zero, now).await });
    let said = said.await?;
    // On this node it acts at once.
    worker.gateway.contents.take(vec![said.clone()]);
    Ok(told(Some(&said)))
}

fn told(privacy: Option<&Privacy>) -> Response<ResponseBody> {
    let zero = privacy.and_then(|one| one.zero_since);
    let body = json!({"data": {
        "keep_days": privacy.map_or(0, |one| one.keep_days),
        "zero_retention": zero.is_some(),
        "zero_retention_since": zero.map(rfc3339),
    }});
    router::json(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(answer: &str) -> Heard {
        Heard {
            id: GenerationId::new(Timestamp(5), 7),
            account: AccountId::new("acct_a"),
            key: KeyId::new("key_a"),
            created: Timestamp(5),
            expires: Timestamp(6),
            texts: Texts { request: "{}".to_owned(), answer: answer.to_owned(), ..Texts::default() },
        }
    }

    #[test]
    fn what_is_sealed_opens_for_its_own_generation_and_account_only() {
        let masters = Masters::given(&SecretString::from("07".repeat(32))).unwrap();
        let content = seal(&masters, heard("canary")).unwrap();
        assert!(!content.sealed.contains("canary"));
        assert_eq!(open(&masters, &content).unwrap().answer, "canary");
        let moved = Content { account: AccountId::new("acct_b"), ..content.clone() };
        assert!(open(&masters, &moved).is_err());
        let exchanged = Content { id: GenerationId::new(Timestamp(5), 8).to_string(), ..content };
        assert!(open(&masters, &exchanged).is_err());
    }

    #[test]
    fn texts_are_cut_and_say_so() {
        let long = vec![b'x'; TEXT_BYTES_MAX + 1];
        assert!(cut(&long).1);
        assert_eq!((cut(&long).0.len(), cut(&long[1..]).1), (TEXT_BYTES_MAX, false));
        // A character that is cut in two is no reason to fail.
        let odd = [vec![b'x'; TEXT_BYTES_MAX - 1], "é".as_bytes().to_vec()].concat();
        assert!(cut(&odd).1);
    }
}
