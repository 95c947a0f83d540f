//! One recorded request, decided once more under another policy: by the planning of live traffic, from what was recorded.
//!
//! What is not recorded is not replayed: the caller's `provider` wishes, where the conversation stayed, what rested at that moment.

use std::collections::HashMap;
use std::sync::Arc;

use ledger::{GenerationRecord, RequestFacts};
use routing::classify::{LABELS, Label};
use routing::guide::Guide;
use routing::health::{Figures, Size};
use routing::name::{Names, Target, Virtual, What};
use routing::plan::{self, Conditions, Facts, Plan, Question};
use routing::policy::{Route, Situation, Strategy};
use routing::quality::Work;
use routing::shortlist::Shortlist;
use routing::wishes::{Sort, Wishes};

use super::Terms;
use crate::world::World;

/// The node without what changes from moment to moment.
struct Calm<'w>(&'w World);

impl Conditions for Calm<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        Conditions::switched_on(self.0, endpoint)
    }

    fn shortlist(&self) -> Option<&Shortlist> {
        self.0.shortlist()
    }

    fn healthy(&self, _: usize) -> bool {
        true
    }

    fn figures(&self, endpoint: usize, size: Size) -> Figures {
        // A failure of today says nothing of the requests before it.
        Figures { last_failure: None, ..self.0.figures(endpoint, size) }
    }
}

/// What requests are decided by instead.
pub(super) struct Other {
    pub(super) world: Arc<World>,
    terms: Terms,
    /// What the models of the policy mean, by name.
    targets: HashMap<String, Target>,
}

/// A decision made again.
pub(super) struct Again {
    /// The attempts; those behind the first are in order, and none is cut off.
    pub(super) plan: Plan,
    /// The chance of each step to come first, in their order.
    pub(super) chances: Vec<f64>,
}

impl Other {
    /// Understands every model of the policy; one that is unknown is refused with its place, and so is a policy of which nothing is
    /// served here.
    pub(super) fn new(world: Arc<World>, names: &Names, terms: Terms) -> Result<Other, String> {
        let mut targets = HashMap::new();
        for (place, name) in terms.policy.models() {
            let target = names
                .resolve(&world.snapshot, name)
                .map_err(|error| format!("{place}: {error}; see GET /v1/models"))?;
            targets.insert(name.to_owned(), target);
        }
        if !targets.values().any(|target| is_served(&world, target)) {
            return Err(String::from(
                "no model of it has an endpoint that is switched on here; see GET /v1/providers",
            ));
        }
        Ok(Other { world, terms, targets })
    }

    /// Decides.
    pub(super) fn decide(&self, record: &GenerationRecord, recorded: &RequestFacts) -> Again {
        let seed = self.seed(record);
        let route = self.route(record, recorded);
        let mut targets = Vec::with_capacity(route.models.len());
        let mut drawn = Vec::new();
        for at in route.order(together(route, record), seed) {
            let known = route.models.get(at).and_then(|link| self.targets.get(&link.model));
            targets.extend(known.cloned());
            drawn.extend(known.and_then(|_| route.chance(at)));
        }
        let sort = match route.strategy {
            Strategy::Latency => Some(Sort::Soonest),
            Strategy::Cost => Some(Sort::Price),
            Strategy::Fallback | Strategy::Balance => None,
        };
        let guide = virtual_model(&targets).map(|_| Guide {
            learned: None,
            abilities: &self.world.abilities,
            work: work(recorded),
            dial: self.terms.dial.or(route.dial),
            fast: false,
        });
        let plan = plan::plan(&Question {
            explore: 0.0,
            snapshot: &self.world.snapshot,
            conditions: &Calm(&self.world),
            targets: &targets,
            retries: &[],
            facts: &facts(record, recorded),
            wishes: &Wishes {
                allow_fallbacks: true,
                sort,
                across_models: sort.is_some(),
                ..Wishes::default()
            },
            sticky: None,
            guide: guide.as_ref(),
            seed,
            // Every step is wanted, for its chance; only the first is looked at as an attempt.
            attempts_max: usize::MAX,
        });
        let chances = plan.steps.iter().map(|step| plan.chance(step, &drawn)).collect();
        Again { plan, chances }
    }

    /// What chance is drawn from: of the seed that was asked for and the record's id; without one the record's own seed, else one
    /// that its id gives.
    fn seed(&self, record: &GenerationRecord) -> u64 {
        match (self.terms.seed, &record.routed) {
            (Some(seed), _) => seed ^ hash(record.id.as_str()),
            (None, Some(routed)) => routed.seed,
            (None, None) => hash(record.id.as_str()),
        }
    }

    fn route(&self, record: &GenerationRecord, recorded: &RequestFacts) -> &Route {
        let id = record.key.as_str();
        let name = self.terms.key_names.get(id).map_or(id, String::as_str);
        let situation = Situation {
            task: &|| task(record, recorded),
            input_tokens: recorded.input_tokens,
            tag: &|name| record.dimensions.get(name).map(String::as_str),
            key: [id, name],
            tools: recorded.tools,
            at: record.created,
        };
        self.terms.policy.route(&situation).0
    }
}

fn virtual_model(targets: &[Target]) -> Option<Virtual> {
    targets.iter().find_map(|target| match target.what {
        What::Virtual(what) => Some(what),
        What::Model(_) => None,
    })
}

/// Whether an endpoint of it could be called at all.
fn is_served(world: &World, target: &Target) -> bool {
    let all = &world.snapshot.endpoints;
    match target.what {
        What::Virtual(_) => all.iter().any(|endpoint| world.is_available(endpoint)),
        What::Model(model) => {
            let own = world.snapshot.endpoints_of(model).iter().filter_map(|at| all.get(*at as usize));
            own.into_iter().any(|endpoint| world.is_available(endpoint))
        }
    }
}

/// FNV-1a of an id: the same on every machine and for ever.
fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn together(route: &Route, record: &GenerationRecord) -> Option<u64> {
    let of = |name: &str| record.dimensions.get(name).map(String::as_str);
    let traced = of("trace.trace_id").or(of("trace_id"));
    route.together(traced, record.user.as_deref().or(of("user_id")))
}

/// The work that models are rated for: as it was classified, else all kinds alike.
pub(super) fn work(recorded: &RequestFacts) -> Work {
    if recorded.tools {
        return Work::Tools;
    }
    let shares = recorded.shares.unwrap_or([125; LABELS]);
    let sum: f32 = shares.iter().map(|share| f32::from(*share)).sum();
    Work::Mixture(shares.map(|share| f32::from(share) / sum.max(1.0)))
}

/// The kind of work, for rules that name one.
fn task(record: &GenerationRecord, recorded: &RequestFacts) -> &'static str {
    if recorded.tools {
        return "tool_use";
    }
    if recorded.image || recorded.audio || recorded.file {
        return "multimodal";
    }
    let told = record.routed.as_ref().map(|routed| routed.task.as_str());
    let label = Label::ALL.into_iter().map(Label::name).find(|name| told == Some(name));
    label.unwrap_or("unknown")
}

fn facts(record: &GenerationRecord, recorded: &RequestFacts) -> Facts {
    Facts {
        input_tokens: recorded.input_tokens,
        max_tokens: recorded.max_tokens,
        tools: recorded.tools,
        image: recorded.image,
        audio: recorded.audio,
        file: recorded.file,
        structured_output: recorded.structured_output,
        at: record.created,
        ..Facts::default()
    }
}
