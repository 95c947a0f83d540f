//! Dots over two values: price against speed, price against quality.

use super::scale::{Axes, usable};
use super::svg::{Plot, Spot};
use super::{Chart, Frame, Key, Twin, class};

/// One dot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dot<'a> {
    /// From the left.
    pub(crate) x: f64,
    /// From below.
    pub(crate) y: f64,
    /// What it stands for.
    pub(crate) name: &'a str,
    /// The path of its page on this site; anything else is not linked.
    pub(crate) href: Option<&'a str>,
    /// Position in the names of the series.
    pub(crate) series: usize,
    /// Larger than the others: what the page is about.
    pub(crate) is_marked: bool,
}

/// Dots that lead to their pages. Both axes begin at zero. What can't be placed is left out, of the table too.
pub(crate) fn scatter(frame: &Frame<'_>, names: &[&str], dots: &[Dot<'_>]) -> Chart {
    let placed = dots.iter().filter(|dot| usable(dot.x) && usable(dot.y)).collect();
    draw(frame, names, placed, Axes::x_from_zero)
}

/// The same with powers of ten from left to right, for values that lie far apart; what is not above zero there has no place.
pub(crate) fn scatter_in_decades(frame: &Frame<'_>, names: &[&str], dots: &[Dot<'_>]) -> Chart {
    let has_place = |dot: &&Dot<'_>| usable(dot.x) && dot.x > 0.0 && usable(dot.y);
    draw(frame, names, dots.iter().filter(has_place).collect(), Axes::x_in_decades)
}

fn draw(frame: &Frame<'_>, names: &[&str], mut placed: Vec<&Dot<'_>>, scale: fn(Axes) -> Axes) -> Chart {
    // By value and name: keyboards go through the dots in this order, and marked ones are drawn last, above the others.
    placed.sort_by(|a, b| {
        (a.is_marked.cmp(&b.is_marked))
            .then(a.x.total_cmp(&b.x))
            .then(a.y.total_cmp(&b.y))
            .then(a.name.cmp(b.name))
    });
    let (xs, ys) = (placed.iter().map(|dot| dot.x), placed.iter().map(|dot| dot.y));
    let axes = scale(Axes::new(xs, ys));
    let mut plot = Plot::default();
    if !placed.is_empty() {
        plot.grid(axes.y_ticks());
    }
    for dot in &placed {
        let title = format!("{}: {}, {}", dot.name, (frame.x.show)(dot.x), (frame.y.show)(dot.y));
        plot.dot(&Spot {
            x: axes.place_x(dot.x),
            y: axes.place_y(dot.y),
            series: &class(dot.series),
            title: &title,
            href: dot.href,
            is_marked: dot.is_marked,
        });
    }
    let table = twin(frame, names, &placed);
    // What has no dot has no color to be told.
    let keys = names.iter().enumerate().filter(|(at, _)| placed.iter().any(|dot| dot.series == *at));
    let keys = keys.map(|(at, name)| Key { class: class(at), name: (*name).to_owned() });
    let legend = if names.len() > 1 { keys.collect() } else { Vec::new() };
    frame.chart(plot, &axes, legend, table, placed.len())
}

fn twin(frame: &Frame<'_>, names: &[&str], dots: &[&Dot<'_>]) -> Twin {
    let has_series = names.len() > 1;
    let mut head = vec!["Name".to_owned()];
    if has_series {
        head.push("Group".to_owned());
    }
    head.extend([frame.x.title.to_owned(), frame.y.title.to_owned()]);
    let rows = dots.iter().map(|dot| {
        let mut row = vec![dot.name.to_owned()];
        if has_series {
            row.push(names.get(dot.series).copied().unwrap_or("–").to_owned());
        }
        row.extend([(frame.x.show)(dot.x), (frame.y.show)(dot.y)]);
        row
    });
    Twin { rows: rows.collect(), head, caption: String::new() }
}
