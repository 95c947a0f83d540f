//! The rows of a comparison.
//!
//! - A row in which all cells say the same is folded; unknown everywhere is the same.
//! - *Best* is defined for prices (least), sizes that limit what one can ask (most), measured times and speeds, and scores of one source of
//!   which more is better. It is marked where at least two models are known and differ. Size of the weights, dates and kinds
//!   have no best.
//! - Prices are those of each model's cheapest offer. Measurements are the best median of a model's offers here.

use catalog::{Claim, Endpoint, Modality, Model, Snapshot};
use types::{PriceKind, Quote};

use crate::fact::{Fact, Origin};
use crate::format::{self, Shown};
use crate::index::{Row as Known, modality};
use crate::scores;
use crate::visit::Visit;

pub(crate) const INPUT: &str = "Input";
pub(crate) const OUTPUT: &str = "Output";
pub(crate) const CONTEXT: &str = "Context";
pub(crate) const TTFT: &str = "First token, median";
pub(crate) const SPEED: &str = "Speed, median";
pub(crate) const SAMPLES: &str = "Samples";

/// The whole comparison.
pub(crate) struct Table {
    /// Rows that differ.
    pub(crate) groups: Vec<Group>,
    /// Rows that are equal everywhere.
    pub(crate) folded: Vec<Group>,
}

/// Rows of one kind.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// A row.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: String,
    /// By model.
    pub(crate) cells: Vec<Cell>,
}

/// What is known of a model.
pub(crate) struct Cell {
    pub(crate) shown: Shown,
    /// Where it is from.
    pub(crate) fact: Option<Fact>,
    /// For a capability: yes, no, unknown.
    pub(crate) mark: &'static str,
    pub(crate) is_best: bool,
    /// What it is compared by.
    key: Option<i128>,
}

/// Which of several values is best.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Best {
    Least,
    Most,
    None,
}

impl Cell {
    fn plain(shown: Shown) -> Cell {
        Cell { shown, fact: None, mark: "", is_best: false, key: None }
    }

    fn by(self, key: Option<impl Into<i128>>) -> Cell {
        Cell { key: key.map(Into::into), ..self }
    }

    fn of<T>(snapshot: &Snapshot, claim: Option<&Claim<T>>, show: impl Fn(&T) -> Shown) -> Cell {
        let fact = claim.map(|claim| Fact::of(snapshot, claim, show));
        let shown = fact.as_ref().map_or_else(Shown::unknown, |fact| fact.value.clone());
        Cell { fact, ..Cell::plain(shown) }
    }

    fn ability(holds: Option<bool>, fact: Option<Fact>) -> Cell {
        let (mark, word) = match holds {
            Some(true) => ("is-yes", Shown::same("Yes")),
            Some(false) => ("is-no", Shown::same("No")),
            None => ("", Shown::unknown()),
        };
        Cell { mark, fact, ..Cell::plain(word) }
    }
}

impl Row {
    fn new(name: impl Into<String>, unit: impl Into<String>, best: Best, mut cells: Vec<Cell>) -> Row {
        let keys: Vec<i128> = cells.iter().filter_map(|cell| cell.key).collect();
        let (least, most) = (keys.iter().min().copied(), keys.iter().max().copied());
        let wanted = match best {
            Best::Least => least,
            Best::Most => most,
            Best::None => None,
        };
        if least != most {
            cells.iter_mut().for_each(|cell| cell.is_best = cell.key.is_some() && cell.key == wanted);
        }
        Row { name: name.into(), unit: unit.into(), cells }
    }

    fn is_equal(&self) -> bool {
        let text = |cell: &Cell| (cell.shown.exact.clone(), cell.shown.is_known);
        self.cells.windows(2).all(|pair| pair.first().map(text) == pair.last().map(text))
    }

    fn is_known(&self) -> bool {
        self.cells.iter().any(|cell| cell.shown.is_known)
    }

    /// Its value, where all are equal.
    pub(crate) fn common(&self) -> Option<&Cell> {
        self.cells.first()
    }
}

/// A model with its row of the index.
struct Side<'a> {
    at: usize,
    model: &'a Model,
    known: &'a Known,
    cheapest: Option<&'a Endpoint>,
}

/// Everything that is known of these models.
pub(crate) fn table(visit: &Visit, models: &[usize]) -> Table {
    let snapshot = visit.snapshot();
    let side = |at: &usize| {
        let known = visit.index.row(*at)?;
        let cheapest = known.cheapest.and_then(|offer| snapshot.endpoints.get(offer.endpoint));
        Some(Side { at: *at, model: snapshot.models.get(*at)?, known, cheapest })
    };
    let sides: Vec<Side<'_>> = models.iter().filter_map(side).collect();
    let all = [
        ("Price of the cheapest offer", prices(visit, &sides)),
        ("Size", sizes(snapshot, &sides)),
        ("Measured here", measured(visit, &sides)),
        ("Capabilities", abilities(snapshot, &sides)),
        ("About", about(snapshot, &sides)),
        ("Offers and data", offers(&sides)),
        ("Published scores", benchmarks(snapshot, &sides)),
    ];
    let (mut groups, mut folded) = (Vec::new(), Vec::new());
    for (name, rows) in all {
        let (equal, differing): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(Row::is_equal);
        groups.extend((!differing.is_empty()).then_some(Group { name, rows: differing }));
        folded.extend((!equal.is_empty()).then_some(Group { name, rows: equal }));
    }
    Table { groups, folded }
}

fn prices(visit: &Visit, sides: &[Side<'_>]) -> Vec<Row> {
    let snapshot = visit.snapshot();
    let price = |side: &Side<'_>, kind: PriceKind| {
        let base = |claim: &&catalog::PriceClaim| claim.kind == kind && claim.override_index.is_none();
        let claim = side.cheapest.and_then(|offer| offer.price_claims.iter().find(base));
        let nanos = side
            .cheapest
            .and_then(|offer| crate::index::rate(offer, kind))
            .map(|rate| rate.nanos_per_million());
        let show = |quote: &Quote| format::quote(kind, Some(*quote));
        Cell::of(snapshot, claim.map(|claim| &claim.claim), show).by(nanos)
    };
    let row = |name: &'static str, kind: PriceKind| {
        let cells = sides.iter().map(|side| price(side, kind)).collect();
        Row::new(name, format!("$ {}", format::unit(kind)), Best::Least, cells)
    };
    let at = sides.iter().map(|side| {
        let name = |offer: &Endpoint| {
            let provider = offer.provider_in(snapshot)?;
            let is_off = !visit.index.on.has(offer);
            Some(Shown::same(format!("{}{}", provider.name, if is_off { ", off here" } else { "" })))
        };
        Cell::plain(side.cheapest.and_then(name).unwrap_or_else(Shown::unknown))
    });
    let tiers = sides.iter().map(|side| {
        let conditions = |offer: &Endpoint| -> Vec<String> {
            offer.price.overrides.iter().map(crate::calculate::condition).collect()
        };
        let told = side.cheapest.map(|offer| match offer.price.overrides.is_empty() {
            true => Shown::same("one price"),
            false => Shown::same(format!("other prices {}", format::list(&conditions(offer)))),
        });
        Cell::plain(told.unwrap_or_else(Shown::unknown))
    });
    let mut rows = vec![row(INPUT, PriceKind::Input), row(OUTPUT, PriceKind::Output)];
    rows.extend(Some(row("Cache read", PriceKind::CacheRead)).filter(Row::is_known));
    rows.extend(Some(row("Cache write", PriceKind::CacheWrite)).filter(Row::is_known));
    rows.push(Row::new("Tiers", "", Best::None, tiers.collect()));
    rows.push(Row::new("Offered by", "", Best::None, at.collect()));
    rows
}

fn sizes(snapshot: &Snapshot, sides: &[Side<'_>]) -> Vec<Row> {
    let number = |name: &str, unit: &str, best, of: fn(&Model) -> Option<&Claim<u64>>| {
        let cell = |side: &Side<'_>| {
            let claim = of(side.model);
            Cell::of(snapshot, claim, |count| format::short(*count)).by(claim.map(|claim| claim.value))
        };
        Row::new(name, unit, best, sides.iter().map(cell).collect())
    };
    vec![
        number(CONTEXT, "tokens", Best::Most, |model| model.facts.context_tokens.as_ref()),
        number("Max output", "tokens", Best::Most, |model| model.facts.max_output_tokens.as_ref()),
        number("Parameters", "", Best::None, |model| model.facts.parameters.as_ref()),
        number("Active per token", "parameters", Best::None, |model| model.facts.active_parameters.as_ref()),
    ]
}

/// Nothing where none of them is measured.
fn measured(visit: &Visit, sides: &[Side<'_>]) -> Vec<Row> {
    // Thousandths are finer than any measurement, and whole numbers compare without surprises.
    let key = |value: Option<f64>| value.map(|value| (value * 1e3).round() as i128);
    let best = |side: &Side<'_>| visit.board.best(side.at);
    if sides.iter().all(|side| best(side).samples == 0) {
        return Vec::new();
    }
    let ttft = sides.iter().map(|side| {
        let ms = best(side).ttft_ms;
        Cell::plain(ms.map_or_else(Shown::unknown, format::milliseconds)).by(key(ms))
    });
    let speed = sides.iter().map(|side| {
        let speed = best(side).tokens_per_s;
        Cell::plain(speed.map_or_else(Shown::unknown, format::speed)).by(key(speed))
    });
    let samples = sides.iter().map(|side| match best(side).samples {
        0 => Cell::plain(Shown::unknown()),
        many => Cell::plain(Shown::same(format::count(many))),
    });
    let window = format!("last {} minutes", routing::health::MINUTES_SHOWN);
    vec![
        Row::new(TTFT, window.as_str(), Best::Least, ttft.collect()),
        Row::new(SPEED, window.as_str(), Best::Most, speed.collect()),
        Row::new(SAMPLES, window.as_str(), Best::None, samples.collect()),
    ]
}

fn abilities(snapshot: &Snapshot, sides: &[Side<'_>]) -> Vec<Row> {
    let said =
        |claim: Option<&Claim<bool>>| claim.map(|c| Fact::of(snapshot, c, |b| format::yes_no(Some(*b))));
    let row = |name: &str, of: &dyn Fn(&Side<'_>) -> Cell| {
        Row::new(name, "", Best::None, sides.iter().map(of).collect())
    };
    let takes = |kind: Modality| {
        move |side: &Side<'_>| {
            let claim = side.model.facts.input_modalities.as_ref();
            Cell::ability(claim.map(|claim| claim.value.contains(&kind)), None)
        }
    };
    let gives = |side: &Side<'_>| {
        Cell::of(snapshot, side.model.facts.output_modalities.as_ref(), |kinds| {
            Shown::same(kinds.iter().map(|kind| modality(*kind)).collect::<Vec<_>>().join(", "))
        })
    };
    vec![
        row("Tool calling", &|side| {
            Cell::ability(side.known.tools, said(side.model.facts.tool_call.as_ref()))
        }),
        row("JSON schema", &|side| {
            Cell::ability(side.known.schema, said(side.model.facts.structured_output.as_ref()))
        }),
        row("Reasoning", &|side| {
            Cell::ability(side.model.reasoning(), said(side.model.facts.reasoning.as_ref()))
        }),
        row("Reads images", &takes(Modality::Image)),
        row("Reads files", &takes(Modality::File)),
        row("Hears audio", &takes(Modality::Audio)),
        row("Sees video", &takes(Modality::Video)),
        row("Gives", &gives),
    ]
}

fn about(snapshot: &Snapshot, sides: &[Side<'_>]) -> Vec<Row> {
    let row = |name: &str, of: &dyn Fn(&Side<'_>) -> Cell| {
        Row::new(name, "", Best::None, sides.iter().map(of).collect())
    };
    let date = |text: &String| format::date(text);
    let text = |text: &String| Shown::same(text.as_str());
    vec![
        row("Released", &|side| Cell::of(snapshot, side.model.facts.released.as_ref(), date)),
        row("Knowledge up to", &|side| Cell::of(snapshot, side.model.facts.knowledge_cutoff.as_ref(), date)),
        row("Weights", &|side| {
            Cell::of(snapshot, side.model.facts.open_weights.as_ref(), |open| {
                Shown::same(if *open { "Open" } else { "Closed" })
            })
        }),
        row("License", &|side| Cell::of(snapshot, side.model.facts.license.as_ref(), text)),
        row("Architecture", &|side| Cell::of(snapshot, side.model.facts.architecture.as_ref(), text)),
    ]
}

fn offers(sides: &[Side<'_>]) -> Vec<Row> {
    let row = |name: &str, of: &dyn Fn(&Side<'_>) -> Cell| {
        Row::new(name, "", Best::None, sides.iter().map(of).collect())
    };
    // That no provider is known to promise it says nothing of what they do.
    let promised = |holds: bool| Cell::ability(holds.then_some(true), None);
    vec![
        row("Providers", &|side| Cell::plain(Shown::same(format::count(side.known.providers.len() as u64)))),
        row("Regions", &|side| match side.known.regions.as_slice() {
            [] => Cell::plain(Shown::unknown()),
            regions => Cell::plain(Shown::same(regions.join(", ").to_uppercase())),
        }),
        row("At a provider that does not train on prompts", &|side| promised(side.known.no_training)),
        row("At a provider that keeps nothing", &|side| promised(side.known.keeps_nothing)),
    ]
}

/// Scores of which at least one of the models has one.
fn benchmarks(snapshot: &Snapshot, sides: &[Side<'_>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for bench in scores::all(snapshot) {
        for series in &bench.series {
            let score = |side: &Side<'_>| series.scores.iter().find(|score| score.model == side.at);
            if sides.iter().all(|side| score(side).is_none()) {
                continue;
            }
            let cell = |side: &Side<'_>| match score(side) {
                None => Cell::plain(Shown::unknown()),
                Some(score) => {
                    let origin =
                        Origin::of(snapshot, &score.source, score.date.as_deref().unwrap_or_default());
                    let value = Shown::same(score.score.as_str());
                    let fact = Fact { value: value.clone(), origin, why: None, others: Vec::new() };
                    let key = (score.value * 1e6).round() as i128;
                    Cell { fact: Some(fact), ..Cell::plain(value) }.by(Some(key))
                }
            };
            let best = if series.is_ranked { Best::Most } else { Best::None };
            let unit = match series.metric.as_str() {
                "" => series.publisher.clone(),
                metric => format!("{metric}; {}", series.publisher),
            };
            rows.push(Row::new(bench.name.as_str(), unit, best, sides.iter().map(cell).collect()));
        }
    }
    rows
}
