//! From values to places, and the values worth a label.

use super::svg::{HEIGHT, WIDTH};

/// The most labels below a plot.
const X_LABELS: usize = 5;
/// The most powers of ten below a plot; their labels are short.
const DECADES_MAX: usize = 7;
/// What labels share on a phone, in pixels, and what a character takes of it, with the space around words.
const PHONE_PX: usize = 260;
const CHARACTER_PX: usize = 7;
/// What stays free beyond the largest value, as a share of it.
const EDGE_SHARE: f64 = 0.02;
/// The most labels beside a plot.
const Y_LABELS_MAX: usize = 6;

/// The two directions of a plot.
pub(super) struct Axes {
    x: (f64, f64),
    y: (f64, f64),
    seen: (f64, f64),
    y_ticks: usize,
    has_x_from_zero: bool,
    /// `x` holds powers of ten.
    is_in_decades: bool,
}

/// Only what can be placed.
pub(super) fn usable(value: f64) -> bool {
    // Beyond this, differences vanish in rounding; no price, speed or date is near.
    value.is_finite() && value.abs() < 1e15
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        Some(range.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

/// 1, 2, 2.5 or 5 times a power of ten, at least `step`.
fn round_step(step: f64) -> f64 {
    if !(step > 0.0 && step.is_finite()) {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let digits = [1.0, 2.0, 2.5, 5.0, 10.0];
    // A hair of slack, so that a step that is round already isn't taken for more by an error in its last bit.
    digits.iter().map(|digit| digit * power).find(|round| *round >= step * (1.0 - 1e-9)).unwrap_or(step)
}

/// A range from zero (or a round value below zero) to a round value above all, and how many labels that makes.
fn rounded(range: (f64, f64)) -> ((f64, f64), usize) {
    let (low, high) = (range.0.min(0.0), range.1.max(0.0));
    if high <= low {
        return ((0.0, 1.0), 2);
    }
    for parts in [4.0, 3.0, 2.0] {
        let step = round_step((high - low) / parts);
        let (from, to) = ((low / step).floor() * step, (high / step - 1e-9).ceil() * step);
        let ticks = ((to - from) / step).round() as usize + 1;
        if ticks <= Y_LABELS_MAX {
            return ((from, to), ticks);
        }
    }
    ((low, high), 2)
}

impl Axes {
    /// Axes that hold all values: y from zero, x from the first to the last.
    pub(super) fn new(xs: impl Iterator<Item = f64>, ys: impl Iterator<Item = f64>) -> Axes {
        let seen = range(ys).unwrap_or((0.0, 0.0));
        let (y, y_ticks) = rounded(seen);
        let x = range(xs).unwrap_or((0.0, 0.0));
        Axes { x, y, seen, y_ticks, has_x_from_zero: false, is_in_decades: false }
    }

    /// The same with x from zero to a round value, above the largest, so that no mark lies on the edge.
    pub(super) fn x_from_zero(mut self) -> Axes {
        let (low, high) = self.x;
        let (x, _) = rounded((low, high + high.max(0.0) * EDGE_SHARE));
        (self.x, self.has_x_from_zero) = (x, true);
        self
    }

    /// The same with x in whole powers of ten, for values that are all above zero: each is as far from the next.
    pub(super) fn x_in_decades(mut self) -> Axes {
        let (low, high) = self.x;
        let power = |value: f64| value.max(f64::MIN_POSITIVE).log10();
        // A hair of slack, so that a power of ten itself is not taken for the next by an error in its last bit.
        let (from, to) = ((power(low) + 1e-9).floor(), (power(high) - 1e-9).ceil());
        self.x = (from, to.max(from + 1.0));
        self.is_in_decades = true;
        self
    }

    /// The lowest and the highest value of y.
    pub(super) fn seen_y(&self) -> (f64, f64) {
        self.seen
    }

    pub(super) fn y_ticks(&self) -> usize {
        self.y_ticks
    }

    /// From the left; a single place is the middle.
    pub(super) fn place_x(&self, value: f64) -> f64 {
        let (from, to) = self.x;
        let value = if self.is_in_decades { value.log10() } else { value };
        if to > from { (value - from) / (to - from) * WIDTH } else { WIDTH / 2.0 }
    }

    /// From the top.
    pub(super) fn place_y(&self, value: f64) -> f64 {
        let (from, to) = self.y;
        (1.0 - (value - from) / (to - from)) * HEIGHT
    }

    /// Left to right. Neighbours that read alike are told once, and no more are told than fit beside each other on a phone.
    pub(super) fn x_labels(&self, show: &dyn Fn(f64) -> String) -> Vec<String> {
        let (from, to) = self.x;
        if self.is_in_decades {
            return decades(from, to, show);
        }
        if to <= from {
            return vec![show(from)];
        }
        // Fewer labels, still at equal distances, until no two read alike.
        for count in (2..=X_LABELS).rev() {
            let labels = spread(from, to, count, show);
            let is_distinct = labels.windows(2).all(|pair| pair.first() != pair.last());
            if is_distinct && count <= labels_max(labels.iter(), X_LABELS) {
                return labels;
            }
        }
        vec![show(from)]
    }

    /// Top to bottom.
    pub(super) fn y_labels(&self, show: &dyn Fn(f64) -> String) -> Vec<String> {
        spread(self.y.1, self.y.0, self.y_ticks, show)
    }
}

/// Every power of ten, or only the ends where there are too many.
fn decades(from: f64, to: f64, show: &dyn Fn(f64) -> String) -> Vec<String> {
    let count = (to - from).round() as usize + 1;
    let power = |at: usize| show(snap(10_f64.powf(from + at as f64)));
    if count > DECADES_MAX { vec![power(0), power(count - 1)] } else { (0..count).map(power).collect() }
}

/// How many labels fit beside each other, the longest deciding; never fewer than two.
pub(super) fn labels_max<'l>(labels: impl Iterator<Item = &'l String>, most: usize) -> usize {
    let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
    (PHONE_PX / (longest * CHARACTER_PX).max(1)).clamp(2, most)
}

/// Without the last bits, in which 3 x 0.2 is not 0.6.
fn snap(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

fn spread(from: f64, to: f64, count: usize, show: &dyn Fn(f64) -> String) -> Vec<String> {
    let last = count.saturating_sub(1).max(1) as f64;
    let value = |at: usize| {
        let value = from + (to - from) * at as f64 / last;
        // Zero, not what is left of it after subtracting.
        if value.abs() < (to - from).abs() * 1e-9 { 0.0 } else { snap(value) }
    };
    (0..count).map(|at| show(value(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Axes, round_step, rounded};

    #[test]
    fn labels_are_round_and_hold_all_values() {
        let rows = [
            ((0.0, 0.6), (0.0, 0.6), 4),
            ((0.1, 0.15), (0.0, 0.15), 4),
            ((3.0, 97.0), (0.0, 100.0), 5),
            ((5.0, 5.0), (0.0, 6.0), 4),
            ((-3.0, 9.0), (-5.0, 10.0), 4),
            ((0.0, 0.0), (0.0, 1.0), 2),
            ((0.0, 1_048_576.0), (0.0, 1_500_000.0), 4),
        ];
        for (seen, expect, ticks) in rows {
            let ((from, to), count) = rounded(seen);
            assert!((from - expect.0).abs() < 1e-9 && (to - expect.1).abs() < 1e-6, "{seen:?}: {from} {to}");
            assert_eq!(count, ticks, "{seen:?}");
            assert!(from <= seen.0 && to >= seen.1 * (1.0 - 1e-9));
        }
    }

    #[test]
    fn steps_are_one_two_and_five() {
        for (step, expect) in
            [(0.9, 1.0), (1.0, 1.0), (1.1, 2.0), (2.2, 2.5), (3.0, 5.0), (7.0, 10.0), (0.03, 0.05)]
        {
            assert!((round_step(step) - expect).abs() < 1e-12, "{step}: {}", round_step(step));
        }
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!((round_step(odd) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn powers_of_ten_are_equally_far() {
        let axes = |xs: &[f64]| Axes::new(xs.iter().copied(), [1.0].into_iter()).x_in_decades();
        let labels = |xs: &[f64]| axes(xs).x_labels(&|v| format!("{v}"));
        assert_eq!(labels(&[0.03, 12.0]), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(&[0.1, 10.0]), ["0.1", "1", "10"]);
        assert_eq!(labels(&[1.0]), ["1", "10"]);
        assert_eq!(labels(&[1e-5, 1e5]), ["0.00001", "100000"]);
        let places = [0.1, 1.0, 10.0].map(|x| axes(&[0.1, 10.0]).place_x(x).round() as i64);
        assert_eq!(places, [0, 500, 1_000]);
    }

    #[test]
    fn labels_that_read_alike_are_told_once() {
        let axes = Axes::new([0.0, 10.0].into_iter(), [1.0].into_iter());
        assert_eq!(axes.x_labels(&|v| format!("{v}")), ["0", "2.5", "5", "7.5", "10"]);
        assert_eq!(axes.x_labels(&|v| format!("{}", v > 5.0)), ["false", "true"]);
        assert_eq!(axes.x_labels(&|_| "May".to_owned()), ["May"]);
        assert_eq!(
            axes.x_labels(&|v| format!("{v:.0} Nov 2025")),
            ["0 Nov 2025", "5 Nov 2025", "10 Nov 2025"]
        );
        assert_eq!(axes.x_labels(&|v| format!("{v} of a very long label that leaves no room")).len(), 2);
        assert_eq!(Axes::new(std::iter::empty(), std::iter::empty()).x_labels(&|v| format!("{v}")), ["0"]);
    }
}
