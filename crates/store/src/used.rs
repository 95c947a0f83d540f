//! Answers about use, out of the rollups: sums and distributions over a span, in one row or one per hour or day, by up to a few of
//! what they are told apart by. No question reads the records.

use types::{AccountId, KeyId};

use crate::db::{Value, decode_row};
use crate::measures::{Figures, Measure, Spread};
use crate::rollups::{Rollup, sketch};
use crate::{Store, StoreError, facets};

/// Most rows of an answer.
pub const ROWS_MAX: usize = 50_000;
/// Most hours or days that are named one by one.
const NAMED_MAX: i64 = 1_000;
/// Most things that an answer is told apart by.
const GROUPS_MAX: usize = 3;

/// What use is told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The key's id.
    Key,
    /// The concrete model.
    Model,
    /// The provider's slug.
    Provider,
    /// A facet: `app`, `user`, `tag`, `project`, `model_requested`, `endpoint`, `api_type`, `finish_reason`, `error`, or
    /// [`DIMENSION`](crate::DIMENSION) and a dimension's name.
    Facet(String),
}

/// Only some of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What goes by.
    pub by: By,
    /// The values.
    pub values: Vec<String>,
    /// True: only these; false: all but these.
    pub keeps: bool,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Whose use.
    pub account: &'a AccountId,
    /// Of one key, or all.
    pub key: Option<&'a KeyId>,
    /// From hours, else from days.
    pub hours: bool,
    /// The first hour or day, counted from 1970-01-01 in UTC.
    pub from: i64,
    /// The hour or day behind the last.
    pub to: i64,
    /// One row per hour or day, else one for all.
    pub split: bool,
    /// What it is told apart by.
    pub groups: &'a [By],
    /// What bounds it.
    pub filters: &'a [Filter],
    /// What is counted; the rest of the answer's sums is 0.
    pub measures: &'a [Measure],
    /// What is counted together, under the first of these: all of it that nobody asks for by itself costs one sum and not one each.
    pub joined: &'a [Measure],
    /// Which distributions; the rest is empty.
    pub spreads: &'a [Spread],
    /// Only so many rows, those with most of this; what is the same stands in the usual order.
    pub most: Option<(Measure, usize)>,
}

/// A row of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedRow {
    /// The hour or day; 0 where there is one row for all.
    pub at: i64,
    /// Values of the groups, in their order.
    pub groups: Vec<String>,
    /// What was counted.
    pub figures: Figures,
}

struct Decoded {
    at: i64,
    groups: [String; GROUPS_MAX],
    figures: Figures,
    sketches: [String; 3],
}

decode_row!(Decoded, |row| {
    let mut figures = Figures::default();
    let first = 1 + GROUPS_MAX;
    for (at, measure) in Measure::ALL.into_iter().enumerate() {
        figures.sums.put(measure, row.try_get(first + at)?);
    }
    let last = first + Measure::COUNT;
    Ok(Decoded {
        at: row.try_get(0)?,
        groups: [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?],
        figures,
        sketches: [row.try_get(last)?, row.try_get(last + 1)?, row.try_get(last + 2)?],
    })
});

/// The text of a question, and its values.
struct Asked<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Asked<'a> {
    fn placeholder(&mut self, value: impl Into<Value<'a>>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Of the account, within the span.
    fn within(&mut self, question: &'a Question<'_>, at: &str) -> String {
        let account = self.placeholder(question.account.as_str());
        let (from, to) = (self.placeholder(question.from), self.placeholder(question.to));
        format!("account = {account} AND {at} >= {from} AND {at} < {to}")
    }
}

/// Everything that a question goes by.
fn by<'a>(question: &'a Question<'_>) -> impl Iterator<Item = &'a By> {
    question.groups.iter().chain(question.filters.iter().map(|filter| &filter.by))
}

/// The one facet of a question. No rollup knows a model and a facet together, nor two facets.
fn facet<'a>(question: &'a Question<'_>) -> Result<Option<&'a str>, StoreError> {
    let all = || by(question);
    let mut facets = all().filter_map(|by| match by {
        By::Facet(name) => Some(name.as_str()),
        _ => None,
    });
    let Some(first) = facets.next() else { return Ok(None) };
    if facets.any(|other| other != first) || all().any(|by| matches!(by, By::Model | By::Provider)) {
        return Err(StoreError::Invalid(format!(
            "`{first}` can be asked for by itself or together with the key, not with another such field, a model or a provider"
        )));
    }
    Ok(Some(first))
}

/// The part that knows all of a question by itself: by one of key, model and provider at most, that is, or by the account alone.
fn part(question: &Question<'_>) -> Option<&'static str> {
    let key = question.key.is_some().then_some(&By::Key);
    let mut all = by(question).chain(key);
    let Some(first) = all.next() else { return Some(facets::ALL) };
    let part = match first {
        By::Key => facets::KEY,
        By::Model => facets::MODEL,
        By::Provider => facets::PROVIDER,
        By::Facet(_) => return None,
    };
    all.all(|other| other == first).then_some(part)
}

/// Where an answer is read.
struct From<'a> {
    rollup: Rollup,
    /// The one facet that is read.
    facet: Option<&'a str>,
    /// It is a part.
    is_part: bool,
}

impl<'a> From<'a> {
    fn of(question: &'a Question<'_>) -> Result<From<'a>, StoreError> {
        let part = part(question);
        let facet = if part.is_some() { part } else { facet(question)? };
        let rollup = match (facet.is_some(), question.hours) {
            (false, false) => Rollup::Days,
            (false, true) => Rollup::Hours,
            (true, false) => Rollup::FacetDays,
            (true, true) => Rollup::FacetHours,
        };
        Ok(From { rollup, facet, is_part: part.is_some() })
    }

    const fn column(&self, by: &By) -> &'static str {
        match by {
            _ if self.is_part => "value",
            By::Key => "api_key",
            By::Model => "model",
            By::Provider => "provider",
            By::Facet(_) => "value",
        }
    }
}

/// Whether a few values of a facet are sought. A value stands last in the key of its rollup, behind the key and the hour or day: where
/// each of these is named, only the rows that count are read, and not those of every end user.
fn is_sought(question: &Question<'_>) -> bool {
    let is_named = |filter: &Filter| filter.keeps && matches!(filter.by, By::Facet(_));
    let span = question.to.saturating_sub(question.from);
    question.filters.iter().any(is_named) && (1..=NAMED_MAX).contains(&span)
}

/// What bounds an answer, joined.
fn conditions<'a>(
    asked: &mut Asked<'a>,
    question: &'a Question<'_>,
    from: &From<'a>,
) -> Result<String, StoreError> {
    let (is_sought, at) = (is_sought(question), from.rollup.at());
    let mut all = Vec::new();
    if is_sought {
        let account = asked.placeholder(question.account.as_str());
        let named: Vec<String> = (question.from..question.to).map(|n| asked.placeholder(n)).collect();
        all.push(format!("account = {account} AND {at} IN ({})", named.join(", ")));
    } else {
        all.push(asked.within(question, at));
    }
    if let Some(facet) = from.facet {
        all.push(format!("facet = {}", asked.placeholder(facet)));
        // Rows of the whole account have no key.
        let by_key =
            !from.is_part && (question.key.is_some() || by(question).any(|by| matches!(by, By::Key)));
        if by_key && question.hours {
            return Err(StoreError::Invalid(String::from(
                "by the hour, this is known of the whole account only, not of a key; ask for days",
            )));
        }
        all.push(match (by_key, is_sought && question.key.is_none()) {
            (false, _) => String::from("api_key = ''"),
            (true, false) => String::from("api_key <> ''"),
            (true, true) => {
                let (table, within) = (Rollup::Days.table(), asked.within(question, Rollup::Days.at()));
                format!("api_key IN (SELECT DISTINCT api_key FROM {table} WHERE {within})")
            }
        });
    }
    if let Some(key) = question.key {
        all.push(format!("{} = {}", from.column(&By::Key), asked.placeholder(key.as_str())));
    }
    for filter in question.filters {
        let list: Vec<String> = filter.values.iter().map(|value| asked.placeholder(value.as_str())).collect();
        let (name, is) = (from.column(&filter.by), if filter.keeps { "IN" } else { "NOT IN" });
        match list.is_empty() {
            true => all.push(if filter.keeps { "1 = 0" } else { "1 = 1" }.to_owned()),
            false => all.push(format!("{name} {is} ({})", list.join(", "))),
        }
    }
    Ok(all.join(" AND "))
}

/// The rows of an answer with what they are grouped by and what is counted, so that no other number goes through the sorting.
fn narrowed(question: &Question<'_>, from: &From<'_>, conditions: &str) -> String {
    let mut columns = vec![from.rollup.at()];
    for name in question.groups.iter().map(|by| from.column(by)) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns.extend(
        question.measures.iter().filter(|measure| !question.joined.contains(measure)).map(|m| m.column()),
    );
    columns.extend(question.spreads.iter().map(|spread| spread.column()));
    let joined: Vec<&str> = question.joined.iter().map(|measure| measure.column()).collect();
    // With a limit, neither database puts the columns of the table back.
    format!(
        "SELECT {}, {} AS joined FROM {} WHERE {conditions} LIMIT {}",
        columns.join(", "),
        joined.join(" + "),
        from.rollup.table(),
        i64::MAX
    )
}

/// What an answer has of a measure.
fn counted(question: &Question<'_>, measure: Measure) -> String {
    match question.joined.first() {
        Some(first) if *first == measure => String::from("SUM(joined)"),
        _ if question.measures.contains(&measure) => format!("SUM({})", measure.column()),
        _ => String::from("0"),
    }
}

fn ask<'a>(question: &'a Question<'_>) -> Result<Asked<'a>, StoreError> {
    if question.groups.len() > GROUPS_MAX {
        return Err(StoreError::Invalid(format!("use is told apart by at most {GROUPS_MAX} fields at once")));
    }
    let from = From::of(question)?;
    let (table, at) = (from.rollup.table(), from.rollup.at());
    let mut asked = Asked { text: String::new(), values: Vec::new() };
    let mut columns = vec![if question.split { at.to_owned() } else { "CAST(0 AS BIGINT)".to_owned() }];
    let groups =
        (0..GROUPS_MAX).map(|n| question.groups.get(n).map_or("''", |by| from.column(by)).to_owned());
    columns.extend(groups);
    columns.extend(Measure::ALL.map(|measure| format!("CAST({} AS BIGINT)", counted(question, measure))));
    columns.extend(Spread::ALL.iter().map(|spread| match question.spreads.contains(spread) {
        true => format!("STRING_AGG({}, '')", spread.column()),
        false => "''".to_owned(),
    }));
    let conditions = conditions(&mut asked, question, &from)?;
    let mut apart: Vec<&str> = Vec::new();
    if question.split {
        apart.push(at);
    }
    apart.extend(question.groups.iter().map(|by| from.column(by)));
    let text = match question.joined.is_empty() {
        true => format!("SELECT {} FROM {table} WHERE {conditions}", columns.join(", ")),
        false => format!(
            "SELECT {} FROM ({}) j WHERE 1 = 1",
            columns.join(", "),
            narrowed(question, &from, &conditions)
        ),
    };
    asked.text = match apart.is_empty() {
        // Without groups there would be a row of nulls where nothing was used.
        true => format!("{text} HAVING COUNT(*) > 0"),
        false => {
            let apart = apart.join(", ");
            let (order, limit) = match question.most {
                None => (apart.clone(), ROWS_MAX + 1),
                Some((measure, count)) => (format!("{} DESC, {apart}", counted(question, measure)), count),
            };
            format!("{text} GROUP BY {apart} ORDER BY {order} LIMIT {limit}")
        }
    };
    Ok(asked)
}

impl Store {
    /// Answers a question about use, in the order of hours or days and groups, unless it asks for those with [most](Question::most).
    ///
    /// # Errors
    /// `Invalid` when no rollup knows what is asked, or the answer has more than [`ROWS_MAX`] rows.
    pub async fn used(&self, question: &Question<'_>) -> Result<Vec<UsedRow>, StoreError> {
        let asked = ask(question)?;
        let rows: Vec<Decoded> = self.db.fetch_built(asked.text, &asked.values).await?;
        if rows.len() > ROWS_MAX {
            return Err(StoreError::Invalid(format!(
                "the answer has more than {ROWS_MAX} rows; ask for a shorter span, for days instead of hours, or by less"
            )));
        }
        rows.into_iter()
            .map(|row| {
                let mut figures = row.figures;
                for (spread, text) in figures.spreads.iter_mut().zip(&row.sketches) {
                    *spread = sketch(text)?;
                }
                let groups = row.groups.into_iter().take(question.groups.len()).collect();
                Ok(UsedRow { at: row.at, groups, figures })
            })
            .collect()
    }
}
