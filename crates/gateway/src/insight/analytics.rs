//! `POST /v1/analytics/query`: any metrics by any of what use is told apart by, in OpenRouter's shape. Read from the rollups. A GET asks
//! the same in an address ([`super::link`]).

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{By, Filter, Measure};
use tokio::time::Instant;

use super::fields::{METRICS, Metric, Told, dimension};
use super::span::{self, Grain, Span};
use super::table::{Needs, Row, Wanted, needs};
use super::{Scope, invalid};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::csv::{cell, line};
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::router;

/// Days that are answered when no span is given, today included.
const DAYS: i64 = 30;
const METRICS_MAX: usize = 30;
const DIMENSIONS_MAX: usize = 3;
const FILTERS_MAX: usize = 20;
const VALUES_MAX: usize = 100;
const ROWS: usize = 1_000;
const ROWS_MAX: usize = 10_000;
const EXAMPLE: &str = r#"{"metrics": ["total_usage"], "dimensions": ["model"], "granularity": "day"}"#;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    pub(super) metrics: Vec<String>,
    #[serde(default)]
    pub(super) dimensions: Vec<String>,
    #[serde(default)]
    pub(super) filters: Vec<AskedFilter>,
    pub(super) granularity: Option<String>,
    pub(super) time_range: Option<TimeRange>,
    pub(super) order_by: Option<OrderBy>,
    pub(super) limit: Option<usize>,
    #[serde(flatten)]
    pub(super) rest: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TimeRange {
    pub(super) start: String,
    pub(super) end: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OrderBy {
    pub(super) field: String,
    pub(super) direction: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AskedFilter {
    pub(super) field: String,
    pub(super) operator: String,
    pub(super) value: Value,
}

/// A bound of a metric.
#[derive(Clone, Copy, Debug)]
struct Bound {
    metric: Metric,
    operator: Operator,
    than: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    More,
    Least,
    Less,
    Most,
    Same,
    Other,
}

/// A query that can be asked.
#[derive(Debug)]
struct Query {
    metrics: Vec<(String, Metric)>,
    dimensions: Vec<(String, By)>,
    filters: Vec<Filter>,
    bounds: Vec<Bound>,
    grain: Grain,
    span: Span,
    order: Order,
    limit: usize,
    warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// By time, then by groups.
    Time,
    By(usize, bool),
    Group(usize, bool),
}

impl Query {
    fn read(asked: Asked, now_s: i64) -> Result<Query, GatewayError> {
        let bounded = [
            ("metrics", asked.metrics.len(), 1, METRICS_MAX),
            ("dimensions", asked.dimensions.len(), 0, DIMENSIONS_MAX),
            ("filters", asked.filters.len(), 0, FILTERS_MAX),
        ];
        for (name, count, least, most) in bounded {
            if !(least..=most).contains(&count) {
                return Err(invalid(format!("`{name}` has {least} to {most} entries, not {count}")));
            }
        }
        let metrics = named(asked.metrics, Metric::read)?;
        let dimensions = named(asked.dimensions, dimension)?;
        let (filters, bounds) = filters(asked.filters)?;
        let grain =
            asked.granularity.as_deref().map_or(Ok(Grain::Whole), |name| Grain::read("granularity", name))?;
        let span = match asked.time_range {
            None => Span::usual(grain, DAYS, now_s),
            Some(range) => {
                let end = match range.end {
                    Some(end) => span::read(&end, "time_range.end", true, false)?,
                    None => Span::last_days(1, now_s).to,
                };
                Span::of(span::read(&range.start, "time_range.start", false, false)?, end)?
            }
        };
        let order = order(asked.order_by, &metrics, &dimensions)?;
        let warnings =
            asked.rest.keys().map(|name| format!("`{name}` is not known here and was left out")).collect();
        let limit = asked.limit.unwrap_or(ROWS);
        if !(1..=ROWS_MAX).contains(&limit) {
            return Err(invalid(format!("`limit` is 1 to {ROWS_MAX}")));
        }
        Ok(Query { metrics, dimensions, filters, bounds, grain, span, order, limit, warnings })
    }

    fn wanted(&self, scope: Scope) -> Result<Wanted, GatewayError> {
        let all = self.metrics.iter().map(|(_, metric)| *metric).chain(self.bounds.iter().map(|b| b.metric));
        let Needs { measures, joined, spreads } = needs(all);
        let pieces = self.span.pieces(self.grain)?;
        Ok(Wanted {
            scope,
            grain: self.grain,
            most: self.most().filter(|_| pieces.len() == 1),
            pieces,
            groups: self.dimensions.iter().map(|(_, by)| by.clone()).collect(),
            filters: self.filters.clone(),
            measures,
            joined,
            spreads,
        })
    }

    /// What the store can put in order by itself, with a row more than are answered, so that one knows of it: with the table of every
    /// end user, thousands of rows would come and fifty be told.
    fn most(&self) -> Option<(Measure, usize)> {
        let Order::By(at, true) = self.order else { return None };
        if !self.bounds.is_empty() {
            return None;
        }
        match self.metrics.get(at)?.1 {
            Metric::Count(measure) | Metric::Usd(measure) => Some((measure, self.limit + 1)),
            _ => None,
        }
    }

    /// The rows in order, and how many there were.
    fn ordered(&self, mut rows: Vec<Row>) -> (Vec<Row>, usize) {
        rows.retain(|row| self.bounds.iter().all(|bound| bound.holds(row)));
        match self.order {
            Order::Time => (),
            Order::By(at, falls) => {
                let metric = self.metrics.get(at).map(|(_, metric)| *metric);
                let rank = |row: &Row| metric.map_or(0, |metric| metric.of(&row.figures).rank());
                rows.sort_by(|a, b| if falls { rank(b).cmp(&rank(a)) } else { rank(a).cmp(&rank(b)) });
            }
            Order::Group(at, falls) => rows.sort_by(|a, b| {
                let (a, b) = (a.groups.get(at), b.groups.get(at));
                if falls { b.cmp(&a) } else { a.cmp(&b) }
            }),
        }
        let found = rows.len();
        rows.truncate(self.limit);
        (rows, found)
    }

    fn row(&self, row: &Row) -> String {
        let mut object = serde_json::Map::new();
        if self.grain != Grain::Whole {
            object.insert("date".to_owned(), json!(row.at));
        }
        for ((name, _), value) in self.dimensions.iter().zip(&row.groups) {
            object.insert(name.clone(), json!(value));
        }
        let mut text = Value::Object(object).to_string();
        text.pop();
        for (name, metric) in &self.metrics {
            let comma = if text.len() > 1 { "," } else { "" };
            text.push_str(&format!("{comma}{}:{}", json!(name), metric.of(&row.figures).json()));
        }
        text.push('}');
        text
    }
}

fn named<T>(
    names: Vec<String>,
    read: fn(&str) -> Result<T, GatewayError>,
) -> Result<Vec<(String, T)>, GatewayError> {
    let mut all: Vec<(String, T)> = Vec::with_capacity(names.len());
    for name in names {
        if all.iter().any(|(known, _)| *known == name) {
            return Err(invalid(format!("`{name}` is asked for twice")));
        }
        let one = read(&name)?;
        all.push((name, one));
    }
    Ok(all)
}

fn order(
    asked: Option<OrderBy>,
    metrics: &[(String, Metric)],
    dimensions: &[(String, By)],
) -> Result<Order, GatewayError> {
    let Some(OrderBy { field, direction }) = asked else { return Ok(Order::Time) };
    let falls = match direction.as_deref() {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(invalid("`order_by.direction` is `asc` or `desc`")),
    };
    if field == "date" {
        return Ok(Order::Time);
    }
    if let Some(at) = metrics.iter().position(|(name, _)| *name == field) {
        return Ok(Order::By(at, falls));
    }
    let at = dimensions.iter().position(|(name, _)| *name == field);
    at.map(|at| Order::Group(at, falls)).ok_or_else(|| {
        invalid(format!("`order_by.field` is one of the metrics or dimensions asked for, not `{field}`"))
    })
}

fn filters(asked: Vec<AskedFilter>) -> Result<(Vec<Filter>, Vec<Bound>), GatewayError> {
    let (mut filters, mut bounds) = (Vec::new(), Vec::new());
    for AskedFilter { field, operator, value } in asked {
        if METRICS.iter().any(|(name, _)| *name == field) {
            bounds.push(bound(&field, &operator, &value)?);
            continue;
        }
        let by = dimension(&field)?;
        let (keeps, is_list) = match operator.as_str() {
            "eq" => (true, false),
            "neq" => (false, false),
            "in" => (true, true),
            "not_in" => (false, true),
            _ => return Err(invalid(format!("`{field}` is filtered by eq, neq, in or not_in"))),
        };
        let values = match value {
            Value::Array(values) if is_list => values,
            value if !is_list => vec![value],
            _ => return Err(invalid(format!("the value of `{field}` is a list"))),
        };
        let texts: Option<Vec<String>> =
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        let values = texts
            .filter(|values| values.len() <= VALUES_MAX)
            .ok_or_else(|| invalid(format!("`{field}` is filtered by at most {VALUES_MAX} texts")))?;
        filters.push(Filter { by, values, keeps });
    }
    Ok((filters, bounds))
}

fn bound(field: &str, operator: &str, value: &Value) -> Result<Bound, GatewayError> {
    let operator = match operator {
        "gt" => Operator::More,
        "gte" => Operator::Least,
        "lt" => Operator::Less,
        "lte" => Operator::Most,
        "eq" => Operator::Same,
        "neq" => Operator::Other,
        _ => return Err(invalid(format!("`{field}` is bounded by eq, neq, gt, gte, lt or lte"))),
    };
    let text = match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => format!("{number:.9}"),
            None => number.to_string(),
        },
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    // All metrics are compared in billionths, as money is.
    let than: types::Money = text
        .parse()
        .map_err(|_| invalid(format!("`{field}` is bounded by a number of at most nine decimals")))?;
    Ok(Bound { metric: Metric::read(field)?, operator, than: i128::from(than.nanos()) })
}

impl Bound {
    fn holds(&self, row: &Row) -> bool {
        let told = self.metric.of(&row.figures);
        let rank = told.rank();
        told != Told::Nothing
            && match self.operator {
                Operator::More => rank > self.than,
                Operator::Least => rank >= self.than,
                Operator::Less => rank < self.than,
                Operator::Most => rank <= self.than,
                Operator::Same => rank == self.than,
                Operator::Other => rank != self.than,
            }
    }
}

/// An answer before it is written down.
pub(super) struct Answer {
    query: Query,
    rows: Vec<Row>,
    found: usize,
    took_ms: u64,
}

/// Answers a query.
pub(crate) async fn query(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    // Who asks is told first, then what is wrong with the question.
    Scope::of(worker, &parts)?;
    let asked = Desk::open(worker, &parts).body(&body, EXAMPLE)?;
    Ok(router::json(answer(worker, &parts, asked).await?.json()))
}

/// Asks the rollups.
pub(super) async fn answer(
    worker: &Arc<Worker>,
    parts: &Parts,
    asked: Asked,
) -> Result<Answer, GatewayError> {
    let scope = Scope::of(worker, parts)?;
    let desk = Desk::open(worker, parts);
    let query = Query::read(asked, desk.now().seconds())?;
    let wanted = query.wanted(scope)?;
    let began = Instant::now();
    let rows = desk.store(|gateway| async move { wanted.ask(&gateway.store).await }).await?;
    let (rows, found) = query.ordered(rows);
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Answer { query, rows, found, took_ms })
}

impl Answer {
    /// In OpenRouter's shape.
    pub(super) fn json(&self) -> String {
        let [start, end] = self.query.span.ends();
        let metadata = json!({
            "row_count": self.rows.len(),
            "truncated": self.found > self.rows.len(),
            "query_time_ms": self.took_ms,
            "time_range": {"start": start, "end": end},
        });
        let rows: Vec<String> = self.rows.iter().map(|row| self.query.row(row)).collect();
        format!(
            "{{\"data\":{{\"data\":[{}],\"metadata\":{metadata},\"warnings\":{}}}}}",
            rows.join(","),
            json!(self.query.warnings)
        )
    }

    /// As lines for a sheet; the first names the columns, what can't be told is empty.
    pub(super) fn csv(&self) -> String {
        let query = &self.query;
        let is_split = query.grain != Grain::Whole;
        let names = query.dimensions.iter().map(|(name, _)| cell(name));
        let names = names.chain(query.metrics.iter().map(|(name, _)| name.clone()));
        let mut text =
            line(&is_split.then(|| String::from("date")).into_iter().chain(names).collect::<Vec<_>>());
        for row in &self.rows {
            let told = query.metrics.iter().map(|(_, metric)| match metric.of(&row.figures) {
                Told::Nothing => String::new(),
                told => told.json(),
            });
            let groups = row.groups.iter().map(|value| cell(value));
            let cells = is_split.then(|| row.at.clone()).into_iter().chain(groups).chain(told);
            text.push_str(&line(&cells.collect::<Vec<_>>()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Value) -> Result<Query, GatewayError> {
        Query::read(serde_json::from_value(json).unwrap(), 1_795_132_800)
    }

    #[test]
    fn what_can_not_be_asked_is_refused_with_the_reason() {
        let rows = [
            (json!({"metrics": []}), "`metrics` has 1 to 30"),
            (json!({"metrics": ["cost"]}), "`cost` is no metric"),
            (json!({"metrics": ["total_usage", "total_usage"]}), "asked for twice"),
            (json!({"metrics": ["total_usage"], "dimensions": ["colour"]}), "`colour` is nothing"),
            (json!({"metrics": ["total_usage"], "granularity": "minute"}), "by the hour"),
            (json!({"metrics": ["total_usage"], "limit": 0}), "`limit` is 1 to"),
            (json!({"metrics": ["total_usage"], "order_by": {"field": "model"}}), "`order_by.field`"),
            (
                json!({"metrics": ["total_usage"], "filters": [{"field": "model", "operator": "gt", "value": "a"}]}),
                "eq, neq",
            ),
            (
                json!({"metrics": ["total_usage"], "filters": [{"field": "model", "operator": "in", "value": "a"}]}),
                "is a list",
            ),
            (
                json!({"metrics": ["total_usage"], "filters": [{"field": "p99_ttft", "operator": "gt", "value": "fast"}]}),
                "by a number",
            ),
            (
                json!({"metrics": ["total_usage"], "time_range": {"start": "2026-02-01", "end": "2026-01-01"}}),
                "must end after",
            ),
        ];
        for (body, expect) in rows {
            let error = read(body.clone()).unwrap_err().to_string();
            assert!(error.contains(expect), "{body}: {error}");
        }
    }

    #[test]
    fn rows_are_bounded_ordered_and_cut() {
        let query =
            read(json!({"metrics": ["request_count", "total_usage"], "dimensions": ["model"], "limit": 1,
            "filters": [{"field": "total_usage", "operator": "gte", "value": 0.000_000_002}],
            "order_by": {"field": "request_count", "direction": "asc"}, "colour": "blue"}))
            .unwrap();
        assert_eq!(query.warnings.len(), 1);
        let mut rows = Vec::new();
        for (model, requests, nanos) in [("a", 9, 1), ("b", 5, 2), ("c", 4, 9)] {
            let mut row =
                Row { at: String::new(), groups: vec![String::from(model)], figures: Default::default() };
            row.figures.sums.put(store::Measure::Requests, requests);
            row.figures.sums.put(store::Measure::Charged, nanos);
            rows.push(row);
        }
        let (rows, found) = query.ordered(rows);
        assert_eq!(found, 2);
        let told: Vec<String> = rows.iter().map(|row| query.row(row)).collect();
        assert_eq!(told, [r#"{"model":"c","request_count":4,"total_usage":0.000000009}"#]);
    }
}
