//! How a virtual model chooses: quality against cost, by a dial.
//!
//! - Each endpoint has the quality of its model at the work in question ([`crate::quality`]) and a likely cost. Its utility is
//!   `quality - lambda x ln(cost / reference)`, where the reference is the cost of the best candidate for this prompt, so that the
//!   dial means the same for short and for long ones. The logarithm keeps the dial continuous: with the cost itself, one cheap
//!   good model would hold nearly all of it.
//! - `lambda` is 0 at dial 0 (only quality counts) and grows without bound towards dial 1 (only cost counts). Since only lambda
//!   depends on the dial, turning it up never raises the cost of what comes first.
//! - `cheap` stands at [`CHEAP_DIAL`] unless told otherwise and puts what is below [`CHEAP_FLOOR`] of the best quality last.
//! - `fast` puts what is below [`FAST_FLOOR`] of the best quality last, and takes of the rest what begins soonest.
//! - What was learned of a model ([`crate::learn`]) takes the place of its prior where that surely beats two fixed models
//!   ([`crate::gate`]).
//! - One decision in some tens takes another candidate whose utility is within [`BAND`] of the best, at random: without that nothing
//!   is learned of what never comes first. The chance of each is in the plan. Never of a dry run, never below a floor.
//! - The second and the third attempt are of other authors, where there are any as fit: one outage doesn't end the chain.

use catalog::Snapshot;

use crate::gate::Gate;
use crate::name::{Target, Virtual, What};
use crate::order::Candidate;
use crate::plan::Facts;
use crate::quality::{Abilities, ROWS, Work};

/// Where the dial of `auto` stands.
pub const AUTO_DIAL: f64 = 0.3;
/// Where the dial of `cheap` stands.
pub const CHEAP_DIAL: f64 = 0.85;
/// The share of the best quality below which `cheap` doesn't go by choice.
pub const CHEAP_FLOOR: f64 = 0.8;
/// The share of the best quality below which `fast` doesn't go by choice.
pub const FAST_FLOOR: f64 = 0.85;
/// At dial 0.5, how much quality a cost that is e times lower makes up for.
const SCALE: f64 = 0.05;
/// What a free answer counts as, of the reference: the logarithm needs something.
const FREE: f64 = 1e-4;
/// How much utility is given up at most to learn of another candidate.
pub const BAND: f64 = 0.03;
/// Attempts of a chain that are of different authors.
const AUTHORS: usize = 3;

/// What guides the choice.
#[derive(Clone, Copy, Debug)]
pub struct Guide<'a> {
    /// How good models are.
    pub abilities: &'a Abilities,
    /// What answers turned out to be worth, where it counts; made for the same catalog.
    pub learned: Option<&'a Gate>,
    /// What is to be done.
    pub work: Work,
    /// The caller's dial, 0 (quality) to 1 (cost); `None`: where the virtual model stands.
    pub dial: Option<f64>,
    /// The caller prefers what begins soonest.
    pub fast: bool,
}

impl Guide<'_> {
    /// The dial that holds for a virtual model.
    pub fn dial_of(&self, what: Virtual) -> f64 {
        self.dial.unwrap_or(match what {
            Virtual::Auto | Virtual::Fast => AUTO_DIAL,
            Virtual::Cheap => CHEAP_DIAL,
            Virtual::Free => 0.0,
        })
    }

    /// Input and likely output of a request at this work, tokens: what its likely cost is made of.
    pub(crate) fn tokens(&self, facts: &Facts) -> (u64, u64) {
        let input = facts.input_tokens.max(1);
        let output = self.work.output_tokens(input).min(facts.max_tokens.unwrap_or(u64::MAX)).max(1);
        (input, output)
    }

    /// Whether quality is weighed against cost, so that what comes next is about as good.
    pub(crate) fn weighs(&self, target: &Target) -> bool {
        let what = match target.what {
            What::Virtual(what) => what,
            What::Model(_) => return false,
        };
        self.dial_of(what) < 1.0 && !self.fast && !(what == Virtual::Fast && self.dial.is_none())
    }

    /// The quality of a model: its prior, unless what was learned counts.
    fn quality(&self, model: usize, shares: &[f64; ROWS]) -> f64 {
        let learned = self.learned.and_then(|gate| gate.quality(model, &self.work));
        learned.unwrap_or_else(|| self.abilities.quality_at(model, shares))
    }

    /// Gives each candidate its quality, and the key that it is put in order by. What it likely costs is that of
    /// [`Guide::tokens`] already.
    pub(crate) fn rate(&self, what: Virtual, all: &mut [Candidate]) {
        let shares = self.work.shares();
        for candidate in all.iter_mut() {
            candidate.quality = Some(self.quality(candidate.model as usize, &shares));
        }
        let quality = |candidate: &Candidate| candidate.quality.unwrap_or(0.0);
        let better = |a: &&Candidate, b: &&Candidate| {
            quality(a).total_cmp(&quality(b)).then_with(|| b.expected.cmp(&a.expected))
        };
        let Some((best, reference)) = all.iter().max_by(better).map(|c| (quality(c), c.expected.nanos()))
        else {
            return;
        };
        let reference = (reference as f64).max(1.0);
        let dial = self.dial_of(what).clamp(0.0, 1.0);
        let lambda = lambda(dial);
        let utility = |quality: f64, cost: f64| worth(quality, cost, lambda);
        let fast = self.fast || what == Virtual::Fast && self.dial.is_none();
        for candidate in all.iter_mut() {
            let (quality, cost) = (quality(candidate), candidate.expected.nanos() as f64 / reference);
            let key = if fast {
                // What begins soonest was put there before; of what nobody measured the better utility.
                candidate.key.1 + if candidate.key.0 { 1e12 - utility(quality, cost) } else { 0.0 }
            } else if dial >= 1.0 {
                cost
            } else {
                -utility(quality, cost)
            };
            let floor = match what {
                _ if fast => FAST_FLOOR,
                Virtual::Cheap => CHEAP_FLOOR,
                _ => 0.0,
            };
            candidate.key = (quality < floor * best, key);
        }
    }
}

/// What a candidate is worth at a dial below 1; its cost is in units of the reference.
pub fn utility(quality: f64, cost: f64, dial: f64) -> f64 {
    worth(quality, cost, lambda(dial))
}

/// How much quality a cost that is e times lower makes up for.
fn lambda(dial: f64) -> f64 {
    SCALE * dial / (1.0 - dial).max(1e-9)
}

fn worth(quality: f64, cost: f64, lambda: f64) -> f64 {
    quality - lambda * (cost + FREE).ln()
}

/// Puts other authors into the second and third place, where candidates as fit are of one.
pub(crate) fn spread(
    snapshot: &Snapshot,
    all: &mut [Candidate],
    as_fit: impl Fn(&Candidate, &Candidate) -> bool,
) {
    let author = |candidate: &Candidate| {
        let endpoint = snapshot.endpoints.get(candidate.endpoint as usize);
        endpoint.and_then(|e| e.model_in(snapshot)).map(|model| &*model.author)
    };
    for place in 1..AUTHORS.min(all.len()) {
        let (chosen, rest) = all.split_at_mut(place);
        let Some(first) = chosen.first() else { return };
        let taken = |candidate: &Candidate| chosen.iter().any(|one| author(one) == author(candidate));
        let other = rest.iter().position(|candidate| as_fit(first, candidate) && !taken(candidate));
        if let Some(other) = other.and_then(|at| rest.get_mut(..=at)) {
            other.rotate_right(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::LazyLock;

    use types::Money;

    use super::*;
    use crate::classify::{LABELS, Label};
    use crate::name::Names;
    use crate::plan::{Conditions, Plan, Question, plan};
    use crate::random::Random;
    use crate::wishes::Wishes;

    static CATALOG: LazyLock<Snapshot> = LazyLock::new(|| {
        catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap()
    });
    static ABILITIES: LazyLock<Abilities> = LazyLock::new(|| Abilities::of(&CATALOG));

    /// A node with a few big providers switched on.
    struct Node;

    impl Conditions for Node {
        fn switched_on(&self, endpoint: usize) -> bool {
            let id = &CATALOG.endpoints[endpoint].id;
            ["openai/", "anthropic/", "mistral/", "google", "deepseek/"]
                .iter()
                .any(|slug| id.starts_with(slug))
        }

        fn healthy(&self, _: usize) -> bool {
            true
        }
    }

    fn only(label: Label) -> Work {
        let mut shares = [0.0; LABELS];
        shares[label as usize] = 1.0;
        Work::Mixture(shares)
    }

    fn decide(name: &str, work: Work, dial: Option<f64>, facts: &Facts) -> Plan {
        let names = Names { brand: "tollway".into(), accept_peer_slugs: true };
        let targets = [names.resolve(&CATALOG, name).unwrap()];
        let guide = Guide { abilities: &ABILITIES, learned: None, work, dial, fast: false };
        plan(&Question {
            snapshot: &CATALOG,
            conditions: &Node,
            targets: &targets,
            retries: &[],
            facts,
            wishes: &Wishes { allow_fallbacks: true, ..Wishes::default() },
            sticky: None,
            guide: Some(&guide),
            seed: 1,
            explore: 0.0,
            attempts_max: 6,
        })
    }

    fn first(plan: &Plan) -> (f64, Money) {
        (plan.steps[0].quality.unwrap(), plan.steps[0].expected)
    }

    #[test]
    fn turning_the_dial_up_never_raises_the_cost() {
        let mut random = Random::new(7);
        for _ in 0..150 {
            let mut shares = [0.0; LABELS];
            shares.iter_mut().for_each(|share| *share = random.unit() as f32);
            let sum: f32 = shares.iter().sum();
            let work = Work::Mixture(shares.map(|share| share / sum));
            let input_tokens = (random.unit() * 20_000.0) as u64;
            let facts = Facts { input_tokens, ..Facts::default() };
            let (low, high) = (random.unit(), random.unit());
            let (low, high) = (low.min(high), low.max(high));
            let cost = |dial| first(&decide("tollway/auto", work, Some(dial), &facts)).1;
            assert!(cost(high) <= cost(low), "{low} {high} {input_tokens}");
        }
    }

    #[test]
    fn the_ends_of_the_dial_are_the_best_and_the_cheapest() {
        let facts = Facts { input_tokens: 500, ..Facts::default() };
        let of = |dial| first(&decide("tollway/auto", only(Label::Code), Some(dial), &facts));
        let (best, cheapest, middle) = (of(0.0), of(1.0), of(0.65));
        assert!(best.0 > middle.0 && middle.0 > cheapest.0, "{best:?} {middle:?} {cheapest:?}");
        assert!(best.1 > middle.1 && middle.1 > cheapest.1, "{best:?} {middle:?} {cheapest:?}");
        let hard = first(&decide("tollway/auto", only(Label::Reasoning), Some(0.4), &facts));
        let easy = first(&decide("tollway/auto", only(Label::Rewrite), Some(0.4), &facts));
        assert!(hard.1 >= easy.1, "easy work goes to cheaper models: {hard:?} {easy:?}");
    }

    #[test]
    fn the_first_three_are_of_three_authors() {
        let facts = Facts { input_tokens: 500, ..Facts::default() };
        for (name, label) in [
            ("tollway/auto", Label::Code),
            ("openrouter/auto", Label::Chat),
            ("tollway/cheap", Label::Creative),
        ] {
            let plan = decide(name, only(label), None, &facts);
            let author = |at: usize| {
                let endpoint = &CATALOG.endpoints[plan.steps[at].endpoint as usize];
                endpoint.model_in(&CATALOG).unwrap().author.to_string()
            };
            let authors: std::collections::BTreeSet<String> = (0..3).map(author).collect();
            assert_eq!(authors.len(), 3, "{name}: {authors:?}");
        }
    }

    #[test]
    fn cheap_has_a_floor() {
        let facts = Facts { input_tokens: 500, ..Facts::default() };
        let cheap = first(&decide("tollway/cheap", only(Label::Code), None, &facts));
        let best = first(&decide("tollway/auto", only(Label::Code), Some(0.0), &facts));
        assert!(cheap.0 >= CHEAP_FLOOR * best.0 && cheap.1 < best.1, "{cheap:?} {best:?}");
    }
}
