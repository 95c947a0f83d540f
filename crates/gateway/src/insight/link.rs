//! `GET /v1/analytics/query`: what the POST answers, asked for in an address, so that it can be a link; as JSON or as CSV.
//!
//! `metrics` and `dimensions` are names with commas between; `granularity`, `from`, `to`, `order_by`, `direction` and `limit` are those of
//! the POST; the name of a dimension keeps the rows of that value only. What is not known is refused.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response, header};
use jiff::civil::Date;
use serde_json::Value;

use super::analytics::{self, Asked, AskedFilter, OrderBy, TimeRange};
use super::{invalid, span};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;

/// What is answered where nobody says which metrics.
const METRICS: [&str; 2] = ["total_usage", "request_count"];

/// Answers.
pub(crate) async fn query(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let (asked, is_csv) = read(&router::query(parts))?;
    let answer = analytics::answer(worker, parts, asked).await?;
    if !is_csv {
        return Ok(router::json(answer.json()));
    }
    let mut response = Response::new(ResponseBody::full(answer.csv()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"use.csv\""));
    Ok(response)
}

/// The question, and whether it is answered as CSV.
fn read(query: &[(String, String)]) -> Result<(Asked, bool), GatewayError> {
    let mut asked = Asked { metrics: METRICS.map(String::from).into(), ..Asked::default() };
    let (mut from, mut to, mut field, mut direction, mut is_csv) = (None, None, None, None, false);
    for (name, value) in query {
        let text = || Some(value.clone());
        match name.as_str() {
            "metrics" => asked.metrics = names(value),
            "dimensions" => asked.dimensions = names(value),
            "granularity" => asked.granularity = text(),
            "from" => from = text(),
            "to" => to = Some(end_of(value)),
            "order_by" => field = text(),
            "direction" => direction = text(),
            "limit" => {
                asked.limit = Some(value.parse().map_err(|_| invalid("`limit` is a whole number"))?);
            }
            "format" => {
                is_csv = match value.as_str() {
                    "csv" => true,
                    "json" => false,
                    _ => return Err(invalid("`format` is json or csv")),
                };
            }
            _ => asked.filters.push(AskedFilter {
                field: name.clone(),
                operator: String::from("eq"),
                value: Value::String(value.clone()),
            }),
        }
    }
    asked.order_by = field.map(|field| OrderBy { field, direction });
    asked.time_range = match (from, to) {
        (Some(start), end) => Some(TimeRange { start, end }),
        (None, None) => None,
        (None, Some(_)) => return Err(invalid("`to` needs a `from`")),
    };
    Ok((asked, is_csv))
}

/// Where a span ends: a day counts whole.
fn end_of(text: &str) -> String {
    match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => span::date(span::day_of(date) + 1).to_string(),
        _ => text.to_owned(),
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(query: &[(&str, &str)]) -> Result<(Asked, bool), GatewayError> {
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(&query)
    }

    #[test]
    fn an_address_asks_what_a_body_asks() {
        let (asked, is_csv) = read_of(&[
            ("metrics", "total_usage, error_rate"),
            ("dimensions", "model"),
            ("from", "2026-11-01"),
            ("to", "2026-11-30"),
            ("order_by", "total_usage"),
            ("limit", "5"),
            ("provider", "mistral"),
            ("format", "csv"),
        ])
        .unwrap();
        assert!(is_csv);
        assert_eq!(
            (asked.metrics.len(), asked.dimensions, asked.limit),
            (2, vec![String::from("model")], Some(5))
        );
        assert_eq!(asked.time_range.unwrap().end.as_deref(), Some("2026-12-01"), "the day counts whole");
        assert_eq!(
            (asked.filters[0].field.as_str(), &asked.filters[0].value),
            ("provider", &Value::from("mistral"))
        );
        assert_eq!(asked.order_by.unwrap().field, "total_usage");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (name, value) in [("limit", "many"), ("format", "pdf"), ("to", "2026-11-30")] {
            assert!(read_of(&[(name, value)]).is_err(), "{name}={value}");
        }
        let (asked, is_csv) = read_of(&[]).unwrap();
        assert!(!is_csv && asked.metrics.len() == 2 && asked.time_range.is_none());
    }
}
