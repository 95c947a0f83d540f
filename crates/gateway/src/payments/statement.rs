//! `GET /v1/credits/statement?from=&to=`: opening balance, each movement, closing balance; in JSON or, with `format=csv`, CSV.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use store::{Movement, Statement};
use types::{Money, Timestamp};

use super::{Counter, date, usd};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::csv::cell;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::router;

const DAYS_MAX: i64 = 366;
const DAYS_DEFAULT: i64 = 31;
const SECONDS_PER_DAY: i64 = 86_400;

/// The account's statement.
pub(crate) async fn show(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, parts)?;
    let query = router::query(parts);
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let today = counter.now().day();
    let to = given("to").map_or(Ok(today), |text| day(text, "to"))?;
    let from = given("from").map_or(Ok(to - DAYS_DEFAULT + 1), |text| day(text, "from"))?;
    if from > to || to - from >= DAYS_MAX {
        let why = format!("`from` must not be after `to`, and at most {DAYS_MAX} days before it");
        return Err(GatewayError::InvalidRequest(why));
    }
    let csv = match given("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => {
            return Err(GatewayError::InvalidRequest(String::from("`format` must be `json` or `csv`")));
        }
    };
    let account = counter.account();
    let instant = |day: i64| Timestamp::from_seconds(day.saturating_mul(SECONDS_PER_DAY));
    let (begin, end) = (instant(from), instant(to + 1));
    let statement =
        counter.store(|gateway| async move { gateway.store.statement(&account, begin, end).await }).await?;
    if csv {
        let mut response = Response::new(ResponseBody::full(as_csv(&statement, from, to)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        return Ok(response);
    }
    Ok(router::json(json!({ "data": as_json(&statement, from, to) }).to_string()))
}

fn day(text: &str, name: &str) -> Result<i64, GatewayError> {
    let wrong = || GatewayError::InvalidRequest(format!("`{name}` is no date; write `2026-01-31`"));
    let date: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since(epoch).map(|span| i64::from(span.get_days())).map_err(|_| wrong())
}

/// The balance after each movement.
fn with_balances(statement: &Statement) -> impl Iterator<Item = (&Movement, Money)> {
    statement.movements.iter().scan(statement.opening, |balance, movement| {
        *balance = balance.saturating_add(movement.amount);
        Some((movement, *balance))
    })
}

fn as_json(statement: &Statement, from: i64, to: i64) -> Value {
    let movements: Vec<Value> = with_balances(statement)
        .map(|(movement, balance)| {
            json!({
                "at": rfc3339(movement.at),
                "kind": movement.kind,
                "entry": (!movement.entry.is_empty()).then_some(&movement.entry),
                "calls": (movement.calls > 0).then_some(movement.calls),
                "amount_usd": usd(movement.amount),
                "balance_usd": usd(balance),
            })
        })
        .collect();
    json!({
        "from": date(from),
        "to": date(to),
        "currency": "USD",
        "opening_usd": usd(statement.opening),
        "movements": movements,
        "closing_usd": usd(statement.closing),
    })
}

fn as_csv(statement: &Statement, from: i64, to: i64) -> String {
    let mut csv = String::from("at,kind,entry,calls,amount_usd,balance_usd\r\n");
    csv.push_str(&format!("{},opening,,,,{}\r\n", date(from), statement.opening));
    for (movement, balance) in with_balances(statement) {
        let calls = if movement.calls > 0 { movement.calls.to_string() } else { String::new() };
        let (at, kind, entry) = (rfc3339(movement.at), cell(&movement.kind), cell(&movement.entry));
        csv.push_str(&format!("{at},{kind},{entry},{calls},{},{balance}\r\n", movement.amount));
    }
    csv.push_str(&format!("{},closing,,,,{}\r\n", date(to), statement.closing));
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_balance_after_it() {
        let movement = |day: i64, kind: &str, nanos: i64, calls| Movement {
            at: Timestamp::from_seconds(day * SECONDS_PER_DAY),
            kind: kind.to_owned(),
            entry: if calls > 0 { String::new() } else { "=topup:1,\"x\"".to_owned() },
            calls,
            amount: Money::from_nanos(nanos),
        };
        let statement = Statement {
            opening: Money::from_usd(1),
            movements: vec![movement(0, "top_up", 5_000_000_000, 0), movement(1, "usage", -1, 3)],
            closing: Money::from_nanos(5_999_999_999),
        };
        assert_eq!(
            as_csv(&statement, 0, 1),
            "at,kind,entry,calls,amount_usd,balance_usd\r\n1970-01-01,opening,,,,1\r\n\
             1970-01-01T00:00:00Z,top_up,\"'=topup:1,\"\"x\"\"\",,5,6\r\n\
             1970-01-02T00:00:00Z,usage,,3,-0.000000001,5.999999999\r\n1970-01-02,closing,,,,5.999999999\r\n"
        );
        let json = as_json(&statement, 0, 1);
        assert_eq!(json["movements"][1]["balance_usd"], json["closing_usd"]);
    }
}
