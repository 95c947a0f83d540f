//! Guardrails at work: which of them hold for a call, what they make of its request and of its answer.
//!
//! - The operator's (`[guardrails]`), the account's, the key's and the policy's hold together; the strictest action wins.
//! - The request is looked through before anything else is asked of it: what is masked reaches no provider, no cache and no
//!   count; what is blocked is a 403, and nothing was sent or charged.
//! - A whole answer is looked through as the provider sent it, before anybody reads it. A stream is taken apart into events, also
//!   where caller and provider speak the same, and a text is held back as long as it may be a part of something ([`sieve`]).
//! - What is blocked in an answer was made and is charged; the caller gets the error.
//! - A call without guardrails pays for a few comparisons.

mod sieve;
mod walk;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use guardrails::{Compiled, Place, Rules, Tally};
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use wire::asked::Asked;
use wire::hub::Undo;

use crate::app::Gateway;
use crate::error::GatewayError;
use crate::keys::KeyState;

/// Most sets of rules that are kept compiled; beyond, all are compiled anew.
const KEPT_MAX: usize = 512;

/// What was found in an answer.
pub type Found = Arc<Mutex<Tally>>;

/// Something was found that must not pass. Says what, never the text.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a guardrail blocks this {of}: it holds {}", .kinds.join(", "))]
pub struct Blocked {
    /// `request` or `answer`.
    of: &'static str,
    /// The names of the kinds.
    kinds: Vec<String>,
}

impl Blocked {
    fn by(of: &'static str, tally: &Tally) -> Option<GatewayError> {
        let kinds: Vec<String> = tally.blocked().into_iter().map(str::to_owned).collect();
        (!kinds.is_empty()).then_some(GatewayError::Guardrail(Blocked { of, kinds }))
    }

    pub(crate) fn metadata(&self) -> serde_json::Value {
        serde_json::json!({ "direction": if self.of == "request" { "input" } else { "output" }, "kinds": self.kinds })
    }
}

/// Rules of policies that were read, and rules that were compiled, by what they say: reading tries every pattern, which no call
/// should wait for twice.
#[derive(Debug, Default)]
pub struct Bench {
    read: Mutex<HashMap<u64, Arc<Rules>>>,
    compiled: Mutex<HashMap<u64, Arc<Compiled>>>,
}

impl Bench {
    /// The rules of a policy.
    fn read(&self, written: &serde_json::Value) -> Result<Arc<Rules>, GatewayError> {
        let name = hashed(&written.to_string());
        if let Some(kept) = self.read.lock().get(&name) {
            return Ok(Arc::clone(kept));
        }
        let read = Arc::new(Rules::read(written).map_err(GatewayError::InvalidRequest)?);
        keep(&mut self.read.lock(), name, &read);
        Ok(read)
    }

    fn compiled(&self, layers: &[Arc<Rules>]) -> Result<Arc<Compiled>, GatewayError> {
        let name = hashed(&layers);
        if let Some(kept) = self.compiled.lock().get(&name) {
            return Ok(Arc::clone(kept));
        }
        // They were checked when they were written, so this fails only where they come from another version of this program. A call
        // is not let through without them.
        let made = Arc::new(Compiled::new(layers).map_err(|error| {
            tracing::error!(%error, "guardrails can't be compiled; calls under them are refused");
            unusable()
        })?);
        keep(&mut self.compiled.lock(), name, &made);
        Ok(made)
    }
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn keep<T>(kept: &mut HashMap<u64, Arc<T>>, name: u64, made: &Arc<T>) {
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(name, Arc::clone(made));
}

fn unusable() -> GatewayError {
    GatewayError::KeyRule(String::from("guardrails that hold for this call can't be used; write them again"))
}

/// The guardrails of a call, and what they found in its request.
#[derive(Clone, Debug)]
pub struct Guard {
    rules: Arc<Compiled>,
    asked: Arc<Tally>,
}

impl Guard {
    /// Those that hold for a call; `None`: none do.
    pub(crate) fn of(
        gateway: &Gateway,
        key: &KeyState,
        asked: &Asked<'_>,
    ) -> Result<Option<Guard>, GatewayError> {
        let everyone = gateway.settings.guardrails.as_ref();
        let own = key.rules.limits.guardrails.as_ref();
        let model = asked.model.as_deref().or(asked.models.first().map(String::as_str));
        let policy = model.and_then(|model| model.strip_prefix("policy/"));
        let accounts = gateway.rules.guardrails(&key.account.id);
        if everyone.is_none() && own.is_none() && policy.is_none() && accounts.is_none() {
            return Ok(None);
        }
        let accounts = accounts.map(|rule| rule.parsed.clone().ok_or_else(unusable)).transpose()?;
        // A policy that is not there is told where its route is looked for.
        let policy = policy.and_then(|name| gateway.rules.policy(&key.account.id, name));
        let written = policy.as_ref().and_then(|policy| policy.parsed.guardrails.as_ref());
        let policys = written.map(|written| gateway.guardrails.read(written)).transpose()?;
        let layers: Vec<Arc<Rules>> =
            everyone.into_iter().chain(&accounts).chain(own).chain(&policys).map(Arc::clone).collect();
        if layers.iter().all(|rules| rules.is_empty()) {
            return Ok(None);
        }
        let rules = gateway.guardrails.compiled(&layers)?;
        Ok(Some(Guard { rules, asked: Arc::default() }))
    }

    /// Looks a request through: what goes on instead of it, where something was masked; an error where something is blocked.
    pub(crate) fn request(&mut self, gateway: &Gateway, body: &[u8]) -> Result<Option<Bytes>, GatewayError> {
        let (masked, tally) = walk::request(&self.rules, body);
        self.asked = Arc::new(tally);
        match Blocked::by("request", &self.asked) {
            None => Ok(masked.map(Bytes::from)),
            Some(error) => {
                gateway.metrics.guarded(&self.asked);
                Err(error)
            }
        }
    }

    /// What was found in the request.
    pub(crate) fn asked(&self) -> &Tally {
        &self.asked
    }

    /// The same for the same rules.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        self.rules.fingerprint().to_le_bytes()
    }

    /// Several streamed answers at once can't be taken apart.
    pub(crate) fn admits(&self, asked: &Asked<'_>) -> Result<(), GatewayError> {
        match asked.stream && asked.choices > 1 && self.hears() {
            false => Ok(()),
            true => Err(GatewayError::InvalidRequest(String::from(
                "guardrails watch the answers of this key or policy, and can't watch several in one stream; \
                 ask for one (`n`), or without `stream`",
            ))),
        }
    }

    /// Whether answers are looked at.
    pub(crate) fn hears(&self) -> bool {
        self.rules.watches(Place::Answer)
    }

    /// Looks a whole answer through, as its provider sent it.
    pub(crate) fn answer(&self, body: Bytes) -> (Bytes, Found) {
        let (masked, tally) = walk::answer(&self.rules, &body);
        (masked.map_or(body, Bytes::from), Arc::new(Mutex::new(tally)))
    }

    /// Sees to it that a stream is looked through; what is found in it is counted there.
    pub(crate) fn screen(&self, undo: &mut Undo) -> Found {
        let found = Found::default();
        undo.screen =
            Some(Arc::new(sieve::Gauze { rules: Arc::clone(&self.rules), found: Arc::clone(&found) }));
        found
    }
}

/// The error of an answer in which something was found that blocks it.
pub(crate) fn blocked(found: Option<&Found>) -> Option<GatewayError> {
    Blocked::by("answer", &found?.lock())
}

/// Says in a header what was found so far: `input email mask 2, output phone flag 1`.
pub(crate) fn name(headers: &mut HeaderMap, name: &HeaderName, guard: Option<&Guard>, found: Option<&Found>) {
    let Some(guard) = guard else { return };
    let answered = found.map(|found| found.lock().clone()).unwrap_or_default();
    let counts = guard.asked.counts().iter().chain(answered.counts());
    let shown = counts.map(|c| format!("{} {} {} {}", c.direction, c.kind, c.action.name(), c.count));
    let shown = shown.collect::<Vec<_>>().join(", ");
    if let Ok(value) = HeaderValue::from_str(&shown)
        && !shown.is_empty()
    {
        headers.insert(name.clone(), value);
    }
}
