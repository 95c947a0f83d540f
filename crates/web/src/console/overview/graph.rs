//! The chart: what was chosen, over time, stacked by what was chosen; times as lines, for they can't be stacked.

use std::collections::HashMap;

use super::ask::{Question, Row, Told};
use super::{Metric, View};
use crate::chart::{self, Axis, Chart, Frame, Series, Stack};
use crate::console::names::Names;
use crate::console::period::Slot;
use crate::format;

/// Values that have a color of their own; the rest is one.
const APART_MAX: usize = 4;
/// Rows that are read: values times slots.
const ROWS_MAX: usize = 10_000;

impl View {
    /// What is asked for the chart.
    pub(super) fn graph_question(&self) -> Question<'_> {
        let metrics = if self.metric.is_time() { "p95_ttft,request_count" } else { self.metric.stacked };
        Question {
            granularity: Some(self.grain().name()),
            limit: Some(ROWS_MAX),
            ..Question::of(metrics, Some(self.by), &self.period, &self.filters)
        }
    }
}

/// The values that have a color: those with the most, and how each is worded.
fn largest(view: &View, told: &Told, weigh: impl Fn(&Row) -> f64) -> Vec<String> {
    let mut sums: HashMap<&str, f64> = HashMap::new();
    for row in &told.data {
        *sums.entry(row.text(view.by.name)).or_default() += weigh(row);
    }
    let mut all: Vec<(&str, f64)> = sums.into_iter().filter(|(_, sum)| *sum > 0.0).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    // One more fits where it would stand for a single value anyway.
    let apart = if all.len() == APART_MAX + 1 { all.len() } else { APART_MAX };
    all.into_iter().take(apart).map(|(value, _)| value.to_owned()).collect()
}

/// Draws it.
pub(super) fn chart(view: &View, names: &Names, told: &Told) -> Chart {
    let slots = view.period.slots(view.grain());
    let metric = view.metric;
    let show = |value: f64| metric.show(value);
    let frame = Frame {
        id: "use",
        title: metric.name,
        x: Axis { title: "time", show: &|_| String::new() },
        y: Axis { title: metric.unit, show: &show },
    };
    if metric.is_time() {
        lines(view, names, told, &slots, &frame)
    } else {
        bars(view, names, told, &slots, &frame)
    }
}

fn bars(view: &View, names: &Names, told: &Told, slots: &[Slot], frame: &Frame<'_>) -> Chart {
    let metric = view.metric;
    let weight = |row: &Row| row.number(metric.stacked).unwrap_or_default();
    let apart = largest(view, told, weight);
    let is_apart = |row: &Row| apart.iter().any(|value| value == row.text(view.by.name));
    let has_rest = told.data.iter().any(|row| weight(row) > 0.0 && !is_apart(row));
    let at: HashMap<&str, usize> =
        slots.iter().enumerate().map(|(at, slot)| (slot.key.as_str(), at)).collect();
    let width = apart.len() + usize::from(has_rest);
    let stack =
        |slot: &Slot| Stack { label: slot.label.clone(), title: slot.title.clone(), parts: vec![0.0; width] };
    let mut bars: Vec<Stack> = slots.iter().map(stack).collect();
    for row in &told.data {
        let value = row.text(view.by.name);
        let part = apart.iter().position(|known| known == value).unwrap_or(apart.len());
        let bar = at.get(row.text("date")).and_then(|at| bars.get_mut(*at));
        if let Some(part) = bar.and_then(|bar| bar.parts.get_mut(part)) {
            *part += weight(row);
        }
    }
    let mut words: Vec<String> = apart.iter().map(|value| view.word(names, view.by, value)).collect();
    if has_rest {
        words.push(String::from("Other"));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    chart::stacked(frame, &words, &bars)
}

/// Values over slots; none where nothing was measured.
type Points = Vec<(f64, Option<f64>)>;

fn lines(view: &View, names: &Names, told: &Told, slots: &[Slot], frame: &Frame<'_>) -> Chart {
    let apart = largest(view, told, |row| row.number("request_count").unwrap_or_default());
    let points = |value: &String| -> Points {
        let of = told.data.iter().filter(|row| row.text(view.by.name) == value);
        let known: HashMap<&str, Option<f64>> =
            of.map(|row| (row.text("date"), row.number("p95_ttft"))).collect();
        let point = |(at, slot): (usize, &Slot)| (at as f64, known.get(slot.key.as_str()).copied().flatten());
        slots.iter().enumerate().map(point).collect()
    };
    let all: Vec<(String, Points)> =
        apart.iter().map(|value| (view.word(names, view.by, value), points(value))).collect();
    let all: Vec<Series<'_>> = all.iter().map(|(name, points)| Series { name, points }).collect();
    let label =
        |at: f64| slots.get(at.round().max(0.0) as usize).map(|slot| slot.label.clone()).unwrap_or_default();
    chart::lines(&Frame { x: Axis { title: "time", show: &label }, ..*frame }, &all)
}

impl Metric {
    pub(super) fn is_time(self) -> bool {
        self.slug == "ttft"
    }

    /// A value beside the chart.
    fn show(self, value: f64) -> String {
        match self.slug {
            "spend" => dollars(value),
            "ttft" => format::milliseconds(value).short,
            _ => format::short(value.max(0.0).round() as u64).short,
        }
    }
}

/// An amount where only its size matters.
fn dollars(value: f64) -> String {
    format!("{value:.9}").parse().map_or_else(|_| String::new(), |amount| format::cost(amount).short)
}
