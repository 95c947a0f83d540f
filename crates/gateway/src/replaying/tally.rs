//! What happened and what would have, added up request by request.
//!
//! The usage that was recorded is taken to be the other model's too: another may write more or less for the same prompt.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledger::{GenerationRecord, Planned, RequestFacts, Status};
use routing::health::{SAMPLES_MIN, Size};
use routing::name::Names;
use routing::plan::Conditions;
use routing::quality::Work;
use routing::replay::Outcome;
use types::{Money, Timestamp};

use super::Terms;
use super::again::{self, Again, Other};
use crate::world::World;

/// Most times to a first token that are kept of one endpoint.
const TIMES_MAX: usize = 1_000;

/// What happened, or what would have.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Of the usage that was recorded.
    pub(super) cost: Money,
    quality: f64,
    rated: u64,
    /// How often each endpoint came first, by its index and the size of the prompt.
    first: BTreeMap<(usize, usize), u64>,
    /// Requests that got no answer, or only part of one.
    pub(super) failed: u64,
}

/// Requests that would have gone to another model.
#[derive(Clone, Debug, Default)]
pub struct Shift {
    /// The model that answered.
    pub from: String,
    /// The one that would have come first.
    pub to: String,
    /// How many.
    pub requests: u64,
    /// What they cost.
    pub happened: Money,
    /// What they would have cost.
    pub other: Money,
}

/// The sums.
pub struct Tally {
    other: Other,
    /// Records that were read.
    read: u64,
    /// Of them, those from before facts were recorded, answers of the cache, and what is no conversation.
    pub(super) without_facts: u64,
    /// Of them, those that no endpoint fits any more, or none with a price for what was used.
    pub(super) unplanned: u64,
    /// The rest.
    pub(super) requests: u64,
    pub(super) happened: Side,
    pub(super) would: Side,
    /// Whether requests were answered well; without those that their callers left.
    pub(super) answered: Vec<Outcome>,
    /// What they cost, nano-dollars.
    pub(super) costs: Vec<Outcome>,
    /// When the first and the last of them began.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    shifts: BTreeMap<(String, String), Shift>,
    /// Milliseconds to the first token, by endpoint.
    times: HashMap<usize, Vec<f64>>,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Tally {
    /// Nothing yet, for requests that are decided on these terms.
    ///
    /// # Errors
    /// A model of the policy that nobody knows, with its place; a policy of which nothing is served here.
    pub fn new(world: Arc<World>, names: &Names, terms: Terms) -> Result<Tally, String> {
        Ok(Tally {
            other: Other::new(world, names, terms)?,
            read: 0,
            without_facts: 0,
            unplanned: 0,
            requests: 0,
            happened: Side::default(),
            would: Side::default(),
            answered: Vec::new(),
            costs: Vec::new(),
            span: None,
            shifts: BTreeMap::new(),
            times: HashMap::new(),
        })
    }

    /// How many records were taken in.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Takes in a record.
    pub fn take(&mut self, record: &GenerationRecord) {
        self.read += 1;
        let (first, last) = self.span.unwrap_or((record.created, record.created));
        self.span = Some((first.min(record.created), last.max(record.created)));
        let facts = record.facts.as_ref().and_then(|facts| Some((facts, facts.planned.first()?)));
        let Some((facts, tried)) = facts else {
            self.without_facts += 1;
            return;
        };
        let again = self.other.decide(record, facts);
        let first = again.plan.steps.first().map(|step| step.endpoint as usize);
        let Some((first, cost)) = first.and_then(|first| Some((first, self.price(first, record)?))) else {
            self.unplanned += 1;
            return;
        };
        self.requests += 1;
        let work = again::work(facts);
        let size = Size::of(facts.input_tokens) as usize;
        let answered = self.index(&record.endpoint).or_else(|| self.index(&tried.endpoint));
        let qualities = (answered.map(|at| self.quality(at, &work)), self.quality(first, &work));
        self.happened.add(record.cost.total, qualities.0, self.index(&tried.endpoint).map(|at| (at, size)));
        self.happened.failed += u64::from(matches!(record.status, Status::Failed | Status::Truncated));
        self.would.add(cost, Some(qualities.1), Some((first, size)));
        self.shift(record, first, cost);
        self.time(record);
        if record.status != Status::Cancelled {
            self.weigh(record, facts, tried, &again);
        }
    }

    fn world(&self) -> &World {
        &self.other.world
    }

    fn index(&self, endpoint: &str) -> Option<usize> {
        self.world().snapshot.endpoints.binary_search_by(|e| (*e.id).cmp(endpoint)).ok()
    }

    fn quality(&self, endpoint: usize, work: &Work) -> f64 {
        let model = self.world().snapshot.endpoints.get(endpoint).map_or(usize::MAX, |e| e.model);
        self.world().abilities.quality(model, work)
    }

    /// What the recorded usage costs at an endpoint, by the catalog of now.
    fn price(&self, endpoint: usize, record: &GenerationRecord) -> Option<Money> {
        let endpoint = self.world().snapshot.endpoints.get(endpoint)?;
        endpoint.price.cost(&record.usage, record.created).ok().map(|cost| cost.total)
    }

    fn shift(&mut self, record: &GenerationRecord, first: usize, cost: Money) {
        let snapshot = &self.world().snapshot;
        let to = snapshot.endpoints.get(first).and_then(|e| e.model_in(snapshot));
        let to = to.map_or(String::new(), |model| model.id.to_string());
        let from = if record.model.is_empty() { "no answer" } else { &record.model };
        if from == to {
            return;
        }
        let names = (from.to_owned(), to);
        let (from, to) = names.clone();
        let shift = self.shifts.entry(names).or_insert_with(|| Shift { from, to, ..Shift::default() });
        shift.requests += 1;
        shift.happened = shift.happened.saturating_add(record.cost.total);
        shift.other = shift.other.saturating_add(cost);
    }

    fn time(&mut self, record: &GenerationRecord) {
        let Some(us) = record.ttft_us.filter(|_| record.streamed && record.attempts.len() == 1) else {
            return;
        };
        let Some(at) = self.index(&record.endpoint) else { return };
        let times = self.times.entry(at).or_default();
        if times.len() < TIMES_MAX {
            times.push(us as f64 / 1_000.0);
        }
    }

    /// What the estimators need of a request that came to its end.
    fn weigh(&mut self, record: &GenerationRecord, facts: &RequestFacts, tried: &Planned, again: &Again) {
        let endpoints = &self.world().snapshot.endpoints;
        let (work, tried_at) = (again::work(facts), self.index(&tried.endpoint));
        let had_a_chance =
            |id: &str| facts.planned.iter().any(|step| step.endpoint == id && number(&step.propensity) > 0.0);
        let logged = number(&tried.propensity);
        let mut answered = Outcome { logged, ..Outcome::default() };
        let mut cost = 0.0;
        for (step, chance) in again.plan.steps.iter().zip(&again.chances).filter(|(_, chance)| **chance > 0.0)
        {
            let at = step.endpoint as usize;
            let id = endpoints.get(at).map_or("", |e| &*e.id);
            answered.target += if id == tried.endpoint { *chance } else { 0.0 };
            answered.covered += if had_a_chance(id) { *chance } else { 0.0 };
            answered.model_target += chance * self.quality(at, &work);
            cost += chance * self.price(at, record).unwrap_or(step.expected).nanos() as f64;
        }
        let paid = record.cost.total.nanos() as f64;
        let price = tried_at.and_then(|at| self.price(at, record)).map(|price| price.nanos() as f64);
        answered.reward = f64::from(u8::from(record.status == Status::Ok));
        answered.model_logged = tried_at.map_or(answered.reward, |at| self.quality(at, &work));
        let costs =
            Outcome { reward: paid, model_logged: price.unwrap_or(paid), model_target: cost, ..answered };
        self.answered.push(answered);
        self.costs.push(costs);
    }

    /// The largest shifts from one model to another.
    pub(super) fn shifts(&self, most: usize) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = self.shifts.values().cloned().collect();
        shifts.sort_by_key(|shift| std::cmp::Reverse(shift.requests));
        shifts.truncate(most);
        shifts
    }

    /// The mean over requests of their first endpoint's median time to the first token, milliseconds, and the share of requests
    /// whose endpoint has one: of the records themselves, else of what the server measured last.
    pub(super) fn first_token(&self, side: &Side) -> Option<(f64, f64)> {
        let (mut sum, mut known, mut all) = (0.0, 0.0, 0.0);
        for ((endpoint, size), count) in &side.first {
            let count = *count as f64;
            all += count;
            let measured = || {
                let size = Size::ALL.get(*size).copied()?;
                self.world().figures(*endpoint, size).begins_ms()
            };
            if let Some(ms) = self.times.get(endpoint).and_then(|times| median(times)).or_else(measured) {
                sum += ms * count;
                known += count;
            }
        }
        (known > 0.0).then(|| (sum / known, known / all))
    }
}

impl Side {
    fn add(&mut self, cost: Money, quality: Option<f64>, first: Option<(usize, usize)>) {
        self.cost = self.cost.saturating_add(cost);
        self.quality += quality.unwrap_or(0.0);
        self.rated += u64::from(quality.is_some());
        if let Some(first) = first {
            *self.first.entry(first).or_default() += 1;
        }
    }

    /// The mean prior of the models.
    pub(super) fn quality(&self) -> Option<f64> {
        (self.rated > 0).then(|| self.quality / self.rated as f64)
    }
}

/// A decimal text from 0 to 1; what is none has no chance.
fn number(text: &str) -> f64 {
    text.parse().ok().filter(|number| (0.0..=1.0).contains(number)).unwrap_or(0.0)
}

/// `None`: too few to say anything.
fn median(times: &[f64]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().filter(|_| sorted.len() as u64 >= SAMPLES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_read_and_few_times_say_nothing() {
        let rows = [("0.96875", 0.96875), ("1", 1.0), ("2", 0.0), ("NaN", 0.0), ("", 0.0)];
        for (text, expect) in rows {
            assert!((number(text) - expect).abs() < 1e-9, "{text}");
        }
        assert_eq!(median(&[1.0; 4]), None);
        assert_eq!(median(&[5.0, 1.0, 2.0, 9.0, 3.0]), Some(3.0));
    }
}
