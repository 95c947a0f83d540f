//! The response cache: whoever asks the same again within its time gets the same answer again, for nothing.
//!
//! - Off unless a call opts in: by header, or by the rule of a policy or preset ([`rule`], [`decide`]).
//! - The same is: account, path, model as it was asked for and what that name means, streamed or not, the headers that decide
//!   over the answer, the version of the policy, and the whole body, byte by byte. All of it is hashed (SHA-256); accounts
//!   never share an answer.
//! - Kept is a whole answer of status 200 and nothing else: no error, no stream that broke off or whose client left.
//! - An answer is told again as a generation of its own, with its own id, a cost of 0 and no tokens; its record names the
//!   first one. No provider is called and no money is held.
//! - Of those who ask the same at once, one makes the answer and the others wait for it (`shelf`).
//! - It is in the memory of this node, bounded by `cache.bytes_max` and `cache.entries_max`; a restart empties it.

mod hit;
pub(crate) mod shelf;
mod tape;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use routing::policy::CacheRule;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use types::{GenerationId, Task, Timestamp};
use wire::Warning;
use wire::asked::Escalate;
use wire::hub::{Dialect, Settlement};

use crate::access::May;
use crate::app::Gateway;
use crate::call::Incoming;
use crate::planning;
use crate::settings::ResponseHeaders;
use crate::world::World;

pub(crate) use hit::answer;
use shelf::{Found, Hit, Key, Room, Shelf, Ticket, Turn};
pub use tape::{Player, Tape};

const SECOND_US: i64 = 1_000_000;

/// What the cache may take, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Most bytes of all answers together; 0: there is no cache.
    pub bytes_max: usize,
    /// Most answers.
    pub entries_max: usize,
    /// Largest answer.
    pub entry_bytes_max: usize,
    /// How long an answer stands where nobody says, seconds.
    pub ttl_s: u32,
    /// The longest that an answer stands, seconds.
    pub ttl_s_max: u32,
    /// How long a call waits for another one that makes the same answer.
    pub wait_max: Duration,
}

/// The answers of this node.
#[derive(Debug)]
pub struct Cache(Arc<Shelf<Kept>>);

impl Cache {
    /// An empty one.
    pub fn new(limits: &Limits) -> Cache {
        let room = Room { bytes_max: limits.bytes_max, entries_max: limits.entries_max };
        Cache(Arc::new(Shelf::new(room)))
    }

    /// How many answers are kept, and their size in bytes.
    pub fn size(&self) -> (usize, usize) {
        self.0.size()
    }
}

/// What a caller asks of the cache, and what a preset or policy rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// On or off; `None`: nobody said.
    pub enabled: Option<bool>,
    /// How long the answer is to stand, seconds.
    pub ttl_s: Option<u32>,
    /// What is kept is forgotten first.
    pub clear: bool,
}

/// What holds for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// It is answered from the cache, and its answer is kept.
    pub enabled: bool,
    /// How long its answer stands, seconds.
    pub ttl_s: u32,
    /// The oldest answer that it takes, seconds.
    pub age_s_max: Option<u32>,
    /// What is kept is forgotten first.
    pub clear: bool,
}

/// Puts the caller's headers together with the rule of a preset or policy: a rule that says no holds against the headers, and
/// everything else is the headers' first.
pub fn decide(headers: &Wanted, rule: Option<&Wanted>, limits: &Limits) -> Switch {
    let rule = rule.copied().unwrap_or_default();
    let ttl_s = headers.ttl_s.or(rule.ttl_s);
    Switch {
        enabled: rule.enabled != Some(false) && headers.enabled.or(rule.enabled).unwrap_or(false),
        ttl_s: ttl_s.unwrap_or(limits.ttl_s).min(limits.ttl_s_max),
        age_s_max: ttl_s,
        clear: headers.clear || rule.clear,
    }
}

/// The rule that holds: what the policy says, and where it says nothing what the preset does.
pub fn rule(policy: Option<CacheRule>, preset: Option<Wanted>) -> Option<Wanted> {
    let Some(policy) = policy else { return preset };
    let preset = preset.unwrap_or_default();
    Some(Wanted {
        enabled: policy.enabled.or(preset.enabled),
        ttl_s: policy.ttl_s.or(preset.ttl_s),
        clear: preset.clear,
    })
}

/// Whether breakpoints of the provider's own prompt cache are to be placed: as the body says, else the header, else the rule of
/// a preset or policy.
pub fn places_breakpoints(body: Option<bool>, header: Option<bool>, rule: Option<bool>) -> bool {
    body.or(header).or(rule).unwrap_or(false)
}

/// An answer that is kept.
#[derive(Debug)]
pub struct Kept {
    tape: Arc<Tape>,
    face: Face,
    /// What was lost between the dialects.
    warnings: Vec<Warning>,
}

/// Whose answer it is, as headers and records say it.
#[derive(Debug)]
struct Face {
    source: GenerationId,
    endpoint: String,
    model: String,
    provider: String,
    provider_json: String,
    /// The headers that name all this, and how a virtual model chose.
    headers: HeaderMap,
}

/// How the cache stands to a call.
#[derive(Debug, Default)]
pub(crate) enum Outlook {
    /// Nobody asked for it.
    #[default]
    Off,
    /// It was asked for, and can't serve this call.
    Bypass,
    /// The answer is there.
    Hit(Box<Hit<Kept>>),
    /// The answer is to be made, and may be kept.
    Miss(Ticket<Kept>, u32),
}

/// Looks for the answer; waits while another call makes it. `rule`: of a preset or policy. Costs a call that didn't opt in two
/// comparisons.
pub(crate) async fn ask(incoming: &Incoming<'_, '_>, rule: Option<&Wanted>) -> Outlook {
    let limits = &incoming.worker.gateway.settings.cache;
    let switch = decide(&incoming.hints.cache, rule, limits);
    if !switch.enabled && !switch.clear {
        return Outlook::Off;
    }
    // On the heap, so that no other call carries it.
    Box::pin(look(incoming, limits, switch)).await
}

async fn look(incoming: &Incoming<'_, '_>, limits: &Limits, switch: Switch) -> Outlook {
    let (gateway, call) = (&incoming.worker.gateway, incoming.call);
    let task = call.asked().task;
    let servable = matches!(task, Task::Generate | Task::Embeddings) && !incoming.extra.depends;
    if !servable || limits.bytes_max == 0 {
        return Outlook::Bypass;
    }
    let key = key(incoming);
    let shelf = &gateway.cache.0;
    if switch.clear {
        shelf.forget(&key);
    }
    if !switch.enabled {
        return Outlook::Bypass;
    }
    // A virtual model's answer may be of a model that another key of the account may call, and this one not.
    let may = May::of(incoming.worker, Arc::clone(&incoming.admitted.key));
    let age_us_max = switch.age_s_max.map(|max| i64::from(max) * SECOND_US);
    let waiting = match shelf.find(&key, gateway.clock.now(), age_us_max) {
        Found::Hit(hit) if may.call(&hit.value.face.model) => return found(gateway, hit),
        Found::Hit(_) => return missed(gateway, shelf.alone(&key), &switch),
        Found::Lead(ticket) => return missed(gateway, ticket, &switch),
        // What is under way began before the caller asked for something new.
        Found::Wait(_) if switch.clear => return missed(gateway, shelf.alone(&key), &switch),
        Found::Wait(waiting) => waiting,
    };
    let longest = incoming.hints.max_latency.map_or(limits.wait_max, |max| max.min(limits.wait_max));
    let until = (Instant::now() + longest).min(incoming.admitted.started + gateway.settings.total_timeout);
    match tokio::time::timeout_at(until, waiting).await {
        Ok(Ok(Turn::Hit(hit))) if may.call(&hit.value.face.model) => found(gateway, hit),
        Ok(Ok(Turn::Hit(_))) => missed(gateway, shelf.alone(&key), &switch),
        Ok(Ok(Turn::Lead(ticket))) => missed(gateway, ticket, &switch),
        Ok(Ok(Turn::Alone) | Err(_)) | Err(_) => missed(gateway, shelf.alone(&key), &switch),
    }
}

fn found(gateway: &Gateway, hit: Hit<Kept>) -> Outlook {
    gateway.metrics.cache_hits.fetch_add(1, Ordering::Relaxed);
    Outlook::Hit(Box::new(hit))
}

fn missed(gateway: &Gateway, ticket: Ticket<Kept>, switch: &Switch) -> Outlook {
    gateway.metrics.cache_misses.fetch_add(1, Ordering::Relaxed);
    Outlook::Miss(ticket, switch.ttl_s)
}

/// Names the answer.
fn key(incoming: &Incoming<'_, '_>) -> Key {
    let Incoming { world, call, hints, course, .. } = incoming;
    let asked = call.asked();
    let mut parts = Parts(Sha256::new());
    parts.text(incoming.admitted.key.account.id.as_str());
    parts.text(course.policy.as_deref().unwrap_or_default());
    parts.text(call.name());
    parts.text(&course.name);
    // Which model a policy draws is no part of the question.
    for target in course.targets.iter().filter(|_| course.policy.is_none()) {
        parts.text(planning::model_of(world, target));
    }
    parts.text(match (asked.stream, incoming.array) {
        (false, _) => "whole",
        (true, false) => "stream",
        (true, true) => "array",
    });
    parts.text(hints.preference.map_or("", |preference| preference.name()));
    parts.text(&hints.cost_quality.map_or_else(String::new, |dial| dial.to_string()));
    parts.text(&hints.max_cost.map_or_else(String::new, |max| max.to_string()));
    parts.text(&hints.max_latency.map_or_else(String::new, |max| max.as_millis().to_string()));
    parts.text(&match &hints.escalate {
        None => String::new(),
        Some(Escalate::No) => String::from("false"),
        Some(Escalate::Next) => String::from("true"),
        Some(Escalate::To(model)) => format!("to {model}"),
    });
    if call.dialect == Dialect::Messages {
        for betas in incoming.headers.get_all("anthropic-beta") {
            parts.take(betas.as_bytes());
        }
    }
    // What the answer was looked through for is a part of it.
    if let Some(guard) = &incoming.extra.guard {
        parts.take(&guard.fingerprint());
    }
    parts.take(call.body);
    parts.0.finalize().into()
}

/// Hashes parts so that no two lists of them look alike.
struct Parts(Sha256);

impl Parts {
    fn text(&mut self, text: &str) {
        self.take(text.as_bytes());
    }

    fn take(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }
}

/// An answer that is on its way to be kept.
#[derive(Debug)]
pub(crate) struct Keeping {
    ticket: Ticket<Kept>,
    ttl_s: u32,
    face: Face,
    /// How many warnings are this call's own, and not the answer's.
    own_warnings: usize,
}

impl Keeping {
    /// Keeps an answer that reached its end. `tape`: what was taken down; `None`: it was too large.
    pub(crate) fn keep(
        self,
        tape: Option<Box<Tape>>,
        settlement: &Settlement,
        finish: Option<&str>,
        now: Timestamp,
    ) {
        let Some(tape) = tape else { return self.ticket.give_up() };
        if finish == Some("error") {
            return;
        }
        let warnings = settlement.warnings.iter().skip(self.own_warnings).cloned().collect();
        let bytes = tape.bytes() + size_of::<Kept>() + self.face.bytes();
        let expires = Timestamp(now.0.saturating_add(i64::from(self.ttl_s) * SECOND_US));
        let kept = Kept { tape: Arc::from(tape), face: self.face, warnings };
        self.ticket.keep(kept, bytes, now, expires);
    }

    /// It has become too large while it streams.
    pub(crate) fn give_up(self) {
        self.ticket.give_up();
    }
}

impl Face {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64);
        self.endpoint.len() + self.model.len() + self.provider.len() + headers.sum::<usize>()
    }
}

impl Outlook {
    /// Prepares to keep the answer of an endpoint. `headers` are those that name it.
    pub(crate) fn keeping(
        self,
        world: &World,
        endpoint: u32,
        source: Option<GenerationId>,
        headers: &HeaderMap,
        own_warnings: usize,
    ) -> Option<Keeping> {
        let Outlook::Miss(ticket, ttl_s) = self else { return None };
        let snapshot = &world.snapshot;
        let endpoint = snapshot.endpoints.get(endpoint as usize)?;
        let face = Face {
            source: source?,
            endpoint: endpoint.id.to_string(),
            model: snapshot.models.get(endpoint.model)?.id.to_string(),
            provider: snapshot.providers.get(endpoint.provider)?.id.to_string(),
            provider_json: world.providers.get(endpoint.provider)?.name_json.clone(),
            headers: headers.clone(),
        };
        Some(Keeping { ticket, ttl_s, face, own_warnings })
    }

    /// How large an answer may be that is taken down; `None`: none is.
    pub(crate) fn tape_bytes_max(&self, gateway: &Gateway) -> Option<usize> {
        matches!(self, Outlook::Miss(..)).then_some(gateway.settings.cache.entry_bytes_max)
    }

    /// Says how the cache stands to a call that a provider answers.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, names: &ResponseHeaders) {
        let status = match self {
            Outlook::Off | Outlook::Hit(_) => return,
            Outlook::Bypass => "BYPASS",
            Outlook::Miss(_, ttl_s) => {
                headers.insert(names.cache_ttl.clone(), HeaderValue::from(*ttl_s));
                "MISS"
            }
        };
        headers.insert(names.cache_status.clone(), HeaderValue::from_static(status));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_says_no_holds_and_headers_go_before_the_rest() {
        let limits = Limits { ttl_s: 300, ttl_s_max: 1_000, ..Limits::default() };
        let wanted = |enabled, ttl_s| Wanted { enabled, ttl_s, clear: false };
        let (on, off, silent) = (Some(true), Some(false), None);
        let rows = [
            (wanted(silent, None), None, (false, 300)),
            (wanted(on, None), None, (true, 300)),
            (wanted(on, Some(5_000)), None, (true, 1_000)),
            (wanted(silent, None), Some(wanted(on, Some(60))), (true, 60)),
            (wanted(off, None), Some(wanted(on, Some(60))), (false, 60)),
            (wanted(on, Some(5)), Some(wanted(off, None)), (false, 5)),
            (wanted(on, Some(5)), Some(wanted(silent, Some(60))), (true, 5)),
        ];
        for (headers, rule, expect) in rows {
            let switch = decide(&headers, rule.as_ref(), &limits);
            assert_eq!((switch.enabled, switch.ttl_s), expect, "{headers:?} {rule:?}");
        }
        let clear = Wanted { clear: true, ..Wanted::default() };
        assert!(decide(&clear, None, &limits).clear && !decide(&clear, None, &limits).enabled);
    }

    #[test]
    fn a_policy_goes_before_a_preset_member_by_member() {
        let preset = Some(Wanted { enabled: Some(true), ttl_s: Some(60), clear: false });
        let policy = |enabled, ttl_s| Some(CacheRule { enabled, ttl_s });
        let rows = [
            (None, (Some(true), Some(60))),
            (policy(None, None), (Some(true), Some(60))),
            (policy(Some(false), None), (Some(false), Some(60))),
            (policy(None, Some(5)), (Some(true), Some(5))),
        ];
        for (policy, expect) in rows {
            let rule = rule(policy, preset).unwrap();
            assert_eq!((rule.enabled, rule.ttl_s), expect, "{policy:?}");
        }
        assert_eq!(rule(None, None), None);
    }

    #[test]
    fn parts_dont_run_together() {
        let hash = |list: &[&str]| {
            let mut parts = Parts(Sha256::new());
            list.iter().for_each(|part| parts.text(part));
            <Key>::from(parts.0.finalize())
        };
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["a", ""]), hash(&["a"]));
        assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
    }
}
