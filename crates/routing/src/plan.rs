//! Which endpoints to try, in which order, and why the others were left out.
//!
//! One pure function of (facts, catalog, conditions, wishes, seed): live traffic, the dry run and the tests all call it. Filters
//! ([`crate::filters`]) run in a fixed order and each is counted; what is left is put in order ([`crate::order`]). `models` are
//! taken one after another, unless the caller sorts across them. The sandbox is chosen by a virtual model only when nothing
//! else is left.

use catalog::Snapshot;
use types::{Money, Task, Timestamp, Usage};

use crate::brief::Brief;
use crate::filters::{FILTERS, FIXED, Looked};
use crate::guide::Guide;
use crate::health::{Figures, Size};
use crate::name::{Target, What};
use crate::order::{Candidate, Sorting};
use crate::random::Random;
use crate::shortlist::Shortlist;
use crate::wishes::Wishes;

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
    /// Asks for a JSON schema.
    pub structured_output: bool,
    /// Asks for JSON, with a schema or without.
    pub json: bool,
    /// When the request began: for prices by time of day.
    pub at: Timestamp,
    /// The most that the answer may cost, where the caller says.
    pub bound: Option<Bound>,
}

/// The most that an answer may cost, and what it may come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// What the caller allows.
    pub allowed: Money,
    /// The prompt's tokens, from above.
    pub input_tokens: u64,
    /// Output tokens where neither the caller nor the endpoint says how many there may be.
    pub output_tokens: u64,
    /// How many answers.
    pub choices: u64,
}

impl Bound {
    /// What an endpoint's answer may cost at most; `None`: its price is not known.
    pub fn worst(&self, snapshot: &Snapshot, endpoint: &catalog::Endpoint, facts: &Facts) -> Option<Money> {
        let longest =
            facts.max_tokens.or_else(|| endpoint.max_output_tokens(snapshot)).unwrap_or(self.output_tokens);
        let output = longest.saturating_mul(self.choices);
        let usage = Usage { input: self.input_tokens, output, requests: 1, ..Usage::default() };
        endpoint.price.total(&usage, facts.at).ok()
    }
}

/// What the node knows about its endpoints.
pub trait Conditions {
    /// Whether the provider of this endpoint is switched on and spoken to by this version.
    fn switched_on(&self, endpoint: usize) -> bool;
    /// What a virtual model chooses from, where that was worked out before. It must be of the same providers.
    fn shortlist(&self) -> Option<&Shortlist> {
        None
    }
    /// Whether calls pass freely.
    fn healthy(&self, endpoint: usize) -> bool;
    /// What the endpoint's own traffic says of prompts of this size, over the window that routing goes by.
    fn figures(&self, _endpoint: usize, _size: Size) -> Figures {
        Figures::default()
    }
    /// Its load ([`crate::load`]); 0 where nobody has tried it.
    fn load(&self, _endpoint: usize) -> f64 {
        0.0
    }
}

/// One planned attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Index in the snapshot.
    pub endpoint: u32,
    /// Why it stands where it stands.
    pub reason: &'static str,
    /// What it will likely cost.
    pub expected: Money,
    /// How good its answer is likely to be, 0 to 1; of virtual models only.
    pub quality: Option<f64>,
    /// The chance that it came first, 0 to 1.
    pub propensity: f64,
    /// Which of the targets it serves.
    pub target: usize,
    /// Which of the account's own keys it is made with; `None`: the operator's. Decided behind the plan itself.
    pub own: Option<u16>,
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

/// The step in [`Plan::rejected`] of an endpoint that every filter left, and that comes behind as many as are tried.
pub const BEHIND: &str = "Most Attempts";

/// What [`BEHIND`] asks.
pub const BEHIND_ASKS: &str = "it passed every filter, but as many as are tried come before it";

/// The outcome of the decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The attempts in order; empty when nothing was left.
    pub steps: Vec<Step>,
    /// Of a policy's chain: tries after the first, for each target. Empty: each step has one try.
    pub retries: Vec<Option<u32>>,
    /// Endpoints left out, with the filter that did it, or [`BEHIND`].
    pub rejected: Vec<(u32, &'static str)>,
    /// Filters that left something out, in order, after a first line with the count before them.
    pub funnel: Vec<Funnel>,
    /// What became of [`Question::sticky`]: `hit`, or why not. `None`: there was none.
    pub sticky: Option<&'static str>,
    /// Where nothing was left: the endpoints that would be, without the last filter that left something out.
    pub without: Vec<u32>,
}

impl Plan {
    /// The chance that a step came first, among those of all targets. `chances`: of a policy that draws, the chance of each target;
    /// else empty, and only steps of the first step's target have one.
    pub fn chance(&self, step: &Step, chances: &[f64]) -> f64 {
        match chances.get(step.target) {
            Some(chance) => chance * step.propensity,
            None if self.steps.first().is_some_and(|first| first.target == step.target) => step.propensity,
            None => 0.0,
        }
    }
}

/// Where a conversation stays, for the sake of its cached prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// The endpoint.
    pub endpoint: u32,
    /// The caller named the conversation: it stays whatever others cost. Else it leaves when another is cheaper even though
    /// the prompt isn't cached there.
    pub named: bool,
}

/// What a decision is made from.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The catalog.
    pub snapshot: &'a Snapshot,
    /// What the node knows.
    pub conditions: &'a dyn Conditions,
    /// The model and its fallbacks, in order.
    pub targets: &'a [Target],
    /// Of a policy's chain: tries after the first, for each target. Empty: no chain.
    pub retries: &'a [Option<u32>],
    /// The request.
    pub facts: &'a Facts,
    /// The caller's wishes.
    pub wishes: &'a Wishes<'a>,
    /// Where the conversation stays.
    pub sticky: Option<Sticky>,
    /// What guides the choice of a virtual model; without it the cheapest comes first.
    pub guide: Option<&'a Guide<'a>>,
    /// What chance is drawn from.
    pub seed: u64,
    /// The share of a virtual model's decisions that try another candidate about as good.
    pub explore: f64,
    /// Most attempts of a plan.
    pub attempts_max: usize,
}

/// Decides.
pub fn plan(question: &Question<'_>) -> Plan {
    let Question { snapshot, conditions, facts, wishes, .. } = *question;
    let sorting = Sorting {
        snapshot,
        conditions,
        facts,
        wishes,
        sticky: question.sticky,
        guide: question.guide,
        seed: question.seed,
        explore: question.explore,
    };
    let mut plan = Plan { retries: question.retries.to_vec(), ..Plan::default() };
    let mut counts = [0; FILTERS.len()];
    let mut random = Random::new(question.seed);
    let mut before = 0;
    let mut all: Vec<Candidate> = Vec::new();
    let mut passed: Vec<u32> = Vec::new();
    // Of one target no endpoint comes twice: none is left out behind those that are tried.
    let most = if question.targets.len() == 1 { most(question) } else { usize::MAX };
    for (number, target) in question.targets.iter().enumerate() {
        before += offers(snapshot, target);
        let left = filter(question, target, &mut plan.rejected, &mut counts);
        passed.extend(left.iter().map(|brief| brief.endpoint));
        let candidates = sorting.candidates(target, &left);
        if wishes.across_models {
            all.extend(candidates);
        } else {
            let steps = sorting.ordered(target, candidates, &mut random, most);
            plan.steps.extend(steps.into_iter().map(|step| Step { target: number, ..step }));
        }
    }
    if let Some(first) = question.targets.first().filter(|_| wishes.across_models) {
        plan.steps = sorting.ordered(first, all, &mut random, most);
    }
    cut(question, &mut plan.steps);
    behind(passed, &plan.steps, &mut plan.rejected);
    if let Some(sticky) = question.sticky {
        plan.sticky = Some(if plan.steps.first().is_some_and(|step| step.endpoint == sticky.endpoint) {
            "hit"
        } else if plan.steps.iter().all(|step| step.endpoint != sticky.endpoint) {
            "left: a filter rules the endpoint out"
        } else if conditions.healthy(sticky.endpoint as usize) {
            "left: another is cheaper even without the cached prompt"
        } else {
            "left: the endpoint is not well"
        });
    }
    tell(question, &mut plan, before, &counts);
    plan
}

/// As many steps as a plan may have. A policy's chain has its own bounds.
fn most(question: &Question<'_>) -> usize {
    match question.wishes.allow_fallbacks {
        false => 1,
        true if question.retries.is_empty() => question.attempts_max.max(1),
        true => usize::MAX,
    }
}

/// Adds those that passed every filter and are not among the steps.
fn behind(mut passed: Vec<u32>, steps: &[Step], rejected: &mut Vec<(u32, &'static str)>) {
    passed.sort_unstable();
    passed.dedup();
    let mut tried: Vec<u32> = steps.iter().map(|step| step.endpoint).collect();
    tried.sort_unstable();
    let mut tried = tried.into_iter().peekable();
    rejected.reserve(passed.len());
    for endpoint in passed {
        while tried.next_if(|tried| *tried < endpoint).is_some() {}
        if tried.peek() != Some(&endpoint) {
            rejected.push((endpoint, BEHIND));
        }
    }
}

/// Leaves each endpoint once, and as many as may be tried. A policy's chain has its own bounds.
fn cut(question: &Question<'_>, steps: &mut Vec<Step>) {
    if question.targets.len() > 1 {
        let mut seen = Vec::with_capacity(steps.len());
        steps.retain(|step| {
            let fresh = !seen.contains(&step.endpoint);
            seen.push(step.endpoint);
            fresh
        });
    }
    steps.truncate(most(question));
    if question.retries.is_empty() || !question.wishes.allow_fallbacks {
        return;
    }
    let max = question.attempts_max.max(1);
    let mut counts = vec![0; question.targets.len()];
    steps.retain(|step| {
        let Some(count) = counts.get_mut(step.target) else { return false };
        *count += 1;
        let tries = question.retries.get(step.target).copied().flatten();
        *count <= tries.map_or(max, |retries| retries as usize + 1)
    });
}

/// Writes the funnel, and where nothing is left what would be without its last step.
fn tell(question: &Question<'_>, plan: &mut Plan, before: usize, counts: &[usize]) {
    if before == 0 {
        return;
    }
    plan.funnel.push(Funnel {
        step: "Initial Endpoints",
        endpoint_count: before,
        reason: "every offer of the models asked for",
    });
    let mut left = before;
    for (removed, filter) in counts.iter().zip(&FILTERS).filter(|(removed, _)| **removed > 0) {
        left = left.saturating_sub(*removed);
        plan.funnel.push(Funnel { step: filter.step, endpoint_count: left, reason: filter.asks });
    }
    let last = plan.funnel.last().map_or("", |line| line.step);
    if !plan.steps.is_empty() {
        return;
    }
    for target in question.targets {
        let look = look(question, target);
        let others = FILTERS.iter().filter(|filter| filter.step != last && look.asks(filter));
        let keeps = |index: &u32| others.clone().all(|filter| look.passes(filter, *index));
        plan.without.extend(candidates(question.snapshot, target).into_iter().filter(keeps));
    }
}

/// How many offers there are of what is asked for.
fn offers(snapshot: &Snapshot, target: &Target) -> usize {
    match target.what {
        What::Model(model) => snapshot.endpoints_of(model).len(),
        What::Virtual(_) => snapshot.endpoints.len(),
    }
}

fn candidates(snapshot: &Snapshot, target: &Target) -> Vec<u32> {
    match target.what {
        What::Model(model) => snapshot.endpoints_of(model).to_vec(),
        What::Virtual(_) => (0..u32::try_from(snapshot.endpoints.len()).unwrap_or(u32::MAX)).collect(),
    }
}

fn look<'a>(question: &Question<'a>, target: &'a Target) -> Looked<'a> {
    Looked::new(question.snapshot, question.conditions, target, question.facts, question.wishes)
}

/// What all filters leave; `counts` is how many each left out.
fn filter(
    question: &Question<'_>,
    target: &Target,
    rejected: &mut Vec<(u32, &'static str)>,
    counts: &mut [usize],
) -> Vec<Brief> {
    let is_virtual = matches!(target.what, What::Virtual(_));
    let listed =
        question.conditions.shortlist().filter(|_| is_virtual && question.facts.task == Task::Generate);
    let look = look(question, target);
    let mut left: Vec<Brief> = match listed {
        Some(list) => {
            // What passed comes behind these: one allocation for both.
            rejected.reserve(list.rejected.len() + list.left.len());
            rejected.extend_from_slice(&list.rejected);
            counts.iter_mut().zip(list.removed).for_each(|(count, removed)| *count += removed);
            list.left.clone()
        }
        None => {
            let mut left = candidates(question.snapshot, target);
            for (at, (filter, count)) in FILTERS.iter().zip(counts.iter_mut()).enumerate().take(FIXED) {
                let held = left.len();
                left.retain(|index| {
                    let kept = look.passes(filter, *index);
                    // A virtual model leaves out most of the catalog; only what is switched on is worth a line.
                    if !(kept || is_virtual && at == 0) {
                        rejected.push((*index, filter.step));
                    }
                    kept
                });
                *count += held - left.len();
            }
            left.into_iter().filter_map(|index| Brief::of(question.snapshot, index)).collect()
        }
    };
    for (filter, count) in FILTERS.iter().zip(counts).skip(FIXED).filter(|(filter, _)| look.asks(filter)) {
        let held = left.len();
        left.retain(|brief| {
            let kept = look.passes_brief(filter, brief);
            if !kept {
                rejected.push((brief.endpoint, filter.step));
            }
            kept
        });
        *count += held - left.len();
    }
    left
}

#[cfg(test)]
mod tests;
