//! The middle of measurements as a line, and up to which 95 of 100 stay as a band above it.

use super::scale::{Axes, usable};
use super::svg::{Plot, Spot, coordinate};
use super::{Chart, Frame, Key, Twin, class};
use crate::format::count;

/// Measurements of one slot of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Where the slot is.
    pub at: f64,
    /// Half are at most this.
    pub p50: Option<f64>,
    /// 95 of 100 are at most this.
    pub p95: Option<f64>,
    /// How many there were.
    pub samples: u64,
}

impl Spread {
    fn place(&self) -> Option<(f64, f64, f64)> {
        let p50 = self.p50.filter(|value| usable(*value))?;
        let p95 = self.p95.filter(|value| usable(*value) && *value >= p50).unwrap_or(p50);
        usable(self.at).then_some((self.at, p50, p95))
    }
}

/// The line of p50 with the band up to p95. A slot without measurements is a gap.
pub fn band(frame: &Frame<'_>, points: &[Spread]) -> Chart {
    let known = || points.iter().filter_map(Spread::place);
    let xs = points.iter().map(|point| point.at).filter(|at| usable(*at));
    let axes = Axes::new(xs, known().flat_map(|(_, p50, p95)| [p50, p95]));
    let values = known().count();
    let mut plot = Plot::default();
    if values > 0 {
        plot.grid(axes.y_ticks());
    }
    let series = class(0);
    for run in points.split(|point| point.place().is_none()) {
        let run: Vec<(f64, f64, f64)> = run.iter().filter_map(Spread::place).collect();
        match run.as_slice() {
            [] => {}
            [(x, p50, p95)] => {
                let title =
                    format!("{}: {}, p95 {}", (frame.x.show)(*x), (frame.y.show)(*p50), (frame.y.show)(*p95));
                let (x, y) = (axes.place_x(*x), axes.place_y(*p50));
                plot.dot(&Spot { x, y, series: &series, title: &title, href: None, is_marked: false });
            }
            _ => {
                let upper = run.iter().map(|(x, _, p95)| (*x, *p95));
                let lower = run.iter().rev().map(|(x, p50, _)| (*x, *p50));
                plot.area(&series, &format!("{}Z", path(&axes, upper.chain(lower))));
                plot.line(&series, &path(&axes, run.iter().map(|(x, p50, _)| (*x, *p50))));
            }
        }
    }
    let legend = match values {
        0 => Vec::new(),
        _ => vec![
            Key { class: format!("{series} key-line"), name: "half are at most (p50)".to_owned() },
            Key { class: format!("{series} key-area"), name: "up to 95 of 100 (p95)".to_owned() },
        ],
    };
    frame.chart(plot, &axes, legend, twin(frame, points), values)
}

fn path(axes: &Axes, points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let (x, y) = (coordinate(axes.place_x(x)), coordinate(axes.place_y(y)));
        path.push(if path.is_empty() { 'M' } else { 'L' });
        path.push_str(&format!("{x} {y}"));
    }
    path
}

fn twin(frame: &Frame<'_>, points: &[Spread]) -> Twin {
    let head = [frame.x.title, "p50", "p95", "Samples"].map(str::to_owned).to_vec();
    let shown = |value: Option<f64>| {
        value.filter(|value| usable(*value)).map_or_else(|| "–".to_owned(), frame.y.show)
    };
    let usable = points.iter().filter(|point| usable(point.at));
    let rows = usable.map(|point| {
        vec![(frame.x.show)(point.at), shown(point.p50), shown(point.p95), count(point.samples)]
    });
    Twin { rows: rows.collect(), head, caption: String::new() }
}
