//! The six numbers, each with its change against the span before, and as a link to the chart of it.

use super::ask::Row;
use super::{METRICS, Metric, View};
use crate::format::{self, Shown};

/// What the numbers are made from.
pub(super) const ASKED: &str = "total_usage,request_count,tokens_total,tokens_prompt,tokens_completion,cached_tokens,cache_hit_rate,\
                                error_count,error_rate,p95_ttft";

/// A number.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: Shown,
    /// What it is of, or what it is made of.
    pub(super) note: String,
    /// Against the span before; empty where there is nothing to compare.
    pub(super) change: String,
    pub(super) href: String,
    pub(super) is_here: bool,
}

/// All six.
pub(super) fn all(view: &View, now: &Row, before: &Row) -> Vec<Figure> {
    METRICS.iter().map(|metric| figure(view, *metric, now, before)).collect()
}

fn figure(view: &View, metric: Metric, now: &Row, before: &Row) -> Figure {
    let tokens = || {
        let [input, output] =
            ["tokens_prompt", "tokens_completion"].map(|name| format::short(now.count(name)).short);
        format!("{input} in, {output} out")
    };
    let of_requests = || {
        format!(
            "{} of {}",
            format::count(now.count("error_count")),
            format::count_of(now.count("request_count"), "request")
        )
    };
    let (value, note) = match metric.slug {
        "spend" => (now.dollars("total_usage"), String::new()),
        "requests" => (format::short(now.count("request_count")), String::new()),
        "tokens" => (format::short(now.count("tokens_total")), tokens()),
        "cache" => {
            let input = now.count("tokens_prompt");
            (format::percent(now.count("cached_tokens"), input), String::from("of input from prompt caches"))
        }
        "errors" => (format::percent(now.count("error_count"), now.count("request_count")), of_requests()),
        _ => (
            now.number("p95_ttft").map_or_else(Shown::unknown, format::milliseconds),
            String::from("of streams; 19 of 20 are faster"),
        ),
    };
    Figure {
        name: metric.name,
        value,
        note,
        change: change(metric, now, before),
        href: view.href(&[("metric", metric.slug)]),
        is_here: view.metric == metric,
    }
}

/// How much more or less than before.
fn change(metric: Metric, now: &Row, before: &Row) -> String {
    let of = |row: &Row| row.number(metric.total);
    match (of(now), of(before)) {
        (Some(now), Some(before)) if metric.is_share => points(now - before),
        (Some(now), Some(before)) if before > 0.0 => relative(now / before - 1.0),
        (Some(now), _) if now > 0.0 && !metric.is_share && !metric.is_time() => String::from("none before"),
        _ => String::new(),
    }
}

fn relative(change: f64) -> String {
    let percent = change * 100.0;
    match percent.abs() {
        ..0.5 => String::from("no change"),
        1_000.0.. => format!("{} times as much", format::count((change + 1.0).round() as u64)),
        _ => format!("{}{:.0}%", sign(percent), percent.abs()),
    }
}

fn points(change: f64) -> String {
    let points = change * 100.0;
    match points.abs() {
        ..0.05 => String::from("no change"),
        _ => format!("{}{:.1} points", sign(points), points.abs()),
    }
}

const fn sign(number: f64) -> char {
    if number < 0.0 { '\u{2212}' } else { '+' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_in_words_that_fit() {
        assert_eq!(relative(0.123), "+12%");
        assert_eq!(relative(-0.5), "\u{2212}50%");
        assert_eq!(relative(0.001), "no change");
        assert_eq!(relative(41.0), "42 times as much");
        assert_eq!(
            (points(0.012), points(-0.2), points(0.0001)),
            ("+1.2 points".into(), "\u{2212}20.0 points".into(), "no change".into())
        );
    }
}
