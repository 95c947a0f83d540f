//! What happened to a request, one step after another.

use std::fmt;

use askama::filters::HtmlSafe;

use super::{Anew, Attempt, Plan, Record, key_path, segment};
use crate::console::amount;
use crate::console::names::{Names, model_path};
use crate::console::signed::prose;
use crate::format::{self, Shown, count_of};
use crate::prose::Prose;

/// A step.
pub(super) struct Step {
    /// When, since the request came.
    pub(super) when: Shown,
    pub(super) title: String,
    /// A chip beside the title: class and word.
    pub(super) chip: Option<(&'static str, String)>,
    /// Words and what they mean here.
    pub(super) facts: Vec<Fact>,
    pub(super) table: Option<Table>,
    /// Folded away below it.
    pub(super) more: Option<(String, Table, String)>,
    pub(super) note: Option<Prose>,
}

/// A word and a value, perhaps with a link.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) href: Option<String>,
}

/// Rows under heads; those of numbers stand right.
pub(super) struct Table {
    pub(super) caption: &'static str,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// From this column on they are numbers.
    pub(super) numbers_from: usize,
}

/// What stands in a row.
pub(super) enum Cell {
    Value(Shown),
    Words(Prose),
}

impl From<Shown> for Cell {
    fn from(value: Shown) -> Cell {
        Cell::Value(value)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Value(value) => value.fmt(f),
            Cell::Words(words) => words.fmt(f),
        }
    }
}

impl HtmlSafe for Cell {}

/// A cell of one line of text.
fn text(text: impl Into<String>) -> Cell {
    Cell::Value(Shown::same(text))
}

/// A cell in the words of the API.
fn words(text: &str) -> Cell {
    Cell::Words(Prose::of(text))
}

impl Step {
    fn new(when: Shown, title: impl Into<String>) -> Step {
        Step { when, title: title.into(), chip: None, facts: Vec::new(), table: None, more: None, note: None }
    }

    fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.facts.push(Fact { name, value, href: None });
        }
    }

    fn link(&mut self, name: &'static str, value: &str, href: Option<String>) {
        if !value.is_empty() {
            self.facts.push(Fact { name, value: value.to_owned(), href });
        }
    }
}

/// From the request to the books.
pub(super) fn all(record: &Record, plan: Plan, names: &Names) -> Vec<Step> {
    let mut steps = vec![received(record, &plan, names), planned(record, plan)];
    steps.extend(record.attempts.iter().enumerate().map(|(at, attempt)| tried(at + 1, attempt)));
    if let Some(ttft) = record.ttft_ms {
        steps.push(Step::new(offset(ttft), "First token to the caller"));
    }
    steps.push(ended(record));
    steps.push(settled(record));
    steps
}

fn offset(ms: f64) -> Shown {
    let shown = format::milliseconds(ms);
    Shown::both(format!("+ {}", shown.short), shown.exact)
}

fn received(record: &Record, plan: &Plan, names: &Names) -> Step {
    let when = super::at(&record.created_at);
    let mut step = Step::new(when, "Received");
    step.fact("Asked for", &record.requested_model);
    step.fact(
        "Over",
        format!("{}{}", record.api_type.replace('_', " "), if record.streamed { ", streamed" } else { "" }),
    );
    step.link("Key", names.of(&record.key), key_path(names, &record.key));
    let app = record.app.as_ref().and_then(|app| app.title.clone().or(app.referer.clone()));
    step.fact("App", app.unwrap_or_default());
    step.fact("End user", record.user.clone().unwrap_or_default());
    let group = |kind: &str, id: &str| Some(format!("/console/{kind}/{}", segment(id)));
    let (session, trace) = (record.session_id.as_deref(), record.trace_id.as_deref());
    step.link("Session", session.unwrap_or_default(), session.and_then(|id| group("sessions", id)));
    step.link("Trace", trace.unwrap_or_default(), trace.and_then(|id| group("traces", id)));
    step.fact("Tags", record.tags.join(", "));
    let free = record.dimensions.iter().filter(|(name, _)| !name.starts_with("trace"));
    let free: Vec<String> = free.map(|(name, value)| format!("{name}: {}", super::plain(value))).collect();
    step.fact("Dimensions", free.join(", "));
    step.fact("Preset", record.preset_id.clone().unwrap_or_default());
    if let Some(facts) = &plan.facts {
        let has = [
            (facts.tools, "tools"),
            (facts.image, "images"),
            (facts.audio, "sound"),
            (facts.file, "files"),
            (facts.structured_output, "a JSON schema"),
        ];
        let has: Vec<&str> = has.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        step.fact("Input", format!("about {}", count_of(facts.input_tokens, "token")));
        step.fact("With", format::list(&has));
        step.fact("Output at most", facts.max_tokens.map(|max| count_of(max, "token")).unwrap_or_default());
    }
    step
}

fn planned(record: &Record, plan: Plan) -> Step {
    let mut step = Step::new(Shown::same(""), "Planned");
    step.fact("Policy", record.policy.clone().unwrap_or_default());
    if let Some(routing) = &record.routing {
        let sure = routing.task_confidence.as_deref().and_then(|sure| sure.parse().ok());
        let sure = sure.map(|sure| format!(", {} sure", format::ratio(sure).short)).unwrap_or_default();
        step.fact("Kind of work", format!("{}{sure}", routing.task.replace('_', " ")));
        step.fact("Dial", format!("{} (0 is quality, 1 is cost)", routing.dial));
    }
    if let Some(source) = &record.cache_source_id {
        step.link("From the response cache", source, Some(super::path_of(source)));
    }
    if !plan.planned.is_empty() {
        let rows = plan.planned.iter().enumerate().map(|(at, one)| {
            let reason = plan.again.as_ref().and_then(|again| why(again, &one.endpoint)).unwrap_or_default();
            let share = |number: Option<f64>| number.map_or_else(Shown::unknown, format::ratio).into();
            vec![
                text(format!("{}. {}", at + 1, one.endpoint)),
                words(&reason),
                share(one.propensity),
                share(one.quality),
            ]
        });
        step.table = Some(Table {
            caption: "As it was planned",
            head: vec!["Endpoint", "Why", "Chance to go first", "Expected quality"],
            rows: rows.collect(),
            numbers_from: 2,
        });
    }
    match plan.again {
        Some(again) => step.more = Some(left_out(again)),
        None => {
            step.note = plan.why_not_again.map(|why| prose(&why));
        }
    }
    step
}

/// The reason of a step of the plan that was made again.
fn why(again: &Anew, endpoint: &str) -> Option<String> {
    let found = again.plan.iter().find(|step| step.endpoint.as_deref() == Some(endpoint))?;
    Some(found.reason.clone())
}

fn left_out(again: Anew) -> (String, Table, String) {
    let many = again.rejected.len();
    let likely = again.plan.iter().map(|step| {
        let time = match (step.latency_ms, step.samples) {
            (Some(ms), Some(samples)) => format!(
                ", {} to the first token over {}",
                format::milliseconds(ms).short,
                count_of(samples, "call")
            ),
            _ => String::new(),
        };
        vec![
            text(step.endpoint.clone().unwrap_or_default()),
            text("fits"),
            words(&format!("{}; about {}{time}", step.reason, amount::usd(&step.expected_cost_usd).short)),
        ]
    });
    let rejected = again.rejected.iter().map(|one| {
        vec![
            text(one.endpoint.clone()),
            text("left out"),
            words(&format!("{}: {}", one.step, one.reason.clone().unwrap_or_default())),
        ]
    });
    let table = Table {
        caption: "Decided once more",
        head: vec!["Endpoint", "Now", "Why"],
        rows: likely.chain(rejected).collect(),
        numbers_from: 3,
    };
    let title = format!("Decided once more: {} fit, {many} left out", again.plan.len());
    let note = format!("From what was recorded, with the same seed; {}.", again.without);
    (title, table, note)
}

fn tried(number: usize, attempt: &Attempt) -> Step {
    let mut step = Step::new(offset(attempt.started_ms), format!("Attempt {number}: {}", attempt.endpoint));
    let class = if attempt.outcome == "ok" { "good" } else { "bad" };
    step.chip = Some((class, attempt.outcome.replace('_', " ")));
    if attempt.status > 0 {
        step.fact("Answered", format!("HTTP {}", attempt.status));
    }
    step.fact("First byte", attempt.first_byte_ms.map(|ms| offset(ms).short).unwrap_or_default());
    step.fact("Over", offset(attempt.ended_ms).short);
    step.fact("With", if attempt.byok_key.is_some() { "your own provider key" } else { "" });
    step
}

fn ended(record: &Record) -> Step {
    let title = match record.status.as_str() {
        "ok" => "Answered",
        "cancelled" => "The caller left",
        "truncated" => "The answer broke off",
        _ => "Failed",
    };
    let mut step = Step::new(offset(record.duration_ms), title);
    step.fact(
        "Status",
        match record.http_status {
            0 => String::new(),
            status => format!("HTTP {status}"),
        },
    );
    step.fact("Finish reason", record.finish_reason.clone().unwrap_or_default());
    let native =
        record.native_finish_reason.clone().filter(|native| Some(native) != record.finish_reason.as_ref());
    step.fact("In the provider's words", native.unwrap_or_default());
    step.fact("Error", record.error.clone().unwrap_or_default());
    step.link("Model", &record.model, model_path(&record.model));
    let is_slug = |text: &&String| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let provider = Some(&record.provider).filter(is_slug).map(|slug| format!("/providers/{slug}"));
    step.link("Provider", &record.provider, provider);
    let used = record.usage.iter().filter_map(|(name, units)| {
        let units = units.as_u64().filter(|units| *units > 0)?;
        Some(format!("{} {}", format::count(units), name.replace('_', " ")))
    });
    let used: Vec<String> = used.collect();
    step.fact("Used", used.join(", "));
    step.fact("Counted", &record.usage_rule);
    step
}

fn settled(record: &Record) -> Step {
    let mut step = Step::new(Shown::same(""), "Settled");
    step.chip = Some(("good", amount::usd(&record.total_cost).short));
    step.fact("Charged", format!("{} USD", record.total_cost));
    if record.cost_usd != record.total_cost {
        step.fact("At list prices", format!("{} USD", record.cost_usd));
    }
    if record.written_off != "0" {
        step.fact("Written off", format!("{} USD", record.written_off));
    }
    step.fact(
        "Paid by",
        match record.paid_by.as_str() {
            "byok" => "your own provider key",
            "credits" => "credit",
            _ => "booked as use",
        },
    );
    step.fact("Balance", &record.balance);
    step.fact("Price version", &record.price_version);
    // The table says the same, unless something came on top.
    if record.cost_lines.is_empty() || record.cost_usd != record.total_cost {
        step.note = Some(prose(&record.formula));
    }
    if !record.cost_lines.is_empty() {
        let rows = record.cost_lines.iter().map(|line| {
            vec![
                text(line.bucket.replace('_', " ")),
                text(line.formula.clone()),
                text(format::count(line.units)),
                text(format!("${}", line.price_usd_per_mtok)),
                amount::usd(&line.amount_usd).into(),
            ]
        });
        step.table = Some(Table {
            caption: "The bill",
            head: vec!["For", "Formula", "Units", "Per million", "Amount"],
            rows: rows.collect(),
            numbers_from: 2,
        });
    }
    if !record.corrections.is_empty() {
        let rows = record.corrections.iter().map(|one| {
            vec![
                super::at(&one.created_at).into(),
                text(one.price_version.clone()),
                amount::usd(&one.charged_usd).into(),
            ]
        });
        let table = Table {
            caption: "Corrections",
            head: vec!["When", "Price version", "Charged"],
            rows: rows.collect(),
            numbers_from: 2,
        };
        step.more = Some((count_of(record.corrections.len() as u64, "correction"), table, String::new()));
    }
    step
}
