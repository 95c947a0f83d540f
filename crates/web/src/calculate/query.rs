//! Workloads as addresses, so that a calculation can be shared: `in=1500&out=400&cached=50&n=1000&per=day&m=acme/small`.
//!
//! What a preset says holds where the address says nothing; an address that says nothing at all is the first preset. A
//! number may be written as people do: `1,500`, `1_500`, `1.5k`, `2M`. What can't be read is told and counts as nothing.

use url::form_urlencoded;

use super::{PRESETS, Per, Preset, Workload};

/// The most models of one calculation.
pub(crate) const MODELS_MAX: usize = 6;
/// The most of anything per request, and the most requests.
const NUMBER_MAX: u64 = 1_000_000_000;
/// The longest id of a model, in bytes.
const MODEL_BYTES_MAX: usize = 200;
/// As much of a wrong value as is told.
const GIVEN_CHARS_MAX: usize = 40;

/// What an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The numbers.
    pub(crate) workload: Workload,
    /// Where they come from, when all of them are its own.
    pub(crate) preset: Option<&'static Preset>,
    /// Ids of models, as they were given, each once.
    pub(crate) models: Vec<String>,
    /// What could not be read.
    pub(crate) problems: Vec<Problem>,
}

/// A value that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The name in the address.
    pub(crate) field: &'static str,
    /// The beginning of what was given.
    pub(crate) given: String,
    /// What is wrong with it and what would be right, for people.
    pub(crate) message: String,
}

type Field = (&'static str, &'static str, u64, fn(&mut Workload) -> &mut u64);

/// The numbers, by name, in the order of addresses: name, what it counts, the most, where it goes.
const FIELDS: [Field; 9] = [
    ("in", "input tokens per request", NUMBER_MAX, |w| &mut w.input),
    ("out", "output tokens per request", NUMBER_MAX, |w| &mut w.output),
    ("cached", "the cached share of the input in percent", 100, |w| &mut w.cached_percent),
    ("reasoning", "reasoning tokens per request", NUMBER_MAX, |w| &mut w.reasoning),
    ("images", "images per request", NUMBER_MAX, |w| &mut w.images),
    ("seconds", "seconds of audio per request", NUMBER_MAX, |w| &mut w.audio_seconds),
    ("characters", "characters per request", NUMBER_MAX, |w| &mut w.characters),
    ("searches", "searches per request", NUMBER_MAX, |w| &mut w.searches),
    ("n", "the number of requests", NUMBER_MAX, |w| &mut w.requests),
];

/// Reads the query of an address, with or without its `?`. Names that are not ours are left alone; a name given twice
/// counts once.
pub(crate) fn read(query: &str) -> Asked {
    let query = query.strip_prefix('?').unwrap_or(query);
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let value = |name: &str| {
        let given = pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim());
        given.filter(|value| !value.is_empty())
    };
    let mut problems = Vec::new();
    let preset = value("preset").and_then(|slug| {
        let preset = PRESETS.iter().find(|preset| preset.slug == slug);
        if preset.is_none() {
            let all: Vec<&str> = PRESETS.iter().map(|preset| preset.slug).collect();
            problems.push(problem(
                "preset",
                slug,
                format!("there is no such preset; there are {}", all.join(", ")),
            ));
        }
        preset
    });
    let says_nothing = FIELDS.iter().all(|(name, ..)| value(name).is_none()) && value("per").is_none();
    let preset = preset.or_else(|| if says_nothing { PRESETS.first() } else { None });
    let mut workload = preset.map(|preset| preset.workload).unwrap_or_default();
    for (name, what, most, place) in FIELDS {
        let Some(text) = value(name) else { continue };
        match number(text, most) {
            Ok(number) => *place(&mut workload) = number,
            Err(wrong) => problems.push(problem(name, text, format!("{what}: {wrong}"))),
        }
    }
    match value("per") {
        Some("day") => workload.per = Per::Day,
        Some("month") => workload.per = Per::Month,
        Some(other) => problems.push(problem("per", other, "write `day` or `month`".to_owned())),
        None => {}
    }
    let models = models(&pairs, &mut problems);
    let preset = preset.filter(|preset| preset.workload == workload);
    Asked { workload, preset, models, problems }
}

fn problem(field: &'static str, given: &str, message: String) -> Problem {
    Problem { field, given: given.chars().take(GIVEN_CHARS_MAX).collect(), message }
}

fn models(pairs: &[(String, String)], problems: &mut Vec<Problem>) -> Vec<String> {
    let mut models: Vec<String> = Vec::new();
    for (_, id) in pairs.iter().filter(|(name, value)| name == "m" && !value.trim().is_empty()) {
        let id = id.trim();
        let is_id = id.len() <= MODEL_BYTES_MAX
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-:@".contains(&b));
        if !is_id {
            problems.push(problem(
                "m",
                id,
                "is no id of a model, such as `mistralai/mistral-small-2603`".to_owned(),
            ));
        } else if models.iter().any(|known| known == id) {
        } else if models.len() == MODELS_MAX {
            let message =
                format!("at most {MODELS_MAX} models can be set side by side; this one is left out");
            problems.push(problem("m", id, message));
        } else {
            models.push(id.to_owned());
        }
    }
    models
}

/// A whole number as people write it.
fn number(text: &str, most: u64) -> Result<u64, String> {
    let wrong =
        || format!("write a whole number from 0 to {}, such as 1500, 1.5k or 2M", crate::format::count(most));
    let (digits, scale) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (text.get(..text.len() - 1).unwrap_or_default(), 3),
        Some(b'm' | b'M') => (text.get(..text.len() - 1).unwrap_or_default(), 6),
        _ => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: String =
        whole.chars().filter(|c| !matches!(c, ',' | '_' | ' ' | '\'' | '\u{a0}' | '\u{202f}')).collect();
    let fraction = fraction.trim_end_matches('0');
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // `1.5k` is 1500; `1.5` alone is no whole number.
    if whole.is_empty()
        || whole.len() > 12
        || !all_digits(&whole)
        || !all_digits(fraction)
        || fraction.len() > scale
    {
        return Err(wrong());
    }
    let number: u64 = format!("{whole}{fraction:0<scale$}").parse().map_err(|_| wrong())?;
    if number > most { Err(wrong()) } else { Ok(number) }
}

/// The address of a calculation, without `?`: the same workload and models give the same text, and [`read`] reads it back.
pub(crate) fn write(workload: &Workload, models: &[&str]) -> String {
    let mut copy = *workload;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, _, _, place) in FIELDS {
        let number = *place(&mut copy);
        if number > 0 || name == "n" {
            query.append_pair(name, &number.to_string());
        }
    }
    query.append_pair("per", workload.per.name());
    for model in models.iter().take(MODELS_MAX) {
        query.append_pair("m", model);
    }
    // A slash needs no escape in a query, and ids are easier to read with it.
    query.finish().replace("%2F", "/")
}
