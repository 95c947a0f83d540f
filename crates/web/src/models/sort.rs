//! The orders of a list of models. What is unknown comes last, the sandbox after everything, equals by release and then by id.

use std::cmp::Reverse;

use super::Browse;
use crate::board::Board;
use crate::popularity::Popularity;
use crate::visit::Visit;

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Newest,
    Cheapest,
    Dearest,
    Context,
    Soonest,
    Fastest,
    Name,
    Popular,
}

/// An order as it is offered.
pub(crate) struct Sorting {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_chosen: bool,
}

const WAYS: [(Way, &str, &str); 8] = [
    (Way::Newest, "newest", "Newest"),
    (Way::Cheapest, "price", "Price, low to high"),
    (Way::Dearest, "price-desc", "Price, high to low"),
    (Way::Context, "context", "Context, long to short"),
    (Way::Soonest, "latency", "First token, soonest"),
    (Way::Fastest, "speed", "Speed, fastest"),
    (Way::Name, "name", "Name"),
    (Way::Popular, "popular", "Popular here"),
];

impl Way {
    /// What was asked for; an order that nobody knows is the usual one.
    pub(crate) fn of(visit: &Visit) -> Way {
        let asked = visit.ask("sort").unwrap_or_default();
        WAYS.iter().find(|(_, name, _)| *name == asked).map_or(Way::Newest, |(way, ..)| *way)
    }

    /// Those that can tell models apart. Orders by speed need measurements, that by use needs use.
    pub(crate) fn offered(self, visit: &Visit, is_used: bool) -> Vec<Sorting> {
        let is_measured = visit.board.is_measured;
        let useful = |way: Way| match way {
            Way::Soonest | Way::Fastest => is_measured || way == self,
            Way::Popular => is_used,
            _ => true,
        };
        let ways = WAYS.iter().filter(|(way, ..)| useful(*way));
        ways.map(|(way, name, label)| Sorting { name, label, is_chosen: *way == self }).collect()
    }

    /// Puts models in order.
    pub(crate) fn sort(
        self,
        browse: &Browse<'_>,
        board: &Board,
        popularity: Option<&Popularity>,
        models: &mut [usize],
    ) {
        let snapshot = browse.snapshot;
        let model = |at: &usize| snapshot.models.get(*at);
        models.sort_by_cached_key(|at| {
            // What nobody offers is looked up, seldom looked for.
            let is_offered = browse.index.row(*at).is_some_and(|row| !row.providers.is_empty());
            let day = model(at).and_then(catalog::Model::released_day);
            (!is_offered, Reverse(day), model(at).map(|model| &*model.id))
        });
        let price = |at: &usize| {
            let cheapest = browse.index.row(*at).and_then(|row| row.cheapest);
            cheapest.map(|known| known.blended())
        };
        // The figures are finite and not negative, so their bits are in their order.
        let bits = |figure: Option<f64>| figure.map(f64::to_bits);
        match self {
            Way::Newest => {}
            Way::Cheapest => models.sort_by_cached_key(|at| price(at).map_or((true, 0), |sum| (false, sum))),
            Way::Dearest => models.sort_by_cached_key(|at| Reverse(price(at))),
            Way::Context => {
                models.sort_by_cached_key(|at| Reverse(model(at).and_then(catalog::Model::context_tokens)));
            }
            Way::Soonest => models.sort_by_cached_key(|at| {
                let ttft = bits(board.best(*at).ttft_ms);
                (ttft.is_none(), ttft)
            }),
            Way::Fastest => models.sort_by_cached_key(|at| Reverse(bits(board.best(*at).tokens_per_s))),
            Way::Popular => models.sort_by_cached_key(|at| {
                let place = popularity.zip(model(at)).and_then(|(known, model)| known.of(&model.id));
                place.map_or(usize::MAX, |place| place.place)
            }),
            Way::Name => models.sort_by_cached_key(|at| model(at).map(|model| model.name.to_lowercase())),
        }
        models.sort_by_key(|at| browse.index.row(*at).is_some_and(|row| row.is_sandbox));
    }
}
