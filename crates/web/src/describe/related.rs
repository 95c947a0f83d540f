//! Models that someone who looks at one may want to see.
//!
//! The rule: of the models that are called for the same (conversation, vectors, ...), give the same and can be had from
//! somebody: those of the same author and family, then those of the same author, then those whose price and context are
//! nearest. Each group gives at most a third of the places (rounded up) before the places that are left are filled in the
//! same order. Within a group the nearest come first: distance is the sum of how many times price and context double or
//! halve. Equals are in the order of their ids.

use catalog::{Model, Snapshot};

use super::price::{cheapest, headline};
use crate::index::Switches;
use crate::snippets::Kind;

/// Another model, and what relates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    /// Its position in the snapshot.
    pub(crate) model: usize,
    /// `same family`, `same author`, `similar price and context`.
    pub(crate) because: &'static str,
}

const BECAUSE: [&str; 3] = ["same family", "same author", "similar price and context"];
/// What a doubling counts, so that distances are whole numbers.
const DOUBLING: f64 = 1_000.0;
/// The distance of what can't be compared.
const FAR: u64 = 20_000;

/// At most so many related models, by the rule above.
pub(crate) fn related(snapshot: &Snapshot, model: usize, at_most: usize, on: &Switches) -> Vec<Related> {
    let Some(this) = snapshot.models.get(model) else {
        return Vec::new();
    };
    let here = Place::of(snapshot, model, this, on);
    let mut groups: [Vec<(u64, usize)>; 3] = Default::default();
    for (at, other) in snapshot.models.iter().enumerate() {
        let is_of_a_kind = at != model
            && Kind::of(other) == Kind::of(this)
            && other.purpose() == this.purpose()
            && other.output_modalities() == this.output_modalities();
        if !is_of_a_kind || snapshot.endpoints_of(at).is_empty() {
            continue;
        }
        let group = match () {
            () if other.author == this.author && this.family.is_some() && other.family == this.family => 0,
            () if other.author == this.author => 1,
            () => 2,
        };
        let distance = here.distance(&Place::of(snapshot, at, other, on));
        if let Some(group) = groups.get_mut(group) {
            group.push((distance, at));
        }
    }
    // Models are sorted by id, so that positions break ties as ids do.
    groups.iter_mut().for_each(|group| group.sort_unstable());
    let third = at_most.div_ceil(3);
    let first = groups.iter().map(|group| group.iter().take(third));
    let rest = groups.iter().map(|group| group.iter().skip(third));
    let named = |(group, members): (usize, _)| {
        let because = BECAUSE.get(group).copied().unwrap_or_default();
        Iterator::map(members, move |(_, at): &(u64, usize)| Related { model: *at, because })
    };
    let mut all: Vec<Related> = first.enumerate().flat_map(named).collect();
    all.truncate(at_most);
    let fill = rest.enumerate().flat_map(|(group, members)| {
        let because = BECAUSE.get(group).copied().unwrap_or_default();
        members.map(move |(_, at)| Related { model: *at, because })
    });
    let room = at_most - all.len();
    all.extend(fill.take(room));
    all.sort_by_key(|one| BECAUSE.iter().position(|because| *because == one.because));
    all
}

/// Where a model stands among others.
struct Place {
    price: Option<u64>,
    context: Option<u64>,
}

impl Place {
    fn of(snapshot: &Snapshot, at: usize, model: &Model, on: &Switches) -> Place {
        let price = cheapest(snapshot, at, on).map(|endpoint| {
            let sum = headline(endpoint).into_iter().map(|(_, rate)| rate.nanos_per_million().unsigned_abs());
            sum.fold(0, u64::saturating_add)
        });
        Place { price, context: model.context_tokens() }
    }

    fn distance(&self, other: &Place) -> u64 {
        doublings(self.price, other.price) + doublings(self.context, other.context)
    }
}

/// How many times one is twice the other, in thousandths.
fn doublings(a: Option<u64>, b: Option<u64>) -> u64 {
    match (a, b) {
        (Some(0), Some(0)) | (None, None) => 0,
        (Some(a), Some(b)) if a > 0 && b > 0 => {
            // Geometry of a ranking, not money.
            (((a as f64).log2() - (b as f64).log2()).abs() * DOUBLING) as u64
        }
        _ => FAR,
    }
}
