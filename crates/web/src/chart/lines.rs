//! Lines through values, and lines in steps, for what holds until it changes.

use super::scale::{Axes, usable};
use super::svg::{Plot, Spot, coordinate};
use super::{Chart, Frame, Twin, class, legend};

/// Places from left to right, each with a value; `None` is a gap.
pub(crate) type Points = Vec<(f64, Option<f64>)>;

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'a> {
    /// What it stands for.
    pub(crate) name: &'a str,
    /// In the order of their first numbers; `None` is a gap.
    pub(crate) points: &'a [(f64, Option<f64>)],
}

impl Series<'_> {
    /// What can be placed; a value that can't is a gap.
    fn usable(&self) -> impl Iterator<Item = (f64, Option<f64>)> {
        let points = self.points.iter().filter(|(x, _)| usable(*x));
        points.map(|(x, y)| (*x, y.filter(|y| usable(*y))))
    }
}

/// Straight lines from value to value; gaps stay gaps.
pub(crate) fn lines(frame: &Frame<'_>, series: &[Series<'_>]) -> Chart {
    draw(frame, series, None)
}

/// Each value holds until the next, the last until `until`: prices.
pub(crate) fn steps(frame: &Frame<'_>, series: &[Series<'_>], until: f64) -> Chart {
    draw(frame, series, Some(until).filter(|until| usable(*until)))
}

fn draw(frame: &Frame<'_>, series: &[Series<'_>], until: Option<f64>) -> Chart {
    let all = || series.iter().flat_map(Series::usable);
    let known = || all().filter_map(|(x, y)| Some((x, y?)));
    let values = known().count();
    let axes = Axes::new(all().map(|(x, _)| x).chain(until), known().map(|(_, y)| y));
    let mut plot = Plot::default();
    if values > 0 {
        plot.grid(axes.y_ticks());
    }
    for (at, one) in series.iter().enumerate() {
        for run in runs(one) {
            draw_run(&mut plot, frame, &axes, &class(at), one.name, &run, until);
        }
    }
    let names = legend(series.iter().map(|one| one.name));
    frame.chart(plot, &axes, names, twin(frame, series), values)
}

/// Values without a gap between them, and where the gap after them begins.
struct Run {
    points: Vec<(f64, f64)>,
    ends: Option<f64>,
}

fn runs(series: &Series<'_>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut is_open = false;
    for (x, y) in series.usable() {
        match (y, runs.last_mut()) {
            (Some(y), Some(run)) if is_open => run.points.push((x, y)),
            (Some(y), _) => {
                runs.push(Run { points: vec![(x, y)], ends: None });
                is_open = true;
            }
            (None, Some(run)) if is_open => {
                run.ends = Some(x);
                is_open = false;
            }
            (None, _) => {}
        }
    }
    runs
}

fn draw_run(
    plot: &mut Plot,
    frame: &Frame<'_>,
    axes: &Axes,
    series: &str,
    name: &str,
    run: &Run,
    until: Option<f64>,
) {
    let mut path = String::new();
    for (at, (x, y)) in run.points.iter().enumerate() {
        let (x, y) = (coordinate(axes.place_x(*x)), coordinate(axes.place_y(*y)));
        match (at, until) {
            (0, _) => path.push_str(&format!("M{x} {y}")),
            (_, None) => path.push_str(&format!("L{x} {y}")),
            (_, Some(_)) => path.push_str(&format!("H{x}V{y}")),
        }
    }
    let holds_until = until.and_then(|until| {
        let last = run.points.last().map_or(until, |(x, _)| *x);
        let end = run.ends.unwrap_or(until);
        (end > last).then_some(end)
    });
    if let Some(end) = holds_until {
        path.push_str(&format!("H{}", coordinate(axes.place_x(end))));
    }
    if run.points.len() > 1 || holds_until.is_some() {
        plot.line(series, &path);
    }
    // A value between two gaps makes no line; steps mark where they change.
    if run.points.len() == 1 || until.is_some() {
        for (x, y) in &run.points {
            let title = format!("{name}: {}, {}", (frame.x.show)(*x), (frame.y.show)(*y));
            let (x, y) = (axes.place_x(*x), axes.place_y(*y));
            plot.dot(&Spot { x, y, series, title: &title, href: None, is_marked: false });
        }
    }
}

fn twin(frame: &Frame<'_>, series: &[Series<'_>]) -> Twin {
    let mut head = vec![frame.x.title.to_owned()];
    head.extend(series.iter().map(|one| match series.len() {
        1 => frame.y.title.to_owned(),
        _ => one.name.to_owned(),
    }));
    let columns: Vec<Vec<(f64, Option<f64>)>> = series.iter().map(|one| one.usable().collect()).collect();
    let mut places: Vec<f64> = columns.iter().flatten().map(|(x, _)| *x).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let rows = places.into_iter().map(|place| {
        let cell = |column: &Vec<(f64, Option<f64>)>| {
            let same = column.iter().rev().find(|(x, _)| x.total_cmp(&place).is_eq());
            same.and_then(|(_, y)| *y).map_or_else(|| "–".to_owned(), frame.y.show)
        };
        std::iter::once((frame.x.show)(place)).chain(columns.iter().map(cell)).collect()
    });
    Twin { rows: rows.collect(), head, caption: String::new() }
}
