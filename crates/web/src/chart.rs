//! Charts as SVG, written by hand: no script, no inline style, colors from classes through `currentColor`.
//!
//! - A plot is stretched to the width and height that the style sheet gives it (`preserveAspectRatio="none"`); strokes keep
//!   their width, and a dot is the round cap of a line without length, so nothing is distorted.
//! - No text stands inside a plot. Labels are lists of words for HTML around it, evenly spaced: they wrap, scale and are
//!   selected as text, and can't overlap or leave the picture.
//! - Every chart has its numbers as a table beside it ([`Twin`]), and says its title and description to who can't see it.
//! - The same values give the same bytes.
//!
//! Floats here place marks; they are never money.

mod lines;
mod scale;
mod scatter;
mod small;
mod stacked;
mod svg;

pub(crate) use lines::{Points, Series, lines, steps};
pub(crate) use scatter::{Dot, scatter, scatter_in_decades};
pub(crate) use small::{Cell, strip};
pub(crate) use stacked::{Stack, stacked};
pub(crate) use svg::Svg;

/// A chart with all that stands around its plot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chart {
    /// The plot.
    pub(crate) svg: Svg,
    /// What it shows.
    pub(crate) title: String,
    /// The same in a sentence with its numbers, for who can't see it.
    pub(crate) description: String,
    /// Labels below, from left to right, the first at the left edge and the last at the right; with `has_slots` one per
    /// slot, some of them empty.
    pub(crate) x: Vec<String>,
    /// The labels below stand each in the middle of its slot, and slots are equally wide: bars.
    pub(crate) has_slots: bool,
    /// Labels beside, from top to bottom, at equal distances.
    pub(crate) y: Vec<String>,
    /// What is counted from left to right, with its unit.
    pub(crate) x_title: String,
    /// What is counted upwards, with its unit.
    pub(crate) y_title: String,
    /// What the colors mean; empty where there is only one.
    pub(crate) legend: Vec<Key>,
    /// The numbers.
    pub(crate) table: Twin,
    /// How much there is to see.
    pub(crate) state: State,
}

/// How much there is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing: say why instead of drawing.
    Empty,
    /// A single value, which makes no curve.
    One,
    /// More.
    Many,
}

/// A color's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The class of its marks: `series-1`.
    pub(crate) class: String,
    /// What they stand for.
    pub(crate) name: String,
}

/// The numbers of a chart as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Twin {
    /// What it shows.
    pub(crate) caption: String,
    /// The heads of its columns.
    pub(crate) head: Vec<String>,
    /// Its rows, each as long as the head.
    pub(crate) rows: Vec<Vec<String>>,
}

/// What is counted along one side.
#[derive(Clone, Copy)]
pub(crate) struct Axis<'a> {
    /// With its unit: `USD per 1M tokens`.
    pub(crate) title: &'a str,
    /// How a value is worded.
    pub(crate) show: &'a dyn Fn(f64) -> String,
}

/// What every chart is asked with.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Unique on the page; other characters than letters, digits and `-` are left out.
    pub(crate) id: &'a str,
    /// What the chart shows.
    pub(crate) title: &'a str,
    /// From left to right.
    pub(crate) x: Axis<'a>,
    /// Upwards.
    pub(crate) y: Axis<'a>,
}

/// How many colors there are; more series than these take them again.
const COLORS: usize = 6;

fn class(series: usize) -> String {
    format!("series-{}", series % COLORS + 1)
}

fn legend<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Key> {
    let keys: Vec<Key> =
        names.enumerate().map(|(at, name)| Key { class: class(at), name: name.to_owned() }).collect();
    if keys.len() > 1 { keys } else { Vec::new() }
}

impl State {
    fn of(values: usize) -> State {
        match values {
            0 => State::Empty,
            1 => State::One,
            _ => State::Many,
        }
    }
}

impl Frame<'_> {
    /// A chart of this frame; the description is made from the values.
    fn chart(
        &self,
        plot: svg::Plot,
        axes: &scale::Axes,
        legend: Vec<Key>,
        table: Twin,
        values: usize,
    ) -> Chart {
        let description = match State::of(values) {
            State::Empty => "No values.".to_owned(),
            State::One => "One value; see the table.".to_owned(),
            State::Many => {
                let (low, high) = axes.seen_y();
                format!(
                    "{values} values of {} between {} and {}; see the table.",
                    self.y.title,
                    (self.y.show)(low),
                    (self.y.show)(high)
                )
            }
        };
        let (x, y) = match values {
            0 => (Vec::new(), Vec::new()),
            _ => (axes.x_labels(self.x.show), axes.y_labels(self.y.show)),
        };
        Chart {
            svg: plot.finish(self.id, self.title, &description),
            title: self.title.to_owned(),
            description,
            x,
            has_slots: false,
            y,
            x_title: self.x.title.to_owned(),
            y_title: self.y.title.to_owned(),
            legend,
            table: Twin { caption: self.title.to_owned(), ..table },
            state: State::of(values),
        }
    }
}

#[cfg(test)]
mod tests;
