//! Which endpoints to try, in which order, and why the others were left out.
//!
//! Filters run in a fixed order and each is counted. Of what is left, endpoints whose breaker is closed come before those that
//! are resting, live offers before deprecated ones, the caller's `provider.order` before the rest, and then the
//! cheapest for this request. `models` are taken one after another. The sandbox is chosen by a virtual model only
//! when nothing else is left.

use std::borrow::Cow;

use catalog::{Endpoint, Modality, Model, Protocol, Snapshot, Status};
use types::{PriceKind, Task, Timestamp, Usage};

use crate::name::{Target, Variant, Virtual, What};

/// What the decision needs to know of the request.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What is to be made.
    pub task: Task,
    /// What it will likely use, where that is known before: not for conversations.
    pub expected: Option<Usage>,
    /// A likely count of input tokens.
    pub input_tokens: u64,
    /// The caller's cap on output tokens.
    pub max_tokens: Option<u64>,
    /// Declares tools.
    pub tools: bool,
    /// Has image parts.
    pub image: bool,
    /// Has audio parts.
    pub audio: bool,
    /// Has file parts.
    pub file: bool,
    /// When the request began: for prices by time of day.
    pub at: Timestamp,
}

/// The caller's wishes about providers.
#[derive(Clone, Debug, Default)]
pub struct Wishes<'a> {
    /// Provider slugs to try first.
    pub order: Cow<'a, [String]>,
    /// Only these.
    pub only: Option<Cow<'a, [String]>>,
    /// Never these.
    pub ignore: Cow<'a, [String]>,
    /// False: only the first choice.
    pub allow_fallbacks: bool,
}

/// What the node knows about its endpoints.
pub trait Conditions {
    /// Whether the provider of this endpoint is switched on and spoken to by this version.
    fn switched_on(&self, endpoint: usize) -> bool;
    /// Whether calls pass freely.
    fn healthy(&self, endpoint: usize) -> bool;
}

/// One planned attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Index in the snapshot.
    pub endpoint: u32,
    /// Why it stands where it stands.
    pub reason: &'static str,
}

/// A filter that left endpoints out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funnel {
    /// The filter's name.
    pub step: &'static str,
    /// How many endpoints were left after it.
    pub endpoint_count: usize,
    /// What it asks.
    pub reason: &'static str,
}

/// The outcome of the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The attempts in order; empty when nothing was left.
    pub steps: Vec<Step>,
    /// Endpoints left out, with the filter that did it.
    pub rejected: Vec<(u32, &'static str)>,
    /// Filters that left something out, in order, after a first line with the count before them.
    pub funnel: Vec<Funnel>,
}

type Test<'t> = Box<dyn Fn(&Snapshot, usize, &Endpoint) -> bool + 't>;

/// Decides. `targets` are the model and its fallbacks, in order; `attempts_max` bounds the plan.
pub fn plan(
    snapshot: &Snapshot,
    conditions: &dyn Conditions,
    targets: &[Target],
    facts: &Facts,
    wishes: &Wishes<'_>,
    attempts_max: usize,
) -> Plan {
    let mut plan = Plan::default();
    let mut counts: Vec<(usize, Funnel)> = Vec::new();
    let mut before = 0;
    for target in targets {
        let candidates = candidates(snapshot, target);
        before += candidates.len();
        let left =
            filter(snapshot, conditions, target, facts, wishes, candidates, &mut plan.rejected, &mut counts);
        plan.steps.extend(order(snapshot, conditions, target, facts, wishes, left));
    }
    let mut seen = Vec::with_capacity(plan.steps.len());
    plan.steps.retain(|step| {
        let fresh = !seen.contains(&step.endpoint);
        seen.push(step.endpoint);
        fresh
    });
    plan.steps.truncate(if wishes.allow_fallbacks { attempts_max.max(1) } else { 1 });
    if before > 0 {
        plan.funnel.push(Funnel {
            step: "Initial Endpoints",
            endpoint_count: before,
            reason: "every offer of the models asked for",
        });
        let mut left = before;
        for (removed, mut line) in counts.into_iter().filter(|(removed, _)| *removed > 0) {
            left = left.saturating_sub(removed);
            line.endpoint_count = left;
            plan.funnel.push(line);
        }
    }
    plan
}

fn candidates(snapshot: &Snapshot, target: &Target) -> Vec<u32> {
    match target.what {
        What::Model(model) => snapshot.endpoints_of(model).to_vec(),
        What::Virtual(_) => (0..u32::try_from(snapshot.endpoints.len()).unwrap_or(u32::MAX)).collect(),
    }
}

#[expect(clippy::too_many_arguments, reason = "the inputs of one pure decision, passed through")]
fn filter(
    snapshot: &Snapshot,
    conditions: &dyn Conditions,
    target: &Target,
    facts: &Facts,
    wishes: &Wishes<'_>,
    mut candidates: Vec<u32>,
    rejected: &mut Vec<(u32, &'static str)>,
    counts: &mut Vec<(usize, Funnel)>,
) -> Vec<u32> {
    let is_virtual = matches!(target.what, What::Virtual(_));
    for (at, (step, reason, keeps)) in tests(conditions, target, facts, wishes).into_iter().enumerate() {
        let held = candidates.len();
        candidates.retain(|index| {
            let kept = endpoint(snapshot, *index).is_some_and(|e| keeps(snapshot, *index as usize, e));
            // A virtual model leaves out most of the catalog; only what is switched on is worth a line.
            if !(kept || is_virtual && at == 0) {
                rejected.push((*index, step));
            }
            kept
        });
        let removed = held - candidates.len();
        match counts.get_mut(at) {
            Some((count, _)) => *count += removed,
            None => counts.push((removed, Funnel { step, endpoint_count: 0, reason })),
        }
    }
    candidates
}

/// The filters, in order: name, what it asks, and the test that keeps an endpoint.
fn tests<'t>(
    conditions: &'t dyn Conditions,
    target: &'t Target,
    facts: &'t Facts,
    wishes: &'t Wishes<'_>,
) -> [(&'static str, &'static str, Test<'t>); 7] {
    let is_virtual = matches!(target.what, What::Virtual(_));
    let free_only = target.variant == Some(Variant::Free) || target.what == What::Virtual(Virtual::Free);
    [
        (
            "Filter by Switched-on Providers",
            "the provider has a key or needs none",
            Box::new(|_, index, _| conditions.switched_on(index)),
        ),
        (
            "Filter by Output",
            "the model makes what the path is for",
            Box::new(move |s, _, e| {
                let live = !is_virtual || e.status == Status::Live;
                let talks = !is_virtual || facts.task != Task::Generate;
                live && model(s, e).is_some_and(|m| talks || m.is_chat()) && makes(s, e, facts.task)
            }),
        ),
        (
            "Filter by Known Price",
            "what the answer is counted in has a known price",
            Box::new(|_, _, e| e.price.bills(facts.task)),
        ),
        (
            "Filter by Allowed Providers",
            "`provider` and the name after @ allow the endpoint's provider",
            Box::new(move |s, _, e| allowed(s, e, target, wishes)),
        ),
        (
            "Filter by Free Price",
            "the offer costs nothing",
            Box::new(move |_, _, e| !free_only || is_free(e)),
        ),
        (
            "Filter by Input Modalities",
            "the model takes the images, audio or files of the request",
            Box::new(move |s, _, e| takes_input(s, e, facts, is_virtual)),
        ),
        (
            "Filter by Context Length",
            "the prompt fits the context window",
            Box::new(move |s, _, e| e.context_tokens(s).is_none_or(|context| facts.input_tokens <= context)),
        ),
    ]
}

fn endpoint(snapshot: &Snapshot, index: u32) -> Option<&Endpoint> {
    snapshot.endpoints.get(index as usize)
}

fn model<'s>(snapshot: &'s Snapshot, endpoint: &Endpoint) -> Option<&'s Model> {
    snapshot.models.get(endpoint.model)
}

fn provider_id<'s>(snapshot: &'s Snapshot, endpoint: &Endpoint) -> &'s str {
    snapshot.providers.get(endpoint.provider).map_or("", |p| &p.id)
}

/// Whether a caller's word for a provider means this one: its slug or its name, any case.
fn means(snapshot: &Snapshot, endpoint: &Endpoint, word: &str) -> bool {
    let (slug, variant) = match word.split_once('/') {
        Some((slug, variant)) => (slug, Some(variant)),
        None => (word, None),
    };
    let fits = snapshot
        .providers
        .get(endpoint.provider)
        .is_some_and(|p| p.id.eq_ignore_ascii_case(slug) || p.name.eq_ignore_ascii_case(word));
    fits && variant.is_none_or(|v| endpoint.variant.as_deref() == Some(v))
}

fn allowed(snapshot: &Snapshot, endpoint: &Endpoint, target: &Target, wishes: &Wishes<'_>) -> bool {
    let named = |list: &[String]| list.iter().any(|word| means(snapshot, endpoint, word));
    let pinned = target.pin.as_ref().is_none_or(|pin| {
        provider_id(snapshot, endpoint) == pin.provider
            && pin.variant.as_deref().is_none_or(|v| endpoint.variant.as_deref() == Some(v))
    });
    let listed = wishes.allow_fallbacks || wishes.order.is_empty() || named(&wishes.order);
    pinned && listed && wishes.only.as_ref().is_none_or(|only| named(only)) && !named(&wishes.ignore)
}

fn is_free(endpoint: &Endpoint) -> bool {
    let free = |kind| endpoint.price.quote(kind).and_then(|q| q.rate()) == Some(types::Rate::FREE);
    free(PriceKind::Input) && free(PriceKind::Output)
}

fn makes(snapshot: &Snapshot, endpoint: &Endpoint, task: Task) -> bool {
    let modalities = endpoint.output_modalities(snapshot);
    let wanted = match task {
        Task::Generate => Modality::Text,
        Task::Embeddings => Modality::Embeddings,
        Task::Rerank => Modality::Rerank,
        Task::Images => Modality::Image,
        Task::Speech => Modality::Audio,
        Task::Transcription => Modality::Transcription,
    };
    modalities.contains(&wanted) || modalities.is_empty()
}

fn takes_input(snapshot: &Snapshot, endpoint: &Endpoint, facts: &Facts, strict: bool) -> bool {
    let modalities = endpoint.input_modalities(snapshot);
    let unknown = modalities.is_empty() && !strict;
    let takes = |wanted: bool, modality: Modality| !wanted || unknown || modalities.contains(&modality);
    let tools = !strict || !facts.tools || endpoint.tool_call(snapshot) == Some(true);
    takes(facts.image, Modality::Image)
        && takes(facts.audio, Modality::Audio)
        && takes(facts.file, Modality::File)
        && tools
}

/// Expected price of this request in nano-dollars; with no cap on output, as much comes out as went in, up to 500.
fn expected(endpoint: &Endpoint, facts: &Facts) -> i64 {
    if let Some(usage) = &facts.expected {
        return endpoint.price.cost(usage, facts.at).map_or(i64::MAX / 4, |cost| cost.total.nanos());
    }
    let output = facts.max_tokens.unwrap_or(500).min(facts.input_tokens.clamp(100, 500));
    let amount = |kind, units: u64| {
        let quote =
            endpoint.price.resolve(kind, facts.input_tokens, facts.at).and_then(|(_, quote)| quote.rate());
        quote.map_or(i64::MAX / 8, |rate| rate.times(units).nanos())
    };
    amount(PriceKind::Input, facts.input_tokens.max(1))
        .saturating_add(amount(PriceKind::Output, output))
        .saturating_add(
            endpoint
                .price
                .resolve(PriceKind::Requests, 0, facts.at)
                .map_or(0, |_| amount(PriceKind::Requests, 1)),
        )
}

fn order(
    snapshot: &Snapshot,
    conditions: &dyn Conditions,
    target: &Target,
    facts: &Facts,
    wishes: &Wishes<'_>,
    left: Vec<u32>,
) -> Vec<Step> {
    let is_virtual = matches!(target.what, What::Virtual(_));
    let mut ranked: Vec<(Rank, u32)> = left
        .into_iter()
        .filter_map(|index| {
            let e = endpoint(snapshot, index)?;
            let wished = wishes.order.iter().position(|word| means(snapshot, e, word));
            let sandbox = snapshot.providers.get(e.provider).is_some_and(|p| p.protocol == Protocol::Sandbox);
            let rank = Rank {
                sandbox: is_virtual && sandbox,
                // Of the sandbox only its plain echo stands in for a real model.
                odd_sandbox: is_virtual && sandbox && &*e.name != "echo",
                resting: !conditions.healthy(index as usize),
                wished: wished.unwrap_or(usize::MAX),
                deprecated: e.status == Status::Deprecated,
                expected: expected(e, facts),
            };
            Some((rank, index))
        })
        .filter(|(rank, _)| !rank.odd_sandbox)
        .collect();
    ranked.sort_by(|a, b| {
        a.0.cmp(&b.0)
            .then_with(|| endpoint(snapshot, a.1).map(|e| &e.id).cmp(&endpoint(snapshot, b.1).map(|e| &e.id)))
    });
    let real = ranked.iter().any(|(rank, _)| !rank.sandbox);
    ranked.retain(|(rank, _)| !(rank.sandbox && real));
    ranked.into_iter().map(|(rank, endpoint)| Step { endpoint, reason: rank.reason() }).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    sandbox: bool,
    odd_sandbox: bool,
    resting: bool,
    wished: usize,
    deprecated: bool,
    expected: i64,
}

impl Rank {
    fn reason(self) -> &'static str {
        if self.sandbox {
            "no real provider is switched on"
        } else if self.resting {
            "resting after failures or a rate limit, so tried late"
        } else if self.wished != usize::MAX {
            "named in provider.order"
        } else if self.deprecated {
            "deprecated, so tried late"
        } else {
            "cheapest for this request"
        }
    }
}

#[cfg(test)]
mod tests;
