//! Bars over time, cut into parts.

use super::scale::{Axes, labels_max, usable};
use super::svg::{HEIGHT, Plot, WIDTH, coordinate};
use super::{Chart, Frame, Twin, class, legend};
use crate::markup::escape;

/// The most labels below the bars.
const LABELS_MAX: usize = 6;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stack {
    /// Its slot, short: `16 Mar`.
    pub(crate) label: String,
    /// Its slot in full, for the table and the bar's title.
    pub(crate) title: String,
    /// As many as there are names; what is not above zero is not drawn.
    pub(crate) parts: Vec<f64>,
}

impl Stack {
    fn parts(&self) -> impl Iterator<Item = (usize, f64)> {
        self.parts.iter().map(|part| if usable(*part) { part.max(0.0) } else { 0.0 }).enumerate()
    }

    fn total(&self) -> f64 {
        self.parts().map(|(_, part)| part).sum()
    }
}

/// Bars from left to right, their parts from the bottom up in the order of the names.
pub(crate) fn stacked(frame: &Frame<'_>, names: &[&str], bars: &[Stack]) -> Chart {
    let last = bars.len().saturating_sub(1) as f64;
    let axes = Axes::new([0.0, last].into_iter(), bars.iter().map(Stack::total));
    let mut plot = Plot::default();
    let has_any = bars.iter().any(|bar| bar.total() > 0.0);
    let values = if has_any { bars.len() } else { 0 };
    if has_any {
        plot.grid(axes.y_ticks());
        let slot = WIDTH / bars.len() as f64;
        for (at, bar) in bars.iter().enumerate() {
            // A tenth of a slot stays free on either side, so that a single bar doesn't fill the plot.
            let (left, width) = ((at as f64 + 0.1) * slot, (slot * 0.8).min(WIDTH / 6.0));
            draw(&mut plot, frame, &axes, bar, (left + (slot * 0.8 - width) / 2.0, width));
        }
    }
    let mut chart = frame.chart(plot, &axes, legend(names.iter().copied()), twin(frame, names, bars), values);
    (chart.has_slots, chart.x) = (true, if has_any { labels(bars) } else { Vec::new() });
    chart
}

fn draw(plot: &mut Plot, frame: &Frame<'_>, axes: &Axes, bar: &Stack, (left, width): (f64, f64)) {
    let mut below = 0.0;
    plot.write(format_args!("<g>"));
    for (at, part) in bar.parts().filter(|(_, part)| *part > 0.0) {
        let (top, bottom) = (axes.place_y(below + part), axes.place_y(below).min(HEIGHT));
        below += part;
        plot.write(format_args!(
            "<rect class=\"chart-bar {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"currentColor\"/>",
            class(at),
            coordinate(left),
            coordinate(top),
            coordinate(width),
            coordinate(bottom - top),
        ));
    }
    plot.write(format_args!(
        "<title>{}</title></g>",
        escape(&format!("{}: {}", bar.title, (frame.y.show)(below)))
    ));
}

/// A label for each slot; where they are too many, every so manieth keeps its words, counted from the last.
fn labels(bars: &[Stack]) -> Vec<String> {
    let most = labels_max(bars.iter().map(|bar| &bar.label), LABELS_MAX);
    let step = bars.len().div_ceil(most).max(1);
    let label = |(at, bar): (usize, &Stack)| match (bars.len() - 1 - at).is_multiple_of(step) {
        true => bar.label.clone(),
        false => String::new(),
    };
    bars.iter().enumerate().map(label).collect()
}

fn twin(frame: &Frame<'_>, names: &[&str], bars: &[Stack]) -> Twin {
    let mut head = vec![frame.x.title.to_owned()];
    head.extend(names.iter().map(|name| (*name).to_owned()));
    if names.len() > 1 {
        head.push("Total".to_owned());
    }
    let rows = bars.iter().map(|bar| {
        let mut row = vec![bar.title.clone()];
        let parts: Vec<f64> = bar.parts().map(|(_, part)| part).collect();
        row.extend((0..names.len()).map(|at| (frame.y.show)(parts.get(at).copied().unwrap_or(0.0))));
        if names.len() > 1 {
            row.push((frame.y.show)(bar.total()));
        }
        row
    });
    Twin { rows: rows.collect(), head, caption: String::new() }
}
