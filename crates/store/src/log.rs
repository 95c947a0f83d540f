//! The log: generations found by what is known of them, newest first. Reads a narrow table beside the records, so that a page costs
//! the same among a thousand and among ten million; where little matches, a page ends after so many rows that were looked at, with a
//! cursor to go on from.

use ledger::GenerationRecord;
use serde_json::{Map, Value as Json};
use types::{AccountId, GenerationId, Money, Timestamp};

use crate::db::{Tx, Value, decode_row};
use crate::generations::{column, read};
use crate::{Store, StoreError, facets};

/// Most rows that are looked at for one page.
pub const LOG_SCAN_ROWS: i64 = 50_000;
/// Most rows of one page.
pub const LOG_PAGE_MAX: i64 = 500;
/// Most generations that totals of a session or trace are made of.
pub const LOG_TOTALS_ROWS: i64 = 100_000;

/// What is asked for; what is left out does not bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
    /// Columns that must have this text.
    pub texts: Vec<(LogText, String)>,
    /// Columns that must have at least this number, and at most that.
    pub numbers: Vec<(LogNumber, Option<i64>, Option<i64>)>,
    /// What was said of the answer.
    pub feedback: Option<Said>,
}

/// A text that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogText {
    /// The key's id.
    Key,
    /// The concrete model.
    Model,
    /// The provider's slug.
    Provider,
    /// `ok`, `cancelled`, `truncated`, `failed`.
    Status,
    /// `stop`, `length`, ...
    FinishReason,
    /// The error's stable name.
    Error,
    /// The session.
    Session,
    /// The trace.
    Trace,
    /// The caller's own user.
    User,
    /// The app.
    App,
    /// One of the tags.
    Tag,
}

/// A number that can be bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogNumber {
    /// What it cost as it was booked, nano-dollars.
    Cost,
    /// Microseconds to the last byte.
    Duration,
    /// Microseconds to the first byte of content.
    Ttft,
    /// All input tokens.
    InputTokens,
    /// All output tokens.
    OutputTokens,
}

/// What was said of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Anything.
    Something,
    /// Nothing.
    Nothing,
    /// That it was good: a score of at least 0.5.
    Good,
    /// That it was bad: a score below 0.5.
    Bad,
}

/// A place in the log: what is behind it is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCursor {
    /// When the generation began.
    pub created: Timestamp,
    /// Its id.
    pub id: GenerationId,
}

/// A generation of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its record, without the price sheet.
    pub record: GenerationRecord,
    /// What corrections added to its cost.
    pub cost_corrected: Money,
    /// What corrections added to what was charged.
    pub charged_corrected: Money,
    /// What was said of it.
    pub feedback: Map<String, Json>,
}

/// A page of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPage {
    /// Newest first.
    pub generations: Vec<Listed>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<LogCursor>,
}

/// What the generations of a session or trace come to, corrections included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTotals {
    /// Generations.
    pub requests: i64,
    /// Those that failed.
    pub failed: i64,
    /// All input tokens.
    pub input_tokens: i64,
    /// All output tokens.
    pub output_tokens: i64,
    /// What they cost.
    pub cost: Money,
    /// What was charged for them.
    pub charged: Money,
    /// When the first began, microseconds since 1970.
    pub first: i64,
    /// When the last one ended, microseconds since 1970.
    pub last: i64,
}

decode_row!(LogTotals, |row| {
    Ok(LogTotals {
        requests: row.try_get(0)?,
        failed: row.try_get(1)?,
        input_tokens: row.try_get(2)?,
        output_tokens: row.try_get(3)?,
        cost: Money::from_nanos(row.try_get(4)?),
        charged: Money::from_nanos(row.try_get(5)?),
        first: row.try_get(6)?,
        last: row.try_get(7)?,
    })
});

impl LogText {
    const fn column(self) -> &'static str {
        match self {
            LogText::Key => "l.api_key",
            LogText::Model => "l.model",
            LogText::Provider => "l.provider",
            LogText::Status => "l.status",
            LogText::FinishReason => "l.finish_reason",
            LogText::Error => "l.error",
            LogText::Session => "l.session",
            LogText::Trace => "l.trace",
            LogText::User => "l.end_user",
            LogText::App => "l.app",
            LogText::Tag => "l.tags",
        }
    }

    /// Whether the few rows with one value are found without the others.
    const fn is_indexed(self) -> bool {
        matches!(self, LogText::Session | LogText::Trace | LogText::User)
    }
}

impl LogNumber {
    const fn column(self) -> &'static str {
        match self {
            LogNumber::Cost => "l.cost",
            LogNumber::Duration => "l.duration_us",
            LogNumber::Ttft => "l.ttft_us",
            LogNumber::InputTokens => "l.input_tokens",
            LogNumber::OutputTokens => "l.output_tokens",
        }
    }
}

/// Conditions and their values.
#[derive(Default)]
struct Where {
    text: String,
    values: Vec<Value<'static>>,
}

impl Where {
    fn of(account: &AccountId) -> Where {
        let mut all = Where::default();
        all.value("l.account = ", account.as_str().to_owned());
        all
    }

    fn plain(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "" } else { " AND " });
        self.text.push_str(condition);
    }

    /// `condition` with a placeholder behind it.
    fn value(&mut self, condition: &str, value: impl Into<Value<'static>>) {
        self.values.push(value.into());
        self.plain(&format!("{condition}${}", self.values.len()));
    }

    /// Behind a place, the newer being first.
    fn behind(&mut self, cursor: &LogCursor) {
        self.value("l.created <= ", cursor.created.micros());
        self.values.push(cursor.created.micros().into());
        self.values.push(cursor.id.to_string().into());
        let last = self.values.len();
        self.plain(&format!("(l.created < ${} OR l.id < ${last})", last - 1));
    }

    /// Not behind a place.
    fn not_behind(&mut self, created: i64, id: &str) {
        self.value("l.created >= ", created);
        self.values.push(created.into());
        self.values.push(id.to_owned().into());
        let last = self.values.len();
        self.plain(&format!("(l.created > ${} OR l.id >= ${last})", last - 1));
    }

    fn text_is(&mut self, text: LogText, value: &str) {
        let column = text.column();
        match text {
            LogText::Tag => {
                self.values.push(format!("\n{value}\n").into());
                let at = self.values.len();
                // No LIKE: nothing that a caller writes is a pattern.
                self.plain(&format!("LENGTH(REPLACE({column}, ${at}, '')) < LENGTH({column})"));
            }
            _ => {
                self.value(&format!("{column} = "), value.to_owned());
                if text.is_indexed() {
                    self.plain(&format!("{column} <> ''"));
                }
            }
        }
    }

    /// What an index or the order of the table finds.
    fn ranged(&mut self, filter: &LogFilter, cursor: Option<&LogCursor>) {
        if let Some(from) = filter.from {
            self.value("l.created >= ", from.micros());
        }
        if let Some(to) = filter.to {
            self.value("l.created < ", to.micros());
        }
        for (text, value) in filter.texts.iter().filter(|(text, _)| text.is_indexed()) {
            self.text_is(*text, value);
        }
        if let Some(cursor) = cursor {
            self.behind(cursor);
        }
    }

    /// What each row is looked at for.
    fn looked_at(&mut self, filter: &LogFilter) {
        for (text, value) in filter.texts.iter().filter(|(text, _)| !text.is_indexed()) {
            self.text_is(*text, value);
        }
        for (number, least, most) in &filter.numbers {
            let column = number.column();
            if let Some(least) = least {
                self.value(&format!("{column} >= "), *least);
            }
            if let Some(most) = most {
                self.value(&format!("{column} <= "), *most);
                self.plain(&format!("{column} > {NO_TTFT}"));
            }
        }
        match filter.feedback {
            None => (),
            Some(Said::Something) => self.plain("f.generation IS NOT NULL"),
            Some(Said::Nothing) => self.plain("f.generation IS NULL"),
            Some(Said::Good) => self.plain("f.score >= 500"),
            Some(Said::Bad) => self.plain("f.score < 500"),
        }
    }
}

impl LogFilter {
    fn looks_at_rows(&self) -> bool {
        self.feedback.is_some()
            || !self.numbers.is_empty()
            || self.texts.iter().any(|(text, _)| !text.is_indexed())
    }
}

struct Row {
    body: String,
    cost_corrected: i64,
    charged_corrected: i64,
    feedback: Option<String>,
}

decode_row!(Row, |row| {
    Ok(Row {
        body: row.try_get(0)?,
        cost_corrected: row.try_get(1)?,
        charged_corrected: row.try_get(2)?,
        feedback: row.try_get(3)?,
    })
});

impl Row {
    fn listed(self) -> Result<Listed, StoreError> {
        let feedback = self.feedback.map(|body| crate::feedback::read(&body)).transpose()?;
        Ok(Listed {
            record: read(&self.body, None)?,
            cost_corrected: Money::from_nanos(self.cost_corrected),
            charged_corrected: Money::from_nanos(self.charged_corrected),
            feedback: feedback.unwrap_or_default(),
        })
    }
}

/// The log goes first: both databases find the rows there, and look the records of those up.
const PAGE: &str = "SELECT g.body,
        CAST(COALESCE((SELECT SUM(c.cost) FROM corrections c WHERE c.generation = l.id), 0) AS BIGINT),
        CAST(COALESCE((SELECT SUM(c.charged) FROM corrections c WHERE c.generation = l.id), 0) AS BIGINT), f.body
    FROM generation_log l LEFT JOIN feedback f ON f.generation = l.id CROSS JOIN generations g
    WHERE g.id = l.id AND ";

impl Store {
    /// A page of an account's generations, newest first, behind `cursor`.
    pub async fn log(
        &self,
        account: &AccountId,
        filter: &LogFilter,
        cursor: Option<&LogCursor>,
        limit: i64,
    ) -> Result<LogPage, StoreError> {
        let limit = limit.clamp(1, LOG_PAGE_MAX);
        let mut found = Where::of(account);
        found.ranged(filter, cursor);
        let mut end = None;
        if filter.looks_at_rows() {
            let sql = format!(
                "SELECT l.created, l.id FROM generation_log l WHERE {} ORDER BY l.created DESC, l.id DESC
                 LIMIT 1 OFFSET {}",
                found.text,
                LOG_SCAN_ROWS - 1
            );
            let rows: Vec<(i64, String)> = self.db.fetch_built(sql, &found.values).await?;
            if let Some((created, id)) = rows.into_iter().next() {
                found.not_behind(created, &id);
                let id = GenerationId::parse(&id);
                end = id.map(|id| LogCursor { created: Timestamp(created), id });
            }
        }
        found.looked_at(filter);
        let sql = format!(
            "{PAGE}{} ORDER BY l.created DESC, l.id DESC LIMIT {}",
            found.text,
            limit.saturating_add(1)
        );
        let rows: Vec<Row> = self.db.fetch_built(sql, &found.values).await?;
        let mut generations = rows.into_iter().map(Row::listed).collect::<Result<Vec<_>, _>>()?;
        let full = usize::try_from(limit).unwrap_or(usize::MAX);
        if generations.len() > full {
            generations.truncate(full);
            end = generations.last().map(|one| LogCursor { created: one.record.created, id: one.record.id });
        }
        Ok(LogPage { generations, next: end })
    }

    /// An account's generations from an instant on and before another, oldest first: at most [`LOG_PAGE_MAX`] behind the one that
    /// a page before ended with. For exports.
    pub async fn log_onward(
        &self,
        account: &AccountId,
        key: Option<&types::KeyId>,
        (from, to): (Timestamp, Timestamp),
        behind: Option<&LogCursor>,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut found = Where::of(account);
        found.value("l.created < ", to.micros());
        match behind {
            None => found.value("l.created >= ", from.micros()),
            Some(last) => {
                found.value("l.created >= ", last.created.micros());
                found.values.push(last.created.micros().into());
                found.values.push(last.id.to_string().into());
                let at = found.values.len();
                found.plain(&format!("(l.created > ${} OR l.id > ${at})", at - 1));
            }
        }
        if let Some(key) = key {
            found.value("l.api_key = ", key.as_str().to_owned());
        }
        let sql = format!("{PAGE}{} ORDER BY l.created, l.id LIMIT {LOG_PAGE_MAX}", found.text);
        let rows: Vec<Row> = self.db.fetch_built(sql, &found.values).await?;
        rows.into_iter().map(Row::listed).collect()
    }

    /// What the generations with a text come to: at most the newest [`LOG_TOTALS_ROWS`] of them.
    pub async fn log_totals(
        &self,
        account: &AccountId,
        key: Option<&types::KeyId>,
        (text, value): (LogText, &str),
    ) -> Result<LogTotals, StoreError> {
        let mut found = Where::of(account);
        found.text_is(text, value);
        if let Some(key) = key {
            found.value("l.api_key = ", key.as_str().to_owned());
        }
        let sql = format!(
            "SELECT CAST(COUNT(*) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN t.status = 'failed' THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(t.input_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(t.output_tokens), 0) AS BIGINT),
                CAST(COALESCE(SUM(t.cost + (SELECT COALESCE(SUM(c.cost), 0)
                    FROM corrections c WHERE c.generation = t.id)), 0) AS BIGINT),
                CAST(COALESCE(SUM(t.charged + (SELECT COALESCE(SUM(c.charged), 0)
                    FROM corrections c WHERE c.generation = t.id)), 0) AS BIGINT),
                CAST(COALESCE(MIN(t.created), 0) AS BIGINT), CAST(COALESCE(MAX(t.created + t.duration_us), 0) AS BIGINT)
            FROM (SELECT l.* FROM generation_log l WHERE {}
                  ORDER BY l.created DESC LIMIT {LOG_TOTALS_ROWS}) t",
            found.text
        );
        let rows: Vec<LogTotals> = self.db.fetch_built(sql, &found.values).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }
}

/// Most that a count of tokens in the log can say.
const TOKENS_MAX: u64 = 1_000_000_000_000;

/// Where no content arrived.
const NO_TTFT: i64 = -1;
/// How many columns there are.
pub(crate) const COLUMNS: usize = 20;
const HEAD: &str = "INSERT INTO generation_log (account, created, id, api_key, model, provider, status, finish_reason, error,
    session, trace, end_user, app, tags, cost, charged, duration_us, ttft_us, input_tokens, output_tokens)";
/// The rows of generations behind one id and up to another.
pub(crate) const ROWS_OF: &str =
    "SELECT l.account, l.created, l.id, l.api_key, l.model, l.provider, l.status, l.finish_reason, l.error,
        l.session, l.trace, l.end_user, l.app, l.tags, l.cost, l.charged, l.duration_us, l.ttft_us, l.input_tokens,
        l.output_tokens
    FROM generations g CROSS JOIN generation_log l
    WHERE g.id > $1 AND g.id <= $2 AND l.account = g.account AND l.created = g.created AND l.id = g.id";

/// Writes generations into the log. One that is there stays as it is.
pub(crate) async fn insert<'r>(
    tx: &mut Tx,
    records: impl Iterator<Item = &'r GenerationRecord>,
) -> Result<(), StoreError> {
    let mut records: Vec<&GenerationRecord> = records.collect();
    // As the rows of an account stand: one behind the other.
    records.sort_by_cached_key(|record| (record.created, record.id));
    let rows: Vec<Vec<Value<'_>>> = records.into_iter().map(row).collect();
    tx.put(HEAD, &rows, "ON CONFLICT (account, created, id) DO NOTHING").await.map(drop)
}

/// A row, in the order of columns.
pub(crate) fn row<'r>(record: &'r GenerationRecord) -> Vec<Value<'r>> {
    let text = |text: &'r Option<String>| column(text.as_deref().unwrap_or_default());
    let tags: Vec<&str> = record.counted.iter().filter_map(|subject| subject.strip_prefix("tag:")).collect();
    let tags = if tags.is_empty() { String::new() } else { format!("\n{}\n", tags.join("\n\n")) };
    let tokens = |count: u64| Value::Int(count.min(TOKENS_MAX).cast_signed());
    vec![
        column(record.account.as_str()),
        record.created.micros().into(),
        record.id.as_str().into(),
        column(record.key.as_str()),
        column(&record.model),
        column(&record.provider),
        record.status.name().into(),
        text(&record.finish_reason),
        text(&record.error),
        text(&record.session_id),
        column(facets::trace(record)),
        column(facets::user(record)),
        column(facets::app(record)),
        tags.replace('\0', "\u{fffd}").into(),
        record.cost.total.into(),
        record.charged.into(),
        record.duration_us.into(),
        record.ttft_us.unwrap_or(NO_TTFT).into(),
        tokens(record.usage.input_total()),
        tokens(record.usage.output_total()),
    ]
}
