//! Generations as CSV, as lines of JSON, or as charges of FOCUS: pure text, row by row, so that an export of any length takes the
//! memory of one page. Amounts are exact; those of all rows together are what the books have.

use ledger::GenerationRecord;
use serde_json::Value;
use store::Listed;
use types::{Money, Timestamp};

use super::span::{self, Span};
use super::{focus, invalid, log};
use crate::csv::{cell, line};
use crate::error::GatewayError;
use crate::key::rfc3339;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line per generation, with commas between cells.
    Csv,
    /// An object per generation and line.
    Jsonl,
    /// CSV in the columns of FOCUS 1.2: a line per charge.
    Focus,
}

impl Format {
    /// By its name: `csv`, `jsonl`, `focus`.
    pub fn read(name: &str) -> Option<Format> {
        Some(match name {
            "csv" => Format::Csv,
            "jsonl" => Format::Jsonl,
            "focus" => Format::Focus,
            _ => return None,
        })
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Csv | Format::Focus => "text/csv; charset=utf-8",
            Format::Jsonl => "application/x-ndjson",
        }
    }

    /// The end of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Focus => "focus.csv",
        }
    }
}

/// Writes generations in a format.
#[derive(Clone, Debug)]
pub struct Exporter {
    format: Format,
    /// Who sells the use: the operator's name.
    seller: String,
}

/// Days that are exported where no span is given, today included.
const DAYS: i64 = 31;

/// The span between two texts: instants in whole hours, or dates, of which the last counts whole. Without them the last 31 days.
///
/// # Errors
/// What is wrong with them.
pub fn span(
    from: Option<&str>,
    to: Option<&str>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), GatewayError> {
    let default = Span::last_days(DAYS, now.seconds());
    let from = from.map_or(Ok(default.from), |text| span::read(text, "from", false, true))?;
    let to = to.map_or(Ok(default.to), |text| span::read(text, "to", true, true))?;
    if from >= to {
        return Err(invalid("`to` must be after `from`"));
    }
    let instant = |hour: i64| Timestamp::from_seconds(hour.saturating_mul(3_600));
    Ok((instant(from), instant(to)))
}

type Column = (&'static str, fn(&Listed) -> String);

const COLUMNS: &[Column] = &[
    ("id", |one| one.record.id.to_string()),
    ("created_at", |one| rfc3339(one.record.created)),
    ("key", |one| cell(one.record.key.as_str())),
    ("project", |one| cell(subject(&one.record, "project:"))),
    ("member", |one| cell(subject(&one.record, "member:"))),
    ("user", |one| cell(one.record.user.as_deref().unwrap_or_default())),
    ("app", |one| cell(app(&one.record))),
    ("session_id", |one| cell(one.record.session_id.as_deref().unwrap_or_default())),
    ("trace_id", |one| cell(log::trace_of(&one.record).map_or("", |id| id))),
    ("tags", |one| cell(&log::tags(&one.record).collect::<Vec<_>>().join(" "))),
    ("dimensions", |one| cell(&dimensions(&one.record))),
    ("model", |one| cell(&one.record.model)),
    ("requested_model", |one| cell(asked(&one.record))),
    ("provider", |one| cell(&one.record.provider)),
    ("endpoint", |one| cell(&one.record.endpoint)),
    ("api_type", |one| cell(&one.record.dialect)),
    ("status", |one| one.record.status.name().to_owned()),
    ("http_status", |one| one.record.http_status.to_string()),
    ("finish_reason", |one| cell(one.record.finish_reason.as_deref().unwrap_or_default())),
    ("error", |one| cell(one.record.error.as_deref().unwrap_or_default())),
    ("streamed", |one| one.record.streamed.to_string()),
    ("cached", |one| one.record.cache_source.is_some().to_string()),
    ("paid_by", |one| one.record.paid_by().to_owned()),
    ("input", |one| one.record.usage.input.to_string()),
    ("cache_read", |one| one.record.usage.cache_read.to_string()),
    ("cache_write", |one| one.record.usage.cache_write.to_string()),
    ("cache_write_1h", |one| one.record.usage.cache_write_1h.to_string()),
    ("audio_input", |one| one.record.usage.audio_input.to_string()),
    ("image_input", |one| one.record.usage.image_input.to_string()),
    ("output", |one| one.record.usage.output.to_string()),
    ("reasoning", |one| one.record.usage.reasoning.to_string()),
    ("audio_output", |one| one.record.usage.audio_output.to_string()),
    ("image_output", |one| one.record.usage.image_output.to_string()),
    ("searches", |one| one.record.usage.searches.to_string()),
    ("images", |one| one.record.usage.images.to_string()),
    ("audio_seconds", |one| one.record.usage.audio_seconds.to_string()),
    ("characters", |one| one.record.usage.characters.to_string()),
    ("ttft_ms", |one| one.record.ttft_us.map_or_else(String::new, |us| (us / 1_000).to_string())),
    ("duration_ms", |one| (one.record.duration_us / 1_000).to_string()),
    ("price_version", |one| cell(&one.record.price_version)),
    ("cost_usd", |one| one.record.cost.total.to_string()),
    ("cost_corrected_usd", |one| one.cost_corrected.to_string()),
    ("charged_usd", |one| one.record.charged.to_string()),
    ("charged_corrected_usd", |one| one.charged_corrected.to_string()),
    ("charged_total_usd", |one| charged(one).to_string()),
];

impl Exporter {
    /// One for a format; `seller` is who sells the use.
    pub fn new(format: Format, seller: &str) -> Exporter {
        Exporter { format, seller: seller.to_owned() }
    }

    /// What stands before the first row.
    pub fn head(&self) -> String {
        let names = match self.format {
            Format::Csv => COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            Format::Focus => focus::names(),
            Format::Jsonl => return String::new(),
        };
        line(&names)
    }

    /// The rows of some generations.
    pub fn rows(&self, page: &[Listed]) -> String {
        let mut text = String::new();
        for one in page {
            match self.format {
                Format::Csv => {
                    let cells: Vec<String> = COLUMNS.iter().map(|(_, of)| of(one)).collect();
                    text.push_str(&line(&cells));
                }
                Format::Jsonl => {
                    text.push_str(&log::listed(one).to_string());
                    text.push('\n');
                }
                Format::Focus => {
                    focus::charges(one, &self.seller).iter().for_each(|cells| text.push_str(&line(cells)))
                }
            }
        }
        text
    }

    /// What stands at the end where the rest could not be read.
    pub fn broken(&self) -> String {
        const WHY: &str = "the store stopped answering: this export is not whole";
        match self.format {
            Format::Jsonl => format!("{}\n", serde_json::json!({ "error": WHY })),
            Format::Csv | Format::Focus => line(&[String::from("error"), cell(WHY)]),
        }
    }
}

/// What was charged with all corrections so far.
pub(crate) fn charged(one: &Listed) -> Money {
    one.record.charged.saturating_add(one.charged_corrected)
}

/// What a generation counts for beside account and key, by its kind.
pub(crate) fn subject<'r>(record: &'r GenerationRecord, kind: &str) -> &'r str {
    record.counted.iter().find_map(|subject| subject.strip_prefix(kind)).unwrap_or_default()
}

/// The app, as it named itself.
pub(crate) fn app(record: &GenerationRecord) -> &str {
    let app = record.app.as_ref();
    app.and_then(|app| app.title.as_deref().or(app.referer.as_deref())).unwrap_or_default()
}

fn asked(record: &GenerationRecord) -> &str {
    if record.requested_model.is_empty() { &record.model } else { &record.requested_model }
}

fn dimensions(record: &GenerationRecord) -> String {
    match record.dimensions.is_empty() {
        true => String::new(),
        false => serde_json::to_value(&record.dimensions).unwrap_or(Value::Null).to_string(),
    }
}
