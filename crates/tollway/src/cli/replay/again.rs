//! One recorded request, decided once more under another policy: by the planning of live traffic, from what was recorded.
//!
//! What is not recorded is not replayed: the caller's `provider` wishes, where the conversation stayed, what rested at that moment.

use std::collections::HashMap;

use gateway::settings::Settings;
use gateway::world::World;
use ledger::{GenerationRecord, RequestFacts};
use routing::classify::{LABELS, Label};
use routing::guide::Guide;
use routing::health::{Figures, Size};
use routing::name::{Target, Virtual, What};
use routing::plan::{self, Conditions, Facts, Plan, Question};
use routing::policy::{Policy, Route, Situation, Strategy};
use routing::quality::Work;
use routing::wishes::{Sort, Wishes};

use super::super::Failure;

/// The node without what changes from moment to moment.
struct Calm<'w>(&'w World);

impl Conditions for Calm<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        Conditions::switched_on(self.0, endpoint)
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
pub(super) struct Other<'a> {
    pub(super) world: &'a World,
    /// Names of keys by their ids: rules may go by either.
    pub(super) key_names: HashMap<String, String>,
    policy: Policy,
    /// What the models of the policy mean, by name.
    targets: HashMap<String, Target>,
    dial: Option<f64>,
}

/// A decision made again.
pub(super) struct Again {
    /// The attempts; those behind the first are in order, and none is cut off.
    pub(super) plan: Plan,
    /// The chance of each step to come first, in their order.
    pub(super) chances: Vec<f64>,
}

impl<'a> Other<'a> {
    /// Understands every model of the policy; one that is unknown is refused with its place.
    pub(super) fn new(
        world: &'a World,
        settings: &Settings,
        policy: Policy,
        dial: Option<f64>,
    ) -> Result<Other<'a>, Failure> {
        let mut targets = HashMap::new();
        for (place, name) in policy.models() {
            let target = settings
                .names
                .resolve(&world.snapshot, name)
                .map_err(|error| Failure::BadInput(format!("{place}: {error}; see GET /v1/models")))?;
            targets.insert(name.to_owned(), target);
        }
        Ok(Other { world, key_names: HashMap::new(), policy, targets, dial })
    }

    /// Decides.
    pub(super) fn decide(&self, record: &GenerationRecord, recorded: &RequestFacts) -> Again {
        let seed = seed(record);
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
            dial: self.dial.or(route.dial),
            fast: false,
        });
        let plan = plan::plan(&Question {
            explore: 0.0,
            snapshot: &self.world.snapshot,
            conditions: &Calm(self.world),
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

    fn route(&self, record: &GenerationRecord, recorded: &RequestFacts) -> &Route {
        let id = record.key.as_str();
        let name = self.key_names.get(id).map_or(id, String::as_str);
        let situation = Situation {
            task: &|| task(record, recorded),
            input_tokens: recorded.input_tokens,
            tag: &|name| record.dimensions.get(name).map(String::as_str),
            key: [id, name],
            tools: recorded.tools,
            at: record.created,
        };
        self.policy.route(&situation).0
    }
}

fn virtual_model(targets: &[Target]) -> Option<Virtual> {
    targets.iter().find_map(|target| match target.what {
        What::Virtual(what) => Some(what),
        What::Model(_) => None,
    })
}

/// What chance is drawn from: the record's own seed, else one that its id gives.
fn seed(record: &GenerationRecord) -> u64 {
    match &record.routed {
        Some(routed) => routed.seed,
        // FNV-1a: the same on every machine and for ever.
        None => record.id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }),
    }
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
