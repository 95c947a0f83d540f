//! Models side by side: one row per fact, one cell per model.
//!
//! - A row says which cell is best only where "best" is defined: lower prices, more tokens, later knowledge, higher published
//!   scores. Only known values compete, and where all that are known are equal, none is best.
//! - A row whose cells are all the same (all unknown among them) is marked, so that a page can fold it.
//! - Prices are those of each model's cheapest offer by input and output price; its provider is named in a row of its own.

use catalog::{Modality, Model, Snapshot};
use types::{PriceKind, Quote};

use crate::benchmarks;
use crate::describe::{cheapest, modality};
use crate::format::{self, Shown};

/// One fact of all models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the fact belongs to: `Prices`.
    pub group: &'static str,
    /// What it is: `Input`.
    pub name: String,
    /// Its unit, where it has one.
    pub unit: &'static str,
    /// One per model, in the order in which they were asked for.
    pub cells: Vec<Cell>,
    /// All cells say the same.
    pub is_same: bool,
}

/// One fact of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The value, or unknown.
    pub shown: Shown,
    /// The best of its row. Equal ones are all best.
    pub is_best: bool,
}

/// Which values are best.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Best {
    Least,
    Most,
    Undefined,
}

/// A value with the number by which it is compared, where there is one.
type Value = (Shown, Option<i128>);

fn row(
    group: &'static str,
    name: impl Into<String>,
    unit: &'static str,
    best: Best,
    values: Vec<Value>,
) -> Row {
    let known: Vec<i128> = values.iter().filter_map(|(_, number)| *number).collect();
    let (least, most) = (known.iter().min(), known.iter().max());
    let winner = match best {
        Best::Least if least != most => least,
        Best::Most if least != most => most,
        _ => None,
    };
    let cells: Vec<Cell> = values
        .iter()
        .map(|(shown, number)| Cell {
            shown: shown.clone(),
            is_best: number.is_some() && number.as_ref() == winner,
        })
        .collect();
    let is_same = cells.windows(2).all(|pair| matches!(pair, [a, b] if a.shown == b.shown));
    Row { group, name: name.into(), unit, cells, is_same }
}

fn plain(shown: Shown) -> Value {
    (shown, None)
}

fn text(value: Option<&str>) -> Value {
    plain(value.map_or_else(Shown::unknown, Shown::same))
}

fn number(value: Option<u64>) -> Value {
    (format::tokens(value), value.map(i128::from))
}

/// A date compares by its text: `2026-06` comes before any day of it.
fn date(value: Option<&str>) -> Value {
    let Some(iso) = value else {
        return plain(Shown::unknown());
    };
    let digits: String = iso.chars().filter(char::is_ascii_digit).collect();
    (format::date(iso), format!("{digits:0<8}").parse().ok())
}

/// The rows over these models, by position; positions that are not there are left out.
pub fn rows(snapshot: &Snapshot, models: &[usize]) -> Vec<Row> {
    let models: Vec<(usize, &Model)> =
        models.iter().filter_map(|at| Some((*at, snapshot.models.get(*at)?))).collect();
    let each = |value: &dyn Fn(usize, &Model) -> Value| -> Vec<Value> {
        models.iter().map(|(at, model)| value(*at, model)).collect()
    };
    let mut rows = about(snapshot, &each);
    rows.extend(prices(snapshot, &models));
    rows.extend(abilities(&each));
    rows.extend(results(&models));
    rows
}

type Each<'a> = dyn Fn(&dyn Fn(usize, &Model) -> Value) -> Vec<Value> + 'a;

fn about(snapshot: &Snapshot, each: &Each<'_>) -> Vec<Row> {
    const MODEL: &str = "Model";
    const LIMITS: &str = "Limits";
    let author = |model: &Model| snapshot.author(&model.author).map(|author| author.name.clone());
    let license = |model: &Model| model.facts.license.as_ref().map(|claim| claim.value.clone());
    let architecture = |model: &Model| model.facts.architecture.as_ref().map(|claim| claim.value.clone());
    vec![
        row(MODEL, "Author", "", Best::Undefined, each(&|_, m| text(author(m).as_deref()))),
        row(
            MODEL,
            "Released",
            "",
            Best::Undefined,
            each(&|_, m| date(m.facts.released.as_ref().map(|c| c.value.as_str()))),
        ),
        row(
            MODEL,
            "Knowledge until",
            "",
            Best::Most,
            each(&|_, m| date(m.facts.knowledge_cutoff.as_ref().map(|c| c.value.as_str()))),
        ),
        row(
            MODEL,
            "Open weights",
            "",
            Best::Undefined,
            each(&|_, m| plain(format::yes_no(m.facts.open_weights.as_ref().map(|c| c.value)))),
        ),
        row(MODEL, "License", "", Best::Undefined, each(&|_, m| text(license(m).as_deref()))),
        row(MODEL, "Architecture", "", Best::Undefined, each(&|_, m| text(architecture(m).as_deref()))),
        row(
            MODEL,
            "Parameters",
            "",
            Best::Undefined,
            each(&|_, m| number(m.facts.parameters.as_ref().map(|c| c.value))),
        ),
        row(
            MODEL,
            "Active parameters",
            "",
            Best::Undefined,
            each(&|_, m| number(m.facts.active_parameters.as_ref().map(|c| c.value))),
        ),
        row(LIMITS, "Context", "tokens", Best::Most, each(&|_, m| number(m.context_tokens()))),
        row(LIMITS, "Maximum output", "tokens", Best::Most, each(&|_, m| number(m.max_output_tokens()))),
    ]
}

fn prices(snapshot: &Snapshot, models: &[(usize, &Model)]) -> Vec<Row> {
    const PRICES: &str = "Prices";
    let offers: Vec<_> = models.iter().map(|(at, _)| cheapest(snapshot, *at)).collect();
    let provider = offers.iter().map(|offer| {
        let provider = offer.and_then(|endpoint| endpoint.provider_in(snapshot));
        text(provider.map(|provider| &*provider.name))
    });
    let count = models
        .iter()
        .map(|(at, _)| plain(Shown::same(format::count(snapshot.endpoints_of(*at).len() as u64))));
    let mut rows = vec![
        row(PRICES, "Offers", "", Best::Undefined, count.collect()),
        row(PRICES, "Cheapest at", "", Best::Undefined, provider.collect()),
    ];
    for kind in PriceKind::ALL {
        let quotes = offers.iter().map(|offer| offer.and_then(|endpoint| endpoint.price.quote(kind)));
        if quotes.clone().all(|quote| quote.is_none()) {
            continue;
        }
        let values = offers.iter().zip(quotes).map(|(offer, quote)| match offer {
            // Without any offer that has a price, nothing is known of this one either.
            None => plain(Shown::unknown()),
            Some(_) => {
                let rate = quote.and_then(Quote::rate).map(|rate| i128::from(rate.nanos_per_million()));
                (format::quote(kind, quote), rate)
            }
        });
        rows.push(row(PRICES, format::price_name(kind), format::unit(kind), Best::Least, values.collect()));
    }
    rows
}

fn abilities(each: &Each<'_>) -> Vec<Row> {
    const ABILITIES: &str = "Abilities";
    let names = |all: &[Modality]| {
        let names: Vec<&str> = all.iter().map(|one| modality(*one)).collect();
        plain(Shown::same(format::list(&names)))
    };
    vec![
        row(ABILITIES, "Takes", "", Best::Undefined, each(&|_, m| names(m.input_modalities()))),
        row(ABILITIES, "Gives", "", Best::Undefined, each(&|_, m| names(m.output_modalities()))),
        row(ABILITIES, "Tools", "", Best::Undefined, each(&|_, m| plain(format::yes_no(m.tool_call())))),
        row(
            ABILITIES,
            "JSON held to a schema",
            "",
            Best::Undefined,
            each(&|_, m| plain(format::yes_no(m.structured_output()))),
        ),
        row(ABILITIES, "Reasoning", "", Best::Undefined, each(&|_, m| plain(format::yes_no(m.reasoning())))),
    ]
}

/// Benchmarks that at least two of the models have a result of.
fn results(models: &[(usize, &Model)]) -> Vec<Row> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for row in models.iter().flat_map(|(_, model)| &model.benchmarks) {
        let slug = benchmarks::slug(&row.name);
        if !seen.iter().any(|(known, _)| *known == slug) {
            seen.push((slug, row.name.clone()));
        }
    }
    seen.sort();
    let shared = seen.into_iter().filter_map(|(slug, name)| {
        let values: Vec<Value> = models
            .iter()
            .map(|(_, model)| match benchmarks::best_of(model, &slug) {
                Some((score, shown)) => (Shown::same(shown), Some(i128::from(score.nanos()))),
                None => plain(Shown::unknown()),
            })
            .collect();
        let known = values.iter().filter(|(_, number)| number.is_some()).count();
        (known >= 2).then(|| row("Benchmarks", name, "", Best::Most, values))
    });
    shared.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::LazyLock;

    use catalog::{Snapshot, load_dir};

    use super::{Best, Row, number, row, rows};
    use crate::format::Shown;

    static CATALOG: LazyLock<Snapshot> =
        LazyLock::new(|| load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap());

    fn best(values: &[Option<u64>], best: Best) -> Vec<bool> {
        let values = values.iter().map(|value| number(*value)).collect();
        row("g", "n", "", best, values).cells.iter().map(|cell| cell.is_best).collect()
    }

    #[test]
    fn only_known_values_compete() {
        assert_eq!(best(&[Some(1), Some(2), None], Best::Least), [true, false, false]);
        assert_eq!(best(&[Some(1), Some(2), Some(2)], Best::Most), [false, true, true]);
        assert_eq!(best(&[Some(2), Some(2), None], Best::Most), [false, false, false]);
        assert_eq!(best(&[Some(2), None], Best::Most), [false, false]);
        assert_eq!(best(&[Some(1), Some(2)], Best::Undefined), [false, false]);
    }

    #[test]
    fn equal_rows_can_be_folded() {
        let same = |values: &[Option<u64>]| {
            row("g", "n", "", Best::Most, values.iter().map(|v| number(*v)).collect()).is_same
        };
        assert!(same(&[Some(1), Some(1)]) && same(&[None, None]) && same(&[Some(1)]) && same(&[]));
        assert!(!same(&[Some(1), None]) && !same(&[Some(1), Some(1), Some(2)]));
        // What reads alike but is not: the exact form decides.
        assert!(!same(&[Some(262_144), Some(262_145)]));
    }

    #[test]
    fn any_models_of_the_catalog_can_be_set_side_by_side() {
        let at = |id: &str| CATALOG.models.iter().position(|model| *model.id == *id).unwrap();
        let one = at("mistralai/mistral-small-2603");
        let find = |rows: &[Row], name: &str| rows.iter().find(|row| row.name == name).unwrap().clone();
        let all = rows(&CATALOG, &[one, one]);
        assert!(all.iter().all(|row| row.is_same && row.cells.iter().all(|cell| !cell.is_best)));
        assert_eq!(find(&all, "Context").cells[0].shown, Shown::both("256K", "256,000"));
        assert_eq!(
            (find(&all, "Input").unit, find(&all, "Author").cells[1].shown.text()),
            ("per 1M tokens", "Mistral AI")
        );
        for (position, model) in CATALOG.models.iter().enumerate() {
            let other = (position * 7 + 3) % CATALOG.models.len();
            let all = rows(&CATALOG, &[position, one, other, usize::MAX]);
            assert!(all.len() >= 17, "{}", model.id);
            for row in &all {
                assert_eq!(row.cells.len(), 3);
                // The best is known, and somebody is not as good.
                for cell in row.cells.iter().filter(|cell| cell.is_best) {
                    assert!(
                        cell.shown.is_known && row.cells.iter().any(|other| !other.is_best),
                        "{}: {}",
                        model.id,
                        row.name
                    );
                }
            }
        }
        assert!(rows(&CATALOG, &[]).iter().all(|row| row.cells.is_empty()));
    }
}
