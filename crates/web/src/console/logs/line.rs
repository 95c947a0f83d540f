//! A generation as a row of the log.

use serde::Deserialize;
use types::Timestamp;

use super::LOGS;
use crate::console::amount;
use crate::console::names::{Key, Names};
use crate::format::{self, Shown};

/// What the API lists of a generation.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) created_at: String,
    key: String,
    model: String,
    requested_model: String,
    provider: String,
    status: String,
    #[serde(default)]
    error: Option<String>,
    tokens_prompt: u64,
    tokens_completion: u64,
    charged_usd: String,
    #[serde(default)]
    is_cached: bool,
    ttft_ms: Option<f64>,
    duration_ms: f64,
    #[serde(default)]
    attempts: u64,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    trace_id: Option<String>,
}

/// What calls come to, as the API tells it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) tokens_prompt: u64,
    pub(crate) tokens_completion: u64,
    pub(crate) charged_usd: String,
    pub(crate) first_at: String,
    pub(crate) span_ms: f64,
}

/// A row.
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) href: String,
    /// The time of today, else the date with it.
    pub(crate) at: Shown,
    pub(crate) state: State,
    pub(crate) model: String,
    /// What was asked for, where that is something else.
    pub(crate) asked: Option<String>,
    pub(crate) provider: String,
    pub(crate) key: String,
    /// Where the key is limited and stopped; none where it is not known any more.
    pub(crate) key_href: Option<String>,
    pub(crate) input: Shown,
    pub(crate) output: Shown,
    pub(crate) cost: Shown,
    pub(crate) ttft: Shown,
    pub(crate) duration: Shown,
    /// What else there is to say, in words.
    pub(crate) notes: Vec<String>,
    /// What it is grouped with: name and address.
    pub(crate) group: Option<(&'static str, String)>,
}

/// How it ended, as a chip.
pub(crate) struct State {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
}

impl State {
    pub(crate) fn of(status: &str) -> State {
        let (class, word) = match status {
            "ok" => ("good", "OK"),
            "cancelled" => ("warn", "Cancelled"),
            "truncated" => ("bad", "Broke off"),
            _ => ("bad", "Failed"),
        };
        State { class, word }
    }
}

/// Where a generation is shown.
pub(crate) fn path_of(id: &str) -> String {
    format!("{LOGS}/{}", segment(id))
}

/// An instant of the API's.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
}

/// Rows of generations.
pub(crate) fn lines(all: &[Listed], names: &Names, today: i64) -> Vec<Line> {
    all.iter().map(|one| line(one, names, today)).collect()
}

fn line(one: &Listed, names: &Names, today: i64) -> Line {
    let session = one.session_id.as_deref().filter(|id| !id.is_empty());
    let trace = one.trace_id.as_deref().filter(|id| !id.is_empty());
    let group = match (trace, session) {
        (Some(id), _) => Some(("Trace", format!("/console/traces/{}", segment(id)))),
        (None, Some(id)) => Some(("Session", format!("/console/sessions/{}", segment(id)))),
        (None, None) => None,
    };
    let mut notes = Vec::new();
    notes.extend(one.error.as_deref().filter(|error| !error.is_empty()).map(|error| error.replace('_', " ")));
    if one.attempts > 1 {
        notes.push(format!("{} attempts", one.attempts));
    }
    if one.is_cached {
        notes.push(String::from("from the response cache"));
    }
    let reached = |text: &str| if text.is_empty() { String::from("(none reached)") } else { text.to_owned() };
    Line {
        href: path_of(&one.id),
        id: one.id.clone(),
        at: at(&one.created_at, today),
        state: State::of(&one.status),
        asked: (one.requested_model != one.model && !one.requested_model.is_empty())
            .then(|| one.requested_model.clone()),
        model: reached(&one.model),
        provider: one.provider.clone(),
        key: names.of(&one.key).to_owned(),
        key_href: names.key(&one.key).map(Key::path),
        input: format::short(one.tokens_prompt),
        output: format::short(one.tokens_completion),
        cost: amount::usd(&one.charged_usd),
        ttft: one.ttft_ms.map_or_else(Shown::unknown, format::milliseconds),
        duration: format::milliseconds(one.duration_ms),
        notes,
        group,
    }
}

/// A text as a segment of a path.
pub(crate) fn segment(text: &str) -> String {
    text.bytes().map(percent).collect()
}

fn percent(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

fn at(text: &str, today: i64) -> Shown {
    let Some(at) = instant(text) else { return Shown::unknown() };
    let clock: String = text.chars().skip(11).take(8).collect();
    match today - at.day() {
        0 => Shown::both(clock, text),
        _ => {
            let day = format::day(at.day()).short;
            let day = day.rsplit_once(' ').map_or(day.as_str(), |(short, _)| short);
            Shown::both(format!("{day}, {clock}"), text)
        }
    }
}
