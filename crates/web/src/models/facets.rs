//! What a list of models can be narrowed by.
//!
//! - Within a facet that takes one of several (author, provider, output, region...) any chosen value will do; of input, can and data
//!   all that are chosen must hold. Facets stand together: each must hold.
//! - The count beside a value is how many models there would be with it: of the first kind with the facet's other choices put
//!   aside, of the second kind in addition to them.
//! - What is unknown of a model satisfies nothing.
//! - A value that nobody knows filters everything out, as a search for an unknown word does.

use catalog::{Modality, Model};
use types::Rate;

use super::Browse;
use crate::index::{Row, modality};
use crate::visit::Visit;

/// How a facet is chosen from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Any of several.
    Any,
    /// All of several.
    All,
    /// One.
    One,
}

/// A kind of filter.
struct Rule {
    name: &'static str,
    title: &'static str,
    way: Way,
    /// Open without being asked.
    is_open: bool,
    /// Whether a model has this value.
    holds: fn(&Browse<'_>, usize, &Model, &Row, &str) -> bool,
    /// The values that are offered, with their labels.
    values: fn(&Browse<'_>) -> Vec<(String, String)>,
}

/// A filter as it is drawn.
pub(crate) struct Facet {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) is_radio: bool,
    pub(crate) is_open: bool,
    pub(crate) choices: Vec<Choice>,
}

impl Facet {
    /// Whether nothing is chosen.
    pub(crate) fn is_any(&self) -> bool {
        self.choices.iter().all(|choice| !choice.is_chosen)
    }
}

/// One value of a filter.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) count: usize,
    pub(crate) is_chosen: bool,
}

/// Something that is chosen, and the address without it.
pub(crate) struct Chosen {
    pub(crate) title: &'static str,
    pub(crate) label: String,
    pub(crate) without: String,
}

/// What was chosen of each rule, and the models that all of it leaves.
pub(crate) struct Narrowed {
    pub(crate) models: Vec<usize>,
    pub(crate) facets: Vec<Facet>,
    pub(crate) chosen: Vec<Chosen>,
}

const CONTEXTS: [(&str, &str); 5] = [
    ("32000", "32K or more"),
    ("128000", "128K or more"),
    ("200000", "200K or more"),
    ("400000", "400K or more"),
    ("1000000", "1M or more"),
];
const PRICES: [(&str, &str); 6] = [
    ("0", "Free"),
    ("0.1", "Up to $0.10"),
    ("0.5", "Up to $0.50"),
    ("1", "Up to $1.00"),
    ("3", "Up to $3.00"),
    ("10", "Up to $10.00"),
];
const AGES: [(&str, &str); 4] =
    [("30", "Last 30 days"), ("90", "Last 90 days"), ("180", "Last 180 days"), ("365", "Last 365 days")];

static RULES: [Rule; 11] = [
    Rule {
        name: "can",
        title: "Capabilities",
        way: Way::All,
        is_open: true,
        holds: |_, _, model, row, value| match value {
            "tools" => row.tools == Some(true),
            "schema" => row.schema == Some(true),
            "reasoning" => model.reasoning() == Some(true),
            "cache" => row.has_cache_price,
            _ => false,
        },
        values: |_| {
            pairs(&[
                ("tools", "Tool calling"),
                ("schema", "JSON schema"),
                ("reasoning", "Reasoning"),
                ("cache", "Cache price"),
            ])
        },
    },
    Rule {
        name: "in",
        title: "Input",
        way: Way::All,
        is_open: true,
        holds: |_, _, model, _, value| model.input_modalities().iter().any(|known| known.name() == value),
        values: |_| modalities(&Modality::INPUTS),
    },
    Rule {
        name: "out",
        title: "Output",
        way: Way::Any,
        is_open: false,
        holds: |_, _, model, _, value| model.output_modalities().iter().any(|known| known.name() == value),
        values: |_| modalities(&Modality::OUTPUTS),
    },
    Rule {
        name: "context",
        title: "Context, tokens",
        way: Way::One,
        is_open: true,
        holds: |_, _, model, _, value| {
            let least: Option<u64> = value.parse().ok();
            least.is_some_and(|least| model.context_tokens().is_some_and(|tokens| tokens >= least))
        },
        values: |_| pairs(&CONTEXTS),
    },
    Rule {
        name: "price",
        title: "Input price per 1M tokens",
        way: Way::One,
        is_open: true,
        holds: |_, _, _, row, value| {
            let most = Rate::parse_per_million(value).ok();
            most.zip(row.cheapest).is_some_and(|(most, cheapest)| match most {
                Rate::FREE => cheapest.input == most && cheapest.output == most,
                _ => cheapest.input <= most,
            })
        },
        values: |_| pairs(&PRICES),
    },
    Rule {
        name: "author",
        title: "Author",
        way: Way::Any,
        is_open: false,
        holds: |_, _, model, _, value| *model.author == *value,
        values: |browse| {
            let authors = browse.snapshot.authors.iter();
            authors.map(|author| (author.id.to_string(), author.name.clone())).collect()
        },
    },
    Rule {
        name: "provider",
        title: "Provider",
        way: Way::Any,
        is_open: false,
        holds: |browse, _, _, row, value| {
            row.providers.iter().any(|at| browse.snapshot.providers.get(*at).is_some_and(|p| *p.id == *value))
        },
        values: |browse| {
            let providers = browse.snapshot.providers.iter();
            providers.map(|provider| (provider.id.to_string(), provider.name.to_string())).collect()
        },
    },
    Rule {
        name: "weights",
        title: "Weights",
        way: Way::One,
        is_open: false,
        holds: |_, _, model, _, value| {
            let open = model.facts.open_weights.as_ref().map(|claim| claim.value);
            matches!((value, open), ("open", Some(true)) | ("closed", Some(false)))
        },
        values: |_| pairs(&[("open", "Open"), ("closed", "Closed")]),
    },
    Rule {
        name: "data",
        title: "Data policy",
        way: Way::All,
        is_open: false,
        holds: |_, _, _, row, value| match value {
            "no-training" => row.no_training,
            "no-retention" => row.keeps_nothing,
            _ => false,
        },
        values: |_| pairs(&[("no-training", "No training on prompts"), ("no-retention", "Keeps nothing")]),
    },
    Rule {
        name: "region",
        title: "Region",
        way: Way::Any,
        is_open: false,
        holds: |_, _, _, row, value| row.regions.iter().any(|region| region == value),
        values: |browse| {
            let rows = browse.index.rows.iter();
            let mut all: Vec<&String> = rows.flat_map(|row| &row.regions).collect();
            all.sort_unstable();
            all.dedup();
            all.into_iter().map(|region| (region.clone(), region.to_uppercase())).collect()
        },
    },
    Rule {
        name: "age",
        title: "Released",
        way: Way::One,
        is_open: false,
        holds: |browse, _, model, _, value| {
            let days: Option<i64> = value.parse().ok();
            let age = model.released_day().map(|day| browse.today.saturating_sub(day));
            days.zip(age).is_some_and(|(days, age)| age <= days)
        },
        values: |_| pairs(&AGES),
    },
];

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
}

fn modalities(of: &[Modality]) -> Vec<(String, String)> {
    of.iter().map(|known| (known.name().to_owned(), modality(*known).to_owned())).collect()
}

/// True for the names of the rules.
pub(crate) fn is_facet(name: &str) -> bool {
    RULES.iter().any(|rule| rule.name == name)
}

/// A rule with what was chosen of it.
struct Asked<'a> {
    rule: &'static Rule,
    values: Vec<&'a str>,
}

impl Asked<'_> {
    fn holds(&self, browse: &Browse<'_>, at: usize, model: &Model, row: &Row) -> bool {
        let test = |value: &&str| (self.rule.holds)(browse, at, model, row, value);
        match self.rule.way {
            _ if self.values.is_empty() => true,
            Way::All => self.values.iter().all(test),
            Way::Any | Way::One => self.values.iter().any(test),
        }
    }
}

/// Narrows the catalog to what was asked for, and counts what else could be.
pub(crate) fn narrow(visit: &Visit, browse: &Browse<'_>) -> Narrowed {
    let asked: Vec<Asked<'_>> =
        RULES.iter().map(|rule| Asked { rule, values: values(visit, rule) }).collect();
    let mut models = Vec::new();
    // Models that all rules but one leave, with the position of that one.
    let mut nearly: Vec<(usize, usize)> = Vec::new();
    let rows = browse.snapshot.models.iter().zip(&browse.index.rows).enumerate();
    for (at, (model, row)) in rows.filter(|(_, (_, row))| browse.says(row)) {
        let mut failed = (0..asked.len())
            .filter(|number| asked.get(*number).is_some_and(|asked| !asked.holds(browse, at, model, row)));
        match (failed.next(), failed.next()) {
            (None, _) => models.push(at),
            (Some(one), None) => nearly.push((at, one)),
            _ => {}
        }
    }
    let facets = asked.iter().enumerate();
    let facets = facets.map(|(number, asked)| facet(browse, asked, &models, of_rule(&nearly, number)));
    Narrowed { facets: facets.collect(), chosen: chosen(visit, browse, &asked), models }
}

fn of_rule(nearly: &[(usize, usize)], number: usize) -> Vec<usize> {
    nearly.iter().filter(|(_, rule)| *rule == number).map(|(at, _)| *at).collect()
}

fn values<'a>(visit: &'a Visit, rule: &Rule) -> Vec<&'a str> {
    let given = visit.query.iter().filter(|(name, _)| name == rule.name);
    let mut values: Vec<&str> = given.flat_map(|(_, value)| value.split(',')).collect();
    values.retain(|value| !value.is_empty());
    if rule.way == Way::One {
        values.truncate(1);
    }
    values
}

fn facet(browse: &Browse<'_>, asked: &Asked<'_>, models: &[usize], nearly: Vec<usize>) -> Facet {
    let rule = asked.rule;
    let others: &[usize] = if rule.way == Way::All { &[] } else { &nearly };
    let choice = |(value, label): (String, String)| {
        let has = |at: &&usize| {
            let found = browse.snapshot.models.get(**at).zip(browse.index.row(**at));
            found.is_some_and(|(model, row)| (rule.holds)(browse, **at, model, row, &value))
        };
        let count = models.iter().chain(others).filter(has).count();
        let is_chosen = asked.values.contains(&value.as_str());
        Choice { count, is_chosen, value, label }
    };
    let choices = (rule.values)(browse).into_iter().map(choice);
    let choices: Vec<Choice> = choices.filter(|choice| choice.count > 0 || choice.is_chosen).collect();
    Facet {
        name: rule.name,
        title: rule.title,
        is_radio: rule.way == Way::One,
        is_open: rule.is_open || !asked.values.is_empty(),
        choices,
    }
}

fn chosen(visit: &Visit, browse: &Browse<'_>, asked: &[Asked<'_>]) -> Vec<Chosen> {
    let mut chosen = Vec::new();
    for Asked { rule, values } in asked {
        let labels = (rule.values)(browse);
        for value in values {
            let label = labels.iter().find(|(known, _)| known == value).map(|(_, label)| label.clone());
            let others = values.iter().filter(|other| *other != value).map(|other| (rule.name, *other));
            let without = super::address(visit, rule.name, others);
            chosen.push(Chosen { title: rule.title, label: label.unwrap_or((*value).to_owned()), without });
        }
    }
    chosen
}
