//! What lists of models are searched, filtered and sorted by, worked out once per catalog.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use catalog::{Endpoint, Modality, Model, Protocol, Snapshot};
use types::{PriceKind, Quote, Rate};

use crate::site::World;

/// Members of the European Union, ISO 3166, with the code that stands for all of them.
const EU: [&str; 28] = [
    "EU", "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Which providers are switched on, by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switches(Vec<bool>);

impl Switches {
    pub(crate) fn of(world: &dyn World) -> Switches {
        let providers = 0..world.snapshot().providers.len();
        Switches(providers.map(|provider| world.provider_off(provider).is_none()).collect())
    }

    /// Whether calls can go to an offer.
    pub(crate) fn has(&self, endpoint: &Endpoint) -> bool {
        self.0.get(endpoint.provider).copied().unwrap_or_default()
    }
}

/// The rows of a catalog, as a world with these providers has them.
pub(crate) struct Index {
    world: Weak<dyn World>,
    pub(crate) on: Switches,
    /// By model.
    pub(crate) rows: Vec<Row>,
    /// Positions of models by author id; the authors in their order.
    pub(crate) of_author: BTreeMap<Arc<str>, Vec<usize>>,
}

/// What a list knows of a model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Everything that a search looks through, in small letters.
    pub(crate) words: String,
    /// Providers that offer it, each once, by position.
    pub(crate) providers: Vec<usize>,
    /// Its cheapest offer of which input and output price are known: of those that are switched on, where there are any.
    pub(crate) cheapest: Option<Cheapest>,
    /// Parameters that at least one offer takes.
    pub(crate) tools: Option<bool>,
    pub(crate) schema: Option<bool>,
    /// An offer prices input that is read from a cache.
    pub(crate) has_cache_price: bool,
    /// A provider is known not to train on prompts.
    pub(crate) no_training: bool,
    /// A provider is known to keep nothing.
    pub(crate) keeps_nothing: bool,
    /// Where offers are known to compute: `eu`, `us`...
    pub(crate) regions: Vec<String>,
    /// All of its offers are the sandbox's.
    pub(crate) is_sandbox: bool,
}

/// The offer with the lowest price of three parts input and one part output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cheapest {
    pub(crate) endpoint: usize,
    pub(crate) input: Rate,
    pub(crate) output: Rate,
}

impl Cheapest {
    /// See [`Endpoint::blended`].
    pub(crate) fn blended(&self) -> i128 {
        catalog::blended(self.input, self.output)
    }
}

impl Index {
    pub(crate) fn of(world: &Arc<dyn World>) -> Index {
        let (snapshot, on) = (world.snapshot(), Switches::of(&**world));
        let numbered = || snapshot.models.iter().enumerate();
        let mut of_author: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (at, model) in numbered() {
            of_author.entry(Arc::clone(&model.author)).or_default().push(at);
        }
        let rows = numbered().map(|(at, model)| row(snapshot, at, model, &on)).collect();
        Index { world: Arc::downgrade(world), on, rows, of_author }
    }

    /// Whether it was made from this world.
    pub(crate) fn is_of(&self, world: &Arc<dyn World>) -> bool {
        crate::visit::is_of(&self.world, world)
    }

    /// The row of a model.
    pub(crate) fn row(&self, model: usize) -> Option<&Row> {
        self.rows.get(model)
    }
}

/// The known base price of a kind.
pub(crate) fn rate(endpoint: &Endpoint, kind: PriceKind) -> Option<Rate> {
    endpoint.price.quote(kind).and_then(Quote::rate)
}

/// Where an offer is known to compute, in small letters: by itself, or because its provider computes nowhere else.
pub(crate) fn region(snapshot: &Snapshot, endpoint: &Endpoint) -> Option<String> {
    if let Some(claim) = &endpoint.facts.region {
        return Some(claim.value.to_ascii_lowercase());
    }
    let places = &endpoint.provider_in(snapshot)?.facts.datacenters.as_ref()?.value;
    let first = places.first()?;
    match places.iter().all(|place| EU.contains(&place.as_str())) {
        true => Some(String::from("eu")),
        false => places.iter().all(|place| place == first).then(|| first.to_ascii_lowercase()),
    }
}

fn row(snapshot: &Snapshot, at: usize, model: &Model, on: &Switches) -> Row {
    let mut words = format!("{}\n{}\n{}", model.id, model.name, model.author);
    let author = snapshot.author(&model.author).map(|author| author.name.as_str());
    let described = author.into_iter().chain(model.family.as_deref()).chain(model.description.as_deref());
    for text in described.chain(model.aliases.iter().map(String::as_str)) {
        words.push('\n');
        words.push_str(text);
    }
    let mut row = Row { words: words.to_lowercase(), is_sandbox: true, ..Row::default() };
    (row.tools, row.schema) = (model.tool_call(), model.structured_output());
    let mut least: Option<((bool, i128), Cheapest)> = None;
    for position in snapshot.endpoints_of(at) {
        let position = *position as usize;
        let Some(endpoint) = snapshot.endpoints.get(position) else { continue };
        take(snapshot, endpoint, &mut row);
        let place = endpoint.blended().map(|sum| (!on.has(endpoint), sum));
        let Some(place) = place.filter(|place| least.is_none_or(|(known, _)| *place < known)) else {
            continue;
        };
        if let (Some(input), Some(output)) =
            (rate(endpoint, PriceKind::Input), rate(endpoint, PriceKind::Output))
        {
            least = Some((place, Cheapest { endpoint: position, input, output }));
        }
    }
    row.is_sandbox &= !row.providers.is_empty();
    row.cheapest = least.map(|(_, cheapest)| cheapest);
    row
}

fn take(snapshot: &Snapshot, endpoint: &Endpoint, row: &mut Row) {
    let Some(provider) = endpoint.provider_in(snapshot) else { return };
    if !row.providers.contains(&endpoint.provider) {
        row.providers.push(endpoint.provider);
    }
    row.is_sandbox &= provider.protocol == Protocol::Sandbox;
    let known = |fact: Option<bool>, before: Option<bool>| match (fact, before) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (fact, before) => before.or(fact),
    };
    row.tools = known(endpoint.tool_call(snapshot), row.tools);
    row.schema = known(endpoint.structured_output(snapshot), row.schema);
    row.has_cache_price |= rate(endpoint, PriceKind::CacheRead).is_some();
    row.no_training |= provider.facts.trains_on_data.as_ref().is_some_and(|claim| !claim.value);
    row.keeps_nothing |= provider.facts.retention_days.as_ref().is_some_and(|claim| claim.value == 0);
    if let Some(region) = region(snapshot, endpoint).filter(|region| !row.regions.contains(region)) {
        row.regions.push(region);
    }
}

/// A modality as people say it.
pub(crate) const fn modality(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "Text",
        Modality::Image => "Image",
        Modality::File => "File",
        Modality::Audio => "Audio",
        Modality::Video => "Video",
        Modality::Embeddings => "Embeddings",
        Modality::Rerank => "Ranking",
        Modality::Transcription => "Transcript",
    }
}
