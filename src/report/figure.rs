//! One type for every figure: an SVG that stands alone, the same SVG for a page, and the table that says the same in numbers.
//!
//! Charts with axes are drawn by plotters (without its font features: it would need a font at hand), pictures by [`super::svg`].
//! Either way this file gives them their frame: a title, a description, a ground and sizes.

use std::error::Error;
use std::fmt::{self, Write as _};

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{DrawingArea, IntoDrawingArea, IntoFont, RGBColor, SVGBackend, TextStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use super::human;
use super::palette::{self, Ink, PAPER, TEXT};
use super::svg::{Svg, escape};

/// The width of every figure in pixels; pages scale it to what room there is.
pub const WIDTH: u32 = 900;

/// Pixels of the letters in charts.
pub const LETTERS: f64 = 13.0;

/// At most so many rows of a table are shown in a page; the exports have all.
const MOST_ROWS: usize = 200;

/// Why a figure, a page or an export could not be made. Nothing a record holds leads here; it reports faults of the libraries used.
#[derive(Debug)]
pub struct RenderError(String);

impl RenderError {
    /// What was being made, and the error met.
    pub fn new(what: &str, error: &dyn fmt::Display) -> RenderError {
        RenderError(format!("{what}: {error}"))
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for RenderError {}

impl<E: Error + Send + Sync> From<DrawingAreaErrorKind<E>> for RenderError {
    fn from(error: DrawingAreaErrorKind<E>) -> RenderError {
        RenderError::new("a chart could not be drawn", &error)
    }
}

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    pub label: String,
    /// Whether its cells are numbers, to be set flush right.
    pub numeric: bool,
}

/// Rows and columns of text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    pub caption: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
    /// Rows that were left out to keep a page readable.
    pub left_out: usize,
}

impl Table {
    /// A table without rows. A column's name ends in `#` where its cells are numbers.
    pub fn new(caption: impl Into<String>, columns: &[&str]) -> Table {
        Table::with_columns(caption, columns.iter().map(|column| (*column).to_owned()))
    }

    /// As [`Table::new`], for names that are made.
    pub fn with_columns(caption: impl Into<String>, columns: impl IntoIterator<Item = String>) -> Table {
        let column = |name: String| match name.strip_suffix('#') {
            Some(label) => Column { label: label.to_owned(), numeric: true },
            None => Column { label: name, numeric: false },
        };
        Table { caption: caption.into(), columns: columns.into_iter().map(column).collect(), rows: Vec::new(), left_out: 0 }
    }

    /// Adds a row, or counts it where there are many already.
    pub fn row(&mut self, cells: Vec<String>) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push(cells);
        } else {
            self.left_out += 1;
        }
    }
}

/// A picture with a name, a description and the numbers it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Short and fit for a file name, such as `stacks`.
    pub name: String,
    /// What is shown.
    pub title: String,
    /// How to read it, and for those who cannot see it what there is to see.
    pub description: String,
    /// A whole SVG document in the colours for paper.
    pub svg: String,
    /// The same as numbers.
    pub table: Table,
    size: (u32, u32),
    body: String,
}

/// What a figure says about itself.
pub struct About {
    pub name: &'static str,
    pub title: String,
    pub description: String,
    pub table: Table,
}

/// What plotters draws on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Figure {
    /// A chart of the given height, drawn by plotters.
    pub fn chart(
        about: About,
        height: u32,
        draw: impl FnOnce(&Area<'_>) -> Result<(), RenderError>,
    ) -> Result<Figure, RenderError> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
            draw(&area)?;
            area.present()?;
        }
        // The frame is made below, so plotters' own opening and closing tag go.
        let body = text.split_once('>').map_or("", |(_, inner)| inner).trim_end();
        let body = body.strip_suffix("</svg>").unwrap_or(body).to_owned();
        Ok(Figure::framed(about, (WIDTH, height), body))
    }

    /// A picture drawn by hand.
    pub fn picture(about: About, picture: Svg) -> Figure {
        Figure::framed(about, picture.size(), picture.into_body())
    }

    fn framed(about: About, size: (u32, u32), body: String) -> Figure {
        let About { name, title, description, table } = about;
        let mut figure = Figure { name: name.to_owned(), title, description, svg: String::new(), table, size, body };
        figure.svg = figure.document("figure", true);
        figure
    }

    /// The SVG for a page: colours follow the page's theme, and ids begin with `prefix`, which no other figure of the page has.
    pub fn inline(&self, prefix: &str) -> String {
        palette::themed(&self.document(prefix, false))
    }

    fn document(&self, prefix: &str, ground: bool) -> String {
        let (width, height) = self.size;
        let id = format!("{prefix}-{}", self.name);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" font-family=\"sans-serif\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n",
            escape(&self.title),
            escape(&self.description)
        );
        if ground {
            writeln!(svg, "<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>", PAPER.light.hex())
                .expect("a string takes everything");
        }
        svg.push_str(self.body.trim_start());
        svg.push_str("</svg>\n");
        svg
    }
}

/// An ink as plotters takes colours.
pub fn colour(ink: Ink) -> RGBColor {
    RGBColor(ink.light.0, ink.light.1, ink.light.2)
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Letters of `size` pixels in a colour, vertically centred on their point.
pub fn letters(size: f64, ink: Ink, anchor: Anchor) -> TextStyle<'static> {
    let horizontal = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    // The SVG back end divides sizes by 1.24, which suits bitmap fonts.
    ("sans-serif", size * 1.24).into_font().color(&colour(ink)).pos(Pos::new(horizontal, VPos::Center))
}

/// Draws a text at a point of the whole area.
pub fn write(area: &Area<'_>, text: &str, style: &TextStyle<'_>, at: (f64, f64)) -> Result<(), RenderError> {
    let text = human::printable(text);
    if !text.is_empty() {
        area.draw_text(&text, style, (at.0.round() as i32, at.1.round() as i32))?;
    }
    Ok(())
}

/// Draws patches of colour with their names, in as many lines as it takes, and says how tall they are.
pub fn legend_height(entries: &[(Ink, String)]) -> u32 {
    if entries.is_empty() { 0 } else { place_legend(entries).last().map_or(0, |&(_, y)| y as u32 + 30) }
}

fn place_legend(entries: &[(Ink, String)]) -> Vec<(f64, f64)> {
    let (mut x, mut y) = (4.0, 10.0);
    entries
        .iter()
        .map(|(_, name)| {
            let width = 36.0 + human::text_width(name, LETTERS);
            if x > 4.0 && x + width > f64::from(WIDTH) {
                (x, y) = (4.0, y + 22.0);
            }
            let place = (x, y);
            x += width;
            place
        })
        .collect()
}

/// Draws the legend at the top of an area.
pub fn draw_legend(area: &Area<'_>, entries: &[(Ink, String)]) -> Result<(), RenderError> {
    use plotters::prelude::{Color, Rectangle};
    for ((ink, name), (x, y)) in entries.iter().zip(place_legend(entries)) {
        let corner = (x as i32, y as i32 - 7);
        area.draw(&Rectangle::new([corner, (corner.0 + 14, corner.1 + 14)], colour(*ink).filled()))?;
        write(area, name, &letters(LETTERS, TEXT, Anchor::Start), (x + 20.0, y))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { name: "dots", title: "A & B".to_owned(), description: "<one> dot".to_owned(), table: Table::new("", &["n#"]) }
    }

    #[test]
    fn a_chart_gets_one_frame_with_an_escaped_title() {
        let figure = Figure::chart(about(), 60, |area| write(area, "x < y\u{0}", &letters(12.0, TEXT, Anchor::Start), (5.0, 9.0)));
        let svg = figure.unwrap().svg;
        insta::assert_snapshot!(svg, @r###"
        <svg xmlns="http://www.w3.org/2000/svg" width="900" height="60" viewBox="0 0 900 60" role="img" aria-labelledby="figure-dots-title figure-dots-desc" font-family="sans-serif">
        <title id="figure-dots-title">A &amp; B</title>
        <desc id="figure-dots-desc">&lt;one&gt; dot</desc>
        <rect width="900" height="60" fill="#FFFFFF"/>
        <text x="5" y="9" dy="0.5ex" text-anchor="start" font-family="sans-serif" font-size="12" opacity="1" fill="#1B1E23">
        x &lt; y�
        </text>
        </svg>
        "###);
    }

    #[test]
    fn in_a_page_colours_are_variables_and_ids_are_the_pages() {
        let figure = Figure::chart(about(), 60, |area| write(area, "x", &letters(12.0, TEXT, Anchor::Start), (5.0, 9.0))).unwrap();
        let inline = figure.inline("r2");
        assert!(inline.contains("fill=\"var(--text)\"") && inline.contains("id=\"r2-dots-title\""), "{inline}");
        assert!(!inline.contains("#FFFFFF"), "the page is the ground");
    }

    #[test]
    fn legends_break_into_lines_before_the_edge() {
        let entries: Vec<(Ink, String)> = (0..30).map(|i| (TEXT, format!("an owner of time {i}"))).collect();
        for ((_, name), (x, _)) in entries.iter().zip(place_legend(&entries)) {
            assert!(x + 20.0 + human::text_width(name, LETTERS) <= f64::from(WIDTH));
        }
        assert!(legend_height(&entries) > 100 && legend_height(&[]) == 0);
    }

    #[test]
    fn tables_stay_readable() {
        let mut table = Table::new("t", &["name", "n#"]);
        (0..MOST_ROWS + 3).for_each(|i| table.row(vec![String::new(), i.to_string()]));
        assert_eq!((table.rows.len(), table.left_out), (MOST_ROWS, 3));
        assert!(table.columns[1].numeric && table.columns[1].label == "n");
    }
}
