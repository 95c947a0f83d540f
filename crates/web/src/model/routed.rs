//! What the router would do, asked of the routing function itself: in which order it tries a model's offers, and for which work its
//! virtual models take this model. The values are those of live traffic; only chance is told as chance.

use std::collections::HashMap;

use catalog::{Modality, Model, Protocol, Snapshot};
use routing::classify::{LABELS, Label};
use routing::guide::{AUTO_DIAL, Guide};
use routing::health::{Figures, Size};
use routing::name::{Target, Virtual, What};
use routing::plan::{self, Conditions, Facts, Question, Step};
use routing::quality::{Abilities, ROWS, Work};
use routing::wishes::Wishes;
use types::{Task, Timestamp};

use crate::World;

/// The prompt that pages speak of, in tokens.
pub(crate) const PROMPT_TOKENS: u64 = 1_000;
/// Dials that are tried, in tenths.
const DIALS: u8 = 10;
/// Places that are told of.
const PLACE_MAX: usize = 3;

/// An offer's place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) endpoint: usize,
    /// The chance that a call tries it first, 0 to 1.
    pub(crate) chance: f64,
    pub(crate) reason: &'static str,
}

/// The order of a model's offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Order {
    /// Likeliest first.
    pub(crate) placed: Vec<Placed>,
    /// No provider of it is on: this is what would be if all were.
    pub(crate) is_supposed: bool,
}

impl Order {
    /// Whether calls try this offer.
    pub(crate) fn has(&self, endpoint: usize) -> bool {
        self.placed.iter().any(|placed| placed.endpoint == endpoint)
    }
}

/// In which order the offers of a model are tried for a plain call.
pub(crate) fn order(world: &dyn World, model: usize, now: Timestamp) -> Order {
    let snapshot: &Snapshot = world.snapshot();
    let target = Target { what: What::Model(model), pin: None, variant: None };
    let facts = Facts {
        task: snapshot.models.get(model).map(task).unwrap_or_default(),
        input_tokens: PROMPT_TOKENS,
        at: now,
        ..Facts::default()
    };
    let real = world.conditions();
    let all = AllOn { snapshot, real };
    let steps = ask(snapshot, real, &target, &facts, None);
    let (steps, is_supposed) = match steps.is_empty() {
        true => (ask(snapshot, &all, &target, &facts, None), true),
        false => (steps, false),
    };
    let mut placed: Vec<Placed> = steps
        .into_iter()
        .map(|step| Placed { endpoint: step.endpoint as usize, chance: step.propensity, reason: step.reason })
        .collect();
    // What was drawn first for this one seed is no news; how likely each is drawn is.
    placed.sort_by(|a, b| b.chance.total_cmp(&a.chance));
    Order { placed, is_supposed }
}

fn task(model: &Model) -> Task {
    let makes = |known: Modality| model.output_modalities().contains(&known);
    match () {
        () if makes(Modality::Text) => Task::Generate,
        () if makes(Modality::Embeddings) => Task::Embeddings,
        () if makes(Modality::Rerank) => Task::Rerank,
        () if makes(Modality::Image) => Task::Images,
        () if makes(Modality::Audio) => Task::Speech,
        () if makes(Modality::Transcription) => Task::Transcription,
        () => Task::Generate,
    }
}

fn ask(
    snapshot: &Snapshot,
    conditions: &dyn Conditions,
    target: &Target,
    facts: &Facts,
    guide: Option<&Guide<'_>>,
) -> Vec<Step> {
    let wishes = Wishes { allow_fallbacks: true, ..Wishes::default() };
    let question = Question {
        snapshot,
        conditions,
        targets: std::slice::from_ref(target),
        retries: &[],
        facts,
        wishes: &wishes,
        sticky: None,
        guide,
        seed: 0,
        explore: 0.0,
        attempts_max: usize::MAX,
    };
    plan::plan(&question).steps
}

/// The same place with every provider on but the sandbox.
struct AllOn<'a> {
    snapshot: &'a Snapshot,
    real: &'a dyn Conditions,
}

impl Conditions for AllOn<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        let provider = self.snapshot.endpoints.get(endpoint).and_then(|e| e.provider_in(self.snapshot));
        provider.is_some_and(|provider| provider.protocol != Protocol::Sandbox)
    }

    fn healthy(&self, endpoint: usize) -> bool {
        self.real.healthy(endpoint)
    }

    fn figures(&self, endpoint: usize, size: Size) -> Figures {
        self.real.figures(endpoint, size)
    }

    fn load(&self, endpoint: usize) -> f64 {
        self.real.load(endpoint)
    }
}

/// For which work the virtual models take a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picks {
    /// By model.
    by_model: HashMap<usize, Vec<Pick>>,
    /// Models that could be picked.
    pub(crate) candidates: usize,
    /// No real provider is on: this is what would be if all were.
    pub(crate) is_supposed: bool,
}

/// A virtual model and a kind of work for which a model is among the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// `auto`, `fast`, `cheap`.
    pub(crate) by: &'static str,
    /// `code`, `tools`...
    pub(crate) work: &'static str,
    /// 1: it comes first.
    pub(crate) place: usize,
    /// Tenths of the dial between which it comes first; of `auto` at other dials than its own.
    pub(crate) dial: Option<(u8, u8)>,
}

impl Picks {
    /// For every model of a world.
    pub(crate) fn of(world: &dyn World, now: Timestamp) -> Picks {
        let snapshot: &Snapshot = world.snapshot();
        let real = world.conditions();
        let is_real = |at: usize| {
            let provider = snapshot.endpoints.get(at).and_then(|e| e.provider_in(snapshot));
            provider.is_some_and(|provider| provider.protocol != Protocol::Sandbox) && real.switched_on(at)
        };
        let is_supposed = !(0..snapshot.endpoints.len()).any(is_real);
        let all = AllOn { snapshot, real };
        let conditions: &dyn Conditions = if is_supposed { &all } else { real };
        let mut picks = Picks { is_supposed, ..Picks::default() };
        for (work, name) in works() {
            let chain = |what, dial| chain((world, conditions, now), (what, work, dial));
            for (by, what, _) in Virtual::ALL.into_iter().filter(|(_, what, _)| *what != Virtual::Free) {
                let models = chain(what, None);
                picks.candidates = picks.candidates.max(models.len());
                for (at, model) in models.into_iter().take(PLACE_MAX).enumerate() {
                    let pick = Pick { by, work: name, place: at + 1, dial: None };
                    picks.by_model.entry(model).or_default().push(pick);
                }
            }
            let firsts =
                (0..=DIALS).map(|tenth| chain(Virtual::Auto, Some(f64::from(tenth) / 10.0)).first().copied());
            picks.sweep(name, &firsts.collect::<Vec<_>>());
        }
        picks
    }

    /// Takes in what comes first at each tenth of the dial.
    fn sweep(&mut self, work: &'static str, firsts: &[Option<usize>]) {
        let own = (AUTO_DIAL * 10.0).round() as u8;
        let mut spans: HashMap<usize, (u8, u8)> = HashMap::new();
        for (tenth, model) in (0u8..).zip(firsts) {
            let Some(model) = model else { continue };
            let span = spans.entry(*model).or_insert((tenth, tenth));
            span.1 = tenth;
        }
        let mut spans: Vec<_> =
            spans.into_iter().filter(|(_, (from, to))| *from > own || *to < own).collect();
        spans.sort_unstable();
        for (model, span) in spans {
            let pick = Pick { by: "auto", work, place: 1, dial: Some(span) };
            self.by_model.entry(model).or_default().push(pick);
        }
    }

    /// Of one model, in the order of the virtual models and the kinds of work.
    pub(crate) fn of_model(&self, model: usize) -> &[Pick] {
        self.by_model.get(&model).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The kinds of work, each by itself.
pub(crate) fn works() -> impl Iterator<Item = (Work, &'static str)> {
    let labels = Label::ALL.into_iter().enumerate().map(|(at, label)| {
        let mut shares = [0.0; LABELS];
        shares.iter_mut().skip(at).take(1).for_each(|share| *share = 1.0);
        (Work::Mixture(shares), label.name())
    });
    labels.chain(std::iter::once((Work::Tools, "tools")))
}

/// The expected share of good answers at each kind of work.
pub(crate) fn priors(abilities: &Abilities, model: usize) -> [f64; ROWS] {
    abilities.rows(model)
}

/// The models that a virtual model would try, in order.
fn chain(
    (world, conditions, now): (&dyn World, &dyn Conditions, Timestamp),
    (what, work, dial): (Virtual, Work, Option<f64>),
) -> Vec<usize> {
    let snapshot: &Snapshot = world.snapshot();
    let guide =
        Guide { abilities: world.abilities(), learned: None, work, dial, fast: what == Virtual::Fast };
    let target = Target { what: What::Virtual(what), pin: None, variant: None };
    let facts =
        Facts { input_tokens: PROMPT_TOKENS, tools: work == Work::Tools, at: now, ..Facts::default() };
    let mut models: Vec<usize> = Vec::new();
    for step in ask(snapshot, conditions, &target, &facts, Some(&guide)) {
        let Some(endpoint) = snapshot.endpoints.get(step.endpoint as usize) else { continue };
        if !models.contains(&endpoint.model) {
            models.push(endpoint.model);
        }
    }
    models
}

#[cfg(test)]
mod tests {

    use super::{Picks, order};
    use crate::World;
    use crate::testing::{NOON, SHIPPED, SMALL, Still};

    fn at(id: &str) -> usize {
        SMALL.models.iter().position(|model| &*model.id == id).unwrap()
    }

    #[test]
    fn offers_stand_in_the_order_of_their_chance() {
        let world = Still::new(&SMALL, &["mistral", "venice"]);
        let found = order(&world, at("mistralai/small-4"), NOON);
        let ids: Vec<&str> = found.placed.iter().map(|one| &*SMALL.endpoints[one.endpoint].id).collect();
        assert_eq!(ids, ["mistral/small-4", "venice/small-4@eu"]);
        assert!(!found.is_supposed && found.placed[0].chance > 0.5);
        let sum: f64 = found.placed.iter().map(|one| one.chance).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        let off = order(&Still::new(&SMALL, &["sandbox"]), at("mistralai/small-4"), NOON);
        assert!(off.is_supposed && off.placed.len() == 2);
        assert!(order(&world, at("acme/bare"), NOON).placed.is_empty(), "no price, no call");
    }

    #[test]
    fn somebody_is_first_for_every_kind_of_work() {
        let world = Still::new(&SHIPPED, &["mistral", "openai", "groq"]);
        let picks = Picks::of(&world, NOON);
        assert!(!picks.is_supposed && picks.candidates > 10);
        let firsts = |by: &str| {
            let all = (0..SHIPPED.models.len())
                .flat_map(|model| picks.of_model(model).iter().map(move |p| (model, p)));
            all.filter(|(_, p)| p.by == by && p.place == 1 && p.dial.is_none())
                .map(|(m, _)| m)
                .collect::<Vec<_>>()
        };
        for by in ["auto", "fast", "cheap"] {
            assert_eq!(firsts(by).len(), 9, "{by}");
            for model in firsts(by) {
                assert!(
                    SHIPPED.endpoints_of(model).iter().any(|at| world.conditions().switched_on(*at as usize))
                );
            }
        }
        assert!(Picks::of(&Still::new(&SHIPPED, &[]), NOON).is_supposed);
    }
}
