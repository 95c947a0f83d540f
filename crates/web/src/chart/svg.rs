//! SVG being written, and SVG as a value that templates take as it is.

use std::fmt::{self, Write};

use askama::filters::HtmlSafe;

use crate::markup::escape;

/// The plot's own units. The style sheet decides how large it is.
pub(super) const WIDTH: f64 = 1_000.0;
pub(super) const HEIGHT: f64 = 300.0;

/// A finished picture: everything in it is escaped, so a template writes it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Svg(String);

impl Svg {
    /// Only for text that was escaped where it was put together.
    pub(super) fn trusted(text: String) -> Svg {
        Svg(text)
    }

    /// The markup; empty where there is nothing to draw.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Svg {}

/// A coordinate with at most one digit after the point: the same on every machine, and short.
pub(super) fn coordinate(value: f64) -> String {
    let clamped = if value.is_finite() { value.clamp(-WIDTH, 2.0 * WIDTH) } else { 0.0 };
    // What rounds to nothing must not keep its sign.
    let text = format!("{:.1}", (clamped * 10.0).round() / 10.0 + 0.0);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A plot in the making.
#[derive(Default)]
pub(super) struct Plot {
    marks: String,
}

impl Plot {
    /// Horizontal lines at equal distances, one per label.
    pub(super) fn grid(&mut self, lines: usize) {
        for at in 0..lines {
            let share = if lines > 1 { at as f64 / (lines - 1) as f64 } else { 1.0 };
            let y = coordinate(share * HEIGHT);
            self.write(format_args!(
                "<path class=\"chart-grid\" d=\"M0 {y}H{WIDTH}\" stroke=\"currentColor\" {STEADY}/>"
            ));
        }
    }

    /// Markup whose texts were escaped.
    pub(super) fn write(&mut self, markup: fmt::Arguments<'_>) {
        // Writing to a String can't fail.
        let _ = self.marks.write_fmt(markup);
    }

    /// An open line.
    pub(super) fn line(&mut self, series: &str, path: &str) {
        self.write(format_args!(
            "<path class=\"chart-line {series}\" d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\" {STEADY}/>"
        ));
    }

    /// A dot that says its value; round whatever the plot's shape.
    pub(super) fn dot(&mut self, dot: &Spot<'_>) {
        let marked = if dot.is_marked { " is-marked" } else { "" };
        let width = if dot.is_marked { 14 } else { 9 };
        let (x, y, title) = (coordinate(dot.x), coordinate(dot.y), escape(dot.title));
        let mark = format!(
            "<path class=\"chart-dot {}{marked}\" d=\"M{x} {y}h0\" fill=\"none\" stroke=\"currentColor\" \
             stroke-width=\"{width}\" stroke-linecap=\"round\" {STEADY}><title>{title}</title></path>",
            dot.series
        );
        match dot.href.filter(|href| is_local(href)) {
            Some(href) => {
                let href = escape(href);
                self.write(format_args!("<a href=\"{href}\" aria-label=\"{title}\">{mark}</a>"));
            }
            None => self.write(format_args!("{mark}")),
        }
    }

    /// The picture with its title and description. One with links is a group for who can't see it: `img` would hide them.
    pub(super) fn finish(self, id: &str, title: &str, description: &str) -> Svg {
        if self.marks.is_empty() {
            return Svg::default();
        }
        let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let role = if self.marks.contains("<a ") { "group" } else { "img" };
        let (title, description) = (escape(title), escape(description));
        let marks = self.marks;
        Svg(format!(
            "<svg class=\"chart-plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"{role}\" \
             aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{title}</title>\
             <desc id=\"{id}-desc\">{description}</desc>{marks}</svg>"
        ))
    }
}

/// Strokes keep their width however the plot is stretched.
pub(super) const STEADY: &str = "vector-effect=\"non-scaling-stroke\"";

/// A dot to be drawn.
pub(super) struct Spot<'a> {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) series: &'a str,
    pub(super) title: &'a str,
    pub(super) href: Option<&'a str>,
    pub(super) is_marked: bool,
}

/// Links of charts lead to paths of this site and nowhere else.
fn is_local(href: &str) -> bool {
    href.starts_with('/') && !href.starts_with("//") && !href.contains(['\\', '\n', '\r', '\t'])
}
