//! Guardrails at work: which of them hold for a call, what they make of its request and of its answer.
//!
//! - The operator's (`[guardrails]`), the key's and the policy's hold together; the strictest action wins.
//! - The request is looked through before anything else is asked of it: what is masked reaches no provider, no cache and no
//!   count; what is blocked is a 403, and nothing was sent or charged.
//! - A whole answer is looked through as the provider sent it, before anybody reads it. A stream is taken apart into events, also
//!   where caller and provider speak the same, and a text is held back as long as it may be a part of something ([`sieve`]).
//! - What is blocked in an answer was made and is charged; the caller gets the error.
//! - A call without guardrails pays for three comparisons.

mod sieve;
mod walk;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use guardrails::{Compiled, Place, Rules, Tally};
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

/// Rules that were compiled, by what they say.
#[derive(Debug, Default)]
pub struct Bench(Mutex<HashMap<u64, Arc<Compiled>>>);

impl Bench {
    fn compiled(&self, layers: &[Arc<Rules>]) -> Result<Arc<Compiled>, GatewayError> {
        let mut hasher = DefaultHasher::new();
        layers.hash(&mut hasher);
        let name = hasher.finish();
        if let Some(kept) = self.0.lock().get(&name) {
            return Ok(Arc::clone(kept));
        }
        // They were checked when they were written, so this fails only where they come from another version of this program. A call
        // is not let through without them.
        let made = Arc::new(Compiled::new(layers).map_err(|error| {
            tracing::error!(%error, "guardrails can't be compiled; calls under them are refused");
            GatewayError::KeyRule(String::from("the guardrails of this key or policy can't be used; write them again"))
        })?);
        let mut kept = self.0.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(name, Arc::clone(&made));
        Ok(made)
    }
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
        if everyone.is_none() && own.is_none() && policy.is_none() {
            return Ok(None);
        }
        // A policy that is not there is told where its route is looked for.
        let policy = policy.and_then(|name| gateway.rules.policy(&key.account.id, name));
        let written = policy.as_ref().and_then(|policy| policy.parsed.guardrails.as_ref());
        let read = |value| Rules::read(value).map(Arc::new);
        let policys = written.map(read).transpose().map_err(GatewayError::InvalidRequest)?;
        let layers: Vec<Arc<Rules>> =
            everyone.into_iter().chain(own).chain(policys.as_ref()).map(Arc::clone).collect();
        if layers.iter().all(|rules| rules.is_empty()) {
            return Ok(None);
        }
        let rules = gateway.guardrails.compiled(&layers)?;
        Ok(Some(Guard { rules, asked: Arc::default() }))
    }

    /// Looks a request through: what goes on instead of it, where something was masked; an error where something is blocked.
    pub(crate) fn request(&mut self, gateway: &Gateway, body: &[u8]) -> Result<Option<Bytes>, GatewayError> {
        let (masked, tally) = walk::request(&self.rules, body);
        let blocked: Vec<String> = tally.blocked().into_iter().map(str::to_owned).collect();
        self.asked = Arc::new(tally);
        if blocked.is_empty() {
            return Ok(masked.map(Bytes::from));
        }
        gateway.metrics.guarded(&self.asked);
        Err(GatewayError::GuardrailBlocked { direction: "request", kinds: blocked })
    }

    /// What was found in the request.
    pub(crate) fn asked(&self) -> &Tally {
        &self.asked
    }

    /// The same for the same rules.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        self.rules.fingerprint().to_le_bytes()
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
        undo.screen = Some(Arc::new(sieve::Gauze { rules: Arc::clone(&self.rules), found: Arc::clone(&found) }));
        found
    }
}

/// The error of an answer in which something was found that blocks it.
pub(crate) fn blocked(found: Option<&Found>) -> Option<GatewayError> {
    let found = found?.lock();
    let kinds: Vec<String> = found.blocked().into_iter().map(str::to_owned).collect();
    (!kinds.is_empty()).then_some(GatewayError::GuardrailBlocked { direction: "answer", kinds })
}

/// As the header says it: `input email mask 2, output phone flag 1`.
pub(crate) fn shown<'t>(tallies: impl IntoIterator<Item = &'t Tally>) -> String {
    let counts = tallies.into_iter().flat_map(Tally::counts);
    let shown = counts.map(|c| format!("{} {} {} {}", c.direction, c.kind, c.action.name(), c.count));
    shown.collect::<Vec<_>>().join(", ")
}
