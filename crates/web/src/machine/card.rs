//! The picture that is shown where somebody shares a model's page: 1200 by 630, as SVG and as PNG.
//!
//! Letters are paths, so that the picture is the same on every machine and no fonts are looked for. The typeface is Noto
//! Sans 1.04 (Apache-2.0). A character that it doesn't have is left out; a name of which nothing is left is replaced by
//! the id, which is plain ASCII.

use std::sync::LazyLock;

use catalog::Snapshot;
use resvg::{tiny_skia, usvg};
use ttf_parser::{Face, GlyphId, OutlineBuilder};
use types::{PriceKind, Quote};

use crate::describe::{cheapest, headline};
use crate::format;
use crate::index::Switches;

/// Its size.
pub(crate) const WIDTH: u32 = 1_200;
/// Its size.
pub(crate) const HEIGHT: u32 = 630;

const MARGIN: f32 = 72.0;
const INK: &str = "#15201d";
const SOFT: &str = "#53615c";
const PAPER: &str = "#ffffff";
const LINE: &str = "#e1e7e4";
const ACCENT: &str = "#0b6b58";
/// As much of a text as is looked at; no more would fit.
const TEXT_CHARS_MAX: usize = 200;
/// The most facts below the name.
const FACTS_MAX: usize = 4;

/// What a picture says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// The name of this place.
    pub(crate) brand: String,
    /// Who made the model.
    pub(crate) author: String,
    /// Its name.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: String,
    /// Label and value, at most four.
    pub(crate) facts: Vec<(String, String)>,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CardError {
    /// The SVG was not understood.
    #[error("the picture's SVG is not understood: {0}")]
    Svg(String),
    /// It could not be drawn or packed.
    #[error("the picture could not be drawn: {0}")]
    Png(String),
}

/// What is said of a model: its lowest prices, its context, how many offer it.
pub(crate) fn of_model(snapshot: &Snapshot, position: usize, on: &Switches, brand: &str) -> Option<Card> {
    let model = snapshot.models.get(position)?;
    let author = snapshot.author(&model.author).map_or(&*model.author, |author| &author.name);
    let mut facts = Vec::new();
    if let Some(endpoint) = cheapest(snapshot, position, on) {
        for (kind, rate) in headline(endpoint).into_iter().take(2) {
            let label = match kind {
                kind if kind.is_tokens() => format!("{} per 1M", format::price_name(kind)),
                PriceKind::Characters => "Per 1M characters".to_owned(),
                kind => {
                    let unit = format::unit(kind).to_owned();
                    unit.replacen('p', "P", 1)
                }
            };
            facts.push((label, format::quote(kind, Some(Quote::Known(rate))).short));
        }
    }
    if let Some(context) = model.context_tokens() {
        facts.push(("Context".to_owned(), format::tokens(context).short));
    }
    let offers = snapshot.endpoints_of(position).len() as u64;
    if offers > 0 {
        facts.push(("Offers".to_owned(), format::count(offers)));
    }
    Some(Card {
        brand: brand.to_owned(),
        author: author.to_owned(),
        name: model.name.clone(),
        id: model.id.to_string(),
        facts,
    })
}

/// A typeface that texts are set in.
struct Typeface(Option<Face<'static>>);

static REGULAR: LazyLock<Typeface> = LazyLock::new(|| Typeface(Face::parse(ttf_noto_sans::REGULAR, 0).ok()));
static BOLD: LazyLock<Typeface> = LazyLock::new(|| Typeface(Face::parse(ttf_noto_sans::BOLD, 0).ok()));

impl Typeface {
    fn glyph(&self, c: char) -> Option<GlyphId> {
        self.0.as_ref()?.glyph_index(c)
    }

    /// Units of the typeface to pixels.
    fn scale(&self, size: f32) -> f32 {
        size / self.0.as_ref().map_or(1_000.0, |face| f32::from(face.units_per_em()))
    }

    fn advance(&self, glyph: GlyphId) -> f32 {
        let face = self.0.as_ref();
        face.and_then(|face| face.glyph_hor_advance(glyph)).map_or(0.0, f32::from)
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().filter_map(|c| self.glyph(c)).map(|glyph| self.advance(glyph)).sum::<f32>()
            * self.scale(size)
    }

    /// The outline of a line of text from a point of its baseline on, as the data of a path.
    fn path(&self, text: &str, size: f32, left: f32, baseline: f32) -> String {
        let Some(face) = &self.0 else {
            return String::new();
        };
        let mut pen = Pen { data: String::new(), x: left, y: baseline, scale: self.scale(size) };
        for glyph in text.chars().filter_map(|c| self.glyph(c)) {
            // A glyph without an outline, such as a space, only takes its room.
            let _ = face.outline_glyph(glyph, &mut pen);
            pen.x += self.advance(glyph) * pen.scale;
        }
        pen.data
    }

    /// As much of a text as fits, with an ellipsis where something is left out.
    fn fitted(&self, text: &str, size: f32, room: f32) -> String {
        if self.width(text, size) <= room {
            return text.to_owned();
        }
        let mut kept: Vec<char> = text.chars().take(TEXT_CHARS_MAX).collect();
        while kept.pop().is_some() {
            let shorter: String = kept.iter().collect::<String>().trim_end().to_owned() + "…";
            if self.width(&shorter, size) <= room {
                return shorter;
            }
        }
        String::new()
    }
}

/// Writes outlines; y goes down in pictures and up in typefaces.
struct Pen {
    data: String,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen {
    fn point(&self, x: f32, y: f32) -> String {
        format!("{:.2} {:.2}", self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.data.push_str(&format!("M{}", self.point(x, y)));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.data.push_str(&format!("L{}", self.point(x, y)));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.data.push_str(&format!("Q{} {}", self.point(x1, y1), self.point(x, y)));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.data.push_str(&format!("C{} {} {}", self.point(x1, y1), self.point(x2, y2), self.point(x, y)));
    }

    fn close(&mut self) {
        self.data.push('Z');
    }
}

struct Sheet(String);

impl Sheet {
    fn text(&mut self, face: &Typeface, color: &str, size: f32, (left, baseline): (f32, f32), text: &str) {
        let path = face.path(text, size, left, baseline);
        if !path.is_empty() {
            self.0.push_str(&format!("<path fill=\"{color}\" d=\"{path}\"/>"));
        }
    }
}

/// The name in one line as large as it fits, else in two, else cut.
fn name_lines(name: &str, room: f32) -> (f32, Vec<String>) {
    for size in [84.0, 72.0, 64.0] {
        if BOLD.width(name, size) <= room {
            return (size, vec![name.to_owned()]);
        }
    }
    let size = 60.0;
    let mut first = String::new();
    for word in name.split_inclusive([' ', '-', '/']) {
        if BOLD.width(&format!("{first}{}", word.trim_end()), size) > room {
            break;
        }
        first.push_str(word);
    }
    let rest = name.get(first.len()..).unwrap_or_default();
    if first.is_empty() {
        return (size, vec![BOLD.fitted(rest, size, room)]);
    }
    (size, vec![first.trim_end().to_owned(), BOLD.fitted(rest, size, room)])
}

/// The picture as SVG, without text and without anything from elsewhere.
pub(crate) fn svg(card: &Card) -> String {
    let (width, height) = (WIDTH as f32, HEIGHT as f32);
    let room = width - 2.0 * MARGIN;
    let mut sheet = Sheet(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{PAPER}\"/><rect width=\"{WIDTH}\" height=\"12\" fill=\"{ACCENT}\"/>"
    ));
    let brand_width = BOLD.width(&card.brand, 30.0);
    sheet.text(
        &BOLD,
        ACCENT,
        30.0,
        (width - MARGIN - brand_width.min(room / 2.0), 108.0),
        &BOLD.fitted(&card.brand, 30.0, room / 2.0),
    );
    sheet.text(&REGULAR, SOFT, 34.0, (MARGIN, 108.0), &REGULAR.fitted(&card.author, 34.0, room / 2.0 - 24.0));
    let is_drawable = card.name.chars().any(|c| !c.is_whitespace() && BOLD.glyph(c).is_some());
    let name = if is_drawable { card.name.as_str() } else { card.id.as_str() };
    let name: String = name.chars().take(TEXT_CHARS_MAX).collect();
    let (size, lines) = name_lines(&name, room);
    let mut baseline = if lines.len() > 1 { 216.0 } else { 250.0 };
    for line in &lines {
        sheet.text(&BOLD, INK, size, (MARGIN, baseline), line);
        baseline += size * 1.2;
    }
    sheet.text(
        &REGULAR,
        SOFT,
        30.0,
        (MARGIN, baseline - size * 1.2 + 62.0),
        &REGULAR.fitted(&card.id, 30.0, room),
    );
    let top = height - 218.0;
    sheet.0.push_str(&format!(
        "<rect x=\"{MARGIN}\" y=\"{top}\" width=\"{room}\" height=\"2\" fill=\"{LINE}\"/>"
    ));
    let column = room / card.facts.len().clamp(1, FACTS_MAX) as f32;
    for (at, (label, value)) in card.facts.iter().take(FACTS_MAX).enumerate() {
        let left = MARGIN + column * at as f32;
        let room = column - 24.0;
        sheet.text(&REGULAR, SOFT, 26.0, (left, top + 62.0), &REGULAR.fitted(label, 26.0, room));
        sheet.text(&BOLD, INK, 54.0, (left, top + 136.0), &BOLD.fitted(value, 54.0, room));
    }
    sheet.0.push_str("</svg>");
    sheet.0
}

/// The picture as PNG, from what [`svg`] made. It takes some milliseconds of a core.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, CardError> {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default())
        .map_err(|error| CardError::Svg(error.to_string()))?;
    let mut picture =
        tiny_skia::Pixmap::new(WIDTH, HEIGHT).ok_or_else(|| CardError::Png("no room for it".to_owned()))?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut picture.as_mut());
    picture.encode_png().map_err(|error| CardError::Png(error.to_string()))
}
