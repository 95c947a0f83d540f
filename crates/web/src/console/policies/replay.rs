//! A replay of a policy over the organization's own past traffic: what it would have cost, and how far the record can tell.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::console::amount;
use crate::console::form::Form;
use crate::console::signed::{Refused, Signed, prose};
use crate::format::{self, Shown};
use crate::prose::Prose;

#[derive(Deserialize)]
struct Replay {
    since: String,
    complete: bool,
    #[serde(default)]
    incomplete_because: Option<String>,
    records: u64,
    without_facts: u64,
    without_plan: u64,
    requests: u64,
    conclusive: bool,
    #[serde(default)]
    why_not: Option<String>,
    happened: Side,
    other: Side,
    #[serde(default)]
    answered: Option<Estimates>,
    #[serde(default)]
    cost_per_request_usd: Option<Estimates>,
    #[serde(default)]
    shifts: Vec<Moved>,
}

#[derive(Deserialize)]
struct Side {
    cost_usd: String,
    #[serde(default)]
    expected_quality: Option<f64>,
    #[serde(default)]
    first_token_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Estimates {
    happened: Interval,
    doubly_robust: Interval,
}

#[derive(Deserialize)]
struct Interval {
    mean: Value,
    low: Value,
    high: Value,
}

#[derive(Deserialize)]
struct Moved {
    from: String,
    to: String,
    requests: u64,
    happened_cost_usd: String,
    other_cost_usd: String,
}

/// A line that compares both sides.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) happened: String,
    pub(super) other: String,
}

/// Requests that would have gone elsewhere.
pub(super) struct Shift {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) requests: Shown,
    pub(super) happened: Shown,
    pub(super) other: Shown,
}

/// The comparison for people.
pub(super) struct Replayed {
    pub(super) since: Shown,
    pub(super) requests: String,
    pub(super) left_out: String,
    pub(super) is_conclusive: bool,
    pub(super) notes: Vec<Prose>,
    pub(super) rows: Vec<Row>,
    pub(super) shifts: Vec<Shift>,
}

/// Asks for a replay of the policy that was typed.
pub(super) async fn ask(signed: &Signed, form: &Form, policy: &Value) -> Result<Replayed, Refused> {
    let body = json!({ "policy": policy, "since": form.text("since").unwrap_or("7d") });
    let answer = signed.send(Method::POST, "/v1/replay", Some(&body)).await?;
    match answer.get("data").map(Replay::deserialize) {
        Some(Ok(replay)) => Ok(replayed(replay)),
        _ => Err(Refused {
            status: axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            kind: String::from("internal"),
            message: String::from("the page does not understand the replay"),
        }),
    }
}

/// An estimate with its interval: a share, or dollars.
fn estimate(interval: &Interval) -> String {
    let word = |value: &Value| match value {
        Value::String(usd) => amount::usd(usd),
        value => value.as_f64().map_or_else(Shown::unknown, format::ratio),
    };
    let [mean, low, high] = [&interval.mean, &interval.low, &interval.high].map(word);
    match low.is_known && high.is_known {
        true => format!("{} ({} to {})", mean.short, low.short, high.short),
        false => mean.short,
    }
}

fn replayed(replay: Replay) -> Replayed {
    let row = |what, happened: String, other: String| Row { what, happened, other };
    let quality = |side: &Side| side.expected_quality.map_or_else(Shown::unknown, format::ratio).short;
    let ttft = |side: &Side| side.first_token_ms.map_or_else(Shown::unknown, format::milliseconds).short;
    let (before, after) = (&replay.happened, &replay.other);
    let mut rows = vec![
        row("Cost", amount::usd(&before.cost_usd).short, amount::usd(&after.cost_usd).short),
        row("Expected quality", quality(before), quality(after)),
        row("To the first token, mean", ttft(before), ttft(after)),
    ];
    if let Some(both) = &replay.answered {
        rows.push(row("Answered well, estimated", estimate(&both.happened), estimate(&both.doubly_robust)));
    }
    if let Some(both) = &replay.cost_per_request_usd {
        rows.push(row(
            "Cost of a request, estimated",
            estimate(&both.happened),
            estimate(&both.doubly_robust),
        ));
    }
    let shift = |moved: Moved| Shift {
        from: moved.from,
        to: moved.to,
        requests: format::short(moved.requests),
        happened: amount::usd(&moved.happened_cost_usd),
        other: amount::usd(&moved.other_cost_usd),
    };
    let incomplete = replay.incomplete_because.filter(|_| !replay.complete);
    let notes = [incomplete, replay.why_not].into_iter().flatten();
    Replayed {
        since: amount::instant(&replay.since),
        requests: format::count_of(replay.requests, "request"),
        left_out: format!(
            "{} read, {} without facts, {} that no endpoint fits",
            format::count_of(replay.records, "record"),
            format::count(replay.without_facts),
            format::count(replay.without_plan)
        ),
        is_conclusive: replay.conclusive,
        notes: notes.map(|note| prose(&note)).collect(),
        rows,
        shifts: replay.shifts.into_iter().map(shift).collect(),
    }
}
