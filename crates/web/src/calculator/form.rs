//! The form of a workload: presets, numbers, and what is wrong with them, beside each.

use catalog::Snapshot;

use crate::calculate::{self, Asked, PRESETS, Per, Problem, Workload};

/// The form as it is drawn.
pub(crate) struct Form {
    pub(crate) presets: Vec<Choice>,
    pub(crate) fields: Vec<Field>,
    /// What few workloads need.
    pub(crate) more: Vec<Field>,
    /// One of them is in use.
    pub(crate) is_more_open: bool,
    pub(crate) is_per_month: bool,
    /// What is wrong with the models.
    pub(crate) model_problems: Vec<String>,
    /// What is wrong with anything else.
    pub(crate) other_problems: Vec<String>,
}

/// A preset as a link.
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) href: String,
}

/// A number.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) problem: Option<String>,
}

/// A model that may be asked for.
pub(crate) struct Offered<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
}

/// Every model, for the list of suggestions.
pub(crate) fn offered(snapshot: &Snapshot) -> Vec<Offered<'_>> {
    snapshot.models.iter().map(|model| Offered { id: &model.id, name: &model.name }).collect()
}

type Row = (&'static str, &'static str, fn(&Workload) -> u64);

const FIELDS: [Row; 4] = [
    ("in", "Input tokens", |w| w.input),
    ("cached", "Cached input, %", |w| w.cached_percent),
    ("out", "Output tokens", |w| w.output),
    ("n", "Requests", |w| w.requests),
];
const MORE: [Row; 5] = [
    ("reasoning", "Reasoning tokens", |w| w.reasoning),
    ("images", "Images made", |w| w.images),
    ("seconds", "Seconds of audio heard", |w| w.audio_seconds),
    ("characters", "Characters spoken", |w| w.characters),
    ("searches", "Searches", |w| w.searches),
];

impl Form {
    /// The form of a calculation; `path` is where presets lead.
    pub(crate) fn of(query: &str, asked: &Asked, path: &str) -> Form {
        let field = |(name, label, number): &Row| field(query, asked, name, label, *number);
        let mut more: Vec<Field> = MORE.iter().map(field).collect();
        // Nothing rather than a zero: then it is not in the address either.
        more.iter_mut().filter(|field| field.value == "0").for_each(|field| field.value.clear());
        let of = |name: &'static str| {
            asked
                .problems
                .iter()
                .filter(move |problem| problem.field == name)
                .map(|p| format!("{}: {}", p.given, p.message))
        };
        Form {
            presets: presets(asked, path),
            fields: FIELDS.iter().map(field).collect(),
            is_more_open: more.iter().any(|field| !field.value.is_empty()),
            more,
            is_per_month: asked.workload.per == Per::Month,
            model_problems: of("m").collect(),
            other_problems: of("preset").chain(of("per")).collect(),
        }
    }
}

fn presets(asked: &Asked, path: &str) -> Vec<Choice> {
    let models: Vec<&str> = asked.models.iter().map(String::as_str).collect();
    let choice = |preset: &calculate::Preset| Choice {
        name: preset.name,
        text: preset.text,
        href: format!("{path}?{}", calculate::write(&preset.workload, &models)),
    };
    PRESETS.iter().map(choice).collect()
}

/// What a problem is about, and what to do: of a number, what it counts and how to write it.
pub(crate) fn said(problem: &Problem) -> (String, String) {
    let first_large = |text: &str| {
        let mut letters = text.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    match problem.message.split_once(": ") {
        Some((what, how)) => {
            (first_large(what), format!("{}; this is not one: {}", first_large(how), problem.given))
        }
        None => (problem.given.clone(), problem.message.clone()),
    }
}

/// A number that could not be read stands there as it was written.
fn field(
    query: &str,
    asked: &Asked,
    name: &'static str,
    label: &'static str,
    number: fn(&Workload) -> u64,
) -> Field {
    let problem = asked.problems.iter().find(|problem| problem.field == name);
    let given = || url::form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name);
    let value = match problem {
        Some(_) => given().map(|(_, value)| value.into_owned()).unwrap_or_default(),
        None => number(&asked.workload).to_string(),
    };
    Field { name, label, value, problem: problem.map(|problem| said(problem).1) }
}
