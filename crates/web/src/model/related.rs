//! Models that are worth a look beside another.

use crate::describe;
use crate::format::{self, Shown};
use crate::visit::Visit;

/// Models of the same family or author that are shown.
const RELATED_MAX: usize = 8;

/// Another model to look at.
pub(crate) struct Related {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) because: &'static str,
    pub(crate) input: Shown,
    pub(crate) output: Shown,
    pub(crate) context: Shown,
}

/// Of the same family, of the same author, near in price and context.
pub(super) fn related(visit: &Visit, at: usize) -> Vec<Related> {
    let found = describe::related(visit.snapshot(), at, RELATED_MAX, &visit.index.on).into_iter();
    found
        .filter_map(|related| Some(Related { because: related.because, ..near(visit, related.model)? }))
        .collect()
}

/// A model as a card.
fn near(visit: &Visit, at: usize) -> Option<Related> {
    let (model, row) = (visit.snapshot().models.get(at)?, visit.index.row(at)?);
    let price = |shown: Option<Shown>| shown.unwrap_or_else(Shown::unknown);
    Some(Related {
        id: model.id.to_string(),
        name: model.name.clone(),
        because: "",
        input: price(row.cheapest.map(|known| format::per_million(known.input))),
        output: price(row.cheapest.map(|known| format::per_million(known.output))),
        context: format::tokens(model.context_tokens()),
    })
}
