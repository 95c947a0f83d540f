//! What a virtual model chooses from for conversations, as far as no request changes it: the first filters of [`crate::filters`], run once
//! for a catalog and its switched-on providers instead of over every endpoint for each request.

use catalog::Snapshot;

use crate::brief::Brief;
use crate::filters::{FILTERS, FIXED, Looked};
use crate::name::{Target, Virtual, What};
use crate::plan::{Conditions, Facts};
use crate::wishes::Wishes;

/// What the first filters leave, and what they leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortlist {
    /// In the order of the catalog, with what every decision asks of them.
    pub(crate) left: Vec<Brief>,
    /// With the filter that left it out; without those that are not switched on.
    pub(crate) rejected: Vec<(u32, &'static str)>,
    /// How many each filter left out.
    pub(crate) removed: [usize; FIXED],
}

impl Shortlist {
    /// Of the providers that are switched on now; to be made anew when that or the catalog changes.
    pub fn of(snapshot: &Snapshot, conditions: &dyn Conditions) -> Shortlist {
        let target = Target { what: What::Virtual(Virtual::Auto), pin: None, variant: None };
        let (facts, wishes) = (Facts::default(), Wishes::default());
        let look = Looked::new(snapshot, conditions, &target, &facts, &wishes);
        let mut list = Shortlist::default();
        let mut left: Vec<u32> = (0..u32::try_from(snapshot.endpoints.len()).unwrap_or(u32::MAX)).collect();
        for (at, (filter, removed)) in FILTERS.iter().zip(&mut list.removed).enumerate() {
            let held = left.len();
            left.retain(|index| {
                let kept = look.passes(filter, *index);
                // A virtual model leaves out most of the catalog; only what is switched on is worth a line.
                if !(kept || at == 0) {
                    list.rejected.push((*index, filter.step));
                }
                kept
            });
            *removed = held - left.len();
        }
        list.left = left.into_iter().filter_map(|index| Brief::of(snapshot, index)).collect();
        list
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use types::Task;

    use super::*;
    use crate::plan::{Plan, Question, plan};
    use crate::random::Random;
    use crate::wishes::Sort;

    struct Node<'s>(&'s Snapshot, Option<Shortlist>);

    impl Conditions for Node<'_> {
        fn switched_on(&self, endpoint: usize) -> bool {
            ["openai/", "mistral/", "deepinfra/"]
                .iter()
                .any(|slug| self.0.endpoints[endpoint].id.starts_with(slug))
        }

        fn shortlist(&self) -> Option<&Shortlist> {
            self.1.as_ref()
        }

        fn healthy(&self, endpoint: usize) -> bool {
            !endpoint.is_multiple_of(7)
        }
    }

    #[test]
    fn a_plan_is_the_same_with_it_and_without() {
        let snapshot =
            catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap();
        let plain = Node(&snapshot, None);
        let listed = Node(&snapshot, Some(Shortlist::of(&snapshot, &plain)));
        let one = snapshot.models.iter().position(|model| &*model.id == "openai/gpt-5-mini").unwrap();
        let mut random = Random::new(9);
        let mut coin = || random.unit() < 0.3;
        for seed in 0..200 {
            let named = |what| Target { what, pin: None, variant: None };
            let virtuals = [Virtual::Auto, Virtual::Fast, Virtual::Cheap, Virtual::Free];
            let mut targets = vec![named(What::Virtual(virtuals[seed % 4]))];
            if coin() {
                targets.push(named(What::Model(one)));
            }
            let facts = Facts {
                task: if coin() { Task::Embeddings } else { Task::Generate },
                input_tokens: 10_u64.pow(seed as u32 % 7),
                tools: coin(),
                image: coin(),
                ..Facts::default()
            };
            let wishes = Wishes {
                allow_fallbacks: true,
                no_training: coin(),
                retention_days_max: coin().then_some(0),
                sort: coin().then_some(Sort::Price),
                ..Wishes::default()
            };
            let decide = |conditions: &dyn Conditions| -> Plan {
                plan(&Question {
                    snapshot: &snapshot,
                    conditions,
                    targets: &targets,
                    retries: &[],
                    facts: &facts,
                    wishes: &wishes,
                    sticky: None,
                    guide: None,
                    seed: seed as u64,
                    explore: 0.0,
                    attempts_max: 50,
                })
            };
            assert_eq!(decide(&listed), decide(&plain), "{targets:?} {facts:?} {wishes:?}");
        }
        assert!(!listed.1.unwrap().left.is_empty());
    }
}
