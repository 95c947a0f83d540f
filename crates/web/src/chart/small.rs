//! Pictures the size of a word, for cells of tables: their label says what they show.

use super::svg::{Svg, coordinate};
use crate::markup::escape;

const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 24.0;
/// Free at top and bottom, so that a stroke is not cut.
const MARGIN: f64 = 2.0;

/// How a slot of time went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
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
pub(crate) fn strip(label: &str, cells: &[Cell]) -> Svg {
    if cells.is_empty() {
        return Svg::default();
    }
    let slot = WIDTH / cells.len() as f64;
    let kinds = [
        (Cell::Good, "cell-good", HEIGHT),
        (Cell::Some, "cell-some", HEIGHT * 0.7),
        (Cell::Bad, "cell-bad", HEIGHT * 0.4),
        (Cell::None, "cell-none", MARGIN),
    ];
    // One shape for all bars of a kind: a page has many strips.
    let shapes: String = kinds
        .into_iter()
        .filter(|(kind, ..)| cells.contains(kind))
        .map(|(kind, class, height)| {
            let (top, width) = (coordinate(HEIGHT - height), coordinate_fine(slot * 0.8));
            let bars = cells.iter().enumerate().filter(|(_, cell)| **cell == kind);
            let bars: String = bars
                .map(|(at, _)| {
                    format!("M{} {top}h{width}V{HEIGHT}h-{width}z", coordinate((at as f64 + 0.1) * slot))
                })
                .collect();
            format!("<path class=\"{class}\" d=\"{bars}\" fill=\"currentColor\"/>")
        })
        .collect();
    small("strip", label, &shapes)
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
