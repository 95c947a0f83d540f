//! Pictures the size of a word, for cells of tables: their label says what they show.

use super::scale::usable;
use super::svg::{STEADY, Svg, coordinate};
use crate::markup::escape;

const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 24.0;
/// Free at top and bottom, so that a stroke is not cut.
const MARGIN: f64 = 2.0;

/// A line without axes, from its lowest to its highest value. `label` is spoken and shown as title. Nothing known: empty.
pub fn sparkline(label: &str, values: &[Option<f64>]) -> Svg {
    let known = || values.iter().flatten().copied().filter(|value| usable(*value));
    let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return Svg::default();
    }
    let last = values.len().saturating_sub(1);
    let place = |at: usize, value: f64| {
        let x = if last == 0 { WIDTH / 2.0 } else { at as f64 / last as f64 * WIDTH };
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        (coordinate(x), coordinate(HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)))
    };
    let mut path = String::new();
    let mut is_open = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value.filter(|value| usable(*value)) else {
            is_open = false;
            continue;
        };
        let (x, y) = place(at, value);
        // A value between two gaps is a dot: the round cap of a line without length.
        let is_alone = !is_open && values.get(at + 1).copied().flatten().is_none_or(|next| !usable(next));
        path.push_str(&if is_open { format!("L{x} {y}") } else { format!("M{x} {y}") });
        if is_alone {
            path.push_str("h0");
        }
        is_open = true;
    }
    let marks = format!(
        "<path class=\"chart-line\" d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" \
         stroke-linejoin=\"round\" stroke-linecap=\"round\" {STEADY}/>"
    );
    small("spark", label, &marks)
}

/// How a slot of time went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// All was well.
    Good,
    /// Some of it was.
    Some,
    /// Nothing was.
    Bad,
    /// Nobody asked.
    None,
}

/// One bar per slot of time, oldest first; the worse it went, the shorter the bar, so that color is not needed.
pub fn strip(label: &str, cells: &[Cell]) -> Svg {
    if cells.is_empty() {
        return Svg::default();
    }
    let slot = WIDTH / cells.len() as f64;
    let bars: String = cells
        .iter()
        .enumerate()
        .map(|(at, cell)| {
            let (class, height) = match cell {
                Cell::Good => ("cell-good", HEIGHT),
                Cell::Some => ("cell-some", HEIGHT * 0.7),
                Cell::Bad => ("cell-bad", HEIGHT * 0.4),
                Cell::None => ("cell-none", MARGIN),
            };
            let (x, y) = (coordinate((at as f64 + 0.1) * slot), coordinate(HEIGHT - height));
            let (width, height) = (coordinate_fine(slot * 0.8), coordinate(height));
            format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"currentColor\"/>"
            )
        })
        .collect();
    small("strip", label, &bars)
}

/// With two digits: many slots make narrow bars.
fn coordinate_fine(value: f64) -> String {
    format!("{value:.2}")
}

fn small(class: &str, label: &str, marks: &str) -> Svg {
    let label = escape(label);
    Svg::trusted(format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\"><title>{label}</title>{marks}</svg>"
    ))
}
